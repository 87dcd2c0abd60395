"""Uncertainty over clips: how far a mean may be trusted, and how it was found out.

The clips of a board are taken as a sample of the clips that one might have chosen. All intervals here are of a mean over
clips, for one figure per clip, and all samples of equal length share the same resamples, so that intervals of models and
metrics side by side do not differ by the luck of the draw.

**Which interval, and why.** Of 4,000 samples per figure, the share in per cent whose 95 % interval holds the true mean (93.5
to 96.5 was asked for), with the figures on clips normal, skewed (exp of a normal with σ = 1/2), and very skewed (exponential):

=====  ====================  ====================  ======================
clips  Student's t           BCa bootstrap         studentised bootstrap
=====  ====================  ====================  ======================
5      95.5  91.0  87.6      84.6  80.8  79.8      95.0  92.9  92.3
8      94.7  92.3  89.8      88.4  87.0  86.1      95.1  94.5  93.9
12     94.8  92.4  90.2      90.8  89.4  88.8      95.1  94.5  94.3
20     95.2  93.5  91.4      92.8  91.5  91.2      95.3  94.8  94.7
30     94.9  93.5  93.0      93.4  92.3  93.0      95.0  94.3  95.3
100    95.3  94.6  94.3      94.7  94.6  93.9      95.5  94.9  94.8
=====  ====================  ====================  ======================

BCa is too short for the number of clips that data sets of video have. The studentised bootstrap keeps its promise from 5 clips
on, for 1.29 times the length of Student's t at 5 clips, 1.08 at 8 and 1.03 at 20 (a flat law: 96 to 97; heavy tails, t with 5
degrees: 93 to 95). It is used from 5 clips on, Student's t for 3 and 4, and nothing below. No method knows of what no clip
shows: where one clip in ten is quite unlike the others, ten clips often hold none of that kind, and every interval is too
short.

**Clips that weigh by their frames** (a mean over all frames of all clips) are a ratio of two sums that both depend on which
clips were drawn: m = Σ w_i x_i / Σ w_i. Its standard error is that of the linearised ratio, se² = Σ h_i² (x_i - m)² / (1 - h_i)
with h_i = w_i / Σ w; 1 - h_i makes up for the pull that a heavy clip has on its own m (for equal weights all this is the usual
s / √n). The studentised bootstrap draws clips with their weights and takes the ratio and its error anew in every resample.
Coverage as above, with numbers of frames from 60 exp(normal, σ) and figures normal, skewed, or normal and correlated (0.5) with
the logarithm of the number of frames:

=====  ====================  ====================
clips  σ = 0.3               σ = 0.7
=====  ====================  ====================
5      93.8  92.8  94.7      93.5  92.2  91.5
8      95.0  93.8  94.4      94.0  92.5  91.5
12     94.3  93.6  94.4      93.4  92.5  91.8
20     94.8  94.5  94.4      94.0  93.3  93.2
30     94.9  94.2  95.0      94.0  93.2  93.0
100    95.2  95.0  94.9      94.9  94.1  94.3
=====  ====================  ====================

(The plain bootstrap of the linearised figures m + n h_i (x_i - m), which takes the weights of the sample for given, covers 89
% at σ = 0.7 and 8 to 12 clips.) Where one clip holds most of the frames, no method can make up for the others.

Source: Cochran, "Sampling techniques" (1977), 6.4 and 6.17 (ratio estimates); 1 - h_i: MacKinnon and White, "Some
heteroskedasticity-consistent covariance matrix estimators" (Journal of Econometrics 1985).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 20_170_617
FEWEST_FOR_BOOTSTRAP = 5
"""Below so many clips too many resamples hold one clip only; Student's t is used instead."""
FEWEST = 3
LONGEST = 2.0
"""No end of a studentised interval is further from the mean than this many times Student's t. Where one clip stands far
apart from all others, or most are equal, resamples without it have next to no spread and the end runs off to infinity; the
limit takes less than one per cent off the coverage in the table above."""

_BLOCK = 1_000
_KEPT = 4_000_000
_SPREAD = 1e-12


@dataclass(frozen=True)
class Interval:
    """A 95 % interval of a mean over clips; ``low`` and ``high`` are None where there is none, and ``method`` says why."""

    low: float | None
    high: float | None
    method: str


def mean_interval(values: ArrayLike) -> Interval:
    """95 % interval of the mean of one figure per clip; see :func:`mean_intervals`.

    Example:
        >>> i = mean_interval([1.0, 2.0, 3.0])
        >>> round(i.low, 3), round(i.high, 3), i.method
        (-0.484, 4.484, "Student's t")
    """
    return mean_intervals([np.asarray(values, dtype=np.float64)])[0]


