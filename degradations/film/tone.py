"""What happens to tones and to the whole frame: black and white, fading, softness, vignette, flicker."""

from __future__ import annotations

from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import autoregressive
from degradations.rng import Rng

LUMA = (0.299, 0.587, 0.114)


class Monochrome(Degradation):
    """Black-and-white film, or a sepia print of it. Gray clips stay as they are."""

    kind: ClassVar[str] = "monochrome"
    tone: Literal["black-and-white", "sepia"] = "black-and-white"
    amount: float = Field(default=1.0, ge=0, le=1, description="0 keeps the colours, 1 takes them away")

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        if frames.shape[1] == 1:
            return Damage(frames, masks)
        luma = sum(w * frames[:, i : i + 1] for i, w in enumerate(LUMA))
        assert isinstance(luma, Tensor)  # noqa: S101 - a sum of tensors
        if self.tone == "sepia":
            # Toned silver: shadows keep their density, mid-tones turn warm, white stays nearly white.
            warm = luma * (1 - luma)
            toned = torch.cat([luma + 0.20 * warm, luma + 0.02 * warm, luma - 0.24 * warm], dim=1)
        else:
            toned = luma.expand(-1, 3, -1, -1)
        return Damage(torch.lerp(frames, toned, self.amount), masks)


class Fading(Degradation):
    """A faded print: black is lifted, white falls, dyes fade unevenly into a colour cast.

    Settings:
        black, white: mean levels (0 to 1) of what was black and white.
        cast: how far the channels drift apart (standard deviation of their white levels and gammas).
        spread: how much black and white differ from clip to clip (standard deviation).
    """

    kind: ClassVar[str] = "fading"
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
        channels = range(frames.shape[1]) if frames.shape[1] == 3 else [1]
        black, white, gamma = (
            torch.tensor([params[k][c] for c in channels], dtype=torch.float32).view(1, -1, 1, 1)
            for k in ("black", "white", "gamma")
        )
        return Damage(black + (white - black) * frames.clamp(0, 1) ** gamma, masks)


class Softness(Degradation):
    """An old lens and a print of a print: softness, and light that spreads around highlights (halation).

    ``sigma`` in pixels at 480 lines; ``halation`` is the share of highlight light that spreads, over
    ``reach`` pixels at 480 lines.
    """

    kind: ClassVar[str] = "softness"
    sigma: float = Field(default=0.9, ge=0, le=20)
    halation: float = Field(default=0.15, ge=0, le=1)
    reach: float = Field(default=9, gt=0, le=100)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random."""
        return {"scale": shape.height / 480.0}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        scale = params["scale"]
        out = _blurred(frames, self.sigma * scale)
        if self.halation:
            glow = _blurred((frames - 0.7).clamp_min(0), self.reach * scale)
            out = out + self.halation * glow * (1 - out.clamp(0, 1))
        return Damage(out, masks)


def _blurred(frames: Tensor, sigma: float) -> Tensor:
    if sigma < 0.15:
        return frames.clone()
    out = torch.empty_like(frames)
    for frame, target in zip(frames, out, strict=True):
        for plane, result in zip(frame, target, strict=True):
            smooth = cv2.GaussianBlur(plane.contiguous().numpy(), (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
            result.copy_(torch.from_numpy(smooth))
    return out


class Vignette(Degradation):
    """Corners darker by ``strength`` than the centre, about a centre that is off by a little."""

    kind: ClassVar[str] = "vignette"
    strength: float = Field(default=0.25, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Where the centre is, in halves of the frame."""
        x, y = 0.08 * rng.at("centre").generator().standard_normal(2)
        return {"x": float(x), "y": float(y)}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        height, width = frames.shape[-2:]
        y = torch.linspace(-1, 1, height)[:, None] - params["y"]
        x = torch.linspace(-1, 1, width)[None] - params["x"]
        radius = ((x.square() + y.square()) / 2).clamp(0, 1.2)
        return Damage(frames * (1 - self.strength * radius**1.4), masks)


class Flicker(Degradation):
    """Flicker: brightness that wanders from frame to frame, not quite the same over the frame.

    Settings:
        strength: standard deviation of the step of log brightness between neighbouring frames.
        memory: correlation of brightness between neighbouring frames.
        local: the uneven part (top to bottom, side to side, edge to centre) over the common one.

    Measured on real transfers: steps of 0.016 to 0.030, uncorrelated with each other, an uneven part of about
    half to 0.8, largest at top and bottom.
    """

    kind: ClassVar[str] = "flicker"
    strength: float = Field(default=0.025, ge=0, le=1)
    memory: float = Field(default=0.9, ge=0, lt=1)
    local: float = Field(default=0.5, ge=0, le=2)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Log brightness of each frame, and of its uneven parts."""
        g = rng.at("gain").generator()
        std = self.strength / np.sqrt(2 * (1 - self.memory))
        out = {"common": autoregressive(g, shape.frames, self.memory, std)}
        for name, share in (("vertical", 0.7), ("edges", 0.6), ("horizontal", 0.3)):
            out[name] = autoregressive(g, shape.frames, self.memory, std * self.local * share * 1.6)
        return {name: [round(float(v), 6) for v in values] for name, values in out.items()}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        count, _, height, width = frames.shape
        y = torch.linspace(-1, 1, height)[:, None]
        x = torch.linspace(-1, 1, width)[None]

        def of(name: str) -> Tensor:
            return torch.tensor(params[name][start : start + count], dtype=torch.float32).view(-1, 1, 1, 1)

        gain = of("common") + of("vertical") * y + of("edges") * (y.square() - 1 / 3) + of("horizontal") * x
        return Damage(frames * gain.exp(), masks)
