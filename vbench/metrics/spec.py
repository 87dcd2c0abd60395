"""What a metric is: its convention, what it prepares once from the ground truth, and the figure per frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from leaderboards.schema import MetricFacts

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """One metric under one convention.

    ``prepare(truth)`` computes what depends on the ground truth alone, once for all models;
    ``measure(restored, truth, prepared)`` gives one figure per frame, or per pair of neighbours where
    ``overlap`` is 1. Both take tensors ``(T, C, H, W)``, RGB or gray: uint8, uint16 (full range), or
    floating point in [0, 1]. With ``overlap = 1`` a chunk begins with the last frame of the one before.
    ``combine(figures)`` makes the clip's figure; the mean unless the metric says otherwise.
    """

    name: str
    version: int
    unit: str
    direction: Literal["higher", "lower"]
    convention: str
    source: str
    measure: Callable[[Tensor, Tensor, Any], list[float]]
    prepare: Callable[[Tensor], Any] = lambda truth: None
    options: dict[str, Any] = field(default_factory=dict)
    overlap: int = 0

    def facts(self) -> MetricFacts:
        """The convention as it is written beside every number."""
        return MetricFacts(
            name=self.name,
            version=self.version,
            unit=self.unit,
            direction=self.direction,
            options=self.options,
            convention=self.convention,
        )


def on_255(frames: Tensor) -> Tensor:
    """Frames as float64 on the 0..255 scale, whatever they are stored in; no rounding.

    Example:
        >>> import torch
        >>> on_255(torch.tensor([0, 65535], dtype=torch.uint16)).tolist()
        [0.0, 255.0]
    """
    import torch

    if frames.dtype == torch.uint8:
        return frames.double()
    if frames.dtype == torch.uint16:
        return frames.double() * (255.0 / 65535.0)
    return frames.double() * 255.0
