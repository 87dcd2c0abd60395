"""The pages of clips: an index with thumbnails, and a page with the viewer for every clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboards.export import number
from leaderboards.schema import Cell, MetricFacts
from leaderboards.table import BASELINE
from reports.media import ClipMedia, Media, Thumb
from reports.site import Site, slug
from reports.views.marks import colour, dashes
from reports.views.words import visible

INDEX = "clips.html"
SCRIPTS = (
    "viewer-state.js", "viewer-pictures.js", "viewer-panes.js", "viewer-stage.js", "viewer-time.js", "viewer-curves.js",
    "viewer-slices.js", "viewer.js",
)  # fmt: skip
"""In the order in which they run."""

Plain = float | str | None
"""A figure as JSON has it: "inf" and "-inf" are texts."""


@dataclass(frozen=True)
class Card:
    """A clip in the index."""

    name: str
    path: str
    size: str
    thumbs: tuple[Thumb, ...]
    pictures: bool


def clip_path(dataset: str, clip: str) -> str:
    """Where the page of a clip lies within the report.

    Example:
        >>> clip_path("noise-gaussian15", "cat")
        'clips/noise-gaussian15/cat.html'
    """
    return f"clips/{slug(dataset)}/{slug(clip)}.html"


def write_clips(
    site: Site,
    media: Media,
    cells: Sequence[Cell],
    numbers: Mapping[str, int],
    titles: Mapping[str, str],
    links: Mapping[str, str],
    metrics: Sequence[str] = (),
    here: str = "clips",
) -> None:
    """Write ``clips.html`` and the page of every clip.

    Args:
        site: the report that is being written.
        media: what can be shown.
        cells: what was measured; the curves.
        numbers: of the models, which decide on their looks.
        titles: of the data sets.
        links: of the data sets' boards, relative to the folder of the report.
        metrics: names in the order in which they are offered; others follow.
        here: key of the index in the navigation.
    """
    by_clip: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.status == "ok":
            by_clip.setdefault((cell.dataset, cell.clip), []).append(cell)
    groups: dict[str, list[Card]] = {}
    for clip in media.clips:
        groups.setdefault(clip.dataset, []).append(_card(clip))
    site.write(
        INDEX, "clips.html.j2", here=here, title="Clips", styles=["clips.css"], scripts=["clips.js"],
        groups=[(dataset, titles.get(dataset, dataset), links.get(dataset), cards) for dataset, cards in groups.items()],
        notes=media.notes, many=len(media.clips),
    )  # fmt: skip
    for at, clip in enumerate(media.clips):
        around = (media.clips[at - 1] if at else None, media.clips[at + 1] if at + 1 < len(media.clips) else None)
        before, after = ((c.clip, c.dataset, clip_path(c.dataset, c.clip)) if c else None for c in around)
        path = clip_path(clip.dataset, clip.clip)
        up = "../" * path.count("/")
        own = by_clip.get((clip.dataset, clip.clip), [])
        site.write(
            path, "clip.html.j2", here=here, title=clip.clip, styles=["viewer.css"], scripts=list(SCRIPTS), clip=clip,
            dataset_title=titles.get(clip.dataset, clip.dataset), board=links.get(clip.dataset), before=before, after=after,
            size=_size(clip), data=viewer_data(clip, own, numbers, metrics, f"{up}media/"), index=INDEX,
            truth=clip.source("truth") is not None, notes=_notes(clip, media.notes),
        )  # fmt: skip


def _card(clip: ClipMedia) -> Card:
    return Card(
        name=clip.clip,
        path=clip_path(clip.dataset, clip.clip),
        size=_size(clip),
        thumbs=clip.thumbs,
        pictures=bool(clip.sources),
    )


def _size(clip: ClipMedia) -> str:
    frames = f"{clip.frames} frame{'' if clip.frames == 1 else 's'}"
    return f"{clip.width}\u00a0×\u00a0{clip.height}, {frames}" if clip.sources else frames


def _notes(clip: ClipMedia, common: Sequence[str]) -> list[str]:
    if clip.sources:
        return list(clip.notes)
    if clip.thumbs:  # the common notes speak of the clips that have more
        return [
            *clip.notes,
            "The budget has no room for pictures of this clip: a larger --media-budget shows them. All figures are here.",
        ]
    return [*clip.notes, *common]


def viewer_data(
    clip: ClipMedia, cells: Sequence[Cell], numbers: Mapping[str, int], metrics: Sequence[str], media: str
) -> dict[str, Any]:
    """What the scripts of a page need to know, as JSON-able values; ``media`` goes before the names of files."""

    def at(name: str | None) -> str | None:
        return None if name is None else media + name

    facts, curves, figures = _curves(cells, clip.frames, metrics)
    width, height = clip.video_size
    return {
        "dataset": clip.dataset,
        "clip": clip.clip,
        "frames": clip.frames,
        "fps": clip.fps,
        "width": clip.width,
        "height": clip.height,
        "stills": clip.stills,
        "length": clip.length,
        "rows": clip.rows,
        "columns": clip.columns,
        # Odd sides have one more row or column in the video.
        "video": {"width": width, "height": height, "stored": [width + width % 2, height + height % 2]},
        "strip": {"frames": clip.strip, "file": at(next((s.strip for s in clip.sources if s.strip), None))},
        "sources": [
            {
                "key": s.key, "label": visible(s.label), "model": s.model, "stills": [at(name) for name in s.stills],
                "rows": at(s.rows), "columns": at(s.columns), "video": at(s.video),
            }
            for s in clip.sources
        ],
        "masks": [
            {
                "kind": m.kind, "label": visible(m.kind), "colour": "#{:02x}{:02x}{:02x}".format(*m.colour),
                "stills": [at(name) for name in m.stills],
            }
            for m in clip.masks
        ],
        "baseline": BASELINE,
        "looks": {
            name: {"label": visible(name), "number": number, "colour": colour(number), "dashes": dashes(number)}
            for name, number in numbers.items()
            if any(name in series for series in curves.values()) or any(s.model == name for s in clip.sources)
        },
        "metrics": facts,
        "curves": curves,
        "figures": figures,
    }  # fmt: skip


def _curves(
    cells: Sequence[Cell], frames: int, order: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, list[Plain]]], dict[str, dict[str, Plain]]]:
    """Facts of every metric that has a figure for each frame, or pair or three of neighbours; these, and the clip's, by model.

    What is no number is None; what is infinite (frames that equal the ground truth) is the text "inf" or "-inf", as JSON has none.
    """
    several = len({cell.protocol for cell in cells}) > 1
    facts: dict[str, MetricFacts] = {}
    curves: dict[str, dict[str, list[Plain]]] = {}
    figures: dict[str, dict[str, Plain]] = {}
    for cell in cells:
        if len(cell.frames) in (frames, frames - 1, frames - 2) and cell.frames:
            name = f"{cell.metric.name} ({cell.protocol})" if several else cell.metric.name
            values = [_plain(v) for v in cell.frames]
            facts.setdefault(name, cell.metric)
            curves.setdefault(name, {})[cell.model] = values
            figures.setdefault(name, {})[cell.model] = _plain(cell.value)
    place = {name: i for i, name in enumerate(order)}
    names = sorted(facts, key=lambda n: (place.get(facts[n].name, len(place)), n))
    described = [
        {
            "name": n, "unit": facts[n].unit, "direction": facts[n].direction, "about": facts[n].convention,
            "digits": decimals(facts[n].name),
        }
        for n in names
    ]  # fmt: skip
    return described, {name: dict(sorted(curves[name].items())) for name in names}, figures


def _plain(value: float | None) -> Plain:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(f"{value:.6g}")


def decimals(metric: str) -> int:
    """Digits after the point with which a metric is printed, everywhere.

    Example:
        >>> decimals("psnr[y,crop=2]"), decimals("ssim")
        (2, 4)
    """
    return len(number(0.0, metric).partition(".")[2])
