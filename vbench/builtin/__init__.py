"""Embedded clips: short videos rendered from photographs that scikit-image ships, with exact motion.

They need no network and no file: camera, objects and light are functions of time, so any instant can be
rendered, true motion blur integrated, and optical flow and occlusion are known exactly. Listing them imports
nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vbench.builtin.clips import BuiltinClip

VERSION = 1
"""Counted up when any clip's pixels change."""

SIZE = (180, 320)
"""Height and width of the embedded clips."""

DESCRIPTIONS: dict[str, str] = {
    "cameraman": "Gray. A hand-held camera pans over a man at his camera (photograph: MIT).",
    "cat": "A cat behind blurred posts that pass in front, light that changes (Chelsea, by S. van der Walt, CC0).",
    "coffee": "A cup that stands above its table, the camera turning; then a cut to a close-up (R. Michalak, CC0).",
    "garage": "A motorcycle in a garage, parallax by its measured depth (Middlebury 2014 stereo, by D. Scharstein).",
    "launch": "A rocket lifts off between towers, on its own fire (SpaceX photograph, CC0).",
    "orbit": "A rock with a moon's surface drifts across galaxies (Hubble deep field, NASA; moon, scikit-image).",
    "portrait": "An astronaut, hand-held, the camera pushing in and tilting (Eileen Collins, NASA, public domain).",
}


def names() -> tuple[str, ...]:
    """Names of the embedded clips, sorted.

    Example:
        >>> names()[:3]
        ('cameraman', 'cat', 'coffee')
    """
    return tuple(sorted(DESCRIPTIONS))


def describe(name: str) -> str:
    """One sentence on a clip: what is seen, and whose photograph it is."""
    _check(name)
    return DESCRIPTIONS[name]


def open_builtin(name: str, *, frames: int | None = None) -> BuiltinClip:
    """An embedded clip, or its first ``frames`` frames.

    Raises:
        InputError: no such clip; the text names the nearest.
    """
    _check(name)
    from vbench.builtin.clips import BuiltinClip, scene

    return BuiltinClip(scene(name), frames)


def _check(name: str) -> None:
    if name not in DESCRIPTIONS:
        from vbench.errors import InputError, nearest

        raise InputError(f'There is no embedded clip "{name}". {nearest(name, DESCRIPTIONS)}')