def mean_intervals(
    samples: ArrayLike, resamples: int = RESAMPLES, seed: int = SEED, weights: ArrayLike | None = None
) -> list[Interval]:
    """95 % intervals of the means of many samples at once, on the same resamples.

    The studentised bootstrap from 5 clips on, Student's t for 3 and 4 (why: see the module). None where there are fewer
    than 3 clips, where a clip has no figure (NaN), or where a figure is infinite; ``method`` says so in words. A sample of
    equal figures has an interval of no length.

    Args:
        samples: ``(samples, clips)``: one row per model and metric.
        resamples: how often clips are drawn again.
        seed: of the draws; the same seed gives the same interval, whatever other samples are asked for with it (to rounding).
        weights: one per clip, above 0, where clips do not weigh the same (see the module).

    Raises:
        ValueError: ``samples`` is not a table of two dimensions, or ``weights`` are not one positive number per clip.

    Example:
        >>> [i.method for i in mean_intervals([[1, 2, 3, 4, 6], [3, 3, 3, 3, 3]])]
        ['studentised bootstrap', 'all clips equal']
        >>> mean_intervals([[1.0, float("nan"), 2.0]])[0].method
        'none: no figure for 1 of 3 clips'
    """
    data = np.asarray(samples, dtype=np.float64)
    if data.ndim != 2:
        raise ValueError(f"Samples are a table (samples, clips); this has the shape {data.shape}.")
    clips = data.shape[1]
    shares = shares_of(weights, clips)
    found = [_without(row) for row in data]
    open_rows = [i for i, interval in enumerate(found) if interval is None]
    if open_rows:
        rows = data[open_rows]
        if clips < FEWEST_FOR_BOOTSTRAP:
            ends, limited = student(rows, shares), np.zeros(len(rows), dtype=bool)
            name = "Student's t"
        else:
            ends, limited = _studentised(rows, resamples, seed, shares)
            name = "studentised bootstrap"
        for i, (low, high), short in zip(open_rows, ends, limited, strict=True):
            found[i] = Interval(float(low), float(high), f"{name}, limited to {LONGEST:g} times t" if short else name)
    return [interval for interval in found if interval is not None]


def _without(row: NDArray[np.float64]) -> Interval | None:
    """The interval of a sample that needs no method, or that can have none."""
    clips, missing = len(row), int(np.isnan(row).sum())
    if missing:
        return Interval(None, None, f"none: no figure for {missing} of {clips} clips")
    if np.isinf(row).any():
        return Interval(None, None, "none: a clip's figure is infinite")
    if clips < FEWEST:
        return Interval(None, None, f"none: {clips} clip{'' if clips == 1 else 's'}, at least {FEWEST} are needed")
    if np.ptp(row) == 0:
        return Interval(float(row[0]), float(row[0]), "all clips equal")
    return None


def shares_of(weights: ArrayLike | None, clips: int) -> NDArray[np.float64] | None:
    """Weights of clips as shares of 1; None where all weigh the same.

    Raises:
        ValueError: they are not one finite number above 0 per clip.
    """
    if weights is None:
        return None
    found = np.asarray(weights, dtype=np.float64)
    if found.shape != (clips,) or not np.isfinite(found).all() or (found <= 0).any():
        raise ValueError(
            f"Weights are one finite number above 0 for each of {clips} clips; these are {found.tolist()}."
        )
    return None if clips == 0 or np.ptp(found) == 0 else found / found.sum()


