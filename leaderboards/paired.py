"""Paired tests: whether the clips at hand can tell two models apart.

Two models are compared clip by clip, on the differences of their figures. If they are equal, each difference could as well
have had the other sign, whatever its size: a test that turns signs needs to know nothing else of the law of the figures, and
with few clips every turning can be counted.

- :func:`sign_flip` tests the **mean** difference, which is what boards are ranked by. It decides.
- :func:`wilcoxon` tests the ranks of the differences; one clip far apart weighs no more than its rank. It stands beside, since
  reviewers ask for it. It may point the other way than the mean where a few clips make the mean.

With n clips neither can give a p below 2 / 2^n (:func:`smallest_p`): 5 clips can never tell two models apart at 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leaderboards.stats import SEED, mean_intervals, shares_of

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05
EXACT_CLIPS = 16
"""Up to so many clips all 2^(n - 1) turnings of signs are counted; beyond, :data:`FLIPS` are drawn."""
FLIPS = 49_999
EXACT_RANKS = 60
"""Up to so many differences the law of Wilcoxon's statistic is counted, ties and all; beyond, the normal law is used."""

_BLOCK = 8_192
_TIE = 1e-9


def smallest_p(clips: int) -> float:
    """The smallest two-sided p that a paired test of two models on so many clips can give: 2 / 2^n.

    Example:
        >>> smallest_p(5), smallest_p(6)
        (0.0625, 0.03125)
    """
    return min(1.0, 2.0 ** (1 - clips))


def sign_flip(differences: ArrayLike, flips: int = FLIPS, seed: int = SEED) -> NDArray[np.float64]:
    """Two-sided p of the mean difference under all turnings of signs, for many pairs of models at once.

    p is the share of turnings s ∈ {-1, 1}^n with |Σ s_i d_i| ≥ |Σ d_i|; exact up to 16 clips. Beyond, ``flips`` turnings are
    drawn and p = (1 + number as far out) / (1 + flips), which is never 0 and never too small on average.

    Args:
        differences: ``(pairs, clips)``; the same turnings serve all pairs.
        flips: drawn where not all are counted.
        seed: of the draws.

    Returns:
        One p per pair. 1 where all differences are 0; NaN where a difference is missing or infinite.

    Raises:
        ValueError: no table of two dimensions, or no clips.

    Source: Fisher, "The design of experiments" (1935), 21; p of drawn permutations: Phipson and Smyth, "Permutation p-values
    should never be zero" (2010).

    Example:
        >>> sign_flip([[1, 2, 3, 4], [1, -1, 1, -1]]).tolist()
        [0.125, 1.0]
    """
    data = _pairs(differences)
    clips = data.shape[1]
    good = np.isfinite(data).all(axis=1)
    rows = data[good]
    size = np.abs(rows).max(axis=1, keepdims=True, initial=0)
    rows = np.divide(rows, size, out=np.zeros_like(rows), where=size > 0)
    # Sums that are equal on paper differ by rounding: they count as equally far out.
    least = np.abs(rows.sum(axis=1)) - _TIE
    exact = clips <= EXACT_CLIPS
    further = np.zeros(len(rows))
    for signs in _all_signs(clips) if exact else _some_signs(clips, flips, seed):
        further += (np.abs(rows @ signs.T) >= least[:, None]).sum(axis=1)
    out = np.full(len(data), np.nan)
    out[good] = further / 2 ** (clips - 1) if exact else (1 + further) / (1 + flips)
    return out


def _pairs(differences: ArrayLike) -> NDArray[np.float64]:
    data = np.asarray(differences, dtype=np.float64)
    if data.ndim != 2 or data.shape[1] == 0:
        raise ValueError(
            f"Differences are a table (pairs, clips) with one clip at least; this has the shape {data.shape}."
        )
    return data


def _all_signs(clips: int) -> Iterator[NDArray[np.float64]]:
    """Half of all turnings: the other half only turns the sign of the sum, which a two-sided test does not see."""
    for start in range(0, 2 ** (clips - 1), _BLOCK):
        number = np.arange(start, min(start + _BLOCK, 2 ** (clips - 1)))
        yield 1.0 - 2.0 * ((number[:, None] >> np.arange(clips)) & 1).astype(np.float64)


