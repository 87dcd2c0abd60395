"""Looking at a tree of 10,000 frames, side by side with the plainest way of listing it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vbench.layouts import detect


@pytest.fixture(scope="module")
def reds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty clips of REDS with two sides of a hundred empty files each."""
    root = tmp_path_factory.mktemp("bench") / "REDS"
    for clip in range(50):
        for side in ("train_sharp", "train_sharp_bicubic/X4"):
            folder = root / side / f"{clip:03d}"
            folder.mkdir(parents=True)
            for frame in range(100):
                (folder / f"{frame:08d}.png").touch()
    return root


@pytest.mark.benchmark(group="tree of 10,000 frames")
def test_ours(benchmark: BenchmarkFixture, reds: Path) -> None:
    found = benchmark(detect, reds)
    assert found is not None
    assert len(found.clips) == 50


@pytest.mark.benchmark(group="tree of 10,000 frames")
def test_rglob(benchmark: BenchmarkFixture, reds: Path) -> None:
    assert len(benchmark(lambda: list(reds.rglob("*.png")))) == 10_000
