"""Two boards of the same data under two conventions: how far figures move, and which ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from leaderboards.board import Board, Row
from leaderboards.schema import MetricFacts


@dataclass(frozen=True)
class Move:
    """One model on both boards, by each board's first metric."""

    model: str
    before: float
    after: float
    difference: float | None
    """``after`` minus ``before``; None where the two metrics have no unit in common."""
    rank_before: int | None
    """Among the models that are on both boards, shared as on the board; None for a model that has none on one of them."""
    rank_after: int | None
    place_before: int | None
    """The same by the mean alone."""
    place_after: int | None

    @property
    def rank_moves(self) -> bool:
        """Whether its rank is another one, which models that the clips cannot tell apart share."""
        return self.rank_before != self.rank_after

    @property
    def place_moves(self) -> bool:
        """Whether its place by the mean is another one."""
        return self.place_before != self.place_after


@dataclass(frozen=True)
class Comparison:
    """What another convention does to a board."""

    dataset: str
    before: MetricFacts
    after: MetricFacts
    moves: tuple[Move, ...]
    """In the order of the board before."""
    only_before: tuple[str, ...]
    """Models without a figure on the board after."""
    only_after: tuple[str, ...]
    same_data: bool
    """Whether both boards are of the same clips."""

    @property
    def comparable(self) -> bool:
        """Whether differences of the two metrics mean anything: the same quantity, in the same unit."""
        return comparable(self.before, self.after)

    @property
    def mean(self) -> float | None:
        """Mean difference over models; None without any."""
        found = [move.difference for move in self.moves if move.difference is not None]
        return sum(found) / len(found) if found else None

    @property
    def smallest(self) -> Move | None:
        """The model whose figure moves least towards more."""
        return min(self._moved(), key=_difference, default=None)

    @property
    def largest(self) -> Move | None:
        """The model whose figure moves most towards more."""
        return max(self._moved(), key=_difference, default=None)

    def _moved(self) -> list[Move]:
        return [move for move in self.moves if move.difference is not None]

    @property
    def ranks(self) -> tuple[Move, ...]:
        """Models whose rank moves."""
        return tuple(move for move in self.moves if move.rank_moves)

    @property
    def places(self) -> tuple[Move, ...]:
        """Models whose place by the mean alone moves."""
        return tuple(move for move in self.moves if move.place_moves)


def _difference(move: Move) -> float:
    return 0.0 if move.difference is None else move.difference


def comparable(a: MetricFacts, b: MetricFacts) -> bool:
    """Whether two metrics are the same quantity under two conventions: PSNR on Y and on RGB, plain and aligned.

    Example:
        >>> def made(name, unit="dB"):
        ...     return MetricFacts(name=name, version=1, unit=unit, direction="higher", convention="")
        >>> comparable(made("psnr[y,crop=4]"), made("psnr_aligned")), comparable(made("psnr"), made("ssim", ""))
        (True, False)
    """
    return (_quantity(a.name), a.unit, a.direction) == (_quantity(b.name), b.unit, b.direction)


def _quantity(name: str) -> str:
    return name.split("[", maxsplit=1)[0].removesuffix("_aligned")


def compare(before: Board, after: Board) -> Comparison:
    """What moves from one board to another of the same data set.

    Figures are means of the data set by each board's first metric. Ranks are taken again among the models that have one on both
    boards (:func:`leaderboards.classes.rank_classes`): of fewer models more can be told apart, and that is no doing of the
    convention. Places by the mean are counted among the models of both.

    Raises:
        ValueError: the boards are of two data sets.
    """
    if before.dataset != after.dataset:
        raise ValueError(
            f'Boards of one data set are compared, and these are of "{before.dataset}" and "{after.dataset}".'
        )
    rows_a, rows_b = (
        {row.model.name: row for row in board.rows if _figure(board, row) is not None} for board in (before, after)
    )
    both = [name for name in rows_a if name in rows_b]
    same_unit = comparable(before.primary, after.primary)
    ranked = [name for name in both if rows_a[name].rank is not None and rows_b[name].rank is not None]
    ranks = [_ranks(board, rows, ranked) for board, rows in ((before, rows_a), (after, rows_b))]
    places = [_among(rows, both, lambda row: row.place) for rows in (rows_a, rows_b)]
    moves = []
    for name in both:
        a, b = _figure(before, rows_a[name]), _figure(after, rows_b[name])
        assert a is not None  # noqa: S101 - rows without a figure were left out
        assert b is not None  # noqa: S101
        difference = (0.0 if a == b else b - a) if same_unit else None
        moves.append(
            Move(name, a, b, difference, ranks[0].get(name), ranks[1].get(name), places[0][name], places[1][name])
        )
    return Comparison(
        dataset=before.dataset,
        before=before.primary,
        after=after.primary,
        moves=tuple(moves),
        only_before=tuple(name for name in rows_a if name not in rows_b),
        only_after=tuple(name for name in rows_b if name not in rows_a),
        same_data=before.clips == after.clips,
    )


def _figure(board: Board, row: Row) -> float | None:
    mean = row.entries[board.primary.name].mean
    return None if mean is None or math.isnan(mean) else mean


def _ranks(board: Board, rows: dict[str, Row], names: list[str]) -> dict[str, int]:
    """Ranks by a board's first metric among some of its models alone."""
    import pandas as pd

    from leaderboards.classes import rank_classes

    if not names:
        return {}
    metric = board.primary
    entries = {name: rows[name].entries[metric.name] for name in names}
    table = pd.DataFrame({name: entry.by_clip for name, entry in entries.items()}, dtype=float)
    lengths = entries[names[0]].weights
    weights = [lengths[str(clip)] for clip in table.index] if board.average == "frames" else None
    return rank_classes(table, higher=metric.direction == "higher", weights=weights).rank


def _among(rows: dict[str, Row], names: list[str], of: Callable[[Row], int | None]) -> dict[str, int | None]:
    """Ranks again among some of the models: one plus the number of those that stand before."""
    found = {name: of(rows[name]) for name in names}
    there = [rank for rank in found.values() if rank is not None]
    return {name: None if rank is None else 1 + sum(other < rank for other in there) for name, rank in found.items()}
