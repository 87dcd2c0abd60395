"""How the cases of DnCNN's parity fixture go through the network."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from vbench.fixtures import make, options, tensor
from vbench.models.dncnn.net import DnCNN


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> DnCNN:
    """The network of a fixture, by its numbers of layers and channels."""
    return make(DnCNN, options(manifest, meta), layers="num_of_layers")


def outputs(network: DnCNN, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The noise estimate, the denoised frames, and what each layer gives (first frame, three channels).

    Args:
        inputs: ``noisy``, ``(B, H, W)`` or ``(B, C, H, W)``, of 8 bits or in [0, 1].
    """
    weight = next(network.parameters())
    noisy = tensor(inputs["noisy"], weight)
    noisy = noisy[:, None] if noisy.dim() == 3 else noisy
    seen: dict[str, Tensor] = {}
    x = noisy
    for i, layer in enumerate(network.dncnn):
        x = layer(x)
        seen[f"dncnn.{i}"] = x[:1, :3].clone()  # the next layer may work in place
    residual = network(noisy)
    denoised = noisy - residual
    return seen | {"residual": residual, "denoised": denoised, "denoised_clamped": denoised.clamp(0, 1)}
