"""VNLnet's patch search over whole planes, as a GPU does it, on the CPU: what it finds, how often it calls, what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.pretended import GPU, devices, pretended_gpu
from tests.slow import SLOW
from vbench.models.verify import verify
from vbench.models.vnlnet import planes
from vbench.models.vnlnet import search as module
from vbench.models.vnlnet.planes import Layout, Planes
from vbench.models.vnlnet.rows import Rows
from vbench.models.vnlnet.search import Matches, Window, match, match_both

FIXTURE = Path(__file__).resolve().parents[1] / "parity" / "vnl_search"
PAIRS = [
    (3, 3, (8, 9)),
    (4, 5, (9, 8)),
    (1, 4, (5, 6)),
    (1, 1, (4, 5)),
    (2, 7, (14, 17)),
    (5, 5, (5, 5)),
    (5, 9, (14, 17)),
    (5, 9, (7, 30)),
    (5, 9, (30, 7)),
    (7, 13, (140, 9)),
    (5, 11, (70, 131)),
    (3, 61, (6, 40)),
    (41, 41, (43, 50)),
    (41, 41, (41, 41)),
]
"""Patch, search window, and size of the frames: one block and several of rows and of columns, patches as large as the
frame, frames lower and narrower than the search reaches."""


def whole_numbers(*shape: int, seed: int = 0) -> Tensor:
    """Few different values: many candidates are equally near."""
    return torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def by_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_search", partial(module._search, planes=True))


def equal(found: Matches, expected: Matches) -> bool:
    return all(
        (x is None and y is None) or (x is not None and y is not None and x.dtype == y.dtype and torch.equal(x, y))
        for x, y in zip(found, expected, strict=True)
    )


# what is found


@pytest.mark.parametrize("limit", [1, 2**15, 2**26])
@pytest.mark.parametrize(("patch", "search", "size"), PAIRS)
def test_planes_equal_rows_for_whole_numbers(
    patch: int, search: int, size: tuple[int, int], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matches, distances, second best; of equal ones the first in scan order, also on the way back; however it is cut."""
    monkeypatch.setattr(planes, "AT_ONCE", limit)
    a, b, window = whole_numbers(3, *size), whole_numbers(3, *size, seed=1), Window(patch, search)
    if limit == 1:
        a, b = a[:1], b[:2]
    back = search % 2 == 1 and patch > search // 2
    for dtype in (torch.float32, torch.float64):
        for second in (False, True):
            arguments = (a.to(dtype), b.to(dtype), window)
            expected = module._search(*arguments, second=second, back=back, planes=False)
            found = module._search(*arguments, second=second, back=back, planes=True)
            assert equal(found[0], expected[0])
            if back:
                assert found[1] is not None
                assert expected[1] is not None
                assert equal(found[1], expected[1])
            if second and size == (41, 41):
                assert found[0].second is not None
                assert bool(found[0].second.isinf().all())  # there is one candidate


def _cases(*names: str) -> list[Any]:
    """Whole pipelines are slow: planes are not how a CPU searches."""
    return [pytest.param(name, marks=SLOW if "pipeline" in name else ()) for name in names]


