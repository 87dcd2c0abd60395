"""What is known of a model before it is loaded. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


@dataclass(frozen=True)
class WeightsSpec:
    """A checkpoint as its authors publish it. vbench downloads none: the user fetches it and imports it."""

    file: str
    """Its name in the store of weights."""
    sha256: str | None
    """Of the file as published, where it is known."""
    published: str
    """Where its authors publish it, in words: repository and path."""
    licence: str


@dataclass(frozen=True)
class ModelSpec:
    """One model under its public name, with its settings; ``load(device, weights)`` makes a restorer."""

    name: str
    version: int
    """Raised whenever the same settings and weights would give other frames: part of every fingerprint."""
    title: str
    task: str
    """"baseline", "denoising", "deblurring", "sharpening"."""
    source: str
    """Paper, or official code by name."""
    licence: str
    load: Callable[[torch.device, Path | None], Restorer]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What is recorded beside every number: values that JSON holds."""
    weights: WeightsSpec | None = None
    network: str | None = None
    """``module:function`` that builds the bare network, for checking checkpoints against it."""
    parameters: int | None = None
    """Numbers that training sets; buffers are not counted."""
    slow: bool = False
    """Whether a clip takes hours on a CPU: "all" leaves it out there, and says so."""
    scales: tuple[int, ...] | None = (1,)
    """How many times larger it makes frames; None for any number."""

    def missing_text(self) -> str:
        """Why the model cannot run without its weights, and the command that helps."""
        assert self.weights is not None  # noqa: S101 - asked only of models that have weights
        return (
            f"{self.name} needs its weights ({self.weights.licence}). Get {self.weights.published}, then: "
            f"vbench weights import FILE --model {self.name}"
        )
