"""The stream with context, and masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from degradations import base
from degradations.base import (
    NO_MASKS,
    ClipShape,
    Damage,
    Degradation,
    Masks,
    Params,
    covered,
    joined,
    one_plane,
    over_masks,
)
from degradations.rng import Rng


class Window(Degradation):
    """Weighted sum of frames t-2 .. t+1, so that a slip of one frame shows."""

    kind: ClassVar[str] = "window"
    context: ClassVar[tuple[int, int]] = (2, 1)
    gain: float = 1.0

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        count = len(frames) - 3
        out = sum(w * frames[i : i + count] for i, w in enumerate((1.0, 10.0, 100.0, 1000.0)))
        assert isinstance(out, Tensor)
        stamp = torch.arange(start, start + count, dtype=torch.float32).view(-1, 1, 1, 1)
        return Damage(out + 1e5 * stamp, over_masks(masks, lambda plane: plane[2 : 2 + count]))


def ramp(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(count, 1, 2, 2).contiguous()


def chunked(frames: Tensor, size: int, mask: Tensor | None = None) -> Iterator[Damage]:
    for i in range(0, len(frames), size):
        yield Damage(frames[i : i + size], {} if mask is None else {"dirt": mask[i : i + size]})


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
    chunks = [Damage(frames[:2]), Damage(frames[2:], {"hair": torch.ones(2, 1, 2, 2)})]
    parts = list(Window().stream(iter(chunks), {}, ClipShape(4, 2, 2, 1)))
    seen = [m for p in parts for m in ([0.0] * len(p.frames) if p.mask is None else p.mask[:, 0, 0, 0].tolist())]
    assert seen == [0.0, 0.0, 1.0, 1.0]


def test_kinds_are_kept_apart_and_one_kind_is_united() -> None:
    a, b = (torch.tensor(v).view(1, 1, 1, 2) for v in ([0.2, 0.9], [0.5, 0.1]))
    masks = covered(covered(covered({}, "dirt", a), "hair", b), "dirt", b)
    assert masks["dirt"].flatten().tolist() == torch.tensor([0.5, 0.9]).tolist()
    assert masks["hair"] is b
    whole = Damage(torch.zeros(1, 3, 1, 2), masks).mask
    assert whole is not None
    assert whole.equal(masks["dirt"])
    assert Damage(torch.zeros(1, 3, 1, 2)).mask is None


def test_chunks_are_joined_and_a_kind_that_one_lacks_is_empty_there() -> None:
    frames = ramp(3)
    whole = joined([Damage(frames[:2], {"dirt": frames[:2]}), Damage(frames[2:], {"hair": frames[2:]})])
    assert whole.frames.equal(frames)
    assert whole.masks["dirt"][:, 0, 0, 0].tolist() == [0, 1, 0]
    assert whole.masks["hair"][:, 0, 0, 0].tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match="empty"):
        joined([])


@pytest.mark.parametrize("settings", [{"gian": 1.0}, {"gain": float("nan")}, {"gain": float("inf")}])
def test_unknown_settings_and_values_that_are_no_numbers_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Window.model_validate(settings)


def test_on_its_way_to_a_device_one_plane_stays_one() -> None:
    plane = torch.rand(2, 1, 4, 6)
    moved = Damage(plane.expand(-1, 3, -1, -1), {"dirt": plane}).to(torch.device("meta"))
    assert one_plane(moved.frames)
    assert moved.frames.shape == (2, 3, 4, 6)
    assert moved.frames.is_meta
    assert moved.masks["dirt"].is_meta


def test_devices_without_double_precision_are_not_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class AtHome(Window):
        def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
            return Damage(frames + 1)

    there = torch.zeros(1, 1, 2, 2, device="meta")
    monkeypatch.setattr(Degradation, "on_device", lambda self, frames, *_, **__: Damage(frames[:0]))
    assert len(AtHome().made(there, {}).frames) == 1
    monkeypatch.setattr(base, "BY_WAY_OF_THE_CPU", ("meta",))
    assert len(AtHome().made(there, {}).frames) == 0


def test_what_knows_no_other_device_goes_by_way_of_the_cpu() -> None:
    step = Window()
    here = step.apply(ramp(6), {}, start=4)
    assert torch.equal(step.on_device(ramp(6), {}, start=4).frames, here.frames)
    assert torch.equal(step.made(ramp(6), {}, start=4).frames, here.frames)
