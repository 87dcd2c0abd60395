"""`vbench synth` as it is typed, with one worker on one core and with two on two: how the work scales.

One worker on a machine of two cores decodes, damages and encodes side by side and has both of them busy; what scaling
means is seen where each has one core. Every process loads PyTorch, which takes seconds, so what is compared is what
further frames cost: long clips less short ones.
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

CLIPS, SHORT, LONG, HEIGHT, WIDTH = 4, 16, 96, 480, 854


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of frames: a photograph that moves."""
    room = tmp_path_factory.mktemp("sources")
    photo = cv2.resize(data.astronaut(), (1200, 1200))
    for clip in range(CLIPS):
        for frames in (SHORT, LONG):
            folder = room / str(frames) / f"clip{clip}"
            folder.mkdir(parents=True)
            for t in range(frames):
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
    """The clock, once each."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        pytest.skip("needs two cores")
    spent = {
        (workers, frames): seconds(
            sources / str(frames), tmp_path / f"{workers}-{frames}", profile, variant, available[:workers], workers
        )
        for frames in (SHORT, LONG)
        for workers in (1, 2)
    }
    one, two = (spent[workers, LONG] - spent[workers, SHORT] for workers in (1, 2))
    whole = spent[1, LONG] / spent[2, LONG]
    rate = CLIPS * (LONG - SHORT) / two
    benchmark.extra_info.update(ratio=one / two, whole=whole, frames_per_second=rate)
    benchmark.pedantic(lambda: None, rounds=1)
    print(
        f"\n{profile}: {one / two:.2f} times as fast, {rate:.0f} frames/s ({whole:.2f} with the start of {LONG} frames)"
    )
