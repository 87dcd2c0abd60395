"""What the picture would be without this frame's damage: neighbours moved onto it, or the known clean clip.

Both classes give the same views of a clip, so that every trait is measured by one piece of code:
``Blind`` where there is nothing but the film, ``AgainstTruth`` where the clean clip is known. There the scene and its
motion are known exactly: the clean frame, registered, softened, and put through the film's tone curve, is subtracted,
and what is left of the neighbours (their grain and dirt) is laid on this frame. So the same definitions hold, with
neighbours that are aligned by knowledge instead of optical flow.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from degradations.film.measure.luma import Float, Luma, Region
from degradations.film.measure.registration import Halves, Registrar, shifted

FLAT_FOR_FLICKER = 1.5
FLAT_FOR_GRAIN = 1.0
"""Gradients, levels per pixel of a picture smoothed by sigma 3, below which pixels count for flicker and grain."""
DARKEST = 15.0
"""Level above which pixels count for flicker."""
BLOCKS = 4
FEWEST_PIXELS = 400


class Gains(NamedTuple):
    """Log gain of each frame over the one before: ``(T-1,)`` of the frame, ``(T-1, 16)`` of its 4 x 4 blocks."""

    whole: NDArray[np.float64]
    blocks: NDArray[np.float64]


class Positions(NamedTuple):
    """Where the picture lies, pixels (y down, x right) and degrees; ``at`` is None where only steps mean anything."""

    steps: NDArray[np.float64]
    """``(T-1, 2)``: from each frame to the next, dy and dx."""
    at: NDArray[np.float64] | None
    """``(T, 2)``: against the clean clip or the temporal median."""
    turns: NDArray[np.float64]
    """Rotation of some frames in degrees, where ``at`` is known."""


class GrainPair(NamedTuple):
    """Difference of two frames, where the scene is flat, and the level there."""

    difference: Float
    flat: NDArray[np.bool_]
    level: Float


class Triple(NamedTuple):
    """A frame, and what its neighbours in time say that it should be."""

    frame: Float
    before: Float
    after: Float


class Scene(Protocol):
    """The views of a clip that the measurements take."""

    luma: Luma
    region: Region
    method: str

    @property
    def notes(self) -> list[str]: ...

    def gains(self) -> Gains: ...

    def positions(self) -> Positions: ...

    def grain_pair(self, t: int) -> GrainPair: ...

    def triple(self, t: int) -> Triple: ...

    def lines(self, t: int, where: Region) -> Float: ...


def smooth(picture: NDArray[np.generic], sigma: float) -> Float:
    """Gaussian low-pass."""
    plain = np.asarray(picture, dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(plain, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))


def low_pass(picture: Float, sigma: float = 16.0) -> Float:
    """Gaussian, computed on a picture shrunk so that its sigma is 4 there: the same to a thousandth, much faster."""
    height, width = picture.shape
    factor = max(1, round(sigma / 4))
    size = (max(1, width // factor), max(1, height // factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR))


def matched(neighbour: Float, frame: Float) -> Float:
    """The neighbour with the frame's low frequencies (sigma 16)."""
    return np.asarray(neighbour + low_pass(frame - neighbour))


def gradient(picture: Float) -> Float:
    """Magnitude in levels per pixel."""
    dx = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(cv2.magnitude(dx, dy))


