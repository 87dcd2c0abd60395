"""Files that hold pictures: decoding videos and images to RGB, writing PNG frames, FFmpeg's filters by pipe.

The only file that knows containers. Everything that reads gives ``(T, H, W, C)`` arrays, RGB or gray, uint8
or (for sources of more than 8 bits) uint16 over the full range 0..65535.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.clip import ClipInfo, Frames, walk
from vbench.errors import InputError, RunError
from vbench.workspace import disk_error, partial_path

if TYPE_CHECKING:
    import av

IMAGE_FPS = 24.0
"""Frames per second of a folder of frames, which says nothing about it."""

PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
"""Fixed, so that the same frame gives the same bytes; fast rather than small."""


# --- images --------------------------------------------------------------------------------------


def read_image(path: Path) -> tuple[NDArray[Any], bool]:
    """One image as ``(H, W, C)`` RGB or gray, uint8 or uint16, and whether it had an alpha channel.

    Raises:
        InputError: missing, damaged, or neither 8 nor 16 bit.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InputError(f'The frame "{path}" cannot be read: {error.strerror}.') from error
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise InputError(
            f'The frame "{path}" ({data.size} bytes) is not an image that can be decoded; it may be truncated. '
            "Restore the file, or leave it out with --frames."
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f'The frame "{path}" holds {image.dtype} samples; frames have 8 or 16 bits.')
    if image.ndim == 2:
        return image[..., None], False
    if image.shape[2] == 4:
        return np.ascontiguousarray(image[..., 2::-1]), True
    return np.ascontiguousarray(image[..., ::-1]), False


def encode_png(frame: NDArray[Any]) -> bytes:
    """``(H, W, C)`` RGB or gray, uint8 or uint16, as the bytes of a PNG file; the same bytes each time."""
    image = frame[..., 0] if frame.shape[2] == 1 else frame[..., ::-1]
    done, data = cv2.imencode(".png", np.ascontiguousarray(image), PNG_OPTIONS)
    if not done:
        raise RunError(f"A frame of shape {frame.shape} and type {frame.dtype} could not be encoded as PNG.")
    return data.tobytes()


