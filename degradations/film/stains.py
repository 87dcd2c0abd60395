"""Stains and water marks: translucent blots with dried rims that stay for several frames."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import (
    Double,
    Float,
    as_frames,
    autoregressive,
    coverage,
    scale_of,
    stamp,
    with_coverage,
    writable,
)
from degradations.film.marks import Canvas
from degradations.film.shapes import blot
from degradations.film.tensors import as_warped, cover_on, sent, with_cover
from degradations.rng import Rng

SHORTEST = 5


class Stains(Degradation):
    """Stains and water marks.

    Settings:
        alive: mean number of stains in a frame.
        stay: mean number of frames that one stays (at least 5, at most four times the mean).
        radius, radius_spread: median radius in pixels at 480 lines, and standard deviation of its logarithm.
        contrast: median depth of their densest places over the local level.
        bright: share of stains that let more light through (washed-out emulsion).
        rim: how much denser the rim is than the middle, 0 to 1.
        rough: how ragged the outline is, 0 (a disc) to 1.
        drifting: share of stains that drift over the picture, by ``drift`` pixels per frame at 480 lines.
        tint: how unlike the depth is in the three channels of a colour film.
    """

    kind: ClassVar[str] = "stains"
    frame_by_frame: ClassVar[bool] = True
    alive: float = Field(default=0.4, ge=0, le=50)
    stay: float = Field(default=16, ge=1)
    radius: float = Field(default=45, gt=0, le=300)
    radius_spread: float = Field(default=0.45, ge=0, le=1)
    contrast: float = Field(default=0.16, gt=0, le=1)
    bright: float = Field(default=0.2, ge=0, le=1)
    rim: float = Field(default=0.65, ge=0, le=1)
    rough: float = Field(default=0.7, ge=0, le=1)
    drifting: float = Field(default=0.4, ge=0, le=1)
    drift: float = Field(default=1.0, ge=0)
    tint: float = Field(default=0.0, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The stains: in which frames, where in each of them, how large, how dense."""
        g = rng.at("births").generator()
        scale = scale_of(shape.height)
        reach = int(4 * self.stay)
        births = g.poisson(self.alive / self.stay, shape.frames + reach)
        stains: list[dict[str, Any]] = []
        for number, frame in enumerate(np.repeat(np.arange(-reach, shape.frames), births)):
            life = min(max(SHORTEST, round(g.exponential(self.stay))), reach)
            at = g.uniform(-0.05, 1.05, 2) * [shape.width, shape.height]
            # Where it drifts, it does so along the film more than across it.
            speed = self.drift * scale * g.standard_normal(2) * [0.35, 1.0] * (g.random() < self.drifting)
            shares = np.clip(1 + self.tint * g.uniform(-1, 0.6, 3), 0, None) if self.tint else np.ones(3)
            sign = 1 if g.random() < self.bright else -1
            depth = sign * min(0.9, self.contrast * np.exp(0.4 * g.standard_normal()))
            radius = float(self.radius * np.exp(self.radius_spread * g.standard_normal()) * scale)
            stain = {
                "from": int(frame),
                "key": rng.at("blot", number).key,
                "at": [round(float(v), 2) for v in at],
                "speed": [round(float(v), 4) for v in speed],
                # Never so large that it hides the picture.
                "radius": round(float(np.clip(radius, 2, 0.5 * max(shape.height, 16))), 2),
                "contrast": [round(float(v), 4) for v in np.clip(depth * shares, -0.95, 0.95)],
                # The layer is not equally thick in the frames that it crosses.
                "strength": [round(float(v), 3) for v in np.clip(0.85 + autoregressive(g, life, 0.5, 0.12), 0.4, 1)],
            }
            if int(frame) + life > 0:
                stains.append(stain)
        return {"stains": stains}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Number of stains in each frame."""
        alive = [sum(0 <= i - s["from"] < len(s["strength"]) for s in params["stains"]) for i in range(shape.frames)]
        return {"stains": alive}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        if not _seen(params, start, len(frames)):
            return Damage(frames, with_coverage(masks, "stain", coverage(masks, "stain", frames)))
        out, cover = writable(frames), coverage(masks, "stain", frames)
        for i in range(len(out)):
            for stain in params["stains"]:
                age = start + i - stain["from"]
                if 0 <= age < len(stain["strength"]):
                    self._lay(out[i], cover[i], stain, age)
        return Damage(as_frames(out, frames), with_coverage(masks, "stain", cover))

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        seen = _seen(params, start, len(frames))
        if not seen:
            return Damage(frames, with_cover(masks, "stain", cover_on(masks, "stain", frames)))
        canvas = Canvas(frames, masks, "stain")
        strengths = np.array([stain["strength"][age] for stain, ages in seen for age in ages], np.float32)
        known = sent(torch.from_numpy(strengths), canvas.device)[:, None, None]
        for (stain, ages), strength in zip(seen, known.split([len(ages) for _, ages in seen]), strict=True):
            both = _blot_on(canvas.device, stain["key"], stain["radius"], self.rough, self.rim)
            _lay_on(canvas, stain, ages, stain["from"] + ages.start - start, both, strength)
        return canvas.damage()

    def _lay(self, frame: Float, cover: Float, stain: dict[str, Any], age: int) -> None:
        patch, density = blot(stain["key"], stain["radius"], self.rough, self.rim)
        side = patch.shape[0]
        corner = _corners(stain, np.array([age]), side)[0]
        left, top = np.floor(corner).astype(int)
        if _drifts(stain):
            patch, density = (_moved(p, *(corner - [left, top])) for p in (patch, density))
        contrast = np.asarray(stain["contrast"], np.float32)[: len(frame)] * np.float32(stain["strength"][age])
        stamp(frame, cover, int(top), int(left), patch, contrast, density)


def _seen(params: Params, start: int, frames: int) -> list[tuple[dict[str, Any], range]]:
    """Stains that are in any of some frames, in the order in which they are laid onto each, and their ages in them."""
    alive = []
    for stain in params["stains"]:
        first = stain["from"]
        ages = range(max(start - first, 0), min(start + frames - first, len(stain["strength"])))
        if ages:
            alive.append((stain, ages))
    return alive


def _drifts(stain: dict[str, Any]) -> bool:
    return bool(stain["speed"] != [0.0, 0.0])


def _corners(stain: dict[str, Any], ages: NDArray[np.int64], side: int) -> Double:
    """Column and row, at each age, of the corner of the square of this side that the stain lies in."""
    return np.asarray(np.array(stain["at"]) + ages[:, None] * np.array(stain["speed"]) - side / 2)


@lru_cache(maxsize=24)
def _blot_on(device: torch.device, key: str, radius: float, rough: float, rim: float) -> Tensor:
    """Coverage and density of a blot on a device, behind one row and one column of zeros, ``(2, side + 1, side + 1)``."""
    both = np.stack(blot(key, radius, rough, rim))
    return functional.pad(sent(torch.from_numpy(both), device), (1, 0, 1, 0))


def _lay_on(canvas: Canvas, stain: dict[str, Any], ages: range, first: int, both: Tensor, strength: Tensor) -> None:
    """Lay a stain onto all its frames, of which ``first`` is the first one."""
    side, contrast = both.shape[1] - 1, stain["contrast"]
    corners = _corners(stain, np.arange(ages.start, ages.stop), side)
    whole = np.floor(corners).astype(int)
    if not _drifts(stain):
        left, top = whole[0].tolist()
        canvas.stamp(first, len(ages), top, left, both[:1, 1:, 1:], contrast, both[1:, 1:, 1:], strength)
        return
    # What is seen of it in any frame.
    low, high = np.maximum(-whole.max(axis=0), 0), np.minimum(np.array(canvas.size[::-1]) - whole.min(axis=0), side)
    if (low >= high).any():
        return
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    moves = -as_warped(whole - corners).astype(np.float32)
    right, down = sent(torch.from_numpy(moves), canvas.device).T[..., None, None, None]
    part = both[None, :, y0 : y1 + 1, x0 : x1 + 1]
    # As OpenCV moves it: linearly between pixels, first along rows, then along columns.
    part = torch.lerp(part[..., 1:], part[..., :-1], right)
    moved = torch.lerp(part[..., 1:, :], part[..., :-1, :], down)
    for i, (left, top) in enumerate(whole.tolist()):
        cover, density = moved[i, :, None]
        canvas.stamp(first + i, 1, top + y0, left + x0, cover, contrast, density, strength[i : i + 1])


def _moved(patch: Float, right: float, down: float) -> Float:
    matrix = np.array([[1, 0, right], [0, 1, down]])
    return np.asarray(cv2.warpAffine(patch, matrix, patch.shape[::-1], borderMode=cv2.BORDER_CONSTANT), np.float32)
