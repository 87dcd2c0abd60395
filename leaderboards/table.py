"""Boards: cells of one data set under one convention, as rows of models that may be compared.

**A data set's figure** is the mean of its clips' figures, Σ x_i / n, unless the protocol averages over frames: then it is
Σ w_i x_i / Σ w_i, with w_i the number of frames of the clip that have a figure (not NaN; the most of any model, so that clips
weigh the same for all), and a long clip counts for more.
Where a clip's figure is the mean of its frames, as most metrics have it, that is the mean over all frames of all clips. A gain
is the figure minus that of identity, averaged likewise.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from leaderboards.board import BASELINE, Board, ClipGain, Entry, Neighbour, Reported, Row, worse
from leaderboards.classes import rank_classes
from leaderboards.costs import cost_of
from leaderboards.longform import frame
from leaderboards.notes import AVERAGE, Unmeasured, measured_clips, neighbour_notes, rank_notes
from leaderboards.paired import neighbours
from leaderboards.schema import PRISTINE, Cell, MetricFacts, ProtocolFacts, pristine_of
from leaderboards.stats import Interval, mean_intervals

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AVERAGE",
    "BASELINE",
    "ORDER",
    "Board",
    "ClipGain",
    "Entry",
    "Neighbour",
    "Reported",
    "Row",
    "boards",
    "frame",
]

ORDER = (
    "psnr", "ssim", "psnr_aligned", "ssim_aligned", "alignment_shift", "ms_ssim", "lpips", "dists", "vmaf", "vmaf_neg",
    "niqe", "brisque", "niqe_gt", "warp_error", "warp_error_ratio", "warp_error_long", "l_st", "tof", "tlp", "flicker",
    "colour_shift", "gain_shift", "psnr_damaged", "psnr_intact", "damage_left",
)  # fmt: skip
"""Columns stand in this order where the protocol names none, others after them by name; rows are ranked by the first that is
there."""


def boards(
    cells: Iterable[Cell],
    protocols: Mapping[str, ProtocolFacts] | None = None,
    hashes: Mapping[str, Mapping[str, str]] | None = None,
    truths: Mapping[str, str] | None = None,
) -> list[Board]:
    """The boards of all cells, by data set; rows that differ in convention or data stand on boards of their own.

    Args:
        protocols: what is known of the protocols, by label (:func:`leaderboards.store.read_protocols`): the order of the
            columns, the average, departures, and which published set the data are: what is printed for it then stands beside
            (:mod:`leaderboards.reported`). Without it figures are means over clips and columns stand in :data:`ORDER`.
        hashes: by data set and clip, that of the data as they are now. Rows that were measured on them stand on the main board;
            without it those do that most were measured on.
        truths: by data set, the hash of all its ground truth as it is now: the same for figures that depend on all of it.
    """
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.dataset, cell.protocol].append(cell)
    out: list[Board] = []
    for (dataset, protocol), members in sorted(groups.items()):
        facts = (protocols or {}).get(protocol)
        reason: str | None = None
        rest = members
        present = (hashes or {}).get(dataset, {})
        while rest:
            main, rest, why = _split(rest, present, (truths or {}).get(dataset))
            board = _Making(dataset, protocol, main, facts, rest).board(reason)
            board = replace(board, notes=(*board.notes, *_changed(main, present, reason)))
            if board.published is not None:
                from leaderboards.published import figures
                from leaderboards.reported import with_reported

                board = with_reported(board, figures())
            out.append(board)
            reason = why
    return out


def _changed(cells: Sequence[Cell], present: Mapping[str, str], reason: str | None) -> list[str]:
    """What is to be said of a main board none of whose rows was measured on a clip as it is now."""
    found = sorted({c.clip for c in cells if c.data_sha256 != present.get(c.clip, c.data_sha256)})
    if reason is not None or not found:
        return []
    names = ", ".join(f'"{name}"' for name in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    return [
        f"The data were changed since these figures were measured, on {names}: `vbench run` measures what is there now."
    ]


def _split(
    cells: Sequence[Cell], present: Mapping[str, str], truth: str | None = None
) -> tuple[list[Cell], list[Cell], str | None]:
    """Cells that compare with the data as they are now, else with the majority; the others; and why those are apart."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    now: set[str] = set()
    """Conventions of figures that depend on all ground truth of the data set, and were found with what is there now."""
    hashes: dict[str, Counter[str]] = defaultdict(Counter)
    convention = [cell.convention for cell in cells]
    for cell, own in zip(cells, convention, strict=True):
        found[cell.metric.name][own] += 1
        if truth is not None and cell.metric.options.get(PRISTINE) == pristine_of(truth):
            now.add(own)
        hashes[cell.clip][cell.data_sha256] += 1
    usual = {
        metric: max(counts, key=lambda own, counts=counts: (own in now, counts[own]))  # type: ignore[misc]
        for metric, counts in found.items()
    }
    data = {
        clip: present[clip] if present.get(clip) in counts else counts.most_common(1)[0][0]
        for clip, counts in hashes.items()
    }
    main: dict[tuple[str, str, str], Cell] = {}
    rest: list[Cell] = []
    reasons = set()
    for cell, own in zip(cells, convention, strict=True):
        key = (cell.model, cell.metric.name, cell.clip)
        if own != usual[cell.metric.name]:
            reasons.add(f"{cell.metric.name} was measured under another convention ({own})")
            rest.append(cell)
        elif cell.data_sha256 != data[cell.clip]:
            when = "has been made anew since" if data[cell.clip] == present.get(cell.clip) else "was another one when"
            reasons.add(f'the clip "{cell.clip}" {when} they were measured (its hash differs)')
            rest.append(cell)
        elif key not in main:
            main[key] = cell
        elif (cell.fingerprint, cell.value) != (main[key].fingerprint, main[key].value):
            reasons.add(f"{cell.model} was measured twice, and these are the second figures")
            rest.append(cell)
    return list(main.values()), rest, "; ".join(sorted(reasons)) or None


