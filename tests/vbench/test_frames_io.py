"""Folders of images, writing PNG, folders that appear whole or not at all, hashes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vbench.clip import Clip
from vbench.errors import InputError, RunError
from vbench.frames_io import FrameFolder, encode_png, frame_hash, read_png, write_png
from vbench.sources import open_clip, open_sources
from vbench.workspace import clear_partial


def everything(clip: Clip, size: int = 7) -> Any:
    return np.concatenate(list(clip.chunks(size)))


GRADIENT = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)


def put(path: Path, image: Any, *options: int) -> None:
    """Write an image by OpenCV, from RGB or RGBA."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[1 if image.ndim == 2 else image.shape[2]]
    done, data = cv2.imencode(path.suffix, image if image.ndim == 2 else image[..., order], options)
    assert done
    path.write_bytes(data.tobytes())


@pytest.mark.parametrize("ending", [".png", ".tif", ".TIFF", ".bmp", ".webp"])
def test_lossless_images(tmp_path: Path, ending: str) -> None:
    for i in range(3):
        place = tmp_path / f"{i}{ending}"
        put(place, GRADIENT + i, *((cv2.IMWRITE_WEBP_QUALITY, 101) if ending == ".webp" else ()))
    clip = open_clip(tmp_path)
    assert np.array_equal(clip.read(1, 3), np.stack([GRADIENT + 1, GRADIENT + 2]))
    assert clip.info.colour == "RGB as stored, 8 bit"


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_16_bit_gray_and_alpha(tmp_path: Path, ending: str) -> None:
    deep = GRADIENT.astype(np.uint16) * 300
    put(tmp_path / f"rgb{ending}", deep)
    put(tmp_path / f"gray{ending}", deep[..., 0])
    put(tmp_path / f"alpha{ending}", np.dstack([deep, deep[..., :1]]))
    for name, want, words in (
        ("rgb", deep, "RGB as stored, 16 bit"),
        ("gray", deep[..., :1], "gray as stored, 16 bit"),
        ("alpha", deep, "RGB as stored, 16 bit, alpha dropped"),
    ):
        clip = open_clip(tmp_path / f"{name}{ending}")
        frames = clip.read(0, 1)
        assert frames.dtype == np.uint16
        assert np.array_equal(frames[0], want)
        assert (clip.info.colour, clip.info.bit_depth) == (words, 16)


ALPHA = np.arange(GRADIENT[..., 0].size, dtype=np.uint8).reshape(GRADIENT.shape[:2]) * 3


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("gray", [False, True])
def test_colours_of_a_tiff_are_not_multiplied_by_an_alpha_that_is_dropped(
    tmp_path: Path, gray: bool, compression: str | None
) -> None:
    """Pillow and most programs tag alpha as not multiplied yet; libtiff then gives out the product."""
    from PIL import Image

    colours = GRADIENT[..., 0] if gray else GRADIENT
    Image.fromarray(np.dstack([colours, ALPHA]), "LA" if gray else "RGBA").save(
        tmp_path / "a.tif", compression=compression
    )
    clip = open_clip(tmp_path / "a.tif")
    assert np.array_equal(clip.read(0, 1)[0], colours.reshape(*ALPHA.shape, -1))
    assert clip.info.colour == f"{'gray' if gray else 'RGB'} as stored, 8 bit, alpha dropped"


