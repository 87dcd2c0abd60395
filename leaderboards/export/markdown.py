"""Boards as Markdown tables: best in bold, second in italics."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboards.export.grid import Cell, Grid
from leaderboards.numbers import upright


def markdown(grids: Sequence[Grid]) -> str:
    """A section per table; what the ranks stand for is said beneath."""
    return "\n\n".join(map(_table, grids)) + "\n"


def _table(one: Grid) -> str:
    shown = [i for i, c in enumerate(one.columns) if not (one.lead == "#" and c.head == "#")]
    columns = [one.columns[i] for i in shown]
    heads = [f"{escape(c.group)}: {escape(c.head)}" if c.group else escape(c.head) for c in columns]
    lead, side = ([one.lead], ["---:" if one.lead == "#" else "---"]) if one.lead else ([], [])
    lines = [f"### {escape(one.title)}"]
    if one.rows:
        lines += ["", "| " + " | ".join([*lead, "model", *heads]) + " |"]
        lines.append("| " + " | ".join([*side, "---", *("---" if c.left else "---:" for c in columns)]) + " |")
    for row in one.rows:
        names = ([escape(row.lead)] if one.lead else []) + [escape(row.model)]
        lines.append("| " + " | ".join([*names, *(_cell(row.cells[i]) for i in shown)]) + " |")
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
    text = upright(text)
    for char in "\\`*_|<>[]":
        text = text.replace(char, "\\" + char)
    return " ".join(text.split())
