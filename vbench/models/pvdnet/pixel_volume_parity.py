"""How the cases of the pixel volume's parity fixture go through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.models.pvdnet.pixel_volume import PixelVolume


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> PixelVolume:
    """The pixel volume with the fixture's window; it has no weights."""
    options = meta.get("options") or meta.get("constructor") or manifest.get("constructor") or {}
    return PixelVolume(int(options.get("ksize", 5)))


def outputs(network: PixelVolume, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The volume.

    Args:
        inputs: ``img``, ``pad``: frames of 8 bits, or values as they are; ``flow`` in pixels.
    """
    img, flow, pad = (_tensor(inputs[name]) for name in ("img", "flow", "pad"))
    return {"volume": network(img, flow, pad)}


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values / 255 * 2 - 1 if values.dtype == np.uint8 else values)
