"""What a board is: rows of models that may be compared, and all that is said of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from leaderboards.schema import Cell, MetricFacts, ModelFacts, PrecisionDifference
from leaderboards.stats import Interval

BASELINE = "identity"


@dataclass(frozen=True)
class ClipGain:
    """A clip with the figure of a model on it, and how far that is from doing nothing."""

    clip: str
    value: float
    gain: float
    """The figure minus identity's, as it is: positive is better for "higher" metrics."""


@dataclass(frozen=True)
class Reported:
    """A figure that a paper or a repository prints."""

    model: str
    """Of this suite, where it is the same network with the same weights; else as its source calls it."""
    metric: str
    value: float
    source: str
    """Where it stands, in words: "printed in the paper: ..."."""
    kind: str
    """One of :data:`leaderboards.published.KINDS`."""
    published: str
    """The set of data that it is of, by the name under which figures are filed."""
    system: str = ""
    """As its source calls it."""


@dataclass(frozen=True)
class Entry:
    """One model's figure under one metric on a board."""

    mean: float | None
    interval: Interval | None
    clips: int
    frames: int
    """With a figure; pairs of neighbours where the metric is of pairs."""
    hole: str | None = None
    """Why there is no figure, in words; then ``mean`` is None."""
    gain: float | None = None
    """The figure minus that of identity; positive is better for "higher" metrics."""
    gain_interval: Interval | None = None
    better: bool | None = None
    """Whether the mean is better than identity's; None for identity itself or where it is missing."""
    harm: bool = False
    """The mean is worse than doing nothing."""
    harm_sure: bool = False
    """The whole interval of the gain says so."""
    clips_worse: int | None = None
    """On so many clips the figure is worse than identity's; None where there is no gain."""
    worst_clip: ClipGain | None = None
    """The clip on which the gain is worst, harm or not."""
    best: bool = False
    second: bool = False
    reported: float | None = None
    """What the model's own source prints for these data under this protocol (:attr:`Board.reported` has all of them)."""
    reported_source: str | None = None
    reported_difference: float | None = None
    """``mean`` minus ``reported``."""
    by_clip: dict[str, float] = field(default_factory=dict)
    """The figure of every clip."""
    weights: dict[str, int] = field(default_factory=dict)
    """Frames of every clip that have a figure, the most of any model: what clips weigh where the average is over frames."""

    @property
    def share_worse(self) -> float | None:
        """Share of clips that were made worse, 0 to 1."""
        return None if self.clips_worse is None or not self.clips else self.clips_worse / self.clips


@dataclass(frozen=True)
class Neighbour:
    """A model against the one that stands next below it (:func:`leaderboards.paired.neighbours`)."""

    model: str
    """The next one."""
    difference: float
    """In the board's first metric, better minus worse; infinite where a figure is."""
    interval: Interval
    p: float | None
    """Of the exact (or drawn) sign-flip test of the mean difference over clips."""
    p_holm: float | None
    """Corrected for all pairs of neighbours of the board."""
    p_wilcoxon_holm: float | None
    """Of Wilcoxon's signed-rank test, corrected likewise."""
    apart: bool
    """``p_holm`` is at most 5 %."""


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
    multiply_adds: float | None = None
    """Per frame, mean over all frames; None where they were not counted."""
    tile: str | None = None
    """In what pieces frames were restored, where they were not whole."""
    threads: str = ""
    """Of the CPU."""
    fp32_difference: PrecisionDifference | None = None
    """How far the model's output in its precision is from its output in fp32: the largest that was measured."""
    iterations: int | None = None
    """Training steps on a clip, of models that are trained while they are tested; the most of any clip."""
    against_next: Neighbour | None = None
    """None for the last row with a rank and for rows without one."""

    @property
    def complete(self) -> bool:
        """Whether every figure is there."""
        return all(entry.hole is None for entry in self.entries.values())

    @property
    def frames_per_second(self) -> float | None:
        """The other way round: 1 / :attr:`seconds_per_frame`."""
        return 1 / self.seconds_per_frame if self.seconds_per_frame else None

    @property
    def parameters(self) -> int | None:
        """Of the network; None where the model has none, or does not say."""
        return self.model.parameters


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
    average: Literal["clips", "frames"] = "clips"
    """Whether a figure is the mean of the clips' figures, or each clip weighs as many times as it has frames."""
    skip_first: int = 0
    """Frames at the start of every clip that are not measured: frame 0 of a cell is this one of the clip."""
    departures: tuple[str, ...] = ()
    """In what the data are not what the protocol asks for, in sentences."""
    published: str | None = None
    """The published set that the data are, under which figures of papers are filed."""
    reported: tuple[Reported, ...] = ()
    """All figures that are printed for these data under this protocol."""
    reported_only: tuple[Reported, ...] = ()
    """Those of systems that were not run here."""
    cells: tuple[Cell, ...] = field(default=(), repr=False, compare=False)
    """What the board was made of."""

    @property
    def primary(self) -> MetricFacts:
        """The metric by which rows are ranked: the first."""
        return self.metrics[0]

    def row(self, model: str) -> Row | None:
        """The row of a model, or None."""
        return next((row for row in self.rows if row.model.name == model), None)

    def metric(self, name: str) -> MetricFacts | None:
        """A column's convention, or None."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def coverage(self, model: str) -> tuple[int, int]:
        """How many figures a model has, and how many there are to have: those that any model has, under all metrics."""
        row = self.row(model)
        there = [set().union(*(r.entries[m.name].by_clip for r in self.rows)) for m in self.metrics]
        own = 0 if row is None else sum(len(row.entries[m.name].by_clip) for m in self.metrics)
        return own, sum(map(len, there))


def worse(gain: float, metric: MetricFacts) -> bool:
    """Whether a gain is harm under a metric."""
    return gain < 0 if metric.direction == "higher" else gain > 0
