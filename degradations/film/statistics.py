"""Measure old film: tone, flicker, weave, grain, dirt, scratches of a clip, and how they compare with real films.

    from degradations.film.statistics import compare, measure

    found = measure(frames)                       # a real film: nothing but the frames
    found = measure(damaged, truth=clean)         # a synthetic one: what is known is used
    for row in compare(found): ...

The definitions are those by which three transfers of real old films were measured (:data:`REAL`). Without ``truth``
neighbouring frames are compared, aligned by phase correlation and optical flow, and what moves in the scene
disturbs: give regions. With it the scene is subtracted first, and the same definitions are applied to what is left;
``method`` says which. Sizes are in pixels of the clip: compare films of about 340 to 540 lines.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from degradations.film.measure.against_truth import AgainstTruth
from degradations.film.measure.dirt import LATER, DirtFinder, Speck
from degradations.film.measure.figures import (
    DirtFigures,
    FilmStatistics,
    Flicker,
    GrainFigures,
    ScratchFigures,
    Tone,
    Weave,
)
from degradations.film.measure.grain import BIN, LAGS, Noise, noise_of, spectrum_of
from degradations.film.measure.luma import (
    Luma,
    Region,
    autocorrelation,
    high_passed,
    luma_of,
    parse_region,
    region_of,
    robust_std,
)
from degradations.film.measure.real import REAL, SOURCE, STATISTICS, Row, compare_flat
from degradations.film.measure.scene import Blind, Scene
from degradations.film.measure.scratches import ScratchFinder, StreakFinder

__all__ = [
    "PARTS", "REAL", "SOURCE", "STATISTICS", "FilmStatistics", "Region", "Row", "compare", "measure", "median_of",
    "parse_region",
]  # fmt: skip

PARTS = ("tone", "flicker", "weave", "grain", "dirt", "scratches")
"""What can be measured; dirt needs the grain for its limit, and is measured with it."""

LOWEST, HIGHEST = 300, 720
"""Lines of the frames within which sizes in pixels can be compared with those of the real films."""


def compare(stats: FilmStatistics) -> list[Row]:
    """The figures of a clip beside the real films' (:data:`REAL`). Where shifts hold the motion of a camera, those are
    not judged."""
    steps = ("step_std_x", "step_std_y", "fast_std_x", "fast_std_y")
    moving = stats.method == "blind" and stats.weave.position_std_x is None
    return compare_flat(stats.flat(), unsure=[f"weave.{name}" for name in steps] if moving else ())


def measure(
    frames: Any,
    truth: Any = None,
    *,
    region: tuple[int, int, int, int] | None = None,
    registration: tuple[int, int, int, int] | None = None,
    grain: tuple[int, int, int, int] | None = None,
    scratches: tuple[int, int, int, int] | None = None,
    still: bool | None = None,
    parts: Collection[str] = PARTS,
) -> FilmStatistics:
    """Measure a clip.

    Args:
        frames: a clip, as an array ``(T, H, W)`` or ``(T, H, W, C)``, a tensor ``(T, C, H, W)``, or an iterable of
            such chunks; gray or RGB; uint8, uint16, or float in [0, 1]. One byte per pixel of it is held.
        truth: the clean clip, where it is known, of the same size.
        region: the picture inside the gate, (top, bottom, left, right), half-open; by default all but a margin of
            a fortieth.
        registration, grain, scratches: where to look for shifts, grain, and scratches, if not in all of the region.
            Without truth, scratches are only looked for where this says that there are no edges of the scene.
        still: whether the camera stood still (only asked without truth); by default it is seen from the shifts.
        parts: what to measure, of :data:`PARTS`.

    Raises:
        ValueError: fewer than 3 frames, clips of different shapes, a region outside the frame, unknown parts.

    Example:
        >>> clean = np.full((4, 64, 80), 120, np.uint8)
        >>> noise = 5 * np.random.default_rng(0).standard_normal(clean.shape)
        >>> found = measure((clean + noise).astype(np.uint8), truth=clean, parts=["grain"])
        >>> found.method, 4.5 < found.grain.std < 5.5, abs(found.grain.correlation_x["1"]) < 0.1
        ('against the truth', True, True)
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise ValueError(f"There is no part called {unknown[0]!r}; choose among {', '.join(PARTS)}.")
    luma = luma_of(frames)
    if len(luma) < 3:
        raise ValueError(
            f"The clip has {len(luma)} frame(s); a frame and both its neighbours are needed, so at least 3."
        )
    inside = region_of(region, luma.shape[1:])
    shifts = inside if registration is None else region_of(registration, luma.shape[1:], "registration region")
    grainy = inside if grain is None else region_of(grain, luma.shape[1:], "region of grain")
    scene: Scene
    if truth is None:
        scene = Blind(luma, inside, shifts, grainy, still=still)
        lined = None if scratches is None else region_of(scratches, luma.shape[1:], "region of scratches")
    else:
        clean = luma_of(truth)
        if clean.shape != luma.shape:
            raise ValueError(
                f"The clean clip has {len(clean)} frames of {clean.shape[2]} x {clean.shape[1]}, the film {len(luma)} of "
                f"{luma.shape[2]} x {luma.shape[1]}. They should show the same frames at the same size."
            )
        scene = AgainstTruth(luma, clean, inside, grainy)
        lined = inside if scratches is None else region_of(scratches, luma.shape[1:], "region of scratches")
    return _figures(scene, lined, frozenset(parts))


