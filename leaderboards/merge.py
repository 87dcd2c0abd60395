"""Workspaces of several machines as one: cells, protocols, what is known of the data sets and of the runs.

Nothing is mixed in silence. A cell that is the same in two workspaces (fingerprint, data and figures; what it cost may differ) is
taken once, from the first. Two that are not, at one place, are a conflict: an error that lists them, unless it was said which to
take. A failure is no result: where another workspace has the figure, that is taken. Cells of different models or clips never
conflict; where their data or conventions differ, the boards stand apart and say why, as they always do.

Files are hard links where the disk allows it, else copies; each appears whole or not at all, and ``run.json`` is written last.
"""

from __future__ import annotations

import math
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from leaderboards.merge_facts import merged_description, merged_run
from leaderboards.results import Results
from leaderboards.schema import Cell
from leaderboards.store import TEMPORARY, cell_files, cell_path, commit_json, read_cell, write_protocol

Prefer = Literal["first", "newest"]
NAMED = 10
"""Conflicts that an error lists; of more only the number is told."""


class MergeConflict(ValueError):
    """Cells at one place that are not the same; the text lists them."""


@dataclass(frozen=True)
class Origin:
    """A workspace that is merged."""

    root: Path
    results: Results
    cells: dict[str, tuple[Path, Cell]]
    """By place below the root: the file, and what it holds."""


@dataclass
class Merged:
    """What came of it."""

    cells: int = 0
    """Of the merged workspace."""
    equal: int = 0
    """That were in several workspaces and the same."""
    replaced: int = 0
    """Conflicts that were decided."""
    filled: int = 0
    """Failures for which another workspace has the figure."""
    clips: int = 0
    """Restored clips that were taken along."""
    notes: list[str] = field(default_factory=list)


def read_origin(root: Path) -> Origin:
    """Everything that is merged of a workspace.

    Raises:
        ValueError: there is no such folder, there are no results, or one is damaged.
    """
    if not root.is_dir():
        raise ValueError(f'There is no folder "{root}"; workspaces are merged, in which `vbench run` worked.')
    found = {}
    for name in cell_files(root):
        path = Path(name)
        cell = read_cell(path)
        place = cell_path(Path(), cell.dataset, cell.model, cell.clip, cell.metric.name, cell.protocol).as_posix()
        if root / place != path:
            raise ValueError(
                f'The result file "{path}" holds the cell that belongs to "{root / place}": it was moved from outside. '
                "Move it back, or delete it."
            )
        found[place] = (path, cell)
    if not found:
        raise ValueError(f'There are no results in "{root}": `vbench run` makes them.')
    return Origin(root, Results.read(root), found)


def merge(
    roots: Sequence[Path],
    out: Path,
    *,
    prefer: Prefer | None = None,
    frames: bool = False,
    command: str = "vbench leaderboard merge",
    progress: Callable[[int, int], None] | None = None,
) -> Merged:
    """Merge workspaces into ``out``. What is there already counts as the first of them, so that it can be done again.

    Args:
        roots: the workspaces.
        out: the root of the merged one.
        prefer: which cell to take where they are not the same: the first workspace's, or the file that was written last.
        frames: take restored frames and those of the data sets along.
        command: what the user typed, for ``results/run.json``.
        progress: called with cells done and all cells.

    Raises:
        MergeConflict: cells differ and ``prefer`` does not say which to take; nothing was written.
        ValueError: a workspace is not there, has no results, or is damaged; or a protocol is not the same everywhere.
        OSError: the disk is full, or ``out`` may not be written. The same command goes on from there.
    """
    origins = _origins(roots, out)
    merged = Merged()
    chosen = _chosen(origins, prefer, merged)
    results = Results.merged([origin.results for origin in origins])
    for done, (place, origin) in enumerate(chosen.items()):
        take_file(origin.cells[place][0], out / place)
        if progress is not None:
            progress(done + 1, len(chosen))
    for facts in results.protocols.values():
        write_protocol(out, facts)
    owners = _datasets(origins, out, merged)
    if frames:
        merged.clips = _frames(origins, chosen, owners, out)
    runs = [(str(origin.root), dict(origin.results.run)) for origin in origins if origin.results.run]
    if runs:
        commit_json(out / "results" / "run.json", merged_run(runs, command))
    merged.cells = len(chosen)
    return merged


def _origins(roots: Sequence[Path], out: Path) -> list[Origin]:
    if not roots:
        raise ValueError("No workspace was named: two or more are merged.")
    wanted = list(roots)
    if out.is_dir() and cell_files(out):
        wanted.insert(0, out)
    by_place: dict[Path, Path] = {}
    for root in wanted:
        by_place.setdefault(root.resolve(), root)
    return [read_origin(root) for root in by_place.values()]


# --- cells ---------------------------------------------------------------------------------------


