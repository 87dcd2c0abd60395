"""A summary for print: A4, vector figures, fonts embedded. The same results give the same bytes."""

from __future__ import annotations

import io
import logging
import os
import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboards.export import ARROWS, number, signed
from leaderboards.results import Results
from leaderboards.summary import OverallBoard, severity_curves
from leaderboards.table import BASELINE, Board, Row
from reports import figures
from reports.figure_set import lines_of
from reports.views.answers import board_answer
from reports.views.facts import Facts, gather
from reports.views.method import method
from reports.views.overview import about_table, alarm_views, answer, asked, widest
from reports.views.words import count, short, telling

if TYPE_CHECKING:
    from fpdf import FPDF

MARGIN = 18.0
WIDTH = 210.0 - 2 * MARGIN
GAP = 6.0
HALF = (WIDTH - GAP) / 2
INK, SOFT, RULE = (29, 27, 24), (107, 101, 92), (205, 199, 188)
GOOD, BAD = (0, 110, 84), (181, 68, 20)
METRICS = 4
"""Further metrics of a board's table: so many columns have room on paper."""
ALARMED = 6
"""Models that the line of an alarm names at most."""
TOGETHER = 80.0
"""Millimetres that a heading wants below it, so that no table begins at the foot of a page."""
LONGEST_NAME = 26


def write_pdf(
    root: Path, out: Path, title: str | None = None, progress: Callable[[str, int, int | None], None] | None = None
) -> Path:
    """Write the summary of a workspace's results, whole or not at all.

    Raises:
        ValueError: there are no results, or a file that is no PDF stands in its place.
    """
    results = Results.read(root)
    if not results.cells:
        raise ValueError(f'There are no results in "{root}" yet. Run `vbench run --models all` first.')
    if out.is_dir() or (out.exists() and not out.read_bytes()[:5] == b"%PDF-"):
        raise ValueError(f'"{out}" is there already and is no PDF; it is not touched. Choose another place with --out.')
    facts = gather(root, results, title)
    if progress is not None:
        progress("pages", 0, len(facts.main) + 3)
    data = render(facts, (lambda: progress("pages", 1, None)) if progress is not None else lambda: None)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".partial-{os.getpid()}-{uuid.uuid4().hex[:8]}.pdf")
    try:
        temporary.write_bytes(data)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return out


def render(facts: Facts, done: Callable[[], None] = lambda: None) -> bytes:
    """The bytes of the summary."""
    pdf = _document(facts)
    _first_page(pdf, facts)
    done()
    for overall in widest(facts):
        _overall(pdf, facts, overall)
    _severities(pdf, facts)
    done()
    for board in facts.boards:
        _board(pdf, facts, board)
        if board.reason is None:
            done()
    _method(pdf, facts)
    done()
    out: bytearray = pdf.output()
    return bytes(out)


