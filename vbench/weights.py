"""Weights: where they lie, how a checkpoint is fetched or taken in, and what is here. Nothing is run from a file."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from vbench import archives
from vbench.checkpoint import is_safetensors, is_web_page, load_checkpoint
from vbench.errors import InputError, RunError, nearest
from vbench.provenance import file_sha256
from vbench.workspace import disk_error, partial_path, write_json

if TYPE_CHECKING:
    from vbench.download import Received
    from vbench.models.spec import ModelSpec, WeightsSpec

SUFFIXES = (".pth", ".safetensors")
"""Endings of files in the store: what PyTorch saves, and safetensors."""
FETCHING = ".fetching"
"""Folder in the store of downloads that are not finished."""
ENDINGS = (".pth", ".pt", ".pytorch", ".pkl", ".ckpt", ".bin", ".safetensors")
"""Endings of checkpoints as authors name them."""


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
    return None if spec.weights is None else stored(spec.weights)


def stored(weights: WeightsSpec) -> Path | None:
    """A checkpoint in the store, or None."""
    paths = [(weights_folder() / weights.file).with_suffix(suffix) for suffix in SUFFIXES]
    return next((path for path in paths if path.is_file()), None)


@dataclass(frozen=True)
class Taker:
    """A checkpoint and what takes it."""

    weights: WeightsSpec
    models: tuple[str, ...]
    """Several models may share a file: RFR fine-tunes the denoiser's."""
    network: str
    """``module:function`` that builds the bare network."""


def takers() -> dict[str, Taker]:
    """Every checkpoint that a model of the suite or of an installed package takes, by its name."""
    from vbench import models

    out: dict[str, Taker] = {}
    for spec in models.described()[0].values():
        if spec.weights is None or spec.network is None:
            continue
        name = spec.weights.name or Path(spec.weights.file).stem
        known = out.get(name)
        out[name] = Taker(
            known.weights if known else spec.weights, (*(known.models if known else ()), spec.name), spec.network
        )
    return out


def choose(name: str) -> tuple[str, Taker]:
    """The checkpoint of this name, or that of the model of this name.

    Raises:
        InputError: there is none; the text says why, or names the nearest.
    """
    from vbench import models
    from vbench.models.published import checkpoints

    found = takers()
    if name in found:
        return name, found[name]
    if name in checkpoints():
        raise InputError(f'No model takes the checkpoint "{name}": {checkpoints()[name].unused}.')
    for key, taker in found.items():
        if name in taker.models:
            return key, taker
    if name in models.names():
        raise InputError(f'"{name}" takes no weights. What does: vbench weights list')
    known = [*found, *(m for taker in found.values() for m in taker.models)]
    raise InputError(f'There is no checkpoint or model "{name}". {nearest(name, known, "vbench weights list")}')


@dataclass(frozen=True)
class Imported:
    """A checkpoint that was taken in."""

    model: str
    """One that takes it: the one that was named, or the first."""
    models: tuple[str, ...]
    path: Path
    sha256: str
    as_published: bool | None
    """Whether it is the file that the authors publish; None where the hash of that is not known."""
    origin: str
    """The file's name, or the address."""


# --- take in -------------------------------------------------------------------------------------


def import_files(path: Path, model: str | None = None) -> list[Imported]:
    """Take in a checkpoint, or those of an archive (zip, tar) that are known by their hash or published name.

    Raises:
        InputError: no such file, nothing in it is known, or it does not fit its network.
        RunError: the store cannot be written.
    """
    _check_file(path)
    if archives.kind(path) is None:
        return [import_file(path, model)]
    return _from_archive(path, model, path.name)


def _from_archive(path: Path, model: str | None, origin: str) -> list[Imported]:
    names = archives.members(path)
    wanted = [choose(model)] if model is not None else list(takers().items())
    found = {key: [n for n in names if PurePosixPath(n).name == _published_name(t.weights)] for key, t in wanted}
    picked = [(key, taker, found[key]) for key, taker in wanted if found[key] and taker.weights.archive]
    if model is not None and not picked:
        picked = [(*wanted[0], [n for n in names if n.endswith(ENDINGS)])]
    if not picked or any(len(places) != 1 for _, _, places in picked):
        which = f"the checkpoint of {model}" if model else "no checkpoint that is published in an archive"
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise InputError(
            f'"{path}" is an archive, and {which} is {"not plain to see" if model else "found"} in it. It holds '
            f"{shown or 'nothing'}. Take the file out of it and import that."
        )
    out = []
    for key, taker, (place,) in picked:
        with archives.member(path, place) as content:
            judge = partial(_judged, key, taker, model=model)
            out.append(_take(content, f"{path}:{place}", judge, f"{place} in {origin}"))
    return out


