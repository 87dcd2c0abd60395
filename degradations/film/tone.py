"""What happens to tones: black and white, fading, the contrast of a copy of a copy."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, one_plane
from degradations.film.common import Double, Float, as_frames, planes_of
from degradations.film.tensors import kept_on, planes_on, seen_as
from degradations.rng import Rng

LUMA = (0.299, 0.587, 0.114)
LEVELS = 65536


def curved(planes: Float, curves: list[Double]) -> Float:
    """Planes ``(T, P, H, W)`` through curves, given at 65,536 even steps of 0..1: one for each plane, or one for all.

    A table is faster than a power and gives the same bits wherever a pixel stands in memory.
    """
    tables = [curve.astype(np.float32) for curve in curves]
    out = np.empty(planes.shape, np.float32)
    for frame, target in zip(planes, out, strict=True):
        for number, plane in enumerate(frame):
            # OpenCV rounds, and keeps what is outside of 0..1 at its ends.
            level = cv2.multiply(np.ascontiguousarray(plane), LEVELS - 1, dtype=cv2.CV_16U)  # type: ignore[call-overload]
            np.take(tables[min(number, len(tables) - 1)], level, out=target[number], mode="clip")
    return out


def curved_on(planes: Tensor, tables: Tensor) -> Tensor:
    """`curved` on any device, by float32 tables ``(P, 65536)`` there, or ``(1, 65536)`` for all planes."""
    # OpenCV rounds the exact product, to even: of a level in a thousand the neighbour is taken here.
    level = (planes * (LEVELS - 1)).round_().clamp_(0, LEVELS - 1).to(torch.int32)
    if len(tables) > 1:
        level += torch.arange(0, tables.numel(), LEVELS, dtype=torch.int32, device=level.device)[:, None, None]
    return tables.view(-1)[level]


class Monochrome(Degradation):
    """Black-and-white film, or a sepia print of it. Gray clips stay as they are."""

    kind: ClassVar[str] = "monochrome"
    frame_by_frame: ClassVar[bool] = True
    tone: Literal["black-and-white", "sepia"] = "black-and-white"
    amount: float = Field(default=1.0, ge=0, le=1, description="0 keeps the colours, 1 takes them away")

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        if frames.shape[1] == 1 or self.amount == 0:
            return Damage(frames, masks)
        red, green, blue = frames.split(1, dim=1)
        # Weights of Rec. 601; written so that three equal channels give exactly themselves.
        luma = red if one_plane(frames) else green + LUMA[0] * (red - green) + LUMA[2] * (blue - green)
        if self.tone == "sepia":
            # Toned silver: shadows keep their density, mid-tones turn warm, white stays nearly white.
            warm = luma * (1 - luma)
            toned = torch.cat([luma + 0.20 * warm, luma + 0.02 * warm, luma - 0.24 * warm], dim=1)
        else:
            toned = luma.expand(-1, 3, -1, -1)
        return Damage(toned if self.amount == 1 else torch.lerp(frames, toned, self.amount), masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``apply``, which is at home on any device."""
        return self.apply(frames, params, start=start, masks=masks)


class Fading(Degradation):
    """A faded print: black is lifted, white falls, dyes fade unevenly into a colour cast.

    Settings:
        black, white: mean levels (0 to 1) of what was black and white.
        cast: how far the channels drift apart (standard deviation of their white levels and gammas).
        spread: how much black and white differ from clip to clip (standard deviation).
    """

    kind: ClassVar[str] = "fading"
    frame_by_frame: ClassVar[bool] = True
    black: float = Field(default=0.06, ge=0, le=0.5)
    white: float = Field(default=0.88, ge=0.5, le=1)
    cast: float = Field(default=0.0, ge=0, le=0.3)
    spread: float = Field(default=0.015, ge=0, le=0.2)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Black, white and gamma of each channel."""
        g = rng.at("fading").generator()
        common = self.spread * g.standard_normal(2)
        apart = self.cast * g.standard_normal((3, 2))
        black = np.clip(self.black + common[0] + 0.3 * apart[:, 0], 0, 0.5)
        white = np.clip(self.white + common[1] + apart[:, 1], 0.5, 1)
        gamma = np.exp(1.5 * self.cast * g.standard_normal(3) + 0.03 * g.standard_normal())
        return {"black": black.tolist(), "white": white.tolist(), "gamma": gamma.tolist()}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        curves, cast = _faded(*_ends(params, frames.shape[1]))
        planes = frames.numpy() if cast else planes_of(frames)  # black and white takes on a cast
        return Damage(as_frames(curved(planes, list(curves)), frames), masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames."""
        ends = _ends(params, frames.shape[1])
        _, cast = _faded(*ends)
        planes = frames if cast else planes_on(frames)
        tables = kept_on(frames.device, _faded_tables, *ends)
        return Damage(seen_as(curved_on(planes, tables[: planes.shape[1]]), frames), masks)


