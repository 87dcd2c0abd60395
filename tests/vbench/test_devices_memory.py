"""Peak memory of this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vbench.devices import (
    bounded_memory,
    free_memory,
    free_memory_now,
    whole_memory,
)

PEAKS = """
import numpy as np
from vbench.devices import forget_peak_memory, peak_memory
forget_peak_memory("cpu")
print(peak_memory("cpu"))
held = np.ones(30_000_000)
assert held.sum() > 0
del held
print(peak_memory("cpu"))
forget_peak_memory("cpu")
print(peak_memory("cpu"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells, and lets the peak be set back")
def test_a_peak_is_seen_and_forgotten() -> None:
    """In a process of its own: of a large one the system may take more away meanwhile than is added here."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    if "None" in done.stdout:
        pytest.skip("this system does not let the peak be set back")
    before, seen, after = map(int, done.stdout.split())
    assert seen - before > 200e6
    assert after < seen - 100e6


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_container_counts_where_it_has_less_than_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = whole_memory("cpu")
    free = free_memory_now()
    assert machine is not None
    assert free is not None
    assert 0 < free <= machine
    monkeypatch.setattr("vbench.devices._cgroup_folders", lambda: [tmp_path / "gone", tmp_path])
    # Version 2: without a limit it says so in a word.
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("900000\n")
    assert whole_memory("cpu") == machine
    (tmp_path / "memory.max").write_text("1000000\n")
    assert whole_memory("cpu") == 1_000_000
    assert free_memory_now() == 100_000
    # Pages of files that were read are given back when they are asked for.
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000\n")
    assert free_memory_now() == 400_000
    # Version 1: a number beyond every machine stands for no limit.
    for name in ("memory.max", "memory.current"):
        (tmp_path / name).unlink()
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "memory.usage_in_bytes").write_text("900000\n")
    assert whole_memory("cpu") == machine
    (tmp_path / "memory.limit_in_bytes").write_text("1000000\n")
    assert (whole_memory("cpu"), free_memory_now()) == (1_000_000, 400_000)


def test_a_gpu_has_all_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: SimpleNamespace(total_memory=8 * 2**30))
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: freed.append("yes"))
    assert whole_memory("cuda:1") == 8 * 2**30
    free_memory("cpu")
    assert not freed
    free_memory("cuda:1")
    assert freed


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds it")
def test_processes_share_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr("vbench.devices.free_memory_now", lambda: 10 * 2**30)

    def bound(processes: int) -> int:
        with bounded_memory("cpu", processes):
            return resource.getrlimit(resource.RLIMIT_DATA)[0]

    assert bound(1) - bound(4) == pytest.approx(0.9 * 7.5 * 2**30, rel=0.02)
    # A closer limit of the user's stays.
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (8 * 2**30, hard))
    try:
        assert bound(1) == 8 * 2**30
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
