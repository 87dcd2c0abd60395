"""Restorers: from degraded frames to restored ones, as a stream, so that memory does not grow with length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class ClipMeta:
    """What a restorer may know of the clip before it starts."""

    frames: int
    height: int
    width: int
    channels: int
    fps: float


class Restorer(Protocol):
    """A loaded model.

    ``restore`` takes an iterator of chunks ``(t, C, H, W)``, float32 in [0, 1], RGB or gray, and gives
    chunks whose frames, joined, are as many and as large as those that went in. It holds no more than
    the window that it needs, and forgets everything between clips.
    """

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]: ...
