"""DnCNN (Zhang et al., TIP 2017): a residual denoiser for single gray frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(name: str, title: str, layers: int, parameters: int) -> ModelSpec:
    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.dncnn.restorer import load_restorer

        return load_restorer(layers, device, weights, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=title,
        task="denoising",
        source='Zhang et al., "Beyond a Gaussian Denoiser" (TIP 2017); weights and conventions of SaoYan/DnCNN-PyTorch',
        licence=f"network: Apache-2.0 (ours); weights: {checkpoint(name).licence}",
        load=load,
        settings={"layers": layers, "colour": "each channel as a gray frame", "output": "clamped to [0, 1]"},
        weights=checkpoint(name),
        network=f"vbench.models.dncnn.net:build_{layers}",
        parameters=parameters,
        # A convolution of 3 x 3 in each layer.
        tiles=Tiles(halo=layers, alone=True),
        precisions=PRECISIONS,
    )


S15 = _spec("dncnn-s15", "DnCNN-S, sigma 15", 17, 556_032)
S25 = _spec("dncnn-s25", "DnCNN-S, sigma 25", 17, 556_032)
S50 = _spec("dncnn-s50", "DnCNN-S, sigma 50", 17, 556_032)
BLIND = _spec("dncnn-b", "DnCNN-B, blind", 20, 667_008)
SPECS = {spec.name: spec for spec in (S15, S25, S50, BLIND)}
