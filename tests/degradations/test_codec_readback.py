"""Quantiser, bits and types of frames as they are read from the stream."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from degradations.codec.pictures import Geometry, to_pictures
from degradations.codec.process import ffmpeg_exe
from degradations.codec.quantiser import Codec
from degradations.codec.readback import Av1Headers, SliceHeaders, quantiser_in
from tests.degradations.codecs import measured_by, texture

SETTINGS: list[dict[str, Any]] = [
    {"codec": "h264", "qp": 33},
    {"codec": "h264", "qp": 33, "structure": "hierarchical", "gop": 8},
    {"codec": "hevc", "qp": 33},
    {"codec": "vp9", "qp": 40},
    {"codec": "av1", "qp": 40},
    {"codec": "vvc", "qp": 33},
    {"codec": "mpeg2", "qp": 8},
    {"codec": "mpeg2", "qp": 8, "structure": "ibbp", "gop": 6},
    {"codec": "mpeg4", "qp": 8},
    {"codec": "mpeg4", "qp": 8, "structure": "ibbp", "gop": 6},
    {"codec": "mjpeg", "qp": 8},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(str(v) for v in s.values()))
def test_bits_are_those_that_ffmpeg_counts(settings: dict[str, Any], tmp_path: Path) -> None:
    """By ``-stats_enc_post`` of the plain command, which writes the size of every packet."""
    clip = texture(12, 64, 96)
    step = Codec.model_validate(settings)
    geometry = Geometry.of(64, 96)
    to_pictures(clip, geometry).tofile(tmp_path / "in.rgb")
    options = [part for k, v in step.options(geometry).items() for part in (f"-{k}", str(v))]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-framerate", "25"]
    stats = ["-stats_enc_post", str(tmp_path / "stats"), "-stats_enc_post_fmt", "{pts} {size}"]
    command = [ffmpeg_exe(), "-loglevel", "error", *raw, "-i", str(tmp_path / "in.rgb"), *options, *stats]
    subprocess.run([*command, str(tmp_path / "out.mp4")], check=True, capture_output=True)
    lines = sorted(tuple(map(int, line.split())) for line in (tmp_path / "stats").read_text().split("\n") if line)
    sizes = [8 * size for _, size in lines]
    found = measured_by(step, clip)
    text = 600 * 8 if settings["codec"] == "h264" else 0  # what x264 writes about itself is not counted
    assert found["bits"][1:] == sizes[1:]
    assert sizes[0] - 1.2 * text <= found["bits"][0] <= sizes[0] - text
    assert found["bits_total"] == sum(found["bits"])
    assert math.isclose(found["bit_rate"], found["bits_total"] / 12 * 25, abs_tol=0.1)
    assert math.isclose(found["bits_per_pixel"], found["bits_total"] / (12 * 64 * 96), abs_tol=1e-6)
    assert len(found["qp"]) == len(found["frame_type"]) == 12


def test_quantisers_of_x264_and_x265_by_type() -> None:
    """I frames have 3 less than -qp says, B frames 2 more, those that are referred to 1 more (ipratio 1.4, pbratio
    1.3: 6 log2 of them, rounded; measured for docs of both encoders)."""
    for name in ("h264", "hevc"):
        found = measured_by(
            Codec.model_validate({"codec": name, "qp": 33, "structure": "hierarchical", "gop": 50}), texture(9)
        )
        assert "".join(found["frame_type"]) == "IBBBPBBBP"
        assert found["qp"] == [30, 35, 34, 35, 33, 35, 34, 35, 33]


def test_quantisers_of_the_others() -> None:
    clip = texture(6)
    vp9 = measured_by(Codec(codec="vp9", qp=40), clip)["qp"]
    assert vp9 == [160] * 6, "the index of libvpx for 40"
    av1 = measured_by(Codec(codec="av1", qp=40), clip)["qp"]
    assert av1[0] == 67, "the key frame of SVT-AV1 at 40"
    assert all(100 <= index <= 160 for index in av1[1:])
    for name in ("mpeg2", "mpeg4", "mjpeg"):
        for q in (1, 2, 9, 31):
            assert measured_by(Codec.model_validate({"codec": name, "qp": q}), clip)["qp"] == [q] * 6
    vvc = measured_by(Codec(codec="vvc", qp=37), texture(20))
    (key,) = (qp for qp, kind in zip(vvc["qp"], vvc["frame_type"], strict=True) if kind == "I")
    assert key < 37 < max(vvc["qp"]), "more in higher layers: 35 to 46 on the clip for which it was written down"


@pytest.mark.parametrize("name", ["h264", "hevc", "vvc", "mpeg2", "vp9"])
def test_the_quantiser_is_the_one_of_the_headers(name: str, tmp_path: Path) -> None:
    """Against FFmpeg's ``trace_headers`` on a file, read here by other means."""
    clip, geometry = texture(10, 64, 96), Geometry.of(64, 96)
    step = Codec.model_validate({"codec": name, "qp": 30})
    to_pictures(clip, geometry).tofile(tmp_path / "in.rgb")
    options = [part for k, v in step.options(geometry).items() for part in (f"-{k}", str(v))]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-framerate", "25", "-i", str(tmp_path / "in.rgb")]
    path = str(tmp_path / "out.mp4")
    subprocess.run([ffmpeg_exe(), "-loglevel", "error", *raw, *options, path], check=True, capture_output=True)
    copy = ["-i", path, "-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"]
    text = subprocess.run([ffmpeg_exe(), "-nostdin", *copy], check=True, capture_output=True, text=True).stderr
    names = {
        "h264": ("pic_init_qp_minus26", "slice_qp_delta"),
        "hevc": ("init_qp_minus26", "slice_qp_delta"),
        "vvc": ("pps_init_qp_minus26", "sh_qp_delta"),
        "mpeg2": (None, "quantiser_scale_code"),
        "vp9": (None, "base_q_idx"),
    }
    first, second = names[name]
    base = 26 + int(re.search(rf"\s{first} .*= (-?\d+)", text)[1]) if first else 0  # type: ignore[index]
    by_packet = re.split(r"Packet: \d+ bytes,.* pts (-?\d+),.*", text)[1:]
    wanted = []
    for pts, part in sorted((int(p), t) for p, t in zip(by_packet[::2], by_packet[1::2], strict=True)):
        values = [int(v) for v in re.findall(rf"\s{second} .*= (-?\d+)", part)]
        assert values, pts
        wanted.append(base + sum(values) / len(values))
    assert measured_by(step, clip)["qp"] == wanted


