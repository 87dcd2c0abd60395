"""Which pictures there are of every clip that a board speaks of: input, ground truth, models, masks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboards.table import BASELINE, Board
from reports.media.series import Series, outside, stored


@dataclass(frozen=True)
class Source:
    """One row of pictures: what a model made, what it was given, or what it should have made."""

    key: str
    """``input``, ``truth`` or ``model:NAME``, as it stands in addresses."""
    label: str
    series: Series
    model: str | None = None
    """Whose figures belong to it; the input's are those of doing nothing."""


@dataclass(frozen=True)
class ClipSources:
    """A clip of a data set with all pictures of one size and length that there are of it; perhaps none."""

    dataset: str
    clip: str
    sources: tuple[Source, ...]
    masks: tuple[tuple[str, Series], ...]
    """Where the damage is, by kind; of all kinds together (``damage``) where they are not told apart."""
    fps: float
    frames: int
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.sources[0].series.size

    @property
    def truth(self) -> bool:
        """Whether there is ground truth to compare with."""
        return any(s.key == "truth" for s in self.sources)


def find_sources(root: Path, boards: Sequence[Board]) -> list[ClipSources]:
    """Every clip of every board, in the boards' order, each once."""
    models: dict[str, list[str]] = {}
    clips: dict[str, list[str]] = {}
    for board in boards:
        names = models.setdefault(board.dataset, [])
        names += [row.model.name for row in board.rows if row.model.name not in names]
        seen = clips.setdefault(board.dataset, [])
        seen += [clip for clip in board.clips if clip not in seen]
    out = []
    for dataset, names in clips.items():
        facts = _clip_facts(root / "datasets" / dataset)
        out += [_clip(root, dataset, clip, facts.get(clip, {}), models[dataset]) for clip in names]
    return out


def _clip_facts(base: Path) -> dict[str, dict[str, Any]]:
    path = base / "dataset.json"
    found = json.loads(path.read_text("utf-8")).get("clips", []) if path.exists() else []
    return {clip["name"]: clip for clip in found}


def _clip(root: Path, dataset: str, clip: str, facts: dict[str, Any], models: Sequence[str]) -> ClipSources:
    base = root / "datasets" / dataset
    frames = int(facts.get("frames", 0))
    first = int(facts.get("first_frame", 0))

    def room(name: str, path: str, digest: str) -> Series:
        place, sha256 = facts.get(path), str(facts.get(digest) or "")
        return outside(Path(place), first, frames, sha256) if place else stored(base / name, clip, frames, sha256)

    nothing = _restored(root, dataset, BASELINE, clip)
    truth = room("gt", "gt_path", "gt_sha256")
    given, label = (room("lq", "lq_path", "lq_sha256") if not facts.get("on_reading") else Series()), "Input"
    notes: list[str] = []
    truth, given = (_readable(series, notes) for series in (truth, given))
    if facts.get("on_reading"):
        given, label = nothing, "Input, clipped to 8 bits"
    elif given and given.video is not None and not given.own and nothing:
        given = nothing  # the same frames, as the suite has decoded them
    wanted = (truth or nothing).size if truth or nothing else None
    if given and wanted is not None and given.size != wanted:
        # Pictures lie on top of each other: what is shown is what doing nothing gives.
        given, label = nothing, "Input, enlarged"
    found = [Source("input", label, given or nothing, BASELINE), Source("truth", "Ground truth", truth)]
    found += [Source(f"model:{m}", m, _restored(root, dataset, m, clip), m) for m in models if m != BASELINE]
    found = [s for s in found if s.series]
    kept = _alike(found, notes)
    kinds = [str(kind) for kind in facts.get("mask_kinds") or ()]
    masks = [(kind, stored(base / "masks" / kind, clip, frames)) for kind in kinds]
    if not masks and facts.get("mask"):
        masks = [("damage", stored(base / "mask", clip, frames))]
    length = len(kept[0].series) if kept else frames
    return ClipSources(
        dataset=dataset,
        clip=clip,
        sources=tuple(kept),
        masks=tuple((kind, series) for kind, series in masks if kept and len(series) == length),
        fps=float(facts.get("fps") or 24.0),
        frames=length,
        notes=tuple(notes),
    )


def _restored(root: Path, dataset: str, model: str, clip: str) -> Series:
    room = root / "restored" / dataset / model
    note = room / f"{clip}.json"
    facts: dict[str, Any] = json.loads(note.read_text("utf-8")) if note.exists() else {}
    return stored(room, clip, int(facts.get("frames", 0)), str(facts.get("sha256") or ""))


def _readable(series: Series, notes: list[str]) -> Series:
    """The series, or none with a note where its first frame cannot be read."""
    if not series:
        return series
    try:
        _ = series.size
    except (ValueError, OSError) as error:
        notes.append(str(error))
        return Series()
    return series


def _alike(found: Sequence[Source], notes: list[str]) -> list[Source]:
    """Those that can lie on top of each other: of the commonest size and length; the others are told of."""
    readable = [s for s in found if _readable(s.series, notes)]
    if not readable:
        return []
    shapes = [(s.series.size, len(s.series)) for s in readable]
    common = Counter(shapes).most_common(1)[0][0]
    for source, shape in zip(readable, shapes, strict=True):
        if shape != common:
            (width, height), length = shape
            notes.append(
                f"{source.label} is not among the pictures: it has {length} frames of {width} × {height}, the others "
                f"{common[1]} of {common[0][0]} × {common[0][1]}."
            )
    return [s for s, shape in zip(readable, shapes, strict=True) if shape == common]
