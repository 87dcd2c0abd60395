"""The random chains of RealBasicVSR and Real-ESRGAN. Expected numbers are those of their configurations in mmagic."""

from __future__ import annotations

import math
import os
import tempfile
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from degradations.apply import degrade, draw, facts, replay
from degradations.base import ClipShape, Damage, joined
from degradations.profile import load_profile
from degradations.realworld.chain import SecondOrder
from degradations.realworld.kernels import SHAPES, bell, sinc, walk
from degradations.realworld.noise_jpeg import Jpeg, Noise
from degradations.realworld.stages import Blur, Resize, Scene
from degradations.realworld.video import Video, encode
from degradations.rng import Rng

SHAPE = ClipShape(5, 64, 80)
FINAL = {"do": "resize", "final": True}


@cache
def built(variant: str) -> SecondOrder:
    (step,) = load_profile("realworld").build(variant)
    assert isinstance(step, SecondOrder)
    return step


def clip_of(moving: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(moving.transpose(0, 3, 1, 2))).float() / 255


def known(step: SecondOrder, seed: int, shape: ClipShape = SHAPE) -> dict[str, list[Any]]:
    return step.facts(step.sample(shape, Rng.root(seed)), shape)


# Kernels and walks


@pytest.mark.parametrize("shape", SHAPES[:-1])
def test_kernels_sum_to_one_and_fall_off_from_their_centre(shape: str) -> None:
    kernel = bell(shape, 21, 2.0, 1.0, 0.4, 1.3)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    assert kernel.argmax() == 10 * 21 + 10
    assert np.allclose(kernel, kernel[::-1, ::-1])


def test_the_gaussian_kernel_is_that_of_opencv() -> None:
    line = cv2.getGaussianKernel(15, 1.7)
    for shape, beta in (("iso", 3.0), ("generalized_iso", 1.0)):
        assert np.allclose(bell(shape, 15, 1.7, 9.0, 1.0, beta), line @ line.T, atol=1e-12)


def test_the_anisotropic_kernel_has_the_covariance_of_its_widths_and_angle() -> None:
    angle = 0.5
    kernel = bell("aniso", 31, 3.0, 1.0, angle, 1.0)
    line = np.arange(31) - 15
    x, y = np.meshgrid(line, line)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wanted = turn @ np.diag([9.0, 1.0]) @ turn.T
    found = [[float((kernel * a * b).sum()) for b in (x, y)] for a in (x, y)]
    assert np.allclose(found, wanted, atol=0.02)


def test_the_exponent_flattens_the_top() -> None:
    """exp(-q^b / 2) and 1 / (1 + q^b), one sigma and two from the centre."""
    for beta in (0.5, 1.0, 3.0):
        general, plateau = (bell(s, 9, 1.0, 1.0, 0.0, beta) for s in ("generalized_iso", "plateau_iso"))
        ratios = [general[4, 5] / general[4, 4], general[4, 6] / general[4, 4]]
        assert np.allclose(ratios, [math.exp(-0.5), math.exp(-(4**beta) / 2)])
        assert np.allclose(plateau[4, 6] / plateau[4, 4], 1 / (1 + 4**beta))


@pytest.mark.parametrize("omega", [math.pi / 5, math.pi / 3, 2.0])
def test_sinc_lets_low_frequencies_through_and_stops_high_ones(omega: float) -> None:
    kernel = sinc(101, omega)
    gain = np.abs(np.fft.fft2(kernel, (512, 512)))
    frequency = 2 * np.pi * np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
    assert np.abs(gain[frequency < 0.8 * omega] - 1).max() < 0.12
    assert gain[(frequency > 1.2 * omega) & (frequency < np.pi)].max() < 0.12
    assert kernel.min() < 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 2), st.floats(0, 5), st.floats(0, 1))
def test_a_walk_keeps_to_its_bounds_and_its_step(seed: int, low: float, width: float, step: float) -> None:
    found = walk(np.random.default_rng(seed), (low, low + width), step, 40)
    assert len(found) == 40
    assert all(low - 1e-6 <= v <= low + width + 1e-6 for v in found)
    assert max(abs(a - b) for a, b in pairwise(found)) <= step + 2e-6


