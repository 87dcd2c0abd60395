"""How a hand moves a camera: smooth, irregular, never twice the same, defined at every instant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from degradations.rng import Rng

Path = Callable[[float], float]


def wander(key: str, amplitude: float, every: float = 4.0, frames: int = 40, memory: float = 0.6) -> Path:
    """A smooth random path about 0: a cubic spline through correlated random knots, one per ``every`` frames.

    Example:
        >>> path = wander("doc", 2.0)
        >>> path(3.25) == wander("doc", 2.0)(3.25)
        True
    """
    from scipy.interpolate import CubicSpline

    generator = Rng.root(0).at("builtin", key).generator()
    times = np.arange(-2 * every, frames + 3 * every, every)
    noise = generator.standard_normal(len(times))
    knots = np.empty_like(noise)
    value = noise[0]
    for i, n in enumerate(noise):
        value = memory * value + np.sqrt(1 - memory**2) * n if i else n
        knots[i] = value
    spline = CubicSpline(times, amplitude * np.clip(knots, -2, 2))
    return lambda time: float(spline(time))


def ease(start: float, end: float, frames: int) -> Path:
    """From ``start`` to ``end`` over a clip, gently setting off and arriving."""

    def at(time: float) -> float:
        share = min(max(time / (frames - 1), 0.0), 1.0)
        return start + (end - start) * share * share * (3 - 2 * share)

    return at
