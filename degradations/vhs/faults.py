"""Local faults of a tape: dropouts, bands of mistracking, and the noise where the heads switch.

Each takes the planes of a frame, luma and U, V ``(3, H, W)`` or luma alone, and draws into them and into a mask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from degradations.vhs.signal import Plane

SHORTEST_US = 0.5
"""No dropout is shorter: the level of the tape cannot fall faster ("Dropout origins, concealment and compensator
comparison", a service article in the Internet Archive, which has counts falling with length from 1 to 2 us on)."""

LONGEST_LINES = 3.0
"""No dropout here is longer than this many lines: ours."""


@dataclass(frozen=True)
class Dropout:
    """A gap in the signal: it begins at pixel ``x`` of ``row`` and lasts ``length`` pixels, on the next line of the
    field where the line ends; ``filled`` by the line above, or a streak of this ``level``."""

    row: int
    x: int
    length: int
    filled: bool
    level: float


def draw_dropouts(
    generator: np.random.Generator,
    mean: float,
    burst: float,
    median_us: float,
    filled: float,
    size: tuple[int, int],
    us: float,
) -> list[Dropout]:
    """Dropouts of one frame of ``size`` (H, W), from the top.

    Args:
        mean, burst: mean number, and variance over mean of the number (negative binomial).
        median_us: median length in microseconds; its logarithm has a standard deviation of 0.8 (ours).
        filled: share that is filled by the line above.
        us: microseconds of a pixel.
    """
    if mean <= 0:
        return []
    count = int(generator.negative_binomial(mean / (burst - 1), 1 / burst))
    height, width = size
    out = []
    for _ in range(count):
        lasts = np.clip(
            median_us * math.exp(0.8 * generator.standard_normal()), SHORTEST_US, LONGEST_LINES * width * us
        )
        out.append(
            Dropout(
                row=int(generator.integers(height)),
                x=int(generator.integers(width)),
                length=max(1, round(float(lasts) / us)),
                filled=bool(generator.random() < filled),
                # The limiter's noise is mostly above white, and black where it falls below the carrier of the sync.
                level=1.05 if generator.random() < 0.85 else -0.05,
            )
        )
    return sorted(out, key=lambda d: (d.row, d.x))


def drop_out(planes: Plane, mask: Plane, dropouts: list[Dropout], us: float, generator: np.random.Generator) -> None:
    """Draw dropouts into the planes of a frame and, where they are, 1 into the mask ``(H, W)``."""
    height, width = mask.shape
    edge = max(1, round(0.25 / us))
    for gap in dropouts:
        row, x, left = gap.row, gap.x, gap.length
        while left > 0 and row < height:
            stop = min(x + left, width)
            part = slice(x, stop)
            if gap.filled and row >= 2:
                planes[:, row, part] = planes[:, row - 2, part]
                if left == gap.length:
                    # The compensator takes a moment to notice.
                    planes[0, row, x : min(x + edge, stop)] = 0.5 * (planes[0, row, x] + gap.level)
            else:
                _streak(planes, row, x, stop, gap.level, us, generator)
            mask[row, part] = 1.0
            left -= stop - x
            row, x = row + 2, 0


def _streak(
    planes: Plane, row: int, start: int, stop: int, level: float, us: float, generator: np.random.Generator
) -> None:
    count = stop - start
    rough = gaussian_filter1d(generator.standard_normal(count), 0.08 / us + 0.3, mode="nearest")
    place = (np.arange(count) + 0.5) * us
    # It comes at once and goes more slowly: the demodulator has to find the carrier again.
    cover = np.clip(place / 0.12, 0, 1) * np.clip((count * us - place) / min(1.2, 0.6 * count * us), 0, 1)
    value = level + 0.18 * rough * (1 if level < 0.5 else -1)
    planes[0, row, start:stop] += (cover * (value - planes[0, row, start:stop])).astype(np.float32)
    planes[1:, row, start:stop] *= (1 - cover).astype(np.float32)


@dataclass(frozen=True)
class Band:
    """A band of mistracking: its centre and its height, in rows."""

    centre: float
    height: float

    def envelope(self, height: int) -> NDArray[np.float64]:
        """How much each row is in it, 0 to 1, soft over a quarter of it at either side."""
        away = np.abs(np.arange(height) - self.centre) / (self.height / 2)
        return np.asarray(np.clip((1 - away) / 0.5, 0, 1))


def mistrack(
    planes: Plane, mask: Plane, band: Band, strength: float, us: float, generator: np.random.Generator
) -> None:
    """Draw a band of mistracking: the head is between two tracks, so luma breaks up into streaks of noise and colour
    is lost; ``strength`` 0 to 1 is how much."""
    height, width = mask.shape
    envelope = strength * band.envelope(height)
    rows = np.flatnonzero(envelope > 0)
    if not len(rows):
        return
    level = envelope[rows, None]
    shape = (len(rows), width)
    # Long streaks that break off, coarse and fine noise: lengths in microseconds along the line, ours.
    long = _along(generator, shape, 2.5 / us)
    fine = _along(generator, shape, 0.12 / us)
    lines = generator.standard_normal((len(rows), 1))
    broken = 1 / (1 + np.exp(-4 * (long + 0.5 * lines + 2.6 * level - 1.7)))
    cover = np.clip(broken * np.sqrt(level), 0, 1)
    luma = planes[0, rows]
    noise = 0.62 + 0.34 * fine + 0.12 * long
    planes[0, rows] = (luma + cover * (noise - luma)).astype(np.float32)
    planes[1:, rows] *= (1 - np.clip(1.3 * level, 0, 1)).astype(np.float32)
    mask[rows] = np.maximum(mask[rows], np.maximum(cover, np.clip(1.3 * level, 0, 1)).astype(np.float32))


def _along(generator: np.random.Generator, shape: tuple[int, int], length: float) -> NDArray[np.float32]:
    """Noise of standard deviation 1 that is smooth over ``length`` pixels of a line."""
    noise = generator.standard_normal(shape, dtype=np.float32)
    size = max(1, round(length))
    smooth = uniform_filter1d(uniform_filter1d(noise, size, axis=1, mode="wrap"), size, axis=1, mode="wrap")
    spread = float(smooth.std())
    return np.asarray(smooth / spread if spread else smooth, dtype=np.float32)


def switch_heads(planes: Plane, mask: Plane, switched: int, us: float, generator: np.random.Generator) -> None:
    """Noise at the last lines of each field, where the signal goes over from one head to the other.

    The first of these lines breaks up from a point on (the switch is not at the beginning of a line), the rest have
    little colour and more noise.
    """
    height, width = mask.shape
    if not switched:
        return
    for parity in range(min(2, height)):
        rows = np.arange(parity, height, 2)[-switched:]
        noise = _along(generator, (len(rows), width), 0.15 / us)
        planes[0, rows] += np.float32(0.05) * noise
        planes[1:, rows] *= np.float32(0.6)
        burst = int(generator.uniform(0.1, 0.7) * width)
        lasts = max(2, round(generator.uniform(3, 9) / us))
        part = slice(burst, min(burst + lasts, width))
        planes[0, rows[0], part] = 0.55 + 0.4 * noise[0, part]
        planes[1:, rows[0], part] = 0
        mask[rows] = 1.0