def test_a_frame_of_av1_that_came_hidden_has_the_quantiser_it_was_coded_with() -> None:
    trace = Av1Headers()

    def say(*lines: str) -> None:
        for text in lines:
            trace(b"[trace_headers @ 0x1] [info] " + text.encode())

    key = (
        "Frame Header",
        "1 show_existing_frame 0 = 0",
        "2 frame_type 00 = 0",
        "4 show_frame 1 = 1",
        "9 base_q_idx 01 = 60",
    )
    say("Packet: 90 bytes, key frame, pts 0, dts 0.", *key)
    hidden = (
        "Frame Header",
        "2 frame_type 01 = 1",
        "4 show_frame 0 = 0",
        "6 refresh_frame_flags 0100 = 4",
        "9 base_q_idx 1 = 99",
    )
    shown = (
        "Frame Header",
        "2 frame_type 01 = 1",
        "4 show_frame 1 = 1",
        "6 refresh_frame_flags 0 = 0",
        "9 base_q_idx 1 = 140",
    )
    say("Packet: 50 bytes, pts 1, dts 1.", *hidden, *shown)
    say(
        "Packet: 5 bytes, pts 2, dts 2.",
        "Frame Header",
        "1 show_existing_frame 1 = 1",
        "2 frame_to_show_map_idx 010 = 2",
    )
    assert [(p.pts, p.size, p.qp, p.type) for p in trace.packets] == [
        (0, 90, 60, "I"), (1, 50, 140, "P"), (2, 5, 99, "P"),
    ]  # fmt: skip


def test_slices_of_a_picture_are_averaged() -> None:
    trace = SliceHeaders()
    for text in (
        "pps_init_qp_minus26 0 = 4",
        "Packet: 9 bytes, pts 3, dts 0.",
        "sh_qp_delta 0 = 2",
        "sh_qp_delta 0 = 4",
    ):
        trace(b"[trace_headers @ 0x1] [info] 1 " + text.encode())
    assert trace.packets[0].qp == 33


def test_packets_that_say_nothing() -> None:
    assert quantiser_in(b"", "mpeg2") is None
    assert quantiser_in(b"\x00\x00\x01\x00", "mpeg4") is None
    assert quantiser_in(b"\xff\xd8", "mjpeg") is None
    # P picture, no whole second, marker, time in 5 bits, marker, not coded; and the same coded, with quantiser 9.
    still = f"{0b01_0_1_00011_1_0:011b}{0:013b}"
    coded = f"{0b01_0_1_00011_1_1:011b}{0b0_000_01001:09b}{0:04b}"
    for bits, wanted in ((still, None), (coded, 9.0)):
        assert quantiser_in(b"\x00\x00\x01\xb6" + int(bits, 2).to_bytes(3, "big"), "mpeg4") == wanted
