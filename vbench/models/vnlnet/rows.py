"""The patch search row by row: every operation works on a row of all candidates, as a CPU likes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vbench.models.vnlnet.window import Window

AT_ONCE = {"cpu": 2**16, "cuda": 2**21}
"""Numbers that one operation works on. On the CPU a row of them stays in the second-level cache, and is long enough
to hide the cost of calling an operation; other devices need more to be busy. About ``patch + 7`` such rows are held. CUDA
GPUs were searched so too, and measured (docs/gpu.md); since then the search was rewritten for them (`planes`), for fewer
kernels, which has not been measured on one."""


@dataclass(frozen=True)
class Found:
    """What some lines of the search window gave: least distances, and which candidates have them, in scan order.

    Each ``(h - P + 1, N, w - P + 1)``; on the way back ``(h - P + 1, N, lines, w - P + 1)``, by the rows of the frame
    searched in. Where all is infinite, which one it is has no meaning.
    """

    least: Tensor
    index: Tensor
    second: Tensor | None
    least_back: Tensor
    index_back: Tensor
    together: bool = False
    """Whether on the way back the lines are one already: the last candidate of equal ones, by the rows of the frame
    searched in, ``(h - P + 1, N, w - P + 1)``, counted from the last candidate."""


class Rows:
    """Some frames against some others: everything that is held while the search window is scanned.

    A sum over ``patch`` rows is what remains of one block of ``patch`` rows and what has begun of the next (van
    Herk's scheme): two additions for each number and none that cancels, which a running sum would need. Along a
    row sums of some columns are doubled, see `Columns`.
    """

    def __init__(self, queries: Tensor, others: Tensor, window: Window) -> None:
        offsets = window.offsets
        self._window = window
        self._height, self._width = others.shape[1:]
        self._queries = queries[:, None, None].unbind(3)
        # What lies outside the frame is infinitely far from everything, and so is every patch that touches it.
        self._padded = functional.pad(others, (-offsets[0], offsets[-1]) * 2, value=torch.inf)
        self._lines = 0

    @staticmethod
    def at_once(others: Tensor, window: Window) -> tuple[int, int]:
        """How many frames, and lines of the search window, are scanned together."""
        limit = AT_ONCE.get(others.device.type, AT_ONCE["cuda"])
        line = window.search * others.shape[2]
        frames = max(1, min(len(others), limit // line))
        return frames, max(1, min(window.search, limit // (line * frames)))

    def _buffers(self, lines: int) -> None:
        """For so many lines of the search window at once."""
        patch, search = self._window.patch, self._window.search
        like = self._padded
        self._lines = lines
        shape = (len(like), lines, search, self._width)
        size = len(like) * lines * search * self._width
        self._suffix = like.new_empty((patch, *shape)).unbind(0)
        self._difference = like.new_empty(shape)
        self._begun = like.new_empty(shape)
        self._columns = Columns(like, size, patch)
        self._source = self._columns.source.view(shape)
        self._sums = like.new_zeros(size)
        self._scratch = like.new_empty(size)
        self._order = torch.arange(lines * search, dtype=like.dtype, device=like.device)[:, None]
        self._order_back = self._order[:search].flip(0)

    def scan(self, lines: range, second: bool, back: bool) -> Found:
        """The best candidates of some lines of the search window, for every patch of the frames."""
        if len(lines) != self._lines:
            self._buffers(len(lines))
        patch, width, padded, count = self._window.patch, self._width, self._padded, len(self._padded)
        columns, rows = width - patch + 1, self._height - patch + 1
        frames, stride, _ = padded.stride()
        # Row y of every candidate, to lie beside row y of the query: no copy, the candidates overlap in memory.
        theirs = padded.as_strided(
            (self._height, *self._difference.shape),
            (stride, frames, stride, 1, 1),
            padded.storage_offset() + lines.start * stride,
        ).unbind(0)
        sums = self._sums.view(count, -1, width)
        scratch = self._scratch.view_as(sums)
        least, index = padded.new_empty((2, rows, count, width)).unbind(0)
        runner_up = torch.empty_like(least) if second else None
        least_back, index_back = padded.new_empty((2, rows if back else 0, count, len(lines), columns)).unbind(0)
        outside = sums[..., columns:]
        skewed = self._skewed(sums, columns) if back else sums[:0]
        scratch_back = self._scratch[: skewed.numel()].view(skewed.shape)
        difference, begun, suffix = self._difference, self._begun, self._suffix
        for y in range(rows):
            inside, last = y % patch, y + patch - 1
            torch.sub(theirs[last], self._queries[last], out=difference)
            if inside == 0:
                torch.mul(difference, difference, out=suffix[-1])
                for r in range(patch - 2, -1, -1):
                    torch.sub(theirs[y + r], self._queries[y + r], out=difference)
                    torch.addcmul(suffix[r + 1], difference, difference, out=suffix[r])
                begun.zero_()
                self._source.copy_(suffix[0])
            else:
                begun.addcmul_(difference, difference)
                torch.add(suffix[inside], begun, out=self._source)
            self._columns.sum_into(self._sums)
            first_least(sums, self._order, least[y], index[y], scratch)
            if runner_up is not None:
                torch.amin(without_first_least(sums), dim=1, out=runner_up[y])
            if back:
                outside.fill_(torch.inf)
                first_least(skewed, self._order_back, least_back[y], index_back[y], scratch_back, last=True)
        return Found(
            least[..., :columns],
            index[..., :columns],
            None if runner_up is None else runner_up[..., :columns],
            least_back,
            index_back,
        )

    def _skewed(self, sums: Tensor, columns: int) -> Tensor:
        """A row of distances as the frame searched in sees it: ``(N, lines, candidates, columns)``.

        The candidate dx of the patch at x is at x + dx, so each candidate's row is moved against the one before. What
        moves in from outside a row comes from the columns that mean nothing, which are made infinite.
        """
        search, count = self._window.search, len(sums)
        lines = sums.shape[1] // search
        return sums.as_strided(
            (count, lines, search, columns),
            (lines * search * self._width, search * self._width, self._width - 1, 1),
            sums.storage_offset() - self._window.offsets[0],
        )


def first_least(
    values: Tensor,
    order: Tensor,
    least: Tensor,
    index: Tensor,
    scratch: Tensor,
    *,
    last: bool = False,
    plain: bool | None = None,
) -> None:
    """The least of ``values (..., K, w)`` over K, and the first K that has it: ``least`` and ``index (..., w)``.

    On a CPU, where `torch.min` works on one number at a time, operations on many do it (``plain`` None): what lies
    above the least is blown up, so that adding ``order``, ``(K, 1)``, leaves that of the first of the least as the
    smallest sum. Distances that differ by less than 1e-35 would count as equal: frames whose numbers are near the
    smallest of float32 are not what is searched.

    Args:
        order: 0, 1, 2, ..., for the first; the reverse for the last.
        scratch: as large as ``values``.
        last: give the last K that has it, counted from the end.
    """
    if values.device.type != "cpu" if plain is None else plain:
        found = (values.flip(-2) if last else values).min(dim=-2)
        least.copy_(found.values)
        index.copy_(found.indices)
        return
    torch.amin(values, dim=-2, out=least)
    torch.sub(values, least.unsqueeze(-2), out=scratch)
    torch.add(order, scratch, alpha=torch.finfo(values.dtype).max, out=scratch)
    torch.amin(scratch, dim=-2, out=index)


def without_first_least(values: Tensor) -> Tensor:
    return values.scatter(1, values.argmin(dim=1, keepdim=True), torch.inf)


class Columns:
    """Sums of ``patch`` neighbours along a row of numbers; the buffers and their views are made once.

    The row holds many candidates end to end: sums that reach from one into the next are among the columns that mean
    nothing.
    """

    def __init__(self, like: Tensor, size: int, patch: int) -> None:
        self.source, *spare = like.new_empty((3, size)).unbind(0)
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []
        """First summand, second summand, sum."""
        self._length = size - patch + 1
        sums, reach = self.source, 1
        # The binary digits of ``patch`` from the second on: each doubles the reach, a one adds a column.
        for digit in bin(patch)[3:]:
            size -= reach
            self._steps.append((sums[:size], sums[reach : reach + size], spare[0][:size]))
            sums, reach = spare[0], 2 * reach
            spare.reverse()
            if digit == "1":
                size -= 1
                self._steps.append((sums[:size], self.source[reach : reach + size], sums[:size]))
                reach += 1

    def sum_into(self, out: Tensor) -> None:
        """Sums of the source; ``out`` is as long, its last ``patch - 1`` numbers are left as they are."""
        out = out[: self._length]
        if not self._steps:
            out.copy_(self.source)
            return
        for first, second, total in self._steps[:-1]:
            torch.add(first, second, out=total)
        first, second, _ = self._steps[-1]
        torch.add(first, second, out=out)
