"""`vbench run --tile` and `--precision`: what is recorded, what is told, what is done again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.schema import Cell
from leaderboards.store import read_cells
from vbench import fitting_tiles, restoring
from vbench.cli import app
from vbench.devices import bounded_memory, out_of_memory
from vbench.errors import RunError, UsageError

MakeClip = Callable[..., Path]

DEVICE = """
import torch

class Small:
    '''Frames made a little brighter towards their right, so that tiles differ; a device that holds 20000 pixels.'''

    def restore(self, chunks, meta):
        with open({tried!r}, "a") as file:
            file.write(f"{{meta.width}}x{{meta.height}}\\n")
        for chunk in chunks:
            if meta.width * meta.height > 20000:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            yield chunk + torch.linspace(0, 0.1, meta.width)
"""
"""The clip is 400 x 70. Whole it does not fit, nor in tiles of 256 or 128, of which one is given 320 x 70 (its 100 columns,
and 64 on each side up to multiples of 64); in tiles of 64 the largest is given 256 x 70."""


def vbench(*arguments: object) -> str:
    """Run a command in this process; errors are raised, output is given back on one line."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture
def root(tmp_path: Path, picture: NDArray[np.uint8], clip_folder: MakeClip, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one noisy clip of three frames, and in the current folder a device with little memory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fitting_tiles, "_found", {})
    monkeypatch.setattr(restoring, "_loaded", {})
    wide = np.concatenate([picture, picture[:, ::-1], picture], axis=1)[:, :400]
    clip = np.stack([wide[2 * t : 2 * t + 70] for t in range(3)])
    sources = clip_folder(clip, "a clip").parent
    folder = tmp_path / "runs"
    vbench("synth", "-p", "noise", "--variant", "gaussian25", "-s", sources, "--root", folder, "--workers", 1)
    (tmp_path / "device.py").write_text(DEVICE.format(tried=str(tmp_path / "tried")))
    return folder


def run(root: Path, model: str, *more: object) -> str:
    return vbench("run", "-m", model, "--metrics", "psnr", "--root", root, "--workers", 1, *more)


def note(root: Path, model: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "restored" / "noise-gaussian25" / model / "a clip.json").read_text())
    return found


def cell(root: Path, model: str) -> Cell:
    (found,) = [c for c in read_cells(root) if c.model == model]
    return found


def tried(root: Path) -> list[str]:
    path = root.parent / "tried"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def test_a_tile_that_fits_is_found_recorded_and_remembered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(root, "small=device.py:Small")
    widths = [int(size.removesuffix("x70")) for size in tried(root)]
    # Whole; the first of two tiles; two of four; all seven, in two rows.
    assert widths == [400, 320, 192, 320, *2 * [128, 192, 256, 256, 256, 208, 144]]
    assert "in tiles of at most 64x64: small" in said
    found = note(root, "small")
    assert found["tile"] == {"asked": "auto", "faded": "64x64"}
    row = cell(root, "small")
    assert row.cost is not None
    assert row.cost.tile == "64x64"
    assert row.precision == "fp32, in tiles of 64x64 faded into each other"
    (kept,) = (root / "cache" / "tiles").glob("small-cpu-fp32-400x70.json")
    assert json.loads(kept.read_text())["tile"] == "64x64"
    assert "2 were there already" in run(root, "small=device.py:Small")
    assert tried(root) == []
    # Another process, whose frames are gone: it begins with the tile that fitted.
    monkeypatch.setattr(fitting_tiles, "_found", {})
    (root / "restored" / "noise-gaussian25" / "small" / "a clip.json").unlink()
    run(root, "small=device.py:Small")
    assert "400x70" not in tried(root)
    assert note(root, "small")["fingerprint"] == found["fingerprint"]


def test_what_fits_on_another_machine_is_tried_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(root, "small=device.py:Small")
    tried(root)
    monkeypatch.setattr(fitting_tiles, "_found", {})
    monkeypatch.setattr(fitting_tiles, "whole_memory", lambda device: 2**50)
    (root / "restored" / "noise-gaussian25" / "small" / "a clip.json").unlink()
    run(root, "small=device.py:Small")
    assert tried(root)[0] == "400x70"


