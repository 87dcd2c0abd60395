"""Clips that weigh by their frames: intervals, tests and classes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from leaderboards.classes import all_pairs, rank_classes
from leaderboards.paired import by_mean, neighbours, sign_flip
from leaderboards.stats import _studentised, mean_error, mean_intervals, shares_of, student

LENGTHS = np.array([12.0, 30.0, 7.0, 90.0, 44.0, 61.0, 25.0, 18.0])


def figures(seed: int, rows: int = 3, clips: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(30, 2, (rows, clips))


def test_the_mean_is_that_of_all_frames_and_its_error_that_of_the_linearised_ratio() -> None:
    """Σ w (x - m)² w / (1 - w / Σ w) / (Σ w)² by hand."""
    x, w = [1.0, 2.0, 6.0], [1, 1, 2]
    frames = np.repeat(x, w)
    mean, error = mean_error(np.array(x), shares_of(w, 3))
    assert mean == pytest.approx(frames.mean())
    by_hand = (0.25**2 * 2.75**2 / 0.75 + 0.25**2 * 1.75**2 / 0.75 + 0.5**2 * 2.25**2 / 0.5) ** 0.5
    assert error == pytest.approx(by_hand)


def test_equal_weights_are_none() -> None:
    data = figures(0)
    assert shares_of([5] * 8, 8) is None
    assert mean_intervals(data, weights=[5] * 8) == mean_intervals(data)
    shares = np.full(8, 1 / 8)
    np.testing.assert_allclose(mean_error(data, shares), mean_error(data, None), rtol=1e-12)
    np.testing.assert_allclose(student(data, shares), student(data), rtol=1e-12)
    # The same resamples through the other formula.
    np.testing.assert_allclose(_studentised(data, 2000, 1, shares)[0], _studentised(data, 2000, 1)[0], rtol=1e-9)


def test_studentised_with_weights_is_the_quantile_over_all_resamples() -> None:
    """5^5 resamples counted by hand; ours are drawn, so ends are near."""
    x, w = np.array([1.0, 2.0, 4.0, 4.5, 6.0]), np.array([2.0, 3.0, 3.0, 2.0, 4.0])
    mean, error = mean_error(x, w / w.sum())
    drawn = np.array(list(itertools.product(range(5), repeat=5)))
    t = []
    for some in drawn:
        h = w[some] / w[some].sum()
        m = h @ x[some]
        # A clip that was drawn twice stands there twice.
        se = math.sqrt(float((h**2 / (1 - h)) @ (x[some] - m) ** 2))
        t.append((m - mean) / se if se > 1e-9 else math.copysign(math.inf, m - mean))
    high, low = (mean - np.quantile(t, q, method="inverted_cdf") * error for q in (0.025, 0.975))
    ours = _studentised(x[None], 100_000, 0, w / w.sum())[0][0]
    half = student(x[None], w / w.sum())[0, 1] - mean
    assert max(high - mean, mean - low) < 2 * half
    assert ours == pytest.approx((low, high), abs=0.05 * half)


@pytest.mark.parametrize("clips", [5, 12])
def test_the_interval_holds_the_true_mean(clips: int) -> None:
    """1,500 samples with lengths of exp(normal, 0.3): known to ± 1.1 % (two standard errors); the table says 93.8 and 94.3."""
    generator = np.random.default_rng(clips)
    held = 0
    for _ in range(1500):
        x, w = generator.normal(size=(1, clips)), np.round(60 * np.exp(0.3 * generator.normal(size=clips)))
        (low, high), *_ = _studentised(x, 1000, 1, w / w.sum())[0]
        held += low <= 0 <= high
    assert 0.925 <= held / 1500 <= 0.965


def test_moves_and_scales_with_the_figures() -> None:
    data, shares = figures(1), LENGTHS / LENGTHS.sum()
    ends = _studentised(data, 2000, 1, shares)[0]
    np.testing.assert_allclose(_studentised(data * 1e-6 + 3, 2000, 1, shares)[0], ends * 1e-6 + 3, rtol=1e-9)


@pytest.mark.parametrize("weights", [[1, 2], [1, 2, 0], [1, 2, -1], [1, 2, math.nan], [1, 2, math.inf], [[1, 2, 3]]])
def test_wrong_weights(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite number above 0 for each of 3 clips"):
        mean_intervals([[1.0, 2.0, 3.0]], weights=weights)


def test_one_constant_difference_has_no_doubt() -> None:
    """Five dB on every clip are five dB, however long the clips."""
    found = mean_intervals([[5.0] * 8], weights=LENGTHS)[0]
    assert (found.low, found.high) == (5.0, 5.0)
    pairs = all_pairs(np.stack([LENGTHS * 0 + 25 + np.arange(8), LENGTHS * 0 + 30 + np.arange(8)]), weights=LENGTHS)
    assert pairs.p[0, 1] == 2 / 2**8
    assert pairs.spread == pytest.approx(0, abs=1e-9)


def test_two_models_are_the_sign_flip_test_of_weighted_differences() -> None:
    data = figures(2, 2)
    shares = LENGTHS / LENGTHS.sum()
    pair = neighbours(pd.DataFrame(data.T, columns=["a", "b"]), weights=LENGTHS).iloc[0]
    first, second = sorted(data, key=lambda row: -float(row @ shares))
    assert pair["difference"] == pytest.approx(float((first - second) @ shares))
    assert pair["p"] == sign_flip([(first - second) * LENGTHS])[0]
    interval = mean_intervals([first - second], weights=LENGTHS)[0]
    assert (pair["low"], pair["high"], pair["method"]) == (interval.low, interval.high, interval.method)


def test_ranks_are_by_the_weighted_mean() -> None:
    table = pd.DataFrame({"long": [20.0, 30.0, 30.0], "short": [36.0, 26.0, 26.0]})
    assert list(by_mean(table, True)[0].columns) == ["short", "long"]
    assert list(by_mean(table, True, [1, 10, 10])[0].columns) == ["long", "short"]
    found = rank_classes(table, weights=[1, 10, 10])
    assert found.place == {"long": 1, "short": 2}
    infinite = rank_classes(table.assign(equal=[math.inf, 1, 1]), weights=[1, 10, 10])
    assert infinite.place == {"equal": 1, "long": 2, "short": 3}


def test_equal_models_are_called_apart_in_5_of_100_boards_at_most() -> None:
    """600 boards of 4 equal models, 8 clips: 5 % ± 1.8 % (two standard errors)."""
    generator = np.random.default_rng(5)
    false = 0
    for _ in range(600):
        weights = np.round(60 * np.exp(0.7 * generator.normal(size=8)))
        data = generator.normal(size=(4, 8)) + 3 * generator.normal(size=8)
        false += (all_pairs(data, permutations=399, weights=weights).p <= 0.05).any()
    assert false / 600 <= 0.068
