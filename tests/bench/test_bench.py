"""Speed, side by side with what one would use instead. Run by ``nox -s bench``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from degradations.apply import degrade
from vbench.metrics.psnr import psnr
from vbench.metrics.ssim import prepare, ssim
from vbench.models import spec
from vbench.restore import run_array

Bench = Callable[..., Any]
MODELS = 4


@pytest.fixture(scope="module")
def frames() -> NDArray[np.uint8]:
    """Eight frames of 480 x 270."""
    import cv2

    photo = cv2.resize(data.astronaut(), (520, 520))
    return np.stack([photo[4 * t : 270 + 4 * t, 2 * t : 480 + 2 * t] for t in range(8)])


@pytest.fixture(scope="module")
def noisy(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 12, frames.shape)
    return np.clip(frames + noise + 0.5, 0, 255).astype(np.uint8)


def tensor(x: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


@pytest.mark.benchmark(group="psnr, 8 frames of 480 x 270")
def test_psnr_ours(benchmark: Bench, frames: NDArray[np.uint8], noisy: NDArray[np.uint8]) -> None:
    a, b = tensor(frames), tensor(noisy)
    assert len(benchmark(lambda: psnr(b, a))) == 8


@pytest.mark.benchmark(group="psnr, 8 frames of 480 x 270")
def test_psnr_scikit_image(benchmark: Bench, frames: NDArray[np.uint8], noisy: NDArray[np.uint8]) -> None:
    pairs = list(zip(frames, noisy, strict=True))
    assert len(benchmark(lambda: [peak_signal_noise_ratio(x, y, data_range=255) for x, y in pairs])) == 8


@pytest.mark.benchmark(group=f"ssim of {MODELS} models, 8 frames of 480 x 270")
def test_ssim_ours(benchmark: Bench, frames: NDArray[np.uint8], noisy: NDArray[np.uint8]) -> None:
    a, b = tensor(frames), tensor(noisy)

    def run() -> list[list[float]]:
        truth = prepare(a)  # once for all models
        return [ssim(b, truth) for _ in range(MODELS)]

    assert len(benchmark(run)) == MODELS


@pytest.mark.benchmark(group=f"ssim of {MODELS} models, 8 frames of 480 x 270")
def test_ssim_scikit_image(benchmark: Bench, frames: NDArray[np.uint8], noisy: NDArray[np.uint8]) -> None:
    options: dict[str, Any] = {
        "data_range": 255, "channel_axis": 2, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False
    }  # fmt: skip
    pairs = list(zip(frames, noisy, strict=True)) * MODELS
    assert len(benchmark(lambda: [structural_similarity(x, y, **options) for x, y in pairs])) == 8 * MODELS


@pytest.mark.benchmark(group="temporal median of 3, 8 frames of 480 x 270")
def test_median_ours(benchmark: Bench, noisy: NDArray[np.uint8]) -> None:
    x = tensor(noisy).float() / 255
    restorer = spec("temporal-median").load(torch.device("cpu"), None)
    assert benchmark(lambda: run_array(restorer, x)).shape == x.shape


@pytest.mark.benchmark(group="temporal median of 3, 8 frames of 480 x 270")
def test_median_torch(benchmark: Bench, noisy: NDArray[np.uint8]) -> None:
    x = tensor(noisy).float() / 255
    assert benchmark(lambda: x.unfold(0, 3, 1).median(dim=-1).values).shape[0] == 6


@pytest.mark.parametrize("variant", ["light", "medium", "heavy"])
@pytest.mark.benchmark(group="old film, 8 frames of 480 x 270")
def test_oldfilm(benchmark: Bench, frames: NDArray[np.uint8], variant: str) -> None:
    x = tensor(frames).float() / 255
    assert benchmark(lambda: degrade(x, "oldfilm", variant)).frames.shape == x.shape


@pytest.mark.benchmark(group="start of the command line")
def test_help(benchmark: Bench) -> None:
    command = [sys.executable, "-m", "vbench", "--help"]
    assert benchmark(lambda: subprocess.run(command, capture_output=True, check=True)).returncode == 0


@pytest.mark.benchmark(group="start of the command line")
def test_python_alone(benchmark: Bench) -> None:
    command = [sys.executable, "-c", "pass"]
    assert benchmark(lambda: subprocess.run(command, capture_output=True, check=True)).returncode == 0
