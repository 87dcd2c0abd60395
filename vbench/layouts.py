"""Layouts of data sets as people have them on disk: which folder holds the clean frames of a clip, which its damaged ones.

A layout is data: patterns over the end of a path. What is found may begin at any level: the root of a data set, a split,
one sequence. Folders are listed, and nothing is opened or looked at more closely, so that trees of many thousand frames
take a moment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vbench.clip import natural_key, validate_name
from vbench.errors import InputError, nearest
from vbench.known_layouts import DEGRADED, LAYOUTS, NEVER, Layout
from vbench.workspace import is_root

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".mkv", ".mov", ".avi", ".y4m", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mxf",
    ".ogv", ".wmv", ".flv", ".3gp", ".vob", ".ivf", ".nut", ".dv", ".264", ".265", ".266", ".h264", ".hevc",
})  # fmt: skip

DEEPEST = 8
"""Levels of folders below the one that is named; nothing in the field lies deeper than five."""


@dataclass(frozen=True)
class FoundClip:
    """One clip of a layout."""

    name: str
    """Unlike that of any other clip here."""
    key: str
    """As the data set's own lists call it ("00001/0001")."""
    clean: Path | None
    """A folder of frames, or a video."""
    degraded: Mapping[str, Path]
    """By version."""
    split: str | None


