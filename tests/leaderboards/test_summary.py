"""Overall boards, severity curves and quality against cost, against closed cases and by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from leaderboards import combined
from leaderboards.combined import combined_intervals
from leaderboards.results import DatasetInfo
from leaderboards.schema import Cell, Cost, ProtocolFacts
from leaderboards.stats import mean_intervals, student
from leaderboards.summary import cost_points, overall_boards, severity_curves
from leaderboards.table import Board, boards

MakeCell = Callable[..., Cell]
MakeTable = Callable[..., list[Cell]]
Values = dict[str, Sequence[float | None]]


def info(name: str, profile: str = "noise", severity: float | None = None, scale: int = 1) -> DatasetInfo:
    return DatasetInfo(name, True, name, profile=profile, variant=name, severity=severity, scale=scale)


THREE: dict[str, Values] = {
    "s10": {"identity": [30, 31, 32], "a": [33, 35, 34], "b": [34, 36, 35], "c": [29, 29, 29]},
    "s20": {"identity": [25, 26, 27], "a": [30, 31, 30], "b": [29, 30, 31], "c": [24, 27, 24]},
    "s40": {"identity": [19, 20, 21], "a": [26, 27, 28], "b": [24, 25, 26], "c": [18, 19, None]},
}


@pytest.fixture
def three(make_table: MakeTable) -> list[Board]:
    return boards([cell for name, values in THREE.items() for cell in make_table(values, dataset=name)])


INFOS = {name: info(name, severity=float(name[1:])) for name in THREE}


# --- overall ------------------------------------------------------------------------------------------


def test_mean_rank_and_mean_gain_over_severities(three: list[Board]) -> None:
    (overall,) = overall_boards(three, INFOS)
    assert (overall.scope, overall.profile, overall.boards) == ("severities", "noise", ("s10", "s20", "s40"))
    assert overall.title == "noise, over 3 severities (10 to 40)"
    found = {row.model.name: row.entries["psnr"] for row in overall.rows}
    # On s20 a has 30 1/3 and b 30; c lacks a clip on s40, and so takes no part in ranks.
    assert {m: e.mean_rank for m, e in found.items()} == pytest.approx(
        {"a": (2 + 1 + 1) / 3, "b": (1 + 2 + 2) / 3, "identity": 3.0, "c": None}
    )
    assert [(row.model.name, row.place) for row in overall.rows] == [("a", 1), ("b", 2), ("identity", 3), ("c", None)]
    assert found["a"].mean_gain == pytest.approx((3 + 13 / 3 + 7) / 3)
    assert (found["a"].best, found["b"].second, found["identity"].mean_gain) == (True, True, None)
    assert found["c"].note == "no figure on 1 of 3 boards (s40)"
    assert (found["c"].boards, found["c"].boards_worse, found["c"].mean_gain) == (2, 2, None)
    # The same clips on all boards: the interval is that of the mean of each clip's gains.
    by_clip = np.mean([np.subtract(v["a"], v["identity"]) for v in THREE.values()], axis=0)  # type: ignore[arg-type]
    low, high = student(by_clip[None])[0]
    interval = found["a"].gain_interval
    assert interval is not None
    assert (interval.low, interval.high, interval.method) == (pytest.approx(low), pytest.approx(high), "Student's t")


def test_figures_of_two_conventions_have_no_mean(make_table: MakeTable) -> None:
    """Another version of a metric, or other options: a mean over boards is over those alone that measured it alike."""
    made = {name: make_table(values, dataset=name) for name, values in THREE.items()}
    made["s20"] = make_table(THREE["s20"], dataset="s20", options={"crop_border": 4})
    mixed = boards([cell for cells in made.values() for cell in cells])
    (overall,) = overall_boards(mixed, INFOS)
    found = {row.model.name: row.entries["psnr"] for row in overall.rows}
    assert found["a"].mean_gain == pytest.approx((3 + 7) / 2)
    assert overall.boards_of == {"psnr": 2}
    assert overall.primary.options == {}
    assert overall.notes == (
        "psnr was measured in another way (another version or other options) on s20: its means are over the other 2 boards.",
    )
    assert severity_curves(mixed, INFOS) == []
    # What differs with the data alone is the same convention: NIQE against each data set's own ground truth.
    own = {n: make_table(v, "niqe_gt", dataset=n, options={"pristine": f"ground truth {n}"}) for n, v in THREE.items()}
    (overall,) = overall_boards(boards([cell for cells in own.values() for cell in cells]), INFOS)
    assert (overall.boards_of, overall.notes) == ({"niqe_gt": 3}, ())


def test_lower_is_better_keeps_its_sign(make_table: MakeTable) -> None:
    cells = [
        cell
        for name in ("s10", "s20")
        for cell in make_table({"identity": [0.4, 0.5], "a": [0.3, 0.3], "b": [0.5, 0.7]}, "warp_error", dataset=name)
    ]
    (overall,) = overall_boards(boards(cells), INFOS)
    found = {row.model.name: row.entries["warp_error"] for row in overall.rows}
    assert [row.model.name for row in overall.rows] == ["a", "identity", "b"]
    assert found["a"].mean_gain == pytest.approx(-0.15)
    assert (found["a"].harm, found["b"].harm, found["b"].boards_worse) == (False, True, 2)
    assert found["a"].best
    assert found["b"].second


def test_all_data_sets_of_one_size(make_table: MakeTable, three: list[Board]) -> None:
    more = make_table({"identity": [20, 21], "a": [25, 26], "b": [20, 22]}, dataset="film")
    more += make_table({"identity": [20, 21], "sr": [25, 26]}, dataset="x4")
    more += make_table({"identity": [20, 21], "sr": [25, 28]}, dataset="x4-other")
    infos = {
        **INFOS,
        "film": info("film", "oldfilm"),
        "x4": info("x4", "sr", None, 4),
        "x4-other": info("y", "sr", None, 4),
    }
    found = overall_boards([*three, *boards(more)], infos)
    assert [(o.scope, o.scale, o.title, len(o.boards)) for o in found] == [
        ("severities", 1, "noise, over 3 severities (10 to 40)", 3),
        ("datasets", 1, "All 4 data sets", 4),
        ("datasets", 4, "All 2 data sets, enlarged 4 times", 2),
    ]
    # Without what `dataset.json` says, all are taken together, and models that are on some alone have no mean.
    (all_,) = overall_boards([*three, *boards(more)], {})
    assert all(row.place is None for row in all_.rows if row.model.name != "identity")
    assert overall_boards([], {}) == []
    assert overall_boards(three[:1], INFOS) == []


def test_boards_that_stand_apart_take_no_part_and_metrics_of_some_boards_say_so(make_table: MakeTable) -> None:
    cells: list[Cell] = []
    for name in ("s10", "s20", "s40"):
        cells += make_table({"identity": [20, 21], "a": [25, 26]}, dataset=name)
    cells += make_table({"a": [27, 28]}, dataset="s10", fingerprint="again")
    for name in ("s10", "s20"):
        cells += make_table({"identity": [0.8, 0.8], "a": [0.9, 0.9]}, "ssim", dataset=name)
    cells += make_table({"identity": [1, 1], "a": [2, 2]}, "vmaf", dataset="s10")
    (overall,) = overall_boards(boards(cells), INFOS)
    assert [m.name for m in overall.metrics] == ["psnr", "ssim"]
    assert overall.boards_of == {"psnr": 3, "ssim": 2}
    assert overall.notes == ("ssim is on 2 of 3 boards, and its means are over these.",)


# --- intervals of several boards ----------------------------------------------------------------------


def test_one_board_has_the_interval_of_the_board() -> None:
    figures = np.random.default_rng(0).normal(size=9)
    even = {f"c{i}": 1 / 9 for i in range(9)}
    (found,) = combined_intervals([[({f"c{i}": float(x) for i, x in enumerate(figures)}, even)]], [1.0])
    alone = mean_intervals([figures])[0]
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=1e-9)


def test_boards_without_a_clip_in_common_have_the_variance_of_strata() -> None:
    """V = Σ a² s² / n, and Satterthwaite's degrees of freedom: two boards of equal variance have those of both together."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    made = [({f"{b}{i}": x for i, x in enumerate(values)}, {f"{b}{i}": 0.2 for i in range(5)}) for b in "ab"]
    (found,) = combined_intervals([made], [0.5, 0.5])
    half = 2.306004 * math.sqrt(2 * 0.25 * 2.5 / 5)  # t(0.975; 8)
    assert found.low is not None
    assert (found.low, found.high) == (pytest.approx(3 - half), pytest.approx(3 + half))
    assert found.method == "Student's t over several boards"


