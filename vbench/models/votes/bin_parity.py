"""How the cases of the parity fixture of BIN and the degradation feature map go through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.fixtures import make, options
from vbench.hooks import watch
from vbench.models.edvr.parity import frames_of
from vbench.models.votes.bin import BIN, Predicted, degradation_map

EXACT = frozenset({"dfm", "center_gray", "blur_gray", "diff"})
"""Outputs that are rounded: they are equal or they are not."""


ROUNDING = (
    "The map is made of grey levels that are rounded to whole numbers. A grey that lies closer to the limit between two "
    "levels than float32 computes it (about 3e-5 levels) falls to one side or the other with the order of additions "
    "alone. The second figure is of the same run, the prediction that is rounded alone in float64."
)
"""Why float32 may be over its tolerance; see :func:`decided`."""


class _Rounded(nn.Module):
    """BIN, whose prediction that is rounded comes from the same network in float64."""

    def __init__(self, network: BIN, exact: BIN) -> None:
        super().__init__()
        self.model = network.model
        self._both = (network, exact)

    def forward(self, x: Tensor) -> Predicted:
        network, exact = self._both
        found: Predicted = network(x)
        return found._replace(centre=exact(x.double()).centre)


def decided(network: BIN, exact: BIN) -> nn.Module:
    """A network of float32 whose prediction of the centre frame, which is rounded, is that of one of float64."""
    return _Rounded(network, exact)


def build(manifest: dict[str, Any], meta: dict[str, Any]) -> BIN:
    """The network with the fixture's options."""
    return make(BIN, options(manifest, meta))


def outputs(network: BIN, inputs: dict[str, NDArray[Any]], meta: dict[str, Any]) -> dict[str, Tensor]:
    """The predictions and the map, and what the first interpolation gives on the way.

    Args:
        inputs: ``frames``, ``(T, H, W, 3)`` or ``(B, T, H, W, 3)``.
    """
    x = frames_of(inputs["frames"], next(network.parameters()))
    seen: dict[str, Tensor] = {}
    model = network.model["model1_1"]
    blocks = model.get_submodule("RDBs")
    assert isinstance(blocks, nn.ModuleList)  # noqa: S101 - as the constructor makes it
    parts = {"sfe1_a": model.get_submodule("SFENet1"), "gff_a": model.get_submodule("GFF")}
    parts |= {f"rdb{i}_a": block for i, block in enumerate(blocks)}
    # The first of the two interpolations, which run as one batch; of it the first four channels.
    hooks = [watch(part, name, seen, lambda out: out[: len(x), :4]) for name, part in parts.items()]
    before, behind, centre = network(x)
    for hook in hooks:
        hook.remove()
    stages = torch.stack([before, behind], dim=1)
    return seen | {"i2": before, "i4": behind, "out1": stages, "out1_prime": centre} | map_outputs(x[:, 2], centre)


def map_outputs(centre: Tensor, predicted: Tensor) -> dict[str, Tensor]:
    """The map and its parts, by the names of the fixtures."""
    found = degradation_map(centre, predicted)
    return {
        "dfm": found.map,
        "center_gray": found.centre,
        "blur_gray": found.predicted,
        "diff": found.centre - found.predicted,
        "log_max": found.largest[None],
    }


def allowed(output: str, peak: float, meta: dict[str, Any]) -> float | None:
    """What is rounded must match exactly, and the map made of it to the last bits of a logarithm: a GPU's is another."""
    if output == "dfm":
        return 4 * float(np.finfo(np.float64).eps) * peak
    return 0.0 if output in EXACT else None
