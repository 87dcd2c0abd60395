"""The camera's aperture: dark edges and rounded corners around the picture."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import cv2
import numpy as np
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Double, Float, as_frames, planes_of
from degradations.film.shapes import fractal_noise, smooth_step
from degradations.film.tensors import as_warped, kept_on, planes_on, seen_as, shifted
from degradations.rng import Rng

MARGIN = 6
"""Pixels around the frame into which the aperture may be shifted."""
SHADOW = 6
"""How far the shadow of the edge reaches in, over the width of the edge."""


class Gate(Degradation):
    """The edge of the camera's or the printer's aperture.

    Before a ``weave`` in the recipe it moves with the picture (the aperture was in the camera), after it the edge
    stands still and the picture moves behind it (the aperture of the projector); both are found on real transfers.

    Settings:
        margin: how far the dark edge reaches into the frame on average, pixels at 480 lines; each side is its own.
        radius: of the corners, pixels at 480 lines.
        softness: width of the edge, pixels at 480 lines.
        dark: level outside over that inside.
        rough: how uneven the edge is, with lint on it: pixels at 480 lines.
        unsteady: standard deviation of its place from frame to frame, pixels at 480 lines.

    Measured on real transfers: in one, the edge stands still (0.05 to 0.08 pixels), in one it jumps by 0.6 to 1 pixel
    from frame to frame, left and right together (correlation 0.86).
    """

    kind: ClassVar[str] = "gate"
    frame_by_frame: ClassVar[bool] = True
    margin: float = Field(default=3.0, ge=0, le=100)
    radius: float = Field(default=14, ge=0, le=200)
    softness: float = Field(default=2.5, gt=0, le=50)
    dark: float = Field(default=0.06, ge=0, le=1)
    rough: float = Field(default=0.8, ge=0, le=20)
    unsteady: float = Field(default=0.0, ge=0, le=4)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """How far each side reaches in, and where the aperture is in each frame."""
        g = rng.at("gate").generator()
        scale = shape.height / 480.0
        sides = self.margin * scale * g.uniform(0.3, 1.7, 4)
        places = np.clip(self.unsteady * scale * g.standard_normal((2, shape.frames)), -MARGIN + 1, MARGIN - 1)
        return {
            "key": rng.key,
            "scale": scale,
            "sides": [round(float(v), 3) for v in sides],
            "x": [round(float(v), 3) for v in places[0]],
            "y": [round(float(v), 3) for v in places[1]],
        }

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Where the aperture stands in each frame, pixels to the right and down."""
        return {"gate_x_px": params["x"], "gate_y_px": params["y"]}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        planes = planes_of(frames)
        height, width = planes.shape[2:]
        radius, softness, _, rough = look = self._look(params["scale"])
        light = _aperture(height, width, params["key"], tuple(params["sides"]), *look)
        inside = max(params["sides"]) + radius + SHADOW * softness + 10 * rough + MARGIN
        out = np.array(planes, dtype=np.float32, order="C")
        for i, frame in enumerate(out, start):
            x, y = params["x"][i], params["y"][i]
            for rows, columns in _edges(height, width, int(np.ceil(inside))):
                frame[:, rows, columns] *= _part(light, rows, columns, x, y)
        return Damage(as_frames(out, frames), masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames: there the whole frame costs no more than its edges."""
        planes = planes_on(frames)
        height, width = planes.shape[2:]
        look = (params["key"], tuple(params["sides"]), *self._look(params["scale"]))
        light = kept_on(frames.device, _aperture, height, width, *look)
        steady = light[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        x, y = (np.array(params[name][start : start + len(planes)], float) for name in ("x", "y"))
        if x.any() or y.any():
            steady = _moved_on(light, x, y)[..., :height, :width]
        return Damage(seen_as(planes * steady, frames), masks)

    def _look(self, scale: float) -> tuple[float, float, float, float]:
        """Radius, softness, darkness and roughness, in pixels of the clip."""
        return self.radius * scale, self.softness * max(scale, 0.3), self.dark, self.rough * scale


def _edges(height: int, width: int, thick: int) -> list[tuple[slice, slice]]:
    """The frame within ``thick`` pixels of its edge, as boxes that do not overlap."""
    if 2 * thick >= min(height, width):
        return [(slice(0, height), slice(0, width))]
    middle = slice(thick, height - thick)
    return [
        (slice(0, thick), slice(0, width)),
        (slice(height - thick, height), slice(0, width)),
        (middle, slice(0, thick)),
        (middle, slice(width - thick, width)),
    ]


def _part(light: Float, rows: slice, columns: slice, x: float, y: float) -> Float:
    """The light in a box of the frame, the aperture shifted by x to the right and y down."""
    if x == 0 and y == 0:
        return light[rows.start + MARGIN : rows.stop + MARGIN, columns.start + MARGIN : columns.stop + MARGIN]
    matrix = np.array([[1, 0, columns.start + MARGIN - x], [0, 1, rows.start + MARGIN - y]], dtype=float)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    shifted = cv2.warpAffine(
        light, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(shifted, dtype=np.float32).reshape(size[::-1])


def _moved_on(light: Tensor, x: Double, y: Double) -> Tensor:
    """The light of each of T frames, ``(T, 1, H, W)`` and more behind, shifted by ``(T,)`` to the right and down."""
    out = light.expand(len(x), 1, -1, -1)
    for axis, shifts in ((-1, x), (-2, y)):
        places = as_warped(MARGIN - shifts)
        whole = np.floor(places)
        part = places - whole
        taps = np.stack([1 - part, part], axis=-1).astype(np.float32)
        out = shifted(out, axis, whole.astype(np.int64)[:, None], np.arange(len(x))[:, None], taps)
    return out


@lru_cache(maxsize=4)
def _aperture(
    height: int,
    width: int,
    key: str,
    sides: tuple[float, float, float, float],
    radius: float,
    softness: float,
    dark: float,
    rough: float,
) -> Float:
    """What the aperture lets through, ``(H, W)`` with ``MARGIN`` pixels more all around."""
    g = Rng(key).at("edge").generator()
    top, bottom, left, right = sides
    y = (np.arange(-MARGIN, height + MARGIN, dtype=np.float32) + np.float32(0.5))[:, None]
    x = (np.arange(-MARGIN, width + MARGIN, dtype=np.float32) + np.float32(0.5))[None]
    # Distance outside a rounded rectangle, below 0 inside.
    middle = (top + height - bottom) / 2, (left + width - right) / 2
    half = (height - bottom - top) / 2, (width - right - left) / 2
    radius = max(0.0, min(radius, *half))
    down, across = (
        np.abs(a - np.float32(m)) - np.float32(h - radius) for a, m, h in zip((y, x), middle, half, strict=True)
    )
    outside = np.hypot(np.maximum(down, 0), np.maximum(across, 0)) + np.minimum(np.maximum(down, across), 0)
    outside = outside - np.float32(radius)
    if rough:
        # A fine unevenness all along, and lint that sticks out here and there.
        noise = fractal_noise(height + 2 * MARGIN, width + 2 * MARGIN, 14, 0.7, g)
        lint = np.maximum(fractal_noise(height + 2 * MARGIN, width + 2 * MARGIN, 22, 0.6, g) - np.float32(1.6), 0)
        outside = outside + np.float32(rough) * (np.float32(0.5) * noise + np.float32(2.5) * lint)
    light = 1 - smooth_step(outside / np.float32(softness) + np.float32(0.5))
    # A faint shadow further in: the light comes past a second edge.
    shadow = 1 - np.float32(0.12) * smooth_step(1 + outside / np.float32(SHADOW * softness)) ** 2
    out = (np.float32(dark) + np.float32(1 - dark) * light) * shadow
    out[outside < -SHADOW * softness] = 1
    return np.ascontiguousarray(out, dtype=np.float32)
