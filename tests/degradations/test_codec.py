"""Compression at a constant quantiser through real encoders."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from degradations.base import ClipShape
from degradations.codec.encoders import PRESETS, STRUCTURES
from degradations.codec.pictures import Geometry, to_frames, to_pictures
from degradations.codec.process import ffmpeg_exe
from degradations.codec.quantiser import Codec
from degradations.rng import Rng
from tests.degradations.codecs import measured_by, psnr, run, texture

CODECS = [("h264", 20), ("hevc", 20), ("vp9", 20), ("av1", 20), ("vvc", 25), ("mpeg2", 4), ("mpeg4", 4), ("mjpeg", 4)]


def codec(**settings: object) -> Codec:
    return Codec.model_validate(settings)


@pytest.mark.parametrize(("name", "qp"), CODECS)
def test_the_same_bytes_for_any_chunks_and_close_to_the_clip(name: str, qp: int) -> None:
    clip = texture()
    step = codec(codec=name, qp=qp)
    whole = run(step, clip).frames
    assert whole.shape == clip.shape
    assert psnr(whole, clip) > 30
    for chunk in (1, 5):
        assert run(step, clip, chunk).frames.equal(whole)
    levels = whole * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4, "the result has 8 bits"


@pytest.mark.parametrize("name", ["h264", "hevc", "mpeg4"])
def test_a_higher_qp_is_worse_and_a_low_one_nearly_lossless(name: str) -> None:
    clip = texture()
    ladder = (1, 6, 12, 31) if name == "mpeg4" else (4, 28, 37, 45)
    found = [psnr(run(codec(codec=name, qp=q), clip).frames, clip) for q in ladder]
    assert found[0] > 36
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] - 6


@pytest.mark.parametrize(("name", "qp"), CODECS)
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (1, 5)])
def test_small_and_odd_sizes_and_single_gray_frames(name: str, qp: int, size: tuple[int, int]) -> None:
    step = codec(codec=name, qp=qp)
    gray = texture(1, *size, channels=1)
    out = run(step, gray).frames
    assert out.shape == gray.shape
    assert psnr(out, gray) > 22


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("name", ["h264", "mpeg2", "mjpeg", "vvc"])
def test_pure_colours_come_back(name: str, matrix: str) -> None:
    step = codec(codec=name, qp=4, matrix=matrix)
    for colour in ((1, 1, 1), (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        flat = torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 16, 16).contiguous()
        assert float((run(step, flat).frames - flat).abs().max()) * 255 <= 2.01


@pytest.mark.parametrize(("name", "qp"), CODECS)
def test_colours_stay_where_they_are(name: str, qp: int) -> None:
    """A coloured square in gray: the centre of its colour moves by less than a tenth of a pixel."""
    frame = torch.full((1, 3, 64, 64), 0.5)
    frame[0, 0, 20:44, 20:44] = 0.8
    frame[0, 2, 20:44, 20:44] = 0.2
    out = run(codec(codec=name, qp=qp), frame.expand(2, -1, -1, -1).contiguous()).frames
    for found in out:
        colour = (found[0] - found[2]).clamp(min=0)
        place = torch.arange(64) + 0.5
        for axis in (0, 1):
            assert abs(float((colour.sum(axis) * place).sum() / colour.sum()) - 32) < 0.1


@pytest.mark.parametrize("name", ["h264", "mjpeg", "vp9"])
def test_it_is_the_plain_command_bit_for_bit(name: str, tmp_path: Path) -> None:
    """FFmpeg's command line with the options of the recipe, decoded with the same flags."""
    clip = texture(5, 48, 64)
    step = codec(codec=name, qp=20)
    geometry = Geometry.of(48, 64)
    start = [ffmpeg_exe(), "-loglevel", "error"]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-framerate", "25", "-i", "pipe:0"]
    options = step.sample(ClipShape(5, 48, 64), Rng.root(0))["options"].split(" ")
    path = str(tmp_path / "clip.mkv")
    subprocess.run([*start, *raw, *options, path], input=to_pictures(clip, geometry).tobytes(), check=True)
    flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    back = [
        "-vf",
        f"scale=in_color_matrix=bt601:in_range={'pc' if name == 'mjpeg' else 'tv'}:flags={flags},format=rgb24",
    ]
    out = subprocess.run([*start, "-i", path, *back, "-f", "rawvideo", "-"], stdout=subprocess.PIPE, check=True).stdout
    wanted = torch.from_numpy(np.frombuffer(out, np.uint8).reshape(5, 48, 64, 3).copy()).permute(0, 3, 1, 2)
    assert torch.equal(run(step, clip).frames, wanted.float() / 255)