def test_kinds_of_tiff_that_would_come_out_wrong_are_refused(tmp_path: Path) -> None:
    """Gray and alpha of 16 bits came out with 8, planes apart in a mixture."""
    import tifffile

    deep = np.dstack([GRADIENT[..., 0], ALPHA]).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "ga.tif", deep, photometric="minisblack", extrasamples=["unassalpha"])
    planes = np.concatenate([GRADIENT, ALPHA[..., None]], axis=2).transpose(2, 0, 1).copy()
    tifffile.imwrite(
        tmp_path / "apart.tif",
        planes,
        photometric="rgb",
        extrasamples=["unassalpha"],
        planarconfig="separate",
        byteorder=">",
    )
    with pytest.raises(InputError, match=r"ga\.tif.* of 2 channels of 16 bits, of which 1 is alpha.*store it without"):
        open_clip(tmp_path / "ga.tif")
    with pytest.raises(InputError, match="4 channels of 8 bits, each in a plane of its own"):
        open_clip(tmp_path / "apart.tif")
    # No alpha, no complaint; and four inks are none.
    tifffile.imwrite(tmp_path / "rgb.tif", planes[:3], photometric="rgb", planarconfig="separate", bigtiff=True)
    assert np.array_equal(open_clip(tmp_path / "rgb.tif").read(0, 1)[0], GRADIENT)
    from PIL import Image

    Image.fromarray(GRADIENT).convert("CMYK").save(tmp_path / "cmyk.tif")
    assert open_clip(tmp_path / "cmyk.tif").info.colour == "RGB as stored, 8 bit"


def test_palette_gray_alpha_and_jpeg(tmp_path: Path) -> None:
    from PIL import Image

    colours = GRADIENT // 64 * 64
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    Image.fromarray(GRADIENT[..., 0]).convert("LA").save(tmp_path / "la.png")
    assert open_clip(tmp_path / "p.png").info.channels == 3
    gray = open_clip(tmp_path / "la.png")
    assert np.array_equal(gray.read(0, 1)[0, ..., 0], GRADIENT[..., 0])
    assert gray.info.colour == "gray as stored, 8 bit, alpha dropped"
    smooth = Image.linear_gradient("L").resize((32, 16)).convert("RGB")
    turn = Image.Exif()
    turn[0x0112] = 6  # to be turned by 90 degrees clockwise
    smooth.save(tmp_path / "j.jpg", quality=95, exif=turn)
    clip = open_clip(tmp_path / "j.jpg")
    assert (clip.info.height, clip.info.width) == (32, 16)
    assert np.abs(clip.read(0, 1)[0].astype(int) - np.rot90(np.asarray(smooth).astype(int), -1)).max() < 6
    assert "from JPEG" in clip.info.colour


