"""PWC-Net on frames of any size, and a frame warped to another one's grid, as CDVD-TSP has them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError
from vbench.flow.pwcnet.net import MULTIPLE, RANGE, VALID, PWCNet, Pyramid


class Aligned(NamedTuple):
    """A frame on the grid of another one."""

    image: Tensor
    """``(B, C, H, W)``: warped, 0 where it is not valid."""
    flow: Tensor
    """``(B, 2, H, W)`` from the other one to the frame, in pixels."""
    mask: Tensor
    """``(B, 1, H, W)``: 1 where the flow leads inside the frame, else 0."""


class FlowPWC(nn.Module):
    """:class:`PWCNet` behind a resize, which gives flows of any size, and frames aligned by them.

    It has no parameters of its own.

    Source: csbhr/CDVD-TSP, which was written for a PyTorch that samples with ``align_corners`` true.

    Example:
        >>> with torch.inference_mode():
        ...     found = FlowPWC().eval()(torch.zeros(1, 3, 20, 30), torch.ones(1, 3, 20, 30))
        >>> found.image.shape, found.flow.shape, found.mask.shape
        (torch.Size([1, 3, 20, 30]), torch.Size([1, 2, 20, 30]), torch.Size([1, 1, 20, 30]))
    """

    def __init__(self) -> None:
        super().__init__()
        self.moduleNetwork = PWCNet()

    def forward(self, reference: Tensor, other: Tensor) -> Aligned:
        """``other`` on the grid of ``reference``; both ``(B, 3, H, W)``, RGB, nominally in [0, 1].

        Raises:
            InputError: frames of two shapes.
        """
        if reference.shape != other.shape:
            raise InputError(
                f"PWC-Net was given frames of {tuple(reference.shape)} and {tuple(other.shape)}; it takes two of one "
                "shape."
            )
        halves = [level.chunk(2) for level in self.pyramid(torch.cat([reference, other]))]
        flow = self.flow(tuple(a for a, _ in halves), tuple(b for _, b in halves), *reference.shape[2:])
        return align(other, flow)

    def pyramid(self, frames: Tensor) -> Pyramid:
        """What flows from and to these frames need; a frame of a clip serves several."""
        return self.moduleNetwork.pyramid(resized(frames))

    def flow(self, reference: Pyramid, other: Pyramid, height: int, width: int) -> Tensor:
        """``(B, 2, height, width)`` in pixels, of frames of that size, from their pyramids."""
        return whole_flow(self.moduleNetwork.between(reference, other), height, width)


def resized(frames: Tensor) -> Tensor:
    """``(B, C, H, W)`` stretched, bilinearly and without a filter, to the next multiples of 64.

    Example:
        >>> resized(torch.zeros(1, 3, 72, 104)).shape
        torch.Size([1, 3, 128, 128])
    """
    size = [side + -side % MULTIPLE for side in frames.shape[2:]]
    if list(frames.shape[2:]) == size:
        return frames
    return functional.interpolate(frames, size=size, mode="bilinear", align_corners=False)


def whole_flow(low: Tensor, height: int, width: int) -> Tensor:
    """What :class:`PWCNet` gives, at a quarter of the stretched size, as a flow in pixels of the frame's own size."""
    whole = RANGE * functional.interpolate(low, size=(height, width), mode="bilinear", align_corners=False)
    across, down = width / (4 * low.shape[3]), height / (4 * low.shape[2])
    return torch.cat([whole[:, :1] * across, whole[:, 1:] * down], dim=1)


def align(frames: Tensor, flow: Tensor) -> Aligned:
    """``frames`` sampled at ``p + flow(p)``, bilinear, the border repeated; 0 where that is outside.

    Args:
        frames: ``(B, C, H, W)``.
        flow: ``(B, 2, H, W)`` in pixels; channel 0 to the right, channel 1 down.
    """
    warped, ones = sample(frames, flow)
    mask = (ones >= VALID).to(warped.dtype)
    return Aligned(warped * mask, flow, mask)


def sample(frames: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """``frames`` at ``p + flow(p)``, the border repeated outside, and how much of each position lies inside.

    Positions are computed in float32 at least: half precision cannot tell the pixels of a wide frame apart.

    Returns:
        ``(B, C, H, W)`` and ``(B, 1, H, W)``, a warp of ones with zeros outside.
    """
    height, width = frames.shape[2:]
    precise = torch.promote_types(torch.promote_types(frames.dtype, flow.dtype), torch.float32)
    x = torch.arange(width, dtype=precise, device=flow.device) + flow[:, 0]
    y = torch.arange(height, dtype=precise, device=flow.device)[:, None] + flow[:, 1]
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    values = frames.to(precise)
    warped = functional.grid_sample(values, grid, mode="bilinear", padding_mode="border", align_corners=True)
    ones = functional.grid_sample(
        torch.ones_like(values[:, :1]), grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return warped.to(frames.dtype), ones


def gradient(frames: Tensor) -> Tensor:
    """Magnitude of the Sobel gradient of the mean over the channels: ``(B, C, H, W)`` to ``(B, 1, H, W)``.

    The official code computes it beside each flow; CDVD-TSP does not use it.

    Example:
        >>> gradient(torch.arange(3.0).expand(1, 3, 3, 3))[0, 0, 1].tolist()
        [4.0, 8.0, 4.0]
    """
    across = frames.new_tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
    kernels = torch.stack([across, across.T])[:, None]
    found = functional.conv2d(frames.mean(dim=1, keepdim=True), kernels, padding=1)
    return found.square().sum(dim=1, keepdim=True).sqrt()
