"""Tasks on the machines of a Ray cluster, or on all processors and GPUs of this one.

Every machine needs vbench, the same version of it, and sees the workspace and the folder in which the command was typed
under the same names (a disk that they share): a task reads and commits files there, as a worker process does. Ray is an
extra: ``pip install 'vbench[ray]'``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from vbench.errors import RunError, UsageError
from vbench.execute import Outcome, Progress, Task, call, cores, enlist

LOCAL = "local"
"""The address that means: start Ray here, and end it with the command."""


class RayCluster:
    """Runs tasks on a cluster: one processor each, and a GPU where they work on one.

    Args:
        address: ``"local"``, ``"auto"`` (the cluster to which this machine belongs), or ``host:port`` of its head.
        root: the workspace, which all machines see.

    Raises:
        UsageError: Ray is not installed.
        RunError: no cluster answers there, or one of its machines does not see the workspace or has another vbench.
    """

    def __init__(self, address: str, root: Path) -> None:
        self._address = address
        self._root = root.absolute()
        self._ray: Any = None

    def __enter__(self) -> RayCluster:
        # Nothing is sent anywhere, and what tasks print is not the command's.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise UsageError("--ray needs Ray, which is not installed: pip install 'vbench[ray]'.") from error
        options: dict[str, Any] = {"address": self._address, "log_to_driver": False, "logging_level": logging.ERROR}
        if self._address == LOCAL:
            options |= {"num_cpus": cores(), "include_dashboard": False}
        try:
            ray.init(**options)
        except Exception as error:  # whatever is wrong there
            first = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise RunError(
                f'Ray gave no cluster at "{self._address}": {first[0]} Expected: local (started here), auto (the cluster '
                "of this machine, begun by `ray start`), or host:port of its head."
            ) from error
        self._ray = ray
        try:
            self._check()
        except BaseException:
            ray.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def _check(self) -> None:
        """Every machine sees the workspace, and has this vbench."""
        import vbench

        ray = self._ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        mark = self._root / f".vbench-cluster-{uuid.uuid4().hex}"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            mark.write_text("seen")
            for node in ray.nodes():
                if not node["Alive"]:
                    continue
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                seen = ray.remote(_seen).options(num_cpus=0, scheduling_strategy=there, max_retries=0)
                name = node.get("NodeManagerHostname") or node["NodeID"]
                try:
                    version, folder, workspace = ray.get(seen.remote(str(mark), str(Path.cwd())))
                except ray.exceptions.RayError as error:
                    raise RunError(
                        f'The machine "{name}" of the cluster cannot run vbench: {_words(error)} Install vbench '
                        f"{vbench.__version__} there, for the Python that Ray runs."
                    ) from error
                if version != vbench.__version__:
                    raise RunError(
                        f'The machine "{name}" of the cluster has vbench {version}, and this one '
                        f"{vbench.__version__}. Results must not depend on where a task ran: install the same."
                    )
                if not (folder and workspace):
                    lacks = self._root if folder else Path.cwd()
                    raise RunError(
                        f'The machine "{name}" of the cluster does not see "{lacks}". Put it on a disk that all '
                        "machines share, under the same name."
                    )
        except OSError as error:
            raise RunError(f'"{self._root}" cannot be written: {error}.') from error
        finally:
            with contextlib.suppress(OSError):
                mark.unlink()

    def run(
        self, tasks: Sequence[Task], progress: Progress | None, done: Callable[[Outcome], None] | None
    ) -> list[Outcome]:
        """As `vbench.execute.run_tasks`. A task whose process or machine dies is run once more, then is a failure."""
        ray = self._ray
        gpus = ray.cluster_resources().get("GPU", 0)
        if any(task.gpu for task in tasks) and not gpus:
            raise RunError("No machine of the cluster has a GPU that Ray knows of: use --device cpu.")
        tally = ray.remote(_Tally).options(num_cpus=0).remote()
        there = ray.remote(_there)
        waiting = {
            there.options(num_cpus=1, num_gpus=int(task.gpu), max_retries=1).remote(task, tally, str(Path.cwd())): i
            for i, task in enumerate(tasks)
        }
        outcomes: dict[int, Outcome] = {}
        told = 0
        try:
            while waiting:
                ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0.3)
                if progress is not None and (count := ray.get(tally.total.remote())) > told:
                    progress(count - told)
                    told = count
                for ref in sorted(ready, key=waiting.__getitem__):
                    i = waiting.pop(ref)
                    try:
                        outcomes[i] = ray.get(ref)
                    except ray.exceptions.RayError as error:
                        outcomes[i] = Outcome(tasks[i], error=f"The process that ran it is lost: {_words(error)}")
                    if done is not None:
                        done(outcomes[i])
        except KeyboardInterrupt:
            for ref in waiting:
                ray.cancel(ref, force=True)
            raise
        return [outcomes[i] for i in range(len(tasks))]


def _words(error: BaseException) -> str:
    """The first line of what Ray says, as a sentence."""
    said = (str(error).strip().splitlines() or [""])[0].strip() or type(error).__name__
    return said if said.endswith(".") else f"{said}."


def _seen(mark: str, folder: str) -> tuple[str, bool, bool]:
    """On a machine of the cluster: its vbench, and whether it sees the folder and the workspace."""
    import vbench

    return vbench.__version__, Path(folder).is_dir(), Path(mark).is_file()


class _Tally:
    """Frames that are done, counted for all machines."""

    def __init__(self) -> None:
        self._frames = 0

    def add(self, frames: int) -> None:
        self._frames += frames

    def total(self) -> int:
        return self._frames


class _Far:
    """What `vbench.execute.advance` counts on in a process of the cluster."""

    def __init__(self, tally: Any) -> None:
        self._tally = tally

    def get_lock(self) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()

    @property
    def value(self) -> int:
        return 0

    @value.setter
    def value(self, frames: int) -> None:
        self._tally.add.remote(frames)


def _there(task: Task, tally: Any, folder: str) -> Outcome:
    """In a process of the cluster."""
    os.chdir(folder)
    enlist(_Far(tally), cores(), 1)
    return call(task)
