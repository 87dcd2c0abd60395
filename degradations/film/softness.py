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
                    soft += _glow(np.ascontiguousarray(plane), reach, self.halation)
        return Damage(as_frames(out, frames), masks)


def _blur(plane: Float, sigma: float, out: Float) -> None:
    if sigma < 0.15:
        out[...] = plane
    else:
        size = 2 * int(np.ceil(3 * sigma)) + 1
        source = np.ascontiguousarray(plane)
        cv2.GaussianBlur(source, (size, size), sigma, dst=out, borderType=cv2.BORDER_REFLECT_101)


def _glow(plane: Float, sigma: float, share: float) -> Float:
    """Light that highlights spread over ``sigma`` pixels, as far as it is not light there already.

    It is so smooth that a small picture gives it as well: one that is halved as long as sigma is above 3.5 pixels of it.
    """
    height, width = plane.shape
    small: np.ndarray = plane
    while sigma > 3.5 and min(small.shape) >= 8:
        small = cv2.resize(small, (-(-small.shape[1] // 2), -(-small.shape[0] // 2)), interpolation=cv2.INTER_LINEAR)
        sigma /= 2
    bright = np.maximum(small - np.float32(GLOW_FROM), 0)
    size = 2 * int(np.ceil(3 * sigma)) + 1
    spread = cv2.GaussianBlur(bright, (size, size), max(sigma, 0.3), borderType=cv2.BORDER_REFLECT_101)
    spread = spread * np.float32(share) * np.clip(1 - small, 0, 1)
    if spread.shape != plane.shape:
        spread = cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread, dtype=np.float32)
