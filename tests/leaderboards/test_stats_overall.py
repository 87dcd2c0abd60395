"""Several boards together, severity curves, Pareto sets: closed cases."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards.overall import overall, pareto, severity_area


def test_mean_rank_and_gain_in_a_closed_case() -> None:
    table = overall(
        pd.DataFrame(
            {"identity": [20.0, 25.0, 30.0], "a": [22.0, 25.0, 36.0], "b": [21.0, 27.0, 31.0]}, index=["x", "y", "z"]
        )
    )
    assert list(table.index) == ["a", "b", "identity"]
    # a: ranks 1, 2.5, 1; b: 2, 1, 2; identity: 3, 2.5, 3
    assert table["mean_rank"].tolist() == pytest.approx([4.5 / 3, 5 / 3, 8.5 / 3])
    assert table["mean_gain"].tolist() == pytest.approx([8 / 3, 4 / 3, 0])
    assert table["boards"].tolist() == [3, 3, 3]


def test_less_is_better_where_it_is() -> None:
    table = overall(pd.DataFrame({"identity": [4.0, 6.0], "a": [3.0, 4.0], "b": [5.0, 9.0]}), higher=False)
    assert list(table.index) == ["a", "identity", "b"]
    assert table["mean_gain"].tolist() == [1.5, 0, -2]


def test_a_model_that_misses_a_board_has_no_rank_and_moves_none() -> None:
    boards = pd.DataFrame({"identity": [20.0, 25.0], "a": [22.0, 26.0], "b": [21.0, 27.0]}, index=["x", "y"])
    whole = overall(boards)
    boards["best"] = [99.0, math.nan]
    table = overall(boards)
    pd.testing.assert_frame_equal(table.drop("best"), whole)
    assert table.index[-1] == "best"
    assert table.loc["best", "note"] == "no figure on 1 of 2 boards (y)"
    assert np.isnan(table.loc["best", "mean_gain"])


def test_without_a_baseline_there_is_no_gain() -> None:
    assert overall(pd.DataFrame({"a": [1.0], "b": [2.0]}))["mean_gain"].isna().all()
    holes = overall(pd.DataFrame({"identity": [1.0, None], "a": [1.0, 2.0]}))
    assert holes["mean_gain"].isna().all()
    assert holes.loc["a", "mean_rank"] == 1


def test_infinite_figures_and_ties() -> None:
    table = overall(pd.DataFrame({"identity": [math.inf, 20.0], "a": [math.inf, 21.0], "b": [30.0, 21.0]}))
    assert table.loc["a", "mean_gain"] == 0.5
    assert table.loc["b", "mean_gain"] == -math.inf
    assert table.loc["a", "mean_rank"] == 1.5
    same = overall(pd.DataFrame({"z": [1.0], "b": [1.0], "a": [1.0]}))
    assert list(same.index) == ["a", "b", "z"]
    assert same["mean_rank"].tolist() == [2, 2, 2]


def test_boards_and_models_have_one_name_each() -> None:
    with pytest.raises(ValueError, match="no board"):
        overall(pd.DataFrame({"a": []}))
    with pytest.raises(ValueError, match="board 'x' comes twice"):
        overall(pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "x"]))
    with pytest.raises(ValueError, match="model 'a' comes twice"):
        overall(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))


def test_area_of_straight_and_bent_curves() -> None:
    curves = pd.DataFrame({"flat": [5.0] * 3, "line": [0.0, 1.0, 4.0], "bent": [0.0, 4.0, 4.0]}, index=[10, 20, 50])
    area = severity_area(curves)
    assert area.to_dict() == pytest.approx({"flat": 5, "line": 2, "bent": (20 + 120) / 40})
    pd.testing.assert_series_equal(severity_area(curves.iloc[[2, 0, 1]]), area)


def test_a_curve_with_a_hole_has_no_area() -> None:
    area = severity_area(pd.DataFrame({"a": [1.0, math.nan], "b": [1.0, math.inf]}, index=[1, 2]))
    assert np.isnan(area["a"])
    assert area["b"] == math.inf


@pytest.mark.parametrize("index", [[1], [1, 1], [1, math.nan]])
def test_what_is_no_curve(index: list[float]) -> None:
    with pytest.raises(ValueError, match="everities"):
        severity_area(pd.DataFrame({"a": [1.0] * len(index)}, index=index))


def test_pareto_in_closed_cases() -> None:
    assert pareto([1, 2, 3], [1, 2, 3]).tolist() == [True, True, True]
    assert pareto([3, 2, 1], [1, 2, 3]).tolist() == [True, False, False]
    assert pareto([3, 2, 1], [1, 2, 3], higher=False).tolist() == [True, True, True]
    assert pareto([2, 2, 2], [1, 1, 2]).tolist() == [True, True, False]
    assert pareto([2, 1], [[1, 9], [2, 3]]).tolist() == [True, True]
    assert pareto([math.nan, 1, math.inf], [0, 5, 9]).tolist() == [False, True, True]
    assert pareto([3, 1], [math.nan, 1]).tolist() == [False, True]
    assert pareto([], []).tolist() == []
    with pytest.raises(ValueError, match="other models"):
        pareto([1, 2], [1])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=8))
def test_pareto_is_what_no_other_beats(points: list[tuple[int, int, int]]) -> None:
    found = pareto([q for q, _, _ in points], np.array([c for _, *c in points]).reshape(-1, 2))
    for i, (q, a, b) in enumerate(points):
        beaten = any((p >= q and c <= a and d <= b) and (p, c, d) != (q, a, b) for p, c, d in points)
        assert found[i] == (not beaten)
    assert found.any() or not points
