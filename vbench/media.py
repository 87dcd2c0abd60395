"""Videos: decoding any container to RGB frames. The only file that knows containers.

What reads gives ``(T, H, W, C)`` arrays, RGB or gray, uint8 or (for sources of more than 8 bits) uint16 over
the full range 0..65535. Image files are in `vbench.frames_io`, pixels in `vbench.colour`, FFmpeg's filters in
`vbench.ffmpeg_pipe`; what others need of them can be had from here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from vbench.clip import ClipInfo, Frames, check_range, walk
from vbench.colour import Reading, describe, reading, to_rgb
from vbench.errors import InputError
from vbench.ffmpeg_pipe import ffmpeg_exe, ffmpeg_version, pipe_filter
from vbench.frames_io import (
    IMAGE_FPS,
    FrameFolder,
    FrameHasher,
    ImageClip,
    encode_png,
    frame_hash,
    read_image,
    read_png,
    write_png,
)

__all__ = [
    "IMAGE_FPS",
    "FrameFolder",
    "FrameHasher",
    "ImageClip",
    "VideoClip",
    "encode_png",
    "ffmpeg_exe",
    "ffmpeg_version",
    "frame_hash",
    "pipe_filter",
    "read_image",
    "read_png",
    "write_png",
]

_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,yuv4mpegpipe,mpeg,mpegts,mpegvideo,m4v,mxf,ogg,asf,flv,ivf,nut,dv,gif,"
    "apng,h261,h263,h264,hevc,vvc,av1,obu,vc1,rm,wtv,swf,dirac,avs,avs2,avs3,cavsvideo,mjpeg,mjpeg_2000,roq,smk,bink"
)
"""Containers and raw streams that are read. Playlists are not: they would open other files, or the
network."""

PEEKED = 64
"""Packets that tell whether a stream of interlaced video stores single fields."""

_TIMED = ("matroska", "flv", "mxf", "asf")
"""Containers whose head says how long they are, and whose demuxers come to a quiet end where they are cut."""


@dataclass(frozen=True)
class _Counted:
    """What demuxing says of a stream."""

    frames: int
    """Frames to be shown; more than `whole` where the file is cut."""

    whole: int
    """Packets that are there in full."""

    fps: float

    times: frozenset[int]
    """When frames are shown, in the stream's unit; empty where a packet does not say it."""


