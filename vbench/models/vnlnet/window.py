"""What the patch search compares, and where."""

from __future__ import annotations

from dataclasses import dataclass

from vbench.errors import InputError

WIDEST = 181
"""Pixels across the widest search window."""


@dataclass(frozen=True)
class Window:
    """What is compared and where: patches of ``patch`` x ``patch`` pixels, ``search`` x ``search`` candidates.

    Example:
        >>> Window(41, 41).offsets, Window(5, 8).offsets
        (range(-20, 21), range(-4, 4))
    """

    patch: int = 41
    search: int = 41

    def __post_init__(self) -> None:
        # Candidates are numbered in 16 bits.
        if self.patch < 1 or not 1 <= self.search <= WIDEST:
            raise InputError(
                f"The patch is {self.patch} and the search window {self.search} pixels wide; both are at least 1, and "
                f"the window at most {WIDEST}."
            )

    @property
    def offsets(self) -> range:
        """Offsets of the candidates along one axis, in scan order."""
        first = -self.search + (self.search + 1) // 2
        return range(first, first + self.search)
