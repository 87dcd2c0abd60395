"""CDVD-TSP and its PWC-Net: what their fixtures do not say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vbench.errors import InputError, RunError
from vbench.flow.pwcnet.align import FlowPWC, align, gradient
from vbench.flow.pwcnet.net import PWCNet
from vbench.models.cdvd_tsp.net import CDVDTSP, Aligned, sharpness_prior
from vbench.models.cdvd_tsp.recons import ReconsVideo
from vbench.models.cdvd_tsp.sequence import restore, windows
from vbench.models.verify import build

MANIFEST = Path(__file__).parent / "cdvd_tsp" / "manifest.json"


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def network() -> CDVDTSP:
    """With the recipe's weights, in float64."""
    found = build("cdvd_tsp", MANIFEST, {})
    assert isinstance(found, CDVDTSP)
    return found


def test_a_batch_gives_what_single_windows_give(network: CDVDTSP) -> None:
    x = random(2, 5, 3, 24, 36)
    with torch.inference_mode():
        both = network(x)
        for found, single in zip(both, zip(*(network(x[i : i + 1]) for i in range(2)), strict=True), strict=True):
            assert torch.allclose(found, torch.cat(single), atol=1e-9)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_a_sequence_gives_what_its_windows_give(network: CDVDTSP, count: int) -> None:
    """Nothing is lost by computing once what windows share."""
    clip = random(count, 3, 12, 16)
    with torch.inference_mode():
        found = list(restore(network, clip.split(1), count))
        assert len(found) == count
        for frame, window in zip(found, windows(count), strict=True):
            assert torch.allclose(frame, network(clip[list(window)][None]).out, atol=1e-9)


def test_stage_one_runs_once_a_frame(network: CDVDTSP, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    combine = CDVDTSP.combine

    def counted(self: CDVDTSP, *frames: object) -> object:
        calls.append(None)
        return combine(self, *frames)  # type: ignore[arg-type]

    monkeypatch.setattr(CDVDTSP, "combine", counted)
    with torch.inference_mode():
        list(restore(network, random(9, 3, 16, 16).split(1), 9))
    # Stage 2 for each frame, stage 1 for each but the two ends as a centre, and four reversed triples at the ends.
    assert len(calls) == 9 + 7 + 4


def test_windows_are_those_of_the_script() -> None:
    assert windows(2) == [(0, 1, 0, 1, 0), (1, 0, 1, 0, 1)]
    with pytest.raises(RunError, match="clip of 1 frame"):
        windows(1)
    with pytest.raises(RunError, match="at least 5"):
        windows(4, border=False)


def test_the_prior_is_zero_where_a_neighbour_is_not_valid() -> None:
    centre = random(1, 3, 9, 9)
    flow = torch.zeros(1, 2, 9, 9, dtype=torch.float64)
    mask = torch.ones(1, 1, 9, 9, dtype=torch.float64)
    half = mask.clone()
    half[..., :4] = 0
    prior = sharpness_prior(Aligned(centre, flow, mask), centre, Aligned(centre, flow, half))
    assert float(prior[..., :4].abs().max()) == 0
    assert torch.equal(prior[..., 4:], torch.ones(1, 1, 9, 5, dtype=torch.float64))
    # By hand: one channel of one neighbour is 0.6 brighter everywhere; away from the border exp(-0.6 / sqrt(2)).
    brighter = centre + torch.tensor([0.6, 0.0, 0.0]).view(1, 3, 1, 1)
    prior = sharpness_prior(Aligned(brighter, flow, mask), centre, Aligned(centre, flow, mask))
    assert float(prior[0, 0, 4, 4]) == pytest.approx(0.65425, abs=1e-5)
    rough = sharpness_prior(Aligned(brighter, flow, mask), centre, Aligned(centre, flow, mask), smoothed=False)
    assert torch.allclose(rough, rough[0, 0, 0, 0])


def test_an_image_moved_by_whole_pixels_is_a_shift() -> None:
    frames = random(1, 3, 8, 9)
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 8, 9).double()
    found = align(frames, flow)
    assert torch.allclose(found.image[..., 2:, :-3], frames[..., :-2, 3:], atol=1e-12)
    assert float(found.mask.sum()) == 6 * 6
    assert float(found.image[..., :2, :].abs().max()) == 0


def test_a_frame_of_one_pixel_height_is_aligned() -> None:
    found = align(random(1, 3, 1, 5), torch.zeros(1, 2, 1, 5, dtype=torch.float64))
    assert bool(torch.isfinite(found.image).all())
    assert float(gradient(torch.ones(1, 3, 1, 1)).sum()) == 0


def test_what_it_cannot_take_is_refused(network: CDVDTSP) -> None:
    with pytest.raises(InputError, match=r"takes \(batch, 5, 3, height, width\)"):
        network(random(1, 3, 3, 16, 16))
    with pytest.raises(InputError, match="18 x 16 pixels; width and height are to be multiples of 4"):
        network(random(1, 5, 3, 16, 18))
    with pytest.raises(InputError, match="height and width multiples of 4"):
        ReconsVideo()(torch.zeros(1, 10, 16, 18))
    with pytest.raises(InputError, match="width and height are to be multiples of 64"):
        PWCNet()(torch.zeros(1, 3, 64, 72), torch.zeros(1, 3, 64, 72))
    with pytest.raises(InputError, match="takes two of one shape"):
        FlowPWC()(torch.zeros(1, 3, 64, 72), torch.zeros(1, 3, 64, 76))
