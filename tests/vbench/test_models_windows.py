"""EDVR, VOTES and RTN as restorers, with the recipe's weights, against their networks and the official habits around them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vbench import models
from vbench.errors import MissingWeights, RunError
from vbench.models.edvr.net import EDVR
from vbench.models.edvr.restorer import EDVRRestorer
from vbench.models.edvr.sequence import windows
from vbench.models.rtn.net import RTN
from vbench.models.rtn.restorer import RTNRestorer, parts
from vbench.models.verify import build
from vbench.models.votes.net import VOTES
from vbench.models.votes.restorer import VOTESRestorer
from vbench.restore import Restorer, run_array

PARITY = Path(__file__).resolve().parents[1] / "parity"
CPU = torch.device("cpu")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def edvr() -> EDVR:
    """A small one that takes frames of the output's size."""
    torch.manual_seed(0)
    return EDVR(num_feat=16, num_reconstruct_block=1, hr_in=True, with_predeblur=True).eval()


@pytest.fixture(scope="module")
def rtn() -> RTN:
    found = build("rtn", PARITY / "rtn" / "manifest.json", {}, "float32")
    assert isinstance(found, RTN)
    return found


@pytest.mark.parametrize("model", [name for name in models.names() if name.startswith(("edvr", "votes", "rtn"))])
def test_the_entry_says_what_the_network_has(model: str) -> None:
    spec = models.spec(model)
    module, _, function = str(spec.network).partition(":")
    with torch.device("meta"):
        made = getattr(importlib.import_module(module), function)()
    assert spec.scales == (int(match[1]) if (match := re.search(r"-x(\d)", model)) else 1,)
    assert sum(p.numel() for p in made.parameters()) == spec.parameters
    with pytest.raises(MissingWeights, match="vbench weights import"):
        spec.load(CPU, None)


