"""Pictures of the report: frames of inputs, ground truths and restorations, lossless, within a budget."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboards.schema import Cell
from leaderboards.table import BASELINE, Board

if TYPE_CHECKING:
    from PIL.Image import Image

FRAMES_AT_MOST = 12
"""Frames of a clip that the viewer offers, evenly spread; more help nobody."""
SLICE_ROWS = 4
"""An x-t slice shows each frame as so many rows."""
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})


@dataclass(frozen=True)
class _Source:
    key: str
    label: str
    files: tuple[Path, ...]


def export_media(
    root: Path,
    folder: Path,
    boards: Sequence[Board],
    cells: Sequence[Cell],
    budget: int,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Write pictures below ``folder`` and give what the viewer needs to know of them.

    The result is JSON-able: ``{"datasets": [{"name", "clips": [{"name", "width", "height", "frames": [numbers],
    "total", "sources": [{"key", "label", "files", "slice"}], "curves": {...}}]}], "notes": [...]}``.
    """
    folder.mkdir()
    pairs = _pairs(root, boards)
    frames, clips, notes = _plan(pairs, budget)
    without = {(b.dataset, clip) for b in boards for clip in b.clips} - {(dataset, clip) for dataset, clip, _ in pairs}
    if pairs and without:
        named = ", ".join(sorted(f"{clip} ({dataset})" for dataset, clip in without)[:3])
        more = ", ..." if len(without) > 3 else ""
        notes.append(f"No pictures of {named}{more}: their frames are in videos, or not where they were.")
    jobs: list[tuple[Sequence[Path], Path]] = []
    slices: list[tuple[Sequence[Path], Path]] = []
    datasets: dict[str, dict[str, Any]] = {}
    number = 0
    for dataset, clip, sources in pairs:
        entry = datasets.setdefault(dataset, {"name": dataset, "clips": []})
        if len(entry["clips"]) >= clips:
            continue
        total = len(sources[0].files)
        chosen = _spread(total, frames)
        shown = []
        for source in sources:
            names = []
            for index in chosen:
                name = f"{number:06d}.webp"
                number += 1
                jobs.append(([source.files[index]], folder / name))
                names.append(f"media/{name}")
            cut = None
            if source.key != "mask":
                cut = f"media/{number:06d}.webp"
                number += 1
                slices.append((source.files, folder / Path(cut).name))
            shown.append({"key": source.key, "label": source.label, "files": names, "slice": cut})
        width, height = _size(sources[0].files[0])
        entry["clips"].append(
            {
                "name": clip,
                "width": width,
                "height": height,
                "frames": chosen,
                "total": total,
                "sources": shown,
                "curves": _curves(cells, dataset, clip),
            }
        )
    if progress is not None:
        progress("pictures", 0, len(jobs) + len(slices))

    def work(job: tuple[Callable[[Sequence[Path]], Image], Sequence[Path], Path]) -> None:
        make, files, target = job
        # Lossless, and quick rather than small: method 0 takes a tenth of the time for a few per cent.
        make(files).save(target, "WEBP", lossless=True, quality=20, method=0)

    todo = [(_frame, files, target) for files, target in jobs] + [(_slice, files, target) for files, target in slices]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, todo):
            if progress is not None:
                progress("pictures", 1, None)
    return {"datasets": list(datasets.values()), "notes": notes}


def _pairs(root: Path, boards: Sequence[Board]) -> list[tuple[str, str, list[_Source]]]:
    """Every pair that a board speaks of, and the picture series that exist for it."""
    out = []
    seen = set()
    outside = {board.dataset: _outside(root / "datasets" / board.dataset) for board in boards}
    for board in boards:
        for clip in board.clips:
            if (board.dataset, clip) in seen:
                continue
            seen.add((board.dataset, clip))
            base = root / "datasets" / board.dataset
            given, truth = outside[board.dataset].get(clip) or (
                _series(base / "lq" / clip),
                _series(base / "gt" / clip),
            )
            label = "Input"
            if given and truth and _size(given[0]) != _size(truth[0]):
                # Pictures lie on top of each other: what is shown is what doing nothing gives.
                given, label = _series(root / "restored" / board.dataset / BASELINE / clip), "Input, enlarged"
            sources = [_Source("input", label, given), _Source("truth", "Ground truth", truth)]
            for row in board.rows:
                name = row.model.name
                if name != BASELINE:
                    files = _series(root / "restored" / board.dataset / name / clip)
                    sources.append(_Source(f"model:{name}", name, files))
            sources.append(_Source("mask", "Damage mask", _series(base / "mask" / clip)))
            length = len(sources[0].files)
            sources = [s for s in sources if s.files and len(s.files) == length]
            if length and any(s.key == "truth" for s in sources):
                out.append((board.dataset, clip, sources))
    return out


def _series(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("[0-9]*.png"))) if folder.is_dir() else ()


