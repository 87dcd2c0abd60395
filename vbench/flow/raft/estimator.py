"""RAFT as an estimator: frames of any size, official weights."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vbench.checkpoint import load_checkpoint
from vbench.devices import full_float32
from vbench.errors import InputError
from vbench.flow.raft.net import RAFT, SMALLEST, STRIDE

ITERATIONS = 24


@lru_cache(maxsize=2)
def load(path: Path, device: str) -> RAFT:
    """The network with the weights of a checkpoint (``raft-sintel.pth``).

    Raises:
        InputError: the file is no checkpoint of RAFT.
    """
    full_float32()
    network = RAFT().eval()
    load_checkpoint(network, path)
    return network.to(device)


def estimate(network: RAFT, first: Tensor, second: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Flow from ``first`` to ``second``.

    Args:
        first, second: ``(B, 3, H, W)``, RGB, 0 to 255, any size from 121 pixels a side; sides are padded to multiples
            of 8 by repeating the edge, as the official demonstration does it, and the flow is cropped again.

    Returns:
        ``(B, H, W, 2)`` in pixels, x then y.

    Raises:
        InputError: frames too small.
    """
    height, width = first.shape[-2:]
    more = (-width % STRIDE, -height % STRIDE)
    if min(height + more[1], width + more[0]) < SMALLEST:
        raise InputError(
            f"RAFT needs frames of at least {SMALLEST} x {SMALLEST} pixels, and these are {width} x {height}."
        )
    left, top = more[0] // 2, more[1] // 2
    around = (left, more[0] - left, top, more[1] - top)
    with torch.inference_mode():
        flow = network(*(functional.pad(x, around, mode="replicate") for x in (first, second)), iterations)
    inner: Tensor = flow[..., top : top + height, left : left + width]
    return inner.permute(0, 2, 3, 1).contiguous()
