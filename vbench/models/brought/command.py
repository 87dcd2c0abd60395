"""A command that restores a folder of PNG files into another one, in an environment of its own."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.errors import InputError, RunError, VbenchError, writable
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import ClipMeta, Restorer

LIMIT = 3600.0
"""Seconds that a command may take for one clip; ``VBENCH_COMMAND_TIMEOUT`` sets another number."""
GRACE = 5.0
"""Seconds that it may take to end."""
TOLD = 5
"""Last lines of what it wrote that an error shows."""


def spec(what: str, label: str | None) -> ModelSpec:
    """The command behind ``cmd:``, with ``{input}`` and ``{output}`` where the folders are to stand.

    Raises:
        InputError: it lacks one of the two, its quotes do not match, there is no such program, or its time limit is none.
    """
    _limit()
    text = what.removeprefix("cmd:").strip()
    if "{input}" not in text or "{output}" not in text:
        lacking = " and no ".join(word for word in ("{input}", "{output}") if word not in text)
        raise InputError(
            f'The command "{text}" has no {lacking}: that is where the folder of degraded frames and '
            'the one for restored frames stand. For example: cmd:"python infer.py --in {input} --out {output}"'
        )
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"The command {text!r} cannot be split into words: {error}.") from error
    if shutil.which(words[0]) is None:
        raise InputError(f'There is no program "{words[0]}", with which the command "{text}" begins.')

    def load(device: torch.device, weights: Path | None) -> Restorer:
        return Command(words, device)

    return ModelSpec(
        name=label or f"cmd-{hashlib.sha256(text.encode()).hexdigest()[:8]}",
        version=1,
        title=f"the command {words[0]}",
        task="brought",
        source=f"the user's command: {text}",
        licence="the user's",
        load=load,
        settings={"command": text, "frames": "8-bit PNG, one folder to another"},
        scales=None,
    )


class Command:
    """Writes a clip as ``00000000.png`` and so on, runs the command, and reads what it wrote, in the order of names.

    Args:
        words: program and arguments, with ``{input}`` and ``{output}``; no shell is involved.
        device: where frames are given back.
    """

    def __init__(self, words: list[str], device: torch.device) -> None:
        self._words = words
        self._device = device

    def restore(self, chunks: Iterator[torch.Tensor], meta: ClipMeta) -> Iterator[torch.Tensor]:
        """Everything when the command has ended; the folders are gone afterwards.

        Raises:
            RunError: the command fails or takes too long, or what it wrote has other frames than asked for.
        """
        from vbench.frames_io import write_png
        from vbench.models.brought.frames import matched, opened
        from vbench.restore import from_array, to_uint8

        with tempfile.TemporaryDirectory(prefix="vbench-") as folder:
            given, made = Path(folder) / "input", Path(folder) / "output"
            given.mkdir()
            made.mkdir()
            count = 0
            for chunk in chunks:
                for frame in to_uint8(chunk):
                    write_png(given / f"{count:08d}.png", frame)
                    count += 1
            self._run(given, made)
            if not (made.is_dir() and any(made.iterdir())):
                raise RunError(f"{self._said()} ended well and wrote nothing into {{output}}.")
            try:
                for frames in opened(made, meta).chunks(1):
                    yield matched(from_array(frames), meta.channels).to(self._device)
            except VbenchError as error:
                # The folder has another name in every run, and is gone when this is read.
                said = str(error).replace(str(made), "{output}")
                raise RunError(f"{self._said()} ended well, but what it wrote cannot be used: {said}") from error

    def _said(self) -> str:
        return f'The command "{shlex.join(self._words)}"'

    def _run(self, given: Path, made: Path) -> None:
        words = [word.replace("{input}", str(given)).replace("{output}", str(made)) for word in self._words]
        limit = _limit()
        pipe = subprocess.PIPE
        keeper = [sys.executable, "-I", "-S", "-c", KEEPER] if os.name == "posix" else []
        with subprocess.Popen(
            [*keeper, *words],
            stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True,
        ) as process:  # fmt: skip
            told = _Told(process)
            try:
                told.wait(limit)
            except subprocess.TimeoutExpired as error:
                raise RunError(
                    f"{self._said()} took longer than {limit:g} seconds for one clip and was stopped. The environment "
                    "variable VBENCH_COMMAND_TIMEOUT sets another limit."
                ) from error
            finally:
                # Its keeper sees this, also where this process is ended, and ends the command.
                told.let_go()
        if process.returncode:
            raise RunError(f"{self._said()} {_ended(process.returncode)}. It wrote: {_tail(told.output())}")


KEEPER = """
import os, resource, signal, subprocess, sys, threading

child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, process_group=0)

def end():
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:  # nothing of it is left
        pass

def watch():
    while os.read(0, 1):
        pass
    end()

threading.Thread(target=watch, daemon=True).start()
if hasattr(os, "waitid"):
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    end()
    status = child.wait()
else:
    status = child.wait()
    end()
if status < 0:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), -status)
os._exit(status)
"""
"""Runs a command in a group of its own, and ends all of that when the command has ended, or when whoever waits for it lets
go of this program's input or is gone: an hour's work on a GPU must not go on after Ctrl-C or a crash. It ends as the
command did. As long as the command has not been waited for, no other group can have its number."""


class _Told(threading.Thread):
    """Listens to what a process writes, and keeps the end of it."""

    KEPT = 2**16

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._end = bytearray()
        self.start()

    def run(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was started so
        while data := os.read(self._process.stdout.fileno(), self.KEPT):
            self._end += data
            del self._end[: -self.KEPT]

    def wait(self, limit: float) -> None:
        """Wait for the process to end, and see it at once: it is measured.

        Raises:
            subprocess.TimeoutExpired: it has not ended after so many seconds.
        """
        last = time.monotonic() + limit
        # The end of what it says is its own end, unless something else holds the pipe.
        while self.is_alive() and self._process.poll() is None and time.monotonic() < last:
            self.join(0.1)
        self._process.wait(max(0.0, last - time.monotonic()))

    def let_go(self) -> None:
        """End the process if it has not ended, and what it started."""
        assert self._process.stdin is not None  # noqa: S101 - as above
        self._process.stdin.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # What has gone into a session of its own may still hold the other end.
        self.join(GRACE)

    def output(self) -> bytes:
        """The last bytes."""
        return bytes(self._end)


def _ended(status: int) -> str:
    """How a process ended, in words.

    Example:
        >>> _ended(3), _ended(-9)
        ('ended with status 3', 'was ended by the signal SIGKILL')
    """
    if status > 0:
        return f"ended with status {status}"
    try:
        return f"was ended by the signal {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by the signal {-status}"


def _tail(output: bytes) -> str:
    """The last lines of what a process wrote, as one, without what would steer a terminal.

    Example:
        >>> _tail(b"one\\n\\x1b[31mtwo\\x1b[0m\\n"), _tail(b"")
        ('one two', 'nothing')
    """
    lines = [line.strip() for line in writable(output.decode("utf-8", "replace")).strip().splitlines()[-TOLD:]]
    return " ".join(lines) or "nothing"


def _limit() -> float:
    text = os.environ.get("VBENCH_COMMAND_TIMEOUT")
    if text is None:
        return LIMIT
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise InputError(f"VBENCH_COMMAND_TIMEOUT is {text!r}; a number of seconds above 0 is expected.")
    return limit
