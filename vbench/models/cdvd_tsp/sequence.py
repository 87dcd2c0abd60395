"""CDVD-TSP on a sequence: windows, and what neighbouring windows share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from torch import Tensor

from vbench.errors import RunError
from vbench.models.cascade import Cascade
from vbench.models.cdvd_tsp.net import CDVDTSP, FRAMES, Frame, Merged

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
    two reconstructions and four flows in place of four and eight.

    Args:
        frames: each ``(1, 3, H, W)``, RGB in [0, 1], height and width multiples of four.
        count: how many there are.
        watch: is given what stage 2 finds.

    Returns:
        Frames ``(1, 3, H, W)``, not clamped.

    Raises:
        RunError: a clip of one frame.
    """

    def inner(left: Frame, centre: Frame, right: Frame) -> Frame:
        return network.frame(network.merge(left, centre, right).image)

    def outer(left: Frame, centre: Frame, right: Frame) -> Tensor:
        found = network.merge(left, centre, right)
        if watch is not None:
            watch(found)
        return found.image

    cascade = Cascade(windows(count), inner, outer)
    for frame in frames:
        yield from cascade.feed(network.frame(frame))
