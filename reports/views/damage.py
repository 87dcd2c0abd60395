"""Damage: what was done to the clips: the recipe of each variant, what was drawn by it, and a sheet of pictures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.site import slug
from reports.views.facts import Facts
from reports.views.links import dataset_path
from reports.views.models import setting


@dataclass(frozen=True)
class Picture:
    """A picture of the sheet; ``src`` is relative to the report's folder."""

    label: str
    src: str
    width: int
    height: int


@dataclass(frozen=True)
class SheetRow:
    """One clip: clean, then each variant, then the damage mask of the worst."""

    clip: str
    link: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Step:
    """One defect of a recipe, its settings, and what was drawn for these clips."""

    kind: str
    settings: tuple[tuple[str, str], ...]
    drawn: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Variant:
    """One data set of a profile."""

    dataset: str
    name: str
    title: str
    link: str
    description: str
    severity: str
    clips: int
    frames: int
    sizes: str
    masks: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Profile:
    """A profile and its variants."""

    anchor: str
    name: str
    title: str
    description: str
    source: str
    version: str
    variants: tuple[Variant, ...]
    sheet: tuple[SheetRow, ...]


def anchor(facts: Facts, dataset: str) -> str:
    """Where the damage page speaks of a data set, from the report's folder; empty where nothing is known of it."""
    return f"damage.html#damage-{slug(facts.profile(dataset))}" if facts.datasets.get(dataset) else ""


def profiles(facts: Facts, sheets: Mapping[str, Sequence[SheetRow]]) -> tuple[Profile, ...]:
    """All profiles whose data sets are described, with the sheets of pictures that there are (by profile)."""
    groups: dict[str, list[str]] = defaultdict(list)
    for dataset, described in facts.datasets.items():
        if described:
            groups[facts.profile(dataset)].append(dataset)
    out = []
    for profile, datasets in groups.items():
        first = facts.datasets[datasets[0]]
        recipe = first.get("recipe") or {}
        version = first.get("profile_version")
        out.append(
            Profile(
                anchor=f"damage-{slug(profile)}",
                name=profile,
                title=facts.family(datasets[0]),
                description=str(recipe.get("description") or "").strip(),
                source=str(recipe.get("source") or first.get("source") or "").strip(),
                version="" if version is None else f"version {version}, {str(first.get('profile_sha256') or '')[:12]}",
                variants=tuple(_variant(facts, dataset) for dataset in datasets),
                sheet=tuple(sheets.get(profile, ())),
            )
        )
    return tuple(out)


def _variant(facts: Facts, dataset: str) -> Variant:
    described = facts.datasets[dataset]
    clips = described.get("clips") or []
    sizes = dict.fromkeys(f"{c['width']} × {c['height']}" for c in clips)
    severity = described.get("severity")
    kinds = dict.fromkeys(kind for c in clips for kind in c.get("mask_kinds") or ())
    masks = tuple(kinds) or (("damage",) if any(c.get("mask") for c in clips) else ())
    return Variant(
        dataset=dataset,
        name=facts.variant(dataset),
        title=facts.name(dataset),
        link=dataset_path(dataset),
        description=str(described.get("description") or "").strip(),
        severity="" if severity is None else f"{severity:g}",
        clips=len(clips),
        frames=sum(int(c["frames"]) for c in clips),
        sizes=", ".join(sizes),
        masks=masks,
        steps=_steps(facts.root / "datasets" / dataset / "facts", described),
    )


def _steps(folder: Path, described: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of the recipe with what was drawn, over all clips; facts of another number of steps are left out."""
    variant = ((described.get("recipe") or {}).get("variants") or {}).get(described.get("variant")) or {}
    steps: list[tuple[str, dict[str, Any]]] = []
    for step in variant.get("steps") or ():
        for kind, settings in step.items():
            steps.append((str(kind), settings if isinstance(settings, dict) else {}))
    found: list[list[dict[str, Any]]] = [[] for _ in steps]
    for clip in described.get("clips") or ():
        facts = _facts(folder / f"{clip['name']}.json")
        if [f.get("kind") for f in facts] == [kind for kind, _ in steps]:
            for i, fact in enumerate(facts):
                found[i].append(fact)
    return tuple(
        Step(kind, tuple((_words(k), setting(v)) for k, v in settings.items()), drawn(found[i]))
        for i, (kind, settings) in enumerate(steps)
    )


def _facts(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return list(document.get("steps") or ())


def drawn(facts: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """What one step drew, over frames and clips: the mean, and from where to where.

    Example:
        >>> drawn([{"kind": "dirt", "specks": [1, 3]}, {"kind": "dirt", "specks": [8]}])
        (('specks', '4 (1 to 8)'),)
    """
    values: dict[str, list[float]] = defaultdict(list)
    for fact in facts:
        for key, value in fact.items():
            inside = value if isinstance(value, list) else [value]
            values[key] += [float(v) for v in inside if isinstance(v, int | float) and not isinstance(v, bool)]
    out = []
    for key, found in values.items():
        if found:
            low, high = min(found), max(found)
            mean = _digits(sum(found) / len(found))
            out.append((_words(key), mean if low == high else f"{mean} ({_digits(low)} to {_digits(high)})"))
    return tuple(out)


def _digits(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def _words(key: str) -> str:
    return str(key).replace("_", " ")
