"""Severity: how each model's gain changes as the damage of one profile grows, for every metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboards.export import signed
from leaderboards.schema import MetricFacts
from leaderboards.table import BASELINE, Board
from reports.views.charts import CurveChart, Series, curve_chart
from reports.views.facts import Facts
from reports.views.words import isolated, short

SMALL = (250.0, 150.0)
"""Size of a chart of the small multiples."""
WIDE, NARROW = (760.0, 400.0), (350.0, 330.0)


@dataclass(frozen=True)
class SeverityMetric:
    """The charts of one metric: all models together, at two widths, and each on its own."""

    name: str
    unit: str
    direction: str
    wide: CurveChart
    narrow: CurveChart
    small: CurveChart
    """One frame for all small charts: each shows one of its curves, the others pale."""
    holes: tuple[str, ...]
    """Models without a curve: they lack a figure at every severity."""


@dataclass(frozen=True)
class SeverityProfile:
    """One profile with two severities or more."""

    key: str
    profile: str
    variants: tuple[tuple[str, str], ...]
    """Name and page of the data set of each severity, mildest first."""
    metrics: tuple[SeverityMetric, ...]


def severity_profiles(facts: Facts) -> tuple[SeverityProfile, ...]:
    """Profiles whose data sets have severities, two or more, under one protocol."""
    from reports.views.boards import dataset_path

    found: list[SeverityProfile] = []
    for profile, boards in facts.profiles.items():
        for protocol in dict.fromkeys(b.protocol for b in boards):
            members = [
                b
                for b in boards
                if b.protocol == protocol and facts.datasets.get(b.dataset, {}).get("severity") is not None
            ]
            if len(members) < 2:
                continue
            metrics = tuple(
                made
                for metric in members[0].metrics
                if all(any(m.name == metric.name for m in b.metrics) for b in members)
                and (made := _metric(facts, metric, members)) is not None
            )
            if metrics:
                variants = tuple((facts.variant(b.dataset), dataset_path(b.dataset)) for b in members)
                several = len({b.protocol for b in boards}) > 1
                name = f"{profile}, protocol {protocol}" if several else profile
                found.append(SeverityProfile(f"p{len(found)}", name, variants, metrics))
    return tuple(found)


def _metric(facts: Facts, metric: MetricFacts, boards: Sequence[Board]) -> SeverityMetric | None:
    series, texts, holes = [], [], []
    for model, number in facts.numbers.items():
        if model == BASELINE:
            continue
        made = _series(model, number, metric.name, boards)
        if all(v is None for v in made.values):
            holes.append(model)
            continue
        series.append(made)
        texts.append(_tips(made, metric, boards, facts))
    if not series:
        return None
    names = [isolated(short(facts.variant(b.dataset), 14)) for b in boards]
    # Three or more severities in a narrow frame: every other name, so that they do not lie on each other.
    thin = [n if i % 2 == 0 or len(names) < 4 else "" for i, n in enumerate(names)]
    return SeverityMetric(
        name=metric.name,
        unit=metric.unit,
        direction=metric.direction,
        wide=curve_chart(series, names, texts, *WIDE, labelled=True, about=6),
        narrow=curve_chart(series, thin, texts, *NARROW, labelled=False),
        small=curve_chart(series, [_first_and_last(names, i) for i in range(len(names))], texts, *SMALL, labelled=False, about=4),
        holes=tuple(holes),
    )  # fmt: skip


def _first_and_last(names: Sequence[str], index: int) -> str:
    return names[index] if index in (0, len(names) - 1) else ""


def _series(model: str, number: int, metric: str, boards: Sequence[Board]) -> Series:
    values: list[float | None] = []
    low: list[float | None] = []
    high: list[float | None] = []
    for board in boards:
        row = board.row(model)
        entry = row.entries.get(metric) if row else None
        gain = entry.gain if entry is not None and entry.gain is not None and math.isfinite(entry.gain) else None
        interval = entry.gain_interval if entry is not None and gain is not None else None
        values.append(gain)
        low.append(interval.low if interval else None)
        high.append(interval.high if interval else None)
    return Series(number, model, tuple(values), tuple(low), tuple(high))


def _tips(series: Series, metric: MetricFacts, boards: Sequence[Board], facts: Facts) -> list[str]:
    unit = f" {metric.unit}" if metric.unit else ""
    tips = []
    for board, value, low, high in zip(boards, series.values, series.low, series.high, strict=True):
        who, where = isolated(short(series.name)), isolated(short(facts.variant(board.dataset)))
        text = f"{who}, {where}: {signed(value, metric.name)}{unit}"
        if low is not None and high is not None:
            text += f" ({signed(low, metric.name)} to {signed(high, metric.name)})"
        tips.append(text)
    return tips
