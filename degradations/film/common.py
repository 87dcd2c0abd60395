"""What the film defects share: scale, smooth random walks, stamping small marks onto frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

REFERENCE_LINES = 480.0
SMALLEST_SCALE = 0.55
"""Below about 260 lines marks do not shrink any further: they would vanish between the pixels."""

Float = NDArray[np.float32]


def scale_of(height: int) -> float:
    """Factor from sizes at 480 lines to this height.

    Example:
        >>> scale_of(960), scale_of(120)
        (2.0, 0.55)
    """
    return max(height / REFERENCE_LINES, SMALLEST_SCALE)


def autoregressive(generator: np.random.Generator, count: int, memory: float, std: float) -> NDArray[np.float64]:
    """A stationary first-order process: correlation ``memory`` between neighbours, standard deviation ``std``."""
    noise = generator.standard_normal(count)
    out = np.empty(count)
    value = noise[0] if count else 0.0
    spread = np.sqrt(1 - memory**2)
    for i in range(count):
        if i:
            value = memory * value + spread * noise[i]
        out[i] = value * std
    return out


def stamp(frame: Float, mask: Float, top: int, left: int, cover: Float, contrast: float) -> None:
    """Lay one mark onto a frame, in place, and its coverage onto the mask.

    ``frame`` is ``(C, H, W)``, ``mask`` ``(H, W)``; ``cover`` ``(h, w)`` in [0, 1] begins at (top, left), which
    may lie outside. ``contrast`` below 0 darkens (towards black), above 0 brightens (towards white).
    """
    height, width = mask.shape
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + cover.shape[0], height), min(left + cover.shape[1], width)
    if y0 >= y1 or x0 >= x1:
        return
    part = cover[y0 - top : y1 - top, x0 - left : x1 - left]
    area = frame[:, y0:y1, x0:x1]
    area += (contrast * part) * (area if contrast < 0 else 1.0 - area)
    np.maximum(mask[y0:y1, x0:x1], part, out=mask[y0:y1, x0:x1])


def writable(frames: Tensor) -> Float:
    """A copy of the frames to draw into, ``(T, C, H, W)``."""
    return np.array(frames.numpy(), dtype=np.float32, copy=True, order="C")


def blank_masks(frames: Tensor) -> Float:
    """Empty coverage, ``(T, H, W)``."""
    return np.zeros((frames.shape[0], frames.shape[2], frames.shape[3]), np.float32)


def as_mask(masks: Float) -> Tensor:
    """``(T, H, W)`` as the ``(T, 1, H, W)`` tensor of a :class:`~degradations.base.Damage`."""
    return torch.from_numpy(masks)[:, None]
