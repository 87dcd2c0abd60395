"""The patch search over whole planes: few operations, each on many candidates at once, as a GPU likes it.

A candidate's plane is what the frames differ by when one of them is moved, squared. Sums over a patch are two products
with a matrix of ones and zeros, in float32, first down the columns and then along the rows: a block of `BLOCK` sums needs
``BLOCK + patch - 1`` numbers, which overlap with those of the next block. That reads and writes a plane once for each
direction; sums doubled from one to 41 columns would do so seven times, and prefix sums of blocks, from both sides, more
than four times. Nothing is subtracted, so nothing cancels, and of whole numbers below 2**24 all sums are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vbench.models.vnlnet.rows import Found, without_first_least
from vbench.models.vnlnet.window import Window

AT_ONCE = 2**26
"""Numbers in the planes of one step, if that is a line of the search window or more. Three times as many are held. With
fewer, a GPU would be called more often; chosen by counting calls and bytes, and not measured on a GPU."""

BLOCK = 64
"""Sums that are made by one product, at most: large enough to fill a tile of a matrix product, and small enough that of
the products with zeros there are few."""

MOST_PRODUCTS = 2**16 - 1
"""Products in a batch."""


class Planes:
    """Some frames against some others, as `vbench.models.vnlnet.rows.Rows`, a few lines of the search window at a time.

    What lies outside the frames has to be finite: products with zeros take it in. It is so far from all values, and on the
    two sides of a difference in opposite directions, that a patch that touches it is farther than any that does not.

    All planes lie in one row, each ``layout.height`` by ``layout.pitch``, later by ``layout.width``, numbers. Around the
    places of patches there are at least as many columns and rows of patches that touch the outside as the search reaches:
    what is looked up there when one plane is moved against another is far away as well.
    """

    def __init__(self, queries: Tensor, others: Tensor, window: Window) -> None:
        self._window = window
        self._layout = layout = Layout.of(others.shape[1], others.shape[2], window)
        _, height, width = others.shape
        outside, first, search = _outside(window, others.dtype), window.offsets[0], window.search
        self._far = outside**2 / 2
        # A row of the query is as long as one of the others, so that all of a plane is one row of numbers.
        right, below = layout.pitch - width, layout.height - height
        self._queries = functional.pad(queries, (0, right, 0, below), value=-outside).flatten(1)[:, None, None]
        # One row more, for the last numbers of the last candidate.
        self._others = functional.pad(others, (-first, right + first, -first, below + first + search), value=outside)
        self._down = _band(layout.down, window.patch, others)
        self._along = _band(layout.along, window.patch, others).T.contiguous()
        self._planes = 0

    @staticmethod
    def highest(window: Window, dtype: torch.dtype) -> float:
        """The largest value in frames from which the outside can be told."""
        return _outside(window, dtype) / (4 * window.patch + 2)

    @staticmethod
    def at_once(others: Tensor, window: Window) -> tuple[int, int]:
        """How many frames, and lines of the search window, are scanned together."""
        layout = Layout.of(others.shape[1], others.shape[2], window)
        blocks = layout.height // layout.down
        limit = min(AT_ONCE // (layout.height * layout.pitch), MOST_PRODUCTS // blocks) // window.search
        lines = max(1, min(window.search, limit))
        return max(1, min(len(others), limit // lines)), lines

    def _buffers(self, planes: int) -> None:
        """For so many candidates. Sums take the place of the squares, which are needed no more."""
        layout, like = self._layout, self._others
        self._planes = planes
        size = planes * layout.height * layout.pitch
        # The last block of the last plane looks at rows of a plane that would follow.
        after = (self._window.patch - 1) * layout.pitch
        self._squares = like.new_zeros(layout.before + size + after)
        # What the first plane has before it when it is moved.
        self._squares[: layout.before].fill_(torch.inf)
        self._partial = like.new_empty(size)

    def scan(self, lines: range, second: bool, back: bool) -> Found:
        """The best candidates of some lines of the search window, for every patch of the frames."""
        layout, count, search = self._layout, len(self._others), self._window.search
        candidates = len(lines) * search
        if count * candidates > self._planes:
            self._buffers(count * candidates)
        self._sum(lines)
        height, width, rows = layout.height, layout.width, layout.rows
        plane = height * width

        def seen(shape: tuple[int, ...], strides: tuple[int, ...], start: int) -> Tensor:
            sizes = (count, *shape, rows * width)
            return self._squares.as_strided(sizes, (candidates * plane, *strides, 1), layout.before + start)

        values = seen((candidates,), (plane,), 0)
        least, index = values.min(dim=1)  # the first of equal ones
        runner_up = torch.amin(without_first_least(values), dim=1) if second else None
        if runner_up is not None:
            # It may be that none is inside.
            least, runner_up = (x.masked_fill_(x > self._far, torch.inf) for x in (least, runner_up))
        least_back, index_back = least[:0], index[:0]
        if back:
            # As the frame searched in sees it: there the patch at p is at p + d, which moves each plane against the one
            # before it. Turned round, for there the candidates come in reverse order.
            dy, dx = self._window.offsets[lines.start], self._window.offsets[0]
            strides = search * plane - width, plane - 1
            moved = seen((len(lines), search), strides, -dy * width - dx)
            least_back, index_back = moved.flip(1, 2).flatten(1, 2).min(dim=1)

        def placed(found: Tensor) -> Tensor:
            return found.view(-1, rows, width)[..., : layout.columns].transpose(0, 1)

        return Found(
            placed(least),
            placed(index),
            None if runner_up is None else placed(runner_up),
            placed(least_back),
            placed(index_back),
            together=True,
        )

    def _sum(self, lines: range) -> None:
        """Sums over patches, in the place of the squares."""
        layout, patch, search = self._layout, self._window.patch, self._window.search
        height, pitch, width, before = layout.height, layout.pitch, layout.width, layout.before
        count = len(self._others)
        planes = count * len(lines) * search
        # Every candidate's plane, to lie beside that of the query: no copy, they overlap in memory.
        shape = (count, len(lines), search, height * pitch)
        theirs = self._others.as_strided(shape, (self._others.stride(0), pitch, 1, 1), lines.start * pitch)
        squares = self._squares[before : before + planes * height * pitch].view(shape)
        torch.ops.aten.mse_loss.out(theirs, self._queries, 0, out=squares)  # the squares alone, in one pass
        with _in_float32(self._others.device.type):
            blocks, size = planes * height // layout.down, layout.down
            partial = self._partial[: blocks * size * pitch]
            rows = self._squares.as_strided((blocks, size + patch - 1, pitch), (size * pitch, pitch, 1), before)
            torch.bmm(self._down.expand(blocks, -1, -1), rows, out=partial.view(blocks, size, pitch))
            blocks, size = width // layout.along, layout.along
            columns = partial.as_strided((blocks, planes * height, size + patch - 1), (size, pitch, 1))
            sums = self._squares.as_strided((blocks, planes * height, size), (size, width, 1), before)
            torch.bmm(columns, self._along.expand(blocks, -1, -1), out=sums)


@dataclass(frozen=True)
class Layout:
    """How the planes of frames of one size lie in memory; all in numbers.

    Example:
        >>> Layout.of(520, 894, Window(41, 41))  # 854 x 480 pixels with their rim
        Layout(rows=480, columns=854, down=60, along=64, height=540, pitch=936, width=896, before=17940)
    """

    rows: int
    """Places of patches, down and along."""
    columns: int
    down: int
    """Rows of sums in a block, and columns."""
    along: int
    height: int
    """Rows of a plane, a whole number of blocks: of all sums, and of what they are made of."""
    pitch: int
    """Columns of a plane of squares."""
    width: int
    """Columns of a plane of sums, a whole number of blocks."""
    before: int
    """What lies before the first plane."""

    @staticmethod
    def of(height: int, width: int, window: Window) -> Layout:
        """For frames of ``height`` x ``width`` pixels."""
        patch, reach = window.patch, -window.offsets[0]
        rows, columns = height - patch + 1, width - patch + 1
        # A row at least is outside: sums that begin below the last place have it in them, wherever else they end.
        down, tall = _blocks(height + 1)
        along, wide = _blocks(columns + reach)
        # The search reaches beyond a row's end, but not into the next row of the frame.
        pitch = _even(max(wide + patch - 1, width + window.search - 1))
        return Layout(rows, columns, down, along, tall, pitch, wide, _even((wide + 1) * reach))


def _blocks(size: int) -> tuple[int, int]:
    """Into how large blocks ``size`` is cut, and what they are together."""
    count = -(-size // BLOCK)
    block = _even(-(-size // count))
    return block, count * block


def _even(size: int) -> int:
    """Up to a multiple of four: sixteen bytes, of which a GPU takes one load."""
    return -(-size // 4) * 4


def _band(block: int, patch: int, like: Tensor) -> Tensor:
    """What sums ``patch`` numbers from each of ``block`` places on, ``(block, block + patch - 1)``."""
    return like.new_ones(block, block + patch - 1).triu().tril(patch - 1)


def _outside(window: Window, dtype: torch.dtype) -> float:
    """A value outside the frames. The largest sum is of squares of twice as much, a quarter of what the type holds."""
    return math.sqrt(torch.finfo(dtype).max) / (4 * window.patch)


@contextmanager
def _in_float32(device: str) -> Iterator[None]:
    """Products of float32 are computed in float32, whatever else the process has set: TF32 keeps 10 bits of them."""
    matmul = torch.backends.cuda.matmul
    # From PyTorch 2.9 on there are two names, and asking by the older one fails where the newer was used.
    newer = hasattr(matmul, "fp32_precision")
    name, short, full = ("fp32_precision", "tf32", "ieee") if newer else ("allow_tf32", True, False)
    shortened = getattr(matmul, name) == short
    if shortened:
        setattr(matmul, name, full)
    try:
        with torch.autocast("cpu" if device == "meta" else device, enabled=False):
            yield
    finally:
        if shortened:
            setattr(matmul, name, short)
