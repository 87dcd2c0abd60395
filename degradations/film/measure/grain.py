"""Grain: how strong, how heavy-tailed and how coarse what changes from frame to frame is where nothing moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from degradations.film.measure.luma import Float, Region, robust_std
from degradations.film.measure.scene import Scene, smooth

BIN = 32
FEWEST = 200
"""Pixels below which a pair of frames, or a bin of one, says nothing."""
LAGS = (1, 2, 3)
MOST_PAIRS = 60
"""Pairs of frames looked at, evenly spread over the clip; more do not change the figures."""
BANDS = ((1 / 64, 1 / 32), (1 / 32, 1 / 16), (1 / 16, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 3 / 8), (3 / 8, 1 / 2))
"""Of the spectrum, cycles per pixel; the first is the reference."""


class Noise:
    """What pairs of frames show, from which the figures follow."""

    def __init__(self) -> None:
        self.pixels = 0
        """How many differences were looked at."""
        self._counts = np.zeros(256 // BIN)
        self._stds: list[float] = []
        self._bins: list[list[float]] = [[] for _ in self._counts]
        self._kurtoses: list[float] = []
        self._power = 0.0
        self._products = np.zeros((2, len(LAGS)))
        self._product_counts = np.zeros((2, len(LAGS)))

    def add(self, scene: Scene, t: int) -> None:
        """One pair of frames: ``t`` and the one before."""
        difference, flat, level = scene.grain_pair(t)
        if flat.sum() < FEWEST:
            return
        noise = (difference - smooth(difference, 8)) / np.float32(np.sqrt(2))
        spread = robust_std(noise[flat])
        flat = flat & (np.abs(noise) <= 4 * spread)
        chosen = noise[flat].astype(np.float64)
        self.pixels += len(chosen)
        self._stds.append(spread)
        self._power += float((chosen**2).sum())
        if (power := float((chosen**2).mean())) > 0:
            self._kurtoses.append(float((chosen**4).mean()) / power**2)
        bins = np.clip(level[flat] / BIN, 0, len(self._counts) - 1).astype(int)
        counts = np.bincount(bins, minlength=len(self._counts))
        self._counts += counts
        for k in np.flatnonzero(counts >= FEWEST):
            self._bins[k].append(robust_std(chosen[bins == k]))
        masked = np.where(flat, noise, np.float32(0))
        for i, lag in enumerate(LAGS):
            self._products[0, i] += float((masked[lag:] * masked[:-lag]).sum(dtype=np.float64))
            self._products[1, i] += float((masked[:, lag:] * masked[:, :-lag]).sum(dtype=np.float64))
            self._product_counts[0, i] += np.count_nonzero(flat[lag:] & flat[:-lag])
            self._product_counts[1, i] += np.count_nonzero(flat[:, lag:] & flat[:, :-lag])

    @property
    def std(self) -> float:
        """Robust standard deviation of a pair of frames, levels (median over pairs)."""
        return float(np.median(self._stds)) if self._stds else float("nan")

    def by_level(self, share: float = 0.004) -> list[float]:
        """The same in bins of 32 levels; NaN in bins that hold less than this share of the pixels."""
        enough = self._counts >= share * max(self.pixels, 1)
        return [
            float(np.median(found)) if found and ok else float("nan")
            for found, ok in zip(self._bins, enough, strict=True)
        ]

    @property
    def of_midtones(self) -> float:
        """At level 64 and above, where grain is at its full strength: bins weighted by their pixels. Of a clip that is
        nearly all shadow, the figure of all pixels."""
        levels = np.array(self.by_level())
        known = np.isfinite(levels) & (np.arange(len(levels)) * BIN >= 64)
        if self._counts[known].sum() < 0.05 * max(self.pixels, 1):
            return self.std
        return float(np.average(levels[known], weights=self._counts[known]))

    @property
    def kurtosis(self) -> float:
        """Of a pair's differences inside 4 robust standard deviations (median over pairs); 2.97 for a Gaussian."""
        return float(np.median(self._kurtoses)) if self._kurtoses else float("nan")

    def correlation(self, axis: int) -> list[float]:
        """Autocorrelation at 1, 2 and 3 pixels, along rows of pixels (axis 1) or columns (axis 0)."""
        if not self._power:
            return [float("nan")] * len(LAGS)
        return [
            float(p / n / (self._power / self.pixels)) if n else float("nan")
            for p, n in zip(self._products[axis], self._product_counts[axis], strict=True)
        ]


def noise_of(scene: Scene) -> Noise:
    """The sums over pairs of frames of a clip."""
    pairs = np.arange(1, len(scene.luma))
    if len(pairs) > MOST_PAIRS:
        pairs = pairs[np.linspace(0, len(pairs) - 1, MOST_PAIRS).astype(int)]
    found = Noise()
    for t in pairs:
        found.add(scene, int(t))
    return found


def spectrum_of(luma: NDArray[np.uint8], region: Region) -> list[float]:
    """Power of the frames in octaves of spatial frequency, dB over the octave 1/64..1/32 cycles per pixel."""
    from scipy import fft

    rows, columns = (np.hanning(n + 2)[1:-1] for n in region.shape)
    window = (rows[:, None] * columns[None]).astype(np.float32)
    y, x = fft.fftfreq(region.shape[0]), fft.rfftfreq(region.shape[1])
    radius = np.hypot(y[:, None], x[None])
    frames = luma[np.linspace(0, len(luma) - 1, min(len(luma), 12)).astype(int)]
    power: Float = np.zeros(radius.shape, np.float32)
    for frame in frames:
        plain = frame[region.slices].astype(np.float32)
        power += np.abs(fft.rfft2((plain - plain.mean()) * window)) ** 2
    means = [float(power[(radius >= low) & (radius < high)].mean()) for low, high in BANDS]
    return [10 * float(np.log10(max(mean, 1e-9) / max(means[0], 1e-9))) for mean in means[1:]]
