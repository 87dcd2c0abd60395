"""Is our network the official one? Its names, shapes and outputs against what the official code computed.

A fixture is a manifest (every tensor of the official state dict) and cases (inputs, and what came out with
weights by recipe, see `vbench.models.recipe`). Nothing of this needs the published weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench.errors import InputError, RunError, UsageError, VbenchError, nearest
from vbench.fixtures import Case, read_case, read_manifest
from vbench.models.networks import network_spec
from vbench.models.recipe import state_dict

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

__all__ = ["Difference", "Verified", "build", "manifest_of", "mismatches", "read_case", "verified", "verify"]

MANIFEST = "manifest.json"
DTYPES = ("float64", "float32")
SINGLE = 1e-4
"""Tolerance in float32, relative to the largest value of an output, where a case was computed in float64."""


@dataclass(frozen=True)
class Difference:
    """How far one output of ours is from the official one."""

    output: str
    largest: float
    """Largest absolute difference; infinite where shapes differ or a value is not a number."""
    allowed: float
    peak: float
    """Largest absolute value of the official output."""
    note: str = ""
    """What else is to be known, in words: other shapes, values that are no numbers, what is not compared."""

    @property
    def within(self) -> bool:
        """Whether it is as small as the fixture asks."""
        return self.largest <= self.allowed

    @property
    def relative(self) -> float:
        """The difference as a fraction of the official output's largest value."""
        return self.largest / self.peak if self.peak > 0 else self.largest


@dataclass(frozen=True)
class Verified:
    """What came of one case."""

    differences: list[Difference]
    dtype: str
    """In which it was computed."""
    rounding: str = ""
    """Where outputs of float32 are over as rounding decides between two whole numbers, or is amplified: how that comes, in
    words."""
    decided: tuple[Difference, ...] = ()
    """The same outputs once more, that decision alone taken in float64; none where nothing is decided."""

    @property
    def over(self) -> list[Difference]:
        """Outputs further off than allowed."""
        return [difference for difference in self.differences if not difference.within]


def manifest_of(case: Case) -> Path:
    """The manifest beside a case: the one that its meta names, else ``manifest.json``."""
    return case.path.parent / str(case.meta.get("manifest", MANIFEST))


def verify(
    name: str,
    case: Path,
    manifest: Path | None = None,
    *,
    dtype: str | None = None,
    tolerance: float | None = None,
    device: str = "cpu",
) -> list[Difference]:
    """Run a case of a fixture through network ``name``; one entry for each stored output. See :func:`verified`."""
    return verified(name, case, manifest, dtype=dtype, tolerance=tolerance, device=device).differences


def verified(
    name: str,
    case: Path,
    manifest: Path | None = None,
    *,
    dtype: str | None = None,
    tolerance: float | None = None,
    device: str = "cpu",
) -> Verified:
    """Run a case of a fixture through network ``name``.

    Args:
        case: a ``case_*.npz``.
        manifest: the fixture's manifest; None for the one beside the case.
        dtype: "float64" or "float32"; None for the one in which the case was computed.
        tolerance: relative to the largest value of each output, in place of the fixture's; None for the fixture's own, and
            for 1e-4 where a case of float64 is computed in float32. Whole numbers are equal, 8-bit values one level apart at
            most.

    Raises:
        UsageError: another type, or a tolerance below 0.
        InputError: no such network, or the files are no fixture of it.
        RunError: names or shapes of the network are not the official ones, or an output is not computed.
    """
    found = network_spec(name)
    if dtype not in (None, *DTYPES):
        raise UsageError(f'A network is verified in {" or ".join(DTYPES)}, and "{dtype}" was given.')
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise UsageError(f"A tolerance is a number from 0 on, and {tolerance} was given.")
    stored = read_case(case)
    given = str(stored.meta.get("dtype"))
    own = given if given in DTYPES else DTYPES[0]
    dtype = dtype or own
    if tolerance is None and dtype == "float32" != own:
        tolerance = SINGLE
    manifest = manifest or manifest_of(stored)
    module = found.module()
    network = build(name, manifest, stored.meta, dtype).to(device)
    outputs = _computed(name, network, module, stored)
    differences = _compared(outputs, stored, module, tolerance)
    rounding = str(getattr(module, "ROUNDING", ""))
    if not rounding or dtype != "float32" or all(d.within for d in differences):
        return Verified(differences, dtype)
    if not hasattr(module, "decided"):
        return Verified(differences, dtype, rounding)
    exact = build(name, manifest, stored.meta).to(device)
    again = _computed(name, module.decided(network, exact), module, stored)
    return Verified(differences, dtype, rounding, tuple(_compared(again, stored, module, tolerance)))


def build(name: str, manifest: Path, meta: dict[str, Any], dtype: str = "float64") -> torch.nn.Module:
    """Network ``name`` with the recipe's weights, in eval mode.

    Raises:
        InputError: the manifest is none, or its options are none of this network.
        RunError: names or shapes of its state dict are not the manifest's.
    """
    import torch

    found = network_spec(name)
    document = read_manifest(manifest)
    with torch.device("meta"):
        problems = mismatches(found.module().build(document, meta), document)
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise RunError(
            f'The network of "{name}" is not that of "{manifest}": {"; ".join(problems[:5])}{more}. Is it the manifest '
            "of another network, or of other options than the case's?"
        )
    network: torch.nn.Module = found.module().build(document, meta)
    # The precision first: filled in float32, the weights would be rounded.
    network = network.eval().to(getattr(torch, dtype))
    try:
        weights = state_dict(document)
    except ValueError as error:
        raise InputError(f'The weights of "{manifest}" cannot be filled. {error}') from error
    network.load_state_dict(network.state_dict() | weights, strict=True)
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


