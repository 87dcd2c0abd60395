"""Two boards of one data set: how far figures move, and which ranks. Expected values are counted by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from leaderboards.compare import comparable, compare
from leaderboards.schema import Cell, MetricFacts, ModelFacts
from leaderboards.table import Board, boards


def metric(name: str, unit: str = "dB", direction: str = "higher") -> MetricFacts:
    return MetricFacts.model_validate(
        {"name": name, "version": 1, "unit": unit, "direction": direction, "convention": "c"}
    )


def board(values: dict[str, list[float | None]], facts: MetricFacts, protocol: str = "a@1", **rest: Any) -> Board:
    cells = [
        Cell(
            status="failed" if value is None else "ok",
            dataset=rest.get("dataset", "d"),
            clip=f"{rest.get('prefix', 'clip')}{i}",
            model=name,
            metric=facts,
            protocol=protocol,
            value=value,
            frames=[] if value is None else [value],
            error="it broke" if value is None else None,
            model_facts=ModelFacts(name=name, version=1, title=name, task="t", source="s", licence="l"),
            data_sha256="x",
            fingerprint="f",
            device="cpu",
            precision="fp32",
        )
        for name, row in values.items()
        for i, value in enumerate(row)
    ]
    (made,) = boards(cells)
    return made


def test_differences_are_taken_model_by_model() -> None:
    before = board({"identity": [20.0, 22.0], "x": [30.0, 32.0], "y": [29.0, 31.0]}, metric("psnr"))
    after = board({"identity": [20.5, 22.5], "x": [29.0, 31.0], "y": [31.0, 33.0]}, metric("psnr[y]"), "b@1")
    found = compare(before, after)
    assert {m.model: m.difference for m in found.moves} == {"identity": 0.5, "x": -1.0, "y": 2.0}
    assert found.mean == pytest.approx(0.5)
    assert found.smallest is not None
    assert found.largest is not None
    assert (found.smallest.model, found.largest.model) == ("x", "y")
    assert {m.model: (m.place_before, m.place_after) for m in found.places} == {"x": (1, 2), "y": (2, 1)}
    assert found.same_data


def test_ranks_are_taken_again_among_the_models_of_both() -> None:
    before = board({"identity": [20.0], "x": [30.0], "best": [40.0]}, metric("psnr"))
    after = board({"identity": [20.0], "x": [30.0], "new": [35.0]}, metric("psnr"), "b@1")
    found = compare(before, after)
    assert (found.only_before, found.only_after) == (("best",), ("new",))
    assert found.places == ()
    assert [(m.model, m.place_before) for m in found.moves] == [("x", 1), ("identity", 2)]


def test_ranks_that_clips_tell_apart() -> None:
    """Ten clips, three models a decibel apart on each, in the other order after: first and third change places."""
    clips = [20.0 + 0.5 * (-1) ** i + 0.01 * i for i in range(10)]
    before = {name: [v + step for v in clips] for name, step in (("identity", 0.0), ("x", 1.0), ("y", 2.0))}
    after = {name: [v - step for v in clips] for name, step in (("identity", 0.0), ("x", 1.0), ("y", 2.0))}
    found = compare(board(before, metric("psnr")), board(after, metric("psnr"), "b@1"))
    assert {m.model: (m.rank_before, m.rank_after) for m in found.ranks} == {"y": (1, 3), "identity": (3, 1)}


def test_a_model_with_holes_has_no_figure_to_compare() -> None:
    before = board({"identity": [20.0, 21.0], "x": [30.0, 31.0]}, metric("psnr"))
    after = board({"identity": [20.0, 21.0], "x": [30.0, None]}, metric("psnr"), "b@1")
    found = compare(before, after)
    assert [m.model for m in found.moves] == ["identity"]
    assert found.only_before == ("x",)


def test_different_quantities_have_ranks_and_no_differences() -> None:
    before = board({"identity": [20.0], "x": [30.0]}, metric("psnr"))
    after = board({"identity": [8.0], "x": [9.0]}, metric("niqe", "", "lower"), "b@1")
    found = compare(before, after)
    assert not found.comparable
    assert (found.mean, found.smallest, found.largest) == (None, None, None)
    assert {m.model: (m.place_before, m.place_after) for m in found.places} == {"x": (1, 2), "identity": (2, 1)}


def test_infinite_figures() -> None:
    before = board({"identity": [math.inf], "x": [30.0]}, metric("psnr"))
    after = board({"identity": [math.inf], "x": [math.inf]}, metric("psnr"), "b@1")
    assert {m.model: m.difference for m in compare(before, after).moves} == {"identity": 0.0, "x": math.inf}


def test_other_clips_are_told_and_other_data_sets_refused() -> None:
    before = board({"identity": [20.0]}, metric("psnr"))
    assert not compare(before, board({"identity": [20.0]}, metric("psnr"), "b@1", prefix="other")).same_data
    with pytest.raises(ValueError, match='these are of "d" and "e"'):
        compare(before, board({"identity": [20.0]}, metric("psnr"), "b@1", dataset="e"))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("psnr", "psnr[y,crop=2]", True),
        ("psnr[pooled]", "psnr_aligned", True),
        ("ssim[uniform7]", "ssim_aligned[crop=0]", True),
        ("psnr", "ssim", False),
        ("psnr", "psnr_damaged", False),
    ],
)
def test_which_metrics_are_one_quantity(a: str, b: str, same: bool) -> None:
    assert comparable(metric(a), metric(b)) is same


def test_ranks_do_not_move_because_other_models_are_missing() -> None:
    """Of 2 models these clips tell what they do not tell of 12: that is no doing of the convention."""
    clips = [20.0 + 0.5 * (-1) ** i + 0.01 * i for i in range(7)]
    ahead = [0.2, 1.2, 0.4, 1.6, 0.1, 1.0, 0.5]  # |t| = 3.4: enough for one pair, not for 66
    common = {"x": [c + a for c, a in zip(clips, ahead, strict=True)], "y": clips}
    crowd = {f"m{k}": [c + 0.1 * ((7 * k + 3 * i) % 5) for i, c in enumerate(clips)] for k in range(10)}
    before, after = board(common | crowd, metric("psnr")), board(common, metric("psnr"), "b@1")
    found = compare(before, after)
    assert found.ranks == ()
    assert {m.model: (m.rank_before, m.rank_after) for m in found.moves} == {"x": (1, 1), "y": (2, 2)}
    assert {row.model.name: row.rank for row in before.rows if row.model.name in common} == {"x": 1, "y": 1}