class ImageClip:
    """A clip of image files, one per frame, all of one size and kind."""

    def __init__(self, folder: Path, files: list[Path], name: str) -> None:
        self._files = files
        first, alpha = read_image(files[0])
        depth = 8 if first.dtype == np.uint8 else 16
        words = "gray as stored" if first.shape[2] == 1 else "RGB as stored"
        self._expected = first.shape, first.dtype
        self.info = ClipInfo(
            name=name,
            frames=len(files),
            height=first.shape[0],
            width=first.shape[1],
            channels=first.shape[2],
            fps=IMAGE_FPS,
            bit_depth=depth,
            source=str(folder),
            colour=f"{words}, {depth} bit{', alpha dropped' if alpha else ''}",
        )

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded)."""
        _check_range(self.info, start, stop)
        shape, dtype = self._expected
        out = np.empty((stop - start, *shape), dtype)
        for i, path in enumerate(self._files[start:stop]):
            image, _ = read_image(path)
            if image.shape != shape or image.dtype != dtype:
                raise InputError(
                    f'The frames of a clip must be alike: "{path}" is {_words(image.shape, image.dtype)}, and the first, '
                    f'"{self._files[0].name}", is {_words(shape, dtype)}. Move the odd one out of the folder.'
                )
            out[i] = image
        return out

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)


def _words(shape: tuple[int, ...], dtype: Any) -> str:
    kind = "gray" if shape[2] == 1 else "colour"
    return f"{shape[1]} x {shape[0]}, {kind}, {np.dtype(dtype).itemsize * 8} bit"


def _check_range(info: ClipInfo, start: int, stop: int) -> None:
    if not 0 <= start < stop <= info.frames:
        raise InputError(f'Frames {start}:{stop} are not in "{info.name}", which has {info.frames}, counted from 0.')


# --- videos --------------------------------------------------------------------------------------

_MATRICES = {1: ("BT.709", 0.2126, 0.0722), 5: ("BT.601", 0.299, 0.114), 6: ("BT.601", 0.299, 0.114),
             7: ("SMPTE 240M", 0.212, 0.087), 9: ("BT.2020", 0.2627, 0.0593)}  # fmt: skip
"""H.273 matrix coefficients: code to name, Kr, Kb."""


class VideoClip:
    """A video that FFmpeg reads. Frames come as they are stored: none is dropped, repeated or retimed.

    YUV becomes RGB by the matrix and range that the stream is tagged with. An untagged stream is taken for
    BT.601 limited range, as FFmpeg does, whatever its size; ``info.colour`` says so.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._position = 0
        self._recent: deque[tuple[int, NDArray[Any]]] = deque(maxlen=2)
        count, fps = self._count()
        self._total = count
        first = self._first()
        self._depth = max(c.bits for c in first.format.components)
        self._gray = len(first.format.components) == 1 or first.format.name.startswith(("gray", "ya"))
        self._rgb = first.format.is_rgb and not self._gray
        image = self._convert(first)
        self.info = ClipInfo(
            name=name,
            frames=count,
            height=image.shape[0],
            width=image.shape[1],
            channels=image.shape[2],
            fps=fps,
            bit_depth=self._depth,
            source=str(path),
            colour=self._describe(first),
        )

    def _open(self) -> tuple[Any, Any]:
        import av

        try:
            container = av.open(str(self._path), options={"protocol_whitelist": "file"})
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f'"{self._path}" cannot be opened as a video ({_reason(error)}). It may be truncated or of a kind that '
                "FFmpeg does not know."
            ) from error
        if not container.streams.video:
            container.close()
            raise InputError(f'"{self._path}" holds no video stream.')
        return container, container.streams.video[0]

    def _count(self) -> tuple[int, float]:
        """Frames by counting packets, which decodes nothing; frames per second."""
        import av

        container, stream = self._open()
        count, end, at = 0, 0.0, 0
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    count += 1
                    at = max(at, (packet.pos or 0) + packet.size)
                    if packet.pts is not None:
                        end = max(end, float((packet.pts + (packet.duration or 0)) * stream.time_base))
        except av.FFmpegError as error:
            raise InputError(f'"{self._path}" breaks off while being read ({_reason(error)}).') from error
        finally:
            rate = stream.average_rate or stream.guessed_rate or Fraction(24)
            declared = stream.frames
            length = _seconds(stream.metadata.get("DURATION"))
            container.close()
        if not count:
            raise InputError(f'"{self._path}" holds no frame.')
        if not declared and length and end + 1.5 / float(rate) < length:
            declared = round(length * float(rate))
        if self._path.suffix.lower() == ".y4m" and at < self._path.stat().st_size:
            declared = count + 1
        if declared > count:
            raise InputError(
                f'"{self._path}" is truncated: it announces {declared} frames or more and {count} are there. '
                f"Get the whole file, or cut it to what is there with FFmpeg first."
            )
        return count, float(rate)

    def _first(self) -> av.VideoFrame:
        self._rewind()
        frame: av.VideoFrame = self._next()
        self._rewind()
        return frame

    def _rewind(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container, stream = self._open()
        stream.thread_type = "AUTO"  # decoders give the same pictures with any number of threads
        self._frames = self._container.decode(stream)
        self._position = 0

    def _next(self) -> Any:
        import av

        try:
            frame = next(self._frames)
        except StopIteration:
            raise self._broken("the stream ends there") from None
        except av.FFmpegError as error:
            raise self._broken(_reason(error)) from error
        if frame.is_corrupt:
            raise self._broken("the decoder calls it corrupt")
        self._position += 1
        return frame

    def _broken(self, reason: str) -> InputError:
        at = self._position
        rest = f"take only what is whole with --frames 0:{at}" if at else "get the file again"
        return InputError(
            f'Frame {at} of {self._total} in "{self._path}" cannot be decoded: {reason}. The file is damaged or '
            f"truncated: {rest}."
        )

    def _convert(self, frame: Any) -> NDArray[Any]:
        deep = self._depth > 8
        if self._gray:
            return self._turn(self._gray_frame(frame, deep), frame)
        if self._rgb:
            image = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
        elif not deep:
            image = self._yuv8(frame)
        else:
            image = self._yuv_deep(frame)
        return self._turn(image, frame)

    def _gray_frame(self, frame: Any, deep: bool) -> NDArray[Any]:
        limited = int(frame.color_range) != 2 and not self._full_by_name(frame)
        wanted = frame.format.name if frame.format.name in ("gray", "gray10le", "gray12le", "gray16le") else None
        plane = frame.to_ndarray(format=wanted or ("gray16le" if deep else "gray")).astype(np.float64)
        bits = self._depth if wanted else (16 if deep else 8)
        scale = 2.0 ** (bits - 8)
        value = (plane - 16 * scale) / (219 * scale) if limited else plane / (2.0**bits - 1)
        return _quantise(value, deep)[..., None]

    def _full_by_name(self, frame: Any) -> bool:
        """Gray and J formats are full range unless they are tagged as limited."""
        return int(frame.color_range) == 0 and frame.format.name.startswith(("gray", "ya", "yuvj"))

    def _tags(self, frame: Any) -> tuple[int, bool]:
        matrix = int(frame.colorspace)
        full = int(frame.color_range) == 2 or self._full_by_name(frame)
        return (matrix if matrix in _MATRICES else 5), full

    def _yuv8(self, frame: Any) -> NDArray[Any]:
        from av.video.reformatter import ColorRange, Interpolation

        matrix, full = self._tags(frame)
        # Without these flags swscale is off by up to 2.7 levels; with them by rounding alone.
        flags = (
            Interpolation.BICUBIC
            | Interpolation.FULL_CHR_H_INT
            | Interpolation.FULL_CHR_H_INP
            | Interpolation.ACCURATE_RND
            | Interpolation.BITEXACT
        )
        space = 5 if matrix == 6 else matrix
        out = frame.reformat(
            format="rgb24",
            src_colorspace=space,
            dst_colorspace=space,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=flags,
        )
        image: NDArray[Any] = out.to_ndarray()
        return image

    def _yuv_deep(self, frame: Any) -> NDArray[Any]:
        """More than 8 bits: chroma enlarged by swscale, the matrix in floating point (swscale loses a level)."""
        matrix, full = self._tags(frame)
        _, kr, kb = _MATRICES[matrix]
        whole = frame.reformat(format=f"yuv444p{self._depth}le")
        y, u, v = (
            np.frombuffer(plane, "<u2").reshape(plane.height, -1)[:, : plane.width].astype(np.float64)
            for plane in whole.planes
        )
        scale = 2.0 ** (self._depth - 8)
        peak = 2.0**self._depth - 1
        luma = y / peak if full else (y - 16 * scale) / (219 * scale)
        cb = (u - 128 * scale) / (peak if full else 224 * scale)
        cr = (v - 128 * scale) / (peak if full else 224 * scale)
        red = luma + 2 * (1 - kr) * cr
        blue = luma + 2 * (1 - kb) * cb
        green = (luma - kr * red - kb * blue) / (1 - kr - kb)
        return _quantise(np.stack([red, green, blue], axis=-1), deep=True)

    def _turn(self, image: NDArray[Any], frame: Any) -> NDArray[Any]:
        quarter = round((frame.rotation or 0) / 90) % 4
        return np.ascontiguousarray(np.rot90(image, quarter)) if quarter else image

    def _describe(self, frame: Any) -> str:
        name = frame.format.name
        turned = f", turned by {frame.rotation} degrees as tagged" if frame.rotation else ""
        if self._rgb:
            return f"{name}, RGB as stored{turned}"
        matrix, full = self._tags(frame)
        span = "full range" if full else "limited range"
        span += " (untagged)" if int(frame.color_range) == 0 else " (tagged)"
        if self._gray:
            return f"{name}, {span}{turned}"
        tagged = "tagged" if int(frame.colorspace) in _MATRICES else "untagged: BT.601 assumed, as FFmpeg does"
        return f"{name}, {_MATRICES[matrix][0]} ({tagged}), {span}{turned}"

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded); decoding goes on from where the last call stopped."""
        _check_range(self.info, start, stop)
        held = dict(self._recent)
        begin = start
        out: list[NDArray[Any]] = []
        while begin < stop and begin in held:
            out.append(held[begin])
            begin += 1
        if begin < self._position and begin < stop:
            self._rewind()
        while self._position < begin:
            self._next()
        expected = (self.info.height, self.info.width, self.info.channels)
        while self._position < stop:
            index = self._position
            image = self._convert(self._next())
            if image.shape != expected:
                raise InputError(
                    f'Frame {index} of "{self._path}" is {image.shape[1]} x {image.shape[0]} and the first is '
                    f"{expected[1]} x {expected[0]}: the size changes within the stream. Cut the clip before that frame."
                )
            out.append(image)
            self._recent.append((index, image))
        return np.stack(out)

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)


def _quantise(values: NDArray[np.float64], deep: bool) -> NDArray[Any]:
    peak, dtype = (65535, np.uint16) if deep else (255, np.uint8)
    rounded = np.floor(np.clip(values, 0, 1) * peak + 0.5)
    return rounded.astype(dtype)


def _seconds(text: str | None) -> float:
    """Matroska's ``01:02:03.5`` in seconds; 0 where there is nothing to read."""
    parts = (text or "").split(":")
    try:
        return sum(float(p) * f for p, f in zip(parts, (3600, 60, 1), strict=True))
    except ValueError:
        return 0.0


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


