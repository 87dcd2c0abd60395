"""Overall boards as grids: mean rank and mean gain over several data sets or severities."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboards.board import BASELINE
from leaderboards.export.grid import Cell, Grid, GridColumn, GridRow, Intervals
from leaderboards.numbers import ARROWS, number, signature, signed
from leaderboards.schema import MetricFacts
from leaderboards.summary import WORDS, OverallBoard, OverallEntry


def overall_grid(board: OverallBoard, metrics: Sequence[str] | None = None, intervals: Intervals = "no") -> Grid:
    """An overall board as a table: mean rank under the first metric, then the mean gain under each.

    Args:
        board: the overall board.
        metrics: which of them; all by default.
        intervals: beside the gains.
    """
    shown = [m for m in board.metrics if metrics is None or m.name in metrics] or [board.primary]
    columns = [GridColumn(f"mean rank in {shown[0].name} ↓"), GridColumn("boards worse")]
    columns += [GridColumn(_head(m)) for m in shown]
    holes: dict[str, int] = {}
    rows = []
    for row in board.rows:
        first = row.entries[shown[0].name]
        worse = "–" if first.boards_worse is None else f"{first.boards_worse}/{first.boards}"
        gains = (_gain(row.entries[m.name], m, intervals) for m in shown)
        cells = (_rank(row.model.name, first, holes), Cell(worse), *gains)
        name = row.model.name
        place = "–" if row.place is None or shown[0] != board.primary else str(row.place)
        rows.append(GridRow(place, name, cells, name == BASELINE))
    return Grid(
        title=f"Overall: {board.title}",
        columns=tuple(columns),
        rows=tuple(rows),
        holes=tuple(holes),
        summary=f"Over {', '.join(board.boards)}; protocol {board.protocol}.",
        signatures=tuple(signature(m) for m in shown),
        notes=(*board.notes, WORDS["mean_rank"], WORDS["mean_gain"], *([WORDS["missing"]] if holes else [])),
    )


def _head(metric: MetricFacts) -> str:
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"gain.{metric.name}{unit} {ARROWS[metric.direction]}"


def _rank(model: str, entry: OverallEntry, holes: dict[str, int]) -> Cell:
    if entry.mean_rank is None:
        return Cell("–", tone="hole", hole=holes.setdefault(f"{model}: {entry.note}", len(holes) + 1))
    return Cell(f"{entry.mean_rank:.2f}")


def _gain(entry: OverallEntry, metric: MetricFacts, form: Intervals) -> Cell:
    mark = "best" if entry.best else "second" if entry.second else ""
    interval, gain = entry.gain_interval, entry.mean_gain
    beside = ""
    if (
        form != "no"
        and interval is not None
        and interval.low is not None
        and interval.high is not None
        and gain is not None
    ):
        beside = (
            f"± {number(max(gain - interval.low, interval.high - gain), metric.name)}"
            if form == "pm"
            else f"[{signed(interval.low, metric.name)}, {signed(interval.high, metric.name)}]"
        )
    tone = "worse" if entry.harm else "better" if gain is not None else ""
    return Cell(signed(gain, metric.name), mark, tone, beside)  # type: ignore[arg-type]  # the literals above
