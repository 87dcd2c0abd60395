"""Tone, light and the gate: dupes, slow drift of light, the aperture's edges, curves from tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from degradations.base import ClipShape
from degradations.film.gate import Gate
from degradations.film.lamp import Flicker, Vignette
from degradations.film.tone import Dupe, Fading, Monochrome
from degradations.film.weave import Weave, woven
from degradations.rng import Rng


@settings(max_examples=40, deadline=None)
@given(
    slope=st.floats(1, 4),
    crush=st.floats(0, 0.4),
    clip=st.floats(0.5, 1),
    black=st.floats(0, 0.3),
    white=st.floats(0.4, 1),
)
def test_a_dupe_rises_from_its_black_to_its_white(
    slope: float, crush: float, clip: float, black: float, white: float
) -> None:
    step = Dupe(slope=slope, crush=crush, clip=clip, black=black, white=white, spread=0)
    curve = step.curve(step.sample(ClipShape(1, 8, 8), Rng.root(0)))
    assert np.isfinite(curve).all()
    assert (np.diff(curve) >= -1e-9).all()
    assert curve[0] == pytest.approx(black, abs=1e-5)
    assert curve[-1] == pytest.approx(white, abs=1e-5)


def test_a_dupe_is_steep_in_the_middle_and_flat_at_the_ends() -> None:
    """Shadows run together, highlights pile up below the print's white, as in a real transfer that ends at 141 of 255."""
    step = Dupe(slope=1.4, crush=0.06, clip=0.86, black=0.03, white=141 / 255, spread=0)
    x = torch.linspace(0, 1, 256).view(1, 1, 1, 256)
    y = step.apply(x, step.sample(ClipShape(1, 1, 256, 1), Rng.root(0))).frames.flatten().numpy() * 255
    slopes = np.diff(y) / (141 - 0.03 * 255)
    assert slopes[118:138].mean() > 1.3 / 255
    assert slopes[:8].mean() < 0.4 / 255
    assert slopes[-12:].mean() < 0.4 / 255
    assert y.max() == pytest.approx(141, abs=0.1)
    assert (y > 136).mean() > 0.1  # brightest tones run together
    one = Dupe(slope=1, crush=0, clip=1, black=0, white=1, spread=0)
    straight = one.apply(x, one.sample(ClipShape(1, 1, 256, 1), Rng.root(0))).frames
    assert float((straight - x).abs().max()) < 0.02


def test_curves_are_those_of_their_formula() -> None:
    """The table of 65,536 levels is within a hundredth of a grey level of the power itself."""
    x = torch.rand(1, 3, 40, 50)
    params = {"black": [0.1, 0.05, 0.0], "white": [0.9, 0.8, 1.0], "gamma": [1.1, 0.9, 1.0]}
    out = Fading().apply(x, params).frames
    for c in range(3):
        b, w, g = (params[k][c] for k in ("black", "white", "gamma"))
        assert float((out[:, c] - (b + (w - b) * x[:, c] ** g)).abs().max()) < 0.03 / 255


def test_a_cast_on_black_and_white_film_has_three_planes() -> None:
    x = torch.rand(2, 1, 16, 16).expand(-1, 3, -1, -1)
    out = Fading(cast=0.1).apply(x, Fading(cast=0.1).sample(ClipShape(2, 16, 16), Rng.root(0))).frames
    assert not torch.equal(out[:, 0], out[:, 2])
    sepia = Monochrome(tone="sepia").apply(x, {}).frames
    assert float((sepia[:, 0] - sepia[:, 2]).min()) >= 0
    plain = Monochrome().apply(torch.rand(1, 3, 8, 8), {}).frames
    assert plain.stride(1) == 0


def test_flicker_drifts_slowly_and_keeps_the_mean() -> None:
    shape = ClipShape(2000, 48, 64)
    still = Flicker(strength=0, drift=0.05)
    path = np.array(still.sample(shape, Rng.root(2))["common"])
    assert 0.02 < path.std() < 0.08
    assert np.abs(np.diff(path)).max() < 0.01
    assert abs(path.mean()) < 1e-5
    assert Flicker().sample(ClipShape(1, 48, 64), Rng.root(0))["common"] != [0.0]
    gains = still.facts({**still.sample(shape, Rng.root(2))}, shape)["gain"]
    assert np.allclose(np.log(gains), path, atol=1e-5)


