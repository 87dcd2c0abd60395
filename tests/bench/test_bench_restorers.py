"""A clip through its restorer, side by side with the bare network on the same windows, on one thread.

The bare network is called on each window by itself, as the official scripts do (`tests/vbench/bare_networks.py`); what it
lacks is all that a restorer does around it: padding, streaming, clamping, colours, and the sharing between windows. Both
give the same frames (checked). ``ratio`` (in the column of extra information, and printed) is the median of the
restorer's times over that of the bare network's, in turns, so that a busy machine hits both; at most 1.05 is asked for.
VNLnet's search of its neighbours is part of both; of RTN and VNLnet, which are slow, few frames are restored.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.vbench.bare_networks import ALONE, bare
from vbench import models
from vbench.models.loading import unloaded
from vbench.restore import ClipMeta

Bench = Any
LIMIT = 1.05


@dataclass(frozen=True)
class Case:
    """A clip for a model."""

    frames: int
    height: int
    width: int
    channels: int = 3
    rounds: int = 5


CASES = {
    "dncnn-s25": Case(3, 96, 128, rounds=9),
    "fastdvdnet-s25": Case(8, 96, 128),
    "vnlnet-gray-s25": Case(8, 64, 64, channels=1, rounds=3),
    "pvdnet-dvd": Case(6, 64, 96),
    "cdvd-tsp-gopro": Case(6, 64, 64),
    "edvr-m-x4": Case(6, 32, 48, rounds=3),
    "rtn": Case(4, 128, 128, channels=1, rounds=3),
    "votes-x2-qp28": Case(6, 32, 32, rounds=3),
}


def ways(model: str, case: Case) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """The restorer and the bare network, with the same numbers in the network, on one clip."""
    spec = models.spec(model)
    scale = (spec.scales or (1,))[0]
    clip = torch.rand(case.frames, case.channels, case.height, case.width, generator=torch.Generator().manual_seed(0))
    if model == "rtn":
        clip = (clip * 255).round() / 255  # as its official script shows it
    meta = ClipMeta(case.frames, case.height, case.width, case.channels, 24.0, scale)
    torch.manual_seed(0)
    with unloaded():
        restorer = spec.load(torch.device("cpu"), None)
    torch.manual_seed(0)
    network = bare(model)

    def ours() -> Tensor:
        with torch.inference_mode():
            return torch.cat(list(restorer.restore(iter(clip.split(4)), meta)))

    def alone() -> Tensor:
        with torch.inference_mode():
            return torch.cat(list(ALONE[model](network, clip)))

    return ours, alone


def in_turns(first: Callable[[], object], second: Callable[[], object], rounds: int) -> float:
    """The median time of the first over that of the second."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for run, taken in zip((first, second), times, strict=True):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return statistics.median(times[0]) / statistics.median(times[1])


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """As if the machine had one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", CASES)
@pytest.mark.benchmark(group="clips through restorers, against the bare network")
def test_restorer(benchmark: Bench, model: str) -> None:
    case = CASES[model]
    ours, alone = ways(model, case)
    found, wanted = ours(), alone()  # which warms both up, too
    if case.channels == 1 and wanted.shape[1] == 3:
        wanted = wanted.mean(dim=1, keepdim=True)
    if models.spec(model).task == "denoising":
        wanted = wanted.clamp(0, 1)
    assert torch.allclose(found, wanted, atol=1e-4 * max(1.0, float(wanted.abs().max())))
    ratio = in_turns(ours, alone, case.rounds)
    benchmark.extra_info["ratio"] = round(ratio, 3)
    print(f"\n{benchmark.name}: ratio {ratio:.3f}")
    benchmark.pedantic(ours, rounds=1)
    assert ratio <= LIMIT
