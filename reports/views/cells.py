"""The cells of tables: a figure with its interval, its gain, its bar and what a reader should know of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from leaderboards.alarms import Alarm
from leaderboards.export import number, signed
from leaderboards.schema import MetricFacts
from leaderboards.stats import Interval
from leaderboards.table import Board, Entry
from reports.views.words import count, isolated, short, telling


@dataclass(frozen=True)
class Figure:
    """One figure of a table."""

    text: str
    sort: str
    """The figure itself for sorting, in full; empty where there is none."""
    interval: str = ""
    bar: tuple[float, float, float] | None = None
    """Low end, mean and high end of the interval as shares of the column's range, 0 to 100."""
    gain: str = ""
    tone: str = ""
    """``good`` if the mean is better than that of doing nothing, ``bad`` if it is worse."""
    mark: str = ""
    """``best``, ``second`` or empty."""
    hole: str = ""
    """Why there is no figure."""
    flag: str = ""
    """What a reader should know before quoting it, in sentences."""
    tip: str = ""
    """All that is known of it in a few words, for a tip."""


def span(board: Board, metric: str) -> tuple[float, float]:
    """The range of a column's means and intervals, for the small bars."""
    ends = []
    for row in board.rows:
        entry = row.entries[metric]
        if entry.mean is None or not math.isfinite(entry.mean):
            continue
        ends += [entry.mean]
        if entry.interval is not None:
            ends += [v for v in (entry.interval.low, entry.interval.high) if v is not None and math.isfinite(v)]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def share(value: float, reach: tuple[float, float]) -> float:
    """Where a value stands within a range, 0 to 100."""
    return round(100 * (value - reach[0]) / ((reach[1] - reach[0]) or 1.0), 1)


def figure(
    model: str, facts: MetricFacts, entry: Entry, reach: tuple[float, float], raised: Mapping[tuple[str, str], str]
) -> Figure:
    """A model's figure under one metric; ``reach`` is the range of its column, ``raised`` what :func:`flags` gives."""
    metric = facts.name
    if entry.hole is not None or entry.mean is None:
        return Figure("–", "", hole=entry.hole or "no figure")
    text = _interval(entry.interval, lambda value: number(value, metric))
    bar = None
    if text and entry.interval is not None and math.isfinite(entry.mean):
        low, high = entry.interval.low, entry.interval.high
        if low is not None and high is not None:
            bar = (share(low, reach), share(entry.mean, reach), share(high, reach))
    return Figure(
        text=number(entry.mean, metric),
        sort=repr(entry.mean),
        interval=text,
        bar=bar,
        gain="" if entry.gain is None else signed(entry.gain, metric),
        tone=""
        if entry.gain is None or not telling(signed(entry.gain, metric))
        else "good"
        if entry.better
        else "bad"
        if entry.harm
        else "",
        mark="best" if entry.best else "second" if entry.second else "",
        flag=raised.get((model, metric), ""),
        tip=_tip(model, facts, entry, text),
    )


def _interval(interval: Interval | None, form: Callable[[float], str]) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"{form(interval.low)} to {form(interval.high)}"


def _tip(model: str, facts: MetricFacts, entry: Entry, interval: str) -> str:
    metric, unit = facts.name, f" {facts.unit}" if facts.unit else ""
    lines = [
        f"{isolated(short(model))}, {metric}: {number(entry.mean, metric)}{unit}"
        + (f" ({interval})" if interval else "")
    ]
    if entry.gain is not None:
        ends = _interval(entry.gain_interval, lambda value: signed(value, metric))
        lines.append(f"gain {signed(entry.gain, metric)}{unit}" + (f" ({ends})" if ends else ""))
    if entry.clips_worse:
        lines.append(f"worse than doing nothing on {entry.clips_worse} of {count(entry.clips, 'clip')}")
    return "\n".join(lines)


QUIET = frozenset({"below-identity", "fewer-clips"})
"""Kinds of alarms that the table shows already: by the colour of gains, and as holes."""


def flags(raised: Sequence[Alarm]) -> dict[tuple[str, str], str]:
    """Sure alarms by model and metric, in sentences."""
    found: dict[tuple[str, str], list[str]] = {}
    for alarm in raised:
        if alarm.level == "alarm" and alarm.kind not in QUIET and alarm.model is not None and alarm.metric is not None:
            found.setdefault((alarm.model, alarm.metric), []).append(alarm.text)
    return {place: " ".join(texts) for place, texts in found.items()}


def interval_methods(board: Board) -> str:
    """What the intervals of a board are, a method and its limited form as one."""
    methods = {
        e.interval.method
        for row in board.rows
        for e in row.entries.values()
        if e.interval is not None and e.mean is not None
    }
    return _methods(methods)


def _methods(methods: set[str]) -> str:
    """Methods as one text.

    Example:
        >>> _methods({"bootstrap", "bootstrap, limited to 2 times t", "t"})
        'bootstrap (some limited to 2 times t); t'
    """
    out = []
    for method in sorted(methods):
        plain, _, limit = method.partition(", ")
        if not limit:
            out.append(method)
        elif plain in out:
            out[out.index(plain)] = f"{plain} (some {limit})"
        else:
            out.append(f"{plain} ({limit})")
    return "; ".join(out)


def seconds_text(seconds: float | None) -> str:
    """Seconds with three significant digits, never as a power of ten.

    Example:
        >>> seconds_text(0.00012345), seconds_text(12.345), seconds_text(1234.5), seconds_text(None)
        ('0.000123', '12.3', '1,234', '–')
    """
    if seconds is None:
        return "–"
    if seconds >= 100 or seconds == 0:
        return f"{seconds:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(seconds)))
    return f"{seconds:.{digits}f}"
