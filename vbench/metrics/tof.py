"""tOF: does the result move as the ground truth does? The mean length of the difference of their optical flows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from vbench.metrics.planes import tecogan_crop
from vbench.metrics.spec import Chunk, Metric, View, at_least
from vbench.metrics.warp_error import gray8

if TYPE_CHECKING:
    from torch import Tensor


def farneback(frames: Tensor) -> list[Tensor]:
    """Flow from each frame ``(T, C, H, W)`` to the next, ``(2, H, W)`` float32, by OpenCV's Farneback estimator.

    Pyramid scale 0.5, 3 levels, window 15, 3 iterations, neighbourhood 5, sigma 1.2, on 8-bit gray.
    """
    import cv2
    import torch

    gray = [gray8(frame) for frame in frames]
    flows = [
        cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload]
        for a, b in itertools.pairwise(gray)
    ]
    return [torch.from_numpy(flow).permute(2, 0, 1) for flow in flows]


def tof(restored: list[Tensor], truth: list[Tensor], crop: bool = True) -> list[float]:
    """tOF of each pair of neighbours, in pixels, from the flows of :func:`farneback`.

    Args:
        crop: TecoGAN's central crop of the flow fields.

    Source: TecoGAN's metrics (Chu et al., TOG 2020): the Euclidean length of the difference, where the paper
    writes an L1 norm.
    """
    out = []
    for a, b in zip(restored, truth, strict=True):
        difference = a - b
        if crop:
            difference = tecogan_crop(difference)
        out.append(float(difference.norm(dim=0).mean()))
    return out


def _flows(chunk: Chunk) -> list[Tensor]:
    return chunk.once("farneback", lambda: farneback(chunk.frames))


def make(crop: str = "tecogan") -> Metric:
    """tOF with TecoGAN's crop, or over whole frames (``crop="none"``)."""
    cropped = crop == "tecogan"

    def measure(view: View) -> list[float]:
        return tof(_flows(view.restored), _flows(view.reference()), cropped)

    return Metric(
        name="tof",
        version=1,
        unit="pixels",
        direction="lower",
        convention="mean Euclidean length of the difference of the optical flows of result and ground truth "
        "(OpenCV Farneback, 8-bit gray)"
        + (", central crop to multiples of 32; all pairs" if cropped else "; all pairs"),
        source="TecoGAN metrics.py (Chu et al., TOG 2020); there the first and last two frames are left out",
        options={"flow": "farneback", "crop": crop},
        measure=measure,
        overlap=1,
        check=at_least(48, "tOF"),
        values="0 to infinity",
    )


METRIC = make()
