"""Tables: one page for each data set, with every figure, its interval and its gain, ready to be set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leaderboards.alarms import Alarm
from leaderboards.export import ARROWS, heading, signature
from leaderboards.export.latex_text import GLYPH
from leaderboards.export.latex_text import escape as escape_latex
from leaderboards.export.markdown import escape as escape_markdown
from leaderboards.table import BASELINE, Board, Row
from reports.views.answers import board_answer
from reports.views.beside import MomentView, ReportedView, moments, reported
from reports.views.cells import Figure, figure, flags, interval_methods, seconds_text, share, span
from reports.views.facts import Facts
from reports.views.heat import Heat, HeatRow, heat
from reports.views.links import dataset_path, model_anchor
from reports.views.words import count

if TYPE_CHECKING:
    from markupsafe import Markup

COLUMNS = 9
"""Metrics that a table shows before the reader chooses; all are there, and in print all that are shown."""
ACROSS = 6
"""Names that stand across a table upright; more are turned."""
MEBIBYTE = 2**20


@dataclass(frozen=True)
class TableRow:
    """One model of a table."""

    number: int
    rank: str
    letter: str
    """The class of models that share the rank: A, B, ..."""
    opens: bool
    """Whether it is the first of its class."""
    place: str
    name: str
    title: str
    task: str
    baseline: bool
    harm: bool
    """Whether its mean is worse than doing nothing's."""
    sure: bool
    """Whether the clips say so surely."""
    complete: bool
    figures: tuple[Figure, ...]
    seconds: str
    seconds_sort: str
    quartiles: str
    memory: str
    memory_sort: str
    card: str
    """Address of the model's card, from the report's folder."""


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    name: str
    unit: str
    arrow: str
    direction: str
    convention: str
    version: int
    zero: float | None
    """Where doing nothing stands in the column's bars, 0 to 100."""
    shown: bool


@dataclass(frozen=True)
class Table:
    """One board."""

    key: str
    """Names the board on its page and in addresses."""
    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    answer: Markup
    summary: str
    reason: str
    departures: tuple[str, ...]
    notes: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    """Those that the clips say surely."""
    remarks: tuple[Alarm, ...]
    """Those that hold on average only."""
    reported: tuple[ReportedView, ...]
    methods: str
    """How the intervals were taken, or why there are none."""
    bars: bool
    """Whether there is any interval."""
    sure: bool
    unsure: bool
    """Whether any model is worse than doing nothing, surely or on average only."""
    tasks: tuple[str, ...]
    letters: bool
    """Whether any model has a rank, and so the letter of a class."""
    clip_count: int
    clips: Heat
    """Gain of the first metric for each clip and model."""
    clips_down: bool
    """Whether the rows of :attr:`clips` are clips; models where these are many and more."""
    moments: tuple[tuple[int, str, tuple[MomentView, ...]], ...]
    """Number and name of each model, and the frames on which it lost most against doing nothing under the first metric."""
    pieces: dict[str, Any]
    """What the script needs beyond the page to copy a view as text: names and captions in the words of each format."""


@dataclass(frozen=True)
class DatasetPage:
    """The boards of one data set."""

    path: str
    dataset: str
    title: str
    variant: str
    profile: str
    family: str
    """The title of the profile."""
    blind: bool
    """Whether it has no ground truth."""
    clips: str
    """The first clip's page, from the report's folder; nothing where there is none."""
    description: str
    tables: tuple[Table, ...]
    facts: dict[str, Any]


@dataclass(frozen=True)
class DatasetGroup:
    """The data sets of one profile."""

    title: str
    """Of the profile."""
    pages: tuple[DatasetPage, ...]


def dataset_groups(pages: Sequence[DatasetPage]) -> tuple[DatasetGroup, ...]:
    """Data sets by profile, in their order."""
    profiles = {page.profile: page.family for page in pages}
    return tuple(DatasetGroup(f, tuple(page for page in pages if page.profile == p)) for p, f in profiles.items())


