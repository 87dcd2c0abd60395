"""FastDVDnet: names, shapes and outputs of the official network and of its sequence wrapper."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vbench.errors import InputError, RunError
from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.fastdvdnet.parity import build
from vbench.models.fastdvdnet.sequence import pad, restore_all, windows
from vbench.models.fold import fold_norms
from vbench.models.recipe import read_manifest, state_dict
from vbench.models.verify import mismatches

HERE = Path(__file__).parent / "fastdvdnet"
SHORT = HERE / "case_short.npz"


@pytest.fixture(scope="module")
def network() -> FastDVDnet:
    """With the recipe's weights, in float64."""
    made = FastDVDnet().eval().double()
    made.load_state_dict(made.state_dict() | state_dict(read_manifest(HERE / "manifest.json")))
    return made


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.shared
def test_the_file_that_rfr_ships_fits_too(shared: Path) -> None:
    document = read_manifest(shared / "parity" / "rfr" / "manifest_fastdvdnet.json")
    with torch.device("meta"):
        made = build(document, {})
    assert mismatches(made, document) == []


@torch.inference_mode()
def test_a_batch_gives_what_single_windows_give(network: FastDVDnet) -> None:
    frames, noise = random(3, 15, 12, 16), random(3, 1, 12, 16)
    whole = network(frames, noise)
    parts = torch.cat([network(frames[i : i + 1], noise[i : i + 1]) for i in range(3)])
    assert torch.allclose(whole, parts, rtol=1e-12, atol=1e-13)
    assert torch.allclose(network(frames, noise[:1])[1:2], network(frames[1:2], noise[:1]), rtol=1e-12, atol=1e-13)


@torch.inference_mode()
@pytest.mark.parametrize("count", [3, 4, 5, 9])
def test_sharing_between_windows_changes_nothing(network: FastDVDnet, count: int) -> None:
    """Every window by itself, against the sequence, where stage 1 of a frame serves three windows."""
    noisy = random(count, 3, 10, 13)
    padded = pad(noisy)
    noise = torch.full((1, 1, 12, 16), 0.1, dtype=torch.float64)
    alone = [network(padded[list(w)].reshape(1, 15, 12, 16), noise) for w in windows(count)]
    restored, first = restore_all(network, noisy, 0.1)
    assert torch.equal(first, alone[0])
    assert torch.equal(restored, torch.cat(alone)[..., :10, :13].clamp(0, 1))


@torch.inference_mode()
def test_folding_the_norms_changes_nothing(network: FastDVDnet) -> None:
    folded = FastDVDnet().eval().double()
    folded.load_state_dict(network.state_dict())
    fold_norms(folded)
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    frames, noise = random(1, 15, 8, 12), random(1, 1, 8, 12)
    assert torch.allclose(folded(frames, noise), network(frames, noise), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("frames", "noise", "says"),
    [
        ((1, 12, 8, 8), (1, 1, 8, 8), "it takes \\(batch, 15, height, width\\)"),
        ((1, 15, 8, 8), (1, 1, 8, 4), "one of \\(batch or 1, 1, 8, 8\\)"),
        ((2, 15, 8, 8), (3, 1, 8, 8), "one of \\(batch or 1, 1, 8, 8\\)"),
        ((1, 15, 10, 8), (1, 1, 10, 8), "8 x 10 pixels; width and height are to be multiples of 4"),
    ],
)
def test_what_does_not_fit_is_refused(frames: tuple[int, ...], noise: tuple[int, ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        FastDVDnet()(torch.zeros(frames), torch.zeros(noise))


def test_clips_and_frames_too_small_are_refused() -> None:
    with pytest.raises(RunError, match="a clip of 2 frame"):
        windows(2)
    with pytest.raises(RunError, match="9 x 2 pixels, too few to be reflected"):
        pad(torch.zeros(1, 3, 2, 9))
    with pytest.raises(RunError, match="a clip of 0 frame"):
        restore_all(FastDVDnet(), torch.zeros(0, 3, 8, 8), 0.1)
    with pytest.raises(InputError, match='7 as "num_input_frames"; it exists with 5 only'):
        build({"constructor": {"num_input_frames": 7}}, {})


def test_the_windows_of_the_fixture() -> None:
    with np.load(SHORT) as stored:
        assert np.array(windows(3)).tolist() == stored["out/windows"].tolist()
        assert json.loads(str(stored["meta"]))["sigma"] == 10
