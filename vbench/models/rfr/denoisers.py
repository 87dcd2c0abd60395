"""The three denoisers that RFR fine-tunes, as its official code wires them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from vbench.models.dncnn.net import DnCNN
from vbench.models.fastdvdnet.net import FastDVDnet, check
from vbench.models.fastdvdnet.sequence import Sequence as Shared
from vbench.models.fastdvdnet.sequence import windows
from vbench.models.vnlnet.neighbours import Searched
from vbench.models.vnlnet.net import VNLnet
from vbench.models.vnlnet.search import PatchSearch


@dataclass(frozen=True)
class Shown:
    """A clip as a denoiser is shown it."""

    frames: Sequence[Tensor]
    """Each ``(1, C, H, W)``."""
    stack: Callable[[int], Tensor]
    """What the network takes for a frame, by its place: ``(1, K, H, W)``."""

    def stacks(self) -> Iterator[Tensor]:
        """That for all frames, in order."""
        return map(self.stack, range(len(self.frames)))


class Denoiser(Protocol):
    """A network, and what it takes of a clip."""

    @property
    def network(self) -> nn.Module:
        """What is fine-tuned."""
        ...

    @property
    def alone(self) -> bool:
        """Whether a frame is denoised without its neighbours."""
        ...

    def shown(self, frames: Sequence[Tensor]) -> Shown:
        """A clip of frames ``(1, C, H, W)``; what takes long is done here, and once."""
        ...

    def denoise(self, stack: Tensor) -> Tensor:
        """``(B, K, H, W)`` to the denoised frames ``(B, C, H, W)``, not clamped."""
        ...

    def denoise_all(self, shown: Shown) -> Iterator[Tensor]:
        """All frames of a clip in order, with the weights as they are: what windows share is computed once."""
        ...


class SingleFrame:
    """DnCNN: gray frames, each alone."""

    alone = True

    def __init__(self, network: DnCNN) -> None:
        self.network = network

    def shown(self, frames: Sequence[Tensor]) -> Shown:
        """The frames themselves."""
        return Shown(frames, frames.__getitem__)

    def denoise(self, stack: Tensor) -> Tensor:
        """See :class:`Denoiser`."""
        noise: Tensor = self.network.dncnn(stack)
        return stack - noise

    def denoise_all(self, shown: Shown) -> Iterator[Tensor]:
        """See :class:`Denoiser`."""
        return map(self.denoise, shown.stacks())


class FiveFrames:
    """FastDVDnet: five neighbouring frames behind each other, with a constant noise map.

    The official wrapper takes heights and widths that are multiples of four and does not pad.

    Args:
        sigma: standard deviation of the noise, on the scale of 0 to 255.
    """

    alone = False

    def __init__(self, network: FastDVDnet, sigma: float) -> None:
        self.network = network
        self._noise = sigma / 255

    def shown(self, frames: Sequence[Tensor]) -> Shown:
        """Windows reflected at the ends of the clip, the end frame not repeated."""
        places = windows(len(frames))
        return Shown(frames, lambda t: torch.cat([frames[i] for i in places[t]], dim=1))

    def denoise(self, stack: Tensor) -> Tensor:
        """See :class:`Denoiser`."""
        found: Tensor = self.network(stack, self._map(stack))
        return found

    def denoise_all(self, shown: Shown) -> Iterator[Tensor]:
        """See :class:`Denoiser`: two blocks for a frame in place of four."""
        noise_map = self._map(shown.frames[0])
        check(shown.stack(0), noise_map)
        sequence = Shared(self.network, noise_map, len(shown.frames))
        for frame in shown.frames:
            yield from sequence.feed(frame)

    def _map(self, like: Tensor) -> Tensor:
        return torch.full_like(like[:, :1], self._noise)


class Neighbours:
    """VNLnet: for each pixel the neighbours that a search found in 15 frames.

    The official loader keeps clips in single precision: searched and gathered values are rounded to it. The clip is
    continued beyond its ends as it was meant to be, without the slip of VNLnet's own test script.

    Args:
        network: gray or colour; officially colour.
        search: on its device.
    """

    alone = False

    def __init__(self, network: VNLnet, search: PatchSearch) -> None:
        self.network = network
        self._search = search

    def shown(self, frames: Sequence[Tensor]) -> Shown:
        """Searched here; each search serves both of two frames that look at each other."""
        searched = Searched([frame.float() for frame in frames], self._search, "repaired")
        return Shown(frames, lambda t: searched.stack(t).to(frames[t]))

    def denoise(self, stack: Tensor) -> Tensor:
        """See :class:`Denoiser`."""
        noise: Tensor = self.network(stack)
        return self.network.centre(stack) - noise

    def denoise_all(self, shown: Shown) -> Iterator[Tensor]:
        """See :class:`Denoiser`."""
        return map(self.denoise, shown.stacks())
