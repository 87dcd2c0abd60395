"""Restorers as streams: windows, rounding, promises that are kept."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from vbench.errors import RunError
from vbench.restore import ClipMeta, Framewise, Windowed, checked, from_array, reflect, repeat, run_array, to_uint8


def numbered(count: int) -> Tensor:
    """Frames of one pixel that hold 0, 0.01, 0.02, ..."""
    return torch.arange(float(count)).view(count, 1, 1, 1) / 100


def test_every_level_of_8_bits_comes_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    x = from_array(levels)
    assert x.dtype == torch.float32
    assert (to_uint8(x) == levels).all()
    assert (float(x.min()), float(x.max())) == (0.0, 1.0)


def test_levels_are_rounded_half_up_and_clipped() -> None:
    exact = [0.5, 1.5, 2.5, 127.5]  # half to even would give 0, 2, 2, 128
    x = torch.tensor([*exact, -3.0, 300.0, 127.49], dtype=torch.float64).view(1, 1, 1, 7) / 255
    assert to_uint8(x).ravel().tolist() == [1, 2, 3, 128, 0, 255, 127]


def test_axes_are_turned_and_16_bits_are_read() -> None:
    frames = np.random.default_rng(0).integers(0, 65536, (2, 3, 5, 3)).astype(np.uint16)
    x = from_array(frames)
    assert x.shape == (2, 3, 3, 5)
    assert float(x[1, 2, 0, 4]) == pytest.approx(frames[1, 0, 4, 2] / 65535)
    eight = to_uint8(x)
    assert eight.shape == frames.shape
    assert eight.flags.c_contiguous
    assert (eight == np.floor(frames / 257 + 0.5)).all()


def test_frames_of_unknown_range_are_refused() -> None:
    with pytest.raises(TypeError, match="type float64 were given; uint8, uint16"):
        from_array(np.zeros((1, 2, 2, 3), np.float64))  # type: ignore[arg-type]


def test_decoded_frames_that_may_not_be_written_to_are_taken() -> None:
    frames = np.frombuffer(bytes(range(12)), np.uint8).reshape(1, 2, 2, 3)
    x = from_array(frames)
    x += 1.0
    assert frames[0, 0, 0, 0] == 0


# --- windows -------------------------------------------------------------------------------------


def outside(index: int, count: int, ends: str) -> int:
    """By walking: what frame stands for ``index``."""
    if ends == "repeat":
        return sorted((0, index, count - 1))[1]
    walk = [*range(1 - count, 0), *range(count), *range(count, 2 * count - 1)]
    bounced = [*range(count - 1, 0, -1), *range(count), *range(count - 2, -1, -1)]
    return dict(zip(walk, bounced, strict=True)).get(index, 0 if index < 0 else count - 1)


@pytest.mark.parametrize("ends", ["reflect", "repeat"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 1), (2, 2), (0, 3), (3, 0), (1, 4), (4, 1)])
def test_windows_are_those_of_the_whole_clip(
    count: int, before: int, after: int, ends: Literal["reflect", "repeat"]
) -> None:
    seen: list[list[int]] = []

    def note(windows: Tensor) -> Tensor:
        seen.extend((row.flatten() * 100).round().int().tolist() for row in windows)
        return windows[:, before]

    wanted = [[outside(j, count, ends) for j in range(i - before, i + after + 1)] for i in range(count)]
    for chunk in (1, 2, 3, count):
        seen.clear()
        out = run_array(Windowed(note, before, after, ends), numbered(count), chunk=chunk)
        assert seen == wanted
        assert torch.equal(out, numbered(count))


def test_frames_outside_are_reflected_without_the_end_frame() -> None:
    assert [reflect(i, 4) for i in range(-3, 7)] == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    assert [reflect(i, 2) for i in (-3, -2, -1, 2, 3)] == [0, 0, 1, 0, 1]
    assert [reflect(i, 1) for i in (-2, 0, 2)] == [0, 0, 0]
    assert [repeat(i, 3) for i in (-5, 1, 9)] == [0, 1, 2]


def test_windows_hold_no_more_frames_than_they_need() -> None:
    """Counted over a long stream: what came before the window is let go."""
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    def chunks() -> Iterator[Tensor]:
        for _ in range(40):
            chunk = torch.rand(1, 1, 4, 4)
            alive.append(weakref.ref(chunk.untyped_storage()))  # type: ignore[arg-type]
            yield chunk
            del chunk

    stream = Windowed(lambda w: w[:, 2].clone(), 2, 2).restore(chunks(), ClipMeta(40, 4, 4, 1, 24.0))
    for count, _ in enumerate(stream):
        most = max(most, sum(ref() is not None for ref in alive))
        assert count + 3 >= len(alive)
    assert len(alive) == 40
    assert most <= 7


def test_a_restorer_forgets_between_clips() -> None:
    restorer = Windowed(lambda w: w.mean(dim=1), 1, 1)
    first = run_array(restorer, numbered(5))
    run_array(restorer, torch.ones(3, 1, 1, 1))
    assert torch.equal(run_array(restorer, numbered(5)), first)


# --- promises ------------------------------------------------------------------------------------


class Gives:
    """Whatever went in, these frames come out."""

    def __init__(self, *chunks: Tensor) -> None:
        self._chunks = chunks

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        yield from self._chunks


META = ClipMeta(3, 8, 8, 3, 24.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((torch.rand(3, 3, 8, 7),), r"it gave frames of \(3, 8, 7\) \(C, H, W\) where \(3, 8, 8\) were asked for"),
        ((torch.rand(3, 1, 8, 8),), r"it gave frames of \(1, 8, 8\)"),
        ((torch.rand(3, 8, 8),), r"it gave frames of \(8, 8\)"),
        ((torch.rand(2, 3, 8, 8),), "it gave 2 frames for 3: a restorer gives one for each"),
        ((torch.rand(2, 3, 8, 8),) * 2, "it gave 4 frames or more for 3"),
        ((), "it gave 0 frames for 3"),
    ],
)
def test_size_and_count_that_change_are_errors(given: tuple[Tensor, ...], message: str) -> None:
    with pytest.raises(RunError, match=message):
        list(checked(Gives(*given), "it").restore(iter([]), META))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_no_numbers_are_errors(value: float) -> None:
    def spoil(frames: Tensor) -> Tensor:
        out = frames.clone()
        out[-1, 0, 3, 4] = value
        return out

    with pytest.raises(RunError, match=r"the restorer gave values that are not finite numbers in frame 1 .* of 3"):
        run_array(Framewise(spoil), torch.rand(3, 3, 8, 8), chunk=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            torch.full((3, 3, 8, 8), 200, dtype=torch.uint8),
            r"it gave frames of type torch.uint8: floating point in \[0, 1\]",
        ),
        (torch.ones(3, 3, 8, 8, dtype=torch.bool), "it gave frames of type torch.bool"),
        (torch.full((3, 3, 8, 8), 100.0), "whose mean value is 100: .* divided by 255"),
        (np.zeros((3, 3, 8, 8), np.float32), "it gave ndarray where a torch.Tensor"),
        (None, "it gave NoneType where a torch.Tensor"),
        ((torch.rand(3, 3, 8, 8),), "it gave tuple where a torch.Tensor"),
    ],
)
def test_what_is_no_frame_in_0_to_1_is_an_error(given: Any, message: str) -> None:
    with pytest.raises(RunError, match=message):
        list(checked(Gives(given), "it").restore(iter([]), META))


def test_a_restorer_that_gives_no_chunks_at_all() -> None:
    class Forgets:
        def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Any:
            return None

    with pytest.raises(RunError, match="of it returned NoneType; an iterator of chunks"):
        list(checked(Forgets(), "it").restore(iter([]), META))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_becomes_float32(kind: torch.dtype) -> None:
    """Rounded to 8 bits in bfloat16 itself, 129 / 255 would come out as 130."""
    x = torch.full((3, 3, 8, 8), 129 / 255).to(kind)
    (out,) = checked(Gives(x), "it").restore(iter([]), META)
    assert out.dtype == torch.float32
    assert to_uint8(out).ravel().tolist() == [129] * 3 * 3 * 64


def test_what_is_right_passes_unchanged() -> None:
    x = torch.rand(3, 3, 8, 8)
    assert torch.equal(torch.cat(list(checked(Gives(x[:1], x[1:]), "it").restore(iter([]), META))), x)


def test_no_gradients_are_kept() -> None:
    weight = torch.ones(1, requires_grad=True)
    assert not run_array(Framewise(lambda f: f * weight), torch.rand(2, 3, 4, 4)).requires_grad
