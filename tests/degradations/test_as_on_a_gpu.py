"""Noise and old film where the frames are, on a GPU that is only pretended: no step mixes devices or waits for a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from degradations import apply
from degradations.apply import Step, draw, replay
from degradations.base import ClipShape, Damage, Degradation
from degradations.catalog import load
from degradations.profile import load_profile
from tests.pretended import GPU, devices, pretended_gpu

HEIGHT, WIDTH = 90, 121
KEPT = ("degradations.film", "degradations.noise", "degradations.normal", "degradations.philox")
"""Modules that keep tables by device."""


def frames(count: int, channels: int) -> Damage:
    return Damage(
        torch.empty(count, channels, HEIGHT, WIDTH, device=GPU),
        {"dirt": torch.empty(count, 1, HEIGHT, WIDTH, device=GPU)},
    )


def home(step: Step) -> bool:
    return type(made(step)).on_device is not Degradation.on_device


def made(step: Step) -> Degradation:
    return load(step.kind).model_validate(step.settings)


def steps() -> Iterator[Any]:
    for profile, variant in (("oldfilm", "medium"), ("noise", "gaussian25"), ("noise", "speckle")):
        recipe = draw(load_profile(profile), variant, ClipShape(24, HEIGHT, WIDTH), seed=1)
        for i, step in enumerate(recipe.steps):
            if home(step):
                yield pytest.param(step, id=f"{profile}-{variant}-{i}-{step.kind}")


@pytest.mark.parametrize("step", list(steps()))
def test_every_step_stays_on_the_gpu(step: Step) -> None:
    one = made(step)
    with pretended_gpu(*KEPT):
        for channels in (1, 3):
            given, masks = frames(6 + one.context[0], channels)
            found = one.on_device(given, step.params, start=2, masks=masks)
            assert devices(found.frames, *found.masks.values()) == {GPU}


def test_a_whole_film_stays_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the lines of splices, which are drawn on the CPU: this film has none."""
    monkeypatch.setattr(apply, "_checked", lambda chunks, *named: chunks)  # the one question to the GPU: all numbers?
    recipe = draw(load_profile("oldfilm"), "medium", ClipShape(6, HEIGHT, WIDTH), seed=1)
    assert all(home(step) for step in recipe.steps)
    assert not any(step.params.get("splices") for step in recipe.steps)
    with pretended_gpu(*KEPT):
        chunks = [frames(count, 3) for count in (4, 2)]
        for damage in replay(recipe, chunks):
            assert devices(damage.frames, *damage.masks.values()) == {GPU}


def test_what_mixes_devices_is_found_out() -> None:
    """That these tests can fail: a table that was left on the CPU, and a value that is asked for."""
    with pretended_gpu(*KEPT):
        there = torch.empty(4, device=GPU)
        with pytest.raises(RuntimeError, match="device"):
            there + torch.ones(4)
        with pytest.raises(DataDependentOutputException):
            float(there.sum())
