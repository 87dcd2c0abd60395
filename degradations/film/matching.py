"""Damage as strong as that of a film at hand: settings of old film under which clean clips measure what the film measures.

A film has no ground truth, so no model can be scored on it. Clean clips that are damaged alike have one: what is found on
them holds for the film as far as the damage is alike. Each setting that shows in a figure of
``degradations.film.statistics`` is moved until the figure of the damaged clips is that of the film (both measured without
the truth, by the same method), by secant steps on one setting and one figure at a time; what one moves of the others'
figures is put right in the next round. The same random numbers are drawn in every round, so that figures move with the
settings alone.

What no figure shows (stains, cracks, splices, hairs, vignette; scratches, where no part of the film was named to look for
them) is as at the severity of the profile at which the strengths that were found lie.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from degradations.apply import draw, replay, stored
from degradations.base import ClipShape, joined
from degradations.film.matched_traits import Flat, Settings, Trait, sentence, traits_of
from degradations.film.statistics import FilmStatistics, measure, median_of
from degradations.profile import Profile, Severities, load_profile

ROUNDS = 9
"""Times the clean clips are damaged and measured while settings are moved."""
STARTS_AT = 2.0
"""Severity of the profile from which the search starts: between light and medium."""
ALONE, NEAR, FAR = 0.25, 2.0, 8.0
"""Of what a figure varies by from scene to scene: within this a setting is left alone, the figure is taken for that of the
film, and beyond this it counts as far off as can be."""
PART_OF = {"softness": "tone", "dupe": "tone", "fading": "tone"}
"""Under which name ``measure`` has the figures of a step, where it is not the step's own."""
WORSE = 1.1
"""So many times as far off as the best settings, a round was a step too far."""

Frames = NDArray[np.uint8]


class Fitted(NamedTuple):
    """A figure of the film beside that of clean clips damaged with the settings that were found.

    ``film`` and ``made`` are in ``unit``; ``setting`` says what was moved for it ("grain.strength"), and to which value.
    ``near`` is whether the two differ by less than twice what the figure varies by between scenes that are damaged alike.
    """

    title: str
    unit: str
    film: float
    made: float | None
    setting: str
    value: float
    near: bool


@dataclass
class Match:
    """What was found.

    ``figures`` are measured on clips other than those of the search, with other random numbers. ``unmatched`` has what
    could not be taken from the film, and why.
    """

    steps: list[dict[str, dict[str, Any]]]
    truth: str
    severity: float | None
    figures: list[Fitted]
    unmatched: list[str]
    rounds: list[float] = field(default_factory=list)
    """Mean distance of the figures after each round of the search, in what they vary by from scene to scene."""

    def profile(self, name: str, title: str, description: str, source: str) -> Profile:
        """A profile with the one variant ``matched``.

        Raises:
            ValueError: the name is none for a profile.
        """
        variant = {"title": "matched", "description": description, "truth": self.truth, "steps": self.steps}
        document = {
            "name": name,
            "version": 1,
            "title": title,
            "description": description,
            "source": source,
            "default": ["matched"],
            "variants": {"matched": variant},
        }
        return Profile.model_validate(document)


def match(
    film: FilmStatistics,
    clean: Sequence[Frames],
    check: Sequence[Frames],
    *,
    colour: bool = False,
    rounds: int | None = None,
    seed: int = 0,
    done: Callable[[int], None] = lambda _: None,
) -> Match:
    """Settings of old film under which ``clean`` measures what ``film`` does.

    Args:
        film: as ``degradations.film.statistics.measure`` gave it without truth.
        clean: clips ``(T, H, W, 3)``, RGB, of as many lines as the film was measured at; two or more, of different
            scenes. Of a film whose camera stands still they should stand still too, and move a little else.
        check: other such clips, on which the outcome is measured.
        colour: whether the film is in colour: the variant ``colour`` is where the search starts then.
        rounds: of the search; :data:`ROUNDS` by default.
        seed: of the random numbers of the search; those of the check are others.
        done: is called after each round with its number.

    Raises:
        ValueError: no clean clip, or one of other lines than the film.
    """
    for clip in (*clean, *check):
        if clip.shape[1] != film.height:
            raise ValueError(
                f"The film was measured at {film.height} lines and a clean clip has {clip.shape[1]}: sizes of specks and "
                "grain compare only at the same number of lines."
            )
    if not clean or not check:
        raise ValueError("There is no clean clip to damage, or none to check the outcome on.")
    rounds = ROUNDS if rounds is None else rounds
    base = load_profile("oldfilm")
    start = base.variants["colour"] if colour else base.variant(f"severity-{STARTS_AT:g}")
    truth = start.truth
    search = _Search(film, [dict(step) for step in start.steps])
    severity = None
    for number in range(rounds):
        if number == rounds // 2 and not colour and base.severities is not None:
            severity = _severity(search.best(), base.severities)
            search.go_on_with(base.severities.at(severity).steps)
        search.step(_figures(search.steps(), truth, clean, seed, search.parts))
        done(number + 1)
    search.give_up()
    steps = search.best()
    found = _figures(steps, truth, check, seed + 1, search.parts)
    return Match(
        steps=_rounded(steps),
        truth=truth,
        severity=severity,
        figures=search.beside(found, steps),
        unmatched=search.unmatched,
        rounds=search.misses,
    )


