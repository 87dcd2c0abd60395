"""Weights: where they lie, how a checkpoint is taken in, and what is here. Nothing is run from a file."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.checkpoint import is_safetensors, load_checkpoint
from vbench.errors import InputError
from vbench.provenance import file_sha256
from vbench.workspace import disk_error, partial_path, write_json

if TYPE_CHECKING:
    from vbench.models.spec import ModelSpec

SUFFIXES = (".pth", ".safetensors")
"""Endings of files in the store: what PyTorch saves, and safetensors."""


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
    paths = [(weights_folder() / spec.weights.file).with_suffix(suffix) for suffix in SUFFIXES]
    return next((path for path in paths if path.is_file()), None)


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

    The model is known from the file's hash, or named. What is checked is the copy, before it gets its name.

    Raises:
        InputError: no such file, no model known for it, or it does not fit the network.
        RunError: the copy cannot be written.
    """
    if not path.is_file():
        what = "is a folder, and a file is wanted" if path.is_dir() else "is no file"
        raise InputError(f'There is no file "{path}".' if not path.exists() else f'"{path}" {what}.')
    if model is not None:
        _choose(path, "", model)
    temporary = partial_path(weights_folder() / "weights")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        digest = _copy(path, temporary)
        spec, known = _choose(path, digest, model)
        assert spec.weights is not None  # noqa: S101 - chosen so
        assert spec.network is not None  # noqa: S101 - chosen so
        suffix = _check(temporary, path, spec.network)
        target = (weights_folder() / spec.weights.file).with_suffix(suffix)
        temporary.replace(target)
    except OSError as error:
        raise disk_error(temporary, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    for other in SUFFIXES:  # the one before it must not hide it
        if other != suffix:
            target.with_suffix(other).unlink(missing_ok=True)
    facts = {"model": spec.name, "sha256": digest, "as_published": known, "from": path.name}
    write_json(target.with_suffix(".json"), facts)
    return Imported(spec.name, target, digest, known)


def _choose(path: Path, digest: str, model: str | None) -> tuple[ModelSpec, bool]:
    """The model that a file with this hash is for, and whether it is the published file."""
    from vbench import models

    specs = [models.spec(name) for name in models.names()]
    takers = {spec.name: spec for spec in specs if spec.weights and spec.network}
    if model is not None and model not in takers:
        models.spec(model)  # an error in words if there is no such model
        raise InputError(f'"{model}" takes no weights. These do: {", ".join(takers)}.')
    published = next((spec for spec in takers.values() if spec.weights and spec.weights.sha256 == digest), None)
    if published is None and model is None:
        raise InputError(
            f'"{path}" (sha256 {digest[:16]}...) is no file that vbench knows by its hash. Name the model that it is '
            f"for with --model; these take weights: {', '.join(takers)}."
        )
    if published is None:
        return takers[str(model)], False
    wanted = takers[model] if model is not None else published
    # Several models may share a file: RFR fine-tunes the denoiser's.
    if wanted.weights is None or published.weights is None or wanted.weights.file != published.weights.file:
        raise InputError(f'"{path}" is the published file of {published.name}, not of {model}. Leave --model out.')
    return wanted, True


def _copy(source: Path, target: Path) -> str:
    """Copy a file, flushed to the disk; the sha256 of what was copied."""
    digest = hashlib.sha256()
    try:
        file = source.open("rb")
    except OSError as error:
        raise InputError(f'"{source}" cannot be read: {error.strerror or error}.') from error
    with file, target.open("wb") as copy:
        while block := file.read(2**20):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _check(copy: Path, source: Path, network: str) -> str:
    """Raise InputError unless the copy of ``source`` fits the network; gives the ending that suits its kind."""
    import torch

    module, function = network.split(":")
    with torch.device("meta"):
        built = getattr(importlib.import_module(module), function)()
    try:
        load_checkpoint(built, copy)
    except InputError as error:
        raise InputError(str(error).replace(str(copy), str(source))) from error.__cause__
    return ".safetensors" if is_safetensors(copy) else ".pth"


@dataclass(frozen=True)
class WeightsStatus:
    """Whether a model's weights are here."""

    model: str
    path: Path | None
    sha256: str | None
    as_published: bool | None
    licence: str
    text: str
    """In words: what is here, or what is to be done."""


def status() -> list[WeightsStatus]:
    """Every model that takes weights, with what is here of it; the files are hashed anew."""
    from vbench import models

    out = []
    for spec in map(models.spec, models.names()):
        if spec.weights is None:
            continue
        path = find(spec)
        digest = file_sha256(path) if path else None
        same = digest == spec.weights.sha256 if digest and spec.weights.sha256 else None
        text = spec.missing_text()
        if digest:
            known = {True: "as published", False: "not the published file", None: "the hash as published is not known"}
            origin = known[same]
            text = f"{spec.name}: here, {origin}, sha256 {digest[:16]}..., licence {spec.weights.licence}"
        out.append(WeightsStatus(spec.name, path, digest, same, spec.weights.licence, text))
    return out
