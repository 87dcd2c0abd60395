"""Noise as it leaves a camera: made on the sensor's mosaic, spread by demosaicking, coloured by white balance."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params
from degradations.light import to_display, to_linear
from degradations.noise import display_slope
from degradations.rng import Rng

Plane = NDArray[np.float32]

LUMA = (0.299, 0.587, 0.114)

_CROSS = np.array(
    [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]],
    np.float32,
)
_ROW = np.array(
    [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]],
    np.float32,
)
_DIAGONAL = np.array(
    [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]],
    np.float32,
)


@lru_cache(maxsize=8)
def _sites(height: int, width: int) -> tuple[NDArray[np.bool_], ...]:
    """Where red, green in red's rows, green in blue's rows and blue are: RGGB, counted from the top left."""
    y, x = np.mgrid[:height, :width] % 2
    return tuple((y == row) & (x == column) for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)))


def mosaic(image: Plane) -> Plane:
    """``(3, H, W)`` RGB as a sensor sees it under its colour filters (RGGB): ``(H, W)``.

    Example:
        >>> mosaic(np.stack([np.full((2, 2), v, np.float32) for v in (1, 2, 3)])).tolist()
        [[1.0, 2.0], [2.0, 3.0]]
    """
    red, green_r, green_b, blue = _sites(*image.shape[1:])
    return np.asarray(np.select([red, green_r | green_b, blue], list(image)), np.float32)


def demosaic(raw: Plane) -> Plane:
    """A mosaic ``(H, W)`` (RGGB) as RGB ``(3, H, W)``, linearly, by Malvar's gradient-corrected 5 x 5 filters.

    Chosen over OpenCV's methods because it works in floating point (those take whole numbers of 8 or 16 bits), is
    linear, so that what it does to noise is known, and is what simple camera pipelines use. Borders are mirrored
    without repeating the edge, which keeps the order of the filters' colours.

    Source: Malvar, He, Cutler, "High-quality linear interpolation for demosaicing of Bayer-patterned color images"
    (ICASSP 2004).

    Example:
        >>> even = demosaic(np.full((6, 8), 0.25, np.float32))
        >>> even.shape, bool(np.allclose(even, 0.25))
        ((3, 6, 8), True)
    """
    red, green_r, green_b, blue = _sites(*raw.shape)

    def filtered(kernel: Plane) -> Plane:
        return np.asarray(cv2.filter2D(raw, cv2.CV_32F, kernel / 8, borderType=cv2.BORDER_REFLECT_101))

    cross, row, column, diagonal = (filtered(k) for k in (_CROSS, _ROW, np.ascontiguousarray(_ROW.T), _DIAGONAL))
    return np.stack(
        [
            # Red's own row has red beside green; in blue's row it is above and below.
            np.select([red, green_r, green_b], [raw, row, column], diagonal),
            np.where(red | blue, cross, raw),
            np.select([blue, green_b, green_r], [raw, row, column], diagonal),
        ]
    ).astype(np.float32)


class RawNoise(Degradation):
    """Shot and reading noise on a Bayer sensor, then white balance, demosaicking and the display's curve.

    Display values are turned into linear light and divided by the gains of white balance, for a sensor sees less red
    and blue than green; one colour is kept at each pixel (RGGB); photons are counted and read out; what is above the
    sensor's white or below black is kept, as in raw files with a black level, until the end; the mosaic is
    multiplied by the gains and demosaicked. So noise is stronger in red and blue, correlated between neighbours and
    channels, and the picture has the softness and false colours of demosaicking.

    Settings:
        photons: mean count in green at white; a red pixel of a white surface counts ``photons / gain_red``.
        read: standard deviation of reading, in photons.
        gain_red, gain_blue: gains of white balance (green 1); about 2 and 1.6 in daylight.

    The sensor's colours are taken for those of sRGB (no colour matrix, which would strengthen the noise further). A
    gray clip is shot by this camera as well, and is the luma (Rec. 601) of what it gives.

    Source: Foi et al. (TIP 2008) for the noise; the order of the steps as in Brooks et al., "Unprocessing images for
    learned raw denoising" (CVPR 2019).
    """

    kind: ClassVar[str] = "raw-noise"
    frame_by_frame: ClassVar[bool] = True
    photons: float = Field(gt=0, le=1e9)
    read: float = Field(ge=0, default=0.0)
    gain_red: float = Field(default=2.0, ge=1, le=8)
    gain_blue: float = Field(default=1.6, ge=1, le=8)

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """The key of the clip's noise."""
        return {"key": rng.key}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Photons at white, reading noise, gains, and the standard deviation at green pixels of mid gray, before
        demosaicking lowers it."""
        middle = float(to_linear(torch.tensor(0.5)))
        light = (middle * self.photons + self.read**2) ** 0.5 / self.photons
        facts = {
            "photons_at_white": self.photons,
            "read_noise_photons": self.read,
            "gain_red": self.gain_red,
            "gain_blue": self.gain_blue,
            "sigma_mid_255": round(light * display_slope(middle) * 255, 4),
        }
        return {name: [value] * shape.frames for name, value in facts.items()}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; masks are passed on."""
        rng = Rng(params["key"])
        out = [self._one(frame, rng.at("frame", start + i).generator()) for i, frame in enumerate(frames)]
        return Damage(torch.stack(out), masks)

    def _one(self, frame: Tensor, generator: np.random.Generator) -> Tensor:
        scene = to_linear(frame.expand(3, -1, -1)).numpy()
        balance = np.array([self.gain_red, 1.0, self.gain_blue], np.float32)
        gains = mosaic(np.broadcast_to(balance[:, None, None], scene.shape))
        expected = mosaic(scene).astype(np.float64) / gains * self.photons
        counted = generator.poisson(expected) + self.read * generator.standard_normal(expected.shape)
        raw = (counted / self.photons * gains).astype(np.float32)
        shown = to_display(torch.from_numpy(demosaic(raw)))
        if len(frame) == 3:
            return shown
        red, green, blue = shown
        return torch.stack([LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue])
