"""RTN (Wan et al., CVPR 2022): restoration of old films by recurrence in both directions of time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _load(device: torch.device, weights: Path | None) -> Restorer:
    from vbench.models.rtn.restorer import load_restorer

    return load_restorer(device, weights, SPEC)


SPEC = ModelSpec(
    name="rtn",
    version=1,
    title="RTN (Bringing Old Films Back to Life)",
    task="old film",
    source='Wan et al., "Bringing Old Films Back to Life" (CVPR 2022); conventions of '
    "raywzy/Bringing-Old-Films-Back-to-Life",
    licence=f"network: Apache-2.0 (ours); weights: {checkpoint('rtn').terms}",
    load=_load,
    settings={
        "parts": "20 frames, starting every 10",
        "colour": "luma in three equal channels, as officially; a colour clip comes out nearly gray",
        "size": "last row and column repeated up to multiples of 16, at least 128 (officially stretched to 368 rows)",
    },
    weights=checkpoint("rtn"),
    network="vbench.models.rtn.net:build",
    parameters=6_178_741,
    # The flow compares all with all, and windows of attention lie at multiples of 16.
    tiles=Tiles(halo=64, multiple=16, blend=16),
    precisions=PRECISIONS,
)
SPECS = {SPEC.name: SPEC}
