"""Clips made smaller."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import correlate, gaussian_filter

from degradations.apply import degrade, draw, facts, replay
from degradations.base import ClipShape, Damage
from degradations.profile import Profile, load_profile
from degradations.resample import BlurDecimate, Shrink, cubic_matrix, gauss_matrix
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


def test_the_profile_has_three_factors_and_two_gaussians() -> None:
    profile = load_profile("sr")
    assert isinstance(profile, Profile)
    assert [v.severity for v in profile.variants.values()] == [2, 3, 4, None, None]


@pytest.mark.parametrize("size", [(48, 64), (45, 62), (9, 7)])
def test_bd_is_a_truncated_gaussian_of_which_every_fourth_pixel_is_kept(size: tuple[int, int]) -> None:
    """As DUF makes its kernel: SciPy's Gaussian of a point in 13 x 13; mirrored borders, from the first pixel on."""
    point = np.zeros((13, 13))
    point[6, 6] = 1
    kernel = gaussian_filter(point, 1.6)
    frames = random(2, 3, *size)
    blurred = correlate(frames.double().numpy(), kernel[None, None], mode="mirror")
    found = degrade(frames, "sr", "bd-x4").frames
    assert np.allclose(found, blurred[:, :, ::4, ::4], atol=1e-6)


def test_bd_of_basicsr_by_torch() -> None:
    """The same by padding and a strided convolution, which is how BasicSR writes it (without its detour of 8 pixels)."""
    line = torch.exp(-0.5 * ((torch.arange(13.0) - 6) / 1.6) ** 2).double()
    kernel = torch.outer(line, line) / line.sum() ** 2
    frames = random(1, 1, 40, 56)
    padded = torch.nn.functional.pad(frames.double(), (6, 6, 6, 6), "reflect")
    wanted = torch.nn.functional.conv2d(padded, kernel[None, None], stride=4)
    assert torch.allclose(degrade(frames, "sr", "bd-x4").frames.double(), wanted, atol=1e-6)


@pytest.mark.parametrize(("variant", "place"), [("bd-x4", 0.0), ("bd-x4-basicvsr", 1.5), ("bicubic-x4", 1.5)])
def test_where_small_pixels_sit(variant: str, place: float) -> None:
    """On a ramp the value says the column: DUF's sit on the first pixel of four, the others in the middle."""
    ramp = torch.arange(64.0).expand(1, 1, 64, 64) / 64
    small = degrade(ramp, "sr", variant).frames[0, 0, 8, 4:-4] * 64
    assert torch.allclose(small, torch.arange(4.0, 12.0) * 4 + place, atol=1e-3)


def test_bd_of_basicvsr_is_a_kernel_of_twelve() -> None:
    """MATLAB's imfilter puts the middle of an even kernel on its 6th sample; then rows and columns 2, 6, 10, ... (from
    1), the border repeated."""
    offsets = np.arange(-5, 7)
    line = np.exp(-(((offsets - 0.5) / 1.6) ** 2) / 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    frames = random(1, 1, 24, 28)
    padded = np.pad(frames[0, 0].double().numpy(), ((5, 6), (5, 6)), mode="edge")
    wanted = [[(padded[y : y + 12, x : x + 12] * kernel).sum() for x in range(1, 28, 4)] for y in range(1, 24, 4)]
    assert np.allclose(degrade(frames, "sr", "bd-x4-basicvsr").frames[0, 0], wanted, atol=1e-6)


@pytest.mark.parametrize("border", ["mirror", "symmetric", "repeat"])
@pytest.mark.parametrize("side", [1, 2, 5, 30])
def test_borders_are_continued_however_small_the_picture(border: str, side: int) -> None:
    modes = {"mirror": "reflect", "symmetric": "symmetric", "repeat": "edge"}
    line = np.arange(side, dtype=float) + 1
    padded = np.pad(line, 6, mode=modes[border])  # type: ignore[call-overload]
    weights = np.exp(-(((np.arange(13) - 6) / 2.0) ** 2) / 2)
    wanted = [(padded[i : i + 13] * weights).sum() / weights.sum() for i in range(1, side, 3)]
    matrix = gauss_matrix(side, 3, 2.0, 13, 1, border)
    assert np.allclose((matrix @ torch.from_numpy(line))[: len(wanted)], wanted)
    assert torch.allclose(matrix.sum(dim=1), torch.ones(len(matrix), dtype=torch.float64))


def test_a_first_pixel_outside_the_square_is_refused() -> None:
    with pytest.raises(ValidationError, match="first = 3 is outside the first square of 3 pixels"):
        BlurDecimate(factor=3, first=3)


def test_facts_have_sizes_for_every_frame() -> None:
    shape = ClipShape(3, 45, 62)
    for variant, factor, size in (("bd-x4", 4, (12, 16)), ("bicubic-x2", 2, (23, 31))):
        (known,) = facts(draw(load_profile("sr"), variant, shape))
        assert known["height_px"] == [size[0]] * 3
        assert known["width_px"] == [size[1]] * 3
        assert known["factor"] == [factor] * 3
    (known,) = facts(draw(load_profile("sr"), "bd-x4", shape))
    assert known["blur_sigma_px"] == [1.6] * 3


def test_psnr_of_the_enlarged_clip_falls_with_severity() -> None:
    from vbench.builtin import open_builtin

    frames = np.concatenate([np.asarray(c) for c in open_builtin("cat", frames=2).chunks(2)])
    clean = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float() / 255
    found = []
    for severity in (1, 2, 2.5, 3, 4, 5):
        small = degrade(clean, "sr", f"severity-{severity:g}").frames
        large = torch.nn.functional.interpolate(small, clean.shape[2:], mode="bicubic")
        found.append(-10 * math.log10(float((large - clean).square().mean())))
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 2
