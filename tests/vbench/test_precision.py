"""Networks in fewer bits, and how far they are from fp32."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vbench.errors import UsageError
from vbench.models.cdvd_tsp.restorer import CDVDTSPRestorer
from vbench.models.edvr.net import EDVR
from vbench.models.edvr.restorer import EDVRRestorer
from vbench.models.fastdvdnet.restorer import FastDVDnetRestorer
from vbench.models.pvdnet.restorer import PVDNetRestorer
from vbench.models.rfr.denoisers import SingleFrame
from vbench.models.rfr.restorer import RFRRestorer
from vbench.models.rtn.net import RTN
from vbench.models.rtn.restorer import RTNRestorer
from vbench.models.verify import build
from vbench.models.vnlnet.net import VNLnet
from vbench.models.vnlnet.restorer import VNLnetRestorer
from vbench.models.vnlnet.search import PatchSearch, Window
from vbench.models.votes.net import VOTES
from vbench.models.votes.restorer import VOTESRestorer
from vbench.precision import Difference, check, in_precision
from vbench.restore import Framewise, Restorer, run_array

PARITY = Path(__file__).resolve().parents[1] / "parity"


def adapting() -> Restorer:
    """RFR, which trains its network while it restores."""
    return RFRRestorer(lambda: SingleFrame(official("dncnn")), 1, "online", 25)  # type: ignore[arg-type]


def random(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def official(name: str, manifest: str = "manifest.json") -> torch.nn.Module:
    return build(name, PARITY / name / manifest, {}, "float32")


def small(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    torch.manual_seed(0)
    return make().eval()


NETWORKS: dict[str, tuple[Callable[[], Restorer], tuple[int, ...], int]] = {
    "dncnn": (lambda: Framewise(official("dncnn")), (1, 1, 20, 24), 1),
    "rfr": (adapting, (2, 1, 20, 24), 1),
    "fastdvdnet": (lambda: FastDVDnetRestorer(official("fastdvdnet"), 25), (3, 3, 20, 24), 1),  # type: ignore[arg-type]
    "vnlnet": (
        lambda: VNLnetRestorer(small(lambda: VNLnet(15, 1, 8, 2, 8, 15)), PatchSearch(window=Window(5, 5))),  # type: ignore[arg-type]
        (8, 1, 20, 24),
        1,
    ),
    "pvdnet": (lambda: PVDNetRestorer(official("pvdnet")), (2, 3, 64, 64), 1),  # type: ignore[arg-type]
    "cdvd_tsp": (lambda: CDVDTSPRestorer(official("cdvd_tsp")), (2, 3, 64, 64), 1),  # type: ignore[arg-type]
    "rtn": (lambda: RTNRestorer(official("rtn")), (2, 3, 128, 128), 1),  # type: ignore[arg-type]
    "edvr": (lambda: EDVRRestorer(small(lambda: EDVR(num_feat=16, num_reconstruct_block=1))), (1, 3, 16, 16), 4),  # type: ignore[arg-type]
    "votes": (
        lambda: VOTESRestorer(small(lambda: VOTES(num_feat=16, num_reconstruct_block=1, num_modulation_blocks=1))),  # type: ignore[arg-type]
        (5, 3, 16, 16),
        2,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_runs_in_bfloat16(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its output moves, and not far: bfloat16 holds 8 bits."""
    flows = RTN.flows
    # Two iterations in place of 24, for speed.
    monkeypatch.setattr(RTN, "flows", lambda self, a, b, iterations=2: flows(self, a, b, iterations))
    make, shape, scale = NETWORKS[name]
    restorer, clip = make(), random(*shape)
    full = run_array(restorer, clip, scale=scale)
    fewer = run_array(in_precision(restorer, "bf16", "cpu"), clip, scale=scale)
    assert fewer.dtype == torch.float32
    apart = float((fewer - full).abs().max())
    assert 0 < apart < 0.1 * max(1.0, float(full.abs().max()))
    # And what is asked for later in fp32 is in fp32.
    assert bool((run_array(restorer, clip, scale=scale) == full).all())


def test_the_callers_mode_is_its_own() -> None:
    network = torch.nn.Conv2d(1, 1, 3, padding=1)
    given: list[torch.dtype] = []

    def run(frames: Tensor) -> Tensor:
        out: Tensor = network(frames)
        given.append(out.dtype)
        return out

    coming = in_precision(Framewise(run), "bf16", "cpu").restore(iter(random(2, 1, 4, 4).split(1)), None)  # type: ignore[arg-type]
    for out in coming:
        assert out.dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
    assert given == [torch.bfloat16, torch.bfloat16]


def test_differences_add_up_over_frames() -> None:
    apart = Difference()
    apart.add(torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), 0.5))
    assert (apart.psnr, apart.levels) == (math.inf, 0.0)
    # What lies outside [0, 1] is clipped first: frames are stored so.
    apart.add(torch.full((1, 1, 2, 2), 1.5), torch.full((1, 1, 2, 2), 0.9))
    assert apart.levels == pytest.approx(25.5)
    assert apart.psnr == pytest.approx(-10 * math.log10(0.01 / 2), abs=1e-5)
    assert apart.frames == 2


def test_what_the_device_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match='--precision bf61: fp32, bf16 or fp16 is expected. Did you mean "bf16"?'):
        check("bf61", "cpu")
    assert check("bf16", "cpu") == "bf16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old GPU")
    with pytest.raises(UsageError, match="Old GPU does not compute in bfloat16"):
        check("bf16", "cuda")
    assert check("fp16", "cuda") == "fp16"

    def refused(*arguments: object, **named: object) -> None:
        raise RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'")

    monkeypatch.setattr(torch.nn.Conv2d, "forward", refused)
    with pytest.raises(UsageError, match="--precision fp16: PyTorch .* does not compute in it on this CPU"):
        check("fp16", "cpu")


def test_what_computes_in_fewer_bits_is_made_once_for_all_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU it is a copy of the network, with what was recorded of it."""
    from vbench import restoring
    from vbench.models import spec
    from vbench.restoring import Ready, model_facts

    monkeypatch.setattr(restoring, "_loaded", {})
    facts = model_facts(spec("identity"), None)

    def ready(precision: str) -> Ready:
        return Ready("identity", facts, None, (1,), "identity", None, "off", precision)

    plain, fewer = restoring._restorers(ready("bf16"), "cpu")
    assert fewer is not plain
    assert restoring._restorers(ready("bf16"), "cpu") == (plain, fewer)
    again, same = restoring._restorers(ready("fp32"), "cpu")
    assert again is same is not plain
