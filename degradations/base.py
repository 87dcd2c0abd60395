"""What a degradation is: settings, one draw for a clip, and a pure application to frames.

Frames are ``torch.float32`` tensors of shape ``(T, C, H, W)``, RGB (C = 3) or gray (C = 1), in [0, 1].
A degradation never clips unless its physics does (a film saturates, a codec stores 8 bits); the
writer of files rounds and clips once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from torch import Tensor

from degradations.rng import Rng

Params = dict[str, Any]
"""What was drawn for one clip: JSON values only (numbers, strings, lists, dicts). Written into the recipe."""

Subframes = Callable[[float], Tensor]
"""Time in frames (3.25 lies between frames 3 and 4) to the scene at that instant, ``(C, H, W)`` in [0, 1]."""


@dataclass(frozen=True)
class ClipShape:
    """Size of a clip before damage: frames, height and width in pixels, 1 or 3 channels, frames per second.

    ``rendered`` says that the source can show the scene between frames (see :data:`Subframes`), ``scale`` how many
    times smaller the frames are than those of the clean clip, along each side.
    """

    frames: int
    height: int
    width: int
    channels: int = 3
    fps: float = 24.0
    rendered: bool = False
    scale: int = 1


Masks = Mapping[str, Tensor]
"""Where each kind of local damage is: ``(T, 1, H, W)`` in [0, 1] by kind ("dirt", "scratch", "hair", ...)."""

BY_WAY_OF_THE_CPU = ("mps",)
"""Kinds of devices that have no double precision, in which steps work out places: frames go to the CPU and back."""

NO_MASKS: Masks = MappingProxyType({})


class Damage(NamedTuple):
    """Damaged frames and where they are damaged.

    ``frames`` is ``(T, C, H, W)``; ``masks`` has, for every kind of local damage that a step so far can make, the
    share of each pixel that it covers (all zero in frames without any). Damage that is everywhere (noise, blur,
    compression) has no mask.
    """

    frames: Tensor
    masks: Masks = NO_MASKS

    @property
    def mask(self) -> Tensor | None:
        """Union of all kinds, ``(T, 1, H, W)``: the largest coverage of each pixel; None where no damage has a place.

        Example:
            >>> one, two = torch.tensor([0.0, 0.2]).view(1, 1, 1, 2), torch.tensor([0.5, 0.1]).view(1, 1, 1, 2)
            >>> Damage(torch.zeros(1, 3, 1, 2), {"dirt": one, "hair": two}).mask.flatten().tolist()
            [0.5, 0.2...]
        """
        return union(self.masks)

    def to(self, device: torch.device) -> Damage:
        """The same on a device; three channels that are one plane stay so, and only the one is moved."""
        frames = self.frames
        moved = frames[:, :1].to(device).expand(-1, 3, -1, -1) if one_plane(frames) else frames.to(device)
        return Damage(moved, over_masks(self.masks, lambda plane: plane.to(device)))


def union(masks: Masks) -> Tensor | None:
    """The larger coverage of all kinds at each pixel; None where there is no kind."""
    out: Tensor | None = None
    for plane in masks.values():
        out = plane if out is None else torch.maximum(out, plane)
    return out


def covered(masks: Masks, kind: str, more: Tensor) -> dict[str, Tensor]:
    """``masks`` with ``more`` coverage ``(T, 1, H, W)`` of this kind, united with what it covered before."""
    return {**masks, kind: torch.maximum(masks[kind], more) if kind in masks else more}


def over_masks(masks: Masks, function: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """What ``function`` makes of the planes of every kind."""
    return {kind: function(plane) for kind, plane in masks.items()}


class Degradation(BaseModel):
    """One defect. Fields are its settings; a subclass names its ``kind`` and writes ``sample`` and ``apply``.

    ``context`` is the number of frames before and after that ``apply`` wants to see with each chunk; at
    the ends of the clip the first and last frame are repeated. A step that needs the scene between
    frames (motion blur of an exposure) sets ``uses_subframes`` and overrides ``stream``. ``frame_by_frame`` says
    that a damaged frame depends on nothing but the clean frame and its number, so that it can be made alone.

    ``apply`` is given frames and masks on the CPU. Those on a GPU go to ``on_device``, which takes them to the CPU and
    back unless the step says better. A ``stream`` of a step's own is given frames on the CPU too, unless the step is
    ``at_home_anywhere``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: ClassVar[str]
    context: ClassVar[tuple[int, int]] = (0, 0)
    uses_subframes: ClassVar[bool] = False
    frame_by_frame: ClassVar[bool] = False
    at_home_anywhere: ClassVar[bool] = False

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_truth_values(cls, value: Any, info: ValidationInfo) -> Any:
        """``dark: no`` in a YAML is false, which would pass for 0."""
        wanted = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and wanted in (int, float, int | None, float | None):
            raise ValueError(
                "a number was expected, and this is a truth value (YAML reads yes, no, on and off as such)"
            )
        return value

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Draw what holds for the whole clip. What is random per frame goes in as a key, not as numbers."""
        raise NotImplementedError

    def shape_after(self, shape: ClipShape, params: Params) -> ClipShape:
        """The clip's shape behind this step; only steps that change the size of frames give another one."""
        return shape

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """What is true of each frame, known before any frame is seen (gains, shifts, levels, kernels): name to a list
        of ``shape.frames`` JSON values. Written beside a data set; units belong into the name or the docstring."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """Damage ``frames``, of which the first one to return is frame ``start`` of the clip.

        Pure: the same arguments give the same bytes. With ``context = (b, a)`` the frames (and the masks)
        come with b more in front and a more behind, and the result is that much shorter.
        """
        raise NotImplementedError

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` makes, of frames and masks on one device of any kind, which the result is on again.

        Written by steps that a GPU does faster, in torch, with what is random drawn as ``apply`` draws it: the same
        but for rounding, so that at least 99.9 % of all samples lie within one grey level. On a CPU it gives that as well.
        """
        here = frames.device
        made = self.apply(frames.cpu(), params, start=start, masks=over_masks(masks, Tensor.cpu))
        return made.to(here)

    def made(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``apply`` or ``on_device``, as the frames lie."""
        if frames.device.type == "cpu":
            return self.apply(frames, params, start=start, masks=masks)
        if frames.device.type in BY_WAY_OF_THE_CPU:
            return Degradation.on_device(self, frames, params, start=start, masks=masks)
        return self.on_device(frames, params, start=start, masks=masks)

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Iterator[Damage]:
        """Damage a clip chunk by chunk; memory stays that of a chunk and its context.

        A step that learns something while it works (the bits that an encoder spent) puts it into ``measured``: what
        is a list there has one value per frame.
        """
        before, after = self.context
        if not (before or after):
            start = 0
            for frames, masks in chunks:
                yield self.made(frames, params, start=start, masks=masks)
                start += len(frames)
            return
        yield from self._stream_with_context(chunks, params, before, after)

    def _stream_with_context(
        self, chunks: Iterable[Damage], params: Params, before: int, after: int
    ) -> Iterator[Damage]:
        held: Damage | None = None
        start = 0
        for chunk in chunks:
            held = _repeat_first(chunk, before) if held is None else _join(held, chunk)
            ready = len(held.frames) - before - after
            if ready > 0:
                yield self.made(held.frames, params, start=start, masks=held.masks)
                start += ready
                held = _slice(held, ready)
        if held is None:
            return
        held = _join(held, _repeat_last(held, after))
        if len(held.frames) > before + after:
            yield self.made(held.frames, params, start=start, masks=held.masks)


def one_plane(frames: Tensor) -> bool:
    """Whether three channels are one plane seen three times (a view with a stride of 0), as black-and-white film is.

    Steps may work on ``frames[:, :1]`` then and expand the result, for a third of the work.

    Example:
        >>> one_plane(torch.zeros(2, 1, 4, 4).expand(-1, 3, -1, -1)), one_plane(torch.zeros(2, 3, 4, 4))
        (True, False)
    """
    return frames.shape[1] == 3 and frames.stride(1) == 0


def _join(*parts: Damage) -> Damage:
    kinds = dict.fromkeys(kind for part in parts for kind in part.masks)
    masks = {kind: torch.cat([_plane(part, kind) for part in parts]) for kind in kinds}
    if all(one_plane(part.frames) for part in parts):
        return Damage(torch.cat([part.frames[:, :1] for part in parts]).expand(-1, 3, -1, -1), masks)
    return Damage(torch.cat([part.frames for part in parts]), masks)


def _plane(a: Damage, kind: str) -> Tensor:
    return a.masks[kind] if kind in a.masks else torch.zeros_like(a.frames[:, :1])


def _slice(a: Damage, start: int) -> Damage:
    return Damage(a.frames[start:], over_masks(a.masks, lambda plane: plane[start:]))


def _repeat_first(a: Damage, count: int) -> Damage:
    def repeated(x: Tensor) -> Tensor:
        return x[:1].expand(count, -1, -1, -1)

    return _join(Damage(repeated(a.frames), over_masks(a.masks, repeated)), a) if count else a


def _repeat_last(a: Damage, count: int) -> Damage:
    def repeated(x: Tensor) -> Tensor:
        return x[-1:].expand(count, -1, -1, -1)

    return Damage(repeated(a.frames), over_masks(a.masks, repeated))


def joined(parts: Iterable[Damage]) -> Damage:
    """Chunks of a clip as one, in memory.

    Raises:
        ValueError: there are none.
    """
    chunks = list(parts)
    if not chunks:
        raise ValueError("There is no chunk to join: the clip is empty.")
    return chunks[0] if len(chunks) == 1 else _join(*chunks)


def as_one_clip(step: Degradation, frames: Tensor, params: Params, masks: Masks) -> Damage:
    """``frames`` as a clip of their own, through ``step.stream``: what ``apply`` is of a step whose stream cannot be cut into
    chunks."""
    shape = ClipShape(len(frames), frames.shape[2], frames.shape[3], frames.shape[1])
    (out,) = step.stream([Damage(frames, masks)], params, shape)
    return out
