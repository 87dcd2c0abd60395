"""Boards as one JSON document with a published schema (``leaderboards/schemas/leaderboard-1.schema.json``).

The models below are the schema: fields may be added only with a default and only together with a new version. Infinity is
written as the string "inf" or "-inf", since JSON has no such number; null is no figure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, WithJsonSchema

from leaderboards.alarms import Alarm
from leaderboards.board import Entry, Neighbour, Reported, Row
from leaderboards.export.view import View, alarms_of
from leaderboards.schema import MetricFacts, ModelFacts, ProtocolFacts
from leaderboards.stats import Interval
from leaderboards.summary import OverallBoard

FORMAT: Literal["vbench-leaderboard"] = "vbench-leaderboard"
VERSION: Literal[1] = 1
SCHEMA_FILE = Path(__file__).resolve().parent.parent / "schemas" / f"leaderboard-{VERSION}.schema.json"

Figure = Annotated[
    float,
    PlainSerializer(lambda v: v if math.isfinite(v) else str(v), return_type=float | str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IntervalDocument(_Part):
    """A 95 % interval over clips."""

    low: Figure | None
    high: Figure | None
    method: str = Field(description="how it was found, or why there is none")


class EntryDocument(_Part):
    """One model's figure under one metric."""

    mean: Figure | None = Field(description="the board's figure; null where there is a hole")
    interval: IntervalDocument | None
    clips: int = Field(description="with a figure")
    frames: int
    hole: str | None = Field(description="why there is no figure")
    gain: Figure | None = Field(description="the figure minus that of identity, with the metric's own sign")
    gain_interval: IntervalDocument | None
    better: bool | None = Field(description="whether the figure is better than identity's")
    harm: bool = Field(description="the figure is worse than identity's")
    harm_sure: bool = Field(description="the whole interval of the gain says so")
    clips_worse: int | None = Field(description="number of clips on which the figure is worse than identity's")
    best: bool = Field(description="of the rows in this document, identity left out")
    second: bool
    reported: Figure | None = Field(description="what the model's own source prints for these data")
    reported_source: str | None
    by_clip: dict[str, Figure] = Field(description="the figure of every clip")
    weights: dict[str, int] = Field(description="frames with a figure of every clip")


class NeighbourDocument(_Part):
    """A model against the one that stands next below it, under the board's first metric."""

    model: str
    difference: Figure | None
    interval: IntervalDocument
    p: Figure | None
    p_holm: Figure | None
    p_wilcoxon_holm: Figure | None
    apart: bool


class RowDocument(_Part):
    """One model on a board."""

    model: ModelFacts
    rank: int | None = Field(description="shared by models that the clips cannot tell apart; null with holes")
    place: int | None = Field(description="by the mean of the board's first metric alone")
    seconds_per_frame: Figure | None
    seconds_quartiles: tuple[Figure, Figure] | None
    memory_bytes: int | None
    multiply_adds: Figure | None = Field(description="per frame")
    device: str
    precision: str
    tile: str | None
    threads: str
    against_next: NeighbourDocument | None
    entries: dict[str, EntryDocument] = Field(description="by metric")


class ReportedDocument(_Part):
    """A figure that a paper or a repository prints."""

    model: str
    metric: str
    value: Figure
    source: str
    kind: str
    published: str


class AlarmDocument(_Part):
    """Something that a reader should know before quoting a figure."""

    kind: str
    level: Literal["alarm", "note"] = Field(description="alarm: the clips say so surely")
    model: str | None = Field(description="null for the board as a whole")
    metric: str | None
    clips: tuple[str, ...] = Field(description="that show it, the worst first")
    text: str


class BoardDocument(_Part):
    """Rows that may be ranked together."""

    dataset: str
    protocol: str = Field(description="label: name and version")
    average: Literal["clips", "frames"]
    metrics: tuple[MetricFacts, ...] = Field(description="rows are ranked by the first")
    clips: tuple[str, ...]
    data_sha256: dict[str, str] = Field(description="of every clip: decoded ground truth and degraded frames")
    frames: int
    reason: str | None = Field(description="why these rows stand apart from the main board of the data set")
    detectable: Figure | None = Field(description="smallest difference in the first metric found with a power of 80 %")
    notes: tuple[str, ...]
    departures: tuple[str, ...] = Field(description="in what the data are not what the protocol asks for")
    published: str | None
    reported: tuple[ReportedDocument, ...]
    alarms: tuple[AlarmDocument, ...]
    rows: tuple[RowDocument, ...]
    left_out: int = Field(description="rows of the board that were not asked for")


class OverallEntryDocument(_Part):
    """One model under one metric over several boards."""

    mean_rank: Figure | None
    mean_gain: Figure | None
    gain_interval: IntervalDocument | None
    boards: int = Field(description="on which it has a figure")
    boards_worse: int | None
    harm: bool
    note: str = Field(description="why there is no mean")


class OverallRowDocument(_Part):
    """One model over several boards."""

    model: str
    place: int | None
    entries: dict[str, OverallEntryDocument]


class OverallDocument(_Part):
    """Means over several boards of one protocol."""

    title: str
    protocol: str
    scope: Literal["severities", "datasets"]
    boards: tuple[str, ...] = Field(description="data sets")
    metrics: tuple[str, ...] = Field(description="rows are placed by the first")
    rows: tuple[OverallRowDocument, ...]
    notes: tuple[str, ...]


