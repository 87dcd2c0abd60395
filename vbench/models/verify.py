"""Is our network the official one? Its names, shapes and outputs against what the official code computed.

A fixture is a manifest (every tensor of the official state dict) and cases (inputs, and what came out with
weights by recipe, see `vbench.models.recipe`). Nothing of this needs the published weights.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench.errors import InputError, RunError
from vbench.models import spec
from vbench.models.recipe import read_manifest, state_dict

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """How far one output of ours is from the official one."""

    output: str
    largest: float
    """Largest absolute difference; infinite where shapes differ or a value is not a number."""
    allowed: float

    @property
    def within(self) -> bool:
        """Whether it is as small as the fixture asks."""
        return self.largest <= self.allowed


def verify(
    name: str,
    manifest: Path,
    case: Path,
    *,
    dtype: str = "float64",
    tolerance: float | None = None,
    device: str = "cpu",
) -> list[Difference]:
    """Run a case of a fixture through the network of model ``name``; one entry for each stored output.

    Args:
        manifest: the fixture's ``manifest.json``.
        case: one of its ``case_*.npz``.
        dtype: "float64", for which the fixture's tolerance is meant, or "float32".
        tolerance: relative to the largest value of each output, in place of the fixture's.

    Raises:
        InputError: the model has no network, or no way from this case to outputs.
        RunError: names or shapes of the network are not the official ones, or an output is not computed.
    """
    import torch

    found = spec(name)
    if found.network is None or found.parity is None:
        raise InputError(f'"{name}" is no network with a parity fixture; there is nothing to compare.')
    document = read_manifest(manifest)
    with torch.device("meta"):
        problems = mismatches(_attribute(found.network)(), document)
    if problems:
        raise RunError(f'The network of "{name}" is not that of "{manifest.name}": {"; ".join(problems[:5])}.')
    network: torch.nn.Module = _attribute(found.network)()
    # The precision first: filled in float32, the weights would be rounded.
    network = network.eval().to(getattr(torch, dtype))
    network.load_state_dict(network.state_dict() | state_dict(document), strict=True)
    network.to(device)
    with np.load(case) as stored:
        data = {key: stored[key] for key in stored.files}
    meta: dict[str, Any] = json.loads(str(data["meta"]))
    inputs = {key.removeprefix("in/"): value for key, value in data.items() if key.startswith("in/")}
    wanted = {key.removeprefix("out/"): value for key, value in data.items() if key.startswith("out/")}
    with torch.inference_mode():
        outputs = _attribute(found.parity)(network, inputs, meta)
    lacking = sorted(wanted.keys() - outputs.keys())
    if lacking:
        raise RunError(f'"{case.name}" has outputs that {found.parity} does not compute: {", ".join(lacking)}.')
    return [
        _difference(key, outputs[key].double().cpu().numpy(), value, meta["tolerance"], tolerance)
        for key, value in wanted.items()
    ]


def mismatches(network: torch.nn.Module, manifest: dict[str, Any]) -> list[str]:
    """Where names or shapes of a network's state dict are not those of a manifest, in words; empty if nowhere."""
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    official = {key: tuple(entry["shape"]) for key, entry in manifest["tensors"].items()}
    out = [f"{key} is missing" for key in official if key not in own]
    out += [f"{key} is not in the official one" for key in own if key not in official]
    out += [
        f"{key} is {own[key]} and should be {shape}" for key, shape in official.items() if own.get(key, shape) != shape
    ]
    return out


def _difference(
    output: str, own: NDArray[Any], official: NDArray[Any], stated: Any, relative: float | None
) -> Difference:
    peak = float(np.abs(official).max(initial=0.0))
    allowed = _allowed(stated, peak) if relative is None else relative * peak
    if own.shape != official.shape:
        return Difference(output, float("inf"), allowed)
    largest = float(np.abs(own - official).max(initial=0.0))
    return Difference(output, largest if np.isfinite(largest) else float("inf"), allowed)


def _allowed(stated: Any, peak: float) -> float:
    """A fixture's tolerance as an absolute one: a bare number is relative to the largest value."""
    if isinstance(stated, dict):
        if "absolute" in stated:
            return float(stated["absolute"])
        key = next((key for key in ("relative_to_max", "rel_to_max") if key in stated), None)
        if key is None:
            raise InputError(f"The tolerance {stated} of the fixture is of no kind that is known.")
        stated = stated[key]
    return float(stated) * peak


def _attribute(place: str) -> Any:
    module, attribute = place.split(":")
    return getattr(importlib.import_module(module), attribute)
