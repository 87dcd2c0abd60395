"""Speed of the boards' statistics, side by side with scipy called once per model and metric."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from leaderboards import stats
from leaderboards.classes import all_pairs
from leaderboards.paired import sign_flip
from leaderboards.stats import bca, mean_intervals

Bench = Callable[..., Any]
MODELS, CLIPS, METRICS = 20, 100, 10
INTERVALS = f"95 % intervals of {MODELS} models x {METRICS} metrics, {CLIPS} clips, 10,000 resamples"
BUDGET = 5.0
"""Seconds on one core that a board's intervals may take."""


@pytest.fixture(scope="module")
def figures() -> NDArray[np.float64]:
    """One row per model and metric."""
    return np.random.default_rng(0).normal(30, 3, size=(MODELS * METRICS, CLIPS))


def one_by_one(figures: NDArray[np.float64]) -> list[Any]:
    return [
        scipy_stats.bootstrap((row,), np.mean, n_resamples=10_000, method="BCa").confidence_interval for row in figures
    ]


@pytest.mark.benchmark(group=INTERVALS)
def test_intervals_ours(benchmark: Bench, figures: NDArray[np.float64]) -> None:
    def run() -> Any:
        stats._kept.cache_clear()  # the draws are part of the price
        return mean_intervals(figures)

    assert len(benchmark.pedantic(run, rounds=3)) == MODELS * METRICS


@pytest.mark.benchmark(group=INTERVALS)
def test_intervals_bca_ours(benchmark: Bench, figures: NDArray[np.float64]) -> None:
    def run() -> Any:
        stats._kept.cache_clear()
        return bca(figures)

    assert benchmark.pedantic(run, rounds=3).shape == (MODELS * METRICS, 2)


@pytest.mark.benchmark(group=INTERVALS)
def test_intervals_scipy_in_a_loop(benchmark: Bench, figures: NDArray[np.float64]) -> None:
    assert len(benchmark.pedantic(lambda: one_by_one(figures), rounds=1)) == MODELS * METRICS


@pytest.mark.benchmark(group="95 % intervals, ratio to scipy in one run")
def test_intervals_ratio(benchmark: Bench, figures: NDArray[np.float64]) -> None:
    """Both in turn on the same machine in the same run, so that the ratio holds on another machine too."""

    def run() -> tuple[float, float]:
        stats._kept.cache_clear()
        began = time.perf_counter()
        mean_intervals(figures)
        ours = time.perf_counter() - began
        began = time.perf_counter()
        one_by_one(figures)
        return ours, time.perf_counter() - began

    ours, theirs = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(ours_s=ours, scipy_s=theirs, ratio=theirs / ours)  # type: ignore[attr-defined]
    assert ours < BUDGET
    assert theirs / ours > 5


@pytest.mark.benchmark(group=f"sign-flip test of {MODELS - 1} pairs, {CLIPS} clips, 49,999 turnings")
def test_sign_flip_ours(benchmark: Bench, figures: NDArray[np.float64]) -> None:
    differences = np.diff(figures[:MODELS], axis=0)
    assert len(benchmark.pedantic(lambda: sign_flip(differences), rounds=2)) == MODELS - 1


@pytest.mark.benchmark(group=f"sign-flip test of {MODELS - 1} pairs, {CLIPS} clips, 49,999 turnings")
def test_sign_flip_scipy_in_a_loop(benchmark: Bench, figures: NDArray[np.float64]) -> None:
    differences = np.diff(figures[:MODELS], axis=0)

    def run() -> list[Any]:
        options: dict[str, Any] = {"permutation_type": "samples", "n_resamples": 49_999, "batch": 5_000}
        return [scipy_stats.permutation_test((row,), np.mean, **options) for row in differences]

    assert len(benchmark.pedantic(run, rounds=1)) == MODELS - 1


@pytest.mark.benchmark(group=f"all pairs of {MODELS} models, {CLIPS} clips, 9,999 permutations")
def test_all_pairs(benchmark: Bench, figures: NDArray[np.float64]) -> None:
    assert benchmark.pedantic(lambda: all_pairs(figures[:MODELS]), rounds=2).p.shape == (MODELS, MODELS)
