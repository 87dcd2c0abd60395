"""Clips: a video that is decoded on demand, whatever it is stored in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vbench.errors import InputError

Frames = NDArray[np.uint8] | NDArray[np.uint16]
"""``(T, H, W, C)``, RGB (C = 3) or gray (C = 1); uint8, or uint16 over the full range 0..65535."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".mkv", ".mov", ".avi", ".y4m", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mxf",
    ".ogv", ".wmv", ".flv", ".3gp", ".vob", ".ivf", ".nut", ".dv", ".264", ".265", ".266", ".h264", ".hevc",
})  # fmt: skip


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip without decoding all of it."""

    name: str
    frames: int
    height: int
    width: int
    channels: int
    fps: float
    bit_depth: int
    source: str
    colour: str
    """How stored values became RGB, in words ("BT.709 limited range, as tagged", "RGB as stored")."""


@runtime_checkable
class Clip(Protocol):
    """A video. ``read`` gives any run of frames; ``chunks`` walks through it with bounded memory."""

    @property
    def info(self) -> ClipInfo: ...

    def read(self, start: int, stop: int) -> Frames: ...

    def chunks(self, size: int = 16) -> Iterator[Frames]: ...


def walk(clip: Clip, size: int) -> Iterator[Frames]:
    """The chunks of a clip, by ``read``: what most clips' ``chunks`` do."""
    for start in range(0, clip.info.frames, size):
        yield clip.read(start, min(start + size, clip.info.frames))