def test_a_walk_sticks_to_its_bounds_where_a_reflected_one_would_not() -> None:
    """Cut off, as in that code: half of the moves at a bound stay there."""
    found = walk(np.random.default_rng(0), (0.0, 0.05), 10.0, 4000)
    inside = np.mean([0 < v < 0.05 for v in found])
    assert inside < 0.02
    whole = walk(np.random.default_rng(0), (30, 95), 3.0, 200, whole=True)
    assert all(v == int(v) and 30 <= v <= 95 for v in whole)
    assert len(set(whole)) > 5


def test_a_walk_starts_evenly_and_moves_evenly() -> None:
    starts = np.array([walk(np.random.default_rng(i), (2.0, 6.0), 0.0, 2) for i in range(2000)])
    assert np.array_equal(starts[:, 0], starts[:, 1])
    assert starts[:, 0].mean() == pytest.approx(4.0, abs=5 * (16 / 12 / 2000) ** 0.5)
    assert starts[:, 0].std() == pytest.approx(4 / 12**0.5, rel=0.05)
    moves = np.diff(walk(np.random.default_rng(1), (-1e3, 1e3), 0.5, 4000))
    assert moves.std() == pytest.approx(1 / 12**0.5, rel=0.05)


# What is drawn


def share(draws: list[Any], value: Any) -> float:
    return draws.count(value) / len(draws)


def close(found: float, wanted: float, count: int) -> bool:
    return abs(found - wanted) < 4.5 * math.sqrt(wanted * (1 - wanted) / count)


def test_chances_are_those_of_the_configuration() -> None:
    step, count = built("realbasicvsr"), 600
    drawn = [{k: v[0] for k, v in known(step, seed, ClipShape(1, 64, 80)).items()} for seed in range(count)]

    def of(name: str) -> list[Any]:
        return [d[name] for d in drawn]

    table = {"iso": 0.405, "aniso": 0.225, "generalized_iso": 0.108, "generalized_aniso": 0.027}
    table |= {"plateau_iso": 0.108, "plateau_aniso": 0.027, "sinc": 0.1}
    for shape, chance in table.items():
        assert close(share(of("blur_a_kernel"), shape), chance, count), shape
        assert close(share(of("blur_b_kernel"), shape), 0.8 * chance, count), shape
    for name in ("blur_b_kernel", "blur_c_kernel"):
        assert close(share(of(name), "none"), 0.2, count)
    assert set(of("blur_c_kernel")) == {"sinc", "none"}
    for size in (7, 9, 11, 13, 15, 17, 19, 21):
        assert close(share(of("blur_a_size_px"), size), 1 / 8, count)
    for name, chances in (("a", (0.2, 0.7, 0.1)), ("b", (0.3, 0.4, 0.3))):
        for mode, chance in zip(("up", "down", "keep"), chances, strict=True):
            assert close(share(of(f"resize_{name}_mode"), mode), chance, count)
        assert close(share(of(f"noise_{name}_noise"), "gaussian"), 0.5, count)
        assert close(share(of(f"noise_{name}_gray"), True), 0.4, count)
        assert close(share(of(f"video_{name}_encoder"), "mpeg4"), 1 / 3, count)
    for name in "abc":
        assert close(share(of(f"resize_{name}_filter"), "area"), 1 / 3, count)
    last = [" ".join(o.split()[-3:]) for o in of("order")]
    assert set(last) == {"video_b resize_c blur_c", "resize_c blur_c video_b"}
    assert close(share(last, "video_b resize_c blur_c"), 0.5, count)


def test_ranges_are_those_of_the_configuration() -> None:
    step = built("realbasicvsr")
    drawn = [known(step, seed, ClipShape(1, 64, 80)) for seed in range(400)]
    ranges = {
        "blur_a_sigma_x_px": (0.2, 3), "blur_b_sigma_x_px": (0.2, 1.5), "blur_a_angle_rad": (-3.1416, 3.1416),
        "blur_c_omega": (1.0472, 3.1416), "noise_a_sigma_255": (1, 30), "noise_b_sigma_255": (1, 25),
        "noise_a_poisson_factor": (0.05, 3), "noise_b_poisson_factor": (0.05, 2.5), "jpeg_a_quality": (30, 95),
        "video_a_target_bits": (10_000, 100_000), "resize_a_scale": (0.15, 1.5), "resize_b_scale": (0.3, 1.2),
    }  # fmt: skip
    for name, (low, high) in ranges.items():
        values = [d[name][0] for d in drawn if d[name][0] is not None]
        assert low - 1e-6 <= min(values) < low + 0.1 * (high - low), name
        assert high - 0.1 * (high - low) < max(values) <= high + 1e-6, name
    for d in drawn:
        if d["blur_a_kernel"][0] == "sinc":
            assert d["blur_a_omega"][0] >= math.pi / (3 if d["blur_a_size_px"][0] < 13 else 5) - 1e-6


