"""Cards of models: what each is, what it costs, where it is good and where it harms, what failed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaderboards.export import signed
from leaderboards.schema import Cell, ModelFacts
from leaderboards.table import BASELINE, Board, Entry, Row
from reports.site import slug
from reports.views.boards import MEBIBYTE, class_letters
from reports.views.cells import seconds_text
from reports.views.facts import Facts
from reports.views.links import dataset_path
from reports.views.words import count, isolated, name, short

if TYPE_CHECKING:
    from markupsafe import Markup

FAILURES = 5
"""Different failures that a card lists; of more the number is told."""


@dataclass(frozen=True)
class Place:
    """How a model does on one board."""

    dataset: str
    title: str
    link: str
    rank: str
    letter: str
    metric: str
    gain: str
    tone: str
    bar: tuple[float, float] | None
    """From nought to the gain, as places from 0 to 100 on the scale of the metric; None without a gain."""
    reach: tuple[float, float] | None
    """The ends of the gain's interval on that scale."""
    zero: float
    hole: str


@dataclass(frozen=True)
class Failure:
    """One reason for which figures are missing, and where."""

    error: str
    where: str


@dataclass(frozen=True)
class Card:
    """One model."""

    number: int
    name: str
    anchor: str
    facts: ModelFacts
    settings: tuple[tuple[str, str], ...]
    parameters: str
    seconds: str
    memory: str
    device: str
    sentence: Markup
    places: tuple[Place, ...]
    failures: tuple[Failure, ...]
    more_failures: int


def cards(facts: Facts) -> tuple[Card, ...]:
    """A card for each model that has a row on any board, doing nothing first."""
    spans = _spans(facts.main)
    failures = _failures(facts.cells)
    return tuple(_card(facts, model, spans, failures.get(model, [])) for model in facts.numbers)


def _spans(boards: Sequence[Board]) -> dict[str, tuple[float, float]]:
    """From the largest loss to the largest gain of any model, by metric: one scale for all cards."""
    spans: dict[str, tuple[float, float]] = {}
    for board in boards:
        metric = board.primary.name
        for row in board.rows:
            gain = row.entries[metric].gain
            if gain is not None and math.isfinite(gain):
                low, high = spans.get(metric, (0.0, 0.0))
                spans[metric] = (min(low, gain), max(high, gain))
    return spans


def _card(facts: Facts, model: str, spans: dict[str, tuple[float, float]], failures: list[Failure]) -> Card:
    rows = [(b, row) for b in facts.main if (row := b.row(model)) is not None]
    if not rows:
        rows = [(b, row) for b in facts.boards if (row := b.row(model)) is not None]
    own = facts.models[model]
    times = sorted(row.seconds_per_frame for _, row in rows if row.seconds_per_frame is not None)
    memory = max((row.memory_bytes for _, row in rows if row.memory_bytes), default=None)
    seconds = "" if not times else seconds_text(times[0])
    if times and seconds_text(times[-1]) != seconds:
        seconds += f" to {seconds_text(times[-1])}"
    machines = dict.fromkeys(f"{row.device}, {row.precision}" for _, row in rows)
    return Card(
        number=facts.numbers[model],
        name=model,
        anchor=f"model-{slug(model)}",
        facts=own,
        settings=tuple((str(k), setting(v)) for k, v in own.settings.items()),
        parameters=parameters_text(own.parameters),
        seconds=seconds,
        memory="" if memory is None else f"{memory / MEBIBYTE:,.0f} MiB",
        device="; ".join(machines),
        sentence=_sentence(facts, model, rows),
        places=tuple(_place(facts, b, row, spans) for b, row in rows) if model != BASELINE else (),
        failures=tuple(failures[:FAILURES]),
        more_failures=max(0, len(failures) - FAILURES),
    )


def parameters_text(parameters: int | None) -> str:
    """A number of parameters in thousands or millions.

    Example:
        >>> parameters_text(668227), parameters_text(2480000), parameters_text(None)
        ('668 thousand', '2.48 million', '')
    """
    if parameters is None:
        return ""
    if parameters >= 1_000_000:
        return f"{parameters / 1e6:.3g} million" if parameters < 1e9 else f"{parameters / 1e6:,.0f} million"
    return f"{parameters / 1e3:.3g} thousand" if parameters >= 1000 else str(parameters)


