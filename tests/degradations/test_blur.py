"""Blur against independent computation."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from degradations.base import ClipShape, Damage, Degradation
from degradations.blur import CameraShake, Defocus, ExposureBlur, GaussianBlur, convolve, disc, path_kernel
from degradations.light import to_display, to_linear
from degradations.resample import Downscale
from degradations.rng import Rng


def random_clip(frames: int = 2, height: int = 33, width: int = 47, channels: int = 3) -> Tensor:
    return torch.rand(frames, channels, height, width, generator=torch.Generator().manual_seed(0))


def run(step: Degradation, clip: Tensor, chunk: int = 100) -> Tensor:
    shape = ClipShape(len(clip), *clip.shape[2:], clip.shape[1])
    chunks = (Damage(clip[i : i + chunk]) for i in range(0, len(clip), chunk))
    return torch.cat([d.frames for d in step.stream(chunks, step.sample(shape, Rng.root(0)), shape)])


def test_convolution_is_scipys() -> None:
    clip = random_clip()
    kernel = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    want = np.stack([[ndimage.convolve(p.astype(np.float64), kernel, mode="mirror") for p in f] for f in clip.numpy()])
    assert float(np.abs(convolve(clip, kernel).numpy() - want).max()) < 1e-5


@pytest.mark.parametrize("sigma", [0.7, 1.6, 5.0])
def test_gaussian_is_scipys(sigma: float) -> None:
    clip = random_clip()
    want = ndimage.gaussian_filter(clip.numpy().astype(np.float64), (0, 0, sigma, sigma), mode="mirror", truncate=4.2)
    assert float(np.abs(run(GaussianBlur(sigma=sigma), clip).numpy() - want).max()) < 2e-4


@pytest.mark.parametrize("radius", [0.8, 2.5, 7.3])
def test_disc_is_the_share_of_each_pixel_that_the_circle_covers(radius: float) -> None:
    kernel = disc(radius).astype(np.float64)
    half = len(kernel) // 2

    def covered(left: float, top: float) -> float:
        x = left + (np.arange(400) + 0.5) / 400
        reach = np.sqrt(np.maximum(radius**2 - x**2, 0))  # the circle's half height at x
        return float(np.mean(np.clip(np.minimum(reach, top + 1) - np.maximum(-reach, top), 0, None)))

    grid = range(-half, half + 1)
    want = np.array([[covered(x - 0.5, y - 0.5) for x in grid] for y in grid]) / (np.pi * radius**2)
    assert want.sum() == pytest.approx(1, rel=1e-3)
    assert float(np.abs(kernel - want).max()) < 0.03 * float(want.max())


def test_defocus_works_in_linear_light() -> None:
    clip = torch.zeros(1, 1, 31, 31)
    clip[0, 0, 15, 15] = 1.0
    out = run(Defocus(radius=4), clip)
    assert float(to_linear(out).sum()) == pytest.approx(1, rel=1e-3)
    assert float(out[0, 0, 15, 15]) == pytest.approx(float(to_display(torch.tensor(1 / (np.pi * 16)))), rel=0.02)


def test_path_kernel_puts_time_where_the_camera_was() -> None:
    line = np.stack([np.linspace(-3, 3, 6001), np.zeros(6001)], axis=1)
    kernel = path_kernel(line)
    middle = kernel[len(kernel) // 2]
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert middle.sum() == pytest.approx(1, abs=1e-5)
    assert middle[len(middle) // 2] == pytest.approx(1 / 6, rel=0.01)
    diagonal = path_kernel(np.array([[1.0, 2.0]]))  # x to the right, y down
    assert np.unravel_index(diagonal.argmax(), diagonal.shape) == (3 + 2, 3 + 1)


def test_shake_stays_centred_within_its_length_and_changes_slowly() -> None:
    step = CameraShake(length=12)
    params = step.sample(ClipShape(400, 64, 64, 3, 24.0), Rng.root(3))
    paths = np.stack([step.path(params, t) for t in range(400)])
    assert np.abs(paths.mean(axis=1)).max() < 1e-9
    extents = np.hypot(paths[..., 0], paths[..., 1]).max(axis=1)
    assert extents.max() <= 6 + 1e-9
    assert extents.min() >= 0.4 * 6 - 1e-9
    assert len({p.tobytes() for p in paths}) == 400
    near = np.abs(np.diff(paths, axis=0)).mean()
    far = np.abs(paths[24:] - paths[:-24]).mean()
    assert near < 0.5 * far


class Edge:
    """A vertical edge, dark on the left, that moves right by ``speed`` pixels a frame."""

    def __init__(self, speed: float, channels: int = 3) -> None:
        self.speed, self.channels = speed, channels

    def light(self, time: float) -> Tensor:
        x = torch.arange(64, dtype=torch.float64)
        bright = (x + 1 - (32 + self.speed * time)).clamp(0, 1)  # the share of each pixel right of the edge
        return bright.float().view(1, 1, 64).expand(self.channels, 16, 64).contiguous()

    def __call__(self, time: float) -> Tensor:
        return to_display(self.light(time))


def rendered(step: ExposureBlur, scene: Edge, count: int, chunk: int) -> Tensor:
    clip = torch.stack([scene(t) for t in range(count)])
    shape = ClipShape(count, 16, 64, scene.channels, rendered=True)
    chunks = (Damage(clip[i : i + chunk]) for i in range(0, count, chunk))
    return torch.cat([d.frames for d in step.stream(chunks, step.sample(shape, Rng.root(0)), shape, scene)])


def test_exposure_of_a_moving_edge_is_the_analytic_ramp() -> None:
    speed, shutter = 8.0, 0.5
    scene = Edge(speed)
    out = to_linear(rendered(ExposureBlur(shutter=shutter, samples=101), scene, 2, 1))
    x = np.arange(64) + 0.5
    for t in range(2):
        # The light at a pixel is the share of the exposure in which the edge stands to its left.
        centre, width = 32 + speed * t, speed * shutter
        within = np.linspace(-0.5, 0.5, 2001)
        want = np.mean([np.clip((x + w - centre + width / 2) / width, 0, 1) for w in within], axis=0)
        assert float(np.abs(out[t, 0, 8].double().numpy() - want).max()) < 0.01


def test_exposure_is_symmetric_about_the_frame_and_the_same_for_any_chunks() -> None:
    scene, step = Edge(6.0), ExposureBlur(shutter=1.0, samples=17)
    whole = rendered(step, scene, 3, 3)
    assert whole.equal(rendered(step, scene, 3, 1))
    line = to_linear(whole)[0, 0, 0].numpy().astype(np.float64)
    assert line[32 - 10 : 32] + line[32 : 32 + 10][::-1] == pytest.approx(np.ones(10), abs=1e-5)


def test_stored_light_averages_values_as_they_are() -> None:
    def flash(time: float) -> Tensor:
        return torch.full((1, 4, 4), 1.0 if time > 0 else 0.0)

    shape = ClipShape(1, 4, 4, 1, rendered=True)
    clip = [Damage(torch.zeros(1, 1, 4, 4))]
    for light, want in (("stored", 0.5), ("linear", float(to_display(torch.tensor(0.5))))):
        step = ExposureBlur.model_validate({"shutter": 1.0, "samples": 10, "light": light})
        (out,) = step.stream(clip, step.sample(shape, Rng.root(0)), shape, flash)
        assert float(out.frames.mean()) == pytest.approx(want, abs=1e-6)


def sliding(frames: int = 5, speed: int = 3, height: int = 96, width: int = 128, channels: int = 3) -> Tensor:
    """A smooth texture that slides right, and its true exposures can be made by sub-pixel shifts."""
    noise = np.random.default_rng(1).standard_normal((height, width + 64))
    smooth = ndimage.gaussian_filter(noise, 2.5)
    wide = 0.5 + 0.15 * smooth / smooth.std()
    rows = [wide[:, 32 - speed * t : 32 - speed * t + width] for t in range(frames)]
    return torch.from_numpy(np.stack(rows).clip(0, 1).astype(np.float32))[:, None].repeat(1, channels, 1, 1)


def test_flow_interpolated_exposure_is_the_true_one_at_the_ends_too() -> None:
    clip = sliding()
    step = ExposureBlur.model_validate({"shutter": 1.0, "samples": 15, "light": "stored"})
    out = run(step, clip)
    times = step.sample(ClipShape(5, 96, 128), Rng.root(0))["times"]
    for t in range(5):
        frame = clip[t, 0].numpy()
        true = np.mean([ndimage.shift(frame, (0, 3 * d), order=3, mode="nearest") for d in times], axis=0)
        inner = (slice(12, -12), slice(12, -12))
        error = np.abs(out[t, 0].numpy() - true)[inner].mean()
        undone = np.abs(frame - true)[inner].mean()
        assert error < 0.25 * undone, f"frame {t}: {error:.5f} against {undone:.5f} without blur"


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_flow_interpolation_is_the_same_for_any_chunks_and_threads(chunk: int) -> None:
    clip = sliding(height=65, width=67)
    step = ExposureBlur(shutter=0.5, samples=5)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        whole = run(step, clip)
        cv2.setNumThreads(4)
        assert run(step, clip, chunk).equal(whole)
    finally:
        cv2.setNumThreads(before)


def test_a_cut_does_not_shine_through() -> None:
    first, second = sliding(3), 1 - sliding(3)[:, :, ::2].repeat_interleave(2, 2).flip(3)
    second = (second - 0.3).clamp(0, 1)
    step = ExposureBlur(shutter=1.0, samples=9)
    together = run(step, torch.cat([first, second]))
    assert together.equal(torch.cat([run(step, first), run(step, second)]))


def test_a_still_scene_stays_as_it_is() -> None:
    clip = random_clip(1).expand(4, -1, -1, -1).contiguous()
    assert float((run(ExposureBlur(shutter=1.0, samples=9), clip) - clip).abs().max()) < 1e-5


def test_the_recipe_says_where_the_instants_come_from() -> None:
    step = ExposureBlur(shutter=0.5, samples=4)
    shape = ClipShape(2, 16, 64, 3)
    flow = step.sample(shape, Rng.root(0))
    assert flow["instants"] == "flow"
    assert flow["times"] == pytest.approx([-0.1875, -0.0625, 0.0625, 0.1875])
    drawn = step.sample(ClipShape(2, 16, 64, 3, rendered=True), Rng.root(0))
    assert drawn["instants"] == "rendered"
    clip = torch.stack([Edge(3.0)(t) for t in range(2)])
    with pytest.raises(ValueError, match="between its frames"):
        list(step.stream([Damage(clip)], drawn, shape))
    kept = [d.frames for d in step.stream([Damage(clip)], flow, shape)]
    asked = [d.frames for d in step.stream([Damage(clip)], flow, shape, Edge(50.0))]
    assert torch.cat(kept).equal(torch.cat(asked))


STEPS: list[Degradation] = [
    GaussianBlur(sigma=6),
    Defocus(radius=9),
    CameraShake(length=30),
    ExposureBlur(shutter=0.5, samples=5),
    Downscale(factor=2),
    Downscale(factor=4, down="area", up="lanczos"),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.kind)
@pytest.mark.parametrize("shape", [(1, 1, 16, 16), (5, 3, 17, 19), (2, 1, 1, 3)])
def test_any_size_and_any_chunks(step: Degradation, shape: tuple[int, int, int, int]) -> None:
    clip = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    before = clip.clone()
    whole = run(step, clip)
    assert clip.equal(before), "the input was written into"
    assert whole.shape == clip.shape
    assert whole.dtype == torch.float32
    assert bool(torch.isfinite(whole).all())
    assert run(step, clip, 1).equal(whole)
    flat = torch.full(shape, 0.4)
    assert float((run(step, flat) - 0.4).abs().max()) < 1e-4, "blur keeps what is even"


def test_masks_go_through_the_exposure_with_their_frames() -> None:
    clip, mask = sliding(4), torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 96, 128) / 4
    step = ExposureBlur(shutter=0.5, samples=3)
    shape = ClipShape(4, 96, 128)

    def chunks() -> Iterator[Damage]:
        for i in range(4):
            yield Damage(clip[i : i + 1], {"dirt": mask[i : i + 1]})

    parts = list(step.stream(chunks(), step.sample(shape, Rng.root(0)), shape))
    assert torch.cat([p.mask for p in parts if p.mask is not None]).equal(mask)


def test_downscale_is_pillows_on_eight_bits_and_loses_detail() -> None:
    from PIL import Image

    clip = (random_clip(1, 32, 48) * 255).round() / 255
    out = run(Downscale(factor=2), clip)
    picture = Image.fromarray((clip[0] * 255).round().byte().permute(1, 2, 0).numpy())
    small = picture.resize((24, 16), Image.Resampling.BICUBIC)
    want = torch.from_numpy(np.array(small.resize((48, 32), Image.Resampling.BICUBIC))).permute(2, 0, 1) / 255
    assert float((out[0] - want).abs().max()) < 3 / 255
    assert float(out.var()) < 0.6 * float(clip.var())
