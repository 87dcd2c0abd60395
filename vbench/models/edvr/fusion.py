"""Fusion of EDVR: aligned frames weighed by how well they agree, and by attention at three sizes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.models.edvr.align import act, conv, twice


class TSAFusion(nn.Module):
    """Temporal and spatial attention: aligned features of several frames to those of one.

    Args:
        channels: of each frame's features.
        frames: how many.
        centre: index of the frame that the others are compared with.

    Source: Wang et al., "EDVR" (CVPRW 2019), section 3.3.
    """

    def __init__(self, channels: int, frames: int, centre: int) -> None:
        super().__init__()
        self.centre = centre
        self.temporal_attn1 = conv(channels, channels)
        self.temporal_attn2 = conv(channels, channels)
        self.feat_fusion = conv(frames * channels, channels, side=1)
        self.spatial_attn1 = conv(frames * channels, channels, side=1)
        self.spatial_attn2 = conv(2 * channels, channels, side=1)
        self.spatial_attn3 = conv(channels, channels)
        self.spatial_attn4 = conv(channels, channels, side=1)
        self.spatial_attn5 = conv(channels, channels)
        self.spatial_attn_l1 = conv(channels, channels, side=1)
        self.spatial_attn_l2 = conv(2 * channels, channels)
        self.spatial_attn_l3 = conv(channels, channels)
        self.spatial_attn_add1 = conv(channels, channels, side=1)
        self.spatial_attn_add2 = conv(channels, channels, side=1)

    def forward(self, aligned: Tensor) -> Tensor:
        """``(B, T, C, h, w)`` to ``(B, C, h, w)``."""
        weighed = (aligned * self.agreement(aligned).sigmoid()[:, :, None]).flatten(1, 2)
        features = act(self.feat_fusion(weighed))
        half = act(self.spatial_attn1(weighed))
        half = act(self.spatial_attn2(_pooled(half)))
        quarter = act(self.spatial_attn_l1(half))
        quarter = act(self.spatial_attn_l2(_pooled(quarter)))
        quarter = act(self.spatial_attn_l3(quarter))
        attention = act(self.spatial_attn3(half)) + twice(quarter)
        attention = self.spatial_attn5(twice(act(self.spatial_attn4(attention))))
        added = self.spatial_attn_add2(act(self.spatial_attn_add1(attention)))
        fused: Tensor = features * attention.sigmoid() * 2 + added
        return fused

    def agreement(self, aligned: Tensor) -> Tensor:
        """How each frame's features agree with the centre frame's at each pixel: ``(B, T, h, w)``."""
        reference = self.temporal_attn1(aligned[:, self.centre])
        # Frame by frame: what they give has the size of all aligned frames together.
        return torch.stack([(self.temporal_attn2(own) * reference).sum(dim=1) for own in aligned.unbind(dim=1)], dim=1)


def _pooled(x: Tensor) -> Tensor:
    """Largest values and means of 3 x 3 pixels at half the size, side by side; zeros outside count for the mean."""
    return torch.cat([functional.max_pool2d(x, 3, 2, 1), functional.avg_pool2d(x, 3, 2, 1)], dim=1)
