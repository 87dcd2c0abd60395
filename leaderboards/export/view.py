"""The part of the boards that was asked for: which rows, in which order, with which columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from leaderboards.board import BASELINE, Board, Row
from leaderboards.export.columns import Name, columns, take_apart, values
from leaderboards.query import Column, check_columns, nearest_of, ordered, parse, split_names
from leaderboards.query_parser import QueryError, Value
from leaderboards.results import DatasetInfo
from leaderboards.schema import MetricFacts

if TYPE_CHECKING:
    from leaderboards.alarms import Alarm


@dataclass(frozen=True)
class Asked:
    """What the user asked for; nothing of it means all."""

    where: str | None = None
    sort: str | None = None
    columns: str | None = None
    datasets: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    """Names or labels."""


@dataclass(frozen=True)
class View:
    """A board as it is to be printed."""

    board: Board
    """With the rows that were asked for, in their order, and marks of the best among them."""
    columns: tuple[str, ...]
    """Beside the model."""
    chosen: bool
    """Whether the columns were named."""
    left_out: int = 0
    """Rows of the board that were not asked for."""
    info: DatasetInfo | None = None
    """What is known of the data set."""
    whole: Board | None = None
    """The board with all of its rows; None where those that are shown are all."""

    @property
    def title(self) -> str:
        """The data set's name, with its title where it has one."""
        title = self.info.title if self.info else ""
        return f"{self.board.dataset} ({title})" if title not in ("", self.board.dataset) else self.board.dataset

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics of the board."""
        return tuple(metric.name for metric in self.board.metrics)

    @property
    def metrics(self) -> tuple[MetricFacts, ...]:
        """Those that a column is of, in the order of the board."""
        wanted = {found.metric for name in self.columns if (found := self.part(name)).metric}
        return tuple(metric for metric in self.board.metrics if metric.name in wanted)

    def part(self, name: str) -> Name:
        """A column's name, taken apart; of another board's metric too."""
        return take_apart(name, self.names) or Name(None, name)

    def values(self, row: Row) -> dict[str, Value]:
        """Every column of a row."""
        return values(self.board, row, self.info)


def select(
    boards: Sequence[Board], asked: Asked | None = None, infos: Mapping[str, DatasetInfo] | None = None
) -> list[View]:
    """The boards with the rows, order and columns that were asked for. Boards without such a row are left out.

    Without columns these are all metrics. A column that only other boards have is a hole here, and a board that has no
    metric of those that were named is left out.

    Args:
        boards: from which is chosen.
        asked: for what.
        infos: of the data sets, by name; boards then stand by profile and severity.

    Raises:
        QueryError: a data set, protocol or column is not there, or the expression cannot be read.
        ValueError: no row fits.
    """
    asked = asked or Asked()
    infos = infos or {}
    kept, known, names, by, wanted = request(boards, asked, infos, columns)
    out = []
    for board in kept:
        info, whole = infos.get(board.dataset), board
        rows = [(found, row) for row in board.rows if wanted(found := values(board, row, info))]
        if not rows:
            continue
        shown = ordered(rows, by, known) if by else [row for _, row in rows]
        left_out = len(board.rows) - len(rows)
        if left_out:
            board = replace(board, rows=tuple(remarked(board, shown)))
        elif by:
            board = replace(board, rows=tuple(shown))
        beside = tuple(name for name in names if name != "model")
        out.append(
            View(
                board,
                beside if names else tuple(m.name for m in board.metrics),
                bool(names),
                left_out,
                info,
                whole if left_out else None,
            )
        )
    if not out and asked.where is not None:
        raise ValueError(f'No row fits "{asked.where}". Without it all rows are there.')
    return out


class Request(NamedTuple):
    """What was asked for, read and checked."""

    boards: list[Board]
    known: dict[str, Column]
    """All columns that there are."""
    names: list[str]
    """Columns to be shown; none: the usual ones."""
    by: list[str]
    """Columns to sort by."""
    wanted: Callable[[Mapping[str, Value]], bool]
    """Whether a row is."""


def request(
    boards: Sequence[Board],
    asked: Asked,
    infos: Mapping[str, DatasetInfo],
    columns_of: Callable[[Sequence[Board]], dict[str, Column]],
) -> Request:
    """What was asked for, of rows with the columns that ``columns_of`` gives.

    Raises:
        QueryError: a data set, protocol or column is not there, or the expression cannot be read.
    """
    kept = chosen(in_order(boards, infos), asked)
    known = columns_of(kept)
    names = split_names(asked.columns) if asked.columns is not None else []
    if asked.columns is not None:
        check_columns(names, known)
    by = split_names(asked.sort) if asked.sort is not None else []
    ordered([], by, known)  # says what is wrong, even if nothing is left to sort
    wanted = parse(asked.where).bind(known) if asked.where is not None else lambda row: True
    return Request(_with_some(kept, names), known, names, by, wanted)


def in_order(boards: Iterable[Board], infos: Mapping[str, DatasetInfo]) -> list[Board]:
    """Boards by profile, then by severity, the default protocol first; those that are apart follow their main board."""

    def place(board: Board) -> tuple[str, float, str, bool, str]:
        info = infos.get(board.dataset)
        severity = info.severity if info else None
        return (
            info.profile or "" if info else "",
            math.inf if severity is None else severity,
            board.dataset,
            bare(board.protocol) != "default",
            board.protocol,
        )

    return sorted(boards, key=place)


def _with_some(boards: Sequence[Board], names: Sequence[str]) -> list[Board]:
    """Those that have a metric of a column that was named; all, where no column is of a metric."""

    def of_metrics(board: Board) -> set[str]:
        own = tuple(metric.name for metric in board.metrics)
        return {name for name in names if (found := take_apart(name, own)) is not None and found.metric}

    having = [board for board in boards if of_metrics(board)]
    return having or list(boards)


def chosen(boards: Sequence[Board], asked: Asked) -> list[Board]:
    """Boards of the data sets and protocols that were asked for.

    Raises:
        QueryError: one of them has no results.
    """
    for words, what, known in (
        (asked.datasets, "data set", {b.dataset for b in boards}),
        (asked.protocols, "protocol", {b.protocol for b in boards} | {bare(b.protocol) for b in boards}),
    ):
        for name in words:
            if name not in known:
                raise QueryError(f'There are no results of a {what} "{name}" here. {nearest_of(name, known)}')
    out = [
        board
        for board in boards
        if (not asked.datasets or board.dataset in asked.datasets)
        and (not asked.protocols or board.protocol in asked.protocols or bare(board.protocol) in asked.protocols)
    ]
    if not out and boards:
        raise QueryError("No data set that was named was measured under a protocol that was named.")
    return out


def bare(protocol: str) -> str:
    """A protocol's name without its version."""
    return protocol.split("@", maxsplit=1)[0]


def remarked(board: Board, rows: Sequence[Row]) -> list[Row]:
    """Rows with the best and second best among them marked; ties share a mark, identity and rows with holes take none."""
    out = list(rows)
    for metric in board.metrics:
        means = [r.entries[metric.name].mean if r.model.name != BASELINE else None for r in rows]
        levels = sorted({m for m in means if m is not None}, reverse=metric.direction == "higher")[:2]
        for i, mean in enumerate(means):
            place = levels.index(mean) if mean in levels else 2
            entry = replace(out[i].entries[metric.name], best=place == 0, second=place == 1)
            out[i] = replace(out[i], entries={**out[i].entries, metric.name: entry})
    return out


def alarms_of(view: View) -> list[Alarm]:
    """The alarms of the rows and metrics that are shown, those that are sure first."""
    from leaderboards.alarms import alarms

    models = {row.model.name for row in view.board.rows}
    metrics = {metric.name for metric in view.metrics} if view.chosen else set(view.names)
    found = alarms([view.whole or view.board])
    return [a for a in found if (a.model is None or a.model in models) and (a.metric is None or a.metric in metrics)]
