"""The spatial part of RTN: transformer blocks on shifted windows, as in SwinIR, at half the size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vbench.errors import InputError

WINDOW = 8
"""Side of a window, in tokens."""
HIDDEN = -100.0
"""Added to the attention between tokens that are neighbours through a shift around the border alone."""


class SpatialBlocks(nn.Module):
    """Features to features of the same size: ``(N, 16, H, W)``, height and width multiples of twice the window.

    Args:
        channels: in and out.
        embed_dim: channels of a token.
        depths: blocks of each residual group of transformer blocks.
        num_heads: of the attention, for each group.
        window_size: side of a window, in tokens.
        mlp_ratio: hidden channels of the linear layers, as a multiple of a token's.
        img_size: side of the image for which the official checkpoints store a mask; it holds what is computed anyway.

    Raises:
        InputError: numbers that do not go together.

    Source: Liang et al., "SwinIR" (ICCVW 2021), as raywzy/Bringing-Old-Films-Back-to-Life uses it; names as there.
    """

    def __init__(
        self,
        channels: int = 16,
        embed_dim: int = 64,
        depths: Sequence[int] = (2, 2, 2),
        num_heads: Sequence[int] = (4, 4, 4),
        window_size: int = WINDOW,
        mlp_ratio: float = 2,
        img_size: int = 256,
    ) -> None:
        super().__init__()
        if len(depths) != len(num_heads) or any(embed_dim % heads for heads in num_heads) or window_size % 2:
            raise InputError(
                f"RTN was asked for groups of {list(depths)} blocks with {list(num_heads)} heads, {embed_dim} channels and "
                f"windows of {window_size}; heads are given for each group and divide the channels, and windows are even."
            )
        self.window = window_size
        half = embed_dim // 2
        self.conv_first = nn.Conv2d(channels, half, 3, padding=1)
        self.conv_second = nn.Conv2d(half, embed_dim, 4, stride=2, padding=1)
        self.patch_embed = PatchEmbedding(embed_dim)
        hidden = int(embed_dim * mlp_ratio)
        self.layers = nn.ModuleList(
            ResidualGroup(depth, embed_dim, heads, window_size, hidden, img_size // 2)
            for depth, heads in zip(depths, num_heads, strict=True)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self.conv_after_body = nn.Conv2d(embed_dim, embed_dim, 3, padding=1)
        # The slope is the framework's default here, unlike everywhere else.
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(embed_dim, embed_dim, 3, padding=1), nn.LeakyReLU())
        self.conv_up1 = nn.Conv2d(embed_dim, half, 3, padding=1)
        self.conv_last = nn.Conv2d(half, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        whole = functional.leaky_relu(self.conv_first(features), 0.2)
        half = self.conv_second(whole)
        tokens = self.patch_embed(half.permute(0, 2, 3, 1))
        mask = shift_mask(tokens.shape[1], tokens.shape[2], tokens, self.window)
        for layer in self.layers:
            tokens = layer(tokens, mask)
        half = self.conv_after_body(self.norm(tokens).permute(0, 3, 1, 2)) + half
        up = functional.interpolate(self.conv_before_upsample(half), scale_factor=2, mode="nearest")
        out: Tensor = self.conv_last(functional.leaky_relu(self.conv_up1(up) + whole, 0.2))
        return out


class PatchEmbedding(nn.Module):
    """Tokens of one pixel each, normalised."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(N, H, W, 64)``, kept."""
        out: Tensor = self.norm(tokens)
        return out


class ResidualGroup(nn.Module):
    """Transformer blocks and a convolution, added to what they were given.

    Args:
        depth: blocks; every second one on shifted windows.
        channels, heads, window, hidden, stored: see :class:`Block`.
    """

    def __init__(self, depth: int, channels: int, heads: int, window: int, hidden: int, stored: int) -> None:
        super().__init__()
        self.residual_group = nn.Module()
        self.residual_group.blocks = nn.ModuleList(
            Block(channels, heads, window, hidden, stored if i % 2 == 1 else None) for i in range(depth)
        )
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """``(N, H, W, 64)``, kept; ``mask`` as :func:`shift_mask` gives it."""
        x = tokens
        blocks = self.residual_group.get_submodule("blocks")
        for block in blocks.children():
            x = block(x, mask)
        out: Tensor = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) + tokens
        return out


