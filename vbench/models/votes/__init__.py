"""VOTES (Luo et al., ACM MM 2022): EDVR that is told where restoration is hard, for videos shared on social media."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(name: str, title: str) -> ModelSpec:
    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.votes.restorer import load_restorer

        return load_restorer(device, weights, SPECS[name])

    return ModelSpec(
        name=name,
        version=1,
        title=title,
        task="compressed video",
        source='Luo et al., "Restoration of User Videos Shared on Social Media" (ACM MM 2022); conventions of '
        "luohongming/VOTES",
        licence=f"network: Apache-2.0 (ours); weights: {checkpoint(name).terms}",
        load=load,
        settings={
            "ends": "a window filled with frames that are not yet in it (reflection_circle)",
            "size": "last row and column repeated up to multiples of 4 (officially refused)",
            "gray": "shown in three equal channels, their mean given",
            "map": "0 where a frame is predicted perfectly (officially 0 / 0)",
        },
        weights=checkpoint(name),
        network="vbench.models.votes.net:build",
        parameters=24_200_937,
        scales=(2,),
        # Deformable convolutions may look anywhere, and the map is scaled by its largest value in what is seen.
        tiles=Tiles(halo=64, multiple=4, blend=16),
        precisions=PRECISIONS,
    )


REDS_QP28 = _spec("votes-x2-qp28", "VOTES, x2, trained on REDS at QP 28")
REDS_QP33 = _spec("votes-x2-qp33", "VOTES, x2, trained on REDS at QP 33")
WECHAT = _spec("votes-x2-wechat", "VOTES, x2, trained on videos from WeChat")
SPECS = {spec.name: spec for spec in (REDS_QP28, REDS_QP33, WECHAT)}
