"""RFR (Lee et al., CVPR 2021): denoisers fine-tuned, while they are tested, on what they restored themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vbench.models import dncnn, fastdvdnet, vnlnet
from vbench.models.spec import ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer

Net = Literal["dncnn", "fastdvdnet", "vnlnet"]
Mode = Literal["online", "offline"]

TITLES: dict[str, str] = {"dncnn": "DnCNN-S", "fastdvdnet": "FastDVDnet", "vnlnet": "VNLnet, colour"}
ADAM = "Adam, learning rate 1e-5, all parameters, norms as trained"
PASSES = 10
"""Over the clip, offline."""
COLOURS: dict[str, tuple[str, str]] = {
    "dncnn": ("colour", "each channel as a gray clip of its own, with weights of its own"),
    "fastdvdnet": ("gray", "shown in three equal channels, their mean given"),
    "vnlnet": ("gray", "shown in three equal channels, their mean given"),
}


def _spec(net: Net, mode: Mode, sigma: int, base: ModelSpec) -> ModelSpec:
    name = f"rfr-{net}-{mode}-s{sigma}"

    def load(device: torch.device, weights: Path | None) -> Restorer:
        from vbench.models.rfr.restorer import load_restorer

        return load_restorer(net, mode, device, weights, sigma, SPECS[name])

    assert base.tiles is not None  # noqa: S101 - all three have them
    steps = "1 step a frame" if mode == "online" else f"{PASSES} passes, 1 step a frame, batches of two"
    return replace(
        base,
        name=name,
        version=1,
        slow=True,
        title=f"RFR on {TITLES[net]}, {mode}, sigma {sigma}",
        source='Lee et al., "Restore From Restored" (CVPR 2021); procedure of shlee0/RFR-video-denoising. '
        f"Denoiser: {base.source}",
        load=load,
        iterations=lambda meta: (
            meta.frames * (meta.channels if net == "dncnn" else 1) * (1 if mode == "online" else PASSES)
        ),
        # Each tile is fine-tuned by itself, with weights of its own. What is faded sees all that it would see.
        tiles=Tiles(halo=base.tiles.halo + 16, multiple=base.tiles.multiple, blend=16),
        # Errors as small as these vanish in fp16 when they go back through the network.
        precisions=("fp32", "bf16"),
        settings={
            "sigma": sigma,
            "training": f"{mode}, {steps}; {ADAM}",
            "seed": 0,
            COLOURS[net][0]: COLOURS[net][1],
            "output": "clamped to [0, 1]",
        },
    )


def _specs() -> dict[str, ModelSpec]:
    """The published script fine-tunes the DnCNN of sigma 25 whatever the noise is; here it stands for 25 alone."""
    bases: list[tuple[Net, int, ModelSpec]] = [("dncnn", 25, dncnn.S25)]
    bases += [("fastdvdnet", sigma, fastdvdnet.S25) for sigma in (15, 25, 40)]
    bases += [("vnlnet", sigma, vnlnet.SPECS[f"vnlnet-color-s{sigma}"]) for sigma in (15, 25, 40)]
    made = [_spec(net, mode, sigma, base) for net, sigma, base in bases for mode in ("online", "offline")]
    return {spec.name: spec for spec in made}


SPECS = _specs()


def __getattr__(name: str) -> ModelSpec:
    """The entries as attributes: ``DNCNN_ONLINE_S25`` and so on."""
    key = f"rfr-{name.lower().replace('_', '-')}"
    if key in SPECS:
        return SPECS[key]
    raise AttributeError(name)
