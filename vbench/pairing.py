"""Which pairs below a folder are meant, and as which data set."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from vbench.clip import validate_name
from vbench.errors import InputError, nearest
from vbench.known_layouts import LAYOUTS, SIDE
from vbench.layouts import Found, FoundClip, detect, known_names
from vbench.provenance import fingerprint


@dataclass(frozen=True)
class Choice:
    """The pairs that were chosen, and as which data set."""

    name: str
    found: Found
    version: str
    clips: tuple[FoundClip, ...]
    """Each has a damaged side of this version, and a clean one, unless the data set is to have no ground truth."""

    @property
    def fingerprint(self) -> str:
        """What stays the same while a data set grows: pairs of the same version below the same folder."""
        return fingerprint(
            {"layout": self.found.words, "root": str(self.found.root.resolve()), "version": self.version}
        )


def choose(
    folder: Path,
    *,
    name: str | None = None,
    version: str | None = None,
    split: str | None = None,
    clips: Collection[str] = (),
) -> Choice:
    """Look at a folder of pairs, and settle which of them are meant.

    Args:
        folder: the root of a data set, a split of it, or one sequence.
        name: of the data set; by default made of what the layout is called, the split and the version.
        version: which damaged side, where there are several ("blur_gamma"); or a folder name that no layout knows.
        split: only the clips of this split.
        clips: only the clips of these names.

    Raises:
        InputError: there are no pairs, several versions, no such version, split or clip, or a clip lacks a side.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(
            f'"{folder}" {what}. Name the folder that holds the pairs: both the clean and the damaged side.'
        )
    found = detect(folder, version)
    if found is None:
        raise InputError(_no_pairs(folder))
    if split is not None:
        found = found.only(split=split)
    chosen = choose_version(folder, found, version)
    return Choice(
        validate_name(name or _default_name(found, chosen), "data set", "give another with --name"),
        found,
        chosen,
        _pairs_of(folder, found, chosen, clips),
    )


def _no_pairs(folder: Path) -> str:
    if re.fullmatch(SIDE, folder.name, re.IGNORECASE):
        return (
            f'"{folder}" looks like one side of pairs, and both are wanted: name the folder in which it lies beside the '
            f'other side, "{folder.absolute().parent}".'
        )
    known = "; ".join(dict.fromkeys(layout.words for layout in LAYOUTS if layout.degraded and layout.clean))
    return (
        f'No pairs of clean and damaged clips are seen in "{folder}". Looked for: {known}. Name a folder that holds both '
        "sides, and call their folders by what they hold (gt and lq, say); if only the name of the damaged side is "
        "unusual, give it with --version. Videos of which there is no clean copy are taken with --no-truth."
    )


def choose_version(folder: Path, found: Found, wanted: str | None) -> str:
    """Which damaged side is meant.

    Raises:
        InputError: there are several and none was named, or there is none of this name.
    """
    versions_ = found.versions
    if wanted is None and len(versions_) > 1:
        numbers = {v: sum(v in c.degraded for c in found.clips) for v in versions_}
        counted = ", ".join(f"{v} ({n} clip{'' if n == 1 else 's'})" for v, n in numbers.items())
        raise InputError(
            f'{found.words} in "{folder}" has several damaged versions of its clips: {counted}. Each makes a data set of '
            f"its own, and numbers of one do not compare with those of another: choose with --version {versions_[0]}."
        )
    if not versions_:
        raise InputError(
            f'"{folder}" holds the clean side of {found.words} only, and no damaged one. Name a folder that holds both, '
            f'or damage the clean clips: `vbench synth --source "{folder}"`.'
        )
    if wanted is not None and wanted not in versions_:
        raise InputError(f'{found.words} in "{folder}" has no version "{wanted}". {nearest(wanted, versions_)}')
    return wanted or versions_[0]


def _default_name(found: Found, version: str) -> str:
    splits = found.splits
    return "-".join([found.name, *(splits if len(splits) == 1 else ()), version])


def _pairs_of(folder: Path, found: Found, version: str, wanted: Collection[str]) -> tuple[FoundClip, ...]:
    """The clips of a version, each with both sides.

    A split of which a version has no clip at all is left out; one that has some must have all.
    """
    if wanted:
        names = {clip.name for clip in found.clips}
        for name in wanted:
            if name not in names:
                raise InputError(f'{found.words} in "{folder}" has no clip "{name}". {known_names(name, names)}')
    chosen = [clip for clip in found.clips if not wanted or clip.name in wanted]
    if not any(clip.clean for clip in found.clips):
        example = next(c.degraded[version] for c in chosen if version in c.degraded)
        above = found.root if found.root != Path(folder).absolute() else found.root.parent
        raise InputError(
            f'"{folder}" holds the damaged side only (the clip "{example}", for one), and no ground truth. '
            + (f"{found.hint} " if found.hint else "")
            + f'If the clean side lies elsewhere, name the folder that holds both ("{above}"?). Videos of which there is no '
            "clean copy are taken with --no-truth: what needs no ground truth is measured on them."
        )
    splits = {clip.split for clip in chosen if version in clip.degraded}
    chosen = [clip for clip in chosen if clip.split in splits]
    for clip in chosen:
        if version not in clip.degraded:
            raise InputError(
                f'The clip "{clip.name}" has a clean side ("{clip.clean}") and no {version}. Get it, or name those '
                "clips that are whole with --clip."
            )
        if clip.clean is None:
            raise InputError(
                f'The clip "{clip.name}" has a damaged side ("{clip.degraded[version]}") and no clean one. '
                + (f"{found.hint} " if found.hint else "")
                + "Get it, or name those clips that are whole with --clip."
            )
    return tuple(chosen)
