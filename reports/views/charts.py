"""Where things stand in a chart: scales, ticks, lines, bands, labels that do not lie on each other.

Charts are SVG that the templates set from these places. They are drawn here and not by a script, so that a page prints, reads
and compares byte for byte without one; colours come from the style sheet and follow dark and light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.views.marks import dashes, mark_path
from reports.views.words import isolated, short

TEXT = 11.0
"""Size of text in a chart, in units of its view box; about pixels, as charts are set at their own width."""
_WIDE = 0.6
"""Width of a character by its height, on average."""


@dataclass(frozen=True)
class Tick:
    """A tick: its place and its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Scale:
    """From values to places: ``low`` stands at ``start``, ``high`` at ``end``, evenly or by the logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value, to a tenth; of infinite ones the end of the scale.

        Example:
            >>> Scale(0, 10, 100, 0)(2.5), Scale(0.01, 10, 0, 300, log=True)(0.1)
            (75.0, 100.0)
        """
        if math.isinf(value):
            return self.end if value > 0 else self.start
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (at - low) / ((high - low) or 1.0), 1)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values from ``low`` to ``high``, about so many, in steps of 1, 2, 2.5 or 5 times a power of ten.

    Example:
        >>> ticks(-0.7, 9.2)
        [0.0, 2.0, 4.0, 6.0, 8.0]
        >>> ticks(0.0, 0.0)
        [0.0]
    """
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) + 0.0 for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten from ``low`` to ``high``, with 2 and 5 times them where they are few.

    Example:
        >>> log_ticks(0.004, 12), log_ticks(0.3, 3)
        ([0.01, 0.1, 1.0, 10.0], [0.5, 1.0, 2.0])
    """
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        found = [float(f"{f}e{e}") for e in exponents for f in factors]
        inside = [v for v in found if low <= v <= high]
        if len(inside) >= 3:
            return inside
    return inside


def plain(value: float) -> str:
    """A power of ten, or a few times one, as people write it.

    Example:
        >>> plain(0.00002), plain(0.5), plain(2e6)
        ('0.00002', '0.5', '2,000,000')
    """
    return f"{value:,.0f}" if value >= 1 else f"{value:.12f}".rstrip("0")


def tick_text(value: float, values: Sequence[float]) -> str:
    """A tick's label, with as many digits as its neighbours need and a true minus.

    Example:
        >>> [tick_text(v, [-2.5, 0.0, 2.5]) for v in (-2.5, 0.0, 2.5)]
        ['−2.5', '0', '2.5']
    """
    if value == 0:
        return "0"
    digits = max((len(f"{v:.6f}".rstrip("0").partition(".")[2]) for v in values), default=0)
    return f"{abs(value):,.{min(digits, 6)}f}" if value > 0 else f"−{abs(value):,.{min(digits, 6)}f}"


