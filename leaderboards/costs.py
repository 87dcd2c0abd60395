"""What models cost on a board."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from leaderboards.schema import Cell, Cost


def cost_of(cells: Sequence[Cell]) -> dict[str, Any]:
    """The fields of a :class:`leaderboards.board.Row` on cost, from all cells of a model.

    Every clip counts once, however many metrics were measured on it. ``seconds_per_frame`` is the median over clips (of those
    alone before which the model had run already, where there are any), ``memory_bytes`` the largest peak, ``multiply_adds``
    those of all clips over all frames (None where a clip's were not counted); ``tile`` and ``threads`` name what differed.
    """
    costs = [cost for cost in {c.clip: c.cost for c in cells}.values() if cost and cost.frames]
    seconds, quartiles = seconds_of(costs)
    counted = [(each, c.frames) for c in costs if (each := getattr(c, "multiply_adds", None)) is not None]
    adds = None
    if counted and len(counted) == len(costs):
        adds = sum(each * frames for each, frames in counted) / sum(frames for _, frames in counted)
    tiles = sorted({str(tile) for c in costs if (tile := getattr(c, "tile", None))})
    return {
        "seconds_per_frame": seconds,
        "seconds_quartiles": quartiles,
        "memory_bytes": max((c.memory_bytes for c in costs if c.memory_bytes), default=None),
        "multiply_adds": adds,
        "tile": " and ".join(tiles) or None,
        "threads": " and ".join(str(n) for n in sorted({c.threads for c in costs})),
    }


def seconds_of(costs: Sequence[Cost]) -> tuple[float | None, tuple[float, float] | None]:
    """Median over clips of seconds per frame, and quartiles."""
    times = [c.seconds / c.frames for c in costs if c.warm] or [c.seconds / c.frames for c in costs]
    if len(times) < 2:
        return (times[0] if times else None), None
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return middle, (low, high)
