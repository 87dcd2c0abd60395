"""Boards: cells of one data set under one convention, as rows of models that may be compared."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leaderboards.classes import RankClasses, rank_classes
from leaderboards.schema import Cell, Cost, MetricFacts, ModelFacts
from leaderboards.stats import Interval, mean_interval

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "identity"
ORDER = (
    "psnr", "ssim", "psnr_aligned", "ssim_aligned", "alignment_shift", "ms_ssim", "lpips", "vmaf", "vmaf_neg", "niqe",
    "brisque", "niqe_gt", "warp_error", "warp_error_ratio", "warp_error_long", "l_st", "tof", "tlp", "flicker",
    "psnr_damaged", "psnr_intact", "damage_left",
)  # fmt: skip
"""Columns stand in this order, others after them by name; rows are ranked by the first that is there."""


@dataclass(frozen=True)
class Entry:
    """One model's figure under one metric on a board."""

    mean: float | None
    interval: Interval | None
    clips: int
    frames: int
    hole: str | None = None
    """Why there is no figure, in words; then ``mean`` is None."""
    gain: float | None = None
    """Mean over clips of the figure minus that of identity; positive is better for "higher" metrics."""
    gain_interval: Interval | None = None
    better: bool | None = None
    """Whether the mean is better than identity's; None for identity itself or where it is missing."""
    harm: bool = False
    """The mean is worse than doing nothing."""
    best: bool = False
    second: bool = False


@dataclass(frozen=True)
class Row:
    """One model on a board."""

    model: ModelFacts
    entries: dict[str, Entry]
    rank: int | None
    """By the board's first metric, shared by models that the clips cannot tell apart; None for a model with holes."""
    place: int | None
    """By the mean of the board's first metric alone (1, 2, 2, 4); rows stand in this order."""
    seconds_per_frame: float | None
    """Median over clips; of those alone before which the model had run already, where there are any."""
    seconds_quartiles: tuple[float, float] | None
    """Of the same clips; None with one."""
    memory_bytes: int | None
    """The largest peak of any clip: allocated on a GPU, else resident memory of the whole process."""
    device: str
    precision: str

    @property
    def complete(self) -> bool:
        """Whether every figure is there."""
        return all(entry.hole is None for entry in self.entries.values())


@dataclass(frozen=True)
class Board:
    """Rows that may be ranked together: one data set, one protocol, one convention per metric, equal data."""

    dataset: str
    protocol: str
    metrics: tuple[MetricFacts, ...]
    rows: tuple[Row, ...]
    clips: tuple[str, ...]
    frames: int
    reason: str | None = None
    """Why these rows stand apart from the data set's main board."""
    detectable: float | None = None
    """The smallest difference in the first metric that so many clips find between two typical models with a power of 80 %;
    infinite if they find none, None with fewer than two ranked models or clips."""
    notes: tuple[str, ...] = field(default=())

    @property
    def primary(self) -> MetricFacts:
        """The metric by which rows are ranked: the first."""
        return self.metrics[0]

    def row(self, model: str) -> Row | None:
        """The row of a model, or None."""
        return next((row for row in self.rows if row.model.name == model), None)


