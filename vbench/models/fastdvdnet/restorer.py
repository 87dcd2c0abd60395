"""FastDVDnet on a clip, as the official test script does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from vbench.errors import InputError
from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.fastdvdnet.sequence import Sequence, pad
from vbench.models.fold import fold_norms
from vbench.models.loading import loaded
from vbench.models.replay import replayed
from vbench.models.spec import ModelSpec
from vbench.restore import ClipMeta, Restorer


class FastDVDnetRestorer:
    """The network with one noise level for the whole clip.

    Frames are reflected at the right and bottom up to multiples of four, windows at the ends of the clip; the output
    is clamped to [0, 1] and cropped. A gray clip is shown in three equal channels and their mean is given (the
    official script cannot read one).

    Args:
        network: in eval mode, where it is to run.
        sigma: standard deviation of the noise, on the scale of 0 to 255; the network was trained for 5 to 55.

    Raises:
        InputError: ``sigma`` is below 0 or above 255.
    """

    def __init__(self, network: FastDVDnet, sigma: float) -> None:
        if not 0 <= sigma <= 255:
            raise InputError(f"The noise level is {sigma}; a standard deviation from 0 to 255 is expected.")
        self._network = network
        self._noise = sigma / 255

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time.

        Raises:
            RunError: a clip of fewer than three frames, or of frames below 3 x 3 pixels.
        """
        sequence: Sequence | None = None
        for chunk in chunks:
            for frame in chunk:
                padded = pad(frame[None].expand(-1, 3, -1, -1))
                if sequence is None:
                    sequence = Sequence(self._network, torch.full_like(padded[:, :1], self._noise), meta.frames)
                for raw in sequence.feed(padded.contiguous(memory_format=torch.channels_last)):
                    out = raw.clamp(0, 1)[..., : meta.height, : meta.width]
                    yield out if meta.channels == 3 else out.mean(dim=1, keepdim=True)


def load_restorer(device: torch.device, weights: Path | None, sigma: float, spec: ModelSpec) -> Restorer:
    """The network with its weights, on ``device``, for noise of standard deviation ``sigma`` (0 to 255).

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    network = loaded(FastDVDnet(), weights, device, spec)
    fold_norms(network)
    replayed(network, "temp1.forward", "second")
    return FastDVDnetRestorer(network.to(memory_format=torch.channels_last), sigma)