Ends = tuple[float, ...]
"""A number for each channel."""


def _ends(params: Params, channels: int) -> tuple[Ends, Ends, Ends]:
    """Black, white and gamma of the channels that there are; gray film has those of green."""
    chosen = [0, 1, 2] if channels == 3 else [1]
    black, white, gamma = (tuple(params[name][c] for c in chosen) for name in ("black", "white", "gamma"))
    return black, white, gamma


@lru_cache(maxsize=4)
def _faded(black: Ends, white: Ends, gamma: Ends) -> tuple[tuple[Double, ...], bool]:
    """The curve of each channel, and whether they differ."""
    x = np.arange(LEVELS) / (LEVELS - 1)
    curves = tuple(b + (w - b) * x**g for b, w, g in zip(black, white, gamma, strict=True))
    return curves, any(not np.array_equal(curve, curves[0]) for curve in curves)


def _faded_tables(black: Ends, white: Ends, gamma: Ends) -> Float:
    return np.stack(_faded(black, white, gamma)[0]).astype(np.float32)


class Dupe(Degradation):
    """The contrast of a copy of a copy: shadows run together, highlights run out, the middle gets steeper.

    Settings:
        slope: how much steeper the middle tones are than on the original, above 1.
        crush: level (0 to 1) below which nothing is left but black, softly.
        clip: level above which nothing is left but the brightest tone of the print, softly.
        black, white: the darkest and the brightest tone of the print.
        spread: how much crush, clip, black and white differ from clip to clip (standard deviation).

    Measured on real transfers: nothing reaches white; in one the highlights end at 141 of 255, with a twentieth of the
    picture between 136 and 141.
    """

    kind: ClassVar[str] = "dupe"
    frame_by_frame: ClassVar[bool] = True
    slope: float = Field(default=1.25, ge=1, le=4)
    crush: float = Field(default=0.03, ge=0, le=0.4)
    clip: float = Field(default=0.95, ge=0.5, le=1)
    black: float = Field(default=0.02, ge=0, le=0.3)
    white: float = Field(default=0.9, ge=0.4, le=1)
    spread: float = Field(default=0.01, ge=0, le=0.1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The ends of the curve in this clip."""
        crush, clip, black, white = self.spread * rng.at("curve").generator().standard_normal(4)
        drawn = {
            "crush": float(np.clip(self.crush + crush, 0, 0.4)),
            "clip": float(np.clip(self.clip + clip, 0.5, 1)),
            "black": float(np.clip(self.black + black, 0, 0.3)),
            "white": float(np.clip(self.white + white, 0.4, 1)),
        }
        return {name: round(value, 5) for name, value in drawn.items()}

    def curve(self, params: Params) -> Double:
        """The level on the copy of 65,536 even levels, rising all the way."""
        return _copied(*self._look(params))

    def _look(self, params: Params) -> tuple[float, ...]:
        return self.slope, params["crush"], params["clip"], params["black"], params["white"]

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        return Damage(as_frames(curved(planes_of(frames), [self.curve(params)]), frames), masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames."""
        table = kept_on(frames.device, _copied_table, *self._look(params))
        return Damage(seen_as(curved_on(planes_on(frames), table), frames), masks)


@lru_cache(maxsize=4)
def _copied(slope: float, crush: float, clip: float, black: float, white: float) -> Double:
    kept = _knee(np.arange(LEVELS) / (LEVELS - 1), crush, clip)
    kept = (kept - kept[0]) / (kept[-1] - kept[0])
    return black + (white - black) * _steeper(kept, slope)


def _copied_table(slope: float, crush: float, clip: float, black: float, white: float) -> Float:
    return _copied(slope, crush, clip, black, white).astype(np.float32)[None]


def _knee(x: Double, low: float, high: float, width: float = 0.025) -> Double:
    """``x`` kept softly between two levels: the integral of a step up at ``low`` and one down at ``high``."""
    return np.asarray(width * (np.logaddexp(0, (x - low) / width) - np.logaddexp(0, (x - high) / width)))


def _steeper(x: Double, slope: float) -> Double:
    """0..1 to 0..1 along an S with this slope at 1/2: between the straight line and a sigmoid that is steeper."""
    if slope == 1:
        return x
    steep = 4.0 * slope  # a sigmoid of steepness k has the slope k/4, and a little more when stretched to 0..1
    low, high = 1 / (1 + np.exp(steep / 2)), 1 / (1 + np.exp(-steep / 2))
    sigmoid = (1 / (1 + np.exp(-steep * (x - 0.5))) - low) / (high - low)
    share = (slope - 1) / (steep / 4 / (high - low) - 1)
    return np.asarray((1 - share) * x + share * sigmoid)
