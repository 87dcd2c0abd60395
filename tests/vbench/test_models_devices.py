"""Devices by name."""

from __future__ import annotations

import pytest
import torch

from vbench.devices import describe, full_float32, pick
from vbench.errors import InputError


def test_auto_is_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick() == "cuda"


@pytest.mark.parametrize("name", ["gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:\u0663", "cpu:0", ""])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f'There is no device "{name}": --device takes auto, cpu, cuda or cuda:N'):
        pick(name)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA GPU that PyTorch"):
        pick("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick("cuda:1") == "cuda:1"
    with pytest.raises(InputError, match=r"has 2 CUDA device\(s\)"):
        pick("cuda:2")


def test_a_device_is_described() -> None:
    facts = describe("cpu")
    assert facts["device"] == "cpu"
    assert facts["cpu"]
    assert facts["cores"] >= 1


def test_float32_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    full_float32()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