@dataclass
class _Column:
    """One metric on a board, as a table."""

    metric: MetricFacts
    clips: list[str]
    """On which it can be measured."""
    counts: NDArray[np.float64]
    """Frames with a figure, the most of any model."""
    weights: NDArray[np.float64] | None
    """The same where the average is over frames; None where clips weigh the same."""
    figures: dict[str, NDArray[np.float64]]
    """By model, one per clip; of models without holes."""

    def lengths(self) -> dict[str, int]:
        """Frames with a figure, by clip."""
        return dict(zip(self.clips, self.counts.astype(int).tolist(), strict=True))


class _Making:
    """A board in the making."""

    def __init__(
        self,
        dataset: str,
        protocol: str,
        cells: Sequence[Cell],
        facts: ProtocolFacts | None,
        apart: Sequence[Cell] = (),
    ) -> None:
        self.elsewhere: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """Of figures of other conventions or data, which come to stand on another board: metric, clip, models."""
        for cell in apart:
            if cell.status == "ok":
                self.elsewhere[cell.metric.name][cell.clip].add(cell.model)
        self.dataset, self.protocol, self.cells, self.facts = dataset, protocol, cells, facts
        self.clips = sorted({c.clip for c in cells})
        self.metrics: dict[str, MetricFacts] = {}
        self.found: dict[str, dict[str, dict[str, Cell]]] = defaultdict(lambda: defaultdict(dict))
        """Metric, model, clip."""
        self.own: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            self.metrics.setdefault(cell.metric.name, cell.metric)
            self.found[cell.metric.name][cell.model][cell.clip] = cell
            self.own[cell.model].append(cell)
        self.models = sorted(self.own, key=lambda model: (model != BASELINE, model))
        self.notes: set[str] = set()
        self.over_frames = facts is not None and facts.average == "frames"

    def board(self, reason: str | None) -> Board:
        apart = Unmeasured()
        in_order = sorted(self.metrics, key=self._place)
        measured = {
            m: measured_clips(self.found[m], len(self.models), self.clips, m, apart, self.elsewhere[m])
            for m in in_order
        }
        self.notes |= apart.sentences(len(self.clips))
        # A metric that could be measured for no model at all is no column; where nothing at all was measured, all are.
        order = [m for m in in_order if measured[m]] or in_order
        columns = {m: self._column(m, measured[m] or self.clips) for m in order}
        entries = {m: self._entries(columns[m]) for m in order}
        for metric in order:
            _mark(entries[metric], self.metrics[metric].direction == "higher")
        first = columns[order[0]]
        self._say(order, columns)
        whole = [model for model in self.models if all(entries[m][model].hole is None for m in order)]
        table = self._table(first, whole)
        classes = rank_classes(table, higher=first.metric.direction == "higher", weights=first.weights)
        self.notes |= rank_notes(classes, first.metric)
        nearest = self._neighbours(table, first)
        self.notes |= neighbour_notes(len(nearest), len(first.clips))
        rows = [
            Row(
                model=self.own[model][0].model_facts,
                entries={m: entries[m][model] for m in order},
                rank=classes.rank.get(model),
                place=classes.place.get(model),
                device=" and ".join(sorted({c.device for c in self.own[model]})),
                precision=" and ".join(sorted({c.precision for c in self.own[model]})),
                against_next=nearest.get(model),
                **cost_of(self.own[model]),
            )
            for model in self.models
        ]
        # Neighbours stand as they were tested: equal means by name.
        rows.sort(key=lambda r: (r.place is None, r.place or 0, r.model.name))
        lengths: dict[str, int] = defaultdict(int)
        for cell in self.cells:
            if cell.status == "ok":  # of pairs of neighbours there is one figure less
                lengths[cell.clip] = max(lengths[cell.clip], len(cell.frames))
        facts = self.facts
        average: Literal["clips", "frames"] = "frames" if self.over_frames else "clips"
        return Board(
            dataset=self.dataset,
            protocol=self.protocol,
            metrics=tuple(self.metrics[m] for m in order),
            rows=tuple(rows),
            clips=tuple(self.clips),
            frames=sum(lengths.values()),
            reason=reason,
            detectable=None if math.isnan(classes.detectable) else classes.detectable,
            notes=(*sorted(self.notes), *([AVERAGE[average]] if len(self.clips) > 1 else [])),
            average=average,
            skip_first=facts.skip_first if facts else 0,
            departures=tuple(facts.departures.get(self.dataset, ())) if facts else (),
            published=facts.published.get(self.dataset) if facts else None,
            cells=tuple(self.cells),
        )

    def _place(self, metric: str) -> tuple[int, int, str]:
        wanted = self.facts.metrics if self.facts else ()
        base = metric.split("[", maxsplit=1)[0]
        return (
            wanted.index(metric) if metric in wanted else len(wanted),
            ORDER.index(base) if base in ORDER else len(ORDER),
            metric,
        )

    def _column(self, metric: str, clips: list[str]) -> _Column:
        figures = {}
        counts = np.zeros(len(clips))
        for model in self.models:
            by_clip = self.found[metric][model]
            values = [_figure(by_clip.get(clip)) for clip in clips]
            if all(value is not None for value in values):
                figures[model] = np.array(values, dtype=np.float64)
            counts = np.maximum(counts, [_counted(by_clip.get(clip)) for clip in clips])
        weights: NDArray[np.float64] | None = None
        if self.over_frames:
            if (counts > 0).all():
                weights = counts
            else:
                self.notes.add(f"{metric} has no figures of single frames: its clips weigh the same.")
        return _Column(self.metrics[metric], clips, counts, weights, figures)

    def _entries(self, column: _Column) -> dict[str, Entry]:
        """The figures of all models under one metric, with all intervals on the same resamples."""
        base = column.figures.get(BASELINE)
        samples: dict[tuple[str, str], NDArray[np.float64]] = {}
        for model, values in column.figures.items():
            samples[model, "mean"] = values
            if base is not None and model != BASELINE:
                with np.errstate(invalid="ignore"):
                    samples[model, "gain"] = np.where(values == base, 0.0, values - base)
        intervals: dict[tuple[str, str], Interval] = {}
        if samples:
            found = mean_intervals(np.stack(list(samples.values())), weights=column.weights)
            intervals = dict(zip(samples, found, strict=True))
        out = {}
        for model in self.models:
            by_clip = self.found[column.metric.name][model]
            if model not in column.figures:
                elsewhere = {c for c, models in self.elsewhere[column.metric.name].items() if model in models}
                out[model] = _hole(by_clip, column, elsewhere)
                continue
            values = column.figures[model]
            entry = Entry(
                mean=_mean(values, column.weights),
                interval=intervals[model, "mean"],
                clips=len(values),
                frames=sum(len(by_clip[clip].frames) for clip in column.clips),
                by_clip=dict(zip(column.clips, values.tolist(), strict=True)),
                weights=column.lengths(),
            )
            gains = samples.get((model, "gain"))
            if gains is not None:
                entry = _with_gain(entry, column, gains, intervals[model, "gain"])
            out[model] = entry
        return out

    def _table(self, column: _Column, models: Sequence[str]) -> pd.DataFrame:
        import pandas as pd

        figures = {model: column.figures[model] for model in models}
        return pd.DataFrame(figures, index=column.clips, columns=list(models), dtype=float)

    def _neighbours(self, table: pd.DataFrame, column: _Column) -> dict[str, Neighbour]:
        if table.shape[1] < 2 or len(table) == 0:
            return {}
        found = neighbours(table, higher=column.metric.direction == "higher", weights=column.weights)
        return {
            str(pair["better"]): Neighbour(
                model=pair["worse"],
                difference=pair["difference"],
                interval=Interval(_known(pair["low"]), _known(pair["high"]), pair["method"]),
                p=_known(pair["p"]),
                p_holm=_known(pair["p_holm"]),
                p_wilcoxon_holm=_known(pair["p_wilcoxon_holm"]),
                apart=pair["apart"],
            )
            for pair in found.to_dict("records")
        }

    def _say(self, order: Sequence[str], columns: Mapping[str, _Column]) -> None:
        """What holds for the whole board, in sentences."""
        for metric in order:
            for model, values in columns[metric].figures.items():
                if np.isinf(values).any():
                    why = _why_infinite(columns[metric].metric)
                    self.notes.add(f"{metric} of {model} is infinite on at least one clip ({why}), and so is its mean.")
        if self.over_frames:
            others = [m for m in order if columns[m].weights is not None and self._no_mean(m)]
            if others:
                self.notes.add(
                    f"A clip's figure of {', '.join(others)} is no mean over its frames; it weighs as many times as the "
                    "clip has frames all the same."
                )
        wanted = self.facts.metrics if self.facts else ()
        if wanted and wanted[0] != order[0]:
            self.notes.add(f"The protocol ranks by {wanted[0]}, which is not there: rows are ranked by {order[0]}.")

    def _no_mean(self, metric: str) -> bool:
        for by_clip in self.found[metric].values():
            for cell in by_clip.values():
                there = [x for x in cell.frames if not math.isnan(x)]
                if there and cell.value is not None and math.isfinite(cell.value):
                    return not math.isclose(math.fsum(there) / len(there), cell.value, rel_tol=1e-6, abs_tol=1e-12)
        return False