def test_names_with_spaces_unicode_and_markup(tmp_path: Path) -> None:
    place = tmp_path / "Žluťoučký <b>kůň</b>"
    with FrameFolder(place) as writer:
        writer.write(GRADIENT)
    (clip,) = open_sources([place])
    assert clip.info.name == place.name
    assert np.array_equal(clip.read(0, 1)[0], GRADIENT)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (GRADIENT[:6], r"2\.png\" is 9 x 6, colour, 8 bit.*\"1\.png\", is 9 x 7, colour, 8 bit"),
        (GRADIENT[..., 0], "gray, 8 bit.*colour, 8 bit"),
        (GRADIENT.astype(np.uint16), "colour, 16 bit.*colour, 8 bit"),
    ],
)
def test_an_odd_frame_is_named(tmp_path: Path, odd: Any, words: str) -> None:
    put(tmp_path / "1.png", GRADIENT)
    put(tmp_path / "2.png", odd)
    with pytest.raises(InputError, match=words):
        everything(open_clip(tmp_path))


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_a_truncated_frame_is_named(tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    for i in range(2):
        put(tmp_path / f"{i}{ending}", noise)
    bad = tmp_path / f"1{ending}"
    bad.write_bytes(bad.read_bytes()[:-200])
    clip = open_clip(tmp_path)
    with pytest.raises(InputError, match=f"1\\{ending}.*truncated"):
        everything(clip)
    bad.unlink()
    with pytest.raises(InputError, match=f"1\\{ending}.*No such file"):
        everything(clip)


def test_frames_that_are_none(tmp_path: Path) -> None:
    from PIL import Image

    pages = [Image.fromarray(GRADIENT), Image.fromarray(GRADIENT)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="holds 2 images"):
        open_clip(tmp_path / "two.tif")
    put(tmp_path / "float.tif", GRADIENT[..., 0].astype(np.float32))
    with pytest.raises(InputError, match="float32"):
        open_clip(tmp_path / "float.tif")
    for name in ("a.png", "b.jpg"):
        (tmp_path / "mixed").mkdir(exist_ok=True)
        put(tmp_path / "mixed" / name, GRADIENT)
    with pytest.raises(InputError, match=r"several kinds: 1 \.jpg .*1 \.png"):
        open_clip(tmp_path / "mixed")


def test_a_link_that_leads_nowhere_is_not_a_frame_less(tmp_path: Path) -> None:
    put(tmp_path / "0.png", GRADIENT)
    (tmp_path / "1.png").symlink_to(tmp_path / "gone.png")
    clip = open_clip(tmp_path)
    assert clip.info.frames == 2
    with pytest.raises(InputError, match=r"1\.png"):
        everything(clip)


# --- writing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_png_comes_back(tmp_path: Path, dtype: Any, channels: int) -> None:
    top = np.iinfo(dtype).max
    frame = np.random.default_rng(1).integers(0, top, (5, 7, channels), endpoint=True).astype(dtype)
    write_png(tmp_path / "ů.png", frame)
    assert np.array_equal(read_png(tmp_path / "ů.png"), frame)
    assert encode_png(frame) == encode_png(frame.copy()) == (tmp_path / "ů.png").read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["ů.png"]


def test_png_refuses_other_arrays() -> None:
    for frame in (GRADIENT.astype(float), GRADIENT[..., :2], GRADIENT[..., 0]):
        with pytest.raises(RunError, match="expected"):
            encode_png(frame)


def fail_after_one(writer: FrameFolder) -> None:
    writer.write(GRADIENT)
    raise KeyError


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "out"
    with FrameFolder(place) as writer:
        for i in range(3):
            writer.write(GRADIENT + i)
            assert not place.exists()
    assert sorted(p.name for p in place.iterdir()) == [f"{i:08d}.png" for i in range(3)]
    assert np.array_equal(open_clip(place).read(0, 3), np.stack([GRADIENT + i for i in range(3)]))
    writer = FrameFolder(place)
    with pytest.raises(KeyError), writer:
        fail_after_one(writer)
    assert len(list(place.iterdir())) == 3
    with pytest.raises(RunError, match="exists already"), FrameFolder(place, replace=False):
        pass
    with FrameFolder(place) as writer:
        writer.write(GRADIENT)
    assert [p.name for p in place.iterdir()] == ["00000000.png"]
    assert [p.name for p in place.parent.iterdir()] == ["out"]
    with FrameFolder(place) as writer:
        writer.write(GRADIENT)
        with pytest.raises(RunError, match="Frame 1 for"):
            writer.write(GRADIENT[:3])


def test_what_a_killed_writer_leaves_is_cleared(tmp_path: Path) -> None:
    code = (
        "import numpy as np, pathlib, sys, time; from vbench.frames_io import FrameFolder\n"
        "with FrameFolder(pathlib.Path(sys.argv[1])) as w:\n"
        "    w.write(np.zeros((4, 4, 3), np.uint8)); print('written', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out").exists()
    assert [p.name.startswith(".") for p in tmp_path.iterdir()] == [True]
    assert clear_partial(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with (
        pytest.raises(RunError, match=r"00000000\.png.*No space left.*MiB are free"),
        FrameFolder(tmp_path / "out") as writer,
    ):
        writer.write(GRADIENT)
    with pytest.raises(RunError, match=r"a\.png.*No space left.*MiB are free"):
        write_png(tmp_path / "a.png", GRADIENT)
    assert list(tmp_path.iterdir()) == []


def test_hashes() -> None:
    frames = np.stack([GRADIENT, GRADIENT + 1, GRADIENT + 2])
    whole = frame_hash([frames])
    assert whole == frame_hash([frames[:1], frames[1:]])
    assert whole == frame_hash([np.asfortranarray(frames)])
    others: list[Any] = [frames[:2], frames.transpose(0, 2, 1, 3), frames.astype(np.uint16)]
    assert len({whole, *(frame_hash([f]) for f in others)}) == 4
    with pytest.raises(RunError, match="differ"):
        frame_hash([frames, frames[:, :3]])