def test_what_belongs_to_the_clip_holds_and_what_walks_walks_in_small_steps() -> None:
    step, shape = built("realbasicvsr"), ClipShape(60, 64, 80)
    steps = {"sigma_x_px": 0.02, "sigma_y_px": 0.02, "angle_rad": 0.31416, "omega": 0.0628, "sigma_255": 0.1}
    steps |= {"poisson_factor": 0.005, "quality": 3.5, "scale": 0.03}
    moved = Counter[str]()
    for seed in range(12):
        for name, values in known(step, seed, shape).items():
            kind = name.split("_", 2)[-1]
            if kind in steps and values[0] is not None:
                change = np.abs(np.diff(values))
                assert change.max() <= steps[kind] + 2e-6, name
                moved[kind] += int(change.max() > 0)
            elif kind not in ("beta", "height_px", "width_px"):
                assert len(set(values)) == 1, name
    assert set(moved) == set(steps)
    assert all(moved.values())


def test_the_exponent_flickers_as_in_the_code_unless_it_is_told_to_walk() -> None:
    scene = Scene((16, 20), [(64, 80)] * 80)
    for beta, flickers in (("mmagic", True), ("walk", False)):
        told = {
            "kernels": {"generalized_iso": 1},
            "beta_gaussian": (3, 4),
            "steps": {"beta_gaussian": 0.05},
            "beta": beta,
        }
        blur = Blur.model_validate(told)
        values = blur.draw(scene, Rng.root(0))[0]["beta"]
        assert (max(np.abs(np.diff(values))) > 0.05 + 1e-6) == flickers
        assert (min(values) < 3.0) == flickers
        assert min(values) >= 1
        assert max(values) <= 4
    halves = [
        Blur(kernels={"generalized_iso": 1}, beta="basicsr").draw(scene, Rng.root(s))[0]["beta"][0] < 1
        for s in range(400)
    ]
    assert close(sum(halves) / 400, 0.5, 400)


def test_sizes_wander_and_come_back_and_the_encoder_makes_them_alike() -> None:
    step, shape = built("realbasicvsr"), ClipShape(40, 66, 83)
    unlike = 0
    for seed in range(30):
        params = step.sample(shape, Rng.root(seed))
        found = step.facts(params, shape)
        heights = found["resize_a_height_px"]
        assert all(h % 2 == 0 for h in heights + found["resize_b_width_px"])
        assert heights == [max(2 * int(66 * s / 2), 2) for s in found["resize_a_scale"]]
        unlike += len(set(heights)) > 1
        # The second resize begins with what the encoder made of them: all of the size of the first.
        assert found["resize_b_height_px"] == [max(2 * int(heights[0] * s / 2), 2) for s in found["resize_b_scale"]]
        assert set(found["resize_c_height_px"]) == {17}
        assert set(found["resize_c_width_px"]) == {21}
    assert unlike > 20
    after = step.shape_after(shape, {})
    assert (after.height, after.width, after.scale) == (17, 21, 4)


def test_the_second_resize_of_basicsr_is_relative_to_the_finished_size() -> None:
    shape = ClipShape(1, 256, 256)
    for variant, relative in (("realesrgan-basicsr", True), ("realesrgan", False)):
        sides = [known(built(variant), s, shape)["resize_b_height_px"][0] for s in range(60)]
        assert (max(sides) <= 64 * 1.2 and min(sides) >= int(64 * 0.3)) == relative


def test_single_pictures_are_drawn_for_every_frame_and_clips_once() -> None:
    by_frame, by_clip = (known(built(v), 0, ClipShape(40, 64, 80)) for v in ("realesrgan", "realesrgan-clip"))
    for name in ("blur_a_kernel", "resize_a_mode", "noise_a_noise", "jpeg_b_quality", "order"):
        assert len(set(by_frame[name])) > 1, name
    assert all(len(set(values)) == 1 for values in by_clip.values())
    assert min(q for s in range(40) for q in known(built("realesrgan"), s)["jpeg_b_quality"]) < 20
    assert min(q for s in range(40) for q in known(built("realesrgan-basicsr"), s)["jpeg_b_quality"]) >= 30


