"""Worst moments: found, apart, and with time codes that a player shows."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from leaderboards.moments import timecode, worst_moments
from leaderboards.results import ClipInfo, DatasetInfo
from leaderboards.schema import Cell, ProtocolFacts
from leaderboards.table import Board, boards

MakeCell = Callable[..., Cell]


def info(fps: float) -> DatasetInfo:
    return DatasetInfo("d", True, "d", clips={c: ClipInfo(c, 100, 10, 10, 3, fps) for c in ("a", "b")})


def board_of(
    make_cell: MakeCell, frames: dict[str, dict[str, list[float]]], metric: str = "psnr", skip: int = 0
) -> Board:
    cells = [
        make_cell(model, clip, 1.0, metric, frames=values)
        for model, clips in frames.items()
        for clip, values in clips.items()
    ]
    facts = ProtocolFacts(label="default@1", title="", description="", source="", metrics=(metric,), skip_first=skip)
    (board,) = boards(cells, {"default@1": facts})
    return board


@pytest.mark.parametrize(
    ("frame", "fps", "code"),
    [
        (0, 24.0, "00:00:00:00"),
        (23, 24.0, "00:00:00:23"),
        (24, 24.0, "00:00:01:00"),
        (90_000, 25.0, "01:00:00:00"),
        (59, 60.0, "00:00:00:59"),
        # 1001 / 24000 s per frame; 1800 frames at 29.97 take 60.06 s.
        (1, 24000 / 1001, "00:00:00.041"),
        (1800, 30000 / 1001, "00:01:00.060"),
        (25, 12.5, "00:00:02.000"),
    ],
)
def test_time_codes(frame: int, fps: float, code: str) -> None:
    assert timecode(frame, fps) == code


@pytest.mark.parametrize(("frame", "fps"), [(-1, 25.0), (3, 0.0), (3, math.nan), (3, math.inf)])
def test_time_codes_of_nothing(frame: int, fps: float) -> None:
    with pytest.raises(ValueError, match="A time code is of a frame"):
        timecode(frame, fps)


def test_worst_by_gain_and_by_value_are_not_from_the_same_second(make_cell: MakeCell) -> None:
    base = [30.0] * 60
    own = [31.0] * 60
    own[10], own[11], own[50] = 25.0, 24.0, 27.0  # 10 and 11 are the same second at 25 fps
    other = [31.0] * 60
    other[11] = 26.0  # another clip's second is another one
    base[40] = own[40] = 20.0  # hard for everyone
    board = board_of(make_cell, {"identity": {"a": base, "b": [30.0] * 60}, "m": {"a": own, "b": other}})
    found = worst_moments(board, "m", info=info(25.0))
    assert [(m.clip, m.frame, m.timecode, m.gain) for m in found] == [
        ("a", 11, "00:00:00:11", -6.0),
        ("b", 11, "00:00:00:11", -4.0),
        ("a", 50, "00:00:02:00", -3.0),
    ]
    value = worst_moments(board, "m", by="value", info=info(25.0), count=2)
    assert [(m.clip, m.frame, m.value, m.identity) for m in value] == [("a", 40, 20.0, 20.0), ("a", 11, 24.0, 30.0)]


def test_frames_that_are_not_measured_count_and_unknown_rates_have_no_code(make_cell: MakeCell) -> None:
    board = board_of(make_cell, {"identity": {"a": [30.0, 30.0]}, "m": {"a": [31.0, 29.0]}}, skip=5)
    (moment,) = worst_moments(board, "m", count=3)
    assert (moment.frame, moment.timecode, moment.gain) == (6, None, -1.0)
    assert worst_moments(board, "m", info=info(1.0), count=1)[0].timecode == "00:00:06:00"


def test_lower_is_better_and_ratios_are_best_at_one(make_cell: MakeCell) -> None:
    board = board_of(make_cell, {"identity": {"a": [0.1, 0.1]}, "m": {"a": [0.1, 0.3]}}, "warp_error")
    assert worst_moments(board, "m")[0].frame == 1
    ratio = board_of(make_cell, {"identity": {"a": [1.0, 1.0]}, "m": {"a": [2.0, 0.25]}}, "warp_error_ratio")
    assert worst_moments(ratio, "m", by="value")[0].value == 0.25
    flicker = board_of(make_cell, {"identity": {"a": [0.0, 0.0]}, "m": {"a": [1.0, -3.0]}}, "flicker")
    assert worst_moments(flicker, "m", by="value")[0].value == -3.0


def test_pairs_with_the_first_frame_are_told_of_the_other(make_cell: MakeCell) -> None:
    cells = [make_cell("m", "a", 0.2, "warp_error_long", frames=[0.1, 0.3], options={"pairs": "first"})]
    (board,) = boards(cells)
    assert worst_moments(board, "m", by="value")[0].frame == 2


def test_of_three_frames_the_middle_one_is_told(make_cell: MakeCell) -> None:
    """A flash in frame 2: its second difference is the second one."""
    cells = [make_cell("m", "a", 0.2, "flicker", frames=[40.0, -80.0, 40.0], options={"form": "second"})]
    (board,) = boards(cells)
    assert worst_moments(board, "m", by="value")[0].frame == 2


def test_missing_and_infinite_frames(make_cell: MakeCell) -> None:
    base = {"a": [math.inf, 30.0, math.nan, 30.0]}
    board = board_of(make_cell, {"identity": base, "m": {"a": [math.inf, math.nan, 29.0, math.inf]}})
    found = worst_moments(board, "m", info=info(1.0))
    assert [(m.frame, m.gain) for m in found] == [(0, 0.0), (3, math.inf)]


def test_no_identity_no_gain(make_cell: MakeCell) -> None:
    board = board_of(make_cell, {"m": {"a": [31.0, 29.0]}})
    assert worst_moments(board, "m") == []
    assert worst_moments(board, "m", by="value")[0].frame == 1
    with_identity = board_of(make_cell, {"identity": {"a": [31.0, 29.0]}})
    assert worst_moments(with_identity, "identity") == []
    assert worst_moments(with_identity, "identity", by="value")[0].frame == 1


def test_wrong_names(make_cell: MakeCell) -> None:
    board = board_of(make_cell, {"m": {"a": [31.0]}})
    with pytest.raises(ValueError, match="has no metric 'ssim'; it has psnr"):
        worst_moments(board, "m", "ssim")
    with pytest.raises(ValueError, match="has no model 'n'; it has m"):
        worst_moments(board, "n")
    with pytest.raises(ValueError, match="it was 0"):
        worst_moments(board, "m", count=0)