@pytest.mark.parametrize("name", _cases(*sorted(path.stem for path in FIXTURE.glob("case_*.npz"))))
def test_planes_equal_the_official_search(name: str, by_planes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_planes_equal(FIXTURE / f"{name}.npz", monkeypatch)


@pytest.mark.shared
@pytest.mark.parametrize("name", _cases("case_default", "case_pipeline_gray"))
def test_planes_equal_the_official_search_of_other_clips(
    shared: Path, name: str, by_planes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_planes_equal(shared / "parity" / "vnl_search" / f"{name}.npz", monkeypatch)


def assert_planes_equal(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Rows, "scan")
    monkeypatch.setattr(planes, "AT_ONCE", 2**20)  # which a CPU has in its cache
    assert [difference for difference in verify("vnl_search", case, dtype="float32") if not difference.within] == []


def distances(query: Tensor, other: Tensor, found: Matches, patch: int) -> Tensor:
    """Of the patches that were found, in float64."""
    patches, theirs = (x.double().unfold(0, patch, 1).unfold(1, patch, 1) for x in (query, other))
    y = torch.arange(len(patches))[:, None] + found.dy[0]
    x = torch.arange(patches.shape[1]) + found.dx[0]
    return (patches - theirs[y, x]).square().sum((-1, -2))


@pytest.mark.parametrize("alike", [False, True])
def test_in_float32_what_is_found_is_the_best_but_for_rounding(by_planes: None, alike: bool) -> None:
    """In noise, and where the frames are one texture that repeats itself, so that many are equal but for rounding."""
    window = Window(41, 15)
    if alike:
        a = random(1, 5, 7).repeat(1, 13, 9)[:, :62, :60]
        b = a.roll((2, 3), (1, 2)) + 0.1
    else:
        a, b = random(1, 62, 60), random(1, 62, 60, seed=1)
    both = match_both(a, b, window)
    for one, other, found in ((a, b, both[0]), (b, a, both[1])):
        best = module._search(one.double(), other.double(), window, second=False, back=False, planes=False)[0]
        chosen = distances(one[0], other[0], found, window.patch)
        assert float((chosen / best.distance[0] - 1).max()) < 1e-5
        assert torch.allclose(found.distance[0].double(), best.distance[0], rtol=2e-6)
        if not alike:
            assert torch.equal(found.dy, best.dy)
            assert torch.equal(found.dx, best.dx)


def test_planes_of_very_large_and_very_small_values() -> None:
    """Up to the largest value that the outside can be told from; above, rows are searched."""
    window = Window(5, 7)
    highest = Planes.highest(window, torch.float32)
    power = 2.0 ** int(torch.tensor(highest / 2).log2())
    for scale in (power, 2.0**-40):
        a, b = whole_numbers(1, 12, 13) * scale, whole_numbers(2, 12, 13, seed=1) * scale
        for second in (False, True):
            expected = module._search(a, b, window, second=second, back=True, planes=False)
            found = module._search(a, b, window, second=second, back=True, planes=True)
            if scale == power:
                assert equal(found[0], expected[0])
            # Rows take distances that differ by less than 1e-35 for equal.
            assert torch.allclose(found[0].distance, expected[0].distance, rtol=1e-6)


def test_frames_of_huge_values_are_searched_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Planes, "scan")
    window = Window(5, 7)
    a = whole_numbers(1, 12, 13) * 2.0**58
    assert float(a.max()) > Planes.highest(window, torch.float32)
    assert module._search(a, a, window, second=False, back=False, planes=True)[0].distance.sum() == 0


def test_on_a_cpu_rows_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Planes, "scan")
    frames = whole_numbers(1, 12, 13)
    assert not match(frames, frames, Window(5, 7)).distance.any()


@pytest.mark.cuda
def test_on_a_gpu_planes_are_searched_and_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    a, b, window = whole_numbers(3, 140, 150), whole_numbers(3, 140, 150, seed=1), Window(41, 41)
    expected = match_both(a, b, window)
    monkeypatch.delattr(Rows, "scan")
    for found, there in zip(match_both(a.cuda(), b.cuda(), window), expected, strict=True):
        assert equal(Matches(found.dy.cpu(), found.dx.cpu(), found.distance.cpu()), there)


@pytest.mark.parametrize("second", [False, True])
def test_planes_stay_on_the_gpu(monkeypatch: pytest.MonkeyPatch, second: bool) -> None:
    """On a GPU that is only pretended: nothing mixes devices, or waits for a value but the one of all frames."""
    monkeypatch.setattr(module, "_check", lambda *given: 1.0)
    with pretended_gpu("vbench.models.vnlnet"):
        a, b = (torch.empty(3, 140, 150, device=GPU) for _ in range(2))
        found = [match(a, b, Window(41, 41), second=True)] if second else list(match_both(a, b, Window(41, 41)))
        assert devices(*(values for matches in found for values in matches)) == {GPU}


# in float32, whatever the process has set


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[bool, bool]]]:
    """Of each product: whether CUDA was allowed to shorten it, and whether autocast was on."""
    seen: list[tuple[bool, bool]] = []
    plain = torch.bmm

    def bmm(*args: Any, **kwargs: Any) -> Tensor:
        seen.append((short(), torch.is_autocast_enabled("cpu")))
        return plain(*args, **kwargs)

    monkeypatch.setattr(torch, "bmm", bmm)
    before = torch.backends.cuda.matmul.allow_tf32
    yield seen
    torch.backends.cuda.matmul.allow_tf32 = before


