"""Results as one long table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from leaderboards.schema import Cell

if TYPE_CHECKING:
    import pandas as pd


def frame(cells: Iterable[Cell]) -> pd.DataFrame:
    """All cells in long form, one row each, for tables of one's own.

    Columns: dataset, clip, model, metric, value, status, error, convention, protocol, frames, seconds_per_frame,
    device, precision, data_sha256, weights_sha256.
    """
    import pandas as pd

    rows = [
        {
            "dataset": c.dataset,
            "clip": c.clip,
            "model": c.model,
            "metric": c.metric.name,
            "value": c.value,
            "status": c.status,
            "error": c.error,
            "convention": c.convention,
            "protocol": c.protocol,
            "frames": len(c.frames),
            "seconds_per_frame": c.cost.seconds / c.cost.frames if c.cost and c.cost.frames else None,
            "device": c.device,
            "precision": c.precision,
            "data_sha256": c.data_sha256,
            "weights_sha256": c.model_facts.weights_sha256,
        }
        for c in cells
    ]
    columns = [
        "dataset", "clip", "model", "metric", "value", "status", "error", "convention", "protocol", "frames",
        "seconds_per_frame", "device", "precision", "data_sha256", "weights_sha256",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
