"""Severity: how each model's gain changes as the damage of one profile grows, for every metric."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboards.export import signed
from leaderboards.summary import SeverityCurve, SeverityLine, severity_curves
from leaderboards.table import BASELINE
from reports.views.charts import CurveChart, Series, curve_chart
from reports.views.facts import Facts
from reports.views.links import dataset_path
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
    areas: dict[int, str]
    """The mean height of each whole curve, by number of the model."""
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
    """Profiles whose data sets have severities, two or more, on the same clips under one protocol."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[SeverityCurve]] = defaultdict(list)
    for curve in severity_curves(facts.main, facts.results.datasets):
        groups[curve.profile, curve.protocol, curve.datasets].append(curve)
    protocols = {protocol for _, protocol, _ in groups}
    found: list[SeverityProfile] = []
    for (_, protocol, datasets), curves in groups.items():
        metrics = tuple(made for curve in curves if (made := _metric(facts, curve)) is not None)
        if metrics:
            variants = tuple((facts.variant(d), dataset_path(d)) for d in datasets)
            family = facts.family(datasets[0])
            name = f"{family}, protocol {protocol}" if len(protocols) > 1 else family
            found.append(SeverityProfile(f"p{len(found)}", name, variants, metrics))
    return tuple(found)


def _metric(facts: Facts, curve: SeverityCurve) -> SeverityMetric | None:
    metric = curve.metric
    series, texts, holes, areas = [], [], [], {}
    for line in curve.lines:
        if line.model.name == BASELINE:
            continue
        made = _series(line, facts.numbers[line.model.name])
        if all(v is None for v in made.values):
            holes.append(line.model.name)
            continue
        series.append(made)
        texts.append(_tips(made, curve, facts))
        if line.area_gain is not None and math.isfinite(line.area_gain):
            areas[made.number] = signed(line.area_gain, metric.name)
    if not series:
        return None
    names = [isolated(short(facts.variant(d), 14)) for d in curve.datasets]
    # Four or more severities in a narrow frame: every other name, so that they do not lie on each other.
    thin = [n if i % 2 == 0 or len(names) < 4 else "" for i, n in enumerate(names)]
    ends = [_first_and_last(names, i) for i in range(len(names))]
    return SeverityMetric(
        name=metric.name,
        unit=metric.unit,
        direction=metric.direction,
        wide=curve_chart(series, names, texts, *WIDE, labelled=True, about=6),
        narrow=curve_chart(series, thin, texts, *NARROW, labelled=False),
        small=curve_chart(series, ends, texts, *SMALL, labelled=False, about=4),
        areas=areas,
        holes=tuple(holes),
    )


def _first_and_last(names: Sequence[str], index: int) -> str:
    return names[index] if index in (0, len(names) - 1) else ""


def _series(line: SeverityLine, number: int) -> Series:
    gains = tuple(g if g is not None and math.isfinite(g) else None for g in line.gains)
    ends = [i if g is not None else None for g, i in zip(gains, line.gain_intervals, strict=True)]
    return Series(
        number,
        line.model.name,
        gains,
        tuple(i.low if i else None for i in ends),
        tuple(i.high if i else None for i in ends),
    )


def _tips(series: Series, curve: SeverityCurve, facts: Facts) -> list[str]:
    metric = curve.metric
    unit = f" {metric.unit}" if metric.unit else ""
    tips = []
    for dataset, value, low, high in zip(curve.datasets, series.values, series.low, series.high, strict=True):
        who, where = isolated(short(series.name)), isolated(short(facts.variant(dataset)))
        text = f"{who}, {where}: {signed(value, metric.name)}{unit}"
        if low is not None and high is not None:
            text += f" ({signed(low, metric.name)} to {signed(high, metric.name)})"
        tips.append(text)
    return tips
