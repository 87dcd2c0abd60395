"""Boards: averages over frames, harm by clip, neighbours, the order that a protocol asks for, what was measured twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leaderboards.paired import holm, sign_flip
from leaderboards.schema import Cell, Cost, ProtocolFacts
from leaderboards.stats import mean_intervals
from leaderboards.table import AVERAGE, Board, boards

MakeCell = Callable[..., Cell]
MakeTable = Callable[..., list[Cell]]


def protocol(**rest: Any) -> ProtocolFacts:
    facts: dict[str, Any] = {
        "label": "default@1",
        "title": "t",
        "description": "d",
        "source": "s",
        "metrics": ("psnr",),
    }
    return ProtocolFacts(**{**facts, **rest})


def only(cells: list[Cell], facts: ProtocolFacts | None = None) -> Board:
    (board,) = boards(cells, {} if facts is None else {facts.label: facts})
    return board


# --- averages -------------------------------------------------------------------------------------


def frames_of(make_cell: MakeCell, model: str, by_clip: dict[str, list[float]], metric: str = "psnr") -> list[Cell]:
    return [
        make_cell(model, clip, float(np.nanmean(frames)), metric, frames=frames) for clip, frames in by_clip.items()
    ]


def test_an_average_over_frames_is_the_mean_of_all_frames_of_all_clips(make_cell: MakeCell) -> None:
    generator = np.random.default_rng(0)
    lengths = {"a": 7, "b": 31, "c": 12, "d": 100, "e": 55}
    own = {clip: generator.normal(30, 2, n).tolist() for clip, n in lengths.items()}
    base = {clip: generator.normal(28, 2, n).tolist() for clip, n in lengths.items()}
    # A frame without a figure is none.
    for frames in (own, base):
        frames["d"][3] = math.nan
    cells = frames_of(make_cell, "m", own) + frames_of(make_cell, "identity", base)
    board = only(cells, protocol(average="frames"))
    pooled = np.concatenate([own[c] for c in lengths])
    degraded = np.concatenate([base[c] for c in lengths])
    entry = board.rows[0].entries["psnr"]
    assert board.average == "frames"
    assert entry.mean == pytest.approx(np.nanmean(pooled), rel=1e-12)
    assert entry.gain == pytest.approx(np.nanmean(pooled) - np.nanmean(degraded), rel=1e-9)
    assert entry.weights == {**lengths, "d": 99}
    clips = only(cells)
    assert clips.average == "clips"
    assert clips.rows[0].entries["psnr"].mean == pytest.approx(np.mean([np.nanmean(f) for f in own.values()]))
    assert board.notes[-1] == AVERAGE["frames"]
    assert clips.notes[-1] == AVERAGE["clips"]


def test_its_intervals_and_ranks_know_the_weights(make_cell: MakeCell) -> None:
    """Against the functions of the statistics, with the numbers of frames as weights."""
    generator = np.random.default_rng(1)
    lengths = [20, 40, 10, 80, 30, 50]
    means = {"identity": generator.normal(25, 1, 6), "a": generator.normal(31, 1, 6), "b": generator.normal(31, 1, 6)}
    cells = [
        make_cell(model, f"c{i}", float(x), frames=[float(x)] * lengths[i])
        for model, row in means.items()
        for i, x in enumerate(row)
    ]
    board = only(cells, protocol(average="frames"))
    expected = mean_intervals(np.stack([means["a"], means["a"] - means["identity"]]), weights=lengths)
    a = board.row("a")
    assert a is not None
    for found, wanted in zip((a.entries["psnr"].interval, a.entries["psnr"].gain_interval), expected, strict=True):
        assert found is not None
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9)
        assert found.method == wanted.method
    shares = np.array(lengths) / sum(lengths)
    first, second = board.rows[0].model.name, board.rows[1].model.name
    assert float(means[first] @ shares) > float(means[second] @ shares)
    next_ = board.rows[0].against_next
    assert next_ is not None
    assert next_.difference == pytest.approx(float((means[first] - means[second]) @ shares))
    assert next_.p == sign_flip([(means[first] - means[second]) * shares])[0]


def test_equal_lengths_give_the_same_board_under_both_averages(make_table: MakeTable) -> None:
    cells = make_table({"identity": [20, 22, 21, 25, 23, 24], "a": [25, 27, 24, 29, 26, 28]})
    over_frames, over_clips = only(cells, protocol(average="frames")), only(cells)
    assert [r.entries for r in over_frames.rows] == [r.entries for r in over_clips.rows]
    assert [r.rank for r in over_frames.rows] == [r.rank for r in over_clips.rows]


def test_what_is_no_mean_of_frames_is_said(make_cell: MakeCell) -> None:
    cells = [make_cell("m", c, 5.0, "l_st", frames=[2.0, 3.0]) for c in "ab"]
    board = only(cells, protocol(average="frames", metrics=("l_st",)))
    assert any(note.startswith("A clip's figure of l_st is no mean over its frames") for note in board.notes)
    whole = only([make_cell("m", c, 5.0, "x", frames=[]) for c in "ab"], protocol(average="frames", metrics=("x",)))
    assert whole.rows[0].entries["x"].mean == 5.0
    assert any("x has no figures of single frames" in note for note in whole.notes)


def test_why_a_figure_is_infinite(make_cell: MakeCell) -> None:
    """A black ground truth (a leader) is equal to any result, once its brightness is matched: no praise of the result."""
    for metric, words in (
        ("psnr", "(frames equal to the ground truth)"),
        (
            "psnr_aligned",
            "(frames equal to the ground truth once brightness is matched, as every frame is to a black one)",
        ),
        ("warp_error_ratio", "(one of the two, result and ground truth, has none of what is measured)"),
    ):
        (board,) = boards([make_cell("a", "c0", math.inf, metric), make_cell("a", "c1", 2.0, metric)])
        assert any(f"{metric} of a is infinite on at least one clip {words}" in note for note in board.notes)


def test_frames_of_a_board_are_those_of_the_metric_that_has_most(make_cell: MakeCell) -> None:
    """Ranked by a metric of pairs of neighbours, a clip of three frames still has three."""
    cells = [make_cell("a", clip, 0.1, "warp_error", frames=[0.1, 0.1]) for clip in ("c0", "c1")]
    cells += [make_cell("a", "c0", 9.0, "colour_shift", frames=[9.0, 9.0, 9.0])]
    (board,) = boards(cells)
    assert (board.primary.name, board.frames) == ("warp_error", 5)


def test_infinite_figures_of_frames(make_cell: MakeCell) -> None:
    cells = [make_cell("a", f"c{i}", v, frames=[v] * (i + 1)) for i, v in enumerate([math.inf, 30.0, 31.0])]
    cells += [make_cell("identity", f"c{i}", 20.0, frames=[20.0] * (i + 1)) for i in range(3)]
    entry = only(cells, protocol(average="frames")).rows[0].entries["psnr"]
    assert (entry.mean, entry.gain) == (math.inf, math.inf)
    assert entry.interval is not None
    assert entry.interval.low is None


# --- order, departures ------------------------------------------------------------------------------


def test_columns_stand_as_the_protocol_has_them_and_rows_by_the_first_that_is_there(make_table: MakeTable) -> None:
    cells = make_table({"identity": [20, 21], "a": [25, 26]})
    cells += make_table({"identity": [0.9, 0.8], "a": [0.7, 0.6]}, "ssim")
    cells += make_table({"identity": [1, 1], "a": [2, 2]}, "zeta")
    usual = only(cells)
    assert [m.name for m in usual.metrics] == ["psnr", "ssim", "zeta"]
    board = only(cells, protocol(metrics=("zeta", "ssim", "psnr"), departures={"d": ("Other clips.",)}, skip_first=2))
    assert [m.name for m in board.metrics] == ["zeta", "ssim", "psnr"]
    assert board.rows[0].model.name == "a"
    assert (board.departures, board.skip_first) == (("Other clips.",), 2)
    ranked = only(cells, protocol(metrics=("vmaf", "ssim")))
    assert [m.name for m in ranked.metrics] == ["ssim", "psnr", "zeta"]
    assert ranked.rows[0].model.name == "identity"
    assert "The protocol ranks by vmaf, which is not there: rows are ranked by ssim." in ranked.notes


# --- harm, neighbours, cost -------------------------------------------------------------------------


def test_harm_is_told_by_clip(make_table: MakeTable) -> None:
    cells = make_table({"identity": [20, 21, 22, 23, 24], "a": [25, 20, 27, 22.5, 29], "b": [19, 19, 20, 22, 22]})
    board = only(cells)
    a, b = (board.row(name).entries["psnr"] for name in ("a", "b"))  # type: ignore[union-attr]
    assert (a.clips_worse, a.share_worse, a.harm, a.harm_sure) == (2, 0.4, False, False)
    assert a.worst_clip is not None
    assert (a.worst_clip.clip, a.worst_clip.value, a.worst_clip.gain) == ("clip1", 20, -1)
    assert (b.clips_worse, b.harm, b.harm_sure) == (5, True, True)
    identity = board.row("identity")
    assert identity is not None
    assert identity.entries["psnr"].clips_worse is None
    lower = only(make_table({"identity": [0.2, 0.3], "a": [0.1, 0.4]}, "warp_error")).row("a")
    assert lower is not None
    assert lower.entries["warp_error"].worst_clip is not None
    assert lower.entries["warp_error"].worst_clip.clip == "clip1"
    assert lower.entries["warp_error"].clips_worse == 1


def test_neighbours_have_their_test_corrected(make_table: MakeTable) -> None:
    generator = np.random.default_rng(3)
    values = {
        name: (base + generator.normal(0, 0.3, 8)).tolist() for name, base in zip("abc", (30, 29, 20), strict=True)
    }
    board = only(make_table(values))
    rows = {row.model.name: row.against_next for row in board.rows}
    assert rows["c"] is None
    first, second = rows["a"], rows["b"]
    assert first is not None
    assert second is not None
    assert (first.model, second.model) == ("b", "c")
    differences = [np.subtract(values["a"], values["b"]), np.subtract(values["b"], values["c"])]
    p = sign_flip(differences)
    assert [first.p, second.p] == p.tolist()
    assert [first.p_holm, second.p_holm] == holm(p).tolist()
    assert second.apart
    assert not any(note.startswith("Tests between neighbours") for note in board.notes)
    few = only(make_table({name: row[:6] for name, row in values.items()}))
    assert few.rows[0].against_next is not None
    assert not few.rows[0].against_next.apart
    assert (
        "Tests between neighbours cannot find a difference here: with 6 clips p is 0.031 or more, and 0.062 or more after Holm's "
        "correction for 2 pairs." in few.notes
    )
    holes = only(make_table({"a": [30, None], "b": [29, 28]}))
    assert [row.against_next for row in holes.rows] == [None, None]


def test_coverage_counts_figures(make_table: MakeTable) -> None:
    cells = make_table({"identity": [20, 21, 22], "a": [25, None, 27]})
    cells += make_table({"identity": [0.8, 0.8, 0.8], "a": [0.9, 0.9, 0.9]}, "ssim")
    board = only(cells)
    assert (board.coverage("a"), board.coverage("identity"), board.coverage("b")) == ((5, 6), (6, 6), (0, 6))


def test_a_model_with_fewer_frames_weighs_clips_as_the_others_do(make_cell: MakeCell) -> None:
    """The clip's figure is over its own frames, the clip's weight is that of the longest."""
    cells = [make_cell("a", "x", 30.0, frames=[30.0] * 4), make_cell("a", "y", 20.0, frames=[20.0] * 4)]
    cells += [make_cell("b", "x", 30.0, frames=[30.0, math.nan, 30.0, math.nan])]
    cells += [make_cell("b", "y", 20.0, frames=[20.0] * 4)]
    board = only(cells, protocol(average="frames"))
    assert [row.entries["psnr"].mean for row in board.rows] == [25.0, 25.0]
    assert board.rows[1].entries["psnr"].weights == {"x": 4, "y": 4}
    assert [row.place for row in board.rows] == [1, 1]


def test_cost_of_a_row(make_cell: MakeCell) -> None:
    cells = [
        make_cell(
            "m", c, 30.0, metric, cost=Cost(frames=4, seconds=s, threads=2, device="cpu", memory_bytes=int(s * 100))
        )
        for c, s in (("a", 2.0), ("b", 4.0), ("c", 6.0))
        for metric in ("psnr", "ssim")
    ]
    row = only(cells).rows[0]
    assert (row.seconds_per_frame, row.frames_per_second, row.memory_bytes, row.threads) == (1.0, 1.0, 600, "2")
    assert (row.parameters, row.multiply_adds, row.tile) == (None, None, None)
    counted = [
        make_cell(
            "m", c, 30.0, cost=Cost(frames=n, seconds=1.0, threads=1, device="cpu", multiply_adds=adds, tile=tile)
        )
        for c, n, adds, tile in (("a", 10, 1000, None), ("b", 30, 2000, "256x256"))
    ]
    row = only(counted).rows[0]
    assert (row.multiply_adds, row.tile) == (1750.0, "256x256")
    assert only([*counted, make_cell("m", "c", 30.0)]).rows[0].multiply_adds is None


def test_what_it_cost_has_columns(make_cell: MakeCell) -> None:
    """Steps of training, tiles, and how far fewer bits are from fp32, beside seconds and memory."""
    from leaderboards.export.columns import values
    from leaderboards.schema import PrecisionDifference

    apart = PrecisionDifference(clip="a", frames=4, psnr=60.0, levels=0.7)
    cost = Cost(frames=4, seconds=2.0, threads=1, device="cpu", iterations=12, tile="128x128", fp32_difference=apart)
    board = only([make_cell("m", "a", 30.0, cost=cost), make_cell("n", "a", 30.0)])
    found = {row.model.name: values(board, row) for row in board.rows}
    assert [found["m"][name] for name in ("iterations", "tile", "fp32_psnr")] == [12.0, "128x128", 60.0]
    assert [found["n"][name] for name in ("iterations", "tile", "fp32_psnr")] == [None, None, None]


# --- twice ------------------------------------------------------------------------------------------


def test_the_same_cell_twice_counts_once_and_another_figure_stands_apart(make_table: MakeTable) -> None:
    cells = make_table({"identity": [20, 21], "a": [25, 26]})
    assert only(cells + cells) == only(cells)
    other = make_table({"a": [25.1, 26.1]}, device="cuda:0", fingerprint="g")
    first, second = boards(cells + other)
    assert [row.entries["psnr"].mean for row in first.rows] == [25.5, 20.5]
    assert second.reason == "a was measured twice, and these are the second figures"
    assert second.rows[0].entries["psnr"].mean == pytest.approx(25.6)
    assert second.rows[0].device == "cuda:0"


# --- speed of figures: one draw for all -------------------------------------------------------------


def test_intervals_of_a_board_are_those_of_each_sample_alone(make_table: MakeTable) -> None:
    generator = np.random.default_rng(4)
    values = {name: generator.normal(30, 1, 6).tolist() for name in ("identity", "a", "b")}
    board = only(make_table(values))
    for row in board.rows:
        interval = row.entries["psnr"].interval
        alone = mean_intervals([values[row.model.name]])[0]
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((alone.low, alone.high), rel=1e-12)
