"""Restorers: from degraded frames to restored ones, as a stream, so that memory does not grow with length."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.errors import RunError

if TYPE_CHECKING:
    from vbench.clip import Frames


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


def to_uint8(frames: Tensor) -> NDArray[np.uint8]:
    """``(T, C, H, W)`` in [0, 1] as ``(T, H, W, C)`` uint8: clipped, rounded half up.

    Example:
        >>> to_uint8(torch.tensor([-0.1, 0.1, 2.0]).view(3, 1, 1, 1)).ravel().tolist()
        [0, 26, 255]
    """
    whole = (frames.clamp(0, 1) * 255.0 + 0.5).floor().to(torch.uint8)
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())


def from_uint8(frames: Frames) -> Tensor:
    """``(T, H, W, C)`` uint8 (or uint16, full range) as float32 ``(T, C, H, W)`` in [0, 1]."""
    peak = 255.0 if frames.dtype == np.uint8 else 65535.0
    return torch.from_numpy(np.array(frames.transpose(0, 3, 1, 2), order="C")).float() / peak


class Framewise:
    """A restorer that treats each frame alone: ``function`` maps ``(t, C, H, W)`` to the same shape."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self._function = function

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """Each chunk as it comes."""
        for chunk in chunks:
            yield self._function(chunk)


class Windowed:
    """A restorer that sees ``before`` frames in front of each frame and ``after`` behind it.

    ``function`` maps windows ``(t, before + 1 + after, C, H, W)`` to ``(t, C, H, W)``. At the ends of the
    clip the frames are reflected without repeating the end frame (index -1 is frame 1; a clip too short for
    that repeats its nearest frame), or the end frame is repeated.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        before: int,
        after: int,
        ends: Literal["reflect", "repeat"] = "reflect",
    ) -> None:
        self._outside = reflect if ends == "reflect" else lambda index, count: min(max(index, 0), count - 1)
        self._function = function
        self._before = before
        self._after = after

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, holding the window."""
        held: deque[tuple[int, Tensor]] = deque(maxlen=2 * (self._before + self._after) + 2)
        done = 0
        seen = 0
        for chunk in chunks:
            for frame in chunk:
                held.append((seen, frame))
                seen += 1
                while done + self._after < seen and (done >= self._before or seen > self._before - done):
                    yield self._one(held, done, meta.frames)
                    done += 1
        while done < seen:
            yield self._one(held, done, seen)
            done += 1

    def _one(self, held: deque[tuple[int, Tensor]], index: int, count: int) -> Tensor:
        frames = dict(held)
        wanted = range(index - self._before, index + self._after + 1)
        window = torch.stack([frames[self._outside(i, count)] for i in wanted])
        return self._function(window[None])


def reflect(index: int, count: int) -> int:
    """``index`` reflected into 0..count-1 without repeating the ends, or clamped where that is not enough.

    Example:
        >>> [reflect(i, 5) for i in (-2, -1, 0, 4, 5, 6)]
        [2, 1, 0, 4, 3, 2]
        >>> reflect(-2, 1), reflect(3, 2)
        (0, 1)
    """
    mirrored = -index if index < 0 else 2 * (count - 1) - index if index >= count else index
    return mirrored if 0 <= mirrored < count else min(max(index, 0), count - 1)


class _Checked:
    def __init__(self, restorer: Restorer, name: str) -> None:
        self._restorer = restorer
        self._name = name

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        seen = 0
        wanted = (meta.channels, meta.height, meta.width)
        for out in self._restorer.restore(chunks, meta):
            if tuple(out.shape[1:]) != wanted:
                raise RunError(
                    f"{self._name} gave frames of {tuple(out.shape[1:])} (C, H, W) for frames of {wanted}: a restorer "
                    "keeps size and channels."
                )
            if not bool(torch.isfinite(out).all()):
                raise RunError(f"{self._name} gave values that are not numbers, from frame {seen} on.")
            seen += len(out)
            yield out
        if seen != meta.frames:
            raise RunError(f"{self._name} gave {seen} frames for {meta.frames}: a restorer gives one for each.")


def checked(restorer: Restorer, name: str) -> Restorer:
    """``restorer``, with an error in words where it breaks its promises (count, size, finite values)."""
    return _Checked(restorer, name)


def run_array(restorer: Restorer, frames: Tensor, fps: float = 24.0, chunk: int = 8) -> Tensor:
    """Restore a clip that is in memory.

    Args:
        frames: ``(T, C, H, W)``, float32 in [0, 1].

    Returns:
        The restored frames, of the same shape.

    Example:
        >>> clip = torch.rand(5, 3, 8, 8)
        >>> bool((run_array(Framewise(lambda x: x), clip) == clip).all())
        True
    """
    meta = ClipMeta(len(frames), frames.shape[2], frames.shape[3], frames.shape[1], fps)
    with torch.inference_mode():
        return torch.cat(list(checked(restorer, "the restorer").restore(iter(frames.split(chunk)), meta)))
