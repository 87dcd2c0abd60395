"""FFmpeg's filters by pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vbench.errors import InputError, RunError
from vbench.ffmpeg_pipe import ffmpeg_exe, ffmpeg_version, pipe_filter

CLIP = np.random.default_rng(2).integers(0, 256, (9, 34, 47, 3)).astype(np.uint8)


def send(frames: Any, filters: str, chunk: int = 4, **more: Any) -> Any:
    parts = (frames[i : i + chunk] for i in range(0, len(frames), chunk))
    height, width, channels = frames.shape[1:]
    size = {"height": height, "width": width, "channels": channels}
    return np.concatenate(list(pipe_filter(parts, filters, **size, fps=24000 / 1001, **more)))


def test_a_filter_that_does_nothing_changes_nothing() -> None:
    assert np.array_equal(send(CLIP, "null"), CLIP)
    assert np.array_equal(send(CLIP, "null", chunk=1, pix_fmt="gbrp"), CLIP)
    assert np.array_equal(send(CLIP[..., :1], "format=gray,null"), CLIP[..., :1])


@pytest.mark.parametrize(
    "name", ["hqdn3d=4:3:6:4.5", "nlmeans=s=30:p=5:r=7", "bm3d=sigma=10:block=8:bstep=8:group=1", "unsharp"]
)
def test_classical_filters_run_and_repeat(name: str) -> None:
    out = send(CLIP[:3], name, pix_fmt="yuv444p" if name == "unsharp" else "gbrp")
    assert out.shape == CLIP[:3].shape
    assert not np.array_equal(out, CLIP[:3])
    assert np.array_equal(send(CLIP[:3], name, 1, pix_fmt="yuv444p" if name == "unsharp" else "gbrp", threads=2), out)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("no_such_filter", "no_such_filter.*(exit status [1-9]|not).*"),
        ("trim=end_frame=5", "gave 5 of"),
        ("framestep=3", "gave 3 of 9 frames"),
        ("scale=20:20", "gave"),
    ],
)
def test_a_filter_that_fails_or_loses_frames(filters: str, words: str) -> None:
    with pytest.raises(RunError, match=words):
        send(CLIP, filters)


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(RunError, match="was started for"):
        list(pipe_filter(iter([CLIP]), "null", height=34, width=46, channels=3, fps=24))


def test_an_error_of_the_source_comes_through() -> None:
    def source() -> Iterator[Any]:
        yield CLIP
        raise InputError("the source broke")

    with pytest.raises(InputError, match="the source broke"):
        list(pipe_filter(source(), "null", height=34, width=47, channels=3, fps=24))


def test_stopping_early_leaves_nothing_behind() -> None:
    closed = threading.Event()
    drawn = 0

    def endless() -> Iterator[Any]:
        nonlocal drawn
        try:
            while True:
                drawn += 1
                yield CLIP
        finally:
            closed.set()

    before = threading.active_count()
    out = pipe_filter(endless(), "null", height=34, width=47, channels=3, fps=24)
    next(out)
    time.sleep(0.3)
    held = drawn
    time.sleep(0.3)
    assert drawn == held  # the source waits for the consumer: memory is bounded
    out.close()  # type: ignore[attr-defined]
    assert closed.wait(5)
    assert threading.active_count() == before


def test_the_version_of_ffmpeg() -> None:
    assert Path(ffmpeg_exe()).is_file()
    assert any(c.isdigit() for c in ffmpeg_version())
