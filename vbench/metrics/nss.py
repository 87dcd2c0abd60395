"""Natural scene statistics: what NIQE and BRISQUE share. Double precision throughout; 8-bit gray in.

Source: the official MATLAB releases of LIVE (UT Austin): Mittal, Soundararajan and Bovik, "Making a Completely Blind
Image Quality Analyzer" (SPL 2013); Mittal, Moorthy and Bovik, "No-Reference Image Quality Assessment in the Spatial
Domain" (TIP 2012).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from vbench.metrics.spec import on_255

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]

FLAT = 1e-9
"""A pixel that differs from its local mean by less lies on it. In a flat window the difference is rounding noise, whose
sign depends on the order of additions, and it would decide the score; made 0 it does not."""
GRAY = (0.29893602129377539, 0.58704307445112125, 0.11402090425510325)
"""MATLAB's rgb2gray: the first row of the inverse of the YIQ matrix."""


def matlab_gray(frames: Tensor) -> NDArray[np.uint8]:
    """``(T, C, H, W)`` frames as ``(T, H, W)`` gray by MATLAB's weights, rounded to whole levels."""
    x = on_255(frames).cpu().numpy()
    plane = x[:, 0] if x.shape[1] == 1 else x[:, 0] * GRAY[0] + x[:, 1] * GRAY[1] + x[:, 2] * GRAY[2]
    return np.asarray(np.floor(plane + 0.5).astype(np.uint8))


@cache
def _window() -> Array:
    x = np.arange(-3, 4)
    g = np.exp(-(x**2) / (2 * (7 / 6) ** 2))
    return np.asarray(g / g.sum())


def mscn(image: NDArray[Any], border: Literal["repeat", "zero"]) -> Array:
    """Mean-subtracted, contrast-normalised coefficients of a plane ``(H, W)`` on 0..255.

    Args:
        border: what lies outside: the border pixel (NIQE), or 0 (BRISQUE).
    """
    import cv2

    outside = cv2.BORDER_REPLICATE if border == "repeat" else cv2.BORDER_CONSTANT
    kind = cv2.CV_16U if image.dtype == np.uint8 else cv2.CV_64F
    taps = _window()
    mean = cv2.sepFilter2D(image, cv2.CV_64F, taps, taps, borderType=outside)
    square = cv2.sepFilter2D(cv2.multiply(image, image, dtype=kind), cv2.CV_64F, taps, taps, borderType=outside)
    deviation: Array = np.asarray(cv2.subtract(square, cv2.multiply(mean, mean)), dtype=np.float64)
    np.abs(deviation, out=deviation)
    np.sqrt(deviation, out=deviation)
    deviation += 1.0
    rest: Array = np.asarray(cv2.subtract(image, mean, dtype=cv2.CV_64F), dtype=np.float64)
    rest[np.abs(rest) < FLAT] = 0.0
    rest /= deviation
    return rest


@cache
def _half_taps() -> Array:
    """MATLAB's bicubic (a = -0.5), stretched by two against aliasing: eight taps from -3.5 to 3.5."""
    x = np.abs(np.arange(-3.5, 4.0)) / 2
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    taps = np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
    return np.asarray(taps / taps.sum())


def half(image: NDArray[Any]) -> Array:
    """A plane at half size, as MATLAB's ``imresize(image, 0.5)``: ``ceil(n / 2)`` samples a side, neither rounded nor
    clamped, borders mirrored with the edge pixel doubled."""
    import cv2

    taps = _half_taps()
    full = cv2.sepFilter2D(image, cv2.CV_64F, taps, taps, anchor=(3, 3), borderType=cv2.BORDER_REFLECT)
    return np.ascontiguousarray(full[::2, ::2])


def half_by_pillow(image: NDArray[Any]) -> Array:
    """A plane at half size as Pillow's bicubic makes it of float32: cut at the border, ``n // 2`` samples."""
    from PIL import Image

    height, width = image.shape
    small = Image.fromarray(image.astype(np.float32)).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    return np.asarray(small, dtype=np.float64)


# --- distributions --------------------------------------------------------------------------------


class Grid(NamedTuple):
    """Shapes that are tried, and what follows from each."""

    alpha: Array
    rho: Array
    """``Gamma(2/a)^2 / (Gamma(1/a) Gamma(3/a))``, rising."""
    scale: Array
    """``sqrt(Gamma(1/a) / Gamma(3/a))``."""
    spread: Array
    """``Gamma(2/a) / Gamma(1/a)``."""


@cache
def grid() -> Grid:
    """Shapes from 0.2 to 10 in steps of 0.001."""
    from scipy.special import gammaln

    alpha: Array = np.asarray(0.2 + 0.001 * np.arange(9801), dtype=np.float64)
    one, two, three = (gammaln(k / alpha) for k in (1, 2, 3))
    return Grid(alpha, np.exp(2 * two - one - three), np.exp((one - three) / 2), np.exp(two - one))


def nearest_shape(values: Array, table: Array) -> NDArray[np.intp]:
    """Index of the entry of a rising table that is nearest to each value: of two as near the first; 0 for NaN."""
    right = np.clip(np.searchsorted(table, values), 1, len(table) - 1)
    left = right - 1
    chosen = np.where(np.square(table[left] - values) <= np.square(table[right] - values), left, right)
    return np.where(np.isnan(values), 0, chosen)


class Moments(NamedTuple):
    """Sums over samples, one entry per block."""

    negative: Array
    """Root mean square of the samples below 0."""
    positive: Array
    square: Array
    """Mean square of all."""
    absolute: Array
    """Mean absolute value of all."""


def moments(blocks: Array, zeros_above: bool = False) -> Moments:
    """Of blocks ``(N, S)`` of samples; NaN where no sample has the sign.

    Args:
        zeros_above: samples that are exactly 0 count with those above 0, and a sign that no sample has gives 0
            (scikit-video); else they count with neither.
    """
    count = blocks.shape[1]
    below = np.minimum(blocks, 0.0)
    negative = np.einsum("ns,ns->n", below, below)
    square = np.einsum("ns,ns->n", blocks, blocks)
    total = blocks.sum(axis=1)
    # The sum of the absolute values, from sums that are needed anyway.
    absolute = total - 2.0 * below.sum(axis=1)
    fewer = np.array([np.count_nonzero(b) for b in below])
    above = (count if zeros_above else np.array([np.count_nonzero(b) for b in blocks])) - fewer
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = np.sqrt(negative / fewer), np.sqrt(np.maximum(square - negative, 0.0) / above)
    if zeros_above:
        left, right = np.where(fewer > 0, left, 0.0), np.where(above > 0, right, 0.0)
    return Moments(left, right, square / count, absolute / count)


def asymmetric(found: Moments) -> NDArray[np.intp]:
    """Index of the shape of an asymmetric generalised Gaussian, by the moments; 0 where they are not defined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        g = found.negative / found.positive
        ratio = found.absolute**2 / found.square
        r = ratio * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    return nearest_shape(r, grid().rho)