def _outside(base: Path) -> dict[str, tuple[tuple[Path, ...], tuple[Path, ...]]]:
    """Of a data set that was adopted in place: the files of every clip, degraded and clean, where they lie."""
    path = base / "dataset.json"
    clips = json.loads(path.read_text("utf-8")).get("clips", []) if path.exists() else []
    return {
        clip["name"]: (_taken(clip["lq_path"], clip), _taken(clip["gt_path"], clip))
        for clip in clips
        if clip.get("gt_path") and clip.get("lq_path")
    }


def _taken(folder: str, clip: dict[str, Any]) -> tuple[Path, ...]:
    """The frames of a folder that a data set takes, in their order; none of a video, which no picture is made of."""
    place = Path(folder)
    names = [p for p in place.iterdir() if p.suffix.lower() in PICTURES and p.name[0] != "."] if place.is_dir() else []
    first = int(clip.get("first_frame", 0))
    return tuple(sorted(names, key=lambda p: _by_number(p.name))[first : first + int(clip["frames"])])


def _by_number(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which frame2 comes before frame10.

    Example:
        >>> sorted(["f10.png", "f2.png"], key=_by_number)
        ['f2.png', 'f10.png']
    """
    parts = [p for p in re.split(r"(\d+)", name.casefold()) if p]
    return (*((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts), (-1, 0, name))


def _plan(pairs: Sequence[tuple[str, str, list[_Source]]], budget: int) -> tuple[int, int, list[str]]:
    """Frames per clip and clips per data set that fit into the budget: first fewer frames, then fewer clips."""
    per_frame = sum(_bytes(p.files[0]) for _, _, sources in pairs for p in sources)
    most = max((len(sources[0].files) for _, _, sources in pairs), default=0)
    wanted = min(most, FRAMES_AT_MOST)
    by_dataset: dict[str, int] = {}
    for dataset, _, _ in pairs:
        by_dataset[dataset] = by_dataset.get(dataset, 0) + 1
    clips = max(by_dataset.values(), default=0)
    frames = max(1, min(wanted, int(budget / max(per_frame, 1))))
    notes = []
    if per_frame > budget and clips > 1:
        clips = max(1, int(clips * budget / per_frame))
        notes.append(f"Pictures of at most {clips} clips of each data set are shown, to keep the report small.")
    if frames < most:
        notes.append(
            f"{frames} of up to {most} frames of each clip are shown, evenly spread; figures cover all frames."
        )
    return frames, clips, notes


def _bytes(path: Path) -> int:
    """About how large a picture is without loss: as its PNG is; of other kinds half of its pixels' bytes."""
    if path.suffix.lower() == ".png":
        return path.stat().st_size
    width, height = _size(path)
    return width * height * 3 // 2


def _spread(total: int, count: int) -> list[int]:
    """``count`` frame numbers, evenly spread over ``total``, the middles of equal parts.

    Example:
        >>> _spread(12, 3), _spread(2, 5)
        ([2, 6, 10], [0, 1])
    """
    if count >= total:
        return list(range(total))
    return [int((i + 0.5) * total / count) for i in range(count)]


def _open(path: Path) -> Image:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return (ImageOps.exif_transpose(image) if _turned(image) else image).convert("RGB")


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as image:
        upright = _turned(image) < 5
        return image.size if upright else (image.height, image.width)


def _turned(image: Image) -> int:
    """How a photograph is turned, by its EXIF tag; 0 where there is none. Only JPEG says so in practice."""
    return int(image.getexif().get(0x0112, 0)) if image.format == "JPEG" else 0


def _frame(files: Sequence[Path]) -> Image:
    return _open(files[0])


def _slice(files: Sequence[Path]) -> Image:
    """The middle row of every frame, one below the other: x to the right, time downwards."""
    from PIL import Image

    width, height = _size(files[0])
    out = Image.new("RGB", (width, SLICE_ROWS * len(files)))
    for i, path in enumerate(files):
        row = _open(path).crop((0, height // 2, width, height // 2 + 1))
        out.paste(row.resize((width, SLICE_ROWS)), (0, SLICE_ROWS * i))
    return out


def _curves(cells: Sequence[Cell], dataset: str, clip: str) -> dict[str, dict[str, list[float | None]]]:
    """Per metric and model the figures of each frame; infinite ones as None (there is nothing to draw)."""
    out: dict[str, dict[str, list[float | None]]] = {}
    for cell in cells:
        if cell.dataset == dataset and cell.clip == clip and cell.status == "ok":
            values = [None if abs(v) == float("inf") else float(f"{v:.6g}") for v in cell.frames]
            out.setdefault(cell.metric.name, {})[cell.model] = values
    order = ["psnr", "ssim"]
    return dict(sorted(out.items(), key=lambda item: (order.index(item[0]) if item[0] in order else 9, item[0])))
