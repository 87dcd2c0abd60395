"""How the clips of a data set are stored: a folder of PNG, or one file of FFV1 or MagicYUV; lossless, whole or not at all.

A clip called ``a`` in a room ``lq`` lies in ``lq/a/00000000.png``, ..., in ``lq/a.mkv`` (FFV1) or in ``lq/a.avi``
(MagicYUV). FFV1 is the smallest, MagicYUV by far the fastest to write (tests/bench/test_bench_storage.py), PNG what
everything reads. Clips whose three channels are equal may be stored in gray; :func:`open_stored` gives back as many
channels as are asked for.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vbench.clip import Clip, ClipInfo, Frames, walk
from vbench.errors import RunError
from vbench.frames_io import FrameFolder
from vbench.sources import open_clip
from vbench.workspace import disk_error, partial_path

Format = Literal["png", "ffv1", "magicyuv"]
FORMATS: tuple[Format, ...] = ("png", "ffv1", "magicyuv")


@dataclass(frozen=True)
class Codec:
    """A lossless codec, and the file in which its clips lie.

    Attributes:
        name: FFmpeg's name of the encoder.
        suffix: ending of the file.
        container: FFmpeg's name of the format of the file.
        rgb: pixel format of RGB frames; gray ones are ``gray``. Neither converts colours.
        options: of the encoder; those that its bytes depend on are all named.
        sliced: whether threads may share the slices of a frame, which the options count.
    """

    name: str
    suffix: str
    container: str
    rgb: str
    options: dict[str, str]
    sliced: bool


CODECS: dict[Format, Codec] = {
    # RFC 9043, version 3: every frame by itself, with checksums. Golomb-Rice codes take 0.65 of the time of the range
    # coder for 6 to 9 per cent more bytes.
    "ffv1": Codec(
        "ffv1",
        ".mkv",
        "matroska",
        "bgr0",
        {"level": "3", "coder": "0", "context": "0", "g": "1", "slices": "4", "slicecrc": "1"},
        sliced=True,
    ),
    # Huffman codes of what a median of neighbours leaves. Its slices are as many as its threads: one, always.
    "magicyuv": Codec("magicyuv", ".avi", "avi", "gbrp", {"pred": "median"}, sliced=False),
}


class Writer(Protocol):
    """Takes frames one by one; what it writes appears whole at the end of ``with``, or not at all."""

    def __enter__(self) -> Writer: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, frame: NDArray[Any]) -> None: ...


def writer(room: Path, clip: str, form: Format, fps: float = 25.0, threads: int = 1, *, sparse: bool = False) -> Writer:
    """Something that stores a clip in a room, in this format; what other formats left there is removed.

    ``sparse`` says that frames are mostly 0, as masks are: see :func:`form_of`.
    """
    form = form_of(form, sparse=sparse)
    places = {known: place(room, clip, known) for known in FORMATS}
    final = places.pop(form)
    inner: Writer = FrameFolder(final, sparse=sparse) if form == "png" else FrameVideo(final, fps, threads)
    return _Ahead(inner, places, threads)


def form_of(form: Format, *, sparse: bool) -> Format:
    """In which format a clip is stored where ``form`` was asked for: masks (``sparse``) in PNG in place of MagicYUV, whose
    blank frames take one bit a pixel.

    >>> form_of("magicyuv", sparse=True), form_of("ffv1", sparse=True)
    ('png', 'ffv1')
    """
    return "png" if sparse and form == "magicyuv" else form


def place(room: Path, clip: str, form: Format) -> Path:
    """Where a clip lies in a room: a folder of PNG or a file.

    >>> place(Path("lq"), "a", "ffv1").as_posix()
    'lq/a.mkv'
    """
    return room / clip if form == "png" else room / f"{clip}{CODECS[form].suffix}"


class _Ahead:
    """Writes behind the caller's back, in one thread, so that damage and encoding overlap; removes what is outdated."""

    WAITING = 8

    def __init__(self, inner: Writer, outdated: dict[Format, Path], threads: int) -> None:
        self._inner = inner
        self._outdated = outdated
        self._pool = ThreadPoolExecutor(1) if threads > 1 else None
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> _Ahead:
        self._inner.__enter__()
        return self

    def write(self, frame: NDArray[Any]) -> None:
        """The next frame; an error of an earlier one may come here."""
        if self._pool is None:
            self._inner.write(frame)
            return
        self._waiting.append(self._pool.submit(self._inner.write, frame))
        while len(self._waiting) > self.WAITING:
            self._waiting.popleft().result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=kind is not None)
                if kind is None:
                    for future in self._waiting:
                        future.result()
        except BaseException as failure:
            self._inner.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._inner.__exit__(kind, error, trace)
        if kind is None:
            for form, path in self._outdated.items():
                _remove(path, form)


def _remove(path: Path, form: Format) -> None:
    """Remove a clip in a format that is outdated; a folder where a file would be is another clip, called ``a.mkv``."""
    import shutil

    if form == "png":
        shutil.rmtree(path, ignore_errors=True)
    elif path.is_file():
        path.unlink()


