"""Boards as CSV, Parquet, JSON, Markdown, LaTeX, HTML and for the terminal, with the number format of each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leaderboards.board import Board
from leaderboards.export.document import document as _document
from leaderboards.export.document import dumps as _dumps
from leaderboards.export.frames import csv as _csv
from leaderboards.export.frames import parquet as _parquet
from leaderboards.export.frames import tidy as _tidy
from leaderboards.export.grid import grids as _grids
from leaderboards.export.html import html as _html
from leaderboards.export.latex import latex as _latex
from leaderboards.export.markdown import markdown as _markdown
from leaderboards.export.view import Asked, View, select
from leaderboards.numbers import ARROWS, DECIMALS, heading, number, signature, signed, three_digits
from leaderboards.schema import ProtocolFacts

__all__ = [
    "ARROWS", "DECIMALS", "Asked", "View", "heading", "number", "select", "signature", "signed", "three_digits", "to_csv",
    "to_html", "to_json", "to_latex", "to_markdown", "to_parquet",
]  # fmt: skip


def to_csv(boards: Sequence[Board]) -> str:
    """One line per data set, model and metric, figures in full precision."""
    return _csv(_tidy(select(boards)))


def to_parquet(boards: Sequence[Board]) -> bytes:
    """The same lines as Parquet."""
    return _parquet(_tidy(select(boards)))


def to_markdown(boards: Sequence[Board]) -> str:
    """A table per board; best in bold, second in italics."""
    return _markdown(_grids(select(boards)))


def to_latex(boards: Sequence[Board]) -> str:
    """A booktabs table per board; best in bold, second underlined."""
    return _latex(_grids(select(boards), paper=True))


def to_html(boards: Sequence[Board]) -> str:
    """A page with a table per board."""
    return _html(_grids(select(boards)))


def to_json(boards: Sequence[Board], protocols: Mapping[str, ProtocolFacts] | None = None) -> str:
    """Everything that boards hold, in the published schema; infinity as the string "inf"."""
    return _dumps(_document(select(boards), protocols))