class Block(nn.Module):
    """Attention within windows, then two linear layers at each token; both added to what they were given.

    Args:
        channels: of a token.
        heads: of the attention.
        window: side of a window, in tokens.
        hidden: channels between the linear layers.
        stored: where the windows lie half a window further down and right: side in tokens of the image for which
            checkpoints store a mask; else None.
    """

    def __init__(self, channels: int, heads: int, window: int, hidden: int, stored: int | None) -> None:
        super().__init__()
        self.window = window
        self.shift = 0 if stored is None else window // 2
        self.norm1 = nn.LayerNorm(channels)
        self.attn = Attention(channels, heads, window)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, hidden)
        if stored is not None:
            # Part of official checkpoints; what is used follows from the size of the image.
            self.register_buffer("attn_mask", shift_mask(stored, stored, self.norm1.weight.detach(), window))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """``(N, H, W, 64)``, kept."""
        x = self.norm1(tokens)
        if self.shift:
            x = x.roll((-self.shift, -self.shift), dims=(1, 2))
        x = joined(self.attn(windows(x, self.window), mask if self.shift else None), *tokens.shape[1:3])
        if self.shift:
            x = x.roll((self.shift, self.shift), dims=(1, 2))
        x = tokens + x
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Attention(nn.Module):
    """Attention of the tokens of a window to each other, with a bias for each relative position."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_positions(window))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """``x``: ``(N, windows, 64, 64)``, tokens by channels; ``mask``: ``(windows, 64, 64)`` or None."""
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).movedim(-3, 0).transpose(-2, -3)
        index = self.get_buffer("relative_position_index")
        bias = self.relative_position_bias_table[index].permute(2, 0, 1).to(query.dtype)
        given = bias if mask is None else bias + mask[:, None].to(query.dtype)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=given)
        out: Tensor = self.proj(found.transpose(-2, -3).flatten(-2))
        return out


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, 64)``, kept."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


def windows(tokens: Tensor, side: int = WINDOW) -> Tensor:
    """``(N, H, W, C)`` as ``(N, H / 8 * W / 8, 64, C)``: windows by rows, and the tokens of each by rows."""
    batch, height, width, channels = tokens.shape
    parts = tokens.reshape(batch, height // side, side, width // side, side, channels)
    return parts.transpose(2, 3).reshape(batch, -1, side * side, channels)


def joined(parts: Tensor, height: int, width: int) -> Tensor:
    """The inverse of :func:`windows`.

    Example:
        >>> tokens = torch.arange(256.0).view(1, 16, 16, 1)
        >>> torch.equal(joined(windows(tokens), 16, 16), tokens)
        True
    """
    batch, _, tokens, channels = parts.shape
    side = math.isqrt(tokens)
    rows = parts.reshape(batch, height // side, width // side, side, side, channels).transpose(2, 3)
    return rows.reshape(batch, height, width, channels)


def shift_mask(height: int, width: int, like: Tensor, side: int = WINDOW) -> Tensor:
    """What is added to the attention in shifted windows: 0 between tokens that are neighbours, else -100.

    Args:
        height, width: of the image, in tokens.
        like: of the type and on the device of the result.
        side: of a window, in tokens.

    Returns:
        ``(windows, 64, 64)``.

    Example:
        >>> shift_mask(8, 8, torch.zeros(1))[0, 0, [0, 3, 4, 32]].tolist()
        [0.0, 0.0, -100.0, -100.0]
    """
    row, column = (_regions(length, side, like.device) for length in (height, width))
    region = windows((3 * row[:, None] + column)[None, :, :, None], side)[0, :, :, 0]
    hidden = region[:, :, None] != region[:, None, :]
    return torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill(hidden, HIDDEN)


def _regions(length: int, side: int, device: torch.device) -> Tensor:
    """Which of three regions each row belongs to: all but the last window, its first half, what the shift brings."""
    position = torch.arange(length, device=device)
    return (position >= length - side).long() + (position >= length - side // 2)


def relative_positions(side: int = WINDOW) -> Tensor:
    """For each two tokens of a window, ``(64, 64)``, which relative position it is: ``(dy + 7) * 15 + dx + 7``."""
    row = torch.arange(side).repeat_interleave(side)
    column = torch.arange(side).repeat(side)
    down = row[:, None] - row + side - 1
    across = column[:, None] - column + side - 1
    return down * (2 * side - 1) + across
