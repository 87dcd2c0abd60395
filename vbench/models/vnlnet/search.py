"""The non-local patch search of VNLnet: for every pixel its most similar patch in each frame around it.

Exact: every candidate is measured, and of equal ones the first in scan order is taken. Source: Davy et al.,
"Non-Local Video Denoising by CNN" (ICIP 2019); the definition is that of axeldavy/vnlnet's kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError

AT_ONCE = {"cpu": 2**16, "cuda": 2**21}
"""Numbers that one operation works on. On the CPU a row of them stays in the second-level cache, and is long enough
to hide the cost of calling an operation; a GPU needs more to be busy. About ``patch + 7`` such rows are held."""

WIDEST = 181
"""Pixels across the widest search window."""


class Matches(NamedTuple):
    """The best patch for each patch of a frame, in N other frames: tensors ``(N, h - P + 1, w - P + 1)``."""

    dy: Tensor
    """Rows from the query's corner to that of its match, int16."""
    dx: Tensor
    """Columns likewise."""
    distance: Tensor
    """Sum of squared differences over the patch, in the squared units of the frames."""
    second: Tensor | None = None
    """The least distance of all other candidates, where it was asked for; infinite where there is none."""


@dataclass(frozen=True)
class Window:
    """What is compared and where: patches of ``patch`` x ``patch`` pixels, ``search`` x ``search`` candidates.

    Example:
        >>> Window(41, 41).offsets, Window(5, 8).offsets
        (range(-20, 21), range(-4, 4))
    """

    patch: int = 41
    search: int = 41

    def __post_init__(self) -> None:
        # Candidates are numbered in 16 bits.
        if self.patch < 1 or not 1 <= self.search <= WIDEST:
            raise InputError(
                f"The patch is {self.patch} and the search window {self.search} pixels wide; both are at least 1, and "
                f"the window at most {WIDEST}."
            )

    @property
    def offsets(self) -> range:
        """Offsets of the candidates along one axis, in scan order."""
        first = -self.search + (self.search + 1) // 2
        return range(first, first + self.search)


@torch.no_grad()
@torch.compiler.disable  # type: ignore[untyped-decorator]  # loops over rows and candidates: unrolled into a graph they would never end
def match(queries: Tensor, others: Tensor, window: Window, *, second: bool = False) -> Matches:
    """The best patch of ``others[n]`` for every patch of ``queries[n]``.

    Candidates lie wholly inside the frame. They are scanned row by row, and a later one must be strictly nearer.
    Differences are squared and summed in the frames' own type, by additions of positive numbers alone: in float32
    a distance is right to about one part in a million, and exact for whole numbers while it is below 2**24.

    Args:
        queries: ``(N, h, w)``, or ``(1, h, w)`` for all; float32 or float64.
        others: ``(N, h, w)``, of the same type.
        second: also give the distance of the second best, which shows how clear the choice is.

    Raises:
        InputError: frames smaller than a patch, of differing sizes or types, or with values not finite or huge.

    Example:
        >>> frames = torch.rand(1, 12, 16)
        >>> found = match(frames, frames.roll(2, dims=2), Window(3, 5))
        >>> found.dx[0, 4, 2:6].tolist(), found.dy[0, 4, 2:6].tolist()
        ([2, 2, 2, 2], [0, 0, 0, 0])
    """
    return _search(queries, others, window, second=second, back=False)[0]


@torch.no_grad()
@torch.compiler.disable  # type: ignore[untyped-decorator]
def match_both(queries: Tensor, others: Tensor, window: Window) -> tuple[Matches, Matches]:
    """`match` of ``queries`` in ``others``, and of ``others`` in ``queries``, for little more than the price of one.

    The patches at p and p + d are as far from each other as those at p + d and p: sums are made once for both, which
    is most of the work. Even search windows are not symmetric, and are searched twice; so are patches of less than
    half the search window.
    """
    if window.search % 2 == 0 or window.patch <= window.search // 2:
        return match(queries, others, window), match(others, queries.expand_as(others), window)
    forth, back = _search(queries, others, window, second=False, back=True)
    assert back is not None  # noqa: S101 - asked for
    return forth, back


