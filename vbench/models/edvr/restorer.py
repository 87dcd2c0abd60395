"""EDVR on a clip, as BasicSR's test script does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vbench.models.edvr.net import EDVR
from vbench.models.edvr.sequence import Ends, Window, restore, windows
from vbench.models.loading import loaded
from vbench.models.replay import replayed
from vbench.models.spec import ModelSpec
from vbench.restore import ClipMeta, Restorer


class EDVRRestorer:
    """The network on a window around each frame, the clip continued beyond its ends as `windows` says.

    The official network takes heights and widths that are multiples of 4 only (of 16 where the output has the input's
    size); here the last row and column are repeated up to them, and the output is cropped. A gray clip is shown in
    three equal channels and their mean is given.

    Args:
        network: in eval mode, where it is to run.
        ends: how the clip is continued, see `vbench.models.edvr.sequence.windows`.
    """

    def __init__(self, network: EDVR, ends: Ends = "replicate") -> None:
        self._network = network
        self._ends = ends

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, half a window behind what came in.

        Raises:
            RunError: a clip shorter than a window, where its ends are filled from inside it.
        """
        network = self._network
        frames = (padded(frame, network.multiple) for chunk in chunks for frame in chunk)

        def merge(window: Window) -> Tensor:
            return network.merge(window.features, window.centre, window.places)

        shown = windows(meta.frames, network.frames, self._ends)
        for whole in restore(frames, shown, network.features, merge):
            yield cropped(whole, meta)


def padded(frame: Tensor, multiple: int) -> Tensor:
    """A frame ``(C, H, W)`` as ``(1, 3, H, W)``, its last row and column repeated up to a multiple."""
    height, width = frame.shape[1:]
    shown = frame[None].expand(-1, 3, -1, -1)
    return functional.pad(shown, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def cropped(whole: Tensor, meta: ClipMeta) -> Tensor:
    """``(1, 3, H, W)`` as the clip asks for it: its size, enlarged, and its channels."""
    height, width = meta.size
    out = whole[..., :height, :width]
    return out if meta.channels == 3 else out.mean(dim=1, keepdim=True)


def load_restorer(
    network: EDVR, device: torch.device, weights: Path | None, spec: ModelSpec, ends: Ends = "replicate"
) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    ready = loaded(network, weights, device, spec)
    # Not the alignment: where torchvision's deformable convolution was recorded, replays came out otherwise.
    replayed(ready, "features", "fusion.forward", "enlarged")
    return EDVRRestorer(ready, ends)
