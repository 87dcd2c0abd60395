"""Speed of normal numbers: ours, of quantiles, beside what one would draw instead; one frame of 1920 x 1080 in colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from degradations.normal import fill_normal

pytestmark = pytest.mark.usefixtures("one_thread")

Bench = Callable[..., Any]

SHAPE = (3, 1080, 1920)
GROUP = "normal numbers, 3 x 1080 x 1920, one thread"


def ours() -> Callable[[], object]:
    bits, out = np.random.Philox(key=1), np.empty(SHAPE, np.float32)
    return lambda: fill_normal(bits, out)


def ziggurat() -> Callable[[], object]:
    generator, out = np.random.Generator(np.random.Philox(key=1)), np.empty(SHAPE, np.float32)
    return lambda: generator.standard_normal(dtype=np.float32, out=out)


def of_torch() -> Callable[[], object]:
    generator, out = torch.Generator().manual_seed(1), torch.empty(SHAPE)
    return lambda: torch.randn(SHAPE, generator=generator, out=out)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("make", [ours, ziggurat, of_torch], ids=lambda make: make.__name__)
def test_normal_numbers(benchmark: Bench, make: Callable[[], Callable[[], object]]) -> None:
    benchmark.pedantic(make(), rounds=5, warmup_rounds=1)
