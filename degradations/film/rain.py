"""Rain: short streaks along the film, each in one frame only; and what they share with scratches that last."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from degradations.film.common import Double, Float, scatter
from degradations.film.marks import Canvas, Index, between, pieces, table
from degradations.film.tensors import sent

FAINTEST = 0.02
"""Coverage below which a scratch is not seen."""


class Streaks(NamedTuple):
    """The rain of one frame, one number of each streak: where it begins, how long it is, its column there and how many columns
    it leans per row, its width, its contrast; and the beads of all of them, one streak after the other (see `beaded`)."""

    top: Double
    length: Double
    x: Double
    lean: Double
    thin: Double
    contrast: Float
    beads: Double

    @property
    def rows(self) -> Index:
        """In how many rows each may be seen."""
        return np.ceil(self.length).astype(np.intp) + 1


def rain(frame: Float, cover: Float, streaks: Streaks, scale: float) -> None:
    """Lay the streaks of one frame onto it, in place, and their coverage onto the mask."""
    if not len(streaks.top):
        return
    height, width = cover.shape
    # All streaks at once, row by row: which streak a row belongs to, and the how manieth row of it.
    rows = streaks.rows
    which = np.repeat(np.arange(len(rows)), rows)
    down = np.arange(len(which)) - np.repeat(np.cumsum(rows) - rows, rows)
    row = np.floor(streaks.top).astype(np.intp)[which] + down
    inside = (row >= 0) & (row < height)
    which, row, down = which[inside], row[inside], down[inside]
    beads = beaded(np.arange(len(inside)), scale, streaks.beads)[inside]
    half = _half(streaks.thin)
    top, length, x, lean, thin = (values[which] for values in (streaks.top % 1, *streaks[1:5]))
    left, share = _profiles(np, np.arange(-half, half + 1, dtype=np.float32), down, beads, top, length, x, lean, thin)
    columns = left[:, None].astype(np.intp) + np.arange(-half, half + 1)
    seen = (share > FAINTEST) & (columns >= 0) & (columns < width)
    index = (row[:, None] * width + columns)[seen]
    contrast = np.broadcast_to(streaks.contrast[which][:, None], share.shape)[seen]
    scatter(frame, cover, index, share[seen], share[seen] * contrast)


def rain_on(canvas: Canvas, drawn: list[Streaks], scale: float) -> None:
    """:func:`rain` of all frames of a canvas at once."""
    counts = [len(streaks.top) for streaks in drawn]
    if not any(counts):
        return
    frame = np.repeat(np.arange(len(drawn)), counts)
    top, length, x, lean, thin, contrast, beads = (np.concatenate(values) for values in zip(*drawn, strict=True))
    rows = np.concatenate([streaks.rows for streaks in drawn])
    # Beads run on from each streak to the next one of the frame, over the rows of all: where each streak begins.
    bead = np.concatenate([np.cumsum(streaks.rows) - streaks.rows for streaks in drawn])
    first = np.repeat(np.cumsum([0, *(len(streaks.beads) for streaks in drawn[:-1])]), counts)
    order = np.argsort(contrast > 0, kind="stable")  # dark ones first
    knots, half = sent(torch.from_numpy(beads), canvas.device)[None], _half(thin)
    steps = torch.arange(-half, half + 1, device=canvas.device)
    for piece in pieces(rows[order] * len(steps)):
        some = order[piece]
        count = rows[some]
        whole, real = table(
            [count, np.cumsum(count) - count, frame[some], np.floor(top[some]), bead[some], first[some]],
            [values[some] for values in (top % 1, length, x, lean, thin, contrast)],
            canvas.device,
        )
        total = int(count.sum())
        which = torch.repeat_interleave(whole[0], output_size=total)
        begin, number, above, along, knot = whole[1:].index_select(1, which)
        *lines, depth = real.index_select(1, which)
        down = torch.arange(total, device=canvas.device) - begin
        beading = uneven(between(knots, (down + along).double()[None] / (2 * scale), knot))[0]
        left, share = _profiles(torch, steps.float(), down, beading, *lines)
        place, inside = canvas.places(number[:, None], (above + down)[:, None], left.long()[:, None] + steps)
        share = share * (inside & (share > FAINTEST))
        dark = int(count[contrast[some] < 0].sum()) * len(steps)
        canvas.scatter(place.flatten(), share.flatten(), (share * depth.float()[:, None]).flatten(), dark)


def _half(thin: Double) -> int:
    """How many columns beside its middle the widest streak reaches."""
    return int(np.ceil(0.93 * thin.max())) + 1


def _profiles(
    xp: Any, steps: Any, down: Any, beading: Any, top: Any, length: Any, x: Any, lean: Any, thin: Any
) -> tuple[Any, Any]:
    """The rows of streaks of rain, ``(n,)``: the columns that their middles lie in, and the coverage ``(n, w)`` of the
    columns at ``steps`` ``(w,)`` from there. By NumPy or by torch (``xp``), of arrays of either.

    Of each row: the how manieth it is of its streak, how uneven that is there, where in its first row the streak begins, and
    the streak's length, column at its beginning, lean and width.
    """
    along = (down + 0.5 - top) / length
    strength = xp.sqrt(xp.sin(np.pi * along.clip(0, 1)).clip(0)) * beading
    middle = x + lean * down
    left = xp.floor(middle)

    def column(values: Any) -> Any:
        return xp.asarray(values, dtype=xp.float32)[:, None]

    return left, bell(steps + column(left + 0.5 - middle), column(thin)) * column(strength)


def beads_of(count: int, scale: float, g: np.random.Generator) -> Double:
    """What `beaded` wants for this many rows."""
    return np.sqrt(g.random(int(count / (2 * scale)) + 3))


def beaded(rows: Index, scale: float, beads: Double) -> Double:
    """Fine unevenness along a scratch, 0.3 to 1, new every two rows or so: the film jumps under what scratches it."""
    return np.asarray(uneven(np.interp(rows / (2 * scale), np.arange(len(beads)), beads)))


def uneven(beads: Any) -> Any:
    """Strength, 0.3 to 1, of beads from 0 to 1: of NumPy or of torch."""
    return 0.3 + 0.7 * beads


def bell(apart: Any, width: Any) -> Any:
    """Profile across a scratch of this full width at half depth, 1 in the middle and 0 beyond: of NumPy or of torch.

    ``(1 - u^2)^2`` with u of 1 at 0.924 widths, which is half at half the width.
    """
    u = apart / (0.9239 * width)
    inside = (1 - u * u).clip(0)
    return inside * inside
