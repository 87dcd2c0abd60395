"""Scratches: fine vertical lines that last, wander and break off, and rain of short streaks."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import (
    Double,
    Float,
    as_frames,
    autoregressive,
    coverage,
    scale_of,
    scatter,
    stamp,
    with_coverage,
    writable,
)
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
        rain_contrast: their median depth over that of lasting scratches.
        tint: how unlike the depth is in the three channels: scratches of colour film cut dyes away, one after the other.

    Measured on real transfers: 8 to more than 40 frames, steps of 0.6 to 1 pixel, about 10 pixels in all, width 2 to
    3.2 pixels, intermittent along the length (72 % of it deeper than half the median), some dark-bright pairs; 2 to 7
    levels deep. Rain: on one film 0.5 to 0.9 streaks longer than 24 rows in every window of 150 x 24 pixels.
    """

    kind: ClassVar[str] = "scratches"
    frame_by_frame: ClassVar[bool] = True
    alive: float = Field(default=1.5, ge=0)
    stay: float = Field(default=22, ge=1)
    wander: float = Field(default=0.8, ge=0)
    width: float = Field(default=2.4, gt=0)
    contrast: float = Field(default=0.16, gt=0, le=1)
    bright: float = Field(default=0.45, ge=0, le=1)
    paired: float = Field(default=0.2, ge=0, le=1)
    rain: float = Field(default=2.0, ge=0)
    rain_contrast: float = Field(default=0.7, gt=0, le=5)
    tint: float = Field(default=0.0, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The lasting scratches: when, where in each frame, how wide, how deep."""
        g = rng.at("births").generator()
        scale = scale_of(shape.height)
        reach = int(4 * self.stay)
        births = g.poisson(self.alive / self.stay, shape.frames + reach)
        lasting: list[dict[str, Any]] = []
        for frame in np.repeat(np.arange(-reach, shape.frames), births):
            life = max(8, round(g.exponential(self.stay)))
            steps = self.wander * scale * autoregressive(g, life, 0.2, 1.0)
            x = g.uniform(0.02, 0.98) * shape.width + np.cumsum(steps)
            sign = 1.0 if g.random() < self.bright else -1.0
            depth = min(0.9, self.contrast * np.exp(0.45 * g.standard_normal()))
            scratch = {
                "from": int(frame),
                "x": [round(float(v), 3) for v in x],
                "width": float(np.clip(self.width * np.exp(0.3 * g.standard_normal()), 1.0, 8.0) * scale),
                "contrast": _tinted(sign * depth, self.tint, g),
                "lean": float(0.004 * g.standard_normal()),
                "pair": bool(g.random() < self.paired),
            }
            if int(frame) + life > 0:
                lasting.append(scratch)
        return {"key": rng.key, "scale": scale, "lasting": lasting}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Number of scratches in each frame: lasting ones, and streaks of rain."""
        frames, rng = range(shape.frames), Rng(params["key"])
        lasting = [sum(0 <= i - s["from"] < len(s["x"]) for s in params["lasting"]) for i in frames]
        rain = [int(rng.at("rain", i).generator().poisson(self.rain)) for i in frames]
        return {"scratches": lasting, "streaks": rain}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        out, cover = writable(frames), coverage(masks, "scratch", frames)
        rng, scale = Rng(params["key"]), params["scale"]
        for i in range(len(out)):
            for number, scratch in enumerate(params["lasting"]):
                age = start + i - scratch["from"]
                if 0 <= age < len(scratch["x"]):
                    g = rng.at("lasting", number, start + i).generator()
                    _lasting(out[i], cover[i], scratch, age, scale, g)
            self._rain(out[i], cover[i], scale, rng.at("rain", start + i).generator())
        return Damage(as_frames(out, frames), with_coverage(masks, "scratch", cover))

    def _rain(self, frame: Float, cover: Float, scale: float, g: np.random.Generator) -> None:
        height, width = cover.shape
        count = int(g.poisson(self.rain))
        if not count:
            return
        length = np.clip(np.exp(np.log(50) + 0.5 * g.standard_normal(count)) * scale, 4, height)
        top = g.uniform(-length / 2, height)
        sign = np.where(g.random(count) < self.bright, 1, -1)
        depth = np.minimum(0.8, self.rain_contrast * self.contrast * np.exp(0.4 * g.standard_normal(count)))
        x, lean = g.uniform(0, width, count), 0.01 * g.standard_normal(count)
        thin = np.maximum(1.0, self.width * g.uniform(0.4, 0.8, count) * scale)
        # All streaks at once, row by row: which streak a row belongs to, and the how manieth row of it.
        rows = np.ceil(length).astype(np.intp) + 1
        which = np.repeat(np.arange(count), rows)
        down = np.arange(len(which)) - np.repeat(np.cumsum(rows) - rows, rows)
        row = np.floor(top).astype(np.intp)[which] + down
        inside = (row >= 0) & (row < height)
        along = (down + 0.5 - (top % 1)[which]) / length[which]
        strength = np.sqrt(np.maximum(np.sin(np.pi * np.clip(along, 0, 1)), 0)) * beaded(len(which), scale, g)
        which, row, down, strength = which[inside], row[inside], down[inside], strength[inside].astype(np.float32)
        half = int(np.ceil(0.93 * thin.max())) + 1
        middle = x[which] + lean[which] * down
        left = np.floor(middle)
        columns = left[:, None].astype(np.intp) + np.arange(-half, half + 1)
        apart = np.arange(-half, half + 1, dtype=np.float32) + (left + 0.5 - middle).astype(np.float32)[:, None]
        share = bell(apart, thin[which].astype(np.float32)[:, None]) * strength[:, None]
        seen = (share > 0.02) & (columns >= 0) & (columns < width)
        index = (row[:, None] * width + columns)[seen]
        contrast = np.broadcast_to((sign * depth).astype(np.float32)[which][:, None], share.shape)[seen]
        scatter(frame, cover, index, share[seen], share[seen] * contrast)


def _tinted(contrast: float, tint: float, g: np.random.Generator) -> list[float]:
    """Depth in each of three channels, the same in all if ``tint`` is 0."""
    shares = np.clip(1 + tint * g.uniform(-1.5, 1, 3), 0, None) if tint else np.ones(3)
    return [round(float(v), 5) for v in np.clip(contrast * shares, -0.95, 0.95)]


def _lasting(
    frame: Float, cover: Float, scratch: dict[str, Any], age: int, scale: float, g: np.random.Generator
) -> None:
    height = cover.shape[0]
    life = len(scratch["x"])
    # It comes and goes over a few frames instead of being switched on.
    fade = min(1.0, (age + 1) / 3, (life - age) / 3)
    strength = fade * broken(height, 45 * scale, g) * beaded(height, scale, g)
    x = scratch["x"][age] + scratch["lean"] * np.arange(height)
    # Black-and-white film has one plane, and no tint.
    contrast = np.asarray(scratch["contrast"], np.float32)[: len(frame)]
    line(frame, cover, x, scratch["width"], contrast, strength)
    if scratch["pair"]:
        line(frame, cover, x + 1.3 * scratch["width"], scratch["width"], np.float32(-0.7) * contrast, strength)


def broken(height: int, grain: float, g: np.random.Generator) -> Double:
    """Strength along a scratch, 0 to 1: mostly whole, with gaps, changing over about ``grain`` rows."""
    knots = g.standard_normal(int(height / grain * 2) + 4)
    smooth = np.interp(np.arange(height) * 2 / grain + g.random(), np.arange(len(knots)), knots)
    return np.clip(0.75 + 0.65 * smooth, 0, 1)


def beaded(count: int, scale: float, g: np.random.Generator) -> Double:
    """Fine unevenness along a scratch, 0.3 to 1, new every two rows or so: the film jumps under what scratches it."""
    fine = g.random(int(count / (2 * scale)) + 3)
    return np.asarray(0.3 + 0.7 * np.interp(np.arange(count) / (2 * scale), np.arange(len(fine)), np.sqrt(fine)))


def bell(apart: Float, width: Float | float) -> Float:
    """Profile across a scratch of this full width at half depth, 1 in the middle and 0 beyond.

    ``(1 - u^2)^2`` with u of 1 at 0.924 widths, which is half at half the width.
    """
    u = apart / np.asarray(0.9239 * width, np.float32)
    inside = np.maximum(np.float32(1) - u * u, 0)
    return np.asarray(inside * inside, dtype=np.float32)


def line(frame: Float, cover: Float, x: Double, width: float, contrast: Float, strength: Double) -> None:
    """A soft line from top to bottom through the columns ``x``, one per row, of this full width at half depth."""
    half = int(np.ceil(0.95 * width)) + 1
    left = int(np.floor(x.min())) - half
    columns = np.arange(left, int(np.ceil(x.max())) + half + 1) + 0.5
    patch = bell((columns[None] - x[:, None]).astype(np.float32), float(width))
    patch *= strength.astype(np.float32)[:, None]
    patch[patch < 0.02] = 0
    stamp(frame, cover, 0, left, patch, contrast)
