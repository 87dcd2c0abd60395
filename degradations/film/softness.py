"""Softness of old lenses and of copies, and the glow of highlights in the film's base."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Float, as_frames, planes_of
from degradations.film.tensors import planes_on, resized, seen_as, separable
from degradations.rng import Rng

GLOW_FROM = 0.7
"""Level above which highlights glow."""
SHARP = 0.15
"""Pixels of sigma below which there is nothing to soften."""
LEAST_GLOW = 0.3
"""Smallest sigma of what glows, in pixels."""


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

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames."""
        planes = planes_on(frames)
        sigma, reach = self.sigma * params["scale"], self.reach * params["scale"]
        out = planes if sigma < SHARP else separable(planes, _taps(sigma, _size(sigma)))
        if self.halation:
            out = out + _glow_on(planes, reach, self.halation)
        return Damage(seen_as(out, frames), masks)


def _size(sigma: float) -> int:
    """Taps of a Gaussian kernel."""
    return 2 * int(np.ceil(3 * sigma)) + 1


def _taps(sigma: float, size: int) -> list[float]:
    """Those that ``cv2.GaussianBlur`` takes."""
    taps: list[float] = cv2.getGaussianKernel(size, sigma, cv2.CV_32F)[:, 0].tolist()
    return taps


def _blur(plane: Float, sigma: float, out: Float) -> None:
    if sigma < SHARP:
        out[...] = plane
    else:
        size = _size(sigma)
        source = np.ascontiguousarray(plane)
        cv2.GaussianBlur(source, (size, size), sigma, dst=out, borderType=cv2.BORDER_REFLECT_101)


def _glow(plane: Float, sigma: float, share: float) -> Float:
    """Light that highlights spread over ``sigma`` pixels, as far as it is not light there already."""
    height, width = plane.shape
    small: np.ndarray = plane
    sizes, sigma = _halved(height, width, sigma)
    for rows, columns in sizes:
        small = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)
    bright = np.maximum(small - np.float32(GLOW_FROM), 0)
    size = _size(sigma)
    spread = cv2.GaussianBlur(bright, (size, size), max(sigma, LEAST_GLOW), borderType=cv2.BORDER_REFLECT_101)
    spread = spread * np.float32(share) * np.clip(1 - small, 0, 1)
    if spread.shape != plane.shape:
        spread = cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread, dtype=np.float32)


def _glow_on(planes: Tensor, sigma: float, share: float) -> Tensor:
    """`_glow` of planes ``(T, P, H, W)`` on any device."""
    height, width = planes.shape[-2:]
    small = planes
    sizes, sigma = _halved(height, width, sigma)
    for rows, columns in sizes:
        small = resized(small, rows, columns)
    taps = _taps(max(sigma, LEAST_GLOW), _size(sigma))
    spread = separable((small - GLOW_FROM).clamp_(min=0), taps).mul_((1 - small).clamp_(0, 1)).mul_(share)
    return resized(spread, height, width)


def _halved(height: int, width: int, sigma: float) -> tuple[list[tuple[int, int]], float]:
    """Heights and widths through which a picture is made small before it is softened, and what sigma is in the last.

    What is very smooth comes out of a small picture as well: it is halved as long as sigma is above 3.5 pixels of it.
    """
    sizes = []
    while sigma > 3.5 and min(height, width) >= 8:
        height, width, sigma = -(-height // 2), -(-width // 2), sigma / 2
        sizes.append((height, width))
    return sizes, sigma
