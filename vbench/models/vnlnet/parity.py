"""How the cases of VNLnet's parity fixture go through the network."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.fixtures import make, options, tensor
from vbench.models.vnlnet.net import VNLnet


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> VNLnet:
    """The network of a fixture, gray or colour, by its options."""
    return make(VNLnet, options(manifest, meta))


def outputs(network: VNLnet, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The noise estimate, the denoised frames, and what each layer gives (first frame, three channels).

    Args:
        inputs: ``stack``, ``(B, N * C, H, W)``, of 8 bits or in [0, 1].
    """
    stack = tensor(inputs["stack"], next(network.parameters()))
    seen: dict[str, Tensor] = {}
    hooks = [_watch(layer, f"net.{i}", seen) for i, layer in enumerate(network.net)]
    noise = network(stack)
    for hook in hooks:
        hook.remove()
    return seen | {"noise_estimate": noise, "denoised": network.centre(stack) - noise}


def _watch(layer: nn.Module, name: str, seen: dict[str, Tensor]) -> torch.utils.hooks.RemovableHandle:
    def keep(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen[name] = out[:1, :3].clone()  # the next layer may work in place

    return layer.register_forward_hook(keep)
