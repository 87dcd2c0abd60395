"""SSIM under the conventions that the field uses; the usual one is Wang et al. (2004), Gaussian window 11 x 11."""

from __future__ import annotations

import math
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vbench.errors import InputError
from vbench.metrics.planes import PLANES, STORED, cropped, planes, refuse_crop, smallest
from vbench.metrics.spec import Metric, View, at_least

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

SIGMA = 1.5
C1 = (0.01 * 255.0) ** 2
C2 = (0.03 * 255.0) ** 2
ROWS = 48
"""So many rows are combined at a time: what they need stays in the processor's cache."""

WINDOWS = {"gaussian11": 11, "uniform7": 7, "uniform21": 21}
"""Windows by name, with their side. The uniform ones take sample variances, as scikit-image does."""
_SHOWN = {
    "gaussian11": "Gaussian window 11 x 11 of sigma 1.5, population variances",
    "uniform7": "uniform window 7 x 7, sample variances (scikit-image's default)",
    "uniform21": "uniform window 21 x 21, sample variances (RTN's measure scripts)",
    "ffmpeg": "windows 8 x 8 in steps of 4, integer sums (FFmpeg's filter)",
}


class TruthMoments(NamedTuple):
    """The ground truth's side of SSIM: its planes on 0..255, their local mean and local mean square.

    On the CPU the moments are as large as the planes, with a border that does not count; else of the valid area.
    """

    planes: Tensor
    mean: Tensor
    mean_square: Tensor
    window: str


@cache
def _taps(window: str) -> NDArray[np.float64]:
    side = WINDOWS[window]
    if window != "gaussian11":
        return np.full(side, 1.0 / side)
    x = np.arange(side) - side // 2
    g = np.exp(-(x**2) / (2 * SIGMA**2))
    return np.asarray(g / g.sum())


def _blur(x: Tensor, window: str) -> Tensor:
    """The window's mean on the last two axes, valid area only; float64, in tensors."""
    import torch

    kernel = torch.from_numpy(_taps(window)).to(x.device)
    flat = x.reshape(-1, 1, *x.shape[-2:])
    flat = torch.nn.functional.conv2d(flat, kernel.view(1, 1, 1, -1))
    flat = torch.nn.functional.conv2d(flat, kernel.view(1, 1, -1, 1))
    return flat.reshape(*x.shape[:-2], *flat.shape[-2:])


def _filter(plane: Any, window: str, factor: float = 1.0, delta: float = 0.0, into: Any = None) -> Any:
    """The same on the CPU, same size, with a factor and an offset. PyTorch has no fast convolution in double
    precision on the CPU; OpenCV has."""
    import cv2

    taps = _taps(window)
    return cv2.sepFilter2D(plane, cv2.CV_64F, taps, taps * factor, dst=into, delta=delta)