def _why_infinite(metric: MetricFacts) -> str:
    if metric.direction == "lower":  # infinity is no praise
        return "one of the two, result and ground truth, has none of what is measured"
    if metric.name.startswith("psnr_aligned"):
        return "frames equal to the ground truth once brightness is matched, as every frame is to a black one"
    return "frames equal to the ground truth"


def _figure(cell: Cell | None) -> float | None:
    if cell is None or cell.status != "ok" or cell.value is None or math.isnan(cell.value):
        return None
    return float(cell.value)


def _counted(cell: Cell | None) -> int:
    """Frames that have a figure."""
    return 0 if cell is None else len(cell.frames) - sum(map(math.isnan, cell.frames))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    if weights is None:
        return float(sum(values.tolist()) / len(values))
    with np.errstate(invalid="ignore"):
        return float((weights * values).sum() / weights.sum())


def _with_gain(entry: Entry, column: _Column, gains: NDArray[np.float64], interval: Interval) -> Entry:
    metric = column.metric
    gain = _mean(gains, column.weights)
    towards = 1.0 if metric.direction == "higher" else -1.0
    i = int(np.argmin(towards * gains))
    ends = [end for end in (interval.low, interval.high) if end is not None]
    return replace(
        entry,
        gain=gain,
        gain_interval=interval,
        better=towards * gain > 0,
        harm=worse(gain, metric),
        harm_sure=len(ends) == 2 and all(worse(end, metric) for end in ends),
        clips_worse=int((towards * gains < 0).sum()),
        worst_clip=ClipGain(column.clips[i], entry.by_clip[column.clips[i]], float(gains[i])),
    )


