"""EDVR and VOTES: what their fixtures do not say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import deform_conv2d

from vbench.errors import InputError
from vbench.models.edvr.align import DeformableConv
from vbench.models.edvr.deform import deformable_conv
from vbench.models.edvr.net import EDVR, Backbone
from vbench.models.verify import build, read_case, verified
from vbench.models.votes import bin_parity
from vbench.models.votes.bin import BIN, degradation_map, grey_levels
from vbench.models.votes.net import VOTES

HERE = Path(__file__).parent


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def edvr() -> EDVR:
    """M, x4, with the recipe's weights, in float64."""
    found = build("edvr", HERE / "edvr" / "manifest.json", {})
    assert isinstance(found, EDVR)
    return found


@pytest.fixture(scope="module")
def votes() -> VOTES:
    """L, x2, with the recipe's weights, in float64."""
    found = build("votes", HERE / "votes" / "manifest.json", {})
    assert isinstance(found, VOTES)
    return found


def test_a_batch_gives_what_single_windows_give(edvr: EDVR) -> None:
    x = random(2, 5, 3, 12, 16)
    with torch.inference_mode():
        both = edvr(x)
        each = torch.cat([edvr(x[i : i + 1]) for i in range(2)])
    assert torch.allclose(both, each, atol=1e-9 * float(each.abs().max()))


def test_frames_aligned_one_by_one_are_those_aligned_together(edvr: EDVR, monkeypatch: pytest.MonkeyPatch) -> None:
    x = random(1, 5, 3, 12, 16)
    with torch.inference_mode():
        together = edvr(x)
        monkeypatch.setattr("vbench.models.edvr.net.COLUMNS", 1)
        one_by_one = edvr(x)
    assert torch.allclose(together, one_by_one, atol=1e-9 * float(together.abs().max()))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_frame_enlarged_in_strips_is_one_enlarged_whole(scale: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(scale)
    network = Backbone(8, 2, 1, 1, scale).double()
    fused, base = random(2, 8, 13, 10), random(2, 3, 13 * scale, 10 * scale, seed=1)
    with torch.inference_mode():
        whole = network.enlarged(fused, base)
        for rows in (1, 2, 5, 12):
            monkeypatch.setattr("vbench.models.edvr.net.STRIP", rows * 2 * 64 * 10 * scale**2)
            assert torch.allclose(network.enlarged(fused, base), whole, atol=1e-9 * float(whole.abs().max()))
        monkeypatch.setattr("vbench.models.edvr.net.STRIP_HALO", 1)
        assert not torch.allclose(network.enlarged(fused, base), whole, atol=1e-9 * float(whole.abs().max()))


def test_frames_that_a_window_shows_twice_are_aligned_once(edvr: EDVR) -> None:
    clip = random(3, 3, 12, 16)
    shown = (0, 0, 0, 1, 2)
    with torch.inference_mode():
        each = [edvr.features(frame[None]) for frame in clip]
        found, wanted = edvr.merge(each, clip[None, 0], shown), edvr(clip[None, list(shown)])
    assert torch.allclose(found, wanted, atol=1e-9 * float(wanted.abs().max()))


def test_features_of_a_frame_serve_every_window(edvr: EDVR) -> None:
    clip = random(6, 3, 12, 16)
    with torch.inference_mode():
        each = [edvr.features(frame[None]) for frame in clip]
        found, wanted = edvr.merge(each[1:], clip[None, 3]), edvr(clip[None, 1:])
    assert torch.allclose(found, wanted, atol=1e-9 * float(wanted.abs().max()))


def test_a_convolution_that_moves_nothing_is_a_convolution() -> None:
    """As before training: no offsets, and each tap weighed by a half."""
    layer = DeformableConv(8, 2).double()
    x = random(2, 8, 9, 11)
    with torch.inference_mode():
        found = layer(x, random(2, 8, 9, 11, seed=1))
        wanted = functional.conv2d(x, layer.weight / 2, layer.bias, padding=1)
    assert torch.allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "groups", "far"), [((2, 8, 9, 11), 4, 3.0), ((1, 6, 1, 7), 1, 1.0), ((1, 4, 12, 5), 2, 1e4)]
)
def test_the_faster_way_on_a_cpu_is_torchvisions(size: tuple[int, int, int, int], groups: int, far: float) -> None:
    """Also a single row, and taps far outside."""
    batch, channels, height, width = size
    offset = far * (random(batch, 18 * groups, height, width, seed=1) - 0.5)
    given = random(*size), offset, random(batch, 9 * groups, height, width, seed=2)
    weight, bias = random(5, channels, 3, 3, seed=3), random(5, seed=4)
    with torch.inference_mode():
        found = deformable_conv(*given, weight, bias)
        wanted = deform_conv2d(given[0], offset, weight, bias, padding=1, mask=given[2])
        single = deformable_conv(*(x.float() for x in (*given, weight, bias)))
    assert torch.allclose(found, wanted, atol=1e-12)
    assert torch.allclose(single.double(), wanted, atol=2e-5)


def test_deformable_convolutions_can_be_trained() -> None:
    layer = DeformableConv(8, 2)
    x = random(1, 8, 6, 6).float().requires_grad_()
    layer(x, x).sum().backward()
    assert x.grad is not None
    assert float(layer.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]


