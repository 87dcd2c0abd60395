"""The formats of data sets beside each other and beside OpenCV's PNG as it comes: writing, reading, bytes; and `vbench synth`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from typer.testing import CliRunner

from degradations.apply import degrade
from vbench.cli import app
from vbench.storage import FORMATS, Format, open_stored, place, writer

pytestmark = pytest.mark.usefixtures("one_thread")

Bench = Callable[..., Any]

FRAMES, HEIGHT, WIDTH = 16, 480, 854


@pytest.fixture(scope="module")
def clips() -> dict[str, NDArray[np.uint8]]:
    """What data sets hold: a photograph that moves; the same as old film, in gray; and with noise."""
    photo = cv2.resize(data.astronaut(), (1000, 1000))
    clean = np.stack([photo[100 + 2 * t : 100 + 2 * t + HEIGHT, 3 * t : 3 * t + WIDTH] for t in range(FRAMES)])
    x = torch.from_numpy(clean).permute(0, 3, 1, 2).float() / 255

    def bytes_of(planes: torch.Tensor) -> NDArray[np.uint8]:
        whole = planes.clamp(0, 1).mul(255).add(0.5).to(torch.uint8)
        return np.ascontiguousarray(whole.permute(0, 2, 3, 1).numpy())

    return {
        "clean, colour": clean,
        "noise of sigma 25, colour": bytes_of(degrade(x, "noise", "gaussian25").frames),
        "old film, gray": bytes_of(degrade(x, "oldfilm", "medium").frames[:, :1]),
    }


@pytest.mark.benchmark(group="formats of data sets")
@pytest.mark.parametrize("kind", ["clean, colour", "noise of sigma 25, colour", "old film, gray"])
def test_formats(benchmark: Bench, clips: dict[str, NDArray[np.uint8]], kind: str, tmp_path: Path) -> None:
    """Processor time a frame, best of three, alternating."""
    frames = clips[kind]
    best: dict[tuple[str, str], float] = {}

    def spent(form: str, what: str, job: Callable[[], Any]) -> None:
        begin = time.process_time()
        job()
        now = (time.process_time() - begin) / len(frames) * 1e3
        best[form, what] = min(best.get((form, what), np.inf), now)

    def opencv() -> None:
        for t, frame in enumerate(frames):
            picture = frame if frame.shape[2] == 1 else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(tmp_path / f"{t}.png"), picture)

    def write(form: Format) -> None:
        with writer(tmp_path / form, "clip", form) as out:
            for frame in frames:
                out.write(frame)

    def read(form: Format) -> None:
        assert sum(len(part) for part in open_stored(tmp_path / form, "clip").chunks(8)) == len(frames)

    for _ in range(3):
        spent("opencv", "write", opencv)
        for form in FORMATS:
            spent(form, "write", lambda form=form: write(form))
            spent(form, "read", lambda form=form: read(form))
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"\n{kind}: OpenCV as it comes {best['opencv', 'write']:.1f} ms to write")
    for form in FORMATS:
        path = place(tmp_path / form, "clip", form)
        size = sum(p.stat().st_size for p in path.iterdir()) if path.is_dir() else path.stat().st_size
        ratio = best["png", "write"] / best[form, "write"]
        benchmark.extra_info[form] = {"write_ms": best[form, "write"], "read_ms": best[form, "read"], "ratio": ratio}
        print(
            f"{form:>9}: {best[form, 'write']:5.1f} ms to write ({ratio:.2f} times PNG's speed), "
            f"{best[form, 'read']:5.1f} to read, {size / len(frames) / 1e3:.0f} kB a frame"
        )


@pytest.mark.benchmark(group="vbench synth by format")
@pytest.mark.parametrize(("profile", "variant"), [("noise", "gaussian25"), ("oldfilm", "medium")])
def test_synth(
    benchmark: Bench, clips: dict[str, NDArray[np.uint8]], profile: str, variant: str, tmp_path: Path
) -> None:
    """From the command line to files, in this process: its processor time, without imports, best of two."""
    source = tmp_path / "source"
    with writer(source, "clip", "magicyuv") as out:
        for _ in range(2):
            for frame in clips["clean, colour"]:
                out.write(frame)
    best: dict[str, float] = {}
    for round_ in range(3):
        for form in FORMATS:
            command = ["synth", "--profile", profile, "--variant", variant, "--source", str(source / "clip.avi")]
            command += ["--format", form, "--workers", "1", "--root", str(tmp_path / f"{form}{round_}")]
            begin = time.process_time()
            done = CliRunner().invoke(app, command)
            assert done.exit_code == 0, done.output
            if round_:  # the first loads everything
                best[form] = min(best.get(form, np.inf), time.process_time() - begin)
    benchmark.pedantic(lambda: None, rounds=1)
    for form, seconds in best.items():
        benchmark.extra_info[form] = best["png"] / seconds
        print(f"\n{profile}/{variant}, {form}: {best['png'] / seconds:.2f} times as fast as PNG", end="")
    print()
