"""Decoding videos: containers, formats, order, damage."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.vbench import h264_fields
from vbench import media
from vbench.clip import Clip
from vbench.errors import InputError
from vbench.sources import open_clip, open_sources

Make = Callable[..., Path]
H264 = ("-c:v", "libx264", "-g", "6", "-threads", "1")
SHORT = "testsrc2=s=66x50:r=25:d=0.8"
SMOOTH = "gradients=s=66x50:r=25:d=0.8:n=4:c0=navy:c1=orange:c2=teal:c3=white:x0=0:y0=0:x1=65:y1=49:speed=0.05"
LARGER = "testsrc2=s=170x98:r=25:d=0.8"


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Videos from FFmpeg's test source, made once each."""
    room = tmp_path_factory.mktemp("videos")
    done: dict[tuple[str, ...], Path] = {}

    def video(name: str, *options: str, source: str = SHORT) -> Path:
        key = (name, *options, source)
        if key not in done:
            place = room / str(len(done))
            place.mkdir()
            done[key] = place / name
            head = [media.ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i", source]
            subprocess.run([*head, *options, str(done[key])], check=True)
        return done[key]

    return video


EXACT = ("-sws_flags", "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp")


def ffmpeg(*arguments: str) -> bytes:
    command = [media.ffmpeg_exe(), "-loglevel", "error", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def everything(clip: Clip, size: int = 7) -> Any:
    return np.concatenate(list(clip.chunks(size)))


@pytest.mark.parametrize("location", [0, 1])
def test_chroma_is_taken_from_where_it_sits(location: int, tmp_path: Path) -> None:
    width, height = 64, 32
    x = np.arange(width // 2)
    planes = [np.full((height, width), 128), np.tile(80 + 2 * x, (16, 1)), np.full((16, 32), 128)]
    raw = tmp_path / "raw.yuv"
    raw.write_bytes(b"".join(p.astype(np.uint8).tobytes() for p in planes))
    path = tmp_path / "a.mkv"
    size = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "64x32")
    lossless = ("-c:v", "libx264", "-qp", "0", "-x264-params", f"chromaloc={location}")
    ffmpeg(*size, "-i", str(raw), *lossless, str(path))
    rgb = open_clip(path).read(0, 1)[0, 16].astype(float)
    blue = (rgb[:, 2] - rgb @ [0.299, 0.587, 0.114]) / 1.772 * 224 / 255 + 128
    offset = (blue - 80 - np.arange(width))[16:48].mean()
    assert offset == pytest.approx(-0.5 * location, abs=0.1)  # left, or between two


PLAIN = (*H264, "-pix_fmt", "yuv420p")
HEVC10 = ("-c:v", "libx265", "-x265-params", "log-level=error:pools=1", "-pix_fmt", "yuv420p10le")
VP8 = ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "8")  # with frames that are not shown
BT709 = ("-colorspace", "bt709", "-color_range", "tv")
UNTAGGED = "yuv420p, BT.601 limited range (untagged: BT.601 assumed and limited, as FFmpeg does)"


@pytest.mark.parametrize(
    ("name", "options", "dtype", "channels", "words"),
    [
        ("a.mp4", PLAIN, "uint8", 3, UNTAGGED),
        ("b.mkv", (*HEVC10, *BT709), "uint16", 3, "yuv420p10le, BT.709 limited range (tagged)"),
        ("c.y4m", ("-pix_fmt", "yuv444p"), "uint8", 3, "yuv444p, BT.601 limited"),
        ("d.webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p"), "uint8", 3, "limited range (tagged)"),
        (
            "v.webm",
            (*VP8, "-pix_fmt", "yuv420p"),
            "uint8",
            3,
            "limited range",
        ),
        (
            "e.avi",
            ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
            "uint8",
            3,
            "yuvj420p, BT.601 full range (tagged)",
        ),
        ("f.mov", ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"), "uint16", 3, "yuv422p10le"),
        ("g.y4m", ("-pix_fmt", "gray"), "uint8", 1, "gray, full range"),
        ("h.mkv", ("-c:v", "ffv1", "-pix_fmt", "gray10le"), "uint16", 1, "gray10le, full range"),
        ("i.mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrp10le"), "uint16", 3, "gbrp10le, RGB as stored"),
        ("j.mov", ("-c:v", "qtrle", "-pix_fmt", "argb"), "uint8", 3, "argb, RGB as stored, alpha dropped"),
        ("k.avi", ("-c:v", "rawvideo", "-pix_fmt", "pal8"), "uint8", 3, "pal8, RGB as stored"),
    ],
)
def test_containers_and_formats(
    make: Make, name: str, options: tuple[str, ...], dtype: str, channels: int, words: str
) -> None:
    path = make(name, *options, source=SMOOTH)
    clip = open_clip(path)
    info = clip.info
    frames = everything(clip)
    assert (info.frames, info.height, info.width, info.channels, info.fps) == (20, 50, 66, channels, 25.0)
    assert frames.shape == (20, 50, 66, channels)
    assert frames.dtype == dtype
    assert words in info.colour
    # The picture, against FFmpeg's own conversion, which is coarser and takes chroma as centred.
    form = "gray" if channels == 1 else "rgb24"
    raw = np.frombuffer(ffmpeg("-i", str(path), *EXACT, "-f", "rawvideo", "-pix_fmt", form, "-"), np.uint8)
    own = frames.astype(float) / (1 if dtype == "uint8" else 257)
    assert np.abs(own - raw.reshape(frames.shape)).mean() < 2


