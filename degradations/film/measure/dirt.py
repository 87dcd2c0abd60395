"""Dirt: specks that are in one frame and in neither neighbour."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from degradations.film.measure.luma import Float
from degradations.film.measure.scene import Triple

STRONG = 20.0
"""Levels by which the peak of a strong speck differs from both neighbours in time."""
LATER = (2, 5, 9)
"""Frames after which a speck at the same place is looked for: two is repetition, the others are chance."""


class Speck(NamedTuple):
    """One object in one frame."""

    frame: int
    dark: bool
    contrast: float
    """Levels by which it differs, at its peak, from the nearer of both neighbours (positive for dark ones, too)."""
    level: float
    """Of the mean of both neighbours there."""
    area: int
    """Pixels at or above half the peak, connected to it."""
    length: float
    """Long side of the smallest rectangle about these pixels."""
    aspect: float
    """Its long over its short side, a pixel added to both."""

    @property
    def strong(self) -> bool:
        """Whether it differs by 20 levels from both neighbours."""
        return self.contrast >= STRONG


class DirtFinder:
    """Finds the specks of frames, one after the other, and counts those that come again at the same place.

    Args:
        grain: standard deviation of the grain, levels: what differs by less than four times that (at least by 8
            levels) is not told from grain.
    """

    def __init__(self, grain: float) -> None:
        self.limit = max(8.0, 4 * grain)
        self._unrest = max(3.0, 2 * grain)
        self.specks: list[Speck] = []
        self.frames = 0
        self.pixels = 0
        self.again = {gap: [0, 0] for gap in LATER}
        """Frames later: strong specks that have another upon them, and all that were looked at."""
        self._past: deque[tuple[int, dict[bool, tuple[list[NDArray[np.intp]], NDArray[np.bool_]]]]] = deque(
            maxlen=max(LATER)
        )

    def add(self, triple: Triple, t: int) -> None:
        """The specks of frame ``t``."""
        frame, before, after = triple
        self.frames += 1
        self.pixels = frame.size
        calm = self._calm(before, after)
        window = np.ones((3, 3), np.uint8)
        lowest = np.minimum(cv2.erode(before, window), cv2.erode(after, window))
        highest = np.maximum(cv2.dilate(before, window), cv2.dilate(after, window))
        found: dict[bool, tuple[list[NDArray[np.intp]], NDArray[np.bool_]]] = {}
        for dark in (True, False):
            sign = np.float32(-1 if dark else 1)
            seeds = calm & ((frame < lowest - self.limit) if dark else (frame > highest + self.limit))
            mean: Float = (before + after) / np.float32(2)
            above: Float = sign * (frame - mean)
            nearer = np.minimum(sign * (frame - before), sign * (frame - after))
            found[dark] = self._objects(above, nearer, mean, seeds, t, dark)
        self._compare(t, found)

    def _calm(self, before: Float, after: Float) -> NDArray[np.bool_]:
        """Where both neighbours agree, and so do those around."""
        apart = np.abs(before - after)
        quarters = np.clip(apart * 4, 0, 255).astype(np.uint8)  # the median filter of this size takes 8 bits
        around = cv2.medianBlur(quarters, 15).astype(np.float32) / 4
        return np.asarray((apart < self.limit / 2) & (around < self._unrest))

    def _objects(
        self, above: Float, nearer: Float, mean: Float, seeds: NDArray[np.bool_], t: int, dark: bool
    ) -> tuple[list[NDArray[np.intp]], NDArray[np.bool_]]:
        grown = (above > self.limit / 2).astype(np.uint8)
        _, labels, boxes, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
        chosen = np.unique(labels[seeds])
        all_of_them = np.zeros(grown.shape, bool)
        strong: list[NDArray[np.intp]] = []
        for label in chosen[chosen > 0]:
            left, top, width, height = (int(v) for v in boxes[label, :4])
            part = (slice(top, top + height), slice(left, left + width))
            own = labels[part] == label
            speck, core = _measure(nearer[part], mean[part], own, t, dark)
            if speck.area < 2:
                continue
            self.specks.append(speck)
            all_of_them[part] |= core
            if speck.strong:
                rows, columns = np.nonzero(core)
                strong.append(np.ravel_multi_index((rows + top, columns + left), grown.shape))
        return strong, all_of_them

    def _compare(self, t: int, found: dict[bool, tuple[list[NDArray[np.intp]], NDArray[np.bool_]]]) -> None:
        for earlier, then in self._past:
            if t - earlier not in self.again:
                continue
            tally = self.again[t - earlier]
            for dark, (strong, _) in then.items():
                now = found[dark][1].ravel()
                tally[0] += sum(bool(now[places].any()) for places in strong)
                tally[1] += len(strong)
        self._past.append((t, found))


def _measure(nearer: Float, mean: Float, own: NDArray[np.bool_], t: int, dark: bool) -> tuple[Speck, NDArray[np.bool_]]:
    height = np.where(own, nearer, -np.inf)
    at = np.unravel_index(int(np.argmax(height)), height.shape)
    peak = float(height[at])
    _, labels = cv2.connectedComponents((height >= peak / 2).astype(np.uint8), connectivity=8)
    core = labels == labels[at]
    rows, columns = np.nonzero(core)
    sides = sorted(cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))[1])
    speck = Speck(t, dark, peak, float(mean[at]), len(rows), sides[1] + 1, (sides[1] + 1) / (sides[0] + 1))
    return speck, core
