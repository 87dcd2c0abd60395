"""How the cases of VOTES's parity fixture go through the network, with all stages that are stored."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.fixtures import make, options
from vbench.models.edvr.align import act
from vbench.models.edvr.net import enlarge
from vbench.models.edvr.parity import Watch, frames_of
from vbench.models.votes.bin import FRAMES
from vbench.models.votes.bin_parity import ROUNDING, allowed, map_outputs
from vbench.models.votes.bin_parity import decided as bin_decided
from vbench.models.votes.net import VOTES

__all__ = ["ROUNDING", "allowed", "build", "decided", "outputs"]


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> VOTES:
    """The network with the fixture's options."""
    return make(VOTES, options(manifest, meta))


def decided(network: VOTES, exact: VOTES) -> VOTES:
    """A network of float32 with the predictions of one of float64, which say what is rounded to what."""
    network.bin = bin_decided(network.bin, exact.bin)  # type: ignore[assignment]  # called as BIN is
    return network


def outputs(network: VOTES, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The restored frame, and what led to it.

    Args:
        inputs: ``frames``, ``(T, H, W, 3)`` or ``(B, T, H, W, 3)``.
    """
    x = frames_of(inputs["frames"], next(network.parameters()))
    centre = x[:, FRAMES // 2]
    masks: list[Tensor] = []
    stages: list[Tensor] = []
    predicted: list[Tensor] = []

    def after_mask(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        masks.append(act(out[:, 0]))

    def before_step(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        stages.append(given[0][:, 0])

    def after_bin(module: nn.Module, given: tuple[Tensor, ...], out: tuple[Tensor, ...]) -> None:
        predicted.extend(out)

    fusion = network.fusion
    hooks = [module.register_forward_hook(after_mask) for module in fusion.mask_modulation_l]
    # What goes into a step is what the step before gave; the first is given the fused frames.
    hooks += [module.register_forward_pre_hook(before_step) for module in (*fusion.feat_cas_l, fusion.fusion)]
    hooks.append(network.bin.register_forward_hook(after_bin))
    watch = Watch(network, len(x), FRAMES, FRAMES // 2)
    out = network(x)
    watch.close()
    for hook in hooks:
        hook.remove()
    return (
        watch.seen
        | map_outputs(centre, predicted[2])
        | {
            "bin_stage1": torch.stack(predicted[:2], dim=1),
            "bin_center": predicted[2],
            "mod_feats": torch.stack(masks, dim=1),
            "stage_feats": torch.stack(stages[1:], dim=1),
            "residual": out - enlarge(centre, network.scale),
            "out": out,
        }
    )
