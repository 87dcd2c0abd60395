"""RTN on a clip, as the official test script does it, at the clip's own size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vbench.errors import RunError
from vbench.models.loading import loaded
from vbench.models.replay import replayed
from vbench.models.rtn.net import MULTIPLE, RTN, SMALLEST, Flows, Sight
from vbench.models.rtn.prepare import luma_of
from vbench.models.spec import ModelSpec
from vbench.restore import ClipMeta, Restorer

LENGTH = 20
"""Frames that the network sees together, as the official README runs it."""
STRIDE = 10
"""From the start of one such part to the next."""


def parts(count: int) -> list[tuple[int, int, int]]:
    """How a clip is cut: where each part starts and ends, and the first frame that is kept of it.

    Parts overlap by half. The first is kept whole; of the others the frames that are repeated only serve as the past.
    The last frames of each part are restored without their future, as officially.

    Example:
        >>> parts(25)
        [(0, 20, 0), (10, 25, 20)]
        >>> parts(20), parts(2)
        ([(0, 20, 0)], [(0, 2, 0)])
    """
    out = [(0, min(LENGTH, count), 0)]
    while out[-1][1] < count:
        start, end = out[-1][0] + STRIDE, out[-1][1]
        out.append((start, min(start + LENGTH, count), end))
    return out


class RTNRestorer:
    """The network on overlapping parts of 20 frames.

    Frames are shown as the official script shows them: 8-bit luma in three equal channels; so a colour clip comes out
    nearly gray. The official script stretches frames to a short side of 368 pixels; here they keep their size, and
    their last row and column are repeated up to multiples of 16 and at least 128.

    A flow is computed once, though two parts may need it. The pass forward in time starts anew with each part, and the one
    backward at its last frame, so states are not shared; the latter ends at the first frame that is kept. Memory does not
    grow with the length of the clip.

    Args:
        network: in eval mode, where it is to run.
    """

    def __init__(self, network: RTN) -> None:
        self._network = network

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """A part at a time.

        Raises:
            RunError: a clip of one frame.
        """
        if meta.frames < 2:
            raise RunError("RTN was given a clip of one frame; it takes at least two, as its official code.")
        coming = (_shown(frame[None]) for chunk in chunks for frame in chunk)
        held: dict[int, Tensor] = {}
        flows: dict[int, Flows] = {}
        last: Sight | None = None
        for start, end, kept in parts(meta.frames):
            for i in [i for i in held if i < start]:
                del held[i]
                flows.pop(i, None)
            while (newest := max(held, default=-1)) < end - 1:
                held[newest + 1] = next(coming)
                sight = self._network.look(held[newest + 1])
                if last is not None:
                    flows[newest] = self._network.flows(last, sight)
                last = sight
            frames = [held[i] for i in range(start, end)]
            for frame in self._network.restore(frames, [flows[i] for i in range(start, end - 1)], kept - start):
                out = (frame[..., : meta.height, : meta.width] + 1) / 2
                yield out if meta.channels == 3 else out.mean(dim=1, keepdim=True)


def _shown(frame: Tensor) -> Tensor:
    """``(1, C, H, W)`` in [0, 1] as the network takes it: gray, on the scale of -1 to 1, padded."""
    # On shapes alone too (`vbench.multiply_adds`), so in PyTorch.
    levels = frame.mul(255.0).add(0.5).clamp(0.0, 255.5).to(torch.uint8)
    values = (luma_of(levels) if frame.shape[1] == 3 else levels).to(frame.dtype)
    height, width = frame.shape[2:]
    tall, wide = (max(SMALLEST, side + -side % MULTIPLE) for side in (height, width))
    padded = functional.pad((values / 255 - 0.5) / 0.5, (0, wide - width, 0, tall - height), mode="replicate")
    return padded.expand(-1, 3, -1, -1)


def load_restorer(device: torch.device, weights: Path | None, spec: ModelSpec) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    network = loaded(RTN(), weights, device, spec)
    replayed(network, "look", "flows", "fuse", "backward_resblocks.forward", "forward_resblocks.forward")
    return RTNRestorer(network)
