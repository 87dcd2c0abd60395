"""Stains and cracks: where they are, how long they stay, what they look like; specks as they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from degradations.base import ClipShape
from degradations.film.cracks import Cracks
from degradations.film.dirt import Dirt
from degradations.film.hairs import Hairs
from degradations.film.scratches import Scratches
from degradations.film.shapes import blot, crack_tree, fractal_noise, reticulation
from degradations.film.specks import Specks
from degradations.film.stains import Stains
from degradations.rng import Rng

SHAPE = ClipShape(40, 240, 320)


def gray(frames: int = 40, level: float = 0.5) -> torch.Tensor:
    return torch.full((frames, 1, 240, 320), level).expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    ("step", "kind"),
    [(Stains(alive=3), "stain"), (Cracks(rate=1, lasting=2), "crack"), (Stains(alive=3, drifting=1), "stain")],
)
def test_the_mask_is_where_the_picture_changed(step: Stains | Cracks, kind: str) -> None:
    x = gray(12)
    out, masks = step.apply(x, step.sample(SHAPE, Rng.root(4)))
    assert list(masks) == [kind]
    changed = (out - x).abs()[:, :1]
    assert float(changed[masks[kind] == 0].max()) == 0
    # What covers a pixel wholly changes it by at least half a level; marks that cover each other may cancel out.
    assert float((changed[masks[kind] > 0.9] > 0.5 / 255).float().mean()) > 0.97
    assert 0.003 < float((masks[kind] > 0).float().mean()) < 0.7
    assert 0 <= float(out.min()) <= float(out.max()) <= 1


@pytest.mark.parametrize("step", [Stains(alive=0), Cracks(rate=0, lasting=0)])
def test_without_any_the_picture_stays_and_the_plane_is_there(step: Stains | Cracks) -> None:
    x = torch.rand(2, 3, 48, 64)
    out, masks = step.apply(x, step.sample(ClipShape(2, 48, 64), Rng.root(0)))
    assert torch.equal(out, x)
    ((kind, plane),) = masks.items()
    assert kind in ("stain", "crack")
    assert plane.shape == (2, 1, 48, 64)
    assert not plane.any()


def test_stains_stay_for_5_to_40_frames_and_are_as_many_as_asked() -> None:
    long = ClipShape(3000, 240, 320)
    step = Stains(alive=1.5, stay=16)
    params = step.sample(long, Rng.root(0))
    lives = [len(s["strength"]) for s in params["stains"]]
    assert min(lives) >= 5
    assert max(lives) <= 64
    assert 13 < np.mean(lives) < 20
    counts = step.facts(params, long)["stains"]
    assert len(counts) == 3000
    # Lives shorter than 5 frames are lengthened, so that a few more are alive.
    assert 1.4 < np.mean(counts) < 2.1


def test_a_stain_stays_where_it_is_or_drifts() -> None:
    for drifting in (0.0, 1.0):
        step = Stains(alive=2, drifting=drifting, drift=2)
        params = step.sample(SHAPE, Rng.root(2))
        stain = next(s for s in params["stains"] if s["from"] <= 0 and len(s["strength"]) + s["from"] >= 8)
        alone = {"stains": [{**stain, "at": [160.0, 120.0], "radius": 30.0}]}
        _, masks = step.apply(gray(8), alone)
        middles = np.array([ndimage.center_of_mass(m.numpy()) for m in masks["stain"][:, 0]])
        steps = np.diff(middles, axis=0)
        wanted = [stain["speed"][1], stain["speed"][0]]
        assert np.allclose(steps, wanted, atol=0.06)
        assert bool(np.any(wanted)) == bool(drifting)


def test_a_blot_has_a_dark_rim_a_ragged_outline_and_its_size() -> None:
    rims, areas, ragged = [], [], []
    for i in range(12):
        cover, density = blot(Rng.root(i).key, 40.0, 0.7, 0.65)
        assert cover.shape == density.shape
        assert not cover[[0, -1]].any()
        assert not cover[:, [0, -1]].any()
        assert not density[cover == 0].any()
        inside = ndimage.distance_transform_edt(cover > 0.99)
        rims.append(density[(inside >= 1) & (inside < 4)].mean() / density[inside > 10].mean())
        areas.append(cover.sum() / (np.pi * 40**2))
        edge = (cover > 0.5) & ~ndimage.binary_erosion(cover > 0.5)
        ragged.append(edge.sum() / (2 * np.sqrt(np.pi * (cover > 0.5).sum())))
    assert np.median(rims) > 1.4
    assert 0.6 < np.median(areas) < 1.5
    assert np.median(ragged) > 1.1  # a disc has about 0.9 pixels of edge for each of its outline


def test_shapes_of_a_cache_cannot_be_written_to() -> None:
    for made in (*blot("a", 20.0, 0.5, 0.5), crack_tree("a", 20, 1.2), reticulation("a", 20, 8.0, 1.2)):
        with pytest.raises(ValueError, match="read-only"):
            made[0, 0] = 1


def test_cracks_branch_and_nets_have_meshes() -> None:
    """A tree of cracks leaves the plane in few pieces; a net encloses cells of the given size."""
    ends = []
    for i in range(6):
        tree = crack_tree(Rng.root(i).key, 60, 1.2)
        assert tree.shape == (121, 121)
        assert 0.005 < (tree > 0.3).mean() < 0.12
        _, pieces = ndimage.label(tree > 0.15, structure=np.ones((3, 3)))
        ends.append(pieces)
    assert np.median(ends) <= 2  # one network
    cells = []
    for i in range(6):
        net = reticulation(Rng.root(i).key, 60, 12.0, 1.5)
        middle = net[40:81, 40:81] < 0.05
        labels, count = ndimage.label(middle)
        sizes = np.bincount(labels.ravel())[1:]
        cells.append(np.median(sizes) if count else 0)
    assert 20 < np.median(cells) < 400


def test_lasting_cracks_stand_still_and_brief_ones_are_new() -> None:
    step = Cracks(rate=0, lasting=3, stay=200)
    x = gray()
    out = step.apply(x, step.sample(SHAPE, Rng.root(0))).frames
    assert torch.equal(out[3], out[4]) or not torch.equal(out[3], x[3])
    brief = Cracks(rate=3, lasting=0)
    params = brief.sample(SHAPE, Rng.root(0))
    assert all(1 <= c["to"] - c["from"] <= 3 for c in params["cracks"])
    counts = brief.facts(params, SHAPE)["cracks"]
    assert 1.5 < np.mean(counts) < 4.5
    moved = brief.apply(x, params).frames
    assert not torch.equal(moved[3], moved[10])


def test_facts_count_what_is_drawn() -> None:
    """Numbers of specks, hairs and scratches come from the draws that draw them."""
    shape = ClipShape(40, 240, 320)
    for step, name, other in (
        (Dirt(density=300, area_spread=0), "specks", None),
        (Hairs(rate=2, stuck=0), "loose_hairs", "stuck_hairs"),
        (Scratches(alive=0, rain=5), "streaks", "scratches"),
    ):
        params = step.sample(shape, Rng.root(1))
        facts = step.facts(params, shape)
        assert other is None or not any(facts[other])
        (plane,) = step.apply(torch.full((40, 1, 240, 320), 0.5), params).masks.values()
        covered = plane.flatten(1).sum(dim=1).numpy()
        assert np.corrcoef(facts[name], covered)[0, 1] > 0.8
        assert not covered[np.array(facts[name]) == 0].any()
    for lasting, name in (
        (Hairs(rate=0, stuck=0.5, stay=8), "stuck_hairs"),
        (Scratches(alive=0.5, rain=0), "scratches"),
    ):
        params = lasting.sample(shape, Rng.root(2))
        (plane,) = lasting.apply(torch.full((40, 1, 240, 320), 0.5), params).masks.values()
        known = [bool(n) for n in lasting.facts(params, shape)[name]]
        assert known == plane.flatten(1).any(dim=1).tolist()
        assert len(set(known)) == 2


def test_bursts_of_dirt_are_as_strong_as_asked() -> None:
    """The rate has the relative spread ``burst``: 0 is Poisson (variance over mean of 1)."""
    for burst in (0.0, 0.45, 1.0):
        step = Dirt(density=200, burst=burst)
        counts = [step.count((480, 640), 1.0, Rng.root(0).at(i).generator()) for i in range(3000)]
        mean = np.mean(counts)
        assert mean == pytest.approx(200 * 480 * 640 / 1e6, rel=0.07)
        assert np.var(counts) == pytest.approx(mean + (burst * mean) ** 2, rel=0.15)


def test_specks_have_the_area_they_are_asked_for() -> None:
    """Ready ones (below 120 square pixels), drawn ones, and specks smaller than a pixel, which cover a part of it."""
    for area in (0.7, 3.0, 10.0, 60.0, 300.0):
        g = np.random.default_rng(0)
        count = 150
        specks = Specks(
            x=g.uniform(60, 540, count),
            y=g.uniform(60, 540, count),
            area=np.full(count, area),
            stretch=np.ones(count),
            turn=g.uniform(0, np.pi, count),
            outline=g.integers(0, 512, count),
            hollow=np.zeros(count),
            bend=np.zeros(count),
            edge=1.2,
        )
        total = sum(float(p.cover.sum()) for p in specks.pixels(600, 600))
        assert total / count == pytest.approx(area, rel=0.2)


def splinter(bend: float) -> NDArray[np.float32]:
    """A large one, lying: what it covers of 161 x 161 pixels, about the middle."""
    one = {"x": 80.5, "y": 80.5, "area": 400, "stretch": 8, "turn": 0, "outline": 0, "hollow": 0, "bend": bend}
    columns = {name: np.array([value]) for name, value in one.items()}
    specks = Specks(**columns, edge=1.0)
    ((chosen, reach),) = specks.batches()
    assert reach <= 80
    cover = np.zeros((161, 161), np.float32)
    there = slice(80 - reach, 81 + reach)
    cover[there, there] = specks.draw(chosen, reach)[0][0]
    return cover


def test_splinters_are_bent() -> None:
    """The ends lie aside by ``bend`` times half the length, whichever the outline; as much is covered as by a straight one."""
    half = np.sqrt(400 / np.pi * 8)
    straight, bent = splinter(0.0), splinter(0.4)
    rows = np.arange(161)[:, None]

    def middle(cover: NDArray[np.float32], columns: slice) -> float:
        part = cover[:, columns]
        return float((part * rows).sum() / part.sum())

    at = round(0.8 * half)
    for end in (slice(80 - at - 2, 80 - at + 3), slice(80 + at - 2, 80 + at + 3)):
        aside = middle(bent, end) - middle(straight, end)
        inner = middle(bent, slice(78, 83)) - middle(straight, slice(78, 83))
        assert aside - inner == pytest.approx(0.4 * 0.8**2 * half, rel=0.1)
    assert bent.sum() == pytest.approx(float(straight.sum()), rel=0.05)
    assert max(bent[[0, -1]].max(), bent[:, [0, -1]].max()) == 0


def test_large_specks_are_thicker() -> None:
    """As measured on two of three real films: peaks of dark specks of 60 pixels are 1.6 to 2.5 times those of 9."""
    step = Dirt(density=900, dark=1, area=20, area_spread=1.2, contrast=0.15, contrast_spread=0.1, clumped=0, burst=0)
    flat = torch.full((1, 1, 480, 640), 0.5)
    found = []
    for thickness in (0.0, 0.35):
        chosen = step.model_copy(update={"thickness": thickness})
        out, masks = chosen.apply(flat, chosen.sample(ClipShape(1, 480, 640), Rng.root(1)))
        labels, count = ndimage.label(masks["dirt"][0, 0].numpy() > 0.3)
        areas = ndimage.sum_labels(np.ones_like(labels), labels, range(1, count + 1))
        peaks = ndimage.maximum((flat - out)[0, 0].numpy(), labels, range(1, count + 1))
        found.append(np.median(peaks[areas > 60]) / np.median(peaks[(areas > 6) & (areas < 14)]))
    assert found[0] < 1.2
    assert 1.6 < found[1] < 2.5


def test_splinters_are_long() -> None:
    step = Dirt(density=400, elongated=1, area=20, area_spread=0, contrast=0.5, contrast_spread=0, clumped=0)
    _, masks = step.apply(torch.full((2, 1, 480, 640), 0.5), step.sample(ClipShape(2, 480, 640), Rng.root(3)))
    labels, count = ndimage.label(masks["dirt"][0, 0].numpy() > 0.3, structure=np.ones((3, 3)))
    aspects = []
    for i in range(1, count + 1):
        y, x = np.nonzero(labels == i)
        if len(y) > 6:
            values = np.linalg.eigvalsh(np.cov(np.stack([y, x])) + np.eye(2) / 12)
            aspects.append(np.sqrt(values[1] / values[0]))
    assert np.median(aspects) > 3


def test_fractal_noise_is_smooth_and_of_unit_deviation() -> None:
    fields = np.stack([fractal_noise(120, 160, 30, 0.5, Rng.root(i).generator()) for i in range(20)])
    assert 0.8 < fields.std() < 1.2
    close = np.mean(fields[:, :, 1:] * fields[:, :, :-1]) / np.mean(fields**2)
    far = np.mean(fields[:, :, 60:] * fields[:, :, :-60]) / np.mean(fields**2)
    assert close > 0.9
    assert abs(far) < 0.25
