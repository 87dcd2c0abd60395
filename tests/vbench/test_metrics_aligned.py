"""Aligned PSNR and SSIM: what alignment finds, and what it leaves alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import fft

from vbench import metrics
from vbench.errors import InputError
from vbench.metrics.aligned import align, aligned, prepare
from vbench.metrics.psnr import psnr
from vbench.metrics.spec import Chunk, View, figures_of


def tensor(frame: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -3), (-1, 4), (5, 5)])
def test_a_shift_is_found_and_undone(picture: NDArray[np.uint8], down: int, right: int) -> None:
    truth = tensor(picture[10:110, 10:150])
    moved = tensor(picture[10 - down : 110 - down, 10 - right : 150 - right])
    found = aligned(moved, prepare(truth))
    assert (found.alignment.rows, found.alignment.cols) == (-down, -right)
    if (down, right) != (0, 0):
        assert found.psnr > psnr(moved[None], truth[None])[0] + 5
    else:
        assert found.psnr == math.inf


def test_brightness_is_matched_by_one_factor(picture: NDArray[np.uint8]) -> None:
    truth = tensor(picture)
    darker = (truth.double() * 0.8).round().byte()
    found = aligned(darker, prepare(truth))
    assert found.alignment.scale == pytest.approx(1.25, abs=0.003)
    assert found.psnr > psnr(darker[None], truth[None])[0] + 15


def test_black_and_even_frames_have_figures(picture: NDArray[np.uint8]) -> None:
    truth = tensor(picture)
    black = aligned(torch.zeros_like(truth), prepare(truth))
    assert black.alignment == (1.0, 0, 0)
    inner = truth[:, 16:-16, 16:-16].double()
    luma = 0.299 * inner[0] + 0.587 * inner[1] + 0.114 * inner[2]
    assert black.psnr == pytest.approx(10 * math.log10(255**2 / float(luma.square().mean())), abs=1e-9)
    even = torch.full_like(truth, 90)
    assert aligned(even, prepare(even)).alignment == (1.0, 0, 0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), height=st.integers(43, 70), width=st.integers(43, 70), smooth=st.integers(0, 8))
def test_the_peak_is_that_of_the_transform_in_double_precision(seed: int, height: int, width: int, smooth: int) -> None:
    """Single precision finds it, double decides: also where it is flat, and on odd sizes."""
    import cv2

    rng = np.random.default_rng(seed)
    x, z = (rng.integers(0, 256, (height, width)).astype(np.float64) for _ in range(2))
    if smooth:
        x, z = (cv2.GaussianBlur(v, (0, 0), smooth) for v in (x, z))
    side = prepare(torch.from_numpy(x / 255)[None], crop=0)
    found = align(z[None], side)
    correlation = fft.ifft2(fft.fft2(side.planes[0]) * fft.fft2(z).conj()).real
    best = correlation.max()
    got = correlation[found.rows % height, found.cols % width]
    assert got >= best - 1e-9 * abs(best)
    assert -((height + 1) // 2) <= found.rows < height // 2  # of an odd side the middle counts as negative
    assert -((width + 1) // 2) <= found.cols < width // 2


def test_columns_tell_what_was_found(picture: NDArray[np.uint8]) -> None:
    truth, moved = tensor(picture[:100, :140]), tensor(picture[3:103, 4:144])
    view = View(Chunk(moved[None]), Chunk(truth[None]))
    shift = figures_of(metrics.load("alignment_shift"), view)
    assert shift.values == [5.0]
    assert dict(shift.columns)["shift_rows"] == [3.0]
    assert dict(shift.columns)["shift_cols"] == [4.0]
    assert figures_of(metrics.load("psnr_aligned"), view).columns["shift_rows"] == [3.0]


def test_small_frames_are_refused() -> None:
    with pytest.raises(InputError, match="at least 43 x 43 pixels .*these are 60 x 42"):
        prepare(torch.zeros(3, 42, 60, dtype=torch.uint8))
