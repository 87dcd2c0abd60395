"""Is a data set what its description says? Its frames are hashed, and made again from the description alone.

What was done to the frames (masks, facts) is made again with them, and what is stored of it compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench.datasets import ClipFacts
from vbench.errors import VbenchError
from vbench.execute import advance
from vbench.pairs import as_damage, chunk_of, clean_chunks, coverage_levels, mask_rooms, redrawn, subframes_of, to_8bit
from vbench.storage import open_stored, stored_at
from vbench.workspace import read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from degradations.base import Damage
    from degradations.profile import Profile
    from vbench.clip import Clip

SAME = "same"
ABSENT = "–"
COLUMNS = ("stored gt", "stored lq", "gt again", "lq again", "masks, facts")
"""What is looked at of a clip, in the order of :meth:`Verdict.found`."""


@dataclass(frozen=True)
class Verdict:
    """What was found of a clip: "same", "–" where there is nothing to look at, or what is wrong."""

    clip: str
    stored_truth: str
    stored_damaged: str
    made_truth: str
    made_damaged: str
    traces: str = ABSENT
    """Masks and facts that are stored, against those made again."""

    def found(self) -> tuple[str, ...]:
        """What was found of each of :data:`COLUMNS`."""
        return (self.stored_truth, self.stored_damaged, self.made_truth, self.made_damaged, self.traces)

    @property
    def good(self) -> bool:
        """Nothing differs, and the degraded clip could be compared at all."""
        compared = SAME in (self.stored_damaged, self.made_damaged)
        return compared and all(text in (SAME, ABSENT) for text in self.found())


def verify_clip(folder: Path, profile: Profile, variant: str, seed: int, clip: ClipFacts) -> Verdict:
    """Compare what is stored of a clip with its hashes, and make it again from its source.

    Where the source is not at hand the stored ground truth stands for it.
    """
    assert clip.gt_sha256 is not None  # noqa: S101 - what was made here has a ground truth
    stored_truth = _stored(folder / "gt", clip, clip.gt_sha256)
    stored_damaged = ABSENT if clip.on_reading else _stored(folder / "lq", clip, clip.lq_sha256)
    chosen = profile.variant(variant)
    assert clip.origin is not None  # noqa: S101 - asked for by who reads the description
    try:
        made_truth = _compare(_hash(clean_chunks(clip.origin, chosen.truth)), clip.gt_sha256)
        source_at_hand = True
    except VbenchError as error:
        if clip.origin.path is not None and Path(clip.origin.path).exists():
            return Verdict(clip.name, stored_truth, stored_damaged, str(error), ABSENT)
        made_truth, source_at_hand = ABSENT, False
    start = chosen.start or chosen.truth
    if source_at_hand and made_truth == SAME:
        chunks = _from_source(clip, start)
    elif stored_truth == SAME and start == chosen.truth:
        chunks = _from_store(folder, clip, start)
    else:
        return Verdict(clip.name, stored_truth, stored_damaged, made_truth, ABSENT)
    try:
        found = _remake(profile, variant, seed, clip, chunks, start)
    except (ValueError, VbenchError) as error:
        return Verdict(clip.name, stored_truth, stored_damaged, made_truth, str(error))
    made_damaged = _compare(found.frames, clip.lq_sha256)
    # Of a description alone nothing is stored.
    is_here = (stored_truth, stored_damaged) != (ABSENT, ABSENT)
    traces = _traces(folder, clip, found) if is_here else ABSENT
    return Verdict(clip.name, stored_truth, stored_damaged, made_truth, made_damaged, traces)


def _compare(found: str, expected: str) -> str:
    return SAME if found == expected else f"other frames ({found[:12]}, not {expected[:12]})"


def _stored(room: Path, clip: ClipFacts, expected: str, channels: int | None = None) -> str:
    from vbench.frames_io import frame_hash

    if stored_at(room, clip.name) is None:
        return ABSENT
    try:
        found = open_stored(room, clip.name, channels or clip.channels)
        return _compare(frame_hash(found.chunks(chunk_of(found.info.height, found.info.width))), expected)
    except VbenchError as error:
        return str(error)


def _hash(chunks: Iterator[NDArray[np.uint8]]) -> str:
    from vbench.frames_io import FrameHasher

    hasher = FrameHasher()
    for frames in chunks:
        hasher.update(frames)
        advance(len(frames))
    return hasher.hexdigest()


def _from_source(clip: ClipFacts, tone: str) -> Iterator[Damage]:
    assert clip.origin is not None  # noqa: S101 - as above
    for frames in clean_chunks(clip.origin, tone):
        yield as_damage(frames, tone.startswith("gray") and frames.shape[3] == 3)


def _from_store(folder: Path, clip: ClipFacts, tone: str) -> Iterator[Damage]:
    found: Clip = open_stored(folder / "gt", clip.name)
    gray = tone.startswith("gray") and clip.channels == 3
    for frames in found.chunks(chunk_of(clip.height, clip.width)):
        yield as_damage(to_8bit(frames), gray)


@dataclass(frozen=True)
class _Made:
    """A degraded clip that was made again: the hash of its frames, of its masks by room, and its facts."""

    frames: str
    masks: dict[str, str]
    facts: Any


def _remake(profile: Profile, variant: str, seed: int, clip: ClipFacts, chunks: Iterator[Damage], tone: str) -> _Made:
    from degradations.apply import facts, replay
    from vbench.frames_io import FrameHasher
    from vbench.restore import to_float_array, to_uint8

    assert clip.origin is not None  # noqa: S101 - as above
    hasher, masks = FrameHasher(), {name: FrameHasher() for name in ("mask", *clip.mask_kinds) if clip.mask}
    recipe = redrawn(profile, variant, seed, clip)
    measured: list[dict[str, Any]] = []
    for damage in replay(recipe, chunks, subframes_of(clip.origin, tone), measured):
        hasher.update(to_float_array(damage.frames) if clip.on_reading else to_uint8(damage.frames))
        planes = {kind: coverage_levels(plane) for kind, plane in damage.masks.items() if kind in masks}
        if planes:
            planes["mask"] = reduce(np.maximum, planes.values())
        for name, plane in planes.items():
            masks[name].update(plane)
        advance(len(damage.frames))
    # As it is read back: lists for tuples.
    known = json.loads(json.dumps({"steps": facts(recipe, measured)}))
    return _Made(hasher.hexdigest(), {name: mask.hexdigest() for name, mask in masks.items()}, known)


def _traces(folder: Path, clip: ClipFacts, made: _Made) -> str:
    """Which stored masks and facts are not those made again."""
    wrong = []
    for room in mask_rooms(folder, clip.mask_kinds) if clip.mask else []:
        found = _stored(room, clip, made.masks[room.name], channels=1)
        if found != SAME:
            named = "mask" if room.name == "mask" else f"mask {room.name}"
            wrong.append(f"{named}: {'missing' if found == ABSENT else found}")
    path = folder / "facts" / f"{clip.name}.json"
    try:
        if not path.is_file():
            wrong.append("facts: missing")
        elif read_json(path) != made.facts:
            wrong.append("facts: others")
    except VbenchError as error:
        wrong.append(f"facts: {error}")
    return "; ".join(wrong) or SAME
