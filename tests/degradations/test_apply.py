"""Draw, replay, degrade."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from degradations import catalog
from degradations.apply import Recipe, degrade, draw, replay, shrunk
from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, joined
from degradations.profile import list_profiles, load_profile
from degradations.rng import Rng

CHAIN = """
name: chain
version: 1
title: Chain
description: A test.
source: None.
default: [a]
variants:
  a:
    title: A
    description: Every family in a row.
    steps:
      - exposure-blur: {shutter: 0.5, samples: 3}
      - gaussian-noise: {sigma: 5}
      - dirt: {density: 4000}
      - weave:
      - gaussian-noise: {sigma: 5}
      - codec: {codec: h264, qp: 30}
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN)
    return path


def clip(frames: int = 7, height: int = 34, width: int = 50, channels: int = 3) -> Tensor:
    return torch.rand(frames, channels, height, width, generator=torch.Generator().manual_seed(0))


def chunked(frames: Tensor, size: int) -> Iterator[Tensor]:
    for i in range(0, len(frames), size):
        yield frames[i : i + size]


def collect(stream: Iterator[Damage]) -> Damage:
    return joined(stream)


def test_a_replay_of_the_stored_recipe_gives_the_same_bytes_for_any_chunks(chain: Path) -> None:
    frames = clip()
    first = degrade(frames, chain, "a", seed=5, clip="x")
    stored = Recipe.from_json(json.loads(json.dumps(first.recipe.to_json(), allow_nan=False)))
    assert stored == first.recipe
    for size in (1, 5, 100):
        again = collect(replay(stored, chunked(frames, size)))
        assert again.frames.equal(first.frames)
        assert again.mask is not None
        assert first.mask is not None
        assert again.mask.equal(first.mask)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "variant"), [(p, v) for p in list_profiles() for v in load_profile(p).default])
def test_default_variants_give_the_same_bytes_for_any_chunks_and_threads(name: str, variant: str, threads: int) -> None:
    frames = clip(4, 33, 49)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        whole = degrade(frames, name, variant, seed=1)
        torch.set_num_threads(threads)
        parts = collect(replay(whole.recipe, chunked(frames, 1 if threads == 1 else 3)))
    finally:
        torch.set_num_threads(before)
    assert parts.frames.equal(whole.frames)
    assert (parts.mask is None) == (whole.mask is None)
    if whole.mask is not None and parts.mask is not None:
        assert parts.mask.equal(whole.mask)
    assert set(parts.masks) == set(whole.masks)
    assert all(parts.masks[kind].equal(plane) for kind, plane in whole.masks.items())
    assert shrunk(whole.recipe) > 1 or whole.frames.equal(frames) == (name == "clean")


@pytest.mark.parametrize("name", list_profiles())
@pytest.mark.parametrize("shape", [(1, 1, 16, 16), (2, 3, 16, 16), (1, 3, 17, 35)])
def test_small_gray_and_single_frames(name: str, shape: tuple[int, int, int, int]) -> None:
    frames = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    for variant in load_profile(name).default:
        out = degrade(frames, name, variant)
        small = [-(-side // shrunk(out.recipe)) for side in shape[2:]]
        assert out.frames.shape == (*shape[:2], *small)
        assert out.frames.dtype == torch.float32


def test_seed_clip_and_place_of_the_step_count() -> None:
    shape = ClipShape(2, 16, 16)
    profile = load_profile("noise")
    keys = [draw(profile, "gaussian25", shape, seed=s, clip=c).steps[0].params["key"] for s in (0, 1) for c in "ab"]
    assert len(set(keys)) == 4


def test_two_equal_steps_draw_different_numbers(chain: Path) -> None:
    steps = draw(load_profile(chain), "a", ClipShape(2, 16, 16)).steps
    assert steps[1].kind == steps[4].kind == "gaussian-noise"
    assert steps[1].params["key"] != steps[4].params["key"]
    assert steps[1].params["key"] == Rng.root(0).at("clip", 1, "gaussian-noise").key


def test_replay_is_lazy() -> None:
    taken = 0

    def source() -> Iterator[Tensor]:
        nonlocal taken
        for one in chunked(clip(30), 1):
            taken += 1
            yield one

    stream = replay(draw(load_profile("noise"), "gaussian25", ClipShape(30, 34, 50)), source())
    assert taken == 0
    next(stream)
    assert taken == 1


def test_rendered_instants_are_used_where_the_source_gives_them() -> None:
    frames = clip(2)
    asked: list[float] = []

    def scene(time: float) -> Tensor:
        asked.append(time)
        return frames[0]

    out = degrade(frames, "blur", "motion180", subframes=scene)
    assert out.recipe.steps[0].params["instants"] == "rendered"
    assert min(asked) >= -0.25
    assert max(asked) <= 1.25
    assert len(asked) == 2 * len(out.recipe.steps[0].params["times"])
    assert out.recipe.shape["rendered"] is True
    flow = degrade(frames, "blur", "motion180")
    assert flow.recipe.steps[0].params["instants"] == "flow"
    with pytest.raises(ValueError, match="between its frames"):
        list(replay(out.recipe, [frames]))


class Broken(Degradation):
    kind: ClassVar[str] = "broken"
    how: str

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        if self.how == "nan":
            return Damage(frames * float("nan"), masks)
        if self.how == "size":
            return Damage(frames[..., :-1], masks)
        if self.how == "count":
            return Damage(frames[:-1], masks)
        if self.how == "type":
            return Damage(frames.double(), masks)
        return Damage(frames, {"dirt": frames[:1, :1]})


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("nan", r"step 1 \(broken\).*not numbers"),
        ("size", r"step 1 \(broken\) are \(3, 34, 49\)"),
        ("count", r"(?i)step 1 \(broken\) gave 6 frames; the recipe is for 7"),
        ("type", r"step 1 \(broken\) are torch.float64"),
        ("mask", r'mask "dirt" of step 1 \(broken\)'),
    ],
)
def test_a_step_that_breaks_its_promise_is_named(monkeypatch: pytest.MonkeyPatch, how: str, says: str) -> None:
    monkeypatch.setattr("degradations.apply.load", lambda kind: Broken)
    recipe = draw(load_profile("noise"), "gaussian25", ClipShape(7, 34, 50))
    step = recipe.steps[0].model_copy(update={"kind": "broken", "settings": {"how": how}})
    with pytest.raises(ValueError, match=says):
        list(replay(recipe.model_copy(update={"steps": (step,)}), [clip()]))


