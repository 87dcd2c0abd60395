"""Speed of correlation, warps, pixel volume and deblurring, side by side with the plain ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import deform_conv2d

from vbench.flow.ops import correlation, warp
from vbench.flow.pwcnet.align import align
from vbench.models.cdvd_tsp.net import CDVDTSP
from vbench.models.cdvd_tsp.restorer import CDVDTSPRestorer
from vbench.models.cdvd_tsp.sequence import windows
from vbench.models.edvr.deform import deformable_conv
from vbench.models.pvdnet.net import PVDNet
from vbench.models.pvdnet.pixel_volume import PixelVolume, grey
from vbench.models.pvdnet.restorer import PVDNetRestorer
from vbench.restore import run_array

Bench = Callable[..., Any]

HEIGHT, WIDTH = 184, 320


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def shifted(first: Tensor, second: Tensor, reach: int) -> Tensor:
    """A product of maps for each displacement, each summed over the channels."""
    padded = functional.pad(second, (reach,) * 4)
    height, width = first.shape[2:]
    side = range(2 * reach + 1)
    found = [(first * padded[..., y : y + height, x : x + width]).mean(dim=1) for y in side for x in side]
    return torch.stack(found, dim=1)


@pytest.mark.parametrize("way", [correlation, shifted], ids=["ours", "plain"])
@pytest.mark.benchmark(group="correlation of 32 channels of 320 x 184 pixels, 81 displacements")
def test_correlation(benchmark: Bench, way: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    a, b = random(1, 32, HEIGHT, WIDTH), random(1, 32, HEIGHT, WIDTH, seed=1)
    found = benchmark.pedantic(lambda: way(a, b, 4), rounds=5, warmup_rounds=1)
    assert torch.allclose(found, shifted(a, b, 4), atol=1e-5)


def gridded(maps: Tensor, flow: Tensor) -> Tensor:
    """One call of grid_sample, of a grid made by the shortest formula."""
    height, width = maps.shape[2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack([columns, rows], dim=-1) + flow.permute(0, 2, 3, 1)
    grid = grid * (2 / torch.tensor([width - 1, height - 1])) - 1
    return functional.grid_sample(maps, grid, align_corners=True)


@pytest.mark.parametrize("way", [warp, gridded], ids=["ours", "plain"])
@pytest.mark.benchmark(group="warp of 32 channels of 320 x 184 pixels")
def test_warp(benchmark: Bench, way: Callable[[Tensor, Tensor], Tensor]) -> None:
    maps, flow = random(1, 32, HEIGHT, WIDTH), random(1, 2, HEIGHT, WIDTH, seed=1) * 8 - 4
    found = benchmark.pedantic(lambda: way(maps, flow), rounds=7, warmup_rounds=1)
    assert torch.allclose(found, gridded(maps, flow), atol=1e-3)


def moved(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return deform_conv2d(x, offset, weight, bias, padding=1, mask=mask)


@pytest.mark.parametrize("way", [deformable_conv, moved], ids=["ours", "torchvision"])
@pytest.mark.benchmark(group="deformable convolution of 64 channels of 320 x 184 pixels")
def test_deformable_convolution(benchmark: Bench, way: Callable[..., Tensor]) -> None:
    """On a CPU; elsewhere ours is torchvision's."""
    x, offset = random(1, 64, HEIGHT, WIDTH), 6 * random(1, 8 * 18, HEIGHT, WIDTH, seed=1) - 3
    mask, weight, bias = random(1, 8 * 9, HEIGHT, WIDTH, seed=2), random(64, 64, 3, 3, seed=3) - 0.5, random(64)
    with torch.inference_mode():
        found = benchmark.pedantic(lambda: way(x, offset, mask, weight, bias), rounds=5, warmup_rounds=1)
        assert torch.allclose(found, moved(x, offset, mask, weight, bias), atol=2e-4)


def masked(frames: Tensor, flow: Tensor) -> Tensor:
    """Two calls of grid_sample: the frame, and ones."""
    return gridded(frames, flow) * (gridded(torch.ones_like(frames), flow) >= 0.999)


