"""The worst moments of a restoration: frames to look at, with their time codes."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal, TypeAlias

from leaderboards.board import BASELINE, Board
from leaderboards.results import DatasetInfo
from leaderboards.schema import MetricFacts

By: TypeAlias = Literal["gain", "value"]
COUNT = 3
APART = 1.0
"""Seconds: of moments that are nearer to each other, the worst alone is told."""
UNKNOWN_FPS = 25.0
"""Frames that are taken for a second where the frame rate is not known; there is no time code then."""
OF_PAIRS = ("warp_error", "warp_error_ratio", "l_st", "tof", "tlp")
"""Metrics of two neighbouring frames: a figure is told of the first of them."""


@dataclass(frozen=True)
class Moment:
    """One frame of one clip that a model did badly on."""

    clip: str
    frame: int
    """Counted from 0 at the start of the clip; of a pair, its first."""
    timecode: str | None
    """See :func:`timecode`; None where the frame rate is not known."""
    value: float
    """The figure of this frame alone."""
    identity: float | None
    """That of the degraded frame."""
    gain: float | None
    """``value`` minus ``identity``, as it is."""
    by: By
    """What it is worst by."""


def timecode(frame: int, fps: float) -> str:
    """Where a frame is, counted from 0: HH:MM:SS:FF for whole frame rates, HH:MM:SS.mmm for others.

    At 23.976 or 29.97 frames per second a time code of frames runs apart from the clock (or leaves numbers out), and two
    players show two different ones; seconds are the same everywhere.

    Raises:
        ValueError: the frame is below 0, or the rate is no finite number above 0.

    Example:
        >>> timecode(1503, 25.0), timecode(1503, 24000 / 1001)
        ('00:01:00:03', '00:01:02.687')
    """
    if frame < 0 or not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"A time code is of a frame from 0 on and a rate above 0; these are {frame} and {fps:g}.")
    whole = round(fps)
    if math.isclose(fps, whole, abs_tol=1e-6) and whole > 0:
        seconds, rest = divmod(frame, whole)
        return f"{_clock(seconds)}:{rest:02d}"
    # Thousandths that are passed, so that a player that jumps there shows this frame or the one before, never a later one.
    thousandths = math.floor(frame * 1000 / fps + 1e-6)
    return f"{_clock(thousandths // 1000)}.{thousandths % 1000:03d}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def worst_moments(
    board: Board,
    model: str,
    metric: str | None = None,
    by: By = "gain",
    info: DatasetInfo | None = None,
    count: int = COUNT,
) -> list[Moment]:
    """The frames of a board on which a model is worst, the worst first, no two of one clip within a second.

    Args:
        metric: the board's first by default.
        by: "gain" for the lowest gain over identity on the same frame (where the model did harm, or helped least), "value" for
            the worst figure itself (which is often where the clip is hard for everyone).
        info: of the data set, for frame rates.
        count: so many at most.

    Returns:
        An empty list where there are no figures of frames, or (by gain) no identity.

    Raises:
        ValueError: the board has no such metric or model, or ``count`` is below 1.
    """
    facts = board.primary if metric is None else board.metric(metric)
    if facts is None or board.row(model) is None:
        what = f"metric {metric!r}" if facts is None else f"model {model!r}"
        there = [m.name for m in board.metrics] if facts is None else [row.model.name for row in board.rows]
        raise ValueError(f"The board of {board.dataset} has no {what}; it has {', '.join(there)}.")
    if count < 1:
        raise ValueError(f"The number of moments is 1 or more; it was {count}.")
    return _worst(_frames(board), board, model, facts, by, info, count)


Frames = dict[tuple[str, str], dict[str, list[float]]]
"""Figures of frames, by model and metric, and clip."""


def _frames(board: Board) -> Frames:
    out: Frames = defaultdict(dict)
    for cell in board.cells:
        if cell.status == "ok":
            out[cell.model, cell.metric.name][cell.clip] = cell.frames
    return out


def _worst(
    frames: Frames, board: Board, model: str, facts: MetricFacts, by: By, info: DatasetInfo | None, count: int
) -> list[Moment]:
    own = frames.get((model, facts.name), {})
    base = frames.get((BASELINE, facts.name), {})
    if by == "gain" and model == BASELINE:
        return []
    found = []
    for clip, values in own.items():
        others = base.get(clip)
        if others is not None and len(others) != len(values):
            others = None
        for i, value in enumerate(values):
            identity = None if others is None or math.isnan(others[i]) else others[i]
            if math.isnan(value) or (by == "gain" and identity is None):
                continue
            gain = None if identity is None else 0.0 if value == identity else value - identity
            fps = info.fps(clip) if info is not None else None
            frame = i + board.skip_first
            code = None if fps is None else timecode(frame, fps)
            found.append((_badness(facts, value, identity, by), Moment(clip, frame, code, value, identity, gain, by)))
    found.sort(key=lambda item: (-item[0], item[1].clip, item[1].frame))
    return _spread([moment for _, moment in found], info, count)


def _badness(metric: MetricFacts, value: float, identity: float | None, by: By) -> float:
    own = _cost(metric, value)
    if by == "value" or identity is None:
        return own
    theirs = _cost(metric, identity)
    return 0.0 if own == theirs else own - theirs


def _cost(metric: MetricFacts, value: float) -> float:
    """The figure so that more is worse."""
    if metric.name.split("[", maxsplit=1)[0] == "warp_error_ratio" and value > 0:
        # A frame's ratio is best at 1, from both sides: only the clip's figure is turned to be above.
        return max(value, 1 / value)
    return -value if metric.direction == "higher" else value


def _spread(moments: list[Moment], info: DatasetInfo | None, count: int) -> list[Moment]:
    kept: list[Moment] = []
    for moment in moments:
        fps = (info.fps(moment.clip) if info is not None else None) or UNKNOWN_FPS
        if all(k.clip != moment.clip or abs(k.frame - moment.frame) >= APART * fps for k in kept):
            kept.append(moment)
            if len(kept) == count:
                break
    return kept


def all_moments(
    board: Board, info: DatasetInfo | None = None, count: int = COUNT
) -> dict[tuple[str, str], list[Moment]]:
    """Worst moments by gain (and, for identity or where there is none, by figure) of every model and metric of a board."""
    frames = _frames(board)
    out = {}
    for row in board.rows:
        for metric in board.metrics:
            arguments = (frames, board, row.model.name, metric)
            found = _worst(*arguments, "gain", info, count)
            out[row.model.name, metric.name] = found or _worst(*arguments, "value", info, count)
    return out
