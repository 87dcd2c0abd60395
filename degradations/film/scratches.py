"""Scratches: fine vertical lines that last, wander and break off, and rain of short streaks."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
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
    stamp,
    with_coverage,
    writable,
)
from degradations.film.marks import Canvas, between
from degradations.film.rain import FAINTEST, Streaks, beaded, beads_of, bell, rain, rain_on, uneven
from degradations.film.tensors import sent
from degradations.rng import Rng


class Wear(NamedTuple):
    """What is new in each frame of a lasting scratch: knots of its strength along it, where they begin, and beads."""

    knots: Double
    begin: float
    beads: Double


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
            rain(out[i], cover[i], self._streaks(cover[i].shape, scale, rng.at("rain", start + i).generator()), scale)
        return Damage(as_frames(out, frames), with_coverage(masks, "scratch", cover))

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        canvas, rng = Canvas(frames, masks, "scratch"), Rng(params["key"])
        numbers = range(start, start + len(frames))
        _lasting_on(canvas, params, start, len(frames))
        streaks = [self._streaks(canvas.size, params["scale"], rng.at("rain", i).generator()) for i in numbers]
        rain_on(canvas, streaks, params["scale"])
        return canvas.damage()

    def _streaks(self, size: tuple[int, ...], scale: float, g: np.random.Generator) -> Streaks:
        height, width = size
        count = int(g.poisson(self.rain))
        length = np.clip(np.exp(np.log(50) + 0.5 * g.standard_normal(count)) * scale, 4, height)
        top = g.uniform(-length / 2, height)
        sign = np.where(g.random(count) < self.bright, 1, -1)
        depth = np.minimum(0.8, self.rain_contrast * self.contrast * np.exp(0.4 * g.standard_normal(count)))
        x, lean = g.uniform(0, width, count), 0.01 * g.standard_normal(count)
        thin = np.maximum(1.0, self.width * g.uniform(0.4, 0.8, count) * scale)
        total = int(np.ceil(length).sum()) + count
        beads = beads_of(total, scale, g) if count else np.zeros(0)
        return Streaks(top, length, x, lean, thin, (sign * depth).astype(np.float32), beads)


def _tinted(contrast: float, tint: float, g: np.random.Generator) -> list[float]:
    """Depth in each of three channels, the same in all if ``tint`` is 0."""
    shares = np.clip(1 + tint * g.uniform(-1.5, 1, 3), 0, None) if tint else np.ones(3)
    return [round(float(v), 5) for v in np.clip(contrast * shares, -0.95, 0.95)]


def _lasting(
    frame: Float, cover: Float, scratch: dict[str, Any], age: int, scale: float, g: np.random.Generator
) -> None:
    height = cover.shape[0]
    wear = _wear(height, scale, g)
    strength = _fade(scratch, age) * broken(height, 45 * scale, wear) * beaded(np.arange(height), scale, wear.beads)
    x = scratch["x"][age] + scratch["lean"] * np.arange(height)
    # Black-and-white film has one plane, and no tint.
    contrast = np.asarray(scratch["contrast"], np.float32)[: len(frame)]
    line(frame, cover, x, scratch["width"], contrast, strength)
    if scratch["pair"]:
        line(frame, cover, x + 1.3 * scratch["width"], scratch["width"], np.float32(-0.7) * contrast, strength)


def _lasting_on(canvas: Canvas, params: Params, start: int, frames: int) -> None:
    """All lasting scratches of a chunk, one scratch after the other, each in all its frames at once."""
    height, scale, rng = canvas.size[0], params["scale"], Rng(params["key"])
    drawn, alive = [], []
    for number, scratch in enumerate(params["lasting"]):
        ages = range(max(start - scratch["from"], 0), min(start + frames - scratch["from"], len(scratch["x"])))
        if not ages:
            continue
        alive.append((scratch, ages))
        for age in ages:
            wear = _wear(height, scale, rng.at("lasting", number, scratch["from"] + age).generator())
            drawn.append(np.concatenate([wear.knots, wear.beads, [wear.begin, _fade(scratch, age), scratch["x"][age]]]))
    if not drawn:
        return
    known = sent(torch.from_numpy(np.stack(drawn)), canvas.device)
    begin, fade, x = known[:, -3:, None].unbind(1)
    row = torch.arange(height, device=canvas.device, dtype=torch.float64)[None]
    gaps = _gaps(between(known, row * 2 / (45 * scale) + begin))
    strength = (fade * gaps * uneven(between(known, (row / (2 * scale)).expand_as(gaps), len(wear.knots)))).float()
    done = 0
    for scratch, ages in alive:
        here = slice(done, done + len(ages))
        done += len(ages)
        first, contrast = scratch["from"] + ages[0] - start, scratch["contrast"]
        middle, leaning = x[here] + scratch["lean"] * row, scratch["lean"] * (height - 1)
        xs = scratch["x"][ages.start : ages.stop]
        ends = min(xs) + min(leaning, 0), max(xs) + max(leaning, 0)
        _line_on(canvas, first, middle, ends, scratch["width"], contrast, strength[here])
        if scratch["pair"]:
            aside = 1.3 * scratch["width"]
            moved, opposite = (ends[0] + aside, ends[1] + aside), [-0.7 * c for c in contrast]
            _line_on(canvas, first, middle + aside, moved, scratch["width"], opposite, strength[here])


def _wear(height: int, scale: float, g: np.random.Generator) -> Wear:
    knots = g.standard_normal(int(height / (45 * scale) * 2) + 4)
    begin = g.random()
    return Wear(knots, begin, beads_of(height, scale, g))


def _fade(scratch: dict[str, Any], age: int) -> float:
    """It comes and goes over a few frames instead of being switched on."""
    return min(1.0, (age + 1) / 3, (len(scratch["x"]) - age) / 3)


def broken(height: int, grain: float, wear: Wear) -> Double:
    """Strength along a scratch, 0 to 1: mostly whole, with gaps, changing over about ``grain`` rows."""
    at = np.arange(height) * 2 / grain + wear.begin
    return np.asarray(_gaps(np.interp(at, np.arange(len(wear.knots)), wear.knots)))


def _gaps(smooth: Any) -> Any:
    return (0.75 + 0.65 * smooth).clip(0, 1)


def line(frame: Float, cover: Float, x: Double, width: float, contrast: Float, strength: Double) -> None:
    """A soft line from top to bottom through the columns ``x``, one per row, of this full width at half depth."""
    half = int(np.ceil(0.95 * width)) + 1
    left = int(np.floor(x.min())) - half
    columns = np.arange(left, int(np.ceil(x.max())) + half + 1) + 0.5
    patch = bell((columns[None] - x[:, None]).astype(np.float32), float(width))
    patch *= strength.astype(np.float32)[:, None]
    patch[patch < FAINTEST] = 0
    stamp(frame, cover, 0, left, patch, contrast)


def _line_on(
    canvas: Canvas,
    first: int,
    x: Tensor,
    ends: tuple[float, float],
    width: float,
    contrast: list[float],
    strength: Tensor,
) -> None:
    """:func:`line` in frames from ``first`` on, through the columns ``x`` ``(frames, H)``, all of them between ``ends``."""
    half = int(np.ceil(0.95 * width)) + 1
    left, right = max(int(np.floor(ends[0])) - half, 0), min(int(np.ceil(ends[1])) + half + 1, canvas.size[1])
    if left >= right:
        return
    columns = torch.arange(left, right, device=canvas.device) + 0.5
    patch = bell((columns - x[..., None]).float(), width) * strength[..., None]
    canvas.stamp(first, len(x), 0, left, patch * (patch >= FAINTEST), contrast)
