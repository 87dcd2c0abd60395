"""Profiles: named recipes of damage with variants, one YAML each. Reading one imports no torch."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from degradations.catalog import KINDS, load, nearest

if TYPE_CHECKING:
    from degradations.base import Degradation


class Variant(BaseModel):
    """One severity or kind within a profile: the steps, in order, each ``{kind: settings}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    description: str
    severity: int | None = Field(default=None, description="order of the variants that form one severity curve")
    truth: Literal["colour", "gray"] = Field(
        default="colour",
        description="gray: the clean clip is made black and white first, for models are not to guess colours",
    )
    steps: tuple[dict[str, dict[str, Any]], ...] = Field(min_length=1)

    @field_validator("steps", mode="before")
    @classmethod
    def _empty_settings(cls, value: Any) -> Any:
        """``- vignette:`` with nothing behind it stands for no settings."""
        if not isinstance(value, list):
            return value
        return [{k: ({} if v is None else v) for k, v in s.items()} if isinstance(s, dict) else s for s in value]


class Profile(BaseModel):
    """A recipe of damage: what it stands for, where it comes from, its variants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: int
    title: str
    description: str
    source: str
    default: tuple[str, ...] = Field(min_length=1, description="variants that are made when none is named")
    variants: dict[str, Variant] = Field(min_length=1)

    @field_validator("variants")
    @classmethod
    def _names(cls, value: dict[str, Variant]) -> dict[str, Variant]:
        for name in value:
            if not name or name.startswith(".") or any(c in name for c in "/\\ "):
                raise ValueError(f"the variant name {name!r} cannot be part of a folder's name")
        return value

    def variant(self, name: str) -> Variant:
        """The variant of this name.

        Raises:
            ValueError: no such variant; the text names the nearest.
        """
        if name not in self.variants:
            raise ValueError(f'The profile "{self.name}" has no variant "{name}". {nearest(name, self.variants)}')
        return self.variants[name]

    def build(self, variant: str) -> list[Degradation]:
        """The steps of a variant, ready to draw and apply.

        Raises:
            ValueError: a step's kind or settings are wrong; the text names profile, variant and step.
        """
        out: list[Degradation] = []
        for number, step in enumerate(self.variant(variant).steps, 1):
            where = f'Profile "{self.name}", variant "{variant}", step {number}'
            if len(step) != 1:
                raise ValueError(f"{where}: a step is one kind with its settings, and this one has {len(step)} keys.")
            ((kind, settings),) = step.items()
            if kind not in KINDS:
                raise ValueError(f'{where}: there is no kind of damage called "{kind}". {nearest(kind, KINDS)}')
            made = load(kind)
            try:
                out.append(made.model_validate(settings))
            except ValidationError as error:
                # A misspelt name also leaves the right one missing; the misspelling is what to show.
                first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
                name = ".".join(str(part) for part in first["loc"]) or "settings"
                hint = f" {nearest(name, made.model_fields)}" if first["type"] == "extra_forbidden" else ""
                raise ValueError(f"{where} ({kind}): {name} = {first['input']!r}: {first['msg']}.{hint}") from error
        for number, built in enumerate(out[1:], 2):
            if built.uses_subframes:
                raise ValueError(
                    f'Profile "{self.name}", variant "{variant}", step {number} ({built.kind}) needs the scene '
                    "between frames, which only the first step can see: put it first."
                )
        return out


def list_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package.

    Example:
        >>> list_profiles()
        ('blur', 'codec', 'noise', 'oldfilm')
    """
    room = resources.files("degradations") / "profiles"
    return tuple(sorted(p.name.removesuffix(".yaml") for p in room.iterdir() if p.name.endswith(".yaml")))


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
        where = f'profile "{text}"'
        content = (resources.files("degradations") / "profiles" / f"{text}.yaml").read_text("utf-8")
    elif text.endswith((".yaml", ".yml")):
        where = f'"{text}"'
        try:
            content = Path(text).read_text("utf-8")
        except OSError as error:
            raise ValueError(f"The profile {where} cannot be read: {error.strerror}.") from error
    else:
        raise ValueError(
            f'There is no profile "{text}". {nearest(text, list_profiles())} '
            "A profile of your own is named by its file, which ends in .yaml."
        )
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ValueError(f"The profile {where} is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        profile = Profile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ValueError(f"The profile {where}: {place}: {first['msg']}.") from error
    for variant in profile.default:
        profile.variant(variant)
    return profile


def sha256(profile: Profile, variant: str) -> str:
    """Hash of what a variant does, with every default filled in, so that a changed default changes it."""
    steps = [[step.kind, step.model_dump(mode="json")] for step in profile.build(variant)]
    facts = {"profile": profile.name, "version": profile.version, "variant": variant, "steps": steps}
    facts["truth"] = profile.variant(variant).truth
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
