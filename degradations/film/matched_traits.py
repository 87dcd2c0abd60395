"""Which setting of old film shows in which figure: what ``degradations.film.matching`` moves, and what it looks at."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from degradations.catalog import load
from degradations.film.statistics import FilmStatistics

Flat = Mapping[str, float | None]
FEWEST = 1.0
"""Specks per megapixel that a film without any counts as."""
FEW = 25
"""Specks of a kind below which their sizes and contrast are not taken from the film."""
TOGETHER = 8.0, 12.0
"""Levels between percentiles 1 and 5, and 95 and 99, of tones that run together at the black and the white end: 4 to 7, and
5 to 7 on the real films whose ends are the print's."""
STRONG = 20.0
"""Levels from which specks are strong; where the grain hides weaker ones all that are seen are."""
LONG = 40
"""Frames below which nothing is taken from the film that takes many to be seen."""
MIDDLE = ("64-95", "96-127", "128-159")
WIDER = ("32-63", *MIDDLE, "160-191")
"""Bins of levels in which grain is compared: the mid-tones, and those beside where the film has none."""


class Settings:
    """Steps, by the name of their kind and a setting; the two of dirt are "dirt:dark" and "dirt:bright".

    Example:
        >>> given = Settings([{"dirt": {"dark": 0.0, "area": 4.0}}, {"dirt": {"dark": 0.9}}, {"grain": {}}])
        >>> given["dirt:bright", "area"], given["grain", "strength"]
        (4.0, 5.0)
    """

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.steps = copy.deepcopy(steps)

    def copy(self) -> Settings:
        """Of its own."""
        return Settings(self.steps)

    def _find(self, name: str) -> tuple[str, dict[str, Any]]:
        kind, _, polarity = name.partition(":")
        for step in self.steps:
            if kind in step and (not polarity or (step[kind].get("dark", 0.7) >= 0.5) == (polarity == "dark")):
                return kind, step[kind]
        raise KeyError(name)

    def __contains__(self, name: str) -> bool:
        try:
            self._find(name)
        except KeyError:
            return False
        return True

    def __getitem__(self, place: tuple[str, str]) -> float:
        kind, given = self._find(place[0])
        return float(given.get(place[1], load(kind).model_fields[place[1]].default))

    def __setitem__(self, place: tuple[str, str], value: float) -> None:
        self._find(place[0])[1][place[1]] = value


VARIES = {
    "detail": 2.4, "black": 7.0, "white": 25.0, "flicker": 0.2, "uneven flicker": 0.24, "memory": 0.2,
    "weave x": 0.25, "weave y": 0.25, "grain": 0.06, "grain size": 0.05, "specks": 0.2, "strong specks": 0.3,
    "dark share": 0.8, "bursts": 0.33, "area": 0.09, "area spread": 0.035, "contrast spread": 0.08, "splinters": 0.033,
    "scratches": 0.38, "rain": 0.42, "scratch depth": 0.5,
}  # fmt: skip
"""Standard deviation of each figure, as traits read it, between six photographs (of 400 lines, 24 and 48 frames, with two
seeds each) that were damaged as at severity 2."""


@dataclass(frozen=True)
class Trait:
    """One figure, and the setting that moves it.

    ``read`` gives the figure from those of a clip, in a unit in which it goes with the setting along a line of about
    ``slope`` (a logarithm, mostly); ``get`` and ``put`` do so with the setting. ``most`` is how far the setting moves in
    a round, ``bounds`` where it stays; ``varies`` is the standard deviation of ``read`` between scenes that are damaged
    alike, which is how well a film's figure can be known.
    """

    name: str
    title: str
    unit: str
    setting: str
    places: tuple[tuple[str, str], ...]
    read: Callable[[Flat], float | None]
    shown: Callable[[float], float]
    get: Callable[[Settings], float]
    put: Callable[[Settings, float], None]
    value: Callable[[Settings], float]
    slope: float
    bounds: tuple[float, float]
    varies: float
    most: float = 0.7


