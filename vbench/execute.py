"""Run many independent tasks, one after another or in worker processes, with progress by frames.

A task is a module-level function and its arguments. A failing task does not stop the others; what it
raised comes back as its outcome. Workers end when their parent does, however it ended. Those of a cluster are
in `vbench.cluster`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
import traceback
import typing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from vbench.errors import VbenchError, unforeseen, writable


@dataclass(frozen=True)
class Task:
    """``function(*arguments)``, to be run anywhere; ``frames`` is its share of the progress bar.

    ``gpu`` says that it works on a GPU: on a cluster it is given one of its own.
    """

    label: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    frames: int
    gpu: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a task: its value, or the error in words (``detail`` holds the traceback)."""

    task: Task
    value: Any = None
    error: str | None = None
    detail: str = ""


Progress = Callable[[int], None]
"""Called with the number of frames that were finished since the last call."""

GRACE = 5.0
"""Seconds that worker processes may take to end once there is nothing more to do."""

_counter: Any = None
_processes = 1


def processes() -> int:
    """How many processes work side by side in this run; this one is among them."""
    return _processes


def advance(frames: int) -> None:
    """Called by tasks: so many frames are done."""
    if _counter is not None:
        with _counter.get_lock():
            _counter.value += frames


def threads_per_worker(workers: int) -> int:
    """Threads that each worker may use, so that together they use the machine once.

    Example:
        >>> threads_per_worker(10_000)
        1
    """
    return max(1, cores() // max(1, workers))


def cores() -> int:
    """CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def default_workers(device: str, tasks: int) -> int:
    """Worker processes when the user names none: one per core on the CPU, one for a GPU.

    Example:
        >>> default_workers("cuda", 10)
        1
    """
    return 1 if not device.startswith("cpu") else max(1, min(cores(), tasks))


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(1)


def _start_worker(counter: Any, parent: int, workers: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its workers
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    enlist(counter, workers, threads_per_worker(workers))


def enlist(counter: Any, processes: int, threads: int) -> None:
    """Make this process a worker.

    Args:
        counter: what :func:`advance` counts on: ``get_lock()`` and ``value``, as `multiprocessing.Value` has them.
        processes: how many work side by side on this machine.
        threads: how many this one may use.
    """
    global _counter, _processes
    _counter, _processes = counter, processes
    limit_threads(threads)


def limit_threads(threads: int) -> None:
    """Let the numeric libraries of this process use so many threads.

    The environment variables reach libraries that are loaded later; torch and OpenCV are told as well.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    import cv2
    import torch

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)


def call(task: Task) -> Outcome:
    """Run a task in this process; what it raises is its outcome, and it leaves the working folder as it was."""
    with _same_folder():
        return _called(task)


@contextlib.contextmanager
def _same_folder() -> Iterator[None]:
    """Come back to the working folder: scripts of models often go where they lie, and what is asked for next may be a path
    from here."""
    try:
        here = os.getcwd()
    except OSError:  # it is gone
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.chdir(here)


def _called(task: Task) -> Outcome:
    try:
        return Outcome(task, value=task.function(*task.arguments))
    except VbenchError as error:
        return Outcome(task, error=writable(str(error)))
    except SystemExit as error:  # a user's model may do that: neither the others nor the exit status are its own
        return Outcome(
            task, error=f"It called sys.exit({error.code!r}), which ends a program.", detail=traceback.format_exc()
        )
    except KeyboardInterrupt:
        raise
    # One broken clip or model must not stop the others, whatever it raises.
    except BaseException as error:
        return Outcome(task, error=unforeseen(error), detail=traceback.format_exc())


