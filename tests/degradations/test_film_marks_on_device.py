"""Marks of old film in torch, for frames on a GPU: the same as on a CPU, but for rounding. All of it runs on a CPU here.

The tolerance is 1e-5 of the range at every pixel (a grey level is 4e-3): draws, places and orders are the same, so that only
single precision is left to differ. Measured: up to 2e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation
from degradations.film import marks, rain, specks
from degradations.film.common import scatter, stamp
from degradations.film.cracks import Cracks
from degradations.film.dirt import Dirt
from degradations.film.hairs import Hairs
from degradations.film.marks import Canvas, between, pieces
from degradations.film.scratches import Scratches
from degradations.film.stains import Stains
from degradations.rng import Rng

LIMIT = 1e-5
# Strong marks of both signs that lie on each other, of every sort that a step draws.
STEPS: dict[str, Degradation] = {
    "small dirt": Dirt(density=3000, area=5, contrast=0.4, dark=0.5, elongated=0.3),
    "large dirt": Dirt(density=500, area=150, area_spread=1.2, contrast=0.5, dark=0.5, elongated=0.2),
    "bright dirt": Dirt(density=900, dark=0, softness=2),
    "rain": Scratches(alive=0, rain=60, contrast=0.4, rain_contrast=1),
    "lasting scratches": Scratches(alive=8, rain=0, contrast=0.5, paired=0.7, tint=0.6, stay=10, wander=2),
    "scratches": Scratches(alive=3, rain=20),
    "loose hairs": Hairs(rate=6, stuck=0),
    "stuck hairs": Hairs(rate=0, stuck=4, stay=6),
    "stains that stay": Stains(alive=6, drifting=0, tint=0.5, bright=0.5, contrast=0.4),
    "stains that drift": Stains(alive=6, drifting=1, drift=3, tint=0.5, bright=0.5, contrast=0.4),
    "cracks": Cracks(rate=3, lasting=2, stay=8, contrast=0.5, nets=0.5),
}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


def noise(frames: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(frames, channels, height, width, generator=torch.Generator().manual_seed(seed))


def same(a: Damage, b: Damage) -> None:
    assert list(a.masks) == list(b.masks)
    for one, other in ((a.frames, b.frames), *((a.masks[kind], b.masks[kind]) for kind in a.masks)):
        assert one.shape == other.shape
        assert one.dtype == other.dtype == torch.float32
        difference = (one - other).abs()
        assert float(difference.max()) <= LIMIT
        assert float(difference.mean()) <= 1e-7


@every_step
@pytest.mark.parametrize(("seed", "start", "channels"), [(0, 0, 1), (1, 5, 3), (2, 11, 3)])
def test_it_makes_what_apply_makes(step: Degradation, seed: int, start: int, channels: int) -> None:
    params = step.sample(ClipShape(20, 150, 201, channels), Rng.root(seed))
    x = noise(6, channels, 150, 201)
    wanted, found = step.apply(x, params, start=start), step.on_device(x, params, start=start)
    same(found, wanted)
    assert torch.equal(x, noise(6, channels, 150, 201))
    # There is something to be seen in most frames, far above what is allowed to differ.
    assert float(((wanted.frames - x).abs().amax(dim=(1, 2, 3)) > 1000 * LIMIT).float().mean()) > 0.5
    # At the next frame it is something else, so that a wrong start is found out.
    later = step.apply(x, params, start=start + 1)
    assert float((later.frames - wanted.frames).abs().max()) > 1000 * LIMIT


@every_step
def test_one_plane_seen_three_times_stays_so(step: Degradation) -> None:
    params = step.sample(ClipShape(9, 90, 121), Rng.root(3))
    x = noise(4, 1, 90, 121).expand(-1, 3, -1, -1)
    found = step.on_device(x, params, start=2)
    same(found, step.apply(x, params, start=2))
    assert found.frames.stride(1) == 0


@every_step
def test_what_was_covered_before_stays_covered_and_is_not_written_to(step: Degradation) -> None:
    params = step.sample(ClipShape(9, 90, 121), Rng.root(4))
    x = noise(3, 3, 90, 121)
    (kind,) = step.apply(x, params).masks
    before = {kind: noise(3, 1, 90, 121, seed=7) ** 4, "other": noise(3, 1, 90, 121, seed=8)}
    kept = {name: plane.clone() for name, plane in before.items()}
    found = step.on_device(x, params, start=1, masks=before)
    same(found, step.apply(x, params, start=1, masks=before))
    assert all(torch.equal(before[name], kept[name]) for name in kept)
    assert not torch.equal(found.masks[kind], kept[kind])


@every_step
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 1), (23, 64)])
def test_frames_of_any_size(step: Degradation, size: tuple[int, int]) -> None:
    params = step.sample(ClipShape(12, *size), Rng.root(5))
    x = noise(5, 3, *size)
    same(step.on_device(x, params, start=3), step.apply(x, params, start=3))


@every_step
def test_of_any_number_of_frames_at_once_the_same(step: Degradation) -> None:
    params = step.sample(ClipShape(7, 100, 131), Rng.root(6))
    x = noise(7, 1, 100, 131)
    whole = step.on_device(x, params)
    for size in (1, 3):
        parts = [step.on_device(x[i : i + size], params, start=i) for i in range(0, 7, size)]
        assert torch.allclose(torch.cat([p.frames for p in parts]), whole.frames, rtol=0, atol=1e-6)
        for kind, plane in whole.masks.items():
            assert torch.allclose(torch.cat([p.masks[kind] for p in parts]), plane, rtol=0, atol=1e-6)


@pytest.mark.parametrize("lean", [-0.2, 0.2])
def test_a_scratch_that_leans_is_whole(lean: float) -> None:
    """From the first row to the last it goes much further than from frame to frame."""
    step = STEPS["lasting scratches"]
    params = step.sample(ClipShape(4, 200, 90), Rng.root(0))
    params["lasting"] = [{**scratch, "lean": lean} for scratch in params["lasting"]]
    x = noise(4, 3, 200, 90)
    same(step.on_device(x, params), step.apply(x, params))


@pytest.mark.parametrize(
    "step",
    [Dirt(density=0), Scratches(alive=0, rain=0), Hairs(rate=0, stuck=0), Stains(alive=0), Cracks(rate=0, lasting=0)],
    ids=lambda step: step.kind,
)
def test_without_any_the_picture_stays_and_the_plane_is_there(step: Degradation) -> None:
    x = noise(2, 3, 48, 64)
    found = step.on_device(x, step.sample(ClipShape(2, 48, 64), Rng.root(0)))
    assert torch.equal(found.frames, x)
    ((_, plane),) = found.masks.items()
    assert plane.shape == (2, 1, 48, 64)
    assert not plane.any()


@every_step
def test_nothing_waits_for_the_device(step: Degradation) -> None:
    """Tensors without content cannot be read back: whoever asks for a value of one, or for as many as there are, fails."""
    params = step.sample(ClipShape(9, 90, 121), Rng.root(3))
    found = step.on_device(torch.empty(4, 3, 90, 121, device="meta"), params, start=2)
    assert found.frames.shape == (4, 3, 90, 121)
    assert all(plane.device.type == "meta" for plane in (found.frames, *found.masks.values()))


@pytest.mark.parametrize("name", ["small dirt", "large dirt", "rain"])
def test_in_many_pieces_as_in_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dark and bright ones are told apart within each piece."""
    step = STEPS[name]
    params = step.sample(ClipShape(4, 150, 201, 1), Rng.root(9))
    x = noise(4, 1, 150, 201)
    whole = step.on_device(x, params)
    cut: list[int] = []

    def small(sizes: marks.Index) -> list[slice]:
        found = pieces(sizes, 300)
        cut.append(len(found))
        return found

    monkeypatch.setattr(specks, "pieces", small)
    monkeypatch.setattr(rain, "pieces", small)
    same(step.on_device(x, params), whole)
    assert max(cut) > 4


