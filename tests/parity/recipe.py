"""Fills a network with the numbers of the parity fixtures: a generator per parameter, seeded by its name."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch


def filled(manifest: Path) -> dict[str, torch.Tensor]:
    """State dict of a manifest, float64, without the buffers that a constructor makes itself."""
    document: dict[str, Any] = json.loads(manifest.read_text("utf-8"))
    out = {}
    for name, entry in document["tensors"].items():
        kind, shape = entry["kind"], tuple(entry["shape"])
        if kind == "buffer":
            continue
        generator = np.random.default_rng(zlib.crc32(name.encode()))
        if kind == "running_var":
            values = generator.uniform(0.5, 1.5, size=shape)
        else:
            normal = generator.standard_normal(shape)
            gain = entry.get("gain", document.get("gain", 1.0))
            spread = gain * np.sqrt(2.0 / int(np.prod(shape[1:]))) if kind == "weight" else 0.1
            values = {"weight": 0.0, "norm_weight": 1.0, "bias": 0.0, "running_mean": 0.0}[kind] + normal * (
                0.05 if kind == "bias" else spread
            )
        out[name] = torch.from_numpy(np.asarray(values))
    return out
