"""The profile that damages nothing."""

from __future__ import annotations

import pytest
import torch

from degradations.apply import degrade, facts
from degradations.profile import load_profile


@pytest.mark.parametrize("variant", ["none", "severity-1", "severity-3.5", "severity-5"])
def test_every_bit_stays_at_any_severity(variant: str) -> None:
    clip = torch.rand(3, 3, 17, 23, generator=torch.Generator().manual_seed(0)) * 1.5 - 0.2
    before = clip.clone()
    out = degrade(clip, "clean", variant, seed=5)
    assert torch.equal(out.frames, before)
    assert out.mask is None
    assert [step["kind"] for step in facts(out.recipe)] == ["nothing"]


def test_it_is_one_variant_that_is_made_by_default() -> None:
    profile = load_profile("clean")
    assert profile.default == ("none",)
    assert profile.variant("none").truth == "colour"
    assert not profile.variant("none").on_reading
