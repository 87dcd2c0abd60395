"""Kernels that hold for a clip or a frame, and what the facts say of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage

from degradations.apply import degrade, draw, facts
from degradations.base import ClipShape
from degradations.blur import AnisotropicBlur, CameraShake, Defocus, anisotropic, convolve, disc, path_kernel, polygon
from degradations.light import to_display, to_linear
from degradations.profile import load_profile
from degradations.rng import Rng

SHAPE = ClipShape(3, 32, 40)


def moments(kernel: np.ndarray) -> np.ndarray:
    """Covariance of a kernel as a distribution over (x, y) in pixels."""
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    weights = kernel.astype(np.float64) / kernel.sum()
    return np.array([[(weights * x * x).sum(), (weights * x * y).sum()], [0, (weights * y * y).sum()]])


@settings(max_examples=40, deadline=None)
@given(st.floats(0.8, 5), st.floats(0.8, 5), st.floats(-180, 180))
def test_the_anisotropic_kernel_has_the_variances_it_says_along_its_axes(a: float, b: float, angle: float) -> None:
    kernel = anisotropic(a, b, angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    turn = math.radians(angle)
    c, s = math.cos(turn), math.sin(turn)
    found = moments(kernel)
    assert found[0, 0] == pytest.approx(a * a * c * c + b * b * s * s, rel=0.01, abs=0.01)
    assert found[1, 1] == pytest.approx(a * a * s * s + b * b * c * c, rel=0.01, abs=0.01)
    assert found[0, 1] == pytest.approx((a * a - b * b) * c * s, rel=0.01, abs=0.02)


def test_equal_sigmas_are_the_isotropic_gaussian_at_any_angle() -> None:
    clip = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    want = ndimage.gaussian_filter(clip[0, 0].numpy().astype(np.float64), 1.7, mode="mirror", truncate=4.2)
    for angle in (0.0, 33.0):
        assert float(np.abs(convolve(clip, anisotropic(1.7, 1.7, angle))[0, 0].numpy() - want).max()) < 1e-3


@settings(max_examples=25, deadline=None)
@given(st.floats(2, 9), st.integers(3, 9), st.floats(-90, 90))
def test_the_polygon_covers_its_area_and_lies_within_its_circle(radius: float, blades: int, rotation: float) -> None:
    kernel = polygon(radius, blades, rotation)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    # An even kernel of sum 1 has one over its area in every pixel that is covered whole.
    area = blades / 2 * radius**2 * math.sin(2 * math.pi / blades)
    assert 1 / float(kernel.max()) == pytest.approx(area, rel=0.02)
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    assert not kernel[np.hypot(x, y) > radius + math.sqrt(0.5)].any()
    turned = polygon(radius, blades, rotation + 360 / blades)
    assert float(np.abs(turned - kernel).max()) < 0.02 * float(kernel.max()), "a turn by one blade changes nothing"


def test_a_polygon_points_where_its_rotation_says_and_becomes_the_disc() -> None:
    triangle = polygon(8.0, 3)
    assert triangle[8, 15] > 0
    assert triangle[8, 2] == 0, "the flat side is left of the centre by half of the radius"
    down = polygon(8.0, 3, 90)
    assert down[15, 8] > 0
    assert down[2, 8] == 0
    round_ = polygon(6.0, 20)
    assert float(np.abs(round_ - disc(6.0)).max()) < 0.4 * float(disc(6.0).max())
    with pytest.raises(ValueError, match="3 or more"):
        polygon(4.0, 2)


def test_one_kernel_holds_through_the_clip_and_differs_between_clips() -> None:
    step = AnisotropicBlur(sigma_x=(1, 4), sigma_y=(0.5, 2))
    drawn = [step.sample(SHAPE, Rng.root(0).at(f"clip {n}")) for n in range(200)]
    sigma = np.array([d["sigma_x"] for d in drawn])
    assert sigma.min() >= 1
    assert sigma.max() <= 4
    assert sigma.mean() == pytest.approx(2.5, abs=0.2)
    assert np.std([d["angle"] for d in drawn]) == pytest.approx(180 / math.sqrt(12), rel=0.1)
    impulse = torch.zeros(2, 1, 41, 41)
    impulse[:, 0, 20, 20] = 1
    out = step.apply(impulse, drawn[0]).frames
    assert torch.equal(out[0], out[1])
    kernel = step.kernel(drawn[0])
    half = len(kernel) // 2
    seen = out[0, 0, 20 - half : 21 + half, 20 - half : 21 + half].numpy()
    assert float(np.abs(seen - kernel).max()) < 1e-6


def test_the_facts_hold_the_kernel_that_blurs() -> None:
    """Each variant of one kernel a frame, replayed from the facts alone."""
    clip = torch.rand(3, 3, 40, 48, generator=torch.Generator().manual_seed(1))
    for variant in ("defocus", "defocus-hexagon", "shake", "anisotropic"):
        made = degrade(clip, "blur", variant, seed=5)
        (known,) = facts(made.recipe)
        for t in range(3):
            kernel = np.array(known["kernel"][t], np.float32)
            frame = clip[t : t + 1]
            of_light = variant != "anisotropic"
            again = to_display(convolve(to_linear(frame), kernel)) if of_light else convolve(frame, kernel)
            assert float((again - made.frames[t]).abs().max()) < 1e-3, variant


def test_shake_tells_paths_of_which_the_kernel_is_made_and_no_kernel_that_is_large() -> None:
    step = CameraShake(length=12)
    params = step.sample(SHAPE, Rng.root(1))
    known = step.facts(params, SHAPE)
    for t in range(3):
        coarse = path_kernel(np.array(known["path_px"][t]))
        true = np.array(known["kernel"][t])
        assert moments(coarse)[0, 0] == pytest.approx(moments(true)[0, 0], rel=0.25, abs=0.1)
    assert known["kernel"][0] != known["kernel"][1]
    assert "kernel" not in CameraShake(length=60).facts(params, SHAPE)
    assert "kernel" not in Defocus(radius=30).facts({}, SHAPE)
    assert Defocus(radius=30).facts({}, SHAPE)["radius_px"] == [30, 30, 30]


def test_the_disc_is_as_it_was_and_the_polygon_turns_with_the_clip() -> None:
    assert Defocus(radius=3).sample(SHAPE, Rng.root(0)) == {}
    step = Defocus(radius=3, blades=5)
    turns = {step.sample(SHAPE, Rng.root(n))["rotation"] for n in range(20)}
    assert len(turns) == 20
    assert all(0 <= turn <= 72 for turn in turns)
    assert Defocus(radius=3, blades=5, rotation=10).sample(SHAPE, Rng.root(0)) == {"rotation": 10}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: AnisotropicBlur(sigma_x=(3, 2), sigma_y=(1, 1)), "two of them in order"),
        (lambda: AnisotropicBlur(sigma_x=(0, 2), sigma_y=(1, 1)), r"0\.1\.\.50"),
        (lambda: AnisotropicBlur(sigma_x=(1, 2), sigma_y=(1, 1), angle=(0, 400)), r"-360\.\.360"),
        (lambda: Defocus(radius=3, blades=2), "greater than or equal to 3"),
        (lambda: Defocus(radius=3, rotation=20), "a disc has no rotation"),
    ],
)
def test_bad_settings_are_told(make: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        make()  # type: ignore[operator]


def test_every_lens_can_be_made_on_reading() -> None:
    """A frame that is blurred alone is the frame of the blurred clip."""
    clip = torch.rand(4, 3, 24, 30, generator=torch.Generator().manual_seed(2))
    for variant in ("defocus", "defocus-hexagon", "shake", "gaussian", "anisotropic"):
        recipe = draw(load_profile("blur"), variant, ClipShape(4, 24, 30), seed=1)
        (step,) = load_profile("blur").build(variant)
        assert step.frame_by_frame
        params = recipe.steps[0].params
        whole = step.apply(clip, params).frames
        assert torch.equal(step.apply(clip[2:3], params, start=2).frames[0], whole[2])
