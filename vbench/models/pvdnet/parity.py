"""How the cases of PVDNet's parity fixtures go through the network: one step with its stages, or a clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from vbench.fixtures import fixed, make, options
from vbench.flow.bimnet.net import BIMNet, Pyramid
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

ROUNDING = (
    "PVDNet truncates where a flow leads to whole pixels. A position that lies closer to a whole number than float32 "
    "computes flows (about 2e-5 pixels) falls to one side or the other with the order of additions alone, and the frames "
    "that follow are made from it. The second figure is of the same run, the flow alone in float64."
)
"""Why float32 may be over its tolerance; see :func:`decided`."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> PVDNet:
    """The network with the fixture's number of blocks and channels."""
    given = options(manifest, meta)
    fixed(given, "PVDNet", PV_input_dim=given.get("PV_ksize", WINDOW) ** 2, refine_val=MULTIPLE)
    names = {"blocks": "residual_blocks", "channels": "res_channels", "window": "PV_ksize"}
    return make(PVDNet, given, said=("PV_input_dim", "refine_val"), **names)


def outputs(network: PVDNet, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Result]:
    """One call (``I_prev``, ``I_curr``, ``I_next``, ``I_prev_deblurred``), or a clip (``frames``, maybe ``gt``)."""
    weight = next(network.PVDNet.parameters())
    if "frames" not in inputs:
        return _one(network, {name: _tensor(value, weight) for name, value in inputs.items()})
    clip = frames_of(inputs["frames"], weight.dtype).to(weight.device)
    found = list(steps(network, clip.split(1)))
    restored = torch.cat([step.restored for step in found])
    out: dict[str, Result] = {"frames": restored, "flow_low": torch.cat([step.low for step in found])}
    return out | (_shown(restored, _crop(inputs["gt"])) if "gt" in inputs else {})


class _InDouble(nn.Module):
    """A flow network in float64, for frames of any type."""

    def __init__(self, network: BIMNet) -> None:
        super().__init__()
        self.network = network

    def pyramid(self, frames: Tensor) -> Pyramid:
        return self.network.pyramid(frames.double())

    def between(self, first: Pyramid, second: Pyramid) -> Tensor:
        return self.network.between(first, second)


def decided(network: PVDNet, exact: PVDNet) -> PVDNet:
    """A network of float32 with the flows of one of float64, which say what is truncated to what."""
    network.BIMNet = _InDouble(exact.BIMNet)  # type: ignore[assignment]  # what PVDNet calls of it
    return network


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
