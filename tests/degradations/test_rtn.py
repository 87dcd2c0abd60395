"""RTN's degradation: each draw, the measured sizes of the whole, moving lines, variants, textures of the user's own.

The expected values are facts of the repository raywzy/Bringing-Old-Films-Back-to-Life, and measurements of what its code
makes of a static pattern.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from degradations.apply import Recipe, degrade, draw, replay
from degradations.base import ClipShape, Params, joined
from degradations.film.rtn import Rtn
from degradations.profile import load_profile
from degradations.rng import Rng
from degradations.truth import to_gray
from vbench.builtin import open_builtin

CROP = ClipShape(7, 256, 256)
STILL = {"brightness": (1, 1), "contrast": (1, 1)}
"""No jitter of light."""


def clip_of(image: NDArray[np.uint8], frames: int, channels: int = 1) -> Tensor:
    one = torch.from_numpy(image.astype(np.float32) / 255)
    return one.expand(frames, channels, *one.shape).contiguous()


def levels(frames: Tensor) -> NDArray[np.float64]:
    """The first channel in whole levels, which it has to be in."""
    out = frames[:, 0].double().numpy() * 255
    assert np.abs(out - out.round()).max() < 1e-3
    return np.asarray(out.round())


def made(step: Rtn, frames: Tensor, seed: int = 0) -> NDArray[np.float64]:
    shape = ClipShape(len(frames), frames.shape[2], frames.shape[3], frames.shape[1])
    return levels(step.apply(frames, step.sample(shape, Rng.root(seed))).frames)


# Sizes of the whole

FIELDS = (40, 80, 128, 180)


def fields() -> NDArray[np.uint8]:
    """A static pattern of four gray fields, 256 x 256."""
    return np.kron(np.array(FIELDS, np.uint8).reshape(2, 2), np.ones((128, 128), np.uint8))


@pytest.fixture(scope="module")
def measured() -> dict[str, NDArray[np.float64]]:
    """120 clips of 5 frames on white textures: steps of the log mean level, and per pair of frames and field the noise
    (difference over the square root of 2, less its mean) and its autocorrelation at 1, 2 and 3 pixels along rows."""
    pattern, step = clip_of(fields(), 5), Rtn(textures="white")
    jumps, stds, alike = [], [], []
    for seed in range(120):
        x = made(step, pattern, seed)
        jumps.append(np.diff(np.log(x.mean(axis=(1, 2)))))
        for change in np.diff(x, axis=0) / 2**0.5:
            parts = [change[r : r + 96, c : c + 96] for r in (16, 144) for c in (16, 144)]
            parts = [p - p.mean() for p in parts]
            stds.append([p.std() for p in parts])
            alike += [
                [(p[:, k:] * p[:, :-k]).mean() / (p * p).mean() for k in (1, 2, 3)] for p in parts if p.std() > 0.1
            ]
    return {"jumps": np.array(jumps), "stds": np.array(stds), "alike": np.array(alike)}


def test_light_jumps_as_measured_on_the_code(measured: dict[str, NDArray[np.float64]]) -> None:
    """Frame-to-frame change of the log mean level: 0.168 by the code, lag-1 autocorrelation -0.52.

    Resampling 1,200 clips of ours (0.168 and -0.51) gives 120 clips of 7 frames, as the code was measured on, standard
    errors of 0.004 and 0.03, and the 120 clips of 5 here 0.005 and 0.035. Tolerances are three of both together.
    """
    jumps = measured["jumps"]
    assert jumps.std() == pytest.approx(0.168, abs=3 * math.hypot(0.004, 0.005))
    now, before = jumps[:, 1:], jumps[:, :-1]
    lag = 2 * (now * before).sum() / ((now**2).sum() + (before**2).sum())
    assert lag == pytest.approx(-0.52, abs=3 * math.hypot(0.03, 0.035))


def test_noise_is_as_strong_and_coarse_as_measured_on_the_code(measured: dict[str, NDArray[np.float64]]) -> None:
    """Medians by the code: 3.2, 3.3, 3.7 and 4.0 levels at gray 40, 80, 128, 180; autocorrelation 0.78, 0.42, 0.11.

    Clips differ widely (p10 to p90 of the noise 0.4 to 6.1 levels), so medians over 120 clips have standard errors of
    0.13 levels and 0.036, 0.053, 0.016, the code's as ours. 1,200 clips of ours give 3.0, 3.1, 3.3, 3.8 levels and 0.68,
    0.23, 0.03, and so does an independent restatement on SciPy and Pillow: below the code's figures by up to 3 of their
    standard errors in noise and up to 5 in autocorrelation. The method of measuring (which fields, which pixels) is not
    known to the last detail, and a sample with fewer enlarged clips than one in five looks like the code's figures.
    Tolerances are four standard errors of both together against the code, three of ours against 1,200 clips.
    """
    noise = np.median(measured["stds"], axis=0)
    assert np.abs(noise - [3.2, 3.3, 3.7, 4.0]).max() < 4 * math.hypot(0.13, 0.14)
    assert np.abs(noise - [2.99, 3.06, 3.32, 3.80]).max() < 3 * 0.14
    assert (np.diff(noise) > 0).all(), "half of the noise is multiplied by the frame"
    assert 0.1 < np.quantile(measured["stds"][:, 0], 0.1) < 0.8
    assert 5 < np.quantile(measured["stds"][:, 3], 0.9) < 7.5
    alike = np.median(measured["alike"], axis=0)
    errors = np.array([0.036, 0.053, 0.016])
    assert (np.abs(alike - [0.78, 0.42, 0.11]) < 4 * 2**0.5 * errors).all()
    assert (np.abs(alike - [0.68, 0.23, 0.03]) < 3 * errors).all()
    low, high = np.quantile(measured["alike"][:, 0], [0.1, 0.9])
    assert 0.1 < low < 0.4
    assert 0.9 < high < 0.98


def test_truncation_darkens_by_about_a_level() -> None:
    """White textures and no jitter: the code's mean falls by 1.2 levels in the median of 40 clips (0.5 to 2.3) on a
    pattern that is not told. Half a level goes in the noise step, another half in the blur, unless the image is flat."""

    def falls(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        step = Rtn(textures="white", **STILL)
        return np.array([image.mean() - made(step, clip_of(image, 1), seed).mean() for seed in range(60)])

    pattern = fields()
    grainy = (pattern + np.random.default_rng(0).integers(-3, 4, pattern.shape)).astype(np.uint8)
    flat, textured = falls(pattern), falls(grainy)
    assert 0.4 < np.median(flat) < 0.65
    assert 0.9 < np.median(textured) < 1.2
    assert np.quantile(textured, 0.1) > 0.5
    assert np.quantile(textured, 0.9) < 2.3


def test_the_result_is_gray_of_8_bits(moving: NDArray[np.uint8]) -> None:
    colour = torch.from_numpy(np.ascontiguousarray(moving.transpose(0, 3, 1, 2))).float() / 255
    luma = torch.from_numpy(np.ascontiguousarray(to_gray(moving).transpose(0, 3, 1, 2))).float() / 255
    out = degrade(colour, "oldfilm-rtn", "code", seed=2).frames
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 2])
    levels(out)
    assert torch.equal(degrade(luma, "oldfilm-rtn", "code", seed=2).frames, out)


# Textures on frames


def bare(**settings: Any) -> Rtn:
    """The texture alone."""
    return Rtn(chance=0, moving_lines=0, **STILL, **settings)


def test_the_mask_covers_what_a_texture_marks() -> None:
    """By the frame's opacity, where the frame changes most; what is left is the haze of the paper."""
    frames = clip_of(np.full((256, 256), 128, np.uint8), 30)
    step = bare()
    params = step.sample(ClipShape(30, 256, 256, 1), Rng.root(0))
    out, masks = step.apply(frames, params)
    known = step.facts(params, ClipShape(30, 256, 256, 1))
    assert set(masks) == {"texture"}
    change = (levels(out) - 128) / 255
    assert 0.005 < float((masks["texture"] > 0).float().mean()) < 0.25
    for i, cover in enumerate(masks["texture"][:, 0].numpy()):
        assert set(np.unique(cover)) <= {0.0, np.float32(known["opacity"][i])}
        if known["blend"][i] == "addition":
            assert change[i].min() >= -1 / 255
        else:
            assert change[i].max() <= 0
        if cover.any():
            assert np.abs(change[i][cover > 0]).min() >= np.abs(change[i][cover == 0]).max() - 1 / 255


