"""MS-SSIM: SSIM over five scales (Wang, Simoncelli and Bovik 2003).

Two ways to combine the scales go by this name: the product of the paper, which the field's Python packages compute, and a
weighted sum, an option of the authors' later MATLAB code, which is what the calibration table in pyiqa's documentation holds
(on MATLAB's rounded gray; the weights add up to 1.0001 and are divided by that). They differ by up to 0.005.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vbench.metrics.nss import matlab_gray
from vbench.metrics.planes import PLANES, planes
from vbench.metrics.spec import Metric, View, at_least
from vbench.metrics.ssim import C1, C2, gaussian

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST = 11 * 2 ** (len(WEIGHTS) - 1)
"""The window must fit into the coarsest scale: 176 pixels."""


def ms_ssim(restored: Tensor, truth: Tensor, colour: str = "luma", form: str = "product") -> list[float]:
    """MS-SSIM of each frame.

    Args:
        restored: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        truth: the ground truth, of the same shape.
        colour: a luma of `vbench.metrics.planes`, "gray" for MATLAB's, rounded, or "rgb" (mean over the channels).
        form: "product", or "sum".

    Returns:
        Per frame, of five scales: contrast and structure of each, times luminance at the coarsest. "product": each to the
        power of its weight, multiplied; a factor below 0 counts as 0. "sum": their weighted mean.

    Raises:
        InputError: a side is below 176 pixels.

    Source: Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment"
    (Asilomar 2003): between scales a 2 x 2 mean with edges mirrored, then every second sample; windows and
    constants as of SSIM.

    Example:
        >>> import torch
        >>> a = torch.rand(1, 1, 176, 180, generator=torch.Generator().manual_seed(0))
        >>> round(ms_ssim(a, a)[0], 12)
        1.0
    """
    x, y = (_planes(v, colour) for v in (restored, truth))
    return [
        float(np.mean([_of_plane(a, b, form) for a, b in zip(p, q, strict=True)])) for p, q in zip(x, y, strict=True)
    ]


def _planes(frames: Tensor, colour: str) -> NDArray[np.float64]:
    if colour == "gray":
        return matlab_gray(frames)[:, None].astype(np.float64)
    return np.asarray(planes(frames, colour, 0).cpu().numpy())


def _of_plane(x: NDArray[np.float64], y: NDArray[np.float64], form: str) -> float:
    factors = []
    for scale in range(len(WEIGHTS)):
        last = scale == len(WEIGHTS) - 1
        luminance, contrast = _terms(x, y)
        factors.append(float((luminance * contrast).mean()) if last else float(contrast.mean()))
        if not last:
            x, y = _halved(x), _halved(y)
    if form == "sum":
        return float(np.average(factors, weights=WEIGHTS))
    return float(np.prod([max(factor, 0.0) ** weight for factor, weight in zip(factors, WEIGHTS, strict=True)]))


def _terms(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Luminance, and contrast with structure, over the valid area."""
    mu_x, mu_y = gaussian(x), gaussian(y)
    product, squares = mu_x * mu_y, mu_x * mu_x + mu_y * mu_y
    covariance = gaussian(x * y) - product
    variances = gaussian(x * x + y * y) - squares
    return (2 * product + C1) / (squares + C1), (2 * covariance + C2) / (variances + C2)


def _halved(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of 2 x 2, centred up and left as MATLAB's ``imfilter(..., 'symmetric')`` has it, every second sample."""
    p = np.pad(x, ((0, 1), (0, 1)), mode="symmetric")
    return np.asarray((p[:-1, :-1] + p[1:, :-1] + p[:-1, 1:] + p[1:, 1:])[::2, ::2] / 4.0)


_GRAY = "MATLAB's gray, whole levels"


def make(colour: str = "luma", form: str = "product") -> Metric:
    """MS-SSIM on a luma, or the mean over RGB; scales combined as "product" or "sum"."""
    plane = _GRAY if colour == "gray" else PLANES[colour][1]
    combined = "" if form == "product" else "; the scales' weighted mean, not their product"
    return Metric(
        name="ms_ssim",
        version=1,
        unit="",
        direction="higher",
        convention=f"{plane}, five scales with the weights of the paper, Gaussian window 11 x 11 of sigma 1.5, "
        f"valid area; 2 x 2 means between scales{combined}",
        source="Wang, Simoncelli and Bovik, Asilomar 2003"
        + ("" if form == "product" else "; the weighted sum of the authors' MATLAB code"),
        options={"colour": colour} | ({"form": form} if form != "product" else {}),
        measure=partial(_measure, colour, form),
        check=at_least(SMALLEST, "MS-SSIM"),
        values="0 to 1",
    )


def _measure(colour: str, form: str, view: View) -> list[float]:
    return ms_ssim(view.restored.frames, view.reference().frames, colour, form)


METRIC = make()
