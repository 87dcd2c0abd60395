"""Richardson-Lucy deconvolution: undo a blur of known shape by repeated correction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from vbench.restore import Restorer

    Plane = NDArray[Any]

SIGMA = 1.2
ITERATIONS = 8
MARGIN = 16


def plane_by_plane(frames: Tensor, sharpen: Callable[[Plane, Plane], Plane]) -> Tensor:
    """Each channel of ``(t, C, H, W)`` in [0, 1] through ``sharpen(plane, kernel)``, with a Gaussian as the assumed blur.

    The frame is mirrored outwards by a margin first: a deconvolution takes what lies outside for black, or for periodic.
    """
    import numpy as np
    import torch

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
            sharp = sharpen(padded, kernel.astype(np.float32))
            result[...] = sharp[pad[0] : pad[0] + height, pad[1] : pad[1] + width]
    return torch.from_numpy(out).clamp(0, 1).to(frames.device)


def deconvolve(frames: Tensor) -> Tensor:
    """Each channel of ``(t, C, H, W)`` in [0, 1] by scikit-image's iterations of Richardson and Lucy."""
    from skimage.restoration import richardson_lucy

    return plane_by_plane(
        frames, lambda plane, kernel: richardson_lucy(plane, kernel, num_iter=ITERATIONS, filter_epsilon=1e-4)
    )


def _load(device: torch.device, weights: Path | None) -> Restorer:
    from vbench.restore import Framewise

    return Framewise(deconvolve)


SPEC = ModelSpec(
    name="richardson-lucy",
    version=1,
    title="Richardson-Lucy deconvolution",
    task="deblurring",
    source="scikit-image's richardson_lucy (Richardson 1972, Lucy 1974), per channel, with an assumed Gaussian blur.",
    licence="BSD-3-Clause (scikit-image)",
    load=_load,
    settings={"psf": f"Gaussian, sigma {SIGMA} pixels", "iterations": ITERATIONS, "margin": MARGIN},
)
