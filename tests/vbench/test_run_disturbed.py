"""Runs that models, commands and what an interrupted command left disturb."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.store import read_cells
from vbench.cli import app
from vbench.errors import InputError, RunError
from vbench.frames_io import write_png
from vbench.models.brought import command

MODELS = """
import os, torch

class Blind:
    def restore(self, chunks, meta):
        for _ in range(meta.frames):
            yield torch.zeros(1, meta.channels, meta.height, meta.width)

class Glance:
    def restore(self, chunks, meta):
        first = next(chunks)[:1]
        for _ in range(meta.frames):
            yield first

def away():
    os.chdir("/")
    torch.set_default_dtype(torch.float64)
    return lambda frames: frames

class Own(BaseException):
    pass

def base():
    def run(frames):
        raise Own("of a \\udcff file")
    return run

half = lambda: lambda frames: 0.5 * frames
same = lambda: lambda frames: frames
"""


def run(root: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        app, ["run", "--metrics", "psnr", "--root", str(root), "--workers", "1", *arguments], catch_exceptions=True
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def root(
    tmp_path: Path, moving: NDArray[np.uint8], clip_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A workspace with a data set of noise; the working folder holds it, and a file of models."""
    source = clip_folder(moving[:3, :24, :32], "clip")
    CliRunner().invoke(
        app,
        ["synth", "-p", "noise", "--variant", "gaussian25", "-s", str(source), "--root", str(tmp_path / "ws"), "--workers", "1"],
        catch_exceptions=False,
    )  # fmt: skip
    (tmp_path / "mine.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return Path("ws")


@pytest.mark.parametrize("kind", ["Blind", "Glance"])
def test_a_model_need_not_look_at_all_frames(root: Path, kind: str) -> None:
    code, out = run(root, "-m", f"m=mine.py:{kind}")
    assert (code, "2 clips restored, 2 results measured" in out) == (0, True)


def test_a_model_that_goes_to_another_folder_takes_nobody_along(root: Path) -> None:
    """And none has another type of numbers afterwards."""
    import torch

    here = Path.cwd()
    code, out = run(root, "-m", "m=mine.py:away,other=mine.py:same")
    assert (code, "3 clips restored, 3 results measured" in out) == (0, True)
    assert Path.cwd() == here
    assert torch.get_default_dtype() == torch.float32


def test_whatever_a_model_raises_is_its_own_failure(root: Path) -> None:
    code, out = run(root, "-m", "m=mine.py:base")
    assert code == 1
    assert 'failed: m on noise-gaussian25, clip "clip": Own: of a ? file (mine.py, line' in out
    assert {c.model: c.status for c in read_cells(root)} == {"identity": "ok", "m": "failed"}


def test_what_is_said_of_frames_is_never_said_of_others(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models of one name, one after the other, and killed before the second one's note was written."""
    from vbench import restoring

    assert run(root, "-m", "m=mine.py:half")[0] == 0
    with monkeypatch.context() as patched:

        def killed(*_: Any) -> None:
            raise RunError("killed")

        patched.setattr(restoring, "write_json", killed)
        assert run(root, "-m", "m=mine.py:same")[0] == 1
    code, out = run(root, "-m", "m=mine.py:half")
    assert (code, "1 clip restored" in out) == (0, True)
    (psnr,) = (c.value for c in read_cells(root) if c.model == "m")
    (doing_nothing,) = (c.value for c in read_cells(root) if c.model == "identity")
    assert psnr is not None
    assert doing_nothing is not None
    assert psnr < doing_nothing - 3  # half as bright


def test_frames_that_are_gone_stop_nothing_else(root: Path) -> None:
    """Also where it depends on the size of a clip whether what was restored is as it would be now."""
    shutil.copytree(root / "datasets" / "noise-gaussian25", root / "datasets" / "other")
    facts = root / "datasets" / "other" / "dataset.json"
    facts.write_text(facts.read_text().replace('"name": "noise-gaussian25"', '"name": "other"'))
    tiled = ("-m", "m=mine.py:half", "--tile", "64")
    assert run(root, *tiled)[0] == 0
    shutil.rmtree(root / "datasets" / "other" / "lq")
    code, out = run(root, "-m", "m=mine.py:half,n=mine.py:same", "--tile", "96")
    assert code == 1
    assert 'failed: n on other, clip "clip": ' in out
    assert "failed: n on noise" not in out
    assert "1 clip restored, 1 result measured" in out


def test_one_unfinished_data_set_does_not_stop_the_others(root: Path) -> None:
    shutil.copytree(root / "datasets" / "noise-gaussian25", root / "datasets" / "begun")
    (root / "datasets" / "begun" / "dataset.json").unlink()
    (root / "datasets" / "damaged").mkdir()
    (root / "datasets" / "damaged" / "dataset.json").write_text("{")
    code, out = run(root, "-m", "identity")
    assert code == 1
    assert "Not finished, so left out: begun, damaged." in out
    assert "1 clip restored, 1 result measured" in out
    assert 'not run on begun: "' in out
    assert "interrupted there" in out
    assert "not run on damaged: " in out
    assert json.loads((root / "results" / "run.json").read_text())["datasets"] == ["noise-gaussian25"]
    # By name it is an error, and so it is where nothing is whole.
    with pytest.raises(InputError, match="begun.*interrupted there"):
        run(root, "-d", "begun")
    shutil.rmtree(root / "datasets" / "noise-gaussian25")
    with pytest.raises(InputError, match="(?s)begun.*interrupted there.*damaged.*not valid JSON"):
        run(root, "-m", "identity")


def test_a_data_set_that_is_replaced_is_gone_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not half of it, where the command is stopped while it removes a large one."""
    again = [
        "synth",
        "-p",
        "noise",
        "--variant",
        "gaussian25",
        "-s",
        "sources/clip",
        "--root",
        str(root),
        "--workers",
        "1",
    ]

    def stopped(*_: Any, **__: Any) -> None:
        raise RunError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", stopped)
        result = CliRunner().invoke(app, [*again, "--seed", "1", "--replace"])
        assert str(result.exception) == "stopped"
    assert not (root / "datasets" / "noise-gaussian25").exists()
    result = CliRunner().invoke(app, [*again, "--seed", "1"], catch_exceptions=False)
    assert "1 made" in result.output
    assert [p.name for p in (root / "datasets").iterdir()] == ["noise-gaussian25"]


def test_a_source_that_was_copied_is_the_same_and_another_is_not(root: Path, moving: NDArray[np.uint8]) -> None:
    again = f"synth -p noise --variant gaussian25,gaussian15 -s sources/clip --root {root} --workers 1".split()
    for file in Path("sources/clip").iterdir():
        os.utime(file, (1, 1))
    assert "1 made, 1 was there already" in CliRunner().invoke(app, again, catch_exceptions=False).output
    assert "nothing to do" in CliRunner().invoke(app, again, catch_exceptions=False).output
    write_png(Path("sources/clip/00001.png"), moving[5, :24, :32])
    assert 'already has a clip "clip"' in str(CliRunner().invoke(app, again).exception)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_batch_systems_and_closed_terminals_stop_as_ctrl_c_does(
    number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vbench import cli
    from vbench.console import progress

    def work() -> None:
        with progress("run"):
            os.kill(os.getpid(), getattr(signal, number))
            time.sleep(20)

    monkeypatch.setattr(cli, "app", work)
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        for n in before:  # nohup has them ignored, which stays so
            signal.signal(n, signal.SIG_DFL)
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
    assert end.value.code == 128 + getattr(signal, number)
    assert "What was finished is kept" in capsys.readouterr().err


# --- commands -------------------------------------------------------------------------------------

PATIENT = """
import os, subprocess, sys, time
helper = subprocess.Popen(["sleep", "60"])
with open(sys.argv[1] + ".tmp", "w") as file:
    file.write(f"{os.getpid()} {helper.pid}")
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
if len(sys.argv) < 3:
    time.sleep(60)
"""

WAITING = """
import sys
from pathlib import Path
from vbench.models.brought.command import Command
Command(sys.argv[1:], "cpu")._run(Path("."), Path("."))
"""


def gone(pids: list[int]) -> bool:
    """Whether none of the processes is alive, after some patience."""
    last = time.monotonic() + 20
    while any(alive(pid) for pid in pids) and time.monotonic() < last:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes through /proc")
def test_a_command_ends_with_whoever_waits_for_it(tmp_path: Path) -> None:
    """Also where that is killed, and with all that it started."""
    waiting = subprocess.Popen([sys.executable, "-c", WAITING, sys.executable, "-c", PATIENT, str(tmp_path / "pids")])
    last = time.monotonic() + 60
    while not (tmp_path / "pids").exists() and time.monotonic() < last:
        time.sleep(0.02)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(alive(pid) for pid in pids)
    waiting.kill()
    waiting.wait()
    assert gone(pids)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes through /proc")
def test_what_a_command_left_running_holds_nothing_up(tmp_path: Path) -> None:
    """It holds the pipe through which the command is listened to."""
    began = time.monotonic()
    command.Command([sys.executable, "-c", PATIENT, str(tmp_path / "pids"), "end"], None)._run(tmp_path, tmp_path)  # type: ignore[arg-type]
    assert time.monotonic() - began < 50
    assert gone([int(pid) for pid in (tmp_path / "pids").read_text().split()])


def test_a_command_that_says_much_is_listened_to_in_little_memory(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.write('x' * 99 + '\\n' + 'y' * 5_000_000 + '\\nthe end'); sys.exit(2)"
    with pytest.raises(RunError, match=r"ended with status 2\. It wrote: y+ the end$") as error:
        command.Command([sys.executable, "-c", code], None)._run(tmp_path, tmp_path)  # type: ignore[arg-type]
    assert len(str(error.value)) < 2**16 + 500
