"""Tasks in this process and in others."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vbench import execute
from vbench.errors import InputError
from vbench.execute import Outcome, Task, advance, run_tasks


def double(x: int) -> int:
    advance(1)
    if x == 3:
        raise InputError("three is not allowed")
    if x == 4:
        raise ZeroDivisionError("four")
    return 2 * x


def leave(status: int) -> None:
    sys.exit(status)


class Own(BaseException):
    """As some packages have them, for what is to reach the top of a program."""


def linger(x: int) -> int:
    """As models do that fetch ahead in a thread, or log: a process does not end as long as it lives."""
    threading.Thread(target=time.sleep, args=(600,)).start()
    return 2 * x


def raise_own() -> None:
    raise Own("mine")


def die() -> None:
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_outcomes_come_in_order_and_failures_stop_nobody(workers: int) -> None:
    done: list[Outcome] = []
    counted: list[int] = []
    tasks = [Task(str(x), double, (x,), 1) for x in range(6)]
    outcomes = run_tasks(tasks, workers=workers, progress=counted.append, done=done.append)
    assert [o.value for o in outcomes] == [0, 2, 4, None, None, 10]
    assert outcomes[3].error == "three is not allowed"
    assert outcomes[3].detail == ""
    assert re.fullmatch(r"ZeroDivisionError: four \(test_execute.py, line \d+\)", outcomes[4].error or "")
    assert "Traceback" in outcomes[4].detail
    assert len(done) == 6
    assert sum(counted) == 6


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_would_end_the_program_is_a_failure(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user's model may: sys.exit(0) would even look as if all had gone well. And what it leaves running in a process of
    its own holds nothing up."""
    monkeypatch.setattr(execute, "GRACE", 0.2)
    last = Task("c", linger if workers > 1 else double, (1,), 1)
    outcomes = run_tasks([Task("a", leave, (0,), 1), Task("b", leave, (3,), 1), last], workers=workers)
    assert [o.error for o in outcomes[:2]] == [f"It called sys.exit({n}), which ends a program." for n in (0, 3)]
    assert outcomes[2].value == 2


def test_whatever_is_raised_is_an_outcome(tmp_path: Path) -> None:
    tasks = [Task("a", raise_own, (), 1), Task("b", os.chdir, (str(tmp_path),), 1), Task("c", os.getcwd, (), 1)]
    a, b, c = run_tasks(tasks)
    assert re.fullmatch(r"Own: mine \(test_execute.py, line \d+\)", a.error or "")
    assert (b.error, c.value) == (None, os.getcwd())


def end_by(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


def die_once(marker: str) -> str:
    """As a process that is killed while memory is short, and not again."""
    if not os.path.exists(marker):
        with open(marker, "w", encoding="utf-8"):
            pass
        os._exit(9)
    return "done"


def test_a_worker_that_dies_takes_nobody_with_it(tmp_path: Path) -> None:
    """One that dies once (memory was short for two, say) is no failure at all."""
    done: list[Outcome] = []
    tasks = [
        Task("once", die_once, (str(tmp_path / "seen"),), 1),
        Task("exits", die, (), 1),
        Task("killed", end_by, (signal.SIGKILL,), 1),
        *(Task(str(x), double, (x,), 1) for x in (0, 2, 3)),
    ]
    outcomes = run_tasks(tasks, workers=2, done=done.append)
    assert [o.value for o in outcomes] == ["done", None, None, 0, 4, None]
    assert outcomes[1].error == "The process that ran it died, alone too: it ended itself with status 9."
    assert outcomes[2].error is not None
    assert "alone too: killed by SIGKILL, as the system does where memory runs out." in outcomes[2].error
    assert outcomes[5].error == "three is not allowed"
    assert sorted(o.task.label for o in done) == sorted(task.label for task in tasks)


PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_execute import sleeper
from vbench.execute import Task, run_tasks
if __name__ == "__main__":
    run_tasks([Task("a", sleeper, (sys.argv[2],), 1), Task("b", sleeper, (sys.argv[2],), 1)], workers=2)
"""


def sleeper(folder: str) -> None:
    with open(os.path.join(folder, str(os.getpid())), "w", encoding="utf-8"):
        pass
    time.sleep(60)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks at processes through /proc")
def test_workers_end_with_their_parent(tmp_path: str) -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, here, str(tmp_path)])
    deadline = time.monotonic() + 60
    while len(os.listdir(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = [int(name) for name in os.listdir(tmp_path)]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_alive(pid) for pid in workers)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
