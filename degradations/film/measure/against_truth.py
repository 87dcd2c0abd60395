"""The views of a film whose clean clip is known: see ``scene``."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from degradations.film.measure.luma import Float, Luma, Region, robust_std
from degradations.film.measure.registration import Registrar, shifted
from degradations.film.measure.scene import (
    DARKEST,
    FLAT_FOR_FLICKER,
    FLAT_FOR_GRAIN,
    Gains,
    GrainPair,
    Positions,
    Triple,
    block_gains,
    gradient,
    low_pass,
    matched,
    smooth,
)

SOFTNESSES = (0.0, 0.4, 0.7, 1.0, 1.4, 1.9, 2.6, 3.6, 5.0)
"""Sigmas of the Gaussians that are tried for how soft the film is, pixels."""
CURVE_BINS = 64
CURVE_FRAMES = 24
BROAD = 10.0
"""Heights of the frame over the sigma that vignette and uneven flicker are smooth at."""
TABLE = 16
"""Steps per level in which the tone curve is tabulated."""
REFINEMENTS = 3
MOST_REPEATED = 8
"""Frames that may be lost at a splice."""
NEARER = 0.02
"""Correlation that a pixel of displacement is worth, where it is asked which clean frame a frame shows."""


class AgainstTruth:
    """A film and its clean clip, frame by frame the same scene.

    Each clean frame is registered to the film's (shift and rotation), softened as much as fits it best, put through the
    one tone curve of the clip (medians, rising), and made as bright as it on a broad scale (vignette, flicker). What the
    film has beyond that is kept: grain, dirt, scratches. Where the film shows an earlier frame again (a splice), it is
    compared with that one.
    """

    method = "against the truth"

    def __init__(self, luma: Luma, truth: Luma, region: Region, grain: Region) -> None:
        self.luma = luma
        self.region = region
        self._grain = grain
        self._at = np.zeros((len(luma), 2))
        self._turns = np.zeros(len(luma))
        self.shown = np.arange(len(luma))
        """Which clean frame each frame shows."""
        self._register(truth)
        self.softness = np.zeros(len(luma))
        """Sigma of the Gaussian that softens each clean frame best, pixels."""
        self.curve: NDArray[np.float64] = np.arange(256.0)
        """Level on the film of each level of the clean clip."""
        self._rest = np.empty(luma.shape, np.float16)
        self._whole = np.empty(len(luma))
        self._blocks = np.empty((len(luma), 16))
        self._explain(truth)

    @property
    def notes(self) -> list[str]:
        """What a reader of the figures should know."""
        again = int((self.shown != np.arange(len(self.shown))).sum())
        words = "One frame shows" if again == 1 else f"{again} frames show"
        return [f"{words} an earlier frame of the clean clip again and counted as that."] if again else []

    def _register(self, truth: Luma) -> None:
        registrar = Registrar(self.region.shape)
        part = self.region.slices
        alike = np.empty(len(truth))
        for t in range(len(truth)):
            self._at[t] = registrar.shift(registrar.spectrum(truth[t][part]), registrar.spectrum(self.luma[t][part]))
            alike[t] = self._likeness(truth, t)
        home = np.median(self._at, axis=0)
        away = np.hypot(*(self._at - home).T)
        doubtful = alike < np.median(alike) - max(0.05, 4 * robust_std(alike))
        doubtful |= away > max(truth.shape[1] / 200, 5 * float(np.median(away)))
        for t in map(int, np.flatnonzero(doubtful)):
            film = registrar.spectrum(self.luma[t][part])
            best = (float(alike[t]) - NEARER * away[t] + 0.05, t, self._at[t].copy())
            for earlier in range(max(0, t - MOST_REPEATED), t):
                self.shown[t] = earlier
                self._at[t] = registrar.shift(registrar.spectrum(truth[earlier][part]), film)
                score = self._likeness(truth, t) - NEARER * float(np.hypot(*(self._at[t] - home)))
                best = max(best, (score, earlier, self._at[t].copy()), key=lambda found: found[0])
            _, self.shown[t], self._at[t] = best

    def _likeness(self, truth: Luma, t: int) -> float:
        """Correlation of what the film's frame and the clean one have of detail, where they lie now."""
        part = self.region.slices
        size = (self.region.shape[1] // 2, self.region.shape[0] // 2)
        pictures = (self.luma[t][part].astype(np.float32), self._moved(truth, t)[part])
        small = (np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.float32) for p in pictures)
        film, clean = (np.clip(_detail(picture), -30, 30) for picture in small)
        power = float(np.vdot(film, film) * np.vdot(clean, clean))
        return float(np.vdot(film, clean)) / power**0.5 if power > 0 else 0.0

    def _explain(self, truth: Luma) -> None:
        self._fit_curve(truth)
        broad = truth.shape[1] / BROAD
        for t in range(len(truth)):
            self._refine(truth, t)
            clean = self._moved(truth, t)
            self.softness[t] = self._fit_softness(clean, t)
            bare = self._toned(smooth(clean, self.softness[t]) if self.softness[t] > 0.15 else clean)
            film = self.luma[t].astype(np.float32)
            self._measure_gain(bare, film, t)
            # Specks are kept out of the low frequencies, or large ones would lose their depth.
            calm = cv2.medianBlur(self.luma[t], 5).astype(np.float32)
            self._rest[t] = film - bare * (low_pass(calm, broad) / np.maximum(low_pass(bare, broad), 1))

    def _moved(self, truth: Luma, t: int) -> Float:
        dy, dx = self._at[t]
        return shifted(truth[self.shown[t]], dy, dx, self._turns[t])

    def _refine(self, truth: Luma, t: int) -> None:
        """Shift and rotation by least squares (Gauss-Newton) on what both have of detail, from where they are now."""
        part = self.region.slices
        sigma = self.softness[t - 1] if t else 1.0
        film = _detail(self.luma[t].astype(np.float32))[part]
        height, width = truth.shape[1:]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        y, x = (y - (height - 1) / 2)[part][::2, ::2].ravel(), (x - (width - 1) / 2)[part][::2, ::2].ravel()
        for _ in range(REFINEMENTS):
            clean = _detail(self._toned(smooth(self._moved(truth, t), max(sigma, 0.3))))
            rest = (film - clean[part])[::2, ::2].ravel()
            dx, dy = (cv2.Sobel(clean, cv2.CV_32F, *order, ksize=3, scale=1 / 8)[part] for order in ((1, 0), (0, 1)))
            dx, dy = dx[::2, ::2].ravel(), dy[::2, ::2].ravel()
            kept = np.abs(rest) < 3 * max(robust_std(rest), 0.5)
            columns = np.stack([dy, dx, dx * y - dy * x], axis=1)[kept].astype(np.float64)
            normal = columns.T @ columns
            # Frames without detail in them stay where they are.
            if np.linalg.cond(normal / np.outer(d := np.sqrt(np.diag(normal)) + 1e-9, d)) > 1e4:
                return
            step = -np.linalg.solve(normal, columns.T @ rest[kept])
            if np.abs(step[:2]).max() > 2 or abs(np.degrees(step[2])) > 0.5:
                return
            self._at[t] += step[:2]
            self._turns[t] += np.degrees(step[2])

    def _fit_curve(self, truth: Luma) -> None:
        part = self.region.slices
        pairs = []
        for t in np.unique(np.linspace(0, len(truth) - 1, min(len(truth), CURVE_FRAMES)).astype(int)):
            clean = self._moved(truth, int(t))
            flat = gradient(smooth(clean, 1.5))[part] < 3
            pairs.append((clean[part][flat][::4], self.luma[t][part][flat][::4]))
        x, y = (np.concatenate(side) for side in zip(*pairs, strict=True))
        self.curve = rising_curve(x, y)
        steps = np.arange(255 * TABLE + 1) / TABLE
        self._table = np.interp(steps, np.arange(256), self.curve).astype(np.float32)

    def _toned(self, clean: Float) -> Float:
        places = np.clip(clean * TABLE + 0.5, 0, 255 * TABLE).astype(np.int32)
        return np.asarray(self._table[places], dtype=np.float32)

    def _fit_softness(self, clean: Float, t: int) -> float:
        middle = self.region.inset(*((max(0, n - 320) // 2) for n in self.region.shape)).slices
        film = self.luma[t][middle].astype(np.float32)
        film = film - smooth(film, 6)
        toned = self._toned(clean[middle])
        misses = []
        for sigma in SOFTNESSES:
            soft = smooth(toned, sigma) if sigma else toned
            miss = np.minimum(np.abs(film - (soft - smooth(soft, 6))), 30)
            misses.append(float((miss**2).mean()))
        best = int(np.argmin(misses))
        if best in (0, len(SOFTNESSES) - 1):
            return SOFTNESSES[best]
        around = np.array(SOFTNESSES[best - 1 : best + 2])
        bend, slope, _ = np.polyfit(around, misses[best - 1 : best + 2], 2)
        return float(np.clip(-slope / (2 * bend), around[0], around[2])) if bend > 0 else SOFTNESSES[best]

    def _measure_gain(self, bare: Float, film: Float, t: int) -> None:
        a, b = (smooth(picture, 3)[self.region.slices] for picture in (bare, film))
        usable = (a > DARKEST) & (b > DARKEST) & (gradient(a) < FLAT_FOR_FLICKER)
        self._whole[t], self._blocks[t] = block_gains(np.log(np.maximum(b, 1) / np.maximum(a, 1)), usable)

    def gains(self) -> Gains:
        """Of each frame over the clean one, and from them the steps."""
        return Gains(np.diff(self._whole), np.diff(self._blocks, axis=0))

    def positions(self) -> Positions:
        """Against the clean frames."""
        return Positions(np.diff(self._at, axis=0), self._at, self._turns)

    def grain_pair(self, t: int) -> GrainPair:
        """What frame ``t`` has beyond the clean one, minus what the frame before has."""
        part = self._grain.slices
        flat: NDArray[np.bool_] = np.ones(self._grain.shape, bool)
        scenes = []
        for k in (t, t - 1):
            scene = self.luma[k][part].astype(np.float32) - self._rest[k][part]
            flat &= gradient(smooth(scene, 3)) < FLAT_FOR_GRAIN
            scenes.append(scene)
        difference = self._rest[t][part].astype(np.float32) - self._rest[t - 1][part].astype(np.float32)
        return GrainPair(difference, flat, smooth(scenes[0], 3))

    def triple(self, t: int) -> Triple:
        """The frame, and its scene with what the neighbours have beyond theirs."""
        part = self.region.slices
        frame = self.luma[t][part].astype(np.float32)
        scene = frame - self._rest[t][part].astype(np.float32)
        beyond = (self._rest[k][part].astype(np.float32) for k in (t - 1, t + 1))
        return Triple(frame, *(matched(scene + rest, frame) for rest in beyond))

    def lines(self, t: int, where: Region) -> Float:
        """What the film has beyond the clean frame."""
        return np.asarray(self._rest[t][where.slices], dtype=np.float32)


def _detail(picture: Float) -> Float:
    return smooth(picture, 1) - smooth(picture, 6)


def rising_curve(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
    """Medians of ``y`` in 64 bins of ``x`` (0..255), made to rise, at the levels 0 to 255.

    Example:
        >>> x = np.repeat(np.arange(0, 256), 40).astype(float)
        >>> curve = rising_curve(x, 30 + 0.7 * x)
        >>> bool(np.abs(curve - (30 + 0.7 * np.arange(256))).max() < 1.5)
        True
    """
    bins = np.clip(x / 256 * CURVE_BINS, 0, CURVE_BINS - 1).astype(int)
    order = np.argsort(bins, kind="stable")
    edges = np.searchsorted(bins[order], np.arange(CURVE_BINS + 1))
    at, level, weight = [], [], []
    for low, high in pairwise(edges):
        if high - low >= 20:
            chosen = order[low:high]
            at.append(float(np.median(x[chosen])))
            level.append(float(np.median(y[chosen])))
            weight.append(high - low)
    if len(at) < 2:
        return np.arange(256.0) if not at else np.full(256, level[0])
    rising = _isotonic(level, weight)
    slope = (rising[-1] - rising[0]) / max(at[-1] - at[0], 1)
    levels = np.arange(256.0)
    curve = np.interp(levels, at, rising)
    curve = np.where(levels < at[0], rising[0] + slope * (levels - at[0]), curve)
    curve = np.where(levels > at[-1], rising[-1] + slope * (levels - at[-1]), curve)
    return np.asarray(np.clip(curve, 0, 255), dtype=np.float64)


def _isotonic(values: list[float], weights: list[int]) -> NDArray[np.float64]:
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(np.array(values), weights=np.array(weights, dtype=float)).x)