def block_gains(log_ratio: Float, usable: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
    """Medians over the usable pixels, of the picture and of 4 x 4 blocks; NaN below 400 of them."""

    def of(values: Float, mask: NDArray[np.bool_]) -> float:
        chosen = values[mask]
        return float(np.median(chosen)) if chosen.size >= FEWEST_PIXELS else float("nan")

    rows, columns = (np.linspace(0, n, BLOCKS + 1).astype(int) for n in log_ratio.shape)
    blocks = [
        of(log_ratio[top:bottom, left:right], usable[top:bottom, left:right])
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    return of(log_ratio, usable), np.array(blocks)


class Blind:
    """A film of which nothing else is known: frames are compared with their neighbours.

    Args:
        still: the camera stood still, so that positions against the temporal median mean something; None decides by
            whether the summed steps stay within 1.5 % of the height.
    """

    method = "blind"

    def __init__(
        self, luma: Luma, region: Region, registration: Region, grain: Region, *, still: bool | None = None
    ) -> None:
        self.luma = luma
        self.region = region
        self._registration = registration
        self._grain = grain
        self._still = still
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setFinestScale(3)
        self._flow.setPatchSize(12)
        self._flow.setPatchStride(4)
        self._calm = lru_cache(maxsize=4)(lambda t: cv2.medianBlur(self.luma[t], 9))
        self._rows, self._columns = np.mgrid[0 : luma.shape[1], 0 : luma.shape[2]].astype(np.float32)
        self._steps = self._find_steps()

    def _find_steps(self) -> NDArray[np.float64]:
        registrar = Registrar(self._registration.shape)
        spectra = registrar.spectrum(self.luma[0][self._registration.slices])
        steps = []
        for t in range(1, len(self.luma)):
            now = registrar.spectrum(self.luma[t][self._registration.slices])
            steps.append(registrar.shift(spectra, now))
            spectra = now
        return np.array(steps)

    @property
    def notes(self) -> list[str]:
        """None."""
        return []

    def gains(self) -> Gains:
        """Between frames moved onto each other."""
        whole, blocks = [], []
        for t, (dy, dx) in enumerate(self._steps, 1):
            inside = self.region.inset(
                *(min(int(np.ceil(abs(d))), n // 8) for d, n in zip((dy, dx), self.region.shape, strict=True))
            )
            before = smooth(shifted(self.luma[t - 1], dy, dx), 3)[inside.slices]
            now = smooth(self.luma[t], 3)[inside.slices]
            usable = (before > DARKEST) & (now > DARKEST)
            usable &= (gradient(before) < FLAT_FOR_FLICKER) & (gradient(now) < FLAT_FOR_FLICKER)
            ratio = np.log(np.maximum(now, 1) / np.maximum(before, 1))
            one, some = block_gains(ratio, usable)
            whole.append(one)
            blocks.append(some)
        return Gains(np.array(whole), np.array(blocks))

    def positions(self) -> Positions:
        """Steps from frame to frame; positions against the temporal median where the camera stood still."""
        path = np.cumsum(np.vstack([np.zeros(2), self._steps]), axis=0)
        still = self._still
        if still is None:
            still = bool(np.ptp(path, axis=0).max() <= 0.015 * self.luma.shape[1])
        if not still:
            return Positions(self._steps, None, np.empty(0))
        clip = self.luma[(slice(None), *self._registration.slices)]
        middle = np.median(clip[:: 4 if len(clip) >= 12 else 1], axis=0)
        registrar, halves = Registrar(middle.shape), Halves(middle.shape)
        reference, reference_halves = registrar.spectrum(middle), halves.spectra(middle)
        at = [registrar.shift(reference, registrar.spectrum(frame)) for frame in clip]
        turns = [halves.turn(reference_halves, halves.spectra(frame)) for frame in clip[::2]]
        return Positions(self._steps, np.array(at), np.array(turns))

    def grain_pair(self, t: int) -> GrainPair:
        """Frame ``t`` and the one before, aligned by the rounded shift."""
        dy, dx = (round(float(d)) for d in self._steps[t - 1])
        top, bottom, left, right = self._grain
        before = self.luma[t - 1].astype(np.float32)
        now = self.luma[t].astype(np.float32)
        y0, y1 = max(top, dy, 0), min(bottom, bottom + dy, now.shape[0])
        x0, x1 = max(left, dx, 0), min(right, right + dx, now.shape[1])
        now, before = now[y0:y1, x0:x1], before[y0 - dy : y1 - dy, x0 - dx : x1 - dx]
        calm_now, calm_before = smooth(now, 3), smooth(before, 3)
        flat = (gradient(calm_now) < FLAT_FOR_GRAIN) & (gradient(calm_before) < FLAT_FOR_GRAIN)
        return GrainPair(now - before, flat, calm_now)

    def triple(self, t: int) -> Triple:
        """Both neighbours moved onto frame ``t`` by optical flow, their low frequencies matched to it."""
        frame = self.luma[t][self.region.slices].astype(np.float32)
        return Triple(frame, *(matched(self._moved(near, t), frame) for near in (t - 1, t + 1)))

    def _moved(self, near: int, t: int) -> Float:
        flow = self._flow.calc(self._calm(t), self._calm(near), None)  # type: ignore[call-overload]  # as its page says
        moved = cv2.remap(
            self.luma[near].astype(np.float32),
            self._columns + flow[..., 0],
            self._rows + flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(moved[self.region.slices])

    def lines(self, t: int, where: Region) -> Float:
        """The frame itself."""
        return np.asarray(self.luma[t][where.slices], dtype=np.float32)
