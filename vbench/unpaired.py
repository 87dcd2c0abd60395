"""Which clips without ground truth are meant, and as which data set: real old film, of which nobody has a clean copy."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vbench.clip import validate_name
from vbench.errors import InputError
from vbench.layouts import Found, FoundClip, detect
from vbench.pairing import Choice, choose_version
from vbench.sources import name_of, places_of

REAL = "real"
"""What the damage of clips is called that are taken as they are."""


def choose_unpaired(
    path: Path,
    *,
    name: str | None = None,
    version: str | None = None,
    split: str | None = None,
    clips: Collection[str] = (),
) -> Choice:
    """Settle which clips are meant, none of which has a ground truth.

    Args:
        path: a video, a folder of frames, a folder of such clips; a published data set, or one side of it.
        name: of the data set; by default that of the folder or video.
        version: which damaged side, where a published data set without clean side has several.
        split: only the clips of this split of a published data set.
        clips: only the clips of these names.

    Raises:
        InputError: there are no clips, no such version, split or clip, or there is a clean side too.
    """
    if not path.exists():
        raise InputError(f'"{path}" does not exist. Name a video, a folder of frames, or a folder of clips.')
    found = detect(path) if path.is_dir() else None
    if found is not None and found.versions:
        return _published(path, found.only(split=split), name, version, clips)
    for option, value in {"--version": version, "--split": split}.items():
        if value is not None:
            raise InputError(f'{option} chooses among what a published data set holds, and "{path}" is none.')
    root = path.absolute()
    taken = tuple(
        FoundClip(validate_name(clip), clip, None, {REAL: place}, None) for place, clip in places_of([path], clips)
    )
    _check_names(taken)
    called = name_of(path)
    words = "Clips without ground truth"
    return Choice(
        validate_name(name or called, "data set", "give another with --name"),
        Found(called, words, root, taken),
        REAL,
        taken,
    )


def _published(path: Path, found: Found, name: str | None, version: str | None, clips: Collection[str]) -> Choice:
    """The damaged clips of a data set in a known layout."""
    both = next((clip for clip in found.clips if clip.clean is not None), None)
    if both is not None:
        raise InputError(
            f'{found.words} in "{path}" has a ground truth ("{both.clean}", for one): leave --no-truth out, and everything '
            "is measured. If the damaged clips are to stand alone all the same, name their folder."
        )
    chosen = choose_version(path, found, version)
    if clips:
        found = found.only(keys=list(clips))
    taken = tuple(clip for clip in found.clips if chosen in clip.degraded)
    missing = sorted(set(clips) - {clip.name for clip in taken} - {clip.key for clip in taken})
    if missing or not taken:
        raise InputError(f'{found.words} in "{path}" has no clip "{(missing or [chosen])[0]}" of version {chosen}.')
    parts = [found.name, *(found.splits if len(found.splits) == 1 else ()), *([chosen] if chosen != "input" else [])]
    return Choice(validate_name(name or "-".join(parts), "data set", "give another with --name"), found, chosen, taken)


def _check_names(clips: tuple[FoundClip, ...]) -> None:
    seen: dict[str, FoundClip] = {}
    for clip in clips:
        if clip.name in seen:
            places = " and ".join(f'"{c.degraded[REAL]}"' for c in (seen[clip.name], clip))
            raise InputError(f'Two clips are called "{clip.name}": {places}. A clip is known by its name: rename one.')
        seen[clip.name] = clip
