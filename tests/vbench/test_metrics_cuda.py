"""Metrics on a GPU give what they give on the CPU, to the tolerance stated for each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vbench import metrics
from vbench.metrics.spec import Chunk, View, figures_of

pytestmark = pytest.mark.cuda

AGREEMENT = {
    "psnr": 1e-9,
    "psnr[y,crop=4]": 1e-9,
    "ssim": 1e-9,
    "ssim[y,uniform7]": 1e-9,
    "ssim[ffmpeg]": 1e-9,
    "ms_ssim": 1e-9,
    "psnr_aligned": 1e-9,
    "ssim_aligned": 1e-9,
    "warp_error": 1e-6,
    "warp_error_long": 1e-6,
    "warp_error_ratio": 1e-6,
    "tof": 1e-6,
    "flicker": 1e-6,
    "colour_shift": 1e-9,
    "gain_shift": 1e-9,
    "psnr_damaged": 1e-9,
    "psnr_intact": 1e-9,
}
"""Relative. All but optical flow, which stays on the CPU, is in double precision."""


@pytest.mark.parametrize("name", AGREEMENT)
def test_cpu_and_gpu_agree(name: str, picture: NDArray[np.uint8]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    import cv2

    large = cv2.resize(picture, (240, 200))
    truth = np.stack([large[:180, t : t + 200] for t in range(4)])
    result = np.clip(truth + np.random.default_rng(0).normal(0, 9, truth.shape), 0, 255).astype(np.uint8)
    mask = np.zeros((4, 180, 200, 1), np.uint8)
    mask[:, 20:60, 30:90] = 255
    metric = metrics.load(name)
    values = []
    for device in ("cpu", "cuda"):
        clips = [
            torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).to(device) for x in (result, truth, mask)
        ]
        values.append(figures_of(metric, View(Chunk(clips[0]), Chunk(clips[1]), None, Chunk(clips[2]))).values)
    assert values[1] == pytest.approx(values[0], rel=AGREEMENT[name])
