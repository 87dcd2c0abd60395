"""The process between frames and frames: what it says when something goes wrong, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from degradations.base import ClipShape, Damage
from degradations.codec import process as module
from degradations.codec.encoders import ENCODERS
from degradations.codec.loss import PacketLoss
from degradations.codec.pictures import Geometry, Shelf
from degradations.codec.process import Job, coded
from degradations.codec.quantiser import Codec
from degradations.codec.rate import Rate
from degradations.rng import Rng
from tests.degradations.codecs import run, texture

Processes = list["module.subprocess.Popen[bytes]"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Every process that is started."""
    found: Processes = []
    popen = module.subprocess.Popen

    def spy(*args: Any, **kwargs: Any) -> Any:
        found.append(popen(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(module.subprocess, "Popen", spy)
    return found


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full temporary disk cannot matter."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    mask = torch.ones(6, 1, 48, 64)
    assert run(Codec(codec="h264", qp=30), texture(), 2, mask).masks["dirt"].equal(mask)
    assert run(Codec(codec="vvc", qp=30), texture(2)).frames.shape == (2, 3, 48, 64)


def test_stopping_early_ends_the_encoder_and_its_threads(started: Processes) -> None:
    before = threading.active_count()
    stream = Codec(codec="mjpeg", qp=4).stream((Damage(f[None]) for f in texture(200)), {}, ClipShape(200, 48, 64))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert started[0].poll() is not None
    assert threading.active_count() == before


def test_an_error_of_the_source_ends_the_encoder(started: Processes) -> None:
    def broken() -> Iterator[Damage]:
        yield Damage(texture(2))
        raise OSError("the disk is gone")

    for step in (Codec(codec="h264", qp=30), Rate(kbps=100, generations=2)):
        with pytest.raises(OSError, match="the disk is gone"):
            list(step.stream(broken(), {}, ClipShape(6, 48, 64)))
    assert len(started) == 3
    assert all(process.poll() is not None for process in started)


def test_a_failing_encoder_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Codec.options
    monkeypatch.setattr(Codec, "options", lambda self, g: {**options(self, g), "pix_fmt": "nothing"})
    for name in ("h264", "av1"):  # without and with headers on the same pipe
        with pytest.raises(ValueError, match=rf"{ENCODERS[name]} failed on a clip of 64 x 48 .*exit status.*nothing"):
            run(Codec.model_validate({"codec": name, "qp": 30}), texture(2))


def test_a_missing_encoder_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Codec.options
    monkeypatch.setattr(Codec, "options", lambda self, g: {**options(self, g), "c:v": "libnothing"})
    with pytest.raises(ValueError, match="has no encoder libnothing.*pip install -U imageio-ffmpeg.*another codec"):
        run(Codec(codec="h264", qp=30), texture(2))


def test_a_missing_ffmpeg_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import imageio_ffmpeg

    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(ValueError, match="no FFmpeg.*pip install.*IMAGEIO_FFMPEG_EXE"):
        Codec(codec="h264", qp=30).sample(ClipShape(1, 16, 16), Rng.root(0))


def test_an_ffmpeg_that_is_named_and_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "ffmpeg"))
    with pytest.raises(ValueError, match=r"ffmpeg.*cannot be started.*IMAGEIO_FFMPEG_EXE"):
        Codec(codec="h264", qp=30).sample(ClipShape(1, 16, 16), Rng.root(0))
    with pytest.raises(ValueError, match=r"ffmpeg.*cannot be started.*IMAGEIO_FFMPEG_EXE"):
        run(Codec(codec="h264", qp=30), texture(2))


@pytest.mark.parametrize(("by", "says"), [(signal.SIGKILL, "it was killed by the signal SIGKILL"),
                                          (signal.SIGABRT, "it broke off by the signal SIGABRT, an error of its own")])  # fmt: skip
