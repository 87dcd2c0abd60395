"""The network of EDVR, with the parameter names of the official checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError
from vbench.models.edvr.align import Features, PCDAlignment, Residual, act, conv, twice
from vbench.models.edvr.fusion import TSAFusion

MULTIPLE = 4
"""Height and width are multiples of this: two halvings."""
MULTIPLE_HR = 16
"""And of this where the input is first brought to a quarter of its size."""
TAIL = 64
"""Channels behind the last enlargement, whatever the others are."""
COLUMNS = 2**26
"""Values that a deformable convolution may lay out for frames that are aligned together (256 MiB of float32)."""
STRIP = 2**26
"""Values of a layer at the output's size that are there at once: larger frames are enlarged in strips."""
STRIP_HALO = 2
"""Rows of the small frame that the layers of the enlargement see beyond those that they enlarge."""


class Backbone(nn.Module):
    """What EDVR and VOTES share: features at three sizes, alignment, reconstruction, enlargement.

    Args:
        num_feat: channels.
        deformable_groups: of the alignment.
        num_extract_block: residual blocks of the features.
        num_reconstruct_block: of the reconstruction.
        scale: of the output: 2, 3 or 4.

    Raises:
        InputError: another scale.
    """

    def __init__(
        self,
        num_feat: int,
        deformable_groups: int,
        num_extract_block: int,
        num_reconstruct_block: int,
        scale: int,
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise InputError(f"The network was asked for a scale of {scale}; it exists for 2, 3 and 4.")
        self.scale = scale
        self.together: int | None = None
        """Frames that are aligned together; None: as many as memory is allowed for."""
        self.feature_extraction = nn.Sequential(*(Residual(num_feat) for _ in range(num_extract_block)))
        self.conv_l2_1 = conv(num_feat, num_feat, stride=2)
        self.conv_l2_2 = conv(num_feat, num_feat)
        self.conv_l3_1 = conv(num_feat, num_feat, stride=2)
        self.conv_l3_2 = conv(num_feat, num_feat)
        self.pcd_align = PCDAlignment(num_feat, deformable_groups)
        self.reconstruction = nn.Sequential(*(Residual(num_feat) for _ in range(num_reconstruct_block)))
        step = 2 if scale == 4 else scale
        self.upconv1 = conv(num_feat, (num_feat if scale == 4 else TAIL) * step**2)
        self.upconv2 = conv(num_feat, TAIL * step**2) if scale == 4 else None
        self.step = step
        self.conv_hr = conv(TAIL, TAIL)
        self.conv_last = conv(TAIL, 3)

    def levels(self, first: Tensor) -> Features:
        """Features ``(N, C, h, w)`` behind the first layers, at three sizes."""
        l1 = self.feature_extraction(first)
        l2 = act(self.conv_l2_2(act(self.conv_l2_1(l1))))
        l3 = act(self.conv_l3_2(act(self.conv_l3_1(l2))))
        return Features(l1, l2, l3)

    def aligned(self, frames: Sequence[Features], centre: int, places: Sequence[int] | None = None) -> Tensor:
        """Features of all frames of a window on the grid of one, which is aligned with itself too.

        As many frames are aligned together as :attr:`together` or, without it, :data:`COLUMNS` allows.

        Args:
            frames: of each frame, ``(B, C, h, w)``.
            centre: index of that one.
            places: for each frame of the window its index in ``frames``; None: all in order.

        Returns:
            ``(B, T, C, h, w)`` at the full size.
        """
        places = range(len(frames)) if places is None else places
        step = self.together or max(1, COLUMNS // (9 * frames[0].l1.numel()))
        out: Tensor | None = None
        for start in range(0, len(frames), step):
            own = frames[start : start + step]
            reference = Features(
                *(level[:, None].expand(-1, len(own), -1, -1, -1).flatten(0, 1) for level in frames[centre])
            )
            found = self.pcd_align(stacked(own), reference).unflatten(0, (-1, len(own)))
            out = found.new_empty(len(found), len(places), *found.shape[2:]) if out is None else out
            for place, index in enumerate(places):
                if start <= index < start + len(own):
                    out[:, place] = found[:, index - start]
        assert out is not None  # noqa: S101 - a window has frames
        return out

    def enlarged(self, fused: Tensor, base: Tensor) -> Tensor:
        """The output: what the network makes of fused features, added to ``base``, which has its size."""
        x = self.reconstruction(fused)
        batch, _, height, width = x.shape
        rows = max(1, STRIP // (batch * TAIL * width * self.scale**2))
        if rows >= height:
            return self._tail(x) + base
        out = torch.empty_like(base)
        for top in range(0, height, rows):
            bottom, above = min(top + rows, height), min(top, STRIP_HALO)
            strip = self._tail(x[:, :, top - above : bottom + STRIP_HALO])
            end = self.scale * (above + bottom - top)
            inside = slice(self.scale * top, self.scale * bottom)
            out[:, :, inside] = strip[:, :, self.scale * above : end] + base[:, :, inside]
        return out

    def _tail(self, x: Tensor) -> Tensor:
        """Features ``(B, C, h, w)`` to what is added at the output's size."""
        x = act(functional.pixel_shuffle(self.upconv1(x), self.step))
        if self.upconv2 is not None:
            x = act(functional.pixel_shuffle(self.upconv2(x), self.step))
        out: Tensor = self.conv_last(act(self.conv_hr(x)))
        return out


def stacked(frames: Sequence[Features]) -> Features:
    """Features of frames, each ``(B, C, h, w)``, as ``(B * T, C, h, w)``; not copied where there is one."""
    if len(frames) == 1:
        return frames[0]
    return Features(*(torch.stack(level, dim=1).flatten(0, 1) for level in zip(*frames, strict=True)))


def apart(features: Features, batch: int) -> list[Features]:
    """The other way: ``(B * T, C, h, w)`` as features of each of the ``T`` frames.

    Example:
        >>> [level.shape for level in apart(Features(*(torch.zeros(6, 1, n, n) for n in (4, 2, 1))), 2)[0]]
        [torch.Size([2, 1, 4, 4]), torch.Size([2, 1, 2, 2]), torch.Size([2, 1, 1, 1])]
    """
    levels = (level.unflatten(0, (batch, -1)).unbind(dim=1) for level in features)
    return [Features(*frame) for frame in zip(*levels, strict=True)]


class EDVR(Backbone):
    """Frames to the restored centre frame, at one to four times their size.

    Args:
        num_in_ch, num_out_ch: channels of a frame; three.
        num_feat: channels inside: 64 (M) or 128 (L).
        num_frame: frames of a window.
        deformable_groups, num_extract_block, num_reconstruct_block: see :class:`Backbone`.
        center_frame_idx: which frame is restored; None for the middle one.
        hr_in: the frames have the size of the output; they are brought to a quarter first.
        with_predeblur: a pyramid of residual blocks in front.
        with_tsa: fusion by attention; else by one convolution.
        scale: of the output, 4 or 2 (the copy of VOTES); ignored with ``hr_in``.

    Raises:
        InputError: options that do not exist together.

    Source: Wang et al., "EDVR: Video Restoration with Enhanced Deformable Convolutional Networks" (CVPRW 2019); names
    as in XPixelGroup/BasicSR.

    Example:
        >>> network = EDVR(num_feat=16, num_reconstruct_block=1)
        >>> with torch.inference_mode():
        ...     network(torch.zeros(1, 5, 3, 8, 12)).shape
        torch.Size([1, 3, 32, 48])
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_frame: int = 5,
        deformable_groups: int = 8,
        num_extract_block: int = 5,
        num_reconstruct_block: int = 10,
        center_frame_idx: int | None = None,
        hr_in: bool = False,
        with_predeblur: bool = False,
        with_tsa: bool = True,
        scale: int = 4,
    ) -> None:
        super().__init__(num_feat, deformable_groups, num_extract_block, num_reconstruct_block, scale)
        if (num_in_ch, num_out_ch) != (3, 3):
            raise InputError(f"EDVR was asked for {num_in_ch} channels to {num_out_ch}; it exists for three to three.")
        if hr_in and (not with_predeblur or scale != 4):
            raise InputError("EDVR takes frames of the output's size (hr_in) only with predeblur, and at a scale of 4.")
        self.frames = num_frame
        self.centre = num_frame // 2 if center_frame_idx is None else center_frame_idx
        self.hr_in = hr_in
        self.multiple = MULTIPLE_HR if hr_in else MULTIPLE
        self.predeblur = Predeblur(num_feat, hr_in) if with_predeblur else None
        if with_predeblur:
            self.conv_1x1 = conv(num_feat, num_feat, side=1)
        else:
            self.conv_first = conv(3, num_feat)
        self.fusion: nn.Module = (
            TSAFusion(num_feat, num_frame, self.centre) if with_tsa else conv(num_frame * num_feat, num_feat, side=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The restored frame, not clamped.

        Args:
            x: ``(B, T, 3, H, W)``, RGB in [0, 1].

        Returns:
            ``(B, 3, s * H, s * W)``.

        Raises:
            InputError: another number of frames; height or width is no multiple of 4 (of 16 with ``hr_in``).
        """
        if x.dim() != 5 or x.shape[1:3] != (self.frames, 3):
            raise InputError(f"EDVR was given {tuple(x.shape)}; it takes (batch, {self.frames}, 3, height, width).")
        return self.merge(apart(self.features(x.flatten(0, 1)), len(x)), x[:, self.centre])

    def features(self, frames: Tensor) -> Features:
        """What a window needs of frames ``(N, 3, H, W)``; a frame of a clip serves several windows.

        Raises:
            InputError: as :meth:`forward`.
        """
        check_size("EDVR", frames, self.multiple)
        if self.predeblur is None:
            return self.levels(act(self.conv_first(frames)))
        return self.levels(self.conv_1x1(self.predeblur(frames)))

    def merge(self, features: Sequence[Features], centre: Tensor, places: Sequence[int] | None = None) -> Tensor:
        """The restored frame from the features of its window.

        Args:
            features: of each frame, ``(B, C, h, w)``.
            centre: the frame itself, ``(B, 3, H, W)``.
            places: for each frame of the window its index in ``features``; None: all in order. A frame that the window shows
                several times is aligned once.
        """
        aligned = self.aligned(features, self.centre if places is None else places[self.centre], places)
        fused = self.fusion(aligned if isinstance(self.fusion, TSAFusion) else aligned.flatten(1, 2))
        return self.enlarged(fused, centre if self.hr_in else enlarge(centre, self.scale))


class Predeblur(nn.Module):
    """Residual blocks at three sizes in front of the features of blurred frames.

    Args:
        channels: of the features.
        hr_in: whether the frames are first brought to a quarter of their size.
    """

    def __init__(self, channels: int, hr_in: bool) -> None:
        super().__init__()
        self.hr_in = hr_in
        self.conv_first = conv(3, channels)
        if hr_in:
            self.stride_conv_hr1 = conv(channels, channels, stride=2)
            self.stride_conv_hr2 = conv(channels, channels, stride=2)
        self.stride_conv_l2 = conv(channels, channels, stride=2)
        self.stride_conv_l3 = conv(channels, channels, stride=2)
        self.resblock_l3 = Residual(channels)
        self.resblock_l2_1 = Residual(channels)
        self.resblock_l2_2 = Residual(channels)
        self.resblock_l1 = nn.ModuleList(Residual(channels) for _ in range(5))

    def forward(self, frames: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, C, H, W)``, or a quarter of the size."""
        l1 = act(self.conv_first(frames))
        if self.hr_in:
            l1 = act(self.stride_conv_hr2(act(self.stride_conv_hr1(l1))))
        l2 = act(self.stride_conv_l2(l1))
        l3 = act(self.stride_conv_l3(l2))
        l2 = self.resblock_l2_1(l2) + twice(self.resblock_l3(l3))
        for i, block in enumerate(self.resblock_l1):
            if i == 2:
                l1 = l1 + twice(self.resblock_l2_2(l2))
            l1 = block(l1)
        return l1


def enlarge(frames: Tensor, scale: int) -> Tensor:
    """``(N, C, H, W)`` at ``scale`` times the size, bilinearly."""
    return functional.interpolate(frames, scale_factor=scale, mode="bilinear", align_corners=False)


def check_size(name: str, frames: Tensor, multiple: int) -> None:
    """Refuse what the network called ``name`` cannot take.

    Raises:
        InputError: frames of other channels, or sizes that are no multiples of ``multiple``.
    """
    if frames.dim() != 4 or frames.shape[1] != 3:
        raise InputError(f"{name} was given {tuple(frames.shape)}; it takes (batch, 3, height, width).")
    height, width = frames.shape[2:]
    if height % multiple or width % multiple or not frames.numel():
        raise InputError(
            f"{name} was given frames of {width} x {height} pixels; width and height are to be multiples of "
            f"{multiple}. Crop or pad them."
        )


def build_deblur() -> EDVR:
    """The network of the published deblurring checkpoints: L, which takes frames of the output's size."""
    return EDVR(num_feat=128, num_reconstruct_block=40, hr_in=True, with_predeblur=True)


def build_m() -> EDVR:
    """The network of the published x4 checkpoint M, trained on REDS."""
    return EDVR()


def build_m_without_attention() -> EDVR:
    """The network of the published x4 checkpoint M whose aligned frames are fused by one convolution."""
    return EDVR(with_tsa=False)


def build_l() -> EDVR:
    """The network of the published x4 checkpoint L, trained on REDS."""
    return EDVR(num_feat=128, num_reconstruct_block=40)


def build_l_vimeo() -> EDVR:
    """The network of the published x4 checkpoint L, trained on Vimeo-90K: windows of seven."""
    return EDVR(num_feat=128, num_frame=7, num_reconstruct_block=40)


def build_l_blur() -> EDVR:
    """The network of the published x4 checkpoint L for blurred frames."""
    return EDVR(num_feat=128, num_reconstruct_block=40, with_predeblur=True)
