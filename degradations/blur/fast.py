"""A clip that is every k-th frame of a faster one: the frames left out are the scene between those that stay."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from degradations.blur.flow import interpolate


class Decimated:
    """The scene between the frames of a clip that is every ``every``-th frame of a faster video.

    A :data:`~degradations.base.Subframes`: time 0 is frame ``first`` of the fast video, time 1 is frame
    ``first + every``. Where the fast video has a frame at the instant asked for, it is that frame, untouched; in
    between its two neighbours are interpolated along flow (:func:`~degradations.blur.interpolate`). Before the first
    and after the last frame of the fast video these two stand still, so ``first`` should leave room for half of an
    exposure.

    This is how deblurring data sets are made from cameras of 240 frames per second: with ``every=11`` and
    ``first=5`` the exposures of the profile's ``gopro`` variants average 11 true frames each; with ``every=8`` and
    ``first=3`` those of ``dvd`` see 7 true frames each.

    Args:
        read: a frame ``(C, H, W)`` of the fast video by its number, float32 in [0, 1].
        frames: how many it has.

    Raises:
        ValueError: no frames, a step below 1, or a first frame that is not in the video.

    Example:
        >>> import torch
        >>> scene = Decimated(lambda n: torch.full((1, 8, 8), n / 10), frames=9, every=4, first=2)
        >>> [round(float(scene(t).mean()), 3) for t in (0, 0.25, 1, 5)]
        [0.2, 0.3, 0.6, 0.8]
    """

    def __init__(self, read: Callable[[int], Tensor], frames: int, every: int, first: int = 0) -> None:
        if frames < 1 or every < 1:
            raise ValueError(f"A fast video of {frames} frames cannot be cut to every {every}th: both are 1 or more.")
        if not 0 <= first < frames:
            raise ValueError(f"The first frame is {first}, and the fast video has frames 0 to {frames - 1}.")
        self._read, self._frames, self._every, self._first = read, frames, every, first

    @property
    def count(self) -> int:
        """Frames of the decimated clip: as many as the fast video has at ``first``, ``first + every``, ..."""
        return 1 + (self._frames - 1 - self._first) // self._every

    def __call__(self, time: float) -> Tensor:
        """The scene at ``time``, in frames of the decimated clip."""
        position = self._first + time * self._every
        whole = math.floor(position + 0.5)
        if abs(position - whole) < 1e-4:  # times are sums of fractions in floating point
            return self._at(whole)
        low = math.floor(position)
        before, after = self._at(low), self._at(low + 1)
        return interpolate(before, after, [position - low])[0]

    def _at(self, number: int) -> Tensor:
        return self._read(min(max(number, 0), self._frames - 1))
