"""DnCNN on a clip: each frame alone, each channel as a gray frame, as the official test script does it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from vbench.models.dncnn.net import DnCNN
from vbench.models.loading import loaded
from vbench.models.spec import ModelSpec
from vbench.restore import Framewise, Restorer

PIXELS_AT_ONCE = 2**21
"""On a GPU planes are batched up to so many pixels; 64 features of float32 are 0.5 GiB then. On the CPU they go one
by one, which is faster (measured: 1.8 s for three planes of 320 x 180 on one core, 2.1 s as a batch)."""


def fuse(network: DnCNN) -> nn.Sequential:
    """The same function with every batch norm folded into the convolution before it."""
    layers = list(network.dncnn)
    fused: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            convolution = fused[-1]
            assert isinstance(convolution, nn.Conv2d)  # noqa: S101 - built so above
            fused[-1] = nn.utils.fuse_conv_bn_eval(convolution, layer)
        else:
            fused.append(layer)
    return nn.Sequential(*fused)


def load_restorer(layers: int, device: torch.device, weights: Path | None, spec: ModelSpec) -> Restorer:
    """The network with its weights, on ``device``.

    Raises:
        MissingWeights: there are none; the network never runs on random numbers.
    """
    run = fuse(loaded(DnCNN(layers), weights, device, spec)).to(memory_format=torch.channels_last)

    def denoise(frames: Tensor) -> Tensor:
        if frames.shape[1] == 3 and bool((frames == frames[:, :1]).all()):
            # Black and white in three channels: equal planes give equal results, so one is computed.
            return denoise(frames[:, :1]).expand_as(frames)
        planes = frames.reshape(-1, 1, *frames.shape[-2:])
        batch = max(1, PIXELS_AT_ONCE // planes[0].numel()) if device.type == "cuda" else 1
        out = [
            (part - run(part.contiguous(memory_format=torch.channels_last))).clamp(0, 1) for part in planes.split(batch)
        ]
        return torch.cat(out).reshape(frames.shape)

    return Framewise(denoise)
