"""Boards for the terminal: tables that are never wider than it, and beneath them what is to be known."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from leaderboards.export.grid import Cell, Grid, GridRow, grid
from leaderboards.export.view import View, alarms_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

GAP = 2
"""Spaces between columns: one of padding, one of the box."""
NAMED = 3
"""Models named in a line of alarms."""
NARROWEST = 24
"""A model's name is cut to no fewer characters."""
_STYLES = {"best": "bold", "second": "underline", "better": "green", "worse": "red", "hole": "yellow", "": ""}


def default_columns(view: View) -> tuple[str, ...]:
    """What is shown where no columns were named: quality, gain, harm and cost first, then the other metrics."""
    first, *others = view.names
    gains = ("gain", "worse") if any(r.entries[first].gain is not None for r in view.board.rows) else ()
    costs = [name for name in ("seconds_per_frame", "memory")
             if any(view.values(row)[name] is not None for row in view.board.rows)]  # fmt: skip
    return (first, *gains, *costs, *others)


def board_text(view: View, width: int, intervals: bool = False) -> list[RenderableType]:
    """A board as tables of at most ``width`` characters, then counts, holes and notes."""
    names = [name for name in (view.columns if view.chosen else default_columns(view)) if name != "rank"]
    one = grid(view, "range" if intervals else "no", names)
    return [*tables(one, width), *_alarms(view), *under(one)]


def _alarms(view: View) -> list[RenderableType]:
    """One line per kind of alarm: under which metrics, and which models."""
    groups: dict[str, dict[str, list[str]]] = {}
    unsure = 0
    for alarm in alarms_of(view):
        if alarm.level != "alarm":
            unsure += 1
        elif alarm.model is None:
            groups.setdefault(alarm.text, {})
        else:
            groups.setdefault(alarm.kind, {}).setdefault(alarm.metric or "", []).append(alarm.model)
    order = [*view.names, ""]
    out = [
        line(f"{kind}: {'; '.join(_models(m, found[m]) for m in order if m in found)}" if found else kind, "red", "!")
        for kind, found in groups.items()
    ]
    if unsure:
        out.append(
            line(f"{unsure} further {'note' if unsure == 1 else 'notes'}, less sure: in the JSON and the report.")
        )
    return out


def _models(metric: str, models: Sequence[str]) -> str:
    names = ", ".join(models) if len(models) <= NAMED else f"{', '.join(models[:NAMED])} and {len(models) - NAMED} more"
    return f"{metric} ({names})" if metric else names


def tables(one: Grid, width: int) -> list[RenderableType]:
    """A grid as tables side by side as far as they fit, the others beneath; each begins with the names.

    Args:
        one: the grid.
        width: of the terminal, in characters.

    Without rows there is the title alone.
    """
    from rich.text import Text

    if not one.rows:
        return [Text(visible(one.title), style="bold")]
    ranks = [row.lead for row in one.rows]
    first = [(one.lead, [Text(visible(_shared(row, ranks) if one.lead == "#" else row.lead)) for row in one.rows])]
    first = first if one.lead else []
    columns = [
        (visible(c.head.replace(" [", "\n[").replace(" ↑", "\n↑" if "[" not in c.head else " ↑")
                 .replace(" ↓", "\n↓" if "[" not in c.head else " ↓")), [_text(row.cells[i]) for row in one.rows])
        for i, c in enumerate(one.columns)
    ]  # fmt: skip
    names = [Text(visible(row.model), style="dim" if row.baseline else "") for row in one.rows]
    widest = max(
        [NARROWEST, width - sum(_width(h, t) for h, t in first) - max((_width(h, t) for h, t in columns), default=0)]
    )
    for name in names:
        name.truncate(widest - GAP, overflow="ellipsis")
    lead = [*first, ("model", names)]
    room = width - sum(_width(head, texts) for head, texts in lead)
    parts = _fitting([_width(head, texts) for head, texts in columns], room)
    out: list[RenderableType] = []
    out.append(Text(visible(one.title), style="bold"))
    for i, part in enumerate(parts):
        out += [Text("")] if i else []
        left = (
            {len(lead) - 1}
            | ({0} if one.lead != "#" else set())
            | {len(lead) + k for k, index in enumerate(part) if one.columns[index].left}
        )
        out.append(_table([*lead, *(columns[index] for index in part)], left))
    return out


def _shared(row: GridRow, ranks: Sequence[str]) -> str:
    """A rank; with = behind it where other models have it too."""
    return f"{row.lead}=" if row.lead.isdecimal() and ranks.count(row.lead) > 1 else row.lead


def _text(cell: Cell) -> Text:
    from rich.text import Text

    # Of a part, not of the whole: the blanks that push it to the right are not to be underlined.
    text = Text().append(
        f"† {cell.hole}" if cell.hole else visible(cell.text), _STYLES[cell.mark] or _STYLES[cell.tone]
    )
    return text.append(f" {cell.interval}", "dim") if cell.interval else text


def _width(head: str, texts: Sequence[Text]) -> int:
    from rich.cells import cell_len

    return max([*(cell_len(line) for line in head.splitlines()), *(text.cell_len for text in texts)]) + GAP


def _fitting(widths: Sequence[int], room: int) -> list[list[int]]:
    """Columns in groups that fit side by side; one that fits nowhere stands alone."""
    out: list[list[int]] = [[]]
    left = room
    for i, width in enumerate(widths):
        if out[-1] and left < width:
            out.append([])
            left = room
        out[-1].append(i)
        left -= width
    return out


def _table(columns: Sequence[tuple[str, Sequence[Text]]], left: set[int]) -> Table:
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    line = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
    table = Table(
        box=line, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True,
    )  # fmt: skip
    for i, (head, _) in enumerate(columns):
        table.add_column(Text(head), justify="left" if i in left else "right", no_wrap=True)
    for texts in zip(*(texts for _, texts in columns), strict=True):
        table.add_row(*texts)
    return table


def under(one: Grid) -> list[RenderableType]:
    """What stands beneath a grid: counts, holes, notes."""
    out = [line(one.summary)]
    out += [line(f"† {number}  {hole}", "yellow") for number, hole in enumerate(one.holes, 1)]
    return [*out, *(line(note) for note in one.notes)]


def line(text: str, style: str = "dim", sign: str = "·") -> RenderableType:
    """Words beneath a table, further lines a little to the right."""
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_row(Text(sign, style=style), Text(visible(text), style=style))
    return row


def visible(text: str) -> str:
    r"""Text without signs that move the cursor or turn the line round: those are shown by their number.

    Example:
        >>> visible("a\x1b[31m\u202eb")
        'a\\x1b[31m\\u202eb'
    """
    return "".join(
        c.encode("unicode_escape").decode()
        if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") and c != "\n"
        else c
        for c in text
    )
