"""Limits for comparisons, as a gate for continuous integration: which changes are too much, in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboards.diff import Change, Diff
from leaderboards.numbers import number, signed
from leaderboards.query_parser import QueryError
from leaderboards.schema import MetricFacts

_LIMIT = re.compile(r"\s*(?P<number>[+\-−]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+\-]?\d+)?)\s*(?P<unit>%|[^\W\d]\w*)?\s*")


@dataclass(frozen=True)
class Limit:
    """The worst change that is let pass: -0.1 with the unit dB lets a PSNR fall by 0.1 dB, and a distance in dB grow by as much."""

    amount: float
    unit: str
    """Of the metric, "%" of the old figure, or empty for metrics without a unit."""

    def __str__(self) -> str:
        sign = "−" if self.amount < 0 else ""
        return f"{sign}{abs(self.amount):g}{'' if self.unit in ('', '%') else ' '}{self.unit}"


def parse_limit(text: str) -> Limit:
    """Read a limit.

    Raises:
        QueryError: it is no number with a unit.

    Example:
        >>> parse_limit("-0.1dB"), str(parse_limit("-2 %"))
        (Limit(amount=-0.1, unit='dB'), '−2%')
    """
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise QueryError(
            f'"{text}" is no limit: a number with the unit of the metric is expected, like -0.1dB, -0.002 (for a metric '
            "without a unit) or -1%."
        )
    return Limit(float(found["number"].replace("−", "-")), found["unit"] or "")


def below(change: Change, metric: MetricFacts, limits: Sequence[Limit]) -> Limit | None:
    """The limit that a change is worse than, if there is one. "Below" means worse: more for metrics of which less is better."""
    towards = 1.0 if metric.direction == "higher" else -1.0
    for limit in limits:
        amount = 100 * change.relative if limit.unit == "%" else change.change
        # A change that is no number (one clip came to infinity, another left it) is not let pass either.
        if limit.unit in ("%", metric.unit) and not towards * amount >= limit.amount:
            return limit
    return None


def check_limits(found: Diff, limits: Sequence[Limit]) -> None:
    """Raise in words if a limit is for none of the metrics that are compared, or a metric has no limit.

    Raises:
        QueryError: the text says which unit would do.
    """
    metrics = {board.metric.name: board.metric for board in found.boards}
    for limit in limits:
        if metrics and limit.unit != "%" and limit.unit not in {m.unit for m in metrics.values()}:
            units = ", ".join(f"{m.name} {f'is in {m.unit}' if m.unit else 'has no unit'}" for m in metrics.values())
            raise QueryError(f'No metric that is compared has the unit of the limit "{limit}": {units}.')
    for metric in metrics.values():
        if limits and not any(limit.unit in ("%", metric.unit) for limit in limits):
            unit = metric.unit or "no unit"
            raise QueryError(
                f"{metric.name} has no limit: its unit is {unit}. Give --fail-below once more, like "
                f"-0.1{metric.unit}, or -1% for all metrics."
            )


def failures(found: Diff, limits: Sequence[Limit], lenient: bool = False) -> list[str]:
    """What a gate does not let pass, in sentences: changes below a limit, and what was there and cannot be compared any more.

    Args:
        found: the comparison.
        limits: of which each is for the metrics of its unit.
        lenient: let pass what cannot be compared, as long as anything can.

    Example:
        >>> failures(Diff((), (), (), ()), [Limit(-0.1, "dB")])
        ['Nothing can be compared: the two states have no board in common.']
    """
    out = []
    for board in found.boards:
        for change in board.changes:
            limit = below(change, board.metric, limits)
            if limit is not None:
                out.append(
                    f"{change.model} on {board.dataset}: {describe(change, board.metric)}, below the limit of {limit}."
                )
    if not any(board.changes for board in found.boards):
        return [*out, "Nothing can be compared: the two states have no board in common."]
    if not lenient:
        out += [f"Lost: {name} has no figure any more." for name in found.went]
        out += [f"Lost: {model} has no {board.metric.name} on {board.dataset} any more."
                for board in found.boards for model in board.went]  # fmt: skip
        out += [f"Not comparable: {text}" for text in found.apart]
        # Of several metrics of a board the same clips are lost.
        out += dict.fromkeys(f"Lost on {board.dataset} under {board.protocol}: {text}" for board in found.boards
                             for text in board.lost)  # fmt: skip
    return out


def describe(change: Change, metric: MetricFacts) -> str:
    """A change in words: "psnr −0.25 dB (29.10 to 28.85)"."""
    unit = f" {metric.unit}" if metric.unit else ""
    name = metric.name
    return f"{name} {signed(change.change, name)}{unit} ({number(change.old, name)} to {number(change.new, name)})"
