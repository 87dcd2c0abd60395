"""The three denoisers that RFR fine-tunes, as its official code wires them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from vbench.models.dncnn.net import DnCNN
from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.fastdvdnet.sequence import windows
from vbench.models.vnlnet.neighbours import Neighbourhood, stack_of
from vbench.models.vnlnet.net import VNLnet
from vbench.models.vnlnet.search import PatchSearch


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

    def stack(self, frames: Sequence[Tensor], t: int) -> Tensor:
        """What the network takes for frame ``t`` of a clip of frames ``(1, C, H, W)``: ``(1, K, H, W)``."""
        ...

    def stacks(self, frames: Sequence[Tensor]) -> Iterator[Tensor]:
        """That for all frames, in order."""
        ...

    def denoise(self, stack: Tensor) -> Tensor:
        """``(B, K, H, W)`` to the denoised frames ``(B, C, H, W)``, not clamped."""
        ...


class SingleFrame:
    """DnCNN: gray frames, each alone."""

    alone = True

    def __init__(self, network: DnCNN) -> None:
        self.network = network

    def stack(self, frames: Sequence[Tensor], t: int) -> Tensor:
        """The frame itself."""
        return frames[t]

    def stacks(self, frames: Sequence[Tensor]) -> Iterator[Tensor]:
        """The frames themselves."""
        return iter(frames)

    def denoise(self, stack: Tensor) -> Tensor:
        """See :class:`Denoiser`."""
        noise: Tensor = self.network.dncnn(stack)
        return stack - noise


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

    def stack(self, frames: Sequence[Tensor], t: int) -> Tensor:
        """Reflected at the ends of the clip, the end frame not repeated."""
        return torch.cat([frames[i] for i in windows(len(frames))[t]], dim=1)

    def stacks(self, frames: Sequence[Tensor]) -> Iterator[Tensor]:
        """See :class:`Denoiser`."""
        for window in windows(len(frames)):
            yield torch.cat([frames[i] for i in window], dim=1)

    def denoise(self, stack: Tensor) -> Tensor:
        """See :class:`Denoiser`."""
        found: Tensor = self.network(stack, torch.full_like(stack[:, :1], self._noise))
        return found


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

    def stack(self, frames: Sequence[Tensor], t: int) -> Tensor:
        """Searched for this frame alone."""
        single = [frame.float() for frame in frames]
        return stack_of(single, t, self._search, "repaired").to(frames[t])

    def stacks(self, frames: Sequence[Tensor]) -> Iterator[Tensor]:
        """Each search serves both of two frames that look at each other."""
        neighbourhood = Neighbourhood(len(frames), self._search, "repaired")
        waiting: dict[int, Tensor] = {}
        due = 0
        for frame in frames:
            waiting.update(neighbourhood.feed(frame.float()))
            while due in waiting:
                yield waiting.pop(due).to(frames[due])
                due += 1

    def denoise(self, stack: Tensor) -> Tensor:
        """See :class:`Denoiser`."""
        noise: Tensor = self.network(stack)
        return self.network.centre(stack) - noise
