"""Intervals of means: against scipy, in closed cases, and whether they hold the true mean as often as they promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from leaderboards import stats
from leaderboards.stats import (
    LONGEST,
    Interval,
    bca,
    mean_interval,
    mean_intervals,
    student,
    studentised,
)


def sample(seed: int, shape: tuple[int, ...], skewed: bool = False) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.lognormal(sigma=0.5, size=shape) if skewed else generator.normal(size=shape)


def covered(ends: np.ndarray, truth: float) -> float:
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


@pytest.mark.parametrize("clips", [5, 8, 12, 30, 100])
def test_the_interval_of_the_boards_holds_the_mean_in_95_of_100_samples(clips: int) -> None:
    """4,000 samples: the share is known to ± 0.7 %."""
    assert 0.935 <= covered(studentised(sample(clips, (4000, clips)), resamples=2000), 0.0) <= 0.965


@pytest.mark.parametrize("clips", [10, 20, 50])
def test_it_also_does_for_figures_that_lean_to_one_side(clips: int) -> None:
    data = sample(1000 + clips, (4000, clips), skewed=True)
    assert 0.93 <= covered(studentised(data, resamples=2000), math.exp(0.125)) <= 0.965


@pytest.mark.parametrize("clips", [3, 4])
def test_student_covers_for_fewer_clips(clips: int) -> None:
    assert 0.935 <= covered(student(sample(clips, (4000, clips))), 0.0) <= 0.965


def test_bca_is_not_used_because_it_covers_too_little() -> None:
    assert covered(bca(sample(8, (2000, 8)), resamples=2000), 0.0) < 0.91


def test_student_is_scipys() -> None:
    data = sample(0, (7, 4))
    theirs = scipy_stats.ttest_1samp(data, 0, axis=1).confidence_interval(0.95)
    np.testing.assert_allclose(student(data), np.stack([theirs.low, theirs.high], axis=1))


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("clips", [8, 40])
def test_bca_is_scipys(clips: int, skewed: bool) -> None:
    """Two bootstraps with other draws: ends within 4 % of the interval's width."""
    data = sample(3, (3, clips), skewed)
    ours = bca(data, resamples=40_000)
    theirs = scipy_stats.bootstrap(
        (data,), np.mean, axis=1, n_resamples=40_000, method="BCa", batch=1000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = np.ptp(ours, axis=1)
    assert np.all(np.abs(ours[:, 0] - theirs.low) < 0.04 * width)
    assert np.all(np.abs(ours[:, 1] - theirs.high) < 0.04 * width)


def test_studentised_is_the_quantile_over_all_resamples() -> None:
    """5^5 resamples counted by hand; ours are drawn, so ends are near."""
    data = np.array([1.0, 2.0, 4.0, 4.5, 6.0])
    every = data[np.array(list(itertools.product(range(5), repeat=5)))]
    spread = every.std(axis=1, ddof=1)
    shift = every.mean(axis=1) - data.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(spread > 1e-9, shift / (spread / np.sqrt(5)), np.sign(shift) * np.inf)
    error = data.std(ddof=1) / np.sqrt(5)
    high, low = (data.mean() - np.quantile(t, q, method="inverted_cdf") * error for q in (0.025, 0.975))
    ours = studentised(data[None], resamples=100_000)[0]
    half = student(data[None])[0, 1] - data.mean()
    # Neither end is at its limit here, or this would show nothing.
    assert max(high - data.mean(), data.mean() - low) < LONGEST * half
    assert ours == pytest.approx((low, high), abs=0.05 * half)


@pytest.mark.parametrize("method", [studentised, bca, student])
def test_moves_and_scales_with_the_figures(method: object) -> None:
    data = sample(5, (4, 9), skewed=True)
    ends = method(data)  # type: ignore[operator]
    np.testing.assert_allclose(method(data * 1e-6 + 3), ends * 1e-6 + 3, rtol=1e-9)  # type: ignore[operator]
    np.testing.assert_allclose(method(-data), -ends[:, ::-1], atol=0.03 * np.ptp(ends))  # type: ignore[operator]


def test_samples_share_their_resamples_whatever_stands_beside_them() -> None:
    data = sample(6, (5, 10))
    together = studentised(data)
    np.testing.assert_array_equal(studentised(data), together)
    np.testing.assert_allclose(np.concatenate([studentised(row[None]) for row in data]), together, rtol=1e-12)
    np.testing.assert_allclose(studentised(data[::-1])[::-1], together, rtol=1e-12)
    assert [(i.low, i.high) for i in mean_intervals(data)] == [tuple(ends) for ends in together]
    assert not np.allclose(studentised(data, seed=1), together)


def test_draws_are_the_same_kept_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sample(7, (2, 10))
    kept = studentised(data, resamples=2500)
    monkeypatch.setattr(stats, "_KEPT", 0)
    np.testing.assert_array_equal(studentised(data, resamples=2500), kept)


def test_every_draw_holds_as_many_clips_as_there_are() -> None:
    drawn = np.concatenate(list(stats._draws(7, 2500, 0)))
    assert drawn.shape == (2500, 7)
    assert np.all(drawn.sum(axis=1) == 7)
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.08)


def test_what_has_no_interval_says_why() -> None:
    assert mean_interval([]).method == "none: 0 clips, at least 3 are needed"
    assert mean_interval([1.0]).method == "none: 1 clip, at least 3 are needed"
    assert mean_interval([1.0, 2.0]) == Interval(None, None, "none: 2 clips, at least 3 are needed")
    assert mean_interval([1.0, math.nan, 3.0, 4.0]).method == "none: no figure for 1 of 4 clips"
    assert mean_interval([1.0, math.inf, 3.0]).method == "none: a clip's figure is infinite"
    assert mean_interval([2.5] * 9) == Interval(2.5, 2.5, "all clips equal")
    with pytest.raises(ValueError, match=r"table \(samples, clips\)"):
        mean_intervals(np.zeros((2, 3, 4)))
    assert mean_intervals(np.zeros((0, 5))) == []


def test_one_clip_far_apart_does_not_send_the_end_to_infinity() -> None:
    values = [0.0] * 9 + [1.0]
    found = mean_interval(values)
    low, high = student(np.array([values]))[0]
    assert found.method == "studentised bootstrap, limited to 2 times t"
    assert found.high == pytest.approx(0.1 + 2 * (high - 0.1))
    assert found.low is not None
    assert low < found.low < 0.1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=12))
def test_any_figures_have_an_interval_around_their_mean(values: list[float]) -> None:
    found = mean_interval(values)
    mean = float(np.mean(values))
    assert found.low is not None
    assert found.high is not None
    slack = 1e-9 * (1 + abs(mean))
    assert found.low - slack <= mean <= found.high + slack
    assert math.isfinite(found.low)
    assert math.isfinite(found.high)
