"""Figures for papers: PDF or SVG of the width of a column, fonts embedded, each with a caption that says what it shows.

The same results give the same bytes. Colours, marks and dashes of a model are the same in all figures of one call; lines
differ by marks and dashes too, so that they can be told apart in black and white.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from leaderboards.table import BASELINE, Board, Row
from reports.figure_labels import name_line, place_labels

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Form = Literal["pdf", "svg", "png"]
FORMS: tuple[Form, ...] = ("pdf", "svg", "png")

COLUMN, PAGE = 3.5, 7.16
"""Widths in inches: one column, and both, of a page as IEEE sets it."""
PALETTE = ("#6f6f6f", "#0072b2", "#d55e00", "#008f6b", "#b5508f", "#a67c00", "#2a91c4", "#1d1b18")
"""As the report's light style: Okabe and Ito's, darkened to a contrast of 3 : 1; the first is doing nothing."""
MARKS = "os^DvPX*"
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.6), (1.2, 1.2), (5, 1.4, 1.2, 1.4))
INK, SOFT = "#1d1b18", "#8a857c"
LINE_HEIGHT = 0.165
"""Of a row of a figure with one row per model, in inches."""


@dataclass(frozen=True)
class Drawn:
    """One figure: a name for its file, a caption, and its bytes."""

    name: str
    caption: str
    data: bytes


@dataclass(frozen=True)
class Style:
    """Colour, mark and dashes of a model."""

    colour: str
    mark: str
    dashes: tuple[float, ...]


def styles(models: Sequence[str]) -> dict[str, Style]:
    """A style for each model, doing nothing in gray; models that share a colour differ in marks and dashes.

    Example:
        >>> styles(["identity", "a"])["a"].colour
        '#0072b2'
    """
    ordered = sorted(set(models), key=lambda name: (name != BASELINE, name))
    start = 0 if BASELINE in ordered else 1
    out = {}
    for i, name in enumerate(ordered, start):
        # Gray stays with doing nothing.
        turn, colour = divmod(max(i - 1, 0), len(PALETTE) - 1)
        found = PALETTE[0] if name == BASELINE else PALETTE[colour + 1]
        out[name] = Style(found, MARKS[i % len(MARKS)], DASHES[turn % len(DASHES)])
    return out


@contextmanager
def _look(size: float = 7.0) -> Iterator[None]:
    """matplotlib's settings for figures in print."""
    import matplotlib as mpl

    settings: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.size": size,
        "axes.labelsize": size,
        "axes.titlesize": size,
        "xtick.labelsize": size - 0.5,
        "ytick.labelsize": size - 0.5,
        "axes.linewidth": 0.6,
        "axes.edgecolor": SOFT,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#d9d5cd",
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.1,
        "pdf.fonttype": 42,  # TrueType: text stays text, and reviewers' systems do not refuse it
        "svg.fonttype": "path",
        "svg.hashsalt": "vbench",
        # A dollar sign in a name is a dollar sign.
        "text.parse_math": False,
    }
    with mpl.rc_context(settings):
        yield


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    return figure, axes


def _bytes(figure: Figure, form: Form) -> bytes:
    out = io.BytesIO()
    metadata = {"pdf": {"CreationDate": None, "Producer": None, "Creator": "vbench"}, "svg": {"Date": None}, "png": {}}
    figure.savefig(out, format=form, dpi=300, metadata=metadata[form])
    return out.getvalue()


# --- rank intervals ------------------------------------------------------------------------------


