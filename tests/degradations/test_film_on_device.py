"""Steps of old film that work on whole frames, in torch, for frames on a GPU: the same as on a CPU, but for rounding.

All of it runs on a CPU here, and on torch's "meta" device, which has shapes but no values: whatever would wait for a value
of the device (or fetch it) fails there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from degradations.base import ClipShape, Damage, Degradation, Params, joined, one_plane
from degradations.film import tensors
from degradations.film.gate import Gate
from degradations.film.grain import Grain
from degradations.film.lamp import Flicker, Vignette
from degradations.film.softness import Softness
from degradations.film.splices import MOST_LOST, Splices
from degradations.film.tone import Dupe, Fading, Monochrome
from degradations.film.weave import Weave
from degradations.rng import Rng

EXACT, TABLE, WARP = 5e-6, 1e-4, 3e-4
"""Largest difference, of a range of 1 (a grey level is 4e-3). Measured: 5e-7 where the same is computed in another order;
3e-5 where a neighbour of 65,536 levels is looked up, or a shift is in float32; 1e-4 where a place is in float32, at white
noise 1,920 pixels from the left."""
MEAN = 1e-5

# Strong, so that a mistake is far above the limits.
STEPS: dict[str, tuple[Degradation, float]] = {
    "softness": (Softness(sigma=2, halation=0.4), EXACT),
    "softness of the glow alone": (Softness(sigma=0.1, halation=1, reach=60), EXACT),
    "softness without glow": (Softness(sigma=1.5, halation=0), EXACT),
    "weave": (Weave(horizontal=5, vertical=5), EXACT),
    "weave that turns": (Weave(rotation=0.1), EXACT),
    "weave that jumps": (Weave(jumps=0.4, jump=30), EXACT),
    "weave that turns far": (Weave(rotation=0.4), WARP),
    "fading": (Fading(spread=0.1), TABLE),
    "fading with a cast": (Fading(cast=0.2), TABLE),
    "dupe": (Dupe(slope=2), TABLE),
    "black and white": (Monochrome(), EXACT),
    "sepia": (Monochrome(tone="sepia", amount=0.7), EXACT),
    "grain": (Grain(strength=40), EXACT),
    "coarse grain": (Grain(strength=40, size=3), EXACT),
    "grain in colour": (Grain(strength=40, colour=0.5), EXACT),
    "vignette": (Vignette(strength=0.8), EXACT),
    "flicker": (Flicker(strength=0.2, local=1), EXACT),
    "gate": (Gate(margin=8, rough=2), EXACT),
    "unsteady gate": (Gate(margin=8, rough=2, unsteady=4), TABLE),
    "splices": (Splices(rate=0.15, jump=20, density=0.3), TABLE),
    "splices with nothing but a line": (Splices(rate=0.3, jump=0, density=0), EXACT),
    "no splices": (Splices(rate=0), EXACT),
}
every_step = pytest.mark.parametrize(("step", "limit"), STEPS.values(), ids=STEPS)
FRAMES = 24


def picture(frames: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Noise with darker and brighter parts, a little beyond 0..1 as earlier steps leave it."""
    g = torch.Generator().manual_seed(seed)
    across = torch.linspace(-0.2, 0.9, width)
    return 0.3 * torch.rand(frames, channels, height, width, generator=g) + across


def cover(frames: int, height: int, width: int) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(9)
    there = torch.rand(frames, 1, height, width, generator=g)
    return {"dirt": there * (there > 0.5), "hair": torch.zeros(frames, 1, height, width)}


def drawn(step: Degradation, height: int, width: int, channels: int, seed: int = 0) -> Params:
    return step.sample(ClipShape(FRAMES, height, width, channels), Rng.root(seed))


def same(found: Damage, wanted: Damage, limit: float) -> None:
    assert list(found.masks) == list(wanted.masks)
    assert one_plane(found.frames) == one_plane(wanted.frames)
    pairs = ((found.frames, wanted.frames, limit), *((found.masks[k], wanted.masks[k], WARP) for k in wanted.masks))
    for one, other, most in pairs:
        assert one.shape == other.shape
        assert one.dtype == other.dtype == torch.float32
        difference = (one - other).abs()
        assert float(difference.max()) <= most
        assert float(difference.mean()) <= min(most, MEAN)


