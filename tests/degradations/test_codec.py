"""Compression through real encoders."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter
from torch import Tensor

from degradations import codec as module
from degradations.base import ClipShape, Damage, joined
from degradations.codec import Codec, Jpeg
from degradations.rng import Rng

CODECS = [("h264", 20), ("hevc", 20), ("vp9", 20), ("av1", 20), ("vvc", 25), ("mpeg2", 4), ("mjpeg", 4)]


def texture(frames: int = 6, height: int = 48, width: int = 64, channels: int = 3) -> Tensor:
    """A smooth random picture that drifts by a pixel a frame; its colour is softer than its detail."""
    noise = np.random.default_rng(0).standard_normal((channels + 1, height, width + frames))
    detail = gaussian_filter(noise[0], 2.0, mode="wrap")
    tint = np.stack([gaussian_filter(c, 8.0, mode="wrap") for c in noise[1:]])
    smooth = 0.5 + 0.15 * detail / detail.std() + 0.05 * tint / tint.std()
    shifted = np.stack([smooth[:, :, t : t + width] for t in range(frames)])
    return torch.from_numpy(shifted.clip(0, 1).astype(np.float32))


def run(step: Codec, frames: Tensor, chunk: int = 100, mask: Tensor | None = None) -> Damage:
    shape = ClipShape(len(frames), *frames.shape[2:], frames.shape[1])
    chunks = (
        Damage(frames[i : i + chunk], {} if mask is None else {"dirt": mask[i : i + chunk]})
        for i in range(0, len(frames), chunk)
    )
    parts = list(step.stream(chunks, {}, shape))
    return joined(parts)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a - b).double() ** 2).mean()))


@pytest.mark.parametrize(("codec", "qp"), CODECS)
def test_the_same_bytes_for_any_chunks_and_close_to_the_clip(codec: str, qp: int) -> None:
    clip = texture()
    step = Codec.model_validate({"codec": codec, "qp": qp})
    whole = run(step, clip).frames
    assert whole.shape == clip.shape
    assert psnr(whole, clip) > 30
    for chunk in (1, 5):
        assert run(step, clip, chunk).frames.equal(whole)
    levels = whole * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4, "the result has 8 bits"


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_higher_qp_is_worse_and_a_low_one_nearly_lossless(codec: str) -> None:
    clip = texture()
    found = [psnr(run(Codec.model_validate({"codec": codec, "qp": q}), clip).frames, clip) for q in (4, 28, 37, 45)]
    assert found[0] > 36
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] - 6


@pytest.mark.parametrize(("codec", "qp"), CODECS)
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (1, 5)])
def test_small_and_odd_sizes_and_single_gray_frames(codec: str, qp: int, size: tuple[int, int]) -> None:
    step = Codec.model_validate({"codec": codec, "qp": qp})
    gray = texture(1, *size, channels=1)
    out = run(step, gray).frames
    assert out.shape == gray.shape
    assert psnr(out, gray) > 22


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("codec", ["h264", "mpeg2", "mjpeg", "vvc"])
def test_pure_colours_come_back(codec: str, matrix: str) -> None:
    step = Codec.model_validate({"codec": codec, "qp": 4, "matrix": matrix})
    for colour in ((1, 1, 1), (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        flat = torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 16, 16).contiguous()
        assert float((run(step, flat).frames - flat).abs().max()) * 255 <= 2.01


def test_gray_levels_come_back_over_the_whole_range() -> None:
    levels = torch.arange(256, dtype=torch.float32).view(1, 1, 16, 16) / 255
    ramp = levels.repeat_interleave(4, 2).repeat_interleave(4, 3)
    for codec in ("h264", "mjpeg"):
        out = run(Codec.model_validate({"codec": codec, "qp": 1}), ramp).frames
        assert float((out - ramp).abs().mean()) * 255 < 1.5


def test_the_stream_says_constant_qp_and_one_thread(tmp_path: Path) -> None:
    """What x264 itself writes into the stream about its settings."""
    av = pytest.importorskip("av")
    clip = texture(12, 64, 96)
    path = tmp_path / "clip.mkv"
    shape = ClipShape(12, 64, 96)
    step = Codec(codec="h264", qp=33)
    module._encode(module._pictures([Damage(clip)], shape, tmp_path, []), path, step.options(), shape)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        settings = bytes(next(container.demux(stream)))
        context = stream.codec_context
        assert (context.width, context.height) == (96, 64)
        assert stream.frames in (0, 12)
    text = settings[settings.index(b"x264 - core") :].split(b"\0")[0].decode()
    assert "rc=cqp" in text
    assert "qp=33" in text
    assert "threads=1 " in text
    assert "keyint=250" in text


def test_masks_go_through_untouched_and_wait_on_disk() -> None:
    clip = texture()
    mask = torch.rand(6, 1, 48, 64, generator=torch.Generator().manual_seed(1))
    out = run(Codec(codec="mpeg2", qp=4), clip, 4, mask)
    assert out.mask is not None
    assert out.mask.equal(mask)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_stopping_early_leaves_no_file(temporary: Path) -> None:
    clip = texture()
    stream = Codec(codec="h264", qp=30).stream((Damage(f[None]) for f in clip), {}, ClipShape(6, 48, 64))
    next(stream)
    assert os.listdir(temporary)
    stream.close()  # type: ignore[attr-defined]
    assert not os.listdir(temporary)


def test_an_error_of_the_source_ends_the_encoder(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[module.subprocess.Popen[bytes]] = []
    popen = module.subprocess.Popen

    def spy(*args: object, **kwargs: object) -> object:
        started.append(popen(*args, **kwargs))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(module.subprocess, "Popen", spy)

    def broken() -> Iterator[Damage]:
        yield Damage(texture(2))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(Codec(codec="h264", qp=30).stream(broken(), {}, ClipShape(6, 48, 64)))
    assert started[0].poll() is not None
    assert not os.listdir(temporary)


def test_a_failing_encoder_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Codec.options
    monkeypatch.setattr(Codec, "options", lambda self: {**options(self), "c:v": "libnothing"})
    with pytest.raises(ValueError, match=r"libnothing failed on a clip of 64 x 48 .*exit status"):
        run(Codec(codec="h264", qp=30), texture(2))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"codec": "h264", "qp": 52}, "0..51"),
        ({"codec": "mpeg2", "qp": 0}, "1..31"),
        ({"codec": "mjpeg", "qp": 5, "gop": 3}, "no gop"),
        ({"codec": "divx", "qp": 5}, "h264"),
    ],
)
def test_settings_outside_the_scale_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Codec.model_validate(settings)


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


def test_jpeg_is_that_of_another_encoder() -> None:
    from io import BytesIO

    from PIL import Image

    clip = texture(2, 64, 64)
    clip[:, 0] = 1 - clip[:, 2]  # strong colours: swapped channels would show
    out = Jpeg(quality=30).apply(clip, {"quality": 30, "key": Rng.root(0).key}).frames
    store = BytesIO()
    picture = np.floor(clip[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
    Image.fromarray(picture).save(store, "JPEG", quality=30, subsampling=2)
    other = torch.from_numpy(np.array(Image.open(store))).permute(2, 0, 1) / 255
    assert float((out[0] - other).abs().mean()) * 255 < 1.0
    assert psnr(out, clip) < 40


def test_jpeg_quality_is_drawn_for_the_clip_and_varies_by_frame() -> None:
    clip = texture(1, 48, 64).expand(6, -1, -1, -1).contiguous()
    step = Jpeg(quality=[20, 60], spread=10)  # type: ignore[arg-type]
    drawn = [step.sample(ClipShape(6, 48, 64), Rng.root(s))["quality"] for s in range(8)]
    assert len(set(drawn)) > 3
    assert all(20 <= q <= 60 for q in drawn)
    params = {"quality": 40, "key": Rng.root(0).key}
    out = step.apply(clip, params).frames
    assert len({f.numpy().tobytes() for f in out}) > 2
    assert out.equal(torch.cat([step.apply(clip[i : i + 1], params, start=i).frames for i in range(6)]))
    gray = clip[:, :1]
    assert step.apply(gray, params).frames.shape == gray.shape


@pytest.mark.shared
def test_a_real_clip_loses_with_qp(shared: Path) -> None:
    files = sorted((shared / "data" / "clips" / "tennis").glob("*.png"))[:3]
    clip = torch.stack([torch.from_numpy(cv2.imread(str(f))[..., ::-1].copy()).permute(2, 0, 1) / 255 for f in files])
    found = [psnr(run(Codec(codec="h264", qp=q), clip).frames, clip) for q in (10, 28, 37, 45)]
    assert found[0] > 36
    assert found == sorted(found, reverse=True)
