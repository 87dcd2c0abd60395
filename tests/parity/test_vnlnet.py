"""VNLnet: the official network, its patch search, and figures of the official weights on a real clip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.slow import SLOW
from vbench import errors
from vbench.models import vnlnet
from vbench.models.fold import fold_norms
from vbench.models.recipe import read_manifest
from vbench.models.verify import mismatches
from vbench.models.vnlnet import rows, search_parity
from vbench.models.vnlnet.neighbours import Ends, Neighbourhood, gray, pad, sources
from vbench.models.vnlnet.net import VNLnet, build_colour, build_gray
from vbench.models.vnlnet.restorer import load_restorer
from vbench.models.vnlnet.rows import first_least
from vbench.models.vnlnet.search import (
    Matches,
    PatchSearch,
    Window,
    centres,
    gather,
    match,
    match_both,
)
from vbench.restore import run_array
from vbench.sources import open_clip

HERE = Path(__file__).parent
COLOUR = HERE / "vnlnet" / "case_color.npz"
SEARCH = HERE / "vnl_search"


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def whole_numbers(*shape: int, seed: int = 0) -> Tensor:
    """Few different values: many candidates are equally near."""
    return torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


# the network


def test_names_and_shapes_of_the_ready_made_networks() -> None:
    document = read_manifest(HERE / "vnlnet" / "manifest_color.json")
    with torch.device("meta"):
        assert mismatches(build_colour(), document) == []
    for spec in vnlnet.SPECS.values():
        made = build_gray() if "gray" in spec.name else build_colour()
        assert spec.parameters == sum(p.numel() for p in made.parameters()), spec.name


@torch.inference_mode()
def test_batches_folded_norms_and_odd_sizes() -> None:
    network = VNLnet(6, 2, 4, 2, 8, 4).eval().double()
    stack = random(3, 6, 11, 7)
    whole = network(stack)
    assert whole.shape == (3, 2, 11, 7)
    assert torch.allclose(whole, torch.cat([network(part) for part in stack.split(1)]), rtol=1e-12, atol=1e-14)
    assert torch.equal(network.centre(stack), stack[:, 2:4])
    fold_norms(network)
    assert torch.allclose(network(stack), whole, rtol=1e-10, atol=1e-12)


@torch.inference_mode()
def test_it_is_one_graph_for_the_compiler_and_the_search_is_left_out() -> None:
    network, stack = VNLnet(3, 1, 4, 1, 4, 3).eval(), random(1, 3, 8, 9).float()
    assert torch.equal(torch.compile(network, backend="eager", fullgraph=True)(stack), network(stack))
    search, video = PatchSearch(Window(3, 3), 1, 1), random(3, 8, 9).float()
    compiled = torch.compile(search, backend="eager")(video, 1)
    assert all(torch.equal(x, y) for x, y in zip(compiled[:3], search(video, 1)[:3], strict=True))


def test_networks_and_stacks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(errors.InputError, match="15 channels in and 2 out"):
        VNLnet(15, 2, 4, 1, 4, 2)
    with pytest.raises(errors.InputError, match="odd number of neighbours"):
        VNLnet(4, 1, 4, 1, 4, 2)
    with pytest.raises(errors.InputError, match="0 layers of 1 x 1"):
        VNLnet(15, 1, 4, 0, 4, 2)
    with pytest.raises(errors.InputError, match="this one takes \\(batch, 15, height, width\\)"):
        build_gray()(torch.zeros(1, 45, 8, 8))


# the search


def plainly(query: Tensor, other: Tensor, window: Window) -> Matches:
    """The definition, candidate by candidate."""
    size = window.patch
    rows, columns = query.shape[0] - size + 1, query.shape[1] - size + 1
    best = torch.full((rows, columns), torch.inf, dtype=query.dtype)
    second = best.clone()
    dy, dx = torch.zeros(2, rows, columns, dtype=torch.int16).unbind(0)
    patches = query.unfold(0, size, 1).unfold(1, size, 1)
    theirs = other.unfold(0, size, 1).unfold(1, size, 1)
    for j in window.offsets:
        for i in window.offsets:
            for y in range(max(0, -j), min(rows, rows - j)):
                for x in range(max(0, -i), min(columns, columns - i)):
                    distance = (patches[y, x] - theirs[y + j, x + i]).square().sum()
                    if distance < best[y, x]:
                        second[y, x], best[y, x], dy[y, x], dx[y, x] = best[y, x], distance, j, i
                    elif distance < second[y, x]:
                        second[y, x] = distance
    return Matches(dy, dx, best, second)


@pytest.mark.parametrize(("patch", "search", "size"), [(3, 3, (8, 9)), (4, 5, (9, 8)), (1, 4, (5, 6)), (2, 3, (7, 4))])
def test_the_fast_search_equals_the_definition(patch: int, search: int, size: tuple[int, int]) -> None:
    a, b = whole_numbers(2, *size), whole_numbers(2, *size, seed=1)
    window = Window(patch, search)
    found = match(a, b, window, second=True)
    for n in range(2):
        official = plainly(a[n], b[n], window)
        for own, expected in zip(found, official, strict=True):
            assert own is not None
            assert torch.equal(own[n], expected)


@pytest.mark.parametrize("limit", [2**6, 2**9, 2**16])
@pytest.mark.parametrize(("patch", "search"), [(5, 7), (5, 9), (6, 9), (3, 8), (2, 7)])
def test_both_ways_at_once_equal_one_after_the_other(
    patch: int, search: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the work is cut up; ties included. Also: one query for all, and each pair by itself."""
    monkeypatch.setitem(rows.AT_ONCE, "cpu", limit)
    a, b, window = whole_numbers(3, 14, 17), whole_numbers(3, 14, 17, seed=1), Window(patch, search)
    forth, back = match_both(a, b, window)
    for found, expected in ((forth, match(a, b, window)), (back, match(b, a, window))):
        assert all(torch.equal(x, y) for x, y in zip(found[:3], expected[:3], strict=True))
    same, single = match(a[:1], b, window), [match(a[:1], b[n : n + 1], window) for n in range(3)]
    assert all(torch.equal(x, torch.cat(y)) for x, y in zip(same[:3], list(zip(*single, strict=True))[:3], strict=True))
    forth, back = match_both(a[:1], b, window)
    assert torch.equal(forth.dx, same.dx)
    assert torch.equal(back.dy, match(b, a[:1].expand_as(b), window).dy)


