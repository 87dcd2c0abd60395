"""What the film defects share on a GPU: the same as `common` and OpenCV do on a CPU, by torch, for all frames at once.

All of it runs on any device, so that it can be tested without a GPU. No convolution of torch is used: on a GPU it may be
computed in TF32, of which 10 bits are right.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
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


def kept_on(device: torch.device, make: Callable[..., NDArray[np.float32]], *arguments: Hashable) -> Tensor:
    """What ``make(*arguments)`` gives, on a device, where the last few that were asked for are kept."""
    return _kept(device, make, arguments)


@lru_cache(maxsize=8)
def _kept(device: torch.device, make: Callable[..., NDArray[np.float32]], arguments: tuple[Hashable, ...]) -> Tensor:
    return torch.from_numpy(make(*arguments)).to(device)


def shifted(
    x: Tensor, axis: int, whole: NDArray[np.int64], taps: NDArray[np.float32], *, repeat: bool = False
) -> Tensor:
    """``(T, P, H, W)`` moved along its rows (axis -1) or columns (axis -2), every row or column of a frame by its own shift.

    Pixel c of line l is then the sum over k of ``taps[t, l, k]`` times pixel ``c + whole[t, l] + k`` of it. Beyond the
    edges the picture is mirrored without repeating the edge, or with ``repeat`` the edge itself is repeated.

    Args:
        whole: ``(T, L)``; L is the number of rows (axis -1) or columns (axis -2), or 1 where all of a frame move alike.
        taps: ``(T, L, K)``, or ``(1, L, K)`` and the like.

    Example:
        >>> x = torch.arange(5.0).view(1, 1, 1, 5)
        >>> shifted(x, -1, np.array([[1]]), np.array([[[0.5, 0.5]]], np.float32)).flatten().tolist()
        [1.5, 2.5, 3.5, 3.5, 2.5]
    """
    size, device = x.shape[axis], x.device
    # What all lines of a frame have in common is done by one look-up, for which the border costs nothing; the rest is
    # a few pixels (a turn is small), for which every line has weights at all of the few places.
    first = whole.min(axis=1)
    apart = whole - first[:, None]
    count = int(apart.max(initial=0)) + taps.shape[-1]
    place = first[:, None] + np.arange(size + count - 1)
    if repeat:
        place = place.clip(0, size - 1)
    else:
        period = max(2 * size - 2, 1)
        place = np.minimum(place % period, -place % period)
    weights = np.zeros((*whole.shape, count), np.float32)
    every = np.arange(taps.shape[-1])
    np.put_along_axis(weights, apart[..., None] + every, np.broadcast_to(taps, (*whole.shape, len(every))), axis=-1)
    index, weight = (
        sent(torch.from_numpy(place), device),
        sent(torch.from_numpy(weights.transpose(2, 0, 1).copy()), device),
    )
    if axis == -1:
        index, weight = index[:, None, None], weight[:, :, None, :, None]
    else:
        index, weight = index[:, None, :, None], weight[:, :, None, None]
    wanted = list(x.shape)
    wanted[axis] = size + count - 1
    wide = x.gather(axis, index.expand(wanted))
    out = wide.narrow(axis, 0, size) * weight[0]
    for k in range(1, count):
        out.addcmul_(wide.narrow(axis, k, size), weight[k])
    return out


def warped(x: Tensor, back: NDArray[np.float64], mode: str) -> Tensor:
    """``(T, C, H, W)`` warped, each frame by its own matrix, as ``cv2.warpAffine`` warps it with ``border.mirror``.

    Args:
        back: ``(T, 2, 3)``, from where (column, row) of a pixel comes.
        mode: "bilinear" or "bicubic".
    """
    height, width = x.shape[-2:]
    # Columns and rows of the picture run from -1 to 1; of a single one every place is the same.
    scale = 2 / np.maximum(np.array([width, height]) - 1, 1)
    across = back[:, None, :, 0] * np.arange(width)[:, None]
    down = back[:, None, :, 1] * np.arange(height)[:, None] + back[:, None, :, 2]
    columns, rows = (
        sent(torch.from_numpy(part.astype(np.float32)), x.device) for part in (across * scale, down * scale - 1)
    )
    beyond = "reflection" if min(height, width) > 1 else "border"
    return functional.grid_sample(x, columns[:, None] + rows[:, :, None], mode, beyond, align_corners=True)