class _State(NamedTuple):
    """Settings, and what was measured with them."""

    miss: float
    at: dict[str, float]
    measured: dict[str, float | None]


class _Search:
    """Secant steps, one setting for one figure, in the units in which they go together most nearly along a line."""

    def __init__(self, film: FilmStatistics, steps: list[dict[str, Any]]) -> None:
        self.settings = Settings(steps)
        self.traits, self.unmatched = traits_of(film, self.settings)
        self._film = film.flat()
        read = {trait.name: trait.read(self._film) for trait in self.traits}
        self.target = {name: value for name, value in read.items() if value is not None}
        self.at = {trait.name: trait.get(self.settings) for trait in self.traits}
        self._before: dict[str, tuple[float, float]] = {}
        self._slopes = {trait.name: trait.slope for trait in self.traits}
        self._best = _State(math.inf, dict(self.at), {})
        self._haste = 1.0
        self.misses: list[float] = []
        self.parts = frozenset(
            PART_OF.get(kind := step.partition(":")[0], kind) for t in self.traits for step, _ in t.places
        )

    def steps(self) -> list[dict[str, Any]]:
        """The steps with the settings as they are now."""
        return self._with(self.at)

    def best(self) -> list[dict[str, Any]]:
        """The steps with the settings that came nearest."""
        return self._with(self._best.at)

    def _with(self, at: Mapping[str, float]) -> list[dict[str, Any]]:
        settings = self.settings.copy()
        for trait in self.traits:
            trait.put(settings, at[trait.name])
        return settings.steps

    def go_on_with(self, others: Iterable[Mapping[str, Any]]) -> None:
        """Take what is not moved from other steps, and go on from the best settings so far."""
        self.at = dict(self._best.at)
        self.settings = Settings([dict(step) for step in others])
        self._best = _State(math.inf, self.at, {})
        self._before.clear()

    def step(self, found: Flat) -> None:
        """Move every setting, by what the clips measured with the present ones."""
        measured = {trait.name: trait.read(found) for trait in self.traits}
        apart = {
            trait.name: abs(now - self.target[trait.name]) / trait.varies
            for trait in self.traits
            if (now := measured[trait.name]) is not None
        }
        # A figure that is not there (no specks are left to measure, say) is as far off as counts.
        miss = float(np.mean([min(apart.get(trait.name, FAR), FAR) for trait in self.traits])) if self.traits else 0.0
        self.misses.append(miss)
        if miss < self._best.miss:
            self._best = _State(miss, dict(self.at), measured)
        elif miss > WORSE * self._best.miss:
            # Too far: from the best settings again, by half as much.
            self._haste = max(self._haste / 2, 0.2)
            self.at, measured = dict(self._best.at), self._best.measured
        for trait in self.traits:
            now = measured[trait.name]
            if now is not None and abs(now - self.target[trait.name]) > ALONE * trait.varies:
                self._move(trait, now)

    def _move(self, trait: Trait, now: float) -> None:
        name, here = trait.name, self.at[trait.name]
        slope = self._slopes[name]
        if name in self._before:
            there, then = self._before[name]
            if abs(here - there) > 1e-3 * trait.most:
                seen = (now - then) / (here - there)
                # Others move the figure too, so that what was seen may be of another size or sign: it is believed in part.
                bounded = np.clip(seen / trait.slope, 0.3, 3.0) * trait.slope
                slope = self._slopes[name] = 0.5 * (slope + float(bounded))
        self._before[name] = (here, now)
        step = self._haste * float(np.clip((self.target[name] - now) / slope, -trait.most, trait.most))
        self.at[name] = float(np.clip(here + step, *trait.bounds))

    def give_up(self) -> None:
        """Settings that went as far as they may and did not bring their figure there stay as they were."""
        for trait in list(self.traits):
            at, now, target = self._best.at[trait.name], self._best.measured.get(trait.name), self.target[trait.name]
            stuck = any(abs(at - bound) < 1e-9 for bound in trait.bounds)
            if stuck and (now is None or abs(now - target) > NEAR * trait.varies):
                self.traits.remove(trait)
                shown = f"{trait.shown(target):.3g} {trait.unit}".strip()
                self.unmatched.append(f"{sentence(trait.title)}: no {trait.setting} brings it to the film's {shown}.")

    def beside(self, found: Flat, steps: list[dict[str, Any]]) -> list[Fitted]:
        """The film's figures and those of the clips."""
        settings, out = Settings(steps), []
        for trait in self.traits:
            film, made = self.target[trait.name], trait.read(found)
            out.append(
                Fitted(
                    title=trait.title,
                    unit=trait.unit,
                    film=trait.shown(film),
                    made=None if made is None else trait.shown(made),
                    setting=trait.setting,
                    value=trait.value(settings),
                    near=made is not None and abs(made - film) <= NEAR * trait.varies,
                )
            )
        return out


