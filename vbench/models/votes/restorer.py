"""VOTES on a clip, as its official test script does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from vbench.models.edvr.net import MULTIPLE
from vbench.models.edvr.restorer import cropped, padded
from vbench.models.edvr.sequence import Window, restore, windows
from vbench.models.loading import loaded
from vbench.models.replay import replayed
from vbench.models.spec import ModelSpec
from vbench.models.votes.bin import FRAMES
from vbench.models.votes.net import VOTES, build
from vbench.models.votes.sequence import Predictions
from vbench.restore import ClipMeta, Restorer


class VOTESRestorer:
    """The network on a window of five around each frame, at the ends filled with frames that are not yet in it.

    The official network takes heights and widths that are multiples of four only; here the last row and column are
    repeated up to them, and the output is cropped. A gray clip is shown in three equal channels and their mean is
    given. What the network makes of one frame's window is scaled by the largest difference in that window alone.

    Args:
        network: in eval mode, where it is to run.
    """

    def __init__(self, network: VOTES) -> None:
        self._network = network

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, two frames behind what came in.

        Raises:
            RunError: a clip of fewer than five frames.
        """
        network = self._network
        frames = (padded(frame, MULTIPLE) for chunk in chunks for frame in chunk)
        shown = windows(meta.frames, FRAMES, "reflection_circle")
        predictions = Predictions(network.bin, shown)

        def merge(window: Window) -> Tensor:
            return network.merge(window.features, window.centre, predictions.centre(window))

        for whole in restore(frames, shown, network.features, merge):
            yield cropped(whole, meta)


def load_restorer(device: torch.device, weights: Path | None, spec: ModelSpec) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    network = loaded(build(), weights, device, spec)
    # Not the alignment: see EDVR's.
    replayed(network, "features", "fusion.forward", "enlarged", "bin.between", "bin.centre")
    return VOTESRestorer(network)
