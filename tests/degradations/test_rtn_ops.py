"""The operations of RTN's degradation against plain restatements of its code's, on other libraries than ours."""

from __future__ import annotations

import math
from fractions import Fraction
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage, stats

from degradations.film import rtn_ops as ops
from degradations.truth import to_gray


def gray_of(photo: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(to_gray(photo[None])[0, :, :, 0], size, interpolation=cv2.INTER_LINEAR), np.uint8)


@pytest.mark.parametrize("opacity", [0.6, 0.7310585786300049, 1.0])
@pytest.mark.parametrize("blend", ops.BLENDS)
def test_blending_is_exact_and_truncated(blend: str, opacity: float) -> None:
    """All pairs of levels against rational numbers; double precision decides where the exact value is a whole level."""
    image, texture = (np.ascontiguousarray(a, dtype=np.uint8) for a in np.mgrid[0:256:5, 0:256:3])
    got = ops.blended(image, texture, blend, opacity)
    o = Fraction(opacity)
    for i, t, value in zip(image.ravel().tolist(), texture.ravel().tolist(), got.ravel().tolist(), strict=True):
        dark = o * (255 - t)
        exact = {"addition": i + dark, "subtract": i - dark, "multiply": i * (1 - o + o * Fraction(t, 255))}[blend]
        exact = min(max(exact, Fraction(0)), Fraction(255))
        whole = math.floor(exact)
        near = Fraction(1, 10**9)
        allowed = (
            {whole}
            | ({whole - 1} if exact - whole < near else set())
            | ({whole + 1} if whole + 1 - exact < near else set())
        )
        assert value in allowed


def test_white_paper_loses_a_level_now_and_then() -> None:
    """Double precision: a level times o plus itself times 1 - o is not always itself, and the rest is cut off."""
    image, white = np.arange(256, dtype=np.uint8)[None], np.full((1, 256), 255, np.uint8)
    lost = [image - ops.blended(image, white, "multiply", o).astype(int) for o in np.linspace(0.6, 1, 101)]
    assert set(np.unique(lost)) == {0, 1}
    assert 0.005 < np.mean(lost) < 0.12


@pytest.mark.parametrize(("l1", "l2", "angle", "size"), [(8, 1, 0.3, 25), (0.5, 6, 2.0, 7), (3, 3, 1.0, 15)])
def test_kernels_are_sampled_normal_densities(l1: float, l2: float, angle: float, size: int) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    density = stats.multivariate_normal([0, 0], turn @ np.diag([l1, l2]) @ turn.T)
    place = np.arange(size) - size // 2
    wanted = density.pdf(np.stack(np.meshgrid(place, place), axis=2))
    got = ops.kernel(size, ops.covariance(l1, l2, angle))
    assert got.sum() == pytest.approx(1)
    assert np.allclose(got, wanted / wanted.sum(), atol=1e-12)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (25, ops.covariance(7.9, 0.4, 0.8)),
        (13, ops.covariance(8e-8, 5.0, 2.5)),
        (7, ops.covariance(0.05, 0.02, 0.1)),
        (21, (4.0, 0.0, 4.0)),
        (9, (7.8, 0.0, 7.8)),
        (11, (1e-15, 0.0, 1e-15)),
    ],
)
def test_blur_is_a_mirrored_convolution_truncated(
    picture: NDArray[np.uint8], size: int, shape: tuple[float, float, float]
) -> None:
    image = gray_of(picture, (81, 60))
    exact = ndimage.convolve(image.astype(float), ops.kernel(size, shape), mode="mirror")
    got = ops.blurred(image, size, shape)
    clear = np.abs(exact - np.round(exact)) > 5e-3
    assert np.array_equal(got[clear], np.floor(exact)[clear])
    assert np.abs(got - exact).max() < 1 + 5e-3


@given(st.integers(0, 255), st.integers(2, 11), st.floats(1e-8, 1), st.floats(1e-8, 1), st.floats(0, 3.14))
@settings(max_examples=40, deadline=None)
def test_blur_keeps_flat_levels(level: int, half: int, l1: float, l2: float, angle: float) -> None:
    flat = np.full((40, 33), level, np.uint8)
    assert np.array_equal(ops.blurred(flat, 2 * half + 3, ops.covariance(8 * l1, 8 * l2, angle)), flat)
    assert np.array_equal(ops.blurred(flat, 2 * half + 3, ((2.8 * l1) ** 2, 0.0, (2.8 * l1) ** 2)), flat)


def test_blur_of_no_width_changes_nothing(picture: NDArray[np.uint8]) -> None:
    image = gray_of(picture, (40, 33))
    for shape in ((0.0, 0.0, 0.0), ops.covariance(0, 0, 0.7), (1e-12, 0.0, 1e-12)):
        assert np.array_equal(ops.blurred(image, 9, shape), image)


def test_marks_grow_as_under_pillows_minimum_filter() -> None:
    texture = np.random.default_rng(0).integers(0, 256, (50, 71), dtype=np.uint8)
    assert np.array_equal(ops.grown(texture), np.asarray(Image.fromarray(texture).filter(ImageFilter.MinFilter(3))))


@pytest.mark.parametrize("quality", [40, 63, 77, 100])
def test_jpeg_is_pillows(picture: NDArray[np.uint8], quality: int) -> None:
    image = gray_of(picture, (123, 77))
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    assert np.array_equal(ops.jpeg(image, quality), np.asarray(Image.open(file)))


