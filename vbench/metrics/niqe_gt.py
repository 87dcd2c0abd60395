"""NIQE against the data set's own ground truth: no parameter file, and no photographs of other people's taste."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leaderboards.schema import PRISTINE
from vbench.errors import InputError
from vbench.metrics.niqe import Pristine, check_size, features, figures_beside_truth, fit
from vbench.metrics.nss import matlab_gray
from vbench.metrics.spec import TRUTH_COLUMN, Figures, Metric, View

if TYPE_CHECKING:
    from torch import Tensor

    from vbench.clip import ClipInfo


def pristine_of(chunks: Iterable[Tensor]) -> Pristine:
    """The pristine model of ground-truth frames, chunk by chunk ``(T, C, H, W)``; frames without two blocks are left out.

    Raises:
        InputError: fewer blocks in all than the model has features.
    """
    found = []
    for chunk in chunks:
        try:
            check_size(*chunk.shape[-2:])
        except InputError:
            continue
        found += [features(plane) for plane in matlab_gray(chunk)]
    return fit(found or [np.empty((0, 36))])


def save(pristine: Pristine, path: Path) -> None:
    """Keep a fitted model as .npz."""
    with path.open("wb") as file:
        np.savez(file, mean=pristine.mean, covariance=pristine.covariance)


def restore(path: Path) -> Pristine:
    """A model that :func:`save` kept."""
    with np.load(path) as stored:
        return Pristine(stored["mean"], stored["covariance"])


def _measure(view: View) -> Figures:
    if not isinstance(view.pristine, Pristine):
        raise InputError("niqe_gt needs the ground truth of the data set, and there is none.")
    return figures_beside_truth(view, view.pristine, "live", "niqe_gt")


def _check(info: ClipInfo) -> None:
    check_size(info.height, info.width)


METRIC = Metric(
    name="niqe_gt",
    version=2,  # 1 did not say with which ground truth a figure was found, which depends on all clips of the data set
    unit="",
    direction="lower",
    convention="NIQE's distance (MATLAB's gray, whole blocks of 96 x 96, flat windows snapped) from a pristine model fitted "
    "on all ground-truth frames of the data set; the ground truth itself is not at 0",
    source="ours, of NIQE (Mittal, Soundararajan and Bovik, SPL 2013)",
    options={"form": "live", "flat": "snapped", PRISTINE: "ground truth of the data set"},
    measure=_measure,
    needs=frozenset({"truth", PRISTINE}),
    check=_check,
    values="0 to infinity",
    columns=TRUTH_COLUMN,
)