def sentence(title: str) -> str:
    """A title at the beginning of a sentence.

    Example:
        >>> sentence("dark specks, area")
        'Dark specks, area'
    """
    return title[:1].upper() + title[1:]


def _log(value: float | None) -> float | None:
    return None if value is None or value <= 0 else math.log(value)


def _of(name: str) -> Callable[[Flat], float | None]:
    return lambda flat: flat.get(name)


def _strength(
    name: str,
    title: str,
    unit: str,
    place: tuple[str, str],
    read: Callable[[Flat], float | None],
    low: float,
    high: float,
    *,
    varies: float,
    slope: float = 1.0,
) -> Trait:
    """A setting and a figure that are both above 0 and grow together: in logarithms."""

    def put(settings: Settings, value: float) -> None:
        settings[place] = math.exp(value)

    return Trait(
        name=name,
        title=title,
        unit=unit,
        setting=".".join(place),
        places=(place,),
        read=lambda flat: _log(read(flat)),
        shown=math.exp,
        get=lambda settings: math.log(max(settings[place], low)),
        put=put,
        value=lambda settings: settings[place],
        slope=slope,
        bounds=(math.log(low), math.log(high)),
        varies=varies,
    )


def _share(
    name: str,
    title: str,
    unit: str,
    place: tuple[str, str],
    read: Callable[[Flat], float | None],
    bounds: tuple[float, float],
    *,
    slope: float,
    most: float,
    varies: float,
    square: bool = False,
) -> Trait:
    """A setting and a figure that go together as they are, or the square of the setting with the figure."""

    def put(settings: Settings, value: float) -> None:
        settings[place] = math.sqrt(max(value, 0.0)) if square else value

    return Trait(
        name=name,
        title=title,
        unit=unit,
        setting=".".join(place),
        places=(place,),
        read=read,
        shown=float,
        get=lambda settings: settings[place] ** 2 if square else settings[place],
        put=put,
        value=lambda settings: settings[place],
        slope=slope,
        bounds=bounds,
        most=most,
        varies=varies,
    )


def traits_of(film: FilmStatistics, settings: Settings) -> tuple[list[Trait], list[str]]:
    """What can be taken from this film, and sentences on what can't."""
    flat = film.flat()
    missing: list[str] = []
    out = [*_tone(flat, settings, missing), *_lamp(film, missing), *_weave(flat, missing), *_grain(flat)]
    out += _dirt(film, missing)
    out += _scratches(film, missing)
    out = [trait for trait in out if all(step in settings for step, _ in trait.places)]
    known = [trait for trait in out if trait.read(flat) is not None]
    missing += [
        f"{sentence(trait.title)}: nothing in the film to measure it on." for trait in out if trait not in known
    ]
    missing.append("Stains, cracks, splices, hairs, the gate and the vignette: no figure shows them.")
    return known, missing


def _tone(flat: Flat, settings: Settings, missing: list[str]) -> list[Trait]:
    """Softness, and the ends of the scale where tones run together: elsewhere the scene has none that are darker or brighter."""
    copied = "dupe" if "dupe" in settings else "fading"
    out = [
        _share("detail", "detail, 1/4..3/8 cycles/px", "dB", ("softness", "sigma"), _of("spectrum.1/4-3/8"), (0.0, 16.0),
               slope=-16.5, most=0.8, varies=VARIES["detail"], square=True),
    ]  # fmt: skip
    p1, p5, p95, p99 = (flat.get(f"tone.{name}") or 0.0 for name in ("p1", "p5", "p95", "p99"))
    if p5 - p1 <= TOGETHER[0]:
        out.append(_share("black", "percentile 1 of luma", "levels", (copied, "black"), _of("tone.p1"), (0.0, 0.3),
                          slope=255.0, most=0.05, varies=VARIES["black"]))  # fmt: skip
    else:
        missing.append("Blackest tone: the film's shadows do not run together, so it may be the scene's.")
    if p99 - p95 <= TOGETHER[1]:
        out.append(_share("white", "percentile 99 of luma", "levels", (copied, "white"), _of("tone.p99"), (0.4, 1.0),
                          slope=220.0, most=0.1, varies=VARIES["white"]))  # fmt: skip
    else:
        missing.append("Brightest tone: the film's highlights do not run together, so it may be the scene's.")
    return out


