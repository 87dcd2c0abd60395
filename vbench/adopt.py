"""Take clips that lie on disk already as a data set, where they are: nothing is copied. Pairs, or clips without ground truth.

``dataset.json`` names the folders of every clip and holds the hashes of their decoded frames, so every frame is decoded
once. What is known of a clip is committed as soon as it is known (``recipe/CLIP.json``); an interrupted adoption goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.clip import natural_key
from vbench.datasets import ClipFacts, DatasetFacts, open_dataset
from vbench.errors import InputError, RunError
from vbench.execute import Task, advance, cores, run_tasks
from vbench.pairing import Choice
from vbench.provenance import fingerprint, versions
from vbench.sources import FileFacts, changed_since, file_facts, open_clip
from vbench.unpaired import REAL
from vbench.workspace import Workspace, make_folder, read_json, write_json

if TYPE_CHECKING:
    from vbench.clip import Clip, ClipInfo

PROFILE = "adopted"
"""What stands for the profile of a data set whose damage was not made here."""

CHUNK = 8
FEW = 400
"""Frames that are read in this process rather than waiting for others to start."""
MOST_NAMED = 5
"""Clips that fail for the same command, named one by one."""


@dataclass(frozen=True)
class Adopted:
    """What became of an adoption."""

    facts: DatasetFacts
    hashed: int
    kept: int
    changed: tuple[str, ...] = ()
    """Clips whose frames are others than at an earlier adoption."""


# --- one pair (in worker processes) ---------------------------------------------------------------


@dataclass(frozen=True)
class _Sides:
    """A pair on disk, or a clip without ground truth, and what its files are like now."""

    clip: str
    clean: Path | None
    degraded: Path
    files: dict[str, FileFacts]
    start: int
    stop: int | None
    scale: int | None

    @property
    def identity(self) -> str:
        return fingerprint(
            {
                "gt": str(self.clean) if self.clean else None,
                "lq": str(self.degraded),
                "files": self.files,
                "start": self.start,
                "stop": self.stop,
            }
        )

    @property
    def frames(self) -> int | None:
        """Frames to decode, of both sides; None where one is a video, which does not tell before it is opened."""
        sides = [side for side in (self.clean, self.degraded) if side is not None]
        if not all(side.is_dir() for side in sides):
            return None
        count = len(self.files["lq"])
        return max(0, (count if self.stop is None else min(count, self.stop)) - self.start) * len(sides)


def paired_files(clip: str, clean: Path | None, degraded: Path) -> dict[str, FileFacts]:
    """The files of both sides of a pair; where both are folders of frames, frame belongs to frame by its name.

    Args:
        clean: None where there is no ground truth.

    Raises:
        InputError: a frame has no partner; the text names the first.
    """
    if clean is None:
        return {"lq": file_facts(degraded)}
    files = {"gt": file_facts(clean), "lq": file_facts(degraded)}
    if clean.is_dir() and degraded.is_dir():
        stems = {side: [Path(name).stem for name, _, _ in facts] for side, facts in files.items()}
        for side, other, place in (("gt", "lq", degraded), ("lq", "gt", clean)):
            missing = sorted(set(stems[side]) - set(stems[other]), key=natural_key)
            if missing:
                raise InputError(
                    f'The clip "{clip}" has a frame "{missing[0]}" in "{clean if side == "gt" else degraded}" and none of '
                    f'that name in "{place}" ({len(missing)} such, of {len(stems[side])}). Frames are paired by name: '
                    "bring the missing ones, rename them alike, or name the other clips with --clip."
                )
    return files


def _hash(clip: Clip) -> str:
    from vbench.frames_io import FrameHasher

    hasher = FrameHasher()
    for chunk in clip.chunks(CHUNK):
        hasher.update(chunk)
        advance(len(chunk))
    return hasher.hexdigest()


def hash_pair(folder: Path, pair: _Sides, choice: str) -> dict[str, Any]:
    """Decode both sides of a pair once, see that they fit, and commit what is known of it.

    Raises:
        InputError: a side cannot be decoded or has more than 8 bits, or the two do not fit.
    """
    places = {"gt": pair.clean, "lq": pair.degraded}
    clips = {
        side: open_clip(path, name=pair.clip, start=pair.start, stop=pair.stop)
        for side, path in places.items()
        if path is not None
    }
    for side, clip in clips.items():
        if clip.info.bit_depth != 8:
            raise InputError(
                f'"{places[side]}" has {clip.info.bit_depth} bits, and clips are taken with 8: what models give is stored '
                "with 8 bits and could not compare. Convert it first."
            )
    given = clips["lq"].info
    if "gt" in clips:
        scale = _check_pair(pair, clips["gt"].info, given)
        height, width = clips["gt"].info.height, clips["gt"].info.width
    else:
        # What models are to give: as large, or so many times larger.
        scale = pair.scale or 1
        height, width = given.height * scale, given.width * scale
    digests = {side: _hash(clip) for side, clip in clips.items()}
    shown = clips.get("gt", clips["lq"]).info
    facts = ClipFacts(
        name=pair.clip,
        frames=given.frames,
        height=height,
        width=width,
        channels=given.channels,
        fps=shown.fps,
        source=str(pair.clean or pair.degraded),
        colour=shown.colour,
        bit_depth=8,
        gt_sha256=digests.get("gt"),
        lq_sha256=digests["lq"],
        mask=False,
        flow=False,
        scale=scale,
        lq_height=given.height if scale > 1 else None,
        lq_width=given.width if scale > 1 else None,
        gt_path=str(pair.clean) if pair.clean else None,
        lq_path=str(pair.degraded),
        first_frame=pair.start,
    )
    document = {
        "identity": pair.identity,
        "facts": facts.model_dump(mode="json"),
        # In the place of a recipe of damage: what tells data sets that were adopted apart.
        "recipe": {"profile": PROFILE, "profile_sha256": choice, "seed": 0},
        "asked": [pair.start, pair.stop],
        "files": pair.files,
    }
    write_json(_note(folder, pair.clip), document, indent=None)
    return document


def _check_pair(pair: _Sides, truth: ClipInfo, given: ClipInfo) -> int:
    """See that the sides of a pair fit; gives how many times smaller the damaged one is."""
    if truth.frames != given.frames:
        raise InputError(
            f'The clip "{pair.clip}" has {truth.frames} clean frames ("{pair.clean}") and {given.frames} damaged ones '
            f'("{pair.degraded}"). Choose a range that both have with --frames A:B, or name the other clips with --clip.'
        )
    if truth.channels != given.channels:
        words = {1: "gray", 3: "in colour"}
        raise InputError(
            f'The clip "{pair.clip}" is {words[truth.channels]} on its clean side ("{pair.clean}") and '
            f'{words[given.channels]} on its damaged one ("{pair.degraded}"): store both alike.'
        )
    return ratio(pair.clip, (truth.height, truth.width), (given.height, given.width), pair.scale)


def ratio(clip: str, truth: tuple[int, int], given: tuple[int, int], wanted: int | None = None) -> int:
    """How many times smaller the damaged frames are, along each side.

    A side that is no multiple may have been rounded up, as this suite's own super-resolution data are.

    Args:
        truth, given: height and width.
        wanted: what it is to be; None takes what it is.

    Raises:
        InputError: the sizes are no whole multiples of each other, or not the one that is wanted.

    Example:
        >>> ratio("a", (720, 1280), (180, 320)), ratio("a", (35, 47), (18, 24)), ratio("a", (64, 80), (64, 80))
        (4, 2, 1)
    """
    (height, width), (small_height, small_width) = truth, given
    fitting = [s for s in range(1, 17) if (-(-height // s), -(-width // s)) == (small_height, small_width)]
    fitting = [s for s in fitting if wanted in (None, s)]
    if not fitting:
        asked = f", and --scale asks for {wanted} times" if wanted is not None else ""
        raise InputError(
            f'The clean frames of "{clip}" are {width} x {height}, the damaged ones {small_width} x {small_height}: '
            f"not a whole number of times smaller along both sides{asked}. Pairs have one size, or the damaged side is "
            "2, 3, 4, ... times smaller: crop or shrink the clips first."
        )
    return fitting[0]


def _note(folder: Path, clip: str) -> Path:
    return folder / "recipe" / f"{clip}.json"


# --- the command --------------------------------------------------------------------------------


def adopt(
    workspace: Workspace,
    choice: Choice,
    *,
    command: str,
    start: int = 0,
    stop: int | None = None,
    scale: int | None = None,
    replace: bool = False,
    workers: int | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Adopted:
    """Write the description of a data set whose clips stay where they are.

    A data set of this name grows by new clips, if it is made of the same version in the same folder; clips whose files
    have changed are read again.

    Args:
        command: what gives this data set again, for its description.
        start, stop: these frames of every clip.
        scale: how many times smaller the damaged frames have to be; None takes what they are.
        replace: forget a data set of this name first.
        workers: processes; the result does not depend on it. None: one for each core, but for few frames this one.
        progress: called with what is under way, frames done since the last call, and all frames to do.

    Raises:
        InputError: the name is taken by another data set, or a frame has no partner.
        RunError: clips failed; what is known of the others is kept.
    """
    say = progress or (lambda what, frames, total: None)
    folder = workspace.dataset(choice.name)
    before = _earlier(folder, choice, replace)
    pairs = []
    for clip in choice.clips:
        clean, degraded = clip.clean and clip.clean.resolve(), clip.degraded[choice.version].resolve()
        pairs.append(_Sides(clip.name, clean, degraded, paired_files(clip.name, clean, degraded), start, stop, scale))
    known = {pair.clip: _known(folder, pair) for pair in pairs}
    todo = [pair for pair in pairs if known[pair.clip] is None]
    make_folder(folder / "recipe")
    lengths = [pair.frames for pair in todo]
    say("starting", 0, None if None in lengths else sum(n for n in lengths if n))
    tasks = [
        Task(f'"{pair.clip}"', hash_pair, (folder, pair, choice.fingerprint), length or 1)
        for pair, length in zip(todo, lengths, strict=True)
    ]
    if workers is None:
        # Workers take seconds to start.
        workers = cores() if None in lengths or sum(n for n in lengths if n) > FEW else 1
    outcomes = run_tasks(tasks, workers=workers, progress=lambda n: say("reading pairs", n, None))
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        lines = [f"- {outcome.error}" for outcome in failed[:MOST_NAMED]]
        lines += [f"- and {len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else []
        details = [outcome.detail for outcome in failed if outcome.detail][:1]
        head = f"{len(failed)} of {len(todo)} clips cannot be taken; the others are read and kept."
        if len(failed) == len(pairs):
            # A data set that has nothing would stand in the way of all others.
            shutil.rmtree(folder, ignore_errors=True)
            head = f"No clip can be taken{f' of {len(pairs)}' if len(pairs) > 1 else ''}; nothing was written."
        raise RunError("\n".join([head, *lines, *details]))
    fresh = {outcome.task.arguments[1].clip: ClipFacts(**outcome.value["facts"]) for outcome in outcomes}
    together = {c.name: c for c in before.clips} if before else {}
    together |= {name: facts for name, facts in known.items() if facts is not None} | fresh
    facts = _describe(choice, before, together, command, versions() if fresh or before is None else before.versions)
    if before != facts:
        write_json(folder / "dataset.json", facts.model_dump(mode="json"))
    was = {c.name: c.data_sha256 for c in before.clips} if before else {}
    changed = tuple(n for n, c in fresh.items() if was.get(n, c.data_sha256) != c.data_sha256)
    return Adopted(facts, hashed=len(fresh), kept=len(pairs) - len(fresh), changed=changed)


def _earlier(folder: Path, choice: Choice, replace: bool) -> DatasetFacts | None:
    """The description of an earlier adoption under this name, if this one may join it."""
    notes = sorted((folder / "recipe").glob("*.json"))
    if not notes and not (folder / "dataset.json").exists():
        return None
    recipe = read_json(notes[0]).get("recipe", {}) if notes else {}
    whole = open_dataset(folder).facts if (folder / "dataset.json").exists() else None
    if recipe.get("profile") != PROFILE:
        raise InputError(
            f'There is a data set "{choice.name}" in "{folder.parent}" already, which `vbench synth` made. '
            "Choose another name with --name."
        )
    if replace:
        shutil.rmtree(folder)
        return None
    if recipe["profile_sha256"] != choice.fingerprint:
        was = f" ({whole.description})" if whole else ""
        raise InputError(
            f'There is a data set "{choice.name}" in "{folder.parent}" already, adopted from other pairs{was}. Choose '
            "another name with --name, or forget the old one with --replace."
        )
    return whole


def _known(folder: Path, pair: _Sides) -> ClipFacts | None:
    """What an earlier adoption found out, if the files are what they were.

    Raises:
        InputError: it was about other frames of the clip, or about one elsewhere.
    """
    path = _note(folder, pair.clip)
    if not path.exists():
        return None
    document = read_json(path)
    facts = ClipFacts(**document["facts"])
    asked, was = (pair.start, pair.stop), (int(document["asked"][0]), document["asked"][1])
    clean = str(pair.clean) if pair.clean else None
    if asked != was or (clean, str(pair.degraded)) != (facts.gt_path, facts.lq_path):
        raise InputError(
            f'The clip "{pair.clip}" was adopted before, with {_frames(*was)} of "{facts.lq_path}"; this command asks for '
            f'{_frames(*asked)} of "{pair.degraded}". Choose another name with --name, or begin anew with --replace.'
        )
    wanted = pair.scale or (None if pair.clean else 1)
    same = document["identity"] == pair.identity and wanted in (None, facts.scale)
    return facts if same else None


def _frames(start: int, stop: int | None) -> str:
    return "all frames" if not start and stop is None else f"frames {start}:{'' if stop is None else stop}"


def _describe(
    choice: Choice, before: DatasetFacts | None, clips: dict[str, ClipFacts], command: str, versions_: dict[str, str]
) -> DatasetFacts:
    found = choice.found
    old = before.commands if before else ()
    return DatasetFacts(
        name=choice.name,
        profile=PROFILE,
        variant=choice.version,
        title=f"{found.name}{_of_split(choice)}: {choice.version}",
        description=f'{found.words}, {_version_words(choice)}adopted in place from the folder "{found.root.name}".',
        source=str(found.root),
        profile_version=1,
        profile_sha256=choice.fingerprint,
        seed=0,
        clips=tuple(clips[name] for name in sorted(clips, key=natural_key)),
        versions=versions_,
        commands=old if command in old else (*old, command),
    )


def _version_words(choice: Choice) -> str:
    """Its version; and that there is no ground truth, where the layout's words do not say so."""
    if all(clip.clean for clip in choice.clips):
        return f"version {choice.version}, "
    return "" if choice.version == REAL else f"version {choice.version}, without ground truth, "


def _of_split(choice: Choice) -> str:
    splits = {clip.split for clip in choice.clips}
    return f", {split}" if len(splits) == 1 and (split := next(iter(splits))) else ""


def verify_clip(clip: ClipFacts) -> list[str]:
    """What has changed in the frames of an adopted clip since, a sentence for each side; all are decoded again."""
    out = []
    for path, digest in ((clip.gt_path, clip.gt_sha256), (clip.lq_path, clip.lq_sha256)):
        if digest is None:
            continue  # no ground truth
        stop = clip.first_frame + clip.frames
        try:
            # No files to compare with: the frames themselves are compared, whatever their names and times.
            text = changed_since(Path(path or ""), [], digest, clip.first_frame, stop)
        except InputError as error:
            text = str(error).rstrip(".")
        if text is not None:
            out.append(f'The clip "{clip.name}" is not what was adopted: {text}.')
        advance(clip.frames)
    return out