# --- damaging and measuring ----------------------------------------------------------------------


def damaged(steps: list[dict[str, Any]], truth: str, clip: Frames, seed: int, name: str) -> Frames:
    """A clip ``(T, H, W, 3)`` damaged by these steps, at the levels of 8 bits."""
    variant = {"title": "t", "description": "d", "truth": truth, "steps": steps}
    profile = Profile.model_validate(
        {
            "name": "matching", "version": 1, "title": "t", "description": "d", "source": "s",
            "default": ["v"], "variants": {"v": variant},
        }
    )  # fmt: skip
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 255
    if truth == "gray":
        weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        frames = (frames * weights).sum(1, keepdim=True)
    count, channels, height, width = frames.shape
    shape = ClipShape(count, height, width, channels)
    recipe = draw(profile, "v", shape, seed=seed, clip=name)
    out = joined(replay(recipe, frames.split(16))).frames
    return np.asarray((stored(out) * 255).round_().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def _figures(
    steps: list[dict[str, Any]], truth: str, clips: Sequence[Frames], seed: int, parts: Collection[str]
) -> dict[str, float | None]:
    """The median over the clips of what each measures when it is damaged so, without the truth."""

    def one(number: int) -> FilmStatistics:
        film = damaged(steps, truth, clips[number], seed, f"scene {number}")
        height, width = film.shape[1:3]
        whole = (height // 40, height - height // 40, width // 40, width - width // 40)
        return measure(film, scratches=whole if "scratches" in parts else None, parts=parts)

    with ThreadPoolExecutor(len(clips)) as pool:
        return median_of(list(pool.map(one, range(len(clips)))))


# --- what no figure shows ------------------------------------------------------------------------

STRENGTHS = (("grain", "strength"), ("flicker", "strength"), ("dirt:dark", "contrast"), ("softness", "sigma"))
"""Settings that grow with the severity of the profile, by which one is chosen."""


def _severity(steps: list[dict[str, Any]], ladder: Severities) -> float:
    """The severity, in steps of a tenth, that these strengths are at: the median of what each says."""
    settings, tenths = Settings(steps), np.round(np.arange(1, 5.01, 0.1), 1)
    there = [Settings([dict(step) for step in ladder.at(float(s)).steps]) for s in tenths]
    said = []
    for step, name in STRENGTHS:
        values = np.array([one[step, name] for one in there])
        said.append(float(tenths[np.abs(np.log(values) - math.log(max(settings[step, name], 1e-6))).argmin()]))
    return float(np.round(np.median(said), 1))


def _rounded(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Settings of four digits."""

    def short(value: Any) -> Any:
        return float(f"{value:.4g}") if isinstance(value, float) else value

    out = copy.deepcopy(steps)
    return [
        {kind: {name: short(value) for name, value in given.items()} for kind, given in step.items()} for step in out
    ]
