"""VNLnet (Davy et al., ICIP 2019): a denoiser that finds its neighbours in the frames around by patch search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.published import checkpoint
from vbench.models.spec import PRECISIONS, ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(kind: str, sigma: int) -> ModelSpec:
    name = f"vnlnet-{kind}-s{sigma}"
    build = "build_gray" if kind == "gray" else "build_colour"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.vnlnet import net
        from vbench.models.vnlnet.restorer import load_restorer

        return load_restorer(getattr(net, build)(), device, weights, SPECS[name])

    colours = (
        {"colour": "each channel as a gray clip"}
        if kind == "gray"
        else {"gray": "shown in three equal channels, their mean given"}
    )
    return ModelSpec(
        name=name,
        version=1,
        title=f"VNLnet, {'gray' if kind == 'gray' else 'colour'}, sigma {sigma}",
        task="denoising",
        source='Davy et al., "Non-Local Video Denoising by CNN" (ICIP 2019); conventions of axeldavy/vnlnet',
        licence=f"network: Apache-2.0 (ours); weights: {checkpoint(name).licence}",
        load=load,
        settings={
            "search": "41 x 41 patches in a window of 41 x 41, seven frames before and seven after",
            "ends": "as the published test script: the last seven frames see one black neighbour",
            **colours,
            "output": "clamped to [0, 1]",
        },
        weights=checkpoint(name),
        network=f"vbench.models.vnlnet.net:{build}",
        parameters=503_584 if kind == "gray" else 4_521_504,
        # 15 convolutions of 3 x 3, then 20 pixels of search and 20 of a patch. Sums over a patch are made in blocks of
        # 41 rows on a CPU: where these lie alike, equal distances stay equal.
        tiles=Tiles(halo=55, multiple=41),
        precisions=PRECISIONS,
    )


SPECS = {
    spec.name: spec
    for kind, sigmas in (("gray", (5, 10, 15, 20, 25, 30, 40, 50)), ("color", (5, 10, 15, 20, 25, 35, 40)))
    for spec in (_spec(kind, sigma) for sigma in sigmas)
}


def __getattr__(name: str) -> ModelSpec:
    """The entries as attributes: ``GRAY_25``, ``COLOR_25`` and so on."""
    kind, _, sigma = name.lower().partition("_")
    if (key := f"vnlnet-{kind}-s{sigma}") in SPECS:
        return SPECS[key]
    raise AttributeError(name)
