"""FFmpeg as a program: frames through its filters by pipes, without files and without a shell."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vbench.errors import RunError


def ffmpeg_exe() -> str:
    """The FFmpeg that the package imageio-ffmpeg brings along.

    Raises:
        RunError: there is none for this machine.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise RunError(
            f"The package imageio-ffmpeg brings no FFmpeg for this machine ({error}). Install one and name "
            "it in the environment variable IMAGEIO_FFMPEG_EXE."
        ) from error


@cache
def ffmpeg_version() -> str:
    """Its version, as in the first line that it prints."""
    out = subprocess.run([ffmpeg_exe(), "-version"], capture_output=True, text=True, check=True).stdout
    return out.split("version ", 1)[1].split(" ", 1)[0]


def filter_command(
    filters: str, *, height: int, width: int, channels: int, fps: float, threads: int, pix_fmt: str | None
) -> list[str]:
    """The command line that sends raw frames from its input through ``filters`` to its output."""
    import ffmpeg

    raw = "gray" if channels == 1 else "rgb24"
    rate = str(Fraction(fps).limit_denominator(100_000))
    first = f"format={pix_fmt}," if pix_fmt else ""
    safe = {"protocol_whitelist": "pipe", "threads": threads}
    source = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt=raw, s=f"{width}x{height}", framerate=rate, **safe)
    sink = source.output(
        "pipe:1", format="rawvideo", pix_fmt=raw, vf=first + filters, fps_mode="passthrough", threads=threads
    )
    quiet = ("-hide_banner", "-nostdin", "-loglevel", "error", "-filter_threads", str(threads))
    command: list[str] = sink.global_args(*quiet).compile(cmd=ffmpeg_exe())
    return command


class _Feeder(threading.Thread):
    """Writes chunks to FFmpeg's input, so that reading its output never waits for writing."""

    def __init__(self, chunks: Iterable[NDArray[np.uint8]], pipe: IO[bytes], shape: tuple[int, ...]) -> None:
        super().__init__(daemon=True)
        self._chunks = chunks
        self._pipe = pipe
        self._shape = shape
        self.fed = 0
        self.refused = False
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for chunk in self._chunks:
                if chunk.shape[1:] != self._shape or chunk.dtype != np.uint8:
                    raise RunError(
                        f"Frames of shape {chunk.shape[1:]} and type {chunk.dtype} were given to an FFmpeg "
                        f"filter that was started for uint8 frames of shape {self._shape}."
                    )
                for frame in chunk:
                    self._pipe.write(np.ascontiguousarray(frame).data)
                    self.fed += 1
        except BrokenPipeError:
            self.refused = True  # FFmpeg ended first; its exit status and messages say why
        except BaseException as error:
            self.failure = error  # raised again where the frames are awaited
        finally:
            close = getattr(self._chunks, "close", None)
            try:
                if close is not None:
                    close()
                self._pipe.close()
            except BrokenPipeError:
                self.refused = True
            except BaseException as error:
                self.failure = self.failure or error


def pipe_filter(
    chunks: Iterable[NDArray[np.uint8]],
    filters: str,
    *,
    height: int,
    width: int,
    channels: int,
    fps: float,
    pix_fmt: str | None = None,
    threads: int = 1,
    folder: Path | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """8-bit frames through a chain of FFmpeg's filters, as raw RGB (or gray) by pipes; memory stays bounded.

    The conversion around a filter that works in YUV is FFmpeg's own choice unless the chain pins it
    (``scale``, with matrix, range and flags, then ``format=yuv444p``); ``gbrp`` loses nothing.

    Args:
        chunks: ``(t, H, W, C)`` uint8; drawn in a thread, and closed at the end if it is a generator.
        filters: a filter chain as FFmpeg writes it, ``"hqdn3d=4:3:6:4.5"``.
        pix_fmt: pixel format that the first filter gets, such as ``"gbrp"``; by default what FFmpeg chooses.
        threads: of filters that are made for several. Measured: bm3d with groups of more than one block gives
            other values with two; hqdn3d, nlmeans, unsharp and bm3d with ``group=1`` the same.
        folder: in which FFmpeg runs, for filters that read or write a file of a plain name.

    Yields:
        ``(1, H, W, C)`` frames, read-only, as many in all as went in.

    Raises:
        RunError: FFmpeg failed, or gave another number of frames.
    """
    command = filter_command(
        filters, height=height, width=width, channels=channels, fps=fps, threads=threads, pix_fmt=pix_fmt
    )
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder)
    stdin, stdout, stderr = _pipes(process)
    messages: deque[bytes] = deque(maxlen=20)
    listener = threading.Thread(target=lambda: messages.extend(stderr), daemon=True)
    feeder = _Feeder(chunks, stdin, (height, width, channels))
    feeder.start()
    listener.start()
    size = height * width * channels
    got = 0
    try:
        while len(data := stdout.read(size)) == size:
            got += 1
            yield np.frombuffer(data, np.uint8).reshape(1, height, width, channels)
        status = process.wait()
        feeder.join()
        listener.join()
        if feeder.failure is not None:
            raise feeder.failure
        if status or data or feeder.refused or got != feeder.fed:
            said = b" ".join(messages).decode(errors="replace").strip() or "no message"
            given = f"{feeder.fed} or more" if feeder.refused else f"{feeder.fed}"
            raise RunError(
                f'FFmpeg\'s filter "{filters}" gave {got} of {given} '
                f"frames of {width} x {height} (exit status {status}). "
                f"FFmpeg says: {said}"
            )
    finally:
        process.kill()
        process.wait()
        feeder.join(timeout=10)
        listener.join(timeout=10)
        stdout.close()
        stderr.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    pipes: Any = (process.stdin, process.stdout, process.stderr)
    return pipes[0], pipes[1], pipes[2]
