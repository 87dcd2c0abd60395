"""RTN (Wan et al., CVPR 2022): restoration of old films by recurrence in both directions of time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec, WeightsSpec

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
    licence="network: Apache-2.0 (ours); weights: academic research only",
    load=_load,
    settings={
        "parts": "20 frames, starting every 10",
        "colour": "luma in three equal channels, as officially; a colour clip comes out nearly gray",
        "size": "last row and column repeated up to multiples of 16, at least 128 (officially stretched to 368 rows)",
    },
    weights=WeightsSpec(
        file="rtn.pth",
        sha256=None,
        published="net_G_200000.pth of RNN_Swin_4.zip, which the README of the GitHub repository "
        "raywzy/Bringing-Old-Films-Back-to-Life links",
        licence="academic research only",
    ),
    network="vbench.models.rtn.net:build",
    parameters=6_178_741,
)
SPECS = {SPEC.name: SPEC}
