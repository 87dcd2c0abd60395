"""Protocols, published figures and comparisons in words, for the terminal and for pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaderboards.compare import Comparison, Move
    from leaderboards.published import Published
    from vbench.protocols import PublishedSet

MOST_SIDES = 3
"""Degraded sides of a published set that are told with the names by which they are recognised."""
MOST_MOVES = 6
"""Models that change their rank, named one by one."""


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def set_words(found: PublishedSet) -> str:
    """How a published set is recognised, in words."""
    if not found.clips:
        parts = ["its clips are not listed, so no data set is recognised as it"]
    else:
        few = ", ".join(found.clips[:3]) + (", ..." if len(found.clips) > 3 else "")
        count = f"{len(found.clips)} clips" if len(found.clips) > 1 else "1 clip"
        parts = [f"{count} ({few})", *([f"{found.frames} frames"] if found.frames else [])]
    sides: dict[str, list[str]] = {}
    for version, words in found.versions.items():
        sides.setdefault(words, []).append(version)
    if len(sides) > MOST_SIDES:
        parts.append(f"{len(sides)} degraded sides: {', '.join(sides)}")
        sides = {}
    for words, names in sides.items():
        shown = " or ".join(names)
        parts.append(shown if words in ("", shown) else f"{words}: {shown}")
    return "; ".join(part for part in parts if part)


def printed(one: Published, digits: int = 0) -> str:
    """A published figure with all its digits, and how well it could be read.

    Args:
        digits: at least so many behind the point, as others of its table have.

    Example:
        >>> from leaderboards.published import Published
        >>> made = dict(protocol="p", set="s", system="x", metric="psnr", source="r")
        >>> printed(Published(**made, value=31.52, kind="readme"), 3)
        '31.520'
        >>> printed(Published(**made, value=38.7, uncertainty=0.1, kind="chart"))
        '38.7 ± 0.1'
    """
    doubt = f" ± {one.uncertainty:g}" if one.uncertainty is not None else ""
    return f"{one.value:.{max(digits, digits_of(one))}f}{doubt}"


def digits_of(one: Published) -> int:
    """Digits behind the point that a figure was written with, but for zeros at its end."""
    return len(f"{one.value!r}".partition(".")[2])


def comparison_words(found: Comparison, first: str, second: str) -> list[str]:
    """What a change of protocol does to a data set's board, in sentences.

    Args:
        first, second: labels of the protocols, the one before first.
    """
    if not found.moves:
        return [f"No model has a figure under both {first} and {second}."]
    count = f"{len(found.moves)} models" if len(found.moves) > 1 else "1 model"
    out = [f"{count}, {found.before.name} under {first} against {found.after.name} under {second}."]
    if not found.same_data:
        out.append("The two were measured on different clips, so part of what moves is the data.")
    out.append(_figure_words(found, second))
    ranks = _rank_words(found.ranks, len(found.moves), "rank", lambda move: (move.rank_before, move.rank_after))
    places = _rank_words(found.places, len(found.moves), "place", lambda move: (move.place_before, move.place_after))
    out.append(f"{ranks} By the mean alone, {places[0].lower()}{places[1:]}")
    return out


def _figure_words(found: Comparison, second: str) -> str:
    from leaderboards.export import signed

    mean, low, high = found.mean, found.smallest, found.largest
    if mean is None or low is None or high is None:
        return f"{found.before.name} and {found.after.name} are different quantities: only ranks compare."
    name, unit = found.after.name, f" {found.after.unit}" if found.after.unit else ""

    def shown(value: float | None) -> str:
        return f"{signed(value, name)}{unit}"

    if len(found.moves) == 1:
        return f"Under {second} {low.model} moves by {shown(low.difference)}."
    return (
        f"Under {second} figures move by {shown(mean)} on average, from {shown(low.difference)} ({low.model}) to "
        f"{shown(high.difference)} ({high.model})."
    )


def _rank_words(
    moves: Sequence[Move], count: int, what: str, of: Callable[[Move], tuple[int | None, int | None]]
) -> str:
    if not moves:
        return f"No {what} moves."
    parts = []
    for move in moves[:MOST_MOVES]:
        before, after = of(move)
        parts.append(f"{move.model} {before or 'none'} to {after or 'none'}")
    more = f" and {len(moves) - MOST_MOVES} more" if len(moves) > MOST_MOVES else ""
    verb = f"{what}s move" if len(moves) > 1 else f"{what} moves"
    return f"{len(moves)} of {count} {verb}: {', '.join(parts)}{more}."
