"""Find clips on disk: a video, a folder of frames, a folder of clips, a data set as it was published."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from vbench.clip import Clip, RangeClip, natural_key, validate_name
from vbench.errors import InputError
from vbench.layouts import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Found, detect, known_names, listed

FileFacts = list[tuple[str, int, int]]
"""Name, size in bytes, and time of the last change in nanoseconds, of the files of a clip in their order."""


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
    clip = _open(found, name or name_of(path))
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


def places_of(paths: Sequence[Path], clips: Collection[str] = ()) -> list[tuple[Path, str]]:
    """Where the clips of `open_sources` lie (each a folder of frames or a video) and what each is called; none is opened.

    Raises:
        InputError: there is nothing at a path, or no clip of a name that is asked for.
    """
    places = [found for path in paths for found in _places(Path(path))]
    if clips:
        names = {name for _, name in places}
        for wanted in clips:
            if wanted not in names:
                raise InputError(f'There is no clip "{wanted}" in what was given. {known_names(wanted, names)}')
        places = [(place, name) for place, name in places if name in clips]
    out = []
    for place, name in places:
        found = _identify(place)
        if found is None:
            raise InputError(_nothing_found(place))
        out.append((found, name))
    return out


def _asked(start: int, stop: int | None, max_frames: int | None) -> str:
    range_words = f"frames {start}:{'' if stop is None else stop} were asked for"
    return range_words if max_frames is None else f"{range_words}, at most {max_frames}"


def open_sources(paths: Sequence[Path], clips: Collection[str] = ()) -> list[Clip]:
    """All clips at the given paths: videos, folders of frames, folders of videos or of folders, data sets in a
    published layout (`vbench.layouts`), of which the clean side is taken, lists of their clips.

    A folder of clips gives them in natural order. A truncated video is not an error here, but where frames
    that are not there are read (or by `open_clip`, with their range).

    Args:
        clips: take only the clips of these names; nothing else is opened.

    Raises:
        InputError: nothing found, a folder that is not plain, a name that cannot be used, two clips of one name, or
            none of a name that was asked for.
    """
    places = places_of(paths, clips)
    out: dict[str, Clip] = {}
    for place, name in places:
        clip = _open(place, validate_name(name))
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
    if path.is_file() and path.suffix.lower() == ".txt":
        return _clean_side(path, listed(path))
    if path.is_file():
        return [(path, name_of(path))]
    known = detect(path)
    if known is not None and any(clip.clean for clip in known.clips):
        return _clean_side(path, known)
    if _images(path):
        return [(path, name_of(path))]
    videos = _videos(path)
    folders = [p for p in _visible(path) if p.is_dir() and (_images(p) or _videos(p))]
    if len(videos) == 1 and not folders:
        return [(path, name_of(path))]
    if not videos and not folders:
        raise InputError(_nothing_found(path))
    return [(p, name_of(p)) for p in sorted([*videos, *folders], key=lambda p: natural_key(p.name))]


def _clean_side(path: Path, found: Found) -> list[tuple[Path, str]]:
    """The clean clips of a data set in a known layout."""
    places = [(clip.clean, clip.name) for clip in found.clips if clip.clean is not None]
    if not places:
        raise InputError(
            f'The clips of {found.words} that "{path}" stands for have no clean side: only damaged frames are there, '
            f'"{next(iter(found.clips[0].degraded.values()))}" for one. {found.hint}'.rstrip()
        )
    if found.passed_over:
        some = ", ".join(f'"{p}"' for p in found.passed_over[:3])
        raise InputError(
            f'"{path}" holds {found.words}, and also frames that are no part of it: {some}'
            f"{', ...' if len(found.passed_over) > 3 else ''}. It is not plain which clips are meant: name the folder of "
            f'the clean ones (the first is "{places[0][0]}"), or move the others away.'
        )
    return places


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


def name_of(path: Path) -> str:
    """What a clip at this path is called: the name of the folder, or of the video without its ending."""
    if not path.is_dir():
        return path.stem
    # A link to a folder has a name of its own, as one to a video has.
    return path.name if path.name not in ("", "..") else path.resolve().name


def _open(path: Path, name: str) -> Clip:
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        from vbench.frames_io import ImageClip

        return ImageClip(path, _images(path) if path.is_dir() else [path], name)
    from vbench.media import VideoClip

    return VideoClip(path, name)


def gap(names: Sequence[str]) -> tuple[str, str] | None:
    """The first two neighbours between which frames seem to be missing: names alike but for one number, which
    elsewhere rises evenly.

    Example:
        >>> gap(["f01.png", "f02.png", "f04.png", "f05.png"])
        ('f02.png', 'f04.png')
        >>> gap(["f00.png", "f02.png", "f04.png"]), gap(["a.png", "b.png"]), gap(["t7.png", "t9.png", "t23.png"])
        (None, None, None)
    """
    split = [re.fullmatch(r"(.*?)(\d+)(\D*)", name) for name in names]
    found = [match for match in split if match is not None]
    if len(found) < len(names) or len({(match[1].rstrip("0"), match[3].lower()) for match in found}) > 1:
        return None
    steps = [int(b[2]) - int(a[2]) for a, b in pairwise(found)]
    usual = Counter(steps).most_common(1)[0] if steps else (0, 0)
    # Numbers that are no count, of key frames or of times, have no usual step.
    if usual[0] < 1 or usual[1] <= len(steps) / 2 or usual[1] == len(steps):
        return None
    at = next(i for i, step in enumerate(steps) if step != usual[0])
    return names[at], names[at + 1]


# --- what files were like when they were read -----------------------------------------------------


def file_facts(path: Path) -> FileFacts:
    """What can be told of the files of a clip (a folder of frames, or a video) without reading them.

    Raises:
        InputError: a file is gone, or the folder cannot be read.
    """
    files = _images(path) if path.is_dir() else [path]
    try:
        return [(file.name, (stat := os.stat(file)).st_size, stat.st_mtime_ns) for file in files]
    except OSError as error:
        raise InputError(f'"{error.filename}" cannot be read: {error.strerror}.') from error


def changed_since(path: Path, before: FileFacts, digest: str, start: int = 0, stop: int | None = None) -> str | None:
    """What has changed in the files of a clip, in words; None if its frames are what they were.

    Files of other times but the same names and sizes are read again, and their frames compared.

    Args:
        before: what `file_facts` gave; nothing if it was not kept, and then the frames are compared.
        digest: of the decoded frames, by `vbench.frames_io.FrameHasher`.
        start, stop: the frames that are meant.
    """
    if not path.exists():
        return f'"{path}" is not there any more'
    now = file_facts(path)
    was, has = ({name: size for name, size, _ in facts} for facts in (before, now))
    gone = sorted(was.keys() - has.keys(), key=natural_key)
    if gone:
        return f'the frame "{gone[0]}" is gone from "{path}"'
    for name, size in has.items():
        if name not in was and before:
            return f'"{path}" holds a frame more, "{name}"'
        if size != was.get(name, size):
            return f'"{path / name if path.is_dir() else path}" has {size} bytes, and had {was[name]}'
    if now != [tuple(facts) for facts in before] and _digest(path, start, stop, tuple(now)) != digest:
        return f'the frames in "{path}" are others than they were, although their files have the same names and sizes'
    return None


@lru_cache(maxsize=64)
def _digest(path: Path, start: int, stop: int | None, now: tuple[tuple[str, int, int], ...]) -> str:
    """Hash of the decoded frames; ``now`` is there so that it is computed again for other files."""
    from vbench.frames_io import frame_hash

    return frame_hash(open_clip(path, start=start, stop=stop).chunks())
