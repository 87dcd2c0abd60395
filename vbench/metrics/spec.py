"""What a metric is: its convention, what it needs, and the figure per frame."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from leaderboards.schema import PRISTINE, MetricFacts, pristine_of
from vbench.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from vbench.clip import ClipInfo

Kept = TypeVar("Kept")
DAMAGE_KINDS = (
    "dirt", "scratch", "hair", "stain", "crack", "splice", "texture", "loss", "dropout", "tracking", "head-switching",
)  # fmt: skip
"""Kinds of damage that have a place, as data sets name their masks."""
FlowOf = Callable[[int], Mapping[str, Any]]
"""Exact flow of the pair of frames t and t + 1: ``forward`` and ``backward`` ``(H, W, 2)`` in pixels, ``occluded_*``
``(H, W)`` bool, as NumPy arrays."""


class Chunk:
    """Neighbouring frames of one clip, with what metrics compute of them.

    Args:
        frames: ``(T, C, H, W)``, RGB or gray: uint8, uint16 (full range), or floating point in [0, 1].
        start: which frame of the clip ``frames[0]`` is.
        first: frame 0 of the clip, ``(1, C, H, W)``; by default that of ``frames``.
    """

    def __init__(self, frames: Tensor, start: int = 0, first: Tensor | None = None) -> None:
        self.frames = frames
        self.start = start
        self.first = frames[:1] if first is None else first
        self._kept: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self.frames)

    def once(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What ``make`` gives, computed the first time and kept as long as the chunk: shared by metrics, and for
        the ground truth by all models."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: Kept = self._kept[key]
        return kept

    def tail(self, skip: int) -> Chunk:
        """The same chunk without its first ``skip`` frames; always the same object for the same ``skip``."""
        if skip == 0:
            return self
        return self.once(("tail", skip), lambda: Chunk(self.frames[skip:], self.start + skip, self.first))


@dataclass(frozen=True)
class View:
    """What a metric sees at one time: the same frames of the restored clip and of what is known beside it."""

    restored: Chunk
    truth: Chunk | None = None
    degraded: Chunk | None = None
    """What the model was given."""
    mask: Chunk | None = None
    """Where damage was put: ``(T, 1, H, W)``, from 0 (none) to 1 or 255."""
    masks: Mapping[str, Chunk] = field(default_factory=dict)
    """The same of single kinds of damage ("dirt"), of those that a metric asks for."""
    pristine: Any = None
    """Statistics of the ground truth of the whole data set (`vbench.metrics.niqe.Pristine`)."""
    flow: FlowOf | None = None
    """The ground truth's exact flow, where it was rendered."""

    def reference(self) -> Chunk:
        """The ground truth.

        Raises:
            InputError: there is none.
        """
        if self.truth is None:
            raise InputError("This metric compares with a ground truth, and there is none.")
        return self.truth


@dataclass(frozen=True)
class Figures:
    """One figure per frame (or pair of neighbours), and further columns of the same length."""

    values: list[float]
    columns: Mapping[str, list[float]] = field(default_factory=dict)


class Session(Protocol):
    """Metrics that must see a whole clip before they give figures."""

    def feed(self, view: View) -> None:
        """The next frames of the clip."""

    def end(self) -> Mapping[str, Figures]:
        """The figures by metric, after the last frame."""

    def close(self) -> None:
        """Give up what is under way; called whether or not :meth:`end` was."""


def mean(figures: Figures) -> float:
    """Mean over frames; frames without a figure (NaN) are left out. NaN if none has one.

    Example:
        >>> mean(Figures([1.0, math.nan, 3.0]))
        2.0
    """
    there = [x for x in figures.values if not math.isnan(x)]
    if not there:
        return math.nan
    # Rounded once: from Python 3.12 on `sum` adds otherwise, and two machines are to have one figure. (fsum refuses inf - inf.)
    total = sum(there) if any(map(math.isinf, there)) else math.fsum(there)
    return total / len(there)


