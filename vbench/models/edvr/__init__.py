"""EDVR (Wang et al., CVPRW 2019): restoration of a frame from its window, aligned by deformable convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec, WeightsSpec

if TYPE_CHECKING:
    import torch

    from vbench.models.edvr.sequence import Ends
    from vbench.restore import Restorer


SIZE = "last row and column repeated up to multiples of {} (officially refused)"
ENDS: dict[Ends, str] = {
    "replicate": "the end frame shown again (replicate)",
    "reflection_circle": "a window filled with frames that are not yet in it (reflection_circle)",
}


def _spec(
    name: str,
    title: str,
    task: str,
    file: str,
    build: str,
    parameters: int,
    *,
    scale: int = 1,
    ends: Ends = "replicate",
) -> ModelSpec:
    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.edvr import net
        from vbench.models.edvr.restorer import load_restorer

        return load_restorer(getattr(net, build)(), device, weights, SPECS[name], ends)

    return ModelSpec(
        name=name,
        version=1,
        title=title,
        task=task,
        source='Wang et al., "EDVR" (CVPRW 2019); conventions of XPixelGroup/BasicSR',
        licence="network: Apache-2.0 (ours); weights: Apache-2.0",
        load=load,
        settings={
            "ends": ENDS[ends],
            "size": SIZE.format(16 if scale == 1 else 4),
            "gray": "shown in three equal channels, their mean given",
        },
        weights=WeightsSpec(
            file=f"{name}.pth",
            sha256=None,
            published=f"{file} from the folder that the model zoo of the GitHub repository XPixelGroup/BasicSR links",
            licence="Apache-2.0",
        ),
        network=f"vbench.models.edvr.net:{build}",
        parameters=parameters,
        scales=(scale,),
    )


DEBLUR = _spec(
    "edvr-l-deblur", "EDVR, L, for motion blur", "deblurring", "EDVR_L_deblur_REDS_official-ca46bd8c.pth",
    "build_deblur", 23_602_019,
)  # fmt: skip
DEBLUR_COMPRESSED = _spec(
    "edvr-l-deblurcomp", "EDVR, L, for motion blur and compression", "compressed video",
    "EDVR_L_deblurcomp_REDS_official-0e988e5c.pth", "build_deblur", 23_602_019,
)  # fmt: skip
M_X4 = _spec(
    "edvr-m-x4", "EDVR, M, x4, trained on REDS", "super-resolution", "EDVR_M_x4_SR_REDS_official-32075921.pth",
    "build_m", 3_300_131, scale=4, ends="reflection_circle",
)  # fmt: skip
L_X4 = _spec(
    "edvr-l-x4", "EDVR, L, x4, trained on REDS", "super-resolution", "EDVR_L_x4_SR_REDS_official-9f5f5039.pth",
    "build_l", 20_633_827, scale=4, ends="reflection_circle",
)  # fmt: skip
L_X4_VIMEO = _spec(
    "edvr-l-x4-vimeo", "EDVR, L, x4, trained on Vimeo-90K", "super-resolution",
    "EDVR_L_x4_SR_Vimeo90K_official-162b54e4.pth", "build_l_vimeo", 20_699_363, scale=4, ends="reflection_circle",
)  # fmt: skip
L_X4_BLUR = _spec(
    "edvr-l-x4-blur", "EDVR, L, x4, for blurred frames", "super-resolution",
    "EDVR_L_x4_SRblur_REDS_official-983d7b8e.pth", "build_l_blur", 23_306_851, scale=4,
)  # fmt: skip
SPECS = {spec.name: spec for spec in (DEBLUR, DEBLUR_COMPRESSED, M_X4, L_X4, L_X4_VIMEO, L_X4_BLUR)}
