"""PVDNet and CDVD-TSP as restorers, with the recipe's weights, against the official loops over a clip."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from vbench import models
from vbench.errors import MissingWeights, RunError
from vbench.models.networks import NETWORKS
from vbench.models.recipe import read_manifest, state_dict
from vbench.restore import Restorer, run_array

PARITY = Path(__file__).resolve().parents[1] / "parity"
CPU = torch.device("cpu")
MODELS = {"pvdnet-dvd": "pvdnet", "pvdnet-large-gopro": "pvdnet_large", "cdvd-tsp-gopro": "cdvd_tsp"}


@pytest.fixture(scope="module")
def restorers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Restorer]:
    """Loaded from checkpoints as their authors save them: PVDNet's from a data-parallel model."""
    out = {}
    for model, network in MODELS.items():
        document = read_manifest(PARITY / network / "manifest.json")
        made = NETWORKS[network].module().build(document, {})
        made.load_state_dict(made.state_dict() | state_dict(document))
        path = tmp_path_factory.mktemp("weights") / f"{model}.pth"
        prefix = "module." if network.startswith("pvdnet") else ""
        torch.save({f"{prefix}{key}": value for key, value in made.state_dict().items()}, path)
        out[model] = models.spec(model).load(CPU, path)
    return out


@pytest.mark.parametrize("model", MODELS)
def test_the_entry_says_what_the_network_has(model: str) -> None:
    spec = models.spec(model)
    module, _, function = str(spec.network).partition(":")
    made = getattr(importlib.import_module(module), function)()
    assert sum(p.numel() for p in made.parameters()) == spec.parameters
    with pytest.raises(MissingWeights, match="vbench weights import"):
        spec.load(CPU, None)


@pytest.mark.shared
@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_pvdnet_restores_a_clip_as_the_official_loop(shared: Path, restorers: dict[str, Restorer], chunk: int) -> None:
    with np.load(shared / "parity" / "pvdnet" / "case_clip7.npz") as stored:
        frames, official = stored["in/frames"], (stored["out/frames"] + 1) / 2
    blurred = torch.from_numpy(frames.transpose(0, 3, 1, 2)).float() / 255
    found = run_array(restorers["pvdnet-dvd"], blurred, chunk=chunk).numpy()
    assert np.abs(found - official).max() < 1e-5


@pytest.mark.shared
@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_cdvd_tsp_restores_a_clip_as_the_official_script(
    shared: Path, restorers: dict[str, Restorer], chunk: int
) -> None:
    with np.load(shared / "parity" / "cdvd_tsp" / "case_sequence.npz") as stored:
        frames, official = stored["in/blur"][:, :52, :68], stored["out/restored"]
    blurred = torch.from_numpy(frames.transpose(0, 3, 1, 2)).float() / 255
    found = run_array(restorers["cdvd-tsp-gopro"], blurred, chunk=chunk).numpy()
    assert np.abs(found - official).max() < 1e-4 * np.abs(official).max()


@pytest.mark.parametrize("model", MODELS)
def test_frames_of_any_size_keep_it(model: str, restorers: dict[str, Restorer]) -> None:
    clip = torch.rand(3, 3, 33, 70, generator=torch.Generator().manual_seed(0))
    found = run_array(restorers[model], clip)
    assert found.shape == clip.shape


@pytest.mark.parametrize("model", ["pvdnet-dvd", "cdvd-tsp-gopro"])
def test_a_gray_clip_is_shown_in_three_channels(model: str, restorers: dict[str, Restorer]) -> None:
    gray = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    colour = run_array(restorers[model], gray.expand(-1, 3, -1, -1))
    assert torch.allclose(run_array(restorers[model], gray), colour.mean(dim=1, keepdim=True), atol=1e-5)


@pytest.mark.parametrize("model", ["pvdnet-dvd", "cdvd-tsp-gopro"])
def test_nothing_carries_over_from_clip_to_clip(model: str, restorers: dict[str, Restorer]) -> None:
    clip = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    first = run_array(restorers[model], clip)
    run_array(restorers[model], clip.flip(0))
    assert torch.equal(run_array(restorers[model], clip), first)


def test_a_clip_of_one_frame(restorers: dict[str, Restorer]) -> None:
    one = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert run_array(restorers["pvdnet-dvd"], one).shape == one.shape
    with pytest.raises(RunError, match="CDVD-TSP was given a clip of 1 frame"):
        run_array(restorers["cdvd-tsp-gopro"], one)
