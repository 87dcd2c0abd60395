"""Cards of models: what each is, what it costs, where it is good and where it harms, what failed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaderboards.export import signed
from leaderboards.schema import Cell, ModelFacts
from leaderboards.table import BASELINE, Board, Entry, Row
from reports.site import slug
from reports.views.boards import MEBIBYTE, class_letters
from reports.views.cells import seconds_text
from reports.views.facts import Facts, protocol_place
from reports.views.links import dataset_path
from reports.views.words import count, isolated, name, short, telling

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
    """From nought to the gain, as places from 0 to 100 on the scale of its group, better to the right; None without a gain."""
    reach: tuple[float, float] | None
    """The ends of the gain's interval on that scale."""
    zero: float
    hole: str


@dataclass(frozen=True)
class PlaceGroup:
    """The boards of one protocol and metric, whose bars stand on one scale."""

    title: str
    """Of the group, where a card has several."""
    places: tuple[Place, ...]


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
    work: str
    """Multiply-adds per frame."""
    iterations: str
    """Steps of training on a clip."""
    tiles: str
    from_fp32: str
    device: str
    sentence: Markup
    groups: tuple[PlaceGroup, ...]
    failures: tuple[Failure, ...]
    more_failures: int


def cards(facts: Facts) -> tuple[Card, ...]:
    """A card for each model that has a row on any board, doing nothing first."""
    spans = _spans(facts.main)
    failures = _failures(facts.cells)
    return tuple(_card(facts, model, spans, failures.get(model, [])) for model in facts.numbers)


def _spans(boards: Sequence[Board]) -> dict[tuple[str, str], tuple[float, float]]:
    """From the largest loss to the largest gain of any model, by protocol and metric: one scale for all cards."""
    spans: dict[tuple[str, str], tuple[float, float]] = {}
    for board in boards:
        for row in board.rows:
            gain = row.entries[board.primary.name].gain
            if gain is not None and math.isfinite(gain):
                low, high = spans.get(_kind(board), (0.0, 0.0))
                spans[_kind(board)] = (min(low, _sign(board) * gain), max(high, _sign(board) * gain))
    return spans


def _kind(board: Board) -> tuple[str, str]:
    """What has to be the same for gains on two boards to be compared."""
    return board.protocol, board.primary.name


def _sign(board: Board) -> float:
    return 1.0 if board.primary.direction == "higher" else -1.0


def _card(facts: Facts, model: str, spans: dict[tuple[str, str], tuple[float, float]], failures: list[Failure]) -> Card:
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
        work=_work(rows),
        iterations=_iterations(rows),
        tiles=" and ".join(dict.fromkeys(row.tile for _, row in rows if row.tile)),
        from_fp32=_from_fp32(rows),
        device="; ".join(machines),
        sentence=_sentence(facts, model, rows),
        groups=_groups(facts, rows, spans) if model != BASELINE else (),
        failures=tuple(failures[:FAILURES]),
        more_failures=max(0, len(failures) - FAILURES),
    )


def _work(rows: Sequence[tuple[Board, Row]]) -> str:
    counts = sorted(row.multiply_adds for _, row in rows if row.multiply_adds is not None)
    if not counts:
        return ""
    ends = dict.fromkeys(f"{each / 1e9:,.3g}" for each in (counts[0], counts[-1]))
    return f"{' to '.join(ends)} G multiply-adds a frame"


def _iterations(rows: Sequence[tuple[Board, Row]]) -> str:
    most = max((row.iterations for _, row in rows if row.iterations is not None), default=None)
    return "" if most is None else f"{most:,} steps on a clip at most"


def _from_fp32(rows: Sequence[tuple[Board, Row]]) -> str:
    """The largest difference from fp32 on any board."""
    apart = [row.fp32_difference for _, row in rows if row.fp32_difference is not None]
    if not apart:
        return ""
    most = min(apart, key=lambda difference: difference.psnr)
    psnr = "equal" if math.isinf(most.psnr) else f"{most.psnr:.1f} dB"
    return f"{psnr}, at most {most.levels:.2g} of 255 levels apart"


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