def _lamp(film: FilmStatistics, missing: list[str]) -> list[Trait]:
    def uneven(flat: Flat) -> float | None:
        local, step = flat.get("flicker.local_robust_std"), flat.get("flicker.step_robust_std")
        return None if local is None or not step else local / step

    out = [
        _strength("flicker", "flicker, step", "", ("flicker", "strength"),
                  _of("flicker.step_robust_std"), 0.0003, 0.8, varies=VARIES["flicker"]),
    ]  # fmt: skip
    if film.weave.position_std_x is None:
        missing.append("Unevenness of the flicker: what moves in the scene looks like it, and the camera moves.")
    else:
        out.append(_strength("uneven flicker", "flicker, uneven part", "", ("flicker", "local"), uneven, 0.03, 2.0,
                             varies=VARIES["uneven flicker"]))  # fmt: skip
    if film.frames < LONG:
        missing.append(f"Memory of the flicker, bursts of dirt: {film.frames} frames are too few; {LONG} are needed.")
        return out
    steps = _of("flicker.step_autocorrelation")
    out.append(
        _share("memory", "flicker, autocorrelation", "", ("flicker", "memory"), steps, (0.0, 0.98),
               slope=0.5, most=0.5, varies=VARIES["memory"])
    )  # fmt: skip
    return out


def _weave(flat: Flat, missing: list[str]) -> list[Trait]:
    if flat.get("weave.position_std_x") is None:
        missing.append("Weave: the camera moves, and a shift of the picture may be its own.")
        return []
    return [
        _strength(f"weave {axis}", f"weave, position {word}", "px", ("weave", setting), _of(f"weave.position_std_{axis}"),
                  0.01, 20.0, varies=VARIES[f"weave {axis}"])
        for axis, word, setting in (("x", "across", "horizontal"), ("y", "down", "vertical"))
    ]  # fmt: skip


def _mid_grain(bins: tuple[str, ...]) -> Callable[[Flat], float | None]:
    def read(flat: Flat) -> float | None:
        known = [v for name in bins if (v := flat.get(f"grain.std_by_level.{name}"))]
        return math.exp(sum(map(math.log, known)) / len(known)) if known else None

    return read


def _grain(flat: Flat) -> list[Trait]:
    bins = tuple(name for name in MIDDLE if flat.get(f"grain.std_by_level.{name}"))
    bins = bins or tuple(name for name in WIDER if flat.get(f"grain.std_by_level.{name}"))

    def near(flat: Flat) -> float | None:
        both = [flat.get(f"grain.correlation_{axis}.{lag}") for axis in "xy" for lag in (1, 2)]
        known = [v for v in both if v is not None]
        return sum(known) / len(known) if known else None

    return [
        _strength("grain", "grain in the mid-tones", "levels", ("grain", "strength"), _mid_grain(bins), 0.05, 80.0,
                  varies=VARIES["grain"]),
        Trait(
            name="grain size",
            title="grain, correlation",
            unit="",
            setting="grain.size",
            places=(("grain", "size"),),
            read=near,
            shown=float,
            get=lambda settings: math.log(settings["grain", "size"]),
            put=lambda settings, value: settings.__setitem__(("grain", "size"), math.exp(value)),
            value=lambda settings: settings["grain", "size"],
            slope=0.5,
            bounds=(math.log(0.3), math.log(5.0)),
            most=0.5,
            varies=VARIES["grain size"],
        ),
    ]  # fmt: skip


BOTH = ("dirt:dark", "dirt:bright")


