"""What a degradation is: settings, one draw for a clip, and a pure application to frames.

Frames are ``torch.float32`` tensors of shape ``(T, C, H, W)``, RGB (C = 3) or gray (C = 1), in [0, 1].
A degradation never clips unless its physics does (a film saturates, a codec stores 8 bits); the
writer of files rounds and clips once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from degradations.rng import Rng

Params = dict[str, Any]
"""What was drawn for one clip: JSON values only (numbers, strings, lists, dicts). Written into the recipe."""

Subframes = Callable[[float], Tensor]
"""Time in frames (3.25 lies between frames 3 and 4) to the scene at that instant, ``(C, H, W)`` in [0, 1]."""


@dataclass(frozen=True)
class ClipShape:
    """Size of a clip before damage: frames, height and width in pixels, 1 or 3 channels, frames per second.

    ``rendered`` says that the source can show the scene between frames (see :data:`Subframes`).
    """

    frames: int
    height: int
    width: int
    channels: int = 3
    fps: float = 24.0
    rendered: bool = False


class Damage(NamedTuple):
    """Damaged frames and where they are damaged.

    ``frames`` is ``(T, C, H, W)``; ``mask`` is ``(T, 1, H, W)`` in [0, 1], the share of the pixel that
    local damage (dirt, scratches, hairs) covers, or None where no step so far has a place.
    """

    frames: Tensor
    mask: Tensor | None


def merge_masks(old: Tensor | None, new: Tensor | None) -> Tensor | None:
    """Union of two coverage masks (the larger of both at each pixel); None stands for no mask."""
    if old is None or new is None:
        return new if old is None else old
    return torch.maximum(old, new)


class Degradation(BaseModel):
    """One defect. Fields are its settings; a subclass names its ``kind`` and writes ``sample`` and ``apply``.

    ``context`` is the number of frames before and after that ``apply`` wants to see with each chunk; at
    the ends of the clip the first and last frame are repeated. A step that needs the scene between
    frames (motion blur of an exposure) sets ``uses_subframes`` and overrides ``stream``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: ClassVar[str]
    context: ClassVar[tuple[int, int]] = (0, 0)
    uses_subframes: ClassVar[bool] = False

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Draw what holds for the whole clip. What is random per frame goes in as a key, not as numbers."""
        raise NotImplementedError

    def shape_after(self, shape: ClipShape) -> ClipShape:
        """The clip's shape behind this step; only steps that change the size of frames give another one."""
        return shape

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        """Damage ``frames``, of which the first one to return is frame ``start`` of the clip.

        Pure: the same arguments give the same bytes. With ``context = (b, a)`` the frames (and the mask)
        come with b more in front and a more behind, and the result is that much shorter.
        """
        raise NotImplementedError

    def stream(
        self,
        chunks: Iterable[Damage],
        params: Params,
        shape: ClipShape,
        subframes: Subframes | None = None,
    ) -> Iterator[Damage]:
        """Damage a clip chunk by chunk; memory stays that of a chunk and its context."""
        before, after = self.context
        if not (before or after):
            start = 0
            for frames, mask in chunks:
                yield self.apply(frames, params, start=start, mask=mask)
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
                yield self.apply(held.frames, params, start=start, mask=held.mask)
                start += ready
                held = _slice(held, ready)
        if held is None:
            return
        held = _join(held, _repeat_last(held, after))
        if len(held.frames) > before + after:
            yield self.apply(held.frames, params, start=start, mask=held.mask)


def _join(a: Damage, b: Damage) -> Damage:
    mask = None if a.mask is None and b.mask is None else torch.cat([_mask_of(a), _mask_of(b)])
    return Damage(torch.cat([a.frames, b.frames]), mask)


def _mask_of(a: Damage) -> Tensor:
    return torch.zeros_like(a.frames[:, :1]) if a.mask is None else a.mask


def _slice(a: Damage, start: int) -> Damage:
    return Damage(a.frames[start:], None if a.mask is None else a.mask[start:])


def _repeat_first(a: Damage, count: int) -> Damage:
    if not count:
        return a
    head = Damage(
        a.frames[:1].expand(count, -1, -1, -1),
        None if a.mask is None else a.mask[:1].expand(count, -1, -1, -1),
    )
    return _join(head, a)


def _repeat_last(a: Damage, count: int) -> Damage:
    return Damage(
        a.frames[-1:].expand(count, -1, -1, -1),
        None if a.mask is None else a.mask[-1:].expand(count, -1, -1, -1),
    )
