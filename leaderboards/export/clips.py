"""A board clip by clip: a row for each clip and model, with the figures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from leaderboards.board import BASELINE, Board, Row
from leaderboards.export.columns import head, text
from leaderboards.export.grid import Cell as Text
from leaderboards.export.grid import Grid, GridColumn, GridRow
from leaderboards.export.view import Asked, request
from leaderboards.numbers import signature
from leaderboards.query import Column, Kind, ordered
from leaderboards.query_parser import Value
from leaderboards.results import DatasetInfo
from leaderboards.schema import Cell


def clip_columns(boards: Sequence[Board]) -> dict[str, Column]:
    """What there is of a model on a clip: clip, model, frames, cost, and every metric with its gain."""
    out = {name: Column(Kind.text) for name in ("dataset", "protocol", "clip", "model", "device", "precision")}
    out |= {"frames": Column(), "seconds_per_frame": Column(unit="s", higher=False)}
    for board in boards:
        for metric in board.metrics:
            kind = Column(unit=metric.unit, higher=metric.direction == "higher")
            out |= {metric.name: kind, f"gain.{metric.name}": kind}
        out.setdefault("gain", out[f"gain.{board.primary.name}"])
    return out


def clip_grids(
    boards: Sequence[Board], asked: Asked | None = None, infos: Mapping[str, DatasetInfo] | None = None
) -> list[Grid]:
    """Every board that was asked for as a table with a row for each clip and model; boards without such a row are left out.

    Rows stand by clip, then by the model's place, unless an order was asked for. A figure that is missing is a dash.

    Raises:
        leaderboards.query.QueryError: a data set, protocol or column is not there, or the expression cannot be read.
        ValueError: no row fits.
    """
    asked = asked or Asked()
    infos = infos or {}
    kept, known, names, by, wanted = request(boards, asked, infos, clip_columns)
    out = []
    for board in kept:
        cells = by_clip(board)
        rows = [
            values
            for clip in board.clips
            for row in board.rows
            if wanted(values := clip_values(board, row, clip, cells.get((row.model.name, clip), ())))
        ]
        if rows:
            shown = names or [*(m.name for m in board.metrics), f"gain.{board.primary.name}", "seconds_per_frame"]
            rows = ordered([(row, row) for row in rows], by, known) if by else rows
            out.append(_grid(board, rows, [n for n in shown if n not in ("clip", "model")], known, infos))
    if not out and asked.where is not None:
        raise ValueError(f'No row fits "{asked.where}". Without it all rows are there.')
    return out


def by_clip(board: Board) -> dict[tuple[str, str], list[Cell]]:
    """The cells of a board by model and clip."""
    out: dict[tuple[str, str], list[Cell]] = {}
    for cell in board.cells:
        out.setdefault((cell.model, cell.clip), []).append(cell)
    return out


def clip_values(board: Board, row: Row, clip: str, own: Sequence[Cell]) -> dict[str, Value]:
    """What there is of a model on a clip, by column; ``own`` are its cells there."""
    cost = next((c.cost for c in own if c.cost and c.cost.frames), None)
    out: dict[str, Value] = {
        "dataset": board.dataset, "protocol": board.protocol, "clip": clip, "model": row.model.name,
        "device": own[0].device if own else None, "precision": own[0].precision if own else None,
        "frames": float(max((len(c.frames) for c in own), default=0)) or None,
        "seconds_per_frame": cost.seconds / cost.frames if cost else None,
    }  # fmt: skip
    base = board.row(BASELINE)
    figures = {c.metric.name: c.value for c in own if c.status == "ok"}
    for name in row.entries:
        value = figures.get(name)
        below = base.entries[name].by_clip.get(clip) if base and base is not row else None
        out[name] = value
        out[f"gain.{name}"] = _gain(value, below)
    out["gain"] = out[f"gain.{board.primary.name}"]
    return out


def _grid(
    board: Board,
    rows: Sequence[dict[str, Value]],
    names: Sequence[str],
    known: Mapping[str, Column],
    infos: Mapping[str, DatasetInfo],
) -> Grid:
    metrics = [m.name for m in board.metrics]
    title = infos[board.dataset].title if board.dataset in infos else board.dataset
    shown = [
        m for m in board.metrics if {m.name, f"gain.{m.name}"} & set(names) or (m == board.primary and "gain" in names)
    ]
    return Grid(
        title=board.dataset if title == board.dataset else f"{board.dataset} ({title})",
        columns=tuple(GridColumn(head(name, board.metrics), left=known[name].kind is Kind.text) for name in names),
        rows=tuple(
            GridRow(
                str(row["clip"]), str(row["model"]), tuple(_cell(name, row, metrics, known) for name in names),
                row["model"] == BASELINE,
            )
            for row in rows
        ),
        holes=(),
        summary=f"{len(rows)} of {len(board.clips) * len(board.rows)} rows; protocol {board.protocol}.",
        signatures=tuple(signature(m) for m in shown),
        notes=(f"Apart from the main board, because {board.reason}.",) if board.reason else (),
        lead="clip",
    )  # fmt: skip


def _cell(name: str, row: Mapping[str, Value], metrics: Sequence[str], known: Mapping[str, Column]) -> Text:
    value = row.get(name)
    tone = ""
    if name.startswith("gain") and name not in metrics and isinstance(value, float) and value != 0:
        tone = "better" if (value > 0) == bool(known[name].higher) else "worse"
    return Text(text(name, value, metrics), tone=cast('Literal["", "better", "worse"]', tone))


def _gain(value: float | None, below: float | None) -> float | None:
    """0 where both are the same infinity."""
    return None if value is None or below is None else 0.0 if value == below else value - below
