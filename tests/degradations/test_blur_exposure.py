"""Exposures as GoPro and DVD made them, clips that are a part of a faster one, and rolling shutters."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from degradations.apply import degrade, draw, facts, replay
from degradations.base import ClipShape, Damage, joined
from degradations.blur import Decimated, ExposureBlur, RollingShutter, interpolate
from degradations.blur.shutter import instant_weights
from degradations.profile import load_profile
from degradations.rng import Rng


def waves(
    time: float, speed: float = 6.0, height: int = 64, width: int = 96, at: np.ndarray | None = None
) -> np.ndarray:
    """The scene of waves sliding right, each row at its own time where ``at`` gives one."""
    when = np.full(height, time) if at is None else time + at
    x = np.arange(width)[None] - speed * when[:, None]
    y = np.arange(height)[:, None]
    return np.asarray(0.5 + 0.2 * np.sin(0.23 * x + 0.05 * y) + 0.15 * np.sin(0.11 * x - 0.13 * y))


def fast_video(frames: int = 60, speed: float = 1.0) -> Tensor:
    """A video of a fast camera, ``(T, 3, 64, 96)`` of 8-bit values."""
    seen = np.stack([waves(float(t), speed) for t in range(frames)])
    stored = np.floor(seen * 255 + 0.5) / 255
    return torch.from_numpy(np.repeat(stored[:, None], 3, axis=1).astype(np.float32))


def scene_of(video: Tensor, every: int, first: int) -> tuple[Decimated, Tensor]:
    scene = Decimated(lambda n: video[n], len(video), every, first)
    return scene, video[first::every]


def blurred(clip: Tensor, variant: str, scene: Callable[[float], Tensor] | None) -> Tensor:
    return degrade(clip, "blur", variant, subframes=scene).frames


def test_gopro_averages_eleven_successive_frames_about_the_sharp_one() -> None:
    """GOPRO_Large: the middle of N successive frames is sharp, groups are disjoint; blur_gamma averages x^2.2."""
    video = fast_video(47)
    scene, sharp = scene_of(video, every=11, first=5)
    assert scene.count == len(sharp) == 4
    gamma, linear = blurred(sharp, "gopro", scene), blurred(sharp, "gopro-linear", scene)
    for t in range(4):
        group = video[11 * t : 11 * t + 11].double()
        want = group.pow(2.2).mean(dim=0).pow(1 / 2.2)
        assert float((gamma[t] - want).abs().max()) < 1e-5
        assert float((linear[t] - group.mean(dim=0)).abs().max()) < 1e-5
    assert float((gamma - linear).abs().max()) > 1 / 255, "the two versions differ"


def test_dvd_averages_seven_frames_and_ten_between_each_two() -> None:
    video = fast_video(31)
    scene, sharp = scene_of(video, every=8, first=3)
    out = blurred(sharp, "dvd", scene)
    for t in range(len(sharp)):
        group = [video[n] for n in range(8 * t, 8 * t + 7)]
        instants = [group[0]]
        for a, b in pairwise(group):
            instants += [*interpolate(a, b, [(k + 1) / 11 for k in range(10)]), b]
        assert len(instants) == 67
        assert float((out[t] - torch.stack(instants).double().mean(dim=0)).abs().max()) < 1e-5
        # The waves slide evenly, so their true mean over the span is known.
        true = np.mean([waves(8 * t + s, 1.0) for s in np.linspace(0, 6, 601)], axis=0)
        assert float(np.abs(out[t, 0].numpy() - true)[:, 8:-8].max()) < 2 / 255


def test_without_a_fast_source_the_instants_are_those_of_the_flow() -> None:
    clip = fast_video(5, speed=3.0)
    made = degrade(clip, "blur", "dvd")
    assert made.recipe.steps[0].params["instants"] == "flow"
    (known,) = facts(made.recipe)
    assert known["instants"] == ["flow"] * 5
    assert known["averaged"] == [67] * 5
    assert known["exposure_frames"] == pytest.approx([0.75] * 5)
    span = np.linspace(-0.375, 0.375, 67)
    want = np.mean([waves(2 + t, speed=3.0) for t in span], axis=0)  # 2.25 pixels of motion
    assert float(np.abs(made.frames[2, 0].numpy() - want)[:, 12:-12].max()) < 3 / 255
    assert float(np.abs(waves(2, speed=3.0) - want)[:, 12:-12].max()) > 0.5 / 255


def test_weights_are_those_of_the_instants() -> None:
    def scene(time: float) -> Tensor:
        return torch.full((1, 4, 4), 0.5 + time)

    shape = ClipShape(1, 4, 4, 1, rendered=True)
    step = ExposureBlur(shutter=0.9, samples=3, light="stored", weights=(0, 1, 3))
    (out,) = step.stream([Damage(torch.zeros(1, 1, 4, 4))], step.sample(shape, Rng.root(0)), shape, scene)
    assert float(out.frames.mean()) == pytest.approx(0.5 + 0.75 * 0.3, abs=1e-6)
    even = ExposureBlur(shutter=0.5, samples=5, weights=(2, 2, 2, 2, 2))
    clip = fast_video(3, 2.0)
    plain = ExposureBlur(shutter=0.5, samples=5)
    shape = ClipShape(3, *clip.shape[2:])
    first, second = (joined(s.stream([Damage(clip)], s.sample(shape, Rng.root(0)), shape)) for s in (even, plain))
    assert float((first.frames - second.frames).abs().max()) < 1e-5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"weights": [1, 1]}, "2 weights for 5 samples"),
        ({"weights": [1, 1, 1, 1, -1]}, "0 or more"),
        ({"weights": [0, 0, 0, 0, 0]}, "some above 0"),
        ({"weights": [1, 1, 1, 1, 1], "between": 2}, "leave out one"),
        ({"light": "log"}, "linear"),
    ],
)
def test_bad_settings_of_an_exposure_are_told(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ExposureBlur.model_validate({"shutter": 0.5, "samples": 5, **changes})


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 40), st.data())
def test_a_decimated_clip_is_the_fast_video_wherever_that_has_a_frame(
    every: int, frames: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, frames - 1))
    scene = Decimated(lambda n: torch.full((1, 2, 2), float(n)), frames, every, first)
    assert scene.count == len(range(first, frames, every))
    for number in range(scene.count):
        for k in range(-every, every + 1):
            want = min(max(first + number * every + k, 0), frames - 1)
            assert float(scene(number + k / every)[0, 0, 0]) == want


def test_between_two_frames_the_scene_moves_and_a_cut_does_not_shine_through() -> None:
    video = fast_video(3, speed=4.0)
    scene, _ = scene_of(video, every=2, first=0)
    true = fast_video(9, speed=1.0)
    assert float((scene(0.25) - true[2])[:, :, 12:-12].abs().max()) < 3 / 255
    blend = (video[0] + video[1]) / 2
    assert float((blend - true[2])[:, :, 12:-12].abs().max()) > 6 / 255
    other = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(3))
    assert torch.equal(interpolate(video[0], other, [0.3])[0], video[0])
    assert torch.equal(interpolate(video[0], other, [0.7])[0], other)
    with pytest.raises(ValueError, match="frames 0 to 2"):
        Decimated(lambda n: video[n], 3, 2, first=3)
    with pytest.raises(ValueError, match="1 or more"):
        Decimated(lambda n: video[n], 3, 0)


# --- rolling shutter ------------------------------------------------------------------------------


def as_scene(time: float) -> Tensor:
    return torch.from_numpy(waves(time).astype(np.float32))[None]


def rolled(step: RollingShutter, rendered: bool, chunk: int = 9) -> Tensor:
    clip = torch.stack([as_scene(float(t)) for t in range(4)])
    shape = ClipShape(4, 64, 96, 1, rendered=rendered)
    chunks = (Damage(clip[i : i + chunk]) for i in range(0, 4, chunk))
    params = step.sample(shape, Rng.root(0))
    return joined(step.stream(chunks, params, shape, as_scene if rendered else None)).frames


@pytest.mark.parametrize("rendered", [True, False])
@pytest.mark.parametrize("upwards", [False, True])
def test_each_row_shows_the_scene_at_its_own_time(rendered: bool, upwards: bool) -> None:
    step = RollingShutter(readout=0.8, upwards=upwards, light="stored")
    out = rolled(step, rendered)
    offsets = (-1 if upwards else 1) * 0.8 * ((np.arange(64) + 0.5) / 64 - 0.5)
    assert step.row_times(64) == pytest.approx(offsets)
    inner = (slice(3, -3), slice(12, -12))
    for t in range(4):
        want = waves(t, at=offsets)
        error = np.abs(out[t, 0].numpy() - want)[inner].max()
        assert error < 3 / 255, f"frame {t}"
        assert np.abs(waves(t) - want)[inner].max() > 20 / 255
        assert np.abs(out[t, 0].numpy() - waves(t))[30:34, 12:-12].max() < 4 / 255, "the middle is the ground truth"


@pytest.mark.parametrize("rendered", [True, False])
def test_rows_are_blurred_by_their_exposure(rendered: bool) -> None:
    step = RollingShutter(readout=0.4, shutter=1.0, samples=41, light="stored")
    out = rolled(step, rendered)
    offsets = 0.4 * ((np.arange(64) + 0.5) / 64 - 0.5)
    want = np.mean([waves(1, at=offsets + s) for s in np.linspace(-0.5, 0.5, 201)], axis=0)
    assert np.abs(out[1, 0].numpy() - want)[3:-3, 12:-12].max() < 1.2 / 255
    assert np.abs(waves(1, at=offsets) - want)[:, 12:-12].max() > 4 / 255


@pytest.mark.parametrize("rendered", [True, False])
def test_chunks_do_not_matter_to_a_rolling_shutter(rendered: bool) -> None:
    step = RollingShutter(readout=0.6, shutter=0.2, samples=7, shake=2)
    whole = rolled(step, rendered)
    assert rolled(step, rendered, 1).equal(whole)
    assert rolled(step, rendered, 3).equal(whole)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 1), st.floats(0, 1), st.integers(3, 40))
def test_the_weights_of_a_row_are_about_its_own_time(readout: float, shutter: float, count: int) -> None:
    rows = readout * ((np.arange(30) + 0.5) / 30 - 0.5)
    reach = (readout + shutter) / 2
    instants = np.linspace(-reach, reach, count)
    weights = instant_weights(rows, instants, shutter)
    assert weights.min() >= 0
    assert weights.sum(axis=1) == pytest.approx(np.ones(30))
    assert weights @ instants == pytest.approx(rows, abs=1e-9), "linear weights keep the mean time"


def test_a_trembling_camera_displaces_rows_as_the_facts_say() -> None:
    """The scene stands still, so all that moves is the camera."""
    step = RollingShutter(readout=1.0, shake=3, shake_hz=(2, 6), light="stored")
    shape = ClipShape(40, 64, 96, 1)
    params = step.sample(shape, Rng.root(4))
    known = step.facts(params, shape)
    still = as_scene(0.0)[None].expand(40, -1, -1, -1).contiguous()
    out = joined(step.stream([Damage(still)], params, shape)).frames
    rows = np.linspace(0, 63, 9).astype(int)
    for t in (0, 7, 23):
        told = np.array(known["wobble_px"][t])
        for row, (dx, dy) in zip(rows[1:-1], told[1:-1], strict=True):
            x, y = np.arange(96)[None] - dx, np.array([[row]]) - dy
            want = 0.5 + 0.2 * np.sin(0.23 * x + 0.05 * y) + 0.15 * np.sin(0.11 * x - 0.13 * y)
            assert np.abs(out[t, 0, row].numpy() - want[0])[12:-12].max() < 4 / 255
    assert np.abs(np.array(known["wobble_px"])[:, 4]).max() < 0.5, "the middle row hardly moves"
    ends = np.array(known["wobble_px"])[:, [0, -1]]
    assert ends.std() > 0.5
    assert np.abs(np.diff(ends[:, 0, 0])).max() > 0.1, "each frame is displaced in another way"


def test_the_path_of_the_trembling_has_the_size_it_says() -> None:
    step = RollingShutter(readout=0.5, shake=2.5)
    shape = ClipShape(4000, 64, 96)
    sizes = []
    for seed in range(12):
        params = step.sample(shape, Rng.root(seed))
        t = np.arange(4000) / 7
        # Relative to the time of frame 0, so its own variance about its mean is that of the path.
        sizes.append(step.wobble(params, 0, t).std(axis=0))
    assert np.mean(sizes) == pytest.approx(2.5, rel=0.1)


def test_a_recipe_for_a_fast_source_asks_for_it() -> None:
    profile = load_profile("blur")
    recipe = draw(profile, "rolling-shutter", ClipShape(2, 64, 96, 1, rendered=True))
    clip = torch.stack([as_scene(0.0), as_scene(1.0)])
    with pytest.raises(ValueError, match="between its frames"):
        list(replay(recipe, [clip]))
    with pytest.raises(ValueError, match="its frames are"):
        list(replay(recipe, [clip], subframes=lambda t: torch.zeros(1, 3, 3)))


def test_severities_blur_more_and_more() -> None:
    from vbench.builtin import open_builtin

    for name in ("cat", "coffee"):
        stored = np.concatenate(list(open_builtin(name, frames=3).chunks(3)))
        clip = torch.from_numpy(np.ascontiguousarray(stored.transpose(0, 3, 1, 2))).float() / 255
        found = [
            -10 * np.log10(float((degrade(clip, "blur", f"severity-{s}").frames - clip).square().mean()))
            for s in range(1, 6)
        ]
        assert all(a > b + 0.2 for a, b in pairwise(found)), found