@every_step
@pytest.mark.parametrize(("seed", "start", "channels"), [(0, 0, 1), (1, 5, 3), (2, 11, 3)])
def test_it_makes_what_apply_makes(step: Degradation, limit: float, seed: int, start: int, channels: int) -> None:
    count = 6 + step.context[0]
    x, masks = picture(count, channels, 150, 201), cover(count, 150, 201)
    params = drawn(step, 150, 201, channels, seed)
    wanted = step.apply(x, params, start=start, masks=masks)
    found = step.on_device(x, params, start=start, masks=masks)
    same(found, wanted, limit)
    assert torch.equal(x, picture(count, channels, 150, 201))  # what comes in is not written to
    assert torch.equal(masks["dirt"], cover(count, 150, 201)["dirt"])
    if not isinstance(step, (Weave, Splices)):
        assert all(found.masks[kind] is masks[kind] for kind in masks)
    if not isinstance(step, (Monochrome, Splices)):  # a gray clip is black and white; not all frames are near a splice
        assert float((wanted.frames - x[step.context[0] :]).abs().max()) > 100 * limit


@pytest.mark.parametrize("step", [Weave(), Grain(), Flicker(), Gate(unsteady=2), Splices(rate=0.3)])
def test_a_wrong_start_would_be_found_out(step: Degradation) -> None:
    x = picture(6 + step.context[0], 1, 90, 121)
    params = drawn(step, 90, 121, 1)
    there = step.on_device(x, params, start=4).frames
    assert float((there - step.apply(x, params, start=5).frames).abs().max()) > 10 * WARP


@every_step
def test_one_plane_seen_three_times_is_worked_on_as_one(step: Degradation, limit: float) -> None:
    x = picture(5 + step.context[0], 1, 60, 81).expand(-1, 3, -1, -1)
    params = drawn(step, 60, 81, 3, seed=3)
    same(step.on_device(x, params, start=2), step.apply(x, params, start=2), limit)


@every_step
@pytest.mark.parametrize(("height", "width"), [(37, 52), (9, 7), (2, 3), (1, 9), (6, 1), (1, 1)])
def test_any_size(step: Degradation, limit: float, height: int, width: int) -> None:
    count = 4 + step.context[0]
    x, masks = picture(count, 3, height, width), cover(count, height, width)
    params = drawn(step, height, width, 3, seed=4)
    wanted, found = (one(x, params, start=3, masks=masks) for one in (step.apply, step.on_device))
    same(found, wanted, limit)


