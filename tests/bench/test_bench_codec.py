"""Compression, side by side with the plain FFmpeg commands for the same round trip: same encoder, preset, one thread.

"end to end" is from PNG files to PNG files, as one would do it by hand; "frames" is from frames in memory to frames in
memory, against raw video files. ``ratio`` (in the column of extra information, and printed) is ours over theirs, of the
fastest rounds, taken in turns. The plain commands give the very same pictures (checked) and so convert colours with the
same flags; "fast" are those with FFmpeg's default conversion, which gives other pictures.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from torch import Tensor

from degradations.base import ClipShape, Damage
from degradations.codec.pictures import Geometry
from degradations.codec.process import ffmpeg_exe
from degradations.codec.quantiser import Codec
from vbench.frames_io import read_png
from vbench.restore import from_array, to_uint8
from vbench.storage import writer

Bench = Any
FRAMES, HEIGHT, WIDTH = 32, 480, 848
ROUNDS = 2
CASES = {
    "h264": Codec(codec="h264", qp=33),
    "hevc": Codec(codec="hevc", qp=33, preset="fast"),
    "vp9": Codec(codec="vp9", qp=40, preset="8"),
    "av1": Codec(codec="av1", qp=40),
    "mpeg2": Codec(codec="mpeg2", qp=8),
    "mpeg4": Codec(codec="mpeg4", qp=8),
    "mjpeg": Codec(codec="mjpeg", qp=8),
    "reds": Codec(codec="h264", qp=33, shrink=2, conversion="default"),
}
LIMIT = 1.3


@pytest.fixture(scope="module")
def clip() -> NDArray[np.uint8]:
    """A photograph that moves, with a little noise, so that encoders have something to do."""
    photo = cv2.resize(data.astronaut(), (1100, 1100), interpolation=cv2.INTER_CUBIC)
    generator = np.random.default_rng(0)
    moved = np.stack([photo[3 * t : HEIGHT + 3 * t, 4 * t : WIDTH + 4 * t] for t in range(FRAMES)])
    return np.clip(moved + generator.normal(0, 2, moved.shape) + 0.5, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(clip: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("codec")
    clip.tofile(room / "in.rgb")
    with writer(room, "in", "png") as out:
        for frame in clip:
            out.write(frame)
    return room


def arguments(options: dict[str, Any]) -> list[str]:
    return [part for key, value in options.items() for part in (f"-{key}", str(value))]


def commands(step: Codec, folder: Path, source: str, fast: bool = False) -> list[list[str]]:
    """The round trip by hand: one command to encode and one to decode, from and to raw video or PNG files."""
    options = dict(step.options(Geometry.of(HEIGHT, WIDTH, step.shrink)))
    start = [ffmpeg_exe(), "-y", "-nostdin", "-loglevel", "error"]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-framerate", "25"]
    path = str(folder / "clip.mkv")
    back: list[str] = []
    if fast:
        options.pop("vf", None)
    elif "vf" in options:
        flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
        span = "pc" if step.codec == "mjpeg" else "tv"
        back = ["-vf", f"scale=in_color_matrix=bt601:in_range={span}:flags={flags},format=rgb24"]
    digits = next((folder / "in").iterdir()).stem
    first = (
        [*raw, "-i", str(folder / "in.rgb")]
        if source == "raw"
        else ["-i", str(folder / "in" / f"%0{len(digits)}d.png")]
    )
    last = ["-f", "rawvideo", str(folder / "out.rgb")] if source == "raw" else [str(folder / "out-%05d.png")]
    return [
        [*start, *first, *arguments(options), path],
        [*start, "-i", path, *back, "-pix_fmt", "rgb24", *last],
    ]


def by_hand(step: Codec, folder: Path, source: str, fast: bool = False) -> None:
    for command in commands(step, folder, source, fast):
        subprocess.run(command, check=True)


def damaged(step: Codec, chunks: Iterator[Tensor]) -> Iterator[Tensor]:
    shape = ClipShape(FRAMES, HEIGHT, WIDTH)
    for damage in step.stream((Damage(frames) for frames in chunks), {}, shape, None, {}):
        yield damage.frames


def in_memory(step: Codec, frames: Tensor) -> list[Tensor]:
    return list(damaged(step, iter(frames.split(16))))


def files_to_files(step: Codec, folder: Path) -> None:
    """As ``vbench synth`` does it: frames read in chunks, damaged, rounded, written in a thread."""
    files = sorted((folder / "in").iterdir())

    def chunks() -> Iterator[Tensor]:
        for start in range(0, FRAMES, 16):
            frames = np.stack([read_png(file) for file in files[start : start + 16]])
            yield from_array(frames)

    with writer(folder, "out", "png", threads=2) as out:
        for frames in damaged(step, chunks()):
            for frame in to_uint8(frames):
                out.write(frame)


def ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Time of ours over theirs: the fastest of some rounds, in turns, so that a busy machine hits both."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        for name, run in (("ours", ours), ("theirs", theirs)):
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return min(times["ours"]) / min(times["theirs"])


def publish(benchmark: Bench, name: str, found: float) -> None:
    benchmark.extra_info[name] = round(found, 2)
    print(f"\n{benchmark.name}: {name} {found:.2f}")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.benchmark(group=f"codec end to end, {FRAMES} PNG files of {WIDTH} x {HEIGHT} to PNG files")
def test_end_to_end_ours(benchmark: Bench, folder: Path, name: str) -> None:
    step = CASES[name]
    found = ratio(lambda: files_to_files(step, folder), lambda: by_hand(step, folder, "png"))
    publish(benchmark, "ratio", found)
    benchmark.pedantic(lambda: files_to_files(step, folder), rounds=1)
    assert found <= LIMIT


@pytest.mark.parametrize("name", CASES)
@pytest.mark.benchmark(group=f"codec end to end, {FRAMES} PNG files of {WIDTH} x {HEIGHT} to PNG files")
def test_end_to_end_by_hand(benchmark: Bench, folder: Path, name: str) -> None:
    benchmark.pedantic(lambda: by_hand(CASES[name], folder, "png"), rounds=1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.benchmark(group=f"codec, {FRAMES} frames of {WIDTH} x {HEIGHT}")
def test_frames_ours(benchmark: Bench, clip: NDArray[np.uint8], folder: Path, name: str) -> None:
    step = CASES[name]
    frames = torch.from_numpy(np.ascontiguousarray(clip.transpose(0, 3, 1, 2))).float() / 255
    result = benchmark.pedantic(lambda: in_memory(step, frames), rounds=ROUNDS)
    publish(benchmark, "ratio", ratio(lambda: in_memory(step, frames), lambda: by_hand(step, folder, "raw")))
    shape = (FRAMES, HEIGHT // step.shrink, WIDTH // step.shrink, 3)
    same = np.fromfile(folder / "out.rgb", np.uint8).reshape(shape)
    found = torch.cat(result)
    assert np.array_equal((found * 255 + 0.5).byte().permute(0, 2, 3, 1).numpy(), same)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.benchmark(group=f"codec, {FRAMES} frames of {WIDTH} x {HEIGHT}")
def test_frames_by_hand(benchmark: Bench, folder: Path, name: str) -> None:
    benchmark.pedantic(lambda: by_hand(CASES[name], folder, "raw"), rounds=ROUNDS)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.benchmark(group=f"codec, {FRAMES} frames of {WIDTH} x {HEIGHT}")
def test_frames_by_hand_fast_conversion(benchmark: Bench, folder: Path, name: str) -> None:
    benchmark.pedantic(lambda: by_hand(CASES[name], folder, "raw", fast=True), rounds=ROUNDS)
