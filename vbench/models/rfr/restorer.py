"""RFR on a clip: the denoiser's weights are loaded afresh, fine-tuned to the clip, and forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vbench.models.dncnn.net import DnCNN
from vbench.models.fastdvdnet.net import MULTIPLE, FastDVDnet
from vbench.models.loading import loaded
from vbench.models.rfr import PASSES
from vbench.models.rfr.adapt import Adaptation, trainable
from vbench.models.rfr.denoisers import Denoiser, FiveFrames, Neighbours, SingleFrame
from vbench.models.spec import ModelSpec
from vbench.models.vnlnet.net import build_colour
from vbench.models.vnlnet.search import PatchSearch
from vbench.restore import ClipMeta, Restorer

Mode = Literal["online", "offline"]
SEED = 0
"""Of the fresh noise and of the order of frames; the official script sets none."""


class Seeded:
    """Normal noise from a generator on the CPU: the same numbers on every device.

    Args:
        sigma: standard deviation, on the scale of 0 to 255.
    """

    def __init__(self, sigma: float) -> None:
        self._scale = sigma / 255
        self._generator = torch.Generator().manual_seed(SEED)

    def __call__(self, like: Tensor) -> Tensor:
        return (torch.randn(like.shape, generator=self._generator) * self._scale).to(like)


class RFRRestorer:
    """A denoiser with weights that are fine-tuned to each clip.

    A denoiser of gray frames takes each channel of a colour clip as a clip of its own, with weights of its own and the
    same random numbers; as long as the channels are equal, one is computed. A denoiser of colour frames is shown a gray
    clip in three equal channels, and their mean is given. Online, a denoiser of single frames needs one frame at a time;
    in all other modes the whole clip is held, as the procedure asks for it twice and more, and of VNLnet where its
    neighbours are.

    Args:
        make: gives the denoiser with its published weights, anew for each clip.
        colours: channels that it takes.
        mode: see :mod:`vbench.models.rfr.adapt`.
        sigma: standard deviation of the noise, on the scale of 0 to 255.
        multiple: heights and widths are reflected up to multiples of this.
    """

    def __init__(self, make: Callable[[], Denoiser], colours: int, mode: Mode, sigma: float, multiple: int = 1) -> None:
        self._make = make
        self._colours = colours
        self._mode = mode
        self._sigma = sigma
        self._multiple = multiple

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time."""
        first = self._adaptation()
        frames = (frame[None] for chunk in chunks for frame in chunk)
        if self._mode == "online" and first.alone:
            planes = [first]
            for frame in frames:
                parts = self._split(frame)
                if len(planes) == 1 and _differ(parts):
                    # Up to here all channels were the same, and so is what was learnt from them.
                    with trainable(False):
                        planes += [deepcopy(first) for _ in parts[1:]]
                out = torch.cat([p.online_frame(part) for p, part in zip(planes, parts, strict=False)], dim=1)
                yield out.expand(-1, meta.channels, -1, -1)
            return
        clips = list(zip(*(self._split(frame) for frame in frames), strict=True))
        if not any(_differ(parts) for parts in zip(*clips, strict=True)):
            clips = clips[:1]
        whole = [self._whole(self._adaptation() if i else first, list(clip)) for i, clip in enumerate(clips)]
        for parts in zip(*whole, strict=True):
            out = torch.cat(parts, dim=1)[..., : meta.height, : meta.width]
            if meta.channels < out.shape[1]:
                out = out.mean(dim=1, keepdim=True)
            yield out.expand(-1, meta.channels, -1, -1)

    def _adaptation(self) -> Adaptation:
        with trainable(False):
            return Adaptation(self._make(), Seeded(self._sigma))

    def _split(self, frame: Tensor) -> Sequence[Tensor]:
        height, width = frame.shape[2:]
        bottom, right = -height % self._multiple, -width % self._multiple
        if bottom or right:
            frame = functional.pad(frame, (0, right, 0, bottom), mode="reflect")
        return frame.split(1, dim=1) if self._colours == 1 else [frame.expand(-1, self._colours, -1, -1)]

    def _whole(self, adaptation: Adaptation, clip: list[Tensor]) -> Iterator[Tensor]:
        if self._mode == "online":
            yield from adaptation.online_clip(clip)
            return
        orders = np.random.default_rng(SEED)
        shown = adaptation.shown(clip)
        for _ in adaptation.offline(shown, (orders.permutation(len(clip)).tolist() for _ in range(PASSES))):
            pass
        yield from adaptation.all_restored(shown)


def _differ(parts: Sequence[Tensor]) -> bool:
    """Whether any differs from the first."""
    return any(bool((part != parts[0]).any()) for part in parts[1:])


def load_restorer(
    net: Literal["dncnn", "fastdvdnet", "vnlnet"],
    mode: Mode,
    device: torch.device,
    weights: Path | None,
    sigma: float,
    spec: ModelSpec,
) -> Restorer:
    """RFR on a denoiser with its weights, on ``device``, for noise of standard deviation ``sigma`` (0 to 255).

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """

    def make() -> Denoiser:
        if net == "dncnn":
            return SingleFrame(loaded(DnCNN(17), weights, device, spec))
        if net == "fastdvdnet":
            return FiveFrames(loaded(FastDVDnet(), weights, device, spec), sigma)
        return Neighbours(loaded(build_colour(), weights, device, spec), PatchSearch().to(device))

    make()  # a file that does not fit is told before the first clip
    return RFRRestorer(make, 1 if net == "dncnn" else 3, mode, sigma, MULTIPLE if net == "fastdvdnet" else 1)