# What is done


@pytest.mark.parametrize("gray", [False, True])
def test_gaussian_noise_of_a_level_new_in_every_frame(gray: bool) -> None:
    image = np.full((64, 64, 3), 100, np.float32)
    stage, drawn = Noise(), {"noise": "gaussian", "gray": gray, "level": [20.0, 5.0]}
    a, b = (stage.one(image, drawn, i, Rng.root(0).at("frame", i)) - image for i in (0, 1))
    assert a.std() == pytest.approx(20, rel=0.05)
    assert b.std() == pytest.approx(5, rel=0.05)
    assert np.array_equal(a[..., 0], a[..., 1]) == gray
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(("levels", "wanted"), [("mmagic", math.sqrt(128 / 2)), ("basicsr", math.sqrt(255 * 128 / 2))])
def test_poisson_noise_in_both_conventions(levels: str, wanted: float) -> None:
    """Two values in the picture, so V = 2: standard deviations sqrt(x / V) and sqrt(255 x / V) at x = 128."""
    image = np.full((200, 200, 3), 128, np.float32)
    image[:2] = 7
    stage = Noise.model_validate({"levels": levels})
    noise = stage.one(image, {"noise": "poisson", "gray": False, "level": [0.5]}, 0, Rng.root(1)) - image
    assert noise[2:].std() == pytest.approx(0.5 * wanted, rel=0.02)
    assert abs(noise[2:].mean()) < 5 * 0.5 * wanted / 345
    gray = stage.one(image, {"noise": "poisson", "gray": True, "level": [0.5]}, 0, Rng.root(1)) - image
    assert np.allclose(gray[..., 0], gray[..., 2], atol=1e-4)


def test_noise_is_clipped_only_where_it_is_said() -> None:
    dark = np.zeros((32, 32, 3), np.uint8)
    drawn = {"noise": "gaussian", "gray": False, "level": [20.0]}
    free, clipped = (Noise(clip=c).one(dark, drawn, 0, Rng.root(0)) for c in (False, True))
    assert free.min() < 0
    assert np.array_equal(clipped, free.clip(0, 255))


def test_jpeg_takes_red_for_blue_where_the_configurations_do(picture: NDArray[np.uint8]) -> None:
    drawn = {"quality": [30]}
    swapped = Jpeg().one(picture, drawn, 0, Rng.root(0))
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])
    assert done
    assert np.array_equal(swapped, np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)))
    right = Jpeg(swapped=False).one(picture, drawn, 0, Rng.root(0))
    assert not np.array_equal(right, swapped)
    assert np.abs(right.astype(float) - picture).mean() < 15
    rounded = Jpeg().one(picture.astype(np.float32) + 0.4, drawn, 0, Rng.root(0))
    assert np.array_equal(rounded, swapped)


def test_blur_and_resize_are_those_of_opencv_and_keep_the_type(picture: NDArray[np.uint8]) -> None:
    blur, drawn = Blur(), {"kernel": "iso", "size": 9, "sigma_x": [1.5]}
    kernel = bell("iso", 9, 1.5, 1.5, 0.0, 1.0)
    for image in (picture, picture.astype(np.float32)):
        found = blur.one(image, drawn, 0, Rng.root(0))
        assert found.dtype == image.dtype
        assert np.array_equal(found, cv2.filter2D(image, -1, kernel))
    sized = {"filter": "area", "height": [40], "width": [52]}
    small = Resize().one(picture, sized, 0, Rng.root(0))
    assert np.array_equal(small, cv2.resize(picture, (52, 40), interpolation=cv2.INTER_AREA))
    assert Resize().one(picture[..., :1], sized, 0, Rng.root(0)).shape == (40, 52, 1)


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_the_encoder_keeps_the_count_and_spends_its_bits(
    encoder: str, moving: NDArray[np.uint8], tmp_path: Path
) -> None:
    grain = np.random.default_rng(0).integers(0, 40, (24, 64, 80, 3))  # enough detail for all those bits
    images = [(moving[i % 6] * 0.8 + grain[i]).astype(np.uint8) for i in range(24)]
    spent = {}
    for bits in (8_000, 32_000):
        drawn = {"encoder": encoder, "codec": encoder, "bits": bits, "height": 64, "width": 80}
        measured: dict[str, Any] = {}
        places: Any = None
        out = list(Video().run(iter(images), drawn, places, Rng.root(0), tmp_path, measured))
        assert len(out) == len(measured["bits"]) == 24
        spent[bits] = sum(measured["bits"])
        assert not os.listdir(tmp_path)
    assert 0.4 < spent[8_000] / 24 / 8_000 < 2.5
    assert spent[32_000] > 1.5 * spent[8_000]