def test_a_source_of_another_length_or_size_is_an_error() -> None:
    recipe = draw(load_profile("noise"), "gaussian25", ClipShape(7, 34, 50))
    with pytest.raises(ValueError, match="source gave 6 frames; the recipe is for 7"):
        list(replay(recipe, [clip(6)]))
    with pytest.raises(ValueError, match="the source are"):
        list(replay(recipe, [clip(7, 34, 52)]))


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 4, 16, 16), (0, 3, 16, 16), (2, 16, 16, 3)])
def test_degrade_says_what_shape_it_wants(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"should be \(T, C, H, W\)"):
        degrade(torch.zeros(shape), "noise", "gaussian25")


def test_degrade_says_what_is_of_another_kind() -> None:
    frames = clip(2)
    for given, says in (
        (frames.numpy(), "of type ndarray; they should be a torch.Tensor"),
        ((frames * 255).byte(), r"torch.uint8; .*call .float\(\) and divide by 255"),
        (frames.double(), r"torch.float64; .*call .float\(\)\."),
        (frames * 255, r"values from .* to 25.*divide 8-bit values by 255"),
        (frames[..., :0], r"should be \(T, C, H, W\)"),
    ):
        with pytest.raises(ValueError, match=says):
            degrade(given, "noise", "gaussian25")  # type: ignore[arg-type]
    for seed in (1.5, "1", True):
        with pytest.raises(ValueError, match="should be a whole number"):
            degrade(frames, "noise", "gaussian25", seed=seed)  # type: ignore[arg-type]
    for what, names in (("variant", (None, 3)), ("clip", (3, None))):
        for name in names:
            with pytest.raises(ValueError, match=f"{what} = {name} should be a name"):
                degrade(frames, "noise", **{"variant": "gaussian25", what: name})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"severity 1e\+26 is outside 1\.\.5"):
        degrade(frames, "noise", "severity-99999999999999999999999999")
    for fps in (0, -1, float("nan"), float("inf"), "24"):
        with pytest.raises(ValueError, match="fps = .* above 0"):
            degrade(frames, "social", "messenger-12fps", fps=fps)  # type: ignore[arg-type]
    seven = degrade(frames, "noise", "gaussian25", seed=7).frames
    assert degrade(frames, "noise", "gaussian25", seed=np.int64(7)).frames.equal(seven)  # type: ignore[arg-type]
    out = degrade(frames.requires_grad_(), "noise", "gaussian25", seed=7).frames
    assert out.equal(seven)
    assert not out.requires_grad


def test_a_recipe_of_another_format_is_refused() -> None:
    document = draw(load_profile("noise"), "gaussian25", ClipShape(1, 16, 16)).to_json()
    with pytest.raises(ValueError, match="format 99"):
        Recipe.from_json({**document, "schema_version": 99})


def test_a_recipe_keeps_every_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list_profiles():
        for variant in load_profile(name).default:
            for step in draw(load_profile(name), variant, ClipShape(3, 32, 32)).steps:
                assert set(step.settings) == set(catalog.load(step.kind).model_fields)