def test_what_has_no_interval_says_why() -> None:
    even = {"a": 0.5, "b": 0.5}
    cases: list[tuple[dict[str, float], dict[str, float]]] = [
        ({"a": 1.0}, {"a": 1.0}),
        ({"a": math.inf, "b": 1.0}, even),
    ]
    one, infinite = combined_intervals([[case] for case in cases], [1.0])
    assert one.method == "none: a board has one clip"
    assert infinite.method == "none: a clip's figure is infinite"
    apart = [({"a": 1.0, "b": 1.0}, even), ({"c": 2.0, "d": 2.0}, {"c": 0.5, "d": 0.5})]
    (equal,) = combined_intervals([apart], [0.5, 0.5])
    assert (equal.low, equal.high) == (1.5, 1.5)


@pytest.mark.parametrize("shared", [10, 5, 0])
def test_they_hold_the_true_value_in_95_of_100(shared: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,500 sets of three boards of 10 clips with common scenes: the share is known to ± 1.1 % (two standard errors)."""
    generator = np.random.default_rng(shared)
    even = np.full(10, 0.1)
    monkeypatch.setattr(combined, "mean_intervals", lambda rows: mean_intervals(rows, resamples=1000))
    sets = []
    for _ in range(1500):
        scene = generator.normal(size=10)
        made = []
        for board in range(3):
            own = (
                np.where(np.arange(10) < shared, scene, generator.normal(size=10)) * 0.8
                + generator.normal(size=10) * 0.6
            )
            names = [f"c{i}" if i < shared else f"{board}c{i}" for i in range(10)]
            made.append(
                (dict(zip(names, (own * (1 + board)).tolist(), strict=True)), dict(zip(names, even, strict=True)))
            )
        sets.append(made)
    found = combined_intervals(sets, [1 / 3] * 3)
    held = np.mean([i.low <= 0 <= i.high for i in found if i.low is not None and i.high is not None])
    assert len(found) == 1500
    assert 0.935 <= held <= 0.965


# --- severity curves ----------------------------------------------------------------------------------


def test_curves_and_their_areas(three: list[Board]) -> None:
    (curve,) = severity_curves(three, INFOS)
    assert (curve.severities, curve.datasets, curve.metric.name) == ((10, 20, 40), ("s10", "s20", "s40"), "psnr")
    assert [line.model.name for line in curve.lines] == ["a", "b", "identity", "c"]
    a = curve.lines[0]
    assert a.figures == pytest.approx((34, 91 / 3, 27))
    assert a.area == pytest.approx((10 * (34 + 91 / 3) / 2 + 20 * (91 / 3 + 27) / 2) / 30)
    assert a.gains == pytest.approx((3, 13 / 3, 7))
    assert a.area_gain == pytest.approx((10 * (3 + 13 / 3) / 2 + 20 * (13 / 3 + 7) / 2) / 30)
    # Trapezoids weigh the three severities 1/6, 1/2 and 1/3.
    by_clip = sum(
        w * np.subtract(v["a"], v["identity"])  # type: ignore[arg-type]
        for w, v in zip((1 / 6, 1 / 2, 1 / 3), THREE.values(), strict=True)
    )
    low, high = student(np.asarray(by_clip)[None])[0]
    assert a.area_gain_interval is not None
    assert (a.area_gain_interval.low, a.area_gain_interval.high) == (pytest.approx(low), pytest.approx(high))
    c = curve.lines[-1]
    assert (c.figures[2], c.area, c.area_gain, c.area_gain_interval) == (None, None, None, None)
    assert curve.lines[2].area_gain is None


def test_only_the_same_clips_form_a_curve(make_table: MakeTable, three: list[Board]) -> None:
    other = boards(make_table({"identity": [1, 2]}, dataset="s50"))
    infos = {**INFOS, "s50": info("s50", severity=50.0)}
    (curve,) = severity_curves([*three, *other], infos)
    assert curve.datasets == ("s10", "s20", "s40")
    assert severity_curves(three, {}) == []
    again = boards(make_table(THREE["s10"], dataset="s10-seed1"))
    (same,) = severity_curves([*three, *again], {**INFOS, "s10-seed1": info("s10-seed1", severity=10.0)})
    assert same.datasets == ("s10", "s20", "s40")


def test_rungs_of_the_ladder_are_another_scale_than_named_variants(make_table: MakeTable, three: list[Board]) -> None:
    rungs = [b for n in ("severity-1", "severity-3") for b in boards(make_table({"identity": [2, 2, 2]}, dataset=n))]
    infos = {**INFOS, **{n: info(n, severity=float(n[-1])) for n in ("severity-1", "severity-3")}}
    curves = severity_curves([*three, *rungs], infos)
    assert [curve.severities for curve in curves] == [(10, 20, 40), (1, 3)]


def test_boards_over_frames_weigh_clips_by_them(make_cell: MakeCell) -> None:
    lengths = {"x": 1, "y": 3, "z": 2}
    cells = [
        make_cell(m, clip, value, dataset=d, frames=[value] * n)
        for d in ("s10", "s20")
        for m, shift in (("identity", 0.0), ("a", 2.0))
        for (clip, n), value in zip(lengths.items(), (20.0 + shift, 24.0 + 2 * shift, 22.0), strict=True)
    ]
    facts = ProtocolFacts(label="default@1", title="", description="", source="", metrics=("psnr",), average="frames")
    (overall,) = overall_boards(boards(cells, {"default@1": facts}), INFOS)
    entry = overall.rows[0].entries["psnr"]
    assert entry.mean_gain == pytest.approx((1 * 2 + 3 * 4) / 6)
    assert entry.gain_interval is not None
    assert entry.gain_interval.low is not None
    assert any("weighs as many times as it has frames" in note for note in overall.notes)


# --- cost ---------------------------------------------------------------------------------------------


def test_quality_against_cost(make_cell: MakeCell) -> None:
    def cost(seconds: float, memory: int) -> Cost:
        return Cost(frames=1, seconds=seconds, threads=1, device="cpu", memory_bytes=memory)

    given: dict[str, tuple[float, float, int, dict[str, Any]]] = {
        "identity": (20.0, 0.01, 10, {}),
        "fast": (30.0, 0.1, 100, {}),
        "slow": (29.0, 1.0, 50, {}),
        "best": (31.0, 2.0, 400, {}),
        "gpu": (30.5, 0.01, 900, {"device": "cuda:0"}),
    }
    cells = [make_cell(m, "c", q, cost=cost(s, b), **rest) for m, (q, s, b, rest) in given.items()]
    cells += [make_cell(m, "c", 1.0 if m != "slow" else None, "ssim", cost=cells[0].cost) for m in given]
    cells = [cell for cell in cells if cell.metric.name == "psnr"]
    (board,) = boards(cells)
    points = {p.model.name: p for p in cost_points(board)}
    assert list(points) == ["best", "gpu", "fast", "slow", "identity"]
    assert {m: p.pareto["seconds"] for m, p in points.items()} == {
        "best": True, "gpu": True, "fast": True, "slow": False, "identity": True,
    }  # fmt: skip
    assert {m: p.pareto["memory"] for m, p in points.items()} == {
        "best": True, "gpu": False, "fast": True, "slow": True, "identity": True,
    }  # fmt: skip
    assert points["slow"].pareto["all"]
    assert not any(p.pareto["multiply_adds"] for p in points.values())
    with pytest.raises(ValueError, match="has no metric 'ssim'; it has psnr"):
        cost_points(board, "ssim")
