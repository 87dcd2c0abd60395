"""Speed of VNLnet's patch search and of what FastDVDnet's windows share, side by side with the plain ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.fastdvdnet.restorer import FastDVDnetRestorer
from vbench.models.fastdvdnet.sequence import windows
from vbench.models.fold import fold_norms
from vbench.models.vnlnet.search import Window, match, match_both
from vbench.restore import run_array

Bench = Callable[..., Any]


@pytest.fixture(scope="module")
def frames() -> Tensor:
    """Two padded frames of noise, in whole numbers so small that float32 holds every distance: the ways must agree."""
    return torch.randint(0, 100, (2, 160, 200), generator=torch.Generator().manual_seed(0)).float()


def boxes(values: Tensor, size: int) -> Tensor:
    """Sums over ``size`` x ``size`` pixels by cumulative sums, in float64 so that none is lost."""
    total = functional.pad(values.double(), (1, 0, 1, 0)).cumsum(0).cumsum(1)
    return total[size:, size:] - total[size:, :-size] - total[:-size, size:] + total[:-size, :-size]


def plainly(query: Tensor, other: Tensor, window: Window) -> Tensor:
    """One operation on the whole frame after another, for each candidate."""
    reach = window.search // 2
    padded = functional.pad(other, (reach,) * 4, value=1e4)
    height, width = query.shape
    shape = (height - window.patch + 1, width - window.patch + 1)
    best = torch.full(shape, torch.inf, dtype=torch.float64)
    where = torch.zeros(shape, dtype=torch.int16)
    for i in range(window.search**2):
        dy, dx = divmod(i, window.search)
        distance = boxes((query - padded[dy : dy + height, dx : dx + width]).square(), window.patch)
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        where.masked_fill_(nearer, i)
    return where


@pytest.mark.benchmark(group="patch search, 160 x 120 pixels in one frame, 41 x 41 patches, 41 x 41 candidates")
def test_search_ours(benchmark: Bench, frames: Tensor) -> None:
    found = benchmark.pedantic(lambda: match(frames[:1], frames[1:], Window()), rounds=2)
    assert found.dy.shape == (1, 120, 160)


@pytest.mark.benchmark(group="patch search, 160 x 120 pixels in one frame, 41 x 41 patches, 41 x 41 candidates")
def test_search_plain(benchmark: Bench, frames: Tensor) -> None:
    found = benchmark.pedantic(lambda: plainly(frames[0], frames[1], Window()), rounds=1)
    ours = match(frames[:1], frames[1:], Window())
    assert torch.equal(found, (ours.dy[0] + 20) * 41 + ours.dx[0] + 20)


@pytest.mark.benchmark(group="patch search, both ways")
def test_search_both_ways_at_once(benchmark: Bench, frames: Tensor) -> None:
    assert len(benchmark.pedantic(lambda: match_both(frames[:1], frames[1:], Window()), rounds=2)) == 2


@pytest.mark.benchmark(group="patch search, both ways")
def test_search_one_way_after_the_other(benchmark: Bench, frames: Tensor) -> None:
    def run() -> None:
        match(frames[:1], frames[1:], Window())
        match(frames[1:], frames[:1], Window())

    benchmark.pedantic(run, rounds=2)


@pytest.fixture(scope="module")
def network() -> FastDVDnet:
    return FastDVDnet().eval()


@pytest.mark.benchmark(group="FastDVDnet, 8 frames of 160 x 96")
@torch.inference_mode()
def test_fastdvdnet_restorer(benchmark: Bench, network: FastDVDnet) -> None:
    folded = FastDVDnet().eval()
    fold_norms(folded)
    restorer = FastDVDnetRestorer(folded.to(memory_format=torch.channels_last), 25)
    clip = torch.rand(8, 3, 96, 160)
    assert benchmark.pedantic(lambda: run_array(restorer, clip), rounds=2).shape == clip.shape


@pytest.mark.benchmark(group="FastDVDnet, 8 frames of 160 x 96")
@torch.inference_mode()
def test_fastdvdnet_window_by_window(benchmark: Bench, network: FastDVDnet) -> None:
    clip = torch.rand(8, 3, 96, 160)
    noise = torch.full((1, 1, 96, 160), 25 / 255)

    def run() -> list[Tensor]:
        return [network(clip[list(window)].reshape(1, 15, 96, 160), noise) for window in windows(8)]

    assert len(benchmark.pedantic(run, rounds=2)) == 8
