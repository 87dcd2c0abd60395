"""Gate weave: the picture does not stand still, by a fraction of a pixel, and now and then it jumps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.border import mirror
from degradations.film.common import Double, Float, as_frames, autoregressive, planes_of
from degradations.film.tensors import planes_on, seen_as, shifted, warped
from degradations.rng import Rng

SMALL_TURN = 0.2
"""Degrees up to which a turn is made of two shears."""
ROUNDED_TO = 32
"""Shifts are multiples of 1 over this, in pixels."""

Steps = NDArray[np.int64]


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
        # Most chunks have nothing of most kinds.
        moved_masks = {kind: torch.zeros_like(cover) if cover.any() else cover for kind, cover in masks.items()}
        for i, (frame, target) in enumerate(zip(planes, moved, strict=True)):
            x, y, turn = (params[name][start + i] for name in ("x", "y", "turn"))
            matrix = _matrix(height, width, x, y, turn)
            for plane, result in zip(frame, target, strict=True):
                if _small(height, width, x, y, turn):
                    result[...] = woven(np.ascontiguousarray(plane), x, y, turn)
                else:
                    _warp(plane, matrix, cv2.INTER_CUBIC, result)
            for kind, cover in masks.items():
                if moved_masks[kind] is not cover and cover[i].any():
                    _warp(cover[i, 0].numpy(), matrix, cv2.INTER_LINEAR, moved_masks[kind][i, 0].numpy())
        return Damage(as_frames(moved, frames), moved_masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames."""
        planes = planes_on(frames)
        height, width = planes.shape[2:]
        places = [tuple(params[name][i] for name in ("x", "y", "turn")) for i in range(start, start + len(planes))]
        back: Double = np.empty((len(places), 2, 3))
        for matrix, place in zip(back, places, strict=True):
            matrix[...] = cv2.invertAffineTransform(_matrix(height, width, *place))
        far = [i for i, place in enumerate(places) if not _small(height, width, *place)]
        moved = _woven_on(planes, [place if i not in far else (0.0, 0.0, 0.0) for i, place in enumerate(places)])
        for i in far:
            moved[i : i + 1] = warped(planes[i : i + 1], back[i : i + 1], "bicubic")
        if not masks:
            return Damage(seen_as(moved, frames), masks)
        covers = warped(torch.cat(list(masks.values()), dim=1), back, "bilinear")
        return Damage(seen_as(moved, frames), dict(zip(masks, covers.split(1, dim=1), strict=True)))

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Shift in pixels to the right and down, and rotation in degrees, of each frame."""
        return {"shift_x_px": params["x"], "shift_y_px": params["y"], "rotation_deg": params["turn"]}


def _small(height: int, width: int, x: float, y: float, turn: float) -> bool:
    """Whether a move is made by `woven`; others are affine warps."""
    return abs(turn) <= SMALL_TURN and max(abs(x), abs(y)) < min(height, width) / 4


def _matrix(height: int, width: int, x: float, y: float, turn: float) -> Double:
    matrix: Double = np.zeros((2, 3))
    matrix[...] = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
    matrix[:, 2] += x, y
    return matrix


def woven(plane: Float, x: float, y: float, turn: float) -> Float:
    """A plane shifted to the right and down and turned by a small angle (degrees, anticlockwise): a cubic kernel along
    the rows, then along the columns.

    So small a turn is a shear of rows and one of columns. Shifts are rounded to 1/32 pixel, as OpenCV rounds them, so
    that neighbouring rows share theirs: four times as fast as an affine warp. Beyond the edges the picture is mirrored.
    """
    height, width = plane.shape
    rows, out = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    of_rows, of_columns = _steps(height, width, x, y, turn)
    for band, steps in _bands(of_rows):
        _shift(plane[band], steps, 1, rows[band])
    for band, steps in _bands(of_columns):
        _shift(rows[:, band], steps, 0, out[:, band])
    return out


def _woven_on(planes: Tensor, places: Sequence[tuple[float, ...]]) -> Tensor:
    """`woven` for planes ``(T, P, H, W)`` on any device, each frame by its own x, y and turn."""
    height, width = planes.shape[2:]
    x, y, turn = np.array(places).T[:, :, None]
    of_rows, of_columns = _steps(height, width, x, y, turn)
    for axis, steps in ((-1, of_rows), (-2, of_columns)):
        whole, part = np.divmod(-steps, ROUNDED_TO)
        planes = shifted(planes, axis, whole - 1, part, _cubics())
    return planes


def _steps(height: int, width: int, x: float | Double, y: float | Double, turn: float | Double) -> tuple[Steps, Steps]:
    """How far each row goes to the right, and then each column down, in steps of 1/32 pixel.

    By numbers ``(H,)`` and ``(W,)``, by arrays ``(T, 1)`` those of many frames.
    """
    slope = np.deg2rad(turn)
    rows = x + slope * (np.arange(height) - (height - 1) / 2)
    columns = y - slope * (np.arange(width) - (width - 1) / 2)
    rows, columns = (np.floor(shifts * ROUNDED_TO + 0.5).astype(np.int64) for shifts in (rows, columns))
    return rows, columns


def _bands(steps: Steps) -> list[tuple[slice, int]]:
    """Runs of rows or columns that are shifted alike, and by how many steps."""
    ends = [0, *(np.flatnonzero(np.diff(steps)) + 1), len(steps)]
    return [(slice(begin, end), int(steps[begin])) for begin, end in pairwise(ends)]


def _shift(band: Float, steps: int, axis: int, out: Float) -> None:
    """Move a band along an axis, forwards."""
    # What comes to lie at 0 lay at -shift, between two pixels of which the first is ``whole``.
    whole, part = divmod(-steps, ROUNDED_TO)
    taps = cubic(part / ROUNDED_TO)
    kernel = taps[None] if axis else taps[:, None]
    size = band.shape[axis]
    if -2 <= whole <= 1 and size > 4:
        anchor = (1 - whole, 0) if axis else (0, 1 - whole)
        cv2.filter2D(band, -1, kernel, dst=out, anchor=anchor, borderType=cv2.BORDER_REFLECT_101)
        return
    # The anchor has to lie on the kernel: further away, the pixels are put in place first.
    place = np.abs(np.arange(whole - 1, whole + size + 2))
    place = np.minimum(place % max(2 * size - 2, 1), -place % max(2 * size - 2, 1))
    moved = cv2.filter2D(band.take(place, axis), -1, kernel, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    out[...] = moved[:, :size] if axis else moved[:size]


def cubic(part: float) -> Float:
    """Weights of four neighbours for a point ``part`` of the way from the second to the third.

    Source: Keys, 1981, with a of -0.75, as OpenCV has it.
    """
    t = np.array([1 + part, part, 1 - part, 2 - part])
    near, far = 1.25 * t**3 - 2.25 * t**2 + 1, -0.75 * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, far).astype(np.float32)


@lru_cache(maxsize=1)
def _cubics() -> Float:
    """The weights of all places that there are between two pixels, ``(32, 4)``."""
    return np.stack([cubic(part / ROUNDED_TO) for part in range(ROUNDED_TO)])


def _warp(plane: Float, matrix: Double, interpolation: int, out: Float) -> None:
    cv2.warpAffine(
        np.ascontiguousarray(plane),
        matrix,
        plane.shape[::-1],
        dst=out,
        flags=interpolation,
        borderMode=mirror(plane.shape),
    )
