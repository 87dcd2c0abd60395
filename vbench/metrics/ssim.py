"""SSIM of Wang et al. (2004): Gaussian window 11 x 11, valid area only, never downsampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vbench.errors import InputError
from vbench.metrics.spec import Metric, on_255

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * 255.0) ** 2
C2 = (0.03 * 255.0) ** 2


class TruthMoments(NamedTuple):
    """The ground truth's side of SSIM: the frames on 0..255, their local mean and local mean square."""

    frames: Tensor
    mean: Tensor
    mean_square: Tensor


def _kernel() -> Tensor:
    import torch

    x = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    g = torch.exp(-x.square() / (2 * SIGMA**2))
    return g / g.sum()


def _blur(x: Tensor) -> Tensor:
    """Separable Gaussian on the last two axes, valid area only; float64."""
    import torch

    half = WINDOW // 2
    if x.device.type == "cpu":
        # PyTorch has no fast convolution in double precision on the CPU; OpenCV has.
        import cv2
        import numpy as np

        taps = _kernel().numpy()
        planes = x.contiguous().numpy().reshape(-1, *x.shape[-2:])
        out = np.stack([cv2.sepFilter2D(p, cv2.CV_64F, taps, taps)[half:-half, half:-half] for p in planes])
        return torch.from_numpy(out).reshape(*x.shape[:-2], *out.shape[-2:])
    kernel = _kernel().to(x.device)
    flat = x.reshape(-1, 1, *x.shape[-2:])
    flat = torch.nn.functional.conv2d(flat, kernel.view(1, 1, 1, -1))
    flat = torch.nn.functional.conv2d(flat, kernel.view(1, 1, -1, 1))
    return flat.reshape(*x.shape[:-2], *flat.shape[-2:])


def prepare(truth: Tensor) -> TruthMoments:
    """The moments of the ground truth, computed once and used for every model."""
    if min(truth.shape[-2:]) < WINDOW:
        raise InputError(
            f"SSIM needs frames of at least {WINDOW} x {WINDOW} pixels (its window), "
            f"and these are {truth.shape[-1]} x {truth.shape[-2]}."
        )
    frames = on_255(truth)
    return TruthMoments(frames, _blur(frames), _blur(frames.square()))


def ssim(restored: Tensor, truth: Tensor | TruthMoments) -> list[float]:
    """SSIM of each frame, between -1 and 1.

    Args:
        restored: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        truth: the ground truth of the same shape, or what :func:`prepare` made of it.

    Returns:
        Per frame: the mean over the valid area (5 pixels off each side) and over the channels.

    Raises:
        InputError: frames smaller than the window.

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity" (TIP 2004): Gaussian window 11 x 11 of sigma 1.5, K1 = 0.01, K2 = 0.03,
    L = 255, population variances. Equals BasicSR's ``calculate_ssim`` (crop 0, RGB).

    Example:
        >>> import torch
        >>> a = torch.arange(400, dtype=torch.float64).reshape(1, 1, 20, 20) / 400
        >>> round(ssim(a, a)[0], 12)
        1.0
    """
    moments = truth if isinstance(truth, TruthMoments) else prepare(truth)
    # Plane by plane on the CPU: what one plane needs stays in the processor's cache.
    parts = range(len(restored)) if restored.device.type == "cpu" else [slice(None)]
    values: list[float] = []
    for part in parts:
        planes = [
            _similarity(on_255(restored[part, c]), *(m[part, c] for m in moments)) for c in range(restored.shape[1])
        ]
        values += sum(planes).div(len(planes)).reshape(-1).tolist()  # type: ignore[union-attr]  # never empty
    return values


def _similarity(x: Tensor, y: Tensor, mu_y: Tensor, yy: Tensor) -> Tensor:
    """Mean SSIM of planes ``(..., H, W)``, given the ground truth's moments."""
    mu_x = _blur(x)
    mu_xy = mu_x * mu_y
    mu_x2, mu_y2 = mu_x.square(), mu_y.square()
    cov = _blur(x * y).sub_(mu_xy)
    var_sum = _blur(x.square()).add_(yy).sub_(mu_x2).sub_(mu_y2)
    top = (2 * mu_xy).add_(C1).mul_(cov.mul_(2).add_(C2))
    bottom = mu_x2.add_(mu_y2).add_(C1).mul_(var_sum.add_(C2))
    return top.div_(bottom).mean(dim=(-2, -1))


METRIC = Metric(
    name="ssim",
    version=1,
    unit="",
    direction="higher",
    convention="8-bit RGB (gray for gray clips), Gaussian window 11 x 11 of sigma 1.5, valid area, "
    "mean over channels, no downsampling",
    source="Wang et al. 2004; equals BasicSR calculate_ssim (crop 0, RGB)",
    options={"colour": "rgb", "crop_border": 0, "window": "gaussian11"},
    prepare=prepare,
    measure=lambda restored, truth, prepared: ssim(restored, prepared),
)
