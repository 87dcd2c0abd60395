"""Clips as 8-bit luma, regions of a frame, robust figures: what all measurements begin with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Float = NDArray[np.float32]


class Region(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of a frame, half-open, counted from 0."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing a frame ``(H, W)``."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def inset(self, rows: int, columns: int) -> Region:
        """The region without so many rows at top and bottom and columns at both sides."""
        return Region(self.top + rows, self.bottom - rows, self.left + columns, self.right - columns)

    def __str__(self) -> str:
        return f"{self.top}:{self.bottom},{self.left}:{self.right}"


def parse_region(text: str) -> Region:
    """``"8:472,16:624"`` as rows 8 to 472 and columns 16 to 624, half-open.

    Raises:
        ValueError: not of that form.

    Example:
        >>> parse_region("8:472,16:624")
        Region(top=8, bottom=472, left=16, right=624)
    """
    match = re.fullmatch(r"\s*(\d{1,6}):(\d{1,6})\s*,\s*(\d{1,6}):(\d{1,6})\s*", text)
    if match is None:
        raise ValueError(
            f'"{text}" is no region. A region is TOP:BOTTOM,LEFT:RIGHT in pixels counted from 0, the second of '
            "each pair excluded, such as 8:472,16:624."
        )
    return Region(*(int(part) for part in match.groups()))


SMALLEST = 48
"""Fewest rows and columns of a region: below it neither registration nor the low-passes mean anything."""


def region_of(given: tuple[int, int, int, int] | None, shape: tuple[int, int], what: str = "region") -> Region:
    """The region given, checked; or else the frame without a margin of about a fortieth of its height.

    Raises:
        ValueError: it lies outside the frame, or is smaller than 48 x 48.
    """
    height, width = shape
    margin = max(4, round(min(height, width) / 40))
    found = Region(margin, height - margin, margin, width - margin) if given is None else Region(*given)
    if not (0 <= found.top < found.bottom <= height and 0 <= found.left < found.right <= width):
        raise ValueError(
            f"The {what} {found} does not lie in frames of {height} rows and {width} columns; give "
            f"TOP:BOTTOM,LEFT:RIGHT inside 0:{height},0:{width}."
        )
    if min(found.shape) < SMALLEST:
        raise ValueError(
            f"The {what} {found} has {found.shape[0]} x {found.shape[1]} pixels; old film is measured on at least "
            f"{SMALLEST} x {SMALLEST}. Give a larger region, or a larger clip."
        )
    return found


def luma_of(frames: Any) -> Luma:
    """A clip as 8-bit luma ``(T, H, W)``: Rec. 601 with the integer weights of Pillow's mode "L".

    Args:
        frames: NumPy ``(T, H, W)`` or ``(T, H, W, C)`` (C of 1 or 3, RGB), or torch ``(T, C, H, W)``, uint8,
            uint16 (full range) or float in [0, 1]; or an iterable of such chunks. What is not of 8 bits is clipped and
            rounded to 8 bits first, as a writer of files would.

    Raises:
        ValueError: no frames, another shape or type, or floats far outside [0, 1].

    Example:
        >>> luma_of(np.full((2, 4, 4, 3), 0.5)).shape, int(luma_of(np.full((1, 1, 1), 0.5))[0, 0, 0])
        ((2, 4, 4), 128)
    """
    if isinstance(frames, np.ndarray | torch.Tensor):
        chunks = [_luma_chunk(frames)]
    elif isinstance(frames, Iterable):
        chunks = [_luma_chunk(chunk) for chunk in frames]
    else:
        raise ValueError(f"A clip of type {type(frames).__name__} cannot be measured; give arrays of frames.")  # noqa: TRY004
    if not chunks or not sum(len(chunk) for chunk in chunks):
        raise ValueError("The clip holds no frame; at least 3 are needed.")
    sizes = {chunk.shape[1:] for chunk in chunks}
    if len(sizes) > 1:
        raise ValueError(f"The chunks of the clip are of several sizes ({sorted(sizes)}); frames are of one size.")
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)


def _luma_chunk(chunk: Any) -> Luma:
    array = np.moveaxis(chunk.detach().cpu().numpy(), 1, -1) if isinstance(chunk, torch.Tensor) else np.asarray(chunk)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3):
        raise ValueError(
            f"A chunk of shape {np.shape(chunk)} is no run of frames; expected NumPy (T, H, W) or (T, H, W, C), or "
            "torch (T, C, H, W), with C of 1 (gray) or 3 (RGB)."
        )
    array = _eight_bits(array)
    if array.shape[-1] == 1:
        return np.ascontiguousarray(array[..., 0])
    r, g, b = (array[..., i].astype(np.uint32) for i in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype(np.uint8)


def _eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"Frames of {array.dtype} cannot be measured; expected uint8, uint16, or float in [0, 1].")
    # The damage may go beyond black and white by a little; levels of 0 to 255 in floats are a mistake.
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if low < -1.5 or high > 2.5:
        raise ValueError(
            f"Frames of float values in {low:.3g}..{high:.3g} cannot be measured: floats are in [0, 1]. Divide levels "
            "by 255, or give uint8."
        )
    return np.asarray(np.floor(np.clip(array, 0, 1) * 255 + 0.5), dtype=np.uint8)


def robust_std(values: NDArray[Any]) -> float:
    """1.4826 times the median absolute deviation; NaN of nothing.

    Example:
        >>> round(robust_std(np.array([0.0, 1.0, 2.0, 3.0, 1000.0])), 4)
        1.4826
    """
    if not values.size:
        return float("nan")
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def autocorrelation(values: NDArray[Any], lag: int) -> float:
    """Correlation of a series with itself ``lag`` places later, about its mean; NaN if too short or constant.

    Example:
        >>> round(autocorrelation(np.array([1.0, -1.0] * 50), 1), 2)
        -0.99
    """
    centred = np.asarray(values, dtype=np.float64) - np.mean(values)
    power = float((centred**2).sum())
    if len(centred) < lag + 3 or power <= 0:
        return float("nan")
    return float((centred[lag:] * centred[:-lag]).sum() / power)


def high_passed(values: NDArray[Any]) -> NDArray[np.float64] | None:
    """A series without its slow part (Savitzky-Golay, 9 points, order 2); None below 9 values."""
    from scipy.signal import savgol_filter

    if len(values) < 9:
        return None
    return np.asarray(values - savgol_filter(values, 9, 2), dtype=np.float64)
