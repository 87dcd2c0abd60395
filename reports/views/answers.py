"""The question and its answers in words: who is first, by how much, how surely, who cannot be told apart, who harms."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from leaderboards.export import number, signed
from leaderboards.summary import OverallEntry, overall_boards
from leaderboards.table import BASELINE, Board, Entry, Row
from reports.views.facts import Facts, protocol_place
from reports.views.links import dataset_path
from reports.views.words import count, join, marked, name, names, telling

if TYPE_CHECKING:
    from markupsafe import Markup

WINNERS = 4
"""Models of which the answer says where they are first."""


def board_answer(board: Board, blind: bool = False) -> Markup:
    """Two or three sentences on one board; ``blind`` where there is no ground truth, so that nothing is called harm."""
    from markupsafe import Markup

    metric = board.primary
    ranked = ranked_rows(board)
    if not ranked:
        return _unranked(board)
    first = ranked[0]
    entry = first.entries[metric.name]
    who = name(first.model.name)
    unit = f" {metric.unit}" if metric.unit else ""
    if entry.gain is None:
        parts = [Markup("{} is first with {}{} {}.").format(who, number(entry.mean, metric.name), unit, metric.name)]
    elif entry.better:
        gain = f"{gain_text(entry.gain, metric.name)}{unit} {metric.name}{_turned(board)}"
        parts = [Markup("<strong>{}</strong> is first, {} over doing nothing{}.").format(who, gain, sure(entry))]
    else:
        gain = f"{gain_text(entry.gain, metric.name)}{unit} {metric.name}"
        return Markup("No model improves on doing nothing; {} comes nearest ({}).").format(who, gain)
    parts.append(alike(board))
    harm = [row for row in ranked if row.entries[metric.name].harm]
    if harm:
        whole = (
            Markup("{} made it worse than the input{}.") if not blind else Markup("{} {} worse {} than the input{}.")
        )
        who = names([row.model.name for row in harm])
        has = "has a" if len(harm) == 1 else "have a"
        certain = sum(row.entries[metric.name].harm_sure for row in harm)
        parts.append(whole.format(who, *((has, metric.name) if blind else ()), _of_them(certain, harm, metric.name)))
    return join(parts)


def _turned(board: Board) -> str:
    """Said where a gain of more than nought is a loss."""
    return " (less is better)" if board.primary.direction == "lower" else ""


def _unranked(board: Board) -> Markup:
    """Why no model has a rank, and what can be said all the same."""
    from markupsafe import Markup

    if all(row.model.name == BASELINE for row in board.rows):
        return Markup("Nothing was run here but doing nothing: there is no model to rank.")
    if all(entry.mean is None for row in board.rows for entry in row.entries.values()):
        reasons = Counter(cell.error for cell in board.cells if cell.status == "failed" and cell.error)
        why = Markup(" Most often: {}").format(marked(reasons.most_common(1)[0][0])) if reasons else ""
        return Markup("Nothing could be measured here: every figure is missing.{}").format(why)
    said = Markup("No model has every figure, so none is ranked.")
    metric = board.primary
    known = [
        (row.model.name, e) for row in board.rows if (e := row.entries[metric.name]).mean is not None and not e.hole
    ]
    known = [(model, entry) for model, entry in known if model != BASELINE]
    if not known:
        return said
    model, entry = (max if metric.direction == "higher" else min)(known, key=lambda pair: pair[1].mean or 0.0)
    unit = f" {metric.unit}" if metric.unit else ""
    gain = "" if entry.gain is None else f", {gain_text(entry.gain, metric.name)}{unit} over doing nothing"
    best = f"{number(entry.mean, metric.name)}{unit}{gain}"
    return Markup("{} Under {} alone {} is best ({}).").format(said, metric.name, name(model), best)


def _of_them(certain: int, rows: Sequence[Row], metric: str) -> str:
    """How many of those that are worse on average are so surely; nothing where there are no intervals."""
    if any((i := row.entries[metric].gain_interval) is None or i.low is None for row in rows):
        return ""
    if len(rows) == 1:
        return "" if certain else ", if not surely"
    if certain in (0, len(rows)):
        return ", all surely" if certain else ", none surely"
    return f", {certain} of them surely"


def alike(board: Board) -> Markup:
    """Whom these clips do not tell from the first: other models, and doing nothing."""
    from markupsafe import Markup

    ranked = ranked_rows(board)
    equals = [row.model.name for row in ranked[1:] if row.rank == ranked[0].rank]
    nothing = open_to_nothing(board)
    clips = "This clip" if len(board.clips) == 1 else "These clips"
    if not equals:
        return Markup("{} cannot tell it from doing nothing.").format(clips) if nothing else Markup("")
    end = ", nor it from doing nothing" if nothing else ""
    return Markup("{} cannot tell {} from it{}.").format(clips, names(equals), end)


def open_to_nothing(board: Board) -> bool:
    """Whether the first model stands in one class with doing nothing."""
    ranked, base = ranked_rows(board), board.row(BASELINE)
    return bool(ranked) and base is not None and base.rank is not None and base.rank == ranked[0].rank


def gain_text(gain: float, metric: str) -> str:
    """A gain as boards show it; one that is too small for their digits is told to be less than these.

    Example:
        >>> gain_text(0.25, "psnr"), gain_text(0.001, "psnr"), gain_text(0.0, "psnr")
        ('+0.25', 'less than 0.01', '0.00')
    """
    text = signed(gain, metric)
    if gain and not telling(text):
        return f"less than {text.strip('+−')[:-1]}1"
    return text


def ranked_rows(board: Board) -> list[Row]:
    """Rows with a rank, without doing nothing, best first."""
    return [row for row in board.rows if row.rank is not None and row.model.name != BASELINE]


def sure(entry: Entry) -> str:
    """How sure the gain is, as far as the number of clips allows to say; empty if it is."""
    interval = entry.gain_interval
    if entry.gain is not None and math.isinf(entry.gain):
        return " (infinite, as frames equal the ground truth)"
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
    ranked: dict[str, list[Board]] = defaultdict(list)
    for board in facts.leading:
        ranked[board.primary.name].append(board)
    protocols = sorted({b.protocol for b in facts.leading}, key=protocol_place)
    others = len(facts.metrics) - len({b.primary.name for b in facts.main})
    does = {
        0: Markup("does doing nothing do on"),
        1: Markup("does {} restore").format(name(models[0] if models else "")),
    }
    whole = Markup("How well {} {} ({}{})? Ranked by {}{}, under {} {}.")
    return whole.format(
        does.get(len(models), f"do {count(len(models), 'model')} restore"),
        count(len(facts.datasets), "data set"),
        count(len(clips), "clip"),
        f", {count(frames, 'frame')}" if frames else "",
        next(iter(ranked))
        if len(ranked) == 1
        else Markup(" and ").join(f"{metric} on {count(len(boards), 'data set')}" for metric, boards in ranked.items()),
        f", with {count(others, 'other metric')} beside" if others else "",
        "protocol" if len(protocols) == 1 else "protocols",
        Markup(" and ").join(protocols),
    )


def answer(facts: Facts) -> Markup:
    """The answer in one paragraph, of one board for each data set: who is first where and by how much, how surely, who harms."""
    from markupsafe import Markup

    boards = facts.leading
    if len(boards) == 1:
        return join([board_answer(boards[0], facts.blind(boards[0].dataset)), _elsewhere(facts)])
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
    named = WINNERS + (len(winners) == WINNERS + 1)  # a single one that is left has a name too
    for model in winners[:named]:
        parts.append(_first(facts, model, first[model]))
    if len(winners) > named:
        rest = sum(len(first[model]) for model in winners[named:])
        parts.append(f"{len(winners) - named} others are first on {count(rest, 'data set')}.")
    if nobody:
        parts.append(Markup("No model improves on doing nothing on {}.").format(_datasets(facts, nobody)))
    if unranked:
        parts.append(
            Markup("On {} no model has every figure, so none is ranked there.").format(_datasets(facts, unranked))
        )
    return join([_over_all(facts), *parts, _open(facts), _harm(facts), _elsewhere(facts)])


def _over_all(facts: Facts) -> Markup:
    """Which model is best over all data sets that have one protocol and metric in common, if these are three or more."""
    from markupsafe import Markup

    boards = facts.leading
    tables = [t for t in overall_boards(boards, facts.results.datasets) if len(t.boards) > 2]
    if not tables:
        return Markup("")
    table = max(tables, key=lambda t: len(t.boards))  # the first of equals, as they are ordered
    metric = table.primary
    rows = [(row.model.name, row.entries[metric.name]) for row in table.rows]
    ranked = [(model, entry) for model, entry in rows if entry.mean_rank is not None]
    gaining = [
        (model, entry)
        for model, entry in ranked
        if model != BASELINE and entry.mean_gain is not None and math.isfinite(entry.mean_gain)
    ]
    if not gaining:
        return Markup("")
    sign = 1.0 if metric.direction == "higher" else -1.0
    leader, led = max(gaining, key=lambda pair: sign * (pair[1].mean_gain or 0.0))
    where = f"Over {'all ' if len(table.boards) == len(boards) else ''}{count(len(table.boards), 'data set')}"
    if len(table.boards) < len(boards) and all(facts.blind(b.dataset) for b in boards if b.dataset not in table.boards):
        where += " with ground truth"
    if sign * (led.mean_gain or 0.0) <= 0:
        return Markup("{} no model is better than doing nothing on average.").format(where)
    gain = f"{gain_text(led.mean_gain or 0.0, metric.name)} {metric.unit or metric.name}{_ends(led, metric.name)}"
    first = min(ranked, key=lambda pair: pair[1].mean_rank or math.inf)
    of = f"of {len(ranked)}"
    if first[0] == leader:
        text = Markup("{} <strong>{}</strong> gains most, {} on average, and has the best mean rank ({:.1f} {}).")
        return text.format(where, name(leader), gain, led.mean_rank, of)
    text = Markup("{} <strong>{}</strong> gains most, {} on average; {} has the best mean rank ({:.1f} {}).")
    who = Markup("doing nothing") if first[0] == BASELINE else Markup("<strong>{}</strong>").format(name(first[0]))
    return text.format(where, name(leader), gain, who, first[1].mean_rank, of)


def _ends(entry: OverallEntry, metric: str) -> str:
    """The interval of a mean gain, in brackets."""
    interval = entry.gain_interval
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f" (95 % interval {signed(interval.low, metric)} to {signed(interval.high, metric)})"


def _open(facts: Facts) -> str:
    """On how many data sets being first is no more than a mean: the clips do not tell the first model from others, or from
    doing nothing."""
    boards = [b for b in facts.leading if ranked_rows(b)]
    shared = sum(len({row.model.name for row in r if row.rank == r[0].rank}) > 1 for r in map(ranked_rows, boards))
    nothing = sum(open_to_nothing(b) for b in boards)
    if not shared and not nothing:
        return ""
    every = len(facts.leading)

    def on(amount: int) -> str:
        return "every data set" if amount == every else f"{amount} of {count(every, 'data set')}"

    if not shared:
        return f"On {on(nothing)} the clips cannot tell the first from doing nothing."
    end = f", and on {on(nothing) if nothing != shared else 'these'} not from doing nothing either" if nothing else ""
    return f"First is by the mean: on {on(shared)} the clips cannot tell it from the next{end}."


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
    elif len(gains) == 1 or gain_text(ends[0], board.primary.name) == gain_text(ends[-1], board.primary.name):
        by = f" ({gain_text(ends[0], board.primary.name)}{unit}{sure(entry) if entry and len(boards) == 1 else ''})"
    else:
        by = f" ({gain_text(ends[0], board.primary.name)} to {gain_text(ends[-1], board.primary.name)}{unit})"
    return Markup("<strong>{}</strong> is first on {}{}.").format(name(model), _datasets(facts, boards), by)


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
    surely: dict[str, int] = defaultdict(int)
    measured: dict[str, int] = defaultdict(int)
    for board in facts.leading:
        for row in board.rows:
            entry = row.entries[board.primary.name]
            measured[row.model.name] += entry.mean is not None
            harm[row.model.name] += entry.harm
            surely[row.model.name] += entry.harm_sure
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
        certain = sum(surely[m] > 0 for m in often)
        how = (
            ""
            if certain == len(often)
            else f", {certain or 'none'} of them surely"
            if len(often) > 1
            else ", not surely"
        )
        parts.append(Markup("{} {} {}{}.").format(who, verb, what, how))
    return join(parts)
