"""What fits: how many clips get pictures, how many frames of each, and whether there are slices and videos."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leaderboards.schema import Cell
from reports.media.sources import ClipSources

STILLS_AT_MOST = 48
"""Frames of a clip shown without loss."""
LENGTH_AT_MOST = 240
"""Frames of a clip in slices and videos, from its first: ten seconds of film."""
LINES = 5
"""Rows, and columns, of which there is a slice."""
STILLS_WANTED = 3
"""Frames that a clip with pictures should have; rather than fewer, fewer clips get pictures."""
_THUMBS = 20_000
"""Bytes of the thumbnails of a clip, about."""
_VIDEO = 0.08
"""A frame of a preview takes about so much of a frame without loss."""


@dataclass(frozen=True)
class Plan:
    """How much is made."""

    stills: int
    """Frames of each clip."""
    clips: int
    """Clips of each data set that have pictures, the first ones; the others have figures only."""
    slices: bool
    video: bool
    thumbs: bool = True
    """Thumbnails of all clips, for the index."""

    def takes(self, place: int) -> bool:
        """Whether the clip of this place within its data set has pictures."""
        return self.stills > 0 and place < self.clips


def plan(clips: Sequence[ClipSources], budget: int) -> Plan:
    """The most that is likely to fit into ``budget`` bytes: all clips rather than many frames, slices rather than videos.

    Sizes are estimates from those of the stored frames; :func:`reports.media.export` measures, and leaves out what is
    too much after all.
    """
    shown = [c for c in clips if c.sources]
    budget -= len(shown) * _THUMBS
    longest = max((c.frames for c in shown), default=0)
    most = Counter(c.dataset for c in shown)
    counts = range(max(most.values(), default=0), 0, -1)
    for slices, video in ((True, True), (True, False), (False, False)):
        wanted = min(STILLS_WANTED, longest)
        for count in counts:
            if count < max(counts) and not (slices and video) and count > 1:
                continue  # rather fewer clips than none of what shows motion; but one clip has to fit
            stills = _stills(shown, budget, count, slices, video)
            if stills >= wanted > 0:
                return Plan(min(stills, longest), count, slices, video)
    fits = bool(shown) and _stills(shown, budget, 1, False, False) > 0
    return Plan(int(fits), 1, False, False, thumbs=bool(shown) and budget > 0)


def _stills(clips: Sequence[ClipSources], budget: int, count: int, slices: bool, video: bool) -> int:
    """How many frames of ``count`` clips of each data set fit beside slices and videos."""
    seen: Counter[str] = Counter()
    frame = fixed = 0.0
    for clip in clips:
        seen[clip.dataset] += 1
        if seen[clip.dataset] <= count:
            one = sum(source.series.frame_bytes for source in clip.sources)
            frame += one
            length = min(clip.frames, LENGTH_AT_MOST)
            width, height = clip.size
            if slices and clip.frames > 1:
                fixed += one * LINES * length * (width + height) / (width * height)
            if video and clip.frames > 1:
                fixed += one * length * _VIDEO
            fixed += 10_000  # the strip
    return max(0, min(STILLS_AT_MOST, int((budget - fixed) / frame))) if frame and budget > fixed else 0


def ranked_frames(total: int, worst: Sequence[int]) -> list[int]:
    """All frames of a clip, the ones that are wanted most first: the middle, the worst, then evenly between.

    Of any number of first ones all are spread evenly, as far as such a number can be; so fewer are part of more.

    Example:
        >>> ranked_frames(8, [7])
        [4, 7, 2, 6, 1, 5, 3, 0]
    """
    order: dict[int, None] = {}
    bits = max(1, (total - 1).bit_length() + 1)
    for k in range(1, 2**bits):
        value = int(f"{k:0{bits}b}"[::-1], 2) / 2**bits
        order.setdefault(int(value * total))
        if k == 1:
            order.update(dict.fromkeys(w for w in worst if 0 <= w < total))
    order.setdefault(0)
    return list(order)


def worst_frames(cells: Sequence[Cell], most: int = 2) -> list[int]:
    """Frames at which most models are at their worst, of the cells of one clip and one metric with a figure per frame."""
    votes: Counter[int] = Counter()
    for cell in cells:
        finite = {i: v for i, v in enumerate(cell.frames) if math.isfinite(v)}
        if finite and cell.metric.direction == "higher":
            votes[min(finite, key=lambda i: finite[i])] += 1
        elif finite:  # of figures of either sign, as steps of flicker are, what is far from 0 is bad
            votes[max(finite, key=lambda i: abs(finite[i]))] += 1
    return [frame for frame, _ in sorted(votes.items(), key=lambda item: (-item[1], item[0]))[:most]]


def lines(size: int) -> list[int]:
    """Rows of a picture so high, or columns of one so wide, of which there are slices.

    Example:
        >>> lines(100), lines(2)
        ([10, 30, 50, 70, 90], [0, 1])
    """
    return sorted({int((k + 0.5) * size / LINES) for k in range(LINES)})


def words(found: Mapping[str, int | bool]) -> list[str]:
    """Sentences about what was left out to stay within the budget."""
    out = []
    hint = "A larger --media-budget shows more."
    if not found["stills"]:
        out.append("No picture fits into the budget; the clips' pages show figures only.")
    elif found["clips_shown"] < found["clips"]:
        out.append(
            f"Pictures of {found['clips_shown']} of {found['clips']} clips are shown, the first of each data set."
        )
    if found["stills"] and found["stills"] < found["longest"]:
        out.append(
            f"{found['stills']} of up to {found['longest']} frames of a clip are shown without loss, spread evenly and with "
            "the worst among them; figures cover all frames."
        )
    if found["stills"] and not found["slices"] and found["longest"] > 1:
        out.append("There are no x–t slices.")
    if found["stills"] and not found["video"] and found["longest"] > 1:
        out.append("There are no videos.")
    return [*out, hint] if out else out
