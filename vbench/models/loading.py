"""Networks with their weights, as restorers need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from vbench.checkpoint import load_checkpoint
from vbench.devices import full_float32
from vbench.errors import MissingWeights
from vbench.models.spec import ModelSpec

Network = TypeVar("Network", bound=nn.Module)

_shapes_only: ContextVar[bool] = ContextVar("shapes_only", default=False)


@contextmanager
def unloaded() -> Iterator[None]:
    """Networks come without weights here, on random numbers: for what asks for shapes alone (`vbench.multiply_adds`)."""
    before = _shapes_only.set(True)
    try:
        yield
    finally:
        _shapes_only.reset(before)


def loaded(network: Network, weights: Path | None, device: torch.device, spec: ModelSpec) -> Network:
    """``network`` with its weights, in evaluation mode, on ``device``, where float32 means 32 bits.

    Raises:
        MissingWeights: there are none; no network runs on random numbers.
        InputError: the file does not fit the network.
    """
    if _shapes_only.get():
        return network.eval().to(device)
    if weights is None:
        raise MissingWeights(spec.missing_text())
    full_float32()
    load_checkpoint(network, weights)
    return network.eval().to(device)
