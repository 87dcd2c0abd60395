"""How the cases of the pixel volume's parity fixture go through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.fixtures import make, options, tensor
from vbench.models.pvdnet.pixel_volume import PixelVolume


class Placed(PixelVolume):
    """The pixel volume, with a tensor that says in what and where it is computed: there are no weights to ask."""

    precision: Tensor

    def __init__(self, side: int = 5) -> None:
        super().__init__(side)
        self.register_buffer("precision", torch.zeros(()), persistent=False)


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> Placed:
    """The pixel volume with the fixture's window; it has no weights."""
    return make(Placed, options(manifest, meta), side="ksize")


def outputs(network: Placed, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The volume.

    Args:
        inputs: ``img``, ``pad``: frames of 8 bits, or values as they are; ``flow`` in pixels.
    """
    img, flow, pad = (_tensor(inputs[name], network.precision) for name in ("img", "flow", "pad"))
    return {"volume": network(img, flow, pad)}


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    found = tensor(values, like)
    return found * 2 - 1 if values.dtype == np.uint8 else found
