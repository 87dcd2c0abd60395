"""Profiles: named recipes of damage with variants, one YAML each. Reading one imports no torch."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from degradations.catalog import KINDS, load, nearest

if TYPE_CHECKING:
    from degradations.base import Degradation

Tone = Literal["colour", "gray", "sharp", "gray-sharp"]


class Variant(BaseModel):
    """One severity or kind within a profile: the steps, in order, each ``{kind: settings}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    description: str
    severity: int | float | None = Field(default=None, description="order of the variants that form one severity curve")
    truth: Tone = Field(
        default="colour",
        description="gray: the clean clip is made black and white first, for models are not to guess colours; sharp: "
        "it is sharpened as Real-ESRGAN does, which some papers ask a model for",
    )
    start: Tone | None = Field(
        default=None, description="what the damage starts from, where that is not the ground truth"
    )
    on_reading: bool = Field(
        default=False,
        description="the degraded clip is not stored but made anew in floating point whenever it is read, because 8 "
        "bits cannot hold it",
    )
    steps: tuple[dict[str, dict[str, Any]], ...] = Field(min_length=1)

    @field_validator("steps", mode="before")
    @classmethod
    def _empty_settings(cls, value: Any) -> Any:
        """``- vignette:`` with nothing behind it stands for no settings."""
        if not isinstance(value, list):
            return value
        return [{k: ({} if v is None else v) for k, v in s.items()} if isinstance(s, dict) else s for s in value]


RUNGS = 5
_SEVERITY = re.compile(r"severity-(\d+(?:\.\d+)?)")


class Severities(Variant):
    """A variant for every severity from 1 to 5: where its steps say ``{ladder: [a, b, c, d, e]}`` a setting has these
    values at severities 1 to 5, and values between them in between (whole numbers are rounded, what is no number is
    that of the severity below). Lists of numbers move number by number."""

    def at(self, severity: float) -> Variant:
        """The variant of a severity of 1 to 5.

        Raises:
            ValueError: outside that range, or a ladder has not five values.
        """
        if not 1 <= severity <= RUNGS:
            raise ValueError(f"severity {severity:g} is outside 1..{RUNGS}")
        steps = [_on_ladder(step, severity) for step in self.steps]
        return Variant(
            **{
                **self.model_dump(),
                "title": f"{self.title} {severity:g}",
                "severity": int(severity) if severity == int(severity) else severity,
                "steps": steps,
            }
        )


def severity_name(severity: float) -> str:
    """The name of the variant of a severity.

    Example:
        >>> severity_name(3.0), severity_name(2.5)
        ('severity-3', 'severity-2.5')
    """
    return f"severity-{severity:g}"


def _on_ladder(value: Any, severity: float) -> Any:
    """``value`` with every ladder in it replaced by what it says at this severity."""
    if isinstance(value, dict):
        if set(value) == {"ladder"}:
            rungs = value["ladder"]
            if not isinstance(rungs, list | tuple) or len(rungs) != RUNGS:
                raise ValueError(f"a ladder has {RUNGS} values, for severities 1 to {RUNGS}, and this one is {rungs!r}")
            below = min(int(severity), RUNGS - 1)
            return _between(rungs[below - 1], rungs[below], severity - below)
        return {key: _on_ladder(item, severity) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_on_ladder(item, severity) for item in value]
    return value


def _between(low: Any, high: Any, share: float) -> Any:
    if isinstance(low, list | tuple) and isinstance(high, list | tuple) and len(low) == len(high):
        return [_between(a, b, share) for a, b in zip(low, high, strict=True)]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high))
    if not numbers:
        return high if share == 1 else low
    found = low + (high - low) * share
    return math.floor(found + 0.5) if isinstance(low, int) and isinstance(high, int) else found


class Profile(BaseModel):
    """A recipe of damage: what it stands for, where it comes from, its variants, and its severities."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: int
    title: str
    description: str
    source: str
    default: tuple[str, ...] = Field(min_length=1, description="variants that are made when none is named")
    variants: dict[str, Variant] = Field(min_length=1)
    severities: Severities | None = Field(default=None, description="a variant for any severity from 1 to 5")

    _file: str = PrivateAttr(default="")

    @field_validator("default")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError(f"the same variant twice: {', '.join(value)}")
        return value

    @field_validator("variants")
    @classmethod
    def _names(cls, value: dict[str, Variant]) -> dict[str, Variant]:
        for name in value:
            if not name or name.startswith(".") or any(c in name for c in "/\\ "):
                raise ValueError(f"the variant name {name!r} cannot be part of a folder's name")
        return value

    def where(self) -> str:
        """Name, and the file if it is the user's own, as errors say it."""
        return f'"{self.name}" ("{self._file}")' if self._file else f'"{self.name}"'

    def variant(self, name: str) -> Variant:
        """The variant of this name.

        Raises:
            ValueError: no such variant; the text names the nearest.
        """
        if name in self.variants:
            return self.variants[name]
        if asked := _SEVERITY.fullmatch(name):
            if self.severities is None:
                raise ValueError(
                    f"The profile {self.where()} has no severities, only variants: {', '.join(self.variants)}."
                )
            severity = float(asked[1])
            if 1 <= severity <= RUNGS and name != severity_name(severity):
                raise ValueError(f'The variant "{name}" is written "{severity_name(severity)}".')
            try:
                return self.severities.at(severity)
            except ValueError as error:
                raise ValueError(f"Profile {self.where()}: {error}.") from error
        raise ValueError(f'The profile {self.where()} has no variant "{name}". {nearest(name, self.variants)}')

    def build(self, variant: str) -> list[Degradation]:
        """The steps of a variant, ready to draw and apply.

        Raises:
            ValueError: a step's kind or settings are wrong; the text names profile, variant and step.
        """
        out: list[Degradation] = []
        for number, step in enumerate(self.variant(variant).steps, 1):
            where = f'Profile {self.where()}, variant "{variant}", step {number}'
            if len(step) != 1:
                raise ValueError(f"{where}: a step is one kind with its settings, and this one has {len(step)} keys.")
            ((kind, settings),) = step.items()
            if kind not in KINDS:
                raise ValueError(f'{where}: there is no kind of damage called "{kind}". {nearest(kind, KINDS)}')
            made = load(kind)
            try:
                out.append(made.model_validate(settings))
            except ValidationError as error:
                raise ValueError(f"{where} ({kind}): {_complaint(error, made.model_fields)}") from error
        for number, built in enumerate(out[1:], 2):
            if built.uses_subframes:
                raise ValueError(
                    f'Profile {self.where()}, variant "{variant}", step {number} ({built.kind}) needs the '
                    "scene between frames, which only the first step can see: put it first."
                )
        if self.variant(variant).on_reading:
            for number, built in enumerate(out, 1):
                if not built.frame_by_frame:
                    raise ValueError(
                        f'Profile {self.where()}, variant "{variant}", step {number} ({built.kind}) cannot be made on '
                        "reading: it needs other frames than the one that is read. Leave out on_reading."
                    )
        return out


