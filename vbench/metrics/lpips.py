"""LPIPS, and tLP: perceptual distance by the features of a trained network, of frames and of their change."""

from __future__ import annotations

import warnings
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench import assets
from vbench.errors import InputError
from vbench.metrics.planes import tecogan_crop
from vbench.metrics.spec import Chunk, Figures, Metric, View, at_least, on_255
from vbench.metrics.trunks import read

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vbench.clip import ClipInfo

SMALLEST = 31
"""Below this side length the second pooling of AlexNet has nothing left."""


NETS = {"alex": ("alexnet", "AlexNet"), "vgg": ("vgg16", "VGG-16")}
"""The parameter file of each trunk, and its name in words."""


def build(trunk: dict[str, Tensor], net: str = "alex") -> torch.nn.Module:
    """LPIPS v0.1, by the package ``lpips``, with the given trunk.

    Args:
        trunk: torchvision's AlexNet or VGG-16; of its names those that begin with ``features.`` are used.
        net: which of them, "alex" or "vgg".

    Raises:
        InputError: the trunk lacks a layer.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's notes on arguments that lpips still uses
        import lpips

        network: torch.nn.Module = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    precision = next(iter(trunk.values())).dtype
    own = network.to(precision).state_dict()
    for name in list(own):
        if name.startswith("net.slice"):
            key = "features." + name.split(".", maxsplit=2)[2]
            if key not in trunk or trunk[key].shape != own[name].shape:
                raise InputError(f'The file of {NETS[net][1]} has no "{key}" of shape {tuple(own[name].shape)}.')
            own[name] = trunk[key]
    network.load_state_dict(own, strict=True)
    return network.eval().requires_grad_(False)


def _network(net: str, device: str) -> torch.nn.Module:
    return _made(net, assets.need(NETS[net][0]), device)


@lru_cache(maxsize=2)
def _made(net: str, path: Path, device: str) -> torch.nn.Module:
    return build(read(NETS[net][0], path), net).to(device)


def lpips_distance(network: torch.nn.Module, a: Tensor, b: Tensor) -> list[float]:
    """LPIPS of pairs of frames; 0 is equal, lower is better.

    Args:
        network: of :func:`build`; its precision is that of the computation.
        a, b: ``(T, C, H, W)``, RGB or gray (repeated); uint8, uint16, or floating point in [0, 1].

    Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018), package
    ``lpips`` 0.1.4, version 0.1.
    """
    import torch

    weight = next(network.parameters())
    with torch.inference_mode():
        return [
            float(network(_input(x[None], weight), _input(y[None], weight)).double()) for x, y in zip(a, b, strict=True)
        ]


def _input(frames: Tensor, like: Tensor) -> Tensor:
    x = on_255(frames).div_(127.5).sub_(1.0).to(like)
    return x.expand(-1, 3, -1, -1)


def _measure(net: str, view: View) -> list[float]:
    frames = view.restored.frames
    network = _network(net, str(frames.device))
    return lpips_distance(network, frames, view.reference().frames)


def _steps(network: torch.nn.Module, chunk: Chunk) -> list[float]:
    """LPIPS between neighbours of one clip, on TecoGAN's crop; kept with the chunk."""

    def make() -> list[float]:
        frames = tecogan_crop(chunk.frames)
        return lpips_distance(network, frames[:-1], frames[1:])

    return chunk.once("lpips of neighbours", make)


def tlp(network: torch.nn.Module, restored: Chunk, truth: Chunk) -> Figures:
    """tLP times 100 of each pair of neighbours: how far the perceptual change differs from the ground truth's."""
    own, wanted = _steps(network, restored), _steps(network, truth)
    return Figures([abs(a - b) * 100.0 for a, b in zip(own, wanted, strict=True)])


def _measure_tlp(view: View) -> Figures:
    network = _network("alex", str(view.restored.frames.device))
    return tlp(network, view.restored, view.reference())


def _check(side: int, name: str, file: str, info: ClipInfo) -> None:
    at_least(side, name)(info)
    assets.need(file)


_COMMON: dict[str, Any] = {
    "version": 1,
    "unit": "",
    "direction": "lower",
    "options": {"net": "alex", "lpips": "0.1", "precision": "float32"},
    "licence": "package lpips: BSD-2-Clause; trunk: BSD-3-Clause (torchvision)",
}


def make(net: str = "alex") -> Metric:
    """LPIPS with AlexNet, which restoration papers report, or with VGG-16."""
    file, words = NETS[net]
    return Metric(
        name="lpips",
        convention=f"{words}, version 0.1, RGB in [-1, 1], no resizing",
        source="Zhang et al., CVPR 2018; package lpips 0.1.4",
        measure=partial(_measure, net),
        check=partial(_check, SMALLEST, "LPIPS", file),
        values="0 to about 1",
        **(_COMMON | {"options": _COMMON["options"] | {"net": net}}),
    )


TLP = Metric(
    name="tlp",
    convention="100 times the difference of the LPIPS between neighbours of result and of ground truth; central crop to "
    "multiples of 32; all pairs",
    source="TecoGAN metrics.py (Chu et al., TOG 2020); there the first and last two frames are left out",
    measure=_measure_tlp,
    overlap=1,
    check=partial(_check, 48, "tLP", "alexnet"),
    values="0 to about 100",
    **_COMMON,
)