@pytest.mark.parametrize("way", [lambda frames, flow: align(frames, flow).image, masked], ids=["ours", "plain"])
@pytest.mark.benchmark(group="a frame of 1280 x 736 pixels aligned, with its mask")
def test_align(benchmark: Bench, way: Callable[[Tensor, Tensor], Tensor]) -> None:
    frames, flow = random(1, 3, 4 * HEIGHT, 4 * WIDTH), random(1, 2, 4 * HEIGHT, 4 * WIDTH, seed=1) * 8 - 4
    found = benchmark.pedantic(lambda: way(frames, flow), rounds=5, warmup_rounds=1)
    # At a position within rounding of the limit the masks may differ.
    assert float(((found - masked(frames, flow)).abs() > 1e-3).float().mean()) < 1e-4


def sampled(img: Tensor, flow: Tensor, pad: Tensor) -> Tensor:
    """The pixel volume in the terms of torch.nn.functional: positions truncated, sampled once, 25 shifts of that."""
    height, width = img.shape[2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    around = functional.pad(flow, (2,) * 4)
    wide = functional.pad(torch.ones(1, 1, height, width), (2,) * 4)
    out = []
    for i in range(-2, 3):
        for j in range(-2, 3):
            own = around[..., 2 - j : 2 - j + height, 2 - i : 2 - i + width]
            there = wide[..., 2 - j : 2 - j + height, 2 - i : 2 - i + width]
            x = (columns - i + own[:, 0]).trunc() + i
            y = (rows - j + own[:, 1]).trunc() + j
            grid = torch.stack([x / (width - 1), y / (height - 1)], dim=-1) * 2 - 1
            value = functional.grid_sample(grey(img)[:, None], grid, mode="nearest", align_corners=True)
            outside = ((x <= 0) | (x >= width - 1) | (y <= 0) | (y >= height - 1))[:, None]
            out.append(torch.where(outside, grey(pad)[:, None], value) * there)
    return torch.cat(out, dim=1)


@pytest.mark.parametrize("way", [PixelVolume(), sampled], ids=["ours", "plain"])
@pytest.mark.benchmark(group="pixel volume of 640 x 368 pixels, 25 candidates")
def test_pixel_volume(benchmark: Bench, way: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    img, pad = random(1, 3, 2 * HEIGHT, 2 * WIDTH), random(1, 3, 2 * HEIGHT, 2 * WIDTH, seed=1)
    flow = random(1, 2, 2 * HEIGHT, 2 * WIDTH, seed=2) * 12 - 6
    found = benchmark.pedantic(lambda: way(img, flow, pad), rounds=5, warmup_rounds=1)
    assert float(((found - sampled(img, flow, pad)).abs() > 1e-4).float().mean()) < 1e-4


@pytest.fixture(scope="module")
def clip() -> Tensor:
    return random(7, 3, 96, 128)


def steps_alone(clip: Tensor) -> Callable[[], Any]:
    """The network called on each window, as the official loop does."""
    network = PVDNet().eval()

    def run() -> Tensor:
        x = clip * 2 - 1
        state, out = x[:1], []
        with torch.inference_mode():
            for t in range(len(x)):
                before, after = max(t - 1, 0), min(t + 1, len(x) - 1)
                state = network(x[before : before + 1], x[t : t + 1], x[after : after + 1], state)
                out.append(state)
        return torch.cat(out)

    return run


@pytest.mark.parametrize("way", ["ours", "bare network"])
@pytest.mark.benchmark(group="PVDNet on 7 frames of 128 x 96 pixels")
def test_pvdnet(benchmark: Bench, clip: Tensor, way: str) -> None:
    restorer = PVDNetRestorer(PVDNet().eval())
    run = (lambda: run_array(restorer, clip)) if way == "ours" else steps_alone(clip)
    assert len(benchmark.pedantic(run, rounds=3, warmup_rounds=1)) == len(clip)


def windows_alone(clip: Tensor) -> Callable[[], Any]:
    """The network called on each window, as the official script does."""
    network = CDVDTSP().eval()

    def run() -> Tensor:
        with torch.inference_mode():
            return torch.cat([network(clip[list(window)][None]).out for window in windows(len(clip))])

    return run


@pytest.mark.parametrize("way", ["ours", "bare network"])
@pytest.mark.benchmark(group="CDVD-TSP on 7 frames of 128 x 96 pixels")
def test_cdvd_tsp(benchmark: Bench, clip: Tensor, way: str) -> None:
    restorer = CDVDTSPRestorer(CDVDTSP().eval())
    run = (lambda: run_array(restorer, clip)) if way == "ours" else windows_alone(clip)
    assert len(benchmark.pedantic(run, rounds=3, warmup_rounds=1)) == len(clip)
