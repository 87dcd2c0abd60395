"""FastDVDnet (Tassano et al., CVPR 2020): a video denoiser of five frames and a noise map, without flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec, WeightsSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(sigma: int, clipped: bool) -> ModelSpec:
    name = f"fastdvdnet-{'clipped-' if clipped else ''}s{sigma}"
    file = "model_clipped_noise.pth" if clipped else "model.pth"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.fastdvdnet.restorer import load_restorer

        return load_restorer(device, weights, sigma, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=f"FastDVDnet{' for clipped noise' if clipped else ''}, told sigma {sigma}",
        task="denoising",
        source='Tassano et al., "FastDVDnet" (CVPR 2020); conventions of m-tassano/fastdvdnet',
        licence="network: Apache-2.0 (ours); weights: MIT",
        load=load,
        settings={
            "sigma": sigma,
            "ends": "windows reflected, the end frame not repeated",
            "gray": "shown in three equal channels, their mean given",
            "output": "clamped to [0, 1]",
        },
        weights=WeightsSpec(
            file="fastdvdnet-clipped.pth" if clipped else "fastdvdnet.pth",
            sha256=None,
            published=f"{file} from the GitHub repository m-tassano/fastdvdnet",
            licence="MIT",
        ),
        network="vbench.models.fastdvdnet.net:build",
        parameters=2_479_096,
    )


S15, S25, S50 = (_spec(sigma, False) for sigma in (15, 25, 50))
CLIPPED_S15, CLIPPED_S25, CLIPPED_S50 = (_spec(sigma, True) for sigma in (15, 25, 50))
SPECS = {spec.name: spec for spec in (S15, S25, S50, CLIPPED_S15, CLIPPED_S25, CLIPPED_S50)}
