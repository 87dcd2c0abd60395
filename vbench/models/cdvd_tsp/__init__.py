"""CDVD-TSP (Pan et al., CVPR 2020): cascaded deblurring of five frames with a temporal sharpness prior."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(data: str, how: str = "") -> ModelSpec:
    name = f"cdvd-tsp-{data.lower()}{'-paper' if how else ''}"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.cdvd_tsp.restorer import load_restorer

        return load_restorer(device, weights, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=f"CDVD-TSP trained on {data}{how}",
        task="deblurring",
        source='Pan et al., "Cascaded Deep Video Deblurring Using Temporal Sharpness Prior" (CVPR 2020); conventions of '
        "csbhr/CDVD-TSP",
        licence=f"network: Apache-2.0 (ours); weights: {checkpoint(name).licence}",
        load=load,
        settings={
            "ends": "the clip is extended by its first and last two frames, in their order (official option --border)",
            "size": "last row and column repeated up to multiples of 4 (officially cropped)",
            "gray": "shown in three equal channels, their mean given",
        },
        weights=checkpoint(name),
        network="vbench.models.cdvd_tsp.net:build",
        parameters=16_187_045,
        # The flow looks far; it is estimated at multiples of 64.
        tiles=Tiles(halo=64, multiple=64, blend=16),
        precisions=PRECISIONS,
    )


DVD, DVD_PAPER, GOPRO = _spec("DVD"), _spec("DVD", " as long as in the paper"), _spec("GoPro")
SPECS = {spec.name: spec for spec in (DVD, DVD_PAPER, GOPRO)}
