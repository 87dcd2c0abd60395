"""Noise: Gaussian, as a camera makes it, speckle, salt and pepper. New in every frame, keyed by its place.

Facts of each frame: ``sigma_255`` is a standard deviation on the 0..255 scale that holds for every pixel;
``sigma_mid_255`` that of a pixel of half the range, where it depends on the signal.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.light import to_display, to_linear
from degradations.normal import even_on, fill_normal, normal_on
from degradations.rng import Rng

Float = NDArray[np.float32]


class _PerFrame(Degradation):
    """Noise drawn for each frame from its own address."""

    frame_by_frame: ClassVar[bool] = True

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the clip's noise."""
        return {"key": rng.key}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``frames`` with noise; masks are passed on (noise is everywhere)."""
        rng = Rng(params["key"])

        def one(i: int) -> Tensor:
            return self.one(frames[i], rng.at("frame", start + i).generator())

        threads = min(torch.get_num_threads(), len(frames))
        if threads < 2:
            return Damage(torch.stack([one(i) for i in range(len(frames))]), masks)
        with ThreadPoolExecutor(threads) as pool:  # NumPy lets go of the interpreter while it draws
            return Damage(torch.stack(list(pool.map(one, range(len(frames))))), masks)

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """One frame ``(C, H, W)`` with noise."""
        raise NotImplementedError


class _Drawn(_PerFrame):
    """Noise that is made of numbers which do not depend on the frame: a GPU can make those of many frames at once."""

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """See the class."""
        drawn = np.empty(self.drawn_shape(frame), np.float32)
        self.draw(generator, drawn)
        return self.noisy(frame, torch.from_numpy(drawn))

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """``apply``, where the frames are: the same bits."""
        rng = Rng(params["key"])
        addresses = [rng.at("frame", start + i) for i in range(len(frames))]
        drawn = self.drawn_on(frames.device, addresses, self.drawn_shape(frames[0]))
        return Damage(self.noisy(frames, drawn), masks)

    def drawn_shape(self, frame: Tensor) -> tuple[int, ...]:
        """How many numbers a frame ``(C, H, W)`` takes: one for each sample, unless the step says otherwise."""
        return tuple(frame.shape)

    def draw(self, generator: np.random.Generator, out: Float) -> None:
        """Fill ``out`` with the numbers of one frame: normal ones, unless the step says otherwise."""
        fill_normal(generator.bit_generator, out)

    def drawn_on(self, device: torch.device, addresses: Sequence[Rng], shape: tuple[int, ...]) -> Tensor:
        """The numbers that `draw` gives for the generators of these addresses, ``(len(addresses), *shape)``."""
        return normal_on(device, addresses, shape)

    def noisy(self, frames: Tensor, drawn: Tensor) -> Tensor:
        """Frames ``(..., C, H, W)`` with noise, from the numbers, both on one device."""
        raise NotImplementedError


class GaussianNoise(_Drawn):
    """Additive white Gaussian noise, independent per pixel, channel and frame.

    ``sigma`` is the standard deviation on the 0..255 scale. With ``clip`` the result is clipped to [0, 1], as
    a file of 8 bits holds it; without it is not, as the test scripts of DnCNN, FastDVDnet and VNLnet make it. The
    two give other figures and never compare. The numbers are made to be the same bits on every machine, CPU and GPU
    (see `degradations.normal`). Those of DnCNN, FastDVDnet and RFR draw from torch without a seed, so
    that their very noise cannot be made again; VNLnet's can (see :class:`VnlnetNoise`).

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

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Standard deviation before any clipping."""
        return {"sigma_255": [self.sigma] * shape.frames}

    def noisy(self, frames: Tensor, drawn: Tensor) -> Tensor:
        """See the class."""
        noisy = frames + (self.sigma / 255.0) * drawn
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

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Photons at white, reading noise in photons, and the standard deviation in mid gray."""
        middle = float(to_linear(torch.tensor(0.5)))
        light = math.sqrt(middle * self.photons + self.read**2) / self.photons
        return {
            "photons_at_white": [self.photons] * shape.frames,
            "read_noise_photons": [self.read] * shape.frames,
            "sigma_mid_255": [round(light * display_slope(middle) * 255, 4)] * shape.frames,
        }

    def one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        """See the class."""
        expected = to_linear(frame).double().numpy() * self.photons
        counted = generator.poisson(expected) + self.read * generator.standard_normal(expected.shape)
        return to_display(torch.from_numpy(counted / self.photons)).float()


def display_slope(linear: float) -> float:
    """Slope of the curve from linear light to display values (sRGB) at this light above 0.0031308.

    Example:
        >>> light = float(to_linear(torch.tensor([0.5])))
        >>> rise = to_display(torch.tensor([light - 1e-3, light + 1e-3])).diff() / 2e-3
        >>> abs(float(rise) - display_slope(light)) < 1e-3
        True
    """
    return float(1.055 / 2.4 * linear ** (1 / 2.4 - 1))


