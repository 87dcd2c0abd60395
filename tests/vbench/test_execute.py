"""Tasks in this process and in others."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from vbench.errors import InputError, RunError
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
    assert outcomes[4].error == "ZeroDivisionError: four"
    assert "Traceback" in outcomes[4].detail
    assert len(done) == 6
    assert sum(counted) == 6


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_would_end_the_program_is_a_failure(workers: int) -> None:
    """As a user's model may: sys.exit(0) would even look as if all had gone well."""
    outcomes = run_tasks(
        [Task("a", leave, (0,), 1), Task("b", leave, (3,), 1), Task("c", double, (1,), 1)], workers=workers
    )
    assert [o.error for o in outcomes[:2]] == [f"It called sys.exit({n}), which ends a program." for n in (0, 3)]
    assert outcomes[2].value == 2


def test_a_dead_worker_is_said() -> None:
    with pytest.raises(RunError, match=r"worker process died.*--workers 1.* One of these was at work: a; b\.$"):
        run_tasks([Task("a", die, (), 1), Task("b", die, (), 1)], workers=2)


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