def test_pieces_are_whole_and_in_order() -> None:
    sizes = np.array([5, 5, 100, 1, 1, 1, 7])
    found = pieces(sizes, 10)
    assert [i for piece in found for i in range(len(sizes))[piece]] == list(range(len(sizes)))
    assert all(sizes[piece].sum() <= 10 or piece.stop - piece.start == 1 for piece in found)
    assert pieces(np.zeros(0, np.intp)) == []


def laid(planes: int = 3) -> tuple[Canvas, np.ndarray, np.ndarray]:
    x = noise(2, planes, 12, 17)
    mask = noise(2, 1, 12, 17, seed=1) ** 3
    return Canvas(x, {"dirt": mask}, "dirt"), x.numpy().copy(), mask[:, 0].numpy().copy()


@pytest.mark.parametrize(("top", "left"), [(3, 4), (-2, 14), (9, -3), (-1, -1), (40, 0), (0, -30)])
@pytest.mark.parametrize("dense", [False, True])
def test_a_mark_is_stamped_as_on_a_cpu(top: int, left: int, dense: bool) -> None:
    canvas, frames, mask = laid()
    g = np.random.default_rng(0)
    cover, density = g.random((2, 2, 14, 6)).astype(np.float32)
    strength = np.array([0.5, 0.9], np.float32)
    for contrast in ([-0.4, -0.2, -0.9], [0.3, 0.0, 0.8]):
        for i in range(2):
            deep = (density if dense else cover)[i] * strength[i]
            stamp(frames[i], mask[i], top, left, cover[i], np.array(contrast, np.float32), deep)
        more = (torch.from_numpy(density), torch.from_numpy(strength)[:, None, None])
        canvas.stamp(0, 2, top, left, torch.from_numpy(cover), contrast, more[0] if dense else None, more[1])
    assert np.abs(canvas.damage().frames.numpy() - frames).max() < 1e-6
    assert np.array_equal(canvas.cover.numpy(), mask)


