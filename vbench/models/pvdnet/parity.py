"""How the cases of PVDNet's parity fixtures go through the network: one step with its stages, or a clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from vbench.hooks import watch
from vbench.models.pvdnet.net import MULTIPLE, WINDOW, PVDNet
from vbench.models.pvdnet.sequence import steps

Result = Tensor | NDArray[Any]

STAGES = {
    "pv_dec": ("PV_dec", 4),
    "img_dec": ("img_dec", 4),
    "d0": ("d0", 4),
    "d1": ("d1", 16),
    "temp": ("temp", 32),
    "RBs_0": ("RBs.0", 32),
    "RB_end": ("RB_end", 32),
    "dconv1": ("dconv1", 16),
    "dconv1_end": ("dconv1_end", 16),
    "dconv2": ("dconv2", 4),
    "dconv2_end": ("dconv2_end", 4),
    "end": ("end", 3),
}
"""Submodule of each stored stage, and how many of its channels are stored."""
SSIM_TOLERANCE = 1e-6
"""As the fixture states it for its SSIM, in words."""

LEVELS = frozenset({"png"})


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> PVDNet:
    """The network with the fixture's number of blocks and channels."""
    options = meta.get("constructor") or manifest.get("constructor") or {}
    blocks, channels = options.get("residual_blocks", 12), options.get("res_channels", 128)
    return PVDNet(int(blocks), int(channels), int(options.get("PV_ksize", WINDOW)))


def outputs(network: PVDNet, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Result]:
    """One call (``I_prev``, ``I_curr``, ``I_next``, ``I_prev_deblurred``), or a clip (``frames``, maybe ``gt``)."""
    weight = next(network.parameters())
    if "frames" not in inputs:
        return _one(network, {name: _tensor(value, weight) for name, value in inputs.items()})
    clip = frames_of(inputs["frames"], weight.dtype).to(weight.device)
    found = list(steps(network, clip.split(1)))
    restored = torch.cat([step.restored for step in found])
    out: dict[str, Result] = {"frames": restored, "flow_low": torch.cat([step.low for step in found])}
    return out | (_shown(restored, _crop(inputs["gt"])) if "gt" in inputs else {})


def allowed(output: str, peak: float, meta: dict[str, Any]) -> float | None:
    """SSIM has a tolerance of its own; 8-bit frames are equal or they are not."""
    return {"ssim": SSIM_TOLERANCE, "png": 0.0}.get(output)


def frames_of(stored: NDArray[np.uint8], dtype: torch.dtype) -> Tensor:
    """A clip ``(T, H, W, 3)``, 8 bits, as the evaluation reads it: cropped, ``(T, 3, h, w)`` in [-1, 1]."""
    return torch.from_numpy(_crop(stored).transpose(0, 3, 1, 2) / 255 * 2 - 1).to(dtype)


def _crop(frames: NDArray[Any]) -> NDArray[Any]:
    """``(T, H, W, 3)`` without what is beyond multiples of four, as the evaluation reads it."""
    height, width = frames.shape[1:3]
    return frames[:, : height - height % MULTIPLE, : width - width % MULTIPLE]


def _tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    """Frames of 8 bits on the scale of -1 to 1; other values as they are."""
    return torch.from_numpy(values / 255 * 2 - 1 if values.dtype == np.uint8 else values).to(like)


def _one(network: PVDNet, given: dict[str, Tensor]) -> dict[str, Result]:
    seen: dict[str, Tensor] = {}
    watched = STAGES | {"RBs_last": (f"RBs.{len(network.PVDNet.RBs) - 1}", 32)}
    hooks = [watch(network.PVDNet.get_submodule(path), name, seen, _first(n)) for name, (path, n) in watched.items()]
    hooks.append(watch(network.volume, "PV", seen))
    low = network.BIMNet.between(network.pyramid(given["I_curr"]), network.pyramid(given["I_prev"]))
    seen["result"] = network(**given)
    for hook in hooks:
        hook.remove()
    side = network.volume.side
    return {**seen, "flow_low": low, "PV": seen["PV"][:, :: side + 1]}


def _first(channels: int) -> Callable[[Tensor], Tensor]:
    return lambda out: out[:, :channels]


def _shown(restored: Tensor, truth: NDArray[np.uint8]) -> dict[str, Result]:
    """The figures that the evaluation prints, of frames neither clamped nor rounded, and the files that it writes."""
    frames = ((restored + 1) / 2).permute(0, 2, 3, 1).cpu().numpy()
    clean = (truth / 255).astype(frames.dtype)
    similarity = [
        structural_similarity(a, b, win_size=7, data_range=1.0, channel_axis=-1)
        for a, b in zip(clean, frames, strict=True)
    ]
    return {
        "psnr": -10 * np.log10(np.square(frames - clean).mean(axis=(1, 2, 3))),
        "ssim": np.array(similarity),
        "png": (frames * 255 + 0.5).clip(0, 255).astype(np.uint8),
    }
