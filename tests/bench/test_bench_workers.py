"""`vbench synth` as it is typed, with one worker on one core and with two on two: how the work scales.

One worker on a machine of two cores decodes, damages and encodes side by side and has both of them busy; what scaling
means is seen where each has one core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from skimage import data

from vbench.frames_io import encode_png

Bench = Callable[..., Any]

CLIPS, FRAMES, HEIGHT, WIDTH = 4, 24, 480, 854


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of frames: a photograph that moves."""
    room = tmp_path_factory.mktemp("sources")
    photo = cv2.resize(data.astronaut(), (1000, 1000))
    for clip in range(CLIPS):
        folder = room / f"clip{clip}"
        folder.mkdir()
        for t in range(FRAMES):
            top = 10 * clip + 2 * t
            frame = photo[top : top + HEIGHT, 3 * t : 3 * t + WIDTH]
            (folder / f"{t:05d}.png").write_bytes(encode_png(frame))
    return room


def seconds(sources: Path, root: Path, profile: str, variant: str, cores: list[int], workers: int) -> float:
    command = [sys.executable, "-m", "vbench", "synth", "--profile", profile, "--variant", variant]
    command += ["--source", str(sources), "--root", str(root), "--workers", str(workers)]
    limit = ["taskset", "--cpu-list", ",".join(map(str, cores))]
    begin = time.perf_counter()
    subprocess.run([*limit, *command], check=True, capture_output=True)
    return time.perf_counter() - begin


@pytest.mark.parametrize(
    ("profile", "variant"), [("oldfilm", "medium"), ("noise", "gaussian25"), ("blur", "motion180")]
)
@pytest.mark.benchmark(group="two workers on two cores against one on one")
def test_two_workers(benchmark: Bench, sources: Path, tmp_path: Path, profile: str, variant: str) -> None:
    """The clock, in turns, the faster of two each, less what a start and nothing to do take."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        pytest.skip("needs two cores")
    best: dict[int, float] = {}
    again: dict[int, float] = {}
    for turn in range(2):
        for workers in (1, 2):
            root = tmp_path / f"{workers}-{turn}"
            spent = seconds(sources, root, profile, variant, available[:workers], workers)
            best[workers] = min(best.get(workers, spent), spent)
            # Everything is there: what is left is the start of Python and of PyTorch.
            spent = seconds(sources, root, profile, variant, available[:workers], workers)
            again[workers] = min(again.get(workers, spent), spent)
    ratio = (best[1] - again[1]) / (best[2] - again[2])
    benchmark.extra_info.update(
        ratio=ratio, whole=best[1] / best[2], frames_per_second=CLIPS * FRAMES / (best[2] - again[2])
    )
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"\n{profile}: {ratio:.2f} times as fast ({best[1] / best[2]:.2f} with the start)")