def dataset_pages(facts: Facts, clip_pages: Mapping[tuple[str, str], str]) -> tuple[DatasetPage, ...]:
    """A page for each data set, in the order of the boards.

    Args:
        facts: the results.
        clip_pages: the page of each clip that has one, by data set and clip.
    """
    pages = []
    for dataset, described in facts.datasets.items():
        boards = [b for b in facts.boards if b.dataset == dataset]
        pages.append(
            DatasetPage(
                path=dataset_path(dataset),
                dataset=dataset,
                title=facts.name(dataset),
                variant=facts.variant(dataset),
                profile=facts.profile(dataset),
                family=facts.family(dataset),
                blind=facts.blind(dataset),
                clips=next((path for (of, _), path in clip_pages.items() if of == dataset), ""),
                description=str(described.get("description", "")),
                tables=tuple(_table(facts, i, b, clip_pages) for i, b in enumerate(boards)),
                facts=described,
            )
        )
    return tuple(pages)


def _table(
    facts: Facts,
    index: int,
    board: Board,
    clip_pages: Mapping[tuple[str, str], str],
) -> Table:
    spans = {m.name: span(board, m.name) for m in board.metrics}
    raised = (
        [a for a in facts.alarms if (a.dataset, a.protocol) == (board.dataset, board.protocol)] if index == 0 else []
    )
    sure = flags(raised)
    letters = class_letters(board)
    rows, before = [], None
    for row in board.rows:
        rows.append(_row(facts, board, row, spans, letters, sure, opens=row.rank is not None and row.rank != before))
        before = row.rank
    return Table(
        key=f"b{index}",
        protocol=board.protocol,
        columns=_columns(board, spans),
        rows=tuple(rows),
        answer=board_answer(board, facts.blind(board.dataset)),
        summary=f"{count(len(board.clips), 'clip')}, {count(board.frames, 'frame')}, protocol {board.protocol}",
        reason=board.reason or "",
        departures=board.departures,
        notes=board.notes,
        alarms=tuple(a for a in raised if a.level == "alarm"),
        remarks=tuple(a for a in raised if a.level != "alarm"),
        reported=reported(board),
        methods=interval_methods(board),
        bars=any(f.bar for row in rows for f in row.figures),
        sure=any(row.harm and row.sure for row in rows),
        unsure=any(row.harm and not row.sure for row in rows),
        tasks=tuple(sorted({row.model.task for row in board.rows})),
        letters=bool(letters),
        clip_count=len(board.clips),
        clips=_clips(facts, board, clip_pages),
        clips_down=_clips_down(board),
        moments=moments(facts, board, clip_pages),
        pieces=_pieces(facts, board),
    )


def _pieces(facts: Facts, board: Board) -> dict[str, Any]:
    """Everything but figures, which need no escaping, as Markdown and LaTeX have it; the script joins them to a table."""
    caption = (
        f"{facts.name(board.dataset)}: {count(len(board.clips), 'clip')}, {count(board.frames, 'frame')}, "
        f"protocol {board.protocol}."
    )
    signatures = {m.name: signature(m) for m in board.metrics}
    texts = {caption, *(row.model.name for row in board.rows), *signatures.values()}
    texts |= {heading(m) for m in board.metrics}
    latex = {text: escape_latex(text) for text in sorted(texts)}
    return {
        "caption": caption,
        "heads": {m.name: heading(m) for m in board.metrics},
        "signatures": signatures,
        "markdown": {text: escape_markdown(text) for text in sorted(texts)},
        "latex": latex,
        "preamble": GLYPH if any(r"\vbenchglyph" in text for text in latex.values()) else "",
    }


def class_letters(board: Board) -> dict[int, str]:
    """A letter for each shared rank: A for the first class, after Z come AA, AB, ...

    Example:
        >>> [_letter(i) for i in (0, 25, 26, 27)]
        ['A', 'Z', 'AA', 'AB']
    """
    ranks = sorted({row.rank for row in board.rows if row.rank is not None})
    return {rank: _letter(i) for i, rank in enumerate(ranks)}


