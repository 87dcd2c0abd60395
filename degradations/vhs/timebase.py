"""The time base of a tape: lines begin too early or too late, so each is displaced sideways by its own amount."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

FLAG_SHARE = 0.06
"""Share of a field's lines over which the bending of its top falls to 1/e: nearly all of it is within a fifth."""

RECOVERY_LINES = 5.0
"""Lines of a field (of 240) over which the jump at the head switch falls to 1/e: ours."""


@dataclass(frozen=True)
class Wander:
    """What displaces the lines of a field, in microseconds.

    Attributes:
        slow: standard deviation of what neighbouring lines have in common.
        memory: lines over which that is forgotten (falls to 1/e).
        fast: standard deviation of what every line has for itself.
        flag: how far the top of the field is bent.
        skew: how far the first line behind the head switch jumps.
        switched: lines behind the head switch, at the bottom of the field.
    """

    slow: float
    memory: float
    fast: float
    flag: float = 0.0
    skew: float = 0.0
    switched: int = 0


def field_shifts(wander: Wander, lines: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """How far each line of a field is displaced to the right, in microseconds.

    Example:
        >>> flag = Wander(slow=0, memory=10, fast=0, flag=2.0)
        >>> field_shifts(flag, 240, np.random.default_rng(0))[[0, 24, 120]].round(2)
        array([2.  , 0.38, 0.  ])
    """
    drawn = generator.standard_normal((2, lines))
    kept = math.exp(-1 / wander.memory)
    # Started as if it had always been going on, so that the first line is like any other.
    spread = math.sqrt(1 - kept * kept)
    slow, _ = lfilter([spread], [1.0, -kept], drawn[0], zi=[(1 - spread) * drawn[0, 0]])
    number = np.arange(lines)
    out = wander.slow * slow + wander.fast * drawn[1]
    out += wander.flag * np.exp(-number / (FLAG_SHARE * lines))
    if wander.switched:
        behind = number - (lines - wander.switched)
        recovery = RECOVERY_LINES * lines / 240
        out += np.where(behind >= 0, wander.skew * np.exp(-np.maximum(behind, 0) / recovery), 0.0)
    return np.asarray(out)
