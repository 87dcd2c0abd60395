"""EDVR (Wang et al., CVPRW 2019): restoration of a frame from its window, aligned by deformable convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

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
        licence=f"network: Apache-2.0 (ours); weights: {checkpoint(name).licence}",
        load=load,
        settings={
            "ends": ENDS[ends],
            "size": SIZE.format(16 if scale == 1 else 4),
            "gray": "shown in three equal channels, their mean given",
        },
        weights=checkpoint(name),
        network=f"vbench.models.edvr.net:{build}",
        parameters=parameters,
        scales=(scale,),
        # Deformable convolutions may look anywhere.
        tiles=Tiles(halo=64, multiple=16 if scale == 1 else 4, blend=16),
        precisions=PRECISIONS,
    )


DEBLUR = _spec("edvr-l-deblur", "EDVR, L, for motion blur", "deblurring", "build_deblur", 23_602_019)
DEBLUR_COMPRESSED = _spec(
    "edvr-l-deblurcomp", "EDVR, L, for motion blur and compression", "compressed video", "build_deblur", 23_602_019
)
M_X4 = _spec(
    "edvr-m-x4", "EDVR, M, x4, trained on REDS", "super-resolution", "build_m", 3_300_131,
    scale=4, ends="reflection_circle",
)  # fmt: skip
M_X4_WOTSA = _spec(
    "edvr-m-x4-wotsa", "EDVR, M, x4, without attention, trained on REDS", "super-resolution", "build_m_without_attention",
    2_996_259, scale=4, ends="reflection_circle",
)  # fmt: skip
L_X4 = _spec(
    "edvr-l-x4", "EDVR, L, x4, trained on REDS", "super-resolution", "build_l", 20_633_827,
    scale=4, ends="reflection_circle",
)  # fmt: skip
L_X4_VIMEO = _spec(
    "edvr-l-x4-vimeo", "EDVR, L, x4, trained on Vimeo-90K", "super-resolution", "build_l_vimeo", 20_699_363,
    scale=4, ends="reflection_circle",
)  # fmt: skip
L_X4_BLUR = _spec(
    "edvr-l-x4-blur", "EDVR, L, x4, for blurred frames", "super-resolution", "build_l_blur", 23_306_851, scale=4
)
SPECS = {spec.name: spec for spec in (DEBLUR, DEBLUR_COMPRESSED, M_X4, M_X4_WOTSA, L_X4, L_X4_VIMEO, L_X4_BLUR)}