class LeaderboardDocument(_Part):
    """Boards of a workspace, as `vbench leaderboard export --format json` writes them."""

    format: Literal["vbench-leaderboard"] = FORMAT
    version: Literal[1] = VERSION
    protocols: dict[str, ProtocolFacts] = Field(description="by label, as far as they are known")
    overall: tuple[OverallDocument, ...] = Field(description="over several data sets, where there are several")
    boards: tuple[BoardDocument, ...]


# --- to --------------------------------------------------------------------------------------------


def document(
    views: Sequence[View],
    protocols: Mapping[str, ProtocolFacts] | None = None,
    overall: Sequence[OverallBoard] = (),
) -> LeaderboardDocument:
    """Views as a document; where columns were named, only the metrics that they are of.

    Args:
        views: what is to be shown.
        protocols: by label.
        overall: boards over several data sets.
    """
    labels = {view.board.protocol for view in views}
    return LeaderboardDocument(
        protocols={label: facts for label, facts in sorted((protocols or {}).items()) if label in labels},
        overall=tuple(map(_overall, overall)),
        boards=tuple(map(_board, views)),
    )


def dumps(document_: LeaderboardDocument) -> str:
    """A document as text; the same boards give the same text."""
    return json.dumps(document_.model_dump(mode="json"), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _board(view: View) -> BoardDocument:
    board = view.board
    metrics = view.metrics if view.chosen else board.metrics
    names = {metric.name for metric in metrics}
    return BoardDocument(
        dataset=board.dataset,
        protocol=board.protocol,
        average=board.average,
        metrics=metrics,
        clips=board.clips,
        data_sha256={c.clip: c.data_sha256 for c in sorted(board.cells, key=lambda c: c.clip)},
        frames=board.frames,
        reason=board.reason,
        detectable=board.detectable,
        notes=board.notes,
        departures=board.departures,
        published=board.published,
        reported=tuple(_reported(r) for r in board.reported if r.metric in names),
        alarms=tuple(_alarm(alarm) for alarm in alarms_of(view)),
        rows=tuple(_row(row, names) for row in board.rows),
        left_out=view.left_out,
    )


def _alarm(found: Alarm) -> AlarmDocument:
    return AlarmDocument(**{name: getattr(found, name) for name in AlarmDocument.model_fields})


def _overall(board: OverallBoard) -> OverallDocument:
    same = ("mean_rank", "mean_gain", "boards", "boards_worse", "harm", "note")
    return OverallDocument(
        title=board.title,
        protocol=board.protocol,
        scope=board.scope,
        boards=board.boards,
        metrics=tuple(metric.name for metric in board.metrics),
        rows=tuple(
            OverallRowDocument(
                model=row.model.name,
                place=row.place,
                entries={
                    name: OverallEntryDocument(
                        **{part: getattr(entry, part) for part in same}, gain_interval=_interval(entry.gain_interval)
                    )
                    for name, entry in row.entries.items()
                },
            )
            for row in board.rows
        ),
        notes=board.notes,
    )


def _reported(found: Reported) -> ReportedDocument:
    return ReportedDocument(**{name: getattr(found, name) for name in ReportedDocument.model_fields})


def _row(row: Row, metrics: set[str]) -> RowDocument:
    same = ("rank", "place", "seconds_per_frame", "seconds_quartiles", "memory_bytes", "multiply_adds", "device",
            "precision", "tile", "threads")  # fmt: skip
    return RowDocument(
        model=row.model,
        **{name: getattr(row, name) for name in same},
        against_next=_neighbour(row.against_next),
        entries={name: _entry(entry) for name, entry in row.entries.items() if name in metrics},
    )


def _neighbour(found: Neighbour | None) -> NeighbourDocument | None:
    if found is None:
        return None
    return NeighbourDocument(
        model=found.model,
        difference=found.difference,
        interval=_interval_of(found.interval),
        p=found.p,
        p_holm=found.p_holm,
        p_wilcoxon_holm=found.p_wilcoxon_holm,
        apart=found.apart,
    )


def _entry(entry: Entry) -> EntryDocument:
    same = set(EntryDocument.model_fields) - {"interval", "gain_interval"}
    return EntryDocument(
        **{name: getattr(entry, name) for name in same},
        interval=_interval(entry.interval),
        gain_interval=_interval(entry.gain_interval),
    )


def _interval(found: Interval | None) -> IntervalDocument | None:
    return None if found is None else _interval_of(found)


def _interval_of(found: Interval) -> IntervalDocument:
    return IntervalDocument(low=found.low, high=found.high, method=found.method)


# --- from ------------------------------------------------------------------------------------------


def loads(text: str | bytes, name: str = "the document") -> LeaderboardDocument:
    """Read a document.

    Args:
        text: JSON.
        name: of the file, for errors.

    Raises:
        ValueError: it is no such document, or one of another version.
    """
    try:
        found = json.loads(text)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f'"{name}" is not valid JSON ({error}).') from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(
            f'"{name}" is no leaderboard. One is written by `vbench leaderboard export --format json --out FILE`.'
        )
    if found.get("version") != VERSION:
        raise ValueError(
            f'"{name}" is a leaderboard of version {found.get("version")!r}; this vbench reads version {VERSION}. Export it '
            "again with this one."
        )
    try:
        return LeaderboardDocument.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(
            f'"{name}" is damaged: at {where}: {first["msg"]} ({error.error_count()} such faults). Export it again.'
        ) from error


def schema() -> dict[str, Any]:
    """The JSON schema of a document (draft 2020-12)."""
    out = LeaderboardDocument.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **out}


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"
