"""The small language in which rows and columns of tables are asked for: ``gain.psnr > 0.5dB and seconds_per_frame < 1``.

An expression is read by the parser below and is a tree of comparisons, nothing else: no part of it is ever run as Python,
there are no calls, no attributes, no arithmetic, and its length and depth are limited. So it may come from anywhere.

- **Columns** by their names: ``psnr``, ``gain.psnr``, ``psnr[y,crop=4]``, ``pyiqa:topiq_nr-flive``. Any other name stands in
  backticks: ```my metric```.
- **Numbers**: ``30``, ``1e-3``, ``-inf``, with a unit where the column has one: ``0.5dB``, ``20ms``, ``2GiB``; ``10%`` is 0.1.
- **Words** in quotes: ``'dncnn'``. ``~`` compares with a pattern of ``*`` and ``?``, without regard to capitals.
- ``< <= > >= == != ~ !~``, ``in ('a', 'b')``, ``is missing``; ``and``, ``or``, ``not``, brackets; ``30 < psnr < 35``.

**Holes.** A comparison with a figure that is missing is neither true nor false, and neither is its ``not``; a row is taken only
where the whole is true (Kleene's logic, as in SQL). ``psnr is missing`` asks for holes.
"""

from __future__ import annotations

import difflib
import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from leaderboards.query_parser import (
    UNITS,
    AllOf,
    AnyOf,
    Bare,
    Compare,
    In,
    Missing,
    Node,
    Not,
    Operand,
    QueryError,
    Value,
    parse_tree,
)

