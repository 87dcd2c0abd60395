"""Warping error: does the restored video move as the scene does, or does it flicker?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vbench import assets
from vbench.errors import InputError
from vbench.metrics.spec import Chunk, Figures, Metric, View, at_least, mean, on_255

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from vbench.clip import ClipInfo


SMALLEST_FRAME = 32
"""Below this side length (pixels) DIS has no level of its pyramid to work on."""
NOTHING = 1e-24
"""What rounding in the interpolation leaves of two equal frames is less than this mean square (some 1e-31), and a single step
of 16 bits in one pixel of a large frame more (some 1e-16)."""
ROWS_OF = 2**16
"""Pixels of a frame that are compared at a time."""
Direction = Literal["forward", "backward", "first"]


class PairFlow(NamedTuple):
    """A pair of frames: where to sample the other frame for each pixel of the one, and which pixels count."""

    grid: Tensor
    """``(1, H, W, 2)`` float64: sampling points as PyTorch's ``grid_sample`` takes them."""
    keep: Tensor
    """``(H, W)`` bool: True where the pixel is neither occluded nor on a motion boundary."""


def sampling(flow: Tensor) -> Tensor:
    """Points ``p + flow(p)`` for ``grid_sample``: ``(1, H, W, 2)`` float64, -1 and 1 at the outermost pixels.

    ``flow`` is ``(H, W, 2)`` in pixels, channel 0 along x.
    """
    import torch

    height, width = flow.shape[:2]
    grid = torch.empty((height, width, 2), dtype=torch.float64, device=flow.device)
    for axis, side in enumerate((width, height)):
        step = 2.0 / max(side - 1, 1)
        own = torch.arange(side, dtype=torch.float64, device=flow.device).mul_(step).sub_(1.0)
        torch.add(own if axis == 0 else own[:, None], flow[..., axis], alpha=step, out=grid[..., axis])
    return grid[None]


