"""PVDNet, its flow network and its pixel volume: what their fixtures do not say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vbench.errors import InputError
from vbench.flow.bimnet.net import BIMNet, crop, whole_flow
from vbench.flow.ops import correlation, warp
from vbench.models.pvdnet import parity
from vbench.models.pvdnet.net import PVDNet
from vbench.models.pvdnet.pixel_volume import PixelVolume, grey
from vbench.models.pvdnet.sequence import steps
from vbench.models.verify import build, read_case, verified

HERE = Path(__file__).parent


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def network() -> PVDNet:
    """With the recipe's weights, in float64."""
    found = build("pvdnet", HERE / "pvdnet" / "manifest.json", {})
    assert isinstance(found, PVDNet)
    return found


def shifted(first: Tensor, second: Tensor, reach: int, stride: int) -> Tensor:
    """The correlation by its definition: a product of maps for each displacement."""
    around = reach * stride
    padded = functional.pad(second, (around,) * 4)
    height, width = first.shape[2:]
    out = []
    for dy in range(-around, around + 1, stride):
        for dx in range(-around, around + 1, stride):
            moved = padded[..., around + dy : around + dy + height, around + dx : around + dx + width]
            out.append((first * moved).mean(dim=1)[:, ::stride, ::stride])
    return torch.stack(out, dim=1)


@pytest.mark.parametrize(("reach", "stride"), [(3, 1), (3, 2), (4, 1), (1, 3)])
@pytest.mark.parametrize("size", [(9, 11), (8, 16), (1, 1), (13, 40)])
def test_the_correlation_is_its_definition(
    reach: int, stride: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = random(2, 5, *size), random(2, 5, *size, seed=1)
    wanted = shifted(a, b, reach, stride)
    assert torch.allclose(correlation(a, b, reach, stride), wanted, atol=1e-12)
    monkeypatch.setattr("vbench.flow.ops.VALUES_AT_ONCE", 1)
    assert torch.allclose(correlation(a, b, reach, stride), wanted, atol=1e-12)


def test_a_warp_by_whole_pixels_is_a_shift() -> None:
    maps = random(1, 2, 6, 7)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 6, 7).double()
    warped = warp(maps, flow)
    assert torch.allclose(warped[..., 1:, :-2], maps[..., :-1, 2:], atol=1e-12)
    assert float(warped[..., 0, :].abs().max()) < 1e-12


def test_operations_refuse_what_does_not_belong_together() -> None:
    with pytest.raises(InputError, match="takes two of one shape"):
        correlation(random(1, 2, 4, 4), random(1, 2, 4, 5), 3)
    with pytest.raises(InputError, match="at least 2"):
        warp(random(1, 2, 1, 4), random(1, 2, 1, 4))
    with pytest.raises(InputError, match="takes two frames"):
        PixelVolume()(random(1, 3, 4, 4), random(1, 2, 4, 5), random(1, 3, 4, 4))
    with pytest.raises(InputError, match="it has a centre"):
        PixelVolume(4)


def by_definition(img: Tensor, flow: Tensor, pad: Tensor, side: int) -> Tensor:
    """The pixel volume, one pixel after another."""
    height, width = img.shape[2:]
    around = side // 2
    before, current = grey(img)[0], grey(pad)[0]
    out = torch.zeros(side * side, height, width, dtype=img.dtype)
    for i in range(-around, around + 1):
        for j in range(-around, around + 1):
            for y in range(height):
                for x in range(width):
                    qx, qy = x - i, y - j
                    if not (0 <= qx < width and 0 <= qy < height):
                        continue
                    cx = int(qx + flow[0, 0, qy, qx]) + i
                    cy = int(qy + flow[0, 1, qy, qx]) + j
                    inside = 1 <= cx <= width - 2 and 1 <= cy <= height - 2
                    out[(i + around) * side + j + around, y, x] = before[cy, cx] if inside else current[y, x]
    return out[None]


@pytest.mark.parametrize(("side", "size"), [(5, (9, 12)), (3, (2, 3)), (1, (5, 5)), (7, (4, 8))])
def test_the_pixel_volume_is_its_definition(side: int, size: tuple[int, int]) -> None:
    img, pad = random(1, 3, *size), random(1, 3, *size, seed=1)
    flow = (random(1, 2, *size, seed=2) - 0.5) * 12
    assert torch.equal(PixelVolume(side)(img, flow, pad), by_definition(img, flow, pad, side))


def test_a_flow_without_bounds_points_outside() -> None:
    img, pad = random(1, 3, 8, 8), random(1, 3, 8, 8, seed=1)
    flow = torch.full((1, 2, 8, 8), 1e30).double()
    flow[0, 0, 4, 4] = torch.nan
    volume = PixelVolume(1)(img, flow, pad)
    assert torch.equal(volume[:, 0], grey(pad))


def test_frames_of_a_batch_give_what_single_ones_give(network: PVDNet) -> None:
    frames = [random(2, 3, 64, 72, seed=seed) * 2 - 1 for seed in range(4)]
    with torch.inference_mode():
        both = network(*frames)
        each = torch.cat([network(*(frame[i : i + 1] for frame in frames)) for i in range(2)])
    assert torch.allclose(both, each, atol=1e-10)