@dataclass(frozen=True)
class Metric:
    """One metric under one convention.

    ``measure(view)`` gives one figure per frame, or per pair of neighbours where ``overlap`` is 1 (per three
    where it is 2). With ``overlap = n`` a chunk begins with the last n frames of the one before.
    ``begin(info, names)`` stands in place of ``measure`` for metrics that must see the whole clip; those with the same
    ``begin`` share a session for each clip, which is told their names and gives the figures of each.
    """

    name: str
    """With its options where they are not the usual ones: ``psnr[y,crop=4]``."""
    version: int
    unit: str
    direction: Literal["higher", "lower"]
    convention: str
    source: str
    measure: Callable[[View], Figures | list[float]] | None = None
    begin: Callable[[ClipInfo, Sequence[str]], Session] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    overlap: int = 0
    needs: frozenset[str] = frozenset({"truth"})
    """Of "truth", "degraded", "mask", "mask:KIND" (of one kind of damage), "pristine", "flow"."""
    combine: Callable[[Figures], float] = mean
    """The clip's figure from those of its frames."""
    check: Callable[[ClipInfo], None] = lambda info: None
    """Raises InputError in words where a clip of this size cannot be measured, or a file is missing."""
    values: str = ""
    """The range of its figures in words: "0 to 1"."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Further figures of each frame, and what they are in words."""
    licence: str = "Apache-2.0 (ours)"
    """Of the code, and of the parameters where there are any."""

    def facts(self) -> MetricFacts:
        """The convention as it is written beside every number."""
        return MetricFacts(
            name=self.name,
            version=self.version,
            unit=self.unit,
            direction=self.direction,
            options=self.options,
            convention=self.convention,
        )

    def against(self, truth_sha256: str) -> Metric:
        """The same metric with the name of the ground truth whose statistics it compares with, where it does: its figures
        depend on that, so it is an option, and figures of two are never ranked together.

        Args:
            truth_sha256: of all ground truth of the data set (:attr:`vbench.datasets.Pair.siblings_sha256`).
        """
        if PRISTINE not in self.needs:
            return self
        return dataclasses.replace(self, options={**self.options, PRISTINE: pristine_of(truth_sha256)})

    @property
    def signature(self) -> str:
        """Name, version and options in one line: what a paper should quote beside the number."""
        base = self.name.split("[", maxsplit=1)[0]
        return "|".join([f"{base}@{self.version}", *(f"{k}={v}" for k, v in self.options.items())])


def figures_of(metric: Metric, view: View) -> Figures:
    """What ``metric.measure`` gives, in one form."""
    assert metric.measure is not None  # noqa: S101 - sessions are fed elsewhere
    found = metric.measure(view)
    return found if isinstance(found, Figures) else Figures(found)


TRUTH_COLUMN = {"truth": "the same of the ground truth's frame, where there is a ground truth"}


def beside_truth(view: View, key: Hashable, figures: Callable[[Chunk], list[float]]) -> Figures:
    """Figures that need no ground truth, and as the column "truth" those of its frames, where there is one.

    Args:
        key: what the figures are kept under: each chunk's are computed once, those of the ground truth for all models.
        figures: of the frames of a chunk.
    """
    own = view.restored.once(key, lambda: figures(view.restored))
    truth = view.truth
    return Figures(own, {} if truth is None else {"truth": truth.once(key, lambda: figures(truth))})


def on_255(frames: Tensor) -> Tensor:
    """Frames as float64 on the 0..255 scale, whatever they are stored in; no rounding.

    Example:
        >>> import torch
        >>> on_255(torch.tensor([0, 65535], dtype=torch.uint16)).tolist()
        [0.0, 255.0]
    """
    import torch

    if frames.dtype == torch.uint8:
        return frames.double()
    if frames.dtype == torch.uint16:
        return frames.double() * (255.0 / 65535.0)
    return frames.double() * 255.0


def at_least(side: int, what: str) -> Callable[[ClipInfo], None]:
    """A check that raises InputError for frames with a side below ``side`` pixels; ``what`` needs them larger."""

    def check(info: ClipInfo) -> None:
        if min(info.height, info.width) < side:
            raise InputError(
                f"{what} needs frames of at least {side} x {side} pixels, and these are {info.width} x {info.height}."
            )

    return check