@dataclass(frozen=True)
class Box:
    """A chart's size and the rectangle in which values are drawn."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Label:
    """A text and its place."""

    x: float
    y: float
    anchor: str
    text: str


@dataclass(frozen=True)
class Point:
    """A model in a chart of quality against cost."""

    number: int
    name: str
    x: float
    y: float
    mark: str
    best: bool
    tip: str
    label: Label | None


@dataclass(frozen=True)
class CostChart:
    """Quality against cost at one width."""

    box: Box
    xs: tuple[Tick, ...]
    ys: tuple[Tick, ...]
    zero: float | None
    points: tuple[Point, ...]
    front: str
    """The lines along the Pareto sets, one for each device, as the ``d`` of a path."""


@dataclass(frozen=True)
class CostPoint:
    """What a model costs and gains, before it has a place."""

    number: int
    name: str
    cost: float
    quality: float
    best: bool
    """In the Pareto set."""
    tip: str
    device: str = ""
    """On which it ran: costs compare on one device only, and each has a line of its own."""


def cost_chart(points: Sequence[CostPoint], width: float, height: float) -> CostChart:
    """Quality against cost on a logarithmic scale, the cheap and good at the upper left."""
    box = Box(width, height, 46, 12, width - 14, height - 40)
    low, high = min(p.cost for p in points), max(p.cost for p in points)
    if high < 10 * low:  # less than a decade says nothing of cost and looks as if it did
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(10), middle * math.sqrt(10)
    x = Scale(low, high, box.left + 16, box.right - 16, log=True)
    bottom, top = min(0.0, *(p.quality for p in points)), max(0.0, *(p.quality for p in points))
    room = 0.06 * ((top - bottom) or 1.0)
    y = Scale(bottom - room, top + room, box.bottom, box.top)
    placed = _labels([(x(p.cost), y(p.quality), p.name, p.best) for p in points], box)
    drawn = []
    for p, label in zip(points, placed, strict=True):
        at, height_of = x(p.cost), y(p.quality)
        shape = mark_path(p.number, at, height_of, 5.5 if p.best else 4.2)
        drawn.append(Point(p.number, p.name, at, height_of, shape, p.best, p.tip, label))
    path = ""
    for device in dict.fromkeys(p.device for p in points):
        front = sorted((p for p in points if p.best and p.device == device), key=lambda p: (p.cost, p.quality))
        for i, p in enumerate(front):
            path += f"H{x(p.cost)}V{y(p.quality)}" if i else f"M{x(p.cost)} {y(p.quality)}"
    heights, costs = ticks(bottom - room, top + room), log_ticks(low, high)
    return CostChart(
        box,
        _apart([Tick(x(v), plain(v)) for v in costs]),
        tuple(Tick(y(v), tick_text(v, heights)) for v in heights),
        y(0.0),
        tuple(drawn),
        path,
    )


def _apart(marks: Sequence[Tick]) -> tuple[Tick, ...]:
    """As many of evenly spaced ticks as can stand beside each other: all, or every second, third ...

    Example:
        >>> [t.text for t in _apart([Tick(0, "0.001"), Tick(20, "0.01"), Tick(40, "0.1")])]
        ['0.001', '0.1']
    """
    for step in range(1, len(marks)):
        kept = marks[::step]
        room = [b.at - a.at - TEXT * _WIDE * (len(a.text) + len(b.text)) / 2 for a, b in pairwise(kept)]
        if all(left > TEXT / 2 for left in room):
            return tuple(kept)
    return tuple(marks[:1])


def _labels(points: Sequence[tuple[float, float, str, bool]], box: Box) -> list[Label | None]:
    """Names beside their points where there is room; the Pareto set is served first, who finds none goes without."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y, _, _ in points]
    out: list[Label | None] = [None] * len(points)
    for index in sorted(range(len(points)), key=lambda i: (not points[i][3], points[i][1], points[i][0])):
        x, y, name, best = points[index]
        text = short(name, 22)
        wide = len(text) * TEXT * _WIDE * (1.07 if best else 1.0)
        for dx, dy, anchor in (
            (9, 4, "start"), (-9, 4, "end"), (0, -10, "middle"), (0, 19, "middle"),
            (8, -7, "start"), (8, 15, "start"), (-8, -7, "end"), (-8, 15, "end"),
        ):  # fmt: skip
            left = x + dx - {"start": 0.0, "end": wide, "middle": wide / 2}[anchor]
            around = (left, y + dy - TEXT, left + wide, y + dy + 2)
            inside = box.left + 2 <= around[0] and around[2] <= box.width - 2 and box.top - 8 <= around[1]
            if inside and around[3] <= box.bottom and not any(_meet(around, other) for other in taken):
                taken.append(around)
                out[index] = Label(round(x + dx, 1), round(y + dy, 1), anchor, isolated(text))
                break
    return out


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@dataclass(frozen=True)
class Series:
    """One model over severities, before it has a place: values with the ends of their intervals, None where there is none."""

    number: int
    name: str
    values: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class Curve:
    """One model over severities."""

    number: int
    name: str
    dash: str
    line: str
    band: str
    marks: tuple[str, ...]
    tips: tuple[tuple[float, float, str], ...]
    """Where values stand, and what they are."""
    label: Label | None
    leader: str = ""
    """From the end of the line to its name, which may stand higher or lower."""


@dataclass(frozen=True)
class CurveChart:
    """Curves in one frame."""

    box: Box
    xs: tuple[Tick, ...]
    ys: tuple[Tick, ...]
    zero: float | None
    curves: tuple[Curve, ...]


