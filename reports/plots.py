"""Charts as SVG text, drawn by matplotlib, coloured by the page's own style sheet (so they follow dark and light)."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = 8
"""Colours that the style sheet has for series: ``--s0`` .. ``--s7`` (Okabe and Ito's palette)."""
DASHES: tuple[tuple[float, ...] | None, ...] = (None, (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
MARKS = "os^DvPX*"

_INK, _SOFT = "#010203", "#010204"
_COLOURS = [f"#0102{16 + i:02x}" for i in range(SERIES)]


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name, its x and y, and the ends of its intervals (None where there is none)."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]
    number: int


def severity_chart(title: str, ticks: Sequence[tuple[float, str]], unit: str, lines: Sequence[Line]) -> str:
    """Gains over severity, one line per model, with whiskers for 95 % intervals; the line at 0 is doing nothing."""
    figure, axes = _figure(6.4, 3.4)
    spread = (max(t for t, _ in ticks) - min(t for t, _ in ticks)) or 1.0
    for k, line in enumerate(lines):
        colour, dash, mark = style(line.number)
        shift = (k - (len(lines) - 1) / 2) * 0.006 * spread  # so that whiskers do not hide each other
        xs = [x + shift for x in line.x]
        axes.plot(
            xs,
            line.y,
            color=colour,
            marker=mark,
            markersize=4,
            linewidth=1.5,
            dashes=dash or (),
            label=line.label,
        )
        for x, low, high in zip(xs, line.low, line.high, strict=True):
            if low is not None and high is not None:
                axes.plot([x, x], [low, high], color=colour, linewidth=0.8, alpha=0.55)
    axes.axhline(0, color=_INK, linewidth=1)
    axes.set_xticks([t for t, _ in ticks], [name for _, name in ticks])
    axes.set_ylabel(unit)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor=_INK, fontsize=8)
    return _svg(figure, title)


def cost_chart(title: str, unit: str, points: Sequence[tuple[str, float, float, int, bool]]) -> str:
    """Quality against seconds per frame: (name, seconds, figure, number, on the Pareto front)."""
    figure, axes = _figure(6.4, 3.4)
    axes.set_xscale("log")
    for name, seconds, value, number, best in points:
        colour, _, mark = style(number)
        axes.plot(
            [seconds],
            [value],
            marker=mark,
            color=colour,
            markersize=8 if best else 6,
            alpha=1.0 if best else 0.6,
        )
        axes.annotate(
            name, (seconds, value), textcoords="offset points", xytext=(6, 4), fontsize=8, color=_INK,
            fontweight="bold" if best else "normal",
        )  # fmt: skip
    axes.margins(x=0.18, y=0.15)
    left, right = axes.get_xlim()
    if right < 10 * left:  # less than a decade has labels that lie on each other
        middle = (left * right) ** 0.5
        axes.set_xlim(middle / 10**0.6, middle * 10**0.6)
    axes.set_xlabel("seconds per frame (log scale)")
    axes.set_ylabel(unit)
    return _svg(figure, title)


def style(number: int) -> tuple[str, tuple[float, ...] | None, str]:
    """Colour, dashes and mark of a model, the same in every chart; dashes tell apart what shares a colour."""
    return _COLOURS[number % SERIES], DASHES[(number // SERIES) % len(DASHES)], MARKS[number % len(MARKS)]


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_SOFT)
    axes.tick_params(colors=_SOFT, labelcolor=_INK, labelsize=8)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    axes.xaxis.label.set_fontsize(9)
    axes.yaxis.label.set_fontsize(9)
    axes.grid(axis="y", color=_SOFT, alpha=0.25, linewidth=0.6)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    import html

    import matplotlib as mpl

    out = io.StringIO()
    # Text stays text, so that it is read aloud, found and drawn in the page's font.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = text.replace(_INK, "var(--ink)").replace(_SOFT, "var(--rule)")
    for i, colour in enumerate(_COLOURS):
        text = text.replace(colour, f"var(--s{i})")
    text = re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font-size: \1px", text)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*" ', r"<svg \1", text, count=1)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*" ', r"<svg \1", text, count=1)
    label = html.escape(title, quote=True)
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" class="chart" ', 1)
