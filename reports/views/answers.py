"""The answers in words: who is first on a board, how surely, who cannot be told apart, who harms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaderboards.export import number, signed
from leaderboards.table import BASELINE, Board, Entry, Row
from reports.views.words import count, join, name, names

if TYPE_CHECKING:
    from markupsafe import Markup


def board_answer(board: Board) -> Markup:
    """Two or three sentences on one board."""
    from markupsafe import Markup

    metric = board.primary
    ranked = ranked_rows(board)
    if not ranked:
        return Markup("No model has every figure, so none is ranked.")
    first = ranked[0]
    entry = first.entries[metric.name]
    who = name(first.model.name)
    unit = f" {metric.unit}" if metric.unit else ""
    if entry.gain is None:
        parts = [Markup("{} is first with {}{} {}.").format(who, number(entry.mean, metric.name), unit, metric.name)]
    elif entry.better:
        gain = f"{signed(entry.gain, metric.name)}{unit} {metric.name}"
        parts = [Markup("<strong>{}</strong> is first, {} over doing nothing{}.").format(who, gain, sure(entry))]
    else:
        gain = f"{signed(entry.gain, metric.name)}{unit} {metric.name}"
        return Markup("No model improves on doing nothing; {} comes nearest ({}).").format(who, gain)
    equals = [row.model.name for row in ranked[1:] if row.rank == first.rank]
    if equals:
        parts.append(Markup("These clips cannot tell {} from it.").format(names(equals)))
    harm = [row.model.name for row in ranked if row.entries[metric.name].harm]
    if harm:
        parts.append(Markup("{} made it worse than the input.").format(names(harm)))
    return join(parts)


def ranked_rows(board: Board) -> list[Row]:
    """Rows with a rank, without doing nothing, best first."""
    return [row for row in board.rows if row.rank is not None and row.model.name != BASELINE]


def sure(entry: Entry) -> str:
    """How sure the gain is, as far as the number of clips allows to say; empty if it is."""
    interval = entry.gain_interval
    if interval is None or interval.low is None or interval.high is None:
        return f" (on {count(entry.clips, 'clip')}: too few for an interval)"
    if interval.low <= 0 <= interval.high:
        return " on average, but not surely: the 95 % interval of the gain holds zero"
    return ""
