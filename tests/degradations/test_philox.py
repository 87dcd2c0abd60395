"""Philox in torch: word for word what NumPy draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from degradations.philox import keys_of, raw_words
from degradations.rng import Rng

CPU = torch.device("cpu")


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 63, 1000])
def test_words_are_those_of_numpy(count: int) -> None:
    """Many keys, with all bits and no bit among them: signs and carries of the halves of products would show."""
    keys = np.random.default_rng(0).integers(0, 2**64, (300, 2), dtype=np.uint64)
    keys[:4] = [[0, 0], [2**64 - 1, 2**64 - 1], [2**63, 1], [2**32 - 1, 2**32]]
    words = raw_words(keys, count, CPU).numpy().view(np.uint64)
    assert words.shape == (300, count)
    for key, found in zip(keys, words, strict=True):
        assert (found == np.random.Philox(key=key).random_raw(count)).all()


def test_a_long_row_is_that_of_numpy() -> None:
    keys = np.array([[3, 2**60 + 1], [2**64 - 2, 7]], np.uint64)
    words = raw_words(keys, 300_001, CPU).numpy().view(np.uint64)
    for key, found in zip(keys, words, strict=True):
        assert (found == np.random.Philox(key=key).random_raw(300_001)).all()


def test_keys_are_those_of_addresses() -> None:
    addresses = [Rng.root(seed).at("frame", frame) for seed in (0, 5) for frame in range(20)]
    words = raw_words(keys_of(addresses), 9, CPU).numpy().view(np.uint64)
    for address, found in zip(addresses, words, strict=True):
        assert (found == address.generator().bit_generator.random_raw(9)).all()


def test_no_key_gives_no_words() -> None:
    assert raw_words(keys_of([]), 5, CPU).shape == (0, 5)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_words() -> None:
    keys = np.random.default_rng(1).integers(0, 2**64, (50, 2), dtype=np.uint64)
    assert torch.equal(raw_words(keys, 1001, torch.device("cuda")).cpu(), raw_words(keys, 1001, CPU))
