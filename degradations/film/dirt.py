"""Dirt and dust: small irregular specks that live for one frame, dark and bright at once, mostly translucent."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Double, Float, as_frames, coverage, scale_of, scatter, with_coverage, writable
from degradations.film.marks import Canvas
from degradations.film.specks import BENT, OUTLINES, Specks
from degradations.rng import Rng

SPLINTERS = (4.0, 14.0)
"""Length over width of splinters: least and most."""
FAINTEST = 0.03
"""Contrast of the faintest specks: fainter ones drown in grain."""


class Dirt(Degradation):
    """Specks of dirt and dust.

    Settings:
        density: mean number of specks per frame and megapixel of a 480-line picture.
        burst: how the rate varies from frame to frame: its standard deviation over its mean (film is bursty).
        dark: share of dark specks. Dirt on a print is dark; dust on the negative it was printed from is bright.
        area, area_spread: median area in pixels at 480 lines, and standard deviation of its logarithm.
        contrast, contrast_spread: peak contrast over the local level of a speck of the median area, and the spread of
            its logarithm among specks of one area.
        thickness: power of the area with which contrast grows: large specks are lumps, not flakes.
        elongated: share of specks drawn out into splinters, which are bent a little.
        clumped: share of specks that lie in clumps of a dozen.
        softness: width of their edge, pixels at 480 lines.

    Measured on real transfers: 110 strong specks per megapixel, which vary by 0.34 and 0.49 beyond what chance does
    (variance over mean 4.6 to 7.9), and three times as many weak ones; dark share 0.4 to 0.8, log-area mean 1.8 to
    2.2 and spread 0.65 to 0.87, contrast of the strong ones 0.22 to 0.28. Of dark strong specks of 6 to 12, 12 to 25, 25 to
    60 and more pixels it is 0.29, 0.33, 0.51 and 0.72 on one film, 0.28, 0.35 and 0.44 on another (powers of 0.3 to 0.4),
    and about 0.22 whatever the area on a third.
    """

    kind: ClassVar[str] = "dirt"
    frame_by_frame: ClassVar[bool] = True
    density: float = Field(default=110, ge=0)
    burst: float = Field(default=0.45, ge=0, le=3)
    dark: float = Field(default=0.7, ge=0, le=1)
    area: float = Field(default=8.0, gt=0)
    area_spread: float = Field(default=0.8, ge=0, le=2)
    contrast: float = Field(default=0.27, gt=0, le=1)
    contrast_spread: float = Field(default=0.5, ge=0, le=2)
    thickness: float = Field(default=0.3, ge=0, le=1)
    elongated: float = Field(default=0.1, ge=0, le=1)
    clumped: float = Field(default=0.15, ge=0, le=1)
    softness: float = Field(default=1.2, ge=0.5, le=10)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the clip's dirt."""
        return {"key": rng.key, "scale": scale_of(shape.height)}

    def count(self, shape: tuple[int, int], scale: float, generator: np.random.Generator) -> int:
        """Number of specks in one frame of ``(H, W)`` pixels: Poisson, of a rate that follows a gamma distribution."""
        mean = self.density * shape[0] * shape[1] / scale**2 / 1e6
        rate = generator.gamma(1 / self.burst**2, self.burst**2) if self.burst > 0.01 else 1.0
        return int(generator.poisson(mean * rate))

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Number of specks in each frame, visible or not."""
        rng, size = Rng(params["key"]), (shape.height, shape.width)
        frames = range(shape.frames)
        return {"specks": [self.count(size, params["scale"], rng.at("frame", i).generator()) for i in frames]}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        out, cover = writable(frames), coverage(masks, "dirt", frames)
        rng = Rng(params["key"])
        for i in range(len(out)):
            specks, contrast = self._specks(cover[i].shape, params["scale"], rng.at("frame", start + i).generator())
            for which, index, share, density in specks.pixels(*cover[i].shape):
                scatter(out[i], cover[i], index, share, density * contrast[which])
        return Damage(as_frames(out, frames), with_coverage(masks, "dirt", cover))

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        canvas, rng = Canvas(frames, masks, "dirt"), Rng(params["key"])
        numbers = range(start, start + len(frames))
        drawn = [self._specks(canvas.size, params["scale"], rng.at("frame", i).generator()) for i in numbers]
        specks, contrasts = zip(*drawn, strict=True)
        frame = np.repeat(np.arange(len(frames)), [len(contrast) for contrast in contrasts])
        Specks.joined(list(specks)).lay(canvas, frame, np.concatenate(contrasts))
        return canvas.damage()

    def _specks(self, size: tuple[int, ...], scale: float, g: np.random.Generator) -> tuple[Specks, Float]:
        """The specks of one frame of ``(H, W)`` pixels, and their contrast, below 0 for dark."""
        height, width = size
        count = self.count((height, width), scale, g)
        area = self.area * np.exp(self.area_spread * g.standard_normal(count)) * scale**2
        contrast = self.contrast * np.exp(self.contrast_spread * g.standard_normal(count))
        contrast *= (area / (self.area * scale**2)) ** self.thickness
        contrast = np.clip(contrast, FAINTEST, 0.95) * np.where(g.random(count) < self.dark, -1, 1)
        round_ones = np.exp(0.3 * np.abs(g.standard_normal(count)))
        splinters = SPLINTERS[0] * (SPLINTERS[1] / SPLINTERS[0]) ** g.random(count)
        drawn_out = g.random(count) < self.elongated
        stretch = np.where(drawn_out, splinters, round_ones)
        specks = Specks(
            *self._places(count, height, width, scale, g),
            area=area,
            stretch=stretch,
            turn=g.uniform(0, np.pi, count),
            outline=g.integers(0, OUTLINES, count),
            hollow=np.where((g.random(count) < 0.4) & ~drawn_out, g.uniform(0.1, 0.6, count), 0),
            bend=np.where(drawn_out, BENT * g.standard_normal(count), 0),
            edge=max(1.0, self.softness * scale),
        )
        return specks, contrast.astype(np.float32)

    def _places(
        self, count: int, height: int, width: int, scale: float, g: np.random.Generator
    ) -> tuple[Double, Double]:
        """Columns and rows: anywhere, or about the middle of a clump that is a little wider than high."""
        at = g.random((2, count))
        clumps = g.random((2, 1 + int(self.clumped * count / 12)))
        member = g.integers(0, clumps.shape[1], count)
        spread = scale * g.standard_normal((2, count))
        in_clump = g.random(count) < self.clumped
        x = np.where(in_clump, clumps[0, member] * width + 18 * spread[0], at[0] * width)
        y = np.where(in_clump, clumps[1, member] * height + 11 * spread[1], at[1] * height)
        return x, y