class VideoClip:
    """A video that FFmpeg reads. Frames come as they are stored: none is dropped, repeated or retimed.

    YUV becomes RGB by the matrix and range that the stream is tagged with, or by those that FFmpeg takes for
    untagged streams; ``info.colour`` says which. Rotation tags are honoured, edit lists too. Pixel aspect
    ratio and transfer function are left alone. Damage that the decoder notices is an error when the frame is
    read, and never patched over; only what was recorded from the middle of a broadcast begins where it can be
    decoded, and ``info.colour`` says that too. Output does not depend on the number of threads.

    ``read`` decodes from where the last call stopped; going back starts the file again. The file is closed
    when its end is reached, and by ``close``.

    Attributes:
        whole: frames that can be had; less than ``info.frames`` where the file is truncated.

    Raises:
        InputError: it is no video, holds no frame, or its pixels are of a kind that is not supported.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._container: Any = None
        self._decoded: Iterator[Any] = iter(())
        self._position = 0
        self._recent: deque[tuple[int, NDArray[Any]]] = deque(maxlen=2)
        self._late = False
        counted = self._count()
        self._total = counted.frames
        self.whole = counted.frames
        first = self._first()
        early = _before(first, counted.times)
        if early or (first.interlaced_frame and self._in_fields()):
            stored, counted = counted.frames, self._count_decoded(counted)
            early = min(early, stored - counted.whole)
        self._reading = self._read_tags(first)
        image = to_rgb(first, self._reading)
        self.info = ClipInfo(
            name=name,
            frames=counted.frames,
            height=image.shape[0],
            width=image.shape[1],
            channels=image.shape[2],
            fps=counted.fps,
            bit_depth=self._reading.bits,
            source=str(path),
            colour=", ".join([describe(first), *self._said, *_late_words(early)]),
        )
        if counted.whole < counted.frames:
            self.whole = self._decodable()
        self.close()

    def close(self) -> None:
        """Let go of the file; the next ``read`` opens it again."""
        if self._container is not None:
            self._container.close()
        self._container = None
        self._decoded = iter(())
        self._position = 0

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded), ``(T, H, W, C)``.

        Raises:
            InputError: the range is not in the clip, or a frame cannot be decoded, or is unlike the first.
        """
        check_range(self.info, start, stop)
        held = dict(self._recent)
        out = np.empty(
            (stop - start, self.info.height, self.info.width, self.info.channels),
            np.uint16 if self._reading.bits > 8 else np.uint8,
        )
        begin = start
        while begin < stop and begin in held:
            out[begin - start] = held[begin]
            begin += 1
        if begin < stop and (self._container is None or begin < self._position):
            self._rewind()
        while self._position < stop and begin < stop:
            index = self._position
            frame = self._next()
            if index < begin:
                continue
            out[index - start] = image = self._convert(frame, index)
            self._recent.append((index, image))
        if self._position == self._total:
            self.close()
        return out

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)

    def _open(self) -> tuple[Any, Any]:
        # An absolute path holds no protocol; the options keep FFmpeg to this one file.
        place = str(self._path.absolute())
        try:
            container = av.open(place, options={"protocol_whitelist": "file", "format_whitelist": _DEMUXERS})
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f'"{self._path}" cannot be opened as a video ({_reason(error)}): it is truncated, empty, or '
                "of a kind that is not known."
            ) from error
        for stream in container.streams.video:
            if not stream.disposition & Disposition.attached_pic:
                stream.thread_type = "AUTO"
                # Otherwise decoders patch damage over, and hand out what was never there.
                stream.codec_context.options = {"err_detect": "explode"}
                self._said = _words(container, stream)
                return container, stream
        container.close()
        raise InputError(f'"{self._path}" holds no video stream.')

    def _count(self) -> _Counted:
        """Count packets, which decodes nothing, and look for signs that the file is cut."""
        container, stream = self._open()
        times: list[int | None] = []
        shown = hidden = whole = 0
        reached, place = 0.0, 0
        broken: str | None = None
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                place = max(place, (packet.pos or 0) + packet.size)
                if packet.is_discard or _invisible(stream, packet):
                    hidden += 1
                    continue
                shown += 1
                whole += not packet.is_corrupt
                times.append(packet.pts)
                if packet.pts is not None and packet.time_base is not None:
                    reached = max(reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except av.FFmpegError as error:
            broken = _reason(error)
        rate = _rate(stream)
        kind = container.format.name
        announced = shown
        if kind.startswith("mov"):
            announced = max(shown, len(stream.index_entries) - hidden)
        elif kind.startswith(_TIMED):
            length = _announced_length(container, stream)
            if length - reached > 1.5 / rate:
                announced = max(shown + 1, round(length * rate))
        elif (kind == "avi" and _riff_cut(self._path)) or (
            kind == "yuv4mpegpipe" and place < self._path.stat().st_size
        ):
            announced = max(shown + 1, stream.frames)
        if broken is not None:
            announced = max(announced, shown + 1)
        container.close()
        if not whole:
            raise InputError(f'"{self._path}" holds no whole frame{f" ({broken})" if broken else ""}.')
        known = frozenset(time for time in times if time is not None)
        return _Counted(announced, whole, rate, known if len(known) == len(times) else frozenset())

    def _decodable(self) -> int:
        """Frames that can be had of a file that is cut."""
        self._rewind()
        try:
            while self._position < self._total:
                self._next()
        except InputError:
            pass
        return self._position

    def _first(self) -> Any:
        """The first frame that can be decoded."""
        self._rewind()
        try:
            return self._next()
        except InputError:
            self._late = True
            self._rewind()
            try:
                return self._next()
            except InputError:
                self._late = False
            self._rewind()
            return self._next()

    def _rewind(self) -> None:
        self.close()
        self._container, stream = self._open()
        self._decoded = _from_key_frame(self._container, stream) if self._late else self._container.decode(stream)

    def _in_fields(self) -> bool:
        """Whether packets seem to hold single fields, of which two are a frame, as camcorders and broadcasters store H.264."""
        container, stream = self._open()
        packets = frames = 0
        with container:
            try:
                for packet in container.demux(stream):
                    packets += packet.size > 0
                    frames += len(packet.decode())
                    if packets == PEEKED:
                        break
                frames += len(stream.codec_context.decode(None))
            except (av.FFmpegError, EOFError):
                pass
        return frames < packets

    def _count_decoded(self, counted: _Counted) -> _Counted:
        """Frames of a stream of fields, or one that begins with frames that cannot be had: only decoding tells how many."""
        self._rewind()
        broken = counted.whole < counted.frames
        try:
            while self._position < self._total:
                try:
                    self._position += not next(self._decoded).is_corrupt
                except StopIteration:
                    break
        except av.FFmpegError:
            broken = True
        whole = self._position
        self._total = self.whole = whole + broken
        return replace(counted, frames=whole + broken, whole=whole)

    def _next(self) -> Any:
        try:
            frame = next(self._decoded)
        except StopIteration:
            raise self._broken("the stream ends before it") from None
        except av.FFmpegError as error:
            raise self._broken(_reason(error)) from error
        if frame.is_corrupt:
            raise self._broken("the decoder calls it corrupt")
        self._position += 1
        return frame

    def _broken(self, reason: str) -> InputError:
        at = self._position
        self._container.close()
        self._container = None
        rest = f"take the {at} before it with --frames 0:{at}, or get the file again" if at else "get the file again"
        return InputError(
            f'Frame {at} of {self._total} in "{self._path}" cannot be decoded ({reason}): the file is '
            f"damaged or truncated. Frames are counted from 0; {rest}."
        )

    def _read_tags(self, frame: Any) -> Reading:
        try:
            return reading(frame)
        except InputError as error:
            raise InputError(f'"{self._path}" cannot be read. {error}') from None

    def _convert(self, frame: Any, index: int) -> NDArray[Any]:
        now = self._read_tags(frame)
        image = to_rgb(frame, now) if now == self._reading else None
        expected = (self.info.height, self.info.width, self.info.channels)
        if image is None or image.shape != expected:
            raise InputError(
                f'Frame {index} of "{self._path}" is {frame.width} x {frame.height}, {describe(frame)}, '
                f"unlike the first ({expected[1]} x {expected[0]}, {self.info.colour}): the stream changes "
                f"half-way. Take one part with --frames 0:{index} or {index}:."
            )
        return image


def _from_key_frame(container: Any, stream: Any) -> Iterator[Any]:
    """Decode from the first key frame on, without what is shown before it and rests on frames that are not there."""
    begin: int | None = None
    begun = False
    for packet in container.demux(stream):
        if not begun and packet.size:
            if not packet.is_keyframe:
                continue
            begun, begin = True, packet.pts
        elif packet.size and begin is not None and packet.pts is not None and packet.pts < begin:
            continue
        yield from packet.decode()


def _before(first: Any, times: frozenset[int]) -> int:
    """Frames that are stored and would be shown before the first one that can be decoded."""
    return sum(time < first.pts for time in times) if first.pts in times else 0


def _late_words(early: int) -> list[str]:
    return [f"without {early} at its beginning that rest on frames before them"] if early else []


def _words(container: Any, stream: Any) -> list[str]:
    """What of a stream is left alone, or was chosen, and may surprise."""
    said = []
    ratio = stream.sample_aspect_ratio
    if ratio and ratio != 1:
        said.append(f"pixels of {ratio.numerator}:{ratio.denominator} as stored")
    shown = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if len(shown) > 1:
        said.append(f"the first of {len(shown)} video streams")
    return said


def _invisible(stream: Any, packet: Any) -> bool:
    """Whether a packet holds a reference that is never shown (VP8's alternate reference: RFC 6386, 9.1)."""
    return stream.codec_context.codec.canonical_name == "vp8" and not bytes(packet)[0] & 0x10


def _rate(stream: Any) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= 1000:
            return float(rate)
    return IMAGE_FPS


def _announced_length(container: Any, stream: Any) -> float:
    """Seconds that a container says its video has; 0 where it says nothing."""
    tagged = _seconds(stream.metadata.get("DURATION"))
    if tagged:
        return tagged
    alone = len(container.streams) == 1  # else another stream may be longer
    return container.duration / av.time_base if alone and container.duration else 0.0


def _seconds(text: str | None) -> float:
    """Matroska's ``01:02:03.5`` in seconds; 0 where there is nothing to read."""
    parts = (text or "").split(":")
    try:
        return sum(float(p) * f for p, f in zip(parts, (3600, 60, 1), strict=True))
    except ValueError:
        return 0.0


def _riff_cut(path: Path) -> bool:
    """Whether an AVI file ends within one of its RIFF parts."""
    size = path.stat().st_size
    place = 0
    with path.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            head = file.read(8)
            if head[:4] != b"RIFF":
                return False  # something was put behind the video
            place += 8 + int.from_bytes(head[4:], "little")
    return place > size


def _reason(error: BaseException) -> str:
    said = str(getattr(error, "strerror", None) or error)
    return said[:1].lower() + said[1:]
