"""What a run is going to do, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from leaderboards.schema import PrecisionDifference
from vbench.datasets import Dataset, Pair
from vbench.protocols import Protocol
from vbench.workspace import Workspace


@dataclass(frozen=True)
class RunPlan:
    """What ``vbench run`` is going to do."""

    workspace: Workspace
    datasets: tuple[Dataset, ...]
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    protocol: Protocol
    device: str = "cpu"
    max_clips: int | None = None
    lenient: bool = False
    """Whether a metric that cannot be measured on a clip, or on this machine, is told but is no failure: true unless
    the user named the metrics one by one."""
    tile: str = "auto"
    """"auto", "off" or "WxH", see `vbench.tiling.parse`."""
    precision: str = "fp32"
    """Of the networks that exist in it; the others are run in fp32."""

    def pairs(self, dataset: Dataset) -> list[Pair]:
        """The pairs of a data set that take part."""
        return dataset.pairs()[: self.max_clips]


@dataclass(frozen=True)
class Failure:
    """What failed on a clip, and why.

    Example:
        >>> str(Failure("bm3d on noise", "cat", "Memory is full."))
        'bm3d on noise, clip "cat": Memory is full.'
    """

    what: str
    clip: str
    reason: str

    def __str__(self) -> str:
        return f'{self.what}, clip "{self.clip}": {self.reason}'


@dataclass
class RunResult:
    """What became of a run."""

    restored: int = 0
    cells: int = 0
    kept: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    """Models that cannot run here, and why (the text names the command that helps)."""
    left_out: tuple[str, ...] = ()
    """Models that "all" leaves out on a CPU, where they take hours for a clip."""
    unfinished: dict[str, str] = field(default_factory=dict)
    """Data sets on which nothing was run since they are not whole, and why."""
    unfit: dict[str, list[str]] = field(default_factory=dict)
    """Data sets on which a model was not run, because it gives frames of another size than their ground truth."""
    failures: list[Failure] = field(default_factory=list)
    unmeasured: dict[str, dict[str, int]] = field(default_factory=dict)
    """Metrics that cannot be measured, why, and on how many clips."""
    full: tuple[str, ...] = ()
    """Models that are run in fp32 though another precision was asked for."""
    differences: dict[str, dict[str, PrecisionDifference | str]] = field(default_factory=dict)
    """How far models in fewer bits are from fp32, by model and data set, or why that is not known."""
    tiles: dict[str, set[str]] = field(default_factory=dict)
    """Models that restored frames in tiles, and of which sizes."""

    def joined(self, other: RunResult) -> RunResult:
        """This and another run of the same models, under another protocol on other data sets."""
        unmeasured = {m: dict(reasons) for m, reasons in self.unmeasured.items()}
        for metric, reasons in other.unmeasured.items():
            for reason, clips in reasons.items():
                unmeasured.setdefault(metric, {})[reason] = unmeasured.get(metric, {}).get(reason, 0) + clips
        both = self.differences.keys() | other.differences.keys()
        return RunResult(
            restored=self.restored + other.restored,
            cells=self.cells + other.cells,
            kept=self.kept + other.kept,
            skipped=self.skipped | other.skipped,
            left_out=tuple(dict.fromkeys(self.left_out + other.left_out)),
            unfinished=self.unfinished | other.unfinished,
            unfit={m: self.unfit.get(m, []) + other.unfit.get(m, []) for m in self.unfit | other.unfit},
            failures=self.failures + other.failures,
            unmeasured=unmeasured,
            full=tuple(dict.fromkeys(self.full + other.full)),
            differences={m: self.differences.get(m, {}) | other.differences.get(m, {}) for m in sorted(both)},
            tiles={m: self.tiles.get(m, set()) | other.tiles.get(m, set()) for m in self.tiles | other.tiles},
        )