def test_offsets_are_pairs_of_down_and_right() -> None:
    """All taps of the second group moved down by one pixel and left by two, by hand."""
    layer = DeformableConv(2, 2).double()
    bias = layer.conv_offset.bias
    assert bias is not None
    with torch.inference_mode():
        bias[: 2 * 18].view(2, 9, 2)[1] = torch.tensor([1.0, -2.0]).double()
        bias[36:] = 100.0
        x = random(1, 2, 12, 12)
        found = layer(x, torch.zeros(1, 2, 12, 12, dtype=torch.float64))
        moved = torch.stack([x[0, 0], x[0, 1].roll((-1, 2), dims=(0, 1))])[None]
        wanted = functional.conv2d(moved, layer.weight, layer.bias, padding=1)
    assert torch.allclose(found[..., 3:-3, 3:-3], wanted[..., 3:-3, 3:-3], atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_votes_exists_for_every_scale(scale: int) -> None:
    network = VOTES(num_feat=16, num_reconstruct_block=1, num_modulation_blocks=1, sr_factor=scale).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 5, 3, 8, 12)).shape == (1, 3, 8 * scale, 12 * scale)


def test_a_batch_shares_the_largest_difference(votes: VOTES) -> None:
    """So a batch of different clips is restored otherwise than each alone, as officially."""
    centre, predicted = random(2, 3, 8, 8), random(2, 3, 8, 8, seed=1)
    predicted[1] = centre[1] + (predicted[1] - centre[1]) / 50
    both = degradation_map(centre, predicted)
    alone = degradation_map(centre[1:], predicted[1:])
    assert float(both.map[1].max()) < 1
    assert float(alone.map.max()) == 1


def test_frames_that_are_predicted_perfectly_have_a_map_of_zeros(votes: VOTES) -> None:
    """Officially 0 / 0, and no pixel of the restored frame is a number."""
    frame = random(1, 3, 8, 8)
    assert float(degradation_map(frame, frame).map.abs().max()) == 0
    black = torch.zeros(1, 5, 3, 12, 12, dtype=torch.float64)
    with torch.inference_mode():
        assert bool(torch.isfinite(votes(black)).all())


def test_grey_levels_are_whole() -> None:
    """125 x 0.299 + 125 x 0.587 + 50 x 0.114 = 116.45, 100 x 0.299 = 29.9, and white is 255."""
    colours = torch.tensor([[125.0, 125.0, 50.0], [100.0, 0.0, 0.0], [255.0, 255.0, 255.0]], dtype=torch.float64)
    levels = grey_levels(colours.T.reshape(1, 3, 1, 3) / 255)
    assert levels.flatten().tolist() == [116.0, 30.0, 255.0]


@pytest.mark.shared
def test_float32_differs_only_at_the_limit_between_two_levels(shared: Path) -> None:
    """In ``case_main`` one predicted grey lies 1.8e-5 levels from such a limit, below the error of float32 (3e-5); and
    the map is a logarithm of small whole numbers, so a level shows."""
    folder = shared / "parity" / "votes_bin"
    case = read_case(folder / "case_main.npz")
    network = build("votes_bin", folder / "manifest.json", case.meta, "float32")
    assert isinstance(network, BIN)
    with torch.inference_mode():
        found = bin_parity.outputs(network, case.inputs, case.meta)
    for name, value in case.outputs.items():
        if name not in bin_parity.EXACT:
            assert float((found[name] - torch.from_numpy(value)).abs().max()) < 1e-4 * abs(value).max(), name
    predicted = torch.from_numpy(case.outputs["out1_prime"]).clamp(0, 1) * 255
    exactly = (predicted * torch.tensor([0.299, 0.587, 0.114]).double().view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    other = found["blur_gray"] != torch.from_numpy(case.outputs["blur_gray"])
    assert int(other.sum()) <= 2
    assert bool(((exactly - exactly.floor() - 0.5).abs()[other] < 1e-4).all())
    assert torch.equal(found["center_gray"].double(), torch.from_numpy(case.outputs["center_gray"]))
    assert torch.equal(found["dfm"][~other], torch.from_numpy(case.outputs["dfm"])[~other].float())


@pytest.mark.shared
def test_float32_is_within_once_what_is_rounded_is_computed_in_float64(shared: Path) -> None:
    found = verified("votes_bin", shared / "parity" / "votes_bin" / "case_main.npz", dtype="float32")
    assert {d.output for d in found.over} == {"blur_gray", "diff", "dfm"}
    assert "rounded to whole numbers" in found.rounding
    assert len(found.decided) == len(found.differences)
    assert all(d.within and d.allowed <= 1e-4 * d.peak for d in found.decided)


def test_what_they_cannot_take_is_refused(edvr: EDVR, votes: VOTES) -> None:
    with pytest.raises(InputError, match=r"EDVR was given .* it takes \(batch, 5, 3, height, width\)"):
        edvr(random(1, 7, 3, 8, 8))
    with pytest.raises(InputError, match="10 x 8 pixels; width and height are to be multiples of 4"):
        edvr(random(1, 5, 3, 8, 10))
    with pytest.raises(InputError, match="VOTES was given frames of 10 x 8 pixels"):
        votes(random(1, 5, 3, 8, 10))
    with pytest.raises(InputError, match="multiples of 16"):
        EDVR(num_feat=16, hr_in=True, with_predeblur=True)(torch.zeros(1, 5, 3, 24, 32))
    with pytest.raises(InputError, match="only with predeblur"):
        EDVR(num_feat=16, hr_in=True)
    with pytest.raises(InputError, match="scale of 5"):
        EDVR(num_feat=16, scale=5)
    with pytest.raises(InputError, match="three to three"):
        EDVR(num_in_ch=1)
    with pytest.raises(InputError, match="five of three"):
        VOTES(num_frame=7)
    with pytest.raises(InputError, match="height and width even"):
        BIN(D=1)(torch.zeros(1, 5, 3, 8, 9))
    with pytest.raises(InputError, match="exists with 2"):
        BIN(arch_scale=3)