def test_a_killed_ffmpeg_is_told(started: Processes, by: signal.Signals, says: str) -> None:
    def killing() -> Iterator[Damage]:
        yield Damage(texture(2))
        os.kill(started[0].pid, by)
        started[0].wait()
        yield Damage(texture(2))

    with pytest.raises(ValueError, match=f"libx264 failed on a clip of 64 x 48: {says}"):
        list(Codec(codec="h264", qp=30).stream(killing(), {}, ClipShape(4, 48, 64)))


def test_a_decoder_that_fails_is_not_hidden(started: Processes) -> None:
    def reader(pipe: Any) -> Iterator[int]:
        pipe.read(10)
        yield 1
        raise RuntimeError("the decoder fell over")

    step = Codec(codec="mjpeg", qp=4)
    geometry = Geometry.of(48, 64)
    pictures = (torch.zeros(8, 48, 64, 3, dtype=torch.uint8).numpy() for _ in range(500))
    with pytest.raises(RuntimeError, match="fell over"):
        list(coded(pictures, Job(geometry.padded, step.options(geometry)), reader))
    assert started[0].poll() is not None


def test_a_stream_that_cannot_be_decoded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from degradations.codec import pictures

    monkeypatch.setattr(pictures, "container_of", lambda name: "mp4")
    with pytest.raises(ValueError, match="libx264"):
        run(Codec(codec="h264", qp=30), texture(2))
    step = Codec(codec="h264", qp=30)
    geometry = Geometry.of(48, 64)
    zeros = iter([torch.zeros(2, 48, 64, 3, dtype=torch.uint8).numpy()])
    with pytest.raises(ValueError, match="The stream of libx264 cannot be decoded: "):
        list(coded(zeros, Job(geometry.padded, step.options(geometry)), misread))


def misread(pipe: Any) -> Iterator[object]:
    import av

    with av.open(pipe, "r", format="mp4") as source:
        yield from source.demux()


def test_another_number_of_frames_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from degradations.codec import pictures

    whole = pictures.decoded
    monkeypatch.setattr(pictures, "decoded", lambda *a: (p for i, p in enumerate(whole(*a)) if i != 2))
    with pytest.raises(ValueError, match="libx264 gave 5 frames, and 6 went in"):
        run(Codec(codec="h264", qp=30), texture())
    monkeypatch.setattr(pictures, "decoded", lambda *a: (p for p in whole(*a) for _ in range(2)))
    with pytest.raises(ValueError, match="libx264 gave 12 frames, and 6 went in"):
        run(Codec(codec="h264", qp=30), texture())


def test_noise_that_vvenc_has_no_room_for_is_told_and_small_pictures_have_some() -> None:
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="libvvenc failed.*8 bits for each pixel.*take a higher qp"):
        run(Codec(codec="vvc", qp=0), noise)
    for side in (1, 16, 48):
        assert run(Codec(codec="vvc", qp=22), noise[:, :, :side, :side]).frames.shape == (1, 3, side, side)


def test_an_empty_clip_is_an_error_in_words() -> None:
    for step in (Codec(codec="h264", qp=30), PacketLoss(rate=0.1)):
        params = step.sample(ClipShape(1, 48, 64), Rng.root(0))
        with pytest.raises(ValueError, match="no frame for libx264 to encode: the clip is empty"):
            list(step.stream([], params, ClipShape(0, 48, 64)))


def test_masks_wait_packed() -> None:
    shelf = Shelf()
    sparse = torch.zeros(2, 1, 480, 640)
    sparse[0, 0, 5, 7] = 0.25
    shelf.put(Damage(torch.zeros(2, 3, 480, 640), {"dirt": sparse, "hair": sparse * 2}))
    shelf.put(Damage(torch.zeros(1, 3, 480, 640)))
    held = sum(len(data) for _, planes in shelf._chunks for _, data in planes.values())
    assert held < 40_000, "2.4 MB of float32 zeros"
    assert shelf.frames == 2
    taken = shelf.take()
    assert list(taken) == ["dirt", "hair"]
    assert taken["dirt"].equal(sparse)
    assert shelf.take() == {}
    assert shelf.frames == 0
