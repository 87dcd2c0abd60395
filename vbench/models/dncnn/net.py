"""The network of DnCNN, with the parameter names of the official checkpoints."""

from __future__ import annotations

from torch import Tensor, nn

from vbench.errors import InputError

FEATURES = 64


class DnCNN(nn.Module):
    """Frames ``(B, C, H, W)`` in [0, 1], gray as published, to the noise in them, of the same shape.

    ``layers`` convolutions of 3 x 3 without bias (17 for one noise level, 20 for blind denoising), batch norm
    on all but the first and last, ReLU between them. Any size; receptive field ``2 * layers + 1``.

    Args:
        layers: convolutions, at least two.
        channels: of a frame; 1 of all published checkpoints.

    Raises:
        InputError: fewer.

    Source: Zhang et al., "Beyond a Gaussian Denoiser" (TIP 2017); names as in SaoYan/DnCNN-PyTorch.

    Example:
        >>> import torch
        >>> DnCNN(17).eval()(torch.zeros(1, 1, 9, 7)).shape
        torch.Size([1, 1, 9, 7])
    """

    def __init__(self, layers: int, channels: int = 1) -> None:
        super().__init__()
        if layers < 2 or channels < 1:
            raise InputError(
                f"DnCNN was asked for {layers} layers and {channels} channels; at least 2 and 1 are needed."
            )
        self.channels = channels
        stack: list[nn.Module] = [_conv(channels, FEATURES), nn.ReLU(inplace=True)]
        for _ in range(layers - 2):
            stack += [_conv(FEATURES, FEATURES), nn.BatchNorm2d(FEATURES), nn.ReLU(inplace=True)]
        stack.append(_conv(FEATURES, channels))
        self.dncnn = nn.Sequential(*stack)

    def forward(self, noisy: Tensor) -> Tensor:
        """The noise estimate; the caller subtracts it."""
        noise: Tensor = self.dncnn(noisy)
        return noise


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)


def build_17() -> DnCNN:
    """DnCNN-S."""
    return DnCNN(17)


def build_20() -> DnCNN:
    """DnCNN-B."""
    return DnCNN(20)
