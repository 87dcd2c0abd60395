"""The stream with context, and masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation, Params, merge_masks
from degradations.rng import Rng


class Window(Degradation):
    """Weighted sum of frames t-2 .. t+1, so that a slip of one frame shows."""

    kind: ClassVar[str] = "window"
    context: ClassVar[tuple[int, int]] = (2, 1)
    gain: float = 1.0

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        count = len(frames) - 3
        out = sum(w * frames[i : i + count] for i, w in enumerate((1.0, 10.0, 100.0, 1000.0)))
        assert isinstance(out, Tensor)
        stamp = torch.arange(start, start + count, dtype=torch.float32).view(-1, 1, 1, 1)
        return Damage(out + 1e5 * stamp, None if mask is None else mask[2 : 2 + count])


def ramp(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(count, 1, 2, 2).contiguous()


def chunked(frames: Tensor, size: int, mask: Tensor | None = None) -> Iterator[Damage]:
    for i in range(0, len(frames), size):
        yield Damage(frames[i : i + size], None if mask is None else mask[i : i + size])


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_context_is_the_neighbours_and_the_ends_repeated(count: int, size: int) -> None:
    frames = ramp(count)
    parts = list(Window().stream(chunked(frames, size, frames), {}, ClipShape(count, 2, 2, 1)))
    got = torch.cat([p.frames for p in parts])[:, 0, 0, 0]
    last = count - 1
    want = [max(t - 2, 0) + 10 * max(t - 1, 0) + 100 * t + 1000 * min(t + 1, last) + 1e5 * t for t in range(count)]
    assert got.tolist() == want
    masks = [p.mask for p in parts if p.mask is not None]
    assert torch.cat(masks).equal(frames)


def test_the_stream_is_lazy() -> None:
    taken = 0

    def source() -> Iterator[Damage]:
        nonlocal taken
        for one in chunked(ramp(50), 1):
            taken += 1
            yield one

    stream = iter(Window().stream(source(), {}, ClipShape(50, 2, 2, 1)))
    next(stream)
    assert taken <= 3


def test_a_mask_that_begins_late_is_kept() -> None:
    frames = ramp(4)
    chunks = [Damage(frames[:2], None), Damage(frames[2:], torch.ones(2, 1, 2, 2))]
    parts = list(Window().stream(iter(chunks), {}, ClipShape(4, 2, 2, 1)))
    seen = [m for p in parts for m in ([0.0] * len(p.frames) if p.mask is None else p.mask[:, 0, 0, 0].tolist())]
    assert seen == [0.0, 0.0, 1.0, 1.0]


def test_merging_masks_is_a_union() -> None:
    a, b = torch.tensor([0.2, 0.9]), torch.tensor([0.5, 0.1])
    merged = merge_masks(a, b)
    assert merged is not None
    assert merged.tolist() == torch.tensor([0.5, 0.9]).tolist()
    assert merge_masks(None, None) is None
    assert merge_masks(a, None) is a
    assert merge_masks(None, b) is b


@pytest.mark.parametrize("settings", [{"gian": 1.0}, {"gain": float("nan")}, {"gain": float("inf")}])
def test_unknown_settings_and_values_that_are_no_numbers_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Window.model_validate(settings)
