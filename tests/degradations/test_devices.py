"""Frames on a GPU: damaged alike, and given back where they were."""

from __future__ import annotations

import pytest
import torch

from degradations.apply import degrade
from degradations.profile import list_profiles, load_profile


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