Row = Mapping[str, Value]
Predicate = Callable[[Row], bool]
_R = TypeVar("_R")
_Term = Callable[[Row], bool | None]
_COMPARE: dict[str, Callable[[float | str, float | str], bool]] = {
    "<": lambda a, b: a < b,  # type: ignore[operator]  # both are of one kind: checked when names are looked up
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class Kind(StrEnum):
    """What the values of a column are."""

    number = "number"
    text = "text"
    truth = "truth"


@dataclass(frozen=True)
class Column:
    """What is known of a column without its values."""

    kind: Kind = Kind.number
    unit: str = ""
    """Of the values: "dB", "s" (per frame), "B" (bytes), or empty."""
    higher: bool | None = None
    """Whether more is better; None where neither is."""


def nearest_of(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known names, or lists them all.

    Example:
        >>> nearest_of("gain.psrn", ["psnr", "gain.psnr"]), nearest_of("xyz", ["a", "b"])
        ('Did you mean "gain.psnr"?', 'There are: a, b.')
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    tail = name.rsplit(".", maxsplit=1)[-1]
    close = close or [other for other in names if len(tail) > 1 and tail in other][:4]
    return f"Did you mean {', '.join(map(_quoted, close))}?" if close else f"There are: {', '.join(names) or 'none'}."


def _quoted(name: str) -> str:
    return f'"{name}"'


def unknown(name: str, known: Iterable[str]) -> QueryError:
    """The error of a column that is not there, with the nearest that is."""
    return QueryError(f'There is no column "{name}" in these results. {nearest_of(name, known)}')


# --- meaning -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expression:
    """A parsed expression; :meth:`bind` looks its columns up."""

    text: str
    node: Node

    def bind(self, columns: Mapping[str, Column]) -> Predicate:
        """The question as a function of a row.

        Args:
            columns: all columns that there are, by name. A row that lacks one of them has a hole there.

        Raises:
            QueryError: a column is not among them, or a comparison makes no sense (words with numbers, dB with seconds).
        """
        term = _bind(self.node, columns)
        return lambda row: term(row) is True


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        QueryError: it cannot be read; the text says where and what was expected.

    Example:
        >>> kept = parse("gain.psnr > 0.5dB and not model ~ 'RFR*'").bind(
        ...     {"gain.psnr": Column(unit="dB"), "model": Column(Kind.text)})
        >>> [kept({"gain.psnr": g, "model": m}) for g, m in [(1.0, "dncnn"), (1.0, "rfr-x"), (0.1, "dncnn"), (None, "a")]]
        [True, False, False, False]
    """
    return Expression(text, parse_tree(text))


def _bind(node: Node, columns: Mapping[str, Column]) -> _Term:
    if isinstance(node, Not):
        inner = _bind(node.part, columns)
        return lambda row: None if (found := inner(row)) is None else not found
    if isinstance(node, AllOf | AnyOf):
        terms = [_bind(part, columns) for part in node.parts]
        decisive = isinstance(node, AnyOf)
        return lambda row: _kleene((term(row) for term in terms), decisive)
    if isinstance(node, Missing):
        get = _getter(node.operand, columns)
        return lambda row: get(row) is None
    if isinstance(node, Bare):
        return _bare(node.operand, columns)
    if isinstance(node, In):
        options = [_bind(Compare(node.left, "==", option), columns) for option in node.options]
        return lambda row: _kleene((option(row) for option in options), True)
    return _compare(node, columns)


def _kleene(found: Iterable[bool | None], decisive: bool) -> bool | None:
    """The decisive value if any part has it, else unknown if any is, else the other."""
    parts = list(found)
    return decisive if decisive in parts else None if None in parts else not decisive


def _bare(operand: Operand, columns: Mapping[str, Column]) -> _Term:
    if _kind(operand, columns) is not Kind.truth:
        raise QueryError(f'"{operand.words}" alone is no condition: compare it, as in "{operand.words} > 30".')
    get = _getter(operand, columns)
    return lambda row: None if (value := get(row)) is None else bool(value)


def _kind(operand: Operand, columns: Mapping[str, Column]) -> Kind:
    if operand.column is not None:
        if operand.column not in columns:
            raise unknown(operand.column, columns)
        return columns[operand.column].kind
    if isinstance(operand.value, bool):
        return Kind.truth
    return Kind.text if isinstance(operand.value, str) else Kind.number


def _getter(operand: Operand, columns: Mapping[str, Column]) -> Callable[[Row], Value]:
    _kind(operand, columns)
    if operand.column is not None:
        name = operand.column
        return lambda row: _plain(row.get(name))
    value = operand.value
    if operand.unit and isinstance(value, float):
        value *= UNITS[operand.unit][1]
    return lambda row: value


def _plain(value: Value) -> Value:
    return None if isinstance(value, float) and math.isnan(value) else value


def _compare(node: Compare, columns: Mapping[str, Column]) -> _Term:
    left, right = (_in_per_cent(a, b, columns) for a, b in ((node.left, node.right), (node.right, node.left)))
    op = node.op
    for known, other in ((left.column, right.column), (right.column, left.column)):
        if known in columns and other not in columns and other and columns[str(known)].kind is Kind.text:
            raise QueryError(f'There is no column "{other}". As a word it stands in quotes: {known} {op} "{other}".')
    kinds = _kind(left, columns), _kind(right, columns)
    if op in ("~", "!~"):
        return _pattern(node, kinds[0], columns)
    if kinds[0] is not kinds[1]:
        words = {Kind.number: "a number", Kind.text: "a word", Kind.truth: "true or false"}
        raise QueryError(
            f"{left.words} is {words[kinds[0]]} and {right.words} is {words[kinds[1]]}: they do not compare."
        )
    if kinds[0] is Kind.truth and op not in ("==", "!="):
        raise QueryError(f'{left.words} is true or false: "{op}" does not go with it.')
    _check_units(left, right, columns)
    a, b, compare = _getter(left, columns), _getter(right, columns), _COMPARE[op]

    def term(row: Row) -> bool | None:
        x, y = a(row), b(row)
        return None if x is None or y is None else compare(x, y)

    return term


def _in_per_cent(operand: Operand, other: Operand, columns: Mapping[str, Column]) -> Operand:
    """A constant like ``5%``: 0.05 beside plain numbers, but 5 beside a column that stands in per cent itself."""
    beside = columns.get(other.column) if other.column is not None else None
    return replace(operand, unit="") if operand.unit == "%" and beside is not None and beside.unit == "%" else operand


def _pattern(node: Compare, kind: Kind, columns: Mapping[str, Column]) -> _Term:
    if kind is not Kind.text or not isinstance(node.right.value, str):
        raise QueryError(f'"{node.op}" compares words with a pattern in quotes, as in "model ~ \'dncnn*\'".')
    matches = re.compile(fnmatch.translate(node.right.value), re.IGNORECASE).match
    get, wanted = _getter(node.left, columns), node.op == "~"
    return lambda row: None if (value := get(row)) is None else (matches(str(value)) is not None) == wanted


def _check_units(left: Operand, right: Operand, columns: Mapping[str, Column]) -> None:
    units: list[str | None] = []
    for operand in (left, right):
        if operand.column is not None:
            units.append(columns[operand.column].unit)
        else:
            units.append(UNITS[operand.unit][0] if operand.unit else None)
    if None in units or units[0] == units[1]:
        return
    first, second = (f"in {unit}" if unit else "a plain number" for unit in units)
    raise QueryError(f"{left.words} is {first} and {right.words} is {second}: they do not compare.")


# --- lists of columns ----------------------------------------------------------------------------


def split_names(text: str) -> list[str]:
    """Names with commas between them; commas within brackets or backticks belong to a name.

    Example:
        >>> split_names("psnr[y,crop=4], -gain.psnr,`a,b`")
        ['psnr[y,crop=4]', '-gain.psnr', 'a,b']
    """
    parts = re.findall(r"((?:\[[^\]]*\]|`[^`]*`|[^,`\[])+)", text)
    return [part.strip().replace("`", "") for part in parts if part.strip()]


def check_columns(names: Sequence[str], columns: Mapping[str, Column]) -> None:
    """Raise in words if one of the names is no column, or if there is none.

    Raises:
        QueryError: the text names the nearest.
    """
    if not names:
        raise QueryError(f"No column was named. There are: {', '.join(sorted(columns))}.")
    for name in names:
        if name not in columns:
            raise unknown(name, columns)


def ordered(rows: Sequence[tuple[Row, _R]], by: Sequence[str], columns: Mapping[str, Column]) -> list[_R]:
    """Rows in the order of columns: the best first, the cheapest first, words by the alphabet; ``-name`` turns it round.

    Rows that lack the figure stand last either way; equal rows keep their order.

    Args:
        rows: values by column, and what they belong to.
        by: names of columns, the first decides.

    Raises:
        QueryError: a name is no column.

    Example:
        >>> found = [("a", 30.0, 2.0), ("b", 31.0, 1.0), ("c", 30.0, 1.0), ("d", None, 0.0)]
        >>> rows = [({"psnr": p, "s": s}, n) for n, p, s in found]
        >>> ordered(rows, ["psnr", "-s"], {"psnr": Column(higher=True), "s": Column(higher=False)})
        ['b', 'a', 'c', 'd']
    """
    out = list(rows)
    for word in reversed(by):
        # A name may begin with a sign of its own.
        name = word if word in columns else word.removeprefix("-").removeprefix("+")
        check_columns([name], columns)
        turned = word != name and word.startswith("-")
        falling = (columns[name].higher is True) != turned
        there = [row for row in out if _plain(row[0].get(name)) is not None]
        there.sort(key=lambda row: row[0][name], reverse=falling)  # type: ignore[arg-type,return-value]  # one kind each
        out = there + [row for row in out if _plain(row[0].get(name)) is None]
    return [what for _, what in out]
