"""What the page says, computed from the boards and from what the run recorded; the template only sets it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leaderboards.export import ARROWS, number, signed, to_csv, to_markdown
from leaderboards.schema import MetricFacts
from leaderboards.table import BASELINE, Board, Entry, Row
from reports.plots import Line, cost_chart, severity_chart

NAMED = 3
"""Models named in one sentence; of more only the number is told."""


@dataclass(frozen=True)
class CellView:
    """One figure of a table."""

    text: str
    sort: str
    interval: str = ""
    bar: tuple[float, float, float] | None = None
    """Mean and ends of the interval as shares of the column's range, 0 to 100."""
    gain: str = ""
    gain_class: str = ""
    mark: str = ""
    hole: str = ""


@dataclass(frozen=True)
class RowView:
    """One model of a table."""

    rank: str
    place: str
    name: str
    title: str
    licence: str
    classes: str
    cells: tuple[CellView, ...]
    cost: str
    cost_sort: str
    spread: str
    memory: str
    memory_sort: str


@dataclass(frozen=True)
class MetricView:
    """The head of a column."""

    name: str
    unit: str
    arrow: str
    direction: str
    convention: str


@dataclass(frozen=True)
class BoardView:
    """One board."""

    anchor: str
    dataset: str
    title: str
    description: str
    answer: str
    metrics: tuple[MetricView, ...]
    rows: tuple[RowView, ...]
    summary: str
    reason: str
    notes: tuple[str, ...]
    csv: str
    markdown: str
    methods: str


@dataclass(frozen=True)
class WaitingView:
    """Models that wait for weights from one place."""

    models: tuple[str, ...]
    files: tuple[str, ...]
    place: str
    licence: str


@dataclass(frozen=True)
class PageFacts:
    """Everything that the page shows."""

    title: str
    lead: tuple[str, ...]
    boards: tuple[BoardView, ...]
    charts: tuple[tuple[str, str], ...]
    viewer: dict[str, Any]
    run: dict[str, Any]
    models: tuple[dict[str, Any], ...]
    waiting: tuple[WaitingView, ...]
    unfit: tuple[str, ...]
    datasets: tuple[dict[str, Any], ...]
    metrics: tuple[MetricFacts, ...]
    versions: dict[str, str]
    commands: tuple[str, ...] = field(default=())


