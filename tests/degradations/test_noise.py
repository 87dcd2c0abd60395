"""Noise, measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from degradations.base import ClipShape, Degradation
from degradations.light import to_display, to_linear
from degradations.noise import CameraNoise, GaussianNoise, SaltPepper, Speckle
from degradations.rng import Rng

STEPS: list[Degradation] = [
    GaussianNoise(sigma=25),
    GaussianNoise(sigma=25, clip=True),
    CameraNoise(photons=100, read=2),
    Speckle(strength=0.2),
    SaltPepper(amount=0.1),
]


def run(step: Degradation, frames: Tensor, seed: int = 0) -> Tensor:
    shape = ClipShape(len(frames), *frames.shape[2:], frames.shape[1])
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
    assert not a.equal(b)
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
