"""Result files: one cell each, written whole or not at all, read back with every doubt spoken out."""

from __future__ import annotations

import gc
import json
import os
import unicodedata
import uuid
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from leaderboards.schema import Cell, ProtocolFacts

TEMPORARY = ".partial-"
"""Unfinished work begins with this; it is never read, and removed at the next start."""


def checked_name(name: str) -> str:
    """``name`` if it may be one level of a path below the root.

    Raises:
        ValueError: empty, hidden, with a separator or control character.

    Example:
        >>> checked_name("a <b> ünïcödé 1")
        'a <b> ünïcödé 1'
    """
    bad = not name or name.startswith(".") or any(c in "/\\" or unicodedata.category(c) == "Cc" for c in name)
    if bad:
        raise ValueError(f"The name {name!r} cannot name a folder or file below the root of the results.")
    return name


DEFAULT_PROTOCOL = "default"


def cell_path(root: Path, dataset: str, model: str, clip: str, metric: str, protocol: str = DEFAULT_PROTOCOL) -> Path:
    """Where a cell stands below ``root``.

    Args:
        protocol: name or label; of each, the last version only is kept.

    Example:
        >>> print(cell_path(Path(), "noise-awgn25", "dncnn-s25", "tennis", "psnr", "denoise-dncnn@1").as_posix())
        results/noise-awgn25/dncnn-s25/tennis/@denoise-dncnn/psnr.json
    """
    # A colon (pyiqa:niqe) cannot be in a file name everywhere.
    parts = [checked_name(part) for part in (dataset, model, clip, metric.replace(":", "."))]
    folder = root / "results" / parts[0] / parts[1] / parts[2]
    name = checked_name(protocol.split("@", maxsplit=1)[0])
    return (folder if name == DEFAULT_PROTOCOL else folder / f"@{name}") / f"{parts[3]}.json"


def write_protocol(root: Path, facts: ProtocolFacts) -> Path:
    """Commit what a protocol asks for, beside the cells that follow it."""
    path = root / "results" / "protocols" / f"{checked_name(facts.label)}.json"
    commit_json(path, facts.model_dump(mode="json"))
    return path


def read_protocols(root: Path) -> dict[str, ProtocolFacts]:
    """The protocols of a workspace's results, by label.

    Raises:
        ValueError: a file is damaged or of another version; the text names it.
    """
    out = {}
    for path in sorted((root / "results" / "protocols").glob("[!.]*.json")):
        try:
            facts = ProtocolFacts.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ValueError(
                f'The file "{path}" does not describe a protocol as this version writes it. Delete it and run '
                "`vbench run` with that protocol again: results that are there are kept."
            ) from error
        out[facts.label] = facts
    return out


def commit_json(path: Path, document: Any, indent: int | None = 1) -> None:
    """Write JSON whole or not at all: to a temporary file beside, flushed to the disk, renamed.

    Raises:
        OSError: the disk is full, or the place may not be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex[:12]}")
    text = json.dumps(document, ensure_ascii=False, indent=indent, allow_nan=False)
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_cell(root: Path, cell: Cell) -> Path:
    """Commit a cell to its place below ``root``."""
    path = cell_path(root, cell.dataset, cell.model, cell.clip, cell.metric.name, cell.protocol)
    commit_json(path, cell.model_dump(mode="json"))
    return path


def read_cell(path: Path | str) -> Cell:
    """The cell in a file.

    Raises:
        ValueError: the file is damaged or of another version; the text names it.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            return Cell.model_validate_json(file.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(
            f'The result file "{path}" cannot be used ({where + ": " if where else ""}{first["msg"]}). Results are written '
            "whole or not at all, so it was changed from outside or is of another version: delete it and run the same "
            "command again."
        ) from error


def cell_files(root: Path) -> list[str]:
    """The paths of all cells below ``root/results``, sorted; unfinished and hidden ones are passed over."""
    out: list[str] = []
    _gather(os.path.join(root, "results"), 3, out)
    return out


def _gather(folder: str, below: int, out: list[str]) -> None:
    """Add the cells that stand ``below`` folders deeper, and one deeper still in folders of protocols."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if below > 0:
            if entry.is_dir():
                _gather(entry.path, below - 1, out)
        elif entry.name.endswith(".json"):
            out.append(entry.path)
        elif below == 0 and entry.name.startswith("@") and entry.is_dir():
            _gather(entry.path, -1, out)


def read_cells(root: Path) -> list[Cell]:
    """All cells below ``root/results``, in the order of their paths.

    52,000 cells of 100 frames take about 2 s of one core, where json and pydantic in turn take 10; a file that caches them would
    have to look at all of them to know that it is not stale, and could be wrong.

    Raises:
        ValueError: a file is damaged or of another version; the text names it.
    """
    # Nothing here is garbage: looking for it again and again takes longer than reading.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return [read_cell(path) for path in cell_files(root)]
    finally:
        if collecting:
            gc.enable()
