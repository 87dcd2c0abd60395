"""The first page: what was asked, the answer in a paragraph, all data sets in one table, quality against cost, alarms."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from leaderboards.alarms import KINDS, Alarm
from leaderboards.export import signed
from leaderboards.overall import pareto
from leaderboards.summary import OverallBoard, OverallEntry, overall_boards
from leaderboards.table import BASELINE, Board
from reports.views.answers import answer, asked
from reports.views.cells import seconds_text
from reports.views.charts import CostChart, CostPoint, cost_chart
from reports.views.facts import Facts, protocol_place
from reports.views.heat import Heat, HeatRow, heat
from reports.views.links import dataset_path, model_anchor
from reports.views.summaries import BoardTable, board_tables
from reports.views.words import isolated, name, short, telling

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Overview", "about_table", "alarm_views", "answer", "asked", "overview", "widest"]

WIDE, MIDDLE, NARROW = (760.0, 420.0), (560.0, 400.0), (350.0, 340.0)
"""Sizes of the chart of quality against cost, of which the page shows the one whose text is of the page's size."""


@dataclass(frozen=True)
class OverallRow:
    """A model over all data sets of one kind of board."""

    number: int
    name: str
    card: str
    baseline: bool
    rank: str
    gain: str
    interval: str
    tone: str
    note: str