def script_json(value: Any) -> str:
    r"""JSON that may stand inside a script element: nothing in it can end the element.

    Example:
        >>> script_json("</script>")
        '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def describe(root: Path, boards: Sequence[Board], viewer: dict[str, Any], title: str | None) -> PageFacts:
    """The page of these boards."""
    run = _read(root / "results" / "run.json") or {}
    data = {b.dataset: _read(root / "datasets" / b.dataset / "dataset.json") or {} for b in boards}
    boards = sorted(boards, key=lambda b: _place(b, data[b.dataset]))
    order = _numbers(boards)
    models: dict[str, dict[str, Any]] = {}
    for board in boards:
        for row in board.rows:
            models.setdefault(row.model.name, {**row.model.model_dump(), "number": order[row.model.name]})
    missing = [m for m in run.get("models", []) if m.get("status") == "needs weights" and m["name"] not in models]
    versions: dict[str, str] = run.get("versions", {})
    metrics = {m.name: m for b in boards for m in b.metrics}
    viewer = {**viewer, "numbers": order, "directions": {n: m.direction for n, m in metrics.items()},
              "units": {n: m.unit for n, m in metrics.items()}}  # fmt: skip
    return PageFacts(
        title=title or "Video restoration benchmark",
        lead=_lead(boards, data),
        boards=tuple(_board(i, b, data[b.dataset]) for i, b in enumerate(boards)),
        charts=tuple(_charts(boards, data, order)),
        viewer=viewer,
        run=run,
        models=tuple(models[name] for name in sorted(models, key=lambda n: order[n])),
        waiting=_waiting(missing),
        unfit=(*_left_out(run.get("left_out", [])), *_unfit(run.get("unfit", {}), data)),
        datasets=tuple(d for d in data.values() if d),
        metrics=tuple(metrics.values()),
        versions=versions,
        commands=_commands(data, run),
    )


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def _place(board: Board, facts: dict[str, Any]) -> tuple[str, int, str, bool]:
    """Boards stand by profile, then by severity; those that are apart follow their main board."""
    severity = facts.get("severity")
    return (
        str(facts.get("profile", "")),
        10**9 if severity is None else severity,
        board.dataset,
        board.reason is not None,
    )


def _numbers(boards: Sequence[Board]) -> dict[str, int]:
    """A number for each model, which decides on its colour and dashes everywhere; identity is the first."""
    names = sorted({row.model.name for b in boards for row in b.rows}, key=lambda n: (n != BASELINE, n))
    return {name: i for i, name in enumerate(names)}


def _title(board: Board, data: dict[str, Any]) -> str:
    return str(data.get("title") or board.dataset)


# --- words ---------------------------------------------------------------------------------------


def _lead(boards: Sequence[Board], data: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """The answer, one sentence per data set."""
    return tuple(f"{_title(b, data[b.dataset])}: {_answer(b)}" for b in boards if b.reason is None)


def _answer(board: Board) -> str:
    metric = board.primary
    ranked = [r for r in board.rows if r.rank is not None and r.model.name != BASELINE]
    if not ranked:
        return "No model has every figure, so none is ranked."
    first = ranked[0]
    entry = first.entries[metric.name]
    unit = f" {metric.unit}" if metric.unit else ""
    name = first.model.name
    if entry.gain is None:
        text = f"{name} is first with {number(entry.mean, metric.name)}{unit}."
    elif entry.better:
        text = f"{name} is first, {signed(entry.gain, metric.name)}{unit} {metric.name} over doing nothing"
        text += _sure(entry) + "."
    else:
        return f"No model improves on doing nothing; {name} comes nearest ({signed(entry.gain, metric.name)}{unit} {metric.name})."
    equals = [r.model.name for r in ranked[1:] if r.rank == first.rank]
    if equals:
        who = _list(equals) if len(equals) <= NAMED else f"{len(equals)} others"
        text += f" These clips cannot tell {who} from it."
    harm = [r.model.name for r in ranked if r.entries[metric.name].harm]
    if harm:
        text += f" {_list(harm)} made it worse than the input."
    return text


def _sure(entry: Entry) -> str:
    """How sure the gain is, as far as the number of clips allows to say."""
    interval = entry.gain_interval
    if interval is None or interval.low is None or interval.high is None:
        return f" (on {entry.clips} clip{'s' if entry.clips != 1 else ''}: too few for an interval)"
    if interval.low <= 0 <= interval.high:
        return " on average, but not surely: the 95 % interval of the gain holds zero"
    return ""


def _list(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``.

    Example:
        >>> _list(["a", "b", "c"])
        'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# --- tables --------------------------------------------------------------------------------------


def _board(index: int, board: Board, data: dict[str, Any]) -> BoardView:
    ranges = {m.name: _range(board, m.name) for m in board.metrics}
    methods = {
        e.interval.method
        for row in board.rows
        for e in row.entries.values()
        if e.interval is not None and e.mean is not None
    }
    return BoardView(
        anchor=f"board-{index}",
        dataset=board.dataset,
        title=_title(board, data),
        description=str(data.get("description", "")),
        answer=_answer(board),
        metrics=tuple(
            MetricView(m.name, m.unit, ARROWS[m.direction], m.direction, m.convention) for m in board.metrics
        ),
        rows=tuple(_row(board, row, ranges) for row in board.rows),
        summary=f"{_count(len(board.clips), 'clip')}, {_count(board.frames, 'frame')}, protocol {board.protocol}",
        reason=board.reason or "",
        notes=board.notes,
        csv=to_csv([board]),
        markdown=to_markdown([board]),
        methods=_methods(methods),
    )


def _methods(methods: set[str]) -> str:
    """What the intervals of a board are, a method and its limited form as one.

    Example:
        >>> _methods({"bootstrap", "bootstrap, limited to 2 times t", "t"})
        'bootstrap (some limited to 2 times t); t'
    """
    out = []
    for method in sorted(methods):
        plain, _, limit = method.partition(", ")
        if not limit:
            out.append(method)
        elif plain in out:
            out[out.index(plain)] = f"{plain} (some {limit})"
        else:
            out.append(f"{plain} ({limit})")
    return "; ".join(out)


def _waiting(missing: Sequence[dict[str, Any]]) -> tuple[WaitingView, ...]:
    """Models that were not run for want of weights, by the place where their authors publish them."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for model in missing:
        file, _, place = str(model.get("published") or model["reason"]).rpartition(" from ")
        groups.setdefault((place, str(model.get("weights_licence") or "")), []).append(model | {"file": file})
    return tuple(
        WaitingView(
            models=tuple(str(m["name"]) for m in models),
            files=tuple(dict.fromkeys(m["file"] for m in models if m["file"])),
            place=place,
            licence=licence,
        )
        for (place, licence), models in groups.items()
    )


