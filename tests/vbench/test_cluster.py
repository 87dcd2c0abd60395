"""A cluster of Ray: the same bytes and figures as worker processes make, and errors in words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from leaderboards.store import read_cells
from vbench.cli import app
from vbench.cluster import RayCluster
from vbench.datasets import open_dataset
from vbench.errors import RunError, UsageError, VbenchError
from vbench.execute import Outcome, Task, advance
from vbench.workspace import read_json

STARTS = """
import sys
import ray
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
print(ray.get(ray.remote(lambda: 42).remote()))
"""


@pytest.fixture(scope="module")
def ray_here() -> None:
    """Ray may be missing, or forbidden to open its sockets."""
    pytest.importorskip("ray", reason="needs the extra ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        done = subprocess.run([sys.executable, "-c", STARTS], capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("Ray does not start on this machine within two minutes")
    if "42" not in done.stdout:
        pytest.skip(f"Ray does not start on this machine: {done.stderr[-300:]}")


def vbench(*words: object, where: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vbench", *map(str, words)], cwd=where, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_same_data_and_figures_as_without(ray_here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def build():\n    return lambda frames: 1 - frames\n")
    synth = ("synth", "-p", "noise", "--variant", "gaussian25", "--clip", "cat,cameraman", "--max-frames", "3")
    run = ("run", "-m", "temporal-median,mine.py:build", "--metrics", "psnr")
    for words in (synth, run):
        done = CliRunner().invoke(app, [*words, "--root", "plain", "--workers", "1"])
        assert done.exit_code == 0, done.output
    assert "2 made" in vbench(*synth, "--root", "far", "--ray", "local", where=tmp_path)
    assert "6 clips restored" in vbench(*run, "--root", "far", "--ray", "local", where=tmp_path)
    facts = [open_dataset(tmp_path / root / "datasets" / "noise-gaussian25").facts for root in ("plain", "far")]
    assert facts[0].clips == facts[1].clips
    plain, far = (
        {(cell.clip, cell.model): (cell.value, cell.restored_sha256) for cell in read_cells(tmp_path / root)}
        for root in ("plain", "far")
    )
    assert plain == far
    assert len(far) == 6
    assert not list((tmp_path / "far").glob(".vbench-cluster-*"))
    assert read_json(tmp_path / "far" / "results" / "run.json")["command"].endswith("--ray local")


def double(number: int) -> int:
    advance(number)
    return 2 * number


def fails(_: int) -> int:
    raise RunError("It does not work.")


def dies(_: int) -> int:
    os._exit(3)


def threads(_: int) -> int:
    return torch.get_num_threads()


def test_outcomes_progress_and_processes_that_die(ray_here: None, tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])  # processes find this file
    sys.path.insert(0, here)
    import test_cluster as there

    frames: list[int] = []
    seen: list[Outcome] = []
    try:
        with RayCluster("local", tmp_path / "root") as cluster:
            tasks = [Task(f"{i}", there.double, (i,), i) for i in range(1, 5)]
            tasks += [Task("bad", there.fails, (0,), 0), Task("dies", there.dies, (0,), 0)]
            tasks += [Task("threads", there.threads, (0,), 0)]
            outcomes: Sequence[Outcome] = cluster.run(tasks, frames.append, seen.append)
            with pytest.raises(RunError, match="--device cpu"):
                cluster.run([Task("gpu", there.double, (1,), 1, gpu=True)], None, None)
    finally:
        sys.path.remove(here)
    assert [o.value for o in outcomes[:4]] == [2, 4, 6, 8]
    assert outcomes[4].error == "It does not work."
    assert "The process that ran it is lost: " in (outcomes[5].error or "")
    assert outcomes[6].value == 1
    assert sum(frames) == 10
    assert {o.task.label for o in seen} == {task.label for task in tasks}


def test_a_cluster_that_is_not_there_is_told(ray_here: None, tmp_path: Path) -> None:
    with pytest.raises(RunError, match='no cluster at "auto"'), RayCluster("auto", tmp_path):
        pass


def test_what_does_not_go_together_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vbench.commands import cluster

    with pytest.raises(UsageError, match="say one"), cluster("local", 2, tmp_path):
        pass
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="pip install"), cluster("local", None, tmp_path):
        pass
    with cluster(None, 2, tmp_path) as machines:
        assert machines is None
    assert issubclass(UsageError, VbenchError)
