"""EDVR on a clip, as BasicSR's test script does it, where the output has the size of the input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vbench.checkpoint import load_checkpoint
from vbench.devices import full_float32
from vbench.errors import MissingWeights
from vbench.models.edvr.align import Features
from vbench.models.edvr.net import EDVR, build_deblur
from vbench.models.edvr.sequence import restore, windows
from vbench.models.spec import ModelSpec
from vbench.restore import ClipMeta, Restorer


class EDVRRestorer:
    """The network on a window around each frame; at the ends of the clip the end frame is shown again.

    The official network takes heights and widths that are multiples of 16 only; here the last row and column are
    repeated up to them, and the output is cropped. A gray clip is shown in three equal channels and their mean is
    given.

    Args:
        network: in eval mode, where it is to run; one that takes frames of the output's size.
    """

    def __init__(self, network: EDVR) -> None:
        self._network = network

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, two frames behind what came in."""
        network = self._network
        frames = (self._padded(frame[None].expand(-1, 3, -1, -1)) for chunk in chunks for frame in chunk)

        def merge(features: Features, window: Tensor) -> Tensor:
            return network.merge(features, window[:, network.centre])

        shown = windows(meta.frames, network.frames, "replicate")
        for whole in restore(frames, shown, network.features, merge):
            out = whole[..., : meta.height, : meta.width]
            yield out if meta.channels == 3 else out.mean(dim=1, keepdim=True)

    def _padded(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[2:]
        multiple = self._network.multiple
        return functional.pad(frames, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def load_restorer(device: torch.device, weights: Path | None, spec: ModelSpec) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    if weights is None:
        raise MissingWeights(spec.missing_text())
    full_float32()
    network = build_deblur()
    load_checkpoint(network, weights)
    return EDVRRestorer(network.eval().to(device))
