"""What models cost on a board, and quality against cost."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leaderboards.board import Board
from leaderboards.overall import pareto
from leaderboards.schema import Cell, Cost, ModelFacts
from leaderboards.stats import Interval


def cost_of(cells: Sequence[Cell]) -> dict[str, Any]:
    """The fields of a :class:`leaderboards.board.Row` on cost, from all cells of a model.

    Every clip counts once, however many metrics were measured on it. ``seconds_per_frame`` is the median over clips (of those
    alone before which the model had run already, where there are any), ``memory_bytes`` the largest peak, ``multiply_adds``
    those of all clips over all frames (None where a clip's were not counted); ``tile`` and ``threads`` name what differed.
    """
    costs = [cost for cost in {c.clip: c.cost for c in cells}.values() if cost and cost.frames]
    seconds, quartiles = seconds_of(costs)
    counted = [(each, c.frames) for c in costs if (each := c.multiply_adds) is not None]
    adds = None
    if counted and len(counted) == len(costs):
        adds = sum(each * frames for each, frames in counted) / sum(frames for _, frames in counted)
    tiles = sorted({c.tile for c in costs if c.tile})
    apart = [c.fp32_difference for c in costs if c.fp32_difference is not None]
    return {
        "seconds_per_frame": seconds,
        "seconds_quartiles": quartiles,
        "memory_bytes": max((c.memory_bytes for c in costs if c.memory_bytes), default=None),
        "multiply_adds": adds,
        "tile": " and ".join(tiles) or None,
        "fp32_difference": min(apart, key=lambda difference: difference.psnr, default=None),
        "iterations": max((c.iterations for c in costs if c.iterations is not None), default=None),
        "threads": " and ".join(str(n) for n in sorted({c.threads for c in costs})),
    }


def seconds_of(costs: Sequence[Cost]) -> tuple[float | None, tuple[float, float] | None]:
    """Median over clips of seconds per frame, and quartiles."""
    # Early versions took waiting off twice where FFmpeg ran beside, and could come out below nothing.
    known = [c for c in costs if c.seconds > 0]
    times = [c.seconds / c.frames for c in known if c.warm] or [c.seconds / c.frames for c in known]
    if len(times) < 2:
        return (times[0] if times else None), None
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return middle, (low, high)


@dataclass(frozen=True)
class CostPoint:
    """One model's quality and cost on a board."""

    model: ModelFacts
    quality: float
    interval: Interval | None
    rank: int | None
    seconds_per_frame: float | None
    memory_bytes: int | None
    multiply_adds: float | None
    parameters: int | None
    device: str
    pareto: dict[str, bool]
    """Whether it is in the Pareto set by "seconds" (among models of the same device), "memory", "multiply_adds", and by "all"
    of these that are known of every model together."""


COSTS = {"seconds": "seconds_per_frame", "memory": "memory_bytes", "multiply_adds": "multiply_adds"}
"""What is paid, and the field of a row that has it."""


def cost_points(board: Board, metric: str | None = None) -> list[CostPoint]:
    """Quality against cost of every model with a figure, the best quality first.

    Args:
        metric: the quality; the board's first by default.

    Raises:
        ValueError: the board has no such metric.
    """
    facts = board.primary if metric is None else board.metric(metric)
    if facts is None:
        names = ", ".join(m.name for m in board.metrics)
        raise ValueError(f"The board of {board.dataset} has no metric {metric!r}; it has {names}.")
    rows = [(row, mean) for row in board.rows if (mean := row.entries[facts.name].mean) is not None]
    quality = np.array([mean for _, mean in rows])
    costs = np.array(
        [[getattr(row, name) for name in COSTS.values()] for row, _ in rows], dtype=np.float64
    ).reshape(len(rows), len(COSTS))  # fmt: skip
    higher = facts.direction == "higher"
    known = ~np.isnan(costs).any(axis=0)
    devices = np.array([row.device for row, _ in rows])
    within = {key: pareto(quality, costs[:, i], higher) for i, key in enumerate(COSTS)}
    within["all"] = np.zeros(len(rows), dtype=bool)
    for device in set(devices.tolist()):
        own = devices == device
        within["seconds"][own] = pareto(quality[own], costs[own, 0], higher)
        if known.any():
            within["all"][own] = pareto(quality[own], costs[own][:, known], higher)
    points = [
        CostPoint(
            model=row.model,
            quality=mean,
            interval=row.entries[facts.name].interval,
            rank=row.rank,
            seconds_per_frame=row.seconds_per_frame,
            memory_bytes=row.memory_bytes,
            multiply_adds=row.multiply_adds,
            parameters=row.parameters,
            device=row.device,
            pareto={key: bool(found[i]) for key, found in within.items()},
        )
        for i, (row, mean) in enumerate(rows)
    ]
    return sorted(points, key=lambda p: (-p.quality if higher else p.quality, p.model.name))
