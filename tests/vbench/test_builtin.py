"""Embedded clips: deterministic, moving as they say they move, never looking past their pictures."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vbench import builtin
from vbench.builtin.clips import FLOW_STEPS, load_flow
from vbench.builtin.scene import decode, encode, project
from vbench.clip import Clip
from vbench.errors import InputError

NAMES = builtin.names()


def test_there_are_enough_and_they_are_described() -> None:
    assert len(NAMES) >= 5
    for name in NAMES:
        assert len(builtin.describe(name)) > 30
    with pytest.raises(InputError, match='no embedded clip "cofee".*"coffee"'):
        builtin.open_builtin("cofee")


@pytest.mark.parametrize("name", NAMES)
def test_frames(name: str) -> None:
    clip = builtin.open_builtin(name)
    assert isinstance(clip, Clip)
    assert clip.info.frames >= 24
    frames = clip.read(0, 3)
    assert frames.shape == (3, 180, 320, 1 if name == "cameraman" else 3)
    assert frames.dtype == np.uint8
    assert 10 < frames.mean() < 220
    assert builtin.open_builtin(name, frames=5).info.frames == 5


@pytest.mark.parametrize("name", NAMES)
def test_flow_is_the_motion(name: str) -> None:
    """The next frame, pulled back along the flow, is this frame; there and back again is where one began."""
    clip = builtin.open_builtin(name)
    y, x = np.mgrid[:180, :320].astype(np.float32)
    flow, gone = clip.flow(5, 6)
    seen = ~gone
    assert seen.mean() > 0.5
    here, there = clip.render(5) * 255, clip.render(6) * 255
    pulled = cv2.remap(there, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC).reshape(here.shape)
    light = clip.scene.exposure(5) / clip.scene.exposure(6)
    pulled = encode(decode(pulled / 255) * np.float32(light)) * 255
    error = np.abs(pulled - here)[seen].mean()
    assert error < 2.2  # grey levels; resampling of fine texture is what remains
    assert error < 0.4 * np.abs(there - here)[seen].mean()
    back, _ = clip.flow(6, 5)
    returned = cv2.remap(back, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR) + flow
    assert np.quantile(np.abs(returned)[seen], 0.995) < 0.02


def test_a_cut_has_no_flow() -> None:
    clip = builtin.open_builtin("coffee")
    assert clip.flow(11, 12)[1].all()
    assert not clip.flow(12, 13)[1].all()
    jump = np.abs(clip.render(12) - clip.render(11)).mean()
    assert jump > 4 * np.abs(clip.render(11) - clip.render(10)).mean()


@pytest.mark.parametrize("name", NAMES)
def test_the_camera_never_sees_past_the_picture(name: str) -> None:
    scene = builtin.open_builtin(name).scene
    corners = np.array([[0, 0], [319, 0], [0, 179], [319, 179]], dtype=np.float64)
    for time in np.arange(-0.5, scene.frames - 0.4, 0.5):
        layer = scene.shot(time).layers[0]
        assert layer.alpha is None
        height, width = layer.texture.shape[:2]
        at = project(np.linalg.inv(layer.pose(time)), corners)
        assert at.min() >= 0
        assert at[:, 0].max() <= width - 1
        assert at[:, 1].max() <= height - 1


def test_motion_blur_is_an_integral_over_the_exposure() -> None:
    clip = builtin.open_builtin("orbit")
    blurred = decode(clip.exposure(8, 1.0, 8))
    instants = np.mean([decode(clip.render(8 - 0.5 + (i + 0.5) / 8)) for i in range(8)], axis=0)
    assert np.abs(blurred - instants).max() < 1e-5
    assert np.abs(clip.exposure(8, 1.0, 8) - clip.render(8)).mean() > 0.002


def test_stored_flow_comes_back(tmp_path: Path) -> None:
    clip = builtin.open_builtin("portrait", frames=3)
    clip.save_flow(tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["00000000.npz", "00000001.npz"]
    assert max(f.stat().st_size for f in files) < 100_000
    stored = load_flow(files[1])
    for name, (a, b) in {"forward": (1, 2), "backward": (2, 1)}.items():
        flow, gone = clip.flow(a, b)
        assert np.abs(stored[name] - flow).max() <= 0.5 / FLOW_STEPS + 1e-6
        assert (stored[f"occluded_{name}"] == gone).all()


def test_another_process_renders_the_same_bytes() -> None:
    code = (
        "import hashlib; from vbench import builtin;"
        "print(hashlib.sha256(b''.join(builtin.open_builtin(n).read(3, 5).tobytes() for n in ('cat', 'garage'))).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own = hashlib.sha256(b"".join(builtin.open_builtin(n).read(3, 5).tobytes() for n in ("cat", "garage"))).hexdigest()
    assert done.stdout.strip() == own
