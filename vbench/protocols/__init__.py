"""Protocols: the conventions under which numbers compare. One YAML each, every line with its source."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vbench.errors import InputError, nearest

if TYPE_CHECKING:
    from leaderboards.schema import ProtocolFacts
    from vbench.datasets import DatasetFacts


class Line(BaseModel):
    """One convention: what it is about, how it is done, where that is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str
    """"noise", "PSNR", "frames", ...: the same words in all protocols, so that two can be laid side by side."""
    how: str
    source: str
    here: str = ""
    """What is done otherwise here, and how far that moves a figure; empty where it is the same."""


class PublishedSet(BaseModel):
    """A data set, or a split of one, as papers quote it; recognised by the names of its clips."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: tuple[str, ...] = ()
    """Empty where no source lists them: figures are filed under the set, and no data set is recognised as it."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Degraded sides by name (a profile's variant, or the folder of an adopted side), and what the set with that side is
    called: {"awgn25": "sigma 25"} makes "Set12, sigma 25" of "Set12". None: whatever the side."""
    frames: int | None = None
    """Of all clips together, as they are given to a model."""
    least_frames: int = 1
    """Of each clip, where ``frames`` is not known: shorter ones were cut. A threshold of ours, no fact of the set."""
    source: str

    def called(self, name: str, version: str) -> str | None:
        """Under which name figures on the set with this degraded side are filed; None if there are none.

        Example:
            >>> PublishedSet(versions={"awgn25": "sigma 25"}, source="").called("Set12", "awgn25")
            'Set12, sigma 25'
            >>> PublishedSet(source="").called("DVD test", "input")
            'DVD test'
        """
        if not self.versions:
            return name
        words = self.versions.get(version)
        return None if words is None else f"{name}, {words}" if words else name

    def names(self, name: str) -> tuple[str, ...]:
        """All names under which figures on the set may be filed."""
        found = [self.called(name, version) for version in self.versions] or [name]
        return tuple(dict.fromkeys(one for one in found if one is not None))


class Data(BaseModel):
    """Which data a protocol is about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: str
    """The data and the split, in words."""
    sets: dict[str, PublishedSet] = Field(default_factory=dict)
    """By the name under which figures are published: "DVD test", "GoPro test (blur_gamma)"."""
    profiles: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Damage that is made here as the protocol asks: profile, and its variants (none: any)."""
    channels: Literal[1, 3] | None = None
    """Gray or colour, where the protocol is about one of them alone."""
    truth: bool = True
    """Whether the clips have a ground truth."""
    any_clips: bool = False
    """Whether any clips of this kind are what is asked for, and no set of them."""
    most_frames: int | None = None
    """The official script gives a model at most so many frames of a clip."""

    def names(self) -> tuple[str, ...]:
        """All names under which figures may be filed."""
        return tuple(one for name, found in self.sets.items() for one in found.names(name))

    def made_so(self, dataset: DatasetFacts) -> bool:
        """Whether the damage may be what the protocol asks for: made here by one of its variants, or not made here."""
        if dataset.profile == ADOPTED:
            return True
        variants = self.profiles.get(dataset.profile)
        return variants is not None and (not variants or dataset.variant in variants)

    def published(self, dataset: DatasetFacts) -> str | None:
        """The published set that a data set is: the same clips by name, the same degraded side, as many frames."""
        lengths = [clip.frames for clip in dataset.clips]
        unfit = self.channels is not None and any(clip.channels != self.channels for clip in dataset.clips)
        longer = self.most_frames is not None and any(length > self.most_frames for length in lengths)
        if unfit or longer or not lengths or not self.made_so(dataset):
            return None
        names = {clip.name for clip in dataset.clips}
        for name, found in self.sets.items():
            called = found.called(name, dataset.variant)
            whole = found.frames in (None, sum(lengths)) and min(lengths) >= found.least_frames
            if called is not None and whole and names == set(found.clips):
                return called
        return None


class Scored(BaseModel):
    """Which of a clip's frames are measured; models get all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skip_first: Annotated[int, Field(ge=0)] = 0
    skip_last: Annotated[int, Field(ge=0)] = 0

    def of(self, frames: int) -> tuple[int, int]:
        """First frame and the one behind the last, of a clip of so many frames.

        Example:
            >>> Scored(skip_first=2, skip_last=2).of(100), Scored(skip_first=2, skip_last=2).of(4)
            ((2, 98), (2, 2))
        """
        stop = max(frames - self.skip_last, 0)
        return min(self.skip_first, stop), stop