def _figures(scene: Scene, lined: Region | None, parts: frozenset[str]) -> FilmStatistics:
    luma = scene.luma
    out: dict[str, Any] = {}
    notes = list(scene.notes)
    if "tone" in parts:
        out["tone"] = _tone(luma, scene.region)
        out["spectrum"] = dict(
            zip(
                ("1/32-1/16", "1/16-1/8", "1/8-1/4", "1/4-3/8", "3/8-1/2"), spectrum_of(luma, scene.region), strict=True
            )
        )
    if "flicker" in parts:
        out["flicker"] = _flicker(scene)
    if "weave" in parts:
        out["weave"] = _weave(scene)
    if parts & {"grain", "dirt"}:
        noise = noise_of(scene)
        out["grain"] = _grain(noise)
        if "dirt" in parts:
            finder = DirtFinder(noise.of_midtones if noise.pixels else 0.0)
            for t in range(1, len(luma) - 1):
                finder.add(scene.triple(t), t)
            out["dirt"] = _dirt(finder)
            if finder.limit > 20:
                notes.append(
                    f"Grain hides specks below {finder.limit:.0f} levels: strong ones are counted from there, not from 20."
                )
    if "scratches" in parts and lined is not None:
        out["scratches"] = _scratches(scene, lined)
    if not LOWEST <= luma.shape[1] <= HIGHEST:
        notes.append(
            f"Frames of {luma.shape[1]} lines: sizes in pixels, counts and grain do not compare with films of 340 to 480."
        )
    if len(luma) < 24:
        notes.append(f"{len(luma)} frames: figures over time are uncertain, lives of scratches are cut.")
    return FilmStatistics(
        method=scene.method,
        frames=len(luma),
        height=luma.shape[1],
        width=luma.shape[2],
        region=str(scene.region),
        notes=tuple(notes),
        **out,
    )


def _tone(luma: Luma, region: Region) -> Tone:
    levels = np.array([np.percentile(frame[region.slices], (1, 5, 50, 95, 99)) for frame in luma])
    p1, p5, p50, p95, p99 = np.median(levels, axis=0)
    return Tone(p1=p1, p5=p5, p50=p50, p95=p95, p99=p99)


def _flicker(scene: Scene) -> Flicker:
    whole, blocks = scene.gains()
    local = (blocks - whole[:, None]).ravel()
    known = whole[np.isfinite(whole)]
    if len(known) < 2:
        return Flicker()
    path = np.concatenate([[0.0], np.cumsum(np.nan_to_num(whole))])
    fast = high_passed(path)
    return Flicker(
        step_std=float(known.std()),
        step_robust_std=robust_std(known),
        largest_step=float(np.abs(known).max()),
        step_autocorrelation=autocorrelation(known, 1),
        gain_std=None if fast is None else float(fast.std()),
        gain_range=float(np.ptp(path)),
        local_robust_std=robust_std(local[np.isfinite(local)]),
    )


def _weave(scene: Scene) -> Weave:
    steps, at, turns = scene.positions()
    path = np.vstack([np.zeros(2), np.cumsum(steps, axis=0)]) if at is None else at
    out: dict[str, float | None] = {}
    for i, axis in enumerate("yx"):
        fast = high_passed(path[:, i])
        out[f"step_std_{axis}"] = float(steps[:, i].std())
        out[f"fast_std_{axis}"] = None if fast is None else float(fast.std())
        if at is not None:
            out[f"position_std_{axis}"] = float(at[:, i].std())
            out[f"autocorrelation_{axis}"] = autocorrelation(at[:, i], 1)
    return Weave(**out, rotation_robust_std=robust_std(turns))


def _grain(noise: Noise) -> GrainFigures:
    levels = noise.by_level()
    middle = [v for v in levels[2:5] if math.isfinite(v) and v > 0]
    return GrainFigures(
        std=noise.std,
        std_by_level={f"{i * BIN}-{(i + 1) * BIN - 1}": v for i, v in enumerate(levels)},
        shadow_ratio=levels[0] / float(np.mean(middle)) if middle else None,
        kurtosis=noise.kurtosis,
        correlation_x={str(lag): v for lag, v in zip(LAGS, noise.correlation(1), strict=True)},
        correlation_y={str(lag): v for lag, v in zip(LAGS, noise.correlation(0), strict=True)},
    )