def test_edvr_is_loaded_from_what_basicsr_saves(tmp_path: Path) -> None:
    network = build("edvr", PARITY / "edvr" / "manifest_l_deblur.json", {}, "float32")
    path = tmp_path / "EDVR_L.pth"
    torch.save({"params": network.state_dict()}, path)
    restorer = models.spec("edvr-l-deblur").load(CPU, path)
    assert run_array(restorer, random(1, 3, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_edvr_gives_what_its_windows_give(edvr: EDVR, count: int) -> None:
    clip = random(count, 3, 32, 48)
    found = run_array(EDVRRestorer(edvr), clip, chunk=2)
    with torch.inference_mode():
        for frame, window in zip(found, windows(count, 5, "replicate"), strict=True):
            assert torch.allclose(frame, edvr(clip[list(window)][None])[0], atol=1e-5)


def test_edvr_enlarges_as_its_windows_do() -> None:
    torch.manual_seed(0)
    network = EDVR(num_feat=16, num_reconstruct_block=1).eval()
    clip = random(6, 3, 12, 16)
    found = run_array(EDVRRestorer(network, "reflection_circle"), clip, chunk=2, scale=4)
    with torch.inference_mode():
        for frame, window in zip(found, windows(6, 5, "reflection_circle"), strict=True):
            assert torch.allclose(frame, network(clip[list(window)][None])[0], atol=1e-5)


def test_votes_enlarges_as_its_windows_do() -> None:
    torch.manual_seed(0)
    network = VOTES(num_feat=16, num_reconstruct_block=1, num_modulation_blocks=1).eval()
    clip = random(6, 3, 12, 16)
    found = run_array(VOTESRestorer(network), clip, chunk=3, scale=2)
    with torch.inference_mode():
        for frame, window in zip(found, windows(6, 5, "reflection_circle"), strict=True):
            assert torch.allclose(frame, network(clip[list(window)][None])[0], atol=1e-5)
    odd = run_array(VOTESRestorer(network), clip[:, :1, :11, :14], scale=2)
    assert odd.shape == (6, 1, 22, 28)
    with pytest.raises(RunError, match="clip of 4 frame"):
        run_array(VOTESRestorer(network), clip[:4], scale=2)


def test_features_of_a_frame_are_computed_once(edvr: EDVR, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    plain = EDVR.features

    def counted(self: EDVR, frames: Tensor) -> object:
        calls.append(len(frames))
        return plain(self, frames)

    monkeypatch.setattr(EDVR, "features", counted)
    run_array(EDVRRestorer(edvr), random(8, 3, 16, 16))
    assert calls == [1] * 8


@pytest.mark.parametrize("size", [(17, 30), (16, 33)])
def test_frames_of_any_size_keep_it(edvr: EDVR, size: tuple[int, int]) -> None:
    clip = random(2, 1, *size)
    found = run_array(EDVRRestorer(edvr), clip)
    assert found.shape == clip.shape
    colour = run_array(EDVRRestorer(edvr), clip.expand(-1, 3, -1, -1))
    assert torch.allclose(found, colour.mean(dim=1, keepdim=True), atol=1e-6)


def test_windows_are_those_of_basicsr() -> None:
    """The table of its padding modes, for 100 frames."""
    assert windows(100, 5, "reflection_circle")[0] == (4, 3, 0, 1, 2)
    assert windows(100, 5, "reflection_circle")[1] == (4, 0, 1, 2, 3)
    assert windows(100, 5, "reflection_circle")[98] == (96, 97, 98, 99, 95)
    assert windows(100, 5, "reflection_circle")[99] == (97, 98, 99, 96, 95)
    assert windows(100, 5, "replicate")[0] == (0, 0, 0, 1, 2)
    assert windows(100, 7, "replicate")[99] == (96, 97, 98, 99, 99, 99, 99)
    with pytest.raises(RunError, match="clip of 4 frame"):
        windows(4, 5, "reflection_circle")


@pytest.mark.shared
def test_rtn_restores_a_clip_as_the_official_network(shared: Path, rtn: RTN) -> None:
    with np.load(shared / "parity" / "rtn" / "case_gray.npz") as stored:
        frames, official = stored["in/frames"], (stored["out/restored"] + 1) / 2
    clip = torch.from_numpy(frames)[:, None].float() / 255
    found = run_array(RTNRestorer(rtn), clip.expand(-1, 3, -1, -1)).numpy()
    assert np.abs(found - official).max() < 1e-4
    gray = run_array(RTNRestorer(rtn), clip).numpy()
    assert np.abs(gray - official.mean(axis=1, keepdims=True)).max() < 1e-4


def test_parts_of_a_clip_overlap_and_cover_it() -> None:
    for count in range(2, 70):
        found = parts(count)
        kept = [frame for start, end, first in found for frame in range(first, end)]
        assert kept == list(range(count))
        assert all(end - start >= 2 and first >= start for start, end, first in found)
    assert parts(31) == [(0, 20, 0), (10, 30, 20), (20, 31, 30)]


def few(network: RTN, monkeypatch: pytest.MonkeyPatch) -> Restorer:
    """Parts of four frames, starting every two, with two iterations of the flow: as the real ones, and fast."""
    plain = RTN.flows
    monkeypatch.setattr("vbench.models.rtn.restorer.LENGTH", 4)
    monkeypatch.setattr("vbench.models.rtn.restorer.STRIDE", 2)
    monkeypatch.setattr(RTN, "flows", lambda self, a, b, iterations=2: plain(self, a, b, iterations))
    return RTNRestorer(network)


def test_rtn_gives_what_its_parts_give(rtn: RTN, monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = few(rtn, monkeypatch)
    clip = (random(7, 1, 128, 128) * 255).round() / 255
    found = run_array(restorer, clip, chunk=3)
    shown = (clip * 2 - 1).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        whole = [(rtn(shown[None, a:b], iterations=2)[0] + 1) / 2 for a, b in ((0, 4), (2, 6), (4, 7))]
    wanted = torch.cat([whole[0], whole[1][2:], whole[2][2:]]).mean(dim=1, keepdim=True)
    assert torch.allclose(found, wanted, atol=1e-4)


def test_rtn_computes_a_flow_once(rtn: RTN, monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = few(rtn, monkeypatch)
    calls = []
    plain = RTN.flows

    def counted(self: RTN, *sights: object) -> object:
        calls.append(None)
        return plain(self, *sights)  # type: ignore[arg-type]

    monkeypatch.setattr(RTN, "flows", counted)
    found = run_array(restorer, random(6, 3, 100, 130))
    assert found.shape == (6, 3, 100, 130)
    assert len(calls) == 5


def test_rtn_takes_no_clip_of_one_frame(rtn: RTN) -> None:
    with pytest.raises(RunError, match="clip of one frame"):
        run_array(RTNRestorer(rtn), random(1, 3, 128, 128))