def test_white_paper_has_no_marks_but_the_mask() -> None:
    step = Rtn(textures="white")
    out = step.apply(clip_of(fields(), 2), step.sample(ClipShape(2, 256, 256, 1), Rng.root(0)))
    assert float(out.masks["texture"].max()) == 0
    assert bare(textures="white").facts(step.sample(CROP, Rng.root(0)), CROP)["texture"] == ["white"] * 7


def moving_clip(frames: int = 9) -> tuple[Rtn, Params, Tensor]:
    step = Rtn(moving_lines=1, chance=0, opacity=(1, 1), **STILL)
    shape = ClipShape(frames, 120, 160, 1)
    seed = next(s for s in range(99) if step.sample(shape, Rng.root(s))["blend"] == "subtract")
    return step, step.sample(shape, Rng.root(seed)), torch.ones(frames, 1, 120, 160)


def test_a_moving_line_is_the_same_texture_shifted() -> None:
    step, params, white = moving_clip()
    out = levels(step.apply(white, params).frames)
    assert step.facts(params, ClipShape(9, 120, 160, 1))["texture_step_px"] == [0, *params["walk_px"]]
    for now, then, d in zip(out[1:], out[:-1], params["walk_px"], strict=True):
        if d > 0:
            assert np.array_equal(now[:, d:], then[:, :-d])
            assert np.array_equal(now[:, :d], then[:, :d])
        else:
            assert np.array_equal(now[:, :d], then[:, -d:])
            assert np.array_equal(now[:, d:], then[:, d:])
    assert len(np.unique(out[0])) > 3


