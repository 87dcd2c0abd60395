"""What every kind of damage promises, for drawn sizes, seeds and chunks."""

from __future__ import annotations

import json
import multiprocessing
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from degradations.apply import Recipe, degrade, facts, replay, shape_behind
from degradations.base import joined
from degradations.catalog import KINDS, load
from degradations.profile import Profile

SETTINGS: dict[str, dict[str, Any]] = {
    "codec": {"codec": "mpeg2", "qp": 8},
    "rate": {"kbps": 200},
    "packet-loss": {"rate": 0.1},
    "jpeg": {"quality": [20, 60], "spread": 5},
    "frame-rate": {"fps": 12},
    "resize": {"size": 0.5},
    "sharpen": {"amount": 0.5},
    "albumentations": {"transform": "GaussNoise"},
    "spatial": {"transform": "RandomBrightnessContrast", "per": "clip"},
    "gaussian-blur": {"sigma": 1.5},
    "defocus": {"radius": 2},
    "camera-shake": {"length": 6},
    "downscale": {"factor": 2},
    "shrink": {"factor": 2},
    "blur-decimate": {"factor": 2},
    "exposure-blur": {"shutter": 0.5, "samples": 3},
    "anisotropic-blur": {"sigma_x": 2, "sigma_y": 1},
    "rolling-shutter": {"readout": 0.5},
    "gaussian-noise": {"sigma": 20},
    "camera-noise": {"photons": 200},
    "speckle": {"strength": 0.2},
    "salt-pepper": {"amount": 0.1},
    "vnlnet-noise": {"sigma": 20},
    "raw-noise": {"photons": 200},
    "second-order": {"stages": [{"blur": {}}, {"noise": {}}]},
}
"""Of the kinds that have settings without a default."""


def profile(kind: str) -> Profile:
    """A profile of one step."""
    step = {kind: SETTINGS.get(kind, {})}
    variant = {"title": "T", "description": "D", "steps": [step]}
    head = {"name": "one", "version": 1, "title": "T", "description": "D", "source": "S", "default": ["v"]}
    return Profile.model_validate({**head, "variants": {"v": variant}})


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "second-order"])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    frames=st.integers(1, 4),
    height=st.integers(12, 40),
    width=st.integers(12, 40),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**31),
    size=st.integers(1, 4),
)
def test_every_kind_keeps_its_promises(
    kind: str, frames: int, height: int, width: int, channels: int, seed: int, size: int
) -> None:
    clean = torch.rand(frames, channels, height, width, generator=torch.Generator().manual_seed(seed))
    before = clean.clone()
    out = degrade(clean, profile(kind), "v", seed=seed)
    assert clean.equal(before), "the clean frames were written to"
    assert out.frames.dtype == torch.float32
    behind = shape_behind(out.recipe)
    assert tuple(out.frames.shape) == (frames, channels, behind.height, behind.width)
    assert bool(torch.isfinite(out.frames).all())
    assert float(out.frames.min()) > -2
    assert float(out.frames.max()) < 3
    for mask in out.masks.values():
        assert tuple(mask.shape) == (frames, 1, behind.height, behind.width)
        assert float(mask.min()) >= 0
        assert float(mask.max()) <= 1
    # The trace is JSON, and gives the same bytes again, in chunks of any size.
    recipe = Recipe.from_json(json.loads(json.dumps(out.recipe.to_json(), allow_nan=False)))
    again = joined(replay(recipe, clean.split(size)))
    assert again.frames.equal(out.frames)
    assert set(again.masks) == set(out.masks)
    assert all(again.masks[k].equal(m) for k, m in out.masks.items())
    for values in facts(recipe)[0].values():
        assert isinstance(values, str) or len(values) == frames
    json.dumps(facts(recipe), allow_nan=False)


MOVING = {"rolling-shutter": {"readout": 0.5, "shake": 4}, "weave": {"rotation": 1.0}, "splices": {"rate": 0.5}}
"""Settings with which a step warps whole frames."""


def _damage_smallest() -> None:
    for kind in (k for k in KINDS if k not in ("second-order", "codec", "rate", "packet-loss")):
        for height, width in ((1, 1), (1, 9), (9, 1)):
            SETTINGS[kind] = MOVING.get(kind, SETTINGS.get(kind, {}))
            out = degrade(torch.rand(3, 3, height, width), profile(kind), "v", seed=1)
            assert bool(torch.isfinite(out.frames).all()), kind


def test_frames_of_one_row_or_column_come_back() -> None:
    """In a process of its own: OpenCV's bicubic warp of such frames does not return with a mirrored border."""
    process = multiprocessing.get_context("fork").Process(target=_damage_smallest)
    process.start()
    process.join(60)
    alive = process.is_alive()
    process.kill()
    process.join()
    assert not alive, "the damage of a frame of one row or column never ends"
    assert process.exitcode == 0


PER_FRAME = [
    "grain",
    "dirt",
    "scratches",
    "gaussian-noise",
    "camera-noise",
    "speckle",
    "salt-pepper",
    "raw-noise",
    "albumentations",
]
PER_CLIP = ["vignette", "fading", "spatial", "anisotropic-blur", "defocus", "monochrome"]


@pytest.mark.parametrize("kind", PER_FRAME)
def test_what_is_new_in_each_frame_differs_between_equal_frames(kind: str) -> None:
    still = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1, -1).contiguous()
    chosen = {"dirt": {"density": 9000}, "scratches": {"rain": 9}}.get(kind, SETTINGS.get(kind, {}))
    step = load(kind).model_validate(chosen)
    from degradations.base import ClipShape
    from degradations.rng import Rng

    out = step.apply(still, step.sample(ClipShape(4, 64, 80), Rng.root(1))).frames
    assert all(not out[i].equal(out[j]) for i in range(4) for j in range(i))


@pytest.mark.parametrize("kind", PER_CLIP)
def test_what_belongs_to_the_clip_holds_through_it(kind: str) -> None:
    still = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1, -1).contiguous()
    out = degrade(still, profile(kind), "v", seed=1).frames
    assert all(out[i].equal(out[0]) for i in range(4))
