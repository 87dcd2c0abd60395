"""The spatial part of RTN: transformer blocks on shifted windows, as in SwinIR, at half the size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 8
"""Side of a window, in tokens."""
SHIFT = WINDOW // 2
HEADS = 4
EMBEDDING = 64
STORED = 128
"""Side in tokens of the image for which the official checkpoints store a mask; it holds what is computed anyway."""
HIDDEN = -100.0
"""Added to the attention between tokens that are neighbours through a shift around the border alone."""


class SpatialBlocks(nn.Module):
    """Features to features of the same size: ``(N, 16, H, W)``, height and width multiples of 16.

    Args:
        channels: in and out.
        groups: residual groups of transformer blocks.
        depth: blocks of a group.

    Source: Liang et al., "SwinIR" (ICCVW 2021), as raywzy/Bringing-Old-Films-Back-to-Life uses it; names as there.
    """

    def __init__(self, channels: int = 16, groups: int = 3, depth: int = 2) -> None:
        super().__init__()
        half = EMBEDDING // 2
        self.conv_first = nn.Conv2d(channels, half, 3, padding=1)
        self.conv_second = nn.Conv2d(half, EMBEDDING, 4, stride=2, padding=1)
        self.patch_embed = PatchEmbedding()
        self.layers = nn.ModuleList(ResidualGroup(depth) for _ in range(groups))
        self.norm = nn.LayerNorm(EMBEDDING)
        self.conv_after_body = nn.Conv2d(EMBEDDING, EMBEDDING, 3, padding=1)
        # The slope is the framework's default here, unlike everywhere else.
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(EMBEDDING, EMBEDDING, 3, padding=1), nn.LeakyReLU())
        self.conv_up1 = nn.Conv2d(EMBEDDING, half, 3, padding=1)
        self.conv_last = nn.Conv2d(half, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        whole = functional.leaky_relu(self.conv_first(features), 0.2)
        half = self.conv_second(whole)
        tokens = self.patch_embed(half.permute(0, 2, 3, 1))
        mask = shift_mask(tokens.shape[1], tokens.shape[2], tokens)
        for layer in self.layers:
            tokens = layer(tokens, mask)
        half = self.conv_after_body(self.norm(tokens).permute(0, 3, 1, 2)) + half
        up = functional.interpolate(self.conv_before_upsample(half), scale_factor=2, mode="nearest")
        out: Tensor = self.conv_last(functional.leaky_relu(self.conv_up1(up) + whole, 0.2))
        return out


class PatchEmbedding(nn.Module):
    """Tokens of one pixel each, normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(EMBEDDING)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(N, H, W, 64)``, kept."""
        out: Tensor = self.norm(tokens)
        return out


class ResidualGroup(nn.Module):
    """Transformer blocks and a convolution, added to what they were given.

    Args:
        depth: blocks; every second one on shifted windows.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.residual_group = nn.Module()
        self.residual_group.blocks = nn.ModuleList(Block(shifted=i % 2 == 1) for i in range(depth))
        self.conv = nn.Conv2d(EMBEDDING, EMBEDDING, 3, padding=1)

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
        shifted: whether the windows lie half a window further down and right.
    """

    def __init__(self, shifted: bool) -> None:
        super().__init__()
        self.shifted = shifted
        self.norm1 = nn.LayerNorm(EMBEDDING)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(EMBEDDING)
        self.mlp = Mlp()
        if shifted:
            # Part of official checkpoints; what is used follows from the size of the image.
            self.register_buffer("attn_mask", shift_mask(STORED, STORED, self.norm1.weight.detach()))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """``(N, H, W, 64)``, kept."""
        x = self.norm1(tokens)
        if self.shifted:
            x = x.roll((-SHIFT, -SHIFT), dims=(1, 2))
        x = joined(self.attn(windows(x), mask if self.shifted else None), *tokens.shape[1:3])
        if self.shifted:
            x = x.roll((SHIFT, SHIFT), dims=(1, 2))
        x = tokens + x
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Attention(nn.Module):
    """Attention of the tokens of a window to each other, with a bias for each relative position."""

    def __init__(self) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, HEADS))
        self.register_buffer("relative_position_index", relative_positions())
        self.qkv = nn.Linear(EMBEDDING, 3 * EMBEDDING)
        self.proj = nn.Linear(EMBEDDING, EMBEDDING)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """``x``: ``(N, windows, 64, 64)``, tokens by channels; ``mask``: ``(windows, 64, 64)`` or None."""
        query, key, value = self.qkv(x).unflatten(-1, (3, HEADS, -1)).movedim(-3, 0).transpose(-2, -3)
        index = self.get_buffer("relative_position_index")
        bias = self.relative_position_bias_table[index].permute(2, 0, 1).to(query.dtype)
        given = bias if mask is None else bias + mask[:, None].to(query.dtype)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=given)
        out: Tensor = self.proj(found.transpose(-2, -3).flatten(-2))
        return out


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(EMBEDDING, 2 * EMBEDDING)
        self.fc2 = nn.Linear(2 * EMBEDDING, EMBEDDING)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, 64)``, kept."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


def windows(tokens: Tensor) -> Tensor:
    """``(N, H, W, C)`` as ``(N, H / 8 * W / 8, 64, C)``: windows by rows, and the tokens of each by rows."""
    batch, height, width, channels = tokens.shape
    parts = tokens.reshape(batch, height // WINDOW, WINDOW, width // WINDOW, WINDOW, channels)
    return parts.transpose(2, 3).reshape(batch, -1, WINDOW * WINDOW, channels)


def joined(parts: Tensor, height: int, width: int) -> Tensor:
    """The inverse of :func:`windows`.

    Example:
        >>> tokens = torch.arange(256.0).view(1, 16, 16, 1)
        >>> torch.equal(joined(windows(tokens), 16, 16), tokens)
        True
    """
    batch, _, _, channels = parts.shape
    rows = parts.reshape(batch, height // WINDOW, width // WINDOW, WINDOW, WINDOW, channels).transpose(2, 3)
    return rows.reshape(batch, height, width, channels)


def shift_mask(height: int, width: int, like: Tensor) -> Tensor:
    """What is added to the attention in shifted windows: 0 between tokens that are neighbours, else -100.

    Args:
        height, width: of the image, in tokens.
        like: of the type and on the device of the result.

    Returns:
        ``(windows, 64, 64)``.

    Example:
        >>> shift_mask(8, 8, torch.zeros(1))[0, 0, [0, 3, 4, 32]].tolist()
        [0.0, 0.0, -100.0, -100.0]
    """
    row, column = (_regions(side, like.device) for side in (height, width))
    region = windows((3 * row[:, None] + column)[None, :, :, None])[0, :, :, 0]
    hidden = region[:, :, None] != region[:, None, :]
    return torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill(hidden, HIDDEN)


def _regions(side: int, device: torch.device) -> Tensor:
    """Which of three regions each row belongs to: all but the last window, its first half, what the shift brings."""
    position = torch.arange(side, device=device)
    return (position >= side - WINDOW).long() + (position >= side - SHIFT)


def relative_positions() -> Tensor:
    """For each two tokens of a window, ``(64, 64)``, which relative position it is: ``(dy + 7) * 15 + dx + 7``."""
    row = torch.arange(WINDOW).repeat_interleave(WINDOW)
    column = torch.arange(WINDOW).repeat(WINDOW)
    down = row[:, None] - row + WINDOW - 1
    across = column[:, None] - column + WINDOW - 1
    return down * (2 * WINDOW - 1) + across
