"""Fewer frames per second."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from degradations.base import ClipShape, Damage, joined
from degradations.framerate import LONGEST, FrameRate
from degradations.rng import Rng


def numbered(frames: int) -> torch.Tensor:
    """A clip whose frames show their number."""
    return torch.arange(float(frames)).view(-1, 1, 1, 1).expand(-1, 1, 2, 3) / 256


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.sampled_from([23.976, 24, 25, 29.97, 30, 50, 60]), st.floats(8, 70), st.integers(1, 9))
def test_each_frame_is_the_last_that_was_kept(frames: int, of: float, fps: float, chunk: int) -> None:
    step = FrameRate(fps=fps)
    shape = ClipShape(frames, 2, 3, 1, fps=of)
    params = step.sample(shape, Rng.root(0))
    clip = numbered(frames)
    mask = clip.clone()
    chunks = (Damage(clip[i : i + chunk], {"dirt": mask[i : i + chunk]}) for i in range(0, frames, chunk))
    out = joined(step.stream(chunks, params, shape))
    shown = [round(float(v) * 256) for v in out.frames[:, 0, 0, 0]]
    assert shown == step.facts(params, shape)["source_frame"]
    assert out.masks["dirt"].equal(out.frames), "masks follow their frames"
    if fps >= of:
        assert shown == list(range(frames))
        return
    assert all(0 <= i - source < of / fps + 1 for i, source in enumerate(shown))
    assert shown == sorted(shown)
    kept = len(set(shown))
    assert abs(kept - frames * fps / of) <= 1.001


def test_half_the_rate_shows_every_second_frame_twice() -> None:
    step = FrameRate(fps=12, of=24)
    params = step.sample(ClipShape(6, 8, 8, fps=99), Rng.root(0))
    assert step.facts(params, ClipShape(6, 8, 8))["source_frame"] == [0, 0, 2, 2, 4, 4]


def test_three_of_five() -> None:
    """From 25 to 15: output frames 0, 1, 2 stand for the instants 0, 1.67 and 3.33 of the input."""
    step = FrameRate(fps=15, of=25)
    params = step.sample(ClipShape(10, 8, 8), Rng.root(0))
    assert step.facts(params, ClipShape(10, 8, 8))["source_frame"] == [0, 0, 1, 1, 3, 5, 5, 6, 6, 8]


def test_too_few_frames_per_second_are_refused() -> None:
    with pytest.raises(ValueError, match=f"shown more than {LONGEST} times.*at least 3.125"):
        FrameRate(fps=3).sample(ClipShape(9, 8, 8, fps=25), Rng.root(0))
