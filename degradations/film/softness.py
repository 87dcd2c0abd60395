"""Softness of old lenses and of copies, and the glow of highlights in the film's base."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Float, as_frames, planes_of
from degradations.rng import Rng

GLOW_FROM = 0.7
"""Level above which highlights glow."""


class Softness(Degradation):
    """An old lens and a print of a print: softness, and light that spreads around highlights (halation).

    ``sigma`` in pixels at 480 lines; ``halation`` is the share of highlight light that spreads, over
    ``reach`` pixels at 480 lines.
    """

    kind: ClassVar[str] = "softness"
    frame_by_frame: ClassVar[bool] = True
    sigma: float = Field(default=0.9, ge=0, le=20)
    halation: float = Field(default=0.15, ge=0, le=1)
    reach: float = Field(default=9, gt=0, le=100)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {"scale": shape.height / 480.0}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        planes = planes_of(frames)
        out = np.empty(planes.shape, np.float32)
        sigma, reach = self.sigma * params["scale"], self.reach * params["scale"]
        for frame, target in zip(planes, out, strict=True):
            for plane, soft in zip(frame, target, strict=True):
                _blur(plane, sigma, soft)
                if self.halation:
                    # The film is lit through: what glows fills up what is not white yet.
                    glow = wide_blur(np.maximum(plane - np.float32(GLOW_FROM), 0), reach)
                    glow *= np.float32(self.halation) * (np.float32(1) - np.clip(soft, 0, 1))
                    soft += glow
        return Damage(as_frames(out, frames), masks)


def _blur(plane: Float, sigma: float, out: Float) -> None:
    if sigma < 0.15:
        out[...] = plane
    else:
        # Four sigma on each side; OpenCV's own size for numbers in floating point is that, too.
        size = 2 * int(np.ceil(4 * sigma)) + 1
        source = np.ascontiguousarray(plane)
        cv2.GaussianBlur(source, (size, size), sigma, dst=out, borderType=cv2.BORDER_REFLECT_101)


def wide_blur(plane: Float, sigma: float) -> Float:
    """A Gaussian of large ``sigma`` at a fraction of its cost: of a smaller picture, enlarged again.

    The picture is shrunk by at most a third of sigma, so that what is lost is far finer than what is left.
    """
    height, width = plane.shape
    shrink = max(1, min(int(sigma / 2.5), height // 4, width // 4))
    source: np.ndarray = np.ascontiguousarray(plane)
    if shrink > 1:
        size = (-(-width // shrink), -(-height // shrink))
        source = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(source, (0, 0), max(sigma / shrink, 0.3), borderType=cv2.BORDER_REFLECT_101)
    if shrink > 1:
        soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft, dtype=np.float32).reshape(height, width)
