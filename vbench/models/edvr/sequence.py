"""EDVR and VOTES on a sequence: windows, and features that neighbouring windows share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from vbench.errors import RunError
from vbench.models.edvr.align import Features

Ends = Literal["replicate", "reflection_circle"]
"""How a clip is continued beyond its ends: the end frame again, or frames that are not yet in the window."""


def windows(count: int, frames: int, ends: Ends) -> list[tuple[int, ...]]:
    """The frames that are shown for each frame of a clip, as BasicSR takes them.

    Args:
        count: frames of the clip.
        frames: of a window, odd.
        ends: see :data:`Ends`.

    Raises:
        RunError: a clip shorter than a window, with "reflection_circle".

    Example:
        >>> windows(6, 5, "reflection_circle")
        [(4, 3, 0, 1, 2), (4, 0, 1, 2, 3), (0, 1, 2, 3, 4), (1, 2, 3, 4, 5), (2, 3, 4, 5, 1), (3, 4, 5, 2, 1)]
        >>> windows(2, 5, "replicate")
        [(0, 0, 0, 1, 1), (0, 0, 1, 1, 1)]
    """
    around = frames // 2
    if ends == "reflection_circle" and count < frames:
        raise RunError(
            f"The network was given a clip of {count} frame(s); it takes at least {frames}, as its official script: at "
            "the ends a window is filled with frames that are not yet in it."
        )

    def place(centre: int, i: int) -> int:
        if 0 <= i < count:
            return i
        if ends == "replicate":
            return min(max(i, 0), count - 1)
        return centre + around - i if i < 0 else (centre - around) - (i - (count - 1))

    return [tuple(place(t, i) for i in range(t - around, t + around + 1)) for t in range(count)]


class Window(NamedTuple):
    """The frames that are shown for one; a frame that is shown several times stands in it once."""

    shown: tuple[int, ...]
    """By their place in the clip."""
    places: tuple[int, ...]
    """For each of them where it stands below."""
    features: list[Features]
    """Of each frame, ``(1, C, h, w)``."""
    frames: Tensor
    """``(1, T, 3, H, W)``."""

    @property
    def centre(self) -> Tensor:
        """The frame that is restored, ``(1, 3, H, W)``."""
        return self.frames[:, self.places[len(self.shown) // 2]]


def restore(
    frames: Iterable[Tensor],
    shown: list[tuple[int, ...]],
    features: Callable[[Tensor], Features],
    merge: Callable[[Window], Tensor],
) -> Iterator[Tensor]:
    """The frames of one clip in the order of time, each restored as soon as its window is complete.

    The features of a frame serve all windows that show it and are computed once. What is aligned with the frame in
    the centre is not shared: the next window has another one there.

    Args:
        frames: each ``(1, 3, H, W)``.
        shown: the frames of each window, in order.
        features: what a window needs of a frame.
        merge: a window to the result.
    """
    held: dict[int, tuple[Tensor, Features]] = {}
    done = 0
    for i, frame in enumerate(frames):
        held[i] = frame, features(frame)
        while done < len(shown) and max(shown[done]) <= i:
            yield merge(_window(shown[done], held))
            done += 1
            # Windows do not reach further back than the next one's length, reflected or not.
            wanted = {t for window in shown[done : done + len(shown[0])] for t in window}
            for t in [t for t in held if t not in wanted and t != i]:
                del held[t]


def _window(shown: tuple[int, ...], held: dict[int, tuple[Tensor, Features]]) -> Window:
    distinct = list(dict.fromkeys(shown))
    return Window(
        shown,
        tuple(distinct.index(t) for t in shown),
        [held[t][1] for t in distinct],
        torch.stack([held[t][0] for t in distinct], dim=1),
    )
