"""How the cases of RTN's parity fixture go through the network: a clip with its stages, the spatial parts alone, or
the preparation of frames."""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vbench.errors import InputError, nearest
from vbench.fixtures import fixed, make, options
from vbench.models.rtn.net import CHANNELS, ITERATIONS, RTN, Aggregation, Step
from vbench.models.rtn.prepare import prepare
from vbench.models.rtn.swin import SpatialBlocks

Result = Tensor | NDArray[Any]

STRIDES = {"flow": 2, "mask": 2, "indicator": 2, "aggregated": 4, "feature": 4, "conv": 4}
"""Of some stages every so many rows and columns are stored."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> RTN:
    """The network with the fixture's numbers.

    Raises:
        InputError: options that it does not have.
    """
    given = options(manifest, meta)
    swin = given.pop("swin", None) or {}
    if not isinstance(swin, dict):
        raise InputError(f'"swin" of the fixture is {swin!r}; an object, option to value, was expected.')
    said = {"patch_size": 1, "qkv_bias": True, "patch_norm": True, "ape": False, "resi_connection": "1conv"}
    said |= {"upsampler": "nearest+conv", "in_chans": given.get("num_feat", CHANNELS)}
    fixed(swin, "the spatial part of RTN", **said)
    spatial = {name: value for name, value in swin.items() if name not in said}
    known = set(inspect.signature(SpatialBlocks).parameters) - {"channels"}
    for name in spatial.keys() - known:
        raise InputError(f'The fixture gives the spatial part of RTN the option "{name}". {nearest(name, known)}')
    return make(RTN, given | {"spatial": spatial}, said=("class", "num_block", "raft_iters"))


def outputs(network: RTN, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Result]:
    """A clip (``frames``, ``(T, H, W)`` or ``(T, H, W, 3)``), features (``x``) or images of any other names."""
    weight = next(network.parameters())
    if "x" in inputs:
        x = torch.from_numpy(inputs["x"]).to(weight)
        return {name: network.get_submodule(name)(x) for name in ("forward_resblocks", "backward_resblocks")}
    if "frames" not in inputs:
        return {name: prepare(image) for name, image in inputs.items()}
    clip = _clip(inputs["frames"]).to(weight)
    frames = clip.split(1)
    sights = [network.look(frame) for frame in frames]
    iterations = int(meta.get("iters", ITERATIONS))
    flows = [network.flows(a, b, iterations) for a, b in pairwise(sights)]
    out: dict[str, Result] = {
        "flow_to_previous": torch.cat([flow.to_previous for flow in flows]),
        "flow_to_next": torch.cat([flow.to_next for flow in flows]),
    }
    behind = list(network.backward_pass(frames, flows))[::-1]
    ahead = list(network.forward_pass(frames, flows))
    out |= _stages("backward", behind, len(frames) - 1, network.Backward_Aggregation)
    out |= _stages("forward", ahead, 0, network.Forward_Aggregation)
    mixed: list[Tensor] = []
    hook = network.concate.register_forward_hook(lambda module, given, found: mixed.append(found))
    restored = [network.fuse(f, b.feature, a.feature) for f, b, a in zip(frames, behind, ahead, strict=True)]
    hook.remove()
    # Its fixture says "before the LeakyReLU", but its values are those behind it, 0.1 times the negative ones: the
    # official activation works in place.
    out["concate_conv"] = functional.leaky_relu(torch.cat(mixed), 0.1)
    stages = {name: value[..., :: (n := _stride(name)), ::n] for name, value in out.items()}
    return {**stages, "restored": torch.cat(restored)}


def _clip(stored: NDArray[Any]) -> Tensor:
    """Frames of 8 bits, or in [-1, 1], as ``(T, 3, H, W)`` in [-1, 1]; gray ones in three equal channels."""
    frames = torch.from_numpy((stored / 255 - 0.5) / 0.5 if stored.dtype == np.uint8 else stored)
    return frames[:, None].expand(-1, 3, -1, -1) if frames.dim() == 3 else frames.permute(0, 3, 1, 2)


def _stride(name: str) -> int:
    return next(stride for part, stride in STRIDES.items() if part in name)


def _stages(name: str, steps: list[Step], first: int, aggregation: Aggregation) -> dict[str, Result]:
    """What a pass gives; ``first`` is its first frame, where the official code computes a gate and does not use it."""
    gates, indicators = [], []
    for i, step in enumerate(steps):
        if i == first:
            own = step.aggregated
            nothing = torch.zeros_like(own)
            indicators.append(nothing[:, :1])
            gates.append(aggregation.gate(nothing, own, nothing[:, :1]))
            continue
        assert step.gate is not None and step.indicator is not None  # noqa: S101, PT018 - all but the first have them
        gates.append(step.gate)
        indicators.append(step.indicator)
    return {
        f"mask_{name}": torch.cat(gates),
        f"{name}_indicator": torch.cat(indicators),
        f"{name}_aggregated": torch.cat([step.aggregated for step in steps]),
        f"{name}_feature": torch.cat([step.feature for step in steps]),
    }