def _groups(
    facts: Facts, rows: Sequence[tuple[Board, Row]], spans: dict[tuple[str, str], tuple[float, float]]
) -> tuple[PlaceGroup, ...]:
    """The boards of a model by protocol and metric, in the order of the protocols."""
    found: dict[tuple[str, str], list[Place]] = defaultdict(list)
    titles: dict[tuple[str, str], str] = {}
    for board, row in sorted(rows, key=lambda pair: protocol_place(pair[0].protocol)):
        unit = f" [{board.primary.unit}]" if board.primary.unit else ""
        found[_kind(board)].append(_place(facts, board, row, spans.get(_kind(board), (0.0, 1.0))))
        titles[_kind(board)] = f"Gain in {board.primary.name}{unit}, {board.protocol}"
    return tuple(PlaceGroup(titles[kind], tuple(places)) for kind, places in found.items())


def _place(facts: Facts, board: Board, row: Row, span: tuple[float, float]) -> Place:
    metric = board.primary
    entry = row.entries[metric.name]
    low, high = span
    sign = _sign(board)

    def share(value: float) -> float:
        return round(100 * (min(max(sign * value, low), high) - low) / ((high - low) or 1.0), 1)

    gain = entry.gain
    zero = share(0.0)
    bar = None if gain is None else (min(zero, share(gain)), max(zero, share(gain)))
    unit = f" {metric.unit}" if metric.unit else ""
    return Place(
        dataset=board.dataset,
        title=facts.name(board.dataset),
        link=dataset_path(board.dataset),
        rank="" if row.rank is None else str(row.rank),
        letter="" if row.rank is None else class_letters(board)[row.rank],
        metric=metric.name,
        gain="" if gain is None else f"{signed(gain, metric.name)}{unit}",
        tone=""
        if gain is None or not telling(signed(gain, metric.name))
        else "good"
        if entry.better
        else "bad"
        if entry.harm
        else "",
        bar=bar,
        reach=_reach(entry, share),
        zero=zero,
        hole=entry.hole or ("" if gain is not None else "doing nothing has no figure to compare with"),
    )


def _reach(entry: Entry, share: Callable[[float], float]) -> tuple[float, float] | None:
    interval = entry.gain_interval
    if interval is None or interval.low is None or interval.high is None or entry.gain is None:
        return None
    ends = share(interval.low), share(interval.high)
    return min(ends), max(ends)


def _sentence(facts: Facts, model: str, rows: Sequence[tuple[Board, Row]]) -> Markup:
    """Where it is best and where it is worst, by gain; where it harms."""
    from markupsafe import Markup

    if model == BASELINE:
        return Markup("What every model is measured against: one that scores below it made things worse.")
    groups: dict[tuple[str, str], list[tuple[float, Board, Row, Entry]]] = defaultdict(list)
    for board, row in sorted(rows, key=lambda pair: protocol_place(pair[0].protocol)):
        entry = row.entries[board.primary.name]
        if entry.gain is not None:
            groups[_kind(board)].append((_sign(board) * entry.gain, board, row, entry))
    if not groups:
        return Markup("It has no gain on any data set: figures are missing.")
    # Gains compare under one protocol and metric only: the one that has most data sets, the first of the protocols among equals.
    known = max(groups.values(), key=len)
    known.sort(key=lambda k: (-k[0], k[1].dataset))
    best, worst = known[0], known[-1]

    def place(item: tuple[float, Board, Row, Entry]) -> Markup:
        _, board, row, entry = item
        unit = f" {board.primary.unit}" if board.primary.unit else ""
        rank = _rank(board, row)
        text = f"{signed(entry.gain, board.primary.name)}{unit} {board.primary.name}{rank}"
        return Markup('<a href="{}">{}</a> ({})').format(
            dataset_path(board.dataset), name(facts.name(board.dataset)), text
        )

    if len(known) == 1:
        verb = "improves" if best[0] > 0 else "does not improve"
        return Markup("It {} {}.").format(verb, place(best))
    if best[0] <= 0:
        return Markup("It improves none of {}; it comes nearest on {}.").format(
            count(len(known), "data set"), place(best)
        )
    harm = sum(k[0] < 0 for k in known)
    text = Markup("Best on {}, ").format(place(best))
    text += Markup("worst on {}.").format(place(worst))
    if harm:
        certain = sum(k[3].harm_sure for k in known)
        how = "" if certain == harm else f", surely on {certain or 'none'}"
        text += f" It is worse than doing nothing on {harm} of {count(len(known), 'data set')}{how}."
    return text


def _rank(board: Board, row: Row) -> str:
    """A model's rank, and with how many it shares it; nothing where it has none."""
    if row.rank is None:
        return ""
    ranked = [r.rank for r in board.rows if r.rank is not None]
    alike = ranked.count(row.rank)
    return f", rank {row.rank} of {len(ranked)}" + (f", shared by {alike}" if alike > 1 else "")


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
