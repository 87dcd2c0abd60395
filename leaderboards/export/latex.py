"""Boards as LaTeX tables for a paper: booktabs, best in bold, second underlined, a footnote that says what they are."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboards.export.grid import Cell, Grid, GridColumn
from leaderboards.export.latex_text import GLYPH, escape

WIDEST = 84
"""About as many characters fit beside each other in a column of text at ``\\small``; wider tables are stacked."""

LONGEST = 46
"""Lines of tables that a float holds, so that what is beneath has room on the page."""


def latex(grids: Sequence[Grid]) -> str:
    """A ``table`` for each. The preamble needs ``\\usepackage{booktabs}``. Ranks are a column only where they were asked for."""
    body = "\n\n".join(map(_table, grids)) + "\n"
    head = r"% Needs \usepackage{booktabs}." + "\n"
    return head + (GLYPH + "\n" if r"\vbenchglyph" in body else "") + "\n" + body


def document(tables: str) -> str:
    """A whole document around tables, to look at them: ``pdflatex FILE.tex``."""
    return (
        "\\documentclass{article}\n\\usepackage[margin=2.2cm]{geometry}\n"
        f"\\usepackage{{booktabs}}\n\\begin{{document}}\n{tables}\\end{{document}}\n"
    )


def _table(one: Grid) -> str:
    """One float, or several where one would be longer than a page; what is beneath stands in the last."""
    parts = _fitting(one)
    most = max(1, LONGEST // (len(one.rows) + 4))
    floats = []
    for start in range(0, len(parts), most):
        title = escape(one.title) + (", continued" if start else "")
        lines = [r"\begin{table}[htbp]", r"\centering", r"\small", r"\setlength{\tabcolsep}{4pt}"]
        lines.append(rf"\caption{{{title}: {escape(one.summary)}}}")
        for i, part in enumerate(parts[start : start + most]):
            lines += ([r"", r"\medskip"] if i else []) + _tabular(one, part)
        lines += _foot(one) if start + most >= len(parts) else []
        floats.append("\n".join([*lines, r"\end{table}"]))
    return "\n\n".join(floats)


def _tabular(one: Grid, part: Sequence[int]) -> list[str]:
    columns = [one.columns[i] for i in part]
    lead = "" if one.lead in ("", "#") else escape(one.lead)
    lines = [
        r"\begin{tabular}{l" + ("l" if lead else "") + "".join("l" if c.left else "r" for c in columns) + "}",
        r"\toprule",
    ]
    groups = _groups(columns)
    if groups:
        lines.append(" & " + " & ".join(rf"\multicolumn{{{n}}}{{c}}{{{escape(g)}}}" for g, n in groups) + r" \\")
        at, rules = 3 if lead else 2, []
        for _, count in groups:
            rules.append(rf"\cmidrule(lr){{{at}-{at + count - 1}}}")
            at += count
        lines.append("".join(rules))
    lines += [
        (f"{lead} & " if lead else "") + "Model & " + " & ".join(escape(c.head) for c in columns) + r" \\",
        r"\midrule",
    ]
    for row in one.rows:
        names = [escape(row.lead)] if lead else []
        line = " & ".join([*names, escape(row.model), *(_cell(row.cells[i]) for i in part)])
        # The end of the line before would take a star or a bracket for its own.
        lines.append(("{}" if line[:1] in "*[" else "") + line + r" \\")
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _groups(columns: Sequence[GridColumn]) -> list[tuple[str, int]]:
    """Columns of one data set that stand side by side, and how many they are; none where a table is of one board."""
    out: list[tuple[str, int]] = []
    for column in columns:
        if out and out[-1][0] == column.group:
            out[-1] = (column.group, out[-1][1] + 1)
        else:
            out.append((column.group, 1))
    return out if any(group for group, _ in out) else []


def _fitting(one: Grid) -> list[list[int]]:
    """Columns in groups that fit beside each other; those of one data set stay together where they fit at all."""
    first = max([len("Model"), *(len(row.model) for row in one.rows)]) + 1
    first += 0 if one.lead in ("", "#") else max(len(row.lead) for row in one.rows) + 1
    widths = [
        max([len(column.head), *(_length(row.cells[i]) for row in one.rows)]) + 2
        for i, column in enumerate(one.columns)
    ]
    out: list[list[int]] = [[]]
    room = WIDEST - first
    for i, column in enumerate(one.columns):
        needed = widths[i]
        opens = column.group and (i == 0 or one.columns[i - 1].group != column.group)
        if opens:
            needed = sum(w for w, c in zip(widths, one.columns, strict=True) if c.group == column.group)
        if out[-1] and room < min(needed, WIDEST - first):
            out.append([])
            room = WIDEST - first
        out[-1].append(i)
        room -= widths[i]
    return out


def _length(cell: Cell) -> int:
    # Intervals are set smaller.
    return len(cell.text) + round(0.75 * len(cell.interval))


def _cell(cell: Cell) -> str:
    if cell.hole:
        return rf"--$^{{\dagger{cell.hole}}}$"
    text = escape(cell.text)
    text = rf"\textbf{{{text}}}" if cell.mark == "best" else rf"\underline{{{text}}}" if cell.mark == "second" else text
    return text + (rf" {{\scriptsize {escape(cell.interval)}}}" if cell.interval else "")


def _foot(one: Grid) -> list[str]:
    """What stands under a table: metrics, holes, notes."""
    parts = [f"Metrics: {escape(', '.join(one.signatures))}."] if one.signatures else []
    parts += [rf"$^{{\dagger{i}}}$\,{escape(hole)}." for i, hole in enumerate(one.holes, 1)]
    parts += [escape(note) for note in one.notes]
    if not parts:
        return []
    text = "\\par\n".join(parts)
    return [r"", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright", text, r"\end{minipage}"]
