"""Alignment of EDVR: features of a frame brought to those of another by deformable convolutions at three sizes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.models.edvr.deform import TAPS, deformable_conv


class Features(NamedTuple):
    """Features of frames at the full size of the trunk, half and a quarter of it; each ``(N, C, h, w)``."""

    l1: Tensor
    l2: Tensor
    l3: Tensor


def act(x: Tensor) -> Tensor:
    """The leaky ReLU that follows most convolutions."""
    return functional.leaky_relu(x, 0.1)


def twice(x: Tensor) -> Tensor:
    """At twice the size, bilinearly."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def conv(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution with zeros outside, which keeps the size but for its stride."""
    return nn.Conv2d(inputs, outputs, side, stride, side // 2)


class Residual(nn.Module):
    """``x`` plus two 3x3 convolutions of it with a ReLU between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels)
        self.conv2 = conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)``, kept."""
        out: Tensor = x + self.conv2(functional.relu(self.conv1(x)))
        return out


class DeformableConv(nn.Module):
    """A 3x3 convolution whose taps are moved, and weighed, as other features say.

    Args:
        channels: in and out.
        groups: of channels that are moved alike.

    Source: Zhu et al., "Deformable ConvNets v2" (CVPR 2019).
    """

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.conv_offset = conv(channels, 3 * TAPS * groups)
        for parameter in self.conv_offset.parameters():
            nn.init.zeros_(parameter)  # before training nothing is moved
        self.offsets = 2 * TAPS * groups

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """``x`` convolved, ``guide`` telling how the taps are moved; both ``(N, C, H, W)``."""
        said = self.conv_offset(guide)
        # Positions need more than the 8 bits of bfloat16; the operation exists in single and double precision only.
        kind = torch.promote_types(said.dtype, torch.float32)
        said = said.to(kind)
        offset, mask = said[:, : self.offsets], said[:, self.offsets :].sigmoid()
        weight, bias = self.weight.to(kind), self.bias.to(kind)
        with torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False):  # none is of "meta"
            out = deformable_conv(x.to(kind), offset, mask, weight, bias)
        return out.to(x.dtype)


class PCDAlignment(nn.Module):
    """Pyramid, cascading and deformable alignment: from a quarter of the size to the whole, and once more.

    Args:
        channels: of the features.
        groups: of deformable convolutions.

    Source: Wang et al., "EDVR" (CVPRW 2019), section 3.2.
    """

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        levels = ("l3", "l2", "l1")
        self.offset_conv1 = nn.ModuleDict({level: conv(2 * channels, channels) for level in levels})
        self.offset_conv2 = nn.ModuleDict(
            {level: conv(channels if level == "l3" else 2 * channels, channels) for level in levels}
        )
        self.offset_conv3 = nn.ModuleDict({level: conv(channels, channels) for level in levels[1:]})
        self.dcn_pack = nn.ModuleDict({level: DeformableConv(channels, groups) for level in levels})
        self.feat_conv = nn.ModuleDict({level: conv(2 * channels, channels) for level in levels[1:]})
        self.cas_offset_conv1 = conv(2 * channels, channels)
        self.cas_offset_conv2 = conv(channels, channels)
        self.cas_dcnpack = DeformableConv(channels, groups)

    def forward(self, frames: Features, reference: Features) -> Tensor:
        """Features of frames, at the full size, on the grid of the reference: ``(N, C, h, w)``."""
        guide: Tensor | None = None
        found: Tensor | None = None
        for level, own, other in zip(("l3", "l2", "l1"), reversed(frames), reversed(reference), strict=True):
            said = act(self.offset_conv1[level](torch.cat([own, other], dim=1)))
            if guide is None:
                said = act(self.offset_conv2[level](said))
            else:
                # Offsets are twice as long at twice the size.
                said = act(self.offset_conv2[level](torch.cat([said, 2 * twice(guide)], dim=1)))
                said = act(self.offset_conv3[level](said))
            aligned = self.dcn_pack[level](own, said)
            if found is not None:
                aligned = self.feat_conv[level](torch.cat([aligned, twice(act(found))], dim=1))
            guide, found = said, aligned
        assert found is not None  # noqa: S101 - there are three levels
        said = act(self.cas_offset_conv1(torch.cat([found, reference.l1], dim=1)))
        said = act(self.cas_offset_conv2(said))
        return act(self.cas_dcnpack(found, said))
