"""Cells on disk, boards, statistics and exports: honest about holes, conventions and doubt."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from leaderboards import export
from leaderboards.schema import Cell, Cost, MetricFacts, ModelFacts, pristine_of
from leaderboards.stats import bca, mean_interval
from leaderboards.store import cell_path, read_cell, read_cells, write_cell
from leaderboards.table import AVERAGE, Board, boards, frame

PSNR = MetricFacts(name="psnr", version=1, unit="dB", direction="higher", options={"colour": "rgb"}, convention="c")
WARP = MetricFacts(name="warp_error", version=1, unit="", direction="lower", convention="w")


def model(name: str) -> ModelFacts:
    return ModelFacts(name=name, version=1, title=name, task="t", source="s", licence="l")


def cell(name: str, clip: str, value: float | None, metric: MetricFacts = PSNR, **rest: Any) -> Cell:
    facts: dict[str, Any] = {
        "status": "ok" if value is not None else "failed",
        "dataset": "d",
        "clip": clip,
        "model": name,
        "metric": metric,
        "protocol": "default@1",
        "value": value,
        "frames": [value, value] if value is not None else [],
        "error": None if value is not None else "it broke",
        "model_facts": model(name),
        "data_sha256": f"data-{clip}",
        "fingerprint": "f",
        "device": "cpu",
        "precision": "fp32",
        "cost": Cost(frames=2, seconds=1.0, threads=1, device="cpu"),
    }
    return Cell(**{**facts, **rest})


def table(values: dict[str, list[float | None]], metric: MetricFacts = PSNR) -> list[Cell]:
    return [cell(m, f"clip{i}", v, metric) for m, row in values.items() for i, v in enumerate(row)]


def only(cells: list[Cell]) -> Board:
    (board,) = boards(cells)
    return board


# --- store ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(allow_nan=False), max_size=5), st.text(max_size=5))
def test_cells_survive_json(values: list[float], words: str) -> None:
    one = cell("m", "c", 1.0, frames=values, error=words)
    assert Cell.model_validate(json.loads(json.dumps(one.model_dump(mode="json"), allow_nan=False))) == one


@pytest.mark.parametrize("clip", ["two words", "ünï 電影", '<b>&"quoted"\'', "a.json", "%2e%2e"])
def test_cells_of_any_name(tmp_path: Path, clip: str) -> None:
    one = cell("m", clip, math.inf)
    assert read_cell(write_cell(tmp_path, one)) == one
    assert read_cells(tmp_path) == [one]


@pytest.mark.parametrize("clip", ["..", ".x", "a/b", "", "a\\b", "a\nb"])
def test_no_way_out_of_the_root(tmp_path: Path, clip: str) -> None:
    with pytest.raises(ValueError, match="cannot name a folder"):
        cell_path(tmp_path, "d", "m", clip, "psnr")


def test_what_was_left_unfinished_is_not_read_and_damage_is_named(tmp_path: Path) -> None:
    path = write_cell(tmp_path, cell("m", "c", 1.0))
    (path.parent / ".partial-1-x").write_text("{")
    assert len(read_cells(tmp_path)) == 1
    path.write_text(path.read_text()[:50])
    with pytest.raises(ValueError, match=r"psnr\.json.*delete it"):
        read_cells(tmp_path)


# --- boards --------------------------------------------------------------------------------------


def test_means_gains_marks_and_ranks() -> None:
    values: dict[str, list[float | None]] = {
        "identity": [20, 22],
        "a": [25, 27],
        "b": [19, 21],
        "c": [24, 26],
    }
    board = only(table(values))
    assert [(r.model.name, r.place) for r in board.rows] == [("a", 1), ("c", 2), ("identity", 3), ("b", 4)]
    a, b, c, base = (board.row(n).entries["psnr"] for n in ("a", "b", "c", "identity"))  # type: ignore[union-attr]
    assert (a.mean, a.gain, a.best, a.harm) == (26, 5, True, False)
    assert (b.gain, b.harm, b.better) == (-1, True, False)
    assert c.second
    assert (base.gain, base.best, base.better) == (None, False, None)
    assert board.frames == 4
    assert board.rows[0].seconds_per_frame == 0.5


def test_lower_is_better_where_it_is() -> None:
    values: dict[str, list[float | None]] = {"identity": [0.2], "a": [0.1], "b": [0.3]}
    board = only(table(values, WARP))
    assert [r.model.name for r in board.rows] == ["a", "identity", "b"]
    assert board.rows[0].entries["warp_error"].better
    assert board.rows[2].entries["warp_error"].harm


def test_ties_share_place_and_mark() -> None:
    board = only(table({"a": [5, 5], "b": [5, 5], "c": [4, 4]}))
    assert [r.place for r in board.rows] == [1, 1, 3]
    assert [r.entries["psnr"].best for r in board.rows] == [True, True, False]


def test_a_hole_has_a_reason_and_takes_the_rank() -> None:
    cells = table({"identity": [20, 21], "a": [30, None], "b": [25, 25]})
    cells += [cell("c", "clip0", 40.0)]
    board = only(cells)
    assert {r.model.name: r.place for r in board.rows} == {"b": 1, "identity": 2, "a": None, "c": None}
    assert [r.rank for r in board.rows] == [1, 1, None, None]
    a, c = board.row("a"), board.row("c")
    assert a is not None
    assert c is not None
    assert a.entries["psnr"].hole == '1 of 2 clips missing: on "clip1" it broke'
    assert c.entries["psnr"].hole == '1 of 2 clips missing ("clip1" was not run)'
    assert a.entries["psnr"].mean is None
    assert not a.complete


def test_infinite_figures_stay_infinite_and_are_said() -> None:
    board = only(table({"identity": [20, 20, 20], "a": [math.inf, 30, 30]}))
    entry = board.rows[0].entries["psnr"]
    assert entry.mean == math.inf
    assert entry.gain == math.inf
    assert entry.interval is not None
    assert entry.interval.low is None
    assert any("infinite" in note for note in board.notes)
    assert any("frames equal to the ground truth" in note for note in board.notes)
    lower = only(table({"identity": [2, 2, 2], "a": [math.inf, 3, 3]}, WARP))
    assert not any("equal to the ground truth" in note for note in lower.notes)  # it is the worst of figures there
    assert any("has none of what is measured" in note for note in lower.notes)
    same = only(table({"identity": [math.inf], "a": [math.inf]})).row("a")
    assert same is not None
    assert same.entries["psnr"].gain == 0


def test_models_that_clips_cannot_tell_apart_share_a_rank() -> None:
    """a and b differ by nothing but chance, both are far above identity."""
    base = np.array([20.0, 24.1, 19.3, 26.2, 22.0, 18.4, 21.7, 25.5])
    chance = np.array([0.1, -0.2, 0.15, -0.05, 0.1, -0.15, 0.2, -0.1])
    values = {"identity": base, "a": base + 5 - chance, "b": base + 5.02 + chance}
    board = only(table({name: list(row) for name, row in values.items()}))
    assert [(r.model.name, r.place, r.rank) for r in board.rows] == [("b", 1, 1), ("a", 2, 1), ("identity", 3, 3)]
    assert board.detectable is not None
    assert 0 < board.detectable < 1
    assert "these 8 clips cannot tell apart in psnr share a rank" in board.notes[0]
    assert f"{board.detectable:.2g} dB between two typical models" in board.notes[0]
    rows = list(csv.DictReader(io.StringIO(export.to_csv([board]))))
    assert [(r["rank"], r["place"]) for r in rows] == [("1", "1"), ("1", "2"), ("3", "3")]
    document = json.loads(export.to_json([board]))["boards"][0]
    assert document["detectable"] == board.detectable
    assert [r["rank"] for r in document["rows"]] == [1, 1, 3]


def test_ranks_are_of_models_without_holes_in_any_metric_and_turn_with_the_direction() -> None:
    values: dict[str, list[float | None]] = {"identity": [0.2, 0.3, 0.25], "a": [0.1, 0.2, 0.14], "b": [0.3, 0.4, 0.36]}
    board = only(table(values, WARP) + table({"identity": [20, 21, 22], "a": [25, 26, 27], "b": [1, None, 2]}))
    assert board.primary.name == "psnr"
    assert {r.model.name: r.place for r in board.rows} == {"a": 1, "identity": 2, "b": None}
    lower = only(table(values, WARP))
    assert [(r.model.name, r.place) for r in lower.rows] == [("a", 1), ("identity", 2), ("b", 3)]


def test_few_clips_say_that_they_tell_nothing_apart() -> None:
    one = only(table({"identity": [20], "a": [25]}))
    assert [r.rank for r in one.rows] == [1, 1]
    assert one.detectable is None
    assert one.notes[0].startswith("One clip tells no two models apart")
    five = only(table({"identity": [20, 21, 22, 23, 24], "a": [25, 26, 27.5, 28, 29]}))
    assert [(r.place, r.rank) for r in five.rows] == [(1, 1), (2, 1)]
    assert five.detectable == math.inf
    assert "so few clips of 2 models tell no difference" in five.notes[0]
    alone = only(table({"a": [25, 26]}))
    assert alone.notes == (AVERAGE["clips"],)
    assert alone.rows[0].rank == 1


def test_other_conventions_and_other_data_stand_apart() -> None:
    cells = table({"identity": [20, 20], "a": [25, 25], "b": [26, 26]})
    newer = PSNR.model_copy(update={"version": 2})
    cells += table({"new": [29, 29]}, newer)
    cells += [cell("other", "clip0", 28.0, data_sha256="changed"), cell("other", "clip1", 28.0)]
    first, *others = boards(cells)
    assert [r.model.name for r in first.rows if r.rank] == ["b", "a", "identity"]
    reasons = " ".join(b.reason or "" for b in others)
    assert "another convention (default@1/psnr@2" in reasons
    assert 'the clip "clip0" was another one' in reasons
    row = first.row("other")
    assert row is not None
    assert row.rank is None


def against(truth: str, values: dict[str, list[float | None]], first: int = 0) -> list[Cell]:
    """Cells of a metric that compares with all ground truth of the data set."""
    facts = MetricFacts(
        name="niqe_gt", version=2, unit="", direction="lower", options={"pristine": pristine_of(truth)}, convention="n"
    )
    return [cell(m, f"clip{i + first}", v, facts) for m, row in values.items() for i, v in enumerate(row)]


def test_figures_against_other_ground_truth_of_a_data_set_stand_apart() -> None:
    """Clips were added after the first models had run: their figures are of another pristine model, and not of what is there."""
    psnr = table({"identity": [20, 20, 20], "old": [25, 25, 25], "older": [25, 25, 25], "new": [26, 26, 26]})
    cells = psnr + against("of-two-clips", {"old": [3.0, 3.0], "older": [4.0, 4.0]})
    cells += against("of-three-clips", {"identity": [9.0, 9.0, 9.0], "new": [8.0, 8.0, 8.0]})
    first, second = boards(cells, truths={"d": "of-three-clips"})
    means = {r.model.name: r.entries["niqe_gt"].mean for r in first.rows}
    assert means == {"new": 8.0, "identity": 9.0, "old": None, "older": None}
    hole = first.row("old").entries["niqe_gt"].hole  # type: ignore[union-attr]
    assert hole == (
        '3 of 3 clips missing ("clip0" was measured under another convention or on other data, and stands apart)'
    )
    assert {r.model.name for r in second.rows} == {"old", "older"}
    assert "pristine=ground truth of-two-clips" in (second.reason or "")
    # Without what is there now those stand on the main board that are most.
    first, _ = boards(cells)
    assert first.row("new").entries["niqe_gt"].mean == 8.0  # type: ignore[union-attr]


def test_machines_that_had_other_clips_take_no_rank_away() -> None:
    """Two workspaces merged, with two clips of a data set each: what compares with all ground truth does so on one half only."""
    cells = table({"identity": [20, 21, 22, 23], "a": [25, 26, 27, 28]})
    for truth, at in (("first-half", 0), ("other-half", 2)):
        cells += against(truth, {"identity": [9.0, 9.0], "a": [8.0, 8.0]}, at)
    first, second = boards(cells, truths={"d": "all-four"})
    assert [row.rank for row in first.rows] == [1, 1]
    assert [row.entries["niqe_gt"].clips for row in first.rows] == [2, 2]
    assert any(
        note.startswith('niqe_gt is over 2 of 4 clips, for every model: on "clip2" it was') for note in first.notes
    )
    assert second.clips == ("clip2", "clip3")


def test_without_identity_there_is_no_gain() -> None:
    board = only(table({"a": [25.0, 26.0]}))
    assert board.rows[0].entries["psnr"].gain is None
    assert boards([]) == []


def test_long_form() -> None:
    data = frame(table({"identity": [20.0], "a": [None]}))
    assert list(data["status"]) == ["ok", "failed"]
    assert data["seconds_per_frame"].tolist() == [0.5, 0.5]
    assert data["convention"].nunique() == 1
    assert len(frame([])) == 0


# --- statistics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("skewed", [False, True])
def test_bca_agrees_with_scipy(seed: int, skewed: bool) -> None:
    """Two bootstraps of 10,000 resamples each: ends within a few per cent of the interval's width."""
    generator = np.random.default_rng(seed)
    data = generator.lognormal(size=40) if skewed else generator.normal(size=40)
    low, high = bca(data[None])[0]
    theirs = scipy_stats.bootstrap((data,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(7))
    width = high - low
    assert low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_bca_covers_what_it_should() -> None:
    """Of 400 samples of 30 normal values, the interval holds the true mean in about 95 %."""
    data = np.random.default_rng(3).normal(size=(400, 30))
    ends = bca(data, resamples=2000)
    covered = np.mean((ends[:, 0] < 0) & (ends[:, 1] > 0))
    assert 0.90 < covered < 0.98


def test_intervals_say_how_they_were_made() -> None:
    assert mean_interval([1.0, 2.0]).method == "none: 2 clips, at least 3 are needed"
    assert mean_interval([1.0, math.inf, 2.0]).low is None
    assert mean_interval([2.0, 2.0, 2.0]).low == 2.0
    t = mean_interval([1.0, 2.0, 4.0, 3.0])
    theirs = scipy_stats.ttest_1samp([1.0, 2.0, 4.0, 3.0], 0).confidence_interval(0.95)
    assert (t.low, t.high) == pytest.approx((theirs.low, theirs.high))
    assert mean_interval(np.arange(8.0)).method == "studentised bootstrap"
    assert mean_interval(np.arange(8.0)) == mean_interval(np.arange(8.0))


# --- export --------------------------------------------------------------------------------------


def test_exports() -> None:
    cells = table({"identity": [20.0, 21.0], "a_b|c": [25.0, 26.0], "d": [24.0, None]})
    found = boards(cells)
    rows = list(csv.DictReader(io.StringIO(export.to_csv(found))))
    assert rows[0]["model"] == "a_b|c"
    assert float(rows[0]["mean"]) == 25.5
    assert rows[-1]["hole"].startswith("1 of 2 clips")
    markdown = export.to_markdown(found)
    assert r"a\_b\|c | **25.50** |" in markdown
    latex = export.to_latex(found)
    assert r"a\_b\textbar{}c & \textbf{25.50} \\" in latex
    assert latex.count("&") == 4
    document = json.loads(export.to_json(found))["boards"]
    assert document[0]["rows"][0]["entries"]["psnr"]["mean"] == 25.5
    infinite = json.loads(export.to_json(boards([cell("a", "c", math.inf)])))["boards"]
    assert infinite[0]["rows"][0]["entries"]["psnr"]["mean"] == "inf"


def test_cost_is_the_median_over_clips_that_were_not_the_first() -> None:
    """And quartiles; the largest peak of memory."""
    from leaderboards.costs import seconds_of as _seconds
    from leaderboards.schema import Cost

    def cost(seconds: float, warm: bool) -> Cost:
        return Cost(frames=10, seconds=seconds, threads=1, device="cpu", warm=warm)

    first, later = cost(90.0, False), [cost(s, True) for s in (10.0, 20.0, 30.0, 40.0, 50.0)]
    assert _seconds([first, *later]) == (3.0, (2.0, 4.0))
    assert _seconds([first]) == (9.0, None)
    assert _seconds([]) == (None, None)


def test_a_model_without_frames_says_nothing_of_a_metric(make_cell: Any) -> None:
    """Where a metric cannot be measured on a clip, one model that failed on that clip is no reason to unrank all others."""
    small = {"error": "flicker cannot be measured: frames too small.", "restored_sha256": "0" * 64}
    cells = [make_cell(m, clip, value) for m, value in (("a", 25.0), ("b", 20.0)) for clip in ("clip0", "clip1")]
    cells += [make_cell(m, "clip0", 1.0, "flicker") for m in ("a", "b")]
    cells += [make_cell(m, "clip1", None, "flicker", **small) for m in ("a", "b")]
    failed = [make_cell("c", "clip1", None, metric, error="c gave 5 frames for 6") for metric in ("psnr", "flicker")]
    cells += [*failed, make_cell("c", "clip0", 22.0), make_cell("c", "clip0", 1.0, "flicker")]
    (board,) = boards(cells)
    assert {row.model.name: row.complete for row in board.rows} == {"a": True, "b": True, "c": False}
    assert all((row.rank is not None) == (row.model.name != "c") for row in board.rows)
    assert any(note.startswith("flicker is over 1 of 2 clips") for note in board.notes)


@pytest.mark.parametrize("who", ["identity", "b"])
def test_what_cannot_be_measured_for_doing_nothing_unranks_no_model_that_was_run_without_it(
    make_cell: Any, who: str
) -> None:
    """Some models were run with all metrics and some with one; the metric whose parameter file is missing is of none of them."""
    lacking = {"error": "The parameter file is not here.", "restored_sha256": "0" * 64}
    clips = [f"clip{i}" for i in range(3)]
    cells = [make_cell(m, clip, value) for m, value in (("a", 25.0), (who, 20.0)) for clip in clips]
    cells += [make_cell(who, clip, None, "lpips", **lacking) for clip in clips]
    (board,) = boards(cells)
    ranked = [row.model.name for row in board.rows if row.rank is not None]
    if who == "identity":
        assert ranked == ["a", "identity"]
        assert [m.name for m in board.metrics] == ["psnr"]
        assert "lpips was not measured: The parameter file is not here." in board.notes
    else:  # of another model nobody knows whether it is to blame
        assert ranked == []
        assert [m.name for m in board.metrics] == ["psnr", "lpips"]