class Protocol(BaseModel):
    """A named, versioned convention."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: int
    """Raised whenever a figure or an average under it would change."""
    title: str
    description: str
    source: str
    data: Data | None = None
    """None: any."""
    scored: Scored = Scored()
    depth: Literal[8, 16] = 8
    """Bits of the restored frames that are measured. 16 stands for "floating point, clamped to 0..1": the official script
    measures what the network gives, and 16 bits are within 1/131070 of it."""
    metrics: tuple[str, ...]
    """In the order of the columns; rows are ranked by the first."""
    average: Literal["clips", "frames"] = "clips"
    """A data set's figure: the mean of its clips' means, or the mean over all frames of all clips."""
    lines: tuple[Line, ...] = ()

    @property
    def label(self) -> str:
        """Name and version, as written into every cell."""
        return f"{self.name}@{self.version}"

    def about(self, dataset: DatasetFacts) -> bool:
        """Whether the protocol is about data of this kind: clips of a data set as published, or damage made as it asks."""
        data = self.data
        if data is None:
            return True
        if not data.truth:
            return all(clip.gt_sha256 is None for clip in dataset.clips)
        if dataset.profile != ADOPTED:
            return data.made_so(dataset)
        clips = {clip.name for clip in dataset.clips}
        return any(
            clips & set(found.clips) and found.called(name, dataset.variant) is not None
            for name, found in data.sets.items()
        )

    def departures(self, dataset: DatasetFacts) -> tuple[str, ...]:
        """In what a data set is not what the protocol asks for, in sentences; none where it is.

        Figures measured on a data set with departures compare with each other, and with none that a paper prints.
        """
        data = self.data
        if data is None:
            return ()
        out = []
        if data.published(dataset) is None and not data.any_clips:
            out.append(f"The protocol is about {data.words}. {_nearest_set(data, dataset)}")
        variants = data.profiles.get(dataset.profile)
        if dataset.profile != ADOPTED and variants is None:
            out.append(f'The damage is not the protocol\'s: profile "{dataset.profile}".')
        elif variants and dataset.variant not in variants:
            wanted = _or(list(variants)).replace('"', "")
            out.append(f'The damage is not the protocol\'s: "{dataset.variant}" of {dataset.profile}, not {wanted}.')
        if not data.truth and any(clip.gt_sha256 is not None for clip in dataset.clips):
            out.append("The protocol is about clips without ground truth, and these have one.")
        if data.channels is not None:
            others = [clip.name for clip in dataset.clips if clip.channels != data.channels]
            if others:
                kind = {1: "gray", 3: "colour"}[data.channels]
                out.append(f"The protocol is about {kind} clips; {_some(others)} {_are(others)} not.")
        if data.most_frames is not None:
            longer = [clip.name for clip in dataset.clips if clip.frames > data.most_frames]
            if longer:
                out.append(
                    f"The official script takes the first {data.most_frames} frames of a clip; {_some(longer)} "
                    f"{_have(longer)} more (vbench synth --max-frames {data.most_frames})."
                )
        return tuple(out)

    def facts(self, datasets: tuple[DatasetFacts, ...] = ()) -> ProtocolFacts:
        """What is written beside the results."""
        from leaderboards.schema import ProtocolFacts

        return ProtocolFacts(
            label=self.label,
            title=self.title,
            description=self.description,
            source=self.source,
            metrics=self.metrics,
            average=self.average,
            skip_first=self.scored.skip_first,
            lines={line.topic: line.how + (f" Here: {line.here}" if line.here else "") for line in self.lines},
            datasets=tuple(d.name for d in datasets),
            departures={d.name: found for d in datasets if (found := self.departures(d))},
            published={d.name: name for d in datasets if self.data and (name := self.data.published(d))},
        )


ADOPTED = "adopted"
"""The profile of data sets whose damage was not made here (`vbench.adopt`)."""


def _nearest_set(data: Data, dataset: DatasetFacts) -> str:
    """How far a data set is from the published set that shares most clips with it."""
    here = {clip.name for clip in dataset.clips}
    listed = {name: found for name, found in data.sets.items() if found.clips}
    if not listed:
        return "Which clips those are is listed nowhere, so whether these are they cannot be told."
    name, best = max(listed.items(), key=lambda item: len(here & set(item[1].clips)))
    if not here & set(best.clips):
        return "These clips are others."
    missing, more = sorted(set(best.clips) - here), sorted(here - set(best.clips))
    parts = [f"{_some(missing)} {_are(missing)} missing"] if missing else []
    parts += [f"{_some(more)} {_are(more)} not of it"] if more else []
    if best.called(name, dataset.variant) is None:
        parts.append(f'its degraded side is {_or(list(best.versions))}, and this one "{dataset.variant}"')
    frames = sum(clip.frames for clip in dataset.clips)
    short = [clip.name for clip in dataset.clips if clip.frames < best.least_frames]
    if not missing and not more and best.frames not in (None, frames):
        parts.append(f"it has {best.frames} frames and these are {frames}")
    elif short:
        parts.append(f"{_some(short)} {_have(short)} fewer than {best.least_frames} frames")
    return f"Beside {name}: {', '.join(parts)}." if parts else f"The clips are those of {name}."


def _have(names: list[str]) -> str:
    return "have" if len(names) > 1 else "has"


def _or(names: list[str]) -> str:
    """Names as alternatives.

    Example:
        >>> print(_or(["a"]), "|", _or(["a", "b", "c"]))
        "a" | "a", "b" or "c"
    """
    quoted = [f'"{name}"' for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def _are(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _some(names: list[str], most: int = 3) -> str:
    """Some names, and how many more.

    Example:
        >>> _some(["a", "b", "c", "d"])
        'a, b, c and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def names() -> tuple[str, ...]:
    """All protocols, sorted; the default first."""
    found = (p.name[:-5] for p in resources.files(__name__).iterdir() if p.name.endswith(".yaml"))
    return tuple(sorted(found, key=lambda name: (name != "default", name)))


def load(name: str = "default") -> Protocol:
    """The protocol of this name.

    Raises:
        InputError: no such protocol; the text names the nearest.

    Example:
        >>> load().label
        'default@3'
    """
    if name not in names():
        family = [other for other in names() if other.startswith(f"{name}-")]
        if len(family) > 1:
            raise InputError(
                f'"{name}" stands for several protocols, which measure other frames or channels: {", ".join(family)}. Name one.'
            )
        raise InputError(f'There is no protocol "{name}". {nearest(name, names())}')
    return parse(resources.files(__name__).joinpath(f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")


def parse(text: str, where: str) -> Protocol:
    """The protocol that a YAML text describes.

    Raises:
        InputError: it is no YAML, or not what a protocol has; the text says where.
    """
    import yaml

    try:
        document: Any = yaml.safe_load(text)
        return Protocol.model_validate(document)
    except yaml.YAMLError as error:
        raise InputError(f'"{where}" is no YAML: {" ".join(str(error).split())}') from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f'"{where}" is no protocol: {".".join(map(str, first["loc"])) or "the whole"}: {first["msg"]}.'
        ) from error
