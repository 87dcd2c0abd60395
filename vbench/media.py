"""Videos: decoding any container to RGB frames. The only file that knows containers.

What reads gives ``(T, H, W, C)`` arrays, RGB or gray, uint8 or (for sources of more than 8 bits) uint16 over
the full range 0..65535. Image files are in `vbench.frames_io`, pixels in `vbench.colour`, FFmpeg's filters in
`vbench.ffmpeg_pipe`; what others need of them can be had from here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
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


class VideoClip:
    """A video that FFmpeg reads. Frames come as they are stored: none is dropped, repeated or retimed.

    YUV becomes RGB by the matrix and range that the stream is tagged with, or by those that FFmpeg takes for
    untagged streams; ``info.colour`` says which. Rotation tags are honoured, edit lists too. Pixel aspect
    ratio and transfer function are left alone. Damage that the decoder notices is an error when the frame is
    read, and never patched over. Output does not depend on the number of threads.

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
        counted = self._count()
        self._total = counted.frames
        self.whole = counted.frames
        self._rewind()
        first = self._next()
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
            colour=describe(first),
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
                return container, stream
        container.close()
        raise InputError(f'"{self._path}" holds no video stream.')

    def _count(self) -> _Counted:
        """Count packets, which decodes nothing, and look for signs that the file is cut."""
        container, stream = self._open()
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
        return _Counted(announced, whole, rate)

    def _decodable(self) -> int:
        """Frames that can be had of a file that is cut."""
        self._rewind()
        try:
            while self._position < self._total:
                self._next()
        except InputError:
            pass
        return self._position

    def _rewind(self) -> None:
        self.close()
        self._container, stream = self._open()
        self._decoded = self._container.decode(stream)

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
