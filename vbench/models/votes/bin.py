"""BIN, the frame interpolator of VOTES, and the degradation feature map that VOTES derives from it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError

FRAMES = 5
GROWTH = 32
"""Channels that each convolution of a dense block adds."""
DEEP = 4
"""Convolutions of a dense block."""
GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue, full range."""


class BIN(nn.Module):
    """Five frames to the centre one as the frames around it predict it, in two stages of frame interpolation.

    Stage 1 interpolates between frames 0 and 2 and between frames 2 and 4, stage 2 between the results: the centre
    frame takes part, and frames 1 and 3 do not.

    Args:
        G0: channels.
        D: dense blocks.
        arch_scale: stages; two.

    Raises:
        InputError: another number of stages.

    Source: Shen et al., "Blurry Video Frame Interpolation" (CVPR 2020), as luohongming/VOTES uses it; names as there.

    Example:
        >>> with torch.inference_mode():
        ...     predicted = BIN(D=1)(torch.zeros(1, 5, 3, 8, 12))
        >>> predicted.centre.shape
        torch.Size([1, 3, 8, 12])
    """

    def __init__(self, G0: int = 64, D: int = 6, arch_scale: int = 2) -> None:
        super().__init__()
        if arch_scale != 2:
            raise InputError(f"BIN was asked for {arch_scale} stages; it exists with 2.")
        self.model = nn.ModuleDict({"model1_1": Interpolator(G0, D), "model2_1": Interpolator(G0, D)})

    def forward(self, x: Tensor) -> Predicted:
        """What the frames around the centre predict.

        Args:
            x: ``(B, 5, 3, H, W)``, RGB in [0, 1], height and width even.

        Raises:
            InputError: other numbers of frames or channels, or an odd size.
        """
        if x.dim() != 5 or x.shape[1:3] != (FRAMES, 3) or x.shape[3] % 2 or x.shape[4] % 2:
            raise InputError(
                f"BIN was given {tuple(x.shape)}; it takes (batch, 5, 3, height, width), height and width even."
            )
        both = self.between(torch.cat([x[:, 0], x[:, 2]]), torch.cat([x[:, 2], x[:, 4]]))
        before, behind = both.chunk(2)
        return Predicted(before, behind, self.centre(before, behind))

    def between(self, first: Tensor, second: Tensor) -> Tensor:
        """Stage 1: what lies between two frames ``(B, 3, H, W)``; it serves the windows of both."""
        out: Tensor = self.model["model1_1"](first, second)
        return out

    def centre(self, before: Tensor, behind: Tensor) -> Tensor:
        """Stage 2: the centre frame from what stage 1 gave on either side of it."""
        out: Tensor = self.model["model2_1"](before, behind)
        return out


class Predicted(NamedTuple):
    """What BIN gives, each ``(B, 3, H, W)``, not clamped."""

    before: Tensor
    """Between frames 0 and 2."""
    behind: Tensor
    """Between frames 2 and 4."""
    centre: Tensor
    """Between these two."""


class Interpolator(nn.Module):
    """Two frames to the one between them: a residual dense network at half the size.

    Args:
        channels: inside.
        blocks: residual dense blocks.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.SFENet1 = nn.Conv2d(2 * 3 * 4, channels, 5, padding=2)
        self.SFENet2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.RDBs = nn.ModuleList(DenseBlock(channels) for _ in range(blocks))
        self.GFF = nn.Sequential(nn.Conv2d(blocks * channels, channels, 1), nn.Conv2d(channels, channels, 3, padding=1))
        self.UPNet = nn.Sequential(
            nn.Conv2d(channels, 4 * 64, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(64, 3, 3, padding=1)
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Both ``(B, 3, H, W)``, as the result."""
        shallow = self.SFENet1(functional.pixel_unshuffle(torch.cat([first, second], dim=1), 2))
        x = self.SFENet2(shallow)
        found = []
        for block in self.RDBs:
            x = block(x)
            found.append(x)
        x = self.GFF(torch.cat(found, dim=1)) + shallow
        out: Tensor = self.UPNet(x) + (first + second) / 2
        return out


class DenseBlock(nn.Module):
    """A residual dense block: each convolution sees the outputs of all before it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(*(Growing(channels + i * GROWTH) for i in range(DEEP)))
        self.LFF = nn.Conv2d(channels + DEEP * GROWTH, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)``, kept."""
        out: Tensor = self.LFF(self.convs(x)) + x
        return out


class Growing(nn.Module):
    """Features with those of one more convolution behind them."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(inputs, GROWTH, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C + 32, H, W)``."""
        return torch.cat([x, self.conv(x)], dim=1)


class DegradationMap(NamedTuple):
    """Where restoration is taken to be hard, and what led to it; maps are ``(B, 1, H, W)``."""

    map: Tensor
    """In [0, 1], multiples of 1 / 255."""
    centre: Tensor
    """Grey levels of the centre frame, whole numbers from 0 to 255."""
    predicted: Tensor
    """Grey levels of the prediction."""
    largest: Tensor
    """The largest logarithm over the whole batch, by which the map is divided; a scalar."""


@torch.no_grad()
def degradation_map(centre: Tensor, predicted: Tensor) -> DegradationMap:
    """The difference between a frame and its prediction in grey levels, on a logarithmic scale.

    The largest difference of the whole batch is 1: a batch gives other maps than its frames one by one, and a tile
    another than the whole frame.

    Where frame and prediction agree at every pixel, the official code divides 0 by 0 and the restored frame is not a
    number anywhere; here the map is 0 then. In all other cases the largest logarithm is at least 1.

    Args:
        centre: ``(B, 3, H, W)``, RGB in [0, 1].
        predicted: of the same shape, not clamped.

    Source: Luo et al., "Restoration of User Videos Shared on Social Media" (ACM MM 2022), luohongming/VOTES.

    Example:
        >>> frame = torch.tensor([0.0, 1.0, 3.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3) / 255
        >>> (degradation_map(frame, torch.zeros_like(frame)).map * 255).round().flatten().tolist()
        [0.0, 128.0, 255.0]
    """
    own, other = grey_levels(centre), grey_levels(predicted.clamp(0, 1))
    logarithm = ((own - other).abs() + 1).log2()
    largest = logarithm.max()
    return DegradationMap((255 * logarithm / largest.clamp(min=1)).round() / 255, own, other, largest)


def grey_levels(frames: Tensor) -> Tensor:
    """``(B, 3, H, W)``, RGB in [0, 1], as whole grey levels ``(B, 1, H, W)`` from 0 to 255, rounded half to even."""
    red, green, blue = (255 * frames).split(1, dim=1)
    levels: Tensor = GREY[0] * red + GREY[1] * green + GREY[2] * blue
    return levels.round()
