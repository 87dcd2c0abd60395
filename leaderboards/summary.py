"""Several boards together: overall boards, severity curves, quality against cost. What each figure means is in :data:`WORDS`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from leaderboards.board import BASELINE, Board, worse
from leaderboards.combined import Figures, clip_shares, combined_intervals, gains_by_clip
from leaderboards.costs import CostPoint, cost_points
from leaderboards.overall import overall, severity_area
from leaderboards.results import DatasetInfo
from leaderboards.schema import MetricFacts, ModelFacts
from leaderboards.stats import Interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "WORDS", "CostPoint", "OverallBoard", "OverallEntry", "OverallRow", "SeverityCurve", "SeverityLine", "cost_points",
    "overall_boards", "severity_curves",
]  # fmt: skip

WORDS = {
    "mean_rank": "Mean rank: on each board the models that are on every board are ranked by their figure (equal figures share "
    "the mean of their ranks: 1, 2.5, 2.5, 4), and the ranks are averaged. Each board weighs the same, a close win as much as "
    "a clear one. A rank depends on who else is there, so it has no interval and compares only within its table.",
    "mean_gain": "Mean gain: the mean over boards of the model's figure minus that of the degraded clips themselves "
    "(identity). Each board weighs the same, whatever its number of clips. For metrics of which less is better, a gain below 0 "
    "is the better one. The 95 % interval takes the clips as the sample; a clip that is on several boards counts as one.",
    "missing": "A model that lacks a figure on one of the boards has no mean rank and no mean gain: means over different "
    "boards do not compare, since one board is harder than another. It stands below, with the number of boards that it is on. "
    "Data sets on which the ground truth is larger than the input are averaged apart, since other models take part.",
    "severity_area": "Area: the area under the curve over severities, in straight lines from one to the next, divided by their "
    "range: the curve's mean height, in the metric's unit.",
    "pareto": "Pareto set: no other model is at least as good and at least as cheap, and better in one of the two. Seconds "
    "compare on one device only, and so does the set by all costs; costs that are not known of every model do not count there.",
}
"""What overall figures are, in sentences that a page can print."""


@dataclass(frozen=True)
class OverallEntry:
    """One model under one metric over several boards."""

    mean_rank: float | None
    mean_gain: float | None
    """As it is: positive is better for "higher" metrics."""
    gain_interval: Interval | None
    boards: int
    """On so many it has a figure."""
    boards_worse: int | None
    """On so many its figure is worse than identity's; None where identity is missing."""
    harm: bool
    """The mean gain is worse than doing nothing."""
    note: str = ""
    """Why there is no mean."""
    best: bool = False
    second: bool = False
    """By mean gain, among models with one (identity has none)."""


@dataclass(frozen=True)
class OverallRow:
    """One model over several boards."""

    model: ModelFacts
    entries: dict[str, OverallEntry]
    place: int | None
    """By mean rank under the first metric (1, 2, 2, 4); None without one."""


