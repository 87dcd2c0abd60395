"""VNLnet (Davy et al., ICIP 2019): a denoiser that finds its neighbours in the frames around by patch search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec, WeightsSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _spec(kind: str, sigma: int, digest: str | None = None) -> ModelSpec:
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
        licence="network: Apache-2.0 (ours); weights: GPL-3.0",
        load=load,
        settings={
            "search": "41 x 41 patches in a window of 41 x 41, seven frames before and seven after",
            "ends": "as the published test script: the last seven frames see one black neighbour",
            **colours,
            "output": "clamped to [0, 1]",
        },
        weights=WeightsSpec(
            file=f"{name}.pth",
            sha256=digest,
            published=f"vnlnet_{kind}_{sigma}.pth from the GitHub repository axeldavy/vnlnet",
            licence="GPL-3.0",
        ),
        network=f"vbench.models.vnlnet.net:{build}",
        parameters=503_584 if kind == "gray" else 4_521_504,
    )


GRAY_15 = _spec("gray", 15, "16971370f7ed2d542f35b7c11819fb15b010930f5b1211953e5748a285d91bbb")
GRAY_25 = _spec("gray", 25, "cf59b321ada8f0a4810be948c0cc4588141cc3743ac325e5a2b7f145bde9ba05")
GRAY_40 = _spec("gray", 40, "c5d139c5cd6fc250bd9602412ff75c8ee2673cdf5848fbc5bc8035a4201ef3ab")
GRAY_50 = _spec("gray", 50, "7760886cb90d7001d218d9408401291321cfc30cf3b3f521d671723328d379cb")
COLOUR_15, COLOUR_25, COLOUR_40 = (_spec("color", sigma) for sigma in (15, 25, 40))
SPECS = {spec.name: spec for spec in (GRAY_15, GRAY_25, GRAY_40, GRAY_50, COLOUR_15, COLOUR_25, COLOUR_40)}