@dataclass(frozen=True)
class OverallTable:
    """Several boards under one protocol: mean rank, mean gain, and the gain on each."""

    title: str
    protocol: str
    metric: str
    unit: str
    direction: str
    rows: tuple[OverallRow, ...]
    families: tuple[tuple[str, int], ...]
    """Titles of the profiles of the data sets, and how many columns each has."""
    opens: frozenset[int]
    """Columns at which another profile begins."""
    gains: Heat
    """The gain of each model (rows, as in ``rows``) on each data set."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class AlarmView:
    """One kind of alarm, wherever it was raised."""

    kind: str
    about: str
    count: int
    models: tuple[tuple[int, str, int], ...]
    """Number and name of each model, and on how many data sets, most first; nothing where it is about boards."""
    links: tuple[tuple[str, str], ...]
    """Title and page of each data set."""


@dataclass(frozen=True)
class CostView:
    """Quality against cost."""

    metric: str
    unit: str
    lower: bool
    """Whether less is better: the chart is turned so that better stands above."""
    boards: int
    wide: CostChart
    middle: CostChart
    narrow: CostChart
    sentence: Markup
    rows: tuple[tuple[int, str, str, str, bool], ...]
    """Number, name, seconds per frame, gain, whether it is in the Pareto set: the chart as a table."""
    devices: tuple[str, ...]
    missing: tuple[str, ...]
    """Models that have no point: a figure or a time is missing somewhere."""


@dataclass(frozen=True)
class Overview:
    """The first page."""

    asked: Markup
    answer: Markup
    tables: tuple[OverallTable, ...]
    boards: tuple[BoardTable, ...]
    """Boards that are in none of the tables."""
    costs: tuple[CostView, ...]
    alarms: tuple[AlarmView, ...]
    few: bool
    """Whether a board has fewer than three clips, of which there are no intervals."""


def overview(facts: Facts) -> Overview:
    """The first page of these results."""
    groups: dict[tuple[str, str], list[Board]] = defaultdict(list)
    for board in facts.main:
        groups[board.protocol, board.primary.name].append(board)
    ordered = sorted(groups, key=lambda key: protocol_place(key[0]))
    costs = [cost for key in ordered if (cost := _cost(facts, groups[key])) is not None]
    held = widest(facts)
    tables = tuple(_table(facts, board) for board in held)
    few = any(len(board.clips) < 3 for board in facts.main)
    return Overview(
        asked(facts), answer(facts), tables, board_tables(facts, held), tuple(costs), alarm_views(facts), few
    )


def widest(facts: Facts) -> list[OverallBoard]:
    """Overall boards that are no part of another: those of all data sets, or of a profile where there is nothing else."""
    every = overall_boards(facts.main, facts.results.datasets)

    def within(one: OverallBoard, other: OverallBoard) -> bool:
        return one.protocol == other.protocol and set(one.boards) < set(other.boards)

    found = [one for one in every if not any(within(one, other) for other in every)]
    return sorted(found, key=lambda one: (protocol_place(one.protocol), -len(one.boards)))


def alarm_views(facts: Facts) -> tuple[AlarmView, ...]:
    """What the clips say surely, a line for each kind."""
    first = {(b.dataset, b.protocol): b.primary.name for b in facts.main}
    kinds: dict[str, list[Alarm]] = defaultdict(list)
    for found in facts.alarms:
        # Harm under any metric is on the boards; here it is told under the one by which models are ranked.
        minor = found.kind == "below-identity" and found.metric != first.get((found.dataset, found.protocol))
        if found.level == "alarm" and not minor:
            kinds[found.kind].append(found)
    out = []
    for kind in KINDS:
        members = kinds.get(kind, [])
        if not members:
            continue
        where: dict[str, dict[str, None]] = defaultdict(dict)
        for found in members:
            if found.model is not None:
                where[found.model][found.dataset] = None
        models = sorted(where, key=lambda m: (-len(where[m]), facts.numbers[m]))
        datasets = dict.fromkeys(found.dataset for found in members)
        out.append(
            AlarmView(
                kind=kind.replace("-", " ").replace("vmaf", "VMAF"),
                about=KINDS[kind],
                count=len(members),
                models=tuple((facts.numbers[m], m, len(where[m])) for m in models),
                links=tuple((facts.name(d), f"{dataset_path(d)}#alarms") for d in datasets),
            )
        )
    return tuple(out)


# --- all data sets in one table -------------------------------------------------------------------


def _table(facts: Facts, found: OverallBoard) -> OverallTable:
    metric = found.primary
    boards = [b for d in found.boards for b in facts.main if (b.dataset, b.protocol) == (d, found.protocol)]
    boards.sort(key=facts.main.index)
    rows, lines = [], []
    for row in found.rows:
        model = row.model.name
        rows.append(_overall_row(facts, model, row.entries[metric.name], metric.name))
        gains = tuple(_gain(b, model, metric.name) for b in boards)
        lines.append(HeatRow(model, model_anchor(model), gains, facts.numbers[model]))
    families = [(family, len(list(members))) for family, members in groupby(facts.family(b.dataset) for b in boards)]
    starts = accumulate((amount for _, amount in families), initial=0)
    parts = [facts.part(b.dataset) for b in boards]
    heads = [HeatRow(part, dataset_path(b.dataset), ()) for part, b in zip(parts, boards, strict=True)]
    unit = f" [{metric.unit}]" if metric.unit else ""
    return OverallTable(
        title=found.title,
        protocol=found.protocol,
        metric=metric.name,
        unit=metric.unit,
        direction=metric.direction,
        rows=tuple(rows),
        families=tuple(families) if parts != [facts.family(b.dataset) for b in boards] else (),
        opens=frozenset(starts),
        gains=heat(
            f"Gain in {metric.name}{unit} over doing nothing", heads, lines, metric.name, metric.direction == "higher"
        ),
        notes=about_table(found),
    )


def about_table(found: OverallBoard) -> tuple[str, ...]:
    """The notes of a table of the first metric, without those on other metrics."""
    others = [m.name for m in found.metrics if m != found.primary]
    return tuple(note for note in found.notes if not any(note.startswith(f"{other} is on ") for other in others))


def _overall_row(facts: Facts, model: str, entry: OverallEntry, metric: str) -> OverallRow:
    interval = entry.gain_interval
    ends = ""
    if entry.mean_gain is not None and interval is not None and interval.low is not None and interval.high is not None:
        ends = f"{signed(interval.low, metric)} to {signed(interval.high, metric)}"
    return OverallRow(
        number=facts.numbers[model],
        name=model,
        card=model_anchor(model),
        baseline=model == BASELINE,
        rank="–" if entry.mean_rank is None else f"{entry.mean_rank:.1f}",
        gain="–" if entry.mean_gain is None else signed(entry.mean_gain, metric),
        interval=ends,
        tone=""
        if not entry.mean_gain or not telling(signed(entry.mean_gain, metric))
        else "bad"
        if entry.harm
        else "good",
        note=entry.note,
    )


def _gain(board: Board, model: str, metric: str) -> float | None:
    row = board.row(model)
    if row is None or metric not in row.entries:
        return None
    entry = row.entries[metric]
    return 0.0 if model == BASELINE and entry.mean is not None else entry.gain


# --- quality against cost -------------------------------------------------------------------------


def _cost(facts: Facts, boards: Sequence[Board]) -> CostView | None:
    """Mean gain over boards against mean seconds per frame, of models that are whole on every board. Doing nothing takes no
    time (what is measured of it is copying), so that no model which does not gain is called worth its own."""
    metric = boards[0].primary
    sign = 1.0 if metric.direction == "higher" else -1.0
    found: list[tuple[str, float, float, str]] = []
    missing = []
    for model in facts.numbers:
        rows = [row for b in boards if (row := b.row(model)) is not None]
        gains = [g for b in boards if (g := _gain(b, model, metric.name)) is not None and math.isfinite(g)]
        times = [row.seconds_per_frame for row in rows if row.seconds_per_frame]
        if len(gains) == len(times) == len(boards):
            devices = " and ".join(dict.fromkeys(row.device for row in rows))
            found.append((model, sum(times) / len(times), sum(gains) / len(gains), devices))
        else:
            missing.append(model)
    if len([model for model, *_ in found if model != BASELINE]) < 2:
        return None
    best: dict[str, bool] = {}
    for device in dict.fromkeys(d for *_, d in found):  # times compare on one device only
        own = [(m, 0.0 if m == BASELINE else t, g) for m, t, g, d in found if d == device]
        inside = pareto([sign * g for _, _, g in own], [t for _, t, _ in own])
        best |= {m: bool(b) and m != BASELINE for (m, _, _), b in zip(own, inside, strict=True)}
    unit = f" {metric.unit}" if metric.unit else ""
    points = [
        CostPoint(
            facts.numbers[model], model, seconds, sign * gain, best[model],
            f"{isolated(short(model))}\n{signed(gain, metric.name)}{unit}, {seconds_text(seconds)} s per frame on {device}",
            device,
        )
        for model, seconds, gain, device in found
    ]  # fmt: skip
    rows_of = sorted(zip(points, found, strict=True), key=lambda pair: -pair[0].quality)
    return CostView(
        metric=metric.name,
        unit=metric.unit,
        lower=metric.direction == "lower",
        boards=len(boards),
        devices=tuple(dict.fromkeys(d for *_, d in found)),
        wide=cost_chart(points, *WIDE),
        middle=cost_chart(points, *MIDDLE),
        narrow=cost_chart(points, *NARROW),
        sentence=_fronts(points, metric.name, unit, sign, whole=not missing),
        rows=tuple(
            (p.number, p.name, seconds_text(p.cost), signed(gain, metric.name), p.best)
            for p, (_, _, gain, _) in rows_of
        ),
        missing=tuple(missing),
    )


def _fronts(points: Sequence[CostPoint], metric: str, unit: str, sign: float, whole: bool) -> Markup:
    """The Pareto set of each device in words; ``whole`` where no model goes without a point."""
    from markupsafe import Markup

    devices = dict.fromkeys(p.device for p in points if p.number)
    parts = []
    for device in devices:
        front = sorted((p for p in points if p.best and p.device == device), key=lambda p: p.cost)
        said = _front(front, metric, unit, sign, whole)
        parts.append(said if len(devices) == 1 else Markup("On {}, {}{}").format(device, said[0].lower(), said[1:]))
    return Markup(" ").join(parts)


def _front(front: Sequence[CostPoint], metric: str, unit: str, sign: float, whole: bool) -> Markup:
    """The Pareto set of one device in words."""
    from markupsafe import Markup

    if not front:
        return Markup("No model is worth its time here: doing nothing is as good as any.")
    cheap, good = front[0], front[-1]
    if len(front) == 1:
        which = "No model" if whole else "No model of those with a point here"
        return Markup("{} is better than <strong>{}</strong>, and none as good is cheaper.").format(
            which, name(good.name)
        )
    times = good.cost / cheap.cost if cheap.cost else math.inf
    return Markup("{} models give the most for their time, from {} ({}{}) to {} ({}{}), which takes {} times as long.").format(
        len(front), name(cheap.name), signed(sign * cheap.quality, metric), unit, name(good.name),
        signed(sign * good.quality, metric), unit, f"{times:.2g}" if times < 100 else f"{times:,.0f}",
    )  # fmt: skip
