"""What a profile looks like: a contact sheet and a short video, made from a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vbench.errors import RunError
from vbench.workspace import disk_error, make_folder, partial_path

if TYPE_CHECKING:
    from PIL import ImageFont

    from degradations.profile import Profile
    from vbench.datasets import Origin

Picture = NDArray[np.uint8]

TILE = 320
"""Width of a tile of the contact sheet, pixels."""
SHOWN = 3
"""Damaged frames in a row."""
COLOURS = {
    "dirt": (255, 196, 0),
    "scratch": (0, 200, 255),
    "hair": (255, 80, 160),
    "stain": (150, 110, 255),
    "crack": (0, 220, 130),
    "splice": (255, 110, 0),
    "texture": (255, 196, 0),
    "dropout": (0, 200, 255),
    "loss": (255, 60, 60),
    "tracking": (255, 120, 60),
    "head-switching": (150, 110, 255),
}
INK, PAPER, DIM = (25, 28, 33), (250, 250, 248), (110, 115, 122)


def preview(
    profile: Profile,
    variants: Sequence[str],
    origin: Origin,
    seed: int,
    folder: Path,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> tuple[Path, Path]:
    """Write ``PROFILE.png`` (a row for each variant: clean, damaged frames, a detail of both, masks) and ``PROFILE.mp4`` (the
    clean clip and all variants side by side).

    Raises:
        RunError: the files cannot be written.
    """
    say = progress or (lambda what, done, total: None)
    make_folder(folder, "--out")
    say("damage", 0, len(variants) * origin.frames)
    rows: list[tuple[str, list[tuple[str, Picture]]]] = []
    films: list[tuple[str, list[Picture]]] = []
    for name in variants:
        bad, clean, masks = damaged(profile, name, origin, seed)
        title = profile.variant(name).title
        rows.append(_row(name if title == name else f"{name}: {title}", clean, bad, masks))
        if not films:
            films.append(("clean", [_fit(f) for f in clean]))
        films.append((name, [_fit(f) for f in bad]))
        say("damage", len(clean), None)
    sheet, film = folder / f"{profile.name}.png", folder / f"{profile.name}.mp4"
    _write_sheet(sheet, f"{profile.title}: {' '.join(profile.description.split())}", rows)
    _write_film(film, films)
    return sheet, film


def damaged(
    profile: Profile, variant: str, origin: Origin, seed: int
) -> tuple[list[Picture], list[Picture], list[dict[str, Picture]]]:
    """A clip damaged by a variant: its degraded frames, the ground truth, and masks by kind, 8-bit ``(H, W, C)`` each."""
    from degradations.apply import draw, replay
    from degradations.base import ClipShape
    from vbench.pairs import as_damage, clean_chunks, open_origin, subframes_of
    from vbench.restore import to_uint8

    chosen = profile.variant(variant)
    info = open_origin(origin).info
    shape = ClipShape(info.frames, info.height, info.width, info.channels, info.fps, origin.rendered)
    recipe = draw(profile, variant, shape, seed=seed, clip=origin.name)
    start = chosen.start or chosen.truth
    gray = start.startswith("gray") and info.channels == 3
    chunks = (as_damage(frames, gray) for frames in clean_chunks(origin, start))
    damaged: list[Picture] = []
    masks: list[dict[str, Picture]] = []
    for part in replay(recipe, chunks, subframes_of(origin, start)):
        damaged.extend(to_uint8(part.frames))
        planes = {kind: to_uint8(plane) for kind, plane in part.masks.items()}
        masks.extend({kind: plane[i] for kind, plane in planes.items()} for i in range(len(part.frames)))
    clean = [frame for frames in clean_chunks(origin, chosen.truth) for frame in frames]
    return damaged, clean, masks


def _fit(frame: Picture, width: int = TILE) -> Picture:
    """A frame in colour at a tile's width; small ones are enlarged so that their pixels can be seen."""
    import cv2

    rgb = np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame
    height = max(2, round(rgb.shape[0] * width / rgb.shape[1]))
    how = cv2.INTER_AREA if rgb.shape[1] > width else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), (width, height), interpolation=how), dtype=np.uint8)


def _detail(frame: Picture, like: Picture) -> Picture:
    """The middle of a frame, enlarged: the same part of the scene at any size."""
    height, width = frame.shape[:2]
    share = max(0.12, min(0.5, TILE / 2 / like.shape[1]))
    h, w = max(2, int(height * share)), max(2, int(width * share))
    top, left = (height - h) // 2, (width - w) // 2
    return _fit(frame[top : top + h, left : left + w])