def rank_intervals(
    board: Board, name: str, form: Form = "pdf", title: str | None = None, width: float = COLUMN
) -> Drawn:
    """Every ranked model's gain over doing nothing in the board's first metric, with its 95 % interval; models that the
    clips cannot tell apart stand in one band.

    Raises:
        ValueError: no model of the board is ranked, or identity is missing.
    """
    metric = board.primary
    rows = _with_gain(board)
    if not rows:
        raise ValueError(
            f'On "{board.dataset}" no model has both a rank and a gain over doing nothing: nothing to draw.'
        )
    look = styles([row.model.name for row in board.rows])
    higher = metric.direction == "higher"
    from matplotlib.ticker import MaxNLocator

    with _look():
        figure, axes = _axes(width, 0.62 + LINE_HEIGHT * len(rows))
        for i, row in enumerate(rows):
            entry = row.entries[metric.name]
            gain, interval = entry.gain, entry.gain_interval
            assert gain is not None  # noqa: S101 - _with_gain
            style = look[row.model.name]
            if interval is not None and interval.low is not None and interval.high is not None:
                axes.plot(
                    [interval.low, interval.high], [i, i], color=style.colour, linewidth=1.4, solid_capstyle="butt"
                )
            axes.plot([gain], [i], marker=style.mark, color=style.colour, markersize=4, markeredgewidth=0)
        for band in _bands(rows)[1::2]:
            axes.axhspan(band[0] - 0.5, band[1] + 0.5, color="#f3f0ea", zorder=-2, linewidth=0)
        axes.axvline(0, color=INK, linewidth=0.7)
        axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="x")
        unit = f" [{metric.unit}]" if metric.unit else ""
        arrow = "" if higher else ", lower is better"
        axes.set_xlabel(f"{metric.name} over doing nothing{unit}{arrow}")
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        if title:
            axes.set_title(title, loc="left", fontweight="bold")
        data = _bytes(figure, form)
    caption = (
        f"{title or board.dataset}: mean gain in {metric.name} over doing nothing, with 95 % intervals over "
        f"{len(board.clips)} clips ({board.frames} frames, protocol {board.protocol}). Models in one band share a rank: these "
        "clips cannot tell them apart."
    )
    return Drawn(name, caption, data)


def _with_gain(board: Board) -> list[Row]:
    name = board.primary.name
    found = [row for row in board.rows if row.rank is not None and row.entries[name].gain is not None]
    return [row for row in found if row.model.name != BASELINE]


def _label(row: Row) -> str:
    return f"{row.rank}  {_short(row.model.name)}"


def _short(name: str, most: int = 28) -> str:
    """A name that leaves room for the figure.

    Example:
        >>> _short("a" * 40)
        'aaaaaaaaaaaaaaaaaaaaaaaaaaa…'
    """
    return name if len(name) <= most else name[: most - 1] + "…"


