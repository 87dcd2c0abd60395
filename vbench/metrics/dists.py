"""DISTS: how like structure and texture are, in the features of a trained network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vbench import assets
from vbench.errors import InputError
from vbench.metrics.spec import Metric, View, at_least, on_255
from vbench.metrics.trunks import PLACES, read

if TYPE_CHECKING:
    from torch import Tensor

    from vbench.clip import ClipInfo

STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""Convolutions of VGG-16 between poolings, by their place in torchvision's ``features``."""
CHANNELS = (3, 64, 128, 256, 512, 512)
"""Of the frame itself and of what each stage gives."""
STABLE = 1e-6
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL = 256
SMALLEST = 16
"""Four poolings leave one sample of that."""


class Network(NamedTuple):
    """What DISTS needs to know."""

    convolutions: dict[str, Tensor]
    """By torchvision's names."""
    alpha: Tensor
    """Weights of structure, of each channel of the frame and of the stages."""
    beta: Tensor
    """Of texture; all of both add up to 1."""


def build(convolutions: dict[str, Tensor], alpha: Tensor, beta: Tensor) -> Network:
    """The network from the convolutions of VGG-16 and the weights of the channels, which need not add up to 1.

    Raises:
        InputError: a convolution is missing, or the weights are not those of 1475 channels.
    """
    missing = [i for i in PLACES["vgg16"] if not {f"features.{i}.weight", f"features.{i}.bias"} <= convolutions.keys()]
    if missing or not alpha.numel() == beta.numel() == sum(CHANNELS):
        raise InputError(
            f"DISTS was given no convolutions {missing} and weights of {alpha.numel()} and {beta.numel()} channels; it "
            f"takes those of VGG-16 and of {sum(CHANNELS)} channels."
        )
    total = alpha.sum() + beta.sum()
    return Network(convolutions, alpha.flatten() / total, beta.flatten() / total)


def dists(network: Network, a: Tensor, b: Tensor, size: str = "whole") -> list[float]:
    """DISTS of pairs of frames; 0 is equal, lower is better.

    Args:
        network: of :func:`build`; its precision and device are those of the computation.
        a, b: ``(T, C, H, W)``, RGB or gray (repeated); uint8, uint16, or floating point in [0, 1].
        size: "whole" frames, or "small" ones: with the shorter side brought to 256 pixels where it is longer.

    Source: Ding, Ma, Wang, Simoncelli, "Image Quality Assessment: Unifying Structure and Texture Similarity" (TPAMI
    2020); the package ``dists-pytorch`` 0.1 of its authors, which compares whole frames.
    """
    import torch

    like = network.alpha
    with torch.inference_mode():
        return [
            float(_pair(network, _input(x[None], like, size), _input(y[None], like, size)))
            for x, y in zip(a, b, strict=True)
        ]


def _input(frames: Tensor, like: Tensor, size: str) -> Tensor:
    from torch.nn import functional

    x = on_255(frames).div_(255.0).to(like).expand(-1, 3, -1, -1)
    side = min(x.shape[2:])
    if size == "small" and side > SMALL:
        x = functional.interpolate(x, scale_factor=SMALL / side, mode="bilinear", align_corners=False)
    return x


def _pair(network: Network, x: Tensor, y: Tensor) -> Tensor:
    """1 minus the weighted similarities; stage by stage, so that no more than one is in memory."""
    alphas, betas = network.alpha.split(CHANNELS), network.beta.split(CHANNELS)
    out = network.alpha.new_ones(())
    for alpha, beta, p, q in zip(alphas, betas, stages(network, x), stages(network, y), strict=True):
        mean_p, mean_q = p.mean(dim=(0, 2, 3)), q.mean(dim=(0, 2, 3))
        structure = (2 * mean_p * mean_q + STABLE) / (mean_p**2 + mean_q**2 + STABLE)
        p, q = p - mean_p[:, None, None], q - mean_q[:, None, None]
        covariance = (p * q).mean(dim=(0, 2, 3))
        variances = (p**2).mean(dim=(0, 2, 3)) + (q**2).mean(dim=(0, 2, 3))
        texture = (2 * covariance + STABLE) / (variances + STABLE)
        out = out - (alpha * structure).sum() - (beta * texture).sum()
    return out


def stages(network: Network, x: Tensor) -> Iterator[Tensor]:
    """The frame ``(1, 3, H, W)``, then what each of VGG-16's five stages gives, behind its last ReLU."""
    import torch
    from torch.nn import functional

    yield x
    # The paper pools by the root of the mean square under a Hann window, which is 1, 2, 1 beside its zeros.
    window = x.new_tensor([0.25, 0.5, 0.25])
    window = window[:, None] * window
    x = (x - x.new_tensor(MEAN)[:, None, None]) / x.new_tensor(DEVIATION)[:, None, None]
    for number, places in enumerate(STAGES):
        if number:
            channels = x.shape[1]
            pooled = functional.conv2d(x**2, window.expand(channels, 1, 3, 3), stride=2, padding=1, groups=channels)
            x = (pooled + 1e-12).sqrt()
        for place in places:
            weight, bias = (network.convolutions[f"features.{place}.{part}"] for part in ("weight", "bias"))
            x = functional.conv2d(x, weight, bias, padding=1)
            x = torch.relu(x)
        yield x


def _network(device: str) -> Network:
    return _made(assets.need("vgg16"), assets.need("dists"), device)


@lru_cache(maxsize=1)
def _made(trunk: Path, weights: Path, device: str) -> Network:
    import torch

    own = torch.load(weights, map_location="cpu", weights_only=True)
    return build(
        {key: value.to(device) for key, value in read("vgg16", trunk).items()},
        own["alpha"].to(device),
        own["beta"].to(device),
    )


def _check(info: ClipInfo) -> None:
    at_least(SMALLEST, "DISTS")(info)
    assets.need("vgg16")
    assets.need("dists")


def make(size: str = "whole") -> Metric:
    """DISTS of whole frames, as its authors' package has it, or of small ones."""

    def measure(view: View) -> list[float]:
        frames = view.restored.frames
        return dists(_network(str(frames.device)), frames, view.reference().frames, size)

    small = (
        f"; frames whose shorter side is more than {SMALL} pixels brought to {SMALL}, bilinearly, without antialiasing"
    )
    return Metric(
        name="dists",
        version=2,
        unit="",
        direction="lower",
        convention="VGG-16's features at five depths and the frame itself, RGB in [0, 1], float32"
        + ("; no resizing" if size == "whole" else small),
        source="Ding et al., TPAMI 2020; package dists-pytorch 0.1",
        options={"size": size, "precision": "float32"},
        measure=measure,
        check=_check,
        values="0 to 1",
        licence="weights: MIT; trunk: BSD-3-Clause (torchvision), CC BY 4.0",
    )
