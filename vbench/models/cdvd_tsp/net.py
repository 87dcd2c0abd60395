"""The network of CDVD-TSP, with the parameter names of the official checkpoints."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError
from vbench.flow.pwcnet.align import Aligned, FlowPWC, align
from vbench.flow.pwcnet.net import Pyramid
from vbench.models.cdvd_tsp.recons import MULTIPLE, ReconsVideo

FRAMES = 5
"""The network sees two frames on either side."""
MEAN = 5
"""Side of the mean filter in front of the sharpness prior, in pixels."""


class Frame(NamedTuple):
    """A frame with what flows from and to it need."""

    image: Tensor
    """``(B, 3, H, W)``, RGB, nominally in [0, 1]."""
    pyramid: Pyramid


class Merged(NamedTuple):
    """What three frames give, and what led to it."""

    image: Tensor
    """``(B, 3, H, W)``, not clamped."""
    prior: Tensor
    """Temporal sharpness prior ``(B, 1, H, W)`` in [0, 1]."""
    left: Aligned
    right: Aligned


class Restored(NamedTuple):
    """What the network gives for five frames; all ``(B, 3, H, W)``, not clamped."""

    recons_1: Tensor
    recons_2: Tensor
    recons_3: Tensor
    out: Tensor
    """The restored centre frame."""


class CDVDTSP(nn.Module):
    """Five frames to the restored centre frame, in two stages of one network.

    Stage 1 restores the three inner frames from their neighbours, aligned by PWC-Net and weighed by how well they
    agree (the temporal sharpness prior); stage 2 restores the centre frame from these three in the same way, with
    flows estimated anew.

    Args:
        n_resblock, n_feat: see :class:`ReconsVideo`.
        is_mask_filter: whether the frames are smoothed in front of the sharpness prior.

    Source: Pan, Bai, Tang, "Cascaded Deep Video Deblurring Using Temporal Sharpness Prior" (CVPR 2020); names as in
    csbhr/CDVD-TSP.

    Example:
        >>> with torch.inference_mode():
        ...     CDVDTSP().eval()(torch.zeros(1, 5, 3, 16, 20)).out.shape
        torch.Size([1, 3, 16, 20])
    """

    def __init__(self, n_resblock: int = 3, n_feat: int = 32, is_mask_filter: bool = True) -> None:
        super().__init__()
        self.smoothed = is_mask_filter
        self.flow_net = FlowPWC()
        self.recons_net = ReconsVideo(n_resblock=n_resblock, n_feat=n_feat)

    def forward(self, x: Tensor) -> Restored:
        """All that the official network returns.

        Args:
            x: ``(B, 5, 3, H, W)``, RGB in [0, 1].

        Raises:
            InputError: other numbers of frames or channels; height or width is no multiple of four.
        """
        if x.dim() != 5 or x.shape[1:3] != (FRAMES, 3):
            raise InputError(f"CDVD-TSP was given {tuple(x.shape)}; it takes (batch, 5, 3, height, width).")
        return restored(self.cascade(x))

    def cascade(self, x: Tensor) -> tuple[Merged, Merged]:
        """Stage 1, its three frames behind each other in one batch, and stage 2; ``x`` as :meth:`forward`."""
        batch = len(x)
        images = x.transpose(0, 1)
        pyramid = [level.unflatten(0, (FRAMES, batch)) for level in self.frame(images.flatten(0, 1)).pyramid]
        frames = [Frame(images[i], tuple(level[i] for level in pyramid)) for i in range(FRAMES)]
        first = self.merge(joined(frames[0:3]), joined(frames[1:4]), joined(frames[2:5]))
        left, centre, right = (self.frame(image) for image in first.image.chunk(3))
        return first, self.merge(left, centre, right)

    def frame(self, image: Tensor) -> Frame:
        """``(B, 3, H, W)``, RGB, with its feature pyramid; it serves every flow from and to the frame.

        Raises:
            InputError: height or width is no multiple of four.
        """
        height, width = image.shape[-2:]
        if height % MULTIPLE or width % MULTIPLE:
            raise InputError(
                f"CDVD-TSP was given frames of {width} x {height} pixels; width and height are to be multiples of "
                f"{MULTIPLE}. Crop or pad them."
            )
        return Frame(image, self.flow_net.pyramid(image))

    def merge(self, left: Frame, centre: Frame, right: Frame) -> Merged:
        """One stage: the centre frame restored from its neighbours and itself."""
        before, behind = self.align(centre, joined([left, right]), 2)
        return self.combine(before, behind, centre.image)

    def align(self, centre: Frame, others: Frame, count: int) -> list[Aligned]:
        """``count`` frames, which ``others`` has behind each other as a batch, each on the grid of the centre frame."""
        height, width = centre.image.shape[2:]
        again = tuple(torch.cat([level] * count) for level in centre.pyramid)
        found = align(others.image, self.flow_net.flow(again, others.pyramid, height, width))
        return [Aligned(*parts) for parts in zip(*(part.chunk(count) for part in found), strict=True)]

    def combine(self, left: Aligned, right: Aligned, centre: Tensor) -> Merged:
        """The centre frame ``(B, 3, H, W)`` restored, its neighbours being aligned with it."""
        prior = sharpness_prior(left, centre, right, self.smoothed)
        image = self.recons_net(torch.cat([left.image, centre, right.image, prior], dim=1))
        return Merged(image, prior, left, right)


def restored(cascade: tuple[Merged, Merged]) -> Restored:
    """The frames of both stages."""
    one, two, three = cascade[0].image.chunk(3)
    return Restored(one, two, three, cascade[1].image)


def joined(frames: list[Frame]) -> Frame:
    """As one batch, behind each other."""
    pyramid = tuple(torch.cat(level) for level in zip(*(frame.pyramid for frame in frames), strict=True))
    return Frame(torch.cat([frame.image for frame in frames]), pyramid)


@torch.no_grad()
def sharpness_prior(left: Aligned, centre: Tensor, right: Aligned, smoothed: bool = True) -> Tensor:
    """How well three frames agree at each pixel: 1 where they are equal, less the further they are apart.

    It is ``exp(-sqrt(D))``, ``D`` the sum over both neighbours and all channels of half the squared difference from
    the centre frame, all smoothed by a 5 x 5 mean with zeros outside; 0 where a neighbour is not valid. No gradient goes
    through it, as officially: of frames that are equal it would be no number.

    Args:
        left, right: the neighbours on the grid of the centre frame.
        centre: ``(B, 3, H, W)``.
        smoothed: whether the mean is taken.

    Returns:
        ``(B, 1, H, W)`` in [0, 1].

    Example:
        >>> one = torch.ones(1, 3, 8, 8)
        >>> same = Aligned(one, torch.zeros(1, 2, 8, 8), one[:, :1])
        >>> sharpness_prior(same, one, same).mean().item()
        1.0
    """
    apart = torch.cat([left.image - centre, right.image - centre], dim=1)
    if smoothed:
        apart = functional.avg_pool2d(apart, MEAN, stride=1, padding=MEAN // 2)
    distance = (apart.square().sum(dim=1, keepdim=True) / 2).sqrt()
    return torch.exp(-distance) * left.mask * right.mask


def build() -> CDVDTSP:
    """The network of the published checkpoints."""
    return CDVDTSP()
