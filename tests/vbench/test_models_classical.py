"""Classical filters: frames stay in their places; dirt is found along the motion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vbench import models
from vbench.errors import RunError
from vbench.models.motion_median import MotionMedian
from vbench.restore import from_array, run_array, to_uint8

CPU = torch.device("cpu")
FILTERS = [
    *("hqdn3d", "nlmeans", "bm3d", "atadenoise", "vaguedenoiser", "fftdnoiz", "dctdnoiz", "owdenoise"),
    *("nlmeans-skimage", "tv-chambolle", "wiener"),
    *("deblock", "deband", "deflicker", "removegrain", "unsharp", "temporal-median", "motion-median"),
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FILTERS)
def test_frames_stay_in_their_places(name: str, channels: int) -> None:
    """A clip whose bright bar stands elsewhere in each frame: no filter that looks ahead may come out late."""
    clip = np.full((9, 48, 96, channels), 60, np.uint8)
    for t in range(9):
        clip[t, :, 10 * t + 2 : 10 * t + 8] = 200
    found = run_array(models.spec(name).load(CPU, None), from_array(clip))
    assert found.shape == (9, channels, 48, 96)
    if name in ("temporal-median", "motion-median"):
        return  # what is in one frame alone is dirt to these
    bars = found.mean(dim=(1, 2))
    for t in range(9):
        inside = [float(bars[t, 10 * k + 4 : 10 * k + 6].mean()) for k in range(9)]
        assert int(np.argmax(inside)) == t


@pytest.mark.parametrize("name", FILTERS)
def test_threads_do_not_matter(name: str, moving: NDArray[np.uint8]) -> None:
    restorer = models.spec(name).load(CPU, None)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run_array(restorer, from_array(moving))
        torch.set_num_threads(2)
        two = run_array(restorer, from_array(moving))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one, two)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [*FILTERS, "richardson-lucy", "steady", "vidstab"])
def test_short_clips_keep_their_brightness_or_are_told(name: str, channels: int, moving: NDArray[np.uint8]) -> None:
    """FFmpeg's deflicker gave 20 % of it on a clip of one frame, and told nobody."""
    restorer = models.spec(name).load(CPU, None)
    for count in (1, 2, 4, 5):
        clip = from_array(moving[:count, ..., :channels])
        if name == "deflicker" and count < 5:
            with pytest.raises(RunError, match=f"at least 5 frames, its window, and this one has {count}"):
                run_array(restorer, clip)
            continue
        found = run_array(restorer, clip)
        assert float((found.mean((1, 2, 3)) - clip.mean((1, 2, 3))).abs().max()) < 0.03


def specks(moving: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Bright and dark blots and a scratch, each in one frame."""
    dirty, where = moving.copy(), np.zeros(moving.shape[:3], dtype=bool)
    random = np.random.default_rng(0)
    for t in range(len(moving)):
        for value in (5, 250):
            y, x = random.integers(8, 52), random.integers(10, 66)
            where[t, y : y + 4, x : x + 5] = True
            dirty[t, y : y + 4, x : x + 5] = value
    where[3, :, 40:42] = True
    dirty[3, :, 40:42] = 245
    return dirty, where


@pytest.mark.parametrize("channels", [1, 3])
def test_dirt_is_removed_and_little_else_changes(moving: NDArray[np.uint8], channels: int) -> None:
    clean = moving[..., :channels]
    dirty, where = specks(clean)
    found = to_uint8(run_array(MotionMedian(), from_array(dirty), chunk=2))

    def error(frames: NDArray[np.uint8], place: NDArray[np.bool_]) -> float:
        return float(np.square(frames[place].astype(float) - clean[place]).mean())

    assert error(found, where) < error(dirty, where) / 10
    assert error(found, ~where) < 10
    assert (found != dirty).any(axis=-1).mean() < 0.1


def test_a_clip_without_dirt_is_left_alone(moving: NDArray[np.uint8]) -> None:
    x = from_array(moving)
    found = run_array(MotionMedian(), x)
    assert float((found != x).float().mean()) < 0.01
    still = x[:1].expand(5, -1, -1, -1)
    assert torch.equal(run_array(MotionMedian(), still), still)


def test_flicker_is_no_dirt(moving: NDArray[np.uint8]) -> None:
    gains = torch.tensor([1.0, 0.8, 1.0, 0.75, 1.0, 0.85]).view(-1, 1, 1, 1)
    x = from_array(moving) * gains
    assert float((run_array(MotionMedian(), x) != x).float().mean()) < 0.02


@pytest.mark.parametrize("count", [1, 2])
def test_clips_too_short_come_out_as_they_are(moving: NDArray[np.uint8], count: int) -> None:
    x = from_array(moving[:count])
    assert torch.equal(run_array(MotionMedian(), x), x)
    small = from_array(moving[:4, :15, :15])
    assert torch.equal(run_array(MotionMedian(), small), small)