class Speckle(_Drawn):
    """Multiplicative Gaussian noise: each sample times 1 + n, n of standard deviation ``strength``."""

    kind: ClassVar[str] = "speckle"
    strength: float = Field(gt=0, le=2)

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Standard deviation of the factor, and of the noise in mid gray."""
        return {
            "strength": [self.strength] * shape.frames,
            "sigma_mid_255": [127.5 * self.strength] * shape.frames,
        }

    def noisy(self, frames: Tensor, drawn: Tensor) -> Tensor:
        """See the class."""
        return frames * (1 + self.strength * drawn)


class SaltPepper(_Drawn):
    """A share ``amount`` of the pixels turned white or black (half each), in all channels together."""

    kind: ClassVar[str] = "salt-pepper"
    amount: float = Field(gt=0, le=1)

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Expected share of the pixels that are hit."""
        return {"hit_share": [self.amount] * shape.frames}

    def drawn_shape(self, frame: Tensor) -> tuple[int, ...]:
        """One for each pixel."""
        return (1, *frame.shape[1:])

    def draw(self, generator: np.random.Generator, out: Float) -> None:
        """Evenly distributed numbers."""
        generator.random(dtype=np.float32, out=out)

    def drawn_on(self, device: torch.device, addresses: Sequence[Rng], shape: tuple[int, ...]) -> Tensor:
        """Likewise."""
        return even_on(device, addresses, shape)

    def noisy(self, frames: Tensor, drawn: Tensor) -> Tensor:
        """See the class."""
        out = torch.where(drawn < self.amount / 2, torch.zeros_like(frames), frames)
        return torch.where(drawn > 1 - self.amount / 2, torch.ones_like(out), out)


class VnlnetNoise(Degradation):
    """Additive white Gaussian noise, the very numbers of VNLnet's test script: the same for every clip of a size.

    That script seeds NumPy's legacy generator with 2018 and draws ``(T, H, W, C)`` normal numbers at once, in double
    precision. They come in that order, so drawing them frame by frame gives the same; what the generator was in
    before each frame is kept, and memory grows by 2.5 KB a frame instead of a frame. ``sigma`` is on the 0..255
    scale. The noise is not clipped. ``seed`` of the data set and name of the clip have no influence.

    Source: facts of the test script of VNLnet (Davy et al., "A Non-Local CNN for Video Denoising", ICIP 2019).

    Example:
        >>> step = VnlnetNoise(sigma=25)
        >>> whole = step.apply(torch.zeros(3, 1, 5, 7), {"generator_seed": 2018}).frames
        >>> last = step.apply(torch.zeros(1, 1, 5, 7), {"generator_seed": 2018}, start=2).frames
        >>> bool((whole[2:] == last).all())
        True
    """

    kind: ClassVar[str] = "vnlnet-noise"
    frame_by_frame: ClassVar[bool] = True
    sigma: float = Field(gt=0, le=255)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """Nothing is random: the seed of that script."""
        return {"generator_seed": 2018}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Standard deviation."""
        return {"sigma_255": [self.sigma] * shape.frames}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; masks are passed on."""
        return self.on_device(frames, params, start=start, masks=masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """The same, wherever the frames are."""
        count, channels, height, width = frames.shape
        sequence = _sequence(params["generator_seed"], height * width * channels)
        out = torch.empty_like(frames, memory_format=torch.contiguous_format)
        for i in range(count):
            drawn = torch.from_numpy(sequence.numbers(start + i).reshape(height, width, channels))
            noise = drawn.to(frames.device).permute(2, 0, 1)
            out[i] = (frames[i].double() + self.sigma / 255 * noise).float()
        return Damage(out, masks)


class _Sequence:
    """The normal numbers of NumPy's legacy generator, in pieces of ``size``, any piece at any time."""

    def __init__(self, seed: int, size: int) -> None:
        self.size = size
        self._generator = np.random.RandomState(seed)
        self._before = [self._generator.get_state(legacy=False)]
        self._lock = threading.Lock()

    def numbers(self, piece: int) -> NDArray[np.float64]:
        """Piece number ``piece``, float64."""
        with self._lock:
            reached = min(piece, len(self._before) - 1)
            self._generator.set_state(self._before[reached])
            while True:
                out = self._generator.standard_normal(self.size)
                if reached + 1 == len(self._before):
                    self._before.append(self._generator.get_state(legacy=False))
                if reached == piece:
                    return out
                reached += 1


@lru_cache(maxsize=4)
def _sequence(seed: int, size: int) -> _Sequence:
    return _Sequence(seed, size)