def curve_chart(
    series: Sequence[Series],
    severities: Sequence[str],
    format_value: Sequence[Sequence[str]],
    width: float,
    height: float,
    *,
    labelled: bool,
    about: int = 5,
) -> CurveChart:
    """Lines over severities, evenly spaced, with bands; the scale holds all values and nought, intervals as far as they are
    within one and a half times that.

    Args:
        series: the models.
        severities: the names of the severities, mildest first.
        format_value: each value of each series as text.
        width, height: of the view box.
        labelled: whether names stand at the right ends of the lines.
        about: ticks of the vertical axis.
    """
    box = Box(width, height, 44, 10, width - (156 if labelled else 12), height - 24)
    values = [v for s in series for v in s.values if v is not None and math.isfinite(v)] or [0.0]
    low, high = min(0.0, *values), max(0.0, *values)
    reach = 0.25 * ((high - low) or 1.0)
    ends = [v for s in series for v in (*s.low, *s.high) if v is not None and math.isfinite(v)]
    low, high = max(min([low, *ends]), low - reach), min(max([high, *ends]), high + reach)
    y = Scale(low, high if high > low else low + 1, box.bottom, box.top)
    inset = min(24.0, (box.right - box.left) / 8)
    step = (box.right - box.left - 2 * inset) / max(1, len(severities) - 1)
    xs = [round(box.left + inset + i * step, 1) for i in range(len(severities))]
    curves = [_curve(s, xs, y, texts) for s, texts in zip(series, format_value, strict=True)]
    if labelled:
        curves = _ends(curves, series, xs, y, box)
    heights = ticks(low, high, about)
    marks = tuple(Tick(x, name) for x, name in zip(xs, severities, strict=True))
    return CurveChart(box, marks, tuple(Tick(y(v), tick_text(v, heights)) for v in heights), y(0.0), tuple(curves))


def _curve(series: Series, xs: Sequence[float], y: Scale, texts: Sequence[str]) -> Curve:
    pen, line, marks, tips = "M", "", [], []
    upper: list[str] = []
    lower: list[str] = []
    bands = []
    for x, value, low, high, text in zip(xs, series.values, series.low, series.high, texts, strict=True):
        if value is None or not math.isfinite(value):
            pen = "M"
        else:
            line += f"{pen}{x} {y(value)}"
            pen = "L"
            marks.append(mark_path(series.number, x, y(value), 3.2))
            tips.append((x, y(value), text))
        if value is None or low is None or high is None:
            bands.append((upper, lower))
            upper, lower = [], []
        else:
            upper.append(f"{x} {_within(y, high)}")
            lower.append(f"{x} {_within(y, low)}")
    bands.append((upper, lower))
    band = "".join("M" + "L".join([*up, *reversed(down)]) + "Z" for up, down in bands if len(up) > 1)
    return Curve(series.number, series.name, dashes(series.number), line, band, tuple(marks), tuple(tips), None)


def _within(y: Scale, value: float) -> float:
    """The place of an interval's end, which may lie beyond the scale: then at its edge."""
    return y(min(max(value, y.low), y.high))


def _ends(curves: Sequence[Curve], series: Sequence[Series], xs: Sequence[float], y: Scale, box: Box) -> list[Curve]:
    """Names at the right ends of lines, moved apart so that they can be read, in the order of the ends."""
    from dataclasses import replace

    wanted = []
    for i, s in enumerate(series):
        last = next(((x, v) for x, v in zip(reversed(xs), reversed(s.values), strict=True) if v is not None), None)
        if last is not None and math.isfinite(last[1]):
            wanted.append((y(last[1]), i, last[0]))
    wanted.sort()
    gap = TEXT + 2
    places = [at for at, _, _ in wanted]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + gap)
    over = places[-1] - (box.bottom + 10) if places else 0
    if over > 0:  # too low: everything that touches moves up again
        places[-1] -= over
        for k in range(len(places) - 2, -1, -1):
            places[k] = min(places[k], places[k + 1] - gap)
    out = list(curves)
    for (end, i, x), at in zip(wanted, places, strict=True):
        if at >= box.top - 10:
            label = Label(box.right + 34, round(at + 4, 1), "start", isolated(short(out[i].name, 19)))
            leader = f"M{round(x + 5, 1)} {end}L{round(box.right + 31, 1)} {round(at, 1)}"
            out[i] = replace(out[i], label=label, leader=leader)
    return out
