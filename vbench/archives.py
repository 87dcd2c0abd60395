"""Files out of zip and tar archives as streams: nothing is unpacked, so no name in an archive becomes a path."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from vbench.errors import InputError

LARGEST = 4 * 2**30
"""Bytes of a file in an archive: more than any checkpoint has, less than what fills a disk."""


def kind(path: Path) -> Literal["zip", "tar"] | None:
    """Which archive a file is; None if it is none, or is a checkpoint: PyTorch writes zip files, with ``data.pkl`` in
    them, and wrote tar files once.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                written = any(PurePosixPath(name).name == "data.pkl" for name in archive.namelist())
            return None if written else "zip"
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                return None if "pickle" in archive.getnames() else "tar"
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error):
        return None
    except OSError as error:
        raise InputError(f'"{path}" cannot be read: {error.strerror or error}.') from error
    return None


def members(path: Path) -> list[str]:
    """Names of the plain files in an archive, as they stand in it."""
    if kind(path) == "zip":
        with zipfile.ZipFile(path) as archive:
            return [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    with tarfile.open(path) as tar:
        return [entry.name for entry in tar.getmembers() if entry.isfile()]


@contextmanager
def member(path: Path, name: str) -> Iterator[IO[bytes]]:
    """The content of a file in an archive.

    Raises:
        InputError: it is damaged, encrypted, or larger than any checkpoint.
    """
    try:
        if kind(path) == "zip":
            with zipfile.ZipFile(path) as archive:
                _check_size(path, name, archive.getinfo(name).file_size)
                with archive.open(name) as file:
                    yield file
            return
        with tarfile.open(path) as tar:
            entry = tar.getmember(name)
            _check_size(path, name, entry.size)
            found = tar.extractfile(entry)
            if found is None:
                raise InputError(f'"{name}" in "{path}" is no plain file.')
            with found:
                yield found
    # Encrypted, compressed in a way that Python does not know, or damaged.
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        raise InputError(f'"{name}" cannot be taken out of "{path}" ({error}). Get the archive again.') from error


def _check_size(path: Path, name: str, size: int) -> None:
    if size > LARGEST:
        raise InputError(f'"{name}" in "{path}" has {size:,} bytes unpacked; no checkpoint has more than {LARGEST:,}.')