def check_range(info: ClipInfo, start: int, stop: int) -> None:
    """Raise InputError unless frames ``start`` to ``stop`` (excluded) are in the clip, and at least one."""
    if not 0 <= start < stop <= info.frames:
        raise InputError(f'Frames {start}:{stop} are not in "{info.name}", which has {info.frames}, counted from 0.')


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which frame2 comes before frame10; no two names are equal.

    Example:
        >>> sorted(["f10.png", "f2.png", "F1.png"], key=natural_key)
        ['F1.png', 'f2.png', 'f10.png']
    """
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name).casefold())
    # The name itself, last, orders f1 and f01, which a folder lists in any order.
    return (*((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p), (-1, 0, name))


def parse_frames(text: str | None) -> tuple[int, int | None]:
    """``"A:B"`` as (A, B): frames from A up to but without B; either may be left out.

    Raises:
        InputError: not of that form, negative, or empty.

    Example:
        >>> parse_frames("3:10"), parse_frames("5:"), parse_frames(":7"), parse_frames(None)
        ((3, 10), (5, None), (0, 7), (0, None))
    """
    if text is None:
        return 0, None
    match = re.fullmatch(r"\s*([0-9]{0,12})\s*:\s*([0-9]{0,12})\s*", text)
    if match is None:
        raise InputError(
            "--frames takes A:B (from frame A, counted from 0, up to but without B; either may be left "
            f'out), and "{text}" is not of that form.'
        )
    start = int(match[1] or 0)
    stop = int(match[2]) if match[2] else None
    if stop is not None and stop <= start:
        raise InputError(f"--frames {text} holds no frame: the second number must be larger than the first.")
    return start, stop


def validate_name(name: str) -> str:
    """``name`` if it can name a clip's folder (spaces and any Unicode may be in it).

    Raises:
        InputError: empty, hidden, with a path separator or a control character, not Unicode, or too long for
            a file system.
    """
    problem = None
    if not name or name != name.strip():
        problem = "is empty or begins or ends with white space"
    elif name.startswith("."):
        problem = "begins with a dot"
    elif any(c in name for c in "/\\") or any(unicodedata.category(c) == "Cc" for c in name):
        problem = "holds a path separator or a control character"
    elif any(unicodedata.category(c) == "Cs" for c in name):
        problem = "is not Unicode (the file system gave bytes that are not UTF-8)"
    elif len(name.encode()) > 200:
        problem = "is longer than 200 bytes"
    if problem:
        raise InputError(f"The clip name {name!r} {problem}; rename the file or folder.")
    return name


def open_clip(
    path: Path,
    *,
    name: str | None = None,
    start: int = 0,
    stop: int | None = None,
    max_frames: int | None = None,
) -> Clip:
    """A clip from a folder of frames, a video file, or a folder that holds one video.

    Args:
        name: of the clip; by default the name of the folder, or of the file without its ending.
        start, stop: take only these frames (``stop`` excluded).
        max_frames: take at most so many.

    Raises:
        InputError: there is nothing, it cannot be read, the range holds no frame, or the file is truncated
            before the range ends.
    """
    path = Path(path)
    found = _identify(path)
    if found is None:
        raise InputError(_nothing_found(path))
    clip = _open(found, name or _name_of(path))
    total = clip.info.frames
    end = min(total, total if stop is None else stop)
    if max_frames is not None:
        end = min(end, start + max_frames)
    if not 0 <= start < end or (stop is not None and stop > total):
        raise InputError(
            f'"{clip.info.name}" has {total} frame(s), numbered from 0; '
            f"{_asked(start, stop, max_frames)}. Choose a range inside 0:{total}."
        )
    whole = int(getattr(clip, "whole", total))
    if end > whole:
        raise InputError(
            f'"{found}" is truncated: it announces {total} frames, and only the first {whole} can be '
            f"decoded. Get the whole file, or take what is there with --frames "
            f"{start if start < whole else 0}:{whole}."
        )
    return clip if (start, end) == (0, total) else RangeClip(clip, start, end)


def _asked(start: int, stop: int | None, max_frames: int | None) -> str:
    range_words = f"frames {start}:{'' if stop is None else stop} were asked for"
    return range_words if max_frames is None else f"{range_words}, at most {max_frames}"


def open_sources(paths: Sequence[Path]) -> list[Clip]:
    """All clips at the given paths: videos, folders of frames, folders of videos or of folders.

    A folder of clips gives them in natural order. A truncated video is not an error here, but where frames
    that are not there are read (or by `open_clip`, with their range).

    Raises:
        InputError: nothing found, a folder that is not plain, a name that cannot be used, or two clips of
            one name.
    """
    out: dict[str, Clip] = {}
    for path in paths:
        for place, name in _places(Path(path)):
            found = _identify(place)
            if found is None:
                raise InputError(_nothing_found(place))
            clip = _open(found, validate_name(name))
            if name in out:
                raise InputError(
                    f'Two sources give a clip called "{name}": "{out[name].info.source}" and '
                    f'"{clip.info.source}". A clip is known by its name: rename one of them.'
                )
            out[name] = clip
    return list(out.values())


def _places(path: Path) -> list[tuple[Path, str]]:
    if not path.exists():
        raise InputError(f'"{path}" does not exist. --source takes a video, a folder of frames, or a folder of clips.')
    if path.is_file() or _images(path):
        return [(path, _name_of(path))]
    videos = _videos(path)
    folders = [p for p in _visible(path) if p.is_dir() and (_images(p) or _videos(p))]
    if len(videos) == 1 and not folders:
        return [(path, _name_of(path))]
    if not videos and not folders:
        raise InputError(_nothing_found(path))
    return [(p, _name_of(p)) for p in sorted([*videos, *folders], key=lambda p: natural_key(p.name))]


def _visible(folder: Path) -> list[Path]:
    try:
        return [p for p in folder.iterdir() if not p.name.startswith(".")]
    except OSError as error:
        raise InputError(f'The folder "{folder}" cannot be read: {error.strerror}.') from error


def _files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    # A link that leads nowhere counts: it is an error when it is read, not a frame less.
    found = [p for p in _visible(folder) if p.suffix.lower() in suffixes and not p.is_dir()]
    return sorted(found, key=lambda p: natural_key(p.name))


def _images(folder: Path) -> list[Path]:
    return _files(folder, IMAGE_SUFFIXES)


def _videos(folder: Path) -> list[Path]:
    return _files(folder, VIDEO_SUFFIXES)


def _identify(path: Path) -> Path | None:
    """What is to be opened at ``path``: a video file, a folder of images; None if there is neither."""
    if path.is_file():
        return path
    if not path.is_dir():
        return None
    images, videos = _images(path), _videos(path)
    if images and videos:
        raise InputError(
            f'"{path}" holds both images ("{images[0].name}", {len(images)} in all) and videos '
            f'("{videos[0].name}", {len(videos)} in all). It is not plain which is the clip: name the video '
            "itself, or move one kind away."
        )
    if images:
        return path
    return videos[0] if len(videos) == 1 else None


def _nothing_found(path: Path) -> str:
    if not path.exists():
        return f'"{path}" does not exist.'
    videos = _videos(path)
    if len(videos) > 1:
        return (
            f'"{path}" holds {len(videos)} videos ("{videos[0].name}", "{videos[1].name}", ...), and one '
            "clip is wanted here. Name one of them. (`vbench synth --source` takes a folder of several.)"
        )
    deeper = next((p for p in sorted(path.glob("*/*")) if p.is_dir() and _images(p)), None)
    hint = f' Did you mean "{deeper.parent}"?' if deeper else ""
    return (
        f'"{path}" holds no clip: neither frames ({" ".join(sorted(IMAGE_SUFFIXES))}), nor a video '
        f"(.mp4 .mkv .mov .avi .y4m .webm ...), nor folders that hold such.{hint}"
    )


def _name_of(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def _open(path: Path, name: str) -> Clip:
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        from vbench.frames_io import ImageClip

        return ImageClip(path, _images(path) if path.is_dir() else [path], name)
    from vbench.media import VideoClip

    return VideoClip(path, name)


class RangeClip:
    """Some consecutive frames of another clip."""

    def __init__(self, clip: Clip, start: int, stop: int) -> None:
        self._clip = clip
        self._start = start
        info = clip.info
        self.info = ClipInfo(**{**vars(info), "frames": stop - start})

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded) of this range."""
        check_range(self.info, start, stop)
        return self._clip.read(self._start + start, self._start + stop)

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)
