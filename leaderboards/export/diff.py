"""Comparisons of two states as tables for the terminal and for Markdown, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from leaderboards.diff import BoardDiff, Change, Diff
from leaderboards.diff_gate import Limit, below
from leaderboards.export.grid import Cell, Grid, GridColumn, GridRow
from leaderboards.export.markdown import escape, markdown
from leaderboards.numbers import ARROWS, number, signature, signed
from leaderboards.schema import MetricFacts

FORMAT = "vbench-leaderboard-diff"
VERSION = 1


def diff_grid(board: BoardDiff, limits: Sequence[Limit] = ()) -> Grid:
    """One board: every model whose figure or rank is another, the worst first."""
    metric = board.metric
    shown = [c for c in board.changes if c.change != 0 or c.old_rank != c.new_rank or c.facts]
    same = len(board.changes) - len(shown)
    unit = f" [{metric.unit}]" if metric.unit else ""
    notes = [f"{c.model}: {', '.join(c.facts)}." for c in shown if c.facts]
    notes += [f"Came: {', '.join(board.came)}."] if board.came else []
    notes += [f"Went: {', '.join(board.went)}."] if board.went else []
    return Grid(
        title=f"{board.dataset}, {metric.name}{unit} {ARROWS[metric.direction]}",
        columns=tuple(GridColumn(head) for head in ("old", "new", "change", "95 %", "p", "rank")),
        rows=tuple(GridRow("", c.model, _cells(c, metric, limits)) for c in shown),
        holes=(),
        summary=f"{_count(len(board.changes), 'model')} on {_count(board.clips, 'clip')}, protocol {board.protocol}; "
        f"{'none' if same == 0 else same} without any change.",
        signatures=(signature(metric),),
        notes=(*notes, *board.notes),
        lead="",
    )


def _cells(change: Change, metric: MetricFacts, limits: Sequence[Limit]) -> tuple[Cell, ...]:
    name, interval = metric.name, change.interval
    ends = "–"
    if interval.low is not None and interval.high is not None:
        ends = f"[{signed(interval.low, name)}, {signed(interval.high, name)}]"
    ranks = ["–" if rank is None else str(rank) for rank in (change.old_rank, change.new_rank)]
    failed = below(change, metric, limits) is not None
    return (
        Cell(number(change.old, name)),
        Cell(number(change.new, name)),
        Cell(
            signed(change.change, name) + (" !" if failed else ""),
            mark="best" if failed else "",
            tone="worse" if change.worse else "better" if change.change else "",
        ),
        Cell(ends),
        Cell("–" if change.p_holm is None else f"{change.p_holm:.3f}"),
        Cell(ranks[0] if ranks[0] == ranks[1] else f"{ranks[0]} → {ranks[1]}"),
    )


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def verdict(found: Diff, limits: Sequence[Limit], failed: Sequence[str]) -> str:
    """The answer in one sentence."""
    changes = [(c, board.metric) for board in found.boards for c in board.changes]
    worse, better = sum(c.worse for c, _ in changes), sum(not c.worse and abs(c.change) > 0 for c, _ in changes)
    counts = f"{_count(len(changes), 'figure')} compared: {worse} worse, {better} better, {len(changes) - worse - better} the same"
    if not limits:
        return f"{counts}."
    limit = " and ".join(map(str, limits))
    if not failed:
        return f"Passed: no change is below {limit}. {counts}."
    return f"Failed, with a limit of {limit}: {_count(len(failed), 'reason')}. {counts}."


def others(found: Diff) -> list[str]:
    """What could not be compared, in sentences."""
    out = [f"Not compared: {text}" for text in found.apart]
    out += [f"Only in the new state: {name}." for name in found.came]
    out += [f"Only in the old state: {name}." for name in found.went]
    return [*out, *found.notes]


HOW = "change: mean over clips of new minus old; p: sign-flip test over clips, corrected by Holm for the models that changed."


def diff_markdown(found: Diff, limits: Sequence[Limit], failed: Sequence[str]) -> str:
    """A comment for a pull request: the verdict, what failed, then the tables, folded."""
    parts = [f"**{escape(verdict(found, limits, failed))}**"]
    parts += ["\n".join(f"- {escape(text)}" for text in failed)] if failed else []
    tables = [diff_grid(board, limits) for board in found.boards]
    changed = [table for table in tables if table.rows or table.notes]
    if changed:
        parts.append(f"<details><summary>Changes on {_count(len(changed), 'board')}</summary>")
        parts.append(markdown(changed).rstrip("\n"))
        parts += [escape(HOW), "</details>"]
    parts += ["\n".join(f"- {escape(text)}" for text in others(found))] if others(found) else []
    return "\n\n".join(parts) + "\n"


def diff_json(found: Diff, limits: Sequence[Limit], failed: Sequence[str]) -> str:
    """Everything, for programs; infinity as the string "inf"."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "limits": [{"amount": limit.amount, "unit": limit.unit} for limit in limits],
        "passed": not failed,
        "failures": list(failed),
        "boards": [_board(board) for board in found.boards],
        "apart": list(found.apart),
        "came": list(found.came),
        "went": list(found.went),
        "notes": list(found.notes),
    }
    return json.dumps(_clean(document), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _board(board: BoardDiff) -> dict[str, Any]:
    return {
        "dataset": board.dataset,
        "protocol": board.protocol,
        "metric": board.metric.model_dump(mode="json"),
        "clips": board.clips,
        "changes": [
            {**vars(c), "interval": vars(c.interval), "relative": c.relative, "facts": list(c.facts)}
            for c in board.changes
        ],
        "came": list(board.came),
        "went": list(board.went),
        "notes": list(board.notes),
    }


def _clean(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items()}
    return [_clean(v) for v in value] if isinstance(value, list | tuple) else value
