"""A film at hand, and clean scenes of its size, for ``vbench film match``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.errors import InputError

if TYPE_CHECKING:
    from degradations.film.matching import Match
    from degradations.film.statistics import FilmStatistics
    from vbench.clip import Clip

MOST_FRAMES = 120
"""Frames of a film that are looked at unless others are named: beyond, figures hardly become more certain."""
LEAST_FRAMES = 12
"""Frames of one shot that are needed."""
MOST_LINES = 720
"""Films of more lines are measured at a half, a third, ... of their size: the scenes have no more detail than that."""
SCENE_FRAMES = (24, 48)
"""Frames of the clean scenes: as many as the film's, within these."""
CUT = 5.0
"""So many times the median difference of neighbouring frames is a cut, if it is..."""
CUT_LEVELS = 12.0
"""...as many levels as this, too."""
TINT = 4.0
"""Levels that colours differ by, from what they are at this brightness, on a film without colours (a toned one)."""

Frames = NDArray[np.uint8]


@dataclass
class Passage:
    """What of a film is looked at: one shot, ``(T, H, W, 3)`` RGB, 8 bit."""

    frames: Frames
    start: int
    """Number of its first frame in the clip."""
    smaller: int
    """Times smaller than the film it is, along each side."""
    colour: bool

    @property
    def words(self) -> str:
        """Which frames, and how they are seen."""
        count, height, width = self.frames.shape[:3]
        size = f"{width} x {height}" + (f", 1/{self.smaller} of its size" if self.smaller > 1 else "")
        kind = "colour" if self.colour else "black and white"
        return f"frames {self.start} to {self.start + count - 1}, {size}, {kind}"


