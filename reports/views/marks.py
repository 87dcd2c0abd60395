"""One look for each model, the same in every chart and table: a colour, dashes and a mark, told by its number."""

from __future__ import annotations

SERIES = 8
"""Colours of the style sheet: ``--s0`` .. ``--s7``, the palette of Okabe and Ito, the first for doing nothing."""
DASHES = ("", "6 3", "2 2", "8 3 2 3")
"""What tells apart models of one colour, as values of ``stroke-dasharray``."""
MARKS = ("circle", "square", "up", "diamond", "down", "plus", "cross", "ring")


def model_class(number: int) -> str:
    """Classes of whatever shows a model: its colour, and its number for highlighting.

    Example:
        >>> model_class(9)
        'm9 s1'
    """
    return f"m{number} s{number % SERIES}"


def dashes(number: int) -> str:
    """Dashes of a model's lines; models of one colour have others (up to 32 models are told apart)."""
    return DASHES[(number // SERIES) % len(DASHES)]


def mark(number: int) -> str:
    """The mark of a model; of models of one colour neighbours have others."""
    return MARKS[(number + number // SERIES) % len(MARKS)]
