"""SIGKILL at any moment loses nothing that was finished and leaves nothing half done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

KILLS = 10

# One process loads everything once; its forks are the commands that are killed. Each attempt gets on a little
# before it is struck, so that together they are struck at all stages of the work.
DRIVER = """
import json, os, random, shutil, signal, sys, time
from pathlib import Path

root, quiet, source, kills = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
import torch
torch.set_num_threads(1)
import cv2
cv2.setNumThreads(1)
import ffmpeg, imageio_ffmpeg, pandas, scipy.stats
import vbench.run, vbench.synth, degradations.apply, vbench.metrics.ssim, vbench.metrics.warp_error
from vbench import models
from degradations import catalog
for kind in catalog.KINDS:
    catalog.load(kind)
for name in models.names():
    models.spec(name)
from vbench.cli import app

COMMANDS = {
    "synth": lambda where: ["synth", "-p", "oldfilm", "--variant", "light,medium", "-s", source, "--root", str(where),
                            "--workers", "1"],
    "run": lambda where: ["run", "-m", "identity,temporal-median,hqdn3d", "--metrics",
                          "psnr,ssim,warp_error,psnr_aligned", "--root", str(where), "--workers", "1"],
}

def start(arguments):
    child = os.fork()
    if child:
        return child
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        app(arguments, standalone_mode=False)
        os._exit(0)
    except BaseException:
        os._exit(1)

def finish(arguments):
    begin = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(start(arguments), 0)[1]) == 0, arguments
    return time.monotonic() - begin

random.seed(20)
hits = {}
for name, command in COMMANDS.items():
    length = finish(command(quiet))
    hits[name] = 0
    for _ in range(kills):
        child = start(command(root))
        time.sleep(0.35 * length * random.random())
        os.kill(child, signal.SIGKILL)
        hits[name] += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    finish(command(root))
print(json.dumps(hits))
"""


def _state(root: Path) -> dict[str, Any]:
    """Every file of a workspace, less what time and chance put there: cost and the moment of the run."""
    out: dict[str, Any] = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        if ".lock" in name:
            continue
        if path.suffix == ".json" and not name.startswith(("datasets", "clips")):
            document = json.loads(path.read_text("utf-8"))
            for key in ("cost", "started", "finished", "command"):
                document.pop(key, None)
            out[name] = document
        else:
            out[name] = path.read_bytes()
    return out


def test_killed_at_ten_moments_each(
    tmp_path: Path, moving: NDArray[np.uint8], clip_folder: Callable[..., Path]
) -> None:
    clip_folder(moving, "one")
    source = clip_folder(moving[::-1], "two").parent
    root, quiet = tmp_path / "killed", tmp_path / "quiet"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(root), str(quiet), str(source), str(KILLS)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hits = json.loads(done.stdout.splitlines()[-1])
    # A later attempt may finish before its moment comes; most must have been struck down at work.
    assert min(hits.values()) >= KILLS // 2, hits
    undisturbed, killed = _state(quiet), _state(root)
    assert sorted(undisturbed) == sorted(killed)
    assert len(undisturbed) > 100
    different = [name for name in undisturbed if undisturbed[name] != killed[name]]
    assert different == []
