"""What BIN predicts in the windows of a clip: what two windows share is computed once."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from vbench.models.edvr.sequence import Window
from vbench.models.votes.bin import BIN


class Predictions:
    """The centre frames of windows of five as BIN predicts them.

    What stage 1 finds between a frame and the next but one serves the windows of both, and is held until the second has
    asked for it: two pictures at a time.

    Args:
        network: in eval mode.
        shown: the frames of all windows of the clip, in order.
    """

    def __init__(self, network: BIN, shown: list[tuple[int, ...]]) -> None:
        self._network = network
        self._asked = Counter(pair for window in shown for pair in _pairs(window))
        self._held: dict[tuple[int, int], Tensor] = {}

    def centre(self, window: Window) -> Tensor:
        """The centre frame of the next window, ``(1, 3, H, W)``, not clamped."""
        pairs = _pairs(window.shown)
        missing = [pair for pair in pairs if pair not in self._held]
        if missing:
            frame = dict(zip(window.shown, window.places, strict=True))
            first, second = (torch.cat([window.frames[:, frame[pair[i]]] for pair in missing]) for i in (0, 1))
            self._held |= dict(zip(missing, self._network.between(first, second).split(1), strict=True))
        before, behind = (self._taken(pair) for pair in pairs)
        return self._network.centre(before, behind)

    def _taken(self, pair: tuple[int, int]) -> Tensor:
        self._asked[pair] -= 1
        return self._held[pair] if self._asked[pair] else self._held.pop(pair)


def _pairs(window: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Between which frames stage 1 interpolates; frames 1 and 3 take no part."""
    return (window[0], window[2]), (window[2], window[4])
