"""Kernels of blur, and the convolution of frames with them."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Kernel = NDArray[np.float32]

LARGEST_TOLD = 33
"""Kernels of up to this many pixels along a side are told in the facts; larger ones follow from their parameters."""

_FINE = 32
"""Sub-pixels along each side of a pixel where the share that a shape covers is counted."""


def convolve(frames: Tensor, kernel: Kernel) -> Tensor:
    """Each channel of ``(T, C, H, W)`` convolved with a kernel of odd sides, mirrored at the border."""
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])  # filter2D correlates
    out = torch.empty_like(frames)
    for frame, target in zip(frames, out, strict=True):
        for plane, result in zip(frame, target, strict=True):
            filtered = cv2.filter2D(plane.contiguous().numpy(), cv2.CV_32F, flipped, borderType=cv2.BORDER_REFLECT_101)
            result.copy_(torch.from_numpy(filtered))
    return out


def disc(radius: float) -> Kernel:
    """The blur of a lens out of focus: an even disc of this radius in pixels, its edge anti-aliased.

    Example:
        >>> k = disc(2.0)
        >>> k.shape, round(float(k.sum()), 6)
        ((5, 5), 1.0)
    """
    half = int(np.ceil(radius))
    steps = _fine_steps(half)
    return _shares(steps[:, None] ** 2 + steps[None] ** 2 <= radius**2, half)


def polygon(radius: float, blades: int, rotation: float = 0.0) -> Kernel:
    """The blur of a lens out of focus whose diaphragm has ``blades``: an even regular polygon, its edge anti-aliased.

    ``radius`` is that of the circle through its corners, in pixels; at ``rotation`` 0 (degrees) one corner points to
    the right, and the polygon turns from x to y (clockwise as pictures are seen) with it.

    Raises:
        ValueError: fewer than 3 blades.

    Example:
        >>> hexagon = polygon(4.0, 6)
        >>> hexagon.shape, round(float(hexagon.sum()), 6), bool((hexagon > 0).sum() < (disc(4.0) > 0).sum())
        ((9, 9), 1.0, True)
    """
    if blades < 3:
        raise ValueError(f"A diaphragm of {blades} blades has no opening; it needs 3 or more.")
    half = int(np.ceil(radius))
    steps = _fine_steps(half)
    y, x = steps[:, None], steps[None]
    inside = np.ones((len(steps), len(steps)), bool)
    apothem = radius * math.cos(math.pi / blades)
    for side in range(blades):
        normal = math.radians(rotation) + (2 * side + 1) * math.pi / blades
        inside &= x * math.cos(normal) + y * math.sin(normal) <= apothem
    return _shares(inside, half)


def _fine_steps(half: int) -> NDArray[np.float64]:
    return np.asarray((np.arange((2 * half + 1) * _FINE) + 0.5) / _FINE - half - 0.5)


def _shares(inside: NDArray[np.bool_], half: int) -> Kernel:
    """The share of each pixel that lies inside, of sum 1."""
    side = 2 * half + 1
    kernel = inside.astype(np.float64).reshape(side, _FINE, side, _FINE).sum(axis=(1, 3))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def anisotropic(sigma_x: float, sigma_y: float, angle: float = 0.0) -> Kernel:
    """A Gaussian of two standard deviations in pixels, its axes turned by ``angle`` degrees from x towards y.

    Taken at the centres of pixels and cut at four times the larger sigma, so a sigma well below half a pixel leaves
    the picture as it is along its axis.

    Example:
        >>> k = anisotropic(2.0, 0.5)
        >>> k.shape, bool(k[8, 10] > k[10, 8])
        ((17, 17), True)
    """
    half = max(1, int(np.ceil(4 * max(sigma_x, sigma_y))))
    steps = np.arange(-half, half + 1, dtype=np.float64)
    turn = math.radians(angle)
    along = steps[None] * math.cos(turn) + steps[:, None] * math.sin(turn)
    across = steps[:, None] * math.cos(turn) - steps[None] * math.sin(turn)
    kernel = np.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def path_kernel(points: NDArray[np.float64]) -> Kernel:
    """Blur of a camera that moved along ``points`` (N, 2; x and y in pixels about 0), equal time at each."""
    half = int(np.ceil(np.abs(points).max())) + 1
    side = 2 * half + 1
    kernel = np.zeros((side, side))
    x, y = points[:, 0] + half, points[:, 1] + half
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    for dx, dy, weight in (
        (0, 0, (1 - fx) * (1 - fy)),
        (1, 0, fx * (1 - fy)),
        (0, 1, (1 - fx) * fy),
        (1, 1, fx * fy),
    ):
        np.add.at(kernel, (y0 + dy, x0 + dx), weight)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def told(kernel: Kernel) -> list[list[float]] | None:
    """A kernel as nested lists for the facts, rows from the top; None where it is too large to be told.

    Example:
        >>> told(disc(0.6))
        [[0.0, 0.039655, 0.0], [0.039655, 0.841379, 0.039655], [0.0, 0.039655, 0.0]]
    """
    if max(kernel.shape) > LARGEST_TOLD:
        return None
    rows: list[list[float]] = [[round(float(value), 6) for value in row] for row in kernel]
    return rows


def constant_facts(frames: int, kernel: Kernel, **values: Any) -> dict[str, list[Any]]:
    """Facts of a kernel that is the same in every frame."""
    told_once = told(kernel)
    facts = {name: [value] * frames for name, value in values.items()}
    return facts if told_once is None else {**facts, "kernel": [told_once] * frames}
