"""Film grain: coarse, new in every frame, weak in the shadows, slightly heavy-tailed."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.film.common import Float, scale_of
from degradations.rng import Rng


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
    strength: float = Field(default=5.0, ge=0, le=100)
    size: float = Field(default=1.0, gt=0, le=8)
    colour: float = Field(default=0.0, ge=0, le=1)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the clip's grain."""
        return {"key": rng.key, "scale": scale_of(shape.height)}

    def field(self, channels: int, height: int, width: int, scale: float, g: np.random.Generator) -> Float:
        """One frame of grain ``(channels, H, W)`` of unit standard deviation.

        Two fields of different coarseness add up to a correlation with a long tail, as film has it.
        """
        out = np.zeros((channels, height, width), np.float32)
        size = self.size * scale
        for sigma, share in ((0.7 * size, 0.55), (2.2 * size, 0.45)):
            sigma = max(sigma, 0.3)
            for plane in out:
                white = g.standard_normal((height, width), dtype=np.float32)
                # The filter's gain on white noise is known: the root of the sum of its squared taps.
                taps = cv2.getGaussianKernel(2 * int(np.ceil(4 * sigma)) + 1, sigma)
                smooth = cv2.sepFilter2D(white, cv2.CV_32F, taps, taps, borderType=cv2.BORDER_REFLECT_101)
                plane += (np.sqrt(share) / float((taps**2).sum())) * smooth
        heavy = out + 0.035 * out**3
        # Of a unit normal n, the variance of n + a n^3 is 1 + 6a + 15a^2.
        return np.asarray(heavy / np.sqrt(1 + 6 * 0.035 + 15 * 0.035**2), dtype=np.float32)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class."""
        rng = Rng(params["key"])
        _, channels, height, width = frames.shape
        out = []
        for i, frame in enumerate(frames):
            g = rng.at("frame", start + i).generator()
            common = self.field(1, height, width, params["scale"], g)
            if channels > 1 and self.colour > 0:
                own = self.field(channels, height, width, params["scale"], g)
                common = np.sqrt(1 - self.colour) * common + np.sqrt(self.colour) * own
            luma = frame.mean(dim=0, keepdim=True).clamp(0, 1)
            out.append(
                frame + (self.strength / 255.0) * response(luma) * torch.from_numpy(np.asarray(common, np.float32))
            )
        return Damage(torch.stack(out), masks)


def response(luma: Tensor) -> Tensor:
    """Strength of grain over brightness: a fifth in black, full from a third on, half in white.

    Example:
        >>> [round(float(response(torch.tensor(v))), 2) for v in (0.0, 0.5, 1.0)]
        [0.2, 1.0, 0.5]
    """
    rise = (luma / 0.33).clamp(0, 1)
    fall = ((luma - 0.75) / 0.25).clamp(0, 1)
    return 0.2 + 0.8 * rise * rise * (3 - 2 * rise) - 0.5 * fall * fall * (3 - 2 * fall)
