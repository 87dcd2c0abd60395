"""Frames on a GPU: damaged alike, and given back where they were."""

from __future__ import annotations

import pytest
import torch

from degradations.apply import degrade
from degradations.base import ClipShape
from degradations.film.splices import MOST_LOST, Splices
from degradations.profile import list_profiles, load_profile
from degradations.rng import Rng


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", list_profiles())
def test_the_cpu_and_a_gpu_agree(name: str) -> None:
    clean = torch.rand(3, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    for variant in load_profile(name).default:
        here = degrade(clean, name, variant, seed=2)
        there = degrade(clean.cuda(), name, variant, seed=2)
        assert there.frames.is_cuda
        assert all(mask.is_cuda for mask in there.masks.values())
        level = (there.frames.cpu() - here.frames).abs() * 255
        assert float((level <= 1).float().mean()) >= 0.999


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gaussian_noise_is_the_same_bits() -> None:
    clean = torch.rand(3, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    there = degrade(clean.cuda(), "noise", "awgn25", seed=2)
    assert torch.equal(there.frames.cpu(), degrade(clean, "noise", "awgn25", seed=2).frames)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_cement_of_a_splice_comes_back_from_the_cpu() -> None:
    # Drawn on the CPU: on a CPU's tensors a test cannot see whether it is brought back, for memory is shared there.
    step = Splices(rate=0.3)
    params = step.sample(ClipShape(30, 48, 64), Rng.root(1))
    assert params["splices"]
    frames = torch.rand(30 + MOST_LOST, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    here, there = step.apply(frames, params), step.on_device(frames.cuda(), params)
    assert float(here.masks["splice"].max()) > 0.5
    assert torch.allclose(there.masks["splice"].cpu(), here.masks["splice"], atol=1e-4)
    assert float(((there.frames.cpu() - here.frames).abs() * 255 <= 1).float().mean()) >= 0.999
