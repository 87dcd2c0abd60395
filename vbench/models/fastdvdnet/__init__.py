"""FastDVDnet (Tassano et al., CVPR 2020): a video denoiser of five frames and a noise map, without flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(sigma: int, clipped: bool) -> ModelSpec:
    name = f"fastdvdnet-{'clipped-' if clipped else ''}s{sigma}"
    weights_of = "fastdvdnet-clipped" if clipped else "fastdvdnet"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.fastdvdnet.restorer import load_restorer

        return load_restorer(device, weights, sigma, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=f"FastDVDnet{' for clipped noise' if clipped else ''}, told sigma {sigma}",
        task="denoising",
        source='Tassano et al., "FastDVDnet" (CVPR 2020); conventions of m-tassano/fastdvdnet',
        licence=f"network: Apache-2.0 (ours); weights: {checkpoint(weights_of).licence}",
        load=load,
        settings={
            "sigma": sigma,
            "ends": "windows reflected, the end frame not repeated",
            "gray": "shown in three equal channels, their mean given",
            "output": "clamped to [0, 1]",
        },
        weights=checkpoint(weights_of),
        network="vbench.models.fastdvdnet.net:build",
        parameters=2_479_096,
        # A denoising block sees 40 pixels around each (its two halvings included), and there are two stages.
        tiles=Tiles(halo=80, multiple=4),
        precisions=PRECISIONS,
    )


S15, S25, S50 = (_spec(sigma, False) for sigma in (15, 25, 50))
CLIPPED_S15, CLIPPED_S25, CLIPPED_S50 = (_spec(sigma, True) for sigma in (15, 25, 50))
SPECS = {spec.name: spec for spec in (S15, S25, S50, CLIPPED_S15, CLIPPED_S25, CLIPPED_S50)}