def _left_out(names: Sequence[str]) -> tuple[str, ...]:
    return (f"Left out, as they take hours for a clip on a CPU: {_list(list(names))}.",) if names else ()


def _unfit(unfit: dict[str, list[str]], data: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Which models give frames of another size than a data set asks for, a sentence for each data set."""
    by_dataset: dict[str, list[str]] = {}
    for model, datasets in unfit.items():
        for dataset in datasets:
            if dataset in data:
                by_dataset.setdefault(dataset, []).append(model)
    return tuple(
        f"Not run on {dataset}, whose ground truth has another size than what they make of its input: {_list(models)}."
        for dataset, models in by_dataset.items()
    )


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _range(board: Board, metric: str) -> tuple[float, float]:
    """The range of a column's intervals, for the small bars."""
    ends = []
    for row in board.rows:
        e = row.entries[metric]
        if e.mean is None or not math.isfinite(e.mean):
            continue
        interval = e.interval
        ends += [e.mean, *(v for v in ((interval.low, interval.high) if interval else ()) if v is not None)]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def _row(board: Board, row: Row, ranges: dict[str, tuple[float, float]]) -> RowView:
    primary = row.entries[board.primary.name]
    classes = ["baseline"] if row.model.name == BASELINE else []
    if primary.harm:
        classes.append("harm")
    return RowView(
        rank=str(row.rank) if row.rank is not None else "–",
        name=row.model.name,
        title=row.model.title,
        licence=row.model.licence,
        classes=" ".join(classes),
        cells=tuple(_cell(name, entry, ranges[name]) for name, entry in row.entries.items()),
        place="" if row.place is None else str(row.place),
        cost="–" if row.seconds_per_frame is None else f"{row.seconds_per_frame:.3g}",
        cost_sort="" if row.seconds_per_frame is None else repr(row.seconds_per_frame),
        spread="" if row.seconds_quartiles is None else "{:.2g} to {:.2g}".format(*row.seconds_quartiles),
        memory="–" if row.memory_bytes is None else f"{row.memory_bytes / 2**20:,.0f}",
        memory_sort=str(row.memory_bytes or ""),
    )


def _cell(metric: str, entry: Entry, span: tuple[float, float]) -> CellView:
    if entry.hole is not None:
        return CellView("no figure", "", hole=entry.hole)
    interval = entry.interval
    text, bar = "", None
    if interval is not None and interval.low is not None and interval.high is not None and entry.mean is not None:
        text = f"{number(interval.low, metric)} to {number(interval.high, metric)}"
        width = (span[1] - span[0]) or 1.0
        low, middle, high = (100 * (v - span[0]) / width for v in (interval.low, entry.mean, interval.high))
        bar = (round(low, 2), round(middle, 2), round(high, 2))
    elif interval is not None:
        text = interval.method
    gain_class = "" if entry.better is None else "better" if entry.better else "worse" if entry.harm else ""
    return CellView(
        text=number(entry.mean, metric),
        sort=repr(entry.mean),
        interval=text,
        bar=bar,
        gain="" if entry.gain is None else signed(entry.gain, metric),
        gain_class=gain_class,
        mark="best" if entry.best else "second" if entry.second else "",
    )


# --- charts and commands -------------------------------------------------------------------------


def _charts(boards: Sequence[Board], data: dict[str, dict[str, Any]], order: dict[str, int]) -> list[tuple[str, str]]:
    """Severity curves of each profile that has them, then quality against cost over all boards."""
    out = []
    groups: dict[str, list[tuple[int, Board]]] = defaultdict(list)
    for board in boards:
        facts = data[board.dataset]
        if board.reason is None and facts.get("severity") is not None:
            groups[facts["profile"]].append((facts["severity"], board))
    for profile, members in sorted(groups.items()):
        if len(members) < 2:
            continue
        members.sort(key=lambda item: item[0])
        metric = members[0][1].primary
        title = f"Gain in {metric.name} over doing nothing, by severity of {profile}"
        lines = [_line(name, members, metric.name, i) for name, i in order.items() if name != BASELINE]
        ticks = [(float(k), data[b.dataset]["variant"]) for k, (_, b) in enumerate(members)]
        drawn = [line for line in lines if line.x]
        if drawn:
            out.append((title, severity_chart(title, ticks, f"gain [{metric.unit or metric.name}]", drawn)))
    points = _cost_points([b for b in boards if b.reason is None], order)
    if len(points) > 1:
        metric = boards[0].primary
        title = f"Mean gain in {metric.name} over all boards against time"
        out.append((title, cost_chart(title, f"gain [{metric.unit or metric.name}]", points)))
    return out


def _line(name: str, members: Sequence[tuple[int, Board]], metric: str, index: int) -> Line:
    xs, ys, lows, highs = [], [], [], []
    for k, (_, board) in enumerate(members):
        row = board.row(name)
        entry = row.entries.get(metric) if row else None
        if entry is None or entry.gain is None or not math.isfinite(entry.gain):
            continue
        xs.append(float(k))
        ys.append(entry.gain)
        lows.append(entry.gain_interval.low if entry.gain_interval else None)
        highs.append(entry.gain_interval.high if entry.gain_interval else None)
    return Line(name, xs, ys, lows, highs, index)


def _cost_points(boards: Sequence[Board], order: dict[str, int]) -> list[tuple[str, float, float, int, bool]]:
    found = []
    for name, index in order.items():
        rows = [row for b in boards if (row := b.row(name)) is not None]
        gains = [r.entries[b.primary.name].gain for b, r in zip(boards, rows, strict=False)]
        times = [r.seconds_per_frame for r in rows]
        finite = [g for g in gains if g is not None and math.isfinite(g)]
        known = [t for t in times if t]
        # Only models that are whole on every board have a mean over boards.
        if name != BASELINE and len(rows) == len(boards) == len(finite) == len(known):
            found.append((name, sum(known) / len(known), sum(finite) / len(finite), index))
    return [(n, t, g, i, not any(t2 <= t and g2 > g for _, t2, g2, _ in found)) for n, t, g, i in found]


def _commands(data: dict[str, dict[str, Any]], run: dict[str, Any]) -> tuple[str, ...]:
    """Commands that make all of it again."""
    out = []
    by_profile: dict[tuple[str, int], list[str]] = defaultdict(list)
    for facts in data.values():
        if facts.get("commands"):  # it was adopted where it lay
            out += [command for command in facts["commands"] if command not in out]
        elif facts:
            by_profile[facts["profile"], facts["seed"]].append(facts["variant"])
    for (profile, seed), variants in sorted(by_profile.items()):
        out.append(f"vbench synth --profile {profile} --variant {','.join(variants)} --seed {seed}")
    names = [m["name"] for m in run.get("models", []) if m.get("status") == "ran"]
    if names:
        out.append(f"vbench run --models {','.join(names)}")
    out.append("vbench report html")
    return tuple(out)