def _hole(by_clip: Mapping[str, Cell], column: _Column, elsewhere: Container[str]) -> Entry:
    clips = column.clips
    good = {clip: by_clip[clip] for clip in clips if _figure(by_clip.get(clip)) is not None}
    missing = [clip for clip in clips if clip not in good]
    failed = [by_clip[clip] for clip in missing if clip in by_clip]
    why = f"{len(missing)} of {len(clips)} clips missing"
    if failed:
        # A part of a sentence, to which tables add a full stop.
        why += f': on "{failed[0].clip}" {(failed[0].error or "no figure").removesuffix(".")}'
    elif missing[0] in elsewhere:
        why += f' ("{missing[0]}" was measured under another convention or on other data, and stands apart)'
    else:
        why += f' ("{missing[0]}" was not run)'
    return Entry(
        None,
        None,
        len(good),
        sum(len(c.frames) for c in good.values()),
        hole=why,
        by_clip={clip: float(c.value) for clip, c in good.items() if c.value is not None},
        weights={clip: n for clip, n in column.lengths().items() if clip in good},
    )


def _mark(entries: dict[str, Entry], higher: bool) -> None:
    """Mark best and second best among models without holes; ties share a mark, and identity takes none."""
    means = {model: entry.mean for model, entry in entries.items() if entry.mean is not None and model != BASELINE}
    levels = sorted(set(means.values()), reverse=higher)
    for model, mean in means.items():
        place = levels.index(mean)
        if place < 2:
            entries[model] = replace(entries[model], best=place == 0, second=place == 1)
