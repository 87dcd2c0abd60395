"""Pictures of the report: frames of inputs, ground truths and restorations, lossless, within a budget."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
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
class _Series:
    """The frames of a clip: a file each, or one lossless video."""

    files: tuple[Path, ...] = ()
    video: Path | None = None
    count: int = 0

    def __len__(self) -> int:
        return self.count if self.video else len(self.files)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return _size(self.files[0]) if self.files else self.open_all([0])[0].size

    @cached_property
    def bytes_of_a_frame(self) -> int:
        """About how large a frame is without loss: as its PNG is; of other kinds half of its pixels' bytes."""
        if self.video:
            return self.video.stat().st_size // max(self.count, 1)
        if self.files[0].suffix.lower() == ".png":
            return self.files[0].stat().st_size
        return self.size[0] * self.size[1] * 3 // 2

    def walk(self, numbers: Sequence[int]) -> Iterator[tuple[int, Image]]:
        """Frames of these numbers, in their order, one at a time."""
        if self.video is None:
            for number in numbers:
                yield number, _open(self.files[number])
            return
        import av

        wanted = set(numbers)
        with av.open(str(self.video.absolute()), options={"protocol_whitelist": "file"}) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number in wanted:
                    yield number, frame.to_image()

    def open_all(self, numbers: Sequence[int]) -> list[Image]:
        """Frames of these numbers."""
        return [image for _, image in self.walk(numbers)]


@dataclass(frozen=True)
class _Source:
    key: str
    label: str
    series: _Series


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
    jobs: list[tuple[_Series, dict[int, Path], Path | None]] = []
    datasets: dict[str, dict[str, Any]] = {}
    number = 0
    for dataset, clip, sources in pairs:
        entry = datasets.setdefault(dataset, {"name": dataset, "clips": []})
        if len(entry["clips"]) >= clips:
            continue
        total = len(sources[0].series)
        chosen = _spread(total, frames)
        shown = []
        for source in sources:
            names = [f"{number + i:06d}.webp" for i in range(len(chosen))]
            number += len(chosen)
            cut = None
            if source.key != "mask":
                cut = f"media/{number:06d}.webp"
                number += 1
            targets = {index: folder / name for index, name in zip(chosen, names, strict=True)}
            jobs.append((source.series, targets, folder / Path(cut).name if cut else None))
            names = [f"media/{name}" for name in names]
            shown.append({"key": source.key, "label": source.label, "files": names, "slice": cut})
        width, height = sources[0].series.size
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
        progress("pictures", 0, sum(len(targets) + (cut is not None) for _, targets, cut in jobs))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for made in pool.map(lambda job: _export(*job), jobs):
            if progress is not None:
                progress("pictures", made, None)
    return {"datasets": list(datasets.values()), "notes": notes}


def _pairs(root: Path, boards: Sequence[Board]) -> list[tuple[str, str, list[_Source]]]:
    """Every pair that a board speaks of, and the picture series that exist for it."""
    out = []
    seen = set()
    facts = {board.dataset: _clips(root / "datasets" / board.dataset) for board in boards}
    outside = {dataset: _outside(clips) for dataset, clips in facts.items()}
    for board in boards:
        for clip in board.clips:
            if (board.dataset, clip) in seen:
                continue
            seen.add((board.dataset, clip))
            base = root / "datasets" / board.dataset
            frames = facts[board.dataset].get(clip, {})
            given, truth = outside[board.dataset].get(clip) or (
                _series(base / "lq", clip, frames),
                _series(base / "gt", clip, frames),
            )
            label = "Input"
            nothing = _series(root / "restored" / board.dataset / BASELINE, clip, frames)
            if given and truth and given.size != truth.size:
                # Pictures lie on top of each other: what is shown is what doing nothing gives.
                given, label = nothing, "Input, enlarged"
            elif frames.get("on_reading"):
                given, label = nothing, "Input, clipped to 8 bits"
            sources = [_Source("input", label, given), _Source("truth", "Ground truth", truth)]
            for row in board.rows:
                name = row.model.name
                if name != BASELINE:
                    series = _series(root / "restored" / board.dataset / name, clip, frames)
                    sources.append(_Source(f"model:{name}", name, series))
            sources.append(_Source("mask", "Damage mask", _series(base / "mask", clip, frames)))
            length = len(sources[0].series)
            sources = [s for s in sources if len(s.series) == length]
            if length and any(s.key == "truth" for s in sources):
                out.append((board.dataset, clip, sources))
    return out


def _series(room: Path, clip: str, facts: dict[str, Any]) -> _Series:
    """The frames of a clip in a room: a folder of PNG, or an FFV1 file."""
    folder, video = room / clip, room / f"{clip}.mkv"
    if folder.is_dir():
        return _Series(tuple(sorted(folder.glob("[0-9]*.png"))))
    return _Series(video=video, count=int(facts.get("frames", 0))) if video.is_file() else _Series()


def _clips(base: Path) -> dict[str, dict[str, Any]]:
    """What a data set's description says of each clip."""
    path = base / "dataset.json"
    clips = json.loads(path.read_text("utf-8")).get("clips", []) if path.exists() else []
    return {clip["name"]: clip for clip in clips}


def _outside(clips: dict[str, dict[str, Any]]) -> dict[str, tuple[_Series, _Series]]:
    """Of a data set that was adopted in place: the files of every clip, degraded and clean, where they lie."""
    return {
        name: (_Series(_taken(clip["lq_path"], clip)), _Series(_taken(clip["gt_path"], clip)))
        for name, clip in clips.items()
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
    per_frame = sum(p.series.bytes_of_a_frame for _, _, sources in pairs for p in sources)
    most = max((len(sources[0].series) for _, _, sources in pairs), default=0)
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


def _export(series: _Series, targets: dict[int, Path], cut: Path | None) -> int:
    """Write the chosen frames, and the middle row of every frame, one below the other: x to the right, time downwards."""
    from PIL import Image

    rows: list[Image.Image] = []
    for number, image in series.walk(range(len(series)) if cut else list(targets)):
        if number in targets:
            _save(image, targets[number])
        if cut:
            middle = image.height // 2
            rows.append(image.crop((0, middle, image.width, middle + 1)).resize((image.width, SLICE_ROWS)))
    if cut:
        out = Image.new("RGB", (rows[0].width, SLICE_ROWS * len(rows)))
        for i, row in enumerate(rows):
            out.paste(row, (0, SLICE_ROWS * i))
        _save(out, cut)
    return len(targets) + (cut is not None)


def _save(image: Image, target: Path) -> None:
    # Lossless, and quick rather than small: method 0 takes a tenth of the time for a few per cent.
    image.save(target, "WEBP", lossless=True, quality=20, method=0)


def _curves(cells: Sequence[Cell], dataset: str, clip: str) -> dict[str, dict[str, list[float | None]]]:
    """Per metric and model the figures of each frame; infinite ones as None (there is nothing to draw)."""
    out: dict[str, dict[str, list[float | None]]] = {}
    for cell in cells:
        if cell.dataset == dataset and cell.clip == clip and cell.status == "ok":
            values = [None if abs(v) == float("inf") else float(f"{v:.6g}") for v in cell.frames]
            out.setdefault(cell.metric.name, {})[cell.model] = values
    order = ["psnr", "ssim"]
    return dict(sorted(out.items(), key=lambda item: (order.index(item[0]) if item[0] in order else 9, item[0])))
