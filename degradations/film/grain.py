"""Film grain: coarse, new in every frame, weak in the shadows, slightly heavy-tailed."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Float, as_frames, planes_of, scale_of, strips
from degradations.rng import Rng

BYTE_MEAN, BYTE_STD = 127.5, float(np.sqrt((256**2 - 1) / 12))
ROUGH = 0.55
"""Share of the variance of grain that is coarse."""
HEAVY = 0.05
"""How much of its cube is added to the grain, which makes the tails heavier."""


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
        size = self.size * scale
        fine, coarse = max(0.76 * size, 0.3), max(2.7 * size, 0.6)
        # Linear enlargement by two takes variance away, the less the smoother the field is.
        kept = (0.625 + 0.375 * np.exp(-1 / coarse**2)) ** 2
        out = np.empty((channels, height, width), np.float32)
        half = (-(-height // 2) + 1, -(-width // 2) + 1)
        spread = np.sqrt(1 + 6 * HEAVY + 15 * HEAVY**2)
        for number, plane in enumerate(out):
            bits = rng.at(number).generator().bit_generator
            smooth = _smoothed(_white(bits, (height, width)), fine, 1 - ROUGH)
            rough = _smoothed(_white(bits, half), coarse / 2, ROUGH / kept)
            wide = cv2.resize(rough, (2 * half[1], 2 * half[0]), interpolation=cv2.INTER_LINEAR)
            for rows in strips(height, width):
                part, tail = plane[rows], smooth[rows]
                np.add(tail, wide[rows.start + 1 : rows.stop + 1, 1 : width + 1], out=part)
                # Of a unit normal n, the variance of n + a n^3 is 1 + 6a + 15a^2.
                np.multiply(part, part, out=tail)
                tail *= np.float32(HEAVY / spread)
                tail += np.float32(1 / spread)
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


def _white(bits: np.random.BitGenerator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """White noise of evenly distributed bytes, the same on every machine."""
    count = shape[0] * shape[1]
    words = bits.random_raw(-(-count // 8))
    return np.asarray(words.astype("<u8", copy=False).view(np.uint8)[:count].reshape(shape))


def _smoothed(white: NDArray[np.uint8], sigma: float, variance: float) -> Float:
    """Bytes of white noise as a smooth field of mean 0 and this variance.

    The filter's gain on white noise is known: the root of the sum of its squared taps.
    """
    taps = cv2.getGaussianKernel(2 * int(np.ceil(3.5 * sigma)) + 1, sigma)
    gain = np.sqrt(variance) / (BYTE_STD * float((taps**2).sum()))
    scaled = (taps * np.sqrt(gain)).astype(np.float32)
    offset = -BYTE_MEAN * float(scaled.astype(np.float64).sum()) ** 2
    smooth = cv2.sepFilter2D(white, cv2.CV_32F, scaled, scaled, delta=offset, borderType=cv2.BORDER_REFLECT_101)
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
