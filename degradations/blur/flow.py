"""The scene between two frames of a video, found along optical flow."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Flow = NDArray[np.float32]
CUT = 25.5
"""Mean difference in gray levels, after motion, above which a neighbour does not show the same scene."""


def gray8(frame: Tensor) -> NDArray[np.uint8]:
    """``(C, H, W)`` in [0, 1] as the gray picture of 8 bits in which motion is searched."""
    image = np.clip(np.floor(frame.numpy() * 255 + 0.5), 0, 255).astype(np.uint8)
    if len(image) == 1:
        return np.ascontiguousarray(image[0])
    gray = cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    return np.asarray(gray, dtype=np.uint8)


def motion(
    before: NDArray[np.uint8], centre: NDArray[np.uint8], after: NDArray[np.uint8], there: tuple[bool, bool]
) -> tuple[tuple[bool, Flow], tuple[bool, Flow]]:
    """Flow from a frame to the one before and the one after, each with whether that neighbour may be used."""
    found: list[Flow | None] = []
    for near, exists in ((before, there[0]), (after, there[1])):
        flow = dis_flow(centre, near) if exists else None
        if flow is not None and _is_cut(centre, near, flow):
            flow = None
        found.append(flow)
    back, ahead = found
    still = np.zeros((*centre.shape, 2), np.float32)
    return (
        (back is not None, back if back is not None else -ahead if ahead is not None else still),
        (ahead is not None, ahead if ahead is not None else -back if back is not None else still),
    )


def _is_cut(centre: NDArray[np.uint8], near: NDArray[np.uint8], flow: Flow) -> bool:
    moved = pull(near.astype(np.float32)[..., None], flow, 1.0)[..., 0]
    return float(np.abs(moved - centre).mean()) > CUT


def dis_flow(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
    """Optical flow from gray frame ``a`` to ``b``, ``(H, W, 2)`` in pixels: DIS, its preset "medium".

    Frames smaller than 64 pixels are mirrored up to that, for the method's pyramid needs room.

    Source: Kroeger et al., "Fast optical flow using dense inverse search" (ECCV 2016), as OpenCV has it.
    """
    if np.array_equal(a, b):
        return np.zeros((*a.shape, 2), np.float32)
    height, width = a.shape
    pad = ((0, max(0, 64 - height)), (0, max(0, 64 - width)))
    large = [np.ascontiguousarray(np.pad(x, pad, mode="symmetric")) for x in (a, b)]
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = method.calc(large[0], large[1], None)  # type: ignore[call-overload]
    return np.ascontiguousarray(flow[:height, :width], dtype=np.float32)


Share = float | NDArray[np.float32]


def pull(image: NDArray[np.float32], flow: Flow, share: Share, top: int = 0) -> NDArray[np.float32]:
    """``image`` ``(H, W, C)`` as seen from where ``share`` of the flow leads.

    ``flow`` may be that of some rows only, of which the first is row ``top`` of the image; ``share`` is one number, or
    ``(h, 1)`` with one for each of these rows.
    """
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(top, top + height, dtype=np.float32))
    part = np.float32(share) if isinstance(share, float) else share
    moved = cv2.remap(
        np.ascontiguousarray(image),
        x + part * flow[..., 0],
        y + part * flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, dtype=np.float32).reshape(height, width, -1)


def between(centre: Tensor, near: Tensor | None, flow: Flow, t: float) -> Tensor:
    """The scene at ``t`` (0 to 1) between ``centre`` and ``near``, both pulled there along the flow from centre to near.

    Where ``near`` is None the centre alone moves on.
    """
    if t == 0:
        return centre
    seen = pull(centre.numpy().transpose(1, 2, 0), flow, -t)
    if near is not None:
        seen = (1 - t) * seen + t * pull(near.numpy().transpose(1, 2, 0), flow, 1 - t)
    return torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1), dtype=np.float32))


def interpolate(a: Tensor, b: Tensor, shares: Sequence[float]) -> list[Tensor]:
    """The scene at some shares (0 is ``a``, 1 is ``b``) of the time between two frames ``(C, H, W)`` in [0, 1].

    Both are pulled there along the DIS flow from ``a`` to ``b`` and blended. Where the two show other scenes (a cut,
    see ``CUT``) the nearer one is taken as it is.

    Example:
        >>> ramp = torch.linspace(0, 1, 96).expand(1, 80, 96).contiguous()
        >>> (half,) = interpolate(ramp, ramp.roll(4, 2), [0.5])
        >>> bool((half - ramp.roll(2, 2))[0, :, 20:-20].abs().max() < 0.005)
        True
    """
    first, second = gray8(a), gray8(b)
    flow = dis_flow(first, second)
    if _is_cut(first, second, flow):
        return [a if share < 0.5 else b for share in shares]
    return [b if share >= 1 else between(a, b, flow, float(share)) for share in shares]