def warp(frame: Tensor, grid: Tensor) -> Tensor:
    """``frame`` ``(C, H, W)`` sampled at the points of :func:`sampling`: bilinear, coordinates clamped to the frame.

    Float64 throughout (single precision is off by 0.03 grey levels, OpenCV's fixed-point ``remap`` by 0.02).
    """
    import torch

    out = torch.nn.functional.grid_sample(
        frame.double()[None], grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return out[0]


def occlusion(forward: Tensor, backward: Tensor, grid: Tensor | None = None) -> Tensor:
    """Pixels of frame t that a pair leaves out, ``(H, W)`` bool, from the flows t to t+1 and back.

    Both flows ``(H, W, 2)`` in pixels. Left out: where the flow there and back does not return
    (``|b(p+f) + f|^2 > 0.01 (|b(p+f)|^2 + |f|^2) + 0.5``), and motion boundaries
    (``|grad u|^2 + |grad v|^2 > 0.01 |f|^2 + 0.002``).

    Args:
        grid: :func:`sampling` of ``forward``, where it is known.

    Source: the evaluation of Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018).
    """
    import torch

    height, width = forward.shape[:2]
    grid = sampling(forward) if grid is None else grid
    source = backward.permute(2, 0, 1).to(torch.float64, memory_format=torch.contiguous_format)
    out = torch.empty((height, width), dtype=torch.bool, device=forward.device)
    for rows in strips(height, width, forward.device.type):
        # With the row below, for the difference to it; the last row of the frame has none.
        planes = forward[rows.start : rows.stop + 1].permute(2, 0, 1)
        _occluded(planes.to(torch.float64, memory_format=torch.contiguous_format), source, grid[:, rows], out[rows])
    return out


def strips(height: int, width: int, device: str) -> list[slice]:
    """Rows of a frame that are computed at a time: so many on the CPU that all of it stays in the cache."""
    step = max(1, ROWS_OF // width) if device == "cpu" else height
    return [slice(begin, min(begin + step, height)) for begin in range(0, height, step)]


def _occluded(flow: Tensor, backward: Tensor, grid: Tensor, out: Tensor) -> None:
    """:func:`occlusion` of some rows, ``flow`` ``(2, rows, W)`` with one row more where there is one."""
    import torch

    count = len(out)
    u, v = flow[:, :count]
    bu, bv = warp(backward, grid)
    ff = torch.addcmul(u * u, v, v)
    limit = torch.addcmul(torch.addcmul(ff, bu, bu), bv, bv).mul_(0.01).add_(0.5)
    off_u, off_v = bu.add_(u), bv.add_(v)
    inconsistent = torch.addcmul(off_u * off_u, off_v, off_v) > limit
    gradient = torch.zeros_like(ff)
    for part in flow:
        right, down = part[:count, 1:] - part[:count, :-1], part[1:] - part[:-1]
        gradient[:, :-1].addcmul_(right, right)
        gradient[: len(down)].addcmul_(down, down)
    torch.logical_or(inconsistent, gradient > ff.mul_(0.01).add_(0.002), out=out)


def pair_flow(forward: Tensor, backward: Tensor) -> PairFlow:
    """What the errors need of one pair, from its two flows ``(H, W, 2)`` in pixels."""
    grid = sampling(forward)
    return PairFlow(grid, ~occlusion(forward, backward, grid))


# --- flow of the ground truth ---------------------------------------------------------------------


def gray8(frame: Tensor) -> NDArray[np.uint8]:
    """A frame ``(C, H, W)`` as 8-bit gray ``(H, W)``, by OpenCV's RGB2GRAY."""
    import cv2
    import numpy as np

    image = np.ascontiguousarray((on_255(frame) + 0.5).floor().byte().permute(1, 2, 0).cpu().numpy())
    gray = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(gray, dtype=np.uint8)


def dis(pairs: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Flows there and back of pairs of frames ``(C, H, W)``, by OpenCV's DIS (medium preset)."""
    import cv2
    import torch

    estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    frames = {id(x): x for pair in pairs for x in pair}  # most are in two pairs
    gray = {key: gray8(x) for key, x in frames.items()}
    out = []
    for a, b in pairs:
        first, second = gray[id(a)], gray[id(b)]
        there, back = estimator.calc(first, second, None), estimator.calc(second, first, None)
        out.append((torch.from_numpy(there).to(a.device), torch.from_numpy(back).to(a.device)))
    return out


def frame_pairs(scene: Chunk, direction: Direction) -> list[tuple[Tensor, Tensor]]:
    """Which frames are compared: t and t+1, t and t-1, or t and the first of the clip."""
    frames = list(scene.frames)
    if direction == "first":
        first = scene.first[0]
        return [(frame, first) for frame in frames[1:]]
    pairs = list(itertools.pairwise(frames))
    return pairs if direction == "forward" else [(b, a) for a, b in pairs]


def dis_flows(frames: Tensor | Chunk, direction: Direction = "forward") -> list[PairFlow]:
    """Flow of each pair of a scene ``(T, C, H, W)`` by DIS, with the pixels that count.

    Raises:
        InputError: frames too small for DIS.
    """
    scene = frames if isinstance(frames, Chunk) else Chunk(frames)
    height, width = scene.frames.shape[-2:]
    if min(height, width) < SMALLEST_FRAME:
        raise InputError(
            f"Warp error needs frames of at least {SMALLEST_FRAME} x {SMALLEST_FRAME} pixels for its "
            f"optical flow, and these are {width} x {height}."
        )
    return [pair_flow(there, back) for there, back in dis(frame_pairs(scene, direction))]


def raft_flows(scene: Chunk, direction: Direction) -> list[PairFlow]:
    """Flow of each pair of a scene by RAFT, 24 iterations, with the pixels that count."""
    from vbench.flow.raft.estimator import estimate, load

    network = load(assets.need("raft"), str(scene.frames.device))
    out = []
    for pair in frame_pairs(scene, direction):
        a, b = (on_255(frame)[None].float().expand(-1, 3, -1, -1) for frame in pair)
        out.append(pair_flow(estimate(network, a, b)[0], estimate(network, b, a)[0]))
    return out


def exact_flows(view: View, scene: Chunk, direction: Direction) -> list[PairFlow]:
    """The flow that a rendered clip is known to have; what is hidden in the other frame does not count either.

    Raises:
        InputError: it is not known.
    """
    import torch

    if view.flow is None or direction == "first":
        raise InputError("The exact optical flow is known of neighbouring frames of embedded clips only.")
    out = []
    there, back = ("forward", "backward") if direction == "forward" else ("backward", "forward")
    for t in range(scene.start, scene.start + len(scene) - 1):
        known = view.flow(t)
        pair = pair_flow(*(torch.from_numpy(known[name]).to(scene.frames.device) for name in (there, back)))
        hidden = torch.from_numpy(known[f"occluded_{there}"]).to(scene.frames.device)
        out.append(pair._replace(keep=pair.keep & ~hidden))
    return out


# --- errors ---------------------------------------------------------------------------------------


class PairErrors(NamedTuple):
    """The errors of one pair, of samples on [0, 1] that are neither occluded nor on a motion boundary."""

    square: float
    """Mean square; 0 where no sample counts."""
    absolute: float
    """Mean absolute value; 0 where no sample counts."""
    absolute_sum: float
    """Sum of absolute values over pixels and channels."""


def pair_error(frame: Tensor, other: Tensor, flow: PairFlow, *, absolute: bool = False) -> PairErrors:
    """``other`` pulled to ``frame`` by the flow, against it; both ``(C, H, W)``, any type.

    Args:
        absolute: compute the absolute values too (they are NaN otherwise).
    """
    count = int(flow.keep.sum()) * len(frame)
    if not count:
        return PairErrors(0.0, 0.0, 0.0)
    source = on_255(other)
    squares, total = [], []
    for part in strips(frame.shape[1], frame.shape[2], frame.device.type):
        difference = warp(source, flow.grid[:, part]).sub_(on_255(frame[:, part])).mul_(flow.keep[part])
        flat = difference.flatten()
        squares.append(float(flat @ flat))
        if absolute:
            total.append(float(flat.abs_().sum()) / 255.0)
    square = math.fsum(squares) / (255.0**2 * count)
    if not absolute:
        return PairErrors(square, math.nan, math.nan)
    return PairErrors(square, math.fsum(total) / count, math.fsum(total))


def warp_error(video: Tensor, flows: Sequence[PairFlow]) -> list[float]:
    """Warping error of each pair of neighbours, on the scale of squared values in [0, 1].

    Args:
        video: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        flows: T - 1 entries, forward, from the ground truth (the same for every model).

    Returns:
        T - 1 figures: frame t+1 pulled back to t by the flow (bilinear, clamped at the border), the mean
        square of its difference to frame t over the samples that count; 0 where none does.

    Source: Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), as their published
    evaluation computes it (a mean per sample; the paper's formula is per pixel, three times as large).
    """
    return [pair_error(video[t], video[t + 1], flow).square for t, flow in enumerate(flows)]


# --- the metrics ----------------------------------------------------------------------------------


def _scene(view: View, source: str) -> Chunk:
    if source == "input":
        if view.degraded is None:
            raise InputError("This metric estimates motion on the degraded clip, and there is none.")
        return view.degraded
    return view.reference()


def flows_of(view: View, flow: str, source: str, direction: Direction) -> list[PairFlow]:
    """The flows of a chunk, estimated once for all models."""
    scene = _scene(view, source)
    if flow == "exact":
        return scene.once(("flow", flow, direction), lambda: exact_flows(view, scene, direction))
    if flow == "raft":
        return scene.once(("flow", flow, direction), lambda: raft_flows(scene, direction))
    return scene.once(("flow", flow, direction), lambda: dis_flows(scene, direction))


def errors_of(chunk: Chunk, flows: list[PairFlow], direction: Direction, kind: str) -> list[float]:
    """Square or absolute errors, or sums, of a chunk's pairs."""
    field = {"square": 0, "absolute": 1, "sum": 2}[kind]
    pairs = zip(frame_pairs(chunk, direction), flows, strict=True)
    return [pair_error(a, b, flow, absolute=field > 0)[field] for (a, b), flow in pairs]


def _measure(flow: str, source: str, direction: Direction, kind: str, view: View) -> list[float]:
    chunk = view.restored
    flows = flows_of(view, flow, source, direction)
    return chunk.once(("warp", flow, source, direction, kind), lambda: errors_of(chunk, flows, direction, kind))


def _with_truth(flow: str, view: View) -> Figures:
    """How many times the ground truth's own error each pair has, with both errors."""
    truth = view.reference()
    flows = flows_of(view, flow, "truth", "forward")
    own = truth.once(("warp", flow, "truth", "forward", "square"), lambda: errors_of(truth, flows, "forward", "square"))
    found = _measure(flow, "truth", "forward", "square", view)
    times = [a / b if b > NOTHING else math.nan for a, b in zip(found, own, strict=True)]
    return Figures(times, {"error": found, "truth": own})


def ratio(figures: Figures) -> float:
    """How many times more, or less, than the ground truth the clip flickers: 1 is best.

    Example:
        >>> ratio(Figures([], {"error": [2.0, 4.0], "truth": [3.0, 3.0]}))
        1.0
        >>> ratio(Figures([], {"error": [0.5], "truth": [1.0]}))
        2.0

    A still clip has no error but rounding: one that flickers is infinitely far from it.

        >>> ratio(Figures([], {"error": [1e-3], "truth": [2e-34]})), ratio(Figures([], {"error": [1e-33], "truth": [0.0]}))
        (inf, 1.0)
    """
    own, truth = (mean(Figures(figures.columns[key])) for key in ("error", "truth"))
    still = [error <= NOTHING for error in (own, truth)]
    if own == truth or all(still):
        return 1.0
    return math.inf if any(still) else max(own / truth, truth / own)


def total(figures: Figures) -> float:
    """The sum over pairs."""
    return math.fsum(figures.values)


_FLOWS = {
    "dis": "OpenCV DIS (medium)",
    "raft": "RAFT (Sintel weights, 24 iterations)",
    "exact": "the renderer, exactly,",
}
_ESTIMATOR = {"dis": "dis-medium", "raft": "raft-sintel", "exact": "exact"}
_BY = {
    "dis": "flow estimator DIS (Kroeger et al., ECCV 2016)",
    "raft": "flow estimator RAFT (Teed and Deng, ECCV 2020)",
    "exact": "flow as it was rendered",
}
_FROM = {"truth": "the ground truth", "input": "the degraded clip"}
_OF = {
    "forward": "frame t+1 pulled to t",
    "backward": "frame t-1 pulled to t",
    "first": "the clip's first frame pulled to t",
}
_KIND = {"square": "mean square", "absolute": "mean absolute value", "sum": "sum of absolute values"}


def _raft_check(info: ClipInfo) -> None:
    at_least(121, "Warp error by RAFT")(info)
    assets.need("raft")


def make(form: str = "short", flow: str = "dis", source: str = "truth", direction: str = "", kind: str = "") -> Metric:
    """Warping error under one convention.

    Args:
        form: "short" (neighbours), "long" (against the first frame), "l_st" (the sum that the notes on RTN
            quote) or "ratio" (to the ground truth's own).
        flow: "dis", "raft", or "exact" (of embedded clips).
        source: the clip that motion is estimated on, "truth" or "input".
        direction: "forward" or "backward"; by default as the form's source has it.
        kind: "square" or "absolute".
    """
    way: Any = direction or {"short": "forward", "long": "first", "l_st": "backward", "ratio": "forward"}[form]
    kind = kind or ("sum" if form == "l_st" else "square")
    convention = (
        f"{_KIND[kind]} of differences on [0, 1], {_OF[way]}, samples neither occluded nor on a motion boundary; "
        f"flow by {_FLOWS[flow]} from {_FROM[source]}"
    )
    if form == "ratio":
        convention += "; the clip's figure is the larger of result over ground truth and ground truth over result"
    elif form == "l_st":
        convention += "; summed over pixels, channels and pairs"
    return Metric(
        name={"short": "warp_error", "long": "warp_error_long", "l_st": "l_st", "ratio": "warp_error_ratio"}[form],
        version=2 if form == "ratio" else 1,  # 1 gave no infinity where the ground truth does not move
        unit="times" if form == "ratio" else "",
        direction="lower",
        convention=convention,
        source={
            "short": "Lai et al., ECCV 2018, evaluation code",
            "long": "Lai et al., ECCV 2018 (masks), against the first frame as in later work",
            "l_st": "short-term loss as quoted in notes on RTN (Wan et al., CVPR 2022)",
            "ratio": "ours, of the warping error of Lai et al., ECCV 2018",
        }[form]
        + f"; {_BY[flow]}",
        options={"flow": _ESTIMATOR[flow], "flow_from": _FROM[source], "pairs": way, "error": kind},
        overlap=1,
        needs=frozenset({"truth", "flow"} if flow == "exact" else {"truth"} if source == "truth" else {"degraded"}),
        measure=partial(_with_truth, flow) if form == "ratio" else partial(_measure, flow, source, way, kind),
        combine={"l_st": total, "ratio": ratio}.get(form, mean),
        check=_raft_check if flow == "raft" else at_least(SMALLEST_FRAME, "Warp error"),
        values="1 to infinity" if form == "ratio" else "0 to infinity" if form == "l_st" else "0 to 1",
        columns={"error": "warp error of the result", "truth": "that of the ground truth"} if form == "ratio" else {},
    )


METRIC = make()
