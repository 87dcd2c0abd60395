"""The network of VNLnet, with the parameter names of the official checkpoints."""

from __future__ import annotations

from torch import Tensor, nn

from vbench.errors import InputError

NEIGHBOURS = 15
"""Per pixel: itself, and its match in each of seven frames before and seven after."""


class VNLnet(nn.Module):
    """Stacks of neighbours ``(B, N * C, H, W)`` to the noise in the centre frame, ``(B, C, H, W)``.

    Channel ``neighbour * C + colour``, neighbours in the order of time with the pixel itself in the middle; values in
    [0, 1] and beyond (noise is not clipped). First layers of 1 x 1, which work on the neighbours of one pixel, then a
    residual denoiser of 3 x 3. Any size.

    Args:
        input_channels: N * C; 15 for gray, 45 for RGB.
        output_channels: C.
        nlconv_features: features of the 1 x 1 layers.
        nlconv_layers: their number.
        dnnconv_features: features of the 3 x 3 layers.
        dnnconv_layers: their number.

    Raises:
        InputError: the channels are no whole, odd number of neighbours, or there are too few layers.

    Source: Davy et al., "Non-Local Video Denoising by CNN" (ICIP 2019); names as in axeldavy/vnlnet.

    Example:
        >>> import torch
        >>> VNLnet(15, 1, 32, 4, 64, 15).eval()(torch.zeros(1, 15, 9, 7)).shape
        torch.Size([1, 1, 9, 7])
    """

    def __init__(
        self,
        input_channels: int,
        output_channels: int,
        nlconv_features: int,
        nlconv_layers: int,
        dnnconv_features: int,
        dnnconv_layers: int,
    ) -> None:
        super().__init__()
        if input_channels % output_channels or (input_channels // output_channels) % 2 == 0:
            raise InputError(
                f"VNLnet was asked for {input_channels} channels in and {output_channels} out; the first is to be an "
                "odd number of neighbours times the second."
            )
        if nlconv_layers < 1 or dnnconv_layers < 2:
            raise InputError(
                f"VNLnet was asked for {nlconv_layers} layers of 1 x 1 and {dnnconv_layers} of 3 x 3; at least 1 and "
                "2 are needed."
            )
        self.colours = output_channels
        self.neighbours = input_channels // output_channels
        stack: list[nn.Module] = []
        features = input_channels
        for _ in range(nlconv_layers):
            stack += [nn.Conv2d(features, nlconv_features, kernel_size=1), nn.ReLU(inplace=True)]
            features = nlconv_features
        stack += [_conv(features, dnnconv_features), nn.ReLU(inplace=True)]
        for _ in range(dnnconv_layers - 2):
            stack += [
                _conv(dnnconv_features, dnnconv_features),
                nn.BatchNorm2d(dnnconv_features),
                nn.ReLU(inplace=True),
            ]
        stack.append(_conv(dnnconv_features, output_channels))
        self.net = nn.Sequential(*stack)

    def forward(self, stack: Tensor) -> Tensor:
        """The noise estimate; the caller subtracts it from the centre frame.

        Raises:
            InputError: the stack has not the channels that the network takes.
        """
        wanted = self.neighbours * self.colours
        if stack.ndim != 4 or stack.shape[1] != wanted:
            raise InputError(
                f"VNLnet was given a stack of shape {tuple(stack.shape)}; this one takes (batch, {wanted}, height, "
                f"width): {self.neighbours} neighbours of {self.colours} colour(s)."
            )
        noise: Tensor = self.net(stack)
        return noise

    def centre(self, stack: Tensor) -> Tensor:
        """The frame that is denoised: the middle neighbour of the stack."""
        first = self.neighbours // 2 * self.colours
        return stack[:, first : first + self.colours]


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)


def build_gray() -> VNLnet:
    """The network of the ``vnlnet_gray_*`` checkpoints."""
    return VNLnet(NEIGHBOURS, 1, 32, 4, 64, 15)


def build_colour() -> VNLnet:
    """The network of the ``vnlnet_color_*`` checkpoints."""
    return VNLnet(3 * NEIGHBOURS, 3, 96, 4, 192, 15)
