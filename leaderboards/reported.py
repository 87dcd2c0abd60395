"""Figures that papers and repositories print, beside our own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from leaderboards.board import Board, Reported

if TYPE_CHECKING:
    from leaderboards.published import Published


def with_reported(board: Board, figures: Iterable[Published]) -> Board:
    """A board with the printed figures of the set that its data are, under its protocol; the same board if there are none.

    A figure stands beside a row if its source means the same network with the same weights (:attr:`Published.model`) and its
    metric is a column. Of several the first by kind is chosen, a paper's before a README's, and all stand in
    :attr:`Board.reported`. Figures of other systems are :attr:`Board.reported_only`. Neither has a rank here: they were not
    measured by this code.

    Args:
        figures: :func:`leaderboards.published.figures`.
    """
    from leaderboards.published import KINDS

    if board.published is None:
        return board
    name = board.protocol.split("@", maxsplit=1)[0]
    own = [one for one in figures if one.protocol == name and one.set == board.published and one.clip is None]
    if not own:
        return board
    order = list(KINDS)
    own.sort(key=lambda one: order.index(one.kind))
    reported = [
        Reported(one.model or one.system, one.metric, one.value, one.words, one.kind, one.set, one.system)
        for one in own
    ]
    ours = {row.model.name for row in board.rows}
    rows = []
    for row in board.rows:
        entries = dict(row.entries)
        for metric, entry in row.entries.items():
            found = next((r for r in reported if r.model == row.model.name and r.metric == metric), None)
            if found is not None:
                entries[metric] = replace(
                    entry,
                    reported=found.value,
                    reported_source=found.source,
                    reported_difference=None if entry.mean is None else entry.mean - found.value,
                )
        rows.append(replace(row, entries=entries))
    return replace(
        board,
        rows=tuple(rows),
        reported=tuple(reported),
        reported_only=tuple(r for r in reported if r.model not in ours),
    )