def _over(frame: Picture, planes: dict[str, Picture]) -> Picture:
    """A frame in faint gray with its masks in colour."""
    tile = _fit(frame).astype(np.float32).mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.35
    for kind, plane in planes.items():
        import cv2

        size = (tile.shape[1], tile.shape[0])
        # The largest coverage of a tile's pixel, or fine marks would vanish.
        cover = cv2.dilate(plane[..., 0], np.ones((3, 3), np.uint8)) if plane.shape[1] > TILE else plane[..., 0]
        cover = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)[..., None].astype(np.float32) / 255
        tile = tile * (1 - cover) + cover * np.array(COLOURS.get(kind, (255, 255, 255)), np.float32)
    return np.asarray(tile.clip(0, 255), dtype=np.uint8)


def _row(
    title: str, clean: list[Picture], damaged: list[Picture], masks: list[dict[str, Picture]]
) -> tuple[str, list[tuple[str, Picture]]]:
    count = len(damaged)
    places = sorted({round(i * (count - 1) / max(SHOWN - 1, 1)) for i in range(SHOWN)})
    middle = places[len(places) // 2]
    tiles = [(f"clean, frame {places[0]}", _fit(clean[places[0]]))]
    tiles += [(f"damaged, frame {i}", _fit(damaged[i])) for i in places]
    tiles.append((f"detail, clean, frame {middle}", _detail(clean[middle], clean[middle])))
    tiles.append((f"detail, damaged, frame {middle}", _detail(damaged[middle], clean[middle])))
    kinds = sorted(masks[middle])
    if kinds:
        busiest = max(range(count), key=lambda i: sum(int(p.sum()) for p in masks[i].values()))
        tiles.append((f"masks, frame {busiest}: {', '.join(kinds)}", _over(damaged[busiest], masks[busiest])))
    return title, tiles


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _write_sheet(path: Path, head: str, rows: list[tuple[str, list[tuple[str, Picture]]]]) -> None:
    import textwrap

    from PIL import Image, ImageDraw

    gap, line, caption = 8, 26, 18
    columns = max(len(tiles) for _, tiles in rows)
    width = gap + columns * (TILE + gap)
    lines = textwrap.wrap(head, max(40, width // 8))
    heights = [line + caption + max(t.shape[0] for _, t in tiles) + gap for _, tiles in rows]
    sheet = Image.new("RGB", (width, gap + 20 * len(lines) + gap + sum(heights)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, text in enumerate(lines):
        pen.text((gap, gap + 20 * i), text, INK, _font(15))
    y = gap + 20 * len(lines) + gap
    for (title, tiles), height in zip(rows, heights, strict=True):
        pen.text((gap, y + 2), title, INK, _font(16))
        for i, (words, tile) in enumerate(tiles):
            x = gap + i * (TILE + gap)
            pen.text((x, y + line - 2), words, DIM, _font(12))
            sheet.paste(Image.fromarray(tile), (x, y + line + caption))
        y += height
    temporary = partial_path(path)
    try:
        sheet.save(temporary, "PNG", optimize=True)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(path, error) from error


def _write_film(path: Path, films: list[tuple[str, list[Picture]]]) -> None:
    """All films in a grid, titled, as H.264 that any browser plays."""
    import math

    import av
    from PIL import Image, ImageDraw

    columns = min(len(films), max(2, math.ceil(math.sqrt(len(films)))))
    lines = math.ceil(len(films) / columns)
    height, bar = max(f[0].shape[0] for _, f in films), 20
    size = (columns * TILE, (lines * (height + bar) + 1) // 2 * 2)
    count = len(films[0][1])
    temporary = partial_path(path)
    try:
        with av.open(str(temporary.absolute()), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=24, options={"crf": "17", "movflags": "+faststart"})
            stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
            for t in range(max(count, 24)):  # what is too short to be seen is shown again
                canvas = Image.new("RGB", size, INK)
                pen = ImageDraw.Draw(canvas)
                for i, (name, frames) in enumerate(films):
                    x, y = (i % columns) * TILE, (i // columns) * (height + bar)
                    pen.text((x + 6, y + 3), name, PAPER, _font(12))
                    canvas.paste(Image.fromarray(frames[t % count]), (x, y + bar))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(canvas), "rgb24")))
            container.mux(stream.encode())
        temporary.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    except ValueError as error:
        raise RunError(f'The preview "{path}" could not be encoded: {error}.') from error
    finally:
        temporary.unlink(missing_ok=True)
