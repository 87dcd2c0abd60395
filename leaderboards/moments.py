"""The worst moments of a restoration: frames to look at, with their time codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leaderboards.board import BASELINE, Board
from leaderboards.results import DatasetInfo
from leaderboards.schema import MetricFacts

By: TypeAlias = Literal["gain", "value"]
COUNT = 3
APART = 1.0
"""Seconds: of moments that are nearer to each other, the worst alone is told."""
UNKNOWN_FPS = 25.0
"""Frames that are taken for a second where the frame rate is not known; there is no time code then."""


@dataclass(frozen=True)
class Moment:
    """One frame of one clip that a model did badly on."""

    clip: str
    frame: int
    """Counted from 0 at the start of the clip; of a pair of neighbours the first, of three the middle one."""
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
    return _worst(board, model, facts, by, info, count)


def _frames(board: Board, model: str, metric: str) -> dict[str, NDArray[np.float64]]:
    """Figures of frames, by clip."""
    return {
        cell.clip: np.array(cell.frames, dtype=np.float64)
        for cell in board.cells
        if (cell.model, cell.metric.name) == (model, metric) and cell.status == "ok" and cell.frames
    }


def _worst(board: Board, model: str, facts: MetricFacts, by: By, info: DatasetInfo | None, count: int) -> list[Moment]:
    own = _frames(board, model, facts.name)
    base = _frames(board, BASELINE, facts.name)
    if not own or (by == "gain" and model == BASELINE):
        return []
    clips = sorted(own)
    values = [own[clip] for clip in clips]
    others = [base[c] if c in base and len(base[c]) == len(own[c]) else np.full(len(own[c]), np.nan) for c in clips]
    which = np.repeat(np.arange(len(clips)), [len(x) for x in values])
    places = np.concatenate([np.arange(len(x)) for x in values])
    value, other = np.concatenate(values), np.concatenate(others)
    bad = np.concatenate([badness(facts, x) for x in values])
    if by == "gain":
        theirs = np.concatenate([badness(facts, x) for x in others])
        with np.errstate(invalid="ignore"):
            bad = np.where(bad == theirs, 0.0, bad - theirs)
    known = np.flatnonzero(~np.isnan(bad))
    # The worst first, then by clip and frame.
    order = known[np.argsort(-bad[known], kind="stable")]
    # A frame against the first of the clip, or between its two neighbours: the first figure is of the second frame.
    later = facts.options.get("pairs") == "first" or (_base(facts), facts.options.get("form")) == ("flicker", "second")
    first = board.skip_first + later
    kept: list[Moment] = []
    for i in order.tolist():
        clip, frame = clips[which[i]], int(places[i]) + first
        fps = info.fps(clip) if info is not None else None
        if any(k.clip == clip and abs(k.frame - frame) < APART * (fps or UNKNOWN_FPS) for k in kept):
            continue
        identity = None if np.isnan(other[i]) else float(other[i])
        figure = float(value[i])
        gain = None if identity is None else 0.0 if figure == identity else figure - identity
        kept.append(Moment(clip, frame, None if fps is None else timecode(frame, fps), figure, identity, gain, by))
        if len(kept) == count:
            break
    return kept


def _base(metric: MetricFacts) -> str:
    return metric.name.split("[", maxsplit=1)[0]


def badness(metric: MetricFacts, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Figures of a clip's frames so that more is worse, whatever they are of.

    Example:
        >>> flicker = MetricFacts(
        ...     name="flicker", version=1, unit="levels", direction="lower", convention="", options={"form": "second"}
        ... )
        >>> badness(flicker, np.array([0.3, -0.7])).tolist()
        [0.3, 0.7]
    """
    base = _base(metric)
    if base == "flicker":
        # Brighter or darker: than its neighbours, or than the clip. Of no form is a large figure of a frame a good one.
        middle = values.mean() if metric.options.get("form") == "deviation" and len(values) else 0.0
        return np.abs(values - middle)
    if base == "warp_error_ratio":
        # A frame's ratio is best at 1, from both sides: only the clip's figure is turned to be above.
        with np.errstate(divide="ignore"):
            return np.maximum(values, 1 / values)
    return -values if metric.direction == "higher" else values
