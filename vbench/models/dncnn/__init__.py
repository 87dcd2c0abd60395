"""DnCNN (Zhang et al., TIP 2017): a residual denoiser for single gray frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec, WeightsSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(name: str, title: str, layers: int, parameters: int, path: str, digest: str) -> ModelSpec:
    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.dncnn.restorer import load_restorer

        return load_restorer(layers, device, weights, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=title,
        task="denoising",
        source='Zhang et al., "Beyond a Gaussian Denoiser" (TIP 2017); weights and conventions of SaoYan/DnCNN-PyTorch',
        licence="network: Apache-2.0 (ours); weights: GPL-3.0",
        load=load,
        settings={"layers": layers, "colour": "each channel as a gray frame", "output": "clamped to [0, 1]"},
        weights=WeightsSpec(
            file=f"{name}.pth",
            sha256=digest,
            published=f"{path} from the GitHub repository SaoYan/DnCNN-PyTorch",
            licence="GPL-3.0",
        ),
        network=f"vbench.models.dncnn.net:build_{layers}",
        parameters=parameters,
    )


S15 = _spec(
    "dncnn-s15", "DnCNN-S, sigma 15", 17, 556_032, "logs/DnCNN-S-15/net.pth",
    "6eaf743d87f977693ad2ab1e35b0d09c3c8bd87fb74b8ed2d659918bdba2cbd9",
)  # fmt: skip
S25 = _spec(
    "dncnn-s25", "DnCNN-S, sigma 25", 17, 556_032, "logs/DnCNN-S-25/net.pth",
    "65f0f0ea16d667274a75a7eec19950b22e752007c8a3147831b2d5441bd62920",
)  # fmt: skip
S50 = _spec(
    "dncnn-s50", "DnCNN-S, sigma 50", 17, 556_032, "logs/DnCNN-S-50/net.pth",
    "dfdd4d9b10e50d466a48f15f4aaa0ba0ccfa4b71fc80b5ccbcecddce8e69a50e",
)  # fmt: skip
BLIND = _spec(
    "dncnn-b", "DnCNN-B, blind", 20, 667_008, "logs/DnCNN-B/net.pth",
    "dc25406eff05b9f4d1b30084a7a774e458e963f67d4a0ad1d2d9efbef4325b39",
)  # fmt: skip
SPECS = {spec.name: spec for spec in (S15, S25, S50, BLIND)}
