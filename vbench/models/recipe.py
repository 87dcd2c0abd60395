"""Weights by recipe: numbers that follow from a parameter's name alone, so that no fixture ships weights.

Two implementations that use the same parameter names hold the same numbers, and must give the same outputs.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vbench.fixtures import read_manifest

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["OWN", "fill", "read_manifest", "state_dict"]

OWN = "buffer"
"""Kind of a tensor that the network's constructor computes (counters, index tables): no recipe fills it."""

_SPREADS = {"norm_weight": (1.0, 0.1), "bias": (0.0, 0.05), "running_mean": (0.0, 0.1), "table": (0.0, 0.5)}
"""Kinds that are normal: their mean and standard deviation."""


def fill(name: str, shape: tuple[int, ...], kind: str, gain: float = 1.0) -> NDArray[np.float64]:
    """The tensor of parameter ``name``: a generator of NumPy, seeded by the CRC-32 of the name, is asked once.

    Args:
        kind: "weight" and "transposed" are He-scaled normal (fan-in along the second axis, and along the first
            for transposed convolutions); "norm_weight", "bias", "running_mean", "table" are normal;
            "running_var" is uniform from 0.5 to 1.5; "slope" is 0.25, "zero" is 0 throughout.
        gain: factor on "weight" and "transposed".

    Raises:
        ValueError: the kind is none of these.

    Example:
        >>> fill("dncnn.3.bias", (2,), "bias").round(6).tolist()
        [0.002499, 0.078268]
    """
    constant = {"slope": 0.25, "zero": 0.0}.get(kind)
    if constant is not None:
        return np.full(shape, constant)
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if kind == "running_var":
        return np.asarray(generator.uniform(0.5, 1.5, shape))
    if kind in _SPREADS:
        mean, spread = _SPREADS[kind]
    elif kind in ("weight", "transposed"):
        inputs = shape[0] if kind == "transposed" else shape[1]
        mean, spread = 0.0, gain * math.sqrt(2.0 / max(inputs * math.prod(shape[2:]), 1))
    else:
        known = ", ".join(sorted([*_SPREADS, "weight", "transposed", "running_var", "slope", "zero"]))
        raise ValueError(f'Parameter "{name}" is of kind "{kind}", which has no recipe; there are {known}.')
    return np.asarray(mean + spread * generator.standard_normal(shape))


def state_dict(manifest: dict[str, Any]) -> dict[str, Tensor]:
    """Every tensor of a manifest that is not the constructor's own, float64, on the CPU."""
    import torch

    return {
        name: torch.from_numpy(
            fill(name, tuple(entry["shape"]), entry["kind"], entry.get("gain", manifest.get("gain", 1.0)))
        )
        for name, entry in manifest["tensors"].items()
        if entry["kind"] != OWN
    }