def test_pixels_are_scattered_as_on_a_cpu_the_same_bytes_in_any_order() -> None:
    """Thousands of marks on 408 pixels: each is named many times, by dark and by bright ones, some from outside.

    As many as fill the vectors of a CPU, which computes the logarithms of what is left over another way; a GPU does not.
    """
    g = np.random.default_rng(1)
    count = 3072
    frame, row, column = g.integers(0, 2, count), g.integers(-3, 15, count), g.integers(-3, 20, count)
    cover = g.random(count, dtype=np.float32)
    depth = (cover * g.uniform(0.01, 0.3, count) * np.where(np.arange(count) % 2, 1, -1)).astype(np.float32)
    found = []
    for _ in range(2):
        order = np.argsort((depth > 0) + g.uniform(0, 0.5, count))  # dark ones first, else at random
        canvas, frames, mask = laid()
        place, inside = canvas.places(*(torch.from_numpy(values[order]) for values in (frame, row, column)))
        of_each = (torch.from_numpy(values[order]) * inside for values in (cover, depth))
        canvas.scatter(place, *of_each, int((depth < 0).sum()))
        found.append((canvas.damage().frames, canvas.cover))
    for i in range(2):
        seen = (frame == i) & (row >= 0) & (row < 12) & (column >= 0) & (column < 17)
        scatter(frames[i], mask[i], (row * 17 + column)[seen], cover[seen], depth[seen])
    assert np.abs(found[0][0].numpy() - frames).max() < 3e-6
    assert np.array_equal(found[0][1].numpy(), mask)
    assert torch.equal(found[0][0], found[1][0])


def test_between_is_what_numpy_interpolates() -> None:
    g = np.random.default_rng(2)
    knots, at = g.random((3, 9)), g.uniform(0, 7, (3, 50))
    wanted = np.stack([np.interp(a, np.arange(8), row[1:]) for a, row in zip(at, knots, strict=True)])
    assert np.allclose(between(torch.from_numpy(knots), torch.from_numpy(at), 1).numpy(), wanted, atol=1e-12)
