"""Paired tests and Holm's correction: against scipy, in closed cases, and with what is missing."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from leaderboards import paired
from leaderboards.paired import by_mean, holm, neighbours, sign_flip, smallest_p, wilcoxon


def scipys_permutation(row: np.ndarray, resamples: float = math.inf) -> float:
    found = scipy_stats.permutation_test(
        (row,), np.mean, permutation_type="samples", n_resamples=resamples, rng=np.random.default_rng(2)
    )
    return float(found.pvalue)


@pytest.mark.parametrize("clips", [2, 3, 7, 11])
def test_sign_flip_is_scipys_exact_permutation_test(clips: int) -> None:
    data = np.random.default_rng(clips).normal(0.4, 1, size=(4, clips))
    np.testing.assert_allclose(sign_flip(data), [scipys_permutation(row) for row in data])


def test_sign_flip_with_ties_and_zeros_is_scipys() -> None:
    data = np.array([[1, 1, -1, 2, 0, 3, 1], [0.1, 0.2, 0.3, -0.3, 0.1, 0.1, 0.1]])
    np.testing.assert_allclose(sign_flip(data), [scipys_permutation(row) for row in data])


def test_drawn_signs_agree_with_counted_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(4).normal(0.3, 1, size=(6, 15))
    exact = sign_flip(data)
    monkeypatch.setattr(paired, "EXACT_CLIPS", 10)
    np.testing.assert_allclose(sign_flip(data), exact, atol=0.01)
    assert np.array_equal(sign_flip(data), sign_flip(data))


def test_many_clips_agree_with_scipy() -> None:
    row = np.random.default_rng(5).normal(0.2, 1, size=60)
    assert sign_flip(row[None])[0] == pytest.approx(scipys_permutation(row, 9999), abs=0.02)


@pytest.mark.parametrize("clips", [5, 6, 12])
def test_no_p_is_smaller_than_so_few_clips_allow(clips: int) -> None:
    always = np.arange(1.0, clips + 1)[None]
    assert sign_flip(always)[0] == wilcoxon(always)[0] == smallest_p(clips) == 2 / 2**clips


def test_drawn_p_is_never_zero() -> None:
    assert sign_flip(np.ones((1, 40)))[0] == 1 / (1 + paired.FLIPS)


@pytest.mark.parametrize("test", [sign_flip, wilcoxon])
def test_what_cannot_be_tested(test: object) -> None:
    rows = np.array([[0.0, 0.0, 0.0], [1.0, math.nan, 2.0], [1e-300, 1e-300, 1e-300]])
    p = test(rows)  # type: ignore[operator]
    assert p[0] == 1
    assert math.isnan(p[1])
    assert p[2] == 0.25
    with pytest.raises(ValueError, match="one clip at least"):
        test(np.zeros((2, 0)))  # type: ignore[operator]


def test_an_infinite_difference_is_a_rank_but_no_mean() -> None:
    row = np.array([[math.inf, 1.0, 2.0, 3.0]])
    assert wilcoxon(row)[0] == 0.125
    assert math.isnan(sign_flip(row)[0])


@pytest.mark.parametrize("clips", [1, 4, 9, 30, 50])
def test_wilcoxon_is_scipys_exact_test(clips: int) -> None:
    data = np.random.default_rng(clips).normal(0.3, 1, size=(5, clips))
    theirs = [scipy_stats.wilcoxon(row, method="exact").pvalue for row in data]
    np.testing.assert_allclose(wilcoxon(data), theirs)


def test_wilcoxon_with_ties_and_zeros_is_scipys_by_permutation() -> None:
    data = np.array([[1, 1, -1, 2, 0, 3, 1, -2], [3, 3, 3, 3, -3, 3, 0, 0], [1, -1, 2, -2, 3, -3, 4, 4.0]])
    every = scipy_stats.PermutationMethod(n_resamples=math.inf)
    # scipy leaves zeros out before it counts, if they are not there to begin with.
    theirs = [scipy_stats.wilcoxon(row[row != 0], method=every).pvalue for row in data]
    np.testing.assert_allclose(wilcoxon(data), theirs)


def test_wilcoxon_of_many_clips_is_scipys_normal_law() -> None:
    data = np.random.default_rng(0).normal(0.2, 1, size=(3, 100)).round(1)
    theirs = [scipy_stats.wilcoxon(row, method="asymptotic", correction=False).pvalue for row in data]
    np.testing.assert_allclose(wilcoxon(data), theirs)


def test_holm_in_a_closed_case() -> None:
    # Holm's own arithmetic: 4 * 0.005, 3 * 0.01, 2 * 0.03, 1 * 0.04 raised to the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).tolist() == []
    np.testing.assert_array_equal(holm([math.nan, 0.02]), [math.nan, 0.02])


def test_holm_with_equal_models_is_wrong_in_at_most_5_of_100_boards() -> None:
    p = np.random.default_rng(1).uniform(size=(20_000, 6))
    share = np.mean([holm(row).min() <= 0.05 for row in p])
    assert 0.044 < share <= 0.054


def figures(models: int, clips: int, step: float = 0.0, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    data = generator.normal(size=(clips, 1)) * 3 + generator.normal(size=(clips, models)) + step * np.arange(models)
    return pd.DataFrame(data, columns=[f"m{i}" for i in range(models)])


def test_neighbours_of_equal_models_are_told_apart_in_at_most_5_of_100_boards() -> None:
    found = [bool(neighbours(figures(5, 10, seed=s))["apart"].any()) for s in range(300)]
    assert np.mean(found) <= 0.05


def test_neighbours_in_both_directions() -> None:
    data = figures(4, 12, step=3)
    table = neighbours(data)
    assert table[["better", "worse"]].to_numpy().tolist() == [["m3", "m2"], ["m2", "m1"], ["m1", "m0"]]
    assert table["apart"].all()
    expected = data["m3"] - data["m2"]
    assert table.loc[0, "difference"] == pytest.approx(expected.mean())
    assert table.loc[0, "p"] == sign_flip(expected.to_numpy()[None])[0]
    assert (table["low"] < table["difference"]).all()
    assert (table["difference"] < table["high"]).all()
    turned = neighbours(data, higher=False)
    assert turned["better"].tolist() == ["m0", "m1", "m2"]
    assert (turned["difference"] < 0).all()


def test_the_order_of_columns_and_clips_does_not_matter() -> None:
    data = figures(5, 12, step=0.5)
    pd.testing.assert_frame_equal(neighbours(data), neighbours(data[data.columns[::-1]]))
    ours, turned = neighbours(data), neighbours(data.iloc[::-1])
    np.testing.assert_allclose(ours["p"], turned["p"])


def test_models_without_a_figure_have_no_neighbours() -> None:
    data = figures(3, 6)
    data.loc[2, "m1"] = math.nan
    assert set(neighbours(data)[["better", "worse"]].to_numpy().ravel()) == {"m0", "m2"}
    _, out = by_mean(data, higher=True)
    assert out == {"m1": "1 of 6 clips missing (2)"}


@pytest.mark.parametrize("models", [0, 1])
def test_a_board_without_neighbours(models: int) -> None:
    table = neighbours(figures(models, 6) if models else pd.DataFrame(index=range(6)))
    assert len(table) == 0
    assert "p_holm" in table


def test_few_clips_tell_nothing_apart_and_infinite_figures_neither() -> None:
    one = neighbours(pd.DataFrame({"a": [30.0], "b": [20.0]}))
    assert one.loc[0, "p"] == 1
    assert math.isnan(one.loc[0, "low"])
    assert not neighbours(figures(2, 5, step=100))["apart"].any()
    infinite = neighbours(pd.DataFrame({"a": [math.inf, 30, 31], "b": [math.inf, 20, 21], "c": [1.0, 2.0, 3.0]}))
    assert infinite["difference"].tolist() == [20 / 3, math.inf]
    assert not infinite["apart"].any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Each infinite on another clip: a difference that is no number, and no noise about it.
        apart = neighbours(pd.DataFrame({"a": [math.inf, 30, 31], "b": [30, math.inf, 31]}))
    assert apart["difference"].isna().all()
    both = by_mean(pd.DataFrame({"a": [math.inf, -math.inf]}), higher=True)[1]
    assert "both directions" in both["a"]


def test_what_no_table_can_be() -> None:
    with pytest.raises(ValueError, match="no clips"):
        neighbours(pd.DataFrame({"a": []}))
    with pytest.raises(ValueError, match="called a"):
        neighbours(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))
