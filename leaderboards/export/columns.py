"""Everything that may be asked of a row of a board by name: figures, gains, intervals, ranks, costs, facts of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboards.board import Board, Entry, Row
from leaderboards.numbers import ARROWS, number, signed, three_digits
from leaderboards.query import Column, Kind
from leaderboards.query_parser import Value
from leaderboards.results import DatasetInfo
from leaderboards.schema import MetricFacts

TEXT, NUMBER, TRUTH = Column(Kind.text), Column(), Column(Kind.truth)

FACTS: dict[str, tuple[Column, str]] = {
    "dataset": (TEXT, "data set"),
    "protocol": (TEXT, "name and version of the protocol"),
    "apart": (TEXT, "why the board stands apart from the main one of its data set; missing on the main one"),
    "profile": (TEXT, "the recipe of the damage"),
    "severity": (NUMBER, "of the damage, in the profile's own unit"),
    "model": (TEXT, "name of the model"),
    "title": (TEXT, "title of the model"),
    "task": (TEXT, "what the model is for"),
    "licence": (TEXT, "of the model"),
    "weights": (TEXT, "sha256 of the weights"),
    "parameters": (Column(higher=False), "number of parameters of the network"),
    "device": (TEXT, "on which it ran"),
    "precision": (TEXT, "fp32, fp16, ..."),
    "rank": (Column(higher=False), "shared by models that the clips cannot tell apart; missing for models with holes"),
    "place": (Column(higher=False), "by the mean of the board's first metric alone"),
    "complete": (TRUTH, "whether every figure is there"),
    "hole": (TEXT, "why a figure is missing; missing itself where all are there"),
    "clips": (NUMBER, "of the board"),
    "frames": (NUMBER, "of the board"),
    "seconds_per_frame": (Column(unit="s", higher=False), "median over clips"),
    "frames_per_second": (Column(higher=True), "1 / seconds_per_frame"),
    "memory": (Column(unit="B", higher=False), "the largest peak of any clip"),
    "multiply_adds": (Column(higher=False), "per frame, where they were counted"),
    "iterations": (
        Column(higher=False),
        "steps of training on a clip, the most; of what is trained while it is tested",
    ),
    "threads": (TEXT, "of the processor"),
    "tile": (TEXT, "the tiles in which frames were restored, where not whole"),
    "fp32_psnr": (
        Column(unit="dB", higher=True),
        "of the frames against those in fp32, where the precision is another",
    ),
}
"""Columns that every board has, and what they are."""
FIGURES: dict[str, str] = {
    "": "the board's figure",
    "low": "lower end of its 95 % interval",
    "high": "upper end of its 95 % interval",
    "gain": "over doing nothing (identity), with the metric's own sign",
    "gain_low": "lower end of the gain's 95 % interval",
    "gain_high": "upper end of the gain's 95 % interval",
    "harm": "whether the figure is worse than that of doing nothing",
    "harm_sure": "whether the whole interval of the gain says so",
    "worse": "number of clips on which the figure is worse than that of doing nothing",
    "worse_share": "their share of all clips, 0 to 1",
    "worst_gain": "gain on the clip on which it is worst",
    "worst_clip": "name of that clip",
    "reported": "what the model's own source prints for these data under this protocol",
    "reported_difference": "the board's figure minus the reported one",
    "clips_of": "number of clips on which the model has the figure",
}
"""What there is of each metric: ``low.psnr``; the figure itself is ``psnr``."""
SHORT = ("gain", "harm", "worse", "worst_clip")
"""Without a metric these are of the board's first one."""
DIFFERENCES = frozenset({"gain", "gain_low", "gain_high", "worst_gain", "reported_difference"})
_COUNTS = frozenset({"worse", "clips_of"})
HEADS = {
    "rank": "#", "seconds_per_frame": "s/frame ↓", "frames_per_second": "frames/s ↑", "memory": "memory [MiB] ↓",
    "multiply_adds": "GMAC/frame ↓", "parameters": "parameters [M] ↓",
}  # fmt: skip
SCALES = {"memory": 2.0**20, "multiply_adds": 1e9, "parameters": 1e6}
"""What is printed is the value divided by this."""


@dataclass(frozen=True)
class Name:
    """A column's name, taken apart."""

    metric: str | None
    part: str
    """A key of :data:`FIGURES` where it is of a metric, else one of :data:`FACTS`."""


def take_apart(name: str, metrics: Sequence[str]) -> Name | None:
    """The metric and the part that a column's name asks for; None if there is no such column.

    Example:
        >>> take_apart("gain.psnr", ["psnr"]), take_apart("memory", ["psnr"])
        (Name(metric='psnr', part='gain'), Name(metric=None, part='memory'))
    """
    if name in metrics:
        return Name(name, "")
    if name in FACTS:
        return Name(None, name)
    if name in SHORT and metrics:
        return Name(metrics[0], name)
    part, dot, metric = name.partition(".")
    if dot and part and part in FIGURES and metric in metrics:
        return Name(metric, part)
    return None


