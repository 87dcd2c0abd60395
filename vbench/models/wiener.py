"""Wiener deconvolution: undo a blur of known shape in one step, held back where it would amplify noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.richardson_lucy import MARGIN, SIGMA
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.restore import Restorer

BALANCE = 0.01
"""Weight of the regularisation, a Laplacian, against the data."""


def deconvolve(frames: Tensor) -> Tensor:
    """Each channel of ``(t, C, H, W)`` in [0, 1] by scikit-image, with a Gaussian as the assumed blur.

    The frame is mirrored outwards by a margin first: the deconvolution takes it for periodic.
    """
    import numpy as np
    import torch
    from skimage.restoration import wiener

    steps = np.arange(-4, 5)
    line = np.exp(-(steps**2) / (2 * SIGMA**2))
    kernel = np.outer(line, line)
    kernel /= kernel.sum()
    height, width = frames.shape[-2:]
    pad = (min(MARGIN, height - 1), min(MARGIN, width - 1))
    out = np.empty(tuple(frames.shape), np.float32)
    for image, target in zip(frames.cpu().numpy(), out, strict=True):
        for plane, result in zip(image, target, strict=True):
            padded = np.pad(plane, ((pad[0], pad[0]), (pad[1], pad[1])), mode="reflect")
            sharp = wiener(padded, kernel.astype(np.float32), BALANCE, clip=False)
            result[...] = sharp[pad[0] : pad[0] + height, pad[1] : pad[1] + width]
    return torch.from_numpy(out).clamp(0, 1).to(frames.device)


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
