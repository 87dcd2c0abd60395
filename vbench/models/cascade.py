"""Networks of two stages over a window of five: what neighbouring windows share is computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from torch import Tensor

Frame = TypeVar("Frame")
Inner = TypeVar("Inner")

SPAN = 5
"""Frames of a window; each is at most two away from its centre."""


class Cascade(Generic[Frame, Inner]):
    """The frames of one clip, in the order of time, to the network's outputs.

    Stage 1 sees the three inner triples of a window, stage 2 what it made of them. What stage 1 makes of a triple
    serves up to three windows and is computed once; where a window is reflected at an end of the clip, and so a
    triple turned around, it is computed as the window asks for it. Five frames are held, and three of stage 1.

    Args:
        windows: for each frame of the clip the five that the network sees, all within two frames of it.
        inner: stage 1, of three frames.
        outer: stage 2, of what stage 1 made of three triples.

    Example:
        >>> import torch
        >>> mean = lambda *three: sum(three) / 3
        >>> cascade = Cascade([(2, 1, 0, 1, 2), (1, 0, 1, 2, 1), (0, 1, 2, 1, 0)], mean, mean)
        >>> [round(out.item(), 2) for t in range(3) for out in cascade.feed(torch.tensor([float(t)]))]
        [0.89, 1.0, 1.11]
    """

    def __init__(
        self,
        windows: Sequence[tuple[int, ...]],
        inner: Callable[[Frame, Frame, Frame], Inner],
        outer: Callable[[Inner, Inner, Inner], Tensor],
    ) -> None:
        self._windows = windows
        self._stages = inner, outer
        self._frames: dict[int, Frame] = {}
        self._inner: dict[tuple[int, ...], Inner] = {}
        self._done = 0

    def feed(self, frame: Frame) -> Iterator[Tensor]:
        """The next frame; gives every output whose window is now complete."""
        newest = max(self._frames, default=-1) + 1
        self._frames[newest] = frame
        while self._done < len(self._windows) and max(self._windows[self._done]) <= newest:
            yield self._one(self._windows[self._done])
            self._done += 1
            self._forget()

    def _one(self, window: tuple[int, ...]) -> Tensor:
        inner, outer = self._stages
        triples = (window[:3], window[1:4], window[2:])
        for a, b, c in triples:
            if (a, b, c) not in self._inner:
                self._inner[a, b, c] = inner(self._frames[a], self._frames[b], self._frames[c])
        first, second, third = (self._inner[triple] for triple in triples)
        return outer(first, second, third)

    def _forget(self) -> None:
        # No frame is in the windows of frames further away than two, reflected or not.
        coming = self._windows[self._done : self._done + SPAN]
        wanted = {i for window in coming for i in window}
        for i in [i for i in self._frames if i not in wanted and i != max(self._frames)]:
            del self._frames[i]
        triples = {window[i : i + 3] for window in coming for i in range(3)}
        for triple in [triple for triple in self._inner if triple not in triples]:
            del self._inner[triple]