@pytest.mark.parametrize("start", [1, 4, 8])
def test_any_frame_of_a_moving_line_can_be_made_alone(start: int) -> None:
    step, params, white = moving_clip()
    whole = step.apply(white, params).frames
    assert torch.equal(step.apply(white[start:], params, start=start).frames, whole[start:])


def test_ordinary_frames_have_textures_of_their_own() -> None:
    out = made(bare(opacity=(1, 1)), torch.full((6, 1, 90, 90), 0.5), 3)
    alike = np.corrcoef(out.reshape(6, -1))[np.triu_indices(6, 1)]
    assert np.abs(alike).max() < 0.5


def test_threads_of_opencv_do_not_matter(moving: NDArray[np.uint8]) -> None:
    x = torch.from_numpy(np.ascontiguousarray(moving.transpose(0, 3, 1, 2))).float() / 255
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one = [degrade(x, "oldfilm-rtn", "code", seed=s).frames for s in range(4)]
        cv2.setNumThreads(3)
        assert all(torch.equal(degrade(x, "oldfilm-rtn", "code", seed=s).frames, one[s]) for s in range(4))
    finally:
        cv2.setNumThreads(before)


# Variants


def test_the_variants_ask_for_the_truth_that_the_papers_have() -> None:
    tones = {n: (v.truth, v.start) for n, v in load_profile("oldfilm-rtn").variants.items()}
    assert tones == {"code": ("gray-sharp", "gray"), "paper": ("gray", None), "validation": ("gray-sharp", "gray")}
    (code,) = load_profile("oldfilm-rtn").build("code")
    assert code == Rtn(), "the defaults are the code's"


def test_the_papers_texture_stays_and_trembles() -> None:
    """Frames of a clip are alike, and not the same; in the code they are strangers."""
    steady, code = bare(perturbation=0.02, opacity=(1, 1)), bare(opacity=(1, 1))
    white, shape = torch.ones(2, 1, 120, 120), ClipShape(2, 120, 120, 1)
    alike: dict[str, list[float]] = {"steady": [], "code": []}
    for seed in range(25):
        for name, step in (("steady", steady), ("code", code)):
            params = step.sample(shape, Rng.root(seed))
            a, b = (cv2.GaussianBlur(x, (0, 0), 4).ravel() for x in levels(step.apply(white, params).frames))
            if a.std() > 1 and b.std() > 1:
                alike[name].append(float(np.corrcoef(a, b)[0, 1]))
    assert np.median(alike["steady"]) > 0.7
    assert abs(np.median(alike["code"])) < 0.3


def test_the_validation_generator_lays_whole_templates() -> None:
    from degradations.film.textures import template

    step = bare(windows=False, opacity=(1, 1))
    shape = ClipShape(12, 90, 160, 1)
    params = step.sample(shape, Rng.root(0))
    known = step.facts(params, shape)
    out = levels(step.apply(torch.zeros(12, 1, 90, 160), params).frames)
    for frame, texture, blend in zip(out, known["texture"], known["blend"], strict=True):
        if blend == "addition":
            family, index = texture.split("/")
            whole = Image.fromarray(template(0, family, int(index))).resize((160, 90), Image.Resampling.BICUBIC)
            assert np.abs(frame - (255 - np.asarray(whole).astype(float))).max() <= 1
    assert "addition" in known["blend"]


@pytest.mark.parametrize("name", ["cat", "cameraman"])
def test_psnr_falls_with_severity(name: str) -> None:
    found = open_builtin(name, frames=4)
    luma = to_gray(found.read(0, 4))[:, :200, :260, :1]
    clean = torch.from_numpy(np.ascontiguousarray(luma.transpose(0, 3, 1, 2))).float() / 255
    for seed in range(3):
        errors = [
            float((degrade(clean, "oldfilm-rtn", f"severity-{s:g}", seed=seed).frames - clean).square().mean())
            for s in (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5)
        ]
        psnr = -10 * np.log10(errors)
        assert (np.diff(psnr) < 0).all(), psnr
        assert psnr[0] - psnr[-1] > 6


