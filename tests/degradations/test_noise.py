"""Noise, measured."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from degradations.apply import degrade, draw, facts
from degradations.base import ClipShape, Degradation
from degradations.light import to_display, to_linear
from degradations.noise import CameraNoise, GaussianNoise, SaltPepper, Speckle, VnlnetNoise
from degradations.profile import load_profile
from degradations.raw import RawNoise, demosaic, mosaic
from degradations.rng import Rng

STEPS: list[Degradation] = [
    GaussianNoise(sigma=25),
    GaussianNoise(sigma=25, clip=True),
    CameraNoise(photons=100, read=2),
    Speckle(strength=0.2),
    SaltPepper(amount=0.1),
    VnlnetNoise(sigma=25),
    RawNoise(photons=400, read=3),
]


def run(step: Degradation, frames: Tensor, seed: int = 0) -> Tensor:
    count, channels, height, width = frames.shape
    shape = ClipShape(count, height, width, channels)
    return step.apply(frames, step.sample(shape, Rng.root(seed))).frames


@pytest.mark.parametrize("sigma", [5.0, 15.0, 50.0])
def test_gaussian_has_the_variance_it_says(sigma: float) -> None:
    noise = (run(GaussianNoise(sigma=sigma), torch.full((4, 3, 64, 64), 0.5)) - 0.5).double() * 255
    count = noise.numel()
    assert abs(float(noise.mean())) < 5 * sigma / count**0.5
    assert abs(float(noise.std()) - sigma) < 5 * sigma / (2 * count) ** 0.5
    kurtosis = float((noise**4).mean() / (noise**2).mean() ** 2)
    assert abs(kurtosis - 3) < 5 * (24 / count) ** 0.5


def test_gaussian_is_white_in_space_channel_and_time() -> None:
    n = (run(GaussianNoise(sigma=25), torch.full((4, 3, 64, 64), 0.5)) - 0.5).numpy()
    limit = 5 / (n.size / 4) ** 0.5
    pairs = [
        (n[..., 1:], n[..., :-1]),
        (n[..., 1:, :], n[..., :-1, :]),
        (n[:, 0], n[:, 1]),
        (n[:, 1], n[:, 2]),
        (n[0], n[1]),
        (n[1], n[2]),
    ]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < limit


def test_clipping_is_a_setting() -> None:
    dark = torch.zeros(1, 3, 32, 32)
    free, clipped = run(GaussianNoise(sigma=25), dark), run(GaussianNoise(sigma=25, clip=True), dark)
    assert float(free.min()) < 0
    assert clipped.equal(free.clamp(0, 1))


@pytest.mark.parametrize("level", [0.2, 0.6])
def test_camera_noise_is_poisson_gaussian_in_linear_light(level: float) -> None:
    photons, read = 4000.0, 10.0
    out = run(CameraNoise(photons=photons, read=read), torch.full((2, 3, 96, 96), level))
    linear = to_linear(out).double()
    mean = float(to_linear(torch.tensor(level)))
    assert float(linear.mean()) == pytest.approx(mean, rel=2e-3)
    assert float(linear.var()) == pytest.approx((mean * photons + read**2) / photons**2, rel=0.05)


def test_speckle_grows_with_the_signal() -> None:
    step = Speckle(strength=0.2)
    dark, bright = (float(run(step, torch.full((2, 3, 64, 64), v)).std()) for v in (0.1, 0.8))
    assert dark == pytest.approx(0.02, rel=0.05)
    assert bright == pytest.approx(0.16, rel=0.05)


def test_salt_and_pepper_hits_its_share_of_pixels_in_all_channels_together() -> None:
    out = run(SaltPepper(amount=0.1), torch.full((4, 3, 96, 96), 0.5))
    white, black = (out == 1).all(1), (out == 0).all(1)
    assert bool(((out == 0.5).all(1) | white | black).all())
    for share in (white, black):
        assert float(share.float().mean()) == pytest.approx(0.05, abs=5 * (0.05 / share.numel()) ** 0.5)


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.kind)
@pytest.mark.parametrize("shape", [(3, 3, 17, 23), (1, 1, 16, 16), (1, 3, 1, 1)])
def test_keyed_by_clip_and_frame(step: Degradation, shape: tuple[int, int, int, int]) -> None:
    frames = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    key = step.sample(ClipShape(shape[0], shape[2], shape[3], shape[1]), Rng.root(1))
    whole = step.apply(frames, key).frames
    each = torch.cat([step.apply(frames[i : i + 1], key, start=i).frames for i in range(len(frames))])
    assert whole.equal(each)
    assert whole.dtype == torch.float32
    assert whole.shape == frames.shape


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.kind)
def test_frames_and_seeds_differ(step: Degradation) -> None:
    frames = torch.full((2, 3, 32, 32), 0.5)
    a, b = run(step, frames, 1), run(step, frames, 2)
    assert not a[0].equal(a[1])
    assert a.equal(b) == isinstance(step, VnlnetNoise), "only VNLnet's noise is the same for every seed"
    assert frames.unique().tolist() == [0.5], "the input was written into"


def test_light_curve_is_the_standard_and_the_same_for_any_cut() -> None:
    display = torch.linspace(0, 1, 4097)
    x = display.double()
    want = torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    assert float((to_linear(display).double() - want).abs().max()) < 1e-7
    assert float((to_display(to_linear(display)) - display).abs().max()) < 1e-6
    odd = torch.rand(5, 3, 17, 19, generator=torch.Generator().manual_seed(0))
    assert to_linear(odd).equal(torch.cat([to_linear(f[None]) for f in odd]))
    assert to_display(odd).equal(torch.cat([to_display(f[None]) for f in odd]))


# What the test scripts of the papers draw


def test_vnlnets_noise_is_one_draw_of_numpys_legacy_generator() -> None:
    clean = torch.rand(4, 3, 7, 9, generator=torch.Generator().manual_seed(0))
    found = run(VnlnetNoise(sigma=40), clean)
    np.random.seed(2018)  # noqa: NPY002 - as that script does
    noise = np.random.randn(4, 7, 9, 3)  # noqa: NPY002
    wanted = (clean.double() + torch.from_numpy(40 / 255 * noise).permute(0, 3, 1, 2)).float()
    assert torch.equal(found, wanted)
    assert float(found.min()) < 0 < 1 < float(found.max()), "not clipped"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=6), st.sampled_from([(1, 3, 5), (3, 2, 2), (1, 1, 1)]))
def test_vnlnets_noise_in_any_order_of_frames(order: list[int], size: tuple[int, int, int]) -> None:
    """An odd number of samples leaves half a pair of normal numbers in the generator between two frames."""
    step, params = VnlnetNoise(sigma=25), {"generator_seed": 2018}
    whole = step.apply(torch.zeros(12, *size), params).frames
    for frame in order:
        assert torch.equal(step.apply(torch.zeros(1, *size), params, start=frame).frames, whole[frame : frame + 1])


@pytest.mark.shared
def test_vnlnets_noise_is_that_of_the_official_run(shared: Path) -> None:
    """``real_run.json``: the official script on frames of the factory clip, sigma 25."""
    case = json.loads((shared / "parity" / "vnlnet" / "real_run.json").read_text())["cases"]["official_borders"]
    y, x, height, width = (case["crop"][k] for k in ("y0", "x0", "height", "width"))
    folder = shared / "data" / "clips" / "factory_1080p30"
    frames = [cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE) for name in case["frames"]]
    crops = np.stack([np.asarray(f)[y : y + height, x : x + width] for f in frames])
    clean = torch.from_numpy(crops[:, None].astype(np.float32) / np.float32(255))
    noisy = degrade(clean, "noise", "vnlnet25").frames
    assert np.allclose(noisy[0, 0, 0, :8], case["frame0_noisy_first8"], rtol=0, atol=1e-7)
    psnr = -10 * (noisy - clean).double().square().mean(dim=(1, 2, 3)).log10()
    assert np.allclose(psnr, case["noisy_psnr"], rtol=0, atol=2e-4)


def test_variants_are_those_of_the_papers_clipped_and_not() -> None:
    profile = load_profile("noise")
    for sigma in (10, 15, 20, 25, 30, 40, 50):
        for name, clip in ((f"awgn{sigma}", False), (f"gaussian{sigma}", True)):
            (step,) = profile.build(name)
            assert isinstance(step, GaussianNoise)
            assert (step.sigma, step.clip, profile.variant(name).on_reading) == (sigma, clip, not clip)
    assert profile.default == ("gaussian15", "gaussian25", "gaussian50")


# A camera


@pytest.mark.parametrize("size", [(8, 10), (7, 5), (2, 2)])
def test_demosaicking_keeps_ramps_and_grays(size: tuple[int, int]) -> None:
    """The filters are exact for pictures that are linear in x and y (away from the mirrored border)."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    ramps = np.stack([0.1 + 0.03 * x, 0.1 + 0.03 * x, 0.1 + 0.03 * x]) + 0.02 * y
    found = demosaic(mosaic(ramps))
    assert found.shape == ramps.shape
    assert np.allclose(found[:, 2:-2, 2:-2], ramps[:, 2:-2, 2:-2], atol=1e-6)
    flat = np.stack([np.full(size, v, np.float32) for v in (0.2, 0.5, 0.7)])
    assert np.allclose(demosaic(mosaic(flat)).mean(axis=(1, 2)), (0.2, 0.5, 0.7), atol=1e-6)


