"""The network of PVDNet, with the parameter names of the official checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vbench.errors import InputError
from vbench.flow.bimnet.net import SMALLEST, BIMNet, Pyramid, crop, whole_flow
from vbench.models.pvdnet.pixel_volume import PixelVolume

MULTIPLE = 4
"""Height and width are multiples of this: two halvings."""
WINDOW = 5
"""Side of the pixel volume's window of neighbours."""


class PVDNet(nn.Module):
    """One step of recurrent deblurring: three blurred frames and the previous restored one to the restored frame.

    The motion from the current to the previous frame is estimated between the blurred frames, by :class:`BIMNet`, and
    applied to the restored previous frame as a pixel volume. Training and evaluation mode compute the same.

    Args:
        blocks: residual blocks of the trunk: 12, or 24 of PVDNet_large.
        channels: of the trunk: 128, or 192 of PVDNet_large.
        window: side of the pixel volume's window.

    Source: Son et al., "Recurrent Video Deblurring with Blur-Invariant Motion Estimation and Pixel Volumes" (TOG 2021);
    names as in codeslake/PVDNet.

    Example:
        >>> frame = torch.zeros(1, 3, 64, 68)
        >>> with torch.inference_mode():
        ...     PVDNet(blocks=1).eval()(frame, frame, frame, frame).shape
        torch.Size([1, 3, 64, 68])
    """

    def __init__(self, blocks: int = 12, channels: int = 128, window: int = WINDOW) -> None:
        super().__init__()
        self.BIMNet = BIMNet()
        self.volume = PixelVolume(window)
        self.PVDNet = Trunk(blocks, channels, window * window)

    def forward(self, I_prev: Tensor, I_curr: Tensor, I_next: Tensor, I_prev_deblurred: Tensor) -> Tensor:
        """The restored frame.

        Args:
            I_prev, I_curr, I_next: blurred frames ``(B, 3, H, W)``, RGB in [-1, 1].
            I_prev_deblurred: what the step before gave, of the same shape; the blurred frame itself at a clip's start.

        Returns:
            ``(B, 3, H, W)``, nominally in [-1, 1], not clamped.

        Raises:
            InputError: shapes differ; height or width is below 64 or no multiple of 4.
        """
        low = self.BIMNet.between(self.pyramid(I_curr), self.pyramid(I_prev))
        return self.restore(low, I_prev, I_curr, I_next, I_prev_deblurred)

    def pyramid(self, frames: Tensor) -> Pyramid:
        """What the flow needs of blurred frames ``(B, 3, H, W)`` in [-1, 1]; a clip's frame serves two flows.

        Raises:
            InputError: as :meth:`forward`.
        """
        if frames.dim() != 4 or frames.shape[1] != 3:
            raise InputError(f"PVDNet was given {tuple(frames.shape)}; it takes (batch, 3, height, width).")
        height, width = frames.shape[2:]
        if height % MULTIPLE or width % MULTIPLE or min(height, width) < SMALLEST:
            raise InputError(
                f"PVDNet was given frames of {width} x {height} pixels; width and height are to be multiples of "
                f"{MULTIPLE}, at least {SMALLEST}. Crop or pad them."
            )
        return self.BIMNet.pyramid((crop(frames) + 1) / 2)

    def restore(self, low: Tensor, previous: Tensor, current: Tensor, following: Tensor, restored: Tensor) -> Tensor:
        """The step behind the flow.

        Args:
            low: from the current to the previous frame, ``(B, 2, h / 2, w / 2)``, as ``BIMNet.between`` gives it.
            previous, current, following, restored: as :meth:`forward`.

        Raises:
            InputError: frames of other shapes than the current one's.
        """
        if not current.shape == previous.shape == following.shape == restored.shape:
            raise InputError(
                f"PVDNet was given frames of {tuple(previous.shape)}, {tuple(current.shape)}, {tuple(following.shape)} "
                f"and {tuple(restored.shape)}; it takes four of one shape."
            )
        flow = whole_flow(low, *current.shape[2:])
        result: Tensor = self.PVDNet(self.volume(restored, flow, current), previous, current, following)
        return result


class Trunk(nn.Module):
    """The pixel volume and three blurred frames to the restored one: an encoder and decoder with sums across.

    Args:
        blocks: residual blocks at a quarter of the size.
        channels: there.
        candidates: channels of the pixel volume.
    """

    def __init__(self, blocks: int, channels: int, candidates: int) -> None:
        super().__init__()
        self.PV_dec = nn.Sequential(*_convolved(candidates, 64, 3), *_convolved(64, 64, 3))
        self.img_dec = nn.Sequential(*_convolved(9, 32, 3), *_convolved(32, 32, 3))
        self.d0 = nn.Conv2d(96, 64, 5, padding=2)
        self.d1 = nn.Sequential(*_convolved(64, 64, 5, stride=2), nn.Conv2d(64, 64, 5, padding=2))
        self.temp = nn.Sequential(*_convolved(64, 128, 5, stride=2), *_convolved(128, channels, 5))
        self.RBs = nn.ModuleList(
            nn.Sequential(*_convolved(channels, channels, 3), *_convolved(channels, channels, 3)) for _ in range(blocks)
        )
        self.RB_end = nn.Sequential(*_convolved(channels, channels, 3))
        self.dconv1 = nn.ConvTranspose2d(channels, 64, 4, stride=2, padding=1)
        self.dconv1_end = nn.Sequential(nn.ReLU(), *_convolved(64, 64, 5))
        self.dconv2 = nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1)
        self.dconv2_end = nn.Sequential(nn.ReLU(), *_convolved(64, 64, 5))
        self.end = nn.Conv2d(64, 3, 5, padding=2)

    def forward(self, volume: Tensor, previous: Tensor, current: Tensor, following: Tensor) -> Tensor:
        """``volume``: ``(B, candidates, H, W)``; frames ``(B, 3, H, W)``; gives ``(B, 3, H, W)``, not clamped."""
        images = self.img_dec(torch.cat([current, previous, following], dim=1))
        whole = self.d0(torch.cat([self.PV_dec(volume), images], dim=1))
        half = self.d1(whole)
        quarter = self.temp(half)
        x = quarter
        for block in self.RBs:
            x = x + block(x)
        x = self.RB_end(x) + quarter
        x = self.dconv1_end(self.dconv1(x) + half)
        x = self.dconv2_end(self.dconv2(x) + whole)
        last: Tensor = self.end(x)
        return current + last


def _convolved(inputs: int, outputs: int, side: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, side, stride, side // 2), nn.ReLU()


def build() -> PVDNet:
    """The network of PVDNet_DVD and PVDNet_nah."""
    return PVDNet()


def build_large() -> PVDNet:
    """The network of PVDNet_large_nah."""
    return PVDNet(blocks=24, channels=192)
