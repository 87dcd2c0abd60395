"""One file from an address to the disk, going on where an earlier download stopped."""

from __future__ import annotations

import http.client
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vbench import __version__
from vbench.errors import InputError, RunError
from vbench.workspace import disk_error, write_json

BLOCK = 2**17
TIMEOUT = 30.0
"""Seconds without a byte after which a connection is given up."""

Received = Callable[[int, int | None], None]
"""Bytes that came since the last call, and of the whole file (None if the server does not say)."""


def download(address: str, part: Path, received: Received, *, checked: bool) -> None:
    """Download ``address`` into ``part``, whole.

    What came is written at once. An earlier call that was stopped left ``part`` and, beside it, ``part.json`` (the
    address, and the server's mark of the file's version); its bytes are kept if the server says that the file is still
    the same, or if ``checked`` says that the content's hash will be compared. Both files stay after an error, so that
    the next call goes on; the caller removes or renames them.

    Args:
        address: http or https.

    Raises:
        InputError: an address of another kind.
        RunError: the server or the connection failed, or the disk is full. The text says what to do.
    """
    if not address.startswith(("https://", "http://")):
        raise InputError(f'"{address}" is no address of the kind that is fetched: https://… is expected.')
    note = note_of(part)
    start, version = _begun(address, part, note, checked)
    headers = {"User-Agent": f"vbench/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if version:
            headers["If-Range"] = version
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT) as response:  # noqa: S310 - http(s), as checked above
            if address.startswith("https://") and not response.url.startswith("https://"):
                raise RunError(f"{address} leads to {response.url}, which is not encrypted, and is not followed.")
            if response.status != 206:
                start = 0  # the server sends all of it anew
            whole = _whole(response, start)
            _need_space(part, whole, start)
            mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
            write_json(note, {"address": address, "version": None if str(mark).startswith("W/") else mark})
            _receive(response, part, start, whole, received)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # nothing lies beyond what is here
            if error.headers.get("Content-Range") == f"bytes */{start}":
                return
            _forget(part)
            download(address, part, received, checked=checked)
            return
        # Of an address that leads round and round Python says why on several lines.
        said = str(error.reason).partition("\n")[0].rstrip(".")
        raise RunError(f"{address} cannot be fetched: the server answers {error.code} ({said}).") from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        why = getattr(error, "reason", None) or error
        kept = " What came is kept, and the same command goes on from there." if part.exists() else ""
        raise RunError(
            f"{address} cannot be fetched: {str(why) or type(why).__name__}. Is there a network?{kept}"
        ) from error
    except OSError as error:
        raise disk_error(part, error) from error


def note_of(part: Path) -> Path:
    """What is written of a download that is not finished."""
    return part.with_name(f"{part.name}.json")


def _forget(part: Path) -> None:
    for path in (part, note_of(part)):
        with suppress(OSError):
            path.unlink()


def _begun(address: str, part: Path, note: Path, checked: bool) -> tuple[int, str | None]:
    """How many bytes are here of this address, and the server's mark of the version that they are of."""
    try:
        said: Any = json.loads(note.read_text("utf-8"))
        size = part.stat().st_size
        same, version = said["address"] == address, said["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0, None
    return (size, version) if same and (version or checked) else (0, None)


def _whole(response: http.client.HTTPResponse, start: int) -> int | None:
    """The size of the whole file.

    Raises:
        RunError: the server sends another part than it was asked for.
    """
    if response.status != 206:
        said = response.headers.get("Content-Length")
        return int(said) if said and said.isdigit() else None
    said = response.headers.get("Content-Range", "")
    if not said.startswith(f"bytes {start}-"):
        raise RunError(f'{response.url} was asked for what follows byte {start}, and sends "{said}".')
    whole = said.rpartition("/")[2]
    return int(whole) if whole.isdigit() else None


def _need_space(part: Path, whole: int | None, start: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if whole is not None and whole - start > free:
        raise RunError(
            f'"{part.parent}" has {free / 2**20:.0f} MiB left, and {(whole - start) / 2**20:.0f} MiB are to come. Make '
            "room, or set VBENCH_ASSETS to another folder."
        )


def _receive(response: http.client.HTTPResponse, part: Path, start: int, whole: int | None, received: Received) -> None:
    got = start
    received(start, whole)
    with part.open("ab" if start else "wb", buffering=0) as file:
        while block := response.read(BLOCK):
            file.write(block)
            got += len(block)
            received(len(block), whole)
    if whole is not None and got != whole:
        raise RunError(
            f"{response.url} stopped after {got:,} of {whole:,} bytes. What came is kept, and the same command goes on "
            "from there."
        )