def test_sizes_that_it_cannot_take_are_refused(network: PVDNet) -> None:
    def once(*size: int) -> None:
        frame = torch.zeros(1, 3, *size, dtype=torch.float64)
        network(frame, frame, frame, frame)

    with pytest.raises(InputError, match="66 x 64 pixels; width and height are to be multiples of 4, at least 64"):
        once(64, 66)
    with pytest.raises(InputError, match="at least 64"):
        once(60, 64)
    frame = torch.zeros(1, 3, 64, 64, dtype=torch.float64)
    with pytest.raises(InputError, match="four of one shape"):
        network(frame, frame, torch.zeros(1, 3, 64, 68, dtype=torch.float64), frame)
    with pytest.raises(InputError, match="no multiple|multiples of 32"):
        BIMNet()(torch.zeros(1, 3, 64, 68), torch.zeros(1, 3, 64, 68))
    with pytest.raises(InputError, match="takes two of one shape"):
        BIMNet()(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 96))


def test_the_loop_is_the_step_again_and_again(network: PVDNet) -> None:
    """Nothing is lost by sharing feature pyramids."""
    clip = random(4, 3, 64, 68) * 2 - 1
    with torch.inference_mode():
        found = [step.restored for step in steps(network, clip.split(1))]
        state = clip[:1]
        for t in range(4):
            before, current, after = (clip[i : i + 1] for i in (max(t - 1, 0), t, min(t + 1, 3)))
            state = network(before, current, after, state)
            assert torch.allclose(found[t], state, atol=1e-10)
    assert list(steps(network, [])) == []


@pytest.mark.shared
@pytest.mark.parametrize("name", ["pvdnet", "pvdnet_large"])
def test_float32_differs_only_where_it_decides_between_two_pixels(shared: Path, name: str) -> None:
    """The pixel volume truncates positions. In ``case_clip5`` the nearest one lies 5.2e-7 pixels from a whole number,
    below the rounding error of a flow in float32 (about 1.5e-5); official figures of float32 hold for their order of
    additions alone. So: the flow is equal at 1e-4; every frame is, given the positions of float64; and these differ
    only where they are that close.
    """
    folder = shared / "parity" / name
    case = read_case(folder / "case_clip5.npz")
    single, double = (build(name, folder / "manifest.json", case.meta, dtype) for dtype in ("float32", "float64"))
    assert isinstance(single, PVDNet)
    assert isinstance(double, PVDNet)
    frames = parity.frames_of(case.inputs["frames"], torch.float64)
    official = torch.from_numpy(case.outputs["frames"])
    size = frames.shape[2:]
    x, y = torch.arange(size[1]), torch.arange(size[0])[:, None]
    with torch.inference_mode():
        state = frames[:1]
        for t in range(len(frames)):
            before, current, after = (frames[i : i + 1] for i in (max(t - 1, 0), t, min(t + 1, len(frames) - 1)))
            pyramids = [(crop(frame.float()) + 1) / 2 for frame in (current, before)]
            low = single.BIMNet(*pyramids)
            wanted = torch.from_numpy(case.outputs["flow_low"][t : t + 1])
            assert float((low - wanted).abs().max()) < 1e-4 * float(wanted.abs().max())
            rough, flow = whole_flow(low, *size), whole_flow(wanted, *size)
            for axis, base in ((0, x), (1, y)):
                position = base + flow[:, axis]
                other = (base + rough[:, axis]).trunc() != position.trunc()
                assert int(other.sum()) <= 2
                assert bool(((position - position.round()).abs()[other] < 2e-5).all())
            volume = single.volume(state.float(), flow, current.float())
            found = single.PVDNet(volume, before.float(), current.float(), after.float())
            assert float((found - official[t : t + 1]).abs().max()) < 1e-4 * float(official.abs().max())
            state = official[t : t + 1]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["pvdnet", "pvdnet_large"])
def test_float32_is_within_from_end_to_end_once_the_flow_is_computed_in_float64(shared: Path, name: str) -> None:
    """The whole loop, every frame made from the one that float32 restored before it."""
    found = verified(name, shared / "parity" / name / "case_clip5.npz", dtype="float32")
    assert [d.output for d in found.over] == ["frames"]
    assert "truncates" in found.rounding
    assert all(d.within and d.allowed <= 1e-4 * d.peak for d in found.decided)
    assert {d.output for d in found.decided} == {"frames", "flow_low"}


@pytest.mark.parametrize("size", [(64, 64), (71, 102)])
def test_the_flow_ends_where_the_crop_ends(size: tuple[int, int]) -> None:
    low = torch.ones(1, 2, size[0] // 32 * 16, size[1] // 32 * 16)
    flow = whole_flow(low, *size)
    assert flow.shape[2:] == size
    assert float(flow[..., size[0] // 32 * 32 :, :].abs().sum()) == 0
    assert float(flow[..., : size[0] // 32 * 32, : size[1] // 32 * 32].min()) == 1
