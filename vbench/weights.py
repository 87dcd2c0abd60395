"""Weights: where they lie, how a checkpoint is taken in, and how it is loaded. Nothing is run from a file."""

from __future__ import annotations

import importlib
import os
import pickle
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError, MissingWeights
from vbench.provenance import file_sha256
from vbench.workspace import disk_error, make_folder, partial_path, write_json

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vbench.models.spec import ModelSpec

WRAPPERS = ("state_dict", "model_state_dict", "params_ema", "params", "netG", "model")
"""Keys under which authors wrap a state dict."""


def assets_folder() -> Path:
    """Where weights and parameter files live: ``VBENCH_ASSETS``, else the user's data folder of this system."""
    given = os.environ.get("VBENCH_ASSETS")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "vbench"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "vbench"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "vbench"


def weights_folder() -> Path:
    """Where checkpoints lie."""
    return assets_folder() / "weights"


def find(spec: ModelSpec) -> Path | None:
    """The checkpoint of a model, or None."""
    if spec.weights is None:
        return None
    path = weights_folder() / spec.weights.file
    return path if path.is_file() else None


def missing_text(spec: ModelSpec) -> str:
    """Why the model cannot run, and the command that helps."""
    assert spec.weights is not None  # noqa: S101 - asked only of models that have weights
    return (
        f"{spec.name} needs its weights ({spec.weights.licence}). Get {spec.weights.published}, then: "
        f"vbench weights import FILE --model {spec.name}"
    )


def missing_error(spec: ModelSpec) -> MissingWeights:
    """The error of running a model without weights."""
    return MissingWeights(missing_text(spec))


def strip_wrappers(document: Any) -> dict[str, Tensor]:
    """The bare state dict of a checkpoint: out of the dicts and prefixes that training scripts add.

    Raises:
        InputError: there is no state dict in it.

    Example:
        >>> import torch
        >>> list(strip_wrappers({"params": {"module.a.weight": torch.zeros(1)}}))
        ['a.weight']
    """
    import torch

    while isinstance(document, Mapping):
        inner = [k for k in WRAPPERS if isinstance(document.get(k), Mapping)]
        if not inner:
            break
        document = document[inner[0]]
    if (
        not isinstance(document, Mapping)
        or not document
        or not all(isinstance(v, torch.Tensor) for v in document.values())
    ):
        kind = type(document).__name__
        raise InputError(
            f"The file holds no state dict (named tensors), but a {kind}. Is it a checkpoint of this network?"
        )
    state = {str(k): v for k, v in document.items()}
    while all(k.startswith("module.") for k in state):
        state = {k.removeprefix("module."): v for k, v in state.items()}
    return state


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state dict in a file, loaded as data only, on the CPU.

    Raises:
        InputError: unreadable, or a file that wants to run code.
    """
    import torch

    if path.suffix == ".safetensors":
        raise InputError(f'"{path}": safetensors files are not read yet; take the authors\' .pth file.')
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f'"{path}" is refused: loading it would need more than tensors, that is, running what the file says '
            f"({str(error).splitlines()[0]})."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f'"{path}" cannot be read as a PyTorch checkpoint: {error}') from error
    return strip_wrappers(document)


def load_checkpoint(network: nn.Module, path: Path) -> None:
    """Load a checkpoint into ``network``, every name and shape checked.

    Raises:
        InputError: names or shapes differ (``num_batches_tracked`` alone may be missing: files of before
            PyTorch 0.4.1 have none, and inference does not use it).
    """
    state = read_checkpoint(path)
    own = network.state_dict()
    for name, tensor in own.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, tensor)
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    wrong = [
        f"{k} is {tuple(state[k].shape)} and should be {tuple(own[k].shape)}"
        for k in sorted(own.keys() & state.keys())
        if state[k].shape != own[k].shape
    ]
    if missing or extra or wrong:
        parts = []
        if missing:
            parts.append(f"{len(missing)} tensors are missing (first: {missing[0]})")
        if extra:
            parts.append(f"{len(extra)} do not belong to it (first: {extra[0]})")
        if wrong:
            parts.append(wrong[0])
        raise InputError(f'"{path}" is not a checkpoint of {type(network).__name__}: {"; ".join(parts)}.')
    network.load_state_dict(state, strict=True, assign=own[next(iter(own))].is_meta)


@dataclass(frozen=True)
class Imported:
    """A checkpoint that was taken in."""

    model: str
    path: Path
    sha256: str
    known: bool
    """Whether the hash is that of the file which the authors publish."""


def import_file(path: Path, model: str | None = None) -> Imported:
    """Check a checkpoint against its network and copy it to where it is found.

    The model is known from the file's hash, or named.

    Raises:
        InputError: no such file, no model known for it, or it does not fit the network.
    """
    import torch

    from vbench import models

    if not path.is_file():
        raise InputError(f'There is no file "{path}".')
    digest = file_sha256(path)
    specs = {name: models.spec(name) for name in models.names()}
    by_hash = {s.weights.sha256: s for s in specs.values() if s.weights}
    if model is not None and model not in specs:
        models.spec(model)
    spec = specs[model] if model else by_hash.get(digest)
    if spec is None or spec.weights is None or spec.network is None:
        takes = ", ".join(s.name for s in specs.values() if s.weights)
        raise InputError(
            f'"{path}" (sha256 {digest[:16]}...) is no file that vbench knows by its hash. Name the model that it is for '
            f"with --model; these take weights: {takes}."
        )
    known = by_hash.get(digest)
    if known is not None and known is not spec:
        raise InputError(f'"{path}" is the published file of {known.name}, not of {spec.name}. Leave --model out.')
    module, function = spec.network.split(":")
    with torch.device("meta"):
        network = getattr(importlib.import_module(module), function)()
    load_checkpoint(network, path)
    target = make_folder(weights_folder()) / spec.weights.file
    temporary = partial_path(target)
    try:
        shutil.copyfile(path, temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(target, error) from error
    facts = {
        "model": spec.name,
        "sha256": digest,
        "as_published": digest == spec.weights.sha256,
        "from": path.name,
    }
    write_json(target.with_suffix(".json"), facts)
    return Imported(spec.name, target, digest, digest == spec.weights.sha256)
