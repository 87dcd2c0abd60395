"""Laying marks onto frames on a GPU, all frames of a chunk at once: what `stamp` and `scatter` of `common` do on a CPU.

Nothing here waits for the device: sizes and orders are known from what was drawn, on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from degradations.base import Damage, Masks
from degradations.film.tensors import cover_on, planes_on, seen_as, sent, with_cover

Index = NDArray[np.intp]

FINE = 2.0**22
"""Steps of logarithms to base 2: as fine as numbers of single precision near 1, and sums down to 2**-500."""
AT_ONCE = 2**22
"""Pixels of marks that are made at once: more would take memory and no less time."""


class Canvas:
    """Frames to draw marks of one kind into, and what they cover.

    ``planes`` is ``(P, T, H, W)``, a copy of the planes of the frames that differ, plane by plane; ``cover``
    ``(T, H, W)``. Marks are written into both. ``size`` is ``(H, W)``.
    """

    def __init__(self, frames: Tensor, masks: Masks, kind: str) -> None:
        self.planes = planes_on(frames).transpose(0, 1).clone(memory_format=torch.contiguous_format)
        self.cover = cover_on(masks, kind, frames)
        self.device = frames.device
        self.size = frames.shape[2], frames.shape[3]
        self._frames, self._masks, self._kind = frames, masks, kind
        self._sums: Tensor | None = None

    def damage(self) -> Damage:
        """The frames with their marks, and the masks with those."""
        planes = self.planes.transpose(0, 1).contiguous()
        return Damage(seen_as(planes, self._frames), with_cover(self._masks, self._kind, self.cover))

    def stamp(
        self,
        first: int,
        count: int,
        top: int,
        left: int,
        cover: Tensor,
        contrast: Sequence[float],
        density: Tensor | None = None,
        strength: Tensor | None = None,
    ) -> None:
        """Lay one mark onto ``count`` frames, from frame ``first`` on, at the same place of all.

        As `common.stamp`, but for: ``cover`` and ``density`` are ``(count, h, w)``, or ``(1, h, w)`` where they are the
        same in all frames; ``contrast`` is one number of each plane (more are not looked at); ``strength``
        ``(count, 1, 1)`` is what the density is multiplied by in each frame, 1 if it is not given.
        """
        height, width = self.size
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + cover.shape[1], height), min(left + cover.shape[2], width)
        if y0 >= y1 or x0 >= x1:
            return
        there = slice(first, first + count), slice(y0, y1), slice(x0, x1)
        box = slice(None), slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        part = cover[box]
        dense = part if density is None else density[box]
        if strength is not None:
            dense = dense * strength
        for plane, depth in zip(self.planes, contrast, strict=False):
            area = plane[there]
            area.addcmul_(area if depth < 0 else 1 - area, dense, value=depth)
        covered = self.cover[there]
        torch.maximum(covered, part, out=covered)

    def places(self, frame: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels counted through all frames of the chunk, row by row, and which of them are inside the picture.

        For one that is not, the nearest one that is: :meth:`scatter` leaves it as it is where cover and depth are 0.
        """
        height, width = self.size
        y, x = row.clamp(0, height - 1), column.clamp(0, width - 1)
        return (frame * height + y) * width + x, (y == row) & (x == column)

    def scatter(self, place: Tensor, cover: Tensor, depth: Tensor, dark: int) -> None:
        """Lay many small marks onto the frames at once: as `common.scatter`, of pixels counted as :meth:`places` does.

        The first ``dark`` of them are those whose ``depth``, more than -1, is not above 0; that of the others, less than
        1, is not below 0. What lies on one pixel is multiplied by adding up logarithms in whole numbers: their sum is the
        same in any order, that of a GPU's threads too, so the result has the same bytes each time.
        """
        self.cover.view(-1).scatter_reduce_(0, place, cover, "amax")
        if self._sums is None:
            self._sums = torch.zeros(self.cover.numel(), dtype=torch.int32, device=self.device)
        planes = self.planes.view(len(self.planes), -1)
        for bright, chosen in ((False, slice(0, dark)), (True, slice(dark, None))):
            where = place[chosen]
            if not len(where):
                continue
            logs = (1 - depth[chosen].abs()).log2_().mul_(FINE).round_().int()
            self._sums.index_add_(0, where, logs)
            rest = self._sums.index_select(0, where).float().mul_(1 / FINE).exp2_()
            old = planes.index_select(1, where)
            # A pixel that is named twice is given the same value twice.
            planes.index_copy_(1, where, 1 - (1 - old) * rest if bright else old * rest)
            self._sums.index_fill_(0, where, 0)


def table(whole: Sequence[NDArray[Any]], real: Sequence[NDArray[Any]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Columns of numbers on a device, brought there in one go: whole ones as ``(k, n)`` of int64, others as ``(m, n)`` of
    float64.

    Example:
        >>> whole, real = table([np.array([1, 2])], [np.array([0.5, 2.5])], torch.device("cpu"))
        >>> whole.tolist(), real.tolist()
        ([[1, 2]], [[0.5, 2.5]])
    """
    # Whole numbers up to 2**53 are exact in double precision.
    both = sent(torch.from_numpy(np.array([*whole, *real], dtype=np.float64)), device)
    return both[: len(whole)].long(), both[len(whole) :]


def pieces(sizes: Index, most: int = AT_ONCE) -> list[slice]:
    """Things of these sizes in pieces of about ``most`` in all, and of at least one thing each.

    Example:
        >>> pieces(np.array([3, 3, 3, 9, 1]), 7)
        [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None), slice(4, 5, None)]
    """
    ends, out, begin = np.cumsum(sizes), [], 0
    while begin < len(sizes):
        done = ends[begin - 1] if begin else 0
        until = max(int(np.searchsorted(ends, done + most, side="right")), begin + 1)
        out.append(slice(begin, until))
        begin = until
    return out


def between(knots: Tensor, at: Tensor, first: Tensor | int = 0) -> Tensor:
    """Rows of ``knots`` ``(n, k)`` between their columns: linearly interpolated at ``first + at``, ``(n, m)``.

    ``at`` is not below 0, and the last column lies beyond all of them.

    Example:
        >>> between(torch.tensor([[0.0, 1.0, 3.0, 0.0]]), torch.tensor([[0.5, 1.5]])).tolist()
        [[0.5, 2.0]]
    """
    low = at.long()
    index = low + first
    value = knots.gather(1, index)
    return value + (at - low) * (knots.gather(1, index + 1) - value)
