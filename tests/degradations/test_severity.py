"""Severities: ladders between their rungs, and PSNR that falls with severity for every profile."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from degradations.apply import degrade
from degradations.profile import Profile, list_profiles, load_profile, severity_name, sha256
from degradations.truth import toned
from vbench.builtin import open_builtin

LADDER = """
name: ladder
version: 1
title: Ladder
description: A test.
source: None.
default: [a]
variants:
  a:
    title: A
    description: One.
    steps: [gaussian-noise: {sigma: 5}]
severities:
  title: Step
  description: Numbers, whole numbers, lists and words.
  steps:
    - gaussian-noise: {sigma: {ladder: [1, 2.5, 10, 20, 40]}}
    - jpeg: {quality: {ladder: [[90, 95], [70, 80], [50, 60], [30, 40], [10, 20]]}}
    - downscale: {factor: {ladder: [2, 2, 3, 4, 8]}, up: {ladder: [bicubic, bilinear, area, area, lanczos]}}
"""


@pytest.fixture
def ladder(tmp_path: Path) -> Profile:
    path = tmp_path / "ladder.yaml"
    path.write_text(LADDER)
    return load_profile(path)


def settings(profile: Profile, severity: float) -> list[dict[str, object]]:
    return [next(iter(step.values())) for step in profile.variant(severity_name(severity)).steps]


def test_rungs_are_hit_and_what_lies_between_is_interpolated(ladder: Profile) -> None:
    noise, jpeg, size = settings(ladder, 3)
    assert (noise, jpeg, size) == ({"sigma": 10}, {"quality": [50, 60]}, {"factor": 3, "up": "area"})
    noise, jpeg, size = settings(ladder, 1.5)
    assert noise == {"sigma": 1.75}
    assert jpeg == {"quality": [80, 88]}  # 87.5, for quality is a whole number
    assert size == {"factor": 2, "up": "bicubic"}
    assert settings(ladder, 5) == [{"sigma": 40}, {"quality": [10, 20]}, {"factor": 8, "up": "lanczos"}]
    assert ladder.variant("severity-2.5").severity == 2.5
    assert ladder.variant("severity-2").title == "Step 2"
    assert len({sha256(ladder, severity_name(s)) for s in (1, 1.5, 2, 5)}) == 4


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("severity-0.5", r"severity 0.5 is outside 1..5"),
        ("severity-6", r"severity 6 is outside 1..5"),
        ("severity-3.0", r'written "severity-3"'),
        ("severity-x", r'no variant "severity-x"'),
    ],
)
def test_other_severities_are_refused(ladder: Profile, name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ladder.variant(name)


def test_a_ladder_of_another_length_and_a_profile_without_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text(LADDER.replace("[1, 2.5, 10, 20, 40]", "[1, 2]"))
    with pytest.raises(ValueError, match="a ladder has 5 values"):
        load_profile(path).variant("severity-2")
    path.write_text(LADDER[: LADDER.index("severities:")])
    with pytest.raises(ValueError, match=r'profile "ladder" \(.*\) has no severities, only variants: a'):
        load_profile(path).variant("severity-2")


@cache
def scene(name: str) -> NDArray[np.uint8]:
    """Five frames of 96 x 128 of an embedded clip, shrunk to half so that there is detail in them."""
    frames = open_builtin(name, frames=5).read(0, 5)
    small = frames[:, : frames.shape[1] // 2 * 2, :256].astype(np.float32)
    small = (small[:, ::2, ::2] + small[:, 1::2, ::2] + small[:, ::2, 1::2] + small[:, 1::2, 1::2]) / 4
    small = np.repeat(small, 3, axis=3) if small.shape[3] == 1 else small
    return np.floor(small[:, :88, :128] + 0.5).astype(np.uint8)


def tensor(frames: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float() / 255


def psnr(profile: Profile, severity: float, clip: str) -> float:
    name = severity_name(severity)
    chosen = profile.variant(name)
    truth = tensor(toned(scene(clip), chosen.truth))
    start = tensor(toned(scene(clip), chosen.start or chosen.truth))
    out = degrade(start, profile, name, seed=1, clip=clip).frames
    if out.shape[2:] != truth.shape[2:]:
        out = interpolate(out, size=truth.shape[2:], mode="bicubic", align_corners=False)
    error = (out.clamp(0, 1).mul(255).round().div(255) - truth).double().square().mean()
    return float(10 * torch.log10(1 / error))


@pytest.mark.parametrize("name", list_profiles())
def test_every_profile_has_severities_and_psnr_falls_with_them(name: str) -> None:
    profile = load_profile(name)
    assert profile.severities is not None
    means = [float(np.mean([psnr(profile, s, clip) for clip in ("coffee", "portrait")])) for s in (1, 2, 3, 4, 5)]
    if name == "clean":
        assert means == [float("inf")] * 5
        return
    # Each is worse than the one before, by more than rounding.
    assert all(a - b > 0.1 for a, b in pairwise(means)), [round(m, 2) for m in means]