# --- writing -------------------------------------------------------------------------------------


class FrameHasher:
    """sha256 over decoded frames: size, type and bytes; the same for any chunking.

    Example:
        >>> frames = np.zeros((4, 2, 2, 3), np.uint8)
        >>> a, b = FrameHasher(), FrameHasher()
        >>> a.update(frames)
        >>> b.update(frames[:1]); b.update(frames[1:])
        >>> a.hexdigest() == b.hexdigest()
        True
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._head: str | None = None

    def update(self, frames: Frames) -> None:
        """Add ``(T, H, W, C)`` frames."""
        head = f"{frames.shape[1:]}{frames.dtype}"
        if self._head is None:
            self._head = head
            self._hash.update(head.encode())
        elif head != self._head:
            raise RunError(f"Frames of one clip differ in size or type: {self._head}, then {head}.")
        self._hash.update(np.ascontiguousarray(frames).data)

    def hexdigest(self) -> str:
        """The hash so far."""
        return self._hash.hexdigest()


class FrameFolder:
    """Writes ``00000000.png``, ... into a folder that appears whole, when the ``with`` block ends, or not at all.

    An older folder of that name is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self._final = folder
        self._temporary = partial_path(folder)
        self._count = 0

    def __enter__(self) -> FrameFolder:
        try:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.mkdir()
        except OSError as error:
            raise disk_error(self._final, error) from error
        return self

    def write(self, frame: NDArray[Any]) -> None:
        """The next frame, ``(H, W, C)``, RGB or gray, uint8 or uint16."""
        path = self._temporary / f"{self._count:08d}.png"
        try:
            path.write_bytes(encode_png(frame))
        except OSError as error:
            raise disk_error(self._final / path.name, error) from error
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            return
        try:
            _flush_folder(self._temporary)
            if self._final.exists():
                shutil.rmtree(self._final)
            self._temporary.rename(self._final)
        except OSError as failure:
            shutil.rmtree(self._temporary, ignore_errors=True)
            raise disk_error(self._final, failure) from failure


