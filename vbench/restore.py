"""Restorers: from degraded frames to restored ones, as a stream, so that memory does not grow with length."""

from __future__ import annotations

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
    scale: int = 1
    """How many times larger restored frames are to be, along each side."""
    name: str = ""
    """Of the clip, in its data set."""
    dataset: str = ""
    target: tuple[int, int] | None = None
    """Height and width of restored frames, where that is less: they are cut off at the bottom and right."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of restored frames.

        Example:
            >>> ClipMeta(1, 9, 12, 3, 24.0, 4).size, ClipMeta(1, 9, 12, 3, 24.0, 4, target=(35, 48)).size
            ((36, 48), (35, 48))
        """
        return self.target or self.enlarged

    @property
    def enlarged(self) -> tuple[int, int]:
        """Height and width of restored frames before anything is cut off.

        Example:
            >>> ClipMeta(1, 9, 12, 3, 24.0, 4, target=(35, 48)).enlarged
            (36, 48)
        """
        return self.height * self.scale, self.width * self.scale


class Restorer(Protocol):
    """A loaded model.

    ``restore`` takes an iterator of chunks ``(t, C, H, W)``, float32 in [0, 1], RGB or gray, and gives
    chunks whose frames, joined, are as many as those that went in, of the size ``meta.size`` (or ``meta.enlarged``, which is
    then cut off). It holds no more than the window that it needs, and forgets everything between clips.
    """

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """The restored frames ``(t, C, H * scale, W * scale)``, in chunks of any length; see the class."""


def to_uint8(frames: Tensor) -> NDArray[np.uint8]:
    """``(T, C, H, W)`` in [0, 1] as ``(T, H, W, C)`` uint8: clipped, rounded half up.

    Example:
        >>> to_uint8(torch.tensor([-0.1, 0.1, 2.0]).view(3, 1, 1, 1)).ravel().tolist()
        [0, 26, 255]
    """
    if frames.device.type != "cpu" or frames.dtype != torch.float32:
        # The cast cuts off what stands behind the point.
        whole = frames.mul(255.0).add_(0.5).clamp_(0.0, 255.5).to(torch.uint8)
        return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())
    # Plane by plane, so that what is worked on stays in the cache: a seventh of the time.
    count, channels, height, width = frames.shape
    out = np.empty((count, height, width, channels), np.uint8)
    level = np.empty((height, width), np.float32)
    for frame, picture in zip(frames.detach().numpy(), out, strict=True):
        for channel, plane in enumerate(frame):
            np.multiply(plane, np.float32(255), out=level)
            np.add(level, np.float32(0.5), out=level)
            np.clip(level, 0, 255.5, out=level)
            picture[..., channel] = level
    return out


def to_uint16(frames: Tensor) -> NDArray[np.uint16]:
    """``(T, C, H, W)`` in [0, 1] as ``(T, H, W, C)`` uint16 over the full range: clipped, rounded half up.

    Example:
        >>> to_uint16(torch.tensor([-0.1, 0.1, 2.0]).view(3, 1, 1, 1)).ravel().tolist()
        [0, 6554, 65535]
    """
    # float32 has 24 bits, so that 0.5 more than a 16-bit number still has its place.
    whole = frames.mul(65535.0).add_(0.5).clamp_(0.0, 65535.0).cpu().permute(0, 2, 3, 1)
    return np.ascontiguousarray(whole.numpy().astype(np.uint16))


def to_float_array(frames: Tensor) -> NDArray[np.float32]:
    """``(T, C, H, W)`` as a ``(T, H, W, C)`` float32 array, unchanged.

    Example:
        >>> to_float_array(torch.tensor([-0.5]).view(1, 1, 1, 1)).ravel().tolist()
        [-0.5]
    """
    return np.ascontiguousarray(frames.permute(0, 2, 3, 1).cpu().numpy(), dtype=np.float32)


def from_array(frames: Frames) -> Tensor:
    """``(T, H, W, C)`` uint8 or uint16 (full range) as float32 ``(T, C, H, W)`` in [0, 1]; float32 as it is.

    Raises:
        TypeError: frames of another type, whose range is not known.

    Example:
        >>> from_array(np.full((1, 2, 2, 3), 51, np.uint8)).mean().item()
        0.2...
    """
    if frames.dtype not in (np.uint8, np.uint16, np.float32):
        raise TypeError(
            f"Frames of type {frames.dtype} were given; uint8, uint16 over the full range, or float32 are expected."
        )
    count, height, width, channels = frames.shape
    out = np.empty((count, channels, height, width), np.float32)
    if frames.dtype == np.float32:
        np.copyto(out, frames.transpose(0, 3, 1, 2))
        return torch.from_numpy(out)
    peak = np.float32(255 if frames.dtype == np.uint8 else 65535)
    for frame, planes in zip(frames, out, strict=True):
        for channel, plane in enumerate(planes):
            np.divide(frame[..., channel], peak, out=plane)
    return torch.from_numpy(out)


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
    that repeats its nearest frame), or the end frame is repeated. Every frame comes out as soon as its window
    is full; what no window needs any more is let go.

    Example:
        >>> mean = Windowed(lambda windows: windows.mean(dim=1), before=1, after=1)
        >>> run_array(mean, torch.tensor([0.0, 0.5, 0.25]).view(3, 1, 1, 1), chunk=1).flatten().tolist()
        [0.3333..., 0.25, 0.4166...]
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        before: int,
        after: int,
        ends: Literal["reflect", "repeat"] = "reflect",
    ) -> None:
        self._outside = reflect if ends == "reflect" else repeat
        self._function = function
        self._before = before
        self._after = after

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        """One frame at a time, holding the window."""
        held: dict[int, Tensor] = {}
        done = 0
        seen = 0
        for chunk in chunks:
            for frame in chunk:
                held[seen] = frame
                seen += 1
                # The window is full: the frames behind are there, and so are those that the start reflects.
                while done + self._after < seen and self._before - done < seen:
                    yield self._one(held, done, seen)
                    done += 1
                    # The end of the clip may come next, and reflects as far back as the window reaches.
                    for old in [i for i in held if i < min(done - self._before, seen - 1 - self._after)]:
                        del held[old]
        while done < seen:
            yield self._one(held, done, seen)
            done += 1

    def _one(self, held: dict[int, Tensor], index: int, count: int) -> Tensor:
        wanted = range(index - self._before, index + self._after + 1)
        return self._function(torch.stack([held[self._outside(i, count)] for i in wanted])[None])