def _letter(index: int) -> str:
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _columns(board: Board, spans: Mapping[str, tuple[float, float]]) -> tuple[Column, ...]:
    base = board.row(BASELINE)
    out = []
    for i, metric in enumerate(board.metrics):
        entry = base.entries.get(metric.name) if base else None
        zero = None
        if entry is not None and entry.mean is not None and math.isfinite(entry.mean):
            zero = share(entry.mean, spans[metric.name])
        out.append(
            Column(
                metric.name, metric.unit, ARROWS[metric.direction], metric.direction, metric.convention, metric.version,
                zero, i < COLUMNS,
            )
        )  # fmt: skip
    return tuple(out)


def _row(
    facts: Facts,
    board: Board,
    row: Row,
    spans: Mapping[str, tuple[float, float]],
    letters: Mapping[int, str],
    sure: Mapping[tuple[str, str], str],
    opens: bool,
) -> TableRow:
    seconds, memory, quartiles = row.seconds_per_frame, row.memory_bytes, row.seconds_quartiles
    return TableRow(
        number=facts.numbers[row.model.name],
        rank="–" if row.rank is None else str(row.rank),
        letter="" if row.rank is None else letters[row.rank],
        opens=opens,
        place="" if row.place is None else str(row.place),
        name=row.model.name,
        title=row.model.title,
        task=row.model.task,
        baseline=row.model.name == BASELINE,
        harm=row.entries[board.primary.name].harm,
        sure=row.entries[board.primary.name].harm_sure,
        complete=row.complete,
        figures=tuple(figure(row.model.name, m, row.entries[m.name], spans[m.name], sure) for m in board.metrics),
        seconds=seconds_text(seconds),
        seconds_sort="" if seconds is None else repr(seconds),
        quartiles="" if quartiles is None else "{} to {}".format(*map(seconds_text, quartiles)),
        memory="–" if memory is None else f"{memory / MEBIBYTE:,.0f}",
        memory_sort="" if memory is None else str(memory),
        card=model_anchor(row.model.name),
    )


def _clips_down(board: Board) -> bool:
    """Whether clips stand below each other and models across: many models would run out of the page where fewer clips fit."""
    models = len(board.rows) - 1
    return models <= ACROSS or len(board.clips) >= models


def _clips(
    facts: Facts,
    board: Board,
    clip_pages: Mapping[tuple[str, str], str],
) -> Heat:
    """The gain over doing nothing of each model, in the order of the table, on each clip."""
    metric = board.primary
    values = {row.model.name: row.entries[metric.name].by_clip for row in board.rows}
    models = [model for model in values if model != BASELINE]
    nothing = values.get(BASELINE, {})

    def gain(model: str, clip: str) -> float | None:
        own, base = values[model].get(clip), nothing.get(clip)
        return None if own is None or base is None else 0.0 if own == base else own - base

    def of_clip(clip: str, line: tuple[float | None, ...] = ()) -> HeatRow:
        return HeatRow(clip, clip_pages.get((board.dataset, clip), ""), line)

    def of_model(model: str, line: tuple[float | None, ...] = ()) -> HeatRow:
        return HeatRow(model, model_anchor(model), line, facts.numbers[model])

    if _clips_down(board):
        heads = [of_model(model) for model in models]
        rows = [of_clip(clip, tuple(gain(model, clip) for model in models)) for clip in board.clips]
    else:
        heads = [of_clip(clip) for clip in board.clips]
        rows = [of_model(model, tuple(gain(model, clip) for clip in board.clips)) for model in models]
    unit = f" {metric.unit}" if metric.unit else ""
    caption = f"Gain in {metric.name}{unit} over doing nothing, clip by clip"
    return heat(caption, heads, rows, metric.name, higher=metric.direction == "higher")
