"""VNLnet as a restorer, with the recipe's weights: colours, ends, streams."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vbench.errors import MissingWeights, RunError
from vbench.models.vnlnet import GRAY_25, SPECS
from vbench.models.vnlnet.net import VNLnet, build_gray
from vbench.models.vnlnet.restorer import VNLnetRestorer, load_restorer
from vbench.models.vnlnet.search import PatchSearch, Window
from vbench.restore import ClipMeta, run_array

CPU = torch.device("cpu")
FIXTURE = Path(__file__).resolve().parents[1] / "parity" / "vnl_search" / "case_pipeline_color.npz"


class CentreLess(VNLnet):
    """A network whose noise is the centre frame less what one chosen neighbour says: the restorer gives that one."""

    def __init__(self, neighbour: int, colours: int) -> None:
        super().__init__(15 * colours, colours, 1, 1, 1, 2)
        self.neighbour = neighbour

    def forward(self, stack: Tensor) -> Tensor:
        first = self.neighbour * self.colours
        return self.centre(stack) - stack[:, first : first + self.colours]


@pytest.mark.parametrize("neighbour", [0, 7, 12])
def test_what_the_network_is_shown_is_the_official_stack(neighbour: int) -> None:
    """Each neighbour, as the loader of the fixture found it, comes out of the restorer at its frame."""
    with np.load(FIXTURE) as stored:
        clip = torch.from_numpy(stored["in/video"]).permute(0, 3, 1, 2) / 255
        official = {t: stored[f"out/rfr/{t}/stack"][3 * neighbour : 3 * neighbour + 3] for t in (0, 5, 8)}
    restored = run_array(VNLnetRestorer(CentreLess(neighbour, 3), PatchSearch(), "repaired"), clip)
    for t, stack in official.items():
        assert torch.equal((restored[t] * 255).round().to(torch.uint8), torch.from_numpy(stack))


@pytest.fixture(scope="module")
def small() -> VNLnetRestorer:
    """The gray network with random weights, and a small search."""
    torch.manual_seed(0)
    return VNLnetRestorer(build_gray().eval(), PatchSearch(Window(3, 5)))


def moving(frames: int) -> Tensor:
    return torch.rand(frames, 3, 10, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("chunk", [1, 3, 20])
def test_each_channel_is_a_gray_clip(small: VNLnetRestorer, chunk: int) -> None:
    """Also where the channels are the same at first: what was made of one serves all."""
    clip = moving(11)
    clip[:9] = clip[:9, :1]
    restored = run_array(small, clip, chunk=chunk)
    for i in range(3):
        assert torch.allclose(restored[:, i : i + 1], run_array(small, clip[:, i : i + 1]), atol=1e-6)
    assert not torch.equal(restored[10, 0], restored[10, 1])


def test_black_and_white_in_three_channels_stays_so(small: VNLnetRestorer) -> None:
    clip = moving(9)[:, :1]
    assert torch.equal(run_array(small, clip.expand(-1, 3, -1, -1)), run_array(small, clip).expand(-1, 3, -1, -1))


def test_a_gray_clip_through_the_colour_network() -> None:
    torch.manual_seed(0)
    restorer = VNLnetRestorer(VNLnet(45, 3, 4, 1, 4, 3).eval(), PatchSearch(Window(3, 3)), "repaired")
    clip = moving(8)[:, :1]
    colour = run_array(restorer, clip.expand(-1, 3, -1, -1))
    assert torch.allclose(run_array(restorer, clip), colour.mean(dim=1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize(("ends", "seen"), [("repaired", 15), ("published", 33)])
def test_when_the_first_frame_comes_out(small: VNLnetRestorer, ends: str, seen: int) -> None:
    """With the window's 15 frames; the published script shows it the eighth from the last (32 of 40)."""
    restorer = VNLnetRestorer(small._network, small._search, "repaired" if ends == "repaired" else "published")
    taken = 0

    def chunks() -> object:
        nonlocal taken
        for frame in torch.rand(40, 1, 1, 6, 6):
            taken += 1
            yield frame

    with torch.inference_mode():
        stream = restorer.restore(chunks(), ClipMeta(40, 6, 6, 1, 24.0))  # type: ignore[arg-type]
        next(stream)
    assert taken == seen


def test_ready_made_models(tmp_path: Path) -> None:
    """A checkpoint as the authors save theirs: beside the weights the settings of the training, in their class."""
    gray = [f"vnlnet-gray-s{sigma}" for sigma in (5, 10, 15, 20, 25, 30, 40, 50)]
    assert list(SPECS) == [*gray, *(f"vnlnet-color-s{sigma}" for sigma in (5, 10, 15, 20, 25, 35, 40))]
    torch.manual_seed(0)
    network = build_gray()
    path = tmp_path / "vnlnet_gray_25.pth"
    torch.save({"model_state_dict": network.state_dict(), "args": argparse.Namespace(sigma=25 / 255)}, path)
    with torch.device("cpu"):
        loaded = GRAY_25.load(CPU, path)
    assert isinstance(loaded, VNLnetRestorer)
    stack = torch.rand(1, 15, 12, 9)
    with torch.inference_mode():
        assert torch.allclose(loaded._network(stack), network.eval()(stack), atol=1e-5)
    with pytest.raises(MissingWeights, match="vnlnet_gray_25.pth from the GitHub repository axeldavy/vnlnet"):
        load_restorer(build_gray(), CPU, None, GRAY_25)


def test_a_clip_too_short_is_refused(small: VNLnetRestorer) -> None:
    with pytest.raises(RunError, match="a clip of 7 frame"):
        run_array(small, torch.zeros(7, 1, 8, 8))