def test_flicker_is_what_its_facts_say_at_every_place() -> None:
    shape = ClipShape(5, 41, 61, 1)
    step = Flicker(strength=0.1, local=1)
    params = step.sample(shape, Rng.root(1))
    facts = step.facts(params, shape)
    out = step.apply(torch.full((5, 1, 41, 61), 0.4), params).frames[:, 0].numpy() / 0.4
    y, x = np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-1, 1, 61), indexing="ij")
    for t in range(5):
        vertical, edges, horizontal = (facts[f"log_gain_{n}"][t] for n in ("vertical", "edges", "horizontal"))
        wanted = facts["gain"][t] * np.exp(vertical * y + edges * (y**2 - 1 / 3) + horizontal * x)
        assert np.abs(out[t] - wanted).max() < 1e-4


def test_the_gate_has_dark_edges_and_round_corners_and_leaves_the_middle() -> None:
    shape = ClipShape(3, 480, 640, 1)
    step = Gate(margin=6, radius=30, rough=0, dark=0.05)
    params = step.sample(shape, Rng.root(0))
    out = step.apply(torch.ones(3, 1, 480, 640), params).frames[0, 0].numpy()
    assert (out[60:-60, 60:-60] == 1).all()
    sides = params["sides"]
    rows = np.arange(480) + 0.5
    middle = out[:, 320]
    assert rows[middle > 0.5][0] == pytest.approx(sides[0] + 0.5, abs=1.5)
    assert 480 - rows[middle > 0.5][-1] == pytest.approx(sides[1] + 0.5, abs=1.5)
    assert out[0, 0] == pytest.approx(0.05, abs=0.02)
    # A square corner would be light at the place where the two sides meet; a round one is dark there.
    top, left = round(sides[0]) + 5, round(sides[2]) + 5
    assert out[top, left] < 0.2
    assert out[top, 320] > 0.8


def test_the_gate_stands_still_or_jumps_and_moves_with_the_picture_if_before_the_weave() -> None:
    shape = ClipShape(12, 240, 320, 1)
    x = torch.full((12, 1, 240, 320), 0.6)

    def edge(frames: torch.Tensor) -> np.ndarray:
        """Where the left edge crosses half of the level, to a part of a pixel: what is missing from the columns."""
        return (1 - frames[:, 0, 100:140, :40].numpy() / 0.6).clip(0, 1).sum(axis=2).mean(axis=1)

    fixed = Gate(margin=12, rough=0)
    still = fixed.apply(x, fixed.sample(shape, Rng.root(0))).frames
    assert np.ptp(edge(still)) < 1e-4
    loose = Gate(margin=12, rough=0, unsteady=2)
    params = loose.sample(shape, Rng.root(0))
    places = edge(loose.apply(x, params).frames)
    assert np.corrcoef(places, loose.facts(params, shape)["gate_x_px"])[0, 1] > 0.98
    assert places.std() == pytest.approx(np.std(params["x"]), rel=0.15)
    weave = Weave(horizontal=2, rotation=0, jumps=0)
    moves = weave.sample(shape, Rng.root(1))
    woven_gate = edge(weave.apply(still, moves).frames)
    assert np.corrcoef(woven_gate, moves["x"])[0, 1] > 0.98


def test_any_gate_fits_a_small_frame() -> None:
    for size in ((16, 16), (35, 47), (20, 300)):
        step = Gate(margin=20, radius=50, unsteady=2)
        shape = ClipShape(2, *size, 1)
        out = step.apply(torch.ones(2, 1, *size), step.sample(shape, Rng.root(0))).frames
        assert out.shape == (2, 1, *size)
        assert 0 <= float(out.min()) <= float(out.max()) <= 1


def test_the_vignette_is_that_of_its_place() -> None:
    x = torch.ones(2, 1, 33, 65)
    left = Vignette(strength=0.5).apply(x, {"x": -0.3, "y": 0.0}).frames[0, 0]
    assert int(left[16].argmax()) < 32
    assert float(left.max()) <= 1


@pytest.mark.parametrize(("x", "y", "turn"), [(0.3, -0.4, 0.03), (-2.7, 5.2, -0.15), (0.0, 0.0, 0.0), (4.0, -3.0, 0.0)])
def test_shears_are_the_affine_warp(x: float, y: float, turn: float) -> None:
    """Against OpenCV's warp with the same kernel, which rounds to 1/32 pixel, too: for smooth and for fine pictures."""
    import cv2

    g = np.random.default_rng(0)
    picture = cv2.GaussianBlur(g.random((150, 210)).astype(np.float32), (0, 0), 1.2)
    matrix = cv2.getRotationMatrix2D((104.5, 74.5), turn, 1.0)
    matrix[:, 2] += x, y
    wanted = cv2.warpAffine(picture, matrix, (210, 150), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    error = np.abs(woven(picture, x, y, turn) - wanted)[10:-10, 10:-10] / picture.std()
    assert error.max() < 0.12  # a pixel that is rounded to another 1/32
    assert error.mean() < 0.015
    if turn == 0 and x == round(x):
        assert np.array_equal(woven(picture, x, y, turn), wanted)