@dataclass(frozen=True)
class Found:
    """What lies below a folder."""

    name: str
    words: str
    root: Path
    """The folder from which its patterns hold; it may lie above the folder that was named."""
    clips: tuple[FoundClip, ...]
    passed_over: tuple[Path, ...] = ()
    """Frames that belong to no part of the layout."""
    hint: str = ""

    @property
    def versions(self) -> tuple[str, ...]:
        """The kinds of damaged clips that there are."""
        return tuple(sorted({v for clip in self.clips for v in clip.degraded}, key=natural_key))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that its clips belong to."""
        return tuple(sorted({clip.split for clip in self.clips if clip.split}))

    def only(self, *, split: str | None = None, keys: Sequence[str] | None = None) -> Found:
        """The same with the clips of a split, or of a list.

        Raises:
            InputError: there is no such split, or no clip of the list.
        """
        if split is not None and split not in self.splits:
            known = nearest(split, self.splits) if self.splits else "Its clips belong to no split."
            raise InputError(f'{self.words} in "{self.root}" has no split "{split}". {known}')
        clips = [c for c in self.clips if split is None or c.split == split]
        if keys is not None:
            wanted = set(keys)
            clips = [c for c in clips if c.key in wanted or c.name in wanted]
        return Found(self.name, self.words, self.root, tuple(clips), self.passed_over, self.hint)


@dataclass(frozen=True)
class _Leaf:
    """Something that may be a clip: a folder that holds images, or a video."""

    path: Path
    key: str
    """Its whole path with ``/``, of a video without its ending."""


def detect(root: Path, version: str | None = None) -> Found | None:
    """The data set at or around a folder: its root, a split of it, one side, one sequence.

    Args:
        root: a folder.
        version: a folder name that is to count as the damaged side, although no layout knows it.

    Returns:
        None where nothing special is seen: a folder of frames, a folder of clips, or nothing at all.

    Raises:
        InputError: several data sets lie there, or annotations only, or a folder cannot be read.

    Example:
        >>> detect(Path("nowhere")) is None
        True
    """
    annotations: list[_Leaf] = []
    leaves: list[_Leaf] = []
    for leaf in _leaves(Path(os.path.abspath(root))):
        (annotations if any(_compiled(p).fullmatch(leaf.key) for p in NEVER) else leaves).append(leaf)
    groups: dict[tuple[int, str], list[tuple[_Leaf, dict[str, str | None]]]] = {}
    others: list[_Leaf] = []
    for leaf in leaves:
        at = _match(leaf.key, version)
        if at is None:
            others.append(leaf)
        else:
            groups.setdefault((at[0], at[1]["root"] or "/"), []).append((leaf, at[1]))
    for key in [k for k, found in groups.items() if LAYOUTS[k[0]].paired and not _is_paired(found)]:
        others += [leaf for leaf, _ in groups.pop(key)]
    if not groups:
        if annotations and not others:
            raise InputError(
                f'"{root}" holds annotations ("{annotations[0].path}"), which are no frames. Name the folder that holds '
                "the frames: of DAVIS it is JPEGImages/480p, beside it."
            )
        return None
    if len(groups) > 1:
        raise InputError(_several(root, groups))
    (((number, base), matched),) = groups.items()
    layout = LAYOUTS[number]
    place = Path(base)
    below = len(base.rstrip("/")) + 1
    others = [o for o in others if not any(_compiled(p).fullmatch(o.key[below:]) for p in layout.beside)]
    clips = _clips(layout, place, matched)
    name = layout.name or place.name
    kinds = {parts["kind"] for _, parts in matched if parts.get("kind")}
    if layout.name and kinds:
        name = f"{name}-{kinds.pop()}"
    return Found(name, layout.words, place, clips, tuple(o.path for o in others), layout.hint)


def known_names(wanted: str, names: Collection[str]) -> str:
    """A hint that names the nearest of many names, or a few of them.

    Example:
        >>> known_names("7", [f"{i:03d}" for i in range(270)])
        'There are 270, called like "000", "001", "002".'
    """
    hint = nearest(wanted, names)
    if len(names) <= 12 or not hint.startswith("Known"):
        return hint
    some = ", ".join(f'"{name}"' for name in sorted(names, key=natural_key)[:3])
    return f"There are {len(names)}, called like {some}."


def listed(path: Path) -> Found:
    """The clips that a list names (a ``.txt`` with a name a line), of the data set in which the list lies.

    Raises:
        InputError: it lies in no data set that is recognised, or names no clip of it.
    """
    try:
        lines = [text for line in path.read_text("utf-8").splitlines() if (text := line.strip().rstrip("/"))]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'The list of clips "{path}" cannot be read: {error}.') from error
    for folder in list(Path(os.path.abspath(path)).parents)[:3]:
        found = detect(folder)
        if found is not None:
            chosen = found.only(keys=lines)
            if not chosen.clips:
                first = lines[0][:80] if lines else ""
                raise InputError(
                    f'"{path}" names no clip of {found.words} in "{found.root}": its first line is "{first}", and clips '
                    f'are called like "{found.clips[0].key}".'
                )
            return chosen
    raise InputError(f'"{path}" is a text, and no data set that is known lies around it. Name a video or a folder.')


def _leaves(root: Path) -> Iterator[_Leaf]:
    """All folders of images and all videos below a folder; what vbench made of others lies in a workspace, and is passed
    unless that is where the search begins: the default one, ``runs``, lies beside sources."""
    waiting: list[tuple[str, str, int]] = [(str(root), root.as_posix().rstrip("/"), 0)] if root.is_dir() else []
    while waiting:
        folder, key, depth = waiting.pop()
        images = False
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith(".") or name == "__MACOSX":
                        continue
                    if entry.is_dir():
                        if is_root(entry.path):
                            continue
                        if depth < DEEPEST and not (entry.is_symlink() and _leads_up(entry.path)):
                            waiting.append((entry.path, f"{key}/{name}", depth + 1))
                        continue
                    stem, ending = os.path.splitext(name)
                    ending = ending.lower()
                    images = images or ending in IMAGE_SUFFIXES
                    if ending in VIDEO_SUFFIXES:
                        yield _Leaf(Path(entry.path), f"{key}/{stem}")
        except OSError as error:
            raise InputError(f'The folder "{folder}" cannot be read: {error.strerror}.') from error
        if images:
            yield _Leaf(Path(folder), key)


def _leads_up(link: str) -> bool:
    """Whether a link to a folder leads to one that it lies in: a circle."""
    return Path(os.path.realpath(os.path.dirname(link))).is_relative_to(os.path.realpath(link))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression over a whole path; what stands before it is ``base``, as little as can be."""
    body = re.sub(r"\{([a-z]+)(?::([^{}]*))?\}", lambda m: f"(?P<{m[1]}>{m[2] or '[^/]+'})", pattern)
    return re.compile(f"(?P<base>|.*?/){body}", re.IGNORECASE | re.DOTALL)


