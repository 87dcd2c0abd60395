"""FastDVDnet as a restorer, with the recipe's weights, against the official sequence wrapper."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vbench.errors import InputError, MissingWeights, RunError
from vbench.models.fastdvdnet import S25
from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.fastdvdnet.restorer import FastDVDnetRestorer, load_restorer
from vbench.models.recipe import read_manifest, state_dict
from vbench.restore import run_array

FIXTURE = Path(__file__).resolve().parents[1] / "parity" / "fastdvdnet"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as the authors save theirs: a data-parallel model's, in float32."""
    path = tmp_path_factory.mktemp("weights") / "model.pth"
    network = FastDVDnet()
    network.load_state_dict(network.state_dict() | state_dict(read_manifest(FIXTURE / "manifest.json")))
    torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, path)
    return path


@pytest.mark.parametrize("chunk", [1, 2, 8])
def test_a_clip_comes_out_as_from_the_official_wrapper(weights: Path, chunk: int) -> None:
    with np.load(FIXTURE / "case_short.npz") as stored:
        noisy, official = torch.from_numpy(stored["in/noisy"]), stored["out/denoised"]
        sigma = json.loads(str(stored["meta"]))["sigma"]
    restored = run_array(load_restorer(CPU, weights, sigma, S25), noisy, chunk=chunk)
    assert np.abs(restored.numpy() - official).max() < 1e-5


@pytest.mark.shared
def test_a_longer_clip_too(shared: Path, weights: Path) -> None:
    with np.load(shared / "parity" / "fastdvdnet" / "case_sequence.npz") as stored:
        noisy, official = torch.from_numpy(stored["in/noisy"]), stored["out/denoised"]
        sigma = json.loads(str(stored["meta"]))["sigma"]
    restored = run_array(load_restorer(CPU, weights, sigma, S25), noisy)
    assert np.abs(restored.numpy() - official).max() < 1e-5


def test_a_gray_clip_is_shown_in_three_channels(weights: Path) -> None:
    restorer = load_restorer(CPU, weights, 25, S25)
    gray = torch.rand(4, 1, 9, 14, generator=torch.Generator().manual_seed(0))
    colour = run_array(restorer, gray.expand(-1, 3, -1, -1))
    assert torch.allclose(run_array(restorer, gray), colour.mean(dim=1, keepdim=True), atol=1e-6)


def test_nothing_carries_over_and_no_more_than_a_window_is_held(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vbench.models.fastdvdnet import sequence

    held = []
    plain = sequence.Sequence._forget

    def watched(self: sequence.Sequence) -> None:
        plain(self)
        held.append((len(self._frames), len(self._inner)))

    monkeypatch.setattr(sequence.Sequence, "_forget", watched)
    restorer = load_restorer(CPU, weights, 25, S25)
    clip = torch.rand(14, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    first = run_array(restorer, clip)
    run_array(restorer, clip.flip(0))
    assert torch.equal(run_array(restorer, clip), first)
    assert max(frames for frames, _ in held) <= 5
    assert max(inner for _, inner in held) <= 4


def test_what_cannot_be_is_refused(weights: Path) -> None:
    with pytest.raises(MissingWeights, match="m-tassano/fastdvdnet"):
        load_restorer(CPU, None, 25, S25)
    with pytest.raises(InputError, match="noise level is 300"):
        FastDVDnetRestorer(FastDVDnet(), 300)
    restorer = load_restorer(CPU, weights, 25, S25)
    with pytest.raises(RunError, match="a clip of 2 frame"):
        run_array(restorer, torch.zeros(2, 3, 8, 8))
    with pytest.raises(RunError, match="8 x 1 pixels, too few"):
        run_array(restorer, torch.zeros(4, 3, 1, 8))
