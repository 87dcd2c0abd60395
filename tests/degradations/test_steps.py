"""Every variant of every profile: repeatable, independent of chunks, for any size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from degradations.apply import Recipe, degrade, replay, shrunk
from degradations.base import joined
from degradations.profile import list_profiles, load_profile

VARIANTS = [(p, v) for p in list_profiles() for v in load_profile(p).variants]


def clean(moving: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(moving.transpose(0, 3, 1, 2))).float() / 255


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10(float((a.clamp(0, 1) - b).square().mean()))


@pytest.mark.parametrize(("profile", "variant"), VARIANTS)
def test_chunks_do_not_matter_and_neither_does_the_day(moving: NDArray[np.uint8], profile: str, variant: str) -> None:
    """The same seed gives the same bytes, in chunks of any size; another seed or clip gives others."""
    x = clean(moving)
    whole = degrade(x, profile, variant, seed=3, clip="a")
    recipe = Recipe.from_json(whole.recipe.to_json())
    for size in (1, 4):
        again = joined(list(replay(recipe, x.split(size))))
        assert torch.equal(again.frames, whole.frames)
        assert (again.mask is None) == (whole.mask is None)
        if again.mask is not None and whole.mask is not None:
            assert torch.equal(again.mask, whole.mask)
    drawn = any(step.params.get("key") for step in recipe.steps)
    if drawn:
        assert not torch.equal(degrade(x, profile, variant, seed=4, clip="a").frames, whole.frames)
        assert not torch.equal(degrade(x, profile, variant, seed=3, clip="b").frames, whole.frames)
    if shrunk(recipe) == 1 and profile != "clean":
        assert 8 < psnr(whole.frames, x) < 60


@pytest.mark.parametrize(("profile", "variant"), VARIANTS)
@pytest.mark.parametrize("size", [(1, 3, 64, 80), (2, 1, 48, 64), (2, 3, 35, 47), (2, 3, 16, 16)])
def test_any_size(moving: NDArray[np.uint8], profile: str, variant: str, size: tuple[int, ...]) -> None:
    x = clean(moving)[: size[0], : size[1], : size[2], : size[3]]
    out = degrade(x, profile, variant)
    small = [-(-side // shrunk(out.recipe)) for side in x.shape[2:]]
    assert out.frames.shape == (*x.shape[:2], *small)
    assert bool(torch.isfinite(out.frames).all())