def _search(
    queries: Tensor, others: Tensor, window: Window, *, second: bool, back: bool
) -> tuple[Matches, Matches | None]:
    _check(queries, others, window)
    if others.is_meta:  # asked for shapes alone (`vbench.multiply_adds`)
        return _Best(others, window).matches(), _Best(others, window).matches() if back else None
    count, _, width = others.shape
    limit = AT_ONCE.get(others.device.type, AT_ONCE["cuda"])
    frames_at_once = max(1, min(count, limit // (window.search * width)))
    lines_at_once = max(1, min(window.search, limit // (window.search * width * frames_at_once)))
    forth = _Best(others, window)
    returned = _Best(others, window) if back else None
    next_best = forth.distance.clone() if second else None
    for n in range(0, count, frames_at_once):
        chosen = slice(n, n + frames_at_once)
        scan = _Scan(queries if len(queries) == 1 else queries[chosen], others[chosen], window)
        for line in range(0, window.search, lines_at_once):
            lines = range(line, min(line + lines_at_once, window.search))
            found = scan.scan(lines, second, back)
            if next_best is not None and found.second is not None:
                # Of the two best so far and the two best of these lines, the second.
                loser = torch.maximum(forth.distance[:, chosen], found.least)
                next_best[:, chosen] = torch.minimum(torch.minimum(next_best[:, chosen], found.second), loser)
            forth.take(chosen, found.least, found.index, line)
            if returned is not None:
                returned.take_back(chosen, found, lines)
    return forth.matches(next_best), None if returned is None else returned.matches()


class _Best:
    """The best of the candidates so far: distances and places in scan order, ``(h - P + 1, N, w - P + 1)``."""

    def __init__(self, frames: Tensor, window: Window) -> None:
        count, height, width = frames.shape
        shape = (height - window.patch + 1, count, width - window.patch + 1)
        self._window = window
        self.distance = frames.new_full(shape, torch.inf)
        self._place = torch.zeros(shape, dtype=torch.int16, device=frames.device)

    def take(self, chosen: slice, least: Tensor, index: Tensor, line: int) -> None:
        """What lines from ``line`` on gave, where it is strictly nearer: lines come in scan order."""
        held, place = self.distance[:, chosen], self._place[:, chosen]
        nearer = least < held
        held.copy_(torch.where(nearer, least, held))
        place.copy_(torch.where(nearer, index.to(torch.int16) + line * self._window.search, place))

    def take_back(self, chosen: slice, found: _Found, lines: range) -> None:
        """What lines gave on the way back: there they come in reverse order, so of equal ones the later is taken."""
        search, rows = self._window.search, len(self.distance)
        for i, line in enumerate(lines):
            dy = self._window.offsets[line]
            if abs(dy) >= rows:
                continue  # in so low a frame no patch has one so far away
            from_rows = slice(max(0, -dy), rows - max(0, dy))
            to_rows = slice(max(0, dy), rows - max(0, -dy))
            held, place = self.distance[to_rows, chosen], self._place[to_rows, chosen]
            least, index = found.least_back[from_rows, :, i], found.index_back[from_rows, :, i]
            nearer = least <= held
            held.copy_(torch.where(nearer, least, held))
            place.copy_(torch.where(nearer, index.to(torch.int16) + (search - 1 - line) * search, place))

    def matches(self, second: Tensor | None = None) -> Matches:
        """As displacements, frames first."""
        place, first = self._place.permute(1, 0, 2), self._window.offsets[0]
        return Matches(
            place.div(self._window.search, rounding_mode="floor") + first,
            place.remainder(self._window.search) + first,
            self.distance.permute(1, 0, 2),
            None if second is None else second.permute(1, 0, 2),
        )


@dataclass(frozen=True)
class _Found:
    """What some lines of the search window gave: least distances, and which candidates have them, in scan order.

    Each ``(h - P + 1, N, w - P + 1)``; on the way back ``(h - P + 1, N, lines, w - P + 1)``, by the rows of the frame
    searched in. Where all is infinite, which one it is has no meaning.
    """

    least: Tensor
    index: Tensor
    second: Tensor | None
    least_back: Tensor
    index_back: Tensor


class _Scan:
    """Some frames against some others: everything that is held while the search window is scanned.

    A sum over ``patch`` rows is what remains of one block of ``patch`` rows and what has begun of the next (van
    Herk's scheme): two additions for each number and none that cancels, which a running sum would need. Along a
    row sums of some columns are doubled, see `_Columns`.
    """

    def __init__(self, queries: Tensor, others: Tensor, window: Window) -> None:
        offsets = window.offsets
        self._window = window
        self._height, self._width = others.shape[1:]
        self._queries = queries[:, None, None].unbind(3)
        # What lies outside the frame is infinitely far from everything, and so is every patch that touches it.
        self._padded = functional.pad(others, (-offsets[0], offsets[-1]) * 2, value=torch.inf)
        self._lines = 0

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
        self._columns = _Columns(like, size, patch)
        self._source = self._columns.source.view(shape)
        self._sums = like.new_zeros(size)
        self._scratch = like.new_empty(size)
        self._order = torch.arange(lines * search, dtype=like.dtype, device=like.device)[:, None]
        self._order_back = self._order[:search].flip(0)

    def scan(self, lines: range, second: bool, back: bool) -> _Found:
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
                torch.amin(_without_first_least(sums), dim=1, out=runner_up[y])
            if back:
                outside.fill_(torch.inf)
                first_least(skewed, self._order_back, least_back[y], index_back[y], scratch_back, last=True)
        return _Found(
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


def _without_first_least(values: Tensor) -> Tensor:
    return values.scatter(1, values.argmin(dim=1, keepdim=True), torch.inf)


class _Columns:
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


class PatchSearch(nn.Module):
    """The search as the first layer of VNLnet: no weights, only settings.

    Args:
        window: patch and search window.
        past: frames before the query frame.
        future: frames after it.
    """

    precision: Tensor

    def __init__(self, window: Window | None = None, past: int = 7, future: int = 7) -> None:
        super().__init__()
        if min(past, future) < 0:
            raise InputError(f"The search was asked for {past} past and {future} future frames; neither is below 0.")
        self.window = window or Window()
        self.past = past
        self.future = future
        # Not stored: it follows `.double()` and `.to(device)`, and says in what and where distances are summed.
        self.register_buffer("precision", torch.zeros(()), persistent=False)

    def forward(self, video: Tensor, centre: int, second: bool = False) -> Matches:
        """The best patch in each frame from ``past`` before ``centre`` to ``future`` after it, in this order.

        The query frame is its own match, without a search.

        Args:
            video: gray, ``(T, h, w)``.
            centre: index of the query frame.
            second: as for `match`.

        Raises:
            InputError: the video has too few frames around ``centre``, or `match` says so.
        """
        if video.ndim != 3 or not self.past <= centre < len(video) - self.future:
            raise InputError(
                f"The search around frame {centre} takes {self.past} frames before it and {self.future} after; the "
                f"video given has shape {tuple(video.shape)} (frames, height, width)."
            )
        video = video.to(self.precision)
        others = torch.cat((video[centre - self.past : centre], video[centre + 1 : centre + 1 + self.future]))
        found = match(video[centre : centre + 1], others, self.window, second=second)
        rows, columns = (size - self.window.patch + 1 for size in video.shape[1:])
        own = torch.zeros((1, rows, columns), device=video.device)

        def around(values: Tensor, own: Tensor) -> Tensor:
            return torch.cat((values[: self.past], own.to(values.dtype), values[self.past :]))

        return Matches(
            around(found.dy, own),
            around(found.dx, own),
            around(found.distance, own),
            None if found.second is None else around(found.second, own + torch.inf),
        )


def centres(dy: Tensor, dx: Tensor, shape: tuple[int, int], patch: int, width: int = 1) -> Tensor:
    """Where in a frame of ``shape`` (h, w) the matches are, as ``y * w + x``, int64 ``(N, h - P + 1, w - P + 1)``.

    The pixel is the centre of the patch (``width`` 1), or the corner of the ``width`` x ``width`` pixels around it.
    """
    rows, columns = dy.shape[1:]
    y = torch.arange(rows, device=dy.device)[:, None] + dy
    x = torch.arange(columns, device=dx.device) + dx
    inside = (patch - width) // 2
    return (y + inside) * shape[1] + x + inside


def gather(frames: Tensor, at: Tensor) -> Tensor:
    """The values of ``frames[n]`` at the positions ``at[n]``.

    Args:
        frames: ``(N, C, h, w)``, those searched or others of their size (the colour ones).
        at: ``(N, rows, columns)``, from `centres`.

    Returns:
        ``(N, C, rows, columns)``.
    """
    flat = at.flatten(1)[:, None].expand(-1, frames.shape[1], -1)
    return frames.flatten(2).gather(2, flat).view(*frames.shape[:2], *at.shape[1:])


def _check(queries: Tensor, others: Tensor, window: Window) -> None:
    if others.ndim != 3 or queries.shape[1:] != others.shape[1:] or len(queries) not in (1, len(others)):
        raise InputError(
            f"The patch search was given frames of {tuple(queries.shape)} and {tuple(others.shape)}; it takes "
            "(N, height, width) twice, the first with N or 1."
        )
    if queries.dtype != others.dtype or others.dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"The patch search was given frames of {queries.dtype} and {others.dtype}; both are to be of one type, "
            "float32 or float64."
        )
    height, width = others.shape[1:]
    if min(height, width) < window.patch:
        raise InputError(
            f"The frames are {width} x {height} pixels, smaller than a patch of {window.patch} x {window.patch}; "
            "pad them first."
        )
    for frames in (queries, others):
        peak = float(frames.abs().amax()) if len(frames) else 0.0
        if not (2 * window.patch * peak) ** 2 < torch.finfo(frames.dtype).max:
            raise InputError(
                f"The largest value of the frames is {peak:.3g}: it is no number, or so large that distances of patches "
                "overflow. Frames of up to 1, or 255, are expected."
            )
