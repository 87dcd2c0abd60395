"""Degraded clips that are not stored: made from the ground truth whenever they are read, in floating point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from vbench.clip import Clip, Frames, check_range, walk

if TYPE_CHECKING:
    from degradations.apply import Recipe


class RemadeClip:
    """A clip damaged as its recipe says while it is read: float32, neither clipped nor rounded.

    Only recipes whose steps treat every frame by itself can be read so (``on_reading`` in a profile). The same frame
    has the same values whatever is read before it.
    """

    def __init__(self, truth: Clip, recipe: Recipe) -> None:
        self._truth = truth
        self._recipe = recipe
        self.info = replace(
            truth.info, bit_depth=32, colour=f"{truth.info.colour}, damaged on reading, not clipped, not rounded"
        )

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded), ``(T, H, W, C)`` float32."""
        from degradations.apply import frames_at
        from vbench.restore import from_array, to_float_array

        check_range(self.info, start, stop)
        return to_float_array(frames_at(self._recipe, from_array(self._truth.read(start, stop)), start))

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)
