"""Colour shift and gain shift: is the result tinted, darker, or flatter than the ground truth?

A network may mend every scratch and still return the whole film two levels too green: PSNR sees it as noise of two levels,
SSIM hardly at all, and the eye at once. Both figures look at means alone (of the frame, of blocks), so that sharpness, grain
and damage that was left hardly count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vbench.metrics.spec import Chunk, Figures, Metric, View, at_least, on_255

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]

BLOCK = 16
"""Side of the blocks whose means are compared for the gain: blur and shifts of a few pixels stay within."""
FLAT = 1.0
"""Variance of a ground truth's block means, in squared levels, below which a frame has no contrast to compare."""


class Tone(NamedTuple):
    """Means of one frame on 0..255."""

    mean: Array
    """``(C,)``: of each channel."""
    blocks: Array
    """``(C, N)``: of each block of 16 x 16 pixels; what is left over at the right and below is left out."""


def tones(frames: Tensor) -> list[Tone]:
    """Means of each frame ``(T, C, H, W)``; uint8, uint16, or floating point in [0, 1]."""
    import torch

    whole = frames.dtype == torch.uint8
    return [_tone((frame if whole else on_255(frame)).cpu().numpy()) for frame in frames]


def _tone(frame: NDArray[Any]) -> Tone:
    """Of one frame ``(C, H, W)`` on 0..255: bytes, or doubles."""
    channels, height, width = frame.shape
    rows, cols = height // BLOCK, width // BLOCK
    inner = frame[:, : rows * BLOCK, : cols * BLOCK].reshape(channels, rows, BLOCK, cols * BLOCK)
    # Sixteen bytes fit into 16 bits, in which sums are four times as fast as in doubles.
    narrow, wide = (np.uint16, np.uint32) if frame.dtype == np.uint8 else (np.float64, np.float64)
    sums = inner.sum(axis=2, dtype=narrow).reshape(channels, rows * cols, BLOCK).sum(axis=2, dtype=wide)
    return Tone(frame.mean(axis=(1, 2), dtype=np.float64), sums / float(BLOCK**2))


def gain(restored: Array, truth: Array) -> float:
    """The factor by which contrast changed: least-squares slope of restored over true block means, both ``(C, N)``.

    Each channel about its own mean, one slope for all. NaN where the ground truth is flat.

    Example:
        >>> t = np.array([[10.0, 20.0, 60.0]])
        >>> round(gain(0.9 * t + 30, t), 12)
        0.9
        >>> gain(t, 0 * t + 5)
        nan
    """
    if not truth.size:
        return math.nan
    x = truth - truth.mean(axis=1, keepdims=True)
    square = float(np.vdot(x, x))
    return float(np.vdot(x, restored)) / square if square > FLAT * x.size else math.nan


def _shifts(view: View) -> dict[str, list[float]]:
    """Per frame: the difference of each channel's mean, and the gain."""
    truth = view.reference()

    def of(chunk: Chunk) -> list[Tone]:
        return chunk.once("tones", lambda: tones(chunk.frames))

    pairs = list(zip(of(view.restored), of(truth), strict=True))
    # A gray frame is one whose red, green and blue are equal.
    means = [np.broadcast_to(a.mean - b.mean, 3).tolist() for a, b in pairs]
    red, green, blue = ([mean[c] for mean in means] for c in range(3))
    return {"red": red, "green": green, "blue": blue, "gain": [gain(a.blocks, b.blocks) for a, b in pairs]}


def _figures(view: View) -> tuple[Figures, Figures]:
    """Colour shift and gain shift of a chunk, computed once."""

    def both() -> tuple[Figures, Figures]:
        found = _shifts(view)
        channels = zip(found["red"], found["green"], found["blue"], strict=True)
        colour = [max(abs(x) for x in frame) for frame in channels]
        contrast = [abs(x - 1.0) * 100.0 for x in found["gain"]]
        return Figures(colour, found), Figures(contrast, {"gain": found["gain"]})

    return view.restored.once("colour shift", both)


_GAIN = {"gain": "factor by which contrast changed: slope of the restored over the true block means; 1 is none"}

METRIC = Metric(
    name="colour_shift",
    version=1,
    unit="levels",
    direction="lower",
    convention="absolute difference between the mean of a channel over the frame and that of the ground truth, 0 to 255, the "
    "largest of red, green and blue",
    source="defined here; the field has no standard",
    options={"channels": "largest"},
    measure=lambda view: _figures(view)[0],
    values="0 to 255",
    columns={
        "red": "mean of the restored frame's red less that of the ground truth's",
        "green": "the same of green",
        "blue": "the same of blue",
        **_GAIN,
    },
)

GAIN = Metric(
    name="gain_shift",
    version=1,
    unit="%",
    direction="lower",
    convention=f"by how many per cent contrast is off: how far the least-squares slope is from 1, of the restored over the "
    f"true means of blocks of {BLOCK} x {BLOCK} pixels, each channel about its own mean; frames whose ground truth has a "
    f"variance below {FLAT:g} in these are left out",
    source="defined here; the field has no standard",
    options={"block": BLOCK, "flat": FLAT},
    measure=lambda view: _figures(view)[1],
    check=at_least(2 * BLOCK, "The gain shift"),
    values="0 to infinity",
    columns=_GAIN,
)
