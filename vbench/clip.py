"""Clips: a video that is decoded on demand, whatever it is stored in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vbench.errors import InputError, UsageError

Frames = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""``(T, H, W, C)``, RGB (C = 3) or gray (C = 1); uint8, uint16 over the full range 0..65535, or float32 about [0, 1],
which noise may leave."""


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip without decoding all of it."""

    name: str
    frames: int
    height: int
    width: int
    channels: int
    fps: float
    bit_depth: int
    source: str
    colour: str
    """How stored values became RGB, in words ("BT.709 limited range, as tagged", "RGB as stored")."""


@runtime_checkable
class Clip(Protocol):
    """A video. ``read`` gives any run of frames; ``chunks`` walks through it with bounded memory."""

    @property
    def info(self) -> ClipInfo:
        """Size, length and colours; nothing more than that is decoded for it."""

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded), counted from 0.

        Raises:
            InputError: they are not all in the clip, or cannot be decoded.
        """

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames in order, ``size`` at a time; the last chunk may be shorter."""


def walk(clip: Clip, size: int) -> Iterator[Frames]:
    """The chunks of a clip, by ``read``: what most clips' ``chunks`` do."""
    for start in range(0, clip.info.frames, size):
        yield clip.read(start, min(start + size, clip.info.frames))


def check_range(info: ClipInfo, start: int, stop: int) -> None:
    """Raise InputError unless frames ``start`` to ``stop`` (excluded) are in the clip, and at least one."""
    if not 0 <= start < stop <= info.frames:
        raise InputError(f'Frames {start}:{stop} are not in "{info.name}", which has {info.frames}, counted from 0.')


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which frame2 comes before frame10; no two names are equal.

    Example:
        >>> sorted(["f10.png", "f2.png", "F1.png"], key=natural_key)
        ['F1.png', 'f2.png', 'f10.png']
    """
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name).casefold())
    # The name itself, last, orders f1 and f01, which a folder lists in any order.
    return (*((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p), (-1, 0, name))


def parse_frames(text: str | None) -> tuple[int, int | None]:
    """``"A:B"`` as (A, B): frames from A up to but without B; either may be left out.

    Raises:
        UsageError: not of that form, negative, or empty.

    Example:
        >>> parse_frames("3:10"), parse_frames("5:"), parse_frames(":7"), parse_frames(None)
        ((3, 10), (5, None), (0, 7), (0, None))
    """
    if text is None:
        return 0, None
    match = re.fullmatch(r"\s*([0-9]{0,12})\s*:\s*([0-9]{0,12})\s*", text)
    if match is None:
        raise UsageError(
            "--frames takes A:B (from frame A, counted from 0, up to but without B; either may be left "
            f'out), and "{text}" is not of that form.'
        )
    start = int(match[1] or 0)
    stop = int(match[2]) if match[2] else None
    if stop is not None and stop <= start:
        raise UsageError(f"--frames {text} holds no frame: the second number must be larger than the first.")
    return start, stop


def validate_name(name: str, of: str = "clip", instead: str = "rename the file or folder") -> str:
    """``name`` if it can name the folder of a clip or a data set (spaces and any Unicode may be in it).

    Args:
        of, instead: what is named, and what to do where the name cannot be used, for the error.

    Raises:
        InputError: empty, hidden, with a path separator or a control character, not Unicode, too long for
            a file system, or like a file that would lie beside the folder of another clip.
    """
    problem = None
    if not name or name != name.strip():
        problem = "is empty or begins or ends with white space"
    elif name.startswith("."):
        problem = "begins with a dot"
    elif any(c in name for c in "/\\") or any(unicodedata.category(c) == "Cc" for c in name):
        problem = "holds a path separator or a control character"
    elif any(unicodedata.category(c) == "Cs" for c in name):
        problem = "is not Unicode (the file system gave bytes that are not UTF-8)"
    elif len(name.encode()) > 200:
        problem = "is longer than 200 bytes"
    elif name.lower().endswith(".json"):
        problem = "ends with .json, as what is written beside the frames of a clip does"
    if problem:
        raise InputError(f"The {of} name {name!r} {problem}; {instead}.")
    return name


class EveryClip:
    """Every ``every``-th frame of a faster clip, from frame ``first`` on: as many as are the middle of ``every`` frames.

    Example:
        >>> EveryClip.count(33, 11), EveryClip.count(32, 11), EveryClip.count(5, 1)
        (3, 2, 5)
    """

    def __init__(self, fast: Clip, every: int) -> None:
        self.fast = fast
        self.every = every
        self.first = every // 2
        info = fast.info
        count = self.count(info.frames, every)
        if not count:
            raise InputError(
                f'"{info.name}" has {info.frames} frame(s), and --every {every} makes one of each {every}: none is left.'
            )
        colour = f"{info.colour}, every {every}th frame"
        self.info = ClipInfo(**{**vars(info), "frames": count, "fps": info.fps / every, "colour": colour})

    @staticmethod
    def count(frames: int, every: int) -> int:
        """Frames that are left of so many."""
        return frames // every

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded)."""
        check_range(self.info, start, stop)
        numbers = [self.first + i * self.every for i in range(start, stop)]
        return np.concatenate([self.fast.read(n, n + 1) for n in numbers])

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)


class RangeClip:
    """Some consecutive frames of another clip."""

    def __init__(self, clip: Clip, start: int, stop: int) -> None:
        self._clip = clip
        self._start = start
        info = clip.info
        self.info = ClipInfo(**{**vars(info), "frames": stop - start})

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded) of this range."""
        check_range(self.info, start, stop)
        return self._clip.read(self._start + start, self._start + stop)

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)
