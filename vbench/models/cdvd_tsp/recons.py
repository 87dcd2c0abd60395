"""The reconstruction network of CDVD-TSP, with the parameter names of the official checkpoints."""

from __future__ import annotations

from torch import Tensor, nn

from vbench.errors import InputError

MULTIPLE = 4
"""Height and width are multiples of this: two halvings."""


class ReconsVideo(nn.Module):
    """Aligned frames and a map beside them to the restored centre frame: an encoder and decoder with sums across.

    Args:
        in_channels: of a frame.
        n_sequence: frames.
        out_channels: of the restored frame.
        n_resblock: residual blocks at each of the six places.
        n_feat: channels at the full size; twice and four times as many below.
        kernel_size: of all convolutions but those that enlarge.
        extra_channels: of the map beside the frames.

    Source: Pan et al., "Cascaded Deep Video Deblurring Using Temporal Sharpness Prior" (CVPR 2020); names as in
    csbhr/CDVD-TSP.

    Example:
        >>> import torch
        >>> ReconsVideo()(torch.zeros(1, 10, 16, 20)).shape
        torch.Size([1, 3, 16, 20])
    """

    def __init__(
        self,
        in_channels: int = 3,
        n_sequence: int = 3,
        out_channels: int = 3,
        n_resblock: int = 3,
        n_feat: int = 32,
        kernel_size: int = 5,
        extra_channels: int = 1,
    ) -> None:
        super().__init__()
        self.channels = in_channels * n_sequence + extra_channels

        def blocks(channels: int) -> list[nn.Module]:
            return [Residual(channels, kernel_size) for _ in range(n_resblock)]

        def down(inputs: int, outputs: int, stride: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2), nn.ReLU())

        def up(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1), nn.ReLU())

        last = nn.Conv2d(n_feat, out_channels, kernel_size, 1, kernel_size // 2)
        self.inBlock = nn.Sequential(down(self.channels, n_feat, 1), *blocks(n_feat))
        self.encoder_first = nn.Sequential(down(n_feat, 2 * n_feat, 2), *blocks(2 * n_feat))
        self.encoder_second = nn.Sequential(down(2 * n_feat, 4 * n_feat, 2), *blocks(4 * n_feat))
        self.decoder_second = nn.Sequential(*blocks(4 * n_feat), up(4 * n_feat, 2 * n_feat))
        self.decoder_first = nn.Sequential(*blocks(2 * n_feat), up(2 * n_feat, n_feat))
        self.outBlock = nn.Sequential(*blocks(n_feat), last)

    def forward(self, x: Tensor) -> Tensor:
        """The restored frame.

        Args:
            x: ``(B, 10, H, W)``: the previous frame, aligned, the centre frame, the next, aligned (RGB in [0, 1]),
                and the sharpness prior in [0, 1].

        Returns:
            ``(B, 3, H, W)``, not clamped, and no residual to the centre frame.

        Raises:
            InputError: other channels; height or width is no multiple of four.
        """
        if x.dim() != 4 or x.shape[1] != self.channels or x.shape[2] % MULTIPLE or x.shape[3] % MULTIPLE:
            raise InputError(
                f"The reconstruction network was given {tuple(x.shape)}; it takes (batch, {self.channels}, height, "
                f"width), height and width multiples of {MULTIPLE}."
            )
        whole = self.inBlock(x)
        half = self.encoder_first(whole)
        quarter = self.encoder_second(half)
        half = self.decoder_second(quarter) + half
        whole = self.decoder_first(half) + whole
        out: Tensor = self.outBlock(whole)
        return out


class Residual(nn.Module):
    """``x`` plus two convolutions of it with a ReLU between; none after the sum."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, side, 1, side // 2)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, side, 1, side // 2)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)``, kept."""
        out: Tensor = x + self.conv2(self.relu(self.conv1(x)))
        return out
