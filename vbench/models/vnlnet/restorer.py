"""VNLnet on a clip, as the official test script does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from vbench.models.fold import fold_norms
from vbench.models.loading import loaded
from vbench.models.spec import ModelSpec
from vbench.models.vnlnet.neighbours import Ends, Neighbourhood
from vbench.models.vnlnet.net import VNLnet
from vbench.models.vnlnet.search import PatchSearch
from vbench.restore import ClipMeta, Restorer


class VNLnetRestorer:
    """The network, the search in front of it, and what a clip needs around them.

    Each frame is restored from its stack of neighbours and clamped to [0, 1]. The gray network takes the channels of
    a colour clip one by one, as gray clips; as long as they are equal, one is computed. The colour network is shown
    a gray clip in three equal channels, as the official script reads it, and their mean is given.

    Memory does not grow with the length of the clip if its ends are "repaired". The published script shows the first
    frame the eighth from the last, so nothing can come out before that one has gone in, and what is restored waits.

    Args:
        network: in eval mode, where it is to run.
        search: on the same device.
        ends: how the clip is continued beyond its ends, see `vbench.models.vnlnet.neighbours.sources`.
    """

    def __init__(self, network: VNLnet, search: PatchSearch, ends: Ends = "published") -> None:
        self._network = network
        self._search = search
        self._ends = ends

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time.

        Raises:
            RunError: a clip of fewer than eight frames.
        """
        waiting: dict[int, Tensor] = {}
        due = 0
        for index, out in self._out_of_order(chunks, meta):
            waiting[index] = out
            while due in waiting:
                yield waiting.pop(due)
                due += 1

    def _out_of_order(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[tuple[int, Tensor]]:
        planes = [Neighbourhood(meta.frames, self._search, self._ends)]
        for chunk in chunks:
            for frame in chunk:
                if self._network.colours == 3:
                    shown = [frame.expand(3, -1, -1)[None]]
                else:
                    if len(planes) == 1 and bool((frame != frame[:1]).any()):
                        # Up to here all channels were the same, and so is what was made of them.
                        planes += [planes[0].copy() for _ in frame[1:]]
                    shown = list(frame[None].split(1, dim=1))
                stacks = [plane.feed(part) for plane, part in zip(planes, shown, strict=False)]
                for parts in zip(*stacks, strict=True):
                    out = torch.cat([self._denoise(stack) for _, stack in parts], dim=1)
                    if meta.channels == 1:
                        out = out.mean(dim=1, keepdim=True)
                    yield parts[0][0], out.expand(-1, meta.channels, -1, -1)

    def _denoise(self, stack: Tensor) -> Tensor:
        noise: Tensor = self._network(stack.contiguous(memory_format=torch.channels_last))
        return (self._network.centre(stack) - noise).clamp(0, 1)


def load_restorer(
    network: VNLnet, device: torch.device, weights: Path | None, spec: ModelSpec, ends: Ends = "published"
) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    network = loaded(network, weights, device, spec)
    fold_norms(network)
    return VNLnetRestorer(network.to(memory_format=torch.channels_last), PatchSearch().to(device), ends)
