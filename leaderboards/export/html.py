"""A board as one HTML table that stands alone: no script, no file beside it, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from leaderboards.export.grid import Cell, Grid
from leaderboards.numbers import upright

STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; color: #1b1f24; background: #fff }
body { margin: 2rem auto; padding: 0 1rem; max-width: 90rem }
section { overflow-x: auto; margin: 0 0 3rem }
h2 { font-size: 1.2rem; margin: 0 0 .6rem }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; font-variant-numeric: tabular-nums }
th, td { padding: .28rem .7rem; text-align: right; white-space: nowrap }
th { font-weight: 600; vertical-align: bottom }
thead tr:last-child { border-bottom: 1px solid }
th.group { text-align: center; border-bottom: 1px solid #8a929c }
.left, th[scope=row] { text-align: left }
th[scope=row] { font-weight: 400 }
tr.baseline { color: #59636e }
.best { font-weight: 700 }
.second { text-decoration: underline }
.better { color: #116329 }
.worse { color: #b3261e }
small { color: #59636e; font-weight: 400; display: inline-block; margin-left: .35em }
p { margin: .4rem 0; font-size: .88rem; color: #3d444d; max-width: 75ch }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9ed; background: #14171b }
  p, small, tr.baseline { color: #a9b2bc }
  .better { color: #6fdd8b }
  .worse { color: #ff8a80 }
}
""".strip()


def html(grids: Sequence[Grid], title: str = "Leaderboard") -> str:
    """A page with a section per table.

    Args:
        grids: the tables.
        title: of the page.
    """
    body = "\n".join(map(_section, grids))
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{_escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>\n{STYLE}\n</style>\n<body>\n{body}\n</body>\n</html>\n'
    )


def _name(text: str) -> str:
    # A name may hold letters that run from right to left; they are to turn nothing else round.
    return f"<bdi>{_escape(text)}</bdi>"


def _escape(text: str) -> str:
    return escape(upright(text))


def _section(one: Grid) -> str:
    shown = [i for i, c in enumerate(one.columns) if not (one.lead == "#" and c.head == "#")]
    columns = [one.columns[i] for i in shown]
    lines = ["<section>", f"<h2>{_name(one.title)}</h2>", "<table>", "<thead>"]
    groups = list(dict.fromkeys(column.group for column in columns))
    if groups != [""]:
        spans = [(group, sum(column.group == group for column in columns)) for group in groups]
        cells = "".join(
            f'<th class="group" colspan="{span}" scope="colgroup">{_name(group)}</th>' for group, span in spans
        )
        lines.append(f"<tr><td></td>{cells}</tr>")
    side = "" if one.lead == "#" else "left"
    lead = f'<th scope="col"{_class(side)}>{_escape(one.lead)}</th>' if one.lead else ""
    heads = "".join(f'<th scope="col"{_class("left" if c.left else "")}>{_escape(c.head)}</th>' for c in columns)
    lines += [f'<tr>{lead}<th scope="col" class="left">model</th>{heads}</tr>', "</thead>", "<tbody>"]
    for row in one.rows:
        first = f"<td{_class(side)}>{_name(row.lead)}</td>" if one.lead else ""
        cells = "".join(_cell(row.cells[i], one.columns[i].left, one) for i in shown)
        kind = ' class="baseline"' if row.baseline else ""
        lines.append(f'<tr{kind}>{first}<th scope="row">{_name(row.model)}</th>{cells}</tr>')
    lines += ["</tbody>", "</table>", f"<p>{_escape(one.summary)}</p>"]
    if one.signatures:
        lines.append(f"<p>Metrics: {_escape(', '.join(one.signatures))}.</p>")
    lines += [f"<p>† <sup>{number}</sup> {_escape(hole)}.</p>" for number, hole in enumerate(one.holes, 1)]
    lines += [f"<p>{_escape(note)}</p>" for note in one.notes]
    return "\n".join([*lines, "</section>"])


def _cell(cell: Cell, left: bool, one: Grid) -> str:
    if cell.hole:
        return f'<td title="{_escape(one.holes[cell.hole - 1])}">†<sup>{cell.hole}</sup></td>'
    classes = " ".join(filter(None, [cell.mark, cell.tone, "left" if left else ""]))
    text = _name(cell.text) if left else _escape(cell.text)
    interval = f"<small>{_escape(cell.interval)}</small>" if cell.interval else ""
    return f"<td{_class(classes)}>{text}{interval}</td>"


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
