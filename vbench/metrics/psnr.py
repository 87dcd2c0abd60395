"""PSNR: peak signal-to-noise ratio of each frame, over all samples of all channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vbench.metrics.spec import Metric, on_255

if TYPE_CHECKING:
    from torch import Tensor


def psnr(restored: Tensor, truth: Tensor, crop_border: int = 0) -> list[float]:
    """PSNR of each frame in dB.

    Args:
        restored: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        truth: the ground truth, of the same shape.
        crop_border: pixels left out at each side.

    Returns:
        ``10 log10(255^2 / MSE)`` per frame, the mean square over all samples of all channels in float64;
        infinity where the frames are equal.

    Source: the definition of BasicSR's ``calculate_psnr`` (crop 0, RGB) and scikit-image's
    ``peak_signal_noise_ratio`` with ``data_range=255``.

    Example:
        >>> import torch
        >>> a = torch.full((1, 3, 4, 4), 100, dtype=torch.uint8)
        >>> round(psnr(a, a + 5)[0], 6)
        34.151404
        >>> psnr(a, a)
        [inf]
    """
    a, b = on_255(restored), on_255(truth)
    if crop_border:
        c = crop_border
        a, b = a[..., c:-c, c:-c], b[..., c:-c, c:-c]
    mse = (a - b).square_().mean(dim=(1, 2, 3))
    return [math.inf if m == 0 else 10.0 * math.log10(255.0**2 / m) for m in mse.tolist()]


METRIC = Metric(
    name="psnr",
    version=1,
    unit="dB",
    direction="higher",
    convention="8-bit RGB (gray for gray clips), peak 255, all samples of a frame, no border crop; "
    "equal frames give infinity",
    source="10 log10(255^2 / MSE); equals BasicSR calculate_psnr (crop 0, RGB)",
    options={"colour": "rgb", "crop_border": 0},
    measure=lambda restored, truth, prepared: psnr(restored, truth),
)
