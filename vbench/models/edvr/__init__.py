"""EDVR (Wang et al., CVPRW 2019): restoration of a frame from its window, aligned by deformable convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec, WeightsSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(name: str, title: str, task: str, file: str) -> ModelSpec:
    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.edvr.restorer import load_restorer

        return load_restorer(device, weights, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=title,
        task=task,
        source='Wang et al., "EDVR" (CVPRW 2019); conventions of XPixelGroup/BasicSR',
        licence="network: Apache-2.0 (ours); weights: Apache-2.0",
        load=load,
        settings={
            "ends": "the end frame shown again (replicate)",
            "size": "last row and column repeated up to multiples of 16 (officially refused)",
            "gray": "shown in three equal channels, their mean given",
        },
        weights=WeightsSpec(
            file=f"{name}.pth",
            sha256=None,
            published=f"{file} from the folder that the model zoo of the GitHub repository XPixelGroup/BasicSR links",
            licence="Apache-2.0",
        ),
        network="vbench.models.edvr.net:build_deblur",
        parameters=23_602_019,
    )


DEBLUR = _spec("edvr-l-deblur", "EDVR, L, for motion blur", "deblurring", "EDVR_L_deblur_REDS_official-ca46bd8c.pth")
DEBLUR_COMPRESSED = _spec(
    "edvr-l-deblurcomp",
    "EDVR, L, for motion blur and compression",
    "compressed video",
    "EDVR_L_deblurcomp_REDS_official-0e988e5c.pth",
)
SPECS = {spec.name: spec for spec in (DEBLUR, DEBLUR_COMPRESSED)}