def _bands(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """First and last place of rows in a line that share a rank."""
    out: list[tuple[int, int]] = []
    for i, row in enumerate(rows):
        if out and rows[i - 1].rank == row.rank:
            out[-1] = (out[-1][0], i)
        else:
            out.append((i, i))
    return out


# --- quality against cost ------------------------------------------------------------------------


def quality_cost(board: Board, name: str, form: Form = "pdf", title: str | None = None, width: float = COLUMN) -> Drawn:
    """The board's first metric against seconds per frame; models that no other beats in both are joined by a line.

    Raises:
        ValueError: fewer than two models have a figure and a cost.
    """
    import numpy as np

    from leaderboards.overall import pareto

    metric = board.primary
    points = []
    device = {row.model.name: row.device for row in board.rows}
    for row in board.rows:
        mean = row.entries[metric.name].mean
        if mean is not None and abs(mean) != float("inf") and row.seconds_per_frame and row.model.name != BASELINE:
            points.append((row.model.name, row.seconds_per_frame, mean))
    if len(points) < 2:
        raise ValueError(
            f'On "{board.dataset}" fewer than two models have both a figure and a cost: nothing to compare.'
        )
    points.sort(key=lambda point: point[1])
    higher = metric.direction == "higher"
    devices = sorted({device[model] for model, _, _ in points})
    best = np.zeros(len(points), bool)
    for one in devices:  # times compare on one device only
        own = [i for i, p in enumerate(points) if device[p[0]] == one]
        best[own] = pareto([points[i][2] for i in own], [points[i][1] for i in own], higher)
    look = styles([row.model.name for row in board.rows])
    baseline = board.row(BASELINE)
    with _look():
        figure, axes = _axes(width, 0.72 * width)
        axes.set_xscale("log")
        nothing = baseline.entries[metric.name].mean if baseline else None
        if nothing is not None:
            # Doing nothing takes no time: a model that is no better is not worth its own, however fast.
            best = best & np.array([p[2] > nothing if higher else p[2] < nothing for p in points])
            axes.axhline(nothing, color=PALETTE[0], linewidth=0.8, dashes=(4, 2))
        for one in devices:
            front = [point for point, good in zip(points, best, strict=True) if good and device[point[0]] == one]
            axes.plot([p[1] for p in front], [p[2] for p in front], color=SOFT, linewidth=0.8, zorder=1)
        for (model, seconds, mean), good in zip(points, best, strict=True):
            style = look[model]
            axes.plot(
                [seconds], [mean], marker=style.mark, color=style.colour, markersize=5 if good else 3.8,
                markeredgewidth=0, alpha=1 if good else 0.75, linestyle="none", zorder=2,
            )  # fmt: skip
        axes.margins(x=0.16, y=0.12)
        left, right = axes.get_xlim()
        if right < 10 * left:
            middle = (left * right) ** 0.5
            axes.set_xlim(middle / 10**0.6, middle * 10**0.6)
        _time_axis(axes)
        axes.grid(axis="y")
        unit = f" [{metric.unit}]" if metric.unit else ""
        axes.set_xlabel("time per frame")
        axes.set_ylabel(f"{metric.name}{unit}")
        if metric.direction == "lower":
            axes.invert_yaxis()
        if title:
            axes.set_title(title, loc="left", fontweight="bold")
        named = None if nothing is None else name_line(figure, axes, "doing nothing", nothing, points, PALETTE[0])
        labels = [(_short(m, 20), s, y, bool(g)) for (m, s, y), g in zip(points, best, strict=True)]
        place_labels(figure, axes, labels, [named] if named is not None else [], INK)
        data = _bytes(figure, form)
    each = "" if len(devices) == 1 else " of each device, as times compare on one only"
    caption = (
        f"{title or board.dataset}: {metric.name} against the time that a frame takes on {' and '.join(devices)} (median over "
        f"clips, {len(board.clips)} of them; protocol {board.protocol}). The line joins the Pareto set{each}: models better than "
        "doing nothing to which no other is both at least as good and at least as fast."
    )
    return Drawn(name, caption, data)


def _time_axis(axes: Axes) -> None:
    """Ticks at 1, 2, 5, or at decades where the axis is long, in words: 20 ms, 1 s."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    left, right = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if right < 200 * left else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x * 1000:g} ms" if x < 0.9995 else f"{x:g} s"))
    axes.xaxis.set_minor_formatter(NullFormatter())


# --- severity ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """One model over severities: where it has a figure."""

    model: str
    severities: Sequence[float]
    values: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]


def severity_curves(
    curves: Sequence[Curve],
    name: str,
    metric: str,
    unit: str,
    form: Form = "pdf",
    title: str | None = None,
    width: float = COLUMN,
) -> Drawn:
    """Gain over doing nothing at each severity, a line per model, its 95 % intervals as a band.

    Raises:
        ValueError: no curve has two points.
    """
    curves = [curve for curve in curves if len(curve.severities) > 1]
    if not curves:
        raise ValueError("A severity curve needs two severities or more with the same models on them.")
    look = styles([BASELINE, *(curve.model for curve in curves)])
    with _look():
        figure, axes = _axes(width, 0.62 * width)
        axes.axhline(0, color=INK, linewidth=0.7)
        for curve in curves:
            style = look[curve.model]
            ends = [(x, a, b) for x, a, b in zip(curve.severities, curve.low, curve.high, strict=True) if a is not None]
            if len(ends) > 1:
                axes.fill_between(
                    [x for x, _, _ in ends], [a for _, a, _ in ends if a is not None], [b for _, _, b in ends if b is not None],
                    color=style.colour, alpha=0.12, linewidth=0,
                )  # fmt: skip
            axes.plot(
                curve.severities, curve.values, color=style.colour, marker=style.mark, markersize=3.2, markeredgewidth=0,
                dashes=style.dashes or (None, None), label=_short(curve.model),
            )  # fmt: skip
        axes.set_xticks(sorted({x for curve in curves for x in curve.severities}))
        axes.set_xlabel("severity")
        axes.set_ylabel(f"gain in {metric}{f' [{unit}]' if unit else ''}")
        axes.grid(axis="y")
        if title:
            axes.set_title(title, loc="left", fontweight="bold")
        figure.legend(loc="outside lower center", ncols=3 if width < PAGE else 5, frameon=False, fontsize=6)
        data = _bytes(figure, form)
    return Drawn(
        name,
        f"{title or metric}: mean gain in {metric} over doing nothing by severity; bands are 95 % intervals over clips.",
        data,
    )


# --- figures of every frame ----------------------------------------------------------------------


def per_frame(
    frames: Sequence[tuple[str, Sequence[float]]], name: str, metric: str, unit: str, form: Form = "pdf", title: str | None = None,
    width: float = COLUMN,
) -> Drawn:  # fmt: skip
    """A metric's figure of every frame, a line per model.

    Args:
        frames: model, and its figures.

    Raises:
        ValueError: there are no figures.
    """
    if not frames or not any(len(values) for _, values in frames):
        raise ValueError(f"There are no figures per frame of {metric} to draw.")
    from matplotlib.ticker import MaxNLocator

    look = styles([BASELINE, *(model for model, _ in frames)])
    with _look():
        figure, axes = _axes(width, 0.55 * width)
        for model, values in frames:
            style = look[model]
            finite = [value if abs(value) != float("inf") else float("nan") for value in values]
            axes.plot(
                range(1, len(finite) + 1),  # as the report counts them
                finite,
                color=style.colour,
                dashes=style.dashes or (None, None),
                linewidth=1,
                label=_short(model),
            )
        axes.set_xlabel("frame")
        # Short, as a long label is cut off beside a low figure; the caption says what a gain is over.
        axes.set_ylabel(f"{metric.removesuffix(' over doing nothing')}{f' [{unit}]' if unit else ''}")
        if "over doing nothing" in metric:
            axes.axhline(0, color=INK, linewidth=0.7)
        axes.margins(x=0.01)
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if title:
            axes.set_title(title, loc="left", fontweight="bold")
        figure.legend(loc="outside lower center", ncols=3 if width < PAGE else 5, frameon=False, fontsize=6)
        data = _bytes(figure, form)
    return Drawn(name, f"{title or metric}: {metric} of every frame.", data)


# --- slices through time -------------------------------------------------------------------------


def slices(
    rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]], name: str, row: int, form: Form = "pdf", title: str | None = None,
    width: float = COLUMN,
) -> Drawn:  # fmt: skip
    """One row of pixels over time, sources one below the other: x to the right, time downwards. Flicker shows as bands,
    jitter as jagged edges.

    Args:
        rows: label of a source, and the row of each of its frames, ``(W, 3)`` RGB.
        row: which one it is, counted from the top.

    Raises:
        ValueError: there is no source, or their sizes differ.
    """
    import numpy as np

    pictures = [(label, np.stack(list(lines))) for label, lines in rows]
    if not pictures or len({picture.shape for _, picture in pictures}) != 1:
        raise ValueError("Slices need one source at least, and all of one width and length.")
    time, across = pictures[0][1].shape[:2]
    high = width * min(max(time / across, 0.12), 0.5)
    with _look():
        from matplotlib.figure import Figure

        figure = Figure(
            figsize=(width, (high + 0.17) * len(pictures) + (0.25 if title else 0.05)), layout="constrained"
        )
        all_axes = figure.subplots(len(pictures), 1, squeeze=False)[:, 0]
        for axes, (label, picture) in zip(all_axes, pictures, strict=True):
            axes.imshow(picture, aspect="auto", interpolation="nearest")
            axes.set_title(_short(label), loc="left", pad=2, fontsize=6.5)
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=7)
        data = _bytes(figure, form)
    caption = f"{title or 'Slices'}: row {row} of every frame, time downwards ({time} frames)."
    return Drawn(name, caption, data)
