"""Weights: where they lie, how a checkpoint is taken in, and how it is loaded. Nothing is run from a file."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.checkpoint import load_checkpoint
from vbench.errors import InputError
from vbench.provenance import file_sha256
from vbench.workspace import disk_error, make_folder, partial_path, write_json

if TYPE_CHECKING:
    from vbench.models.spec import ModelSpec


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
