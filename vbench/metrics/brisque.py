"""BRISQUE: how damaged a frame looks, learnt from opinions on natural images. Needs no ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench import assets
from vbench.errors import InputError
from vbench.metrics.nss import asymmetric, grid, half, matlab_gray, moments, mscn, nearest_shape
from vbench.metrics.spec import TRUTH_COLUMN, Figures, Metric, View, beside_truth
from vbench.svm import SupportVectors, load_model

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vbench.clip import ClipInfo

    Array = NDArray[np.float64]

SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))
"""The last one is not NIQE's."""
SMALLEST = 16
"""Half the size must still hold a window of 7 x 7."""


@dataclass(frozen=True)
class Ranges:
    """What features are scaled by: ``low`` to -1, ``high`` to 1, both ``(36,)``."""

    low: Array
    high: Array


def load_ranges(path: Path) -> Ranges:
    """The ranges in the official ``allrange``, as libsvm's ``svm-scale`` writes them.

    Raises:
        InputError: the file holds no such ranges.
    """
    try:
        lines = path.read_text("ascii").split("\n")
        rows = [[float(v) for v in line.split()] for line in lines[2:] if len(line.split()) == 3]
        if lines[0].strip() != "x" or [r[0] for r in rows] != list(range(1, 37)):
            raise ValueError("36 numbered features were expected")
        return Ranges(np.array([r[1] for r in rows]), np.array([r[2] for r in rows]))
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f'"{path}" holds no ranges of BRISQUE\'s features ({error}).') from error


def features(gray: NDArray[Any]) -> Array:
    """The 36 features of a plane ``(H, W)`` on 0..255."""
    return np.concatenate([_scale(gray), _scale(half(gray))])


def _scale(image: NDArray[Any]) -> Array:
    table = grid()
    n = mscn(image, "zero")
    found = moments(n.reshape(1, -1))
    square = found.square[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        # The inverse of the same ratio, whose nearest entry is another one.
        inverse = square / found.absolute**2
    shape = len(table.alpha) - 1 - nearest_shape(inverse, _inverse_rising())
    out = [float(table.alpha[shape[0]]) if not np.isnan(inverse[0]) else float(table.alpha[0]), float(square)]
    product = np.empty_like(n)
    for down, right in SHIFTS:
        np.multiply(n, np.roll(n, (down, right), axis=(0, 1)), out=product)
        found = moments(product.reshape(1, -1))
        index = asymmetric(found)[0]
        left, to_right = float(found.negative[0]), float(found.positive[0])
        mean = (to_right - left) * float(table.spread[index] * table.scale[index])
        out += [float(table.alpha[index]), mean, left**2, to_right**2]
    return np.array(out)


@lru_cache(maxsize=1)
def _inverse_rising() -> Array:
    return np.ascontiguousarray(1.0 / grid().rho[::-1])


def brisque(frames: Tensor, model: SupportVectors, ranges: Ranges) -> list[float]:
    """BRISQUE of each frame; lower is better, nominally 0 to 100.

    Args:
        frames: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].

    Returns:
        One figure per frame; NaN for a frame without any variation.

    Source: Mittal, Moorthy and Bovik, TIP 2012; the LIVE release. Features are not rounded to text on the way (that
    moves the release's own figure by up to 6e-4), and flat windows are snapped (`vbench.metrics.nss.FLAT`).
    """
    x = np.stack([features(plane) for plane in matlab_gray(frames)])
    scaled = 2.0 * (x - ranges.low) / (ranges.high - ranges.low) - 1.0
    squares = (scaled**2).sum(axis=1)[:, None] - 2.0 * scaled @ model.vectors.T + (model.vectors**2).sum(axis=1)
    out: list[float] = (np.exp(-model.gamma * squares) @ model.coefficients - model.rho).tolist()
    return out


@lru_cache(maxsize=1)
def _parameters(model: Path, ranges: Path) -> tuple[SupportVectors, Ranges]:
    return load_model(model), load_ranges(ranges)


def _measure(view: View) -> Figures:
    model, ranges = _parameters(assets.need("brisque"), assets.need("brisque-range"))
    return beside_truth(view, "brisque", lambda chunk: brisque(chunk.frames, model, ranges))


def _check(info: ClipInfo) -> None:
    if min(info.height, info.width) < SMALLEST:
        raise InputError(
            f"BRISQUE needs frames of at least {SMALLEST} x {SMALLEST} pixels, and these are {info.width} x {info.height}."
        )
    assets.need("brisque")
    assets.need("brisque-range")


METRIC = Metric(
    name="brisque",
    version=1,
    unit="",
    direction="lower",
    convention="on MATLAB's gray, whole frame, two scales, flat windows snapped to 0",
    source="Mittal, Moorthy and Bovik, TIP 2012; the LIVE release",
    options={"form": "live", "flat": "snapped"},
    measure=_measure,
    needs=frozenset(),
    check=_check,
    values="about 0 to 100",
    columns=TRUTH_COLUMN,
    licence="code Apache-2.0 (ours); parameters: LIVE, UT Austin, free with notice",
)