def _percentiles(values: Sequence[float] | NDArray[Any], *which: float) -> list[float]:
    return [float(v) for v in np.percentile(values, which)] if len(values) else [math.nan] * len(which)


def _dirt(finder: DirtFinder) -> DirtFigures:
    strong = [speck for speck in finder.specks if speck.strong]
    counts = np.bincount([speck.frame for speck in strong], minlength=finder.frames + 1)[1:]
    size = finder.pixels / 1e6
    out: dict[str, Any] = {}
    for share, value in zip(("p10", "p50", "p90"), _percentiles(counts, 10, 50, 90), strict=True):
        out[f"per_frame_{share}"] = value
        out[f"per_megapixel_{share}"] = value / size
    for word, dark in (("dark", True), ("bright", False)):
        out |= _of_polarity([speck for speck in strong if speck.dark is dark], word)
    large = [speck for speck in strong if speck.area >= 8]
    again, chance = ([finder.again[gap] for gap in gaps] for gaps in (LATER[:1], LATER[1:]))
    shares = [sum(a for a, _ in tally) / max(sum(n for _, n in tally), 1) for tally in (again, chance)]
    looked = [sum(n for _, n in tally) for tally in (again, chance)]
    return DirtFigures(
        limit=finder.limit,
        frames=finder.frames,
        found=len(strong),
        per_megapixel=float(counts.mean()) / size,
        all_per_megapixel=len(finder.specks) / finder.frames / size,
        variance_over_mean=float(counts.var() / counts.mean()) if counts.sum() else None,
        area_share=sum(speck.area for speck in strong) / finder.frames / finder.pixels,
        dark_share=float(np.mean([speck.dark for speck in strong])) if strong else None,
        elongated_share=float(np.mean([speck.aspect >= 4 for speck in large])) if large else None,
        repetition=shares[0] if looked[0] else None,
        repetition_by_chance=shares[1] if looked[1] else None,
        **out,
    )


def _of_polarity(specks: list[Speck], word: str) -> dict[str, float | None]:
    areas = np.array([speck.area for speck in specks])
    out: dict[str, float | None] = {
        f"log_area_mean_{word}": float(np.log(areas).mean()) if len(areas) else None,
        f"log_area_std_{word}": float(np.log(areas).std()) if len(areas) > 1 else None,
    }
    traits: dict[str, Any] = {"area": areas, "contrast": [speck.contrast for speck in specks]}
    if word == "dark":
        traits["relative"] = [speck.contrast / max(speck.level, 1.0) for speck in specks]
        traits["aspect"] = [speck.aspect for speck in specks]
    for trait, values in traits.items():
        middle, high = _percentiles(values, 50, 90)
        out |= {f"{trait}_p50_{word}": middle, f"{trait}_p90_{word}": high}
    return out


def _scratches(scene: Scene, lined: Region) -> ScratchFigures:
    finder, streaks = ScratchFinder(lined), StreakFinder()
    for t in range(len(scene.luma)):
        picture = scene.lines(t, lined)
        finder.add(picture, t)
        streaks.add(picture)
    found = finder.scratches()
    lines = [line for scratch in found for line in scratch.lines]
    steps = np.array([step for scratch in found for step in scratch.steps])
    shares = [share for scratch in found for share in scratch.pieces]
    return ScratchFigures(
        lasting=len(found),
        alive=sum(scratch.life for scratch in found) / len(scene.luma),
        life=float(np.median([scratch.life for scratch in found])) if found else None,
        depth=float(np.median([abs(line.depth) for line in lines])) if lines else None,
        width=float(np.median([line.width for line in lines])) if lines else None,
        step_robust_std=robust_std(steps),
        whole_share=float(np.mean(shares)) if shares else None,
        dark_share=float(np.mean([scratch.dark for scratch in found])) if found else None,
        streaks=streaks.per_window,
    )


def median_of(clips: Sequence[FilmStatistics]) -> dict[str, float | None]:
    """The median over clips of each figure, by dotted name; clips that have none of it are left out of it.

    Raises:
        ValueError: no clip.
    """
    if not clips:
        raise ValueError("There is no clip to take the median of.")
    figures = [clip.flat() for clip in clips]
    out: dict[str, float | None] = {}
    for name in dict.fromkeys(key for clip in figures for key in clip):
        known = [value for clip in figures if (value := clip.get(name)) is not None]
        out[name] = float(np.median(known)) if known else None
    return out