def mean_error(
    data: NDArray[np.float64], shares: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means over the last axis, and their standard errors (see the module).

    Args:
        data: ``(..., clips)``, finite, 2 clips or more.
        shares: of clips, sum 1; None where all weigh the same.

    Example:
        >>> import numpy as np
        >>> [round(float(x), 3) for x in mean_error(np.array([1.0, 2.0, 6.0]), np.array([0.25, 0.25, 0.5]))]
        [3.75, 1.848]
    """
    clips = data.shape[-1]
    if shares is None:
        return data.mean(axis=-1), data.std(axis=-1, ddof=1) / np.sqrt(clips)
    mean = data @ shares
    return mean, np.sqrt((data - mean[..., None]) ** 2 @ (shares**2 / (1 - shares)))


def student(data: NDArray[np.float64], shares: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Student's intervals of means: mean ± t(0.975; n - 1) se.

    Args:
        data: ``(samples, clips)``, finite, 2 clips or more.
        shares: of clips, sum 1, where they do not weigh the same.

    Returns:
        ``(samples, 2)``: lower and upper end.

    Source: Student, "The probable error of a mean" (Biometrika 1908).
    """
    mean, error = mean_error(data, shares)
    half = _quantile(data.shape[1]) * error
    return np.stack([mean - half, mean + half], axis=1)


def _quantile(clips: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(clips - 1, 0.5 + LEVEL / 2))


def studentised(data: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.float64]:
    """Studentised ("bootstrap-t") intervals of the means of many samples at once.

    Every resample gives t* = (mean* - mean) / se*, with se* the standard error within the resample. The interval is from
    mean - t*(0.975) se to mean - t*(0.025) se: where resamples lean to one side, the interval leans to the other. No end is
    further from the mean than twice that of Student's t (:data:`LONGEST`).

    Args:
        data: ``(samples, clips)``, finite, 2 clips or more, no row of equal figures.

    Returns:
        ``(samples, 2)``: lower and upper end.

    Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), 12.5; order of the error: Hall, "Theoretical
    comparison of bootstrap confidence intervals" (Annals of Statistics 1988).

    Example:
        >>> import numpy as np
        >>> studentised(np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 30.0]])).round(1)
        array([[ 0.3, 30.8]])
    """
    return _studentised(data, resamples, seed)[0]


def _studentised(
    data: NDArray[np.float64], resamples: int, seed: int, shares: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Ends, and whether one of them was limited."""
    count, clips = data.shape
    mean, error = mean_error(data, shares)
    most = LONGEST * _quantile(clips) * error
    # In units of the sample's own spread, so that "no spread within a resample" means the same for dB and for 1e-6.
    apart = (data - mean[:, None]) / (error[:, None] * np.sqrt(clips))
    t = np.empty((count, resamples))
    at = 0
    for drawn in _draws(clips, resamples, seed):
        shift, spread = _resampled(apart, drawn, shares)
        flat = spread < _SPREAD
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = shift / np.sqrt(spread / (clips - 1))
        # All clips of a resample alike: infinitely far off, or in the very middle.
        ratio[flat] = np.where(np.abs(shift[flat]) < _SPREAD, 0.0, np.copysign(np.inf, shift[flat]))
        t[:, at : at + len(drawn)] = ratio
        at += len(drawn)
    tail = max(int((resamples + 1) * (1 - LEVEL) / 2) - 1, 0)
    t.partition((tail, resamples - 1 - tail), axis=1)
    down, up = t[:, resamples - 1 - tail] * error, -t[:, tail] * error
    limited = (down > most) | (up > most)
    return np.stack([mean - np.minimum(down, most), mean + np.minimum(up, most)], axis=1), limited


def _resampled(
    apart: NDArray[np.float64], drawn: NDArray[np.float64], shares: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means within resamples, and (n - 1) times their squared standard errors."""
    clips = apart.shape[1]
    if shares is None:
        shift = apart @ drawn.T / clips
        return shift, (apart**2) @ drawn.T / clips - shift**2
    own = shares / (drawn @ shares)[:, None]  # of each clip, once, within the resample
    shift = apart @ (drawn * own).T
    # A resample of one clip alone has no spread; what it is divided by does not matter.
    pull = drawn * own**2 / np.maximum(1 - own, _SPREAD)
    squares = (apart**2) @ pull.T - 2 * shift * (apart @ pull.T) + shift**2 * pull.sum(axis=1)
    return shift, (clips - 1) * squares


def bca(data: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.float64]:
    """BCa intervals of the means of many samples at once, for tables that must state this method.

    The boards use :func:`studentised`: BCa covers 84 % instead of 95 at 5 clips and 93 at 30.

    Args:
        data: ``(samples, clips)``, finite, 2 clips or more; every row is resampled with the same clips.

    Returns:
        ``(samples, 2)``: lower and upper end.

    Source: Efron, "Better bootstrap confidence intervals" (JASA 1987); acceleration by the jackknife.
    """
    from scipy.special import ndtr, ndtri

    count, clips = data.shape
    observed = data.mean(axis=1)
    means = np.concatenate([data @ drawn.T / clips for drawn in _draws(clips, resamples, seed)], axis=1)
    means.sort(axis=1)
    below = ((means < observed[:, None]).sum(axis=1) + 0.5 * (means == observed[:, None]).sum(axis=1)) / resamples
    bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    left_out = (data.sum(axis=1, keepdims=True) - data) / (clips - 1)
    apart = left_out.mean(axis=1, keepdims=True) - left_out
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = (apart**3).sum(axis=1) / (6 * (apart**2).sum(axis=1) ** 1.5)
    skew = np.nan_to_num(skew)
    out = np.empty((count, 2))
    rows = np.arange(count)
    for column, tail in enumerate(((1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2)):
        shifted = bias + ndtri(tail)
        share = ndtr(bias + shifted / (1 - skew * shifted))
        place = share * (resamples - 1)
        lower = np.floor(place).astype(int)
        upper = np.minimum(lower + 1, resamples - 1)
        weight = place - lower
        out[:, column] = (1 - weight) * means[rows, lower] + weight * means[rows, upper]
    return out


def _draws(clips: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each clip is in each resample: ``(at most 1000, clips)`` at a time, the same for the same arguments."""
    if clips * resamples <= _KEPT:
        yield from _kept(clips, resamples, seed)
    else:
        for block in range(0, resamples, _BLOCK):
            yield _block(clips, block, min(_BLOCK, resamples - block), seed)


@lru_cache(maxsize=1)
def _kept(clips: int, resamples: int, seed: int) -> tuple[NDArray[np.float64], ...]:
    """Small draws are kept: a board asks for intervals of as many clips again and again."""
    return tuple(_block(clips, block, min(_BLOCK, resamples - block), seed) for block in range(0, resamples, _BLOCK))


def _block(clips: int, block: int, count: int, seed: int) -> NDArray[np.float64]:
    generator = np.random.default_rng([seed, block])
    drawn = generator.integers(0, clips, size=(count, clips)) + np.arange(count)[:, None] * clips
    return np.bincount(drawn.ravel(), minlength=count * clips).reshape(count, clips).astype(np.float64)
