"""Rank classes and the smallest detectable difference: false calls, closed cases, and what has no rank."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from leaderboards import classes
from leaderboards.classes import RankClasses, all_pairs, detectable_difference, rank_classes
from leaderboards.paired import sign_flip

BOARDS = 1000


def equal_models(generator: np.random.Generator, models: int, clips: int, law: str = "normal") -> np.ndarray:
    """Clips differ much, models only by chance."""
    noise = generator.normal if law == "normal" else generator.exponential
    return 5 * generator.normal(size=clips) + noise(size=(models, clips))


def false_calls(models: int, clips: int, law: str) -> float:
    generator = np.random.default_rng([models, clips])
    boards = (equal_models(generator, models, clips, law) for _ in range(BOARDS))
    return float(np.mean([(all_pairs(b, permutations=199, seed=i).p <= 0.05).any() for i, b in enumerate(boards)]))


@pytest.mark.parametrize(("models", "clips"), [(2, 6), (3, 4), (4, 5), (8, 8)])
def test_equal_models_are_told_apart_in_at_most_5_of_100_boards(models: int, clips: int) -> None:
    """The rate is 5 % or less in truth; a simulation shows it to within its own chance. Four bounds of three standard errors
    each fail a right procedure in about 1 of 190 choices of the seed."""
    rate = np.mean([false_calls(models, clips, law) for law in ("normal", "exponential")])
    assert rate <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / (2 * BOARDS))


def test_equal_models_among_others_far_away_are_safe_too() -> None:
    generator = np.random.default_rng(0)
    wrong = 0
    for i in range(400):
        board = equal_models(generator, 6, 8)
        board[3:] += 20 * np.arange(1, 4)[:, None]
        wrong += bool((all_pairs(board, permutations=199, seed=i).p[:3, :3] <= 0.05).any())
    assert wrong / 400 <= 0.05


def test_no_false_class_without_a_false_call() -> None:
    generator = np.random.default_rng(1)
    for _ in range(100):
        found = rank_classes(frame(equal_models(generator, 4, 6)), permutations=199)
        assert (set(found.rank.values()) != {1}) == bool((found.p <= 0.05).to_numpy().any())


def frame(data: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(data.T, columns=[f"m{i}" for i in range(len(data))])


@pytest.mark.parametrize("clips", [2, 5, 6, 10])
def test_two_models_are_the_exact_sign_flip_test(clips: int) -> None:
    for seed in range(5):
        data = np.random.default_rng(seed).normal(size=(2, clips)) + np.array([[0], [0.6]])
        assert all_pairs(data).p[0, 1] == pytest.approx(sign_flip((data[0] - data[1])[None])[0])


def test_three_models_against_all_orders_counted_by_hand() -> None:
    data = np.random.default_rng(3).normal(size=(3, 4)) + np.array([[0], [1], [3]])
    pairs = list(itertools.combinations(range(3), 2))

    def t(board: np.ndarray) -> np.ndarray:
        return np.array([abs(scipy_stats.ttest_rel(board[i], board[j]).statistic) for i, j in pairs])

    every = itertools.product(itertools.permutations(range(3)), repeat=4)
    largest = np.array(
        [t(np.stack([data[list(o), c] for c, o in enumerate(orders)], axis=1)).max() for orders in every]
    )
    found = all_pairs(data)
    own = t(data)
    expected = [(largest >= value * (1 - 1e-9)).mean() for value in own]
    assert [found.p[i, j] for i, j in pairs] == pytest.approx(expected)
    reached = [value for value in np.unique(largest) if (largest >= value * (1 - 1e-9)).mean() <= 0.05]
    assert found.critical == pytest.approx(reached[0])
    assert found.spread == pytest.approx(np.median([(data[i] - data[j]).std(ddof=1) for i, j in pairs]))


def test_drawn_orders_agree_with_counted_ones() -> None:
    data = np.random.default_rng(4).normal(size=(3, 6)) + np.array([[0], [0.5], [2]])
    exact = all_pairs(data)  # 7,776 orders
    drawn = all_pairs(data, permutations=7_775)
    assert not np.array_equal(drawn.p, exact.p)
    np.testing.assert_allclose(drawn.p, exact.p, atol=0.015)
    assert drawn.critical == pytest.approx(exact.critical, rel=0.05)


def test_a_pair_is_told_apart_exactly_from_the_critical_t_on() -> None:
    for seed in range(20):
        data = np.random.default_rng(seed).normal(size=(5, 7)) + 0.4 * np.arange(5)[:, None]
        found = all_pairs(data, permutations=499)
        for i, j in itertools.combinations(range(5), 2):
            t = abs(scipy_stats.ttest_rel(data[i], data[j]).statistic)
            assert (found.p[i, j] <= 0.05) == (t >= found.critical * (1 - 1e-9))


def test_models_apart_and_alike() -> None:
    generator = np.random.default_rng(0)
    noise = 0.1 * generator.normal(size=(5, 8))
    noise -= noise.mean(axis=1, keepdims=True)  # alike are those of equal mean: chance shall not tell them apart
    noise += 0.001 * np.arange(5)[:, None]
    data = 5 * generator.normal(size=8) + noise + np.array([9, 9, 5, 5, 0])[:, None]
    found = rank_classes(frame(data))
    assert sorted(found.rank.values()) == [1, 1, 3, 3, 5]
    assert {found.rank["m0"], found.rank["m1"]} == {1}
    assert found.rank["m4"] == 5
    assert sorted(found.place.values()) == [1, 2, 3, 4, 5]
    turned = rank_classes(frame(data), higher=False)
    assert turned.rank["m4"] == 1
    assert {turned.rank["m0"], turned.rank["m1"]} == {4}


def test_a_class_opens_where_the_third_is_surely_worse_than_the_first() -> None:
    """a ~ b and b ~ c, but a > c: c stands in another class than a, and b with the better ones."""
    generator = np.random.default_rng(2)
    data = generator.normal(size=(3, 12)) + np.array([[1.8], [0.9], [0.0]])
    found = rank_classes(frame(data))
    assert found.p.loc["m0", "m1"] > 0.05
    assert found.p.loc["m1", "m2"] > 0.05
    assert found.p.loc["m0", "m2"] <= 0.05
    assert found.rank == {"m0": 1, "m1": 1, "m2": 3}


def test_the_order_of_columns_does_not_matter() -> None:
    data = frame(np.random.default_rng(5).normal(size=(6, 10)) + 0.5 * np.arange(6)[:, None])
    ours, turned = rank_classes(data), rank_classes(data[data.columns[::-1]])
    assert ours.rank == turned.rank
    pd.testing.assert_frame_equal(ours.p, turned.p)
    assert ours.critical == turned.critical == rank_classes(data).critical


def test_a_model_with_holes_has_no_rank() -> None:
    data = frame(np.random.default_rng(6).normal(size=(3, 5)))
    data.index = pd.Index([f"clip {i}" for i in range(5)])
    data.loc["clip 3", "m1"] = math.nan
    found = rank_classes(data)
    assert found.unranked == {"m1": "1 of 5 clips missing (clip 3)"}
    assert set(found.rank) == {"m0", "m2"}
    assert list(found.p.index) == list(found.rank)
    empty = rank_classes(data * math.nan)
    assert empty.rank == {}
    assert math.isnan(empty.detectable)


def test_one_clip_and_two_clips_tell_nothing_apart() -> None:
    one = rank_classes(pd.DataFrame({"a": [30.0], "b": [20.0], "c": [30.0]}))
    assert one.rank == {"a": 1, "b": 1, "c": 1}
    assert one.place == {"a": 1, "c": 1, "b": 3}
    assert math.isnan(one.detectable)
    two = rank_classes(pd.DataFrame({"a": [30.0, 31.0], "b": [20.0, 22.0]}))
    assert two.rank == {"a": 1, "b": 1}
    assert two.critical == two.detectable == math.inf


def test_equal_and_constant_figures() -> None:
    same = rank_classes(pd.DataFrame({"a": [1.1, 2.2, 3.3] * 4, "b": [1.1, 2.2, 3.3] * 4}))
    assert same.rank == same.place == {"a": 1, "b": 1}
    assert same.p.loc["a", "b"] == 1
    always = rank_classes(pd.DataFrame({"a": [1.1, 2.2, 3.3] * 4, "b": [1.2, 2.3, 3.4] * 4}))
    assert always.rank == {"b": 1, "a": 2}
    assert always.p.loc["a", "b"] == 2 / 2**12
    flat = rank_classes(pd.DataFrame({"a": [5.0] * 7, "b": [5.0] * 7, "c": [4.0] * 7}))
    assert flat.rank == {"a": 1, "b": 1, "c": 3}


def test_differences_far_smaller_than_the_figures_are_seen() -> None:
    """Two models 1e-6 dB apart by chance, among others that differ by 20 dB: not told apart by rounding."""
    generator = np.random.default_rng(7)
    data = 5 * generator.normal(size=8) + 30 + np.array([[0.0], [0.0], [20.0]])
    data[1] += 1e-6 * generator.normal(size=8)
    assert all_pairs(data).p[0, 1] > 0.05
    data[1] += 1e-4
    assert all_pairs(data).p[0, 1] <= 0.05


def test_infinite_figures_stand_by_their_mean() -> None:
    inf = math.inf
    board = pd.DataFrame({"a": [inf, 1, 2], "b": [3, inf, 4], "c": [1.0, 2, 3], "d": [1.0, 2, 3], "e": [-inf, 9, 9]})
    found = rank_classes(board)
    assert found.rank == {"a": 1, "b": 1, "c": 3, "d": 3, "e": 5}
    assert np.isnan(found.p.loc["a", "c"])
    assert found.p.loc["c", "d"] == 1


def test_what_all_pairs_does_not_take() -> None:
    with pytest.raises(ValueError, match="1 that are missing or infinite"):
        all_pairs([[1.0, math.nan], [1.0, 2.0]])
    alone = all_pairs([[1.0, 2.0, 3.0]])
    assert alone.p.tolist() == [[1]]
    assert math.isnan(alone.spread)


# --- what could be told apart ----------------------------------------------------------------------


@pytest.mark.parametrize("clips", [2, 3, 8, 34, 100])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_detectable_difference_is_the_noncentral_t_law(clips: int, power: float) -> None:
    shift = detectable_difference(2.0, clips, power=power) / 2.0 * math.sqrt(clips)
    bound = scipy_stats.t.ppf(0.975, clips - 1)
    # The far tail is below 1e-3 here; scipy's law is NaN there for large shifts.
    assert scipy_stats.nct.sf(bound, clips - 1, shift) == pytest.approx(power, abs=1e-3)


def test_detectable_difference_by_simulation() -> None:
    """A difference of that size between two of four models is found by the classes in about 80 % of boards."""
    generator = np.random.default_rng(8)
    base = equal_models(generator, 4, 10)
    critical = all_pairs(base, permutations=999).critical
    size = detectable_difference(math.sqrt(2), 10, critical)
    t = scipy_stats.ttest_1samp(generator.normal(size, math.sqrt(2), size=(4000, 10)), 0, axis=1).statistic
    assert np.mean(np.abs(t) >= critical) == pytest.approx(0.8, abs=0.02)


def test_detectable_difference_falls_with_the_root_of_clips() -> None:
    few, many = detectable_difference(1.0, 100), detectable_difference(1.0, 400)
    assert few / many == pytest.approx(2, rel=0.02)
    assert detectable_difference(3.0, 50) == pytest.approx(3 * detectable_difference(1.0, 50))


def test_nothing_to_detect() -> None:
    assert detectable_difference(1.0, 5, critical=math.inf) == math.inf
    assert detectable_difference(0.0, 5) == 0
    assert detectable_difference(1.0, 5, critical=0.1) == 0
    with pytest.raises(ValueError, match="2 clips or more"):
        detectable_difference(1.0, 1)
    with pytest.raises(ValueError, match="from 0 on"):
        detectable_difference(math.nan, 5)
    with pytest.raises(ValueError, match="power is between"):
        detectable_difference(1.0, 5, power=1.0)


def test_types() -> None:
    found = rank_classes(frame(np.random.default_rng(0).normal(size=(2, 4))))
    assert isinstance(found, RankClasses)
    assert found.clips == 4
    assert classes.PERMUTATIONS == 9_999
