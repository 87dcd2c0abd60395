"""A 1080p frame through every network on a machine of 4 GiB: each in a process that is allowed no more.

    python -m tests.memory_1080p                       all, with the recipe's weights; hours on a CPU
    python -m tests.memory_1080p dncnn-s25 rtn         some
    python -m tests.memory_1080p --limit 2 --width 1280 --height 720 dncnn-s25

The limit is RLIMIT_DATA, set before anything is imported: all memory that a process may write to and shares with nobody,
touched or not, so more than what it really uses. It is inherited by nothing: PyTorch on a CPU starts no process. A model
is loaded from a file, as from its authors' one, and its clip restored as `vbench run` does it with ``--tile auto``.
Prints a table in Markdown, one row as soon as it is known, and on standard error what is being tried.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

PARITY = Path(__file__).resolve().parent / "parity"
NETWORKS: dict[str, tuple[str, str, int]] = {
    "dncnn-s25": ("dncnn", "manifest.json", 1),
    "fastdvdnet-s25": ("fastdvdnet", "manifest.json", 3),
    "vnlnet-color-s25": ("vnlnet", "manifest_color.json", 8),
    "pvdnet-gopro": ("pvdnet", "manifest.json", 2),
    "pvdnet-large-gopro": ("pvdnet_large", "manifest.json", 2),
    "cdvd-tsp-gopro": ("cdvd_tsp", "manifest.json", 2),
    "edvr-l-deblur": ("edvr", "manifest_l_deblur.json", 1),
    "edvr-m-x4": ("edvr", "manifest.json", 5),
    "edvr-l-x4": ("edvr", "manifest_l_x4.json", 5),
    "edvr-l-x4-vimeo": ("edvr", "manifest_l_vimeo7.json", 7),
    "edvr-l-x4-blur": ("edvr", "manifest_l_srblur.json", 1),
    "votes-x2-qp28": ("votes", "manifest.json", 5),
    "rtn": ("rtn", "manifest.json", 2),
}
"""Of each network a model, the manifest of its weights, and the frames of the shortest clip that it takes."""
WINDOWS = ("vnlnet", "edvr", "votes")
"""Networks that make each frame from a window around it and keep no state: their first frame is enough."""
HEAD = (
    "| model | frames in | restored | in | out | tile | peak memory | seconds per frame |\n"
    "| --- | ---: | ---: | --- | --- | --- | ---: | ---: |"
)


def main() -> None:
    """The table, or one row of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help=f"Of {', '.join(NETWORKS)}; all if none is named.")
    parser.add_argument("--limit", type=float, default=4.0, help="GiB that a process may use.")
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        (model,) = asked.models
        print(json.dumps(row(model, asked.limit, asked.width, asked.height)))
        return
    print(HEAD, flush=True)
    failed = [model for model in asked.models or NETWORKS if not told(model, asked)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def told(model: str, asked: argparse.Namespace) -> bool:
    """One model in a process of its own, and its row printed."""
    size = ["--limit", str(asked.limit), "--width", str(asked.width), "--height", str(asked.height)]
    command = [sys.executable, "-m", "tests.memory_1080p", "--one", *size, model]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"| {model} | failed with {done.returncode}, see above |", flush=True)
        return False
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"| {model} | {found['frames']} | {found['restored']} | {asked.width} x {asked.height} | {found['out']} | "
        f"{found['tile'] or 'whole'} | "
        f"{found['resident'] / 2**30:.2f} GiB | {found['seconds']:.0f} |",
        flush=True,
    )
    return bool(found["resident"] <= asked.limit * 2**30)


def row(model: str, limit: float, width: int, height: int) -> dict[str, Any]:
    """What one model took, in this process."""
    import resource

    most = int(limit * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    import torch

    from vbench import models
    from vbench.devices import bounded_memory
    from vbench.models.verify import build
    from vbench.restore import ClipMeta, Restorer, checked, to_uint8
    from vbench.tiling import Tile, fitted, halved, restored

    network, manifest, count = NETWORKS[model]
    spec = models.spec(model)
    scale = (spec.scales or (1,))[0]
    wanted = 1 if network in WINDOWS else count
    meta = ClipMeta(wanted, height, width, 3, 24.0, scale)

    def opened() -> Iterator[torch.Tensor]:
        for t in range(count):
            yield picture(t, height, width)[None]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(build(network, PARITY / network / manifest, {}, "float32").state_dict(), path)
        whole: Restorer = checked(spec.load(torch.device("cpu"), path), model)
        restorer: Restorer = First(whole, count) if wanted < count else whole
        path.unlink()
        began = time.perf_counter()

        def attempt(tile: Tile | None) -> tuple[int, float]:
            nonlocal began
            began = time.perf_counter()
            print(f"{model}: {'whole frames' if tile is None else f'tiles of {tile}'}", file=sys.stderr, flush=True)
            frames = 0
            with torch.inference_mode(), bounded_memory("cpu"):
                for out in restored(restorer, opened, meta, "cpu", tile, spec.tiles, Path(folder) / "waiting"):
                    frames += len(to_uint8(out))
            return frames, time.perf_counter() - began

        (frames, seconds), tile = fitted(attempt, None, halved(height, width), "cpu", model)
    assert frames == wanted
    return {
        "frames": count,
        "restored": wanted,
        "out": f"{scale * width} x {scale * height}",
        "tile": None if tile is None else str(tile),
        "resident": peak(),
        "seconds": seconds / wanted,
    }


class First:
    """Of a clip of ``count`` frames only the first one restored."""

    def __init__(self, whole: Any, count: int) -> None:
        self._whole = whole
        self._count = count

    def restore(self, chunks: Iterator[Any], meta: Any) -> Iterator[Any]:
        """The frame, of a clip (or a tile of it) that is said to have one."""
        yield next(iter(self._whole.restore(chunks, replace(meta, frames=self._count))))[:1]


def picture(t: int, height: int, width: int) -> Any:
    """A photograph (scikit-image's), enlarged, that moves by three pixels a frame: ``(3, H, W)`` in [0, 1]."""
    import cv2
    import torch
    from skimage import data

    large = cv2.resize(data.astronaut(), (width + 32, height + 32), interpolation=cv2.INTER_AREA)
    shown = large[t : t + height, 3 * t : 3 * t + width]
    return torch.from_numpy(shown.transpose(2, 0, 1).copy()).float() / 255


def peak() -> int:
    """The most memory that this process had resident, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