def import_file(path: Path, model: str | None = None) -> Imported:
    """Check a checkpoint against its network and copy it to where it is found.

    Whose it is says its hash; or, of a checkpoint whose hash is not known, the name under which it is published; or
    ``model``, which names a model or a checkpoint. What is checked is the copy, before it gets its name.

    Raises:
        InputError: no such file, no model known for it, or it does not fit the network.
        RunError: the copy cannot be written.
    """
    _check_file(path)
    if model is not None:
        choose(model)
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f'"{path}" cannot be read: {error.strerror or error}.') from error
    with file:
        return _take(file, str(path), partial(_recognised, path, model=model), path.name)


@dataclass(frozen=True)
class _Judged:
    """Whose a file is."""

    key: str
    taker: Taker
    model: str
    as_published: bool | None


def _check_file(path: Path) -> None:
    if not path.is_file():
        what = "is a folder, and a file is wanted" if path.is_dir() else "is no file"
        raise InputError(f'There is no file "{path}".' if not path.exists() else f'"{path}" {what}.')


def _published_name(weights: WeightsSpec) -> str:
    return PurePosixPath(weights.path).name


def _judged(key: str, taker: Taker, digest: str, model: str | None) -> _Judged:
    return _Judged(key, taker, model if model in taker.models else taker.models[0], taker.weights.as_published(digest))


def _recognised(path: Path, digest: str, model: str | None) -> _Judged:
    """Whose a file with this hash and name is."""
    found = takers()
    by_hash = next((key for key, taker in found.items() if taker.weights.as_published(digest)), None)
    if model is not None:
        key, taker = choose(model)
        if by_hash is not None and by_hash != key:
            raise InputError(f'"{path}" is the published file of {by_hash}, not of {model}. Leave --model out.')
        return _judged(key, taker, digest, model)
    if by_hash is not None:
        return _judged(by_hash, found[by_hash], digest, None)
    named = [key for key, taker in found.items() if path.name == _published_name(taker.weights)]
    unknown = [key for key in named if found[key].weights.as_published(digest) is None]
    if len(named) == 1 and unknown:
        return _judged(named[0], found[named[0]], digest, None)
    like = f" It is called like {' and '.join(named)} as published, and is not that file." if named else ""
    raise InputError(
        f'"{path}" (sha256 {digest[:16]}...) is no file that vbench knows by its hash.{like} Name the model that it is '
        "for with --model; `vbench weights list` shows those that take weights."
    )