def test_gray_levels_come_back_over_the_whole_range() -> None:
    levels = torch.arange(256, dtype=torch.float32).view(1, 1, 16, 16) / 255
    ramp = levels.repeat_interleave(4, 2).repeat_interleave(4, 3)
    for name in ("h264", "mjpeg"):
        out = run(codec(codec=name, qp=1), ramp).frames
        assert float((out - ramp).abs().mean()) * 255 < 1.5


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.integers(1, 4))
def test_pictures_are_rounded_and_padded_by_repeating(height: int, width: int, channels: int, shrink: int) -> None:
    generator = torch.Generator().manual_seed(height * 100 + width)
    frames = torch.rand(2, channels, height, width, generator=generator) * 1.4 - 0.2
    geometry = Geometry.of(height, width, shrink)
    assert geometry.padded == (geometry.coded[0] * shrink, geometry.coded[1] * shrink)
    assert all(side % 2 == 0 and side >= 16 for side in geometry.coded)
    assert geometry.shown == (-(-height // shrink), -(-width // shrink))
    out = to_pictures(frames, geometry)
    wanted = np.floor(frames.clamp(0, 1).numpy().transpose(0, 2, 3, 1) * 255 + 0.5).astype(np.uint8)
    pad = ((0, 0), (0, geometry.padded[0] - height), (0, geometry.padded[1] - width), (0, 0))
    wanted = np.pad(np.repeat(wanted, 3 // channels, axis=3), pad, mode="edge")
    assert np.array_equal(out, wanted)
    planes = [tuple(np.ascontiguousarray(picture[..., c]) for c in range(3)) for picture in out]
    assert torch.equal(to_frames(planes), torch.from_numpy(wanted).permute(0, 3, 1, 2).float() / 255)


def test_masks_go_through_untouched() -> None:
    clip = texture()
    mask = torch.rand(6, 1, 48, 64, generator=torch.Generator().manual_seed(1))
    out = run(Codec(codec="mpeg2", qp=4), clip, 4, mask)
    assert out.mask is not None
    assert out.mask.equal(mask)
    assert run(Codec(codec="mpeg2", qp=4, shrink=2), clip, 4, mask).mask is None, "they have no meaning at another size"


@pytest.mark.parametrize(
    ("given_settings", "says"),
    [
        ({"codec": "h264", "qp": 52}, "0..51"),
        ({"codec": "mpeg2", "qp": 0}, "1..31"),
        ({"codec": "mpeg4", "qp": 32}, "1..31"),
        ({"codec": "mjpeg", "qp": 5, "gop": 3}, "no gop"),
        ({"codec": "divx", "qp": 5}, "mpeg4"),
        ({"codec": "h264", "qp": 5, "preset": "quick"}, "'quick' is none of h264, which has ultrafast"),
        ({"codec": "mpeg2", "qp": 5, "preset": "fast"}, "has no presets"),
        ({"codec": "av1", "qp": 5, "preset": "14"}, "is none of av1"),
        ({"codec": "mpeg2", "qp": 5, "structure": "hierarchical", "gop": 12}, "intra, ippp, ibbp"),
        ({"codec": "h264", "qp": 5, "structure": "ippp"}, "needs gop"),
        ({"codec": "h264", "qp": 5, "structure": "intra", "gop": 2}, "leave out gop"),
        ({"codec": "h264", "qp": 5, "structure": "ippp", "gop": 9, "bframes": 2}, "no B frames"),
        ({"codec": "h264", "qp": 5, "structure": "ibbp", "gop": 9, "bframes": 0}, "contradicts"),
        ({"codec": "vp9", "qp": 5, "bframes": 2}, "h264, hevc, mpeg2 and mpeg4 only"),
        ({"codec": "av1", "qp": 5, "one_qp": True}, "temporal layer"),
        ({"codec": "h264", "qp": 5, "conversion": "default", "matrix": "bt709"}, "not for bt709"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Codec.model_validate(given_settings)


def test_the_recipe_says_how_it_was_encoded() -> None:
    params = Codec(codec="hevc", qp=37, gop=50).sample(ClipShape(1, 16, 16), Rng.root(0))
    assert params["encoder"] == "libx265"
    for part in (
        "qp=37",
        "pools=1:frame-threads=1",
        "-g 50",
        "-threads 1",
        "out_color_matrix=bt601",
        "yuv420p",
    ):
        assert part in params["options"]
    assert params["ffmpeg"]


def test_the_commands_of_the_first_version_stay() -> None:
    """Written down before there were structures, presets and the rest: recipes of then give the same bytes."""
    scale = "-vf scale=out_color_matrix=bt601:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
    end = f"{scale} -pix_fmt yuv420p -colorspace smpte170m -color_range tv -threads 1"
    starts = {
        ("h264", 28): "-c:v libx264 -preset medium -qp 28",
        ("hevc", 37): "-c:v libx265 -preset medium -x265-params qp=37:pools=1:frame-threads=1:log-level=error",
        ("vp9", 45): "-c:v libvpx-vp9 -qmin 45 -qmax 45 -crf 45 -b:v 0 -cpu-used 4",
        ("av1", 45): "-c:v libsvtav1 -preset 10 -svtav1-params rc=0:aq-mode=0:qp=45:lp=1",
        ("mpeg2", 12): "-c:v mpeg2video -qscale:v 12 -qmin 1",
    }
    for (name, qp), start in starts.items():
        step = codec(codec=name, qp=qp)
        assert step.sample(ClipShape(1, 16, 16), Rng.root(0))["options"] == f"{start} {end}"
    assert Codec.model_validate({"codec": "h264", "qp": 28, "gop": None, "matrix": "bt601"}) == Codec(
        codec="h264", qp=28
    )


TYPES = {
    "intra": "IIIIIIIIIIIII",
    "ippp": "IPPPPPIPPPPPI",
    "ibbp": "IBBPBPIBBPBPI",
    "hierarchical": "IBBBPPIBBBPPI",
}


@pytest.mark.parametrize("structure", TYPES)
@pytest.mark.parametrize("name", ["h264", "hevc", "mpeg2", "mpeg4", "vp9", "av1"])
def test_structures_of_frames(name: str, structure: str) -> None:
    """What the stream says of its frames: a key frame every six, B frames where there are some."""
    if structure not in STRUCTURES[name]:
        return
    gop = None if structure == "intra" else 6
    found = "".join(measured_by(codec(codec=name, qp=20, structure=structure, gop=gop), texture(13))["frame_type"])
    wanted = TYPES[structure]
    if name in ("vp9", "av1"):  # they have no B frames, only hidden ones
        wanted = wanted.replace("B", "P")
    if name in ("mpeg2", "mpeg4"):  # open groups: B frames before an I frame refer to it
        assert found.count("B") == (8 if structure == "ibbp" else 0)
        assert found.count("I") == (13 if structure == "intra" else 3)
        return
    assert found == wanted


def test_vvc_intra_only() -> None:
    assert measured_by(Codec(codec="vvc", qp=30, structure="intra"), texture(4))["frame_type"] == ["I"] * 4


def test_more_b_frames_and_one_quantiser() -> None:
    found = measured_by(
        Codec(codec="h264", qp=30, structure="hierarchical", gop=12, bframes=5, one_qp=True), texture(13)
    )
    assert "".join(found["frame_type"]) == "IBBBBBPBBBBPI"
    assert found["qp"] == [30.0] * 13
    apart = measured_by(Codec(codec="hevc", qp=30, structure="hierarchical", gop=12), texture(13))
    assert len(set(apart["qp"])) > 2
    together = measured_by(Codec(codec="hevc", qp=30, structure="hierarchical", gop=12, one_qp=True), texture(13))
    assert together["qp"] == [30.0] * 13


@pytest.mark.parametrize("name", PRESETS)
def test_presets_change_the_stream(name: str) -> None:
    _, known, ours = PRESETS[name]
    clip = texture(4)
    plain = measured_by(codec(codec=name, qp=30), clip)["bits"]
    assert measured_by(codec(codec=name, qp=30, preset=ours), clip)["bits"] == plain
    other = {"h264": "ultrafast", "hevc": "ultrafast", "vp9": "8", "av1": "13", "vvc": "fast"}[name]
    assert other in known
    assert measured_by(codec(codec=name, qp=30, preset=other), clip)["bits"] != plain


@pytest.mark.parametrize("size", [(48, 64), (47, 61), (3, 5)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shrink", [2, 4])
def test_a_clip_coded_small_stays_small(size: tuple[int, int], channels: int, shrink: int) -> None:
    clip = texture(3, *size, channels)
    step = Codec(codec="h264", qp=10, shrink=shrink)
    after = step.shape_after(ClipShape(3, *size, channels), {})
    out = run(step, clip).frames
    assert out.shape == (3, channels, after.height, after.width)
    assert (after.height, after.width) == (-(-size[0] // shrink), -(-size[1] // shrink))
    assert after.scale == shrink
    if min(size) > 16:  # the mean of each square of pixels is near the small pixel
        whole = clip[:, :, : size[0] // shrink * shrink, : size[1] // shrink * shrink]
        means = torch.nn.functional.avg_pool2d(whole, shrink)
        assert psnr(out[:, :, : means.shape[2], : means.shape[3]], means) > 30


@pytest.mark.shared
def test_a_real_clip_loses_with_qp(shared: Path) -> None:
    files = sorted((shared / "data" / "clips" / "tennis").glob("*.png"))[:3]
    clip = torch.stack([torch.from_numpy(cv2.imread(str(f))[..., ::-1].copy()).permute(2, 0, 1) / 255 for f in files])
    found = [psnr(run(Codec(codec="h264", qp=q), clip).frames, clip) for q in (10, 28, 37, 45)]
    assert found[0] > 36
    assert found == sorted(found, reverse=True)
