"""Interlacing: a frame of two fields that were taken one after the other, and frames made of fields again."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, over_masks
from degradations.rng import Rng

Order = Literal["tff", "bff"]


def _second(order: Order) -> slice:
    """Rows of the field that comes second."""
    return slice(1, None, 2) if order == "tff" else slice(0, None, 2)


class Interlace(Degradation):
    """Interlaced video: half of a frame's lines are of a later instant, so what moves is combed.

    Settings:
        order: whose lines come first: ``tff`` the top field's (rows 0, 2, 4, ...), ``bff`` the bottom field's. The
            first field is that of the frame itself, so this is the instant of the ground truth.
        second: what the second field shows: the ``next`` frame, as in a film transfer that is a field out of step
            (field-shifted 2:2 pulldown; exact, nothing is made up), or the scene ``halfway`` to the next frame, as an
            interlaced camera sees it, found along optical flow.

    The last frame is its own next one. Masks are interlaced with the frames.
    """

    kind: ClassVar[str] = "interlace"
    context: ClassVar[tuple[int, int]] = (0, 1)
    order: Order = "tff"
    second: Literal["next", "halfway"] = "next"

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """When the second field of each frame was taken, in frames after the first one."""
        later = 1.0 if self.second == "next" else 0.5
        return {"second_field_frames": [later] * (shape.frames - 1) + [0.0]}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; ``frames`` come with the next one behind."""
        out = frames[:-1].clone()
        rows = _second(self.order)
        for i in range(len(out)):
            out[i, :, rows] = self._later(frames[i], frames[i + 1])[:, rows]

        def woven(plane: Tensor) -> Tensor:
            both = plane[:-1].clone()
            both[:, :, rows] = plane[1:, :, rows]
            return both

        return Damage(out, over_masks(masks, woven))

    def _later(self, frame: Tensor, following: Tensor) -> Tensor:
        if self.second == "next" or torch.equal(frame, following):
            return following
        from degradations.blur.flow import interpolate

        return interpolate(frame, following, [0.5])[0]


class Deinterlace(Degradation):
    """Interlaced frames made progressive, as capture software does: the first field stays, the second is replaced.

    Settings:
        order: whose lines came first, as in :class:`Interlace`.
        method: ``linear`` takes the mean of the lines above and below (half of the lines are lost); ``median`` the
            middle one of the lines above and below and the line that was there (keeps detail that stands still, and
            takes away combs); ``blend`` a mean of all lines with their neighbours, 1:2:1 (a ghost where things move).

    A mask covers what any line did that went into a pixel.

    Source: the methods as in de Haan and Bellers, "Deinterlacing: an overview" (Proc. IEEE 1998).
    """

    kind: ClassVar[str] = "deinterlace"
    frame_by_frame: ClassVar[bool] = True
    order: Order = "tff"
    method: Literal["linear", "median", "blend"] = "median"

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        if self.method == "blend":
            above, below = _neighbours(frames, slice(None))
            return Damage(
                (above + 2 * frames + below) / 4, over_masks(masks, lambda plane: _spread(plane, slice(None)))
            )
        rows = _second(self.order)
        above, below = _neighbours(frames, rows)
        out = frames.clone()
        if self.method == "linear":
            out[:, :, rows] = (above + below) / 2
        else:
            woven = frames[:, :, rows]
            out[:, :, rows] = torch.minimum(
                torch.maximum(woven, torch.minimum(above, below)), torch.maximum(above, below)
            )
        return Damage(out, over_masks(masks, lambda plane: _spread(plane, rows)))


def _neighbours(frames: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """The rows above and below some rows; at the edges of the picture the one there is, twice."""
    height = frames.shape[2]
    numbers = range(height)[rows]
    if height == 1 or not numbers:
        return frames[:, :, rows], frames[:, :, rows]
    step = numbers.step
    above = frames[:, :, max(numbers[0] - 1, 0) : numbers[-1] : step]
    below = frames[:, :, numbers[0] + 1 : numbers[-1] + 2 : step]
    if numbers[0] == 0:
        above = torch.cat([frames[:, :, 1:2], frames[:, :, step - 1 : numbers[-1] : step]], dim=2)
    if numbers[-1] == height - 1:
        below = torch.cat([below, frames[:, :, height - 2 : height - 1]], dim=2)
    return above, below


def _spread(plane: Tensor, rows: slice) -> Tensor:
    above, below = _neighbours(plane, rows)
    out = plane.clone()
    out[:, :, rows] = torch.maximum(plane[:, :, rows], torch.maximum(above, below))
    return out
