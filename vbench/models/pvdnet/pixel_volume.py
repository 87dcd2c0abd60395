"""The pixel volume of PVDNet: for each pixel, what the flows around it would bring from the previous frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError

GREY = (0.2989, 0.5870, 0.1140)
"""Weights of red, green and blue; they add up to 0.9999, as officially."""


def grey(frames: Tensor) -> Tensor:
    """``(B, 3, H, W)``, RGB, to ``(B, H, W)``."""
    return GREY[0] * frames[:, 0] + GREY[1] * frames[:, 1] + GREY[2] * frames[:, 2]


class PixelVolume(nn.Module):
    """Candidates for each pixel, from the previous restored frame: one for the flow of each neighbour.

    Channel ``(i + r) * side + (j + r)`` holds, for ``i`` (horizontal) and ``j`` (vertical) from ``-r`` to ``r``, what
    lies where the flow of the neighbour at ``(x - i, y - j)`` moves pixel ``(x, y)``. Positions are truncated toward
    zero to whole pixels. Where a position is on the outermost rows and columns or beyond, the current frame's own
    pixel is taken; where there is no such neighbour, 0. It has no parameters, and no gradient reaches the flow.

    Args:
        side: of the window of neighbours, odd; ``r`` is ``(side - 1) / 2``.

    Raises:
        InputError: an even side, or one below 1.

    Source: Son et al., TOG 2021; conventions of codeslake/PVDNet.

    Example:
        >>> frame = torch.arange(20.0).view(1, 1, 4, 5).expand(1, 3, 4, 5)
        >>> volume = PixelVolume(1)(frame, torch.tensor([-1.9, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 5), -frame)
        >>> (volume[0, 0, 1] / 0.9999).round().tolist()  # columns 0 to 2 would come from the border or beyond it
        [-5.0, -6.0, -7.0, 6.0, 7.0]
    """

    def __init__(self, side: int = 5) -> None:
        super().__init__()
        if side < 1 or side % 2 == 0:
            raise InputError(f"The window of the pixel volume is {side} pixels wide; it has a centre: 1, 3, 5, …")
        self.side = side

    def forward(self, img: Tensor, flow: Tensor, pad: Tensor) -> Tensor:
        """The volume, ``(B, side * side, H, W)``, in the type of ``img``.

        Args:
            img: the previous restored frame, ``(B, 3, H, W)``, RGB, not clamped.
            flow: ``(B, 2, H, W)`` in pixels, from the current to the previous frame; channel 0 to the right, 1 down.
            pad: the current frame, ``(B, 3, H, W)``.

        Raises:
            InputError: shapes that do not belong together.

        A flow that is not a number points outside.
        """
        _check(img, flow, pad)
        height, width = img.shape[2:]
        around = self.side // 2
        # Where each pixel's own flow leads. Half precision could not tell the pixels of a wide frame apart.
        flow = flow.detach().to(torch.promote_types(flow.dtype, torch.float32))
        x = torch.arange(width, dtype=flow.dtype, device=flow.device) + flow[:, 0]
        y = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None] + flow[:, 1]
        # Moved by up to `around`, what lies beyond these limits is outside all the same; and it stays in a table that
        # has a margin of twice that.
        column = x.clamp(-around, width - 1 + around).nan_to_num(nan=-around).long()
        row = y.clamp(-around, height - 1 + around).nan_to_num(nan=-around).long()
        margin = 2 * around
        line = width + 2 * margin
        previous = functional.pad(grey(img), (margin,) * 4).flatten(1)
        inside = functional.pad(
            img.new_ones(max(height - 2, 0), max(width - 2, 0), dtype=torch.bool), (margin + 1,) * 4
        )
        current = grey(pad)[:, None]
        targets = functional.pad((row + margin) * line + (column + margin), (around,) * 4, value=margin * (line + 1))
        shifts = torch.arange(-around, around + 1, device=img.device)[:, None, None] * line
        # One column of neighbours after the other: the indices of all would take twice the memory of the volume.
        columns = []
        for i in range(-around, around + 1):
            starts = range(2 * around, -1, -1)  # the neighbour at y - j, for j from -around
            strip = targets[:, :, around - i : around - i + width]
            index = torch.stack([strip[:, start : start + height] for start in starts], dim=1) + (shifts + i)
            moved = previous.gather(1, index.flatten(1)).view(index.shape)
            values = torch.where(inside.take(index), moved, current)
            _clear(values, around, i)
            columns.append(values)
        return torch.cat(columns, dim=1)


def _clear(values: Tensor, around: int, i: int) -> None:
    """0 in one column of the window, ``(B, side, H, W)``, where the neighbours at ``(x - i, y - j)`` are not there."""
    height, width = values.shape[2:]
    if i:
        values[..., slice(0, i) if i > 0 else slice(max(width + i, 0), None)] = 0
    for j in range(1, around + 1):
        values[:, around + j, :j] = 0
        values[:, around - j, max(height - j, 0) :] = 0


def _check(img: Tensor, flow: Tensor, pad: Tensor) -> None:
    size = img.shape[2:]
    if img.dim() != 4 or img.shape[1] != 3 or pad.shape != img.shape or flow.shape != (img.shape[0], 2, *size):
        raise InputError(
            f"The pixel volume was given frames of {tuple(img.shape)} and {tuple(pad.shape)} and a flow of "
            f"{tuple(flow.shape)}; it takes two frames (batch, 3, height, width) and a flow (batch, 2, height, width)."
        )
