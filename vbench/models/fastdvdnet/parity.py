"""How the cases of FastDVDnet's parity fixture go through the network: one window, or a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.fixtures import fixed, make, options, tensor
from vbench.models.fastdvdnet.net import FRAMES, FastDVDnet
from vbench.models.fastdvdnet.sequence import restore_all, windows

Result = Tensor | NDArray[Any]

LEVELS = frozenset({"saved_uint8_rgb"})
PSNR_TOLERANCE = 1e-4
"""In dB, as the page of the fixture states it."""


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> FastDVDnet:
    """The network; it has no options.

    Raises:
        InputError: a fixture of another number of frames.
    """
    given = options(manifest, meta)
    fixed(given, "FastDVDnet", num_input_frames=FRAMES)
    return make(FastDVDnet, given, said=("num_input_frames", "module"))


def outputs(network: FastDVDnet, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Result]:
    """A window (``frames``, ``noise_map``) with what the blocks inside give, or a sequence (``clean``, ``noisy``)."""
    if "frames" in inputs:
        return _window(network, inputs["frames"], inputs["noise_map"])
    return _sequence(network, inputs, meta)


def allowed(output: str, peak: float, meta: dict[str, Any]) -> float | None:
    """PSNRs have a tolerance in dB; frame indices and 8-bit frames are equal or they are not."""
    if output.startswith("psnr"):
        return float(meta.get("psnr_tolerance_db", PSNR_TOLERANCE))
    return 0.0 if output in ("windows", "saved_uint8_rgb") else None


def _window(network: FastDVDnet, frames: NDArray[Any], noise_map: NDArray[Any]) -> dict[str, Result]:
    weight = next(network.parameters())
    x = tensor(frames, weight)
    x = x.reshape(-1, 3 * FRAMES, *x.shape[-2:])
    n = tensor(noise_map, weight)
    seen: dict[str, Result] = {}
    hooks = [_watch(block, name, seen) for name, block in network.temp1.named_children()]
    inner = network.first(x, n)
    for hook in hooks:
        hook.remove()
    seen |= {f"stage1_{i}": frame for i, frame in enumerate(inner)}
    return seen | {"output": network(x, n)}


def _watch(block: nn.Module, name: str, seen: dict[str, Result]) -> torch.utils.hooks.RemovableHandle:
    """Keep what a block gives in its first call: whole, and its first channels, however many."""

    def keep(module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        whole = f"temp1_{name}"
        if whole not in seen:
            seen[whole] = out
            seen.update({f"{whole}_ch0to{n - 1}": out[:, :n] for n in range(1, out.shape[1] + 1)})

    return block.register_forward_hook(keep)


def _sequence(network: FastDVDnet, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Result]:
    weight = next(network.parameters())
    noisy = tensor(inputs["noisy"], weight)
    noise = meta["noise_std"] if "noise_std" in meta else meta["sigma"] / 255
    denoised, first = restore_all(network, noisy, float(noise))
    clean = tensor(inputs["clean"], weight).permute(0, 3, 1, 2)
    saved = (denoised.float() * 255).clamp(0, 255).to(torch.uint8)  # cut off, not rounded
    return {
        "denoised": denoised,
        "windows": np.array(windows(len(noisy))),
        "first_window_padded_unclamped": first,
        "saved_uint8_rgb": saved.permute(0, 2, 3, 1),
        "psnr_noisy": _psnr(noisy, clean),
        "psnr_denoised": _psnr(denoised, clean),
    }


def _psnr(frames: Tensor, clean: Tensor) -> NDArray[np.float64]:
    """Mean over the frames of their PSNR in dB, of float32 values with peak 1."""
    error = (frames.float() - clean.float()).double().square().mean(dim=(1, 2, 3))
    return np.asarray(-10 * torch.log10(error).mean().cpu().numpy())
