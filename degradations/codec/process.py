"""One FFmpeg process that takes raw pictures and gives a coded stream, which is read while it is being written."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import IO, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from degradations.errors import CannotDamage

FPS = 25
"""Frames per second of every stream: rates and GOPs of encoders depend on it, and the damage must not depend on the
clip's own."""

Item = TypeVar("Item")

Reader = Callable[[IO[bytes]], Iterator[Item]]
"""Turns a coded stream, as its bytes come, into what is wanted of each frame, in the order in which frames are shown."""


def ffmpeg_exe() -> str:
    """Path of the FFmpeg in use: that of imageio-ffmpeg, or what the variable IMAGEIO_FFMPEG_EXE names.

    Raises:
        CannotDamage: there is none.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise CannotDamage(
            "There is no FFmpeg to encode with. Install one with `pip install -U imageio-ffmpeg`, or name one in the "
            "variable IMAGEIO_FFMPEG_EXE."
        ) from error


def encoder_version() -> str:
    """Version of the FFmpeg in use, whose encoders decide on the bytes."""
    return _version(ffmpeg_exe())


@cache
def _version(exe: str) -> str:
    try:
        out = subprocess.run([exe, "-version"], capture_output=True, text=True, check=True).stdout
    except OSError as error:
        raise _no_start(exe, error) from error
    return out.split("version ", 1)[1].split(" ", 1)[0]


def _no_start(exe: str, error: OSError) -> CannotDamage:
    return CannotDamage(
        f'FFmpeg ("{exe}") cannot be started: {error.strerror}. Unset IMAGEIO_FFMPEG_EXE, or '
        "`pip install -U imageio-ffmpeg`."
    )


@dataclass(frozen=True)
class Job:
    """What one FFmpeg has to do: raw RGB pictures of ``size`` (height, width) through an encoder with ``options``.

    ``container`` is the format of the stream on the pipe. With ``headers`` every line that FFmpeg's ``trace_headers``
    prints about the stream goes to that function, from another thread.
    """

    size: tuple[int, int]
    options: Mapping[str, Any]
    container: str = "matroska"
    headers: Callable[[bytes], None] | None = None

    def command(self) -> list[str]:
        """The arguments with which FFmpeg is started."""
        import ffmpeg

        height, width = self.size
        extra: dict[str, Any] = {"f": self.container}
        # FFmpeg refuses the two together; from 25 to 25 per second it keeps every frame.
        if "r" not in self.options:
            extra |= {"fps_mode": "passthrough"}
        if self.container == "matroska":
            # The muxer holds packets back until a cluster is full; small clusters let the decoder start early.
            extra |= {"cluster_time_limit": 40}
        if self.headers is not None:
            extra |= {"bsf:v": "trace_headers"}
        stream = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=FPS)
        stream = stream.output("pipe:1", **self.options, **extra)
        level = "level+error" if self.headers is None else "level+info"
        command = stream.global_args("-hide_banner", "-nostdin", "-nostats", "-loglevel", level).compile(
            cmd=ffmpeg_exe()
        )
        return [str(part) for part in command]


@dataclass
class _Receiver(Generic[Item]):
    """Reads the stream in a thread of its own, so that decoding and encoding go on at the same time."""

    pipe: IO[bytes]
    reader: Reader[Item]
    ready: queue.SimpleQueue[Item | None] = field(default_factory=queue.SimpleQueue)
    failure: BaseException | None = None
    ended: bool = False

    def run(self) -> None:
        try:
            for item in self.reader(self.pipe):
                self.ready.put(item)
        except BaseException as error:
            self.failure = error
        finally:
            # An encoder that cannot write would wait for ever, and so would whoever feeds it.
            while self.pipe.read(1 << 20):
                pass
            self.ready.put(None)

    def taken(self, wait: bool = False) -> Iterator[Item]:
        """What has been read so far, or, with ``wait``, all that will be."""
        while not self.ended and (wait or not self.ready.empty()):
            item = self.ready.get()
            if item is None:
                self.ended = True
            else:
                yield item


def coded(pictures: Iterator[NDArray[np.uint8]], job: Job, reader: Reader[Item]) -> Iterator[Item]:
    """Send pictures through an encoder and yield what ``reader`` makes of the stream, as soon as it is there.

    Args:
        pictures: batches of frames ``(n, H, W, 3)``, RGB, uint8, contiguous, of the job's size.
        reader: runs in another thread.

    Yields:
        The reader's items, in its order; memory is that of the batches and of what the encoder holds back.

    Raises:
        CannotDamage: FFmpeg failed, was killed, or has no such encoder; its message is quoted.
    """
    command = job.command()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "SVT_LOG": "1"},  # errors only
        )
    except OSError as error:
        raise _no_start(command[0], error) from error
    to, out, errors = process.stdin, process.stdout, process.stderr
    if to is None or out is None or errors is None:
        raise RuntimeError("The pipes to FFmpeg were not opened.")
    _widen(to)
    messages: deque[str] = deque(maxlen=20)
    receiver = _Receiver(out, reader)
    threads = [
        threading.Thread(target=_listen, args=(errors, messages, job.headers), daemon=True),
        threading.Thread(target=receiver.run, daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        sent = 0
        for batch in pictures:
            sent += len(batch)
            if not _send(to, batch) or receiver.failure is not None:
                break  # the exit status and messages, or the failure, say why
            yield from receiver.taken()
        if not sent:
            raise ValueError(f"There is no frame for {job.options['c:v']} to encode: the clip is empty.")
        to.close()
        yield from receiver.taken(wait=True)
        status = process.wait()
        threads[0].join()
        if status:
            raise CannotDamage(_complaint(status, list(messages), job))
        if receiver.failure is not None:
            raise _unreadable(receiver.failure, job)
    finally:
        process.kill()
        process.wait()
        for thread in threads:
            thread.join()
        for pipe in (to, out, errors):
            pipe.close()


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold several pictures, where the system can: every filling is a change of process."""
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)
    except (ImportError, AttributeError, OSError):
        return