def gaussian(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Local means of a plane ``(H, W)`` by the Gaussian window, valid area only."""
    half = WINDOWS["gaussian11"] // 2
    return np.asarray(_filter(plane, "gaussian11")[half:-half, half:-half])


@lru_cache(maxsize=8)
def _scratch(height: int, width: int, which: int) -> NDArray[np.float64]:
    """Memory for a filtered plane, kept: to get it anew from the system costs a fifth of the whole."""
    return np.empty((height, width))


def prepare(truth: Tensor, colour: str = "rgb", crop: int = 0, window: str = "gaussian11") -> TruthMoments:
    """The moments of the ground truth, computed once and used for every model.

    Raises:
        InputError: frames smaller than the window.
    """
    x = _planes(truth, colour, crop)
    _check_size(x, window)
    if x.device.type != "cpu":
        return TruthMoments(x, _blur(x, window), _blur(x.square(), window), window)
    import torch

    flat = x.contiguous().numpy().reshape(-1, *x.shape[-2:])
    both = np.empty((2, *flat.shape))
    for plane, local_mean, local_square in zip(flat, *both, strict=True):
        _filter(plane, window, into=local_mean)
        _filter(_product(plane, plane), window, into=local_square)
    moments = torch.from_numpy(both).reshape(2, *x.shape)
    return TruthMoments(x, moments[0], moments[1], window)


def _sum_of_squares(a: Any, b: Any) -> Any:
    import cv2

    exact = cv2.CV_32F if a.dtype == np.uint8 else cv2.CV_64F  # up to 130050: float32 holds it exactly
    return cv2.add(_product(a, a), _product(b, b), dtype=exact)


def _planes(frames: Tensor, colour: str, crop: int) -> Tensor:
    """The planes to measure on; 8-bit ones as they are, where the CPU's filters take them so."""
    import torch

    if colour == "rgb" and frames.dtype == torch.uint8 and frames.device.type == "cpu":
        return cropped(frames, crop)
    return planes(frames, colour, crop)


def _product(a: Any, b: Any) -> Any:
    """a * b, exactly: of 8-bit planes as 16-bit integers."""
    import cv2

    return cv2.multiply(a, b, dtype=cv2.CV_16U if a.dtype == np.uint8 else cv2.CV_64F)


def ssim(
    restored: Tensor,
    truth: Tensor | TruthMoments,
    colour: str = "rgb",
    crop: int = 0,
    window: str = "gaussian11",
    data_range: float = 255.0,
) -> list[float]:
    """SSIM of each frame, between -1 and 1.

    Args:
        restored: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        truth: the ground truth of the same shape, or what :func:`prepare` made of it with the same options.
        colour: "rgb" (mean over the channels), or a luma of `vbench.metrics.planes`.
        crop: pixels left out at each side.
        window: "gaussian11", "uniform7" or "uniform21".
        data_range: L of the definition, on the 0..255 scale.

    Returns:
        Per frame: the mean over the valid area (half a window off each side) and over the channels.

    Raises:
        InputError: frames smaller than the window.

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity" (TIP 2004): Gaussian window 11 x 11 of sigma 1.5, K1 = 0.01, K2 = 0.03,
    L = 255, population variances. Equals BasicSR's ``calculate_ssim``. Never downsampled.

    Example:
        >>> import torch
        >>> a = torch.arange(400, dtype=torch.float64).reshape(1, 1, 20, 20) / 400
        >>> round(ssim(a, a)[0], 12)
        1.0
    """
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    x = _planes(restored, colour, crop)
    if x.device.type != "cpu":
        moments = truth if isinstance(truth, TruthMoments) else prepare(truth, colour, crop, window)
        out: list[float] = _similarity(x, moments, c1, c2).mean(dim=1).tolist()
        return out
    sides: tuple[Tensor, ...]
    if isinstance(truth, TruthMoments):
        window, sides = truth.window, truth[:3]
    else:
        sides = (_planes(truth, colour, crop),)
        _check_size(x, window)
    if sides[0].dtype != x.dtype:  # one of the two has more than 8 bits, and is on 0..255 in doubles already
        x, sides = x.double(), (sides[0].double(), *sides[1:])
    frames = [
        [
            _plane_similarity(x[t, c].numpy(), [m[t, c].numpy() for m in sides], window, c1, c2)
            for c in range(x.shape[1])
        ]
        for t in range(len(x))
    ]
    return [math.fsum(channels) / len(channels) for channels in frames]


def ssim_of_planes(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """SSIM (Gaussian window, L = 255) of two planes ``(H, W)`` on 0..255."""
    return _plane_similarity(x, [y], "gaussian11", C1, C2)


def _check_size(x: Tensor, window: str) -> None:
    side = WINDOWS[window]
    if min(x.shape[-2:]) < side:
        raise InputError(
            f"SSIM needs frames of at least {side} x {side} pixels (its window), "
            f"and these are {x.shape[-1]} x {x.shape[-2]}."
        )


def _unbiased(window: str) -> float:
    """What turns a population variance into the window's variance."""
    n = WINDOWS[window] ** 2
    return 1.0 if window == "gaussian11" else n / (n - 1)


def _similarity(x: Tensor, truth: TruthMoments, c1: float, c2: float) -> Tensor:
    """Mean SSIM of planes ``(..., H, W)``, in tensors."""
    y, mu_y, yy, window = truth
    mu_x = _blur(x, window)
    factor = _unbiased(window)
    product = mu_x * mu_y
    squares = mu_x.square() + mu_y.square()
    covariance = (_blur(x * y, window) - product) * factor
    variances = (_blur(x.square(), window) + yy - squares) * factor
    similar = (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    return similar.mean(dim=(-2, -1))


def _plane_similarity(x: Any, truth: list[Any], window: str, c1: float, c2: float) -> float:
    """The same of one plane, a few rows at a time and in place: three filters, then what memory allows.

    Args:
        truth: the ground truth's plane, and its moments where they are known. Where they are not, one filter
            of x^2 + y^2 stands for two.
    """
    half = WINDOWS[window] // 2
    factor = _unbiased(window)
    y = truth[0]
    height, width = x.shape

    def filtered(plane: Any, which: int, factor: float = 1.0, delta: float = 0.0) -> Any:
        return _filter(plane, window, factor, delta, _scratch(height, width, which))

    mu_x = filtered(x, 0)
    # The filters' own factor and offset save passes: 2 f E[xy] + C2, and f E[x^2] + C2.
    xy = filtered(_product(x, y), 1, 2.0 * factor, c2)
    if len(truth) > 1:
        mu_y, yy = truth[1:]
        xx = filtered(_product(x, x), 2, factor, c2)
    else:
        mu_y, yy = filtered(y, 3), None
        xx = filtered(_sum_of_squares(x, y), 2, factor, c2)
    # Whole rows, which lie in one piece: the columns of the border are computed too, and not summed.
    product, squares, scaled, other = np.empty((4, ROWS, width))
    total = 0.0
    for begin in range(half, height - half, ROWS):
        rows = slice(begin, min(begin + ROWS, height - half))
        n = rows.stop - begin
        p, s, a, b = product[:n], squares[:n], scaled[:n], other[:n]
        np.multiply(mu_x[rows], mu_y[rows], out=p)
        p *= 2.0
        np.multiply(mu_x[rows], mu_x[rows], out=s)
        np.multiply(mu_y[rows], mu_y[rows], out=a)
        s += a
        if factor == 1.0:
            np.subtract(xx[rows], s, out=b)
            np.subtract(xy[rows], p, out=a)
        else:
            np.multiply(s, -factor, out=b)
            b += xx[rows]
            np.multiply(p, -factor, out=a)
            a += xy[rows]
        if yy is not None:
            b += yy[rows] if factor == 1.0 else yy[rows] * factor
        p += c1
        s += c1
        a *= p
        b *= s
        a /= b
        total += float(a[:, half:-half].sum())
    count: int = (height - 2 * half) * (width - 2 * half)
    return total / count


def ssim_ffmpeg(x: Tensor, y: Tensor) -> list[float]:
    """SSIM as FFmpeg's filter ``ssim`` has it, of planes ``(T, C, H, W)`` of whole numbers on 0..255.

    Sums over cells of 4 x 4 (cells that do not fit are dropped), windows of 2 x 2 cells in steps of one, constants for
    sums over 64 samples; mean over windows, then over channels.
    """
    rows, cols = (side // 4 * 4 for side in x.shape[-2:])

    def windows(values: Tensor) -> Tensor:
        cells = values[..., :rows, :cols].unflatten(-2, (-1, 4)).unflatten(-1, (-1, 4)).sum(dim=(-3, -1))
        out: Tensor = cells[..., :-1, :-1] + cells[..., 1:, :-1] + cells[..., :-1, 1:] + cells[..., 1:, 1:]
        return out

    a, b, squares, product = windows(x), windows(y), windows(x * x + y * y), windows(x * y)
    variances = squares * 64 - a * a - b * b
    covariance = product * 64 - a * b
    similar = (2 * a * b + 416) * (2 * covariance + 235963) / ((a * a + b * b + 416) * (variances + 235963))
    out: list[float] = similar.mean(dim=(-2, -1)).mean(dim=1).tolist()
    return out


def make(colour: str = "rgb", crop: int = 0, window: str = "") -> Metric:
    """SSIM under one convention.

    Args:
        colour: "rgb", "y", "luma", "pil-l" or "tecogan".
        crop: pixels left out at each side.
        window: "gaussian11", "uniform7", "uniform21" or "ffmpeg"; by default that of the colour's source, "uniform7" for
            "tecogan" and "gaussian11" for all others.

    Raises:
        InputError: "tecogan" with a crop or another window: it has its own.
    """
    refuse_crop(colour, crop)
    own = "uniform7" if colour == "tecogan" else "gaussian11"
    window = window or own
    if colour == "tecogan" and window != own:
        raise InputError(
            f'TecoGAN\'s SSIM has the window "{own}", and "{window}" is another. Leave one of the two out.'
        )
    side = 8 if window == "ffmpeg" else WINDOWS[window]
    crop_words = f", {crop} pixels cropped at each side" if crop else ""
    mean_words = ", mean over channels" if colour == "rgb" else ""
    return Metric(
        name="ssim",
        version=2,  # 1 was on a wrong scale where one of the two clips has more than 8 bits
        unit="",
        direction="higher",
        convention=f"{PLANES[colour][1]}, {STORED}{crop_words}, {_SHOWN[window]}, valid area{mean_words}, no downsampling"
        + ("; L is the range of the result's own luma" if colour == "tecogan" else ""),
        source="Wang et al., TIP 2004; equals BasicSR calculate_ssim"
        if window == "gaussian11"
        else "FFmpeg's filter ssim"
        if window == "ffmpeg"
        else "scikit-image structural_similarity",
        options={"colour": colour, "crop_border": crop, "window": window},
        measure=partial(_measure, colour, crop, window),
        check=at_least(smallest(colour, crop, side), "SSIM"),
        values="-1 to 1",
    )


def _measure(colour: str, crop: int, window: str, view: View) -> list[float]:
    truth = view.reference()
    if window == "ffmpeg":
        return ssim_ffmpeg(*(planes(c.frames, colour, crop) for c in (view.restored, truth)))
    moments = truth.once(("ssim", colour, crop, window), lambda: prepare(truth.frames, colour, crop, window))
    restored = view.restored.frames
    if colour != "tecogan":
        return ssim(restored, moments, colour, crop, window)
    # L changes from frame to frame: the range of the result's luma.
    spans = planes(restored, colour, crop).flatten(1)
    out = []
    for t, span in enumerate((spans.amax(1) - spans.amin(1)).tolist()):
        one = slice(t, t + 1)
        own = TruthMoments(moments.planes[one], moments.mean[one], moments.mean_square[one], window)
        out += ssim(restored[t : t + 1], own, colour, crop, window, span)
    return out


METRIC = make()