def frame(cells: Iterable[Cell]) -> pd.DataFrame:
    """All cells in long form, one row each, for tables of one's own.

    Columns: dataset, clip, model, metric, value, status, error, convention, protocol, frames, seconds_per_frame,
    device, precision, data_sha256, weights_sha256.
    """
    import pandas as pd

    rows = [
        {
            "dataset": c.dataset,
            "clip": c.clip,
            "model": c.model,
            "metric": c.metric.name,
            "value": c.value,
            "status": c.status,
            "error": c.error,
            "convention": c.convention,
            "protocol": c.protocol,
            "frames": len(c.frames),
            "seconds_per_frame": c.cost.seconds / c.cost.frames if c.cost and c.cost.frames else None,
            "device": c.device,
            "precision": c.precision,
            "data_sha256": c.data_sha256,
            "weights_sha256": c.model_facts.weights_sha256,
        }
        for c in cells
    ]
    columns = [
        "dataset", "clip", "model", "metric", "value", "status", "error", "convention", "protocol", "frames",
        "seconds_per_frame", "device", "precision", "data_sha256", "weights_sha256",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def boards(cells: Iterable[Cell]) -> list[Board]:
    """The boards of all cells, by data set; rows that differ in convention or data stand on boards of their own."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.dataset, cell.protocol].append(cell)
    out: list[Board] = []
    for (dataset, protocol), members in sorted(groups.items()):
        reason: str | None = None
        rest = members
        while rest:
            main, rest, why = _split(rest)
            out.append(_board(dataset, protocol, main, reason))
            reason = why
    return out


def _split(cells: Sequence[Cell]) -> tuple[list[Cell], list[Cell], str | None]:
    """Cells that compare with the majority, the others, and why those are apart."""
    conventions = {
        metric: Counter(c.convention for c in cells if c.metric.name == metric).most_common(1)[0][0]
        for metric in {c.metric.name for c in cells}
    }
    data = {
        clip: Counter(c.data_sha256 for c in cells if c.clip == clip).most_common(1)[0][0]
        for clip in {c.clip for c in cells}
    }
    main, rest = [], []
    reasons = set()
    for cell in cells:
        if cell.convention != conventions[cell.metric.name]:
            reasons.add(f"{cell.metric.name} was measured under another convention ({cell.convention})")
            rest.append(cell)
        elif cell.data_sha256 != data[cell.clip]:
            reasons.add(f'the clip "{cell.clip}" was another one when they were measured (its hash differs)')
            rest.append(cell)
        else:
            main.append(cell)
    return main, rest, "; ".join(sorted(reasons)) or None


def _board(dataset: str, protocol: str, cells: Sequence[Cell], reason: str | None) -> Board:
    metrics: dict[str, MetricFacts] = {}
    by_key: dict[tuple[str, str, str], Cell] = {}
    for cell in cells:
        metrics.setdefault(cell.metric.name, cell.metric)
        by_key[cell.model, cell.metric.name, cell.clip] = cell
    clips = sorted({c.clip for c in cells})
    notes: set[str] = set()
    measured = {m: _measured_clips(cells, m, clips, notes) for m in metrics}
    # A metric that could be measured for no model at all is no column; where nothing at all was measured, all are.
    order = sorted((m for m in metrics if measured[m]), key=_place) or sorted(metrics, key=_place)
    models = list(dict.fromkeys(c.model for c in sorted(cells, key=lambda c: (c.model != BASELINE, c.model))))
    entries: dict[str, dict[str, Entry]] = {model: {} for model in models}
    for metric in order:
        for model in models:
            entries[model][metric] = _entry(by_key, model, metrics[metric], measured[metric] or clips)
            if entries[model][metric].mean in (math.inf, -math.inf):
                notes.add(
                    f"{metric} of {model} is infinite on at least one clip (frames equal to the ground truth), and so "
                    "is its mean."
                )
        _mark(entries, metric, metrics[metric].direction == "higher")
    classes = _classes(entries, by_key, metrics[order[0]], measured[order[0]] or clips)
    notes |= _rank_notes(classes, metrics[order[0]])
    rows = []
    for model in models:
        own = [c for c in cells if c.model == model]
        costs = [cost for cost in {c.clip: c.cost for c in own}.values() if cost and cost.frames]
        seconds, quartiles = _seconds(costs)
        rows.append(
            Row(
                model=own[0].model_facts,
                entries={m: entries[model][m] for m in order},
                rank=classes.rank.get(model),
                place=classes.place.get(model),
                seconds_per_frame=seconds,
                seconds_quartiles=quartiles,
                memory_bytes=max((c.memory_bytes for c in costs if c.memory_bytes), default=None),
                device=" and ".join(sorted({c.device for c in own})),
                precision=" and ".join(sorted({c.precision for c in own})),
            )
        )
    rows.sort(key=lambda r: (r.place is None, r.place or 0, r.model.name))
    lengths = {c.clip: len(c.frames) for c in cells if c.metric.name == order[0] and c.status == "ok"}
    return Board(
        dataset=dataset,
        protocol=protocol,
        metrics=tuple(metrics[m] for m in order),
        rows=tuple(rows),
        clips=tuple(clips),
        frames=sum(lengths.values()),
        reason=reason,
        detectable=None if math.isnan(classes.detectable) else classes.detectable,
        notes=tuple(sorted(notes)),
    )


def _place(metric: str) -> tuple[int, str]:
    base = metric.split("[", maxsplit=1)[0]
    return (ORDER.index(base) if base in ORDER else len(ORDER), metric)


def _measured_clips(cells: Sequence[Cell], metric: str, clips: Sequence[str], notes: set[str]) -> list[str]:
    """Clips on which a metric can be measured: without those on which it failed for every model alike, so that it
    says something of the clip (no damage mask, frames too small, a parameter file that is missing) and of no model."""
    found: dict[str, list[Cell]] = {clip: [] for clip in clips}
    for cell in cells:
        if cell.metric.name == metric:
            found[cell.clip].append(cell)
    models = {c.model for c in cells}
    left_out: dict[str, str] = {}
    for clip, own in found.items():
        errors = {c.error for c in own}
        if len({c.model for c in own}) == len(models) and len(errors) == 1 and all(c.status == "failed" for c in own):
            left_out[clip] = (next(iter(errors)) or "no figure").removeprefix(f"{metric} cannot be measured: ")
    if left_out:
        clip, error = next(iter(left_out.items()))
        if len(left_out) == len(clips) and len(set(left_out.values())) == 1:
            notes.add(f"{metric} was not measured: {error}")
        else:
            notes.add(
                f'{metric} is over {len(clips) - len(left_out)} of {len(clips)} clips, for every model: on "{clip}" {error}'
            )
    return [clip for clip in clips if clip not in left_out]


def _entry(by_key: dict[tuple[str, str, str], Cell], model: str, metric: MetricFacts, clips: Sequence[str]) -> Entry:
    found = {clip: by_key.get((model, metric.name, clip)) for clip in clips}
    good = {k: c for k, c in found.items() if c is not None and c.status == "ok" and c.value is not None}
    missing = [k for k in clips if k not in good]
    if missing:
        failed = [c for c in (found[k] for k in missing) if c is not None]
        why = f"{len(missing)} of {len(clips)} clips missing"
        why += (
            f': on "{failed[0].clip}" {failed[0].error or "no figure"}' if failed else f' ("{missing[0]}" was not run)'
        )
        return Entry(None, None, len(good), sum(len(c.frames) for c in good.values()), hole=why)
    values = [float(c.value) for c in good.values() if c.value is not None]
    entry = {
        "mean": sum(values) / len(values),
        "interval": mean_interval(values),
        "clips": len(values),
        "frames": sum(len(c.frames) for c in good.values()),
    }
    base = [by_key.get((BASELINE, metric.name, clip)) for clip in clips]
    if model != BASELINE and all(b is not None and b.status == "ok" and b.value is not None for b in base):
        differences = [
            v - float(b.value) if v != b.value else 0.0
            for v, b in zip(values, base, strict=True)
            if b is not None and b.value is not None
        ]
        gain = sum(differences) / len(differences)
        good_sign = gain > 0 if metric.direction == "higher" else gain < 0
        return Entry(
            **entry,  # type: ignore[arg-type]
            gain=gain,
            gain_interval=mean_interval(differences),
            better=good_sign,
            harm=gain != 0 and not good_sign,
        )
    return Entry(**entry)  # type: ignore[arg-type]


def _mark(entries: dict[str, dict[str, Entry]], metric: str, higher: bool) -> None:
    """Mark best and second best among models without holes; ties share a mark, and identity takes none."""
    from dataclasses import replace

    means = {
        model: row[metric].mean for model, row in entries.items() if row[metric].mean is not None and model != BASELINE
    }
    levels = sorted({m for m in means.values() if m is not None}, reverse=higher)
    for model, mean in means.items():
        place = levels.index(mean) if mean is not None else len(levels)
        if place < 2:
            entries[model][metric] = replace(entries[model][metric], best=place == 0, second=place == 1)


def _seconds(costs: Sequence[Cost]) -> tuple[float | None, tuple[float, float] | None]:
    """Median over clips of seconds per frame, and quartiles."""
    times = [c.seconds / c.frames for c in costs if c.warm] or [c.seconds / c.frames for c in costs]
    if len(times) < 2:
        return (times[0] if times else None), None
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return middle, (low, high)


def _classes(
    entries: dict[str, dict[str, Entry]],
    by_key: dict[tuple[str, str, str], Cell],
    metric: MetricFacts,
    clips: Sequence[str],
) -> RankClasses:
    """Ranks by one metric of models that have every figure of every metric."""
    import pandas as pd

    whole = [model for model, row in entries.items() if all(e.hole is None for e in row.values())]
    figures = {model: [by_key[model, metric.name, clip].value for clip in clips] for model in whole}
    table = pd.DataFrame(figures, index=list(clips), columns=whole, dtype=float)
    return rank_classes(table, higher=metric.direction == "higher")


def _rank_notes(classes: RankClasses, metric: MetricFacts) -> set[str]:
    """How ranks came about, and how small a difference so many clips could have found."""
    models, clips = len(classes.rank), classes.clips
    if models < 2:
        return set()
    if clips < 2:
        return {"One clip tells no two models apart: all that have a finite mean share a rank and stand by their mean."}
    if math.isnan(classes.detectable):
        return set()
    text = (
        f"Models that these {clips} clips cannot tell apart in {metric.name} share a rank and stand by their mean (all "
        "pairs by permutation, 5 % false calls for the whole board)"
    )
    if math.isinf(classes.detectable):
        return {f"{text}; so few clips of {models} models tell no difference, however large, from chance."}
    if classes.detectable == 0:
        return {f"{text}."}
    unit = f" {metric.unit}" if metric.unit else ""
    return {
        f"{text}; a true difference of {classes.detectable:.2g}{unit} between two typical models would be found in 4 of 5 "
        "such sets of clips."
    }
