"""PVDNet on a clip, as the official evaluation does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vbench.flow.bimnet.net import SMALLEST
from vbench.models.loading import loaded
from vbench.models.pvdnet.net import MULTIPLE, PVDNet, build, build_large
from vbench.models.pvdnet.sequence import steps
from vbench.models.replay import replayed
from vbench.models.spec import ModelSpec
from vbench.restore import ClipMeta, Restorer


class PVDNetRestorer:
    """The network in its loop over the clip, from a state that is the first blurred frame.

    The official evaluation crops frames to multiples of four; here their last row and column are repeated up to
    multiples of four and at least 64, and the output is cropped to the size given. A gray clip is shown in three equal
    channels and their mean is given.

    Args:
        network: in eval mode, where it is to run.
    """

    def __init__(self, network: PVDNet) -> None:
        self._network = network

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, one frame behind what came in."""
        frames = (_padded(frame[None].expand(-1, 3, -1, -1)) * 2 - 1 for chunk in chunks for frame in chunk)
        for step in steps(self._network, frames):
            out = (step.restored[..., : meta.height, : meta.width] + 1) / 2
            yield out if meta.channels == 3 else out.mean(dim=1, keepdim=True)


def _padded(frames: Tensor) -> Tensor:
    """``(1, 3, H, W)`` with its last row and column repeated up to a size that the network takes."""
    height, width = frames.shape[2:]
    tall, wide = (max(SMALLEST, size + -size % MULTIPLE) for size in (height, width))
    return functional.pad(frames, (0, wide - width, 0, tall - height), mode="replicate")


def load_restorer(device: torch.device, weights: Path | None, large: bool, spec: ModelSpec) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    network = loaded(build_large() if large else build(), weights, device, spec)
    replayed(network, "pyramid", "BIMNet.between", "restore")
    return PVDNetRestorer(network)
