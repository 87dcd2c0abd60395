"""Deformable convolution: torchvision's operation, and on a CPU the same several times as fast.

torchvision lays out the nine moved copies of all features one value after another, then multiplies once. On a CPU most
of the time goes into that. Here one tap after the other is read by PyTorch's vectorised bilinear sampling and added,
so a ninth of the memory is needed, too.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import deform_conv2d

SIDE = 3
"""Of the kernel."""
TAPS = SIDE**2


def deformable_conv(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 3x3 convolution whose taps are moved and weighed; zeros outside; no gradients on the faster way.

    Positions are turned into shares of the frame and back, so in float32 they are known to about 1e-7 of its width.

    Args:
        x: ``(N, C, H, W)``.
        offset: ``(N, 2 * 9 * G, H, W)``: for each of ``G`` groups of channels and each tap (row by row) how far it is
            moved down, then right, in pixels.
        mask: ``(N, 9 * G, H, W)``, the weights of the taps.
        weight: ``(C', C, 3, 3)``.
        bias: ``(C',)``.

    Returns:
        ``(N, C', H, W)``.

    Source: Zhu et al., "Deformable ConvNets v2" (CVPR 2019); groups and order of offsets as
    ``torchvision.ops.deform_conv2d`` has them.

    Example:
        >>> x = torch.arange(12.0).view(1, 1, 3, 4)
        >>> middle = torch.zeros(1, 1, 3, 3)
        >>> middle[..., 1, 1] = 1
        >>> right = torch.zeros(1, 18, 3, 4)
        >>> right[:, 9] = 1.5  # the middle tap is the fifth
        >>> with torch.inference_mode():
        ...     deformable_conv(x, right, torch.ones(1, 9, 3, 4), middle, torch.zeros(1))[0, 0, 0].tolist()
        [1.5, 2.5, 1.5, 0.0]
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        out: Tensor = deform_conv2d(x, offset, weight, bias, padding=SIDE // 2, mask=mask)
        return out
    return _tap_by_tap(x, offset, mask, weight, bias)


def _tap_by_tap(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    groups = mask.shape[1] // TAPS
    features = x.reshape(batch * groups, channels // groups, height, width)
    moved = offset.reshape(batch * groups, TAPS, 2, height, width)
    weighed = mask.reshape(batch * groups, TAPS, 1, height, width)
    rows = torch.arange(height, dtype=x.dtype)[:, None]
    columns = torch.arange(width, dtype=x.dtype)
    grid = x.new_empty(batch * groups, height, width, 2)
    out = bias[:, None].repeat(batch, 1, 1).repeat(1, 1, height * width)
    for tap in range(TAPS):
        down, right = tap // SIDE, tap % SIDE
        # The middle of pixel p lies at (2 p + 1) / n - 1 of n pixels from -1 to 1.
        for axis, place, size in ((1, rows + (down - 1), height), (0, columns + (right - 1), width)):
            torch.add(moved[:, tap, 1 - axis], place, out=grid[..., axis])
            grid[..., axis].mul_(2 / size).add_(1 / size - 1)
        read = functional.grid_sample(features, grid, "bilinear", "zeros", align_corners=False)
        read *= weighed[:, tap]
        read = read.view(batch, channels, height * width)
        for one, values in zip(out, read, strict=True):
            one.addmm_(weight[:, :, down, right], values)
    return out.view(batch, -1, height, width)
