"""Colour shift and gain shift: cases whose figures are known, and what must not move them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from leaderboards.export import heading, number
from vbench import metrics
from vbench.clip import ClipInfo
from vbench.errors import InputError
from vbench.metrics.spec import Chunk, Figures, View, figures_of
from vbench.score import as_tensor

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def truth() -> Array:
    """Two frames ``(2, 200, 300, 3)`` of a photograph, with room for shifts at both ends."""
    picture = np.asarray(data.astronaut(), dtype=np.float64)
    return np.stack([picture[:200, :300], picture[100:300, 50:350]]) * 0.6 + 40


def measured(name: str, restored: Array, truth: Array, kind: str = "float") -> Figures:
    """Figures of frames on 0..255, stored as doubles in [0, 1], as 16 bits or as 8 bits."""
    stored = {
        "float": lambda x: x / 255,
        "uint16": lambda x: (x * 257).round().astype(np.uint16),
        "uint8": lambda x: x.round().astype(np.uint8),
    }[kind]
    a, b = (Chunk(as_tensor(stored(x))) for x in (restored, truth))
    return figures_of(metrics.load(name), View(a, b))


@pytest.mark.parametrize("kind", ["float", "uint16", "uint8"])
def test_a_tint_is_found_channel_by_channel(truth: Array, kind: str) -> None:
    truth = truth.round()
    found = measured("colour_shift", truth + np.array([1.0, -3.0, 2.0]), truth, kind)
    assert found.values == pytest.approx([3.0, 3.0], abs=1e-9)
    for name, wanted in {"red": 1.0, "green": -3.0, "blue": 2.0, "gain": 1.0}.items():
        assert found.columns[name] == pytest.approx([wanted] * 2, abs=1e-9)
    assert measured("gain_shift", truth + 5, truth, kind).values == pytest.approx([0, 0], abs=1e-9)


def test_contrast_is_found_where_the_mean_stays(truth: Array) -> None:
    mean = truth.mean(axis=(1, 2), keepdims=True)
    flatter = mean + 0.9 * (truth - mean)
    assert measured("colour_shift", flatter, truth).values == pytest.approx([0, 0], abs=1e-9)
    found = measured("gain_shift", flatter, truth)
    assert found.values == pytest.approx([10.0, 10.0], abs=1e-9)
    assert found.columns["gain"] == pytest.approx([0.9, 0.9], abs=1e-11)
    assert measured("gain_shift", mean + 1.25 * (truth - mean), truth).values == pytest.approx([25, 25], abs=1e-9)


def test_blur_noise_a_small_shift_and_dirt_hardly_count(truth: Array) -> None:
    """Each costs PSNR (24 to 39 dB are left) and leaves the tone where it was: within a level, and 3 per cent (the blur)."""
    noise = np.random.default_rng(0).normal(0, 12, truth.shape)
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in truth])
    picture = np.asarray(data.astronaut(), dtype=np.float64) * 0.6 + 40
    shifted = np.stack([picture[2:202, 2:302], picture[102:302, 52:352]])
    dirty = truth.copy()
    dirty[:, 50:54, 50:62] = 255
    for other in (truth + noise, blurred, shifted, dirty):
        assert max(measured("psnr", other, truth).values) < 40
        assert max(measured("colour_shift", other, truth).values) < 1
        assert max(measured("gain_shift", other, truth).values) < 3


def test_the_ground_truth_has_none_and_flat_frames_have_no_gain(truth: Array) -> None:
    assert measured("colour_shift", truth, truth).values == [0.0, 0.0]
    black = np.zeros_like(truth)
    found = measured("colour_shift", black + 4, black, "uint8")
    assert found.values == [4.0, 4.0]
    assert all(math.isnan(x) for x in found.columns["gain"])
    assert math.isnan(metrics.load("gain_shift").combine(measured("gain_shift", black + 4, black)))


def test_gray_is_all_three(truth: Array) -> None:
    gray = truth[..., :1]
    found = measured("colour_shift", gray - 2, gray)
    assert found.values == pytest.approx([2, 2], abs=1e-9)
    assert found.columns["red"] == found.columns["green"] == found.columns["blue"]
    three = measured("colour_shift", (gray - 2).repeat(3, axis=3), gray.repeat(3, axis=3))
    assert three.columns["gain"] == pytest.approx(found.columns["gain"], abs=1e-12)


def test_small_frames() -> None:
    small = np.random.default_rng(0).uniform(0, 255, (1, 12, 40, 3))
    found = measured("colour_shift", small + 1, small)
    assert found.values == pytest.approx([1.0], abs=1e-9)
    assert math.isnan(found.columns["gain"][0])
    with pytest.raises(InputError, match="The gain shift needs frames of at least 32 x 32 pixels.*40 x 12"):
        metrics.load("gain_shift").check(ClipInfo("a", 1, 12, 40, 3, 25.0, 8, "", ""))


def test_how_they_are_printed() -> None:
    colour, gain = (metrics.load(name).facts() for name in ("colour_shift", "gain_shift"))
    assert (heading(colour), number(1.234, "colour_shift")) == ("colour_shift [levels] ↓", "1.23")
    assert (heading(gain), number(0.5, "gain_shift")) == ("gain_shift [%] ↓", "0.50")


def test_agreement_with_numpy(truth: Array) -> None:
    """The slope, straight from its definition, on frames that were damaged in every way."""
    other = np.clip(truth * 0.93 + 9 + np.random.default_rng(1).normal(0, 9, truth.shape), 0, 255)
    found = measured("colour_shift", other, truth)
    for t in range(2):
        x, y = (v[t, :192, :288].reshape(12, 16, 18, 16, 3).mean(axis=(1, 3)).reshape(-1, 3) for v in (truth, other))
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        assert found.columns["gain"][t] == pytest.approx(np.linalg.lstsq(x.reshape(-1, 1), y.ravel())[0][0], rel=1e-12)
        assert found.columns["blue"][t] == pytest.approx((other - truth)[t, ..., 2].mean(), rel=1e-11)
