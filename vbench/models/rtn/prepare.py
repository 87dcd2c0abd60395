"""How the official test script of RTN prepares a frame: gray, and of a size that the network takes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vbench.errors import InputError
from vbench.models.rtn.net import MULTIPLE

SHORT_SIDE = 368
"""Pixels of the shorter side."""


def luma(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rec. 601 luma of 8-bit RGB ``(…, 3)``, in the whole numbers of Pillow's mode "L".

    Example:
        >>> luma(np.array([[255, 255, 255], [255, 0, 0]], np.uint8)).tolist()
        [255, 76]
    """
    red, green, blue = (frames[..., i].astype(np.uint32) for i in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def luma_of(frames: Tensor) -> Tensor:
    """:func:`luma` of 8-bit RGB ``(N, 3, H, W)``: ``(N, 1, H, W)``, int32.

    Example:
        >>> luma_of(torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)).item()
        76
    """
    red, green, blue = frames.to(torch.int32).split(1, dim=1)
    weighted: Tensor = red * 19595 + green * 38470 + blue * 7471 + 0x8000
    return weighted.bitwise_right_shift(16)


def prepare(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame ``(H, W, 3)``, RGB, as the official script shows it to the network: ``(h, w)``, gray.

    The shorter side becomes 368 pixels and the longer one keeps the proportion, rounded down to a multiple of 16;
    nothing is cropped. The resize is Pillow's, bilinear, with a filter where it shrinks.

    Raises:
        InputError: the frame is no 8-bit RGB image.

    Example:
        >>> prepare(np.zeros((480, 640, 3), np.uint8)).shape
        (368, 480)
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise InputError(f"A frame of {frame.shape}, {frame.dtype}, was given; (height, width, 3), uint8, is expected.")
    height, width = frame.shape[:2]
    short, long = sorted((height, width))
    longer = int(SHORT_SIDE * long / short) // MULTIPLE * MULTIPLE
    size = (longer, SHORT_SIDE) if width >= height else (SHORT_SIDE, longer)
    return np.asarray(Image.fromarray(luma(frame)).resize(size, Image.Resampling.BILINEAR))
