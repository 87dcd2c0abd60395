"""Frames restored tile by tile, where the memory of a device does not hold what a network makes of a whole frame.

A tile is a rectangle of the frame. The network is given it with a halo around it, cut off at the frame's own borders,
where it then sees the borders that it sees in a whole frame. Where the halo is at least what the network sees around a
pixel, the tiles put side by side are the untiled frame; elsewhere they are faded into each other (see
:class:`vbench.models.spec.Tiles`, which every model states).

Models that know several frames restore the whole clip in one tile, then in the next: the clip is read once for each
tile, and what is restored waits in a file. So memory holds what one tile needs, however long the clip and however
many the tiles; were the tiles restored side by side, their states (features of several frames, recurrent ones) would
together be those of the whole frame, and more.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench.devices import free_memory, out_of_memory
from vbench.errors import RunError, UsageError
from vbench.models.spec import Tiles
from vbench.restore import ClipMeta, Restorer
from vbench.workspace import disk_error

SMALLEST = 64
"""The least width and height of a tile: with its halo it is three times as wide, and nine parts in ten are thrown away."""

Result = TypeVar("Result")


class Tile(NamedTuple):
    """The largest width and height of a tile, in pixels of the frames that the network takes, without its halo."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse(text: str) -> str:
    """What ``--tile`` takes, in its plain form: "auto", "off" or "WxH".

    Raises:
        UsageError: something else, or a tile below 64 pixels.

    Example:
        >>> parse("256"), parse("640X360"), parse("auto")
        ('256x256', '640x360', 'auto')
    """
    plain = text.strip().lower()
    if plain in ("auto", "off"):
        return plain
    sides = plain.split("x")
    if not 1 <= len(sides) <= 2 or not all(side.isascii() and side.isdigit() and len(side) < 6 for side in sides):
        raise UsageError(
            f'--tile {text}: "auto" (whole frames, and tiles where memory is too small), "off", a number of pixels (256) '
            "or a width and height (640x360) is expected."
        )
    tile = Tile(int(sides[0]), int(sides[-1]))
    if min(tile) < SMALLEST:
        raise UsageError(
            f"--tile {text}: a tile has at least {SMALLEST} x {SMALLEST} pixels; a network sees up to 80 more on each side, "
            "and smaller tiles would mostly compute those."
        )
    return str(tile)


def tile_of(text: str) -> Tile:
    """The tile in a text of the form "WxH".

    Example:
        >>> tile_of("640x360").height
        360
    """
    width, height = text.split("x")
    return Tile(int(width), int(height))


def needed(tile: Tile | None, height: int, width: int) -> Tile | None:
    """``tile``, or None where a frame of this size is not larger.

    Example:
        >>> needed(Tile(256, 256), 200, 200), needed(Tile(256, 256), 200, 300)
        (None, Tile(width=256, height=256))
    """
    return tile if tile is not None and (tile.height < height or tile.width < width) else None


