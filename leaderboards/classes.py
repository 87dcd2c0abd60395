"""Rank classes: models that the clips at hand cannot tell apart share a rank; and what these clips could tell apart.

**The test.** All pairs of models are compared at once. For each pair, t is the mean of the paired differences over its
standard error. If all models were equal, the figures that they have on a clip could as well stand in any other order; so the
figures are put in random order within each clip, again and again, and each time the largest |t| over all pairs is noted. A
pair is told apart if at most 5 % of these largest values reach its own |t|.

Why this one:

- The chance that **any** of the pairs of a board of equal models is called apart is at most 5 % by construction,
  whatever the law of the figures; no correction for the number of pairs has to be paid on top, since the largest |t|
  knows of all pairs and of how alike the models are. Holm's correction over the 190 pairs of 20 models would need 13
  clips before anything can be told apart.
- Dividing by each pair's own standard error keeps a pair of equal models safe where others are far away. Simulated
  (2,000 boards each; 2, 4 and 10 models; 3, 5, 8 and 20 clips): all models equal, 0 to 5.8 % of boards with a false
  call, 5.0 on average where one is possible (372,000 boards of 8 models on 8 clips: 5.10 ± 0.04 %, of 4 on 5: 4.95 ±
  0.04 %, one standard error); half of the models equal and the others far above, 0.1 to 1.9 %; those others also a
  hundred times as noisy, 1.2 to 5.7 %. It is a test of equal models, not of equal means only: where 4 or 10 models have
  equal means but spreads from 1 to 30, 7 to 13 % of boards have a false call at 3 to 8 clips, 5 to 7 % at 20.
- With two models it is the exact sign-flip test of the mean (:func:`leaderboards.paired.sign_flip`).
- Where clips weigh by their frames, mean and standard error of a pair are those of the ratio (:mod:`leaderboards.stats`), in
  the figures at hand and in every order of them: the test stays exact.

The tests between neighbours (:func:`leaderboards.paired.neighbours`) are another family, with another correction: they ask less
at once, and can find a pair of neighbours apart that share a class here; but their exact p cannot fall below 2 / 2^n, and with
few clips Holm's correction lifts it above 5 % where the spread of all models together, as the classes use it, decides.

**The classes.** Models are walked through from the best mean down. A model opens a new class if some model of the class above
is told apart from it. So within a class no pair is told apart, and a class never has a better rank than one whose models have
better means. Two models in different classes need not be told apart themselves: a third one tells them apart.

Source: largest statistic over all hypotheses: Westfall and Young, "Resampling-based multiple testing" (1993); permutations
within blocks: Friedman (JASA 1937), Pesarin, "Multivariate permutation tests" (2001).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leaderboards.paired import ALPHA, by_mean, weighted_mean
from leaderboards.stats import SEED, mean_error, shares_of

if TYPE_CHECKING:
    import pandas as pd

PERMUTATIONS = 9_999
"""Drawn where there are more than so many different ones; otherwise all are counted."""
POWER = 0.8

_ELEMENTS = 200_000
_ROUNDING = 1e-12
_TIE = 1e-9
_NODES = 300


@dataclass(frozen=True)
class AllPairs:
    """What a comparison of all pairs of models found."""

    p: NDArray[np.float64]
    """``(models, models)``: two-sided, adjusted for all pairs; 1 on the diagonal."""
    critical: float
    """|t| from which on a pair is told apart; infinite where no |t| is large enough for so few clips and models."""
    spread: float
    """Median over pairs of the standard deviation of the paired differences; NaN without pairs or below 2 clips."""


def all_pairs(
    figures: ArrayLike, permutations: int = PERMUTATIONS, seed: int = SEED, weights: ArrayLike | None = None
) -> AllPairs:
    """Compare every pair of models by the largest |t| under permutations within clips (see the module).

    p of a pair is the share of permutations, the one at hand among them, whose largest |t| reaches that of the pair. All
    (models!)^(clips - 1) are counted if they are at most ``permutations``; otherwise so many are drawn.

    Args:
        figures: ``(models, clips)``, finite.
        permutations: drawn where not all are counted.
        seed: of the draws.
        weights: one per clip, above 0, where clips do not weigh the same.

    Raises:
        ValueError: a figure is missing or infinite, or this is no table; weights are not one positive number per clip.

    Example:
        >>> found = all_pairs([[1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 9]])
        >>> found.p.tolist(), round(found.critical, 2)
        ([[1.0, 0.03125], [0.03125, 1.0]], 4.0)
    """
    data = np.asarray(figures, dtype=np.float64)
    if data.ndim != 2 or not np.isfinite(data).all():
        raise ValueError(
            f"Figures are a table (models, clips) of finite numbers; this has the shape {data.shape} and "
            f"{int((~np.isfinite(data)).sum())} that are missing or infinite. Leave models with holes out."
        )
    count, clips = data.shape
    shares = shares_of(weights, clips)
    p = np.ones((count, count))
    if count < 2 or clips < 2:
        return AllPairs(p, math.inf, math.nan)
    scale = float(np.abs(data).max())
    # What all models share on a clip falls out of every difference; without it the numbers keep more digits.
    data = data - data.mean(axis=0)
    first, second = np.triu_indices(count, 1)
    t = _statistics(data[None], scale, shares)[0]
    largest = np.concatenate([_largest(block, scale, shares) for block in _orders(data, permutations, seed)])
    largest.sort()
    drawn = len(largest)
    reached = drawn - np.searchsorted(largest, t * (1 - _TIE), side="left")
    if not _few(count, clips, permutations):
        reached, drawn = reached + 1, drawn + 1
    p[first, second] = p[second, first] = reached / drawn
    return AllPairs(p, _critical(largest, drawn), float(np.median(_spreads(data, shares))))


def _critical(largest: NDArray[np.float64], drawn: int) -> float:
    """The smallest |t| whose p is at most :data:`ALPHA`."""
    own = drawn - len(largest)  # the order at hand counts as one, where orders are drawn
    values = np.unique(largest)
    reached = len(largest) - np.searchsorted(largest, values * (1 - _TIE), side="left") + own
    good = values[reached / drawn <= ALPHA]
    return float(good[0]) if len(good) else math.inf


def _statistics(
    data: NDArray[np.float64], scale: float, shares: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """|t| of all pairs, in the order of ``np.triu_indices``, of tables ``(orders, models, clips)``."""
    count = data.shape[1]
    parts = []
    for i in range(count - 1):
        parts.append(_t(data[:, i : i + 1] - data[:, i + 1 :], scale, shares))
    return np.concatenate(parts, axis=1)


def _t(
    differences: NDArray[np.float64], scale: float, shares: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """|t| over the last axis: mean over standard error; ``differences`` is used up."""
    clips = differences.shape[-1]
    mean = differences.mean(axis=-1) if shares is None else differences @ shares
    differences -= mean[..., None]
    if shares is None:
        squares = np.einsum("...c,...c->...", differences, differences) / (clips * (clips - 1))
    else:
        differences *= differences
        squares = differences @ (shares**2 / (1 - shares))
    # What is left of equal figures, or of one and the same difference on every clip, is rounding.
    mean = np.where(np.abs(mean) <= _ROUNDING * scale, 0.0, np.abs(mean))
    flat = squares <= (_ROUNDING * scale) ** 2 / clips
    with np.errstate(divide="ignore", invalid="ignore"):
        out = mean / np.sqrt(squares)
    return np.where(mean == 0, 0.0, np.where(flat, np.inf, out))


def _largest(
    orders: NDArray[np.float64], scale: float, shares: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    count = orders.shape[1]
    out = np.zeros(len(orders))
    for i in range(count - 1):
        np.maximum(out, _t(orders[:, i : i + 1] - orders[:, i + 1 :], scale, shares).max(axis=1), out=out)
    return out


def _spreads(data: NDArray[np.float64], shares: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Standard deviations of the differences of all pairs; with weights, √n times the standard error of their mean."""
    clips = data.shape[1]
    return np.concatenate(
        [np.sqrt(clips) * mean_error(data[i] - data[i + 1 :], shares)[1] for i in range(len(data) - 1)]
    )


