"""Splices: lost frames, the jump, the change of density, the overlap at the edge of the frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from degradations.base import ClipShape, Damage, joined
from degradations.film.splices import MOST_LOST, Splices
from degradations.rng import Rng

SHAPE = ClipShape(40, 96, 128)
LINE = {"depth": 0.04, "lean": 0.0, "thick": 1.5, "contrast": 0.5, "both": True}


def clip() -> Tensor:
    """Frames that can be told apart: frame ``t`` is a ramp on a level of its own."""
    ramp = torch.linspace(0.2, 0.5, 96).view(1, 1, 96, 1).expand(40, 1, 96, 128)
    return (ramp + 0.005 * torch.arange(40).view(40, 1, 1, 1)).expand(-1, 3, -1, -1)


def one(**changes: object) -> dict[str, object]:
    splice = {"frame": 20, "lost": 3, "jump": 0.0, "density": 0.0, "line": LINE, **changes}
    return {"key": Rng.root(0).key, "scale": 0.55, "splices": [splice]}


def run(step: Splices, params: dict[str, object], size: int = 40, masks: dict[str, Tensor] | None = None) -> Damage:
    x = clip()
    chunks = [
        Damage(x[i : i + size], {k: m[i : i + size] for k, m in (masks or {}).items()}) for i in range(0, 40, size)
    ]
    return joined(list(step.stream(chunks, params, SHAPE)))


def test_lost_frames_are_those_before_seen_again_and_none_is_missing() -> None:
    step = Splices(smear=0.0)
    params = one(line={**LINE, "both": False})
    out, masks = run(step, params)
    x = clip()
    assert out.shape == x.shape
    source = step.facts(params, SHAPE)["source_frame"]
    assert source == [*range(17), 16, 16, 16, *range(20, 40)]
    untouched = [i for i in range(40) if i != 20]
    assert torch.equal(out[untouched], x[source][untouched])
    assert not masks["splice"][untouched].any()
    assert masks["splice"][20].any()


def test_what_earlier_steps_marked_is_seen_again_too() -> None:
    dirt = torch.zeros(40, 1, 96, 128)
    dirt[16, 0, 50, 60] = 1
    dirt[18, 0, 10, 10] = 1
    out = run(Splices(), one(), masks={"dirt": dirt}).masks["dirt"]
    assert [float(out[i, 0, 50, 60]) for i in (15, 16, 17, 18, 19, 20)] == [0, 1, 1, 1, 1, 0]
    assert not out[:, 0, 10, 10].any()  # lost with its frame


@pytest.mark.parametrize("size", [1, 3, 7, 16])
def test_chunks_do_not_matter(size: int) -> None:
    step = Splices(rate=0.2, lost=8)
    params = step.sample(SHAPE, Rng.root(3))
    assert len(params["splices"]) >= 3
    whole, parts = run(step, params), run(step, params, size)
    assert torch.equal(whole.frames, parts.frames)
    assert torch.equal(whole.masks["splice"], parts.masks["splice"])


def test_the_line_and_the_cement_lie_at_the_edges_and_the_mask_knows() -> None:
    params = one()
    out, masks = run(Splices(), params)
    x = clip()[[*range(17), 16, 16, 16, *range(20, 40)]]
    mask = masks["splice"]
    assert [bool(mask[i].any()) for i in (18, 19, 20, 21)] == [False, True, True, False]
    rows_before, rows_after = (mask[i, 0].any(dim=1).nonzero().flatten() for i in (19, 20))
    assert int(rows_after.max()) < 0.25 * 96
    assert int(rows_before.min()) > 0.75 * 96
    changed = (out - x).abs()[:, :1]
    assert float(changed[mask == 0].max()) == 0
    line = (out - x)[20, 0].amax(dim=1)
    assert float(line.max()) > 0.1  # a bright line across the frame
    assert int(line.argmax()) == pytest.approx(0.04 * 96, abs=3)
    assert Splices().facts(params, SHAPE)["splice"] == [0] * 19 + [1, 1] + [0] * 19


def test_the_picture_jumps_and_settles() -> None:
    params = one(jump=10.0)
    step = Splices(smear=0.0)
    shift = step.facts(params, SHAPE)["shift_y_px"]
    assert shift[19:24] == [0.0, 10.0, 4.0, 1.6, 0.64]
    assert shift[30] == 0
    out = run(step, params).frames
    x = clip()
    for i in (21, 22):
        # The ramp tells how far down it went.
        slope = float(x[i, 0, 41, 0] - x[i, 0, 40, 0])
        moved = float((x[i, 0, 48, 64] - out[i, 0, 48, 64]) / slope)
        assert moved == pytest.approx(shift[i], abs=0.05)


def test_density_changes_behind_the_splice_and_comes_back() -> None:
    params = one(density=0.2)
    gain = Splices().facts(params, SHAPE)["gain"]
    assert gain[19] == 1
    assert gain[20] == pytest.approx(np.exp(0.2), abs=1e-4)
    assert 1 < gain[39] < gain[30] < gain[20]
    out = run(Splices(), params).frames
    assert float(out[25, 0, 48, 64] / clip()[25, 0, 48, 64]) == pytest.approx(gain[25], rel=1e-4)


def test_splices_are_as_frequent_as_asked_and_never_overlap() -> None:
    long = ClipShape(20000, 96, 128)
    step = Splices(rate=0.01, lost=4, jump=5)
    splices = step.sample(long, Rng.root(0))["splices"]
    assert len(splices) == pytest.approx(200, rel=0.25)
    assert {s["lost"] for s in splices} == {1, 2, 3, 4}
    assert np.std([s["jump"] for s in splices]) == pytest.approx(5 * 0.55, rel=0.15)
    ends = [(s["frame"] - s["lost"], s["frame"]) for s in splices]
    assert all(b[0] > a[1] for a, b in pairwise(ends))
    source = step.facts({"key": "", "scale": 1.0, "splices": splices}, long)["source_frame"]
    back = np.arange(20000) - np.array(source)
    assert back.min() == 0
    assert back.max() <= MOST_LOST


def test_without_a_splice_the_clip_passes_through() -> None:
    step = Splices(rate=0)
    params = step.sample(SHAPE, Rng.root(0))
    assert params["splices"] == []
    out, masks = run(step, params, size=7)
    assert torch.equal(out, clip())
    assert masks["splice"].shape == (40, 1, 96, 128)
    assert not masks["splice"].any()
