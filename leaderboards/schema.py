"""What one result is: a cell (pair x model x metric), and the facts a board needs to rank it honestly.

A cell carries the convention under which its number was obtained. Cells whose conventions differ
(:attr:`Cell.convention`) are never ranked together.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

SCHEMA_VERSION = 1


def _to_json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


Number = Annotated[float, PlainSerializer(_to_json, return_type=float | str, when_used="json")]
"""A float that survives JSON: infinity (the PSNR of equal frames) is written as the string "inf", which is read as a float."""


PRISTINE = "pristine"
"""The option of a metric that says with the statistics of which ground truth a frame is compared."""


def pristine_of(truth_sha256: str) -> str:
    """The value of that option.

    Args:
        truth_sha256: of all ground truth of the data set (:attr:`leaderboards.results.DatasetInfo.truth_sha256`).

    Example:
        >>> pristine_of("0123456789abcdef")
        'ground truth 0123456789ab'
    """
    return f"ground truth {truth_sha256[:12]}"


class MetricFacts(BaseModel):
    """The convention of a metric, as it stands beside every number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: int
    unit: str = Field(description="dB, or an empty string for a plain number")
    direction: Literal["higher", "lower"]
    options: dict[str, Any] = Field(default_factory=dict, description="colour, crop, window, estimator, ...")
    convention: str = Field(description="the options in words, one sentence")

    @property
    def way(self) -> str:
        """Version and options, whatever the data: figures of two data sets may be averaged where it is equal."""
        options = ",".join(f"{k}={self.options[k]}" for k in sorted(self.options) if k != PRISTINE)
        return f"{self.version}[{options}]"


class ModelFacts(BaseModel):
    """What was run: enough to repeat it, and to show a card for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: int
    title: str
    task: str
    source: str = Field(description="paper, section or official code by name")
    licence: str
    settings: dict[str, Any] = Field(default_factory=dict)
    weights_file: str | None = None
    weights_sha256: str | None = None
    weights_licence: str | None = Field(default=None, description="with what it allows, where it is not free")
    parameters: int | None = None


class PrecisionDifference(BaseModel):
    """How far a network's output in fewer bits is from its output in fp32, on the first frames of one clip."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip: str
    frames: int = Field(description="restored in both precisions, as a clip of their own")
    psnr: Number = Field(description="of one output against the other, in dB, peak 1, before rounding to 8 bits")
    levels: float = Field(description="the largest difference, in grey levels of 8 bits")


class Cost(BaseModel):
    """What restoring one clip cost, measured while it ran (decoding and writing not counted)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frames: int
    seconds: float
    threads: int
    device: str
    warm: bool = Field(default=False, description="whether the process had restored a clip by this model before")
    memory_bytes: int | None = Field(
        default=None,
        description="peak while it ran: allocated on a GPU, else resident memory of the whole process; None if unknown",
    )
    tile: str | None = Field(
        default=None, description="WxH of the largest tile, without its halo; None for whole frames"
    )
    fp32_difference: PrecisionDifference | None = Field(
        default=None, description="measured on the first clip of a data set, where the precision is another"
    )
    multiply_adds: int | None = Field(
        default=None,
        description="per frame, of whole frames: convolutions, matrix products, attention, correlation; None if no network",
    )
    iterations: int | None = Field(
        default=None, description="training steps on the whole clip, for what is trained while it is tested"
    )


class ProtocolFacts(BaseModel):
    """A protocol as the boards need it; ``results/protocols/LABEL.json``, written beside the cells that follow it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = Field(description="name and version, as it stands in every cell: default@3")
    title: str
    description: str
    source: str
    metrics: tuple[str, ...] = Field(
        description="in the order of the columns; rows are ranked by the first that is there"
    )
    average: Literal["clips", "frames"] = Field(
        default="clips",
        description="a data set's figure: the mean of its clips' means, or the mean over all frames of all clips",
    )
    skip_first: int = Field(default=0, description="frames at the start of every clip that are not measured")
    lines: dict[str, str] = Field(default_factory=dict, description="every convention in words, by its topic")
    datasets: tuple[str, ...] = Field(default=(), description="of the workspace, those that were measured under it")
    departures: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="by data set: in what it is not what the protocol asks for, in sentences"
    )
    published: dict[str, str] = Field(
        default_factory=dict,
        description="by data set: the published set that it is, under which figures of papers are filed",
    )


class Cell(BaseModel):
    """One measured number with its frames and its convention, or a failure with its reason; never both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA_VERSION
    status: Literal["ok", "failed"]
    dataset: str
    clip: str
    model: str
    metric: MetricFacts
    protocol: str
    value: Number | None = Field(
        description="the clip's figure: the mean over `frames`, unless the metric's convention says else"
    )
    frames: list[Number] = Field(default_factory=list, description="one per frame, or per pair of neighbours")
    columns: dict[str, list[Number]] = Field(
        default_factory=dict, description="further figures per frame that belong to it: the shift that alignment found"
    )
    error: str | None = None
    model_facts: ModelFacts
    data_sha256: str = Field(description="of the pair: decoded ground truth and degraded frames")
    restored_sha256: str | None = None
    fingerprint: str = Field(description="hash of everything that the number depends on")
    device: str
    precision: str
    cost: Cost | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def convention(self) -> str:
        """Cells are comparable within a data set if this is equal: protocol, metric, version and options."""
        options = ",".join(f"{k}={self.metric.options[k]}" for k in sorted(self.metric.options))
        return f"{self.protocol}/{self.metric.name}@{self.metric.version}[{options}]"