def test_order_and_chunks_do_not_matter(make: Make) -> None:
    clip = open_clip(make("a.mp4", *PLAIN))
    whole = clip.read(0, 20)
    assert not np.array_equal(whole[0], whole[19])
    for size in (1, 3, 20, 50):
        assert np.array_equal(everything(clip, size), whole)
    for start, stop in ((15, 20), (0, 2), (1, 4), (3, 5), (19, 20), (4, 5)):
        assert np.array_equal(clip.read(start, stop), whole[start:stop])
    for start, stop in ((0, 0), (-1, 2), (19, 21), (5, 4)):
        with pytest.raises(InputError, match="which has 20"):
            clip.read(start, stop)


def test_reading_on_does_not_decode_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_clip(make("a.mp4", *PLAIN))
    count = 0
    step = media.VideoClip._next

    def counted(self: media.VideoClip) -> Any:
        nonlocal count
        count += 1
        return step(self)

    monkeypatch.setattr(media.VideoClip, "_next", counted)
    for start in range(0, 18, 2):
        clip.read(max(start - 1, 0), start + 2)  # each run begins with the last frame of the one before
    assert count == 18


def test_files_are_not_held_open(make: Make, tmp_path: Path) -> None:
    held = Path("/proc/self/fd")
    if not held.is_dir():
        pytest.skip("needs Linux's /proc to see open files")
    path = tmp_path / "own.mp4"
    path.write_bytes(make("a.mp4", *PLAIN).read_bytes())
    clips = [open_clip(path) for _ in range(3)]
    clips[0].read(0, 2)
    assert [os.path.realpath(f) for f in held.iterdir()].count(str(path.resolve())) == 1
    for clip in clips:
        everything(clip)
    assert str(path.resolve()) not in [os.path.realpath(f) for f in held.iterdir()]


def test_an_edit_list_is_honoured(make: Make, tmp_path: Path) -> None:
    path = make("a.mp4", *PLAIN)
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.3", "-i", str(path), "-c", "copy", str(cut))
    clip, whole = open_clip(cut), open_clip(path).read(0, 20)
    frames = everything(clip)
    assert 8 < clip.info.frames < 20
    assert np.array_equal(frames, whole[-len(frames) :])


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", H264), ("b.avi", ("-c:v", "mpeg4"))])
def test_variable_rate_and_dropped_frames_come_as_they_are(make: Make, name: str, codec: tuple[str, ...]) -> None:
    choose = ("-vf", "select='not(mod(n,3))+gt(n,12)'", "-fps_mode", "vfr")
    clip = open_clip(make(name, *choose, *codec, "-pix_fmt", "yuv420p"))
    assert clip.info.frames == len(everything(clip)) == 12


@pytest.mark.parametrize("angle", [90, -90, 180])
def test_rotation(make: Make, tmp_path: Path, angle: int) -> None:
    path, turned = make("a.mp4", *PLAIN, source=SMOOTH), tmp_path / "t.mp4"
    ffmpeg("-display_rotation", str(angle), "-i", str(path), "-c", "copy", str(turned))
    clip = open_clip(turned)
    shown = ffmpeg("-i", str(turned), *EXACT, "-f", "rawvideo", "-pix_fmt", "rgb24", "-frames:v", "1", "-")
    assert (clip.info.height, clip.info.width) == ((50, 66) if angle == 180 else (66, 50))
    want = np.frombuffer(shown, np.uint8).reshape(clip.info.height, clip.info.width, 3)
    assert np.abs(clip.read(0, 1)[0].astype(float) - want).mean() < 2
    assert "turned by" in clip.info.colour


@pytest.mark.parametrize("option", [("-display_rotation", "45"), ("-display_hflip",)])
def test_other_orientations_are_refused(make: Make, tmp_path: Path, option: tuple[str, ...]) -> None:
    turned = tmp_path / "t.mp4"
    ffmpeg(*option, "-i", str(make("a.mp4", *PLAIN)), "-c", "copy", str(turned))
    with pytest.raises(InputError, match="supported"):
        open_clip(turned)


def test_fields_that_are_stored_one_by_one_are_frames(tmp_path: Path) -> None:
    """There are twice as many packets as frames, which were taken for frames that a damaged file lacks."""
    levels = [(40 + 10 * t, 45 + 10 * t) for t in range(9)]
    (tmp_path / "a.h264").write_bytes(h264_fields.stream(levels))
    ffmpeg("-fflags", "+genpts", "-r", "50", "-i", str(tmp_path / "a.h264"), "-c", "copy", str(tmp_path / "a.ts"))
    for name in ("a.h264", "a.ts"):
        clip = open_clip(tmp_path / name)
        frames = everything(clip, 4)
        wanted = np.rint((np.array(levels) - 16) * 255 / 219)
        assert np.array_equal(frames[:, :4, 0, 0], np.tile(wanted, 2))
        assert "interlaced" in clip.info.colour
    data = bytearray((tmp_path / "a.ts").read_bytes())
    packets = len(data) // 188 * 6 // 10
    (tmp_path / "cut.ts").write_bytes(data[: 188 * packets])
    assert open_clip(tmp_path / "cut.ts", stop=4).info.frames == 4