def _some_signs(clips: int, flips: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, flips, _BLOCK):
        drawn = generator.integers(0, 2, size=(min(_BLOCK, flips - start), clips), dtype=np.int8)
        yield 1.0 - 2.0 * drawn.astype(np.float64)


def wilcoxon(differences: ArrayLike) -> NDArray[np.float64]:
    """Two-sided p of Wilcoxon's signed-rank test, for many pairs of models.

    Clips without a difference are left out, equal differences share the mean of their ranks, and W is the sum of the ranks
    with a positive sign. Up to 60 differences p is exact, with ties too: the number of turnings of signs for each value of W
    is counted. Beyond, W is taken as normal with mean m (m + 1) / 4 and variance Σ r_i² / 4.

    Args:
        differences: ``(pairs, clips)``; an infinite difference is larger than any finite one.

    Returns:
        One p per pair; 1 where all differences are 0, NaN where one is missing.

    Raises:
        ValueError: no table of two dimensions, or no clips.

    Source: Wilcoxon, "Individual comparisons by ranking methods" (1945); equal differences: Pratt and Gibbons, "Concepts of
    nonparametric theory" (1981), 3.6.

    Example:
        >>> wilcoxon([[1, 2, 3, 4, 5, -6], [1, 1, 1, -1, 0, 0]]).round(5).tolist()
        [0.4375, 0.625]
    """
    return np.array([_wilcoxon(row) for row in _pairs(differences)])


def _wilcoxon(row: NDArray[np.float64]) -> float:
    from scipy.special import ndtr
    from scipy.stats import rankdata

    if np.isnan(row).any():
        return float("nan")
    row = row[row != 0]
    if len(row) == 0:
        return 1.0
    twice = (2 * rankdata(np.abs(row))).astype(np.int64)  # whole numbers: ties give halves
    total = int(twice.sum())
    positive = int(twice[row > 0].sum())
    if len(row) > EXACT_RANKS:
        spread = np.sqrt(float((twice.astype(np.float64) ** 2).sum()) / 4)
        return float(2 * ndtr(-abs(positive - total / 2) / spread))
    ways = np.zeros(total + 1)
    ways[0] = 1.0
    for rank in twice:
        ways[rank:] += ways[:-rank].copy()
    tail = min(positive, total - positive)
    return float(min(1.0, 2 * ways[: tail + 1].sum() / 2.0 ** len(row)))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """p values adjusted for being several: rejecting where they are at most 5 % is wrong anywhere in at most 5 % of boards.

    The i-th smallest of m becomes max over j ≤ i of (m - j + 1) p_(j), at most 1. NaN (no test) stays NaN and is not counted.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    Example:
        >>> holm([0.01, 0.04, 0.03, float("nan")]).tolist()
        [0.03, 0.06, 0.06, nan]
    """
    data = np.asarray(p, dtype=np.float64)
    out = np.full(data.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(data))
    order = tested[np.argsort(data[tested], kind="stable")]
    adjusted = np.maximum.accumulate(data[order] * np.arange(len(order), 0, -1))
    out[order] = np.minimum(adjusted, 1.0)
    return out


def weighted_mean(figures: NDArray[np.float64], weights: ArrayLike | None) -> float:
    """Mean over clips; infinite where one is infinite, whatever it weighs, and NaN where two are in both directions."""
    shares = shares_of(weights, len(figures))
    with np.errstate(invalid="ignore"):
        return float(figures.mean()) if shares is None else float((figures * shares).sum())