def _computed(name: str, network: torch.nn.Module, module: ModuleType, case: Case) -> dict[str, NDArray[Any]]:
    """What the network gives of all that the case stores."""
    import torch

    try:
        with torch.inference_mode():
            outputs = module.outputs(network, case.inputs, case.meta)
    except VbenchError:
        raise
    # Inputs of any shape and type make the operations of a network fail in any way.
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AssertionError, AttributeError) as error:
        said = (str(error).splitlines() or [""])[0].rstrip(".")
        shapes = ", ".join(f"in/{key} {value.shape} {value.dtype}" for key, value in case.inputs.items())
        raise RunError(
            f'"{case.path.name}" does not go through the network of "{name}" ({type(error).__name__}: {said}). It gives '
            f"{shapes}. Is it a case of another network?"
        ) from error
    lacking = sorted(case.outputs.keys() - outputs.keys())
    if lacking:
        raise RunError(
            f'"{case.path.name}" has outputs that "{name}" does not compute: {", ".join(lacking)}. '
            f"{nearest(lacking[0], outputs)}"
        )
    return {key: _array(outputs[key]) for key in case.outputs}


def _compared(
    outputs: dict[str, NDArray[Any]], case: Case, module: ModuleType, tolerance: float | None
) -> list[Difference]:
    where = getattr(module, "where", None)
    found = []
    for key, official in case.outputs.items():
        places = None if where is None else where(key, case.outputs, case.meta)
        if places is not None and not places.size:
            continue  # says where others are compared, and is no output itself
        allowed = _allowed(key, official, case.meta, module, tolerance)
        found.append(_difference(key, outputs[key], official, allowed, places))
    return found


def _array(value: torch.Tensor | NDArray[Any]) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    return np.asarray(value.detach().cpu().numpy())


def _difference(
    output: str,
    own: NDArray[Any],
    official: NDArray[Any],
    allowed: float,
    places: NDArray[np.bool_] | None = None,
) -> Difference:
    peak = _peak(official)
    if own.shape != official.shape:
        return Difference(output, math.inf, allowed, peak, f"ours is {own.shape}, the official one {official.shape}")
    # Through float64: differences of unsigned integers wrap around.
    a, b = own.astype(np.float64), official.astype(np.float64)
    note = ""
    if places is not None:
        a, b = a[places], b[places]
        note = f"compared at {a.size:,} of {own.size:,} places, as the fixture asks"
    with np.errstate(invalid="ignore"):
        # What is infinite in both is equal: the PSNR of equal frames is.
        gap = np.where(a == b, 0.0, np.abs(a - b))
    largest = float(gap.max(initial=0.0))
    if math.isfinite(largest):
        return Difference(output, largest, allowed, peak, note)
    counts = ((int((~np.isfinite(x)).sum()), whose) for x, whose in ((a, "ours"), (b, "the official one")))
    words = [f"{count:,} of {whose}" for count, whose in counts if count]
    return Difference(output, math.inf, allowed, peak, f"values that are not finite: {' and '.join(words)}")


def _peak(values: NDArray[Any]) -> float:
    """The largest of the values that are finite."""
    size = np.abs(values.astype(np.float64))
    return float(size[np.isfinite(size)].max(initial=0.0))


def _allowed(
    output: str, official: NDArray[Any], meta: dict[str, Any], module: ModuleType, relative: float | None
) -> float:
    peak = _peak(official)
    if relative is not None:
        # A value on the limit between two levels may fall to the other side, whatever the tolerance.
        level = 1.0 if output in getattr(module, "LEVELS", ()) else 0.0
        # Other whole numbers (masks, indices, displacements) are equal or they are not.
        whole = official.dtype.kind in "biu" and output not in getattr(module, "SUMS", ())
        return level if whole else max(relative * peak, level)
    own = getattr(module, "allowed", None)
    special = None if own is None else own(output, peak, meta)
    if special is not None:
        return float(special)
    if meta.get("tolerance") is None:
        raise InputError('The meta of the case does not say its "tolerance". Give one with --tolerance.')
    return _stated(meta["tolerance"], peak, output, str(meta.get("tolerance_kind", "")))


def _stated(stated: Any, peak: float, output: str = "", kind: str = "") -> float:
    """A fixture's tolerance as an absolute one.

    A bare number is relative to the largest value, unless ``kind`` says that it is absolute. An object says which it is,
    or both, which add up as in NumPy; or gives a tolerance for each output, ``default`` for all others.
    """
    if isinstance(stated, dict):
        if output in stated or "default" in stated:
            return _stated(stated.get(output, stated.get("default")), peak, output, kind)
        absolute = [stated[key] for key in ("absolute", "abs", "atol") if key in stated]
        relative = [stated[key] for key in ("relative_to_max", "rel_to_max", "relative", "rtol") if key in stated]
        if not absolute and not relative:
            raise InputError(f"The tolerance {stated} of the fixture is of no kind that is known.")
        return sum(map(_number, absolute[:1])) + sum(map(_number, relative[:1])) * peak
    return _number(stated) * (1.0 if kind.lower().startswith("absolute") else peak)


def _number(stated: Any) -> float:
    try:
        found = float(stated)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf or isinstance(stated, bool):
        raise InputError(f"The tolerance of the fixture is {stated!r}; a number from 0 on was expected.")
    return found