def halved(height: int, width: int, tile: Tile | None = None) -> Iterator[Tile]:
    """Tiles for a frame of this size, each of half the side of the one before; those smaller than ``tile``, if given.

    Example:
        >>> [str(tile) for tile in halved(1080, 1920)]
        ['1024x1024', '512x512', '256x256', '128x128', '64x64']
    """
    longest = max(min(tile.width, width), min(tile.height, height)) if tile is not None else max(height, width)
    side = 2 ** math.ceil(math.log2(max(2, longest)) - 1)
    while side >= SMALLEST:
        yield Tile(side, side)
        side //= 2


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the frames that the network takes."""

    start: int
    stop: int
    """Its own pixels."""
    first: int
    last: int
    """What the network is given, ``last`` excluded."""
    low: int
    high: int
    """What is used of the result, faded at the ends that are no border of the frame."""


def spans(length: int, most: int, rule: Tiles) -> list[Span]:
    """The tiles along an axis: as few as make none longer than ``most``, and of equal length.

    Example:
        >>> [(s.start, s.stop, s.first, s.last) for s in spans(100, 64, Tiles(halo=10, multiple=4))]
        [(0, 50, 0, 60), (50, 100, 40, 100)]
    """
    count = -(-length // most)
    edges = [i * length // count for i in range(count + 1)]
    out = []
    for start, stop in pairwise(edges):
        first = max(0, start - rule.halo)
        last = stop + rule.halo
        out.append(
            Span(
                start,
                stop,
                first - first % rule.multiple,
                min(length, last + -last % rule.multiple),
                max(0, start - rule.blend),
                min(length, stop + rule.blend),
            )
        )
    return out


def weights(span: Span, length: int, blend: int, scale: int = 1, target: int | None = None) -> NDArray[np.float32]:
    """How much of each restored pixel comes from a tile, along one axis; those of all tiles add up to 1.

    Args:
        length: of the frame, along that axis.
        target: of the restored frame, where that is less than ``scale * length``.

    Example:
        >>> first, second = spans(128, 64, Tiles(halo=16, blend=2))
        >>> weights(first, 128, 2)[-4:].tolist(), weights(second, 128, 2)[:4].tolist()
        ([0.875, 0.625, 0.375, 0.125], [0.125, 0.375, 0.625, 0.875])
    """
    stop = min(scale * span.high, scale * length if target is None else target)
    at = (np.arange(scale * span.low, stop) + 0.5) / scale
    out = np.ones(len(at))
    if blend and span.start > 0:
        out *= np.clip((at - (span.start - blend)) / (2 * blend), 0, 1)
    if blend and span.stop < length:
        out *= 1 - np.clip((at - (span.stop - blend)) / (2 * blend), 0, 1)
    return out.astype(np.float32)


@dataclass(frozen=True)
class _Part:
    """One tile of a frame, and where it goes."""

    y: Span
    x: Span
    meta: ClipMeta
    """What its restorer is told of the clip."""
    inside: tuple[slice, slice]
    """What is used of what it gives."""
    outside: tuple[slice, slice]
    """Where that lies in the restored frame."""
    weight: tuple[NDArray[np.float32], NDArray[np.float32]]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what is used."""
        return (self.meta.channels, len(self.weight[0]), len(self.weight[1]))

    def cut(self, frames: Tensor, device: str) -> Tensor:
        """What it is given of frames ``(t, C, H, W)``."""
        return frames[..., self.y.first : self.y.last, self.x.first : self.x.last].contiguous().to(device)

    def used(self, restored: Tensor) -> NDArray[np.float32]:
        """What is used of restored frames ``(t, C, h, w)``."""
        return np.ascontiguousarray(restored[..., self.inside[0], self.inside[1]].cpu().float().numpy())

    def put(self, frame: NDArray[np.float32], used: NDArray[np.float32], *, exact: bool) -> None:
        """Into the restored frame ``(C, H, W)``, which began as zeros."""
        where = frame[:, self.outside[0], self.outside[1]]
        if exact:
            where[...] = used
        else:
            where += used * self.weight[0][:, None] * self.weight[1]


def _parts(meta: ClipMeta, tile: Tile, rule: Tiles) -> list[_Part]:
    scale, (tall, wide) = meta.scale, meta.size
    out = []
    for y in spans(meta.height, tile.height, rule):
        for x in spans(meta.width, tile.width, rule):
            target = (min(scale * y.last, tall) - scale * y.first, min(scale * x.last, wide) - scale * x.first)
            own = replace(meta, height=y.last - y.first, width=x.last - x.first, target=target)
            low = scale * y.low, scale * x.low
            high = min(scale * y.high, tall), min(scale * x.high, wide)
            out.append(
                _Part(
                    y,
                    x,
                    own,
                    (
                        slice(low[0] - scale * y.first, high[0] - scale * y.first),
                        slice(low[1] - scale * x.first, high[1] - scale * x.first),
                    ),
                    (slice(low[0], high[0]), slice(low[1], high[1])),
                    (
                        weights(y, meta.height, rule.blend, scale, tall),
                        weights(x, meta.width, rule.blend, scale, wide),
                    ),
                )
            )
    return out


