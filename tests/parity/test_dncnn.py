"""DnCNN: names, shapes and outputs of the official network; figures of the official weights on a real clip."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from vbench import models
from vbench.models.dncnn.net import DnCNN
from vbench.models.dncnn.restorer import fuse, load_restorer
from vbench.restore import run_array
from vbench.sources import open_clip

HERE = Path(__file__).parent


def _recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recipe", HERE / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = [(17, "manifest.json", "case_17.npz"), (20, "manifest_20.json", "case_20.npz")]


@pytest.mark.parametrize(("layers", "manifest", "case"), CASES)
def test_names_and_shapes_are_the_official_ones(layers: int, manifest: str, case: str) -> None:
    document = json.loads((HERE / "dncnn" / manifest).read_text("utf-8"))
    with torch.device("meta"):
        own = {k: list(v.shape) for k, v in DnCNN(layers).state_dict().items()}
    assert own == {k: v["shape"] for k, v in document["tensors"].items()}
    name = {17: "dncnn-s25", 20: "dncnn-b"}[layers]
    assert models.spec(name).parameters == sum(p.numel() for p in DnCNN(layers).parameters())


@pytest.mark.parametrize(("layers", "manifest", "case"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, None), (torch.float32, 1e-4)])
def test_outputs_equal_the_official_ones(
    layers: int, manifest: str, case: str, dtype: torch.dtype, tolerance: float | None
) -> None:
    """In float64 at the fixture's tolerance (1e-8 of the largest value), in float32 at 1e-4."""
    with np.load(HERE / "dncnn" / case) as stored:
        data = {k: stored[k] for k in stored.files}
    meta: dict[str, Any] = json.loads(str(data["meta"]))
    limit = tolerance or meta["tolerance"]["relative_to_max"]
    network = DnCNN(layers).eval().to(dtype)  # first: single precision would round the weights
    state = network.state_dict() | _recipe().filled(HERE / "dncnn" / manifest)
    network.load_state_dict(state, strict=True)
    noisy = torch.from_numpy(data["in/noisy"])[:, None].to(dtype) / 255
    seen: dict[str, torch.Tensor] = {}
    for i, layer in enumerate(network.dncnn):
        layer.register_forward_hook(
            lambda module, inputs, out, i=i: seen.__setitem__(f"out/dncnn.{i}", out[:1, :3].detach().clone())
        )
    with torch.inference_mode():
        residual = network(noisy)
    results = {
        "out/residual": residual,
        "out/denoised": noisy - residual,
        "out/denoised_clamped": (noisy - residual).clamp(0, 1),
    } | seen
    compared = [k for k in data if k.startswith("out/")]
    assert len(compared) == 10
    for key in compared:
        wanted = torch.from_numpy(data[key])
        assert float((results[key].double() - wanted).abs().max()) <= limit * float(wanted.abs().max()), key


def test_folding_the_norms_changes_nothing() -> None:
    network = DnCNN(17).eval()
    state = network.state_dict() | _recipe().filled(HERE / "dncnn" / "manifest.json")
    network.load_state_dict(state)
    network.double()
    x = torch.rand(2, 1, 33, 41, dtype=torch.float64)
    with torch.inference_mode():
        assert torch.allclose(fuse(network)(x), network(x), rtol=1e-10, atol=1e-12)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "name", "layers"), [("DnCNN-S-25@25", "dncnn-s25", 17), ("DnCNN-B@15", "dncnn-b", 20)]
)
def test_real_weights_reach_the_official_figures(shared: Path, case: str, name: str, layers: int) -> None:
    """PSNR of single frames within the 0.001 dB that ``real_run.json`` states, through our restorer."""
    official = json.loads((shared / "parity" / "dncnn" / "real_run.json").read_text())["cases"][case]
    clip = open_clip(shared / "data" / "clips" / "factory_1080p30").read(0, 2)[:, 135:405, 240:720]
    clean = torch.from_numpy(clip.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    torch.manual_seed(0)
    noise = [torch.FloatTensor(1, 1, 270, 480).normal_(0, official["sigma"] / 255) for _ in range(2)]
    assert noise[0].flatten()[:5].tolist() == pytest.approx(official["noise_first_5"], abs=1e-7)
    noisy = clean + torch.cat(noise)
    restorer = load_restorer(
        layers, torch.device("cpu"), shared / "data" / "weights" / official["checkpoint"], models.spec(name)
    )
    restored = run_array(restorer, noisy)
    figures = -10 * torch.log10((restored - clean).double().square().mean(dim=(1, 2, 3)))
    assert figures.tolist() == pytest.approx(official["psnr"][:2], abs=0.001)
