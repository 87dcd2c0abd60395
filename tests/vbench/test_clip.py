"""Clips of every kind: what is read is what was stored, and what cannot be read is said."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vbench.clip import Clip, natural_key, open_clip, open_sources, parse_frames, validate_name
from vbench.errors import InputError, RunError
from vbench.media import FrameFolder, FrameHasher, encode_png, ffmpeg_exe, pipe_filter, read_image

MakeClip = Callable[..., Path]


def whole(clip: Clip, chunk: int = 5) -> NDArray[np.generic]:
    return np.concatenate(list(clip.chunks(chunk)))


def encode(frames: NDArray[np.uint8], path: Path, *options: str) -> Path:
    """A video file of these frames, by the bundled FFmpeg."""
    count, height, width, channels = frames.shape
    pix = "gray" if channels == 1 else "rgb24"
    command = [
        ffmpeg_exe(),
        "-y",
        "-loglevel",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        pix,
        "-s",
        f"{width}x{height}",
    ]
    command += ["-r", "25", "-i", "pipe:0", "-threads", "1", *options, str(path)]
    subprocess.run(command, input=frames.tobytes(), check=True)
    assert count
    return path


@pytest.mark.parametrize("name", ["plain", "two words", "ünï 電影", "<b>&\"'"])
def test_a_folder_of_frames(moving: NDArray[np.uint8], clip_folder: MakeClip, name: str) -> None:
    clip = open_clip(clip_folder(moving, name))
    assert (clip.info.name, clip.info.frames, clip.info.bit_depth) == (name, 6, 8)
    assert (whole(clip) == moving).all()
    assert (clip.read(2, 4) == moving[2:4]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits(moving: NDArray[np.uint8], tmp_path: Path, channels: int) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    deep = moving[..., :channels].astype(np.uint16) * 200 + 7
    for i, frame in enumerate(deep):
        cv2.imwrite(str(folder / f"{i}.tiff"), frame[..., ::-1])
    clip = open_clip(folder)
    assert clip.info.bit_depth == 16
    assert (whole(clip) == deep).all()


def test_natural_order_and_other_formats(moving: NDArray[np.uint8], tmp_path: Path) -> None:
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"frame{i + 7}.bmp"), moving[i][..., ::-1])  # frame7 ... frame12
    assert (whole(open_clip(tmp_path)) == moving).all()


def test_palette_and_alpha(tmp_path: Path, moving: NDArray[np.uint8]) -> None:
    from PIL import Image

    (tmp_path / "p").mkdir()
    (tmp_path / "a").mkdir()
    Image.fromarray(moving[0]).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p" / "0.png")
    palette = np.asarray(Image.open(tmp_path / "p" / "0.png").convert("RGB"))
    assert (whole(open_clip(tmp_path / "p"))[0] == palette).all()
    Image.fromarray(np.dstack([moving[0], moving[0][..., :1]])).save(tmp_path / "a" / "0.png")
    clip = open_clip(tmp_path / "a")
    assert "alpha dropped" in clip.info.colour
    assert (whole(clip)[0] == moving[0]).all()


def test_odd_one_out_is_named(moving: NDArray[np.uint8], clip_folder: MakeClip) -> None:
    folder = clip_folder(moving)
    (folder / "00003.png").write_bytes(encode_png(moving[3][:-1]))
    with pytest.raises(InputError, match=r"00003\.png.* is 80 x 63.*80 x 64"):
        whole(open_clip(folder))
    (folder / "00003.png").write_bytes(encode_png(moving[3])[:200])
    with pytest.raises(InputError, match=r"00003\.png.*truncated"):
        whole(open_clip(folder))


def test_one_frame_and_odd_sizes(moving: NDArray[np.uint8], clip_folder: MakeClip) -> None:
    odd = moving[:1, :33, :47]
    clip = open_clip(clip_folder(odd))
    assert (clip.info.frames, clip.info.height, clip.info.width) == (1, 33, 47)
    assert (whole(clip) == odd).all()


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrp")),
        ("avi", ("-c:v", "ffv1", "-pix_fmt", "bgr0")),
        ("mov", ("-c:v", "png", "-pix_fmt", "rgb24")),
    ],
)
def test_lossless_rgb_video_is_exact(
    moving: NDArray[np.uint8], tmp_path: Path, suffix: str, options: tuple[str, ...]
) -> None:
    clip = open_clip(encode(moving, tmp_path / f"clip.{suffix}", *options))
    assert clip.info.frames == 6
    assert clip.info.fps == pytest.approx(25)
    assert (whole(clip) == moving).all()
    assert (clip.read(4, 6) == moving[4:]).all()
    assert (clip.read(1, 3) == moving[1:3]).all()  # backwards: decoding begins again


def _textbook(rgb: NDArray[np.uint8], kr: float, kb: float, full: bool, bits: int) -> tuple[int, int, int]:
    """One RGB colour as YUV by the definition of H.273."""
    r, g, b = (float(v) / 255 for v in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    s = 2 ** (bits - 8)
    if full:
        peak = 2**bits - 1
        return round(y * peak), round(u * peak + 128 * s), round(v * peak + 128 * s)
    return round((16 + 219 * y) * s), round((128 + 224 * u) * s), round((128 + 224 * v) * s)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("matrix", "kr", "kb"),
    [("bt709", 0.2126, 0.0722), ("smpte170m", 0.299, 0.114), ("bt2020nc", 0.2627, 0.0593)],
)
def test_yuv_becomes_rgb_by_the_textbook(
    tmp_path: Path, bits: int, full: bool, matrix: str, kr: float, kb: float
) -> None:
    """Solid colours through a lossless file with these tags come back within the rounding of YUV itself."""
    colours = np.array(
        [[200, 40, 60], [30, 180, 90], [90, 60, 220], [250, 250, 250], [4, 4, 4], [128, 128, 128]], np.uint8
    )
    pix = "yuv420p" if bits == 8 else f"yuv420p{bits}le"
    dtype = np.uint8 if bits == 8 else np.dtype("<u2")
    data = b""
    for colour in colours:
        y, u, v = _textbook(colour, kr, kb, full, bits)
        data += (
            np.full((64, 64), y, dtype).tobytes()
            + np.full((32, 32), u, dtype).tobytes()
            + np.full((32, 32), v, dtype).tobytes()
        )
    path = tmp_path / "tagged.mkv"
    command = [
        ffmpeg_exe(),
        "-y",
        "-loglevel",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        pix,
        "-s",
        "64x64",
        "-i",
        "pipe:0",
    ]
    tags = f"setparams=colorspace={matrix}:range={'pc' if full else 'tv'}"  # an output option would convert
    command += ["-vf", tags, "-c:v", "libx265", "-x265-params", "lossless=1:log-level=error", str(path)]
    subprocess.run(command, input=data, check=True)
    clip = open_clip(path)
    assert clip.info.bit_depth == bits
    assert ("full range" if full else "limited range") in clip.info.colour
    frames = whole(clip).astype(np.float64) / (255 if bits == 8 else 65535)
    # One step of 8-bit chroma is up to 1.9 / 224 of blue or red; output rounding adds half a level.
    tolerance = 2.2 / 255 if bits == 8 else 0.6 / 255
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame[8, 8] - colour / 255).max() < tolerance


def test_untagged_is_said(moving: NDArray[np.uint8], tmp_path: Path) -> None:
    clip = open_clip(encode(moving, tmp_path / "x.mp4", "-pix_fmt", "yuv420p", "-qp", "4"))
    assert "untagged: BT.601 assumed" in clip.info.colour
    assert np.abs(whole(clip).astype(int) - moving).mean() < 6


def test_gray_video_stays_gray(moving: NDArray[np.uint8], tmp_path: Path) -> None:
    gray = moving[..., 1:2]
    clip = open_clip(encode(np.ascontiguousarray(gray), tmp_path / "g.mkv", "-c:v", "ffv1", "-pix_fmt", "gray"))
    assert clip.info.channels == 1
    assert (whole(clip) == gray).all()


def test_rotation_is_honoured(moving: NDArray[np.uint8], tmp_path: Path) -> None:
    """As FFmpeg itself turns the picture."""
    plain = encode(moving, tmp_path / "plain.mp4", "-pix_fmt", "yuv444p", "-qp", "10")
    turned = tmp_path / "turned.mp4"
    command = [
        ffmpeg_exe(),
        "-y",
        "-loglevel",
        "error",
        "-display_rotation",
        "90",
        "-i",
        str(plain),
        "-c",
        "copy",
        str(turned),
    ]
    subprocess.run(command, check=True)
    shown = subprocess.run(
        [ffmpeg_exe(), "-loglevel", "error", "-i", str(turned), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    wanted = np.frombuffer(shown, np.uint8).reshape(6, 80, 64, 3).astype(int)
    clip = open_clip(turned)
    assert (clip.info.height, clip.info.width) == (80, 64)
    assert np.abs(whole(clip).astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(("suffix", "options"), [
    ("mkv", ("-c:v", "libx264", "-g", "2", "-pix_fmt", "yuv420p")), ("y4m", ("-pix_fmt", "yuv420p")), ("avi", ("-c:v", "mjpeg")),
    ("mp4", ("-pix_fmt", "yuv420p")),
])  # fmt: skip
def test_truncated_videos_are_refused(
    picture: NDArray[np.uint8], tmp_path: Path, suffix: str, options: tuple[str, ...]
) -> None:
    frames = np.stack([np.roll(picture, 3 * t, axis=1) for t in range(12)])
    path = encode(frames, tmp_path / f"clip.{suffix}", *options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.55)])
    with pytest.raises(InputError, match="truncated|breaks off"):
        whole(open_clip(path))


def test_what_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_clip(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no clip"):
        open_clip(tmp_path)
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with pytest.raises(InputError, match="cannot be opened as a video"):
        open_clip(text)


def test_ranges(moving: NDArray[np.uint8], clip_folder: MakeClip) -> None:
    folder = clip_folder(moving)
    assert (whole(open_clip(folder, start=1, stop=5, max_frames=3)) == moving[1:4]).all()
    with pytest.raises(InputError, match="has 6 frame.*2:9 were asked for"):
        open_clip(folder, start=2, stop=9)


def test_sources(moving: NDArray[np.uint8], clip_folder: MakeClip, tmp_path: Path) -> None:
    for name in ("b10", "b9"):
        clip_folder(moving, name)
    root = tmp_path / "sources"
    encode(moving, root / "a.mkv", "-c:v", "ffv1", "-pix_fmt", "gbrp")
    assert [c.info.name for c in open_sources([root])] == ["a", "b9", "b10"]
    with pytest.raises(InputError, match='called "b9"'):
        open_sources([root, root / "b9"])
    with pytest.raises(InputError, match="does not exist"):
        open_sources([root / "c"])


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_frame_ranges_are_read(start: int, length: int) -> None:
    assert parse_frames(f" {start} : {start + length} ") == (start, start + length)
    with pytest.raises(InputError):
        parse_frames(f"{start + length}:{start}")


@pytest.mark.parametrize("text", ["3", "a:b", "1:2:3", "-1:4", "5:5", "1.5:3"])
def test_bad_frame_ranges(text: str) -> None:
    with pytest.raises(InputError, match="--frames"):
        parse_frames(text)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=9, unique=True))
def test_natural_order_is_that_of_the_numbers(numbers: list[int]) -> None:
    names = sorted((f"f{n}.png" for n in numbers), key=natural_key)
    assert names == [f"f{n}.png" for n in sorted(numbers)]


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a\\b", "x\n", " x", "y" * 300])
def test_names_that_no_folder_may_have(name: str) -> None:
    with pytest.raises(InputError):
        validate_name(name)


def test_written_frames_come_back_and_hash_alike(moving: NDArray[np.uint8], tmp_path: Path) -> None:
    with FrameFolder(tmp_path / "out") as writer:
        for frame in moving:
            writer.write(frame)
    clip = open_clip(tmp_path / "out")
    assert (whole(clip) == moving).all()
    hashes = []
    for chunk in (1, 4):
        hasher = FrameHasher()
        for frames in clip.chunks(chunk):
            hasher.update(frames)
        hashes.append(hasher.hexdigest())
    assert hashes[0] == hashes[1]
    assert read_image(tmp_path / "out" / "00000002.png")[0].tolist() == moving[2].tolist()


def test_nothing_is_half_written(moving: NDArray[np.uint8], tmp_path: Path) -> None:
    def interrupted() -> None:
        with FrameFolder(tmp_path / "out") as writer:
            writer.write(moving[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(moving: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with (
        pytest.raises(RunError, match=r"00000000\.png.*No space left on device.*free"),
        FrameFolder(tmp_path / "out") as writer,
    ):
        writer.write(moving[0])
    assert list(tmp_path.iterdir()) == []


def test_a_filter_that_changes_nothing(moving: NDArray[np.uint8]) -> None:
    out = pipe_filter(iter([moving[:4], moving[4:]]), "null", height=64, width=80, channels=3, fps=25)
    assert (np.concatenate(list(out)) == moving).all()


def test_a_filter_that_fails_or_drops_frames(moving: NDArray[np.uint8]) -> None:
    facts = {"height": 64, "width": 80, "channels": 3, "fps": 25.0}
    with pytest.raises(RunError, match="nosuchfilter"):
        list(pipe_filter(iter([moving]), "nosuchfilter", **facts))
    with pytest.raises(RunError, match="3 of 6 frames"):
        list(pipe_filter(iter([moving]), "select='not(mod(n,2))'", **facts))


def test_closing_a_filter_early_ends_it(moving: NDArray[np.uint8]) -> None:
    stream = pipe_filter(iter([moving] * 200), "null", height=64, width=80, channels=3, fps=25)
    assert next(stream).shape == (1, 64, 80, 3)
    stream.close()


@pytest.mark.shared
def test_real_clips(shared: Path) -> None:
    clips = shared / "data" / "clips"
    tennis, park, factory = (open_clip(clips / n) for n in ("tennis", "park_joy", "factory_1080p30"))
    assert (tennis.info.frames, tennis.info.width, tennis.info.channels) == (24, 432, 3)
    assert (park.info.name, park.info.frames, park.info.width, park.info.fps) == ("park_joy", 10, 480, 50.0)
    assert (factory.info.frames, factory.info.channels) == (30, 1)
    flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    raw = subprocess.run(
        [ffmpeg_exe(), "-loglevel", "error", "-i", park.info.source, "-sws_flags", flags,
         "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert (np.frombuffer(raw, np.uint8).reshape(10, 270, 480, 3) == whole(park)).all()
