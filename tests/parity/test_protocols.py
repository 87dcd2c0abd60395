"""Protocols against the figures that the official scripts printed: their own outputs, measured by our metrics.

What the scripts computed on made-up clips with made-up weights stands in the fixtures; so low figures are right.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vbench import metrics, protocols
from vbench.metrics.spec import Chunk, View, figures_of
from vbench.restore import to_uint16

HERE = Path(__file__).parent


def case(folder: Path, name: str) -> dict[str, NDArray[np.generic]]:
    with np.load(folder / f"{name}.npz") as stored:
        return {key: stored[key] for key in stored.files if key != "meta"}


def clip(frames: NDArray[np.generic]) -> torch.Tensor:
    """``(T, H, W, C)`` uint8 as ``(T, C, H, W)``."""
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def kept(frames: NDArray[np.generic], depth: int) -> torch.Tensor:
    """What is measured of floating-point frames ``(T, C, H, W)`` in [0, 1] under a protocol."""
    assert depth == 16
    return torch.from_numpy(to_uint16(torch.from_numpy(np.asarray(frames, np.float32))).transpose(0, 3, 1, 2).copy())


def measured(metric: str, restored: torch.Tensor, truth: torch.Tensor) -> NDArray[np.float64]:
    found = metrics.load(metric)
    return np.array(figures_of(found, View(Chunk(restored), Chunk(truth))).values)


def test_cdvd() -> None:
    """The two pairs of pictures and their figures by inference.py of csbhr/CDVD-TSP; tolerance of the fixture."""
    found = case(HERE / "cdvd_tsp", "case_metrics")
    psnr, ssim = protocols.load("deblur-cdvd").metrics
    restored, truth = clip(found["in/output"]), clip(found["in/gt"])
    assert np.abs(measured(psnr, restored, truth) - found["out/psnr"]).max() < 1e-6
    assert np.abs(measured(ssim, restored, truth) - found["out/ssim"]).max() < 1e-6


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_rfr(mode: str) -> None:
    """Five gray frames restored by the official procedure, with piq's figures (so small that piq does not shrink them).
    Frames are kept with 16 bits and the figures stored are of float32: 1e-4 dB."""
    found = case(HERE / "rfr", f"case_dncnn_{mode}")
    protocol = protocols.load("denoise-rfr")
    truth = clip(found["in/video"])
    restored = kept(found["out/baseline"], protocol.depth)
    psnr, ssim = protocol.metrics
    assert np.abs(measured(psnr, restored, truth) - found["out/baseline_psnr"]).max() < 1e-4
    assert np.abs(measured(ssim, restored, truth) - found["out/baseline_ssim"]).max() < 1e-5
    # The 1e-8 is no rounding noise: plain PSNR is higher, by 4.3e-8 / MSE dB.
    plain = measured("psnr", restored, truth)
    assert (plain > measured(psnr, restored, truth)).all()


@pytest.mark.parametrize("name", ["denoise-fastdvdnet", "denoise-dvdnet"])
def test_fastdvdnet(name: str) -> None:
    """Three frames by the official wrapper: the mean of the frames' PSNRs that its script logs, 1e-4 dB."""
    found = case(HERE / "fastdvdnet", "case_short")
    protocol = protocols.load(name)
    restored = kept(found["out/denoised"], protocol.depth)
    (psnr,) = protocol.metrics
    values = measured(psnr, restored, clip(found["in/clean"]))
    assert abs(values.mean() - float(found["out/psnr_denoised"])) < 1e-4


def test_pvdnet(shared: Path) -> None:
    """Seven frames by the official loop. Its figures are of frames that are not clamped; ours, clamped, are not below them."""
    found = case(shared / "parity" / "pvdnet", "case_clip7")
    protocol = protocols.load("deblur-pvdnet")
    truth = clip(found["in/gt"])
    frames = (np.asarray(found["out/frames"], np.float64) + 1) / 2
    floats = torch.from_numpy(frames)
    psnr, ssim = protocol.metrics
    assert np.abs(measured(psnr, floats, truth) - found["out/psnr"]).max() < 1e-4
    assert np.abs(measured(ssim, floats, truth) - found["out/ssim"]).max() < 1e-5
    clamped = kept(frames, protocol.depth)
    assert (measured(psnr, clamped, truth) > found["out/psnr"] - 1e-4).all()
