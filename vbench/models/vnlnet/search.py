"""The non-local patch search of VNLnet: for every pixel its most similar patch in each frame around it.

Exact: every candidate is measured, and of equal ones the first in scan order is taken. By rows (`rows`), or on a CUDA GPU by
whole planes (`planes`): of whole numbers both find the same, else they add in another order. Source: Davy et al.,
"Non-Local Video Denoising by CNN" (ICIP 2019); the definition is that of axeldavy/vnlnet's kernel.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vbench.errors import InputError
from vbench.models.vnlnet.planes import Planes
from vbench.models.vnlnet.rows import Found, Rows
from vbench.models.vnlnet.window import Window

__all__ = ["Matches", "PatchSearch", "Window", "centres", "gather", "match", "match_both"]


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
    queries: Tensor, others: Tensor, window: Window, *, second: bool, back: bool, planes: bool | None = None
) -> tuple[Matches, Matches | None]:
    """Both ways, where ``back``; by whole planes or by rows, None for what suits the device."""
    peak = _check(queries, others, window)
    if others.is_meta:  # asked for shapes alone (`vbench.multiply_adds`)
        return _Best(others, window).matches(), _Best(others, window).matches() if back else None
    if planes is None:
        planes = others.device.type == "cuda"
    # What is outside of frames with values so large could not be told from them in a plane.
    kind = Planes if planes and peak <= Planes.highest(window, others.dtype) else Rows
    return _scanned(kind, queries, others, window, second=second, back=back)


def _scanned(
    kind: type[Rows | Planes], queries: Tensor, others: Tensor, window: Window, *, second: bool, back: bool
) -> tuple[Matches, Matches | None]:
    forth = _Best(others, window)
    returned = _Best(others, window) if back else None
    next_best = forth.distance.clone() if second else None
    frames_at_once, lines_at_once = kind.at_once(others, window)
    for n in range(0, len(others), frames_at_once):
        chosen = slice(n, n + frames_at_once)
        scan = kind(queries if len(queries) == 1 else queries[chosen], others[chosen], window)
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
        _choose(least < held, held, place, least, index, line * self._window.search)

    def take_back(self, chosen: slice, found: Found, lines: range) -> None:
        """What lines gave on the way back: there they come in reverse order, so of equal ones the later is taken."""
        search, rows = self._window.search, len(self.distance)
        if found.together:
            held, place = self.distance[:, chosen], self._place[:, chosen]
            least, index = found.least_back, found.index_back
            _choose(least <= held, held, place, least, index, (search - lines.stop) * search)
            return
        for i, line in enumerate(lines):
            dy = self._window.offsets[line]
            if abs(dy) >= rows:
                continue  # in so low a frame no patch has one so far away
            from_rows = slice(max(0, -dy), rows - max(0, dy))
            to_rows = slice(max(0, dy), rows - max(0, -dy))
            held, place = self.distance[to_rows, chosen], self._place[to_rows, chosen]
            least, index = found.least_back[from_rows, :, i], found.index_back[from_rows, :, i]
            _choose(least <= held, held, place, least, index, (search - 1 - line) * search)

    def matches(self, second: Tensor | None = None) -> Matches:
        """As displacements, frames first."""
        place, first = self._place.permute(1, 0, 2), self._window.offsets[0]
        return Matches(
            place.div(self._window.search, rounding_mode="floor") + first,
            place.remainder(self._window.search) + first,
            self.distance.permute(1, 0, 2),
            None if second is None else second.permute(1, 0, 2),
        )


def _choose(nearer: Tensor, held: Tensor, place: Tensor, least: Tensor, index: Tensor, first: int) -> None:
    """Hold what is nearer, and its place: ``index`` counted from ``first``."""
    torch.where(nearer, least, held, out=held)
    torch.where(nearer, index.to(torch.int16).add_(first), place, out=place)


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


def _check(queries: Tensor, others: Tensor, window: Window) -> float:
    """The largest value of all frames, if they can be searched."""
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
    # One number, asked for once: a GPU comes to a halt for it.
    peaks = [frames.abs().amax() for frames in (queries, others) if len(frames)]
    peak = float(torch.stack(peaks).amax()) if peaks else 0.0
    if not (2 * window.patch * peak) ** 2 < torch.finfo(others.dtype).max:
        raise InputError(
            f"The largest value of the frames is {peak:.3g}: it is no number, or so large that distances of patches "
            "overflow. Frames of up to 1, or 255, are expected."
        )
    return peak
