"""What several boards say together: mean rank, mean gain over doing nothing, severity curves, quality against cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leaderboards.board import BASELINE

if TYPE_CHECKING:
    import pandas as pd


def overall(means: pd.DataFrame, higher: bool = True, baseline: str = BASELINE) -> pd.DataFrame:
    """Mean rank and mean gain over the baseline, of one metric over several boards.

    - **Mean rank**: on each board the models with a figure on *every* board are ranked by their mean, equal means sharing the
      mean of their ranks (1, 2.5, 2.5, 4); the mean of these ranks over boards. Every board weighs the same, a close win as
      much as a clear one. The baseline is ranked as any model.
    - **Mean gain**: mean over boards of the model's mean minus the baseline's, with the sign turned where less is better: above
      0 the model helped. Boards weigh the same, whatever their number of clips.

    Args:
        means: one board per row, one model per column; NaN where the model has no figure on the board.
        higher: whether more is better.
        baseline: the column of doing nothing; gains are NaN if it is not there or has holes.

    Returns:
        One row per model, best mean rank first (then the larger gain, then the name), models without one last:
        ``mean_rank``, ``mean_gain``, ``boards`` (with a figure), ``note`` (why there is no rank, or an empty text). A gain
        over a baseline of equal infinite mean is 0.

    Raises:
        ValueError: there is no board, or a model's or board's name comes twice.

    Example:
        >>> import pandas as pd
        >>> overall(pd.DataFrame({"identity": [20.0, 30.0], "a": [25.0, 29.0], "b": [24.0, 33.0], "c": [26.0, None]}))
                  mean_rank  mean_gain  boards                     note
        b               1.5        3.5       2
        a               2.0        2.0       2
        identity        2.5        0.0       2
        c               NaN        NaN       1  no figure on 1 of 2 boards (1)
    """
    import pandas as pd

    if len(means) == 0:
        raise ValueError("There is no board to take means over.")
    for what, labels in (("board", means.index), ("model", means.columns)):
        if not labels.is_unique:
            raise ValueError(f"The {what} {labels[labels.duplicated()][0]!r} comes twice; each {what} has one name.")
    data = means.astype(np.float64)
    whole = data.columns[data.notna().all(axis=0)]
    ranks = data[whole].rank(axis=1, ascending=not higher, method="average").mean(axis=0)
    gains = pd.Series(np.nan, index=data.columns)
    if baseline in whole:
        base = data[baseline].to_numpy()
        for name in whole:
            own = data[name].to_numpy()
            with np.errstate(invalid="ignore"):
                gain = np.where(own == base, 0.0, own - base).mean()
            gains[name] = gain if higher else 0.0 - gain
    notes = {}
    for name in data.columns:
        missing = [str(board) for board in data.index[data[name].isna()]]
        listed = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        notes[name] = f"no figure on {len(missing)} of {len(data)} boards ({listed})" if missing else ""
    table = pd.DataFrame(
        {
            "mean_rank": ranks.reindex(data.columns),
            "mean_gain": gains,
            "boards": data.notna().sum(axis=0),
            "note": pd.Series(notes, dtype=object),
        }
    )
    # Names first, then by the figures with a sort that keeps the order of equals; NaN goes last.
    table = table.loc[sorted(table.index, key=str)]
    return table.sort_values(["mean_rank", "mean_gain"], ascending=[True, False], kind="stable", na_position="last")


def severity_area(curves: pd.DataFrame) -> pd.Series[float]:
    """Area under every model's severity curve, divided by the range of severities: its mean height, in the metric's unit.

    The curve goes in straight lines from one severity to the next (trapezoids): A = Σ (x_{i+1} - x_i) (y_i + y_{i+1}) / 2,
    divided by x_n - x_1. Severities may be unevenly spaced, and weigh by the room they take. A straight curve has the height
    at its middle.

    Args:
        curves: one severity per row, as numbers in the index, in any order; one model per column.

    Returns:
        One number per model; NaN for a model without a figure at some severity: a curve with a hole does not compare.

    Raises:
        ValueError: fewer than two severities, one that comes twice, or one that is no finite number.

    Example:
        >>> import pandas as pd
        >>> severity_area(pd.DataFrame({"a": [30.0, 28.0, 20.0], "b": [29.0, None, 21.0]}, index=[22, 27, 37])).round(3)
        a    25.667
        b       NaN
        dtype: float64
    """
    import pandas as pd

    x = np.asarray(curves.index, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"Severities are finite numbers; these are {list(curves.index)}.")
    if len(x) < 2 or len(np.unique(x)) < len(x):
        raise ValueError(f"An area needs two severities or more, each once; these are {list(curves.index)}.")
    order = np.argsort(x)
    area = np.trapezoid(curves.to_numpy(dtype=np.float64)[order], x[order], axis=0)
    return pd.Series(area / np.ptp(x), index=curves.columns)


def pareto(quality: ArrayLike, cost: ArrayLike, higher: bool = True) -> NDArray[np.bool_]:
    """Which models are in the Pareto set: no other is at least as good and at least as cheap, and better in one of them.

    Args:
        quality: one figure per model.
        cost: one per model, or ``(models, costs)`` for several (seconds per frame, memory, multiply-adds); less is better.
        higher: whether more quality is better.

    Returns:
        True for models of the set. Equal models stand in it together. A model with a missing quality or cost (NaN) is not in
        it and keeps none out.

    Raises:
        ValueError: the numbers of models differ.

    Example:
        >>> pareto([30.0, 31.0, 29.0, 31.0], [1.0, 2.0, 3.0, 2.0]).tolist()
        [True, True, False, True]
    """
    good = np.asarray(quality, dtype=np.float64)
    costs = np.asarray(cost, dtype=np.float64)
    costs = costs[:, None] if costs.ndim == 1 else costs
    if good.ndim != 1 or costs.ndim != 2 or len(costs) != len(good):
        raise ValueError(f"Quality and cost belong to other models: their shapes are {good.shape} and {costs.shape}.")
    # All as costs, so that less is better everywhere.
    points = np.concatenate([(-good if higher else good)[:, None], costs], axis=1)
    known = ~np.any(np.isnan(points), axis=1)
    no_worse = np.all(points[:, None] <= points[None], axis=2)
    better = np.any(points[:, None] < points[None], axis=2)
    return np.asarray(known & ~np.any(no_worse & better, axis=0), dtype=np.bool_)
