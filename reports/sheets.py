"""Sheets of pictures for the page on damage: a part of a frame, clean and as every variant of a profile left it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reports.media.encode import lossless
from reports.media.series import Rgb, Series, outside, stored
from reports.media.store import key_of
from reports.site import Site
from reports.views.damage import Picture, SheetRow
from reports.views.facts import Facts

CLIPS = 3
"""Rows of a sheet."""
WIDTH, HEIGHT = 240, 180
"""Pixels of a picture: a part of the frame without scaling, as damage is of the size of pixels."""
GRID = 12
"""Parts that are compared with each other along each side, to find the one with the most damage."""


def write_sheets(
    site: Site, facts: Facts, clip_pages: Mapping[tuple[str, str], str]
) -> dict[str, tuple[SheetRow, ...]]:
    """Write the pictures into ``sheets`` and give the rows of each profile's sheet; clips without frames are left out.

    A picture is named by what it is of, and a file of that name is the same picture.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for dataset, described in facts.datasets.items():
        if described:
            groups[facts.profile(dataset)].append(dataset)
    out = {}
    for profile, datasets in groups.items():
        rows = []
        for clip in _common_clips(facts, datasets):
            row = _row(site.folder, facts, datasets, clip, clip_pages)
            if row is not None:
                rows.append(row)
            if len(rows) == CLIPS:
                break
        if rows:
            out[profile] = tuple(rows)
    return out


def _common_clips(facts: Facts, datasets: Sequence[str]) -> list[str]:
    """Clips that every variant has; if there is none, those of the first."""
    names = [[str(c["name"]) for c in facts.datasets[d].get("clips") or ()] for d in datasets]
    common = [n for n in names[0] if all(n in other for other in names[1:])]
    return common or names[0]


def _row(
    folder: Path, facts: Facts, datasets: Sequence[str], clip: str, clip_pages: Mapping[tuple[str, str], str]
) -> SheetRow | None:
    shown = [d for d in datasets if _described(facts, d, clip)]
    series = [(d, _series(facts, d, clip, "lq")) for d in shown]
    truth = next((s for d in shown if (s := _series(facts, d, clip, "gt"))), Series())
    if not any(s for _, s in series):
        return None
    number = max((len(s) for _, s in series), default=1) // 2
    worst = shown[-1]
    mask = _series(facts, worst, clip, "mask")
    try:
        marked = _frame(mask, number) if mask else None
        left, top = _busiest(marked) if marked is not None else (-1, -1)
        pictures = []
        if truth:
            pictures.append(_picture(folder, "clean", truth, number, left, top))
        pictures += [_picture(folder, facts.variant(d), s, number, left, top) for d, s in series if s]
        if mask:
            pictures.append(_picture(folder, f"mask of {facts.variant(worst)}", mask, number, left, top))
    except (ValueError, OSError):
        return None  # frames that cannot be read: the pages of clips say so, a sheet without them is no loss
    link = next((page for d in shown if (page := clip_pages.get((d, clip), ""))), "")
    return SheetRow(clip, link, tuple(pictures))


def _described(facts: Facts, dataset: str, clip: str) -> dict[str, Any]:
    clips = facts.datasets[dataset].get("clips") or ()
    return next((c for c in clips if c["name"] == clip), {})


def _series(facts: Facts, dataset: str, clip: str, room: str) -> Series:
    described = _described(facts, dataset, clip)
    frames, sha256 = int(described.get("frames", 0)), str(described.get(f"{room}_sha256") or "")
    path = described.get(f"{room}_path")
    if path:
        return outside(Path(path), int(described.get("first_frame", 0)), frames, sha256)
    return stored(facts.root / "datasets" / dataset / room, clip, frames, sha256)


def _frame(series: Series, number: int) -> Rgb:
    return next(iter(series.walk([min(number, len(series) - 1)])))[1]


def _busiest(mask: Rgb) -> tuple[int, int]:
    """The corner of the part with the most damage; (-1, -1), the middle, where none is marked."""
    height, width = mask.shape[:2]
    sums = np.pad((mask[..., 0] > 0).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    best, corner = 0, (-1, -1)
    for top in np.linspace(0, max(0, height - HEIGHT), GRID).astype(int):
        for left in np.linspace(0, max(0, width - WIDTH), GRID).astype(int):
            bottom, right = min(height, top + HEIGHT), min(width, left + WIDTH)
            inside = int(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])
            if inside > best:
                best, corner = inside, (int(left), int(top))
    return corner


def _picture(folder: Path, label: str, series: Series, number: int, left: int, top: int) -> Picture:
    image = _frame(series, number)
    height, width = image.shape[:2]
    if left < 0:
        left, top = max(0, width - WIDTH) // 2, max(0, height - HEIGHT) // 2
    # A degraded clip may be smaller than its ground truth (enlargement): its part begins where it can.
    left, top = min(left, max(0, width - WIDTH)), min(top, max(0, height - HEIGHT))
    part = np.ascontiguousarray(image[top : top + HEIGHT, left : left + WIDTH])
    suffix, data = lossless(part)
    name = key_of("sheet", part.shape, part.tobytes().hex()) + suffix
    target = folder / "sheets" / name
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
    return Picture(label, f"sheets/{name}", part.shape[1], part.shape[0])