@pytest.mark.parametrize("size", [(7, 30), (30, 7), (6, 6)])
def test_frames_lower_than_the_search_reaches(size: tuple[int, int]) -> None:
    """No patch has a neighbour as far away as the window goes."""
    a, b, window = whole_numbers(2, *size), whole_numbers(2, *size, seed=1), Window(5, 9)
    forth, back = match_both(a, b, window)
    for found, expected in ((forth, match(a, b, window)), (back, match(b, a, window))):
        assert all(torch.equal(x, y) for x, y in zip(found[:3], expected[:3], strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("last", [False, True])
def test_the_minimum_by_operations_on_many_equals_the_plain_one(dtype: torch.dtype, last: bool) -> None:
    values = whole_numbers(2, 9, 300).to(dtype) / 3
    values[0, 4] = torch.inf
    order = torch.arange(9, dtype=dtype)[:, None]
    results = []
    for plain in (True, False):
        least, index = torch.empty(2, 2, 300, dtype=dtype).unbind(0)
        ordered = order.flip(0) if last else order
        first_least(values, ordered, least, index, torch.empty_like(values), last=last, plain=plain)
        results.append((least.clone(), index.clone()))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_a_search_of_no_frames_finds_the_query_itself() -> None:
    found = PatchSearch(Window(3, 3), 0, 0)(torch.rand(1, 6, 7), 0)
    assert [tuple(values.shape) for values in found[:3]] == [(1, 4, 5)] * 3  # type: ignore[union-attr]
    assert not found.distance.any()


def test_float32_finds_what_float64_finds() -> None:
    """In noise, where nothing is equal but for rounding."""
    a, b = random(1, 60, 66), random(1, 60, 66, seed=1)
    double, single = match(a, b, Window()), match(a.float(), b.float(), Window())
    assert torch.equal(double.dy, single.dy)
    assert torch.equal(double.dx, single.dx)
    assert float((single.distance / double.distance - 1).abs().max()) < 2e-6


def test_searches_that_cannot_be_are_refused() -> None:
    frames = torch.zeros(2, 8, 9)
    for arguments, says in (
        ((frames, frames, Window(9, 3)), "9 x 8 pixels, smaller than a patch of 9 x 9"),
        ((frames, frames[:, 1:], Window(3, 3)), "takes \\(N, height, width\\) twice"),
        ((frames.expand(2, 8, 9)[:2], torch.zeros(3, 8, 9), Window(3, 3)), "the first with N or 1"),
        ((frames, frames.double(), Window(3, 3)), "of one type, float32 or float64"),
        ((frames, frames + torch.nan, Window(3, 3)), "largest value of the frames is nan"),
    ):
        with pytest.raises(errors.InputError, match=says):
            match(*arguments)
    with pytest.raises(errors.InputError, match="both are at least 1"):
        Window(0, 3)
    with pytest.raises(errors.InputError, match="largest value of the frames is 1e\\+19"):
        match(frames + 1e19, frames, Window(3, 3))
    with pytest.raises(errors.InputError, match="at most 181"):
        Window(3, 182)
    with pytest.raises(errors.InputError, match="7 frames before it"):
        PatchSearch()(torch.zeros(14, 50, 50), 7)
    with pytest.raises(errors.InputError, match="neither is below 0"):
        PatchSearch(Window(3, 3), -1, 2)
    with pytest.raises(errors.InputError, match="every 2th pixel"):
        search_parity.build(read_manifest(SEARCH / "manifest.json"), {"step": 2})


# neighbours of a clip


def plain_stack(clip: Tensor, t: int, search: PatchSearch, ends: Ends) -> Tensor:
    """Frame t's neighbours, from its window alone."""
    places = sources(len(clip), ends, search.past)[t : t + 2 * search.past + 1]
    window = pad(torch.stack([clip[0] * 0 if s is None else clip[s] for s in places]), search.window)
    found = search(gray(window), search.past)
    at = centres(found.dy, found.dx, (window.shape[2], window.shape[3]), search.window.patch)
    return gather(window, at).flatten(0, 1)


@pytest.mark.parametrize("ends", ["published", "repaired"])
@pytest.mark.parametrize(("count", "channels"), [(3, 1), (4, 3), (5, 1), (7, 3), (12, 1)])
def test_a_clip_as_a_stream_equals_each_window_alone(count: int, channels: int, ends: Ends) -> None:
    """Whatever is shared between frames, for clips too short for whole windows too."""
    clip = torch.rand(count, channels, 9, 11, generator=torch.Generator().manual_seed(0))
    search = PatchSearch(Window(5, 5), 2, 2)
    stream = Neighbourhood(count, search, ends)
    stacks = {t: stack[0] for frame in clip for t, stack in stream.feed(frame[None])}
    assert sorted(stacks) == list(range(count))
    for t, stack in stacks.items():
        assert torch.equal(stack, plain_stack(clip, t, search, ends))


@pytest.mark.parametrize(("ends", "frames", "pairs"), [("repaired", 15, 28), ("published", 15 + 15, 28 + 14)])
def test_a_stream_forgets_what_it_needs_no_more(ends: Ends, frames: int, pairs: int) -> None:
    """The first frame's window, with the published ends, is held until its last frame comes."""
    stream = Neighbourhood(60, PatchSearch(Window(3, 3)), ends)
    held = []
    for frame in torch.rand(60, 1, 1, 4, 4):
        list(stream.feed(frame))
        held.append((len(stream._frames), len(stream._found)))
    assert max(count for count, _ in held[20:]) <= frames
    assert max(count for _, count in held) <= pairs
    assert held[-1] == (0, 0)


def test_clips_and_windows_that_cannot_be_are_refused() -> None:
    with pytest.raises(errors.RunError, match="a clip of 7 frame"):
        sources(7)
    with pytest.raises(errors.InputError, match="no centre pixel"):
        pad(torch.zeros(1, 1, 8, 8), Window(4, 5))
    with pytest.raises(errors.InputError, match="1 frames back and 2 ahead"):
        Neighbourhood(9, PatchSearch(Window(3, 3), 1, 2))


# real weights


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "ends"),
    [("official_borders", "published"), pytest.param("repaired_borders", "repaired", marks=SLOW)],
)
def test_real_weights_reach_the_official_figures(shared: Path, case: str, ends: Ends) -> None:
    """PSNR of every frame within the 0.005 dB that ``real_run.json`` states, through our restorer."""
    official = json.loads((shared / "parity" / "vnlnet" / "real_run.json").read_text())["cases"][case]
    y, x, height, width = (official["crop"][k] for k in ("y0", "x0", "height", "width"))
    clip = open_clip(shared / "data" / "clips" / "factory_1080p30").read(0, 16)[:, y : y + height, x : x + width, :1]
    clean = clip.astype(np.float32) / 255
    noise = np.random.RandomState(official["numpy_seed"]).randn(*clip.shape) * (official["sigma"] / 255)
    truth, noisy = (torch.from_numpy(v.astype(np.float32)).permute(0, 3, 1, 2) for v in (clean, clean + noise))
    assert noisy[0, 0, 0, :8].tolist() == pytest.approx(official["frame0_noisy_first8"], abs=1e-7)
    weights = shared / "data" / "weights" / official["weights"]
    restored = run_array(load_restorer(build_gray(), torch.device("cpu"), weights, vnlnet.GRAY_25, ends), noisy)
    assert restored[0, 0, 0, :8].tolist() == pytest.approx(official["frame0_denoised_first8"], abs=2e-6)
    figures = -10 * torch.log10((restored - truth).double().square().mean(dim=(1, 2, 3)))
    assert figures.tolist() == pytest.approx(official["psnr_float"], abs=0.005)