def _complaint(error: ValidationError, known: Iterable[str]) -> str:
    """The first thing that is wrong, as a sentence, with the nearest right name where a name is wrong."""
    # A misspelt name also leaves the right one missing, and is what to put right.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    what = what if what.endswith("?") else f"{what.rstrip('.')}."
    if first["type"] == "extra_forbidden":
        return f'there is no setting "{place}". {nearest(place, known)}'
    if first["type"] == "missing":
        return f'the setting "{place}" is missing.'
    return f"{place} = {first['input']!r}: {what}" if place else what


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a name given twice is an error instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f'the name "{key.value}" stands there twice', problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _place_in_yaml(error: yaml.YAMLError) -> str:
    """What is wrong with a text that is no YAML, and in which line, without the drawing that PyYAML adds."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    if mark is None:
        return str(problem)
    hint = " (YAML is indented by spaces, not by tabs)" if "'\\t'" in str(problem) else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{hint}"


def list_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package.

    Example:
        >>> list_profiles()
        ('blur', 'clean', 'codec', 'noise', 'oldfilm', 'oldfilm-rtn', 'realworld', 'social', 'sr', 'vhs')
    """
    room = resources.files("degradations") / "profiles"
    return tuple(sorted(p.name.removesuffix(".yaml") for p in room.iterdir() if p.name.endswith(".yaml")))


_NAMES = {*Profile.model_fields, *Variant.model_fields}


def load_profile(name: str | Path) -> Profile:
    """A profile by its name, or from the user's own YAML file.

    Raises:
        ValueError: no such profile, or the file is not one; the text says what and where.

    Example:
        >>> load_profile("noise").title
        'Noise'
    """
    text = str(name)
    if text in list_profiles():
        where = f'"{text}"'
        content = (resources.files("degradations") / "profiles" / f"{text}.yaml").read_text("utf-8")
    elif text.endswith((".yaml", ".yml")):
        where = f'"{text}"'
        try:
            content = Path(text).read_text("utf-8-sig")
        except OSError as error:
            raise ValueError(f"The profile {where} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"The profile {where} is no text in UTF-8 (byte {error.start} is {error.object[error.start]:#04x}): "
                "save it as UTF-8."
            ) from error
    else:
        raise ValueError(
            f'There is no profile "{text}". {nearest(text, list_profiles())} '
            "A profile of your own is named by its file, which ends in .yaml."
        )
    try:
        document = yaml.load(content, Loader=_Loader)  # noqa: S506 - safe, see _Loader
    except yaml.YAMLError as error:
        raise ValueError(f"The profile {where} is not valid YAML: {_place_in_yaml(error)}.") from error
    except RecursionError as error:
        raise ValueError(f"The profile {where} is nested too deeply to be read.") from error
    if not isinstance(document, dict):
        held = "is empty" if document is None else f"holds a {type(document).__name__} and no settings by name"
        raise ValueError(  # noqa: TRY004 - of the file, as every error here
            f"The profile {where} {held}. It should hold name, version, title, description, source, default, variants."
        )
    try:
        profile = Profile.model_validate(document)
    except ValidationError as error:
        raise ValueError(f"The profile {where}: {_complaint(error, _NAMES)}") from error
    if text.endswith((".yaml", ".yml")):
        profile._file = text
    for variant in profile.default:
        profile.variant(variant)
    return profile


def sha256(profile: Profile, variant: str) -> str:
    """Hash of what a variant does, with every default filled in, so that a changed default changes it."""
    steps = [[step.kind, step.model_dump(mode="json")] for step in profile.build(variant)]
    facts = {"profile": profile.name, "version": profile.version, "variant": variant, "steps": steps}
    chosen = profile.variant(variant)
    facts["truth"] = chosen.truth
    # Left out where they are as ever, so that the hash of what has not changed does not change.
    if chosen.start is not None:
        facts["start"] = chosen.start
    if chosen.on_reading:
        facts["on_reading"] = True
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