def test_a_tile_that_is_named_is_taken_or_is_an_error(root: Path) -> None:
    with pytest.raises(SystemExit):
        run_failing(root, "--tile", "off")
    failed = cell(root, "small")
    assert failed.error is not None
    assert "small on frames of 400 x 70 pixels (whole) ran out of memory on cpu: CUDA out of memory" in failed.error
    assert "--tile auto" in failed.error
    run(root, "small=device.py:Small", "--tile", "64")
    assert cell(root, "small").precision == "fp32, in tiles of 64x64 faded into each other"
    first = note(root, "small")["fingerprint"]
    tried(root)
    # Other tiles are other frames, and so is what "auto" finds by trying.
    run(root, "small=device.py:Small", "--tile", "80x70")
    assert tried(root)
    assert note(root, "small")["fingerprint"] != first
    run(root, "small=device.py:Small")
    assert tried(root)[0] == "400x70"
    assert note(root, "small")["tile"] == {"asked": "auto", "faded": "64x64"}


def run_failing(root: Path, *more: object) -> None:
    result = CliRunner().invoke(
        app,
        [
            "run",
            "-m",
            "small=device.py:Small",
            "--metrics",
            "psnr",
            "--root",
            str(root),
            "--workers",
            "1",
            *map(str, more),
        ],
    )
    raise SystemExit(result.exit_code) if result.exit_code == 1 else AssertionError(result.output)


@pytest.mark.parametrize("option", [("--tile", "32"), ("--tile", "big"), ("--precision", "fp8")])
def test_what_is_not_there_is_refused_before_anything_runs(root: Path, option: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=option[0]):
        run(root, "identity", *option)
    assert not (root / "restored").exists()


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_a_precision_is_recorded_and_compared(root: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 3, 3, padding=1)
    torch.nn.init.dirac_(network.weight)
    torch.jit.trace(network.eval(), torch.rand(1, 3, 16, 16)).save("net.ts")
    models = "net.ts,identity"
    run(root, models)
    assert cell(root, "net").precision == "fp32"
    full = note(root, "net")["sha256"]
    said = run(root, models, "--precision", "bf16")
    assert "net beside fp32, on noise-gaussian25: " in said
    assert "in fp32 whatever is asked: identity" in said
    assert note(root, "net")["sha256"] != full
    fewer, base = cell(root, "net"), cell(root, "identity")
    assert (fewer.precision, base.precision) == ("bf16", "fp32")
    assert fewer.cost is not None
    apart = fewer.cost.fp32_difference
    assert apart is not None
    assert (apart.clip, apart.frames) == ("a clip", 3)
    # bfloat16 holds 8 bits: a value below 1 is off by 1 / 512 at most, half a grey level, before and behind the bias.
    assert 48 < apart.psnr < 70
    assert 0.25 < apart.levels < 1.1
    assert base.cost is not None
    assert base.cost.fp32_difference is None
    # What is there is told again, and not measured again.
    assert "net beside fp32, on noise-gaussian25: " in run(root, models, "--precision", "bf16")


def test_more_memory_than_there_is_is_an_error_that_can_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.setattr("vbench.devices.free_memory_now", lambda: 200 * 2**20)
    with bounded_memory("cpu"):
        torch.zeros(10 * 2**20)
        with pytest.raises(RuntimeError) as caught:
            torch.zeros(2**30)  # far more than any hole in the heap of a process that ran many tests
        with pytest.raises(MemoryError):
            np.empty((1024, 2**20))
    assert out_of_memory(caught.value)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert torch.zeros(100 * 2**20).shape == (100 * 2**20,)
    with bounded_memory("cuda"):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("could not create a memory object"), True),
        (RuntimeError("shape '[2, 3]' is invalid for input of size 5"), False),
        (RunError("out of memory"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_is_full(error: Exception, full: bool) -> None:
    assert out_of_memory(error) == full


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory")
def test_what_says_so_only_where_memory_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """What oneDNN said of a network that was allowed too little, and says too of what it cannot compute."""
    error = RuntimeError("could not create a primitive")
    assert not out_of_memory(error)
    monkeypatch.setattr("vbench.devices.free_memory_now", lambda: 50 * 2**20)
    with bounded_memory("cpu"):
        assert out_of_memory(error)
    monkeypatch.setattr("vbench.devices.free_memory_now", lambda: 2**40)
    with bounded_memory("cpu"):
        assert not out_of_memory(error)
