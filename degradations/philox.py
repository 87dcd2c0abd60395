"""The words of NumPy's Philox generator on any device: whole numbers, and so the same bits everywhere.

Philox4x64-10 scrambles a key and a counter into four words of 64 bits. No word depends on the one before, so a GPU
makes those of many frames at once, instead of waiting until a processor has made and sent them.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); the order of counters and words is that
of ``numpy.random.Philox``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from degradations.rng import Rng

ROUNDS = 10
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
"""What is added to the two halves of a key from round to round."""
HALF = 0xFFFFFFFF
"""The lower half of a word."""


def keys_of(addresses: Sequence[Rng]) -> NDArray[np.uint64]:
    """The keys ``(K, 2)`` of the generators of these addresses, the lower word first.

    Example:
        >>> a = Rng.root(7)
        >>> key = keys_of([a])[0]
        >>> bool((np.random.Philox(key=key).random_raw(3) == a.generator().bit_generator.random_raw(3)).all())
        True
    """
    keys = np.empty((len(addresses), 2), np.uint64)
    for key, address in zip(keys, addresses, strict=True):
        key[:] = address.generator().bit_generator.state["state"]["key"]
    return keys


def raw_words(keys: NDArray[np.uint64], count: int, device: torch.device) -> Tensor:
    """The first ``count`` words that ``numpy.random.Philox(key=key).random_raw`` gives for each of the keys ``(K, 2)``.

    Returns:
        ``(K, count)`` on the device, int64: the bits of NumPy's uint64.

    Example:
        >>> keys = np.array([[1, 0], [5, 9]], np.uint64)
        >>> words = raw_words(keys, 6, torch.device("cpu")).numpy().view(np.uint64)
        >>> [bool((row == np.random.Philox(key=key).random_raw(6)).all()) for row, key in zip(words, keys)]
        [True, True]
    """
    blocks = -(-count // 4)
    # Words 0 and 2 of the counter are multiplied, 1 and 3 are not: each pair is one tensor (2, K, blocks).
    scrambled = torch.zeros((2, len(keys), blocks), dtype=torch.int64, device=device)
    scrambled[0] = torch.arange(1, blocks + 1, device=device)  # NumPy counts up before it makes a block
    others = torch.zeros_like(scrambled)
    factor = np.array(MULTIPLIERS, np.uint64)[:, None, None]
    factors = [factor, factor & np.uint64(HALF), factor >> np.uint64(32)]
    whole, low, high = torch.from_numpy(np.stack(factors).view(np.int64)).to(device, non_blocking=True)
    rounds = np.arange(ROUNDS, dtype=np.uint64)[:, None, None] * np.array(STEPS, np.uint64) + keys
    rounds = np.ascontiguousarray(rounds.transpose(0, 2, 1)[..., None])  # round, half of the key, key
    for key in torch.from_numpy(rounds.view(np.int64)).to(device, non_blocking=True):
        upper = _upper(scrambled, low, high)
        lower = scrambled * whole
        scrambled, others = upper.flip(0).bitwise_xor_(others).bitwise_xor_(key), lower.flip(0)
    words = torch.stack([scrambled, others], dim=-1)  # pair, key, block, word of the pair
    return words.permute(1, 2, 0, 3).reshape(len(keys), 4 * blocks)[:, :count]


def _upper(words: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The upper 64 bits of the products of ``words`` and a factor given in halves, all taken as unsigned.

    torch has no such product: it is put together from four products of halves, none of which can overflow, nor can
    the sums.
    """
    below, above = words & HALF, _half_down(words)
    second = torch.addcmul(_half_down(below * low), below, high)
    third = torch.addcmul(second & HALF, above, low)
    return torch.addcmul(_half_down(second), above, high).add_(_half_down(third))


def _half_down(words: Tensor) -> Tensor:
    """The upper half of each word; without the mask the sign would be drawn along."""
    return (words >> 32).bitwise_and_(HALF)
