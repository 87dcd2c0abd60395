"""The network of FastDVDnet, with the parameter names of the official checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vbench.errors import InputError

FRAMES = 5
"""Frames of a window; each denoising block sees three of them."""
MULTIPLE = 4
"""Height and width are multiples of this: two levels of halving."""


class FastDVDnet(nn.Module):
    """Windows of five frames and a noise map to the denoised centre frame.

    Two stages of denoising blocks: ``temp1`` restores the three inner frames, each from itself and its neighbours;
    ``temp2`` restores the centre from these. No motion is compensated.

    Source: Tassano et al., "FastDVDnet: Towards Real-Time Deep Video Denoising Without Flow Estimation" (CVPR 2020);
    names as in m-tassano/fastdvdnet.

    Example:
        >>> network = FastDVDnet().eval()
        >>> with torch.inference_mode():
        ...     network(torch.zeros(1, 15, 8, 12), torch.full((1, 1, 8, 12), 25 / 255)).shape
        torch.Size([1, 3, 8, 12])
    """

    def __init__(self) -> None:
        super().__init__()
        self.temp1 = DenoisingBlock()
        self.temp2 = DenoisingBlock()

    def forward(self, frames: Tensor, noise_map: Tensor) -> Tensor:
        """The centre frame, not clamped.

        Args:
            frames: ``(B, 15, H, W)``, RGB of five frames in the order of time, in [0, 1] and beyond (noise is not
                clipped).
            noise_map: ``(B, 1, H, W)`` or ``(1, 1, H, W)``, the standard deviation of the noise in units of 1.

        Raises:
            InputError: other shapes; height or width is no multiple of 4.
        """
        check(frames, noise_map)
        return self.second(self.first(frames, noise_map), noise_map)

    def first(self, frames: Tensor, noise_map: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The three inner frames after stage 1, each ``(B, 3, H, W)``."""
        a, b, c, d, e = frames.split(3, dim=1)
        return self.temp1(a, b, c, noise_map), self.temp1(b, c, d, noise_map), self.temp1(c, d, e, noise_map)

    def second(self, inner: tuple[Tensor, Tensor, Tensor], noise_map: Tensor) -> Tensor:
        """The centre frame from the three of stage 1."""
        result: Tensor = self.temp2(*inner, noise_map)
        return result


class DenoisingBlock(nn.Module):
    """Three frames and a noise map to the middle frame less what is taken for noise in it: a small U-Net."""

    def __init__(self) -> None:
        super().__init__()
        self.inc = _Block(nn.Sequential(*_layer(12, 90, groups=3), *_layer(90, 32)))
        self.downc0 = _Block(nn.Sequential(*_layer(32, 64, stride=2), _pair(64)))
        self.downc1 = _Block(nn.Sequential(*_layer(64, 128, stride=2), _pair(128)))
        self.upc2 = _Block(nn.Sequential(_pair(128), _convolution(128, 4 * 64), nn.PixelShuffle(2)))
        self.upc1 = _Block(nn.Sequential(_pair(64), _convolution(64, 4 * 32), nn.PixelShuffle(2)))
        self.outc = _Block(nn.Sequential(*_layer(32, 32), _convolution(32, 3)))

    def forward(self, before: Tensor, middle: Tensor, after: Tensor, noise_map: Tensor) -> Tensor:
        """``(B, 3, H, W)`` each, and the map ``(B, 1, H, W)`` or ``(1, 1, H, W)``; the result is not clamped."""
        noise_map = noise_map.expand(len(middle), -1, -1, -1)
        # The first convolution works in three groups, so each frame lies beside its own copy of the map.
        full = self.inc(torch.cat((before, noise_map, middle, noise_map, after, noise_map), dim=1))
        half = self.downc0(full)
        quarter = self.downc1(half)
        noise: Tensor = self.outc(full + self.upc1(half + self.upc2(quarter)))
        return middle - noise


class _Block(nn.Module):
    """A stack of layers under the name ``convblock``, which all parameters of the official network have in theirs."""

    def __init__(self, convblock: nn.Sequential) -> None:
        super().__init__()
        self.convblock = convblock

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convblock(x)
        return out


def _pair(features: int) -> _Block:
    return _Block(nn.Sequential(*_layer(features, features), *_layer(features, features)))


def _layer(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> tuple[nn.Module, ...]:
    return _convolution(inputs, outputs, stride, groups), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def _convolution(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False)


def check(frames: Tensor, noise_map: Tensor) -> None:
    """That a window and its noise map fit the network.

    Raises:
        InputError: they do not.
    """
    if frames.ndim != 4 or frames.shape[1] != 3 * FRAMES:
        raise InputError(
            f"FastDVDnet was given frames of shape {tuple(frames.shape)}; it takes (batch, 15, height, width): "
            "five RGB frames side by side in the channels."
        )
    size = frames.shape[2:]
    if noise_map.ndim != 4 or noise_map.shape[0] not in (1, len(frames)) or noise_map.shape[1:] != (1, *size):
        raise InputError(
            f"FastDVDnet was given a noise map of shape {tuple(noise_map.shape)} with frames of "
            f"{tuple(frames.shape)}; it takes one of (batch or 1, 1, {size[0]}, {size[1]})."
        )
    if size[0] % MULTIPLE or size[1] % MULTIPLE or not min(size):
        raise InputError(
            f"FastDVDnet was given frames of {size[1]} x {size[0]} pixels; width and height are to be multiples of "
            f"{MULTIPLE}: pad them first, by reflection at the right and bottom."
        )


def build() -> FastDVDnet:
    """FastDVDnet."""
    return FastDVDnet()
