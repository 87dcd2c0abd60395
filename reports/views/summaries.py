"""The boards that no overall table holds, in short, and pictures to look at first: pieces of the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaderboards.export import number, signed
from leaderboards.summary import OverallBoard
from leaderboards.table import BASELINE, Board, Row
from reports.views.answers import board_answer
from reports.views.boards import class_letters
from reports.views.cells import seconds_text
from reports.views.facts import Facts
from reports.views.links import dataset_path, model_anchor
from reports.views.words import telling

if TYPE_CHECKING:
    from markupsafe import Markup

    from reports.media import ClipMedia, Thumb

GLIMPSES = 6
"""Clips whose pictures the first page shows at most."""


@dataclass(frozen=True)
class BoardRow:
    """A model of a board in short."""

    number: int
    name: str
    card: str
    baseline: bool
    rank: str
    letter: str
    figure: str
    gain: str
    tone: str
    interval: str
    seconds: str
    hole: str


@dataclass(frozen=True)
class BoardTable:
    """A board in short: its first metric alone."""

    title: str
    path: str
    protocol: str
    metric: str
    unit: str
    arrow: str
    answer: Markup
    """In words; empty where the page has said it already."""
    blind: bool
    rows: tuple[BoardRow, ...]
    clips: int
    letters: bool
    """Whether any model has a rank, and so the letter of a class."""
    intervals: bool
    """Whether any gain has one."""
    times: bool
    """Whether any time is known."""


@dataclass(frozen=True)
class Glimpse:
    """A clip that the first page shows."""

    title: str
    """Of its data set; the clip's name where all are of one."""
    clip: str
    path: str
    thumbs: tuple[Thumb, ...]


def board_tables(facts: Facts, overall: Sequence[OverallBoard]) -> tuple[BoardTable, ...]:
    """The first board of each data set that is in none of the overall tables."""
    held = {(dataset, table.protocol) for table in overall for dataset in table.boards}
    alone = len(facts.leading) == 1
    return tuple(_table(facts, b, alone) for b in facts.leading if (b.dataset, b.protocol) not in held)


def _table(facts: Facts, board: Board, alone: bool) -> BoardTable:
    letters = class_letters(board)
    rows = tuple(_row(facts, board, row, letters) for row in board.rows)
    blind = facts.blind(board.dataset)
    from markupsafe import Markup

    return BoardTable(
        title=facts.name(board.dataset),
        path=dataset_path(board.dataset),
        protocol=board.protocol,
        metric=board.primary.name,
        unit=board.primary.unit,
        arrow="↑" if board.primary.direction == "higher" else "↓",
        answer=Markup("") if alone else board_answer(board, blind),
        blind=blind,
        rows=rows,
        clips=len(board.clips),
        letters=bool(letters),
        intervals=any(row.interval for row in rows),
        times=any(row.seconds != "–" for row in rows),
    )


def _row(facts: Facts, board: Board, row: Row, letters: Mapping[int, str]) -> BoardRow:
    metric = board.primary.name
    entry = row.entries[metric]
    interval = entry.gain_interval
    known = interval is not None and interval.low is not None and interval.high is not None
    return BoardRow(
        number=facts.numbers[row.model.name],
        name=row.model.name,
        card=model_anchor(row.model.name),
        baseline=row.model.name == BASELINE,
        rank="–" if row.rank is None else str(row.rank),
        letter="" if row.rank is None else letters[row.rank],
        figure="" if entry.mean is None else number(entry.mean, metric),
        gain="" if entry.gain is None or row.model.name == BASELINE else signed(entry.gain, metric),
        tone="" if entry.gain is None or not telling(signed(entry.gain, metric)) else "good" if entry.better else "bad",
        interval=f"{signed(interval.low, metric)} to {signed(interval.high, metric)}"
        if interval is not None and known and row.model.name != BASELINE
        else "",
        seconds=seconds_text(row.seconds_per_frame),
        hole=entry.hole or "",
    )


def glimpses(facts: Facts, clips: Sequence[ClipMedia], paths: Mapping[tuple[str, str], str]) -> tuple[Glimpse, ...]:
    """One clip with pictures of each profile, of its worst severity; where there is one profile, its first clips."""
    shown = [c for c in clips if c.sources and len(c.thumbs) > 1 and (c.dataset, c.clip) in paths]
    worst = {facts.profile(clip.dataset): clip.dataset for clip in shown}
    of = [clip for clip in shown if worst[facts.profile(clip.dataset)] == clip.dataset]
    if len(worst) > 1:
        of = list({clip.dataset: clip for clip in reversed(of)}.values())[::-1]
    return tuple(
        Glimpse(facts.name(c.dataset) if len(worst) > 1 else c.clip, c.clip, paths[c.dataset, c.clip], c.thumbs)
        for c in of[:GLIMPSES]
    )
