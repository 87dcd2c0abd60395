"""Blur kernels of blind super-resolution: Gaussian, generalised Gaussian, plateau and sinc, and walks of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

Kernel = NDArray[np.float64]

SHAPES = ("iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso", "sinc")
"""Names of the kernels' shapes, as the configurations of RealBasicVSR spell them."""


def bell(shape: str, size: int, sigma_x: float, sigma_y: float, angle: float, beta: float) -> Kernel:
    """A kernel ``(size, size)`` that falls off from its centre and sums to 1.

    Args:
        shape: any of :data:`SHAPES` but ``sinc``. ``iso`` shapes take no notice of ``sigma_y`` and ``angle``.
        sigma_x: standard deviation along the first axis in pixels, before it is turned.
        sigma_y: standard deviation along the second.
        angle: by which the axes are turned, in radians.
        beta: exponent of the generalised shapes; 1 is a Gaussian (of ``plateau``: 1 / (1 + q)).

    With q the squared distance in standard deviations: exp(-q / 2), exp(-q^beta / 2) or 1 / (1 + q^beta).

    Source: facts of ``blur_kernels.py`` of mmagic, which follows Real-ESRGAN (Wang et al., ICCVW 2021).

    Example:
        >>> kernel = bell("iso", 7, 1.0, 0.0, 0.0, 1.0)
        >>> round(float(kernel.sum()), 6), round(float(kernel[3, 4] / kernel[3, 3]), 4)
        (1.0, 0.6065)
    """
    line = np.arange(size) - size // 2
    x, y = np.meshgrid(line, line)
    if shape.endswith("aniso"):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        q = (along / sigma_x) ** 2 + (across / sigma_y) ** 2
    else:
        q = (x**2 + y**2) / sigma_x**2
    if shape.startswith("plateau"):
        kernel = 1 / (1 + q**beta)
    else:
        kernel = np.exp(-(q**beta if shape.startswith("generalized") else q) / 2)
    return np.asarray(kernel / kernel.sum())


def sinc(size: int, omega: float) -> Kernel:
    """The circular low pass of cut-off ``omega`` (radians per pixel, up to pi) as a kernel ``(size, size)``, sum 1.

    It has negative lobes: it rings, as sharpened and overcompressed pictures do.

    Example:
        >>> kernel = sinc(21, np.pi / 3)
        >>> round(float(kernel.sum()), 6), bool(kernel.min() < 0)
        (1.0, True)
    """
    line = np.arange(size) - size // 2
    radius = np.hypot(*np.meshgrid(line, line))
    middle = radius == 0
    safe = np.where(middle, 1.0, radius)
    kernel = np.where(middle, omega**2 / (4 * np.pi), omega * j1(omega * safe) / (2 * np.pi * safe))
    return np.asarray(kernel / kernel.sum())


def walk(
    generator: np.random.Generator,
    bounds: tuple[float, float],
    step: float,
    count: int,
    start: float | None = None,
    whole: bool = False,
) -> list[float]:
    """A bounded random walk of ``count`` numbers, one for each frame.

    It starts evenly within ``bounds`` (or at ``start``); each next number is the last one plus an even draw of up to
    ``step`` either way, cut off at the bounds (not reflected). ``whole`` rounds every number. Numbers have six
    decimals, so that a recipe stays short and says what was done.

    Source: facts of ``random_degradations.py`` of mmagic (RealBasicVSR; Chan et al., CVPR 2022).

    Example:
        >>> walk(np.random.default_rng(0), (2.0, 2.0), 0.5, 3)
        [2.0, 2.0, 2.0]
        >>> bool(max(abs(np.diff(walk(np.random.default_rng(0), (0.0, 9.0), 0.1, 50)))) <= 0.100001)
        True
    """
    low, high = bounds
    value = float(generator.uniform(low, high))
    if start is not None:
        value = start
    out = []
    for move in generator.uniform(-step, step, count):
        value = float(np.rint(value)) if whole else round(value, 6)
        out.append(value)
        value = float(np.clip(value + move, low, high))
    return out