def _document(facts: Facts) -> FPDF:
    import matplotlib
    from fpdf import FPDF

    class Summary(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("sans", size=7)
            self.set_text_color(*SOFT)
            self.cell(0, 5, plain(short(facts.title, 80)), align="L", new_x="LMARGIN", new_y="TOP")
            self.cell(0, 5, f"{self.page_no()}", align="R")

    for name in ("fontTools.subset", "fontTools.ttLib", "fpdf.svg"):
        logging.getLogger(name).setLevel(logging.ERROR)
    pdf = Summary(format="A4")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdf.add_font("sans", "", fonts / "DejaVuSans.ttf")
    pdf.add_font("sans", "B", fonts / "DejaVuSans-Bold.ttf")
    pdf.add_font("mono", "", fonts / "DejaVuSansMono.ttf")
    pdf.set_margins(MARGIN, MARGIN, MARGIN)
    pdf.set_auto_page_break(True, margin=16)
    pdf.set_title(plain(facts.title))
    pdf.set_creator("vbench")
    pdf.set_producer("vbench")
    # The time of making would make other bytes of the same results.
    pdf.set_creation_date(datetime(2000, 1, 1, tzinfo=UTC))
    pdf.add_page()
    return pdf


def plain(text: str) -> str:
    """Text without controls: marks of direction would turn the words around.

    Example:
        >>> plain("a\\u202eb\\nc")
        'ab c'
    """
    kept = (" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return "".join(kept)


# --- parts ---------------------------------------------------------------------------------------


def _heading(pdf: FPDF, text: str, size: float = 12, space: float = 5, level: int = 0, keep: float = 14) -> None:
    """A heading, on the next page where less than ``keep`` millimetres would follow it on this one."""
    if pdf.will_page_break(space + size + keep):
        pdf.add_page()
    else:
        pdf.ln(space)
    pdf.start_section(plain(short(text, 90)), level=level)
    pdf.set_font("sans", "B", size)
    pdf.set_text_color(*INK)
    pdf.multi_cell(0, size * 0.5, plain(short(text, 160)), new_x="LMARGIN", new_y="NEXT", align="L")
    pdf.ln(1)


def _text(pdf: FPDF, text: str, size: float = 9, colour: tuple[int, int, int] = INK, after: float = 1.5) -> None:
    if not text:
        return
    pdf.set_font("sans", "", size)
    pdf.set_text_color(*colour)
    pdf.multi_cell(0, size * 0.52, plain(text), new_x="LMARGIN", new_y="NEXT", align="L")
    pdf.ln(after)


def _first_page(pdf: FPDF, facts: Facts) -> None:
    pdf.set_font("sans", "B", 20)
    pdf.set_text_color(*INK)
    pdf.multi_cell(0, 9, plain(short(facts.title, 160)), new_x="LMARGIN", new_y="NEXT", align="L")
    pdf.ln(2)
    _text(pdf, asked(facts).striptags(), 9, SOFT, 3)
    _text(pdf, answer(facts).striptags(), 11, INK, 3)
    lines = _alarms(facts)
    if lines:
        _heading(pdf, "Alarms", 10, 2)
        for line in lines:
            _text(pdf, f"•  {line}", 8, INK, 0.5)


def _alarms(facts: Facts) -> list[str]:
    """What is surely so, a line for each kind: who, and on how many data sets where there are several."""
    out = []
    for view in alarm_views(facts):
        several = len(view.links) > 1
        who = [
            short(m, LONGEST_NAME) + (f" ({count(sets, 'data set')})" if several else "") for _, m, sets in view.models
        ]
        left = len(who) - ALARMED
        words = ", ".join(who[:ALARMED]) + (f" and {count(left, 'other model')}" if left > 0 else "")
        out.append(f"{words or 'Boards as a whole'}. {view.about}")
    return out


def _table(
    pdf: FPDF,
    heads: Sequence[str],
    rows: Sequence[Sequence[tuple[str, str, tuple[int, int, int]]]],
    widths: Sequence[float],
) -> None:
    """A table with thin rules; a cell is its text, its emphasis ("" or "B") and its colour. Heads come again on each page."""
    from fpdf.fonts import FontFace

    pdf.set_font("sans", "", 7.5)
    pdf.set_draw_color(*RULE)
    pdf.set_line_width(0.15)
    align = tuple("LEFT" if i in (0, 1) else "RIGHT" for i in range(len(heads)))
    with pdf.table(
        col_widths=tuple(widths),
        width=WIDTH,
        align="LEFT",
        text_align=align,
        borders_layout="HORIZONTAL_LINES",
        line_height=4.0,
        padding=(0.5, 1, 0.5, 0),
        headings_style=FontFace(emphasis="BOLD", color=SOFT, size_pt=7),
    ) as table:
        line = table.row()
        for head in heads:
            line.cell(plain(head))
        for row in rows:
            line = table.row()
            for text, emphasis, colour in row:
                line.cell(plain(text), style=FontFace(emphasis="BOLD" if emphasis else None, color=colour))
    pdf.ln(2)


def _overall(pdf: FPDF, facts: Facts, overall: OverallBoard) -> None:
    metric = overall.metrics[0]
    rows = []
    for row in overall.rows:
        entry = row.entries[metric.name]
        rank = "–" if entry.mean_rank is None else f"{entry.mean_rank:.1f}"
        gain = "" if entry.mean_gain is None else signed(entry.mean_gain, metric.name)
        tone = INK if row.model.name == BASELINE or not telling(gain) else BAD if entry.harm else GOOD
        worse = "" if entry.boards_worse is None else f"{entry.boards_worse} of {entry.boards}"
        best = "B" if entry.best else ""
        rows.append([(rank, best, INK), (short(row.model.name, 40), best, INK), (gain, best, tone), (worse, "", INK)])
    several = len({b.protocol for b in facts.main}) > 1
    _heading(pdf, f"{overall.title} ({overall.protocol})" if several else overall.title)
    unit = f" [{metric.unit}]" if metric.unit else ""
    heads = ["mean rank", "model", f"mean gain in {metric.name}{unit}", "boards made worse"]
    _table(pdf, heads, rows, (18, 70, 45, 41))
    _text(
        pdf,
        f"Over {count(len(overall.boards), 'board')}, protocol {overall.protocol}. {' '.join(about_table(overall))}",
        7.5,
        SOFT,
    )


def _severities(pdf: FPDF, facts: Facts) -> None:
    drawn = []
    primary = {board.dataset: board.primary.name for board in facts.main}
    for curve in severity_curves(facts.main, facts.results.datasets):
        if curve.metric.name != primary.get(curve.datasets[0]):
            continue
        curves, _ = lines_of(curve)
        try:
            title = f"{facts.family(curve.datasets[0])}, {curve.protocol}"
            drawn.append(figures.severity_curves(curves, "s", curve.metric.name, curve.metric.unit, "svg", title))
        except ValueError:
            continue
    if drawn:
        _heading(pdf, "Severity", keep=_height(drawn[:2]) + 2)
        _side_by_side(pdf, drawn)


def _side_by_side(pdf: FPDF, drawn: Sequence[figures.Drawn]) -> None:
    """Figures in two columns."""
    for i in range(0, len(drawn), 2):
        pair = drawn[i : i + 2]
        height = _height(pair)
        if pdf.will_page_break(height + 2):
            pdf.add_page()
        top = pdf.get_y()
        for k, one in enumerate(pair):
            pdf.image(io.BytesIO(_for_fpdf(one.data)), x=MARGIN + k * (HALF + GAP), y=top, w=HALF)
        pdf.set_y(top + height + 2)


def _height(pair: Sequence[figures.Drawn]) -> float:
    """Of figures beside each other, in millimetres."""
    return max(HALF * _ratio(one.data) for one in pair)


def _ratio(svg: bytes) -> float:
    """Height over width of a drawing."""
    found = re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt"|height="([\d.]+)pt"[^>]*width="([\d.]+)pt"', svg)
    if found is None:
        raise ValueError("A drawing does not say how large it is.")
    width, height = (found[1], found[2]) if found[1] else (found[4], found[3])
    return float(height) / float(width)


def _for_fpdf(svg: bytes) -> bytes:
    return re.sub(rb"<metadata>.*?</metadata>", b"", svg, flags=re.DOTALL)


def _board(pdf: FPDF, facts: Facts, board: Board) -> None:
    title = facts.name(board.dataset)
    several = len({b.protocol for b in facts.main}) > 1
    if pdf.will_page_break(TOGETHER):
        pdf.add_page()
    _heading(pdf, f"{title} ({board.protocol})" if several else title, 12, 6)
    if board.reason:
        _text(pdf, f"Apart from the main board, because {board.reason}.", 8, SOFT)
    _text(pdf, board_answer(board, facts.blind(board.dataset)).striptags(), 9)
    metric = board.primary
    others = board.metrics[1 : 1 + METRICS]
    unit = f" [{metric.unit}]" if metric.unit else ""
    heads = ["#", "model", f"{metric.name}{unit} {ARROWS[metric.direction]}", "95 %", "gain"]
    heads += [f"{m.name.replace('_', '_ ')} {ARROWS[m.direction]}" for m in others] + ["s/frame"]
    rows = [_row(row, board, [m.name for m in others]) for row in board.rows]
    rest = WIDTH - 8 - 42 - 18 - 26 - 15 - 15
    widths = (8.0, 42.0, 18.0, 26.0, 15.0, *([rest / max(len(others), 1)] * len(others)), 15.0)
    _table(pdf, heads, rows, widths)
    words = f"{count(len(board.clips), 'clip')}, {count(board.frames, 'frame')}, protocol {board.protocol}."
    left = len(board.metrics) - 1 - len(others)
    if left > 0:
        words += f" {count(left, 'further metric')} in the report."
    _text(pdf, words + " " + " ".join(board.notes), 7.5, SOFT)
    for text in getattr(board, "departures", ()):
        _text(pdf, text, 7.5, SOFT, 0.5)
    drawn = []
    for draw in (figures.rank_intervals, figures.quality_cost):
        try:
            drawn.append(draw(board, "f", "svg"))
        except ValueError:
            continue
    if drawn:
        _side_by_side(pdf, drawn)


def _row(row: Row, board: Board, others: Sequence[str]) -> list[tuple[str, str, tuple[int, int, int]]]:
    metric = board.primary.name
    entry = row.entries[metric]
    interval = entry.interval
    between = ""
    if interval is not None and interval.low is not None and interval.high is not None:
        between = f"{number(interval.low, metric)} to {number(interval.high, metric)}"
    gain = "" if entry.gain is None else signed(entry.gain, metric)
    tone = INK if not telling(gain) else BAD if entry.harm else GOOD
    cells = [
        (str(row.rank or "–"), "", INK),
        (short(row.model.name, LONGEST_NAME), "B" if entry.best else "", INK),
        (number(entry.mean, metric) if entry.mean is not None else "hole", "B" if entry.best else "", INK),
        (between, "", SOFT),
        (gain, "", tone),
    ]
    for name in others:
        other = row.entries[name]
        text = number(other.mean, name) if other.mean is not None else "hole"
        cells.append((text, "B" if other.best else "", BAD if other.harm else INK))
    seconds = row.seconds_per_frame
    return [*cells, ("" if seconds is None else f"{seconds:.3g}", "", INK)]


def _method(pdf: FPDF, facts: Facts) -> None:
    found = method(facts)
    _heading(pdf, "Method", 12, 6)
    for protocol in found.protocols:
        about = protocol.facts
        _text(pdf, f"Protocol {protocol.label}" + (f": {about.description}" if about else ": not described here."), 8)
        if about:
            _text(pdf, f"Source: {about.source}", 7.5, SOFT)
    _text(
        pdf,
        "Intervals are 95 % intervals over clips (studentised bootstrap from 5 clips on, Student's t for 3 and 4). Models share a "
        "rank where a permutation test over all pairs cannot tell them apart (5 % false calls for a whole board). A model with a "
        "missing figure has no rank. Gain is the figure minus that of doing nothing on the same clips.",
        8,
    )
    _heading(pdf, "Metrics", 10, 2, 1)
    for metric in found.metrics:
        _text(pdf, f"{metric.name}, version {metric.version}: {metric.convention}", 7.5, INK, 0.5)
    _heading(pdf, "Models", 10, 2, 1)
    for _, model in found.models:
        weights = f" Weights {model.weights_file}, sha256 {model.weights_sha256}." if model.weights_sha256 else ""
        _text(pdf, f"{short(model.name)}: {model.source} Licence: {model.licence}.{weights}", 7.5, INK, 0.5)
    _heading(pdf, "Again", 10, 2, 1)
    pdf.set_font("mono", "", 7)
    for command in found.commands:
        pdf.multi_cell(0, 3.8, plain(command), new_x="LMARGIN", new_y="NEXT", align="L")
    pdf.ln(2)
    _text(pdf, "; ".join(f"{name} {version}" for name, version in found.versions), 7, SOFT)
    _text(pdf, "Run on " + "; ".join(found.machines) + ".", 7, SOFT)