@pytest.mark.parametrize(
    "codec",
    [
        ("-c:v", "libx264", "-x264-params", "open-gop=1:keyint=8:min-keyint=8:scenecut=0:bframes=3", "-threads", "1"),
        ("-c:v", "mpeg2video", "-g", "8", "-bf", "2"),
    ],
)
def test_a_recording_begins_where_it_can_be_decoded(make: Make, tmp_path: Path, codec: tuple[str, ...]) -> None:
    """A broadcast was there before, and goes on after it."""
    path = make("a.ts", *codec, "-pix_fmt", "yuv420p", source=LARGER)
    data = path.read_bytes()
    (tmp_path / "late.ts").write_bytes(data[len(data) // 3 // 188 * 188 :])
    whole, clip = everything(open_clip(path)), open_clip(tmp_path / "late.ts")
    frames = everything(clip, 3)
    assert 4 < len(frames) < 16
    assert np.array_equal(frames, whole[-len(frames) :])
    assert np.array_equal(clip.read(2, 4), frames[2:4])
    assert re.search(r"without \d+ at its beginning that rest on frames before them$", clip.info.colour)
    assert "without" not in open_clip(path).info.colour


def test_what_is_left_alone_or_chosen_is_said(make: Make, tmp_path: Path) -> None:
    path = make("a.mkv", "-vf", "setsar=16/15", "-c:v", "ffv1")
    assert open_clip(path).info.colour.endswith(", pixels of 16:15 as stored")
    both = tmp_path / "both.mkv"
    ffmpeg("-i", str(path), "-i", str(make("b.mkv", "-c:v", "ffv1")), "-map", "1", "-map", "0", "-c", "copy", str(both))
    assert open_clip(both).info.colour.endswith("(tagged), the first of 2 video streams")


# --- damaged videos -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", (*H264, "-pix_fmt", "yuv420p", "-movflags", "+faststart")),
        ("b.mkv", (*H264, "-pix_fmt", "yuv420p")),
        ("c.y4m", ("-pix_fmt", "yuv420p")),
        ("d.webm", ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-g", "6")),
        ("e.avi", ("-c:v", "mjpeg")),
        ("f.flv", ("-c:v", "flv1")),
    ],
)
def test_a_truncated_video(make: Make, tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    path = make(name, *options, source=LARGER)
    whole = open_clip(path).read(0, 20)
    data = path.read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(InputError, match=r"truncated.*--frames 0:") as error:
        open_clip(cut)
    left = int(str(error.value).rsplit(":", 1)[1].rstrip("."))
    assert 2 < left < 20
    assert str(cut) in str(error.value)
    # What the message proposes works, and gives what was there.
    assert np.array_equal(open_clip(cut, stop=left).read(0, left), whole[:left])
    # Found as a source, it fails where it breaks off.
    (clip,) = open_sources([cut])
    with pytest.raises(InputError, match=f"Frame {left} of"):
        everything(clip, 4)


def test_a_damaged_frame_in_the_middle(make: Make, tmp_path: Path) -> None:
    path = make("a.mp4", *H264, "-pix_fmt", "yuv420p", "-movflags", "+faststart")
    data = bytearray(path.read_bytes())
    middle = len(data) * 6 // 10
    for i in range(middle, middle + 60):
        data[i] ^= 0x5A
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(bytes(data))
    clip = open_clip(bad)
    for _ in range(2):  # the error does not go away
        with pytest.raises(InputError, match=r"Frame \d+ of 20 in .*bad\.mp4.*--frames 0:") as error:
            everything(clip, 4)
    good = int(str(error.value).split("--frames 0:")[1].split(",")[0])
    assert np.array_equal(clip.read(0, good), open_clip(path).read(0, good))


def test_a_change_of_size_half_way(make: Make, tmp_path: Path) -> None:
    small = make("s.ts", *H264, "-pix_fmt", "yuv420p")
    large = make("l.ts", *H264, "-pix_fmt", "yuv420p", source="testsrc2=s=160x120:r=25:d=0.2")
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(InputError, match=r"Frame 20 of .*160 x 120.*66 x 50"):
        everything(open_clip(both))


@pytest.mark.parametrize("content", [b"", b"not a video at all\n" * 50, b"#EXTM3U\n#EXTINF:1,\nother.ts\n"])
def test_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r'a\.mp4" cannot be opened'):
        open_clip(path)


def test_sound_alone_is_no_video(make: Make) -> None:
    path = make("a.mkv", source="sine=d=0.2")
    with pytest.raises(InputError, match="no video stream"):
        open_clip(path)
