"""Data sets on disk: pairs of clean and degraded clips, with the recipe that made each."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from vbench.clip import Clip, ClipInfo, validate_name
from vbench.errors import InputError, nearest
from vbench.provenance import fingerprint
from vbench.sources import changed_since, open_clip
from vbench.storage import open_stored
from vbench.workspace import Workspace, read_json

if TYPE_CHECKING:
    from degradations.apply import Recipe


def _plain(name: str) -> str:
    try:
        return validate_name(name)
    except InputError as error:
        raise ValueError(str(error)) from error


# Descriptions come from elsewhere, and names in them become folders.
PlainName = Annotated[str, AfterValidator(_plain)]


class Origin(BaseModel):
    """A clean clip, described so that any process can open it again: a path, or an embedded clip.

    ``identity`` changes when the content may have changed (path, sizes, times; or the renderer's version).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: PlainName
    path: str | None
    builtin: str | None
    start: NonNegativeInt
    stop: PositiveInt
    identity: str
    every: PositiveInt = 1
    """One frame is taken of so many; the others are the scene between those that stay (motion blur sees them)."""

    @property
    def frames(self) -> int:
        """Frames of the clean clip."""
        return (self.stop - self.start) // self.every

    @property
    def rendered(self) -> bool:
        """Whether the scene between frames can be seen."""
        return self.builtin is not None or self.every > 1


class ClipFacts(BaseModel):
    """One pair of a data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: PlainName
    frames: PositiveInt
    height: PositiveInt
    width: PositiveInt
    channels: int
    fps: float
    source: str
    colour: str
    bit_depth: int
    gt_sha256: str | None
    """None where there is no ground truth: real film, of which nobody has a clean copy."""
    lq_sha256: str
    mask: bool
    flow: bool
    scale: PositiveInt = 1
    """How many times smaller the degraded frames are, along each side."""
    lq_height: int | None = None
    """Of the degraded frames, where they are smaller than the ground truth."""
    lq_width: int | None = None
    mask_kinds: tuple[str, ...] = ()
    """Kinds of damage that have a mask of their own ("dirt", "scratch", ...)."""
    on_reading: bool = False
    """The degraded frames are not stored, but made in floating point when they are read."""
    origin: Origin | None = None
    """Where the clean clip came from."""
    gt_path: str | None = None
    """Of an adopted pair: where its clean frames lie (a folder of frames, or a video), outside the data set."""
    lq_path: str | None = None
    """Of an adopted pair: where its degraded frames lie."""
    first_frame: int = 0
    """Of an adopted pair: the first frame there that is taken."""

    @model_validator(mode="after")
    def _one_name(self) -> ClipFacts:
        if self.origin is not None and self.origin.name != self.name:
            raise ValueError(f'the clip "{self.name}" is said to come from one called "{self.origin.name}"')
        return self

    @property
    def data_sha256(self) -> str:
        """Hash of the pair: what a number measured on it depends on."""
        return fingerprint({"gt": self.gt_sha256, "lq": self.lq_sha256})


class DatasetFacts(BaseModel):
    """``dataset.json``: what was made, from what, how, and the hashes of the decoded frames."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: PlainName
    profile: str
    variant: str
    title: str
    description: str
    source: str
    severity: int | float | None = None
    profile_version: int
    profile_sha256: str
    seed: int
    clips: tuple[ClipFacts, ...]
    versions: dict[str, str]
    recipe: dict[str, Any] | None = None
    """The profile, cut down to this variant: with the seed and the clips all that is needed to make the data set again."""
    commands: tuple[str, ...] = ()
    """Of an adopted data set: what was typed to adopt it."""


@dataclass(frozen=True)
class Pair:
    """A clean clip and its degraded version, opened on demand."""

    dataset: str
    folder: Path
    facts: ClipFacts
    others: tuple[ClipFacts, ...] = ()
    """All clips of the data set, this one among them."""

    @property
    def name(self) -> str:
        return self.facts.name

    def siblings(self) -> list[Pair]:
        """All pairs of the data set, this one among them."""
        return [Pair(self.dataset, self.folder, facts, self.others) for facts in self.others or (self.facts,)]

    @property
    def siblings_sha256(self) -> str:
        """Hash of all ground truth of the data set: what statistics of it depend on."""
        clips = self.others or (self.facts,)
        return fingerprint({"gt": sorted(facts.gt_sha256 for facts in clips if facts.gt_sha256 is not None)})

    @property
    def rooms(self) -> frozenset[str]:
        """What there is beside a restored clip: "degraded"; "truth", and "pristine" for its statistics, where there is a
        ground truth; "mask" where damage has a place, and "mask:KIND" for each kind of it; "flow" where it is known
        exactly. Degraded frames that are smaller are beside nothing."""
        facts = self.facts
        return frozenset(
            ({"truth", "pristine"} if facts.gt_sha256 is not None else set())
            | ({"degraded"} if facts.scale == 1 else set())
            | ({"mask"} if facts.mask else set())
            | {f"mask:{kind}" for kind in facts.mask_kinds}
            | ({"flow"} if facts.flow else set())
        )

    def clip_info(self) -> ClipInfo:
        """What is known of the clip without opening it."""
        f = self.facts
        return ClipInfo(f.name, f.frames, f.height, f.width, f.channels, f.fps, 8, f.source, f.colour)

    def _open(self, room: str) -> Clip:
        facts = self.facts
        if facts.lq_path is not None:
            return self._adopted(room, Path(facts.gt_path if room == "gt" and facts.gt_path else facts.lq_path))
        channels = 1 if room.startswith("mask") else facts.channels
        clip = open_stored(self.folder / room, self.name, channels)
        info = clip.info
        height, width = facts.height, facts.width
        if room == "lq":
            height, width = facts.lq_height or height, facts.lq_width or width
        wanted = (facts.frames, height, width, channels)
        if (info.frames, info.height, info.width, info.channels) != wanted:
            raise InputError(
                f'"{self.folder / room / self.name}" holds {info.frames} frames of {info.width} x {info.height} '
                f"with {info.channels} channel(s); the data set says {wanted[0]} of {wanted[2]} x {wanted[1]} with "
                f"{wanted[3]}. Frames were changed or lost since `vbench synth`: delete the folder "
                f'"{self.folder}" and make it again.'
            )
        return clip

    def _adopted(self, room: str, path: Path) -> Clip:
        """A clip that lies where its owner has it, if it is what it was when it was adopted."""
        facts = self.facts
        stop = facts.first_frame + facts.frames
        note = self.folder / "recipe" / f"{self.name}.json"
        before = read_json(note)["files"][room] if note.exists() else []
        digest = facts.gt_sha256 if room == "gt" and facts.gt_sha256 else facts.lq_sha256
        changed = changed_since(path, before, digest, facts.first_frame, stop)
        if changed is not None:
            raise InputError(
                f'The clip "{self.name}" of the adopted data set "{self.dataset}" is not what it was: {changed}. Put back '
                "what was there, or adopt it as it is now: give the same `vbench datasets add` again "
                f'(it stands in "{self.folder / "dataset.json"}", under "commands").'
            )
        return open_clip(path, name=self.name, start=facts.first_frame, stop=stop)

    def truth(self) -> Clip:
        """The ground truth.

        Raises:
            InputError: there is none ("truth" is not in :attr:`rooms`), or it is not what it was.
        """
        if self.facts.gt_sha256 is None:
            raise InputError(
                f'The clip "{self.name}" of the data set "{self.dataset}" has no ground truth: it was adopted with '
                "--no-truth, and only what needs none can be done with it."
            )
        return self._open("gt")

    def degraded(self) -> Clip:
        """What a model gets to see."""
        if self.facts.on_reading:
            from vbench.remade import RemadeClip

            return RemadeClip(self.truth(), self.recipe())
        return self._open("lq")

    def recipe(self) -> Recipe:
        """What was drawn for this clip.

        Raises:
            InputError: the file is gone or damaged.
        """
        from degradations.apply import Recipe

        path = self.folder / "recipe" / f"{self.name}.json"
        if not path.exists():
            raise InputError(f'"{path}" is gone: delete the folder "{self.folder}" and make the data set again.')
        return Recipe.from_json(read_json(path)["recipe"])

    def damage_facts(self) -> list[dict[str, Any]]:
        """What every step did to each frame: gains, shifts, levels, kernels, bits (``facts/CLIP.json``)."""
        found: list[dict[str, Any]] = read_json(self.folder / "facts" / f"{self.name}.json")["steps"]
        return found

    def flow(self) -> Callable[[int], dict[str, NDArray[Any]]] | None:
        """Exact optical flow of neighbours of the ground truth, by the first one's index; None where it is not known."""
        if not self.facts.flow:
            return None
        folder = self.folder / "flow" / self.name

        def read(t: int) -> dict[str, NDArray[Any]]:
            from vbench.builtin.clips import load_flow

            return load_flow(folder / f"{t:08d}.npz")

        return read

    def mask(self, kind: str | None = None) -> Clip | None:
        """Where the damage is (of one kind, or of all together), 8-bit gray; None where it has no place."""
        if kind is None:
            return self._open("mask") if self.facts.mask else None
        return self._open(f"masks/{kind}") if kind in self.facts.mask_kinds else None


@dataclass(frozen=True)
class Dataset:
    """A data set in a workspace."""

    folder: Path
    facts: DatasetFacts

    @property
    def name(self) -> str:
        return self.facts.name

    def pairs(self) -> list[Pair]:
        """Its pairs, in the order of their names."""
        return [Pair(self.name, self.folder, clip, self.facts.clips) for clip in self.facts.clips]


def open_dataset(folder: Path) -> Dataset:
    """Read a data set that ``vbench synth`` finished.

    Raises:
        InputError: not finished, or its description is damaged.
    """
    path = folder / "dataset.json"
    if not path.exists():
        raise InputError(
            f'"{folder}" has no dataset.json: `vbench synth` or `vbench datasets add` was interrupted there, or failed. Run the '
            "same command again, which goes on where it stopped, or delete the folder."
        )
    try:
        return Dataset(folder, DatasetFacts.model_validate(read_json(path)))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f'"{path}" is not a data set description of this version: {".".join(map(str, first["loc"]))}: '
            f"{first['msg']}. Make the data set again with `vbench synth`."
        ) from error


