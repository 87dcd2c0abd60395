"""Folders that are made whole or not at all, and that replace nothing but an older folder of the same kind.

A new folder is made beside its place and renamed. One that is there stays and gets new contents, made within it and moved up
when they are whole: so it may be a link, a mounted volume, or the folder in which the command was called.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

PARTIAL = ".partial-"
STRAY = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""What file managers leave in any folder they show; it goes with the old contents."""
DAY = 86400.0


def check(final: Path, what: str, own: Collection[str], is_ours: Callable[[Path], bool]) -> None:
    """Refuse to replace what somebody else has put there.

    Args:
        final: the folder that is to be written; it may be missing or empty.
        what: what is to stand there, as ``a report``.
        own: names that such a folder holds.
        is_ours: whether a folder with contents is an older one of the kind.

    Raises:
        ValueError: it is a file, or holds anything else.
    """
    if not final.exists():
        return
    if not final.is_dir():
        raise ValueError(f'"{final}" is a file, where {what} is to be a folder. Choose another place with --out.')
    inside = sorted(p.name for p in final.iterdir() if p.name not in STRAY and not p.name.startswith(PARTIAL))
    foreign = [name for name in inside if name not in own] if not inside or is_ours(final) else inside
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise ValueError(
            f'"{final}" holds other things than {what} ({", ".join(foreign[:3])}{more}); nothing there is touched. '
            "Choose another folder with --out, or move them away."
        )


def begin(final: Path, kind: str) -> Path:
    """Make the temporary folder in which the contents of ``final`` are made, and clear what killed commands left there."""
    if not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
    parent = final if final.exists() else final.parent
    for room in {parent, final.parent}:
        for left in room.glob(f"{PARTIAL}{kind}-*"):
            if _abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
    temporary = parent / f"{PARTIAL}{kind}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    temporary.mkdir()
    return temporary


def put(temporary: Path, final: Path) -> None:
    """Put finished contents into their place; the older ones go.

    Raises:
        ValueError: something came to stand there meanwhile.
    """
    if temporary.parent != final:
        try:
            temporary.rename(final)
        except OSError as error:
            if not final.exists():
                raise
            raise ValueError(
                f'Another command has put something at "{final}" meanwhile, which stays. Run the same command again.'
            ) from error
        return
    old = temporary.with_name(f"{temporary.name}-old")
    old.mkdir()
    try:
        for path in list(final.iterdir()):
            if not path.name.startswith(PARTIAL):
                path.rename(old / path.name)
        for path in list(temporary.iterdir()):
            path.rename(final / path.name)
    except BaseException:
        for path in list(old.iterdir()):
            target = final / path.name
            if target.exists():
                target.rename(temporary / path.name)
            path.rename(target)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(temporary, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    """Whether the process that made a temporary folder is gone, or it is older than any build."""
    try:
        if time.time() - folder.stat().st_mtime > DAY:
            return True
        process = int(folder.name.removeprefix(PARTIAL).split("-")[1])
        if os.name != "posix" or process == os.getpid():  # elsewhere signal 0 is no question
            return False
        os.kill(process, 0)
    except (ProcessLookupError, IndexError, ValueError):
        return True
    except OSError:
        return False  # it is another user's, or another command has just removed it
    return False
