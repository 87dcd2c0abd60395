"""How the cases of PWC-Net's parity fixture go through it: the network, frames of any size, or one operation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.errors import InputError
from vbench.fixtures import tensor
from vbench.flow.ops import correlation
from vbench.flow.pwcnet.align import align, gradient, resized, sample, whole_flow
from vbench.flow.pwcnet.net import MULTIPLE, REACH, Backward, Decoder, PWCNet, backward
from vbench.hooks import watch

LEVELS = {2: "Two", 3: "Thr", 4: "Fou", 5: "Fiv", 6: "Six"}


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> PWCNet:
    """The network; it has no options."""
    return PWCNet()


def outputs(network: PWCNet, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """By what the case gives: ``frame_1`` and ``frame_2`` (frames of any size), ``first`` and ``second`` as frames
    (the network and its stages) or as maps (correlation), ``input`` and ``flow`` (features warped), ``x`` and
    ``flow`` (an image warped).

    Raises:
        InputError: it gives something else.
    """
    weight = next(network.parameters())
    given = {name: _tensor(value, weight) for name, value in inputs.items()}
    match sorted(given):
        case ["frame_1", "frame_2"]:
            return _aligned(network, given["frame_1"], given["frame_2"])
        case ["first", "second"] if _are_frames(inputs["first"]):
            return _stages(network, given["first"], given["second"])
        case ["first", "second"]:
            return {"volume": correlation(given["first"], given["second"], REACH)}
        case ["flow", "input"]:
            warped, ones = backward(given["input"], given["flow"])
            return {"output": warped, "ones_channel": ones}
        case ["flow", "x"]:
            found = align(given["x"], given["flow"])
            ones = sample(given["x"], given["flow"])[1]
            return {
                "output": found.image,
                "mask": found.mask.expand_as(found.image),
                "ones": ones.expand_as(found.image),
            }
        case names:
            raise InputError(f"The case gives {', '.join(names)}; no case of PWC-Net is known that does.")


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    """Frames of 8 bits, ``(H, W, 3)``, as ``(1, 3, H, W)`` in [0, 1]; other values as they are."""
    found = tensor(values, like)
    if values.dtype != np.uint8:
        return found
    frames = found[None] if found.dim() == 3 else found
    return frames.permute(0, 3, 1, 2)


def _are_frames(values: NDArray[Any]) -> bool:
    """Whether values are frames, whose sides the network takes, and not maps that are correlated."""
    return values.dtype == np.uint8 or (values.shape[1] == 3 and not any(side % MULTIPLE for side in values.shape[2:]))


def _aligned(network: PWCNet, first: Tensor, second: Tensor) -> dict[str, Tensor]:
    low = network(resized(first), resized(second))
    flow = whole_flow(low, *first.shape[2:])
    found = align(second, flow)
    return {
        "resized_first": resized(first),
        "network_output": low,
        "flow": flow,
        "frame_2_warp": found.image,
        "frame_2_grad_warp": align(gradient(second), flow).image,
        "mask": found.mask.expand_as(found.image),
    }


def _stages(network: PWCNet, first: Tensor, second: Tensor) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}
    hooks = [watch(network.moduleRefiner, "refinement", seen)]
    for level, name in LEVELS.items():
        decoder = network.get_submodule(f"module{name}")
        assert isinstance(decoder, Decoder)  # noqa: S101 - as the constructor makes it
        watched: dict[str, nn.Module | None] = {
            "flow": decoder,
            "upflow": decoder.moduleUpflow,
            "upfeat": decoder.moduleUpfeat,
            "volume": decoder.correlation,
            "warped_second": next((child for child in decoder.children() if isinstance(child, Backward)), None),
        }
        hooks += [watch(m, f"{stage}_level{level}", seen, _first) for stage, m in watched.items() if m is not None]
    out = network(first, second)
    for hook in hooks:
        hook.remove()
    features = network.pyramid(first)
    return seen | {"output": out} | {f"first_level{i}": level for i, level in enumerate(features, 2)}


def _first(out: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """A decoder gives its flow, and features for the next one."""
    return out if isinstance(out, Tensor) else out[0]
