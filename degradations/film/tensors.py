"""What the film defects share on a GPU: the same as `common` and OpenCV do on a CPU, by torch, for all frames at once.

All of it runs on any device, so that it can be tested without a GPU. No convolution of torch is used: on a GPU it may be
computed in TF32, of which 10 bits are right.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from degradations.base import Masks, one_plane

FINEST, WHOLE = 1 / 32, 1024
"""The warps of older OpenCVs tell places apart by 1/32 pixel, and reckon in 1024ths."""


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
    wide = x.index_select(axis, mirrored(torch.arange(-half, size + half, device=x.device), size)) if half else x
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
    x: Tensor,
    axis: int,
    whole: NDArray[np.int64],
    part: NDArray[np.int64],
    taps: NDArray[np.float32],
    *,
    repeat: bool = False,
) -> Tensor:
    """``(T, P, H, W)`` moved along its rows (axis -1) or columns (axis -2), every row or column of a frame by its own shift.

    Pixel c of line l is then the sum over k of ``taps[part[t, l], k]`` times pixel ``c + whole[t, l] + k`` of it. Beyond
    the edges the picture is mirrored without repeating the edge, or with ``repeat`` the edge itself is repeated.

    Args:
        whole, part: ``(T, L)``; L is the number of rows (axis -1) or columns (axis -2), or 1 where all of a frame move
            alike.
        taps: ``(N, K)``.

    Example:
        >>> x, here = torch.arange(5.0).view(1, 1, 1, 5), np.array([[0]])
        >>> shifted(x, -1, here + 1, here, np.array([[0.5, 0.5]], np.float32)).flatten().tolist()
        [1.5, 2.5, 3.5, 3.5, 2.5]
    """
    size, device = x.shape[axis], x.device
    # What all lines of a frame have in common is done by one look-up, for which the border costs nothing; the rest is
    # a few pixels (a turn is small), for which every line has weights at all of the few places.
    first = whole.min(axis=1, keepdims=True)
    most = int((whole - first).max(initial=0))
    count = most + taps.shape[1]
    place = sent(torch.from_numpy(first), device) + torch.arange(size + count - 1, device=device)
    place = place.clamp_(0, size - 1) if repeat else mirrored(place, size)
    # Taps with zeros before and after: where they begin is where the line lies.
    table = sent(torch.from_numpy(np.pad(taps, ((0, 0), (most, most)))), device)
    begin = sent(torch.from_numpy(part * table.shape[1] + most - (whole - first)), device)
    weight = table.view(-1)[begin + torch.arange(count, device=device)[:, None, None]]
    if axis == -1:
        place, weight = place[:, None, None], weight[:, :, None, :, None]
    else:
        place, weight = place[:, None, :, None], weight[:, :, None, None]
    wanted = list(x.shape)
    wanted[axis] = size + count - 1
    wide = x.gather(axis, place.expand(wanted))
    out = wide.narrow(axis, 0, size) * weight[0]
    for k in range(1, count):
        out.addcmul_(wide.narrow(axis, k, size), weight[k])
    return out


def mirrored(place: Tensor, size: int) -> Tensor:
    """Where places beyond the edges of a line are seen: mirrored without repeating the edge, at one pixel repeated.

    Example:
        >>> mirrored(torch.arange(-3, 7), 4).tolist()
        [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    """
    period = max(2 * size - 2, 1)
    return torch.minimum(place % period, (-place) % period)


def warped(x: Tensor, back: NDArray[np.float64], mode: str) -> Tensor:
    """``(T, C, H, W)`` warped, each frame by its own matrix, as ``cv2.warpAffine`` warps it with ``border.mirror``.

    Args:
        back: ``(T, 2, 3)``, from where (column, row) of a pixel comes.
        mode: "bilinear" or "bicubic".
    """
    height, width = x.shape[-2:]
    across = back[:, :, 0, None] * np.arange(width)
    down = back[:, :, 1, None] * np.arange(height) + back[:, :, 2, None]
    # Columns and rows of the picture run from -1 to 1; of a single one every place is the same.
    scale = 2 / np.maximum(np.array([[width], [height]]) - 1, 1)
    parts = (np.rint(across * WHOLE), np.rint(down * WHOLE)) if warps_round() else (across * scale, down * scale - 1)
    columns, rows = (sent(torch.from_numpy(part.astype(np.float32)), x.device) for part in parts)
    grid = columns[:, :, None] + rows[..., None]
    if warps_round():
        grid = _nearest(grid).mul_(sent(torch.from_numpy(scale.astype(np.float32)), x.device)[..., None]).sub_(1)
    beyond = "reflection" if min(height, width) > 1 else "border"
    return functional.grid_sample(x, grid.permute(0, 2, 3, 1), mode, beyond, align_corners=True)


def as_warped(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places between pixels as OpenCV's warps take them: as they are, or to the nearest 1/32 (see `warps_round`)."""
    return _nearest(torch.from_numpy(np.rint(places * WHOLE))).numpy() if warps_round() else places


def _nearest(places: Tensor) -> Tensor:
    """Places in whole 1024ths of a pixel to the nearest 1/32 pixel, in pixels."""
    return places.add_(WHOLE * FINEST / 2).div_(WHOLE * FINEST).floor_().mul_(FINEST)


@lru_cache(maxsize=1)
def warps_round() -> bool:
    """Whether this OpenCV's warps know 32 places between two pixels only, as those of 4.12 and before; 5.0 knows all."""
    ramp, move = np.arange(8, dtype=np.float32).reshape(1, 8).repeat(8, 0), np.array([[1, 0, FINEST / 4], [0, 1, 0]])
    middle = cv2.warpAffine(ramp, move, (8, 8), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)[4, 4]
    return float(middle) == float(ramp[4, 4])