def repeat(index: int, count: int) -> int:
    """``index`` clamped into 0..count-1.

    Example:
        >>> [repeat(i, 5) for i in (-2, 4, 6)]
        [0, 4, 4]
    """
    return min(max(index, 0), count - 1)


def reflect(index: int, count: int) -> int:
    """``index`` reflected into 0..count-1 without repeating the ends, or clamped where that is not enough.

    Example:
        >>> [reflect(i, 5) for i in (-2, -1, 0, 4, 5, 6)]
        [2, 1, 0, 4, 3, 2]
        >>> reflect(-2, 1), reflect(3, 2)
        (0, 1)
    """
    mirrored = -index if index < 0 else 2 * (count - 1) - index if index >= count else index
    return mirrored if 0 <= mirrored < count else repeat(index, count)


TOO_BRIGHT = 2.0
"""Frames in [0, 1] have a mean of at most 1; a network may overshoot, but not by that much."""


class _Checked:
    def __init__(self, restorer: Restorer, name: str) -> None:
        self._restorer = restorer
        self._name = name

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        seen = 0
        wanted = (meta.channels, *meta.size)
        given = self._restorer.restore(chunks, meta)
        if not hasattr(given, "__iter__"):
            raise RunError(
                f"restore(chunks, meta) of {self._name} returned {type(given).__name__}; an iterator of chunks (t, C, H, W) "
                "is expected: yield them."
            )
        for found in given:
            out = self._frames(found)
            if tuple(out.shape[1:]) == (meta.channels, *meta.enlarged):
                # A network that enlarges knows nothing of a ground truth whose size is no multiple.
                out = out[..., : wanted[1], : wanted[2]]
            if tuple(out.shape[1:]) != wanted:
                raise RunError(
                    f"{self._name} gave frames of {tuple(out.shape[1:])} (C, H, W) where {wanted} were asked for: a "
                    "restorer keeps channels, and the size unless it is asked to enlarge."
                )
            if not bool(torch.isfinite(out).all()):
                first = seen + int((~torch.isfinite(out).flatten(1).all(dim=1)).nonzero()[0])
                raise RunError(
                    f"{self._name} gave values that are not finite numbers in frame {first} (counted from 0) of "
                    f"{meta.frames}."
                )
            if len(out) and (mean := float(out.mean())) > TOO_BRIGHT:
                raise RunError(
                    f"{self._name} gave frames whose mean value is {mean:.4g}: frames in [0, 1] are expected. Values from 0 "
                    "to 255 are to be divided by 255."
                )
            seen += len(out)
            if seen > meta.frames:
                raise self._miscounted(f"{seen} frames or more", meta.frames)
            yield out
        if seen != meta.frames:
            raise self._miscounted(f"{seen} frames", meta.frames)

    def _frames(self, found: object) -> Tensor:
        """What came, as float32."""
        if not isinstance(found, torch.Tensor):
            raise RunError(
                f"{self._name} gave {type(found).__name__} where a torch.Tensor of frames (t, C, H, W) is expected."
            )
        if not found.is_floating_point():
            raise RunError(
                f"{self._name} gave frames of type {found.dtype}: floating point in [0, 1] is expected. 8-bit values are to "
                "be divided by 255."
            )
        # In fewer bits already the rounding to 8 bits would go astray.
        return found.float()

    def _miscounted(self, given: str, frames: int) -> RunError:
        return RunError(f"{self._name} gave {given} for {frames}: a restorer gives one for each.")


def checked(restorer: Restorer, name: str) -> Restorer:
    """``restorer``, with a RunError in words where it breaks its promises (tensors of floating point,
    count, size, finite values in the range of [0, 1])."""
    return _Checked(restorer, name)


def run_array(restorer: Restorer, frames: Tensor, fps: float = 24.0, chunk: int = 8, scale: int = 1) -> Tensor:
    """Restore a clip that is in memory.

    Args:
        frames: ``(T, C, H, W)``, float32 in [0, 1].
        scale: how many times larger the result is to be.

    Returns:
        The restored frames, ``(T, C, scale * H, scale * W)``.

    Example:
        >>> clip = torch.rand(5, 3, 8, 8)
        >>> bool((run_array(Framewise(lambda x: x), clip) == clip).all())
        True
    """
    meta = ClipMeta(len(frames), frames.shape[2], frames.shape[3], frames.shape[1], fps, scale)
    with torch.inference_mode():
        return torch.cat(list(checked(restorer, "the restorer").restore(iter(frames.split(chunk)), meta)))
