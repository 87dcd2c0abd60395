"""Boards as data frames, for CSV, Parquet and tables of one's own: figures in full precision, one kind per column."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from leaderboards.board import Board, Entry, Row
from leaderboards.export.columns import columns
from leaderboards.export.view import View
from leaderboards.numbers import signature
from leaderboards.query import Column, Kind, ordered, parse, split_names

if TYPE_CHECKING:
    import pandas as pd

    from leaderboards.export.grid import Grid

_INTEGERS = frozenset({
    "rank", "place", "clips", "frames", "clips_worse", "memory", "memory_bytes", "parameters", "worse",
})  # fmt: skip
LONG: dict[str, Column] = {
    **{name: Column(Kind.text) for name in (
        "dataset", "clip", "model", "metric", "unit", "direction", "status", "error", "convention", "protocol", "device",
        "precision", "data_sha256", "weights_sha256",
    )},
    "value": Column(), "gain": Column(), "frames": Column(), "seconds_per_frame": Column(unit="s", higher=False),
}  # fmt: skip
"""Columns of :func:`long`."""


def tidy(views: Sequence[View]) -> pd.DataFrame:
    """One line per data set, model and metric, with everything that a board says of a figure.

    Numbers are float64 (NaN where there is none, infinite where they are); counts are whole numbers that may be missing.
    """
    return _frame([_line(view.board, row, name, e) for view in views for row in view.board.rows
                   for name, e in row.entries.items() if not view.chosen or name in {m.name for m in view.metrics}],
                  list(_line_columns()))  # fmt: skip


def _line_columns() -> tuple[str, ...]:
    return (
        "dataset", "protocol", "model", "rank", "place", "metric", "unit", "direction", "mean", "low95", "high95", "interval",
        "gain_over_identity", "clips", "frames", "hole", "apart_because", "seconds_per_frame", "memory_bytes", "gain_low95",
        "gain_high95", "clips_worse", "worst_clip", "reported", "reported_difference", "device", "precision", "weights_sha256",
        "signature",
    )  # fmt: skip


def _line(board: Board, row: Row, name: str, e: Entry) -> list[Any]:
    facts = next(m for m in board.metrics if m.name == name)
    interval, gain = e.interval, e.gain_interval
    return [
        board.dataset, board.protocol, row.model.name, row.rank, row.place, name, facts.unit, facts.direction, e.mean,
        interval.low if interval else None, interval.high if interval else None, interval.method if interval else None,
        e.gain, e.clips, e.frames, e.hole, board.reason, row.seconds_per_frame, row.memory_bytes, gain.low if gain else None,
        gain.high if gain else None, e.clips_worse, e.worst_clip.clip if e.worst_clip else None, e.reported,
        e.reported_difference, row.device, row.precision, row.model.weights_sha256, signature(facts),
    ]  # fmt: skip


def wide(views: Sequence[View]) -> pd.DataFrame:
    """One line per data set and model: data set, protocol, model, and the columns that were asked for.

    Where rows stand apart from the main board of their data set (another convention, other data), ``apart`` says why, asked for
    or not: as lines of one table nothing else would keep them from being ranked with the others.
    """
    first = ["dataset", "protocol", *(["apart"] if any(view.board.reason for view in views) else []), "model"]
    names = list(dict.fromkeys([*first, *(name for view in views for name in view.columns)]))
    known = columns([view.board for view in views])
    rows = [[view.values(row).get(name) for name in names] for view in views for row in view.board.rows]
    return _frame(rows, names, {name: known[name].kind for name in names})


def long(
    boards: Iterable[Board], where: str | None = None, sort: str | None = None, names: str | None = None
) -> pd.DataFrame:
    """One line per clip, model and metric of the boards: every figure, and every failure with its reason.

    ``gain`` is the figure minus that of identity on the clip, with the metric's own sign.

    Args:
        boards: made from cells (:attr:`leaderboards.board.Board.cells`).
        where: which lines, over the columns of :data:`LONG`.
        sort: in which order.
        names: which columns.

    Raises:
        leaderboards.query.QueryError: a column is not there, or an expression cannot be read.
    """
    from leaderboards.query import check_columns

    chosen = split_names(names) if names is not None else list(LONG)
    check_columns(chosen, LONG)
    wanted = parse(where).bind(LONG) if where is not None else lambda row: True
    lines = [line for board in boards for line in _figures(board) if wanted(line)]
    if sort is not None:
        lines = ordered([(line, line) for line in lines], split_names(sort), LONG)
    if not lines and where is not None:
        raise ValueError(f'No figure fits "{where}". Without it all are there.')
    return _frame([[line[name] for name in chosen] for line in lines], chosen, {k: LONG[k].kind for k in chosen})


def _figures(board: Board) -> Iterable[dict[str, Any]]:
    for c in board.cells:
        row = board.row(c.model)
        entry = row.entries.get(c.metric.name) if row else None
        base = board.row("identity")
        other = base.entries.get(c.metric.name) if base and c.model != "identity" else None
        below = other.by_clip.get(c.clip) if other else None
        gain = None
        if entry is not None and below is not None and c.value is not None:
            gain = 0.0 if c.value == below else c.value - below
        yield {
            "dataset": c.dataset, "clip": c.clip, "model": c.model, "metric": c.metric.name, "unit": c.metric.unit,
            "direction": c.metric.direction, "value": c.value, "gain": gain, "status": c.status, "error": c.error,
            "convention": c.convention, "protocol": c.protocol, "frames": float(len(c.frames)),
            "seconds_per_frame": c.cost.seconds / c.cost.frames if c.cost and c.cost.frames else None,
            "device": c.device, "precision": c.precision, "data_sha256": c.data_sha256,
            "weights_sha256": c.model_facts.weights_sha256,
        }  # fmt: skip


def _frame(rows: Sequence[Sequence[Any]], names: Sequence[str], kinds: dict[str, Kind] | None = None) -> pd.DataFrame:
    import pandas as pd

    out = pd.DataFrame(list(rows), columns=list(names), dtype=object)
    for name in names:
        kind = (kinds or {}).get(name, _KINDS.get(name, Kind.number))
        if name.partition(".")[0] in _INTEGERS and kind is Kind.number:
            out[name] = out[name].astype("Int64")
        elif kind is Kind.number:
            out[name] = out[name].astype("float64")
        elif kind is Kind.truth:
            out[name] = out[name].astype("boolean")
        else:
            out[name] = out[name].astype("string")
    return out


_KINDS = dict.fromkeys(
    ("dataset", "protocol", "model", "metric", "unit", "direction", "interval", "hole", "apart_because", "worst_clip", "device",
     "precision", "weights_sha256", "signature"),
    Kind.text,
)  # fmt: skip


def csv(table: pd.DataFrame) -> str:
    """A frame as CSV: figures in full precision, infinity as "inf", nothing where there is nothing."""
    import csv as csv_

    out = io.StringIO()
    writer = csv_.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.astype(object).itertuples(index=False):
        writer.writerow(["" if _nothing(value) else _plain(value) for value in row])
    return out.getvalue()


def _nothing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)


def parquet(table: pd.DataFrame) -> bytes:
    """A frame as Parquet; ``pandas.read_parquet`` gives it back as it was."""
    out = io.BytesIO()
    table.to_parquet(out, index=False, engine="pyarrow", compression="zstd")
    return out.getvalue()


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as JSON objects: infinity as the string "inf", null where there is nothing."""
    return [
        {str(k): None if _nothing(v) else _json(v) for k, v in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def _json(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def frame_grid(table: pd.DataFrame) -> Grid:
    """A frame as a grid for Markdown and HTML: figures in full precision."""
    from leaderboards.export.grid import Cell, Grid, GridColumn, GridRow

    names = [str(name) for name in table.columns if name != "model"]
    lines = table.astype(object).to_dict("records")
    return Grid(
        title="Figures by clip",
        columns=tuple(GridColumn(n, left=LONG[n].kind is Kind.text if n in LONG else False) for n in names),
        rows=tuple(
            GridRow(
                "", "" if _nothing(line.get("model")) else str(line["model"]),
                tuple(Cell("–" if _nothing(line[n]) else _plain(line[n])) for n in names),
            )
            for line in lines
        ),
        holes=(), summary=f"{len(lines)} figures.", signatures=(), notes=(), lead="",
    )  # fmt: skip
