"""The network of VOTES, with the parameter names of the official checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vbench.errors import InputError
from vbench.models.edvr.align import Features, act, conv
from vbench.models.edvr.net import MULTIPLE, Backbone, apart, check_size, enlarge
from vbench.models.votes.bin import BIN, FRAMES, degradation_map


class VOTES(Backbone):
    """Five compressed frames to the restored centre frame at twice or four times their size.

    EDVR whose fusion is told, by a map of how badly neighbouring frames predict the centre frame, where restoration is
    hard.

    Args:
        num_in_ch, num_frame: three channels and five frames.
        num_feat: channels inside.
        deformable_groups, num_extract_block, num_reconstruct_block: see :class:`Backbone`.
        center_frame_idx: which frame is restored; the middle one.
        num_modulation_blocks: steps of the fusion.
        bin_model: a separate checkpoint of BIN; there is none here, its weights come with the network's.
        sr_factor: scale of the output: 2, 3 or 4.

    Raises:
        InputError: options that do not exist.

    Source: Luo, Zhou, Lam, Qiu, "Restoration of User Videos Shared on Social Media" (ACM MM 2022); names as in
    luohongming/VOTES.

    Example:
        >>> import torch
        >>> network = VOTES(num_feat=16, num_reconstruct_block=1, num_modulation_blocks=1)
        >>> with torch.inference_mode():
        ...     network(torch.zeros(1, 5, 3, 8, 12)).shape
        torch.Size([1, 3, 16, 24])
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_feat: int = 128,
        num_frame: int = FRAMES,
        deformable_groups: int = 8,
        num_extract_block: int = 5,
        num_reconstruct_block: int = 40,
        center_frame_idx: int | None = None,
        num_modulation_blocks: int = 10,
        bin_model: None = None,
        sr_factor: int = 2,
    ) -> None:
        super().__init__(num_feat, deformable_groups, num_extract_block, num_reconstruct_block, sr_factor)
        if (num_in_ch, num_frame) != (3, FRAMES) or center_frame_idx not in (None, FRAMES // 2):
            raise InputError(
                f"VOTES was asked for {num_frame} frames of {num_in_ch} channels, centre {center_frame_idx}; it exists "
                "for five of three, the middle one restored."
            )
        self.bin = BIN()
        self.conv_first = conv(3, num_feat)
        self.fusion = MaskFusion(num_feat, num_frame, num_modulation_blocks)

    def forward(self, x: Tensor) -> Tensor:
        """The restored frame, not clamped.

        The degradation map is scaled by its maximum over the batch, as officially: a batch of different clips is
        restored otherwise than each of them alone.

        Args:
            x: ``(B, 5, 3, H, W)``, RGB in [0, 1].

        Returns:
            ``(B, 3, s * H, s * W)``.

        Raises:
            InputError: another number of frames; height or width is no multiple of four.
        """
        if x.dim() != 5 or x.shape[1:3] != (FRAMES, 3):
            raise InputError(f"VOTES was given {tuple(x.shape)}; it takes (batch, 5, 3, height, width).")
        with torch.no_grad():  # as officially: what is rounded in the end cannot be trained
            predicted = self.bin(x).centre
        return self.merge(apart(self.features(x.flatten(0, 1)), len(x)), x[:, FRAMES // 2], predicted)

    def features(self, frames: Tensor) -> Features:
        """What a window needs of frames ``(N, 3, H, W)``; a frame of a clip serves several windows.

        Raises:
            InputError: as :meth:`forward`.
        """
        check_size("VOTES", frames, MULTIPLE)
        return self.levels(act(self.conv_first(frames)))

    def merge(self, features: Sequence[Features], centre: Tensor, predicted: Tensor) -> Tensor:
        """The restored frame of a window.

        Args:
            features: of each of its five frames, ``(B, C, h, w)``.
            centre: the frame itself, ``(B, 3, H, W)``.
            predicted: the same as BIN predicts it.
        """
        aligned = self.aligned(features, FRAMES // 2)
        hard = degradation_map(centre, predicted).map.to(aligned.dtype)
        return self.enlarged(self.fusion(aligned, hard), enlarge(centre, self.scale))


class MaskFusion(nn.Module):
    """Aligned features to those of one frame, in steps to each of which the degradation map is added.

    Args:
        channels: of each frame's features.
        frames: how many.
        steps: of the modulation.
    """

    def __init__(self, channels: int, frames: int, steps: int) -> None:
        super().__init__()
        self.feat_fusion = conv(frames * channels, channels, side=1)
        self.mask_modulation_first = conv(1, channels)
        self.feat_cas_l = nn.ModuleList(conv(channels, channels) for _ in range(steps))
        self.mask_modulation_l = nn.ModuleList(conv(channels, channels) for _ in range(steps))
        self.fusion = conv(channels, channels)

    def forward(self, aligned: Tensor, hard: Tensor) -> Tensor:
        """``aligned``: ``(B, T, C, h, w)``; ``hard``: the map ``(B, 1, h, w)``; gives ``(B, C, h, w)``."""
        features = act(self.feat_fusion(aligned.flatten(1, 2)))
        mask = self.mask_modulation_first(hard)
        for feature_step, mask_step in zip(self.feat_cas_l, self.mask_modulation_l, strict=True):
            mask = act(mask_step(mask))
            features = act(feature_step(features)) + mask
        fused: Tensor = self.fusion(features)
        return fused


def build() -> VOTES:
    """The network of the published checkpoints: L, x2."""
    return VOTES()
