"""How the case of the reconstruction network's parity fixture goes through it."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.fixtures import fixed, make, options, tensor
from vbench.models.cdvd_tsp.recons import ReconsVideo


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> ReconsVideo:
    """The network with the fixture's numbers of frames, channels and blocks."""
    given = options(manifest, meta)
    fixed(given, "the reconstruction network", feat_in=False)
    return make(ReconsVideo, given, said=("feat_in", "module"))


def outputs(network: ReconsVideo, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The restored frame, and the first channels of each part's output.

    Args:
        inputs: ``frames``, ``(B, T, H, W, C)``; ``prior``, ``(B, 1, H, W)``, which the network may do without.
    """
    weight = next(network.parameters())
    frames = tensor(inputs["frames"], weight).permute(0, 1, 4, 2, 3).flatten(1, 2)
    seen: dict[str, Tensor] = {}
    hooks = [_watch(part, name, seen) for name, part in network.named_children()]
    beside = [tensor(inputs["prior"], weight)] if "prior" in inputs else []
    seen["output"] = network(torch.cat([frames, *beside], dim=1))
    for hook in hooks:
        hook.remove()
    return seen


def _watch(part: nn.Module, name: str, seen: dict[str, Tensor]) -> torch.utils.hooks.RemovableHandle:
    """Keep what a part gives: its first channels, however many."""

    def keep(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen.update({f"{name}_ch0to{n - 1}": out[:, :n] for n in range(1, out.shape[1] + 1)})

    return part.register_forward_hook(keep)
