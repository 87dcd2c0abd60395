"""Is our network the official one? Its names, shapes and outputs against what the official code computed.

A fixture is a manifest (every tensor of the official state dict) and cases (inputs, and what came out with
weights by recipe, see `vbench.models.recipe`). Nothing of this needs the published weights.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench.errors import InputError, RunError
from vbench.models.networks import network_spec
from vbench.models.recipe import read_manifest, state_dict

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Difference:
    """How far one output of ours is from the official one."""

    output: str
    largest: float
    """Largest absolute difference; infinite where shapes differ or a value is not a number."""
    allowed: float
    peak: float
    """Largest absolute value of the official output."""

    @property
    def within(self) -> bool:
        """Whether it is as small as the fixture asks."""
        return self.largest <= self.allowed

    @property
    def relative(self) -> float:
        """The difference as a fraction of the official output's largest value."""
        return self.largest / self.peak if self.peak > 0 else self.largest


@dataclass(frozen=True)
class Case:
    """One case of a fixture: inputs and outputs by name, and what is said of them."""

    path: Path
    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]
    meta: dict[str, Any]


def read_case(path: Path) -> Case:
    """A ``case_*.npz``: arrays ``in/<name>`` and ``out/<name>``, and ``meta``, a JSON text.

    Raises:
        InputError: the file is no such case.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {key: stored[key] for key in stored.files}
        meta: dict[str, Any] = json.loads(str(data["meta"]))
    except FileNotFoundError as error:
        raise InputError(f'There is no fixture "{path}".') from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f'"{path}" is no case of a parity fixture: an .npz with arrays in/…, out/… and a JSON text "meta" was '
            f"expected ({error})."
        ) from error
    inputs = {key.removeprefix("in/"): value for key, value in data.items() if key.startswith("in/")}
    outputs = {key.removeprefix("out/"): value for key, value in data.items() if key.startswith("out/")}
    if not inputs or not outputs:
        raise InputError(f'"{path}" has no arrays named in/… or none named out/…; a case of a fixture has both.')
    return Case(path, inputs, outputs, meta)


def manifest_of(case: Case) -> Path:
    """The manifest beside a case: the one that its meta names, else ``manifest.json``."""
    return case.path.parent / str(case.meta.get("manifest", MANIFEST))


def verify(
    name: str,
    case: Path,
    manifest: Path | None = None,
    *,
    dtype: str = "float64",
    tolerance: float | None = None,
    device: str = "cpu",
) -> list[Difference]:
    """Run a case of a fixture through network ``name``; one entry for each stored output.

    Args:
        case: a ``case_*.npz``.
        manifest: the fixture's manifest; None for the one beside the case.
        dtype: "float64", for which the fixture's tolerance is meant, or "float32".
        tolerance: relative to the largest value of each output, in place of the fixture's.

    Raises:
        InputError: no such network, or the files are no fixture.
        RunError: names or shapes of the network are not the official ones, or an output is not computed.
    """
    import torch

    found = network_spec(name)
    stored = read_case(case)
    manifest = manifest or manifest_of(stored)
    network = build(name, manifest, stored.meta, dtype).to(device)
    with torch.inference_mode():
        outputs = found.module().outputs(network, stored.inputs, stored.meta)
    lacking = sorted(stored.outputs.keys() - outputs.keys())
    if lacking:
        raise RunError(f'"{case.name}" has outputs that {found.parity} does not compute: {", ".join(lacking)}.')
    return [
        _difference(key, _array(outputs[key]), value, _allowed(key, value, stored.meta, found.module(), tolerance))
        for key, value in stored.outputs.items()
    ]


def build(name: str, manifest: Path, meta: dict[str, Any], dtype: str = "float64") -> torch.nn.Module:
    """Network ``name`` with the recipe's weights, in eval mode.

    Raises:
        RunError: names or shapes of its state dict are not the manifest's.
    """
    import torch

    found = network_spec(name)
    document = read_manifest(manifest)
    with torch.device("meta"):
        problems = mismatches(found.module().build(document, meta), document)
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise RunError(f'The network of "{name}" is not that of "{manifest.name}": {"; ".join(problems[:5])}{more}.')
    network: torch.nn.Module = found.module().build(document, meta)
    # The precision first: filled in float32, the weights would be rounded.
    network = network.eval().to(getattr(torch, dtype))
    network.load_state_dict(network.state_dict() | state_dict(document), strict=True)
    return network


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


def _array(value: torch.Tensor | NDArray[Any]) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    return np.asarray(value.detach().cpu().numpy())


def _difference(output: str, own: NDArray[Any], official: NDArray[Any], allowed: float) -> Difference:
    peak = _peak(official)
    if own.shape != official.shape:
        return Difference(output, float("inf"), allowed, peak)
    # Through float64: differences of unsigned integers wrap around.
    largest = float(np.abs(own.astype(np.float64) - official.astype(np.float64)).max(initial=0.0))
    return Difference(output, largest if np.isfinite(largest) else float("inf"), allowed, peak)


def _peak(values: NDArray[Any]) -> float:
    return float(np.abs(values.astype(np.float64)).max(initial=0.0))


def _allowed(
    output: str, official: NDArray[Any], meta: dict[str, Any], module: ModuleType, relative: float | None
) -> float:
    peak = _peak(official)
    if relative is not None:
        # A value on the limit between two levels may fall to the other side, whatever the tolerance.
        return max(relative * peak, 1.0 if output in getattr(module, "LEVELS", ()) else 0.0)
    own = getattr(module, "allowed", None)
    special = None if own is None else own(output, peak, meta)
    return _stated(meta["tolerance"], peak) if special is None else float(special)


def _stated(stated: Any, peak: float) -> float:
    """A fixture's tolerance as an absolute one: a bare number is relative to the largest value."""
    if isinstance(stated, dict):
        if "absolute" in stated:
            return float(stated["absolute"])
        key = next((key for key in ("relative_to_max", "rel_to_max") if key in stated), None)
        if key is None:
            raise InputError(f"The tolerance {stated} of the fixture is of no kind that is known.")
        stated = stated[key]
    return float(stated) * peak
