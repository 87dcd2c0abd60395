"""DnCNN: names, shapes and outputs of the official network; figures of the official weights on a real clip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vbench import models
from vbench.models.dncnn.net import DnCNN
from vbench.models.dncnn.restorer import fuse
from vbench.models.recipe import read_manifest, state_dict
from vbench.restore import run_array
from vbench.sources import open_clip

HERE = Path(__file__).parent / "dncnn"
CASES = [("dncnn-s25", 17, "manifest.json", "case_17.npz"), ("dncnn-b", 20, "manifest_20.json", "case_20.npz")]


@pytest.mark.parametrize(("name", "layers", "manifest", "case"), CASES)
def test_folding_the_norms_changes_nothing(name: str, layers: int, manifest: str, case: str) -> None:
    network = DnCNN(layers).eval().double()
    network.load_state_dict(network.state_dict() | state_dict(read_manifest(HERE / manifest)))
    x = torch.rand(2, 1, 33, 41, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(fuse(network)(x), network(x), rtol=1e-10, atol=1e-12)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(("case", "name"), [("DnCNN-S-25@25", "dncnn-s25"), ("DnCNN-B@15", "dncnn-b")])
def test_real_weights_reach_the_official_figures(shared: Path, case: str, name: str) -> None:
    """PSNR of single frames within the 0.001 dB that ``real_run.json`` states, through our restorer."""
    official = json.loads((shared / "parity" / "dncnn" / "real_run.json").read_text())["cases"][case]
    clip = open_clip(shared / "data" / "clips" / "factory_1080p30").read(0, 2)[:, 135:405, 240:720]
    clean = torch.from_numpy(clip.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    torch.manual_seed(0)
    noise = [torch.FloatTensor(1, 1, 270, 480).normal_(0, official["sigma"] / 255) for _ in range(2)]
    assert noise[0].flatten()[:5].tolist() == pytest.approx(official["noise_first_5"], abs=1e-7)
    noisy = clean + torch.cat(noise)
    before = -10 * torch.log10((noisy - clean).double().square().mean(dim=(1, 2, 3)))
    assert before.tolist() == pytest.approx(official["noisy_psnr"][:2], abs=0.001)
    restorer = models.spec(name).load(torch.device("cpu"), shared / "data" / "weights" / official["checkpoint"])
    restored = run_array(restorer, noisy)
    figures = -10 * torch.log10((restored - clean).double().square().mean(dim=(1, 2, 3)))
    assert figures.tolist() == pytest.approx(official["psnr"][:2], abs=0.001)
