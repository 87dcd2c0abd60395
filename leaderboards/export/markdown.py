"""Boards as Markdown tables: best in bold, second in italics."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboards.export.grid import Cell, Grid, Intervals, grid, together
from leaderboards.export.view import View


def markdown(views: Sequence[View], intervals: Intervals = "no", one_table: bool = False) -> str:
    """A table per board, or one with the data sets side by side.

    Args:
        views: what is to be shown.
        intervals: beside the figures.
        one_table: whether the boards stand in one table.
    """
    grids = [together(views, intervals)] if one_table else [_ranked(view, intervals) for view in views]
    return "\n\n".join(_table(one, ranks=not one_table) for one in grids) + "\n"


def _ranked(view: View, intervals: Intervals) -> Grid:
    return grid(view, intervals, [name for name in view.columns if name != "rank"])


def _table(one: Grid, ranks: bool) -> str:
    heads = [f"{escape(c.group)}: {escape(c.head)}" if c.group else escape(c.head) for c in one.columns]
    first = (["#"] if ranks else []) + ["model"]
    lines = [f"### {escape(one.title)}", "", "| " + " | ".join([*first, *heads]) + " |"]
    sides = (["---:"] if ranks else []) + ["---"] + ["---" if c.left else "---:" for c in one.columns]
    lines.append("| " + " | ".join(sides) + " |")
    for row in one.rows:
        names = ([row.rank] if ranks else []) + [escape(row.model)]
        lines.append("| " + " | ".join([*names, *map(_cell, row.cells)]) + " |")
    lines += ["", escape(one.summary)]
    if one.signatures:
        lines += ["", f"Metrics: {', '.join(map(escape, one.signatures))}."]
    for number, hole in enumerate(one.holes, 1):
        lines += ["", f"† {number}: {escape(hole)}."]
    for note in one.notes:
        lines += ["", escape(note)]
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    text = f"**{text}**" if cell.mark == "best" else f"*{text}*" if cell.mark == "second" else text
    text = f"{text} {escape(cell.interval)}" if cell.interval else text
    return f"† {cell.hole}" if cell.hole else text


def escape(text: str) -> str:
    r"""Text that means nothing to Markdown, on one line.

    Example:
        >>> escape("a_b|c <b>")
        'a\\_b\\|c \\<b\\>'
    """
    for char in "\\`*_|<>[]":
        text = text.replace(char, "\\" + char)
    return " ".join(text.split())
