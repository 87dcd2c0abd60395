"""Normal numbers made so that they are the same bits on every machine, on a CPU and on a GPU.

NumPy's own normal numbers (a ziggurat) are drawn one after the other, some of them again, so that none can be made before
those in front of it. Here each is made of 32 bits of the generator alone: the normal quantile of their place between 0 and
1. The upper 16 bits say in which of 65,536 equally likely pieces of the distribution it lies, the lower 16 where in the
piece, along a straight line between its ends; the two outermost pieces are parted by another table, out to 6.3 standard
deviations. Nothing but a look into a table, a product and a sum, each rounded as IEEE 754 has it: no logarithm or cosine,
of which every library and processor has another last bit. The tables are SciPy's quantiles in double precision, rounded to
single: a test knows their hashes, and would fail where a SciPy gives other ones. It takes half the time of the ziggurat.

Against the exact distribution: the variance is 1 + 4.4e-6, the fourth moment 3 + 1.4e-4, and no probability is off by more
than 1.3e-6 (`tests/degradations/test_normal.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from degradations.philox import keys_of, raw_words
from degradations.rng import Rng

Float = NDArray[np.float32]

PIECES = 2**16
LAST = PIECES - 1
STRIP = 2**15
"""Numbers that are made at a time on a CPU: they stay in the processor's cache."""
AT_ONCE = 2**25
"""Numbers that are made at a time on a GPU."""


class Tables(NamedTuple):
    """Quantiles, float32, of ``PIECES`` pieces."""

    base: Float
    """Of the first place in each piece (0 in the two outermost ones)."""
    step: Float
    """From place to place in the piece."""
    tail: Float
    """Of each place in the lowest piece."""


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables, from SciPy's quantiles in double precision; the upper half is the lower one, mirrored."""
    half = PIECES // 2
    ends = ndtri(np.arange(1, half + 1) / PIECES)  # of pieces 1 to half
    step, base = np.zeros(PIECES), np.zeros(PIECES)
    step[1:half] = np.diff(ends) / PIECES
    base[1:half] = ends[:-1] + step[1:half] / 2  # a place stands for the middle of its 2**-32
    step[half:-1] = step[half - 1 : 0 : -1]
    base[half:-1] = -(base[half - 1 : 0 : -1] + LAST * step[half - 1 : 0 : -1])
    tail = ndtri((np.arange(PIECES) + 0.5) / PIECES**2)
    out = Tables(*(table.astype(np.float32) for table in (base, step, tail)))
    for table in out:
        table.setflags(write=False)
    return out


def fill_normal(bits: np.random.BitGenerator, out: Float) -> None:
    """Fill a contiguous array with normal numbers, of mean 0 and variance 1: the lower half of a generator's word first.

    Example:
        >>> out = np.empty((2, 3), np.float32)
        >>> fill_normal(Rng.root(1).generator().bit_generator, out)
        >>> [[round(float(v), 2) for v in row] for row in out]
        [[0.24, 1.78, 1.61], [0.07, 0.51, 1.2]]
    """
    base, step, tail = tables()
    flat = out.reshape(-1)
    for first in range(0, len(flat), STRIP):
        part = flat[first : first + STRIP]
        words = bits.random_raw(-(-len(part) // 2)).astype("<u8", copy=False).view("<u4")[: len(part)]
        piece, place = words >> np.uint32(16), words & np.uint32(LAST)
        np.take(base, piece, out=part, mode="wrap")
        part += np.take(step, piece, mode="wrap") * place.astype(np.float32)
        outermost = np.flatnonzero(piece - np.uint32(1) >= LAST - 1)  # 0 wraps around
        if len(outermost):
            at = place[outermost]
            part[outermost] = np.where(piece[outermost] == 0, tail[at], -tail[LAST - at])


@lru_cache(maxsize=8)
def _tables_on(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    base, step, tail = (torch.from_numpy(table.copy()).to(device) for table in tables())
    return base, step, tail


def normal_on(device: torch.device, addresses: Sequence[Rng], shape: tuple[int, ...]) -> Tensor:
    """What `fill_normal` gives for the generators of these addresses, ``(len(addresses), *shape)``, made on the device.

    Example:
        >>> there = normal_on(torch.device("cpu"), [Rng.root(1)], (2, 3))[0]
        >>> here = np.empty((2, 3), np.float32)
        >>> fill_normal(Rng.root(1).generator().bit_generator, here)
        >>> bool((there.numpy() == here).all())
        True
    """
    base, step, tail = _tables_on(device)

    def quantiles(words: Tensor) -> Tensor:
        piece, place = (words >> 16) & LAST, words & LAST
        # A product and a sum of their own: in one operation a device may round once, where the CPU rounds twice.
        inside = step.take(piece.long()).mul_(place)
        inside += base.take(piece.long())
        beyond = tail.take(torch.where(piece == 0, place, LAST - place).long())
        beyond = torch.where(piece == 0, beyond, -beyond)
        return torch.where((piece == 0) | (piece == LAST), beyond, inside)

    return _of_words(quantiles, device, addresses, shape)


def even_on(device: torch.device, addresses: Sequence[Rng], shape: tuple[int, ...]) -> Tensor:
    """What ``numpy.random.Generator.random(dtype=float32)`` gives for these addresses, made on the device: evenly
    distributed from 0 to 1, ``(len(addresses), *shape)``.

    Example:
        >>> there = even_on(torch.device("cpu"), [Rng.root(1)], (3,))[0]
        >>> bool((there.numpy() == Rng.root(1).generator().random(3, dtype=np.float32)).all())
        True
    """
    return _of_words(lambda words: ((words >> 8) & (2**24 - 1)) * 2.0**-24, device, addresses, shape)


def _of_words(
    made: Callable[[Tensor], Tensor], device: torch.device, addresses: Sequence[Rng], shape: tuple[int, ...]
) -> Tensor:
    """A number of each 32 bits of the generators, some addresses at a time."""
    count = int(np.prod(shape))
    out = torch.empty((len(addresses), count), device=device)
    keys = keys_of(addresses)
    many = max(1, AT_ONCE // max(count, 1))
    for first in range(0, len(addresses), many):
        chosen = slice(first, first + many)
        out[chosen] = made(raw_words(keys[chosen], -(-count // 2), device).view(torch.int32)[:, :count])
    return out.view(len(addresses), *shape)
