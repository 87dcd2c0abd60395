"""Fields: whose lines are where, and what is left of them when a frame is made of them again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from degradations.base import ClipShape, Damage, joined
from degradations.rng import Rng
from degradations.vhs import Deinterlace, Interlace


def random_clip(frames: int, height: int, width: int = 9, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(frames, channels, height, width, generator=torch.Generator().manual_seed(seed))


def run(step: Interlace | Deinterlace, clip: Tensor, chunk: int = 99, masks: Tensor | None = None) -> Damage:
    shape = ClipShape(len(clip), clip.shape[2], clip.shape[3], clip.shape[1])
    parts = [
        Damage(clip[i : i + chunk], {} if masks is None else {"dirt": masks[i : i + chunk]})
        for i in range(0, len(clip), chunk)
    ]
    return joined(step.stream(parts, step.sample(shape, Rng.root(0)), shape))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.sampled_from(["tff", "bff"]), st.integers(1, 5))
def test_the_second_field_is_the_next_frames(frames: int, height: int, order: str, chunk: int) -> None:
    clip = random_clip(frames, height)
    mask = random_clip(frames, height, channels=1, seed=1)
    out = run(Interlace.model_validate({"order": order}), clip, chunk, mask)
    first = 0 if order == "tff" else 1
    for t in range(frames):
        following = min(t + 1, frames - 1)
        assert torch.equal(out.frames[t, :, first::2], clip[t, :, first::2])
        assert torch.equal(out.frames[t, :, 1 - first :: 2], clip[following, :, 1 - first :: 2])
        assert torch.equal(out.masks["dirt"][t, :, 1 - first :: 2], mask[following, :, 1 - first :: 2])
        assert torch.equal(out.masks["dirt"][t, :, first::2], mask[t, :, first::2])


def test_what_stands_still_is_not_combed() -> None:
    clip = random_clip(1, 12).expand(4, -1, -1, -1).contiguous()
    for second in ("next", "halfway"):
        assert torch.equal(run(Interlace.model_validate({"second": second}), clip).frames, clip)


def test_halfway_is_the_scene_between_two_frames() -> None:
    """Waves that slide right by 4 pixels a frame: the second field has them 2 pixels on."""

    def waves(shift: float) -> np.ndarray:
        x, y = np.arange(96)[None] - shift, np.arange(72)[:, None]
        return np.asarray(0.5 + 0.2 * np.sin(0.23 * x + 0.05 * y) + 0.15 * np.sin(0.11 * x - 0.13 * y))

    clip = torch.from_numpy(np.stack([waves(4.0 * t) for t in range(3)])[:, None].astype(np.float32))
    step = Interlace(second="halfway")
    out = run(step, clip).frames
    for t in (0, 1):
        assert torch.equal(out[t, 0, ::2], clip[t, 0, ::2])
        error = np.abs(out[t, 0, 1::2].numpy() - waves(4.0 * t + 2)[1::2])[2:-2, 12:-12]
        assert error.max() < 3 / 255
    assert torch.equal(out[2], clip[2])
    assert run(step, clip, 1).frames.equal(out)
    assert step.facts({}, ClipShape(3, 72, 96))["second_field_frames"] == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_the_first_field_stays_and_the_second_is_made_of_it(order: str) -> None:
    clip = random_clip(2, 10)
    first = 0 if order == "tff" else 1
    out = run(Deinterlace.model_validate({"order": order, "method": "linear"}), clip).frames
    assert torch.equal(out[:, :, first::2], clip[:, :, first::2])
    for row in range(1 - first, 10, 2):
        above, below = (row - 1, row + 1) if 0 < row < 9 else (1, 1) if row == 0 else (8, 8)
        assert torch.equal(out[:, :, row], (clip[:, :, above] + clip[:, :, below]) / 2)


def test_the_median_is_that_of_three_lines() -> None:
    clip = random_clip(2, 11)
    out = run(Deinterlace(method="median"), clip).frames
    assert torch.equal(out[:, :, ::2], clip[:, :, ::2])
    for row in range(1, 10, 2):
        assert torch.equal(out[:, :, row], clip[:, :, row - 1 : row + 2].median(dim=2).values)


def test_blending_is_one_two_one() -> None:
    clip = random_clip(1, 9)
    out = run(Deinterlace(method="blend"), clip).frames
    rows = [1, *range(9), 7]
    for row in range(9):
        want = (clip[:, :, rows[row]] + 2 * clip[:, :, row] + clip[:, :, rows[row + 2]]) / 4
        assert float((out[:, :, row] - want).abs().max()) < 1e-6


def test_combs_go_and_what_stands_still_stays() -> None:
    slope = torch.linspace(0, 1, 24).view(1, 1, 24, 1).expand(3, 3, 24, 32).contiguous()
    assert float((run(Deinterlace(method="median"), slope).frames - slope)[:, :, :-1].abs().max()) == 0
    moving = torch.zeros(4, 1, 24, 64)
    for t in range(4):
        moving[t, ..., 8 + 8 * t : 24 + 8 * t] = 1
    woven = run(Interlace(), moving).frames
    assert float((woven[:, :, 1:] - woven[:, :, :-1]).abs().max()) == 1, "combed"
    for method in ("median", "linear"):
        again = run(Deinterlace.model_validate({"method": method}), woven).frames
        assert torch.equal(again, moving), method


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["linear", "median", "blend"]),
    st.sampled_from(["tff", "bff"]),
    st.integers(1, 8),
    st.integers(0, 99),
)
def test_a_mask_covers_every_line_that_went_into_a_pixel(method: str, order: str, height: int, seed: int) -> None:
    """Changing pixels of which the mask says nothing changes nothing elsewhere than the mask of these would say."""
    clip = random_clip(1, height, 6, seed=seed)
    marked = (random_clip(1, height, 6, 1, seed=seed + 1) > 0.7).float()
    step = Deinterlace.model_validate({"method": method, "order": order})
    out = run(step, clip, masks=marked)
    other = run(step, torch.where(marked > 0, 1 - clip, clip))
    changed = ((out.frames - other.frames).abs().amax(dim=1, keepdim=True) > 0).float()
    assert bool((changed <= out.masks["dirt"]).all())


@pytest.mark.parametrize("settings_", [{"order": "top"}, {"method": "yadif"}])
def test_bad_settings_are_told(settings_: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Input should be"):
        Deinterlace.model_validate(settings_)
