"""RTN: what its fixture does not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vbench.errors import InputError
from vbench.models.rtn import parity
from vbench.models.rtn.net import RTN
from vbench.models.rtn.prepare import luma, prepare
from vbench.models.rtn.swin import HIDDEN, Attention, SpatialBlocks, shift_mask
from vbench.models.verify import build

HERE = Path(__file__).parent


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def network() -> RTN:
    """With the recipe's weights, in float64."""
    found = build("rtn", HERE / "rtn" / "manifest.json", {})
    assert isinstance(found, RTN)
    return found


def test_a_batch_gives_what_single_clips_give(network: RTN) -> None:
    x = random(2, 2, 3, 128, 128) * 2 - 1
    with torch.inference_mode():
        both = network(x, iterations=2)
        each = torch.cat([network(x[i : i + 1], iterations=2) for i in range(2)])
    assert torch.allclose(both, each, atol=1e-9)


def test_what_pairs_share_of_a_frame_changes_nothing(network: RTN) -> None:
    """Flows from features that were computed once are those of RAFT on the pair."""
    first, second = (random(1, 3, 128, 136, seed=seed) * 2 - 1 for seed in (0, 1))
    levels = [(frame + 1) / 2 * 255 for frame in (first, second)]
    with torch.inference_mode():
        # 136 is no multiple of 16, which the spatial part needs; the flow does not.
        sights = [network.look(frame[..., :128].contiguous()) for frame in (first, second)]
        flows = network.flows(*sights, iterations=3)
        a, b = (frame[..., :128].contiguous() for frame in levels)
        assert torch.allclose(flows.to_next, network.spynet(a, b, 3), atol=1e-9)
        assert torch.allclose(flows.to_previous, network.spynet(b, a, 3), atol=1e-9)


def test_damage_of_one_frame_is_seen_by_the_indicator(network: RTN) -> None:
    frames = [torch.zeros(1, 3, 128, 128, dtype=torch.float64) for _ in range(2)]
    frames[1][:, :, 40:44, 50:90] = 0.8
    with torch.inference_mode():
        sights = [network.look(torch.zeros_like(frame)) for frame in frames]
        still = [
            flow._replace(to_previous=flow.to_previous * 0, to_next=flow.to_next * 0)
            for flow in [network.flows(*sights, iterations=1)]
        ]
        steps = list(network.forward_pass(frames, still))
    indicator = steps[1].indicator
    assert indicator is not None
    assert torch.allclose(indicator, frames[1][:, :1], atol=1e-12)
    assert steps[0].gate is None


def test_the_mask_hides_what_the_shift_brings_around() -> None:
    mask = shift_mask(16, 24, torch.zeros(1))
    assert mask.shape == (6, 64, 64)
    assert float(mask[0].abs().max()) == 0  # the first window touches no border
    # Two tokens of the last window may see each other where neither or both came around, in each direction.
    rows = torch.arange(8).repeat_interleave(8) >= 4
    columns = torch.arange(8).repeat(8) >= 4
    same = (rows[:, None] == rows) & (columns[:, None] == columns)
    assert torch.equal(mask[5] == 0, same)
    assert float(mask.min()) == HIDDEN


@pytest.mark.parametrize(("channels", "heads", "side"), [(64, 4, 8), (12, 3, 4)])
def test_attention_is_its_definition(channels: int, heads: int, side: int) -> None:
    layer = Attention(channels, heads, side).double()
    with torch.no_grad():
        layer.relative_position_bias_table.copy_(random((2 * side - 1) ** 2, heads))
    count, part = side * side, channels // heads
    x, mask = random(1, 2, count, channels), shift_mask(side, 2 * side, torch.zeros(1).double(), side)
    qkv = functional.linear(x, layer.qkv.weight, layer.qkv.bias).view(1, 2, count, 3, heads, part)
    out = torch.zeros(1, 2, count, heads, part, dtype=torch.float64)
    for window in range(2):
        for head in range(heads):
            query, key, value = (qkv[0, window, :, i, head] for i in range(3))
            scores = query @ key.T / part**0.5 + mask[window]
            for a in range(count):
                for b in range(count):
                    down, across = a // side - b // side, a % side - b % side
                    index = (down + side - 1) * (2 * side - 1) + across + side - 1
                    scores[a, b] += layer.relative_position_bias_table[index, head]
            out[0, window, :, head] = scores.softmax(dim=1) @ value
    wanted = functional.linear(out.flatten(-2), layer.proj.weight, layer.proj.bias)
    with torch.inference_mode():
        assert torch.allclose(layer(x, mask), wanted, atol=1e-12)


def test_the_stored_mask_is_what_is_computed() -> None:
    """Official checkpoints hold it for images of 256 x 256 pixels."""
    blocks = SpatialBlocks(depths=(2,), num_heads=(4,))
    stored = dict(blocks.named_buffers())["layers.0.residual_group.blocks.1.attn_mask"]
    assert torch.equal(stored, shift_mask(128, 128, torch.zeros(1)))


def test_what_it_cannot_take_is_refused(network: RTN) -> None:
    with pytest.raises(InputError, match="at least two frames"):
        network(random(1, 1, 3, 128, 128))
    with pytest.raises(InputError, match="136 x 128 pixels; width and height are to be multiples of 16, at least 128"):
        network(random(1, 2, 3, 128, 136))
    with pytest.raises(InputError, match="at least 128"):
        network(random(1, 2, 3, 112, 128))
    with pytest.raises(InputError, match="uint8, is expected"):
        prepare(np.zeros((10, 10), np.uint8))


def test_other_numbers_than_the_published_ones() -> None:
    """Built as a manifest says; what is no option, or does not go together, is told."""
    swin = {"embed_dim": 24, "depths": [1, 3], "num_heads": [2, 3], "window_size": 4, "mlp_ratio": 3, "in_chans": 8}
    network = parity.build({"options": {"num_feat": 8, "raft_iters": 24, "swin": swin}}, {})
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["Forward_Aggregation.conv2d_1.weight"] == (8, 17, 3, 3)
    block = "forward_resblocks.layers.1.residual_group.blocks.1."
    assert shapes[f"{block}attn.relative_position_bias_table"] == (49, 3)
    assert shapes[f"{block}mlp.fc1.weight"] == (72, 24)
    assert shapes[f"{block}attn_mask"] == (1024, 16, 16)
    with torch.inference_mode():
        assert network.eval()(random(1, 2, 3, 128, 136).float(), 1).shape == (1, 2, 3, 128, 136)
    with pytest.raises(InputError, match="heads are given for each group"):
        parity.build({"options": {"swin": {"depths": [2], "num_heads": [5]}}}, {})
    with pytest.raises(InputError, match='Did you mean "window_size"'):
        parity.build({"options": {"swin": {"window_sizes": 8}}}, {})
    with pytest.raises(InputError, match="it exists with False only"):
        parity.build({"options": {"swin": {"ape": True}}}, {})


def test_luma_is_that_of_pillow() -> None:
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(luma(colours), np.asarray(Image.fromarray(colours).convert("L")))
