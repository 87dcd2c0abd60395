"""Scratches: lines that last over many frames, and streaks that are in one frame only ("rain")."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from degradations.film.measure.luma import Float, Region, robust_std

BOX = 15
"""Columns of the box whose mean is subtracted along the rows; it makes side lobes of a twelfth of a line's depth."""
BAND = 96
"""Rows over which the profile of lasting lines is taken: a line that leans by half a pixel in it is still sharp."""
BEYOND = 4.0
"""Robust standard deviations of the profile beyond which an extremum is a line."""
SHALLOWEST = 1.0
"""Levels; on a clip without any noise there is always something beyond 4 of its standard deviations."""
REACH = 2.0
"""Pixels per frame within which a line is taken to be the same."""
GAP = 2
"""Frames in which it may be missed."""
LASTING = 8
"""Frames that it must live to count as a scratch."""
WINDOW = (24, 150)
"""Rows and columns of the windows that streaks are counted in."""
SHALLOWEST_STREAK = 3.5
"""Levels."""
STREAK_BEYOND = 3.5
"""Robust standard deviations: on film with strong grain, 3.5 levels are none."""
PIECE = 10
LEAN = 0.012
"""Pixels per row by which a scratch may lean."""


class Line(NamedTuple):
    """An extremum of a profile: column (with fraction), signed depth in levels, full width at half depth."""

    x: float
    depth: float
    width: float


def high_pass(picture: Float) -> Float:
    """Minus the mean over 15 columns."""
    return np.asarray(picture - cv2.blur(picture, (BOX, 1), borderType=cv2.BORDER_REFLECT_101))


def lines_in(profile: Float, beyond: float = BEYOND, least: float = 0.0) -> list[Line]:
    """Extrema of a profile beyond so many of its robust standard deviations and ``least`` levels, left to right."""
    limit = max(beyond * robust_std(profile), least)
    size = np.abs(profile)
    inner = size[1:-1]
    peaks = np.flatnonzero((inner > limit) & (inner >= size[:-2]) & (inner > size[2:])) + 1
    found: list[Line] = []
    # From the deepest on, so that what the high-pass puts beside a line is known when its neighbours are judged.
    for i in peaks[np.argsort(-size[peaks], kind="stable")]:
        sign = float(np.sign(profile[i]))
        line = _shape(profile * sign, int(i), sign)
        if all(_apart(line, deeper, limit) for deeper in found):
            found.append(line)
    return sorted(found)


def _apart(line: Line, deeper: Line, limit: float) -> bool:
    """Whether a line is one of its own: not the shoulder of a deeper one, and no side lobe of it."""
    away = abs(line.x - deeper.x)
    if line.depth * deeper.depth > 0:
        return away > max(3.0, deeper.width)
    if away > BOX / 2 + deeper.width:
        return True
    # A line of Gaussian profile loses this share of its depth to the mean over the box, which its sides show.
    share = min(1.064 * deeper.width / BOX, 0.5)
    lobe = abs(deeper.depth) * share / (1 - share)
    return abs(line.depth) > lobe + limit


def _shape(height: Float, i: int, sign: float) -> Line:
    left, middle, right = (float(v) for v in height[i - 1 : i + 2])
    bend = left - 2 * middle + right
    x = i + (0.5 * (left - right) / bend if bend < 0 else 0.0)
    half = middle / 2
    ends = []
    for step in (-1, 1):
        j = i
        while 0 <= j + step < len(height) and height[j + step] > half:
            j += step
        k = j + step
        if 0 <= k < len(height):
            ends.append(abs(j - i) + float((height[j] - half) / max(float(height[j] - height[k]), 1e-6)))
        else:
            ends.append(abs(j - i) + 0.5)
    return Line(x, sign * middle, sum(ends))


@dataclass
class Track:
    """A line followed through frames, in one band of rows."""

    band: int
    seen: dict[int, Line] = field(default_factory=dict)

    @property
    def first(self) -> int:
        return min(self.seen)

    @property
    def last(self) -> int:
        return max(self.seen)

    @property
    def dark(self) -> bool:
        return next(iter(self.seen.values())).depth < 0


@dataclass
class Scratch:
    """The tracks, in several bands, that are one scratch."""

    tracks: list[Track]
    pieces: list[float]
    """Of each frame: the share of its pieces of 10 rows that are deeper than half the frame's median."""

    @property
    def life(self) -> int:
        """Frames from the first to the last in which it was seen."""
        return max(t.last for t in self.tracks) - min(t.first for t in self.tracks) + 1

    @property
    def lines(self) -> list[Line]:
        """All that was seen of it."""
        return [line for track in self.tracks for line in track.seen.values()]

    @property
    def dark(self) -> bool:
        return self.tracks[0].dark

    @property
    def steps(self) -> list[float]:
        """Sideways, from each frame to the next."""
        return [
            track.seen[t + 1].x - line.x
            for track in self.tracks
            for t, line in track.seen.items()
            if t + 1 in track.seen
        ]