def test_severity_4_has_the_ranges_of_the_code() -> None:
    (four,) = load_profile("oldfilm-rtn").build("severity-4")
    assert four == Rtn()


# Textures of the user's own


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two files in each of four families, and one in none."""
    folder = tmp_path / "noise data"
    for family in ("001", "003", "008", "set-011"):
        (folder / family).mkdir(parents=True)
        for i in range(2):
            sheet = np.full((300, 400), 235, np.uint8)
            sheet[:, 100 + 20 * i : 103 + 20 * i] = 30
            Image.fromarray(sheet).save(folder / family / f"{i}.png")
    Image.fromarray(np.full((60, 50), 235, np.uint8)).save(folder / "loose.png")
    return folder


def test_files_of_the_user_are_drawn_and_written_down(own: Path) -> None:
    step, shape = Rtn(textures=str(own), moving_lines=0), ClipShape(900, 64, 64, 1)
    params = step.sample(shape, Rng.root(0))
    names = [f["name"] for f in params["files"]]
    assert names == sorted(p.relative_to(own).as_posix() for p in own.rglob("*.png"))
    known = step.facts(params, shape)
    counts = np.array([known["texture"].count(n) for n in names])
    assert np.abs(counts - 100).max() < 5 * 10
    bright = {b for b, t in zip(known["blend"], known["texture"], strict=True) if t.startswith("set-011")}
    assert bright == {"addition"}
    assert json.loads(json.dumps(params)) == params
    lines = Rtn(textures=str(own), moving_lines=1).sample(shape, Rng.root(1))
    assert [f["name"][:4] for f in lines["files"]] == ["001/"]


def test_a_replay_needs_the_same_files(own: Path) -> None:
    x, shape = torch.rand(6, 1, 64, 64, generator=torch.Generator().manual_seed(0)), ClipShape(6, 64, 64, 1)
    profile = load_profile("oldfilm-rtn")
    steps = ({"rtn": {"textures": str(own)}},)
    mine = profile.model_copy(
        update={"variants": {"code": profile.variants["code"].model_copy(update={"steps": steps})}}
    )
    recipe = Recipe.from_json(json.loads(json.dumps(draw(mine, "code", shape, seed=5).to_json())))
    first = joined(replay(recipe, [x])).frames
    Image.fromarray(np.zeros((300, 400), np.uint8)).save(own / "new.png")
    assert torch.equal(joined(replay(recipe, x.split(1))).frames, first), "a file more changes nothing"
    used = own / recipe.steps[0].params["files"][0]["name"]
    kept = used.read_bytes()
    from degradations.film import texture_files

    texture_files.read.cache_clear()
    Image.fromarray(np.full((300, 400), 200, np.uint8)).save(used)
    with pytest.raises(ValueError, match="not the one of this recipe"):
        list(replay(recipe, [x]))
    used.unlink()
    with pytest.raises(ValueError, match=r"cannot be read.*draw the clip anew"):
        list(replay(recipe, [x]))
    used.write_bytes(kept)
    assert torch.equal(joined(replay(recipe, [x])).frames, first)


def test_a_flat_folder_has_no_moving_lines(tmp_path: Path) -> None:
    Image.fromarray(np.full((60, 50), 235, np.uint8)).save(tmp_path / "a.png")
    step = Rtn(textures=str(tmp_path), moving_lines=1)
    params = step.sample(CROP, Rng.root(0))
    assert params["moving_lines"] is False
    assert step.apply(torch.full((7, 1, 32, 32), 0.5), params).frames.shape == (7, 1, 32, 32)


def test_a_missing_folder_is_told_when_a_clip_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no folder"):
        Rtn(textures=str(tmp_path / "nothing")).sample(CROP, Rng.root(0))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"opacity": (0.9, 0.3)}, "in order"),
        ({"opacity": (0.5, 1.2)}, r"opacity = \[0\.5, 1\.2\] is outside 0\.\.1"),
        ({"down": (0.001, 1.0)}, r"down = .* is outside 0\.01\.\.1"),
        ({"up": (0.5, 2.0)}, r"up = .* is outside 1\.\.4"),
        ({"jpeg": (0, 100)}, r"jpeg = .* is outside 1\.\.100"),
        ({"shrunk": 0.9, "enlarged": 0.2}, "more than 1 together"),
        ({"chance": 1.5}, "less than or equal to 1"),
        ({"order": "any"}, "'fixed' or 'random'"),
        ({"noize": (1, 2)}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Rtn(**settings)