def passage_of(clip: Clip, start: int, stop: int | None) -> Passage:
    """The longest shot among the frames of a clip that are to be looked at.

    Args:
        start: number of the clip's first frame in its source.
        stop: None where nobody named an end: the first :data:`MOST_FRAMES` frames are looked at.

    Raises:
        InputError: no shot is long enough.
    """
    most = clip.info.frames if stop is not None else min(clip.info.frames, MOST_FRAMES)
    smaller = -(-clip.info.height // MOST_LINES)
    parts: list[Frames] = []
    held = 0
    for chunk in clip.chunks(16):
        parts.append(_as_rgb8(chunk[: most - held], smaller))
        held += len(parts[-1])
        if held >= most:
            break
    frames = np.concatenate(parts)
    first, last = longest_shot(frames)
    if last - first < LEAST_FRAMES:
        raise InputError(
            f'The longest shot in the frames of "{clip.info.name}" that were looked at has {last - first} frames, and '
            f"{LEAST_FRAMES} are needed. Name others by --frames A:B."
        )
    chosen = np.ascontiguousarray(frames[first:last])
    return Passage(chosen, start + first, smaller, is_coloured(chosen))


def _as_rgb8(frames: NDArray[Any], smaller: int) -> Frames:
    if frames.dtype != np.uint8:
        frames = ((frames.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if smaller > 1:
        size = (frames.shape[2] // smaller, frames.shape[1] // smaller)
        small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
        frames = np.stack([x if x.ndim == 3 else x[..., None] for x in small])
    return np.asarray(frames if frames.shape[3] == 3 else np.repeat(frames[..., :1], 3, axis=3), np.uint8)


def longest_shot(frames: Frames) -> tuple[int, int]:
    """First frame and end of the longest run without a cut.

    Example:
        >>> a, b = np.full((1, 32, 32, 3), 30, np.uint8), np.full((1, 32, 32, 3), 220, np.uint8)
        >>> b[:, :16] = 10
        >>> longest_shot(np.concatenate([a] * 3 + [b] * 5))
        (3, 8)
    """
    small = np.stack([cv2.resize(frame[..., 1], (32, 32), interpolation=cv2.INTER_AREA) for frame in frames])
    # Without the brightness, which flickers.
    look = small.astype(np.float64) - small.mean(axis=(1, 2), keepdims=True)
    apart = np.abs(np.diff(look, axis=0)).mean(axis=(1, 2))
    limit = max(CUT_LEVELS, CUT * float(np.median(apart))) if len(apart) else CUT_LEVELS
    ends = [0, *(int(t) + 1 for t in np.flatnonzero(apart > limit)), len(frames)]
    return max(pairwise(ends), key=lambda run: run[1] - run[0])


def is_coloured(frames: Frames) -> bool:
    """Whether a film has colours: more than the one tone that belongs to each brightness, as toned ones have.

    Example:
        >>> gray = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 1), np.uint8)
        >>> toned = np.concatenate([gray, gray // 2 + 40, gray // 3], axis=-1)
        >>> is_coloured(toned), is_coloured(np.random.default_rng(1).integers(0, 255, (2, 16, 16, 3), np.uint8))
        (False, True)
    """
    some = frames[:: max(1, len(frames) // 8)]
    red, green, blue = (cv2.blur(_sheet(some[..., i]), (5, 5)).astype(np.float64).ravel() for i in range(3))
    order = np.argsort(green, kind="stable")
    spread = []
    for difference in (red - green, blue - green):
        bins = np.array_split(difference[order], 32)
        spread.append(np.median([np.abs(part - np.median(part)).mean() for part in bins if len(part)]))
    return bool(max(spread) > TINT)


def _sheet(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(planes.reshape(-1, planes.shape[2]))


# --- clean scenes --------------------------------------------------------------------------------

SEARCHED, CHECKED = ("astronaut", "stereo_motorcycle"), ("camera", "coffee")
"""Photographs of scikit-image over which a camera moves: those of the search, and those that the outcome is seen on."""


def scenes(names: Sequence[str], lines: int, frames: int, still: bool) -> list[Frames]:
    """Clean clips ``(T, lines, W, 3)``: photographs, seen by a camera that moves by whole pixels or stands still.

    They are what they are at any size: without grain, which would move with the picture, and without noise of a camera.
    """
    out = []
    for name in names:
        photo = _photo(name)
        room = 0 if still else frames // 2
        scale = (lines + room) / photo.shape[0]
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        size = (round(photo.shape[1] * scale), lines + room)
        large = np.asarray(cv2.resize(photo, size, interpolation=how), np.uint8)
        width = min(large.shape[1] - room, round(lines * 4 / 3))
        at = [min(t // 2, room) for t in range(frames)]
        out.append(np.stack([large[i : i + lines, i : i + width] for i in at]))
    return out


def _photo(name: str) -> Frames:
    from skimage import data

    found = getattr(data, name)()
    image = np.asarray(found[0] if isinstance(found, tuple) else found)
    return np.ascontiguousarray(np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3], np.uint8)


def own_scenes(clips: Sequence[Clip], lines: int, frames: int) -> list[Frames]:
    """The user's clean clips at ``lines`` lines, one shot of each.

    Raises:
        InputError: one is too short, or would have to be enlarged.
    """
    out = []
    for clip in clips:
        if clip.info.height < lines:
            raise InputError(
                f'The clean clip "{clip.info.name}" has {clip.info.height} lines and the film is measured at {lines}: '
                "enlarged, it has not the detail that the film may have. Name one of as many lines at least."
            )
        taken = passage_of(clip, 0, None).frames[:frames]
        size = (round(taken.shape[2] * lines / taken.shape[1]), lines)
        out.append(np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in taken]))
    return out


# --- the whole -----------------------------------------------------------------------------------


def measured(passage: Passage, **regions: Any) -> FilmStatistics:
    """The film's own figures.

    Raises:
        InputError: a region that lies outside.
    """
    from degradations.film.statistics import measure

    try:
        return measure(passage.frames, **regions)
    except ValueError as error:
        raise InputError(str(error)) from error


def matched(
    film: FilmStatistics, passage: Passage, clean: Sequence[Clip], seed: int, done: Callable[[int], None]
) -> Match:
    """Settings under which clean clips measure what the film does: see ``degradations.film.matching``."""
    from degradations.film.matching import match

    lines = film.height
    frames = int(np.clip(film.frames, *SCENE_FRAMES))
    still = film.weave.position_std_x is not None
    searched, checked = (scenes(names, lines, frames, still) for names in (SEARCHED, CHECKED))
    if clean:
        # The outcome is seen on other scenes than those of the search: on the second half, or of one clip on photographs.
        own = own_scenes(clean, lines, frames)
        half = max(1, len(own) // 2)
        searched, checked = own[:half], own[half:] or checked
    return match(film, searched, checked, colour=passage.colour, seed=seed, done=done)


def profile_name(film: str) -> str:
    """A profile's name, from a film's.

    Example:
        >>> profile_name("Reel 3 (1912).final"), profile_name("__")
        ('reel-3-1912-.final-like', 'film-like')
    """
    plain = re.sub(r"[^a-z0-9._]+", "-", film.lower()).strip("-._")
    return f"{plain or 'film'}-like"


def as_yaml(match: Match, name: str, film: str, passage: Passage, command: str) -> str:
    """The profile as a YAML file in the form of those that come with the package."""
    import yaml

    from vbench import __version__

    def flow(value: Any) -> str:
        text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
        return str(text).removesuffix("\n").removesuffix("\n...")

    like = "in the variant colour" if match.severity is None else f"at severity {match.severity:g}"
    about = f"Old film as it is in {film}: {passage.words}. What no figure shows is as {like} of the profile oldfilm."
    source = f"{command} (vbench {__version__}): settings under which clean clips measure what the film measures."
    # The profile is made before it is written: what is no profile is no file either.
    match.profile(name, f"Like {film}", about, source)
    lines = [
        f"name: {name}",
        "version: 1",
        f"title: {flow(f'Like {film}')}",
        f"description: {flow(about)}",
        f"source: {flow(source)}",
        "default: [matched]",
        "variants:",
        "  matched:",
        "    title: matched",
        f"    description: {flow(about)}",
        f"    truth: {match.truth}",
        "    steps:",
        *(f"      - {kind}: {flow(given)}" for step in match.steps for kind, given in step.items()),
        "# What the film measures, and clean clips damaged so (other scenes and random numbers than those of the search):",
        *(f"#   {one.title}: {_beside(one.film, one.made, one.unit)}" for one in match.figures),
        "# Not taken from the film:",
        *(f"#   {text}" for text in match.unmatched),
    ]
    return "\n".join(lines) + "\n"


def _beside(film: float, made: float | None, unit: str) -> str:
    other = "not measured" if made is None else f"{made:.3g}"
    return f"{film:.3g} and {other} {unit}".strip()