@every_step
@pytest.mark.parametrize("size", [1, 5, FRAMES])
def test_a_stream_of_any_chunks(step: Degradation, limit: float, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, masks = picture(FRAMES, 1, 40, 61), cover(FRAMES, 40, 61)
    params = drawn(step, 40, 61, 1, seed=5)
    shape = ClipShape(FRAMES, 40, 61, 1)

    def clip(chunk: int) -> Damage:
        pieces = [slice(i, i + chunk) for i in range(0, FRAMES, chunk)]
        chunks = [Damage(x[piece], {kind: plane[piece] for kind, plane in masks.items()}) for piece in pieces]
        return joined(step.stream(chunks, params, shape))

    wanted = clip(7)
    monkeypatch.setattr(Degradation, "made", lambda self, *given, **named: self.on_device(*given, **named))
    found = clip(size)
    same(found, wanted, limit)
    assert torch.equal(x, picture(FRAMES, 1, 40, 61))
    assert torch.equal(masks["dirt"], cover(FRAMES, 40, 61)["dirt"])
    # A frame does not depend on the chunk that it is in.
    assert float((found.frames - clip(7).frames).abs().max()) <= 1e-6


class Counted(TorchDispatchMode):
    """How many operations there were: on a GPU, at least as many launches."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def nowhere(count: int, channels: int = 3) -> Damage:
    x = torch.empty(count, channels, 90, 121, device="meta")
    return Damage(x, {"dirt": torch.empty(count, 1, 90, 121, device="meta")})


def calls(step: Degradation, params: Params, count: int) -> int:
    frames, masks = nowhere(count + step.context[0])
    with Counted() as counted:
        out = step.on_device(frames, params, start=1, masks=masks)
    assert out.frames.device.type == "meta"
    assert all(plane.device.type == "meta" for plane in out.masks.values())
    return int(counted.count)


@every_step
def test_nothing_waits_for_the_device_and_frames_are_worked_on_together(step: Degradation, limit: float) -> None:
    params = drawn(step, 90, 121, 3, seed=6)
    if "splices" in params:  # lines are drawn on the CPU
        params = {**params, "splices": [s for s in params["splices"] if s["frame"] > 20]}
    if "turn" in params:  # a turn that is far is warped by itself; neighbours shear over more or fewer pixels
        params = {**params, "turn": [0.0] * FRAMES}
    calls(step, params, 1)  # what is kept on the device is there from now on
    assert calls(step, params, 12) == calls(step, params, 6)


def test_splices_pass_frames_of_any_device() -> None:
    """Also by the stream, which has no chunk of its own for a clip without a splice."""
    for splices in (Splices(rate=0), Splices(rate=0.1)):
        params = drawn(splices, 90, 121, 3)
        params = {**params, "splices": [s for s in params["splices"] if s["frame"] > 20]}
        shape = ClipShape(12, 90, 121)
        for frames, masks in splices.stream([nowhere(6), nowhere(6)], params, shape):
            assert frames.device.type == masks["splice"].device.type == "meta"
    assert Splices.at_home_anywhere
    assert Splices.context[0] == MOST_LOST


@pytest.mark.parametrize(("height", "width"), [(30, 1), (31, 2)])
def test_a_jump_of_a_line_of_pixels_repeats_its_end(height: int, width: int) -> None:
    """OpenCV has nothing to mirror at a single column (see `border.mirror`)."""
    step = Splices(rate=0.2)
    params = drawn(step, height, width, 1)
    first = params["splices"][0] | {"jump": 7.3}
    params = params | {"splices": [first]}
    x, masks = picture(4 + MOST_LOST, 1, height, width), cover(4 + MOST_LOST, height, width)
    wanted, found = (one(x, params, start=first["frame"], masks=masks) for one in (step.apply, step.on_device))
    same(found, wanted, TABLE)


def test_a_line_is_drawn_into_its_frame_alone() -> None:
    step = Splices(rate=0.2, jump=0, density=0)
    params = drawn(step, 90, 121, 1, seed=1)
    x = picture(1, 1, 90, 121).expand(FRAMES + MOST_LOST, -1, -1, -1)
    out = step.on_device(x, params)
    changed = (out.frames != x[MOST_LOST:]).flatten(1).any(dim=1)
    seen = step.facts(params, ClipShape(FRAMES, 90, 121, 1))["splice"]
    assert changed.int().tolist() == seen
    assert 0 < sum(seen) < FRAMES
    assert (out.masks["splice"].flatten(1).amax(dim=1) > 0).int().tolist() == seen


def test_a_shift_is_put_together_of_whole_pixels_and_taps() -> None:
    """Against a look-up of each pixel by itself, lines of a frame far apart, both borders."""
    g = np.random.default_rng(0)
    x = torch.rand(3, 2, 5, 7)
    whole, part = g.integers(-20, 20, (3, 5)), g.integers(0, 4, (3, 5))
    taps = g.random((4, 3), dtype=np.float32)
    for repeat in (False, True):
        found = tensors.shifted(x, -1, whole, part, taps, repeat=repeat)
        turned = tensors.shifted(x.transpose(-1, -2), -2, whole, part, taps, repeat=repeat)
        assert torch.equal(turned.transpose(-1, -2), found)
        for t, line, c in np.ndindex(3, 5, 7):
            places = c + whole[t, line] + np.arange(3)
            places = places.clip(0, 6) if repeat else np.abs((places + 6 * 99) % 12 - 6 * (99 % 2))
            places = places if repeat else np.where(places > 6, 12 - places, places)
            wanted = (x[t, :, line, places] * torch.from_numpy(taps[part[t, line]])).sum(dim=1)
            assert torch.allclose(found[t, :, line, c], wanted, atol=1e-6)


def test_older_opencvs_know_32_places_between_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(1, 2, 30, 41)
    near, exact = (np.array([[[1, 0, shift], [0, 1, -shift]]]) for shift in (0.26, 0.25))
    for mode in ("bilinear", "bicubic"):
        monkeypatch.setattr(tensors, "warps_round", lambda: False)
        wanted, apart = tensors.warped(x, exact, mode), tensors.warped(x, near, mode)
        monkeypatch.setattr(tensors, "warps_round", lambda: True)
        assert float((tensors.warped(x, near, mode) - wanted).abs().max()) < 1e-5
        assert float((apart - wanted).abs().max()) > 1e-3
    assert tensors.as_warped(np.array([0.26, -0.26, 1.0, 0.0145, 0.0165])).tolist() == [0.25, -0.25, 1.0, 0.0, 0.03125]
