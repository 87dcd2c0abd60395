"""Scratches: fine vertical lines that last, wander and break off, and rain of short streaks."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, covered
from degradations.film.common import Float, as_mask, autoregressive, blank_masks, scale_of, stamp, writable
from degradations.rng import Rng


class Scratches(Degradation):
    """Vertical scratches.

    Settings:
        alive: mean number of lasting scratches in a frame.
        stay: mean number of frames that one lasts (at least 8).
        wander: standard deviation of its step sideways from frame to frame, pixels at 480 lines.
        width: median full width at half depth, pixels at 480 lines.
        contrast: median depth over the local level.
        bright: share of bright ones; ``paired``: share with a line of the other polarity beside them.
        rain: mean number of short streaks per frame, each in one frame only.

    Measured on real transfers: 8 to more than 40 frames, steps of 0.6 to 1 pixel, width 2 to 3.2 pixels,
    intermittent along the length (72 % of it deeper than half the median), some dark-bright pairs; depth only
    a few levels, so that the medium and heavy variants are worse than those transfers.
    """

    kind: ClassVar[str] = "scratches"
    alive: float = Field(default=1.5, ge=0)
    stay: float = Field(default=22, ge=1)
    wander: float = Field(default=0.8, ge=0)
    width: float = Field(default=2.4, gt=0)
    contrast: float = Field(default=0.16, gt=0, le=1)
    bright: float = Field(default=0.45, ge=0, le=1)
    paired: float = Field(default=0.2, ge=0, le=1)
    rain: float = Field(default=2.0, ge=0)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The lasting scratches: when, where in each frame, how wide, how deep."""
        g = rng.at("births").generator()
        scale = scale_of(shape.height)
        reach = int(4 * self.stay)
        births = g.poisson(self.alive / self.stay, shape.frames + reach)
        lasting: list[dict[str, Any]] = []
        for frame in np.repeat(np.arange(-reach, shape.frames), births):
            life = max(8, round(g.exponential(self.stay)))
            steps = self.wander * scale * autoregressive(g, life, 0.55, 1.0)
            x = g.uniform(0.02, 0.98) * shape.width + np.cumsum(steps)
            sign = 1.0 if g.random() < self.bright else -1.0
            scratch = {
                "from": int(frame),
                "x": [round(float(v), 3) for v in x],
                "width": float(np.clip(self.width * np.exp(0.3 * g.standard_normal()), 1.0, 8.0) * scale),
                "contrast": float(sign * min(0.9, self.contrast * np.exp(0.45 * g.standard_normal()))),
                "lean": float(0.004 * g.standard_normal()),
                "pair": bool(g.random() < self.paired),
            }
            if int(frame) + life > 0:
                lasting.append(scratch)
        return {"key": rng.key, "scale": scale, "lasting": lasting}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        out, cover = writable(frames), blank_masks(frames)
        rng, scale = Rng(params["key"]), params["scale"]
        for i in range(len(out)):
            for number, scratch in enumerate(params["lasting"]):
                age = start + i - scratch["from"]
                if 0 <= age < len(scratch["x"]):
                    g = rng.at("lasting", number, start + i).generator()
                    self._lasting(out[i], cover[i], scratch, age, scale, g)
            self._rain(out[i], cover[i], scale, rng.at("rain", start + i).generator())
        return Damage(torch.from_numpy(out), covered(masks, "scratch", as_mask(cover)))

    def _lasting(
        self,
        frame: Float,
        cover: Float,
        scratch: dict[str, Any],
        age: int,
        scale: float,
        g: np.random.Generator,
    ) -> None:
        height = cover.shape[0]
        life = len(scratch["x"])
        # It comes and goes over a few frames instead of being switched on.
        fade = min(1.0, (age + 1) / 3, (life - age) / 3)
        strength = fade * broken(height, 45 * scale, g)
        x = scratch["x"][age] + scratch["lean"] * np.arange(height)
        line(frame, cover, 0, x, scratch["width"], scratch["contrast"], strength)
        if scratch["pair"]:
            line(
                frame,
                cover,
                0,
                x + 1.3 * scratch["width"],
                scratch["width"],
                -0.7 * scratch["contrast"],
                strength,
            )

    def _rain(self, frame: Float, cover: Float, scale: float, g: np.random.Generator) -> None:
        height, width = cover.shape
        for _ in range(int(g.poisson(self.rain))):
            length = int(np.clip(np.exp(np.log(50) + 0.5 * g.standard_normal()) * scale, 4, height))
            top = int(g.integers(-length // 2, height))
            sign = 1.0 if g.random() < self.bright else -1.0
            contrast = sign * min(0.8, 0.7 * self.contrast * np.exp(0.4 * g.standard_normal()))
            x = g.uniform(0, width) + 0.01 * g.standard_normal() * np.arange(length)
            taper = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 0.5
            thin = max(1.0, self.width * g.uniform(0.4, 0.8) * scale)
            line(frame, cover, top, x, thin, contrast, taper)


def broken(height: int, grain: float, g: np.random.Generator) -> Float:
    """Strength along a scratch, 0 to 1: mostly whole, with gaps, changing over about ``grain`` rows."""
    noise = g.standard_normal(height + 1).astype(np.float32)[:height]
    smooth = cv2.GaussianBlur(noise[:, None], (1, 0), 1.0, sigmaY=max(1.0, grain / 2.5), borderType=cv2.BORDER_REFLECT)
    whole = smooth[:, 0] / max(float(smooth.std()), 1e-6)
    return np.asarray(np.clip(0.75 + 0.55 * whole, 0, 1), dtype=np.float32)


def line(
    frame: Float, cover: Float, top: int, x: np.ndarray, width: float, contrast: float, strength: np.ndarray
) -> None:
    """A soft line through the columns ``x`` (one per row from ``top``), of this full width at half depth."""
    if not len(x):
        return
    half = int(np.ceil(1.3 * width)) + 1
    left = int(np.floor(x.min())) - half
    columns = np.arange(left, int(np.ceil(x.max())) + half + 1) + 0.5
    sigma = width / 2.355
    profile = np.exp(-((columns[None] - x[:, None]) ** 2) / (2 * sigma**2))
    profile[profile < 0.02] = 0
    patch = (profile * np.asarray(strength)[:, None]).astype(np.float32)
    stamp(frame, cover, top, left, patch, contrast)
