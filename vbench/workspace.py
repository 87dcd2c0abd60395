"""The folder in which everything lives (``--root``): its rooms, its lock, atomic JSON."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboards.store import TEMPORARY, commit_json
from vbench.errors import InputError, RunError

LOCK = ".lock"


@dataclass(frozen=True)
class Workspace:
    """Paths below a root.

    Example:
        >>> Workspace(Path("runs")).dataset("noise-gaussian25").as_posix()
        'runs/datasets/noise-gaussian25'
    """

    root: Path

    @property
    def datasets(self) -> Path:
        """A folder per data set."""
        return self.root / "datasets"

    @property
    def results(self) -> Path:
        """A file per cell, protocols, and the last run."""
        return self.root / "results"

    @property
    def clips(self) -> Path:
        """Decoded ground truth, one copy of each clip; data sets hold hard links to it."""
        return self.root / "clips"

    @property
    def report(self) -> Path:
        """The pages that ``vbench report html`` makes."""
        return self.root / "report"

    def dataset(self, name: str) -> Path:
        """The folder of a data set."""
        return self.datasets / name

    def restored(self, dataset: str, model: str) -> Path:
        """What a model made of a data set, with 8 bits: a folder per clip."""
        return self.root / "restored" / dataset / model

    def restored16(self, dataset: str, model: str) -> Path:
        """The same frames with 16 bits, for protocols that measure floating point."""
        return self.root / "restored-16" / dataset / model

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold the root for one command at a time, and clear what a killed one left unfinished.

        Raises:
            RunError: another command holds it, or nothing can be written into it.
            InputError: it cannot be made.
        """
        from filelock import FileLock, Timeout

        make_folder(self.root)
        lock = FileLock(self.root / LOCK, timeout=3)
        note = self.root / ".lock-holder"
        try:
            lock.acquire()
        except Timeout:
            try:
                holder = note.read_text("utf-8").strip() or "another vbench"
            except OSError:
                holder = "another vbench"
            raise RunError(
                f'"{self.root}" is in use by {holder}. Wait until it has finished, or work in another '
                "folder with --root."
            ) from None
        except OSError as error:
            raise disk_error(self.root / LOCK, error) from error
        except NotImplementedError as error:
            raise RunError(
                f'The file system of "{self.root}" has no locks (flock), without which two commands at once could spoil '
                "each other's work there: choose a folder on another disk with --root, or have it mounted with locks."
            ) from error
        try:
            # First, as it may be what fills the disk.
            for room in (self.datasets, self.clips, self.root / "restored", self.root / "restored-16", self.results):
                clear_partial(room)
            try:
                note.write_text(f"`vbench {what}` (process {os.getpid()})\n", "utf-8")
            except OSError as error:
                raise disk_error(note, error) from error
            yield
        finally:
            note.unlink(missing_ok=True)
            lock.release()


def is_root(folder: str | Path) -> bool:
    """Whether a folder is a workspace: a command has held it, and made data sets or ground truth in it."""
    return os.path.isfile(os.path.join(folder, LOCK)) and any(
        os.path.isdir(os.path.join(folder, room)) for room in ("datasets", "clips")
    )


def make_folder(path: Path, option: str = "--root") -> Path:
    """``path`` as a folder, made if it is not there; an error in words, which names the option, if that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f'The folder "{path}" cannot be made: {error.strerror}. Choose a folder that you may write to, with {option}.'
        ) from error
    return path


def clear_partial(room: Path) -> int:
    """Remove what was begun and never committed below ``room``; gives how many things there were."""
    if not room.is_dir():
        return 0
    count = 0
    for folder, folders, files in os.walk(room):
        for name in [n for n in folders if n.startswith(TEMPORARY)]:
            shutil.rmtree(Path(folder, name), ignore_errors=True)
            folders.remove(name)
            count += 1
        for name in files:
            if name.startswith(TEMPORARY):
                Path(folder, name).unlink(missing_ok=True)
                count += 1
    return count


def partial_path(final: Path) -> Path:
    """A unique temporary name beside ``final``, on the same file system."""
    return final.with_name(f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex[:12]}")


def write_json(path: Path, document: Any, indent: int | None = 1) -> None:
    """Commit ``document`` to ``path``, whole or not at all; errors of the disk in words."""
    try:
        commit_json(path, document, indent)
    except OSError as error:
        raise disk_error(path, error) from error


def write_file(path: Path, data: bytes, option: str = "--out") -> None:
    """Commit ``data`` to ``path``, which ``option`` named, whole or not at all; errors in words."""
    make_folder(path.parent, option)
    if path.is_dir():
        raise InputError(f'"{path}" is a folder; the name of a file is expected after {option}.')
    temporary = partial_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(path, error) from error


def read_json(path: Path) -> Any:
    """A JSON file that vbench wrote; damage is an error that names the file."""
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f'"{path}" cannot be read: {error.strerror}.') from error
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(
            f'"{path}" is not valid JSON ({error}). vbench never leaves a file half written, so it was '
            "changed from outside: delete it and run the same command again."
        ) from error


def disk_error(path: Path, error: OSError) -> RunError:
    """An error of writing, in words, with the space that is left."""
    where = path.parent
    while not where.exists() and where != where.parent:
        where = where.parent
    try:
        free = f"{shutil.disk_usage(where).free / 2**20:.0f} MiB are free there"
    except OSError:
        free = "the free space there cannot be read"
    return RunError(
        f'"{path}" cannot be written: {error.strerror or error}; {free}. What was finished before is kept: '
        "make room, then run the same command again."
    )
