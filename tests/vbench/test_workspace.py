"""The lock of a workspace, and files that cannot be read or written, in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import filelock
import pytest

from leaderboards.store import TEMPORARY
from vbench.errors import InputError, RunError
from vbench.workspace import Workspace, read_json


def test_a_root_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path / ".lock"))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with (
        pytest.raises(RunError, match=r"\.lock.*cannot be written: Read-only file system"),
        Workspace(tmp_path).lock("run"),
    ):
        pass


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock; use SoftFileLock instead")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(RunError, match="has no locks.*--root"), Workspace(tmp_path).lock("run"):
        pass


def test_a_full_disk_is_told_and_the_lock_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    left = workspace.datasets / f"{TEMPORARY}1-abc"
    left.mkdir(parents=True)
    write = Path.write_text

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        if path.name == ".lock-holder":
            assert not left.exists()  # what a killed command left may be what fills the disk
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(RunError, match="No space left on device.*make room"), workspace.lock("run"):
            pass
    with workspace.lock("run"):
        pass


def test_json_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(InputError, match=r'a\.json" cannot be read: Is a directory'):
        read_json(tmp_path / "a.json")