def short() -> bool:
    matmul = torch.backends.cuda.matmul
    return bool(matmul.fp32_precision == "tf32" if hasattr(matmul, "fp32_precision") else matmul.allow_tf32)


@pytest.mark.parametrize("allowed", [False, True])
def test_products_are_in_float32_and_settings_are_put_back(
    by_planes: None, watched: list[tuple[bool, bool]], allowed: bool
) -> None:
    a, b, window = random(1, 12, 13), random(1, 12, 13, seed=1), Window(5, 7)
    plainly = match(a, b, window)
    watched.clear()
    torch.backends.cuda.matmul.allow_tf32 = allowed
    with torch.autocast("cpu", torch.bfloat16):
        found = match(a, b, window)
        assert torch.is_autocast_enabled("cpu")
    assert watched
    assert set(watched) == {(False, False)}
    assert short() == allowed == torch.backends.cuda.matmul.allow_tf32
    assert equal(found, plainly)


def test_settings_are_put_back_after_an_error(
    by_planes: None, watched: list[tuple[bool, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **kwargs: Any) -> Tensor:
        raise RuntimeError("out of memory")

    torch.backends.cuda.matmul.allow_tf32 = True
    monkeypatch.setattr(torch, "bmm", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        match(random(1, 12, 13), random(1, 12, 13), Window(5, 7))
    assert short()


# how it is laid out, and what it costs


@pytest.mark.parametrize(("patch", "search", "size"), [*PAIRS, (41, 41, (520, 894)), (41, 41, (1120, 1960))])
def test_what_lies_around_the_places_of_patches(patch: int, search: int, size: tuple[int, int]) -> None:
    layout, reach = Layout.of(*size, Window(patch, search)), search // 2
    assert layout.height > size[0]  # sums that begin in the row below the last place have it in them
    assert layout.width - layout.columns >= reach
    assert layout.pitch >= max(layout.width + patch - 1, size[1] + search - 1)
    assert layout.before >= reach * (layout.width + 1)
    assert (layout.height % layout.down, layout.width % layout.along) == (0, 0)
    assert max(layout.down, layout.along) <= planes.BLOCK
    assert not {layout.pitch % 4, layout.width % 4, layout.before % 4, layout.down % 4, layout.along % 4} - {0}


class Calls(TorchDispatchMode):
    """What is called: all of it, and what is work for the device (a kernel or more); the most numbers that came out of one."""

    def __init__(self) -> None:
        super().__init__()
        self.every = 0
        self.work: Counter[str] = Counter()
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.every += 1
        out = func(*args, **(kwargs or {}))
        if not func.is_view and "empty" not in func.__name__:
            self.work[func.__name__] += 1
            self.largest = max(self.largest, out.numel() if isinstance(out, Tensor) else 0)
        return out


@pytest.mark.parametrize(("count", "back"), [(7, True), (14, False)])
def test_few_calls_for_a_frame(count: int, back: bool) -> None:
    """A frame of 854 x 480 pixels and its 14 neighbours: 7 of them searched both ways, or each by itself (the ends of a
    clip). Frames without values, so nothing is computed. By rows it was tens of thousands.
    """
    frames = torch.empty(count, 520, 894, device="meta")
    with Calls() as calls:
        module._scanned(Planes, frames[:1], frames, Window(41, 41), second=False, back=back)
    assert sum(calls.work.values()) < 2000
    assert calls.every < 7500
    # Three of 41 lines of candidates at a time.
    assert calls.work["bmm.out"] == 2 * calls.work["mse_loss.out"] == 2 * count * 14


def test_memory_for_a_frame() -> None:
    """In buffers at most 0.75 GiB at 480p; a line of the search window at least, however large the frame."""
    window = Window(41, 41)
    frames = torch.empty(7, 520, 894, device="meta")
    assert Planes.at_once(frames, window) == (1, 3)
    scan = Planes(frames[:1], frames[:1], window)
    with Calls() as calls:
        scan.scan(range(3), False, True)
        scan.scan(range(3, 5), False, True)
    held = scan._squares.numel() + scan._partial.numel()
    assert 4 * (held + calls.largest) < 0.75 * 2**30
    assert Planes.at_once(torch.empty(1, 2200, 3880, device="meta"), window) == (1, 1)
    assert Planes.at_once(torch.empty(5, 60, 60, device="meta"), window) == (5, 41)