class ScratchFinder:
    """Follows lines through frames that are given in order."""

    def __init__(self, where: Region) -> None:
        count = max(1, round(where.shape[0] / BAND))
        edges = np.linspace(0, where.shape[0], count + 1).astype(int)
        self.bands = list(pairwise(edges))
        self._open: list[Track] = []
        self._done: list[Track] = []
        self._pieces: dict[tuple[int, int, float], Float] = {}

    def add(self, picture: Float, t: int) -> None:
        """The lines of frame ``t``: luma, or what is left of it without the scene."""
        passed = high_pass(picture)
        for number, (top, bottom) in enumerate(self.bands):
            rows = passed[top:bottom]
            found = lines_in(np.median(rows, axis=0), BEYOND, SHALLOWEST)
            for line in found:
                self._pieces[t, number, line.x] = _pieces(rows, line)
            self._link(found, t, number)
        closed = [track for track in self._open if t - track.last > GAP]
        self._open = [track for track in self._open if t - track.last <= GAP]
        self._done += [track for track in closed if _lasts(track)]

    def _link(self, found: list[Line], t: int, band: int) -> None:
        candidates = []
        for track in self._open:
            if track.band != band:
                continue
            last = track.seen[track.last]
            reach = REACH * (t - track.last)
            for i, line in enumerate(found):
                if np.sign(line.depth) == np.sign(last.depth) and abs(line.x - last.x) < reach:
                    candidates.append((abs(line.x - last.x), i, track))
        taken: set[int] = set()
        for _, i, track in sorted(candidates, key=lambda c: c[0]):
            if i not in taken and t not in track.seen:
                track.seen[t] = found[i]
                taken.add(i)
        self._open += [Track(band, {t: line}) for i, line in enumerate(found) if i not in taken]

    def scratches(self) -> list[Scratch]:
        """What lasted at least 8 frames, bands put together; call it when all frames are in."""
        tracks = self._done + [track for track in self._open if _lasts(track)]
        tracks.sort(key=lambda one: (one.band, one.first))
        home = list(range(len(tracks)))
        for i, one in enumerate(tracks):
            for j in range(i):
                if home[i] != home[j] and _one_line(tracks[j], one):
                    old, new = home[i], home[j]
                    home = [new if h == old else h for h in home]
        groups = [[track for track, h in zip(tracks, home, strict=True) if h == name] for name in dict.fromkeys(home)]
        return [Scratch(group, self._shares(group)) for group in groups]

    def _shares(self, group: list[Track]) -> list[float]:
        depths: dict[int, list[Float]] = defaultdict(list)
        for track in group:
            for t, line in track.seen.items():
                depths[t].append(self._pieces[t, track.band, line.x])
        shares = []
        for parts in depths.values():
            pieces = np.concatenate(parts)
            if len(pieces) >= 4:
                shares.append(float((pieces > np.median(pieces) / 2).mean()))
        return shares


def _pieces(rows: Float, line: Line) -> Float:
    column = int(np.clip(round(line.x), 1, rows.shape[1] - 2))
    depth = np.sign(line.depth) * rows[:, column - 1 : column + 2].mean(axis=1)
    whole = len(depth) // PIECE * PIECE
    return np.asarray(np.median(depth[:whole].reshape(-1, PIECE), axis=1), dtype=np.float32)


def _lasts(track: Track) -> bool:
    life = track.last - track.first + 1
    return life >= LASTING and len(track.seen) >= 0.5 * life


def _one_line(a: Track, b: Track) -> bool:
    """Whether two tracks are parts of one scratch: above each other at the same time, or one soon after the other."""
    if a.dark != b.dark:
        return False
    if a.band == b.band:
        early, late = sorted((a, b), key=lambda track: track.first)
        pause = late.first - early.last
        return 0 < pause <= 2 * (GAP + 1) and abs(late.seen[late.first].x - early.seen[early.last].x) < 2 * REACH
    both = a.seen.keys() & b.seen.keys()
    if len(both) < 0.4 * min(len(a.seen), len(b.seen)):
        return False
    apart = float(np.median([abs(a.seen[t].x - b.seen[t].x) for t in both]))
    return apart < 1.5 + LEAN * BAND * abs(a.band - b.band)


class StreakFinder:
    """Counts streaks that are in one frame and not at the same place in its neighbours, in windows of 24 rows."""

    def __init__(self) -> None:
        self._frames: deque[list[list[Line]]] = deque(maxlen=3)
        self._windows = 0.0
        self._count = 0

    def add(self, picture: Float) -> None:
        """The next frame: luma, or what is left of it without the scene."""
        passed = high_pass(picture)
        rows, columns = WINDOW
        tops = range(0, len(passed) - rows + 1, rows)
        found = [
            lines_in(np.median(passed[top : top + rows], axis=0), STREAK_BEYOND, SHALLOWEST_STREAK) for top in tops
        ]
        self._frames.append(found)
        if len(self._frames) == 3:
            before, now, after = self._frames
            self._windows += len(tops) * picture.shape[1] / columns
            for here, *near in zip(now, before, after, strict=True):
                self._count += sum(not any(_same(line, other) for part in near for other in part) for line in here)

    @property
    def per_window(self) -> float:
        """Mean number per frame and window of 24 rows and 150 columns."""
        return self._count / self._windows if self._windows else float("nan")


def _same(a: Line, b: Line) -> bool:
    return a.depth * b.depth > 0 and abs(a.x - b.x) < REACH
