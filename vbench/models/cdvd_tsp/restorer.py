"""CDVD-TSP on a clip, as the official inference script does it with its option ``--border``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vbench.models.cdvd_tsp.net import CDVDTSP
from vbench.models.cdvd_tsp.recons import MULTIPLE
from vbench.models.cdvd_tsp.sequence import restore
from vbench.models.loading import loaded
from vbench.models.replay import replayed
from vbench.models.spec import ModelSpec
from vbench.restore import ClipMeta, Restorer


class CDVDTSPRestorer:
    """The network on windows of five frames, the first and last two frames restored too.

    The official script crops frames to multiples of four; here their last row and column are repeated up to them, and
    the output is cropped to the size given. A gray clip is shown in three equal channels and their mean is given.

    Args:
        network: in eval mode, where it is to run.
    """

    def __init__(self, network: CDVDTSP) -> None:
        self._network = network

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, two frames behind what came in.

        Raises:
            RunError: a clip of one frame.
        """
        frames = (_padded(frame[None].expand(-1, 3, -1, -1)) for chunk in chunks for frame in chunk)
        for whole in restore(self._network, frames, meta.frames):
            out = whole[..., : meta.height, : meta.width]
            yield out if meta.channels == 3 else out.mean(dim=1, keepdim=True)


def _padded(frames: Tensor) -> Tensor:
    """``(1, 3, H, W)`` with its last row and column repeated up to multiples of four."""
    height, width = frames.shape[2:]
    return functional.pad(frames, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")


def load_restorer(device: torch.device, weights: Path | None, spec: ModelSpec) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    network = loaded(CDVDTSP(), weights, device, spec)
    replayed(network, "frame", "align", "combine", "merge")
    return CDVDTSPRestorer(network)