def columns(boards: Sequence[Board]) -> dict[str, Column]:
    """All columns of these boards, by name."""
    out = {name: column for name, (column, _) in FACTS.items()}
    for board in boards:
        out |= {name: _column(board.primary, name) for name in SHORT if name not in out}
        for metric in board.metrics:
            for part in FIGURES:
                out[f"{part}.{metric.name}" if part else metric.name] = _column(metric, part)
    return out


def _column(metric: MetricFacts, part: str) -> Column:
    if part in ("harm", "harm_sure"):
        return TRUTH
    if part == "worst_clip":
        return TEXT
    if part in ("worse", "worse_share"):
        return Column(higher=False)
    if part == "clips_of":
        return NUMBER
    return Column(unit=metric.unit, higher=metric.direction == "higher")


def values(board: Board, row: Row, info: DatasetInfo | None = None) -> dict[str, Value]:
    """Every column of a row. What is missing is None."""
    model = row.model
    holes = sorted({e.hole for e in row.entries.values() if e.hole})
    out: dict[str, Value] = {
        "dataset": board.dataset, "protocol": board.protocol, "apart": board.reason, "model": model.name,
        "profile": info.profile if info else None, "severity": info.severity if info else None,
        "title": model.title, "task": model.task, "licence": model.licence, "weights": model.weights_sha256,
        "parameters": _float(model.parameters), "device": row.device, "precision": row.precision,
        "rank": _float(row.rank), "place": _float(row.place), "complete": row.complete, "hole": "; ".join(holes) or None,
        "clips": float(len(board.clips)), "frames": float(board.frames), "seconds_per_frame": row.seconds_per_frame,
        "frames_per_second": row.frames_per_second, "memory": _float(row.memory_bytes),
        "multiply_adds": row.multiply_adds, "threads": row.threads or None, "iterations": _float(row.iterations),
        "tile": row.tile, "fp32_psnr": row.fp32_difference.psnr if row.fp32_difference else None,
    }  # fmt: skip
    for metric, entry in row.entries.items():
        for part in FIGURES:
            out[f"{part}.{metric}" if part else metric] = figure(entry, part)
    out |= {name: figure(row.entries[board.primary.name], name) for name in SHORT}
    return out


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def figure(entry: Entry, part: str) -> Value:
    """What an entry has of a part of :data:`FIGURES`."""
    interval = entry.gain_interval if part.startswith("gain") else entry.interval
    worst = entry.worst_clip
    return {
        "": entry.mean,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "gain": entry.gain,
        "gain_low": interval.low if interval else None,
        "gain_high": interval.high if interval else None,
        "harm": None if entry.better is None else entry.harm,
        "harm_sure": None if entry.better is None else entry.harm_sure,
        "worse": _float(entry.clips_worse),
        "worse_share": entry.share_worse,
        "worst_gain": worst.gain if worst else None,
        "worst_clip": worst.clip if worst else None,
        "reported": entry.reported,
        "reported_difference": entry.reported_difference,
        "clips_of": float(entry.clips),
    }[part]


def head(name: str, metrics: Sequence[MetricFacts]) -> str:
    """What stands above a column: its name, unit and arrow."""
    found = take_apart(name, [m.name for m in metrics])
    if found is None or found.metric is None:
        return HEADS.get(name, name)
    facts = next(m for m in metrics if m.name == found.metric)
    if found.part in _COUNTS or _column(facts, found.part).kind is not Kind.number:
        return name
    if found.part == "worse_share":
        return f"{name} ↓"
    unit = f" [{facts.unit}]" if facts.unit else ""
    return f"{name}{unit} {ARROWS[facts.direction]}"


def text(name: str, value: Value, metrics: Sequence[str]) -> str:
    """A value as it is printed; a dash where there is none.

    Example:
        >>> text("gain.psnr", 1.5, ["psnr"]), text("memory", 2.0**20, []), text("complete", True, []), text("rank", None, [])
        ('+1.50', '1', 'yes', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    found = take_apart(name, metrics)
    if found is not None and found.metric is not None and found.part not in _COUNTS:
        if found.part == "worse_share":
            return f"{value:.2f}"
        return (signed if found.part in DIFFERENCES else number)(value, found.metric)
    if name in SCALES:
        return f"{value / SCALES[name]:,.{0 if name == 'memory' else 2}f}"
    if name == "severity":
        return f"{value:g}"
    return three_digits(value) if name in ("seconds_per_frame", "frames_per_second") else f"{value:,.0f}"
