"""``vbench doctor``: what this machine has, one line each, and what to do where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Finding:
    """One line: what, in which state, and what to do."""

    subject: str
    state: State
    text: str


def examine(root: Path) -> Iterator[Finding]:
    """Look at everything; no finding stops the next."""
    for subject, check in _checks(root):
        try:
            yield from check()
        except Exception as error:  # a broken part is a finding, not a crash
            yield Finding(subject, "missing", f"{type(error).__name__}: {error}")


def _checks(root: Path) -> list[tuple[str, Callable[[], Iterator[Finding]]]]:
    return [
        ("python", _python),
        ("torch", _torch),
        ("ffmpeg", _ffmpeg),
        ("video decoding", _decoding),
        ("weights", _weights),
        ("parameter files", _assets),
        ("disk", lambda: _disk(root)),
        ("work", lambda: _work(root)),
    ]


def _python() -> Iterator[Finding]:
    import platform

    from vbench import __version__
    from vbench.execute import cores

    yield Finding(
        "vbench",
        "ok",
        f"{__version__} on Python {platform.python_version()}, {platform.system()}, {cores()} cores",
    )


def _torch() -> Iterator[Finding]:
    import torch

    threads = torch.get_num_threads()
    yield Finding("torch", "ok", f"{torch.__version__}, {threads} thread{'' if threads == 1 else 's'}")
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        yield Finding("CUDA", "ok", f"{names} (CUDA {torch.version.cuda})")
    elif torch.version.cuda:
        yield Finding(
            "CUDA",
            "note",
            "no GPU found; models run on the CPU. If there is one, check its driver (nvidia-smi)",
        )
    else:
        yield Finding("CUDA", "note", "this torch is built for the CPU only; models run there")


def _ffmpeg() -> Iterator[Finding]:
    from degradations.codec.encoders import ENCODERS
    from vbench import models
    from vbench.media import ffmpeg_exe, ffmpeg_version

    exe = ffmpeg_exe()
    yield Finding("FFmpeg", "ok", f"{ffmpeg_version()} ({Path(exe).name}, brought by imageio-ffmpeg)")
    encoders = tuple(ENCODERS.values())
    listing = subprocess.run([exe, "-hide_banner", "-encoders"], capture_output=True, text=True, check=True).stdout
    have = {line.split()[1] for line in listing.splitlines() if len(line.split()) > 1}
    lacking = [name for name in encoders if name not in have]
    yield Finding(
        "encoders",
        "missing" if lacking else "ok",
        _all_or(lacking, encoders, "codec variants that use them cannot be made"),
    )
    listing = subprocess.run([exe, "-hide_banner", "-filters"], capture_output=True, text=True, check=True).stdout
    have = {line.split()[1] for line in listing.splitlines() if len(line.split()) > 1}
    filters = [str(models.spec(name).settings.get("filter", "")) for name in models.CATALOG]
    wanted = (
        *(text.partition("=")[0] for text in filters if "=" in text),
        "vidstabdetect",
        "vidstabtransform",
        "libvmaf",
    )
    lacking = [name for name in wanted if name not in have]
    yield Finding(
        "filters", "missing" if lacking else "ok", _all_or(lacking, wanted, "models that use them cannot run")
    )


def _all_or(lacking: list[str], wanted: tuple[str, ...], effect: str) -> str:
    if not lacking:
        return ", ".join(wanted)
    return f"without {', '.join(lacking)}: {effect}. Unset IMAGEIO_FFMPEG_EXE, or `pip install -U imageio-ffmpeg`"


def _decoding() -> Iterator[Finding]:
    import av
    import cv2

    yield Finding("decoding", "ok", f"PyAV {av.__version__}, OpenCV {cv2.__version__}")


def _weights() -> Iterator[Finding]:
    from vbench import models, weights

    found, broken = models.described()
    specs = [spec for spec in found.values() if spec.weights is not None]
    here = [spec.name for spec in specs if weights.find(spec) is not None]
    where = weights.weights_folder()
    if here:
        yield Finding("weights", "ok", f"in {where} for {', '.join(here)}")
    if len(here) < len(specs):
        text = (
            f"missing for {len(specs) - len(here)} of the {len(specs)} models that need some, whose authors publish them; "
            "how they are brought: vbench weights list"
        )
        yield Finding("weights", "note", text)

    for text in broken.values():
        yield Finding("models", "missing", text)


def _assets() -> Iterator[Finding]:
    from vbench import assets

    for entry in assets.status():
        found = entry.asset
        if entry.problem is not None:
            yield Finding(found.name, "missing", entry.problem)
        elif entry.path is not None:
            yield Finding(found.name, "ok", f"{found.what}, at {entry.path}")
        else:
            yield Finding(found.name, "note", f"for {', '.join(found.metrics)}: {assets.ways(found)[0]}")


def _disk(root: Path) -> Iterator[Finding]:
    place = root.resolve()
    while not place.is_dir():
        if place.exists():
            yield Finding("disk", "missing", f'"{place}" is a file, and no folder: choose another place with --root')
            return
        place = place.parent
    if not os.access(place, os.W_OK):
        yield Finding("disk", "missing", f'"{place}" cannot be written to: choose another place with --root')
        return
    free = shutil.disk_usage(place).free / 2**30
    state: State = "ok" if free > 5 else "note"
    more = "" if free > 5 else "; data sets of long clips need more: choose another disk with --root"
    yield Finding("disk", state, f"{free:.1f} GiB free at {place}{more}")


def _work(root: Path) -> Iterator[Finding]:
    from vbench.commands import at_root

    folder = root / "datasets"
    sets = sorted(p.name for p in folder.iterdir() if (p / "dataset.json").exists()) if folder.is_dir() else []
    if sets:
        yield Finding("data sets", "ok", f"{len(sets)} in {folder}: {', '.join(sets)}")
    else:
        yield Finding("data sets", "note", f"none in {folder} yet: vbench synth --profile oldfilm{at_root(root)}")


def doctor_command(root: Path) -> None:
    """Print the findings as they are made; exit status 1 if what belongs to every machine is missing."""
    from rich.text import Text

    from vbench.console import say_terms

    styles = {"ok": "green", "note": "yellow", "missing": "red"}
    broken = False
    for finding in examine(root):
        broken = broken or finding.state == "missing"
        head = Text.assemble((f"{finding.state:<8}", styles[finding.state]), (f"{finding.subject:<13}", "bold"))
        say_terms([(head, finding.text)], indent=0)
    if broken:
        raise SystemExit(1)