def find_datasets(
    workspace: Workspace, wanted: list[str] | None = None, unfinished: dict[str, str] | None = None
) -> list[Dataset]:
    """The data sets of a workspace, sorted by name; all of them, or those asked for.

    Args:
        unfinished: takes the names of those that cannot be opened, and why, where none was asked for by name; without it
            one of them is an error.

    Raises:
        InputError: there is none, none that is whole, or one that was asked for is not there or not whole.
    """
    room = workspace.datasets
    present = (
        sorted(p.name for p in room.iterdir() if p.is_dir() and not p.name.startswith(".")) if room.is_dir() else []
    )
    if not present:
        raise InputError(
            f'There is no data set in "{room}". Make one first: `vbench synth --profile oldfilm'
            + ("" if workspace.root == Path("runs") else f" --root {shlex.quote(str(workspace.root))}")
            + "`."
        )
    for name in wanted or []:
        if name not in present:
            raise InputError(f'There is no data set "{name}" in "{room}". {nearest(name, present)}')
    if wanted or unfinished is None:
        return [open_dataset(room / name) for name in (wanted or present)]
    found = []
    for name in present:
        try:
            found.append(open_dataset(room / name))
        except InputError as error:
            unfinished[name] = str(error)
    if not found:
        raise InputError("\n".join(unfinished.values()))
    return found
