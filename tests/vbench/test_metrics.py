"""Metrics against official values, an independent library, and cases that can be worked out by hand."""

import functools
import itertools
import json
import math
import operator
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vbench import metrics
from vbench.errors import InputError
from vbench.metrics.psnr import psnr
from vbench.metrics.spec import Chunk, Figures, View, figures_of, mean, on_255
from vbench.metrics.ssim import ssim
from vbench.metrics.warp_error import dis_flows, occlusion, pair_flow, sampling, warp, warp_error


def tensor(frames: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def noisy(frames: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
    return np.clip(frames + noise + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.shared
def test_psnr_and_ssim_equal_the_official_values(shared: Path) -> None:
    """BasicSR's figures of the fixture, PSNR to 1e-6 dB and SSIM to 1e-8 as it states."""
    document = json.loads((shared / "metrics" / "psnr_ssim.json").read_text())
    seen = 0
    for pair in document["pairs"].values():
        images = []
        for side in ("ground_truth", "result"):
            stored = cv2.imread(str(shared / "metrics" / pair[side]), cv2.IMREAD_UNCHANGED)
            colour = stored[..., None] if stored.ndim == 2 else stored[..., ::-1]
            images.append(tensor(colour[None]))
        for key, official in pair["values"].items():
            match = re.fullmatch(r"basicsr_crop(\d)_(rgb|gray)", key)
            if match is None:
                continue
            crop = int(match[1])
            assert psnr(images[1], images[0], crop_border=crop)[0] == pytest.approx(official["psnr"], abs=1e-6)
            inner = [x[..., crop : x.shape[-2] - crop, crop : x.shape[-1] - crop] for x in images]
            assert ssim(inner[1], inner[0])[0] == pytest.approx(official["ssim"], abs=1e-8)
            seen += 1
    assert seen >= 8


@pytest.mark.parametrize("shape", [(64, 80), (37, 53), (11, 11)])
@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_and_ssim_equal_scikit_image(picture: NDArray[np.uint8], shape: tuple[int, int], channels: int) -> None:
    truth = picture[None, : shape[0], : shape[1], :channels]
    restored = noisy(truth, 12)
    a, b = truth[0].squeeze(), restored[0].squeeze()
    axis = 2 if channels == 3 else None
    assert psnr(tensor(restored), tensor(truth))[0] == pytest.approx(
        peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9
    )
    wanted = structural_similarity(
        a, b, data_range=255, channel_axis=axis, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    if min(shape) > 11:  # at 11 pixels only one position is left, which scikit-image averages likewise
        assert ssim(tensor(restored), tensor(truth))[0] == pytest.approx(wanted, abs=1e-9)


def test_equal_frames(moving: NDArray[np.uint8]) -> None:
    x = tensor(moving)
    assert psnr(x, x) == [math.inf] * 6
    assert ssim(x, x) == pytest.approx([1.0] * 6, abs=1e-12)


def test_a_batch_gives_what_single_frames_give(moving: NDArray[np.uint8]) -> None:
    a, b = tensor(moving), tensor(noisy(moving, 9))
    for metric in (psnr, ssim):
        assert metric(b, a) == pytest.approx([metric(b[i : i + 1], a[i : i + 1])[0] for i in range(6)], rel=1e-12)


def test_scales_agree(moving: NDArray[np.uint8]) -> None:
    """8 bit, 16 bit over the full range and floats of the same values give the same figures."""
    a, b = tensor(moving), tensor(noisy(moving, 9))
    wide = [torch.from_numpy(x.numpy().astype(np.uint16) * 257) for x in (a, b)]
    floats = [x.double() / 255 for x in (a, b)]
    for metric in (psnr, ssim):
        assert metric(wide[1], wide[0]) == pytest.approx(metric(b, a), rel=1e-10)
        assert metric(floats[1], floats[0]) == pytest.approx(metric(b, a), rel=1e-10)
    assert on_255(wide[0]).equal(on_255(a)) or torch.allclose(on_255(wide[0]), on_255(a), atol=1e-9)


@pytest.mark.parametrize(
    "name",
    [
        "psnr", "psnr[y]", "psnr[tecogan]", "ssim", "ssim[y]", "ssim[uniform7]", "ssim[ffmpeg]", "ssim[tecogan]", "psnr_aligned",
        "ssim_aligned", "warp_error", "warp_error_ratio", "l_st", "tof", "colour_shift", "gain_shift",
    ],
)  # fmt: skip
def test_the_two_sides_may_be_stored_in_different_depths(moving: NDArray[np.uint8], name: str) -> None:
    """An 8-bit result of a 16-bit ground truth, and the other way round: figures of the same values in 8 bits on both."""
    metric = metrics.load(name)
    truth, result = tensor(moving[:3]), tensor(noisy(moving[:3], 9))
    forms = [
        lambda x: x,
        lambda x: torch.from_numpy(x.numpy().astype(np.uint16) * 257),
        lambda x: x.double() / 255,
    ]
    wanted = figures_of(metric, View(Chunk(result), Chunk(truth))).values
    for of_result, of_truth in itertools.product(forms, forms):
        found = figures_of(metric, View(Chunk(of_result(result)), Chunk(of_truth(truth)))).values
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_ssim_of_tiny_frames_says_why_not() -> None:
    x = torch.zeros(1, 3, 10, 30, dtype=torch.uint8)
    with pytest.raises(InputError, match="11 x 11 pixels.*30 x 10"):
        ssim(x, x)


def test_a_mean_is_the_same_under_every_python() -> None:
    """`sum` of Python 3.12 adds with a correction, that of 3.11 does not; the mean here is rounded once."""
    values = [0.1] * 10
    assert mean(Figures(values)) == 0.1 != functools.reduce(operator.add, values) / 10
    assert mean(Figures([math.inf, 1.0, math.nan])) == math.inf
    assert math.isnan(mean(Figures([math.inf, -math.inf])))
    frame = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    channels = [ssim(frame[:, c : c + 1], 255 - frame[:, c : c + 1])[0] for c in range(3)]
    assert ssim(frame, 255 - frame)[0] == math.fsum(channels) / 3


def test_psnr_crops_the_border(moving: NDArray[np.uint8]) -> None:
    a, b = tensor(moving), tensor(noisy(moving, 9))
    assert psnr(b, a, crop_border=3) == pytest.approx(psnr(b[..., 3:-3, 3:-3], a[..., 3:-3, 3:-3]), abs=1e-12)
    assert psnr(b, a, crop_border=3) != pytest.approx(psnr(b, a), abs=1e-6)


def test_warp_error_of_a_still_clip_is_zero_and_of_flicker_is_not(moving: NDArray[np.uint8]) -> None:
    still = tensor(np.repeat(moving[:1], 4, axis=0))
    flows = dis_flows(still)
    assert warp_error(still, flows) == pytest.approx([0.0] * 3, abs=1e-24)
    flicker = still.double() / 255
    flicker[1::2] *= 0.9
    expected = float((0.1 * still[0].double() / 255).square()[:, flows[0].keep].mean())
    assert warp_error(flicker, flows)[0] == pytest.approx(expected, rel=1e-9)


def test_warp_error_follows_motion(moving: NDArray[np.uint8]) -> None:
    """A clip that moves as the ground truth does scores far lower than one that stands still in places."""
    truth = tensor(moving)
    frozen = truth[:1].expand_as(truth)
    flows = dis_flows(truth)
    assert np.mean(warp_error(truth, flows)) < 0.2 * np.mean(warp_error(frozen, flows))


def test_sampling_is_exact_at_whole_pixels_and_clamps_outside() -> None:
    frame = torch.arange(12, dtype=torch.float64).reshape(1, 3, 4)
    flow = torch.zeros(3, 4, 2)
    flow[..., 0] = 1.0
    rows = [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    assert np.allclose(warp(frame, sampling(flow))[0].numpy(), rows, atol=1e-12)
    flow[..., 0] = 0.25
    assert warp(frame, sampling(flow))[0, 0].tolist() == pytest.approx([0.25, 1.25, 2.25, 3.0], abs=1e-12)


def test_nothing_left_gives_zero() -> None:
    rough = torch.from_numpy(np.random.default_rng(0).normal(0, 9, (32, 32, 2)).astype(np.float32))
    pair = pair_flow(rough, rough)
    assert bool(occlusion(rough, rough).all())
    assert warp_error(torch.rand(2, 3, 32, 32), [pair]) == [0.0]


def test_warp_error_of_small_frames_says_why_not() -> None:
    with pytest.raises(InputError, match="32 x 32.*20 x 40"):
        dis_flows(torch.zeros(2, 3, 40, 20, dtype=torch.uint8))


def test_each_frame_is_turned_gray_once_for_its_two_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    from vbench.metrics import warp_error as module

    seen: list[torch.Tensor] = []
    plain = module.gray8
    monkeypatch.setattr(module, "gray8", lambda frame: seen.append(frame) or plain(frame))
    frames = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert len(dis_flows(frames)) == 3
    assert len(seen) == 4


@pytest.mark.shared
def test_warp_error_equals_the_official_evaluation(shared: Path) -> None:
    """Lai et al., flows given; masks exact, errors to 1e-6 of the values with sums in double."""
    with np.load(shared / "metrics" / "warp_error.npz") as z:
        stored = {k: z[k] for k in z.files}
    values = json.loads(str(stored["out/values"]))
    flows = [
        pair_flow(torch.from_numpy(f.astype(np.float32)), torch.from_numpy(b.astype(np.float32)))
        for f, b in zip(stored["in/flow_forward"], stored["in/flow_backward"], strict=True)
    ]
    masks = np.stack([~pair.keep.numpy() for pair in flows])
    assert (masks == stored["out/occlusion_forward"].astype(bool)).all()
    warped = warp(tensor(stored["in/output"])[1].double() / 255, flows[0].grid)
    wanted = stored["out/warped_output_forward"][0].transpose(2, 0, 1)
    assert np.abs(warped.numpy() - wanted).max() < 1e-6
    for side in ("output", "input"):
        figures = warp_error(tensor(stored[f"in/{side}"]), flows)
        assert figures == pytest.approx(values[f"lai_eval_{side}"]["per_pair_float64_sums"], rel=1e-6)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match='no metric "pnsr".*"psnr"'):
        metrics.load("pnsr")
    every = [m.name for m in metrics.load_all(["ssim", "all"])]
    assert every[:3] == ["ssim", "psnr", "psnr_aligned"]
    assert sorted(every) == sorted(metrics.names())