class Crew:
    """Worker processes that stay for several calls of :func:`run_tasks`: each loads PyTorch once, which takes seconds.

    They are started when they are first needed, and end with ``with``.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        context = multiprocessing.get_context("spawn")
        self.counter = context.Value("q", 0)
        self._context = context
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Let the processes end. What is kept from it by a thread that a model left running, say, is ended: all tasks that
        they did are done."""
        if self._pool is None:
            return
        waiting = {process.sentinel: process for process in (self._pool._processes or {}).values()}
        self._pool.shutdown(wait=False, cancel_futures=True)
        last = time.monotonic() + GRACE
        while waiting and (left := last - time.monotonic()) > 0:
            for ended in multiprocessing.connection.wait(list(waiting), left):
                del waiting[typing.cast(int, ended)]
        for process in waiting.values():
            process.kill()
        self._pool.shutdown(wait=True)
        self._pool = None

    def pool(self) -> ProcessPoolExecutor:
        """The processes; they are begun one by one, as there is work for them."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=self._context,
                initializer=_start_worker,
                initargs=(self.counter, os.getpid(), self.workers),
            )
        return self._pool

    def renew(self) -> None:
        """Other processes in place of these, of which one died."""
        self._end()

    def alone(self, task: Task) -> Outcome:
        """A task in a process that runs nothing else; if that dies, the outcome says how."""
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_alone, args=(there, task, self.counter, os.getpid()))
        process.start()
        there.close()
        try:
            outcome: Outcome = here.recv()
        except EOFError:
            process.join()
            return Outcome(task, error=f"The process that ran it died, alone too: {_ending(process.exitcode)}.")
        except BaseException:
            process.kill()
            raise
        finally:
            here.close()
            process.join(GRACE)
            process.kill()
            process.join()
        return outcome

    def kill(self) -> None:
        """End all processes at once; what they had begun was not committed, so nothing is lost."""
        for process in list((self._pool._processes or {}).values()) if self._pool is not None else ():
            process.kill()


def _alone(there: Any, task: Task, counter: Any, parent: int) -> None:
    _start_worker(counter, parent, 1)
    there.send(call(task))


def _ending(status: int | None) -> str:
    """How a process ended, in words.

    Example:
        >>> _ending(3), _ending(-9)[:20]
        ('it ended itself with status 3', 'killed by SIGKILL, a')
    """
    if status is None or status >= 0:
        return f"it ended itself with status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    return f"killed by {name}, as the system does where memory runs out" if name == "SIGKILL" else f"killed by {name}"


class Elsewhere(typing.Protocol):
    """Processes that are not this machine's alone: `vbench.cluster.RayCluster`."""

    def run(
        self, tasks: Sequence[Task], progress: Progress | None, done: Callable[[Outcome], None] | None
    ) -> list[Outcome]:
        """As :func:`run_tasks`."""


def run_tasks(
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    progress: Progress | None = None,
    done: Callable[[Outcome], None] | None = None,
    crew: Crew | Elsewhere | None = None,
) -> list[Outcome]:
    """Run all tasks and give their outcomes in the order of the tasks.

    Where a worker process dies (killed, or out of memory), the tasks that may have been at work are run once more, each
    alone in a process; one that dies again has that as its error, and the others go on.

    Args:
        workers: processes; 1 runs everything in this process.
        crew: worker processes that are there already, or a cluster, in place of ``workers``.
        progress: told how many more frames are done, about ten times a second.
        done: called in this process with each outcome as it comes.
    """
    if not tasks:
        return []
    if crew is not None and not isinstance(crew, Crew):
        return crew.run(tasks, progress, done)
    workers = crew.workers if crew is not None else workers
    if workers <= 1 or len(tasks) == 1:
        return _serial(tasks, progress, done)
    if crew is not None:
        return _parallel(tasks, crew, progress, done)
    with Crew(min(workers, len(tasks))) as own:
        return _parallel(tasks, own, progress, done)


def _parallel(
    tasks: Sequence[Task], crew: Crew, progress: Progress | None, done: Callable[[Outcome], None] | None
) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}

    def take(i: int, outcome: Outcome) -> None:
        outcomes[i] = outcome
        if done is not None:
            done(outcome)

    try:
        while len(outcomes) < len(tasks):
            open_tasks = [i for i in range(len(tasks)) if i not in outcomes]
            try:
                _side_by_side(tasks, open_tasks, crew, progress, take)
            except BrokenProcessPool:
                crew.renew()
                # A process takes tasks in their order, and one waits before the processes: one of these was at work.
                # Each once more, alone, so that the one that ends its process ends no other.
                for i in [i for i in open_tasks if i not in outcomes][: crew.workers + 1]:
                    take(i, crew.alone(tasks[i]))
    except KeyboardInterrupt:
        crew.kill()
        raise
    return [outcomes[i] for i in range(len(tasks))]


def _side_by_side(
    tasks: Sequence[Task],
    chosen: Sequence[int],
    crew: Crew,
    progress: Progress | None,
    take: Callable[[int, Outcome], None],
) -> None:
    counter, seen = crew.counter, crew.counter.value
    futures: dict[Future[Outcome], int] = {crew.pool().submit(call, tasks[i]): i for i in chosen}
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
        if progress is not None and counter.value > seen:
            progress(counter.value - seen)
            seen = counter.value
        for future in sorted(finished, key=futures.__getitem__):
            take(futures[future], future.result())
    if progress is not None and counter.value > seen:
        progress(counter.value - seen)


class _Direct:
    """Stands in for the shared counter when everything runs in this process."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._lock = threading.RLock()

    def get_lock(self) -> threading.RLock:
        return self._lock

    @property
    def value(self) -> int:
        return 0

    @value.setter
    def value(self, frames: int) -> None:
        if self._progress is not None:
            self._progress(frames)


def _serial(tasks: Sequence[Task], progress: Progress | None, done: Callable[[Outcome], None] | None) -> list[Outcome]:
    global _counter  # noqa: PLW0603 - restored below
    before, _counter = _counter, _Direct(progress)
    outcomes = []
    try:
        for task in tasks:
            outcome = call(task)
            outcomes.append(outcome)
            if done is not None:
                done(outcome)
    finally:
        _counter = before
    return outcomes
