"""Clips: a video that is decoded on demand, whatever it is stored in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8] | NDArray[np.uint16]
"""``(T, H, W, C)``, RGB (C = 3) or gray (C = 1); uint8, or uint16 over the full range 0..65535."""


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
    """How stored values became RGB, in words ("BT.709 limited range, as tagged", "sRGB as stored")."""


@runtime_checkable
class Clip(Protocol):
    """A video. ``read`` gives any run of frames; ``chunks`` walks through it with bounded memory."""

    @property
    def info(self) -> ClipInfo: ...

    def read(self, start: int, stop: int) -> Frames: ...

    def chunks(self, size: int = 16) -> Iterator[Frames]: ...
