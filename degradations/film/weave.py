"""Gate weave: the picture does not stand still, by a fraction of a pixel, and now and then it jumps."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Double, Float, as_frames, autoregressive, planes_of
from degradations.rng import Rng


class Weave(Degradation):
    """Gate weave: shifts and tiny rotations of the whole picture, with all that stands on the film.

    Settings:
        horizontal, vertical: standard deviation of the position, pixels at 480 lines.
        memory: correlation of the position between neighbouring frames.
        rotation: standard deviation in degrees.
        jumps: probability, per frame, of a jump of about ``jump`` pixels that settles over a few frames.

    The mean position over the clip is that of the ground truth. Measured on a real transfer from a tripod:
    0.29 and 0.42 pixels, correlation 0.67, 0.028 degrees.
    """

    kind: ClassVar[str] = "weave"
    frame_by_frame: ClassVar[bool] = True
    horizontal: float = Field(default=0.3, ge=0)
    vertical: float = Field(default=0.45, ge=0)
    memory: float = Field(default=0.67, ge=0, lt=1)
    rotation: float = Field(default=0.03, ge=0)
    jumps: float = Field(default=0.01, ge=0, le=1)
    jump: float = Field(default=2.5, ge=0)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Position and rotation in each frame."""
        scale = shape.height / 480.0
        g = rng.at("position").generator()
        x = autoregressive(g, shape.frames, self.memory, self.horizontal * scale)
        y = autoregressive(g, shape.frames, self.memory, self.vertical * scale)
        turn = autoregressive(g, shape.frames, self.memory, self.rotation)
        for frame in np.flatnonzero(g.random(shape.frames) < self.jumps):
            sign = 1 if g.random() < 0.5 else -1
            settle = 0.45 ** np.arange(shape.frames - frame)
            y[frame:] += sign * self.jump * scale * np.exp(0.3 * g.standard_normal()) * settle
        if shape.frames > 1:
            x, y, turn = x - x.mean(), y - y.mean(), turn - turn.mean()
        return {name: [round(float(v), 5) for v in values] for name, values in (("x", x), ("y", y), ("turn", turn))}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        planes = planes_of(frames)
        height, width = planes.shape[2:]
        moved = np.empty(planes.shape, np.float32)
        moved_masks = {kind: torch.zeros_like(plane) for kind, plane in masks.items()}
        for i, (frame, target) in enumerate(zip(planes, moved, strict=True)):
            matrix: Double = np.zeros((2, 3))
            matrix[...] = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), params["turn"][start + i], 1.0)
            matrix[:, 2] += params["x"][start + i], params["y"][start + i]
            for plane, result in zip(frame, target, strict=True):
                _shift(plane, matrix, cv2.INTER_CUBIC, result)
            for kind, cover in masks.items():
                before = cover[i, 0].numpy()
                if before.any():  # most frames have nothing of most kinds
                    _shift(before, matrix, cv2.INTER_LINEAR, moved_masks[kind][i, 0].numpy())
        return Damage(as_frames(moved, frames), moved_masks)

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Shift in pixels to the right and down, and rotation in degrees, of each frame."""
        return {"shift_x_px": params["x"], "shift_y_px": params["y"], "rotation_deg": params["turn"]}


def _shift(plane: Float, matrix: Double, interpolation: int, out: Float) -> None:
    # OpenCV rounds positions to 1/32 pixel here: finer than any weave that is seen.
    cv2.warpAffine(
        np.ascontiguousarray(plane),
        matrix,
        plane.shape[::-1],
        dst=out,
        flags=interpolation,
        borderMode=cv2.BORDER_REFLECT_101,
    )
