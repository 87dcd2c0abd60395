"""Wiener deconvolution: undo a blur of known shape in one step, held back where it would amplify noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.richardson_lucy import MARGIN, SIGMA, plane_by_plane
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.restore import Restorer

BALANCE = 0.01
"""Weight of the regularisation, a Laplacian, against the data."""


def deconvolve(frames: Tensor) -> Tensor:
    """Each channel of ``(t, C, H, W)`` in [0, 1] by scikit-image's Wiener filter."""
    from skimage.restoration import wiener

    return plane_by_plane(frames, lambda plane, kernel: wiener(plane, kernel, BALANCE, clip=False))


def _load(device: torch.device, weights: Path | None) -> Restorer:
    from vbench.restore import Framewise

    return Framewise(deconvolve)


SPEC = ModelSpec(
    name="wiener",
    version=1,
    title="Wiener deconvolution",
    task="deblurring",
    source="scikit-image's wiener (Wiener-Hunt deconvolution, Laplacian regularisation), per channel, with an assumed "
    "Gaussian blur.",
    licence="BSD-3-Clause (scikit-image)",
    load=_load,
    settings={"psf": f"Gaussian, sigma {SIGMA} pixels", "balance": BALANCE, "margin": MARGIN},
)