def _few(count: int, clips: int, permutations: int) -> bool:
    return (clips - 1) * math.lgamma(count + 1) <= math.log(permutations) + _TIE


def _orders(data: NDArray[np.float64], permutations: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """``data`` with its models in other orders on each clip, ``(orders, models, clips)`` at a time."""
    count, clips = data.shape
    if _few(count, clips, permutations):
        # The first clip stays: giving all clips another order together only renames the models.
        ways = np.array(list(itertools.permutations(range(count))))
        chosen = np.array(list(itertools.product(range(len(ways)), repeat=clips - 1)), dtype=np.int64)
        chosen = np.concatenate([np.zeros((len(chosen), 1), dtype=np.int64), chosen], axis=1)
        yield data.T[np.arange(clips)[None, :, None], ways[chosen]].transpose(0, 2, 1)
        return
    block = max(1, _ELEMENTS // data.size)
    generator = np.random.default_rng(seed)
    for start in range(0, permutations, block):
        size = min(block, permutations - start)
        yield generator.permuted(np.broadcast_to(data, (size, count, clips)), axis=1)


@lru_cache(maxsize=1)
def _gauss(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of Gauss and Legendre, which take longer than all that is done with them."""
    return np.polynomial.legendre.leggauss(nodes)


def detectable_difference(
    spread: float, clips: int, critical: float | None = None, power: float = POWER, level: float = ALPHA
) -> float:
    """The smallest true mean difference that a paired test finds with the given power.

    With T following the noncentral t law of n - 1 degrees of freedom and noncentrality Δ = δ √n / s, it is the δ for which
    P(|T| ≥ critical) = E[Φ(Δ - critical U) + Φ(-Δ - critical U)] = power, where (n - 1) U² follows the χ² law of n - 1
    degrees. (The expectation is integrated here: scipy's noncentral t law is NaN in the far tail.)

    Args:
        spread: s, the standard deviation of the paired differences over clips.
        clips: n.
        critical: |t| from which on the test rejects; that of a single two-sided t test at ``level`` if not given. The
            classes give theirs (:attr:`AllPairs.critical`), so that the number answers for them.
        power: share of sets of clips in which the difference would be found.
        level: of the single test.

    Returns:
        In the unit of ``spread``; infinite if no difference is large enough (``critical`` is infinite), 0 if ``spread`` is.

    Raises:
        ValueError: fewer than 2 clips, a negative or missing spread, or a power that is not between the level and 1.

    Source: Cohen, "Statistical power analysis for the behavioral sciences" (1988), 2.3.

    Example:
        >>> round(detectable_difference(1.0, 34), 3)
        0.495
    """
    from scipy.optimize import brentq
    from scipy.special import gammaincinv, ndtr, stdtrit

    if clips < 2:
        raise ValueError(f"A difference needs 2 clips or more to have a spread; there are {clips}.")
    if not spread >= 0 or math.isinf(spread):
        raise ValueError(f"The spread of the differences is a number from 0 on; it was {spread}.")
    if not level < power < 1:
        raise ValueError(f"The power is between the level ({level}) and 1; it was {power}.")
    bound = float(stdtrit(clips - 1, 1 - level / 2)) if critical is None else critical
    if math.isinf(bound):
        return math.inf
    if spread == 0:
        return 0.0

    nodes, weights = _gauss(_NODES)
    ratio = bound * np.sqrt(gammaincinv((clips - 1) / 2, (nodes + 1) / 2) * 2 / (clips - 1))

    def lacking(shift: float) -> float:
        return float(weights @ (ndtr(shift - ratio) + ndtr(-shift - ratio))) / 2 - power

    if lacking(0.0) >= 0:
        return 0.0
    top = bound + 1.0
    while lacking(top) < 0:
        top *= 1.5
    return float(brentq(lacking, 0.0, top)) * spread / math.sqrt(clips)


@dataclass(frozen=True)
class RankClasses:
    """Ranks of models, shared where clips cannot tell them apart; and how small a difference these clips can find."""

    rank: dict[str, int]
    """Of models without holes, best first: 1 + the number of models in better classes."""
    place: dict[str, int]
    """The same by mean alone (1, 2, 2, 4), as if the means were sure."""
    unranked: dict[str, str]
    """Models without a rank, and why."""
    clips: int
    p: pd.DataFrame
    """Adjusted p of all pairs of ranked models; NaN where one has an infinite figure."""
    critical: float
    detectable: float
    """Smallest difference of a typical pair found with a power of 80 %; infinite if none is, NaN without pairs."""


def rank_classes(
    figures: pd.DataFrame,
    higher: bool = True,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    weights: ArrayLike | None = None,
) -> RankClasses:
    """Give models that cannot be told apart the same rank (how, and why so: see the module).

    A model without a figure (NaN) for some clip has no rank. A model with an infinite figure (PSNR of frames equal to the
    ground truth) has an infinite mean, so it is in no test: it stands above or below all finite ones, and shares its rank
    with others of the same infinite mean. With one clip nothing is tested and all finite models share a rank.

    Args:
        figures: one clip per row, one model per column.
        higher: whether more is better.
        permutations: drawn where not all are counted.
        seed: of the draws.
        weights: one per clip, above 0, where clips do not weigh the same.

    Raises:
        ValueError: no clips, or two columns of one name; weights are not one positive number per clip.

    Example:
        >>> import pandas as pd
        >>> found = rank_classes(pd.DataFrame(
        ...     {"a": [30.1, 35.0, 28.2, 31.0, 27.1, 33.0, 29.0], "b": [30.0, 35.1, 28.3, 30.9, 27.1, 32.9, 29.1],
        ...      "identity": [25.0, 29.1, 24.0, 26.2, 22.5, 27.2, 24.8], "c": [33.0] * 6 + [None]}))
        >>> found.rank, found.place, found.unranked
        ({'a': 1, 'b': 1, 'identity': 3}, {'a': 1, 'b': 2, 'identity': 3}, {'c': '1 of 7 clips missing (6)'})
    """
    import pandas as pd

    ranked, unranked = by_mean(figures, higher, weights)
    names = [str(name) for name in ranked.columns]
    data = ranked.to_numpy().T
    finite = np.isfinite(data).all(axis=1)
    found = all_pairs(data[finite], permutations, seed, weights)
    p = np.full((len(names), len(names)), np.nan)
    p[np.ix_(finite, finite)] = found.p
    apart = p <= ALPHA
    means = np.array([weighted_mean(row, weights) for row in data])
    apart |= ((~finite[:, None]) | (~finite[None])) & (means[:, None] != means[None])
    rank: dict[str, int] = {}
    place: dict[str, int] = {}
    opened = level = 0
    for i, name in enumerate(names):
        if apart[opened:i, i].any():
            opened = i
        if means[i] != means[level]:
            level = i
        rank[name], place[name] = opened + 1, level + 1
    clips = len(ranked)
    testable = clips >= 2 and int(finite.sum()) >= 2
    return RankClasses(
        rank=rank,
        place=place,
        unranked={str(name): why for name, why in unranked.items()},
        clips=clips,
        p=pd.DataFrame(p, index=names, columns=names),
        critical=found.critical,
        detectable=detectable_difference(found.spread, clips, found.critical) if testable else math.nan,
    )