def _chosen(origins: Sequence[Origin], prefer: Prefer | None, merged: Merged) -> dict[str, Origin]:
    """From which workspace every cell is taken."""
    chosen: dict[str, Origin] = {}
    conflicts: list[str] = []
    for origin in origins:
        for place, (path, cell) in origin.cells.items():
            if place not in chosen:
                chosen[place] = origin
                continue
            before_path, before = chosen[place].cells[place]
            why = difference(before, cell)
            if before.status != cell.status:
                merged.filled += 1
                chosen[place] = origin if cell.status == "ok" else chosen[place]
            elif why is None:
                merged.equal += 1
            elif prefer is None:
                conflicts.append(f'{place} ("{chosen[place].root}", "{origin.root}"): {why}')
            else:
                merged.replaced += 1
                if prefer == "newest" and path.stat().st_mtime > before_path.stat().st_mtime:
                    chosen[place] = origin
    if conflicts:
        more = f"\n  and {len(conflicts) - NAMED} more" if len(conflicts) > NAMED else ""
        raise MergeConflict(
            f"{len(conflicts)} result{' is' if len(conflicts) == 1 else 's are'} not the same in these workspaces, and nothing "
            "was merged:\n  "
            + "\n  ".join(conflicts[:NAMED])
            + more
            + "\nSay which to take: --prefer first (of the workspaces as they are named) or --prefer newest (file written "
            "last)."
        )
    return dict(sorted(chosen.items()))


def difference(one: Cell, other: Cell) -> str | None:
    """Why two cells of one place are not the same result, in words; None if they are, or if both are failures.

    What a result cost, and the versions of packages, may differ: the figure, the data and the fingerprint (which knows of
    everything that the figure depends on) may not.
    """
    if one.status == "failed" and other.status == "failed":
        return None
    for what, name in (("data_sha256", "other data"), ("protocol", "another version of the protocol")):
        if getattr(one, what) != getattr(other, what):
            return f"{name} ({_short(getattr(one, what))}, {_short(getattr(other, what))})"
    if (one.metric.version, one.metric.options) != (other.metric.version, other.metric.options):
        return "another version or other options of the metric"
    if one.model_facts.weights_sha256 != other.model_facts.weights_sha256:
        return "other weights"
    if one.value != other.value or not _equal(one.frames, other.frames):
        return f"another figure ({one.value!r}, {other.value!r})"
    return "another fingerprint" if one.fingerprint != other.fingerprint else None


def _equal(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether figures are the same; a frame without one (NaN, which equals nothing) is as one without."""
    return len(one) == len(other) and all(
        a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True)
    )


def _short(text: str) -> str:
    return text[:12] if len(text) == 64 else text


def take_file(source: Path, target: Path) -> None:
    """``source`` at ``target``, whole or not at all: a hard link where the disk allows it, else a copy with its time."""
    if target.exists() and os.path.samefile(source, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex[:12]}")
    try:
        try:
            os.link(source, temporary, follow_symlinks=False)
        except OSError:
            shutil.copy2(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


# --- data sets and frames ------------------------------------------------------------------------


def _datasets(origins: Sequence[Origin], out: Path, merged: Merged) -> dict[tuple[str, str], Origin]:
    """Write the descriptions of the data sets; gives whose clip each one is."""
    owners: dict[tuple[str, str], Origin] = {}
    for name in sorted({name for origin in origins for name in origin.results.datasets}):
        having = [o for o in origins if (o.root / "datasets" / name / "dataset.json").is_file()]
        if not having:
            merged.notes.append(f"{name} has no dataset.json anywhere: its title and severity are not known.")
            continue
        documents = [(o.root, o.root / "datasets" / name / "dataset.json") for o in having]
        document, clip_owner, notes = merged_description(name, documents)
        merged.notes += notes
        commit_json(out / "datasets" / name / "dataset.json", document)
        owners |= {(name, clip): having[index] for clip, index in clip_owner.items()}
    return owners


def _frames(
    origins: Sequence[Origin], chosen: dict[str, Origin], owners: dict[tuple[str, str], Origin], out: Path
) -> int:
    """Take along the frames of restored clips whose results were taken, and those of the data sets."""
    count = 0
    restored: dict[tuple[str, str, str], Origin] = {}
    for place, origin in chosen.items():
        cell = origin.cells[place][1]
        restored.setdefault((cell.dataset, cell.model, cell.clip), origin)
    for (dataset, model, clip), origin in restored.items():
        for room in ("restored", "restored-16"):
            count += take_clip(origin.root / room / dataset / model, out / room / dataset / model, clip)
    for (dataset, clip), origin in owners.items():
        base, target = origin.root / "datasets" / dataset, out / "datasets" / dataset
        for folder in sorted(path for path in base.rglob("*") if path.is_dir() and path.name != clip):
            # Rooms are one or two levels deep (gt, masks/dirt); frames of other clips hold nothing of this name.
            if len(folder.relative_to(base).parts) <= 2 and not folder.name.startswith("."):
                take_clip(folder, target / folder.relative_to(base), clip)
    return count


def take_clip(room: Path, target: Path, clip: str) -> int:
    """Everything of one clip in a room: its folder of frames, its file, what is noted beside. Gives 1 if there was any."""
    found = 0
    for path in [room / clip, *(room / f"{clip}{ending}" for ending in (".mkv", ".avi", ".json", ".npz"))]:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts):
                    take_file(file, target / clip / file.relative_to(path))
                    found = 1
        elif path.is_file():
            take_file(path, target / path.name)
            found = 1
    return found
