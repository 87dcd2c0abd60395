"""Dirt and scratches that live one frame, found by their spikes in time along the motion, and filled from neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.restore import ClipMeta, Restorer

Plane = NDArray[np.float32]

SPIKE = 22 / 255
"""How far a damaged pixel is from both neighbours, on the same side; the difference of these is below half of it."""
GROWN = 2
"""Pixels by which what was found is grown: damage has soft edges."""
FLICKER = 41
"""Side of the mean, in pixels, whose difference between frames is taken for flicker and taken off first."""
SMALLEST = 16
"""Height and width below which there is no flow."""


class MotionMedian:
    """Each frame with pixels that differ from both neighbours, brought along the motion, replaced by their mean.

    The motion is estimated by DIS on the luma of frames from which a 5 x 5 median took the damage. A pixel counts as
    damaged if its luma differs from both neighbours' by more than :data:`SPIKE`, in the same direction, while these
    agree; so what moves in front of something, or was estimated wrongly, is mostly left alone. All other pixels come
    out as they went in. The first and last frame are compared with the two frames next to them.

    Three frames are held. Clips of fewer frames, or of fewer than 16 pixels, come out as they went in.
    """

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, one frame behind what came in."""
        if meta.frames < 3 or min(meta.height, meta.width) < SMALLEST:
            yield from chunks
            return
        held: list[_Frame] = []
        for chunk in chunks:
            for frame in chunk:
                held.append(_Frame(frame))
                if len(held) < 3:
                    continue
                if len(held) == 3 and held[0].first:
                    yield _cleaned(held[0], held[1], held[2])
                yield _cleaned(held[1], held[0], held[2])
                last = held[-3:]
                held = held[1:]
                held[0].first = False
        yield _cleaned(last[2], last[1], last[0])


class _Frame:
    """A frame with what is computed of it once."""

    def __init__(self, frame: Tensor) -> None:
        import cv2

        self.tensor = frame
        self.first = True
        self.pixels: Plane = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().float().numpy())
        gray = self.pixels.mean(axis=2) if self.pixels.shape[2] == 1 else cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY)
        # In whole levels, so that a gray clip and the same in three channels are treated alike.
        levels = (np.asarray(gray).clip(0, 1) * 255 + 0.5).astype(np.uint8)
        self.luma: Plane = np.asarray(levels, dtype=np.float32) / np.float32(255)
        self.calm: NDArray[np.uint8] = np.asarray(cv2.medianBlur(levels, 5), dtype=np.uint8)
        self.mean: Plane = np.asarray(cv2.blur(self.luma, (FLICKER, FLICKER)), dtype=np.float32)


def _cleaned(frame: _Frame, before: _Frame, behind: _Frame) -> Tensor:
    """``(1, C, H, W)``: the frame with spikes replaced."""
    import cv2
    import torch

    sides = [_brought(frame, other) for other in (before, behind)]
    first, second = (frame.luma - luma for _, luma in sides)
    near = np.minimum(np.abs(first), np.abs(second))
    spike = (near > SPIKE) & (first * second > 0) & (np.abs(first - second) < 0.5 * near)
    if not spike.any():
        return frame.tensor[None]
    side = 2 * GROWN + 1
    grown = cv2.dilate(spike.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    filled = np.where(grown[..., None], (sides[0][0] + sides[1][0]) / 2, frame.pixels)
    out = torch.from_numpy(np.ascontiguousarray(filled.transpose(2, 0, 1)))[None]
    return out.to(frame.tensor)


def _brought(frame: _Frame, other: _Frame) -> tuple[Plane, Plane]:
    """Another frame's pixels ``(H, W, C)`` and luma on the grid of this one, with this one's slow brightness."""
    import cv2

    estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # The type stubs want a flow to start from; there is none.
    flow: Plane = estimator.calc(frame.calm, other.calm, None)
    height, width = frame.luma.shape
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]

    def moved(values: Plane) -> Plane:
        return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32)

    offset = frame.mean - moved(other.mean)
    pixels = moved(other.pixels).reshape(frame.pixels.shape) + offset[..., None]
    return pixels, moved(other.luma) + offset


def _load(device: torch.device, weights: Path | None) -> Restorer:
    return MotionMedian()


SPEC = ModelSpec(
    name="motion-median",
    version=1,
    title="Dirt removal along the motion",
    task="old film",
    source='Spike detection in time after Kokaram, "Motion Picture Restoration" (1998), along optical flow by DIS '
    "(Kroeger et al., ECCV 2016)",
    licence="Apache-2.0",
    load=_load,
    settings={
        "spike": "more than 22 levels of luma from both neighbours, which agree to half of that",
        "grown": f"{GROWN} pixels",
        "filled": "the mean of both neighbours, with the frame's own slow brightness",
    },
)
