"""Noise: Gaussian, as a camera makes it, speckle, salt and pepper. New in every frame, keyed by its place."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.light import to_display, to_linear
from degradations.rng import Rng


class _PerFrame(Degradation):
    """Noise drawn for each frame from its own address."""

    frame_by_frame: ClassVar[bool] = True

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the clip's noise."""
        return {"key": rng.key}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``frames`` with noise; masks are passed on (noise is everywhere)."""
        rng = Rng(params["key"])
        out = [self.one(f, rng.at("frame", start + i).generator()) for i, f in enumerate(frames)]
        return Damage(torch.stack(out), masks)

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """One frame ``(C, H, W)`` with noise."""
        raise NotImplementedError


def _normal(generator: np.random.Generator, frame: Tensor) -> Tensor:
    drawn: NDArray[np.float32] = generator.standard_normal(tuple(frame.shape), dtype=np.float32)
    return torch.from_numpy(drawn)


class GaussianNoise(_PerFrame):
    """Additive white Gaussian noise, independent per pixel, channel and frame.

    ``sigma`` is the standard deviation on the 0..255 scale. With ``clip`` the result is clipped to [0, 1], as
    a file of 8 bits holds it; without it is not, as the test scripts of DnCNN and FastDVDnet make it. The
    two give other figures and never compare.

    Example:
        >>> step = GaussianNoise(sigma=25)
        >>> params = step.sample(ClipShape(1, 64, 64), Rng.root(0))
        >>> noisy = step.apply(torch.full((1, 3, 64, 64), 0.5), params).frames
        >>> 24 < float(noisy.std()) * 255 < 26
        True
    """

    kind: ClassVar[str] = "gaussian-noise"
    sigma: float = Field(gt=0, le=255)
    clip: bool = False

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """See the class."""
        noisy = frame + (self.sigma / 255.0) * _normal(generator, frame)
        return noisy.clamp(0.0, 1.0) if self.clip else noisy


class CameraNoise(_PerFrame):
    """Poisson-Gaussian noise as a sensor makes it, in linear light: shot noise of photons, noise of reading.

    ``photons`` is the mean count at white (fewer: noisier), ``read`` the standard deviation of reading in
    photons. Dark parts are noisier on the display than bright ones, because its curve is steep there.

    Source: Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting" (TIP 2008).
    """

    kind: ClassVar[str] = "camera-noise"
    photons: float = Field(gt=0, le=1e9)
    read: float = Field(ge=0, default=0.0)

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """See the class."""
        expected = to_linear(frame).double().numpy() * self.photons
        counted = generator.poisson(expected) + self.read * generator.standard_normal(expected.shape)
        return to_display(torch.from_numpy(counted / self.photons)).float()


class Speckle(_PerFrame):
    """Multiplicative Gaussian noise: each sample times 1 + n, n of standard deviation ``strength``."""

    kind: ClassVar[str] = "speckle"
    strength: float = Field(gt=0, le=2)

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """See the class."""
        return frame * (1 + self.strength * _normal(generator, frame))


class SaltPepper(_PerFrame):
    """A share ``amount`` of the pixels turned white or black (half each), in all channels together."""

    kind: ClassVar[str] = "salt-pepper"
    amount: float = Field(gt=0, le=1)

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """See the class."""
        drawn = torch.from_numpy(generator.random(tuple(frame.shape[1:]), dtype=np.float32))
        out = torch.where(drawn < self.amount / 2, torch.zeros_like(frame), frame)
        return torch.where(drawn > 1 - self.amount / 2, torch.ones_like(frame), out)
