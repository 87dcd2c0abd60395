"""PSNR: peak signal-to-noise ratio of each frame, under the conventions that the field uses."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from vbench.metrics.planes import PLANES, STORED, cropped, planes, refuse_crop, smallest
from vbench.metrics.spec import Figures, Metric, View, at_least, mean, on_255

if TYPE_CHECKING:
    from torch import Tensor

PEAK = 255.0


def psnr(restored: Tensor, truth: Tensor, crop_border: int = 0, colour: str = "rgb") -> list[float]:
    """PSNR of each frame in dB.

    Args:
        restored: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        truth: the ground truth, of the same shape.
        crop_border: pixels left out at each side.
        colour: "rgb" for all samples of all channels, or a luma of `vbench.metrics.planes`.

    Returns:
        ``10 log10(255^2 / MSE)`` per frame, the mean square over all samples in float64; infinity where the
        frames are equal.

    Raises:
        InputError: the crop leaves nothing, or there is no such colour.

    Source: the definition of BasicSR's ``calculate_psnr`` and scikit-image's ``peak_signal_noise_ratio`` with
    ``data_range=255``.

    Example:
        >>> import torch
        >>> a = torch.full((1, 3, 4, 4), 100, dtype=torch.uint8)
        >>> round(psnr(a, a + 5)[0], 6)
        34.151404
        >>> psnr(a, a)
        [inf]
    """
    return [_decibels(error) for error in mean_squares(restored, truth, crop_border, colour)]


def mean_squares(restored: Tensor, truth: Tensor, crop_border: int = 0, colour: str = "rgb") -> list[float]:
    """Mean squared difference of each frame on the 0..255 scale; arguments as of :func:`psnr`."""
    if colour == "rgb":
        restored, truth = cropped(restored, crop_border), cropped(truth, crop_border)
        samples = restored[0].numel()
        return [_squared_error(a, b) / samples for a, b in zip(restored, truth, strict=True)]
    difference = planes(restored, colour, crop_border) - planes(truth, colour, crop_border)
    out: list[float] = difference.square_().flatten(1).mean(dim=1).tolist()
    return out


def _decibels(mse: float) -> float:
    return math.inf if mse == 0 else 10.0 * math.log10(PEAK**2 / mse)


def _squared_error(a: Tensor, b: Tensor) -> float:
    """Sum of squared differences of one frame on the 0..255 scale, in float64; exact for 8-bit frames."""
    import torch

    if a.device.type == "cpu" and a.dtype == b.dtype == torch.uint8:
        import cv2

        # Integer arithmetic in registers: twelve times as fast as making two frames of doubles first.
        return cv2.norm(a.contiguous().numpy().reshape(1, -1), b.contiguous().numpy().reshape(1, -1), cv2.NORM_L2SQR)
    return float((on_255(a) - on_255(b)).square_().sum())


def basicsr_pt(restored: Tensor, truth: Tensor, crop_border: int = 0, colour: str = "rgb") -> list[float]:
    """PSNR as BasicSR's tensor version has it: ``10 log10(1 / (MSE + 1e-8))`` on [0, 1], so 80 dB at most."""
    return [10.0 * math.log10(1.0 / (e / PEAK**2 + 1e-8)) for e in mean_squares(restored, truth, crop_border, colour)]


def pooled(figures: Figures) -> float:
    """PSNR of the mean square over all frames, from the frames' PSNRs.

    Lower than the mean of the PSNRs, unless all are equal; what FFmpeg calls "average".

    Example:
        >>> round(pooled(Figures([20.0, 40.0])), 3)
        22.967
    """
    return _decibels(mean(Figures([PEAK**2 / 10.0 ** (x / 10.0) for x in figures.values])))


def make(colour: str = "rgb", crop: int = 0, average: str = "frames", form: str = "plain") -> Metric:
    """PSNR under one convention.

    Args:
        colour: "rgb", "y", "luma", "pil-l" or "tecogan".
        crop: pixels left out at each side.
        average: "frames" (mean of the frames' PSNRs) or "pooled" (PSNR of the mean square).
        form: "plain", or "basicsr-pt".

    Raises:
        InputError: "tecogan" with a crop: it has one of its own.
    """
    refuse_crop(colour, crop)
    function = basicsr_pt if form == "basicsr-pt" else psnr
    words = [f"{PLANES[colour][1]}, {STORED}", "peak 255, all samples of a frame"]
    words.append(f"{crop} pixels cropped at each side" if crop else "no border crop")
    if average == "pooled":
        words.append("a clip's figure is the PSNR of its mean square")
    words.append("1e-8 added to the mean square" if form == "basicsr-pt" else "equal frames give infinity")
    sources = {"y": "BasicSR calculate_psnr with test_y_channel", "tecogan": "TecoGAN metrics.py"}
    return Metric(
        name="psnr",
        version=1,
        unit="dB",
        direction="higher",
        convention=", ".join(words[:-1]) + "; " + words[-1],
        source="10 log10(255^2 / MSE); equals "
        + sources.get(colour, "BasicSR calculate_psnr_pt" if form == "basicsr-pt" else "BasicSR calculate_psnr (RGB)"),
        options={"colour": colour, "crop_border": crop}
        | ({"average": "pooled"} if average == "pooled" else {})
        | ({"form": form} if form != "plain" else {}),
        measure=partial(_measure, function, colour, crop),
        check=at_least(smallest(colour, crop), "PSNR"),
        combine=pooled if average == "pooled" else mean,
        values="0 to infinity",
    )


def _measure(function: object, colour: str, crop: int, view: View) -> Figures:
    assert callable(function)  # noqa: S101 - one of the two above
    return Figures(function(view.restored.frames, view.reference().frames, crop, colour))


METRIC = make()
