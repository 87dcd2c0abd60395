"""Film grain: coarse, new in every frame, weak in the shadows, slightly heavy-tailed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Float, as_frames, planes_of, scale_of, strips
from degradations.film.tensors import kept_on, planes_on, resized, separable
from degradations.philox import keys_of, raw_words
from degradations.rng import Rng

BYTE_MEAN, BYTE_STD = 127.5, float(np.sqrt((256**2 - 1) / 12))
ROUGH = 0.55
"""Share of the variance of grain that is coarse."""
HEAVY = 0.05
"""How much of its cube is added to the grain, which makes the tails heavier."""
SPREAD = float(np.sqrt(1 + 6 * HEAVY + 15 * HEAVY**2))
"""Of a unit normal n, the variance of n + a n^3 is 1 + 6a + 15a^2."""


class Grain(Degradation):
    """Film grain.

    Settings:
        strength: standard deviation in the mid-tones, on the 0..255 scale.
        size: coarseness; 1 gives the correlation measured on transfers of about 480 lines.
        colour: 0 for the grain of black-and-white film, 1 for independent grain in each channel.

    Measured on real transfers: autocorrelation 0.67 to 0.80 at one pixel, 0.43 to 0.60 at two, 0.21 to 0.45 at
    three; standard deviation 0.4 to 2.4 levels after web compression (a floor for a scan), a quarter of that
    in the shadows; kurtosis 3.7 to 3.9.
    """

    kind: ClassVar[str] = "grain"
    frame_by_frame: ClassVar[bool] = True
    strength: float = Field(default=5.0, ge=0, le=100)
    size: float = Field(default=1.0, gt=0, le=8)
    colour: float = Field(default=0.0, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the clip's grain."""
        return {"key": rng.key, "scale": scale_of(shape.height)}

    def field(self, channels: int, height: int, width: int, scale: float, rng: Rng) -> Float:
        """One frame of grain ``(channels, H, W)`` of unit standard deviation.

        Two fields of different coarseness add up to a correlation with a long tail, as film has it. They are smoothed
        from white noise of bytes, which is nearly normal then; the coarse one at half the size.
        """
        fine, coarse = _kernels(self.size * scale)
        out = np.empty((channels, height, width), np.float32)
        half = _half(height, width)
        for number, plane in enumerate(out):
            bits = rng.at(number).generator().bit_generator
            smooth = _smoothed(_white(bits, (height, width)), fine)
            rough = _smoothed(_white(bits, half), coarse)
            wide = cv2.resize(rough, (2 * half[1], 2 * half[0]), interpolation=cv2.INTER_LINEAR)
            for rows in strips(height, width):
                part, tail = plane[rows], smooth[rows]
                np.add(tail, wide[rows.start + 1 : rows.stop + 1, 1 : width + 1], out=part)
                np.multiply(part, part, out=tail)
                tail *= np.float32(HEAVY / SPREAD)
                tail += np.float32(1 / SPREAD)
                part *= tail
        return out

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        rng = Rng(params["key"])
        planes = planes_of(frames)
        channels = frames.shape[1]
        coloured = channels > 1 and self.colour > 0
        _, _, height, width = planes.shape
        out = np.empty((len(planes), channels if coloured else planes.shape[1], height, width), np.float32)
        for i, (frame, target) in enumerate(zip(planes, out, strict=True), start):
            here = rng.at("frame", i)
            grain = self.field(1, height, width, params["scale"], here.at("common"))
            if coloured:
                own = self.field(channels, height, width, params["scale"], here.at("own"))
                grain = np.float32(np.sqrt(1 - self.colour)) * grain + np.float32(np.sqrt(self.colour)) * own
            for rows in strips(height, width):
                clean, part = frame[:, rows], grain[:, rows]
                level = clean[0]
                if len(clean) == 3:
                    # The mean, written so that three equal channels give exactly themselves.
                    level = level + ((clean[1] - level) + (clean[2] - level)) / np.float32(3)
                part *= cv2.LUT(cv2.convertScaleAbs(level, alpha=255), _responses(self.strength))
                np.add(clean, part, out=target[:, rows])
        return Damage(as_frames(out, frames), masks)

    def on_device(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """What ``apply`` gives, on the device of the frames."""
        planes = planes_on(frames)
        count, channels, height, width = frames.shape
        coloured = channels > 1 and self.colour > 0
        here = [Rng(params["key"]).at("frame", i) for i in range(start, start + count)]
        addresses = [at.at("common", 0) for at in here]
        if coloured:
            addresses += [own.at(number) for own in (at.at("own") for at in here) for number in range(channels)]
        fields = self._fields_on(addresses, height, width, params["scale"], frames.device)
        grain = fields[:count, None]
        if coloured:
            own = fields[count:].view(count, channels, height, width)
            grain = own.mul_(math.sqrt(self.colour)).add_(grain, alpha=math.sqrt(1 - self.colour))
        level = planes[:, :1]
        if planes.shape[1] == 3:
            level = level + ((planes[:, 1:2] - level) + (planes[:, 2:] - level)) / 3
        # Rounded to even, as OpenCV does.
        tone = (level * 255).abs_().round_().clamp_(max=255).to(torch.int32)
        grain = grain * kept_on(frames.device, _responses, self.strength)[tone]
        out = planes + grain
        return Damage(out.expand(-1, channels, -1, -1) if out.shape[1] != channels else out, masks)

    def _fields_on(
        self, addresses: Sequence[Rng], height: int, width: int, scale: float, device: torch.device
    ) -> Tensor:
        """`field`, its planes of these addresses at once on any device, ``(K, H, W)``."""
        fine, coarse = _kernels(self.size * scale)
        rows, columns = _half(height, width)
        # Each field takes whole words, the second one from where the first one ends.
        words = [-(-count // 8) for count in (height * width, rows * columns)]
        white = raw_words(keys_of(addresses), sum(words), device).view(torch.uint8)
        first, second = (part.float().sub_(BYTE_MEAN) for part in white.split([8 * count for count in words], dim=1))
        smooth = separable(first[:, : height * width].view(-1, height, width), fine.tolist())
        rough = separable(second[:, : rows * columns].view(-1, rows, columns), coarse.tolist())
        smooth += resized(rough[:, None], 2 * rows, 2 * columns)[:, 0, 1 : height + 1, 1 : width + 1]
        return smooth.mul_(smooth.square().mul_(HEAVY / SPREAD).add_(1 / SPREAD))


def _half(height: int, width: int) -> tuple[int, int]:
    """Size of the coarse field, which is enlarged by two and a little larger then."""
    return -(-height // 2) + 1, -(-width // 2) + 1


def _kernels(size: float) -> tuple[Float, Float]:
    """Taps that make the fine field of bytes of white noise, and those of the coarse one."""
    fine, coarse = max(0.76 * size, 0.3), max(2.7 * size, 0.6)
    # Linear enlargement by two takes variance away, the less the smoother the field is.
    kept = (0.625 + 0.375 * np.exp(-1 / coarse**2)) ** 2
    return _taps(fine, 1 - ROUGH), _taps(coarse / 2, ROUGH / kept)


def _taps(sigma: float, variance: float) -> Float:
    """Those of a smooth field of this variance.

    The filter's gain on white noise is known: the root of the sum of its squared taps.
    """
    taps = cv2.getGaussianKernel(2 * int(np.ceil(3.5 * sigma)) + 1, sigma)
    gain = np.sqrt(variance) / (BYTE_STD * float((taps**2).sum()))
    return np.asarray(taps * np.sqrt(gain), np.float32)[:, 0]


def _white(bits: np.random.BitGenerator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """White noise of evenly distributed bytes, the same on every machine."""
    count = shape[0] * shape[1]
    words = bits.random_raw(-(-count // 8))
    return np.asarray(words.astype("<u8", copy=False).view(np.uint8)[:count].reshape(shape))


def _smoothed(white: NDArray[np.uint8], taps: Float) -> Float:
    """Bytes of white noise as a smooth field of mean 0."""
    offset = -BYTE_MEAN * float(taps.astype(np.float64).sum()) ** 2
    smooth = cv2.sepFilter2D(white, cv2.CV_32F, taps, taps, delta=offset, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(smooth, dtype=np.float32).reshape(white.shape)


@lru_cache(maxsize=8)
def _responses(strength: float) -> Float:
    """Standard deviation of the grain (white is 1) on each of 256 levels of brightness."""
    return ((strength / 255) * response(np.arange(256) / 255)).astype(np.float32)


def response(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strength of grain over brightness: a tenth in black, full from a third on, half in white.

    Example:
        >>> response(np.array([0.0, 0.5, 1.0])).round(2).tolist()
        [0.1, 1.0, 0.5]
    """
    rise = np.clip((luma - 0.07) / 0.27, 0, 1)
    fall = np.clip((luma - 0.75) / 0.25, 0, 1)
    return np.asarray(0.1 + 0.9 * rise * rise * (3 - 2 * rise) - 0.5 * fall * fall * (3 - 2 * fall))
