"""How the cases of DnCNN's parity fixture go through the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.models.dncnn.net import DnCNN


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> DnCNN:
    """The network of a fixture, by its number of layers."""
    return DnCNN(int((meta.get("constructor") or manifest["constructor"])["num_of_layers"]))


def outputs(network: DnCNN, inputs: dict[str, NDArray[np.uint8]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The noise estimate, the denoised frames, and what each layer gives (first frame, three channels).

    Args:
        inputs: ``noisy``, uint8 ``(B, H, W)``.
    """
    weight = next(network.parameters())
    noisy = torch.from_numpy(inputs["noisy"])[:, None].to(weight) / 255
    seen: dict[str, Tensor] = {}
    x = noisy
    for i, layer in enumerate(network.dncnn):
        x = layer(x)
        seen[f"dncnn.{i}"] = x[:1, :3].clone()  # the next layer may work in place
    residual = network(noisy)
    denoised = noisy - residual
    return seen | {"residual": residual, "denoised": denoised, "denoised_clamped": denoised.clamp(0, 1)}