def _flush_folder(folder: Path) -> None:
    """Make sure that the names reach the disk before the rename does (no-op where folders cannot be opened)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- FFmpeg's filters ----------------------------------------------------------------------------


def ffmpeg_exe() -> str:
    """The FFmpeg that the package imageio-ffmpeg brings along."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@cache
def ffmpeg_version() -> str:
    """First line of its version, shortened: ``9.0.2-static``."""
    out = subprocess.run([ffmpeg_exe(), "-version"], capture_output=True, text=True, check=True).stdout
    return out.split("version ", 1)[1].split(" ", 1)[0]


def pipe_filter(
    chunks: Iterator[NDArray[np.uint8]],
    filters: str,
    *,
    height: int,
    width: int,
    channels: int,
    fps: float,
    threads: int = 1,
) -> Iterator[NDArray[np.uint8]]:
    """8-bit frames through a chain of FFmpeg's filters, as raw RGB (or gray) by pipes.

    Args:
        chunks: ``(t, H, W, C)`` uint8.
        filters: a filter chain as FFmpeg writes it, ``"hqdn3d=4:3:6:4.5"``.

    Yields:
        Frames of the same size, as many in all as went in.

    Raises:
        RunError: FFmpeg failed, or gave another number of frames.
    """
    import ffmpeg

    pix = "gray" if channels == 1 else "rgb24"
    stream = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pix_fmt=pix,
        s=f"{width}x{height}",
        framerate=str(Fraction(fps).limit_denominator(100_000)),
    ).output("pipe:1", format="rawvideo", pix_fmt=pix, vf=filters, fps_mode="passthrough")
    command = stream.global_args(
        "-hide_banner", "-nostdin", "-loglevel", "error", "-filter_threads", str(threads), "-threads", str(threads),
        "-protocol_whitelist", "pipe,file",
    ).compile(cmd=ffmpeg_exe())  # fmt: skip
    size = height * width * channels
    fed = 0
    failure: list[BaseException] = []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101

    def feed() -> None:
        nonlocal fed
        try:
            with process.stdin as pipe:  # type: ignore[union-attr]
                for chunk in chunks:
                    pipe.write(np.ascontiguousarray(chunk).data)
                    fed += len(chunk)
        except BrokenPipeError:
            pass  # FFmpeg ended first; its exit status and messages say why
        except BaseException as error:
            failure.append(error)

    messages: list[bytes] = []
    feeder = threading.Thread(target=feed, daemon=True)
    reader = threading.Thread(target=lambda: messages.append(process.stderr.read()), daemon=True)  # type: ignore[union-attr]
    feeder.start()
    reader.start()
    got = 0
    try:
        while True:
            data = process.stdout.read(size)
            if len(data) < size:
                break
            got += 1
            yield np.frombuffer(data, np.uint8).reshape(1, height, width, channels)
        feeder.join()
        status = process.wait()
        reader.join()
        if failure:
            raise failure[0]
        if status or data or got != fed:
            last = b"".join(messages).decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise RunError(
                f'FFmpeg\'s filter "{filters}" gave {got} of {fed} frames of {width} x {height} '
                f"(exit status {status}): {last[0]}"
            )
    finally:
        process.kill()
        process.wait()
        feeder.join(timeout=10)
        reader.join(timeout=10)
        process.stdout.close()
        process.stderr.close()
