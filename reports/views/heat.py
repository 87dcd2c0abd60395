"""Tables of gains in which the shade of a cell tells how large a gain or loss is; the figure stands in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboards.export import signed
from reports.views.words import telling

LEVELS = 4
"""Shades on either side of nought."""


@dataclass(frozen=True)
class HeatRow:
    """A row or the head of a column, before it is shaded."""

    name: str
    link: str
    values: tuple[float | None, ...]
    number: int | None = None
    """Of the model, where it is one."""
    note: str = ""
    """What stands in small print below the name."""


@dataclass(frozen=True)
class HeatCell:
    """A shaded figure; ``level`` from -4 (a large loss) over 0 to 4 (a large gain), None where there is no figure."""

    text: str
    level: int | None


@dataclass(frozen=True)
class Heat:
    """A shaded table."""

    caption: str
    heads: tuple[HeatRow, ...]
    rows: tuple[tuple[HeatRow, tuple[HeatCell, ...]], ...]


def heat(
    caption: str,
    heads: Sequence[HeatRow],
    rows: Sequence[HeatRow],
    metric: str | Sequence[str],
    higher: bool | Sequence[bool] = True,
) -> Heat:
    """Shade gains by their share of the largest one of the table.

    Args:
        caption: what the figures are.
        heads: the columns.
        rows: rows with one gain per column, None where there is none.
        metric: whose number format is used; one for each column where columns differ.
        higher: whether more is better; one for each column where columns differ.

    Example:
        >>> made = heat("gain", [HeatRow("a", "", ())], [HeatRow("x", "", (2.0,)), HeatRow("y", "", (-0.4,))], "psnr")
        >>> [cells[0] for _, cells in made.rows]
        [HeatCell(text='+2.00', level=4), HeatCell(text='−0.40', level=-1)]
    """
    names = [metric] * len(heads) if isinstance(metric, str) else list(metric)
    signs = [1 if up else -1 for up in ([higher] * len(heads) if isinstance(higher, bool) else higher)]
    # Columns of different metrics have no common scale: each is shaded by its own largest gain.
    groups = {name: [i for i, n in enumerate(names) if n == name] for name in names}
    scale = {}
    for name, columns in groups.items():
        sizes = [abs(v) for r in rows for i in columns if (v := r.values[i]) is not None and math.isfinite(v)]
        scale[name] = max(sizes, default=0.0) or 1.0
    shaded = tuple(
        (
            row,
            tuple(
                HeatCell("–", None) if value is None else _cell(signed(value, n), sign * value / scale[n])
                for value, n, sign in zip(row.values, names, signs, strict=True)
            ),
        )
        for row in rows
    )
    return Heat(caption, tuple(heads), shaded)


def _cell(text: str, share: float) -> HeatCell:
    """A figure with its shade; what is shown as nought has none."""
    return HeatCell(text, _level(share) if telling(text) else 0)


def _level(share: float) -> int:
    """The level of a share of the scale, -1 to 1 (or beyond, for infinite gains).

    Example:
        >>> [_level(x) for x in (0.0, 0.1, 0.3, 1.0, -0.6, float("inf"))]
        [0, 1, 2, 4, -3, 4]
    """
    if math.isinf(share):
        return LEVELS if share > 0 else -LEVELS
    level = min(LEVELS, math.ceil(abs(share) * LEVELS))
    return level if share > 0 else -level
