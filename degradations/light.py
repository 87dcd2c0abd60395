"""Display values and linear light: the curve of sRGB, equal to the last bit for any chunk size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_linear(display: Tensor) -> Tensor:
    """sRGB display values to linear light, float32, both in [0, 1]; values outside are clipped.

    Computed in double precision by NumPy: torch's float32 power takes another last bit at the end of a
    tensor than inside, so its result would depend on how a clip is cut into chunks.

    Source: IEC 61966-2-1.

    Example:
        >>> round(float(to_linear(torch.tensor(0.5))), 4)
        0.214
    """
    x = np.clip(display.numpy().astype(np.float64), 0.0, 1.0)
    out = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return torch.from_numpy(out.astype(np.float32))


def to_display(linear: Tensor) -> Tensor:
    """Linear light to sRGB display values, float32, both in [0, 1]; the inverse of :func:`to_linear`.

    Example:
        >>> round(float(to_display(to_linear(torch.tensor(0.3)))), 6)
        0.3
    """
    x = np.clip(linear.numpy().astype(np.float64), 0.0, 1.0)
    out = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return torch.from_numpy(out.astype(np.float32))
