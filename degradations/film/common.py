"""What the film defects share: scale, planes to work on, smooth random walks, laying marks onto frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from degradations.base import Masks, one_plane

REFERENCE_LINES = 480.0
SMALLEST_SCALE = 0.55
"""Below about 260 lines marks do not shrink any further: they would vanish between the pixels."""

STRIP = 32768
"""Pixels of a strip."""

Float = NDArray[np.float32]
Double = NDArray[np.float64]


def scale_of(height: int) -> float:
    """Factor from sizes at 480 lines to this height.

    Example:
        >>> scale_of(960), scale_of(120)
        (2.0, 0.55)
    """
    return max(height / REFERENCE_LINES, SMALLEST_SCALE)


def planes_of(frames: Tensor) -> Float:
    """The planes of ``(T, C, H, W)`` frames that differ, ``(T, P, H, W)``, not to be written to.

    P is 1 where three channels are one plane seen three times: film in black and white costs a third.

    Example:
        >>> planes_of(torch.zeros(2, 1, 4, 4).expand(-1, 3, -1, -1)).shape
        (2, 1, 4, 4)
    """
    planes: Float = (frames[:, :1] if one_plane(frames) else frames).numpy()
    return planes


def writable(frames: Tensor) -> Float:
    """A copy of the planes of the frames to draw into, ``(T, P, H, W)``."""
    return np.array(planes_of(frames), dtype=np.float32, copy=True, order="C")


def as_frames(planes: Float, frames: Tensor) -> Tensor:
    """``(T, P, H, W)`` as frames of as many channels as ``frames`` has: one plane is seen as often as needed.

    Example:
        >>> as_frames(np.zeros((2, 1, 4, 4), np.float32), torch.zeros(2, 3, 4, 4)).stride()[1]
        0
    """
    out = torch.from_numpy(planes)
    return out.expand(-1, frames.shape[1], -1, -1) if out.shape[1] != frames.shape[1] else out


def coverage(masks: Masks, kind: str, frames: Tensor) -> Float:
    """What is covered by damage of a kind so far, ``(T, H, W)``, to draw more of it into."""
    if kind in masks:
        return np.array(masks[kind][:, 0].numpy(), dtype=np.float32, order="C")
    return np.zeros((frames.shape[0], frames.shape[2], frames.shape[3]), np.float32)


def with_coverage(masks: Masks, kind: str, cover: Float) -> Masks:
    """``masks``, with ``(T, H, W)`` as what is covered by damage of a kind."""
    return {**masks, kind: torch.from_numpy(cover)[:, None]}


def strips(height: int, width: int) -> list[slice]:
    """Rows of a plane in strips that stay in a processor's cache while several things are done to them.

    Example:
        >>> strips(60, 1024)
        [slice(0, 32, None), slice(32, 60, None)]
    """
    rows = max(1, STRIP // max(width, 1))
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def autoregressive(generator: np.random.Generator, count: int, memory: float, std: float, leaps: float = 0.0) -> Double:
    """A stationary first-order process: correlation ``memory`` between neighbours, standard deviation ``std``.

    ``leaps`` is the share of steps that are three times as large as the others.
    """
    noise = generator.standard_normal(count)
    if leaps:
        noise *= np.where(generator.random(count) < leaps, 3, 1) / np.sqrt(1 + 8 * leaps)
    out = np.empty(count)
    value = noise[0] if count else 0.0
    spread = np.sqrt(1 - memory**2)
    for i in range(count):
        if i:
            value = memory * value + spread * noise[i]
        out[i] = value * std
    return out


def stamp(
    frame: Float,
    mask: Float,
    top: int,
    left: int,
    cover: Float,
    contrast: float | Float,
    density: Float | None = None,
) -> None:
    """Lay one mark onto a frame, in place, and its coverage onto the mask.

    ``frame`` is ``(P, H, W)``, ``mask`` ``(H, W)``; ``cover`` ``(h, w)`` in [0, 1] begins at (top, left), which
    may lie outside. ``contrast`` below 0 darkens (towards black), above 0 brightens (towards white); one number, or
    one of each plane. Where the mark is not equally dense, ``density`` ``(h, w)`` takes the place of the coverage.
    """
    height, width = mask.shape
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + cover.shape[0], height), min(left + cover.shape[1], width)
    if y0 >= y1 or x0 >= x1:
        return
    box = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    part = cover[box]
    dense = part if density is None else density[box]
    for number, area in enumerate(frame[:, y0:y1, x0:x1]):
        # Numbers of double precision would make the patches so.
        depth = np.float32(contrast if isinstance(contrast, float) else contrast[number])
        area += (depth * dense) * (area if depth < 0 else np.float32(1) - area)
    np.maximum(mask[y0:y1, x0:x1], part, out=mask[y0:y1, x0:x1])


def scatter(frame: Float, mask: Float, index: NDArray[np.intp], cover: Float, depth: Float) -> None:
    """Lay many small marks onto a frame at once, in place, and their coverage onto the mask.

    The same as :func:`stamp` (dark marks first, then bright ones), for single pixels: ``index`` counts them row by row
    and may name one more than once, ``cover`` is the coverage, ``depth`` the contrast times the density, below 0 for
    dark. ``frame`` ``(P, H, W)`` and ``mask`` ``(H, W)`` have to be contiguous.
    """
    np.maximum.at(mask.reshape(-1), index, cover)
    for sign in (-1, 1):
        chosen = depth * sign > 0
        where, rest = index[chosen], np.float32(1) - np.abs(depth[chosen])
        if not len(where):
            continue
        for plane in frame.reshape(len(frame), -1):
            if sign > 0:
                plane[where] = np.float32(1) - plane[where]
            np.multiply.at(plane, where, rest)
            if sign > 0:
                plane[where] = np.float32(1) - plane[where]