def _dirt(film: FilmStatistics, missing: list[str]) -> list[Trait]:
    """Number and contrast of all specks together, the share of dark ones, and sizes by polarity.

    Where there are few specks, chance moves their figures by more than the scene does.
    """
    dirt = film.dirt
    dark_share = min(max(dirt.dark_share if dirt.dark_share is not None else 0.5, 0.01), 0.99)
    counted = {"dark": dirt.found * dark_share, "bright": dirt.found * (1 - dark_share)}
    found = max(dirt.found, 1)
    chance = math.sqrt((dirt.variance_over_mean or 1.0) / found)
    out = [_density(_hypot("specks", chance))]
    if dirt.limit is not None and dirt.limit < STRONG:
        out.append(_contrast(_hypot("strong specks", chance)))
    else:
        missing.append("Contrast of specks: the grain hides weak ones, whose number would tell.")
    if dirt.found >= FEW:
        out.append(_balance(_hypot("dark share", 1 / math.sqrt(found * dark_share * (1 - dark_share)))))
        if film.frames >= LONG:
            out.append(_burst())
    for polarity, count in counted.items():
        if count < FEW:
            missing.append(f"Size and contrast of {polarity} specks: the film shows {count:.0f} strong ones.")
        else:
            out += _sizes(polarity, count)
    if dirt.found >= 4 * FEW:
        out.append(_elongated(_hypot("splinters", 0.7 / math.sqrt(found))))
    return out


def _hypot(name: str, chance: float) -> float:
    """How much a figure varies from scene to scene, and by chance."""
    return math.hypot(VARIES[name], chance)


def _sizes(polarity: str, count: float) -> list[Trait]:
    step, root = f"dirt:{polarity}", math.sqrt(count)

    def tail(flat: Flat) -> float | None:
        high, middle = (flat.get(f"dirt.contrast_{share}_{polarity}") for share in ("p90", "p50"))
        return None if not high or not middle else math.log(high / middle)

    def area(flat: Flat) -> float | None:
        value = flat.get(f"dirt.log_area_mean_{polarity}")
        return None if value is None else math.exp(value)

    return [
        _strength(f"area {polarity}", f"{polarity} specks, area", "px", (step, "area"), area, 0.5, 80.0, slope=0.7,
                  varies=_hypot("area", 0.8 / root)),
        _share(f"area spread {polarity}", f"{polarity} specks, spread of ln(area)", "", (step, "area_spread"),
               _of(f"dirt.log_area_std_{polarity}"), (0.3, 1.5), slope=0.6, most=0.3,
               varies=_hypot("area spread", 0.6 / root)),
        _share(f"contrast spread {polarity}", f"{polarity} specks, ln of contrast p90/p50", "", (step, "contrast_spread"),
               tail, (0.2, 1.3), slope=0.5, most=0.3, varies=_hypot("contrast spread", 1.0 / root)),
    ]  # fmt: skip


def _density(varies: float) -> Trait:
    def counted(flat: Flat) -> float | None:
        value = flat.get("dirt.all_per_megapixel")
        return None if value is None else math.log(max(value, FEWEST))

    def total(settings: Settings) -> float:
        return max(sum(settings[step, "density"] for step in BOTH), 0.01)

    def put(settings: Settings, value: float) -> None:
        times = math.exp(value) / total(settings)
        for step in BOTH:
            settings[step, "density"] = settings[step, "density"] * times

    return Trait(
        name="specks",
        title="specks, weak ones too",
        unit="/Mpx",
        setting="dirt.density",
        places=tuple((step, "density") for step in BOTH),
        read=counted,
        shown=math.exp,
        get=lambda settings: math.log(total(settings)),
        put=put,
        value=total,
        slope=0.9,
        bounds=(math.log(0.05), math.log(60_000)),
        varies=varies,
    )


