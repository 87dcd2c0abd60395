"""Correlation and backward warp as LiteFlowNet, BIMNet and PWC-Net have them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vbench.errors import InputError

TILE = (4, 8)
"""Rows and columns of the tiles whose correlation is one matrix product (see :func:`correlation`). Measured on one
core at 64 x 180 x 320 with a reach of 3: 4 x 8 takes 44 ms, 8 x 8 66 ms, 4 x 4 93 ms, the 49 shifted products 83
ms."""
VALUES_AT_ONCE = 2**24
"""Temporary values of a correlation: rows of tiles are taken in as many parts as keep it below (64 MiB of float32)."""


def correlation(first: Tensor, second: Tensor, reach: int, stride: int = 1) -> Tensor:
    """Mean over the channels of products of two maps, for each displacement nearby.

    Args:
        first: ``(B, C, H, W)``.
        second: of the same shape; zero outside.
        reach: displacements go from ``-reach`` to ``reach`` along each axis: ``side = 2 * reach + 1`` of them.
        stride: step between displacements, and between the positions of ``first``, in pixels.

    Returns:
        ``(B, side * side, ceil(H / stride), ceil(W / stride))``; channel ``side * (dy + reach) + (dx + reach)`` is
        displacement ``(stride * dx, stride * dy)``.

    Raises:
        InputError: maps of different shapes.

    Every tile of ``first`` is multiplied, as a matrix of pixels by channels, with the window of ``second`` that it can
    reach; the displacements are the diagonals of the product. Less than half of it is used, yet one matrix product is
    faster than a product of maps for each displacement, every one a pass through memory.

    Sources: Hui et al., "LiteFlowNet" (CVPR 2018), Sun et al., "PWC-Net" (CVPR 2018); order and normalisation as in
    codeslake/PVDNet and csbhr/CDVD-TSP.

    Example:
        >>> one = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
        >>> correlation(one, one, reach=3)[0, 21:28, 0, 0].tolist()
        [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0]
    """
    if first.shape != second.shape or first.dim() != 4:
        raise InputError(
            f"The correlation was given maps of {tuple(first.shape)} and {tuple(second.shape)}; it takes two of one "
            "shape (batch, channels, height, width)."
        )
    if stride > 1:
        # Positions and displacements are multiples of the stride: no other pixel takes part.
        first, second = first[..., ::stride, ::stride], second[..., ::stride, ::stride]
    channels, height, width = first.shape[1:]
    rows, columns = -(-height // TILE[0]), -(-width // TILE[1])
    right, bottom = columns * TILE[1] - width, rows * TILE[0] - height
    a = functional.pad(first / channels, (0, right, 0, bottom))
    b = functional.pad(second, (reach, reach + right, reach, reach + bottom))
    window = (TILE[0] + 2 * reach) * (TILE[1] + 2 * reach)
    per_row = first.shape[0] * columns * window * (channels + TILE[0] * TILE[1])
    step = max(1, VALUES_AT_ONCE // per_row)
    parts = []
    for start in range(0, rows, step):
        top, end = start * TILE[0], min(start + step, rows) * TILE[0]
        parts.append(_tiled(a[:, :, top:end], b[:, :, top : end + 2 * reach], reach))
    return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=2))[..., :height, :width]


def _tiled(a: Tensor, b: Tensor, reach: int) -> Tensor:
    """The correlation of ``a``, whole tiles, with ``b``, that with ``reach`` more pixels on each side."""
    tall, wide = TILE
    lines, line = tall + 2 * reach, wide + 2 * reach
    side, reached = 2 * reach + 1, lines * line
    batch, channels, height, width = a.shape
    rows, columns = height // tall, width // wide
    tiles = a.reshape(batch, channels, rows, tall, columns, wide).permute(0, 2, 4, 3, 5, 1)
    windows = b.unfold(2, lines, tall).unfold(3, line, wide).permute(0, 2, 3, 1, 4, 5)
    product = torch.bmm(tiles.reshape(-1, tall * wide, channels), windows.reshape(-1, channels, reached))
    # From (tile, y, x; window) to (batch, row, column, y, x, dy, dx): a pixel further, and so are its displacements.
    shape = (batch, rows, columns, tall, wide, side, side)
    one = tall * wide * reached
    strides = (rows * columns * one, columns * one, one, wide * reached + line, reached + 1, line, 1)
    diagonals = product.contiguous().as_strided(shape, strides)
    return diagonals.permute(0, 5, 6, 1, 3, 2, 4).reshape(batch, side * side, height, width)


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Backward warp: ``maps`` sampled at ``p + flow(p)``, bilinear, zero outside.

    Args:
        maps: ``(B, C, H, W)``, at least 2 x 2 pixels.
        flow: ``(B, 2, H, W)`` in pixels of ``maps``; channel 0 to the right, channel 1 down.

    Raises:
        InputError: shapes that do not belong together, or a side of one pixel (its grid has no unit).

    Positions are computed in float32 at least: half precision cannot tell the pixels of a wide map apart.

    Source: the backward warp of LiteFlowNet and PWC-Net, as codeslake/PVDNet and csbhr/CDVD-TSP use it.

    Example:
        >>> row = torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]).view(1, 1, 2, 3)
        >>> warp(row, torch.tensor([0.5, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 3))[0, 0, 0].tolist()
        [1.5, 3.0, 2.0]
    """
    height, width = maps.shape[-2:]
    if maps.dim() != 4 or flow.shape != (maps.shape[0], 2, height, width) or min(height, width) < 2:
        raise InputError(
            f"The warp was given maps of {tuple(maps.shape)} and a flow of {tuple(flow.shape)}; it takes (batch, "
            "channels, height, width), height and width at least 2, and a flow of (batch, 2, height, width)."
        )
    precise = torch.promote_types(torch.promote_types(maps.dtype, flow.dtype), torch.float32)
    flow = flow.to(precise)
    x = torch.linspace(-1, 1, width, dtype=precise, device=flow.device)
    y = torch.linspace(-1, 1, height, dtype=precise, device=flow.device)
    grid = torch.stack([x + flow[:, 0] / ((width - 1) / 2), y[:, None] + flow[:, 1] / ((height - 1) / 2)], dim=-1)
    sampled = functional.grid_sample(maps.to(precise), grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return sampled.to(maps.dtype)