def by_mean(
    figures: pd.DataFrame, higher: bool, weights: ArrayLike | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Columns (models) with a figure for every clip, best mean first and equal means by name, and why others are left out.

    Args:
        figures: one clip per row, one model per column; NaN where a model has no figure.
        higher: whether more is better.
        weights: one per clip, above 0, where clips do not weigh the same.

    Raises:
        ValueError: no clips, or two columns of one name; weights are not one positive number per clip.

    Example:
        >>> import pandas as pd
        >>> ranked, out = by_mean(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "c": [5.0, None]}), higher=True)
        >>> list(ranked.columns), out
        (['b', 'a'], {'c': '1 of 2 clips missing (1)'})
    """
    if len(figures) == 0:
        raise ValueError("There are no clips: a table of figures needs one row per clip.")
    if not figures.columns.is_unique:
        twice = sorted({str(c) for c in figures.columns[figures.columns.duplicated()]})
        raise ValueError(f"Models need different names; more than one column is called {', '.join(twice)}.")
    out: dict[str, str] = {}
    means: dict[str, float] = {}
    for name in figures.columns:
        column = figures[name].to_numpy(dtype=np.float64)
        missing = np.flatnonzero(np.isnan(column))
        if len(missing):
            which = ", ".join(str(figures.index[i]) for i in missing[:3]) + (", …" if len(missing) > 3 else "")
            out[name] = f"{len(missing)} of {len(column)} clips missing ({which})"
        elif np.isposinf(column).any() and np.isneginf(column).any():
            out[name] = "its figures are infinite in both directions, so it has no mean"
        else:
            means[name] = weighted_mean(column, weights)
    order = sorted(means, key=lambda name: (-means[name] if higher else means[name], str(name)))
    return figures[order].astype(np.float64), out


def neighbours(figures: pd.DataFrame, higher: bool = True, weights: ArrayLike | None = None) -> pd.DataFrame:
    """Every model against the next one in rank.

    Args:
        figures: one clip per row, one model per column. Models with a missing clip (NaN) have no rank and no neighbours.
        higher: whether more is better.
        weights: one per clip, above 0, where clips do not weigh the same. Signs are then turned of weighted differences;
            Wilcoxon's test, which is of ranks, knows of no weights.

    Returns:
        One row per pair of neighbours, best first: ``better``, ``worse``; ``difference`` (mean over clips, better minus
        worse), its 95 % interval ``low`` and ``high``, and how that was made (``method``); ``p`` of the sign-flip test and
        ``p_holm``, corrected over all pairs of neighbours; ``p_wilcoxon`` and ``p_wilcoxon_holm``; ``apart``: whether
        ``p_holm`` is at most 5 %. Where a figure is infinite there is no mean to test: NaN, and ``apart`` is false.

    Example:
        >>> import pandas as pd
        >>> clips = pd.DataFrame({"a": [1, 2, 3, 4, 5, 6], "b": [2, 3, 4, 5, 6, 8], "c": [2, 3, 4, 6, 6, 7]})
        >>> neighbours(clips)[["better", "worse", "difference", "p", "p_holm", "apart"]].round(3)
          better worse  difference      p  p_holm  apart
        0      b     c       0.000  1.000   1.000  False
        1      c     a       1.167  0.031   0.062  False
    """
    import pandas as pd

    ranked, _ = by_mean(figures, higher, weights)
    names = list(ranked.columns)
    data = ranked.to_numpy().T
    with np.errstate(invalid="ignore"):
        differences = np.where(data[:-1] == data[1:], 0.0, data[:-1] - data[1:])
    pairs = len(names) > 1
    intervals = mean_intervals(differences, weights=weights) if pairs else []
    shares = shares_of(weights, len(figures))
    p = sign_flip(differences if shares is None else differences * shares) if pairs else np.empty(0)
    ranks = wilcoxon(differences) if pairs else np.empty(0)
    corrected = holm(p)
    means = np.array([weighted_mean(row, weights) for row in differences])
    return pd.DataFrame(
        {
            "better": names[:-1],
            "worse": names[1:],
            "difference": means,
            "low": np.array([np.nan if i.low is None else i.low for i in intervals]),
            "high": np.array([np.nan if i.high is None else i.high for i in intervals]),
            "method": [i.method for i in intervals],
            "p": p,
            "p_holm": corrected,
            "p_wilcoxon": ranks,
            "p_wilcoxon_holm": holm(ranks),
            "apart": corrected <= ALPHA,
        }
    )
