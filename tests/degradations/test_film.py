"""Old film against what measurements of real transfers show (orders of magnitude, kinds of behaviour)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from degradations.base import ClipShape
from degradations.film.dirt import Dirt
from degradations.film.grain import Grain
from degradations.film.hairs import Hairs
from degradations.film.lamp import Flicker, Vignette
from degradations.film.scratches import Scratches
from degradations.film.softness import Softness
from degradations.film.tone import Fading, Monochrome
from degradations.film.weave import Weave
from degradations.rng import Rng

SHAPE = ClipShape(60, 480, 640, 1)


@pytest.mark.parametrize("step", [Dirt(), Hairs(rate=1, stuck=1), Scratches()], ids=lambda s: s.kind)
def test_the_mask_is_where_the_picture_changed(step: Dirt | Hairs | Scratches) -> None:
    shape = ClipShape(4, 240, 320)
    x = torch.full((4, 3, 240, 320), 0.5)
    out, masks = step.apply(x, step.sample(shape, Rng.root(5)))
    (mask,) = masks.values()
    changed = (out - x).abs().amax(dim=1, keepdim=True)
    assert float(changed[mask == 0].max()) == 0
    assert float(changed[mask > 0.5].min()) > 0.5 / 255
    assert 0 < float((mask > 0).float().mean()) < 0.2
    assert float(mask.max()) <= 1
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1


def test_dirt_is_counted_as_on_real_film() -> None:
    """110 specks per megapixel, variance over mean 4.6 to 9 (7.9 measured), both polarities at once, log-normal areas."""
    step = Dirt()
    rng = Rng(step.sample(SHAPE, Rng.root(0))["key"])
    counts = np.array([step.count((480, 640), 1.0, rng.at("frame", i).generator()) for i in range(2000)])
    assert counts.mean() / (480 * 640 / 1e6) == pytest.approx(110, rel=0.05)
    assert 4.6 < counts.var() / counts.mean() < 9
    x = torch.full((8, 1, 480, 640), 0.5)
    out, masks = step.apply(x, {"key": Rng.root(1).key, "scale": 1.0})
    (mask,) = masks.values()
    areas, dark = [], []
    for frame, cover in zip(out[:, 0].numpy(), mask[:, 0].numpy(), strict=True):
        labels, count = ndimage.label(cover > 0.5, structure=np.ones((3, 3)))
        areas += list(np.bincount(labels.ravel())[1:])
        means = ndimage.mean(frame, labels, range(1, count + 1))
        dark += list(np.asarray(means) < 0.5)
    logs = np.log(np.maximum(areas, 1))
    assert 1.7 < logs.mean() < 2.4
    assert 0.6 < logs.std() < 1.0
    assert 0.55 < np.mean(dark) < 0.85


def test_grain_is_coarse_heavy_tailed_and_weak_in_shadows() -> None:
    """Autocorrelation 0.67..0.80, 0.43..0.60, 0.21..0.45 at 1, 2, 3 pixels; a fifth of it in black."""
    step = Grain(strength=6)
    fields = np.stack([step.field(1, 480, 640, 1.0, Rng.root(0).at(i))[0] for i in range(4)])
    assert fields.std() == pytest.approx(1, rel=0.03)
    # Measured as on the transfers: without what is slower than a Gaussian of 8 pixels.
    fields -= np.stack([ndimage.gaussian_filter(field, 8) for field in fields])
    for lag, (low, high) in zip((1, 2, 3), ((0.65, 0.82), (0.38, 0.62), (0.2, 0.47)), strict=True):
        for axis in (1, 2):
            a = np.moveaxis(fields, axis, 0)
            assert low < np.mean(a[lag:] * a[:-lag]) / np.mean(a * a) < high
    assert 3.1 < np.mean(fields**4) / np.mean(fields**2) ** 2 < 4.5
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.05
    x = torch.stack([torch.full((1, 480, 640), v) for v in (0.02, 0.5)])
    out = step.apply(x, step.sample(ClipShape(2, 480, 640, 1), Rng.root(0))).frames
    dark, mid = ((out - x) * 255).std(dim=(1, 2, 3)).tolist()
    assert mid == pytest.approx(6, rel=0.05)
    assert dark < 0.3 * mid


def test_weave_is_small_correlated_and_larger_upright() -> None:
    """Standard deviation 0.3 and 0.45 pixels at 480 lines, correlation 0.67 between frames; mean position kept."""
    params = Weave(jumps=0).sample(ClipShape(4000, 480, 640), Rng.root(0))
    x, y = np.array(params["x"]), np.array(params["y"])
    assert x.std() == pytest.approx(0.3, rel=0.08)
    assert y.std() / x.std() == pytest.approx(1.5, rel=0.08)
    assert np.corrcoef(x[1:], x[:-1])[0, 1] == pytest.approx(0.67, abs=0.05)
    assert abs(x.mean()) < 1e-4
    assert np.std(params["turn"]) == pytest.approx(0.03, rel=0.1)


def test_weave_moves_the_picture_by_what_it_says() -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(0).random((96, 128)), 3)
    x = torch.from_numpy(image).float()[None, None]
    out = Weave().apply(x, {"x": [1.5], "y": [-0.5], "turn": [0.0]}, masks={"dirt": x}).frames[0, 0].numpy()
    wanted = ndimage.shift(image, (-0.5, 1.5), order=3, mode="mirror")
    assert np.abs(out - wanted)[8:-8, 8:-8].max() < 0.002


def test_flicker_wanders_and_is_uneven() -> None:
    """Steps of the given size that hardly correlate (-0.06 to 0.37), unlike white level noise (-0.5), and now and then
    a larger one; an uneven part that is largest at top and bottom."""
    params = Flicker(strength=0.025).sample(ClipShape(6000, 480, 640), Rng.root(0))
    steps = np.diff(params["common"])
    assert steps.std() == pytest.approx(0.025, rel=0.05)
    assert -0.06 < np.corrcoef(steps[1:], steps[:-1])[0, 1] < 0.37
    assert np.mean(steps**4) / np.mean(steps**2) ** 2 > 3.5
    x = torch.full((400, 1, 40, 60), 0.4)
    out = Flicker(strength=0.025).apply(x, params).frames
    log = (out / x).log()
    common = log.mean(dim=(2, 3), keepdim=True)
    uneven = (log - common)[:, 0]
    assert 0.3 < float(uneven.std() / common.std()) < 0.9
    assert float(uneven[:, [0, -1]].std()) > 1.5 * float(uneven[:, 18:22].std())


def test_scratches_last_and_wander() -> None:
    """At least 8 frames, steps of about a pixel and less, in the same place from frame to frame."""
    step = Scratches(rain=0)
    params = step.sample(ClipShape(300, 480, 640), Rng.root(1))
    lives = [len(s["x"]) for s in params["lasting"]]
    assert min(lives) >= 8
    assert 15 < np.mean(lives) < 40
    steps = np.concatenate([np.diff(s["x"]) for s in params["lasting"]])
    assert 0.5 < steps.std() < 1.1
    alive = [sum(s["from"] <= t < s["from"] + len(s["x"]) for s in params["lasting"]) for t in range(300)]
    assert 0.7 < np.mean(alive) < 3.5


def test_tone() -> None:
    red = torch.tensor([0.8, 0.2, 0.1]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    shape = ClipShape(1, 8, 8)
    gray = Monochrome().apply(red, {}).frames
    assert gray.std(dim=1).max() < 1e-7
    assert float(gray[0, 0, 0, 0]) == pytest.approx(0.299 * 0.8 + 0.587 * 0.2 + 0.114 * 0.1, abs=1e-6)
    sepia = Monochrome(tone="sepia").apply(red, {}).frames[0, :, 0, 0]
    assert float(sepia[0]) > float(sepia[1]) > float(sepia[2])
    fading = Fading(black=0.1, white=0.8, spread=0)
    ends = fading.apply(
        torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)]), fading.sample(shape, Rng.root(0))
    ).frames
    assert float(ends[0].mean()) == pytest.approx(0.1, abs=0.01)
    assert float(ends[1].mean()) == pytest.approx(0.8, abs=0.01)
    vignette = Vignette(strength=0.3).apply(torch.ones(1, 1, 65, 65), {"x": 0.0, "y": 0.0}).frames[0, 0]
    assert float(vignette[32, 32]) == pytest.approx(1, abs=1e-3)
    assert float(vignette[0, 0]) == pytest.approx(0.7, abs=0.02)


def test_softness_blurs_and_halation_spreads_highlights() -> None:
    x = torch.zeros(1, 1, 96, 96)
    x[..., 44:52, 44:52] = 1
    sharp, soft = (Softness(sigma=2, halation=h).apply(x, {"scale": 1.0}).frames[0, 0] for h in (0.0, 0.5))
    assert float(sharp[48, 40]) < 0.5 < float(sharp[48, 48])
    assert float(sharp[48, 30]) == 0  # out of the blur's reach
    assert float(soft[48, 30]) > 0.5 / 255
