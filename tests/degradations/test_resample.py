"""Clips made smaller."""

from __future__ import annotations

import pytest
import torch

from degradations.apply import degrade, draw, replay
from degradations.base import ClipShape, Damage
from degradations.profile import Profile, load_profile
from degradations.resample import Shrink, cubic_matrix
from degradations.rng import Rng


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_it_is_imresize_of_matlab(factor: int) -> None:
    """As pyiqa translated it."""
    imresize = pytest.importorskip("pyiqa.matlab_utils").imresize
    frames = random(2, 3, 12 * factor, 7 * factor)
    found = Shrink(factor=factor).apply(frames, {}).frames
    wanted = imresize(frames.double(), scale=1 / factor).clamp(0, 1).float()
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-6)


def test_a_ramp_stays_one_away_from_the_border() -> None:
    """A cubic keeps straight lines, and pixels stand for squares: the mean of 4 columns lies at their centre."""
    ramp = torch.arange(64.0).expand(1, 1, 8, 64) / 64
    small = Shrink(factor=4).apply(ramp, {}).frames[0, 0, 0]
    assert torch.allclose(small[2:-2], (torch.arange(16.0)[2:-2] * 4 + 1.5) / 64, atol=1e-6)
    assert torch.allclose(cubic_matrix(64, 4).sum(dim=1), torch.ones(16, dtype=torch.float64), atol=1e-12)


def test_a_small_clip_goes_through_the_steps_behind() -> None:
    out = degrade(random(5, 3, 32, 48), "codec", "h264-qp28-x2")
    assert out.frames.shape == (5, 3, 16, 24)
    assert out.recipe.shape["height"] == 32
    assert out.recipe.steps[0].params == {"height": 16, "width": 24}


def test_masks_are_dropped_and_chunks_do_not_matter() -> None:
    step = Shrink(factor=2)
    assert step.apply(random(1, 3, 8, 8), {}, masks={"dirt": torch.ones(1, 1, 8, 8)}).mask is None
    profile = load_profile("sr")
    clip = random(5, 1, 16, 8)
    recipe = draw(profile, "bicubic-x4", ClipShape(5, 16, 8, 1))
    parts = [d.frames for d in replay(recipe, [Damage(part) for part in clip.split(2)])]
    assert torch.equal(torch.cat(parts), degrade(clip, profile, "bicubic-x4").frames)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_size_that_does_not_divide_is_mirrored_at_the_end(factor: int) -> None:
    """The last square is that of the frame continued by its own last rows and columns in reverse."""
    frames = random(1, 1, 4 * factor + 1, 5 * factor + 1)
    whole = torch.cat([frames, frames[:, :, 1 - factor :].flip(2)], dim=2)
    whole = torch.cat([whole, whole[..., 1 - factor :].flip(3)], dim=3)
    found = Shrink(factor=factor).apply(frames, {}).frames
    assert found.shape == (1, 1, 5, 6)
    wanted = Shrink(factor=factor).apply(whole, {}).frames
    # Beyond these added rows the mirror images differ; only pixels at the far end look there.
    assert torch.allclose(found[..., :3, :4], wanted[..., :3, :4], atol=1e-6)
    assert Shrink(factor=factor).sample(ClipShape(1, 4 * factor + 1, 5 * factor), Rng.root(0))["height"] == 5


def test_a_step_that_lies_about_its_size_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shrink, "shape_after", lambda self, shape, params: shape)
    with pytest.raises(ValueError, match=r"Frames of step 1 \(shrink\) are"):
        degrade(random(1, 3, 8, 8), "sr", "bicubic-x2")


def test_the_profile_has_three_factors() -> None:
    profile = load_profile("sr")
    assert isinstance(profile, Profile)
    assert [v.severity for v in profile.variants.values()] == [2, 3, 4]
