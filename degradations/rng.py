"""Random numbers keyed by place: the same place gives the same numbers, in any order, in any process.

A sequence of draws from one generator depends on who drew before. Here every draw has an address
instead (seed, clip, step, frame, ...), and the address is hashed into the key of a counter-based
generator (Philox, Salmon et al., SC 2011). So chunk size, number of workers and order of frames
cannot change a single byte.
"""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rng:
    """An address from which independent generators are made.

    Example:
        >>> a = Rng.root(7).at("clip", "scratches", 3).generator().random(2)
        >>> b = Rng.root(7).at("clip").at("scratches", 3).generator().random(2)
        >>> bool((a == b).all())
        True
        >>> bool((a == Rng.root(7).at("clip", "scratches", 4).generator().random(2)).all())
        False
    """

    key: str

    @classmethod
    def root(cls, seed: int) -> Rng:
        """The address of a seed (any integer)."""
        return cls(hashlib.sha256(f"vbench:{int(seed)}".encode()).hexdigest())

    def at(self, *path: str | int) -> Rng:
        """The address below this one; strings and integers are told apart (``1`` is not ``"1"``).

        Raises:
            TypeError: a part is neither text nor a whole number (NumPy's integers are; floats are not).

        Example:
            >>> Rng.root(7).at(3) == Rng.root(7).at(np.int64(3)) != Rng.root(7).at("3")
            True
        """
        key = self.key
        for part in path:
            tag = f"s{part}" if isinstance(part, str) else f"i{operator.index(part)}"
            # File names may hold bytes that are no text; Python keeps them as lone surrogates.
            key = hashlib.sha256(f"{key}/{tag}".encode("utf-8", "surrogatepass")).hexdigest()
        return Rng(key)

    def generator(self) -> np.random.Generator:
        """A fresh NumPy generator for this address (the same numbers at every call)."""
        return np.random.Generator(np.random.Philox(key=int(self.key[:32], 16)))