def test_each_colour_is_kept_where_its_filter_is() -> None:
    image = np.random.default_rng(0).random((3, 6, 8)).astype(np.float32)
    raw, back = mosaic(image), demosaic(mosaic(image))
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        assert np.array_equal(raw[row::2, column::2], image[channel, row::2, column::2])
        assert np.array_equal(back[channel, row::2, column::2], raw[row::2, column::2])


def test_raw_noise_without_noise_has_no_cast() -> None:
    smooth = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2
    clean = torch.nn.functional.interpolate(smooth, size=(64, 80), mode="bicubic").clamp(0.05, 0.95)
    off = (run(RawNoise(photons=1e9), clean) - clean)[..., 2:-2, 2:-2] * 255
    assert float(off.abs().mean()) < 0.4
    assert float(off.mean(dim=(0, 2, 3)).abs().max()) < 0.2


def test_raw_noise_is_as_strong_as_photons_and_gains_say() -> None:
    """Where a filter's own colour is kept, its variance is that of the count, times the gain squared."""
    photons, read, level = 2000.0, 5.0, 0.5
    out = run(RawNoise(photons=photons, read=read), torch.full((6, 3, 96, 96), level))
    linear = to_linear(out).double()
    light = float(to_linear(torch.tensor(level)))
    for channel, row, column, gain in ((0, 0, 0, 2.0), (1, 0, 1, 1.0), (2, 1, 1, 1.6)):
        kept = linear[:, channel, row::2, column::2]
        wanted = gain**2 * (light * photons / gain + read**2) / photons**2
        assert float(kept.var()) == pytest.approx(wanted, rel=0.06)
        assert float(kept.mean()) == pytest.approx(light, rel=0.01)