@given(st.floats(0.8, 1.2), st.floats(0.9, 1.0), st.booleans())
@settings(max_examples=30, deadline=None)
def test_jitter_multiplies_and_truncates_twice(brightness: float, contrast: float, first: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    x = image.astype(float)
    for step in "bc" if first else "cb":
        x = x * brightness if step == "b" else x * contrast + x.mean() * (1 - contrast)
        x = np.floor(np.clip(x, 0, 255))
    got = ops.jittered(image, brightness, contrast, brightness_first=first)
    assert np.abs(got - x).max() <= 1
    assert (got == x).mean() > 0.98  # the order of operations decides about whole levels


def test_jitter_by_one_is_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    assert np.array_equal(ops.jittered(image, 1.0, 1.0, brightness_first=True), image)


@pytest.mark.parametrize("kind", ["gaussian", "speckle"])
def test_noise_is_white_truncated_and_of_its_strength(kind: str) -> None:
    image = np.full((400, 500), 128, np.uint8)
    n = ops.noisy(image, kind, 8.0, np.random.default_rng(0)).astype(float) - 128
    std = 8.0 * (128 / 255 if kind == "speckle" else 1)
    assert n.std() == pytest.approx(math.hypot(std, 1 / 12**0.5), rel=0.01)  # truncation adds its own variance
    assert n.mean() == pytest.approx(-0.5, abs=5 * std / n.size**0.5)
    assert abs(np.corrcoef(n[:, 1:].ravel(), n[:, :-1].ravel())[0, 1]) < 5 / n.size**0.5
    assert np.array_equal(
        ops.noisy(np.zeros((9, 9), np.uint8), "speckle", 8.0, np.random.default_rng(0)), np.zeros((9, 9))
    )


def test_contrast_is_about_the_rounded_mean() -> None:
    texture = np.array([[240, 240, 240, 221, 200]], np.uint8)  # mean 228.2
    got = ops.contrasted(texture, 2.0)
    assert got.tolist() == [[252, 252, 252, 214, 172]]


@given(st.integers(0, 2**32), st.integers(120, 500), st.integers(120, 500))
@settings(max_examples=60, deadline=None)
def test_windows_lie_in_the_template_and_hold_a_mark(seed: int, height: int, width: int) -> None:
    g = np.random.default_rng(seed)
    sheet = np.full((height, width), 240, np.uint8)
    y, x = int(g.integers(0, height)), int(g.integers(40, width - 40))
    sheet[y, x] = 0
    marks = ops.scratches(sheet, 15)
    assert marks.tolist() == [y * width + x]
    at = ops.window(sheet, marks, (150, 360), g)
    assert min(150, height, width) <= at.side <= min(360, height, width)
    assert 0 <= at.left <= width - at.side
    assert 0 <= at.top <= height - at.side
    assert at.left <= x <= at.left + at.side
    assert at.top <= y <= at.top + at.side
    assert 0 <= at.angle <= 360
    assert at.angle == int(at.angle)


def test_no_scratch_is_sought_at_the_sides() -> None:
    sheet = np.full((30, 200), 240, np.uint8)
    sheet[:, :40] = sheet[:, 160:] = 0
    sheet[3, 100] = 0
    sheet[3, 101] = int(sheet.mean()) - 14
    assert ops.scratches(sheet, 15).tolist() == [3 * 200 + 100]
    assert len(ops.scratches(np.full((30, 80), 0, np.uint8), 15)) == 0


@pytest.mark.parametrize("angle", range(0, 361, 15))
def test_a_turned_window_shows_nothing_from_outside(angle: int) -> None:
    """Pillow fills with black around a turned square; the square cut out of it is all paper."""
    sheet = np.full((400, 400), 240, np.uint8)
    inner = ops.cut(sheet, ops.Window(20, 30, 200, float(angle)), (64, 64), turned=True)
    assert inner.shape == (64, 64)
    assert inner[1:-1, 1:-1].min() >= 235


def test_a_window_is_turned_by_its_angle(picture: NDArray[np.uint8]) -> None:
    sheet = gray_of(picture, (160, 120))
    square = sheet[10:110, 20:120]
    for quarter in range(4):
        got = ops.cut(sheet, ops.Window(20, 10, 100, 90.0 * quarter), (100, 100), turned=True)
        assert np.array_equal(got, np.rot90(square, quarter))
    assert np.array_equal(ops.cut(sheet, ops.Window(20, 10, 100, 33.0), (100, 100), turned=False), square)


@given(st.integers(16, 60), st.lists(st.integers(5, 15).flatmap(lambda d: st.sampled_from([d, -d])), max_size=6))
def test_lines_move_and_the_outermost_strip_is_repeated(width: int, walk: list[int]) -> None:
    texture = np.random.default_rng(0).integers(0, 256, (2, width))
    columns: NDArray[np.intp] = np.arange(width)
    for step in walk:
        d = abs(step)
        old = texture.copy()
        if step > 0:
            texture[:, d:], texture[:, :d] = old[:, : width - d], old[:, :d]
        else:
            texture[:, : width - d], texture[:, width - d :] = old[:, d:], old[:, width - d :]
        columns = ops.shifted(columns, step)
    assert np.array_equal(np.random.default_rng(0).integers(0, 256, (2, width))[:, columns], texture)
