"""A view as a grid of short texts: what Markdown, LaTeX, HTML and the terminal only set, each in its own signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from leaderboards.board import BASELINE, Board, Row
from leaderboards.export.columns import figure, head, text
from leaderboards.export.view import View
from leaderboards.numbers import number, signature, signed
from leaderboards.query import Kind

Intervals = Literal["no", "range", "pm"]
"""Without, as [low, high], or as ± the longer side."""
INTERVALS: tuple[Intervals, ...] = ("no", "range", "pm")


@dataclass(frozen=True)
class Cell:
    """One text of a table and what is to be seen of it."""

    text: str
    mark: Literal["", "best", "second"] = ""
    tone: Literal["", "better", "worse", "hole"] = ""
    interval: str = ""
    """Beside the text: "[30.1, 31.2]" or "± 0.6"."""
    hole: int = 0
    """Number of the reason why there is no figure (:attr:`Grid.holes`), from 1; 0 where there is one."""


@dataclass(frozen=True)
class GridColumn:
    """The head of a column."""

    head: str
    group: str = ""
    """The data set, where a table holds several."""
    left: bool = False
    """Words stand on the left, figures on the right."""


@dataclass(frozen=True)
class GridRow:
    """One model (on one clip, where there is a row for each)."""

    lead: str
    """Its rank; or the clip, where a table has a row for each."""
    model: str
    cells: tuple[Cell, ...]
    baseline: bool = False


@dataclass(frozen=True)
class Grid:
    """One table with all that is to be said under it."""

    title: str
    columns: tuple[GridColumn, ...]
    rows: tuple[GridRow, ...]
    holes: tuple[str, ...]
    """Reasons, by their numbers: that of number 1 first."""
    summary: str
    """Counts, average and protocol, one sentence."""
    signatures: tuple[str, ...]
    """Of the metrics that are shown."""
    notes: tuple[str, ...]
    lead: str = "#"
    """What stands above :attr:`GridRow.lead`; empty where that is not to be printed."""


def grids(
    views: Sequence[View],
    intervals: Intervals = "no",
    one_table: bool = False,
    others: Sequence[Grid] = (),
    paper: bool = False,
) -> list[Grid]:
    """A table per board, or one with the data sets side by side.

    Args:
        views: what is to be shown.
        intervals: beside figures and gains.
        one_table: whether the boards stand in one table.
        others: tables that stand first.
        paper: leave out what is said of metrics without a column, as where columns were named.
    """
    if one_table:
        return [*others, together(views, intervals, paper)]
    return [*others, *(grid(view, intervals, paper=paper) for view in views)]


def grid(view: View, intervals: Intervals = "no", names: Sequence[str] | None = None, paper: bool = False) -> Grid:
    """A board as a table.

    Args:
        view: what is asked for.
        intervals: beside figures and gains.
        names: columns in place of the view's.
        paper: leave out what is said of metrics without a column, as where columns were named.
    """
    shown = tuple(names if names is not None else view.columns)
    holes: dict[str, int] = {}
    rows = tuple(
        GridRow(_rank(row), row.model.name, _cells(view, row, shown, intervals, holes), row.model.name == BASELINE)
        for row in view.board.rows
    )
    return Grid(
        title=view.title,
        columns=tuple(_column(view, name) for name in shown),
        rows=rows,
        holes=tuple(holes),
        summary=summary(view),
        signatures=tuple(signature(metric) for metric in view.metrics),
        notes=_notes(view, intervals, shown, paper),
    )


def together(views: Sequence[View], intervals: Intervals = "no", paper: bool = False) -> Grid:
    """Several boards as one table: a row per model, the data sets side by side; models in the order of their mean place.

    Models that are not on all boards follow those that are. No rank over all is given: the overall board has it.
    """
    holes: dict[str, int] = {}
    models = list(dict.fromkeys(row.model.name for view in views for row in view.board.rows))
    places = {name: [_place(view.board.row(name), view) for view in views] for name in models}
    absent = {name: sum(view.board.row(name) is None for view in views) for name in models}
    models.sort(key=lambda name: (absent[name], sum(places[name]), name))
    rows = []
    for name in models:
        cells: list[Cell] = []
        for view in views:
            row = view.board.row(name)
            cells += _cells(view, row, view.columns, intervals, holes) if row else [Cell("–")] * len(view.columns)
        rows.append(GridRow("", name, tuple(cells), name == BASELINE))
    return Grid(
        title=", ".join(dict.fromkeys(view.board.dataset for view in views)),
        columns=tuple(_column(view, name, _group(view, views)) for view in views for name in view.columns),
        rows=tuple(rows),
        holes=tuple(holes),
        summary=" ".join(f"{_group(view, views)}: {summary(view)}" for view in views),
        signatures=tuple(dict.fromkeys(signature(metric) for view in views for metric in view.metrics)),
        notes=tuple(dict.fromkeys(note for view in views for note in _notes(view, intervals, view.columns, paper))),
        lead="",
    )


def _group(view: View, views: Sequence[View]) -> str:
    board = view.board
    same = [other for other in views if other.board.dataset == board.dataset]
    if len(same) == 1:
        return board.dataset
    if len({other.board.protocol for other in same}) == len(same):
        return f"{board.dataset}, {board.protocol}"
    return f"{board.dataset}, {board.protocol} ({same.index(view) + 1})"


def _place(row: Row | None, view: View) -> float:
    return float(len(view.board.rows) + 1) if row is None or row.place is None else float(row.place)


def _rank(row: Row) -> str:
    return str(row.rank) if row.rank is not None else "–"


def _column(view: View, name: str, group: str = "") -> GridColumn:
    from leaderboards.export.columns import columns

    known = columns([view.board]).get(name)
    return GridColumn(head(name, view.board.metrics), group, left=known is not None and known.kind is Kind.text)


def _cells(view: View, row: Row, names: Sequence[str], intervals: Intervals, holes: dict[str, int]) -> tuple[Cell, ...]:
    values = view.values(row)
    out = []
    for name in names:
        found = view.part(name)
        entry = row.entries.get(found.metric) if found.metric else None
        if entry is None:
            out.append(Cell(text(name, values.get(name), view.names)))
        elif found.part == "" and entry.hole is not None:
            # One sign for one reason; the model is a part of it, since reasons speak of its clips.
            number_ = holes.setdefault(f"{row.model.name}: {entry.hole}", len(holes) + 1)
            out.append(Cell("–", tone="hole", hole=number_))
        else:
            shown = text(name, figure(entry, found.part), view.names)
            if found.part == "worse" and entry.clips_worse is not None:
                shown = f"{entry.clips_worse}/{entry.clips}"
            mark = ("best" if entry.best else "second" if entry.second else "") if found.part == "" else ""
            out.append(Cell(shown, mark, _tone(row, name, view), _interval(row, name, view, intervals)))  # type: ignore[arg-type]
    return tuple(out)


def _tone(row: Row, name: str, view: View) -> str:
    found = view.part(name)
    if not found.metric or not found.part.startswith("gain"):
        return ""
    entry = row.entries[found.metric]
    return "worse" if entry.harm else "better" if entry.better else ""


def _interval(row: Row, name: str, view: View, form: Intervals) -> str:
    found = view.part(name)
    if form == "no" or not found.metric or found.part not in ("", "gain"):
        return ""
    entry = row.entries[found.metric]
    interval = entry.gain_interval if found.part else entry.interval
    middle = entry.gain if found.part else entry.mean
    if interval is None or interval.low is None or interval.high is None or middle is None:
        return ""
    if form == "pm":
        return f"± {number(max(middle - interval.low, interval.high - middle), found.metric)}"
    sign = signed if found.part else number
    return f"[{sign(interval.low, found.metric)}, {sign(interval.high, found.metric)}]"


def summary(view: View) -> str:
    """Counts, average and protocol.

    Frames are those of the whole board, whatever rows are shown.
    """
    board = view.board
    average = "mean over clips" if board.average == "clips" else "mean over all frames"
    text_ = (
        f"{_count(len(board.clips), 'clip')}, {_count(board.frames, 'frame')}, {average}; protocol {board.protocol}."
    )
    return text_ + (f" {_count(view.left_out, 'row')} left out." if view.left_out else "")


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def apart(board: Board) -> str:
    """Why a board is not the main one of its data set, as a sentence; empty where it is."""
    return f"Apart from the main board, because {board.reason}." if board.reason else ""


def _notes(view: View, intervals: Intervals, names: Sequence[str], paper: bool) -> tuple[str, ...]:
    board = view.board
    out = [apart(board)] if board.reason else []
    if intervals != "no":
        out += intervals_note(view, intervals, names)
    out += board.departures
    hidden: set[str] = set()
    if view.chosen or paper:
        # What is said of a metric that was not asked for helps nobody.
        hidden = {c.metric.name for c in board.cells} | set(view.names)
        hidden -= {found.metric for name in names if (found := view.part(name)).metric}
    return (*out, *(note for note in board.notes if note.split(" ", maxsplit=1)[0] not in hidden))


def intervals_note(view: View, form: Intervals, names: Sequence[str]) -> list[str]:
    """How the intervals that are shown were found."""
    shown = {found.metric for name in names if (found := view.part(name)).metric and found.part in ("", "gain")}
    methods = {
        interval.method.partition(",")[0]
        for row in view.board.rows
        for metric in shown
        if metric in row.entries and (interval := row.entries[metric].interval) is not None
    }
    if not methods:
        return []
    what = "± is the longer side of the" if form == "pm" else "In brackets: the"
    return [f"{what} 95 % interval over clips ({'; '.join(sorted(methods))})."]
