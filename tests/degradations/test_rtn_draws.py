"""What RTN's degradation draws: once per clip, anew in each frame, or once and a little different in each frame.

Ranges and probabilities are facts of the repository raywzy/Bringing-Old-Films-Back-to-Life.
"""

from __future__ import annotations

import json
import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from degradations.apply import degrade, draw, facts
from degradations.base import ClipShape, Params
from degradations.film import rtn_ops as ops
from degradations.film.rtn import QUALITY, Rtn
from degradations.film.textures import FAMILIES
from degradations.profile import load_profile
from degradations.rng import Rng

CROP = ClipShape(7, 256, 256)


@pytest.fixture(scope="module")
def clips() -> list[Params]:
    return [Rtn().sample(CROP, Rng.root(s)) for s in range(3000)]


@pytest.fixture(scope="module")
def frames() -> dict[str, list[Any]]:
    """Facts of the frames of a long ordinary clip."""
    step, shape = Rtn(moving_lines=0), ClipShape(4000, 256, 256)
    return step.facts(step.sample(shape, Rng.root(0)), shape)


def uniform(values: list[float] | NDArray[np.float64], low: float, high: float) -> bool:
    x = np.asarray(values)
    assert low <= x.min()
    assert x.max() <= high
    return bool(stats.kstest(x, "uniform", (low, high - low)).pvalue > 1e-3)


def equally(values: list[Any], wanted: list[Any], shares: list[float] | None = None) -> bool:
    assert set(values) == set(wanted)
    counts = [values.count(w) for w in wanted]
    expected = np.array(shares or [1 / len(wanted)] * len(wanted)) * len(values)
    return bool(stats.chisquare(counts, expected).pvalue > 1e-3)


def test_what_is_drawn_once_per_clip(clips: list[Params]) -> None:
    for name in ("l1", "l2", "angle"):
        assert uniform([c[name] for c in clips], 0, 1)
    assert uniform([c["noise_std_255"] for c in clips], 5, 10)
    assert equally([c["jpeg_quality"] for c in clips], list(range(40, 101)))
    assert equally([c["blur_size_px"] for c in clips], list(range(7, 26, 2)))
    assert equally([c["blur"] for c in clips], ["anisotropic", "isotropic"])
    assert equally([c["moving_lines"] for c in clips], [True, False], [0.2, 0.8])
    assert all(c["steps"] == ["blur", "resize", "noise", "jpeg"] for c in clips)


def test_clips_are_shrunk_enlarged_or_neither(clips: list[Params]) -> None:
    scales = np.array([c["scale"] for c in clips])
    kinds = ["up" if s > 1 else "down" if s < 1 else "same" for s in scales]
    assert equally(kinds, ["up", "down", "same"], [0.2, 0.7, 0.1])
    assert uniform(scales[scales > 1], 1, 2)
    assert uniform(scales[scales < 1], 0.125, 1)


def test_moving_lines_walk_by_5_to_15_pixels(clips: list[Params]) -> None:
    moving = [c for c in clips if c["moving_lines"]]
    assert all(len(c["walk_px"]) == 6 for c in moving)
    steps = [s for c in moving for s in c["walk_px"]]
    assert equally([abs(s) for s in steps], list(range(5, 16)))
    assert equally([s > 0 for s in steps], [True, False])
    assert equally([c["blend"] for c in moving], list(ops.BLENDS))


def test_draws_of_a_clip_do_not_hang_together(clips: list[Params]) -> None:
    table = np.array([[c[k] for k in ("l1", "l2", "angle", "noise_std_255", "jpeg_quality")] for c in clips])
    assert np.abs(np.corrcoef(table.T) - np.eye(5)).max() < 4 / len(clips) ** 0.5


def test_what_is_drawn_anew_in_every_frame(frames: dict[str, list[Any]]) -> None:
    assert uniform(frames["opacity"], 0.6, 1)
    assert uniform(frames["brightness"], 0.8, 1.2)
    assert uniform(frames["contrast"], 0.9, 1)
    assert equally(frames["noise"], ["gaussian", "speckle"])
    for i in (0, 1):
        assert equally([f[i] for f in frames["filters"]], list(ops.FILTERS))
    for name in ("opacity", "brightness", "contrast"):
        x = np.array(frames[name])
        assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 4 / len(x) ** 0.5


