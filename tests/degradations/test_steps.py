"""Every kind of damage: repeatable, independent of chunks, for any size; and what it measures is what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from degradations.apply import Recipe, degrade, replay
from degradations.base import ClipShape, Damage, Degradation, Params
from degradations.blur import Defocus, ExposureBlur, GaussianBlur, disc, path_kernel
from degradations.catalog import KINDS, load
from degradations.codec import SCALES, Codec
from degradations.noise import CameraNoise, GaussianNoise, SaltPepper, Speckle, to_display, to_linear
from degradations.profile import list_profiles, load_profile
from degradations.rng import Rng
from degradations.spatial import Jpeg, Spatial

VARIANTS = [(p, v) for p in list_profiles() for v in load_profile(p).variants]


def clean(moving: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(moving.transpose(0, 3, 1, 2))).float() / 255


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10(float((a.clamp(0, 1) - b).square().mean()))


def joined(parts: list[Damage]) -> Damage:
    masks = [p.mask for p in parts if p.mask is not None]
    return Damage(torch.cat([p.frames for p in parts]), torch.cat(masks) if masks else None)


@pytest.mark.parametrize(("profile", "variant"), VARIANTS)
def test_chunks_do_not_matter_and_neither_does_the_day(moving: NDArray[np.uint8], profile: str, variant: str) -> None:
    """The same seed gives the same bytes, in chunks of any size; another seed or clip gives others."""
    x = clean(moving)
    whole = degrade(x, profile, variant, seed=3, clip="a")
    recipe = Recipe.from_json(whole.recipe.to_json())
    for size in (1, 4):
        again = joined(list(replay(recipe, x.split(size))))
        assert torch.equal(again.frames, whole.frames)
        assert (again.mask is None) == (whole.mask is None)
        if again.mask is not None and whole.mask is not None:
            assert torch.equal(again.mask, whole.mask)
    drawn = any(step.params.get("key") for step in recipe.steps)
    if drawn:
        assert not torch.equal(degrade(x, profile, variant, seed=4, clip="a").frames, whole.frames)
        assert not torch.equal(degrade(x, profile, variant, seed=3, clip="b").frames, whole.frames)
    assert 8 < psnr(whole.frames, x) < 60


@pytest.mark.parametrize(("profile", "variant"), VARIANTS)
@pytest.mark.parametrize("size", [(1, 3, 64, 80), (2, 1, 48, 64), (2, 3, 35, 47), (2, 3, 16, 16)])
def test_any_size(moving: NDArray[np.uint8], profile: str, variant: str, size: tuple[int, ...]) -> None:
    x = clean(moving)[: size[0], : size[1], : size[2], : size[3]]
    out = degrade(x, profile, variant)
    assert out.frames.shape == x.shape
    assert bool(torch.isfinite(out.frames).all())


def test_the_catalogue_is_whole() -> None:
    for kind in KINDS:
        assert load(kind).kind == kind
    with pytest.raises(ValueError, match='"grian".*"grain"'):
        load("grian")


def test_addresses_are_not_sequences() -> None:
    root = Rng.root(1)
    first = root.at("frame", 5).generator().random(3)
    root.at("frame", 4).generator().random(100)
    assert (root.at("frame", 5).generator().random(3) == first).all()
    assert root.at(1).key != root.at("1").key
    assert root.at("ab").key != root.at("a", "b").key
    assert Rng.root(1).key != Rng.root(2).key


class _Mean(Degradation):
    """The mean of three frames, to watch how context reaches ``apply``."""

    kind = "mean"  # type: ignore[misc]
    context = (1, 1)  # type: ignore[misc]

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        return {}

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, mask: Tensor | None = None) -> Damage:
        return Damage((frames[:-2] + frames[1:-1] + frames[2:]) / 3, mask)


@pytest.mark.parametrize("sizes", [[5], [1, 1, 1, 1, 1], [2, 3], [4, 1]])
def test_context_reaches_over_chunks(sizes: list[int]) -> None:
    x = torch.arange(5.0).view(5, 1, 1, 1)
    chunks = [Damage(c, None) for c in x.split(sizes)]
    out = joined(list(_Mean().stream(chunks, {}, ClipShape(5, 1, 1, 1)))).frames.flatten()
    assert out.tolist() == pytest.approx([1 / 3, 1, 2, 3, 11 / 3])


# --- noise ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [5.0, 25.0, 50.0])
def test_gaussian_noise_has_its_sigma_and_no_structure(sigma: float) -> None:
    x = torch.full((2, 3, 200, 200), 0.5)
    step = GaussianNoise(sigma=sigma)
    noise = (step.apply(x, step.sample(ClipShape(2, 200, 200), Rng.root(0))).frames - x) * 255
    assert float(noise.std()) == pytest.approx(sigma, rel=0.01)
    assert abs(float(noise.mean())) < 0.02 * sigma
    flat = noise.reshape(6, -1)
    between = torch.corrcoef(flat) - torch.eye(6)  # channels and frames are independent
    assert float(between.abs().max()) < 0.03
    beside = (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean()
    assert abs(float(beside)) < 0.01


def test_camera_noise_follows_photon_counts() -> None:
    """In linear light the variance is (value * photons + read^2) / photons^2."""
    step = CameraNoise(photons=400, read=3)
    for level in (0.3, 0.6):
        x = torch.full((1, 1, 300, 300), level)
        noisy = to_linear(step.apply(x, step.sample(ClipShape(1, 300, 300, 1), Rng.root(0))).frames).double()
        light = float(to_linear(torch.tensor(level)))
        assert float(noisy.mean()) == pytest.approx(light, rel=0.01)
        assert float(noisy.var()) == pytest.approx((light * 400 + 9) / 400**2, rel=0.05)
    assert float(to_display(to_linear(torch.tensor(0.37)))) == pytest.approx(0.37, abs=1e-6)


def test_speckle_and_salt_and_pepper() -> None:
    x = torch.full((1, 3, 300, 300), 0.4)
    shape = ClipShape(1, 300, 300)
    speckle = Speckle(strength=0.2)
    assert float((speckle.apply(x, speckle.sample(shape, Rng.root(0))).frames / x).std()) == pytest.approx(
        0.2, rel=0.02
    )
    salted = SaltPepper(amount=0.1).apply(x, {"key": Rng.root(0).key}).frames
    assert float((salted == 1).float().mean()) == pytest.approx(0.05, abs=0.004)
    assert float((salted == 0).float().mean()) == pytest.approx(0.05, abs=0.004)
    assert torch.equal(salted[:, 0], salted[:, 2])


# --- blur ----------------------------------------------------------------------------------------


def test_gaussian_blur_equals_scipy(moving: NDArray[np.uint8]) -> None:
    x = clean(moving)[:1]
    out = GaussianBlur(sigma=1.6).apply(x, {}).frames[0, 0].numpy()
    wanted = ndimage.gaussian_filter(x[0, 0].numpy().astype(np.float64), 1.6, mode="mirror", truncate=4.4)
    assert np.abs(out - wanted).max() < 2e-4


@pytest.mark.parametrize("radius", [1.0, 2.5, 6.3])
def test_a_disc_is_even_and_of_its_size(radius: float) -> None:
    kernel = disc(radius).astype(np.float64)
    middle = kernel.shape[0] // 2
    assert kernel.sum() == pytest.approx(1)
    assert 1 / kernel[middle, middle] == pytest.approx(np.pi * radius**2, rel=0.03)
    assert np.allclose(kernel, kernel.T)
    assert np.allclose(kernel, kernel[::-1])


def test_a_path_keeps_its_centre() -> None:
    points = np.array([[-2.5, 0.0], [0.0, 1.0], [2.5, -1.0]])
    kernel = path_kernel(points)
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-6)
    assert (kernel * y).sum() == pytest.approx(0, abs=1e-6)


def test_defocus_keeps_light() -> None:
    """Blur moves light and loses none: the mean of linear light stays (away from the border)."""
    x = torch.zeros(1, 1, 41, 41)
    x[0, 0, 20, 20] = 1.0
    out = to_linear(Defocus(radius=4).apply(x, {}).frames)
    assert float(out.sum()) == pytest.approx(1.0, rel=1e-3)


def _edge(position: float, width: int = 96) -> Tensor:
    """A vertical edge, black to white, anti-aliased, at ``position``."""
    return (torch.arange(width) + 0.5 - position + 0.5).clamp(0, 1).expand(1, 40, width).clone()


def test_rendered_exposure_is_the_integral() -> None:
    """An edge that moves 8 pixels while the shutter is open becomes a ramp of 8 pixels, in linear light."""
    step = ExposureBlur(shutter=1.0, samples=101, light="stored")
    shape = ClipShape(1, 40, 96, 1)
    (out,) = step.stream(
        [Damage(_edge(48)[None], None)], step.sample(shape, Rng.root(0)), shape, lambda t: _edge(48 + 8 * t)
    )
    ramp = out.frames[0, 0, 20]
    wanted = ((torch.arange(96) + 0.5 - 44) / 8).clamp(0, 1)
    assert float((ramp - wanted).abs().max()) < 0.07  # the edge itself is a pixel wide
    assert float((ramp - wanted).abs().mean()) < 0.004


def test_interpolated_exposure_comes_near_the_rendered_one(moving: NDArray[np.uint8]) -> None:
    """A clip that moves 2 pixels a frame: flow-interpolated blur is nearer to true blur than no blur is."""
    x = clean(moving)
    step = ExposureBlur(shutter=1.0, samples=9)
    blurred = joined(
        list(step.stream([Damage(x, None)], step.sample(ClipShape(6, 64, 80), Rng.root(0)), ClipShape(6, 64, 80)))
    ).frames
    kernel = torch.tensor([0.25, 0.5, 0.25])
    wanted = to_display(
        torch.nn.functional.conv1d(to_linear(x)[3].reshape(-1, 1, 80), kernel.view(1, 1, 3), padding=1).reshape(
            3, 64, 80
        )
    )
    inner = (..., slice(8, -8), slice(8, -8))
    assert psnr(blurred[3][inner], wanted[inner]) > psnr(x[3][inner], wanted[inner]) + 6


# --- codec and spatial ---------------------------------------------------------------------------


@pytest.mark.parametrize("codec", sorted(SCALES))
def test_a_higher_qp_is_a_worse_picture(moving: NDArray[np.uint8], codec: str) -> None:
    x = clean(moving)
    low, high = SCALES[codec]
    good, bad = (Codec(codec=codec, qp=round(low + share * (high - low))) for share in (0.1, 0.8))
    results = [psnr(step.apply(x, step.sample(ClipShape(6, 64, 80), Rng.root(0))).frames, x) for step in (good, bad)]
    assert results[0] > 27
    assert results[0] > results[1] + 4


def test_codec_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"qp 52 is outside 0\.\.51"):
        Codec(codec="h264", qp=52)
    params = Codec(codec="h264", qp=30).sample(ClipShape(1, 8, 8), Rng.root(0))
    assert "-qp 30" in params["options"]
    assert params["ffmpeg"]


def test_an_encoder_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Codec, "options", lambda self: {"c:v": "nosuchencoder"})
    with pytest.raises(ValueError, match="nosuchencoder failed on a clip of 16 x 16"):
        Codec(codec="h264", qp=30).apply(torch.zeros(1, 3, 16, 16), {})


def test_spatial_is_new_in_each_frame_or_holds_for_the_clip() -> None:
    picture = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
    x = picture.expand(3, -1, -1, -1)
    shape = ClipShape(3, 24, 24)
    for per, same in (("frame", False), ("clip", True)):
        step = Spatial(transform="ISONoise", options={"intensity": (0.4, 0.4)}, per=per)
        out = step.apply(x, step.sample(shape, Rng.root(0))).frames
        assert torch.equal(out[0], out[1]) == same
    with pytest.raises(ValueError, match="leave pixels in place"):
        Spatial(transform="Rotate")


def test_jpeg_quality_counts(moving: NDArray[np.uint8]) -> None:
    x = clean(moving)[:2]
    worse, better = (psnr(Jpeg(quality=q).apply(x, {"key": Rng.root(0).key}).frames, x) for q in (10, 90))
    assert better > worse + 5
