"""Damage as strong as a film's: what is found of a film whose settings are known, and of what a film has little of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from degradations.film.matched_traits import VARIES, Settings, traits_of
from degradations.film.matching import NEAR, Match, _Search, damaged, match
from degradations.film.measure.figures import DirtFigures
from degradations.film.statistics import FilmStatistics, measure
from degradations.profile import load_profile

LINES, WIDTH, COUNT = 160, 200, 14
KNOWN = [
    {"softness": {"sigma": 2.5}},
    {"dirt": {"density": 900.0, "dark": 0.0, "contrast": 0.13, "area": 50.0}},
    {"dupe": {"black": 0.1, "white": 0.5, "clip": 0.6}},
    {"grain": {"strength": 3.5, "size": 3.0}},
    {"scratches": {"alive": 1.0}},
    {"dirt": {"density": 2500.0, "dark": 0.95, "contrast": 0.16, "area": 60.0}},
    {"flicker": {"strength": 0.07, "local": 0.4}},
]
"""Mostly much stronger than where the search begins; sizes are those at 480 lines, three times what they are here."""


def scene(photo: NDArray[np.uint8], top: int, left: int) -> NDArray[np.uint8]:
    image = np.repeat(photo[..., None], 3, axis=2) if photo.ndim == 2 else photo[..., :3]
    return np.stack([image[top + t // 2 :, left:][:LINES, :WIDTH] for t in range(COUNT)])


@pytest.fixture(scope="module")
def scenes() -> dict[str, NDArray[np.uint8]]:
    return {
        "film": scene(data.chelsea(), 60, 120),
        "a": scene(data.astronaut(), 20, 100),
        "c": scene(data.coffee(), 80, 150),
    }


@pytest.fixture(scope="module")
def film(scenes: dict[str, NDArray[np.uint8]]) -> FilmStatistics:
    return measure(damaged(KNOWN, "gray", scenes["film"], 7, "film"))


@pytest.fixture(scope="module")
def found(film: FilmStatistics, scenes: dict[str, NDArray[np.uint8]]) -> Match:
    return match(film, [scenes["a"]], [scenes["c"]], rounds=6)


def test_other_scenes_damaged_so_measure_what_the_film_does(found: Match) -> None:
    """The scene of the film, that of the search, and that of the check are different ones, and small."""
    assert len(found.figures) >= 12
    assert sum(one.near for one in found.figures) >= 0.7 * len(found.figures)
    assert min(found.rounds) < 0.35 * found.rounds[0]


def test_the_settings_of_the_film_are_found_again(found: Match) -> None:
    """To what figures of 14 small frames of another scene can tell, in logarithms."""
    settings, known = Settings(found.steps), Settings(KNOWN)
    for place, within in (
        (("grain", "size"), 0.35),
        (("flicker", "strength"), 0.5),
        (("dupe", "white"), 0.2),
    ):
        assert abs(math.log(settings[place] / known[place])) < within, place
        assert abs(math.log(start()[place] / known[place])) > 2 * within, place
    assert found.truth == "gray"
    assert found.severity is not None
    assert found.severity > 2.5


def test_what_no_figure_shows_is_that_of_the_severity(found: Match) -> None:
    assert found.severity is not None
    there = Settings([dict(step) for step in load_profile("oldfilm").variant(f"severity-{found.severity:g}").steps])
    for place in (("hairs", "rate"), ("vignette", "strength"), ("scratches", "alive"), ("weave", "vertical")):
        assert Settings(found.steps)[place] == pytest.approx(there[place], rel=1e-3)
    assert any("Scratches" in text for text in found.unmatched)
    assert any("Weave" in text for text in found.unmatched)


def test_it_is_a_profile(found: Match, scenes: dict[str, NDArray[np.uint8]]) -> None:
    profile = found.profile("mine", "Mine", "a film", "a test")
    assert [step.kind for step in profile.build("matched")] == [next(iter(step)) for step in found.steps]
    with pytest.raises(ValueError, match="name"):
        found.profile("My Film", "Mine", "a film", "a test")


def test_the_same_again(film: FilmStatistics, scenes: dict[str, NDArray[np.uint8]]) -> None:
    clips = [scenes["a"][:4]], [scenes["c"][:4]]
    once, again = (match(film, *clips, rounds=1) for _ in range(2))
    assert (once.steps, once.figures) == (again.steps, again.figures)
    assert match(film, *clips, rounds=1, seed=1).figures != once.figures


def test_scenes_of_another_size_or_none_are_refused(film: FilmStatistics, scenes: dict[str, NDArray[np.uint8]]) -> None:
    with pytest.raises(ValueError, match="at 160 lines and a clean clip has 159"):
        match(film, [scenes["a"]], [scenes["c"][:, 1:]])
    with pytest.raises(ValueError, match="no clean clip"):
        match(film, [], [scenes["c"]])


def test_a_film_in_colour_starts_from_the_colour_variant(
    film: FilmStatistics, scenes: dict[str, NDArray[np.uint8]]
) -> None:
    found = match(film, [scenes["a"][:4]], [scenes["c"][:4]], rounds=1, colour=True)
    kinds = [next(iter(step)) for step in found.steps]
    assert "fading" in kinds
    assert "dupe" not in kinds
    assert (found.truth, found.severity) == ("colour", None)


# --- what can be taken from a film ---------------------------------------------------------------


BEGINNING = load_profile("oldfilm").variant("severity-2").steps


def start() -> Settings:
    return Settings([dict(step) for step in BEGINNING])


def test_every_setting_is_put_where_it_was_got(film: FilmStatistics) -> None:
    full = film.model_copy(
        update={
            "frames": 60,
            "tone": film.tone.model_copy(update={"p1": 20.0, "p5": 25.0, "p95": 200.0, "p99": 205.0}),
            "weave": film.weave.model_copy(update={"position_std_x": 0.3, "position_std_y": 0.4}),
            "flicker": film.flicker.model_copy(update={"step_autocorrelation": -0.2}),
            "scratches": film.scratches.model_copy(update={"lasting": 5, "alive": 1.0, "depth": 4.0, "streaks": 0.5}),
        }
    )
    traits, _ = traits_of(full, start())
    profile = load_profile("oldfilm")
    assert {trait.name.removesuffix(" dark").removesuffix(" bright") for trait in traits} == set(VARIES)
    for trait in traits:
        settings = start()
        trait.put(settings, trait.get(settings))
        assert trait.value(settings) == pytest.approx(trait.value(start())), trait.name
        low, high = trait.bounds
        middle = (low + high) / 2
        trait.put(settings, middle)
        assert trait.get(settings) == pytest.approx(middle, abs=1e-6), trait.name
        light = profile.variants["light"].model_copy(update={"steps": settings.steps})
        profile.model_copy(update={"variants": {"light": light}}).build("light")


def test_tones_that_do_not_run_together_are_the_scenes(film: FilmStatistics) -> None:
    for p1, p99, kept in ((20.0, 205.0, {"black", "white"}), (10.0, 205.0, {"white"}), (20.0, 230.0, {"black"})):
        tone = film.tone.model_copy(update={"p1": p1, "p5": 25.0, "p95": 200.0, "p99": p99})
        traits, missing = traits_of(film.model_copy(update={"tone": tone}), start())
        assert {trait.name for trait in traits} & {"black", "white"} == kept
        assert sum("the scene's" in text for text in missing) == 2 - len(kept)


def test_of_a_film_without_specks_their_sizes_are_not_taken(film: FilmStatistics) -> None:
    few: dict[str, Any] = {"found": 9, "dark_share": 1.0, "per_megapixel": 4.0, "all_per_megapixel": 20.0}
    traits, missing = traits_of(film.model_copy(update={"dirt": film.dirt.model_copy(update=few)}), start())
    names = {trait.name for trait in traits}
    assert {"specks", "strong specks"} <= names
    assert not any(name.startswith(("area", "contrast spread", "dark share", "splinters")) for name in names)
    assert any("dark specks: the film shows 9 strong ones" in text for text in missing)
    none = {"found": 0, "dark_share": None, "per_megapixel": 0.0, "all_per_megapixel": 0.0}
    clean = film.model_copy(update={"dirt": film.dirt.model_copy(update=none)})
    traits, _ = traits_of(clean, start())
    # There are to be none, which is something else than not having looked for any.
    assert {trait.name: trait.read(clean.flat()) for trait in traits}["specks"] == 0.0
    traits, missing = traits_of(film.model_copy(update={"dirt": DirtFigures()}), start())
    assert "specks" not in {trait.name for trait in traits}
    assert any("Specks, weak ones too: nothing in the film" in text for text in missing)


def test_a_setting_that_does_not_reach_the_film_stays_as_it_was(film: FilmStatistics) -> None:
    search = _Search(film, start().steps)
    trait = next(trait for trait in search.traits if trait.name == "area bright")
    flat = {**film.flat(), "dirt.log_area_mean_bright": 9.0}
    for _ in range(12):  # whatever is set, they are measured as large, and that does not seem worse
        search.step(
            {**flat, "flicker.step_robust_std": flat["flicker.step_robust_std"] * (2 - len(search.misses) / 20)}
        )  # type: ignore[operator]
    search.give_up()
    assert trait not in search.traits
    assert Settings(search.best())["dirt:bright", "area"] == start()["dirt:bright", "area"]
    assert any("no dirt:bright.area brings it to the film's" in text for text in search.unmatched)
    assert abs(9.0 - film.flat()["dirt.log_area_mean_bright"]) > NEAR * trait.varies  # type: ignore[operator]
