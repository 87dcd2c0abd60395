"""Pictures of the report for one clip of twelve versions, beside what one would write by hand: Pillow and FFmpeg, file by file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from leaderboards.store import read_cells
from leaderboards.table import boards
from reports.media import Media, export
from tests.reports.pictured import dataset, scene

FRAMES, HEIGHT, WIDTH, MODELS = 24, 180, 320, 10


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("media")
    dataset(base, "film", {"clip": scene(FRAMES, HEIGHT, WIDTH)}, {f"m{i}": 2.0 + i for i in range(MODELS)})
    return base


def made(root: Path, out: Path) -> Media:
    cells = read_cells(root)
    return export(root, out, boards(cells), cells, 10**9)


@pytest.mark.benchmark(group="pictures")
def test_all(benchmark: BenchmarkFixture, root: Path, tmp_path: Path) -> None:
    """Stills without loss, slices, previews, strip, thumbnails."""

    def run() -> Media:
        shutil.rmtree(root / "cache", ignore_errors=True)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return made(root, tmp_path / "out")

    assert benchmark.pedantic(run, rounds=3).made > FRAMES * MODELS


@pytest.mark.benchmark(group="pictures")
def test_again(benchmark: BenchmarkFixture, root: Path, tmp_path: Path) -> None:
    """Nothing changed."""
    made(root, tmp_path / "first")

    def run() -> Media:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return made(root, tmp_path / "out")

    assert benchmark.pedantic(run, rounds=5).made == 0


@pytest.mark.benchmark(group="pictures")
def test_by_hand(benchmark: BenchmarkFixture, root: Path, tmp_path: Path) -> None:
    """Stills and previews alone, at the defaults of Pillow and FFmpeg."""
    import imageio_ffmpeg
    from PIL import Image

    def run() -> int:
        count = 0
        for folder in sorted([*root.glob("datasets/film/*/clip"), *root.glob("restored/film/*/clip")]):
            for file in sorted(folder.glob("*.png")):
                with Image.open(file) as image:
                    image.save(tmp_path / f"{count}.webp", lossless=True)
                count += 1
            command = [
                imageio_ffmpeg.get_ffmpeg_exe(),
                "-v",
                "error",
                "-y",
                "-framerate",
                "24",
                "-i",
                str(folder / "%08d.png"),
            ]
            subprocess.run([*command, "-pix_fmt", "yuv420p", str(tmp_path / f"{count}.mp4")], check=True)
        return count

    assert benchmark.pedantic(run, rounds=1) > FRAMES * MODELS