def _match(key: str, version: str | None) -> tuple[int, dict[str, str | None]] | None:
    """The first layout that knows a path, and the parts of the path."""
    for number, layout in enumerate(LAYOUTS):
        for side, patterns in (("degraded", layout.degraded), ("clean", layout.clean)):
            for pattern in patterns:
                if version is not None and layout.paired and side == "degraded":
                    pattern = pattern.replace(DEGRADED, f"{re.escape(version)}|{DEGRADED}")
                found = _compiled(pattern).fullmatch(key)
                if found is not None:
                    parts = found.groupdict()
                    end = found.end("kind" if parts.get("kind") else "base")
                    return number, {**parts, "side": side, "root": key[:end].rstrip("/")}
    return None


def _is_paired(found: Sequence[tuple[_Leaf, Mapping[str, str | None]]]) -> bool:
    return {"clean", "degraded"} <= {parts["side"] for _, parts in found}


def _several(root: Path, groups: Mapping[tuple[int, str], Sequence[tuple[_Leaf, Mapping[str, str | None]]]]) -> str:
    said = []
    for (number, base), found in sorted(groups.items(), key=lambda item: natural_key(item[0][1])):
        layout = LAYOUTS[number]
        clips = len({(parts.get("split"), parts["clip"]) for _, parts in found})
        said.append(f'"{base}" ({layout.name or layout.words.partition(" (")[0]}, {clips} clip{"s" * (clips != 1)})')
    more = f", and {len(said) - 6} more" if len(said) > 6 else ""
    return f'"{root}" holds {len(said)} data sets: {", ".join(said[:6])}{more}. Name one of these folders.'


def _clips(
    layout: Layout, place: Path, matched: Sequence[tuple[_Leaf, Mapping[str, str | None]]]
) -> tuple[FoundClip, ...]:
    splits = _listed_splits(layout, place)
    clean: dict[tuple[str | None, str], Path] = {}
    degraded: dict[tuple[str | None, str], dict[str, Path]] = {}
    for leaf, parts in matched:
        clip = parts["clip"] or ""
        split = parts.get("split") or splits.get(clip)
        key = (split.lower() if split else None, clip)
        if parts["side"] == "clean":
            taken = clean.setdefault(key, leaf.path)
        else:
            version = (parts.get("version") or "input").replace("/", "-")
            taken = degraded.setdefault(key, {}).setdefault(version, leaf.path)
        if taken != leaf.path:
            raise InputError(
                f'Two places hold the same frames of the clip "{clip}": "{taken}" and "{leaf.path}". '
                "It is not plain which to take: name a folder that holds one of them, or move one away."
            )
    keys = sorted({*clean, *degraded}, key=lambda k: (k[0] or "", natural_key(k[1])))
    plain = len({clip for _, clip in keys}) == len(keys)
    return tuple(
        FoundClip(
            name=validate_name((clip if plain or not split else f"{split}_{clip}").replace("/", "_")),
            key=clip,
            clean=clean.get((split, clip)),
            degraded=degraded.get((split, clip), {}),
            split=split,
        )
        for split, clip in keys
    )


def _listed_splits(layout: Layout, place: Path) -> dict[str, str]:
    """Which split each clip belongs to, by the lists of the data set."""
    out: dict[str, str] = {}
    for name, split in layout.lists.items():
        for path in (place / name, place / "vimeo_septuplet" / name):
            if path.is_file():
                out.update(dict.fromkeys(path.read_text("utf-8", "replace").split(), split))
    return out
