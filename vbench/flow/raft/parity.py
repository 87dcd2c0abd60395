"""How the cases of RAFT's parity fixture go through the network."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.fixtures import fixed, options
from vbench.flow.raft.net import RAFT

SLICES = {"fmap1": 2, "fmap2": 2, "corr_last": 4, "up_mask": 8, "hidden_after": 2}
"""Of some outputs every so many channels are stored."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> RAFT:
    """The network; there is one size of it here.

    Raises:
        InputError: a fixture of another one.
    """
    fixed(options(manifest, meta), "RAFT", small=False, corr_levels=4, corr_radius=4, hidden_dim=128, context_dim=128)
    return RAFT()


def outputs(network: RAFT, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """Flows, and what the network holds on the way.

    Args:
        inputs: ``image1`` and ``image2``, uint8 ``(N, H, W, 3)``, or gray ``(N, H, W)``.
    """
    weight = next(network.parameters())
    first, second = (_frames(inputs[name]).to(weight) for name in ("image1", "image2"))
    iterations = int(meta["iters"])
    states = list(network.refine(first, second, iterations))
    maps = network.features(first, second)
    hidden, context = network.start(first)
    last = states[-1]
    return {
        "flow": network.enlarge(last),
        "flow_after_iter1": network.enlarge(states[0]),
        "flow_lowres": last.flow,
        "delta_flow": torch.cat([state.step for state in states]),
        "fmap1": maps[0][:, :: SLICES["fmap1"]],
        "fmap2": maps[1][:, :: SLICES["fmap2"]],
        "hidden_init": hidden,
        "context": context,
        "corr_iter1": states[0].correlation,
        f"corr_iter{iterations}": last.correlation[:, :: SLICES["corr_last"]],
        f"up_mask_iter{iterations}": network.mask(last)[:, :: SLICES["up_mask"]],
        f"hidden_after_iter{iterations}": last.hidden[:, :: SLICES["hidden_after"]],
    }


def _frames(stored: NDArray[Any]) -> Tensor:
    frames = torch.from_numpy(stored)  # 0 to 255, as the network takes them
    if frames.ndim == 3:
        return frames[:, None].expand(-1, 3, -1, -1)
    return frames.permute(0, 3, 1, 2)
