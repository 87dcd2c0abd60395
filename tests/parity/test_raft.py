"""RAFT: names, shapes and outputs of the official network; torchvision's as a second opinion."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vbench.errors import InputError
from vbench.flow.raft.estimator import estimate, load
from vbench.flow.raft.net import RAFT
from vbench.models.recipe import read_manifest, state_dict

HERE = Path(__file__).parent / "raft"


@pytest.fixture(scope="module")
def network() -> RAFT:
    """With the numbers of the recipe, float32."""
    found = RAFT().eval()
    found.load_state_dict(found.state_dict() | state_dict(read_manifest(HERE / "manifest.json")))
    return found


def frames(height: int, width: int, batch: int = 2) -> torch.Tensor:
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(0)) * 255


def test_it_is_the_network_of_torchvision(network: RAFT) -> None:
    """The same weights under the names of torchvision; odd feature sizes."""
    from torchvision.models.optical_flow import raft_large

    other = raft_large(weights=None).eval()
    names = {}
    for name in network.state_dict():
        if ".norm3." in name:
            continue
        new = name.replace("fnet.", "feature_encoder.").replace("cnet.", "context_encoder.")
        if "encoder." in new and not new.startswith("update_block"):
            head, _, rest = new.partition(".")
            if rest.startswith(("conv1.", "norm1.")):
                rest = rest.replace("conv1.", "convnormrelu.0.").replace("norm1.", "convnormrelu.1.")
            elif rest.startswith("conv2."):
                rest = rest.replace("conv2.", "conv.")
            else:
                for i in "12":
                    rest = rest.replace(f"conv{i}.", f"convnormrelu{i}.0.").replace(f"norm{i}.", f"convnormrelu{i}.1.")
            new = f"{head}.{rest}"
        for old, wanted in (
            ("update_block.encoder.convc", "update_block.motion_encoder.convcorr"),
            ("update_block.encoder.convf", "update_block.motion_encoder.convflow"),
            ("update_block.encoder.conv.", "update_block.motion_encoder.conv.0."),
            ("update_block.mask.0.", "mask_predictor.convrelu.0."),
            ("update_block.mask.2.", "mask_predictor.conv."),
        ):
            new = new.replace(old, wanted)
        if "motion_encoder.convcorr" in new or "motion_encoder.convflow" in new:
            head, _, last = new.rpartition(".")
            new = f"{head}.0.{last}"
        for i in "12":
            for gate in "zrq":
                new = new.replace(f"gru.conv{gate}{i}.", f"recurrent_block.convgru{i}.conv{gate}.")
        names[new] = name
    other.load_state_dict({new: network.state_dict()[old] for new, old in names.items()}, strict=True)
    a, b = frames(136, 152, 1), frames(136, 152, 1).roll(2, dims=3)
    with torch.inference_mode():
        wanted = other(2 * (a / 255) - 1, 2 * (b / 255) - 1, num_flow_updates=3)[-1]
        found = network(a, b, 3)
    assert torch.allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))


def test_a_batch_gives_what_single_pairs_give(network: RAFT) -> None:
    a, b = frames(128, 136), frames(128, 136).flip(0)
    with torch.inference_mode():
        both = network(a, b, 2)
        each = torch.cat([network(a[i : i + 1], b[i : i + 1], 2) for i in range(2)])
    assert torch.allclose(both, each, atol=1e-4 * float(each.abs().max()))


def test_frames_of_any_size_are_padded_and_cropped(network: RAFT) -> None:
    flow = estimate(network, frames(123, 130, 1), frames(123, 130, 1).flip(3), iterations=1)
    assert flow.shape == (1, 123, 130, 2)
    assert bool(torch.isfinite(flow).all())
    with pytest.raises(InputError, match="at least 128 x 128 pixels, and these are 130 x 119"):
        estimate(network, frames(119, 130, 1), frames(119, 130, 1))


def test_sizes_that_it_cannot_take_are_refused(network: RAFT) -> None:
    for size in ((120, 128), (132, 128)):
        with pytest.raises(InputError, match="multiples of 8, and at least 128"):
            network(frames(*size), frames(*size), 1)
    with pytest.raises(InputError, match="asked for 0 iterations"):
        network(frames(128, 128), frames(128, 128), 0)
    with pytest.raises(InputError, match="it takes two of"):
        network(frames(128, 128), frames(128, 136), 1)


def test_a_published_file_is_loaded(network: RAFT, tmp_path: Path) -> None:
    """Saved from several devices: every name begins with "module."."""
    path = tmp_path / "raft-sintel.pth"
    torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, path)
    found = load(path, "cpu")
    assert all(torch.equal(v, network.state_dict()[k]) for k, v in found.state_dict().items())
