"""CDVD-TSP on a sequence: windows, and what neighbouring windows share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from torch import Tensor

from vbench.errors import RunError
from vbench.flow.pwcnet.align import Aligned
from vbench.models.cascade import Cascade
from vbench.models.cdvd_tsp.net import CDVDTSP, FRAMES, Frame, Merged, joined

SHORTEST = 2
"""Frames of the shortest sequence with borders."""


def windows(count: int, border: bool = True) -> list[tuple[int, ...]]:
    """The five frames that are shown for each restored one, as the official script takes them.

    Args:
        count: frames of the clip.
        border: whether the first and last two frames are restored too. The clip is then extended by its first two
            frames, in their order, in front, and its last two, in theirs, behind: neither repeated nor reflected.

    Raises:
        RunError: a clip too short for one window: of one frame, or of four without borders.

    Example:
        >>> windows(5)
        [(0, 1, 0, 1, 2), (1, 0, 1, 2, 3), (0, 1, 2, 3, 4), (1, 2, 3, 4, 3), (2, 3, 4, 3, 4)]
        >>> windows(6, border=False)
        [(0, 1, 2, 3, 4), (1, 2, 3, 4, 5)]
    """
    shortest = SHORTEST if border else FRAMES
    if count < shortest:
        raise RunError(
            f"CDVD-TSP was given a clip of {count} frame(s); it takes at least {shortest}, as its official script."
        )
    around = FRAMES // 2
    order = list(range(count))
    if border:
        order = order[:around] + order + order[-around:]
    return [tuple(order[i : i + FRAMES]) for i in range(len(order) - FRAMES + 1)]


def restore(
    network: CDVDTSP, frames: Iterable[Tensor], count: int, watch: Callable[[Merged], None] | None = None
) -> Iterator[Tensor]:
    """The frames of one clip in the order of time, each restored as soon as its window is complete.

    Frames with their feature pyramids, and the frames of stage 1, serve all windows that show them: for each frame
    two reconstructions and four flows in place of four and eight. Where the clip goes back at its ends, several triples
    of stage 1 ask for the same flow; it is computed once.

    Args:
        frames: each ``(1, 3, H, W)``, RGB in [0, 1], height and width multiples of four.
        count: how many there are.
        watch: is given what stage 2 finds.

    Returns:
        Frames ``(1, 3, H, W)``, not clamped.

    Raises:
        RunError: a clip of one frame.
    """
    shown = windows(count)
    neighbours = _Neighbours(network, shown)

    def inner(left: _Numbered, centre: _Numbered, right: _Numbered) -> Frame:
        before, behind = neighbours.aligned(left, centre, right)
        return network.frame(network.combine(before, behind, centre.frame.image).image)

    def outer(left: Frame, centre: Frame, right: Frame) -> Tensor:
        found = network.merge(left, centre, right)
        if watch is not None:
            watch(found)
        return found.image

    cascade = Cascade(shown, inner, outer)
    for i, frame in enumerate(frames):
        yield from cascade.feed(_Numbered(i, network.frame(frame)))


class _Numbered(NamedTuple):
    """A frame and its place in the clip."""

    place: int
    frame: Frame


class _Neighbours:
    """Frames on the grid of others, for stage 1; what another triple asks for too is held until it has asked.

    Args:
        shown: all windows of the clip.
    """

    def __init__(self, network: CDVDTSP, shown: list[tuple[int, ...]]) -> None:
        self._network = network
        triples = {window[i : i + 3] for window in shown for i in range(3)}
        self._asked = Counter((centre, side) for left, centre, right in triples for side in (left, right))
        self._held: dict[tuple[int, int], Aligned] = {}

    def aligned(self, left: _Numbered, centre: _Numbered, right: _Numbered) -> tuple[Aligned, Aligned]:
        """The neighbours of a triple on the grid of its centre."""
        sides = {side.place: side.frame for side in (left, right) if (centre.place, side.place) not in self._held}
        if sides:
            found = self._network.align(centre.frame, joined(list(sides.values())), len(sides))
            self._held |= {(centre.place, place): one for place, one in zip(sides, found, strict=True)}
        return self._taken((centre.place, left.place)), self._taken((centre.place, right.place))

    def _taken(self, pair: tuple[int, int]) -> Aligned:
        self._asked[pair] -= 1
        return self._held[pair] if self._asked[pair] else self._held.pop(pair)
