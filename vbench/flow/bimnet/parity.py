"""How the cases of BIMNet's parity fixture go through the network: a pair, whole frames, or one operation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.errors import InputError
from vbench.fixtures import tensor
from vbench.flow.bimnet.net import REACH, BIMNet, crop, whole_flow
from vbench.flow.ops import correlation, warp
from vbench.hooks import watch

FEATURES_KEPT = (2, 4, 8, 16, 128, 192)
"""Channels that are stored of each level of the feature pyramid."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> BIMNet:
    """The network; it has no options."""
    return BIMNet()


def outputs(network: BIMNet, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """By what the case gives: ``tensorFirst`` and ``tensorSecond`` (all stages), ``current`` and ``previous`` (frames
    of any size), ``input`` and ``flow`` (warp), ``first`` and ``second`` (correlation).

    Raises:
        InputError: it gives something else.
    """
    weight = next(network.parameters())
    given = {name: tensor(value, weight) for name, value in inputs.items()}
    match sorted(given):
        case ["tensorFirst", "tensorSecond"]:
            return _stages(network, given["tensorFirst"], given["tensorSecond"])
        case ["current", "previous"]:
            current, previous = given["current"], given["previous"]
            low = network(crop(current), crop(previous))
            return {"flow_low": low, "flow": whole_flow(low, *current.shape[2:])}
        case ["flow", "input"]:
            return {"warped": warp(given["input"], given["flow"])}
        case ["first", "second"]:
            return {f"stride{s}": correlation(given["first"], given["second"], REACH, s) for s in (1, 2)}
        case names:
            raise InputError(f"The case gives {', '.join(names)}; no case of BIMNet is known that does.")


def _stages(network: BIMNet, first: Tensor, second: Tensor) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}
    parts: dict[str, Iterable[nn.Module]] = {
        "matching": network.moduleMatching,
        "subpixel": network.moduleSubpixel,
        "regularization": network.moduleRegularization,
        "correlation": [stage.get_submodule("correlation") for stage in network.moduleMatching],
    }
    hooks = [watch(stage, f"level{i + 2}_{name}", seen) for name, part in parts.items() for i, stage in enumerate(part)]
    seen["flow"] = network(first, second)
    for hook in hooks:
        hook.remove()
    for level in (2, 3):
        seen[f"level{level}_correlation"] = seen[f"level{level}_correlation"][:, ::6]
    features = network.pyramid(first).features
    kept = zip(features, FEATURES_KEPT, strict=True)
    return seen | {f"first_features_level{i}": level[:, :n] for i, (level, n) in enumerate(kept, 1)}