def test_raw_noise_is_correlated_and_that_of_the_next_frame_is_not() -> None:
    out = run(RawNoise(photons=1000), torch.full((2, 3, 128, 128), 0.5)) - 0.5
    red = out[0, 0].numpy()

    def together(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    assert together(red[:, 1:], red[:, :-1]) > 0.25
    assert together(red, out[0, 2].numpy()) > 0.1
    assert abs(together(out[0].numpy(), out[1].numpy())) < 0.03
    white = run(CameraNoise(photons=1000), torch.full((1, 3, 128, 128), 0.5))[0, 0].numpy() - 0.5
    assert abs(together(white[:, 1:], white[:, :-1])) < 0.03


def test_the_facts_say_how_strong_noise_is_in_mid_gray() -> None:
    shape = ClipShape(3, 96, 96)
    gray = torch.full((3, 3, 96, 96), 0.5)
    for step in (CameraNoise(photons=3000, read=4), Speckle(strength=0.1), GaussianNoise(sigma=12)):
        known = step.facts(step.sample(shape, Rng.root(0)), shape)
        name = "sigma_255" if isinstance(step, GaussianNoise) else "sigma_mid_255"
        assert len(known[name]) == 3
        assert float((run(step, gray) - gray).std()) * 255 == pytest.approx(known[name][0], rel=0.03)
    raw = RawNoise(photons=3000, read=4)
    known = raw.facts(raw.sample(shape, Rng.root(0)), shape)
    green = (run(raw, gray) - gray)[:, 1, ::2, 1::2]
    assert float(green.std()) * 255 == pytest.approx(known["sigma_mid_255"][0], rel=0.03)


def test_every_variant_says_what_it_did_in_every_frame() -> None:
    profile = load_profile("noise")
    for name in profile.variants:
        known = facts(draw(profile, name, ClipShape(4, 32, 32)))
        lists = {k: v for step in known for k, v in step.items() if isinstance(v, list)}
        assert all(len(v) == 4 for v in lists.values())
        if name not in ("grain",):
            assert lists, name


def test_psnr_falls_with_severity(moving: NDArray[np.uint8]) -> None:
    clean = torch.from_numpy(np.ascontiguousarray(moving.transpose(0, 3, 1, 2))).float() / 255
    found = []
    for severity in (1, 1.5, 2, 3, 4, 4.5, 5):
        noisy = degrade(clean, "noise", f"severity-{severity:g}").frames
        found.append(-10 * math.log10(float((noisy - clean).square().mean())))
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 10


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.kind}-{step.model_dump_json()}")
@pytest.mark.parametrize("channels", [1, 3])
def test_where_frames_are_the_same_noise_is_made(step: Degradation, channels: int) -> None:
    clean = torch.rand(4, channels, 9, 14, generator=torch.Generator().manual_seed(1))
    params = step.sample(ClipShape(7, 9, 14, channels), Rng.root(3))
    mask = {"dirt": torch.rand(4, 1, 9, 14)}
    here = step.apply(clean, params, start=3, masks=mask)
    there = step.on_device(clean, params, start=3, masks=mask)
    assert torch.equal(here.frames, there.frames)
    assert torch.equal(here.masks["dirt"], there.masks["dirt"])
    alone = step.on_device(clean[2:], params, start=5).frames
    assert torch.equal(here.frames[2:], alone)
