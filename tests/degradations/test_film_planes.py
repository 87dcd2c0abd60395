"""Black-and-white film is worked on as one plane; nothing else may change by that, nor by threads, chunks or order."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from degradations.apply import degrade, draw, facts, replay
from degradations.base import ClipShape, Damage, Degradation, joined, one_plane
from degradations.catalog import KINDS, load
from degradations.film.common import as_frames, planes_of, scatter, stamp, strips
from degradations.film.grain import Grain
from degradations.profile import load_profile
from degradations.rng import Rng

FILM = [kind for kind, place in KINDS.items() if place.startswith("degradations.film.") and "rtn" not in place]
VARIANTS = [*load_profile("oldfilm").variants, "severity-3.5", "severity-5"]


def gray(moving: NDArray[np.uint8]) -> Tensor:
    luma = torch.from_numpy(np.ascontiguousarray(moving[..., 1])).float() / 255
    return luma[:, None]


def made(kind: str) -> Degradation:
    often = {
        "stains": {"alive": 4},
        "cracks": {"rate": 1, "lasting": 2},
        "splices": {"rate": 0.3},
        "gate": {"unsteady": 1},
    }
    return load(kind).model_validate(often.get(kind, {}))


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_plane_seen_three_times_gives_the_same_bytes(moving: NDArray[np.uint8], variant: str) -> None:
    x = gray(moving)
    one = degrade(x.expand(-1, 3, -1, -1), "oldfilm", variant, seed=2)
    three = degrade(x.repeat(1, 3, 1, 1), "oldfilm", variant, seed=2)
    assert torch.equal(one.frames, three.frames)
    for kind, plane in one.masks.items():
        assert torch.equal(plane, three.masks[kind])


@pytest.mark.parametrize("kind", [k for k in FILM if k != "monochrome"])
def test_every_step_keeps_one_plane(moving: NDArray[np.uint8], kind: str) -> None:
    x = gray(moving).expand(-1, 3, -1, -1)
    before = x.clone()
    step = made(kind)
    shape = ClipShape(*x.shape[:1], *x.shape[2:])
    params = step.sample(shape, Rng.root(0).at(kind))
    whole = joined(list(step.stream([Damage(x)], params, shape)))
    assert one_plane(whole.frames)
    assert whole.frames.shape == x.shape
    assert torch.equal(x, before)  # what comes in is not written to


@pytest.mark.parametrize("kind", FILM)
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_do_not_depend_on_threads(moving: NDArray[np.uint8], kind: str, channels: int) -> None:
    x = gray(moving).repeat(1, channels, 4, 4)
    step = made(kind)
    shape = ClipShape(len(x), *x.shape[2:], channels)
    params = step.sample(shape, Rng.root(1))
    was = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = joined(list(step.stream([Damage(x)], params, shape)))
        cv2.setNumThreads(4)
        many = joined(list(step.stream([Damage(x)], params, shape)))
    finally:
        cv2.setNumThreads(was)
    assert torch.equal(alone.frames, many.frames)
    for mask, plane in alone.masks.items():
        assert torch.equal(plane, many.masks[mask])


@pytest.mark.parametrize("variant", ["medium", "heavy", "water-damaged"])
def test_masks_too_are_the_same_in_chunks_of_any_size(moving: NDArray[np.uint8], variant: str) -> None:
    x = gray(moving).repeat(3, 1, 1, 1).expand(-1, 3, -1, -1)
    whole = degrade(x, "oldfilm", variant, seed=5)
    for size in (1, 5, 7):
        parts = joined(list(replay(whole.recipe, x.split(size))))
        assert torch.equal(parts.frames, whole.frames)
        assert set(parts.masks) == set(whole.masks)
        for kind, plane in whole.masks.items():
            assert torch.equal(parts.masks[kind], plane)


@pytest.mark.parametrize("variant", VARIANTS)
def test_facts_have_a_value_for_every_frame(variant: str) -> None:
    recipe = draw(load_profile("oldfilm"), variant, ClipShape(7, 48, 64), seed=1)
    known = facts(recipe)
    kinds = {step["kind"] for step in known}
    assert {"flicker", "weave", "dirt", "scratches", "hairs"} <= kinds
    for step in known:
        for name, values in step.items():
            assert name == "kind" or len(values) == 7


def test_what_is_random_in_a_frame_is_new_in_the_next(moving: NDArray[np.uint8]) -> None:
    """Grain, dirt, loose hairs and rain; the vignette, the dupe and stains hold through the clip."""
    still = torch.full((3, 1, 64, 80), 0.5)
    shape = ClipShape(3, 64, 80, 1)
    often = {"grain": {}, "dirt": {"density": 3000}, "hairs": {"rate": 20}, "scratches": {"rain": 20}}
    for kind, settings in often.items():
        step = load(kind).model_validate(settings)
        out = step.apply(still, step.sample(shape, Rng.root(0))).frames
        assert not torch.equal(out[0], out[1])
        assert not torch.equal(out[1], out[2])
    for kind in ("vignette", "dupe", "fading", "softness", "gate"):
        step = load(kind)()
        out = step.apply(still, step.sample(shape, Rng.root(0))).frames
        assert torch.equal(out[0], out[1])


def test_grain_of_colour_film_differs_between_channels_as_far_as_asked() -> None:
    x = torch.full((1, 1, 96, 128), 0.5).expand(-1, 3, -1, -1)
    for colour, low, high in ((0.0, 0.999, 1.001), (0.5, 0.35, 0.65), (1.0, -0.15, 0.15)):
        step = Grain(colour=colour)
        out = step.apply(x, step.sample(ClipShape(1, 96, 128), Rng.root(0))).frames[0] - 0.5
        assert low < np.corrcoef(out[0].flatten(), out[1].flatten())[0, 1] < high
        assert float(out.std()) * 255 == pytest.approx(5, rel=0.08)


def test_scattering_pixels_is_stamping_patches() -> None:
    g = np.random.default_rng(0)
    frame, mask = g.random((3, 20, 30)).astype(np.float32), np.zeros((20, 30), np.float32)
    other, other_mask = frame.copy(), mask.copy()
    for contrast, corner in ((-0.4, (3, 4)), (-0.3, (5, 6)), (0.5, (4, 5))):
        cover = g.random((4, 5)).astype(np.float32)
        stamp(frame, mask, *corner, cover, contrast)
        y, x = np.mgrid[corner[0] : corner[0] + 4, corner[1] : corner[1] + 5]
        scatter(other, other_mask, (y * 30 + x).ravel(), cover.ravel(), (contrast * cover).ravel())
    assert np.allclose(frame, other, atol=1e-6)
    assert np.allclose(mask, other_mask)


def test_planes_and_strips() -> None:
    x = torch.rand(2, 1, 4, 5)
    assert planes_of(x.expand(-1, 3, -1, -1)).shape == (2, 1, 4, 5)
    assert planes_of(x.repeat(1, 3, 1, 1)).shape == (2, 3, 4, 5)
    assert as_frames(planes_of(x), x).shape == x.shape
    for height, width in ((1, 1), (480, 854), (1080, 1920), (7, 100000)):
        rows = [r for part in strips(height, width) for r in range(part.start, part.stop)]
        assert rows == list(range(height))
