"""Clips of a data set: PNG or FFV1, the same frames either way, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vbench.errors import InputError, RunError
from vbench.frames_io import frame_hash
from vbench.storage import FORMATS, Format, FrameVideo, open_stored, stored_at, writer
from vbench.workspace import TEMPORARY


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def store(room: Path, name: str, frames: NDArray[Any], form: Format, threads: int = 1) -> None:
    with writer(room, name, form, 24000 / 1001, threads) as out:
        for frame in frames:
            out.write(frame)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("shape", [(5, 33, 47, 3), (3, 1, 1, 3), (2, 2, 3, 1), (1, 16, 16, 1), (4, 300, 2, 3)])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_written_is_read(tmp_path: Path, form: Format, shape: tuple[int, ...], threads: int) -> None:
    frames = noise(*shape)
    store(tmp_path, "a <clip> 1.5", frames, form, threads)
    found = open_stored(tmp_path, "a <clip> 1.5")
    assert (found.read(0, shape[0]) == frames).all()
    assert frame_hash(found.chunks(2)) == frame_hash([frames])
    assert (found.info.frames, found.info.height, found.info.width, found.info.channels) == shape
    assert [p for p in tmp_path.iterdir() if p.name.startswith(TEMPORARY)] == []


def test_gray_is_given_as_three_channels_where_they_are_asked_for(tmp_path: Path) -> None:
    gray = noise(3, 8, 9, 1)
    store(tmp_path, "g", gray, "ffv1")
    seen = open_stored(tmp_path, "g", 3)
    assert seen.info.channels == 3
    assert (seen.read(1, 3) == np.repeat(gray[1:3], 3, axis=3)).all()
    assert sum(len(part) for part in seen.chunks(2)) == 3


def test_bytes_do_not_depend_on_threads_or_on_the_day(tmp_path: Path) -> None:
    frames = noise(4, 120, 160, 3)
    for name, threads in (("a", 1), ("b", 2), ("c", 1)):
        store(tmp_path / name, "clip", frames, "ffv1", threads)
    first, *others = [(tmp_path / name / "clip.mkv").read_bytes() for name in "abc"]
    assert all(other == first for other in others)


def test_the_other_format_is_removed_when_the_new_one_is_whole(tmp_path: Path) -> None:
    store(tmp_path, "c", noise(2, 8, 8, 3), "png")
    with pytest.raises(AttributeError):
        store(tmp_path, "c", [noise(8, 8, 3), None], "ffv1")  # type: ignore[arg-type]
    assert stored_at(tmp_path, "c") == tmp_path / "c"
    store(tmp_path, "c", noise(3, 8, 8, 3), "ffv1")
    assert stored_at(tmp_path, "c") == tmp_path / "c.mkv"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.mkv"]
    store(tmp_path, "c", noise(1, 8, 8, 3), "png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("threads", [1, 2])
def test_frames_that_differ_are_refused_and_nothing_is_left(tmp_path: Path, form: Format, threads: int) -> None:
    with pytest.raises(RunError, match="the first was"):
        store(tmp_path, "c", [noise(8, 8, 3), noise(8, 9, 3)], form, threads)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_frames_of_more_than_eight_bits_and_no_frames_are_refused_as_ffv1(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="uint16"), FrameVideo(tmp_path / "a.mkv") as out:
        out.write(np.zeros((4, 4, 3), np.uint16))
    with pytest.raises(RunError, match="no frame"), FrameVideo(tmp_path / "b.mkv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_damage_to_the_file_is_noticed_by_hash_and_truncation_by_the_reader(tmp_path: Path) -> None:
    frames = noise(6, 64, 64, 3)
    store(tmp_path, "c", frames, "ffv1")
    path = tmp_path / "c.mkv"
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 40):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    # FFmpeg's decoder covers a slice of a wrong checksum with the frame before and says nothing.
    assert frame_hash(open_stored(tmp_path, "c").chunks(6)) != frame_hash([frames])
    path.write_bytes(bytes(data[: len(data) // 3]))
    with pytest.raises(InputError):
        frame_hash(open_stored(tmp_path, "c").chunks(6))
    with pytest.raises(InputError, match="does not exist"):
        open_stored(tmp_path, "d")


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import numpy as np
from pathlib import Path
from vbench.errors import RunError
from vbench.storage import writer
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
frames = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
try:
    with writer(Path(sys.argv[1]), "c", "ffv1", threads=int(sys.argv[2])) as out:
        for frame in frames:
            out.write(frame)
except RunError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_disk_that_refuses_is_an_error_in_words(tmp_path: Path, threads: int) -> None:
    """A limit on the size of a file stands for a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "room"), str(threads)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stdout + done.stderr
    assert "c.mkv" in done.stdout
    assert "cannot be written" in done.stdout
    assert "MiB are free there" in done.stdout
    assert list((tmp_path / "room").iterdir()) == []