def test_x264_gives_the_same_bytes_whatever_was_in_memory(tmp_path: Path) -> None:
    """Without cpu-independent=1 these 60 runs give 5 to 8 different files, on a processor with AVX-512."""
    rng = np.random.default_rng(0)
    base = cv2.resize(rng.integers(0, 255, (12, 14, 3), np.uint8), (146, 106), interpolation=cv2.INTER_CUBIC)
    images = [base[:, 2 * i : 2 * i + 134] + rng.integers(0, 8, (106, 134, 3), np.uint8) for i in range(6)]
    drawn = {"encoder": "libx264", "codec": "h264", "bits": 1600, "height": 106, "width": 134}
    found = set()
    for _ in range(60):
        waste = [rng.bytes(int(rng.integers(1_000, 300_000))) for _ in range(5)]
        path = tmp_path / "a.mp4"
        encode(iter(images), path, drawn)
        found.add(path.read_bytes())
        del waste
    assert len(found) == 1


def test_frames_of_another_size_get_that_of_the_first(moving: NDArray[np.uint8], tmp_path: Path) -> None:
    images = [moving[0], cv2.resize(moving[1], (90, 70)), cv2.resize(moving[2], (60, 50))]
    drawn = {"encoder": "mpeg4", "codec": "mpeg4", "bits": 400_000, "height": 64, "width": 80}
    places: Any = None
    out = list(Video().run(iter(images), drawn, places, Rng.root(0), tmp_path, {}))
    assert [o.shape for o in out] == [(64, 80, 3)] * 3
    for a, b in zip(out, moving, strict=False):
        assert np.abs(a - b).mean() < 12


def test_bits_grow_with_the_frame_where_they_are_for_an_area() -> None:
    small, large = (built("realbasicvsr-x1").sample(ClipShape(1, s, s), Rng.root(0)) for s in (256, 512))
    paper = built("realbasicvsr").sample(ClipShape(1, 512, 512), Rng.root(0))
    bits = [next(d["bits"] for d in p["plans"][0] if d["stage"] == 4) for p in (small, large, paper)]
    assert bits[1] == 4 * bits[0]
    assert bits[2] == bits[0]


@pytest.mark.parametrize("variant", ["realbasicvsr", "realbasicvsr-x1", "realesrgan", "realesrgan-basicsr"])
def test_the_recipe_replays_in_chunks_of_any_size(moving: NDArray[np.uint8], variant: str) -> None:
    clip = clip_of(moving)
    whole = degrade(clip, "realworld", variant, seed=11)
    for size in (1, 2, 5):
        again = joined(replay(whole.recipe, clip.split(size)))
        assert torch.equal(again.frames, whole.frames)
    assert not torch.equal(whole.frames, degrade(clip, "realworld", variant, seed=12).frames)
    assert 0 <= float(whole.frames.min()) <= float(whole.frames.max()) <= 1


def test_frames_of_a_chain_without_an_encoder_stand_alone(moving: NDArray[np.uint8]) -> None:
    clip, step = clip_of(moving), built("realesrgan")
    params = step.sample(ClipShape(6, 64, 80), Rng.root(3))
    whole = step.apply(clip, params).frames
    assert torch.equal(whole[4:], step.apply(clip[4:], params, start=4).frames)


def test_what_the_encoders_spent_is_measured_for_every_frame(moving: NDArray[np.uint8]) -> None:
    clip = clip_of(moving)
    recipe = draw(load_profile("realworld"), "realbasicvsr-x1", ClipShape(6, 64, 80))
    measured: list[dict[str, Any]] = []
    list(replay(recipe, clip.split(4), measured=measured))
    (found,) = facts(recipe, measured)
    for name in ("video_a_bits", "video_b_bits", "noise_a_gray", "order"):
        assert len(found[name]) == 6
    assert min(found["video_a_bits"]) > 0