def restored(
    restorer: Restorer,
    opened: Callable[[], Iterator[Tensor]],
    meta: ClipMeta,
    device: str,
    tile: Tile | None,
    rule: Tiles | None,
    waiting: Path,
    tick: Callable[[float], None] = lambda done: None,
) -> Iterator[Tensor]:
    """The restored frames of a clip, whole or tile by tile, in chunks on the device or the CPU, float32.

    Args:
        opened: gives the chunks ``(t, C, H, W)`` of the degraded clip on the CPU, from its start, whenever it is called.
        tile: the largest tile; None for whole frames.
        rule: how the model's frames may be cut; not needed for whole frames.
        waiting: a file that is made for frames that wait, and removed.
        tick: told which part of the work is done, in [0, 1], by models that know several frames.

    Raises:
        RunError: the file cannot be written.
    """
    tile = needed(tile, meta.height, meta.width)
    if tile is None:
        yield from restorer.restore((chunk.to(device) for chunk in opened()), meta)
        return
    assert rule is not None  # noqa: S101 - asked for by the caller before
    parts = _parts(meta, tile, rule)
    shape = (meta.channels, *meta.size)
    if rule.alone:
        for chunk in opened():
            for frame in chunk.split(1):
                whole = np.zeros(shape, np.float32)
                for part in parts:
                    own = replace(part.meta, frames=1)
                    for out in restorer.restore(iter((part.cut(frame, device),)), own):
                        part.put(whole, part.used(out)[0], exact=rule.exact)
                yield torch.from_numpy(whole)[None]
        return
    with Waiting(waiting, [part.shape for part in parts]) as store:
        for i, part in enumerate(parts):
            done = 0
            for out in restorer.restore((part.cut(chunk, device) for chunk in opened()), part.meta):
                store.add(part.used(out))
                done += len(out)
                tick((i + done / meta.frames) / len(parts))
        for t in range(meta.frames):
            whole = np.zeros(shape, np.float32)
            for i, part in enumerate(parts):
                part.put(whole, store.read(i, t, meta.frames), exact=rule.exact)
            yield torch.from_numpy(whole)[None]


class Waiting:
    """Restored tiles of all frames in one file: all frames of the first tile, then those of the second, float32.

    Args:
        path: of the file, which is there only within ``with``.
        shapes: of each tile: channels, height, width.
    """

    def __init__(self, path: Path, shapes: list[tuple[int, int, int]]) -> None:
        self._path = path
        self._shapes = shapes
        self._file: BinaryIO

    def __enter__(self) -> Waiting:
        try:
            self._file = self._path.open("w+b")
        except OSError as error:
            raise disk_error(self._path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, frames: NDArray[np.float32]) -> None:
        """Further frames of the tile that is being restored."""
        try:
            self._file.write(frames.data)
        except OSError as error:
            raise disk_error(self._path, error) from error

    def read(self, tile: int, frame: int, count: int) -> NDArray[np.float32]:
        """A frame of a tile, of ``count`` frames that each has."""
        sizes = [4 * math.prod(shape) for shape in self._shapes]
        try:
            self._file.seek(count * sum(sizes[:tile]) + frame * sizes[tile])
            data = self._file.read(sizes[tile])
        except OSError as error:
            raise disk_error(self._path, error) from error
        return np.frombuffer(data, np.float32).reshape(self._shapes[tile])


def fitted(
    attempt: Callable[[Tile | None], Result],
    first: Tile | None,
    further: Iterator[Tile],
    device: str,
    what: str,
) -> tuple[Result, Tile | None]:
    """What ``attempt`` gives with the first tile for which memory is enough, and that tile.

    Args:
        attempt: restores a clip in tiles of a size, or whole; called again with the next where memory ran out.
        first: tried first; None for whole frames.
        further: tried after that, from large to small.
        what: what was done, for the text of the error: 'rtn on frames of 1920 x 1080 pixels'.

    Raises:
        RunError: memory was not enough for any.
    """
    tile = first
    while True:
        try:
            return attempt(tile), tile
        # What a device says when its memory is full has no class of its own.
        except Exception as error:
            if not out_of_memory(error):
                raise
            said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        # Out here nothing holds the frames of the attempt any more.
        gc.collect()
        free_memory(device)
        following = next(further, None)
        if following is None:
            how = "whole" if tile is None else f"in tiles of {tile}"
            raise RunError(
                f"{what} ({how}) ran out of memory on {device}: {said[:200].rstrip('.')}. Free some, take fewer processes "
                f"(--workers 1){_advice(tile)}."
            )
        tile = following


def _advice(tile: Tile | None) -> str:
    if tile is not None and max(tile) <= SMALLEST:
        return f", or another device; tiles of less than {SMALLEST} pixels are not tried"
    return ", or let it be cut into tiles that fit (--tile auto), where the model allows it"
