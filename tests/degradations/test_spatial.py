"""albumentations, driven by keyed seeds."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from degradations.base import ClipShape
from degradations.rng import Rng
from degradations.spatial import ALLOWED, Spatial

SHAPE = ClipShape(3, 33, 47)


def still(channels: int = 3) -> Tensor:
    one = torch.rand(1, channels, 33, 47, generator=torch.Generator().manual_seed(0))
    return one.expand(3, -1, -1, -1).contiguous()


def run(step: Spatial, clip: Tensor, seed: int = 0) -> Tensor:
    return step.apply(clip, step.sample(SHAPE, Rng.root(seed))).frames


@pytest.mark.parametrize("transform", ALLOWED)
def test_every_allowed_transform_runs_and_is_the_same_for_any_chunks(transform: str) -> None:
    step, clip = Spatial(transform=transform), still()
    params = step.sample(SHAPE, Rng.root(0))
    whole = step.apply(clip, params).frames
    assert whole.shape == clip.shape
    assert not whole.equal(clip)
    assert whole.equal(torch.cat([step.apply(clip[i : i + 1], params, start=i).frames for i in range(3)]))


@pytest.mark.parametrize("transform", ["ISONoise", "GaussNoise", "MotionBlur", "RandomShadow"])
def test_noise_is_new_in_each_frame_or_holds_for_the_clip(transform: str) -> None:
    by_frame = run(Spatial(transform=transform), still())
    assert not by_frame[0].equal(by_frame[1])
    assert not by_frame[1].equal(by_frame[2])
    by_clip = run(Spatial(transform=transform, per="clip"), still())
    assert by_clip[0].equal(by_clip[1])
    assert by_clip[0].equal(by_clip[2])
    assert not by_clip.equal(run(Spatial(transform=transform, per="clip"), still(), seed=1))


def test_options_reach_the_transform_and_gray_stays_gray() -> None:
    weak, strong = (run(Spatial(transform="GaussNoise", options={"std_range": [s, s]}), still(1)) for s in (0.02, 0.2))
    assert weak.shape == (3, 1, 33, 47)
    assert float((strong - still(1)).std()) > 3 * float((weak - still(1)).std())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"transform": "ISONoize"}, 'Did you mean "ISONoise"'),
        ({"transform": "HorizontalFlip"}, "not one that may be named"),
        ({"transform": "ImageCompression"}, "not one that may be named"),
        ({"transform": "ISONoise", "options": {"intensty": [0.1, 0.2]}}, 'Did you mean "intensity"'),
        ({"transform": "ISONoise", "options": {"intensity": [-1, 0.2]}}, "intensity"),
        ({"transform": "ISONoise", "options": {"p": 0.5}}, 'no option "p"'),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Spatial.model_validate(settings)


def test_the_import_asks_no_network() -> None:
    code = """
import socket
def no(*a, **k): raise SystemExit("the network was asked")
socket.socket.connect = no
socket.getaddrinfo = no
socket.create_connection = no
from degradations.spatial import library
library()
print("quiet")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "quiet", done.stderr