def _contrast(varies: float) -> Trait:
    def middle(settings: Settings) -> float:
        return math.exp(sum(math.log(settings[step, "contrast"]) for step in BOTH) / len(BOTH))

    def put(settings: Settings, value: float) -> None:
        times = math.exp(value) / middle(settings)
        for step in BOTH:
            settings[step, "contrast"] = min(settings[step, "contrast"] * times, 1.0)

    return Trait(
        name="strong specks",
        title="specks, strong ones",
        unit="/Mpx",
        setting="dirt.contrast",
        places=tuple((step, "contrast") for step in BOTH),
        read=lambda flat: _log(flat.get("dirt.per_megapixel")),
        shown=math.exp,
        get=lambda settings: math.log(middle(settings)),
        put=put,
        value=middle,
        slope=1.8,
        bounds=(math.log(0.02), math.log(1.0)),
        most=0.3,
        varies=varies,
    )


def _balance(varies: float) -> Trait:
    def ratio(settings: Settings) -> float:
        dark, bright = (max(settings[step, "density"], 1e-3) for step in BOTH)
        return math.log(dark / bright)

    def put(settings: Settings, value: float) -> None:
        total, share = sum(settings[step, "density"] for step in BOTH), 1 / (1 + math.exp(-value))
        settings["dirt:dark", "density"], settings["dirt:bright", "density"] = total * share, total * (1 - share)

    def read(flat: Flat) -> float | None:
        share = flat.get("dirt.dark_share")
        if share is None:
            return None
        share = min(max(share, 0.01), 0.99)
        return math.log(share / (1 - share))

    return Trait(
        name="dark share",
        title="specks, share of dark ones",
        unit="",
        setting="dirt.density, dark/bright",
        places=tuple((step, "density") for step in BOTH),
        read=read,
        shown=lambda value: 1 / (1 + math.exp(-value)),
        get=ratio,
        put=put,
        value=lambda settings: math.exp(ratio(settings)),
        slope=1.0,
        bounds=(-5.0, 5.0),
        varies=varies,
    )


def _burst() -> Trait:
    def beyond(flat: Flat) -> float | None:
        value = flat.get("dirt.variance_over_mean")
        return None if value is None else math.log(max(value - 1, 0.05))

    def put(settings: Settings, value: float) -> None:
        for step in BOTH:
            settings[step, "burst"] = math.exp(value)

    return Trait(
        name="bursts",
        title="specks, variance over mean",
        unit="",
        setting="dirt.burst",
        places=tuple((step, "burst") for step in BOTH),
        read=beyond,
        shown=lambda value: math.exp(value) + 1,
        get=lambda settings: math.log(max(settings["dirt:dark", "burst"], 0.02)),
        put=put,
        value=lambda settings: settings["dirt:dark", "burst"],
        slope=1.5,
        bounds=(math.log(0.02), math.log(2.5)),
        most=0.5,
        varies=VARIES["bursts"],
    )


def _elongated(varies: float) -> Trait:
    return _share("splinters", "large specks, elongated share", "", ("dirt:dark", "elongated"),
                  _of("dirt.elongated_share"), (0.0, 0.9), slope=0.35, most=0.15, varies=varies)  # fmt: skip


def _scratches(film: FilmStatistics, missing: list[str]) -> list[Trait]:
    found = film.scratches
    if found.lasting is None:
        missing.append("Scratches: lines of the scene look like them; name a part without any (--scratch-region).")
        return []
    out = [
        _strength("scratches", "scratches alive in a frame", "", ("scratches", "alive"), _of("scratches.alive"), 0.02, 60.0,
                  varies=VARIES["scratches"]),
        _strength("rain", "streaks per 150x24 px", "", ("scratches", "rain"), _of("scratches.streaks"), 0.05, 600.0,
                  varies=VARIES["rain"]),
    ]  # fmt: skip
    if found.lasting >= 3:
        out.append(
            _strength("scratch depth", "scratches, depth", "levels", ("scratches", "contrast"), _of("scratches.depth"),
                      0.01, 1.0, slope=0.7, varies=VARIES["scratch depth"])
        )  # fmt: skip
    return out
