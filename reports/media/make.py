"""Making the files of one source: one walk over its frames gives stills, slices, preview, strip and thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.media.encode import CRF, GOP, VIDEO_SIDE, Preview, lossless, lossy, lossy_kind, smaller, still, tinted
from reports.media.plan import lines
from reports.media.series import Rgb, Series
from reports.media.store import NOTHING, Store, key_of

THUMB = (480, 320)
"""Box of a thumbnail in pixels."""
STRIP = (160, 60)
"""Box of a frame of the strip in pixels."""
STRIP_FRAMES = 16
STRIP_QUALITY = 60
THUMB_QUALITY = 65


@dataclass(frozen=True)
class Job:
    """What is wanted of a series.

    Attributes:
        stills: frames without loss.
        length: frames in slices and in the preview, from the first; 0 for neither.
        strip: frames of the strip, rising; empty for none.
        thumb: frame of the thumbnail.
        tint: this is a mask, and stills are its marks in this colour.
    """

    series: Series
    stills: tuple[int, ...]
    length: int = 0
    slices: bool = False
    video: bool = False
    fps: float = 24.0
    strip: tuple[int, ...] = ()
    thumb: int | None = None
    tint: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Keys:
    """Where the files of a job lie in the store."""

    stills: dict[int, str]
    rows: str | None = None
    columns: str | None = None
    video: str | None = None
    strip: str | None = None
    thumb: str | None = None

    def all(self) -> list[str]:
        """Every key."""
        single = (self.rows, self.columns, self.video, self.strip, self.thumb)
        return [*self.stills.values(), *(key for key in single if key is not None)]


def keys_of(job: Job) -> Keys:
    """The keys of a job's files: they follow from the frames' hash and the settings."""
    what = job.series.identity
    small = lossy_kind()
    kind: tuple[object, ...] = ("still",) if job.tint is None else ("mask", *job.tint)
    moves = job.length > 1
    return Keys(
        stills={n: key_of(what, *kind, n) for n in job.stills},
        rows=key_of(what, "rows", job.length) if job.slices and moves else None,
        columns=key_of(what, "columns", job.length) if job.slices and moves else None,
        video=key_of(what, "h264", job.length, job.fps, CRF, GOP, VIDEO_SIDE) if job.video and moves else None,
        strip=key_of(what, "strip", job.strip, STRIP, STRIP_QUALITY, small) if job.strip else None,
        thumb=key_of(what, "thumb", job.thumb, THUMB, THUMB_QUALITY, small) if job.thumb is not None else None,
    )


def make(job: Job, store: Store, tell: Callable[[int], None] = lambda count: None) -> Keys:
    """Make what is missing of a job; frames are held one at a time.

    Raises:
        ValueError: a frame cannot be read.
    """
    keys = keys_of(job)
    missing = {key for key in keys.all() if not store.has(key)}
    if missing:
        _Maker(job, keys, missing, store).run()
    tell(len(keys.all()))
    return keys


@dataclass
class _Maker:
    job: Job
    keys: Keys
    missing: set[str]
    store: Store
    _tiles: dict[int, Rgb] = field(default_factory=dict)
    _rows: NDArray[np.uint8] | None = None
    _columns: NDArray[np.uint8] | None = None

    def run(self) -> None:
        job, keys = self.job, self.keys
        with ExitStack() as stack:
            video: tuple[Preview, Path] | None = None
            if keys.video in self.missing:
                path = self.store.temporary(".mp4")
                video = (stack.enter_context(Preview(path, job.fps)), path)
            for number, image in job.series.walk(self._numbers()):
                self._frame(number, image)
                if video is not None and number < job.length:
                    video[0].write(image)
        if video is not None and keys.video is not None:
            self.store.take(keys.video, video[1])
        if self._rows is not None and keys.rows is not None:
            self.store.put(keys.rows, *lossless(self._rows))
        if self._columns is not None and keys.columns is not None:
            self.store.put(keys.columns, *lossless(self._columns))
        if self._tiles and keys.strip is not None:
            self.store.put(keys.strip, *lossy(np.hstack([self._tiles[n] for n in sorted(self._tiles)]), STRIP_QUALITY))

    def _numbers(self) -> Sequence[int]:
        """Frames that have to be read."""
        job, keys = self.job, self.keys
        wanted = {n for n, key in keys.stills.items() if key in self.missing}
        if {keys.rows, keys.columns, keys.video} & self.missing:
            wanted |= set(range(job.length))
        if keys.strip in self.missing:
            wanted |= set(job.strip)
        if keys.thumb in self.missing and job.thumb is not None:
            wanted.add(job.thumb)
        return sorted(wanted)

    def _frame(self, number: int, image: Rgb) -> None:
        job, keys, store = self.job, self.keys, self.store
        if (key := keys.stills.get(number)) in self.missing and key is not None:
            if job.tint is None:
                store.put(key, *still(image, job.series.stored_png(number)))
            else:
                store.put(key, *(tinted(image, job.tint) or (NOTHING, b"")))
        if number < job.length:
            if keys.rows in self.missing:
                self._rows = self._add_rows(number, image)
            if keys.columns in self.missing:
                self._columns = self._add_columns(number, image)
        if keys.strip in self.missing and number in job.strip:
            self._tiles[number] = smaller(image, *STRIP)
        if keys.thumb in self.missing and number == job.thumb and keys.thumb is not None:
            store.put(keys.thumb, *lossy(smaller(image, *THUMB), THUMB_QUALITY))

    def _add_rows(self, number: int, image: Rgb) -> NDArray[np.uint8]:
        """Blocks below each other, one for each row: x to the right, time downwards."""
        places = lines(image.shape[0])
        length = self.job.length
        if self._rows is None:
            self._rows = np.zeros((len(places) * length, image.shape[1], 3), np.uint8)
        for k, y in enumerate(places):
            self._rows[k * length + number] = image[y]
        return self._rows

    def _add_columns(self, number: int, image: Rgb) -> NDArray[np.uint8]:
        """Blocks beside each other, one for each column: time to the right, y downwards."""
        places = lines(image.shape[1])
        length = self.job.length
        if self._columns is None:
            self._columns = np.zeros((image.shape[0], len(places) * length, 3), np.uint8)
        for k, x in enumerate(places):
            self._columns[:, k * length + number] = image[:, x]
        return self._columns
