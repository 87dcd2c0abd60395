"""PVDNet (Son et al., TOG 2021): recurrent deblurring with a flow that blur does not change, and pixel volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(data: str, large: bool = False) -> ModelSpec:
    name = f"pvdnet-{'large-' if large else ''}{data.lower()}"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.pvdnet.restorer import load_restorer

        return load_restorer(device, weights, large, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=f"PVDNet{', large,' if large else ''} trained on {data}",
        task="deblurring",
        source='Son et al., "Recurrent Video Deblurring" (TOG 2021); conventions of codeslake/PVDNet',
        licence=f"network: Apache-2.0 (ours); weights: {checkpoint(name).licence}",
        load=load,
        settings={
            "state": "the previous restored frame, neither clamped nor rounded; the blurred frame at the start",
            "ends": "the end frame is its own neighbour",
            "size": "last row and column repeated up to multiples of 4, at least 64 (officially cropped)",
            "gray": "shown in three equal channels, their mean given",
        },
        weights=checkpoint(name),
        network=f"vbench.models.pvdnet.net:build{'_large' if large else ''}",
        parameters=23_361_780 if large else 10_514_548,
        # The flow looks far, and its mean over what is seen is taken off in between.
        tiles=Tiles(halo=64, multiple=32, blend=16),
        precisions=PRECISIONS,
    )


DVD = _spec("DVD")
GOPRO = _spec("GoPro")
LARGE_GOPRO = _spec("GoPro", large=True)
SPECS = {spec.name: spec for spec in (DVD, GOPRO, LARGE_GOPRO)}
