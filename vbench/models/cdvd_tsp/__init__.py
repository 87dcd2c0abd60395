"""CDVD-TSP (Pan et al., CVPR 2020): cascaded deblurring of five frames with a temporal sharpness prior."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec, WeightsSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(data: str, file: str) -> ModelSpec:
    name = f"cdvd-tsp-{data.lower()}"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.cdvd_tsp.restorer import load_restorer

        return load_restorer(device, weights, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=f"CDVD-TSP trained on {data}",
        task="deblurring",
        source='Pan et al., "Cascaded Deep Video Deblurring Using Temporal Sharpness Prior" (CVPR 2020); conventions of '
        "csbhr/CDVD-TSP",
        licence="network: Apache-2.0 (ours); weights: MIT",
        load=load,
        settings={
            "ends": "the clip is extended by its first and last two frames, in their order (official option --border)",
            "size": "last row and column repeated up to multiples of 4 (officially cropped)",
            "gray": "shown in three equal channels, their mean given",
        },
        weights=WeightsSpec(
            file=f"{name}.pth",
            sha256=None,
            published=f"{file} from the folder that the README of the GitHub repository csbhr/CDVD-TSP links",
            licence="MIT",
        ),
        network="vbench.models.cdvd_tsp.net:build",
        parameters=16_187_045,
    )


DVD = _spec("DVD", "CDVD_TSP_DVD_Convergent.pt")
GOPRO = _spec("GoPro", "CDVD_TSP_GOPRO.pt")
SPECS = {spec.name: spec for spec in (DVD, GOPRO)}
