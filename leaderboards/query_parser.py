"""Reads the expressions of :mod:`leaderboards.query`: text into a tree of comparisons."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

Value = float | str | bool | None
"""What stands in one cell of a table; None where there is nothing."""
LONGEST = 4_000
DEEPEST = 40


class QueryError(ValueError):
    """An expression, column or order that cannot be used as it is; the text says why and what would do."""


UNITS: dict[str, tuple[str, float]] = {
    "dB": ("dB", 1.0), "%": ("", 0.01),
    "ms": ("s", 1e-3), "s": ("s", 1.0), "min": ("s", 60.0), "h": ("s", 3600.0),
    "B": ("B", 1.0), "kB": ("B", 1e3), "MB": ("B", 1e6), "GB": ("B", 1e9),
    "KiB": ("B", 2.0**10), "MiB": ("B", 2.0**20), "GiB": ("B", 2.0**30), "TiB": ("B", 2.0**40),
    "levels": ("levels", 1.0), "pixels": ("pixels", 1.0), "times": ("times", 1.0),
}  # fmt: skip
"""By name: the unit in which columns stand, and how many of it one is. Beside a column that stands in per cent, ``%`` is that."""
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "missing", "true", "false", "inf"})
_OPERATORS = ("<", "<=", ">", ">=", "==", "!=", "~", "!~")
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<number>[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|inf(?!\w)|∞)) (?:\s*(?P<unit>{_UNIT})(?!\w))?
    | (?P<name>[^\W\d](?:[\w.:]|-(?=\w))*(?:\[[^\]\n]*\])?)
    | `(?P<quoted>[^`]*)`
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<op><=|>=|==|!=|!~|<|>|=|~|\(|\)|,)
    )""",
    re.VERBOSE | re.DOTALL,
)
_INSTEAD = {"&": "and", "|": "or", "!": "not", "≥": ">=", "≤": "<=", "≠": "!="}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int
    unit: str = ""


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        raise QueryError(f"The expression has {len(text)} characters; at most {LONGEST} are read.")
    out: list[_Token] = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()
            char = rest[0]
            if char in _INSTEAD:
                raise QueryError(f'"{rest[:12]}" cannot be read: write "{_INSTEAD[char]}" instead of "{char}".')
            if char in "+-*/%^":
                raise QueryError(f'"{rest[:12]}" cannot be read: there is no arithmetic, only comparisons.')
            if char in "\"'`":
                raise QueryError(f'"{rest[:12]}" cannot be read: the quote {char} is not closed.')
            raise QueryError(f'"{rest[:12]}" cannot be read as a part of an expression (character {at + 1}).')
        kind = str(found.lastgroup if found.lastgroup != "unit" else "number")
        body = str(found.group(kind))
        place = found.start(kind)
        if kind == "name" and body.lower() in KEYWORDS:
            kind, body = "word", body.lower()
        elif kind == "quoted":
            kind = "name"
        elif kind == "string":
            body = re.sub(r"\\(.)", r"\1", body[1:-1], flags=re.DOTALL)
        elif kind == "op" and body == "=":
            body = "=="
        out.append(_Token(kind, body, place, found.group("unit") or ""))
        at = found.end()
    return out


@dataclass(frozen=True)
class Operand:
    """A column, or a constant; ``words`` is how it was written."""

    column: str | None
    value: Value
    words: str
    unit: str = ""


@dataclass(frozen=True)
class Compare:
    """Two operands and what is asked of them."""

    left: Operand
    op: str
    right: Operand


@dataclass(frozen=True)
class In:
    """An operand that is to equal one of several."""

    left: Operand
    options: tuple[Operand, ...]


@dataclass(frozen=True)
class Missing:
    """Whether an operand has no value."""

    operand: Operand


@dataclass(frozen=True)
class Bare:
    """A column alone, true or false."""

    operand: Operand


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Node


@dataclass(frozen=True)
class AllOf:
    """All of several."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf:
    """One of several, at least."""

    parts: tuple[Node, ...]


Node = Compare | In | Missing | Bare | Not | AllOf | AnyOf


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    def parse(self) -> Node:
        if not self.tokens:
            raise QueryError('The expression is empty. One like "psnr > 30 and seconds_per_frame < 1" is expected.')
        node = self._any()
        if (rest := self._peek()) is not None:
            raise QueryError(f'"{self.text[rest.at :][:20]}" is left over: "and" or "or" is expected before it.')
        return node

    def _peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _take(self, kind: str, *texts: str) -> str | None:
        token = self._peek()
        if token is None or token.kind != kind or token.text not in texts:
            return None
        self.at += 1
        return token.text

    def _need(self, text: str) -> None:
        if self._take("op", text) is None:
            token = self._peek()
            found = "the end" if token is None else f'"{self.text[token.at :][:12]}"'
            raise QueryError(f'"{text}" is expected in place of {found}.')

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("word", "or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Node:
        parts = [self._not()]
        while self._take("word", "and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _not(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise QueryError(f"The expression is nested too deeply; {DEEPEST} levels are read.")
        try:
            if self._take("word", "not"):
                return Not(self._not())
            if self._take("op", "("):
                node = self._any()
                self._need(")")
                return node
            return self._comparison()
        finally:
            self.depth -= 1

    def _comparison(self) -> Node:
        left = self._operand()
        if self._take("word", "is"):
            negated = self._take("word", "not") is not None
            if not self._take("word", "missing"):
                raise QueryError(f'After "{left.words} is", "missing" or "not missing" is expected.')
            return Not(Missing(left)) if negated else Missing(left)
        negated = False
        if (token := self._peek()) is not None and (token.kind, token.text) == ("word", "not"):
            self.at += 1
            negated = True
        if self._take("word", "in"):
            self._need("(")
            options = [self._operand()]
            while self._take("op", ","):
                options.append(self._operand())
            self._need(")")
            node: Node = In(left, tuple(options))
            return Not(node) if negated else node
        if negated:
            raise QueryError(f'After "{left.words} not", "in (...)" is expected.')
        parts: list[Node] = []
        while op := self._take("op", *_OPERATORS):
            right = self._operand()
            parts.append(Compare(left, op, right))
            left = right
        if not parts:
            return Bare(left)
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _operand(self) -> Operand:
        token = self._peek()
        if token is None:
            raise QueryError("The expression ends where a column, a number or a word in quotes is expected.")
        self.at += 1
        if token.kind == "name":
            return Operand(token.text, None, token.text)
        if token.kind == "string":
            return Operand(None, token.text, f'"{token.text}"')
        if token.kind == "number":
            return Operand(None, float(token.text.replace("∞", "inf")), f"{token.text}{token.unit}", token.unit)
        if token.kind == "word" and token.text in ("true", "false"):
            return Operand(None, token.text == "true", token.text)
        if token.kind == "word" and token.text == "inf":
            return Operand(None, math.inf, "inf")
        raise QueryError(
            f'"{self.text[token.at :][:12]}" stands where a column, a number or a word in quotes is expected.'
        )


def parse_tree(text: str) -> Node:
    """The tree of an expression.

    Raises:
        QueryError: it cannot be read; the text says where and what was expected.
    """
    return _Parser(text).parse()
