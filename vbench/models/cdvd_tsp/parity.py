"""How the cases of CDVD-TSP's parity fixture go through the network: one window, a sequence, or the metrics alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from vbench.fixtures import fixed, make, options, tensor
from vbench.models.cdvd_tsp.net import CDVDTSP, FRAMES, Merged, restored
from vbench.models.cdvd_tsp.recons import MULTIPLE
from vbench.models.cdvd_tsp.sequence import restore, windows

Result = Tensor | NDArray[Any]

SHAVED = 4
"""Pixels that the official metrics cut off on every side."""
FIGURES_TOLERANCE = 1e-6
"""Absolute, of the figures of a sequence, as the fixture states it in words."""

LEVELS = frozenset({"restored_uint8"})


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> CDVDTSP:
    """The network with the fixture's numbers of blocks and channels."""
    given = options(manifest, meta)
    fixed(given, "CDVD-TSP", in_channels=3, out_channels=3, n_sequence=FRAMES)
    return make(CDVDTSP, given, said=("in_channels", "out_channels", "n_sequence", "module"))


def outputs(network: CDVDTSP, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Result]:
    """One window (``frames``), a sequence (``blur``, ``gt``), or 8-bit frames to be measured (``output``, ``gt``)."""
    weight = next(network.parameters())
    if "output" in inputs:
        return _figures(inputs["output"], inputs["gt"])
    if "blur" in inputs:
        clip = _crop(inputs["blur"])
        frames = _tensor(clip, weight)
        count = len(frames)
        if meta.get("border", True):
            found = torch.cat(list(restore(network, frames.split(1), count)))
            centres = _crop(inputs["gt"])
        else:
            found = torch.cat([network(frames[list(window)][None]).out for window in windows(count, border=False)])
            centres = _crop(inputs["gt"])[2:-2]
        whole = (found * 255).clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return {
            "windows_without_border": np.array(windows(count, border=False)),
            "windows_with_border": np.array(windows(count)),
            "restored": found,
            "restored_uint8": whole,
            **_figures(whole, centres),
        }
    frames = tensor(inputs["frames"], weight).movedim(-1, -3)
    first, second = network.cascade(frames[None] if frames.dim() == 4 else frames)
    out: dict[str, Result] = dict(restored((first, second))._asdict())
    for i, (before, centre, behind) in enumerate((("0", "1", "2"), ("1", "2", "3"), ("2", "3", "4"))):
        out |= _stage(first, i, 3, before + centre, behind + centre, centre)
    return out | _stage(second, 0, 1, "r12", "r32", "final")


def allowed(output: str, peak: float, meta: dict[str, Any]) -> float | None:
    """Figures have a tolerance of their own; masks, windows and 8-bit frames are equal or they are not."""
    if output in ("psnr", "ssim"):
        return FIGURES_TOLERANCE
    return 0.0 if output.startswith(("mask", "windows", "restored_uint8")) else None


def _stage(found: Merged, index: int, count: int, left: str, right: str, prior: str) -> dict[str, Result]:
    """What was found on the way to one of ``count`` frames."""
    out: dict[str, Result] = {f"prior_{prior}": found.prior.chunk(count)[index]}
    for name, aligned in ((left, found.left), (right, found.right)):
        image, flow, mask = (part.chunk(count)[index] for part in aligned)
        shown = mask.expand_as(image).to(torch.uint8)
        out |= {f"flow_{name}": flow, f"warped_{name}": image, f"mask_{name}": shown}
    return out


def _crop(frames: NDArray[Any]) -> NDArray[Any]:
    """``(T, H, W, 3)`` cropped as the official script reads it."""
    height, width = frames.shape[1:3]
    return frames[:, : height - height % MULTIPLE, : width - width % MULTIPLE]


def _tensor(frames: NDArray[Any], like: Tensor) -> Tensor:
    """``(T, H, W, 3)``, 8 bits, as ``(T, 3, H, W)`` in [0, 1]."""
    return tensor(frames, like).permute(0, 3, 1, 2)


def _figures(frames: NDArray[np.uint8], truth: NDArray[np.uint8]) -> dict[str, Result]:
    """PSNR and SSIM of 8-bit frames, as the official script computes them."""
    inner = (slice(None), slice(SHAVED, -SHAVED), slice(SHAVED, -SHAVED))
    pairs = [(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(truth[inner], frames[inner], strict=True)]
    ssim = [
        structural_similarity(
            a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=-1
        )
        for a, b in pairs
    ]
    with np.errstate(divide="ignore"):  # infinite of equal frames
        psnr = np.array([peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs])
    return {
        "psnr": psnr,
        "ssim": np.array(ssim),
    }