def test_textures_are_drawn_over_all_families(frames: dict[str, list[Any]]) -> None:
    """One of 1,200 in each frame; what is of family 011 is only added, all other blends are equally likely."""
    families = [t[:3] for t in frames["texture"]]
    assert equally(families, list(FAMILIES))
    assert uniform([int(t[4:]) + 0.5 for t in frames["texture"]], 0, 100)
    assert len(set(frames["texture"])) > 1100
    bright = [b for b, f in zip(frames["blend"], families, strict=True) if f == "011"]
    assert set(bright) == {"addition"}
    assert equally([b for b, f in zip(frames["blend"], families, strict=True) if f != "011"], list(ops.BLENDS))


def test_what_belongs_to_the_clip_differs_a_little_per_frame() -> None:
    shape = ClipShape(600, 256, 256)
    kinds = set()
    for seed in range(12):
        step = Rtn()
        params = step.sample(shape, Rng.root(seed))
        known = step.facts(params, shape)
        kinds.add(params["blur"])
        noise = np.array(known["noise_std_255"]) - params["noise_std_255"]
        assert np.abs(noise).max() <= 0.5
        assert 5 <= min(known["noise_std_255"]) < max(known["noise_std_255"]) <= 10
        quality = np.array(known["jpeg_quality"])
        assert set(quality) == {q for q in range(40, 101) if abs(q - params["jpeg_quality"]) <= 15}
        assert known["blur_size_px"] == [params["blur_size_px"]] * 600
        assert known["scale"] == [params["scale"]] * 600
        for xx, xy, yy in known["blur_covariance_px2"]:
            small, large = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
            if params["blur"] == "isotropic":
                assert xy == 0
                assert xx == yy
                assert abs(np.sqrt(xx) / 2.8 - params["l1"]) <= 0.05 + 1e-9
            else:
                for got, drawn in zip((small, large), sorted((params["l1"], params["l2"])), strict=True):
                    assert abs(got / 8 - drawn) <= 0.05 + 1e-6
                assert small >= 0
                assert large <= 8
        shares = np.array([c[0] + c[2] for c in known["blur_covariance_px2"]])
        assert shares.std() > 0
    assert kinds == {"anisotropic", "isotropic"}


def test_facts_are_a_value_per_frame_in_json() -> None:
    for variant in ("code", "paper", "validation"):
        for seed in range(6):
            out = degrade(torch.full((3, 3, 40, 48), 0.5), "oldfilm-rtn", variant, seed=seed)
            (known,) = facts(out.recipe)
            assert json.loads(json.dumps(known, allow_nan=False)) == known
            assert all(len(v) == 3 for k, v in known.items() if k != "kind")


def test_the_paper_draws_once_per_clip_and_perturbs() -> None:
    profile, shape = load_profile("oldfilm-rtn"), ClipShape(40, 256, 256)
    clips = [draw(profile, "paper", shape, seed=seed).steps[0].params for seed in range(400)]
    assert uniform([c["noise_std_255"] for c in clips], 5, 50)
    assert not any(c["moving_lines"] for c in clips)
    counts = [len(c["steps"]) for c in clips]
    assert equally(counts, [0, 1, 2, 3, 4], [math.comb(4, k) * 0.7**k * 0.3 ** (4 - k) for k in range(5)])
    for seed in range(5):
        known = facts(draw(profile, "paper", shape, seed=seed))[0]
        for name in ("texture", "blend", "noise", "filters"):
            assert len({str(v) for v in known[name] if v is not None}) <= 1
        for name, width in (("opacity", 0.4), ("brightness", 0.4), ("contrast", 0.1)):
            assert 0 < np.ptp(known[name]) <= 0.1 * width + 1e-9


def test_any_order_of_the_quality_steps_is_equally_likely() -> None:
    orders = [tuple(Rtn(order="random").sample(CROP, Rng.root(s))["steps"]) for s in range(1200)]
    assert equally(orders, list(permutations(QUALITY)))
