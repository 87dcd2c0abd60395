"""Recorded calls: on a GPU the same results, elsewhere nothing changes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from vbench.models.replay import Replayed, _Pool, _same, replayed
from vbench.precision import in_precision
from vbench.restore import ClipMeta, Restorer, checked


class Pair(NamedTuple):
    one: Tensor
    two: Tensor


class Network(nn.Module):
    """A method that can be recorded, and one that asks for a value."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.calls = 0

    def pair(self, frames: list[Tensor], factor: float) -> Pair:
        self.calls += 1
        first = self.convolution(frames[0])
        return Pair(first * factor, first + frames[1])

    def asked(self, frame: Tensor) -> Tensor:
        return frame * 2 if float(frame.mean()) > 0 else frame


def wrapped(device: str) -> Any:
    torch.manual_seed(0)
    network = Network().eval().to(device)
    replayed(network, "pair", "asked", "convolution.forward")
    return network


def test_on_the_cpu_nothing_is_wrapped() -> None:
    network = wrapped("cpu")
    assert not any(isinstance(value, Replayed) for value in vars(network).values())
    assert network.pair([torch.ones(1, 3, 4, 4)] * 2, 2.0).one.shape == (1, 3, 4, 4)


def test_tensors_of_the_cpu_go_the_plain_way_and_a_copy_calls_itself() -> None:
    network: Any = Network().eval()
    network.pair = Replayed(network, "pair", _Pool())
    frames = [torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)]
    with torch.inference_mode():
        for _ in range(5):
            network.pair(frames, 2.0)
    assert network.calls == 5
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.convolution.weight.zero_()
        flat = 2 * other.convolution.bias.view(1, 3, 1, 1)
        assert (other.pair(frames, 2.0).one == flat).all()
        assert not (network.pair(frames, 2.0).one == flat).all()
    assert (network.calls, other.calls) == (6, 6)


def test_replays_that_differ_are_told_from_those_that_do_not() -> None:
    a = torch.rand(50)
    assert _same((a, 3, [a]), (a + 1e-5, 3, [a]))
    assert not _same((a, 3, [a]), (a, 3, [a + 0.1]))
    assert not _same(a * torch.nan, a)
    assert _same(torch.zeros(3), torch.zeros(3))


class Held:
    """A restorer of one network, as ours are."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        for chunk in chunks:
            yield self._network(chunk).clamp(0, 1)


@pytest.mark.cuda
def test_recorded_calls_give_what_calls_give() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    network, plain = wrapped("cuda"), wrapped("cpu").cuda()
    with torch.inference_mode():
        for size in (8, 8, 8, 8, 12, 8, 12, 12, 12):
            frames = [torch.rand(1, 3, size, size, device="cuda") for _ in range(2)]
            for one, other in zip(network.pair(frames, 2.0), plain.pair(frames, 2.0), strict=True):
                assert torch.allclose(one, other, atol=1e-5)
            assert torch.equal(network.asked(frames[0]), frames[0] * 2)
    assert len(network.pair._recordings) == 2
    assert network.asked._off
    frames = [torch.rand(1, 3, 8, 8, device="cuda").requires_grad_() for _ in range(2)]
    network.pair(frames, 2.0).one.sum().backward()
    assert frames[0].grad is not None


@pytest.mark.cuda
def test_weights_that_are_cast_once_give_what_autocast_gives() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(), nn.Conv2d(8, 3, 3, padding=1)).eval().cuda()
    restorer: Restorer = checked(Held(network), "held")
    frames = torch.rand(2, 3, 16, 16, device="cuda")
    with torch.inference_mode():
        (out,) = in_precision(restorer, "bf16", "cuda").restore(iter([frames]), ClipMeta(2, 16, 16, 3, 24.0))
        with torch.autocast("cuda", torch.bfloat16):
            expected = network(frames).clamp(0, 1).float()
    assert float((out - expected).abs().max()) <= 2**-7
    assert network[0].weight.dtype == torch.float32
