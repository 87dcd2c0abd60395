"""What the film defects share on a GPU: the same as `common` and OpenCV do on a CPU, by torch, for all frames at once.

All of it runs on any device, so that it can be tested without a GPU. No convolution of torch is used: on a GPU it may be
computed in TF32, of which 10 bits are right.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from degradations.base import Masks, one_plane


def planes_on(frames: Tensor) -> Tensor:
    """The planes of ``(T, C, H, W)`` frames that differ, ``(T, P, H, W)``, not to be written to (see `common.planes_of`).

    Example:
        >>> planes_on(torch.zeros(2, 1, 4, 4).expand(-1, 3, -1, -1)).shape
        torch.Size([2, 1, 4, 4])
    """
    return frames[:, :1] if one_plane(frames) else frames


def seen_as(planes: Tensor, frames: Tensor) -> Tensor:
    """``(T, P, H, W)`` as frames of as many channels as ``frames`` has: one plane is seen as often as needed."""
    return planes.expand(-1, frames.shape[1], -1, -1) if planes.shape[1] != frames.shape[1] else planes


def cover_on(masks: Masks, kind: str, frames: Tensor) -> Tensor:
    """A copy of what is covered by damage of a kind so far, ``(T, H, W)``, to draw more of it into."""
    if kind in masks:
        return masks[kind][:, 0].clone(memory_format=torch.contiguous_format)
    return frames.new_zeros((frames.shape[0], *frames.shape[2:]))


def with_cover(masks: Masks, kind: str, cover: Tensor) -> Masks:
    """``masks``, with ``(T, H, W)`` as what is covered by damage of a kind."""
    return {**masks, kind: cover[:, None]}


def separable(x: Tensor, taps: Sequence[float]) -> Tensor:
    """``(..., H, W)`` filtered along rows and columns by the same symmetric taps, an odd number of them.

    Beyond the edges it is mirrored without repeating the edge (OpenCV's BORDER_REFLECT_101), at sizes of one pixel
    repeated.
    """
    return _along(_along(x, taps, -1), taps, -2)


def _along(x: Tensor, taps: Sequence[float], axis: int) -> Tensor:
    half, size = len(taps) // 2, x.shape[axis]
    place = torch.arange(-half, size + half, device=x.device)
    period = max(2 * size - 2, 1)
    place = torch.minimum(place % period, (-place) % period)
    wide = x.index_select(axis, place) if half else x
    out = wide.narrow(axis, half, size) * taps[half]
    for k in range(1, half + 1):
        out.add_(wide.narrow(axis, half - k, size) + wide.narrow(axis, half + k, size), alpha=taps[half + k])
    return out


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """``(T, P, H, W)`` at another size, linearly between pixels as OpenCV's INTER_LINEAR."""
    if x.shape[-2:] == (height, width):
        return x
    return functional.interpolate(x, size=(height, width), mode="bilinear", align_corners=False, antialias=False)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device, without waiting for it where that is possible."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