class FrameVideo:
    """Writes one file of a lossless codec.

    RGB is stored as RGB, gray as gray: no colour conversion, no loss. The bytes do not depend on ``threads``.

    Args:
        path: its final name, whose ending says which (:data:`CODECS`); until the end of ``with`` the file lies beside
            it under a temporary one.
    """

    def __init__(self, path: Path, fps: float = 25.0, threads: int = 1) -> None:
        self._final = path
        (self._codec,) = (codec for codec in CODECS.values() if codec.suffix == path.suffix)
        self._temporary = partial_path(path).with_suffix(path.suffix)
        self._fps = Fraction(fps).limit_denominator(1001)
        self._threads = threads
        self._container: Any = None
        self._stream: Any = None
        self._kind: tuple[tuple[int, ...], str] | None = None
        self._count = 0

    def __enter__(self) -> FrameVideo:
        import av

        try:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(
                str(self._temporary.absolute()), "w", format=self._codec.container, options={"fflags": "+bitexact"}
            )
        except OSError as error:
            raise disk_error(self._final, error) from error
        return self

    def write(self, frame: NDArray[Any]) -> None:
        """The next frame, ``(H, W, C)`` uint8, RGB or gray; all alike.

        Raises:
            RunError: the frame is unlike the first or not 8 bit, or the disk is full or refuses.
        """
        kind = (frame.shape, frame.dtype.name)
        if self._kind is None:
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (1, 3):
                raise RunError(
                    f"A frame of shape {frame.shape} and type {frame.dtype} cannot be stored as {self._codec.name} here."
                )
            self._kind = kind
            self._start(frame)
        elif kind != self._kind:
            raise RunError(f'Frame {self._count} for "{self._final}" is {kind}, and the first was {self._kind}.')
        try:
            picture = _as_stored(frame, self._codec.rgb)
            picture.pts = self._count
            self._mux(self._stream.encode(picture))
        except OSError as error:
            raise disk_error(self._final, error) from error
        self._count += 1

    def _start(self, frame: NDArray[Any]) -> None:
        height, width, channels = frame.shape
        codec = self._codec
        slices = {"slices": "1"} if codec.sliced and min(height, width) == 1 else {}
        stream = self._container.add_stream(codec.name, rate=self._fps, options=codec.options | slices)
        stream.width, stream.height = width, height
        stream.pix_fmt = "gray" if channels == 1 else codec.rgb
        stream.codec_context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT: no version of the encoder in the file
        stream.codec_context.thread_count = self._threads if codec.sliced else 1
        stream.codec_context.thread_type = "SLICE"
        self._stream = stream

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            full = _in_full_range(packet) if self._codec.name == "magicyuv" else packet
            self._container.mux(full)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._stream is None:
                    raise RunError(f'"{self._final}" would hold no frame.')
                self._mux(self._stream.encode())
            self._container.close()
            if kind is None:
                with self._temporary.open("rb+") as file:
                    os.fsync(file.fileno())
                self._temporary.replace(self._final)
        except OSError as failure:
            if kind is None:
                raise disk_error(self._final, failure) from failure
        finally:
            self._temporary.unlink(missing_ok=True)


def _in_full_range(packet: Any) -> Any:
    """A frame of MagicYUV that says that its values take the full range, whatever FFmpeg's encoder was told: it leaves
    the flags (byte 12) at 0, and then whoever reads gray takes black for 16 and white for 235."""
    import av

    data = bytearray(bytes(packet))
    data[12] |= 4
    told = av.Packet(bytes(data))
    told.stream, told.time_base = packet.stream, packet.time_base
    told.pts, told.dts, told.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
    return told


def _as_stored(frame: NDArray[Any], rgb: str) -> Any:
    import av
    import cv2

    if frame.shape[2] == 1:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[..., 0]), "gray")
    if rgb != "bgr0":
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24").reformat(format=rgb, threads=1)
    padded = np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2BGRA), dtype=np.uint8)
    return av.VideoFrame.from_ndarray(padded, "bgra").reformat(format=rgb, threads=1)


def stored_at(room: Path, clip: str) -> Path | None:
    """The folder or the file in which a clip lies in a room; None where there is neither."""
    form = stored_as(room, clip)
    return None if form is None else place(room, clip, form)


def stored_as(room: Path, clip: str) -> Format | None:
    """The format in which a clip lies in a room; None where it does not."""
    for form in FORMATS:
        path = place(room, clip, form)
        if path.is_dir() if form == "png" else path.is_file():
            return form
    return None


def open_stored(room: Path, clip: str, channels: int | None = None) -> Clip:
    """A clip of a room; gray as three equal channels where ``channels`` is 3.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    found = open_clip(stored_at(room, clip) or room / clip, name=clip)
    return InThreeChannels(found) if channels == 3 and found.info.channels == 1 else found


class InThreeChannels:
    """A gray clip as RGB with three equal channels."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.info = ClipInfo(**{**vars(clip.info), "channels": 3})

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded), ``(T, H, W, 3)``."""
        return np.repeat(self._clip.read(start, stop), 3, axis=3)  # type: ignore[return-value]  # of the same type

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)