@dataclass(frozen=True)
class OverallBoard:
    """Means over several boards of one protocol."""

    protocol: str
    scope: Literal["severities", "datasets"]
    """Over the severities of one profile on the same clips, or over all data sets whose frames keep (or gain) equal size."""
    title: str
    profile: str | None
    scale: int
    boards: tuple[str, ...]
    """The data sets, in order of severity or by name."""
    metrics: tuple[MetricFacts, ...]
    """Those that are on two boards or more; ranked by the first of those that are on all."""
    boards_of: dict[str, int]
    """By metric: on how many of the boards it is a column."""
    rows: tuple[OverallRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def primary(self) -> MetricFacts:
        """The metric by which rows are ordered."""
        return self.metrics[0]


@dataclass(frozen=True)
class SeverityLine:
    """One model's curve; None where it has no figure."""

    model: ModelFacts
    figures: tuple[float | None, ...]
    intervals: tuple[Interval | None, ...]
    gains: tuple[float | None, ...]
    gain_intervals: tuple[Interval | None, ...]
    area: float | None
    """Mean height of the figures; None for a curve with a hole."""
    area_gain: float | None
    """Mean height of the gains."""
    area_gain_interval: Interval | None


@dataclass(frozen=True)
class SeverityCurve:
    """One metric over the severities of a profile, on the same clips."""

    protocol: str
    profile: str
    metric: MetricFacts
    severities: tuple[float, ...]
    datasets: tuple[str, ...]
    lines: tuple[SeverityLine, ...]
    """The best area first, then curves with holes."""


def _main(boards: Iterable[Board]) -> list[Board]:
    """Boards that are not apart, of data sets with more than nothing on them."""
    return [board for board in boards if board.reason is None and board.metrics]


def _families(boards: Iterable[Board], infos: Mapping[str, DatasetInfo]) -> dict[tuple[str, str], list[list[Board]]]:
    """Boards of one protocol and profile that have a severity, by set of clips, each in order of severity.

    The variants "severity-1" to "severity-5" of a profile are one scale, its named variants (QP 22 to 45) another.
    """
    groups: dict[tuple[str, str, bool, tuple[str, ...]], dict[float, Board]] = defaultdict(dict)
    for board in boards:
        info = infos.get(board.dataset)
        if info is not None and info.profile is not None and info.severity is not None:
            # Of two data sets of one severity on the same clips (another seed) the first by name is on the curve.
            ladder = (info.variant or "").startswith("severity-")
            groups[board.protocol, info.profile, ladder, board.clips].setdefault(info.severity, board)
    out: dict[tuple[str, str], list[list[Board]]] = defaultdict(list)
    for (protocol, profile, _, _), found in sorted(groups.items()):
        if len(found) > 1:
            out[protocol, profile].append([found[severity] for severity in sorted(found)])
    return out


def overall_boards(boards: Iterable[Board], infos: Mapping[str, DatasetInfo]) -> list[OverallBoard]:
    """Mean rank and mean gain of every protocol, over the severities of each profile and over all data sets.

    Boards that stand apart (:attr:`Board.reason`) take no part. An overall board of the same boards as another is left out.

    Args:
        infos: of the data sets, by name (:attr:`leaderboards.results.Results.datasets`).
    """
    main = _main(boards)
    out = []
    for (protocol, profile), families in _families(main, infos).items():
        for family in families:
            first, last = (infos[board.dataset].severity for board in (family[0], family[-1]))
            title = f"{profile}, over {len(family)} severities ({first:g} to {last:g})"
            out.append(_overall(family, "severities", title, protocol, profile, _scale(family[0], infos)))
    groups: dict[tuple[str, int], list[Board]] = defaultdict(list)
    for board in main:
        groups[board.protocol, _scale(board, infos)].append(board)
    for (protocol, scale), group in sorted(groups.items()):
        names = {board.dataset for board in group}
        if len(group) > 1 and not any(names == set(one.boards) and one.protocol == protocol for one in out):
            size = "" if scale == 1 else f", enlarged {scale} times"
            out.append(_overall(group, "datasets", f"All {len(group)} data sets{size}", protocol, None, scale))
    return [board for board in out if board.metrics]


def _scale(board: Board, infos: Mapping[str, DatasetInfo]) -> int:
    return infos[board.dataset].scale if board.dataset in infos else 1


def _overall(
    boards: Sequence[Board],
    scope: Literal["severities", "datasets"],
    title: str,
    protocol: str,
    profile: str | None,
    scale: int,
) -> OverallBoard:
    import pandas as pd

    found, said = _alike(boards)
    boards_of = {name: len(own) for name, own in found.items()}
    facts: dict[str, MetricFacts] = {}
    for name, own in found.items():
        facts |= {name: metric} if (metric := own[0].metric(name)) is not None else {}
    # A metric that is on all boards goes first: rows are ranked by it.
    names = sorted((m for m in facts if boards_of[m] > 1), key=lambda m: boards_of[m] < len(boards))
    models: dict[str, ModelFacts] = {}
    for board in boards:
        for row in board.rows:
            models.setdefault(row.model.name, row.model)
    tables = {}
    entries: dict[str, dict[str, OverallEntry]] = {model: {} for model in models}
    for name in names:
        own = found[name]
        means = {model: [_mean(board, model, name) for board in own] for model in models}
        table = pd.DataFrame(means, index=[board.dataset for board in own], columns=list(models), dtype=float)
        tables[name] = overall(table, higher=facts[name].direction == "higher")
        for model, entry in _entries(own, facts[name], table, tables[name]).items():
            entries[model][name] = entry
    rows = _rows(models, entries, tables[names[0]]) if names else []
    apart = [name for name in names if boards_of[name] < len(boards)]
    notes = [
        said.get(name, f"{name} is on {boards_of[name]} of {len(boards)} boards, and its means are over these.")
        for name in apart
    ]
    if any(board.average == "frames" for board in boards):
        notes.append("Within a board a clip weighs as many times as it has frames; boards weigh the same.")
    return OverallBoard(
        protocol=protocol,
        scope=scope,
        title=title,
        profile=profile,
        scale=scale,
        boards=tuple(board.dataset for board in boards),
        metrics=tuple(facts[name] for name in names),
        boards_of={name: boards_of[name] for name in names},
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _alike(boards: Sequence[Board]) -> tuple[dict[str, list[Board]], dict[str, str]]:
    """Boards by metric, those alone on which it was measured in the same way (that of most); and what is said of the others."""
    ways: dict[str, dict[str, list[Board]]] = defaultdict(lambda: defaultdict(list))
    for board in boards:
        for metric in board.metrics:
            ways[metric.name][metric.way].append(board)
    found, said = {}, {}
    for name, own in ways.items():
        way = max(own, key=lambda way, own=own: len(own[way]))  # type: ignore[misc]
        found[name] = own[way]
        others = [board.dataset for other, apart in own.items() if other != way for board in apart]
        if others:
            said[name] = (
                f"{name} was measured in another way (another version or other options) on {', '.join(others)}: its means are "
                f"over the other {len(own[way])} boards."
            )
    return found, said


def _mean(board: Board, model: str, metric: str) -> float | None:
    row = board.row(model)
    return None if row is None else row.entries[metric].mean


def _entries(
    boards: Sequence[Board], metric: MetricFacts, means: pd.DataFrame, table: pd.DataFrame
) -> dict[str, OverallEntry]:
    gained = {model: _board_gains(boards, model, metric.name) for model in means.columns}
    whole = [model for model, gains in gained.items() if gains is not None]
    found = combined_intervals([gained[model] or [] for model in whole], [1 / len(boards)] * len(boards))
    intervals = dict(zip(whole, found, strict=True))
    towards = 1.0 if metric.direction == "higher" else -1.0
    lines = table.to_dict("index")
    out = {}
    for model in means.columns:
        line = lines[model]
        # `overall` turns gains so that more is better; here they stand as they are, as on boards.
        gain = None if np.isnan(line["mean_gain"]) or model == BASELINE else towards * float(line["mean_gain"])
        pairs = [(_mean(board, model, metric.name), _mean(board, BASELINE, metric.name)) for board in boards]
        known = [(own, base) for own, base in pairs if own is not None and base is not None]
        out[model] = OverallEntry(
            mean_rank=None if np.isnan(line["mean_rank"]) else float(line["mean_rank"]),
            mean_gain=None if gain is None else gain + 0.0,
            gain_interval=intervals.get(model),
            boards=int(line["boards"]),
            boards_worse=sum(towards * own < towards * base for own, base in known)
            if known and model != BASELINE
            else None,
            harm=gain is not None and worse(gain, metric),
            note=str(line["note"]),
        )
    return _marked(out, towards)


def _marked(entries: dict[str, OverallEntry], towards: float) -> dict[str, OverallEntry]:
    from dataclasses import replace

    gains = {model: towards * e.mean_gain for model, e in entries.items() if e.mean_gain is not None}
    levels = sorted(set(gains.values()), reverse=True)[:2]
    for model, gain in gains.items():
        if gain in levels:
            place = levels.index(gain)
            entries[model] = replace(entries[model], best=place == 0, second=place == 1)
    return entries


def _board_gains(boards: Sequence[Board], model: str, metric: str) -> list[Figures] | None:
    """Gains by clip and shares of clips on every board; None where there is one without."""
    out = []
    for board in boards:
        gains, row = gains_by_clip(board, model, metric), board.row(model)
        if gains is None or row is None:
            return None
        out.append((gains, clip_shares(board, row.entries[metric])))
    return out


def _rows(
    models: Mapping[str, ModelFacts], entries: Mapping[str, dict[str, OverallEntry]], table: pd.DataFrame
) -> list[OverallRow]:
    ranks = [float(rank) for rank in table["mean_rank"]]
    out = []
    for model, rank in zip(table.index, ranks, strict=True):
        place = None if np.isnan(rank) else 1 + sum(other < rank for other in ranks)
        out.append(OverallRow(models[str(model)], entries[str(model)], place))
    return out


def severity_curves(boards: Iterable[Board], infos: Mapping[str, DatasetInfo]) -> list[SeverityCurve]:
    """Every metric over the severities of every profile, for data sets of the same clips, by protocol and profile."""
    out = []
    for (protocol, profile), families in _families(_main(boards), infos).items():
        for family in families:
            for metric in family[0].metrics:
                own = [board.metric(metric.name) for board in family]
                if all(facts is not None and facts.way == metric.way for facts in own):
                    out.append(_curve(family, metric, protocol, profile, infos))
    return out


def _curve(
    boards: Sequence[Board], metric: MetricFacts, protocol: str, profile: str, infos: Mapping[str, DatasetInfo]
) -> SeverityCurve:
    severities = [float(infos[board.dataset].severity or 0) for board in boards]
    models = {row.model.name: row.model for board in boards for row in board.rows}
    # Trapezoids: what the figure at each severity weighs in the area.
    steps = np.diff(severities)
    factors = (np.append(steps, 0) + np.insert(steps, 0, 0)) / 2 / (severities[-1] - severities[0])
    gained = {model: _board_gains(boards, model, metric.name) for model in models}
    whole = [model for model, gains in gained.items() if gains is not None]
    found = combined_intervals([gained[model] or [] for model in whole], factors.tolist())
    intervals = dict(zip(whole, found, strict=True))
    lines = []
    for model, facts in models.items():
        rows = [board.row(model) for board in boards]
        entries = [None if row is None else row.entries[metric.name] for row in rows]
        figures = tuple(None if e is None else e.mean for e in entries)
        gains = tuple(None if e is None else e.gain for e in entries)
        lines.append(
            SeverityLine(
                model=facts,
                figures=figures,
                intervals=tuple(None if e is None else e.interval for e in entries),
                gains=gains,
                gain_intervals=tuple(None if e is None else e.gain_interval for e in entries),
                area=_area(severities, figures),
                area_gain=_area(severities, gains),
                area_gain_interval=intervals.get(model),
            )
        )
    towards = -1.0 if metric.direction == "higher" else 1.0
    lines.sort(
        key=lambda line: (
            line.area is None,
            towards * (line.area if line.area is not None else 0.0),
            line.model.name,
        )
    )
    return SeverityCurve(
        protocol, profile, metric, tuple(severities), tuple(board.dataset for board in boards), tuple(lines)
    )


def _area(severities: Sequence[float], figures: Sequence[float | None]) -> float | None:
    import pandas as pd

    area = severity_area(pd.DataFrame({"area": list(figures)}, index=list(severities), dtype=float))["area"]
    return None if np.isnan(area) else float(area)