def _send(pipe: IO[bytes], batch: NDArray[np.uint8]) -> bool:
    """Whether all of ``batch`` was taken."""
    rest = batch.reshape(-1).data
    try:
        while rest:
            rest = rest[pipe.write(rest) :]
    except BrokenPipeError:
        return False
    return True


def _listen(pipe: IO[bytes], messages: deque[str], headers: Callable[[bytes], None] | None) -> None:
    rest = b""
    while block := pipe.read(1 << 16):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if headers is not None and line.startswith(b"[trace_headers"):
                headers(line)
            elif headers is None or b"[error]" in line or b"[fatal]" in line:
                messages.append(line.decode(errors="replace").strip())
    if rest.strip():
        messages.append(rest.decode(errors="replace").strip())


def _unreadable(failure: BaseException, job: Job) -> BaseException:
    """What FFmpeg's decoders say as a sentence; other failures as they are."""
    import av

    if not isinstance(failure, av.FFmpegError):
        return failure
    return CannotDamage(f"The stream of {job.options['c:v']} cannot be decoded: {failure.strerror}.")


def _complaint(status: int, messages: list[str], job: Job) -> str:
    encoder = job.options["c:v"]
    text = [re.sub(r"^(\[[^]]*\] )*", "", line) for line in messages if line]
    if any(line.startswith("Unknown encoder") for line in text):
        return (
            f"The FFmpeg in use (version {encoder_version()}) has no encoder {encoder}. Install one that has it with "
            "`pip install -U imageio-ffmpeg` and unset IMAGEIO_FFMPEG_EXE, or take another codec."
        )
    height, width = job.size
    where = f"FFmpeg's encoder {encoder} failed on a clip of {width} x {height}"
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
        if -status == signal.SIGKILL:
            return (
                f"{where}: it was killed by the signal {name}. If memory ran out, use smaller frames or fewer workers."
            )
        return (
            f"{where}: it broke off by the signal {name}, an error of its own (x265 has one with very small frames and a "
            "rate). Take frames of another size, or another codec."
        )
    first = next((line for line in text if line), "no message")
    hint = ""
    if encoder == "libvvenc" and "submitting" in first:
        hint = (
            ". FFmpeg leaves VVenC 8 bits for each pixel of a frame, which noise at a low qp exceeds: take a higher qp"
        )
    return f"{where} (exit status {status}): {first}{hint}"
