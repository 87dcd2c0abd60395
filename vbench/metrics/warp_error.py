"""Warping error: does the restored video move as the scene does, or does it flicker?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from vbench.errors import InputError
from vbench.metrics.spec import Metric, on_255

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

SMALLEST_FRAME = 32
"""Below this side length (pixels) DIS has no level of its pyramid to work on."""


class PairFlow(NamedTuple):
    """One pair of neighbours: where to sample frame t+1 for each pixel of t, and which pixels count."""

    points: Tensor
    """``(4, H*W)`` int64: the four neighbours of the sampling point, in a flattened plane."""
    weight: Tensor
    """``(4, H*W)`` float64: their bilinear weights."""
    keep: Tensor
    """``(H, W)`` bool: True where the pixel is neither occluded nor on a motion boundary."""


def sampling(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Indices and weights of bilinear sampling at ``p + flow(p)``, coordinates clamped to the frame.

    ``flow`` is ``(H, W, 2)`` in pixels, channel 0 along x. Gives ``(4, H*W)`` int64 and float64.
    """
    import torch

    height, width = flow.shape[:2]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    x = (x + flow[..., 0].double()).clamp_(0, width - 1).flatten()
    y = (y + flow[..., 1].double()).clamp_(0, height - 1).flatten()
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    x0, y0 = x0.long(), y0.long()
    x1, y1 = (x0 + 1).clamp_(max=width - 1), (y0 + 1).clamp_(max=height - 1)
    index = torch.stack([y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1])
    weight = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
    return index, weight


def warp(frame: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """``frame`` ``(C, H, W)`` sampled at the points of :func:`sampling`; float64, same shape."""
    planes = frame.double().reshape(len(frame), -1)
    out = planes[:, index[0]] * weight[0]
    for k in range(1, 4):
        out += planes[:, index[k]] * weight[k]
    return out.reshape(frame.shape)


def occlusion(forward: Tensor, backward: Tensor) -> Tensor:
    """Pixels of frame t that a pair leaves out, ``(H, W)`` bool, from the flows t to t+1 and back.

    Both flows ``(H, W, 2)`` in pixels. Left out: where the flow there and back does not return
    (``|b(p+f) + f|^2 > 0.01 (|b(p+f)|^2 + |f|^2) + 0.5``), and motion boundaries
    (``|grad u|^2 + |grad v|^2 > 0.01 |f|^2 + 0.002``).

    Source: the evaluation of Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018).
    """
    import torch

    f = forward.double()
    back = warp(backward.permute(2, 0, 1), *sampling(forward)).permute(1, 2, 0)
    ff = f.square().sum(-1)
    inconsistent = (back + f).square().sum(-1) > 0.01 * (back.square().sum(-1) + ff) + 0.5
    gradient = torch.zeros_like(ff)
    gradient[:, :-1] += (f[:, 1:] - f[:, :-1]).square().sum(-1)
    gradient[:-1] += (f[1:] - f[:-1]).square().sum(-1)
    result: Tensor = inconsistent | (gradient > 0.01 * ff + 0.002)
    return result


def pair_flow(forward: Tensor, backward: Tensor) -> PairFlow:
    """What :func:`warp_error` needs of one pair, from its two flows ``(H, W, 2)`` in pixels."""
    return PairFlow(*sampling(forward), ~occlusion(forward, backward))


def _gray8(frame: Tensor) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    image = np.ascontiguousarray((on_255(frame) + 0.5).floor().byte().permute(1, 2, 0).cpu().numpy())
    gray = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(gray, dtype=np.uint8)


def dis_flows(truth: Tensor) -> list[PairFlow]:
    """Flow between neighbours of the ground truth ``(T, C, H, W)``, by OpenCV's DIS (medium preset)."""
    import cv2
    import torch

    height, width = truth.shape[-2:]
    if min(height, width) < SMALLEST_FRAME:
        raise InputError(
            f"Warp error needs frames of at least {SMALLEST_FRAME} x {SMALLEST_FRAME} pixels for its "
            f"optical flow, and these are {width} x {height}."
        )
    dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [_gray8(frame) for frame in truth]
    flows = []
    for a, b in itertools.pairwise(gray):
        forward = torch.from_numpy(dis.calc(a, b, None))
        backward = torch.from_numpy(dis.calc(b, a, None))
        flows.append(pair_flow(forward, backward))
    return flows


def warp_error(video: Tensor, flows: list[PairFlow]) -> list[float]:
    """Warping error of each pair of neighbours, on the scale of squared values in [0, 1].

    Args:
        video: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        flows: T - 1 entries, from the ground truth (the same for every model).

    Returns:
        T - 1 figures: frame t+1 pulled back to t by the flow (bilinear, clamped at the border), the mean
        square of its difference to frame t over the samples that count; 0 where none does.

    Source: Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), as their published
    evaluation computes it (a mean per sample; the paper's formula is per pixel, three times as large).
    """
    frames = on_255(video) / 255.0
    figures = []
    for t, (index, weight, keep) in enumerate(flows):
        error = (warp(frames[t + 1], index, weight) - frames[t]).square_()
        count = int(keep.sum()) * len(error)
        figures.append(float((error * keep).sum()) / count if count else 0.0)
    return figures


METRIC = Metric(
    name="warp_error",
    version=1,
    unit="",
    direction="lower",
    convention="mean square of flow-warped differences between neighbours on [0, 1], unoccluded samples; "
    "flow by OpenCV DIS (medium) from the ground truth",
    source="Lai et al., ECCV 2018, evaluation code; flow estimator DIS (Kroeger et al., ECCV 2016)",
    options={"flow": "dis-medium", "flow_from": "ground truth"},
    overlap=1,
    prepare=dis_flows,
    measure=lambda restored, truth, prepared: warp_error(restored, prepared),
)
