"""Clips of a data set: PNG, FFV1 or MagicYUV, the same frames either way, whole or not at all."""

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
from vbench.storage import FORMATS, Format, FrameVideo, open_stored, place, stored_as, stored_at, writer
from vbench.workspace import TEMPORARY

VIDEOS: tuple[Format, ...] = ("ffv1", "magicyuv")


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def store(room: Path, name: str, frames: NDArray[Any], form: Format, threads: int = 1) -> None:
    with writer(room, name, form, 24000 / 1001, threads) as out:
        for frame in frames:
            out.write(frame)


def test_a_folder_that_is_called_like_a_file_is_another_clip(tmp_path: Path) -> None:
    """As programs call folders that they unpack a video into."""
    frames = np.zeros((2, 4, 6, 3), np.uint8)
    for clip in ("a.mkv", "a.avi", "a"):
        with writer(tmp_path, clip, "png") as out:
            for frame in frames:
                out.write(frame)
    assert all(stored_as(tmp_path, clip) == "png" for clip in ("a", "a.mkv", "a.avi"))


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


@pytest.mark.parametrize("form", VIDEOS)
def test_bytes_do_not_depend_on_threads_or_on_the_day(tmp_path: Path, form: Format) -> None:
    frames = noise(4, 120, 160, 3)
    for name, threads in (("a", 1), ("b", 2), ("c", 1)):
        store(tmp_path / name, "clip", frames, form, threads)
    first, *others = [place(tmp_path / name, "clip", form).read_bytes() for name in "abc"]
    assert all(other == first for other in others)


@pytest.mark.parametrize("form", VIDEOS)
def test_videos_hold_rgb_as_rgb_and_gray_as_gray(tmp_path: Path, form: Format) -> None:
    import av

    for channels, kinds in ((3, {"bgr0", "gbrp"}), (1, {"gray"})):
        store(tmp_path, f"c{channels}", noise(2, 20, 30, channels), form)
        with av.open(str(place(tmp_path, f"c{channels}", form))) as container:
            context = container.streams.video[0].codec_context
            assert context.name == form
            assert context.pix_fmt in kinds
    import cv2

    video = cv2.VideoCapture(str(place(tmp_path, "c1", form)))  # what others see of gray
    assert (video.read()[1] == noise(2, 20, 30, 1)[0]).all()


def test_masks_are_png_where_frames_are_magicyuv(tmp_path: Path) -> None:
    blank = np.zeros((2, 32, 32, 1), np.uint8)
    for form in FORMATS:
        with writer(tmp_path / form, "c", form, sparse=True) as out:
            for frame in blank:
                out.write(frame)
    assert [stored_as(tmp_path / form, "c") for form in FORMATS] == ["png", "ffv1", "png"]


def test_the_other_format_is_removed_when_the_new_one_is_whole(tmp_path: Path) -> None:
    store(tmp_path, "c", noise(2, 8, 8, 3), "png")
    with pytest.raises(AttributeError):
        store(tmp_path, "c", [noise(8, 8, 3), None], "ffv1")  # type: ignore[arg-type]
    assert stored_at(tmp_path, "c") == tmp_path / "c"
    store(tmp_path, "c", noise(3, 8, 8, 3), "ffv1")
    assert stored_at(tmp_path, "c") == tmp_path / "c.mkv"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.mkv"]
    store(tmp_path, "c", noise(1, 8, 8, 3), "magicyuv")
    assert stored_at(tmp_path, "c") == tmp_path / "c.avi"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.avi"]
    store(tmp_path, "c", noise(1, 8, 8, 3), "png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("threads", [1, 2])
def test_frames_that_differ_are_refused_and_nothing_is_left(tmp_path: Path, form: Format, threads: int) -> None:
    with pytest.raises(RunError, match="the first was"):
        store(tmp_path, "c", [noise(8, 8, 3), noise(8, 9, 3)], form, threads)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", VIDEOS)
def test_frames_of_more_than_eight_bits_and_no_frames_are_refused_as_video(tmp_path: Path, form: Format) -> None:
    with pytest.raises(RunError, match=f"uint16 .* {form}"), FrameVideo(place(tmp_path, "a", form)) as out:
        out.write(np.zeros((4, 4, 3), np.uint16))
    with pytest.raises(RunError, match="no frame"), FrameVideo(place(tmp_path, "b", form)):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", VIDEOS)
def test_damage_to_the_file_is_noticed_by_hash_and_truncation_by_the_reader(tmp_path: Path, form: Format) -> None:
    frames = noise(6, 64, 64, 3)
    store(tmp_path, "c", frames, form)
    path = place(tmp_path, "c", form)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 40):
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    # FFmpeg's FFV1 covers a slice of a wrong checksum with the frame before and says nothing.
    try:
        assert frame_hash(open_stored(tmp_path, "c").chunks(6)) != frame_hash([frames])
    except InputError:
        assert form == "magicyuv"
    path.write_bytes(bytes(data[: len(data) // 3]))
    with pytest.raises(InputError):
        frame_hash(open_stored(tmp_path, "c").chunks(6))
    with pytest.raises(InputError, match="does not exist"):
        open_stored(tmp_path, "d")


@pytest.mark.parametrize("form", FORMATS)
def test_a_long_clip_that_begins_in_the_middle(tmp_path: Path, form: Format) -> None:
    frames = noise(40, 18, 22, 3)
    store(tmp_path, "c", frames, form)
    found = open_stored(tmp_path, "c")
    assert (found.read(17, 31) == frames[17:31]).all()
    assert (found.read(3, 5) == frames[3:5]).all()
    assert form == "png" or found.info.fps == pytest.approx(24000 / 1001)


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
    with writer(Path(sys.argv[1]), "c", sys.argv[3], threads=int(sys.argv[2])) as out:
        for frame in frames:
            out.write(frame)
except RunError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("form", VIDEOS)
def test_a_disk_that_refuses_is_an_error_in_words(tmp_path: Path, threads: int, form: Format) -> None:
    """A limit on the size of a file stands for a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "room"), str(threads), form],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stdout + done.stderr
    assert place(tmp_path, "c", form).name in done.stdout
    assert "cannot be written" in done.stdout
    assert "MiB are free there" in done.stdout
    assert list((tmp_path / "room").iterdir()) == []