def _take(content: IO[bytes], source: str, judge: Callable[[str], _Judged], origin: str) -> Imported:
    """Copy, judge, check, and give the copy its name."""
    temporary = partial_path(weights_folder() / "weights")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        digest = _copy(content, temporary, source)
        return _accept(temporary, source, digest, judge(digest), origin)
    except OSError as error:
        raise disk_error(temporary, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _accept(temporary: Path, source: str, digest: str, judged: _Judged, origin: str) -> Imported:
    """A file in the store's folder that is checked and gets its name; the one before it goes."""
    suffix = _check(temporary, source, judged.taker.network)
    target = (weights_folder() / judged.taker.weights.file).with_suffix(suffix)
    temporary.replace(target)
    for other in SUFFIXES:  # the one before it must not hide it
        if other != suffix:
            target.with_suffix(other).unlink(missing_ok=True)
    facts = {"checkpoint": judged.key, "sha256": digest, "as_published": judged.as_published, "from": origin}
    write_json(target.with_suffix(".json"), facts)
    return Imported(judged.model, judged.taker.models, target, digest, judged.as_published, origin)


def _copy(content: IO[bytes], target: Path, source: str) -> str:
    """Copy a file, flushed to the disk; the sha256 of what was copied."""
    digest = hashlib.sha256()
    with target.open("wb") as copy:
        while True:
            try:
                block = content.read(2**20)
            except OSError as error:
                raise InputError(f'"{source}" cannot be read: {error.strerror or error}.') from error
            if not block:
                break
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _check(copy: Path, source: str, network: str) -> str:
    """Raise InputError unless the copy of ``source`` fits the network; gives the ending that suits its kind."""
    import torch

    module, function = network.split(":")
    with torch.device("meta"):
        built = getattr(importlib.import_module(module), function)()
    try:
        load_checkpoint(built, copy)
    except InputError as error:
        raise InputError(str(error).replace(str(copy), source)) from error.__cause__
    return ".safetensors" if is_safetensors(copy) else ".pth"


# --- fetch ---------------------------------------------------------------------------------------


def fetch(name: str, received: Received) -> list[Imported]:
    """Download a checkpoint from its authors' address, check it and keep it.

    The hash is compared where it is known, names and shapes always, before the file gets its name. A download that was
    stopped is gone on with. From an archive every checkpoint in it is taken.

    Raises:
        InputError: no such checkpoint, or none that can be fetched; the text says what to do in a browser.
        RunError: the network or the disk failed, or something else came.
    """
    from filelock import FileLock, Timeout

    from vbench.download import download, note_of

    key, taker = choose(name)
    weights = taker.weights
    if weights.address is None:
        raise InputError(f"{key} has no address that can be fetched. {by_hand(key, weights)}")
    part = weights_folder() / FETCHING / f"{key}.part"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(part.with_suffix(".lock"), timeout=0):
            download(weights.address, part, received, checked=weights.sha256 is not None and not weights.archive)
            try:
                return _downloaded(part, key, taker)
            finally:  # kept, what is wrong would come again
                for path in (part, note_of(part)):
                    path.unlink(missing_ok=True)
    except Timeout:
        raise RunError(f"Another process is fetching {key}. Wait until it has finished.") from None
    except OSError as error:
        raise disk_error(part, error) from error


def by_hand(key: str, weights: WeightsSpec) -> str:
    """How to bring a checkpoint with a browser, in a sentence."""
    where = f"Open {weights.page} and take" if weights.page else "Get"
    return f"{where} {weights.published}, then: vbench weights import FILE --model {key}"


def _downloaded(part: Path, key: str, taker: Taker) -> list[Imported]:
    weights = taker.weights
    address = str(weights.address)
    if is_web_page(part):
        raise RunError(f"{address} gave a web page, and no file. {by_hand(key, weights)}")
    try:
        if weights.archive and archives.kind(part) is not None:
            out = _from_archive(part, None, address)
            if not any(taken.models == taker.models for taken in out):
                raise InputError(f"{_published_name(weights)} is not in the archive")
            return out
        digest = file_sha256(part)
        if weights.as_published(digest) is False:
            raise InputError(
                f"its sha256 begins with {digest[:16]}, and {(weights.sha256 or weights.sha256_begins)[:16]} was expected"
            )
        return [_accept(part, address, digest, _judged(key, taker, digest, None), address)]
    except InputError as error:
        said = str(error).replace(str(part), address).rstrip(".")
        raise RunError(f"{address} gave something else than {key}: {said}. {by_hand(key, weights)}") from error


# --- what is here --------------------------------------------------------------------------------


@dataclass(frozen=True)
class WeightsStatus:
    """Whether a checkpoint is here."""

    name: str
    weights: WeightsSpec
    models: tuple[str, ...]
    path: Path | None
    sha256: str | None
    as_published: bool | None

    @property
    def text(self) -> str:
        """In words: what is here, or what is to be done."""
        if self.sha256 is None:
            how = f"vbench weights fetch {self.name}" if self.weights.address else by_hand(self.name, self.weights)
            return f"not here: {how}"
        return f"here, {origin(self.as_published)}, sha256 {self.sha256[:16]}..."


def origin(as_published: bool | None) -> str:
    """What is known of a file's hash, in words."""
    known = {True: "as published", False: "not the published file", None: "the hash as published is not known"}
    return known[as_published]


def status(names: Iterable[str] = ()) -> list[WeightsStatus]:
    """Every checkpoint that a model takes, or those named, with what is here of it; the files are hashed anew."""
    wanted = [choose(name) for name in names] or list(takers().items())
    out = []
    for key, taker in wanted:
        path = stored(taker.weights)
        digest = file_sha256(path) if path else None
        same = taker.weights.as_published(digest) if digest else None
        out.append(WeightsStatus(key, taker.weights, taker.models, path, digest, same))
    return out


def chosen(names: Sequence[str]) -> list[str]:
    """Names of models and checkpoints as checkpoints, each once."""
    return list(dict.fromkeys(choose(name)[0] for name in names))
