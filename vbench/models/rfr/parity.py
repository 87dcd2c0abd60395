"""How the cases of RFR's parity fixture run: a whole clip, with the fixture's own noise and orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from vbench.errors import InputError
from vbench.models.dncnn import parity as dncnn
from vbench.models.dncnn.net import DnCNN
from vbench.models.fastdvdnet import parity as fastdvdnet
from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.rfr.adapt import Adaptation, recorrupted
from vbench.models.rfr.denoisers import Denoiser, FiveFrames, Neighbours, SingleFrame
from vbench.models.vnlnet import parity as vnlnet
from vbench.models.vnlnet.net import VNLnet
from vbench.models.vnlnet.search import PatchSearch

BUILDERS = {"dncnn": dncnn.build, "fastdvdnet": fastdvdnet.build, "vnlnet": vnlnet.build}
SEED = 2021
"""First of the two seeds of every draw of the fixture; the other one is its number."""
ROUNDING = (
    "Training amplifies rounding: Adam divides every gradient by its own size, so where one is next to nothing its rounding "
    "error in float32 counts in full, and how much depends on the order of additions. In float64 the steps are the official "
    "ones."
)
"""Why float32 may be over its tolerance."""
SSIM_WINDOW = 11
"""Pixels across it."""
FLOOR = 1e-8
"""Added to the mean squared error before its logarithm, as piq does."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> nn.Module:
    """The network that the case fine-tunes.

    Raises:
        InputError: a network that RFR is not known with.
    """
    name = str(meta.get("net") or manifest.get("model") or "").lower()
    if name not in BUILDERS:
        raise InputError(f'The fixture fine-tunes "{name}"; RFR is known with {", ".join(BUILDERS)}.')
    return BUILDERS[name](manifest, meta)


class Draws:
    """The fixture's noise: each draw by its number, whatever was drawn before."""

    def __init__(self, sigma: float) -> None:
        self._scale = sigma / 255
        self._drawn = 0

    def __call__(self, like: Tensor) -> Tensor:
        values = np.random.default_rng([SEED, self._drawn]).standard_normal(tuple(like.shape)) * self._scale
        self._drawn += 1
        return torch.from_numpy(values).to(like)


def outputs(network: nn.Module, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Any]:
    """What the denoiser gives before, and while or after it is fine-tuned; losses, figures and some parameters.

    Args:
        inputs: ``video``, uint8 ``(N, H, W, C)``; ``permutations`` for offline cases.
    """
    sigma = float(meta["sigma"])
    weight = next(network.parameters())
    clean = list((torch.from_numpy(inputs["video"].transpose(0, 3, 1, 2)).to(weight) / 255).split(1))
    draws = Draws(sigma)
    noisy = [recorrupted(frame[0], draws)[None] for frame in clean]
    adaptation = Adaptation(_denoiser(network, sigma), draws)
    before = torch.cat(adaptation.all_restored(noisy))
    truth = torch.cat(clean)
    out: dict[str, Any] = {"baseline": before, **_figures("baseline_", before, truth)}
    if "permutations" in inputs:
        out |= _offline(adaptation, noisy, inputs["permutations"], truth)
    else:
        if adaptation.alone:
            restored = torch.cat([adaptation.online_frame(frame) for frame in noisy])
        else:
            restored = torch.cat(list(adaptation.online_clip(noisy)))
        out |= {"denoised": restored, "loss": np.array(adaptation.losses), **_figures("", restored, truth)}
    return out | {f"param/{name}": value for name, value in network.state_dict().items()}


def _denoiser(network: nn.Module, sigma: float) -> Denoiser:
    if isinstance(network, DnCNN):
        return SingleFrame(network)
    if isinstance(network, FastDVDnet):
        return FiveFrames(network, sigma)
    assert isinstance(network, VNLnet)  # noqa: S101 - as `build` made it
    return Neighbours(network, PatchSearch().to(next(network.parameters()).device))


def _offline(
    adaptation: Adaptation, noisy: Sequence[Tensor], orders: Iterable[NDArray[np.int64]], truth: Tensor
) -> dict[str, Any]:
    lists = [order.tolist() for order in orders]
    restored = [torch.cat(adaptation.all_restored(noisy)) for _ in adaptation.offline(noisy, lists)]
    figures = [_figures("", frames, truth)["psnr"] for frames in restored]
    return {
        "denoised_per_step": torch.stack(restored),
        "psnr_per_step": np.stack(figures),
        "loss": np.array(adaptation.losses).reshape(len(lists), -1),
    }


def _figures(name: str, frames: Tensor, truth: Tensor) -> dict[str, NDArray[np.float64]]:
    """PSNR and SSIM of each frame as piq computes them of frames too small for it to shrink; of frames smaller than the
    window of SSIM there is none."""
    error = (frames - truth).square().mean(dim=(1, 2, 3)).double().cpu().numpy()
    psnr = -10 * np.log10(error + FLOOR)
    if min(frames.shape[2:]) < SSIM_WINDOW:
        return {f"{name}psnr": psnr}
    pairs = zip(frames.double().cpu().numpy(), truth.double().cpu().numpy(), strict=True)
    ssim = [
        structural_similarity(
            a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=0
        )
        for a, b in pairs
    ]
    return {f"{name}psnr": psnr, f"{name}ssim": np.array(ssim)}
