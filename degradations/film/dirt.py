"""Dirt and dust: small irregular specks that live for one frame, dark and bright at once, mostly translucent."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, covered
from degradations.film.common import Float, as_mask, blank_masks, scale_of, stamp, writable
from degradations.rng import Rng


class Dirt(Degradation):
    """Specks of dirt and dust.

    Settings:
        density: mean number of specks per frame and megapixel of a 480-line picture.
        burst: variance over mean of the number in a frame (1 is Poisson; film is bursty).
        dark: share of dark specks.
        area, area_spread: median area in pixels at 480 lines, and standard deviation of its logarithm.
        contrast, contrast_spread: median peak contrast over the local level, and that of its logarithm.
        elongated: share of specks drawn out into splinters.

    Measured on real transfers: 110 strong specks per megapixel, variance over mean 4.6 to 7.9, dark share 0.4
    to 0.8, log-area mean 1.8 to 2.2 and spread 0.65 to 0.87, contrast 0.22 to 0.28.
    """

    kind: ClassVar[str] = "dirt"
    density: float = Field(default=110, ge=0)
    burst: float = Field(default=6.0, gt=1)
    dark: float = Field(default=0.7, ge=0, le=1)
    area: float = Field(default=8.0, gt=0)
    area_spread: float = Field(default=0.8, ge=0, le=2)
    contrast: float = Field(default=0.27, gt=0, le=1)
    contrast_spread: float = Field(default=0.5, ge=0, le=2)
    elongated: float = Field(default=0.1, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the clip's dirt."""
        return {"key": rng.key, "scale": scale_of(shape.height)}

    def count(self, shape: tuple[int, int], scale: float, generator: np.random.Generator) -> int:
        """Number of specks in one frame of ``(H, W)`` pixels: negative binomial."""
        mean = self.density * shape[0] * shape[1] / scale**2 / 1e6
        if mean <= 0:
            return 0
        return int(generator.negative_binomial(mean / (self.burst - 1), 1 / self.burst))

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        out, cover = writable(frames), blank_masks(frames)
        rng = Rng(params["key"])
        for i in range(len(out)):
            self._soil(out[i], cover[i], params["scale"], rng.at("frame", start + i).generator())
        return Damage(torch.from_numpy(out), covered(masks, "dirt", as_mask(cover)))

    def _soil(self, frame: Float, cover: Float, scale: float, g: np.random.Generator) -> None:
        height, width = cover.shape
        for _ in range(self.count((height, width), scale, g)):
            area = self.area * np.exp(self.area_spread * g.standard_normal()) * scale**2
            stretch = g.uniform(3, 7) if g.random() < self.elongated else np.exp(0.3 * abs(g.standard_normal()))
            contrast = min(self.contrast * np.exp(self.contrast_spread * g.standard_normal()), 0.95)
            sign = -1.0 if g.random() < self.dark else 1.0
            x, y = g.uniform(0, width), g.uniform(0, height)
            blob, top, left = speck(area, stretch, x, y, g)
            stamp(frame, cover, top, left, blob, sign * contrast)


def speck(area: float, stretch: float, x: float, y: float, g: np.random.Generator) -> tuple[Float, int, int]:
    """Coverage of one irregular speck of ``area`` square pixels about (x, y): patch, its top, its left."""
    radius = float(np.sqrt(area / np.pi))
    reach = int(np.ceil(radius * np.sqrt(stretch) * 1.6 + 1.5))
    left, top = int(np.floor(x)) - reach, int(np.floor(y)) - reach
    steps = np.arange(2 * reach + 1)
    dx, dy = np.meshgrid(left + steps + 0.5 - x, top + steps + 0.5 - y)
    turn = g.uniform(0, np.pi)
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / np.sqrt(stretch)
    across = (dy * np.cos(turn) - dx * np.sin(turn)) * np.sqrt(stretch)
    angle = np.arctan2(across, along)
    outline = np.ones_like(angle)
    for order in range(2, 6):
        outline += (0.35 / order) * g.standard_normal() * np.cos(order * angle + g.uniform(0, 2 * np.pi))
    distance = np.hypot(along, across) - radius * np.clip(outline, 0.35, 1.6)
    # A speck smaller than a pixel covers a share of it: its edge is softened over a pixel, its sum kept.
    cover = np.clip(0.5 - distance / max(1.0, 0.35 * radius), 0, 1)
    total = cover.sum()
    if total > 0 and area < 4:
        cover *= min(1.0, area / total)
    return cover.astype(np.float32), top, left