def setting(value: Any) -> str:
    """A setting in words: lists with commas, truth as yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(setting(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {setting(v)}" for k, v in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _place(facts: Facts, board: Board, row: Row, spans: dict[str, tuple[float, float]]) -> Place:
    metric = board.primary
    entry = row.entries[metric.name]
    low, high = spans.get(metric.name, (0.0, 1.0))

    def share(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / ((high - low) or 1.0), 1)

    gain = entry.gain
    zero = share(0.0)
    bar = None if gain is None or not math.isfinite(gain) else (min(zero, share(gain)), max(zero, share(gain)))
    unit = f" {metric.unit}" if metric.unit else ""
    return Place(
        dataset=board.dataset,
        title=facts.name(board.dataset),
        link=dataset_path(board.dataset),
        rank="" if row.rank is None else str(row.rank),
        letter="" if row.rank is None else class_letters(board)[row.rank],
        metric=metric.name,
        gain="" if gain is None else f"{signed(gain, metric.name)}{unit}",
        tone="good" if entry.better else "bad" if entry.harm else "",
        bar=bar,
        reach=_reach(entry, share),
        zero=zero,
        hole=entry.hole or ("" if gain is not None else "doing nothing has no figure to compare with"),
    )


def _reach(entry: Entry, share: Any) -> tuple[float, float] | None:
    interval = entry.gain_interval
    if interval is None or interval.low is None or interval.high is None or entry.gain is None:
        return None
    return share(interval.low), share(interval.high)


def _sentence(facts: Facts, model: str, rows: Sequence[tuple[Board, Row]]) -> Markup:
    """Where it is best and where it is worst, by gain; where it harms."""
    from markupsafe import Markup

    if model == BASELINE:
        return Markup("What every model is measured against: one that scores below it made things worse.")
    known = [
        (entry.gain * (1 if b.primary.direction == "higher" else -1), b, row, entry)
        for b, row in rows
        if (entry := row.entries[b.primary.name]).gain is not None and math.isfinite(entry.gain)
    ]
    if not known:
        return Markup("It has no gain on any data set: figures are missing.")
    if len({b.primary.name for _, b, _, _ in known}) > 1:
        known = [k for k in known if k[1].primary.name == known[0][1].primary.name]
    known.sort(key=lambda k: (-k[0], k[1].dataset))
    best, worst = known[0], known[-1]

    def place(item: tuple[float, Board, Row, Entry]) -> Markup:
        _, board, row, entry = item
        unit = f" {board.primary.unit}" if board.primary.unit else ""
        rank = f", rank {row.rank} of {sum(r.rank is not None for r in board.rows)}" if row.rank is not None else ""
        text = f"{signed(entry.gain, board.primary.name)}{unit} {board.primary.name}{rank}"
        return Markup('<a href="{}">{}</a> ({})').format(
            dataset_path(board.dataset), name(facts.name(board.dataset)), text
        )

    if best[0] <= 0:
        return Markup("It improves no data set; it comes nearest on {}.").format(place(best))
    if len(known) == 1:
        return Markup("It was measured on {}.").format(place(best))
    harm = sum(k[0] < 0 for k in known)
    text = Markup("Best on {}, ").format(place(best))
    text += Markup("worst on {}.").format(place(worst))
    if harm:
        text += f" It harms on {harm} of {count(len(known), 'data set')}."
    return text


def _failures(cells: Sequence[Cell]) -> dict[str, list[Failure]]:
    """Reasons of failed cells by model, the commonest first; without those that befell all models alike, which say
    something of the clip (frames too small for a metric) and of no model."""
    tried: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        tried[cell.dataset, cell.protocol, cell.clip, cell.metric.name].append(cell)
    found: dict[str, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for members in tried.values():
        failed = [cell for cell in members if cell.status == "failed"]
        if len(failed) == len(members) > 1 and len({cell.error for cell in failed}) == 1:
            continue
        for cell in failed:
            found[cell.model][cell.error or "no reason is recorded"].append(cell)
    out: dict[str, list[Failure]] = {}
    for model, errors in found.items():
        ordered = sorted(errors.items(), key=lambda item: (-len(item[1]), item[0]))
        out[model] = [Failure(error, _where(members)) for error, members in ordered]
    return out


def _where(cells: Sequence[Cell]) -> str:
    metrics = list(dict.fromkeys(c.metric.name for c in cells))
    clips = list(dict.fromkeys((c.dataset, c.clip) for c in cells))
    what = ", ".join(metrics[:3]) + (f" and {len(metrics) - 3} more" if len(metrics) > 3 else "")
    dataset, clip = clips[0]
    where = f"{isolated(short(clip))} ({isolated(short(dataset))})"
    return f"{what} on {where}" + (f" and {count(len(clips) - 1, 'other clip')}" if len(clips) > 1 else "")
