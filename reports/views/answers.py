"""The question and its answers in words: who is first, by how much, how surely, who cannot be told apart, who harms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from leaderboards.export import number, signed
from leaderboards.table import BASELINE, Board, Entry, Row
from reports.views.facts import Facts
from reports.views.links import dataset_path
from reports.views.words import count, join, name, names

if TYPE_CHECKING:
    from markupsafe import Markup


def board_answer(board: Board) -> Markup:
    """Two or three sentences on one board."""
    from markupsafe import Markup

    metric = board.primary
    ranked = ranked_rows(board)
    if not ranked:
        return Markup("No model has every figure, so none is ranked.")
    first = ranked[0]
    entry = first.entries[metric.name]
    who = name(first.model.name)
    unit = f" {metric.unit}" if metric.unit else ""
    if entry.gain is None:
        parts = [Markup("{} is first with {}{} {}.").format(who, number(entry.mean, metric.name), unit, metric.name)]
    elif entry.better:
        gain = f"{signed(entry.gain, metric.name)}{unit} {metric.name}"
        parts = [Markup("<strong>{}</strong> is first, {} over doing nothing{}.").format(who, gain, sure(entry))]
    else:
        gain = f"{signed(entry.gain, metric.name)}{unit} {metric.name}"
        return Markup("No model improves on doing nothing; {} comes nearest ({}).").format(who, gain)
    equals = [row.model.name for row in ranked[1:] if row.rank == first.rank]
    if equals:
        parts.append(Markup("These clips cannot tell {} from it.").format(names(equals)))
    harm = [row.model.name for row in ranked if row.entries[metric.name].harm]
    if harm:
        parts.append(Markup("{} made it worse than the input.").format(names(harm)))
    return join(parts)


def ranked_rows(board: Board) -> list[Row]:
    """Rows with a rank, without doing nothing, best first."""
    return [row for row in board.rows if row.rank is not None and row.model.name != BASELINE]


def sure(entry: Entry) -> str:
    """How sure the gain is, as far as the number of clips allows to say; empty if it is."""
    interval = entry.gain_interval
    if interval is None or interval.low is None or interval.high is None:
        return f" (on {count(entry.clips, 'clip')}: too few for an interval)"
    if interval.low <= 0 <= interval.high:
        return " on average, but not surely: the 95 % interval of the gain holds zero"
    return ""


# --- over all boards ------------------------------------------------------------------------------


def asked(facts: Facts) -> Markup:
    """What was compared with what, on what, by what."""
    from markupsafe import Markup

    models = [m for m in facts.models if m != BASELINE]
    clips = {(b.dataset, clip) for b in facts.main for clip in b.clips}
    frames = sum({b.dataset: b.frames for b in facts.main}.values())
    primary = dict.fromkeys(b.primary.name for b in facts.main)
    protocols = dict.fromkeys(b.protocol for b in facts.main)
    others = len(facts.metrics) - len(primary)
    whole = Markup("How well {} {} ({}, {})? Ranked by {}{}, under {} {}.")
    return whole.format(
        Markup("does {} restore").format(name(models[0]))
        if len(models) == 1
        else f"do {count(len(models), 'model')} restore",
        count(len(facts.datasets), "data set"),
        count(len(clips), "clip"),
        count(frames, "frame"),
        Markup(" or ").join(primary),
        f", with {count(others, 'other metric')} beside" if others else "",
        "protocol" if len(protocols) == 1 else "protocols",
        Markup(", ").join(protocols),
    )


def answer(facts: Facts) -> Markup:
    """The answer in one paragraph, of one board for each data set: who is first where and by how much, how surely, who harms."""
    from markupsafe import Markup

    boards = facts.leading
    if len(boards) == 1:
        return join([board_answer(boards[0]), _elsewhere(facts)])
    first: dict[str, list[Board]] = defaultdict(list)
    nobody: list[Board] = []
    unranked: list[Board] = []
    for board in boards:
        ranked = ranked_rows(board)
        if not ranked:
            unranked.append(board)
        elif (entry := ranked[0].entries[board.primary.name]).better or entry.gain is None:
            first[ranked[0].model.name].append(board)
        else:
            nobody.append(board)
    parts: list[str] = []
    winners = sorted(first, key=lambda model: (-len(first[model]), facts.numbers[model]))
    for model in winners[:4]:
        parts.append(_first(facts, model, first[model]))
    if len(winners) > 4:
        rest = sum(len(first[model]) for model in winners[4:])
        others = "1 other is" if len(winners) == 5 else f"{len(winners) - 4} others are"
        parts.append(f"{others} first on {count(rest, 'data set')}.")
    if nobody:
        parts.append(Markup("No model improves on doing nothing on {}.").format(_datasets(facts, nobody)))
    if unranked:
        parts.append(
            Markup("No model has every figure on {}, so none is ranked there.").format(_datasets(facts, unranked))
        )
    parts.append(_harm(facts))
    return join([*parts, _elsewhere(facts)])


def _elsewhere(facts: Facts) -> str:
    """That there are boards under other protocols than those of which the answer speaks."""
    others = {b.protocol for b in facts.main} - {b.protocol for b in facts.leading}
    if not others:
        return ""
    return f"Boards under {count(len(others), 'other protocol')} stand beside: {', '.join(sorted(others))}."


def _first(facts: Facts, model: str, boards: Sequence[Board]) -> Markup:
    from markupsafe import Markup

    board = boards[0]
    row = board.row(model)
    entry = row.entries[board.primary.name] if row is not None else None
    gains = [
        e.gain for b in boards if (r := b.row(model)) is not None and (e := r.entries[b.primary.name]).gain is not None
    ]
    one = len({b.primary.name for b in boards}) == 1
    unit = f" {board.primary.unit or board.primary.name}"
    ends = sorted(gains)
    if not gains or not one:
        by = ""
    elif len(gains) == 1 or signed(ends[0], board.primary.name) == signed(ends[-1], board.primary.name):
        by = f" ({signed(ends[0], board.primary.name)}{unit}{sure(entry) if entry and len(boards) == 1 else ''})"
    else:
        by = f" ({signed(ends[0], board.primary.name)} to {signed(ends[-1], board.primary.name)}{unit})"
    text = Markup("<strong>{}</strong> is first on {}{}").format(name(model), _datasets(facts, boards), by)
    if len(boards) == 1 and row is not None:
        equals = [r.model.name for r in ranked_rows(board)[1:] if r.rank == row.rank]
        if equals:
            text += Markup("; these clips cannot tell {} from it").format(names(equals, 2))
    return text + Markup(".")


def _datasets(facts: Facts, boards: Sequence[Board]) -> Markup:
    from markupsafe import Markup

    every = "all " if len(boards) == len(facts.leading) > 1 else ""
    if len(boards) > 3:
        return Markup("{}{}").format(every, count(len(boards), "data set"))
    parts = [Markup('<a href="{}">{}</a>').format(dataset_path(b.dataset), name(facts.name(b.dataset))) for b in boards]
    return parts[0] if len(parts) == 1 else Markup("{} and {}").format(Markup(", ").join(parts[:-1]), parts[-1])


def _harm(facts: Facts) -> str | Markup:
    """Who made things worse than doing nothing, and on how many data sets."""
    from markupsafe import Markup

    harm: dict[str, int] = defaultdict(int)
    measured: dict[str, int] = defaultdict(int)
    for board in facts.leading:
        for row in board.rows:
            entry = row.entries[board.primary.name]
            measured[row.model.name] += entry.mean is not None
            harm[row.model.name] += entry.harm
    always = [m for m in facts.numbers if harm[m] and harm[m] == measured[m]]
    often = [m for m in facts.numbers if harm[m] and harm[m] < measured[m]]
    parts = []
    if always:
        verb = "makes" if len(always) == 1 else "make"
        parts.append(Markup("{} {} every data set worse than doing nothing.").format(names(always, 4), verb))
    if often:
        verb = "does" if len(often) == 1 else "do"
        more = "more " if always and len(often) > 4 else ""
        who = names(often, 4) if len(often) <= 4 else f"{len(often)} {more}models"
        what = "so on some" if always else "harm on some data sets"
        parts.append(Markup("{} {} {}.").format(who, verb, what))
    return join(parts)
