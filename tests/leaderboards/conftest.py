"""Cells to make boards of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from leaderboards.schema import Cell, Cost, MetricFacts, ModelFacts

MakeCell = Callable[..., Cell]
MakeTable = Callable[..., list[Cell]]


@pytest.fixture
def make_cell() -> MakeCell:
    """A cell of the model, clip and figure; everything else may be named."""
    return _cell


@pytest.fixture
def make_table() -> MakeTable:
    """Cells of a table: by model one figure per clip (clip0, clip1, ...)."""

    def table(values: Mapping[str, Sequence[float | None]], metric: str = "psnr", **rest: Any) -> list[Cell]:
        return [_cell(m, f"clip{i}", v, metric, **rest) for m, row in values.items() for i, v in enumerate(row)]

    return table


LOWER = (
    "niqe",
    "warp_error",
    "warp_error_ratio",
    "colour_shift",
    "gain_shift",
    "alignment_shift",
    "flicker",
    "warp_error_long",
)


def _cell(model: str, clip: str, value: float | None, metric: str = "psnr", **rest: Any) -> Cell:
    base = metric.split("[", maxsplit=1)[0]
    facts: dict[str, Any] = {
        "status": "ok" if value is not None else "failed",
        "dataset": "d",
        "clip": clip,
        "model": model,
        "metric": MetricFacts(
            name=metric,
            version=1,
            unit="dB" if base.startswith("psnr") else "",
            direction="lower" if base in LOWER else "higher",
            convention="c",
            options=rest.pop("options", {}),
        ),
        "protocol": "default@1",
        "value": value,
        "frames": [value, value] if value is not None else [],
        "error": None if value is not None else "it broke",
        "model_facts": ModelFacts(name=model, version=1, title=model, task="t", source="s", licence="l"),
        "data_sha256": f"data-{clip}",
        "fingerprint": "f",
        "device": "cpu",
        "precision": "fp32",
        "cost": Cost(frames=2, seconds=1.0, threads=1, device="cpu"),
    }
    return Cell(**{**facts, **rest})
