"""PVDNet on a clip: a loop forward in time whose state is the previous restored frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from torch import Tensor

from vbench.models.pvdnet.net import PVDNet


class Step(NamedTuple):
    """What the loop gives for one frame."""

    restored: Tensor
    """``(1, 3, H, W)``, nominally in [-1, 1], not clamped."""
    low: Tensor
    """The flow to the previous blurred frame, ``(1, 2, h / 2, w / 2)`` on the crop."""


def steps(network: PVDNet, frames: Iterable[Tensor]) -> Iterator[Step]:
    """The frames of one clip in the order of time, each restored as soon as its successor is known.

    The neighbours of the first and the last frame are these themselves; at the first, the state is the blurred frame.
    Three frames are held. The feature pyramid of a frame serves the flow from it and the flow to it, and is computed
    once.

    Args:
        frames: each ``(1, 3, H, W)``, RGB in [-1, 1], height and width multiples of 4 and at least 64.

    Raises:
        InputError: other sizes, or frames of different ones.

    Source: the evaluation loop of codeslake/PVDNet.
    """
    coming = iter(frames)
    current = next(coming, None)
    if current is None:
        return
    previous, state = current, current
    ahead = behind = network.pyramid(current)
    while current is not None:
        following = next(coming, None)
        low = network.BIMNet.between(ahead, behind)
        state = network.restore(low, previous, current, current if following is None else following, state)
        yield Step(state, low)
        if following is not None:
            behind, ahead = ahead, network.pyramid(following)
        previous, current = current, following
