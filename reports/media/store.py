"""Files that were made for a report, kept by what they were made of, so that only what changed is made again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

VERSION = 1
"""Of the files: what is made in another way gets another number, and is made again."""
PARTIAL = ".partial-"
HOUR = 3600.0
"""Seconds for which nothing is removed that this build does not know: another one may be making it."""
NOTHING = ".none"
"""Ending of a note that there is nothing to show (a mask without a mark)."""


def key_of(*facts: object) -> str:
    """The name of a file that depends on these facts, without its ending; no name from data becomes a file's name.

    Example:
        >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a", 2), len(key_of())
        (True, False, 24)
    """
    text = json.dumps([VERSION, *facts], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Store:
    """A folder of finished files. A file is there whole or not at all; several threads may put.

    Args:
        folder: made if it is not there; what a killed build left unfinished in it is removed after an hour.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._names: dict[str, str] = {}
        self._used: set[str] = set()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(PARTIAL):
                    if _old(Path(entry.path)):
                        Path(entry.path).unlink(missing_ok=True)
                elif entry.stat().st_size:  # an empty file is what a machine that lost its power leaves
                    self._names[entry.name.partition(".")[0]] = entry.name

    def has(self, key: str) -> bool:
        """Whether it was made, if only to find that there is nothing."""
        return key in self._names

    def name(self, key: str) -> str | None:
        """The file of a key; None where there is nothing to show, or nothing was made."""
        name = self._names.get(key)
        if name is None:
            return None
        self._used.add(name)
        return None if name.endswith(NOTHING) else name

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return (self.folder / name).stat().st_size

    def temporary(self, suffix: str) -> Path:
        """Where to write something that :meth:`take` puts into its place."""
        return self.folder / f"{PARTIAL}{os.getpid()}-{uuid.uuid4().hex[:12]}{suffix}"

    def take(self, key: str, written: Path) -> None:
        """Put a finished file into its place."""
        name = key + written.suffix
        written.replace(self.folder / name)
        with self._lock:
            self._names[key] = name
            self.made += 1

    def put(self, key: str, suffix: str, data: bytes) -> None:
        """Put bytes into their place; with the suffix :data:`NOTHING` a note that there is nothing."""
        path = self.temporary(suffix)
        try:
            path.write_bytes(data or b"-")
            self.take(key, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def link(self, name: str, folder: Path) -> None:
        """Put a file into a report: as another name of the same file where the disk allows it, else as a copy."""
        target = folder / name
        if target.exists():
            return
        try:
            os.link(self.folder / name, target)
        except OSError:
            shutil.copyfile(self.folder / name, target)

    def sweep(self) -> None:
        """Remove what neither this build used nor any report holds, and what is not new."""
        for name in list(self._names.values()):
            path = self.folder / name
            if name not in self._used:
                with suppress(OSError):
                    if path.stat().st_nlink == 1 and _old(path):
                        path.unlink()


def _old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > HOUR
    except OSError:
        return False  # another build has just removed it
