"""NIQE: how far a frame's statistics are from those of pristine photographs. Needs no ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench import assets
from vbench.errors import InputError
from vbench.metrics.nss import asymmetric, grid, half, half_by_pillow, matlab_gray, moments, mscn
from vbench.metrics.planes import pil_l, y_limited
from vbench.metrics.spec import TRUTH_COLUMN, Chunk, Figures, Metric, View, beside_truth

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vbench.clip import ClipInfo

    Array = NDArray[np.float64]

BLOCK = 96
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class Pristine:
    """What frames are compared with: mean ``(36,)`` and covariance ``(36, 36)`` of the features of good pictures."""

    mean: Array
    covariance: Array


def load_parameters(path: Path, names: tuple[str, str] = ("mu_prisparam", "cov_prisparam")) -> Pristine:
    """The pristine model in the official ``modelparameters.mat``, or by other ``names`` in another file.

    BasicSR's ``niqe_pris_params.npz`` (also in mmagic) holds the same numbers as the official file.

    Raises:
        InputError: the file holds no such model.
    """
    from scipy.io import loadmat

    try:
        if path.suffix == ".npz":
            names = ("mu_pris_param", "cov_pris_param")
            with np.load(path, allow_pickle=False) as z:
                stored = {name: z[name] for name in names}
        else:
            stored = loadmat(path)
        mean = np.asarray(stored[names[0]], dtype=np.float64).ravel()
        covariance = np.asarray(stored[names[1]], dtype=np.float64)
    except Exception as error:  # a file of bytes that are anything makes scipy's reader fail in any way
        raise InputError(
            f'"{path}" holds no NIQE model: a file with {names[0]} and {names[1]} was expected '
            f"({type(error).__name__}: {error})."
        ) from error
    if mean.shape != (36,) or covariance.shape != (36, 36):
        raise InputError(f'"{path}" holds a NIQE model of {mean.size} features; 36 were expected.')
    return Pristine(mean, covariance)


def check_size(height: int, width: int) -> None:
    """Raise InputError unless two blocks of 96 pixels fit: of one block there is no covariance."""
    if (height // BLOCK) * (width // BLOCK) < 2:
        raise InputError(
            f"NIQE needs frames in which two blocks of {BLOCK} x {BLOCK} pixels fit side by side or one above the "
            f"other, and these are {width} x {height}."
        )


def features(gray: NDArray[Any], form: str = "live") -> Array:
    """The 36 features of each block of a plane ``(H, W)`` on 0..255: ``(blocks, 36)``, row by row of blocks.

    Args:
        form: "skvideo" for the computation of that package, else the release's.

    Raises:
        InputError: fewer than two blocks fit.
    """
    check_size(*gray.shape)
    rows, cols = (side // BLOCK for side in gray.shape)
    crop = np.ascontiguousarray(gray[: rows * BLOCK, : cols * BLOCK])
    other = form == "skvideo"
    small = half_by_pillow(crop) if other else half(crop)
    scales = [_scale(crop, BLOCK, other), _scale(small, BLOCK // 2, other)]
    return np.concatenate(scales, axis=1)


def _scale(image: NDArray[Any], side: int, skvideo: bool) -> Array:
    n = mscn(image, "zero" if skvideo else "repeat")
    rows, cols = (length // side for length in n.shape)
    out = np.empty((rows * cols, 18))
    for row in range(rows):
        # One row of blocks at a time stays in the processor's cache.
        strip = n[row * side : (row + 1) * side].reshape(side, cols, side).transpose(1, 0, 2)
        out[row * cols : (row + 1) * cols] = _blocks(np.ascontiguousarray(strip), skvideo)
    return out


def _blocks(blocks: Array, skvideo: bool) -> Array:
    """Eighteen features of each block ``(N, side, side)``."""
    table = grid()
    count = len(blocks)
    found = moments(blocks.reshape(count, -1), skvideo)
    shape = asymmetric(found)
    scale = table.scale[shape]
    columns = [table.alpha[shape], (found.negative + found.positive) / 2 * scale]
    product = np.empty_like(blocks)
    for i, (down, right) in enumerate(SHIFTS):
        # The shift goes around within the block.
        np.multiply(blocks, np.roll(blocks, (down, right), axis=(1, 2)), out=product)
        found = moments(product.reshape(count, -1), skvideo)
        shape = asymmetric(found)
        left, to_right = found.negative * table.scale[shape], found.positive * table.scale[shape]
        mean = (to_right - left) * table.spread[shape]
        # scikit-video stores the left scale of the two diagonals twice.
        columns += [table.alpha[shape], mean, left, left if skvideo and i >= 2 else to_right]
    return np.stack(columns, axis=1)


def distance(found: Array, pristine: Pristine) -> float:
    """NIQE's distance of a frame's features ``(blocks, 36)`` from a pristine model."""
    with np.errstate(invalid="ignore"):
        mean = np.array(
            [column[~np.isnan(column)].mean() if not np.isnan(column).all() else np.nan for column in found.T]
        )
    whole = found[~np.isnan(found).any(axis=1)]
    if np.isnan(mean).any() or len(whole) < 2:
        return math.nan
    covariance = np.cov(whole, rowvar=False)
    d = pristine.mean - mean
    return float(np.sqrt(d @ np.linalg.pinv((pristine.covariance + covariance) / 2) @ d))


def niqe(frames: Tensor, pristine: Pristine, form: str = "live") -> list[float]:
    """NIQE of each frame; lower is better, not bounded above.

    Args:
        frames: ``(T, C, H, W)``, RGB or gray; uint8, uint16, or floating point in [0, 1].
        form: "live" (the official release, on MATLAB's gray); "basicsr-y" (on the rounded luma of BT.601,
            limited range, as BasicSR's default has it: another picture in effect); "skvideo" (scikit-video's, with its
            own pristine model, on Pillow's gray: what papers on old film report, and another metric in effect).

    Returns:
        One figure per frame; NaN where fewer than two blocks have any variation (a black frame).

    Raises:
        InputError: fewer than two blocks of 96 x 96 fit.

    Source: Mittal, Soundararajan and Bovik, SPL 2013; the LIVE release. Flat windows, whose score the release leaves
    to rounding noise, are snapped (`vbench.metrics.nss.FLAT`).
    """
    return [distance(found, pristine) for found in features_of(frames, form)]


def features_of(frames: Tensor, form: str = "live") -> list[Array]:
    """The features of each frame, ``(blocks, 36)``; arguments as of :func:`niqe`."""
    # BasicSR resizes in single precision; here all is double, which moves its figure by less than 0.01.
    luma = {"basicsr-y": y_limited, "skvideo": pil_l}.get(form)
    gray = matlab_gray(frames) if luma is None else luma(frames)[:, 0].cpu().numpy().round().astype(np.uint8)
    if form == "skvideo":
        check_skvideo(*gray.shape[1:])
    return [features(plane, form) for plane in gray]


def figures_beside_truth(view: View, pristine: Pristine, form: str, name: str) -> Figures:
    """NIQE of the restored frames and of the ground truth's; ``name`` tells the pristine model apart from others.

    Features are computed once for each frame, whatever they are compared with.
    """

    def figures(chunk: Chunk) -> list[float]:
        found = chunk.once(("niqe features", form), lambda: features_of(chunk.frames, form))
        return [distance(x, pristine) for x in found]

    return beside_truth(view, (name, form), figures)


def fit(frames: list[Array]) -> Pristine:
    """A pristine model of one's own: of the features of ground-truth frames, each ``(blocks, 36)``.

    The release takes only sharp blocks of hand-picked photographs; here all blocks with variation count.

    Raises:
        InputError: fewer blocks than features.
    """
    stacked = np.concatenate(frames)
    whole = stacked[~np.isnan(stacked).any(axis=1)]
    if len(whole) <= stacked.shape[1]:
        raise InputError(
            f"NIQE's pristine model has {stacked.shape[1]} features and needs more blocks of {BLOCK} x {BLOCK} pixels "
            f"than that; the ground truth has {len(whole)}."
        )
    return Pristine(whole.mean(axis=0), np.cov(whole, rowvar=False))


SKVIDEO = 2 * BLOCK + 2
"""The smallest side that scikit-video takes."""


def check_skvideo(height: int, width: int) -> None:
    """Raise InputError unless scikit-video would take frames of this size."""
    if min(height, width) < SKVIDEO:
        raise InputError(
            f"scikit-video's NIQE needs frames of at least {SKVIDEO} x {SKVIDEO} pixels, and these are {width} x {height}."
        )


@lru_cache(maxsize=2)
def _parameters(path: Path, form: str) -> Pristine:
    return load_parameters(path, ("pop_mu", "pop_cov")) if form == "skvideo" else load_parameters(path)


def _file(form: str) -> Path:
    return assets.need("niqe-skvideo" if form == "skvideo" else "niqe")


def _measure(form: str, view: View) -> Figures:
    return figures_beside_truth(view, _parameters(_file(form), form), form, "niqe")


def _check(form: str, info: ClipInfo) -> None:
    check_size(info.height, info.width)
    if form == "skvideo":
        check_skvideo(info.height, info.width)
    _file(form)


_FORMS = {
    "live": ("MATLAB's gray", ""),
    "basicsr-y": ("the rounded luma of BT.601, limited range", " as BasicSR calculate_niqe feeds it"),
    "skvideo": ("Pillow's gray, with scikit-video's own pristine model and borders", " as scikit-video 1.1.11 has it"),
}


def make(form: str = "live") -> Metric:
    """NIQE under one convention: "live", "basicsr-y" or "skvideo"."""
    gray, more = _FORMS[form]
    return Metric(
        name="niqe",
        version=1,
        unit="",
        direction="lower",
        convention=f"on {gray}, whole blocks of 96 x 96, two scales, flat windows snapped to 0",
        source="Mittal, Soundararajan and Bovik, SPL 2013; the LIVE release" + more,
        options={"form": form, "flat": "snapped"},
        measure=partial(_measure, form),
        needs=frozenset(),
        check=partial(_check, form),
        values="0 to infinity",
        columns=TRUTH_COLUMN,
        licence="code Apache-2.0 (ours); parameters: "
        + ("scikit-video, BSD-3-Clause by its metadata" if form == "skvideo" else "LIVE, UT Austin, free with notice"),
    )


METRIC = make()