def test_masks_pass_where_the_size_stays_and_are_dropped_where_it_does_not(moving: NDArray[np.uint8]) -> None:
    clip = clip_of(moving)
    mask = torch.rand(6, 1, 64, 80, generator=torch.Generator().manual_seed(0))
    for variant in ("realbasicvsr-x1", "realbasicvsr"):
        step = built(variant)
        params = step.sample(ClipShape(6, 64, 80), Rng.root(0))
        chunks = [Damage(clip[i : i + 4], {"dirt": mask[i : i + 4]}) for i in (0, 4)]
        out = joined(step.stream(chunks, params, ClipShape(6, 64, 80)))
        if variant == "realbasicvsr":
            assert not out.masks
        else:
            assert torch.equal(out.masks["dirt"], mask)


def test_stopping_early_leaves_no_file(
    moving: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    step, shape = built("realbasicvsr"), ClipShape(6, 64, 80)
    stream = step.stream([Damage(f[None]) for f in clip_of(moving)], step.sample(shape, Rng.root(0)), shape)
    next(stream)
    assert os.listdir(tmp_path)
    stream.close()  # type: ignore[attr-defined]
    assert not os.listdir(tmp_path)


def test_gray_clips_stay_gray(moving: NDArray[np.uint8]) -> None:
    clip = clip_of(moving)[:, 1:2]
    for variant in ("realbasicvsr-x1", "realesrgan-basicsr", "realesrgan-clip-x1"):
        out = degrade(clip, "realworld", variant, seed=5).frames
        assert out.shape[1] == 1
        assert abs(float(out.mean() - clip.mean())) < 0.05


@pytest.mark.parametrize("variant", ["realbasicvsr-x1", "realesrgan-clip-x1", "severity-1"])
def test_the_picture_stays_in_its_place(moving: NDArray[np.uint8], variant: str) -> None:
    """No shift: the damaged clip is nearer to the clean one than to one moved by two pixels (here: its neighbour)."""
    clip = clip_of(moving)
    for seed in range(4):
        out = degrade(clip, "realworld", variant, seed=seed).frames
        here = float((out[2:4] - clip[2:4]).square().mean())
        assert here < min(float((out[2:4] - clip[s : s + 2]).square().mean()) for s in (0, 4))


@pytest.mark.parametrize("seed", range(2))
def test_psnr_falls_with_severity(seed: int) -> None:
    from degradations.truth import toned
    from vbench.builtin import open_builtin

    frames = np.concatenate([np.asarray(c) for c in open_builtin("cat", frames=3).chunks(3)])
    clip = clip_of(toned(frames, "sharp"))
    found = []
    for severity in (1, 2, 3, 4, 5):
        out = degrade(clip, "realworld", f"severity-{severity}", seed=seed).frames
        found.append(float(-10 * (out - clip).square().mean(dim=(1, 2, 3)).log10().mean()))
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 1.5


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"stages": [{"do": "blur"}]}, "final = true"),
        ({"stages": [FINAL, {"do": "resize"}]}, "should be the last one"),
        ({"stages": [{"do": "video"}, FINAL], "per": "frame"}, "per = clip"),
        ({"stages": [{"do": "blurr"}, FINAL]}, "'blur', 'resize'"),
        ({"stages": [{"do": "blur", "sigmax": [1, 2]}, FINAL]}, "stages.0.blur.sigmax"),
        ({"stages": [{"do": "blur", "sizes": [8]}, FINAL]}, "odd"),
        ({"stages": [{"do": "blur", "kernels": {"box": 1}}, FINAL]}, 'there is no "box"; known: iso'),
        ({"stages": [{"do": "blur", "kernels": {"iso": 0}}, FINAL]}, "more than 0"),
        ({"stages": [{"do": "blur", "sigma_x": [2, 1]}, FINAL]}, "in order"),
        ({"stages": [{"do": "resize", "scale": [0.2, 0.9]}, FINAL]}, "contain 1"),
        ({"stages": [{"do": "jpeg", "quality": [0, 90]}, FINAL]}, "from 1 to 100"),
        ({"stages": [{"do": "video", "bits": [10, 90]}, FINAL]}, "1000 at least"),
        ({"stages": [{"do": "noise", "gaussian": [-1, 4]}, FINAL]}, "from 0 to 255"),
        ({"stages": [FINAL], "scale": 0}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SecondOrder.model_validate(settings)
