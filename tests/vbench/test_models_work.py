"""How much work restorers make: no more than their networks on the same windows, and nothing twice.

Multiply-adds and calls are counted on shapes alone (`vbench.multiply_adds`). That nothing is computed twice is found out by
running small networks on noise: a layer that is given what it was given before, with the weights that it had then, makes
the same again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from tests.vbench.bare_networks import ALONE, LARGER, Alone, Run, bare, cdvd_tsp_alone, edvr_alone, fastdvdnet_alone
from vbench import models
from vbench.models.cdvd_tsp.net import CDVDTSP
from vbench.models.cdvd_tsp.restorer import CDVDTSPRestorer
from vbench.models.dncnn.net import DnCNN
from vbench.models.edvr.align import DeformableConv
from vbench.models.edvr.net import EDVR
from vbench.models.edvr.restorer import EDVRRestorer
from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.fastdvdnet.restorer import FastDVDnetRestorer
from vbench.models.loading import unloaded
from vbench.models.pvdnet.net import PVDNet
from vbench.models.pvdnet.restorer import PVDNetRestorer
from vbench.models.rfr.denoisers import Denoiser, FiveFrames, Neighbours, SingleFrame
from vbench.models.rfr.restorer import Mode, RFRRestorer
from vbench.models.rtn.net import RTN
from vbench.models.rtn.restorer import RTNRestorer
from vbench.models.vnlnet import neighbours
from vbench.models.vnlnet.net import VNLnet
from vbench.models.vnlnet.restorer import VNLnetRestorer
from vbench.models.vnlnet.search import PatchSearch, Window
from vbench.models.votes.net import VOTES
from vbench.models.votes.restorer import VOTESRestorer
from vbench.multiply_adds import count
from vbench.restore import ClipMeta, Restorer

LIMIT = 1.05
"""The most that a restorer may cost, against the network on the same windows."""
FRAMES = 8
MODES: tuple[Mode, ...] = ("online", "offline")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def run(restorer: Restorer, clip: Tensor, scale: int = 1) -> list[Tensor]:
    meta = ClipMeta(len(clip), clip.shape[2], clip.shape[3], clip.shape[1], 24.0, scale)
    with torch.inference_mode():
        return list(restorer.restore(iter(clip.split(3)), meta))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """RTN in parts of four frames, starting every two, with two iterations of the flow: as the real ones, and fast."""
    plain = RTN.flows
    monkeypatch.setattr("vbench.models.rtn.restorer.LENGTH", 4)
    monkeypatch.setattr("vbench.models.rtn.restorer.STRIDE", 2)
    monkeypatch.setattr(RTN, "flows", lambda self, a, b, iterations=2: plain(self, a, b, 2))
    monkeypatch.setattr("vbench.models.rfr.restorer.PASSES", 2)


# --- against the bare network --------------------------------------------------------------------

SHARED = {
    "fastdvdnet-s25": (2 * FRAMES + 2) / (4 * FRAMES),
    "cdvd-tsp-gopro": 0.57,
    "edvr-m-x4": 0.82,
    "votes-x2-qp28": 0.85,
    "rtn": 0.84,
}
"""Networks whose windows share much: what the restorer costs at most, against each window by itself."""


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("model", ALONE)
def test_a_clip_costs_no_more_than_its_windows(model: str) -> None:
    """In multiply-adds. Frames of the least size that needs no padding, which the bare networks do not do."""
    spec = models.spec(model)
    side, frames = (128, 6) if model == "rtn" else (64, FRAMES)
    # RTN is shown luma in three equal channels, whatever comes.
    meta = ClipMeta(frames, side, side, 1 if model == "rtn" else 3, 24.0, (spec.scales or (1,))[0])
    with unloaded():
        ours = count(lambda: spec.load(torch.device("meta"), None), meta)
    alone = count(lambda: Alone(bare(model), ALONE[model]), meta)
    assert ours.frames == alone.frames == frames
    assert ours.total <= min(LIMIT, SHARED.get(model, 1.0) + 1e-6) * alone.total


def test_every_network_is_compared() -> None:
    """RFR trains its networks, so that there is nothing to compare it with; its calls are counted below."""

    def kind(name: str) -> tuple[object, ...]:
        return models.spec(name).network, models.spec(name).settings.get("ends")

    named = [name for name in models.CATALOG if models.spec(name).network and not name.startswith("rfr")]
    assert {kind(name) for name in named} == {kind(name) for name in (*ALONE, *LARGER)}
    assert set(LARGER.values()) <= set(ALONE)


# --- calls ---------------------------------------------------------------------------------------


@contextmanager
def counted(network: nn.Module) -> Iterator[Counter[str]]:
    """How many frames, or pairs of frames, go through each part of a network and its copies, by its path."""
    calls: Counter[str] = Counter()
    for name, module in network.named_modules():
        module.path_of_part = name  # type: ignore[assignment]

    def after(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        if hasattr(module, "path_of_part"):
            first = given[0] if isinstance(given[0], Tensor) else given[0][0]
            calls[str(module.path_of_part)] += len(first)

    hook = register_module_forward_hook(after)
    try:
        yield calls
    finally:
        hook.remove()


N = FRAMES
CALLS: dict[str, tuple[Callable[[], nn.Module], Callable[[Any], Restorer], tuple[int, ...], dict[str, int]]] = {
    "FastDVDnet": (
        FastDVDnet,
        lambda net: FastDVDnetRestorer(net, 25),
        (N, 3, 8, 8),
        # Stage 1 of each triple, and of one turned around at either end.
        {"temp1": N + 2, "temp2": N},
    ),
    "VNLnet": (
        lambda: VNLnet(45, 3, 4, 1, 4, 3),
        lambda net: VNLnetRestorer(net, PatchSearch(Window(3, 3))),
        (N, 3, 8, 8),
        {"net": N},
    ),
    "VNLnet, gray": (
        lambda: VNLnet(15, 1, 4, 1, 4, 3),
        lambda net: VNLnetRestorer(net, PatchSearch(Window(3, 3))),
        (N, 3, 8, 8),
        {"net": 3 * N},
    ),
    "PVDNet": (
        lambda: PVDNet(blocks=1),
        PVDNetRestorer,
        (N, 3, 64, 64),
        # The first frame has a flow too, to itself.
        {"BIMNet.moduleFeatures": N, "BIMNet.moduleMatching.4": N, "PVDNet": N},
    ),
    "CDVD-TSP": (
        lambda: CDVDTSP(n_resblock=1, n_feat=4),
        CDVDTSPRestorer,
        (N, 3, 64, 68),
        # Stage 1 of each triple and of two at either end that go back, their flows each once; stage 2 of each frame.
        {
            "flow_net.moduleNetwork.moduleExtractor": N + (N + 2),
            "flow_net.moduleNetwork.moduleRefiner": 2 * (N - 1) + 2 * N,
            "recons_net": (N + 2) + N,
        },
    ),
    "EDVR, ends from inside the window": (
        lambda: EDVR(num_feat=8, num_reconstruct_block=1),
        lambda net: EDVRRestorer(net, "reflection_circle"),
        (N, 3, 16, 16),
        # Alignment depends on the frame in the centre: five for each window, itself among them.
        {"feature_extraction": N, "pcd_align": 5 * N, "fusion": N, "reconstruction": N},
    ),
    "EDVR, end frame repeated": (
        lambda: EDVR(num_feat=8, num_reconstruct_block=1, hr_in=True, with_predeblur=True),
        EDVRRestorer,
        (N, 3, 16, 16),
        # An end frame that a window shows two or three times is aligned once.
        {"predeblur": N, "feature_extraction": N, "pcd_align": 5 * N - 2 * (2 + 1), "fusion": N},
    ),
    "VOTES": (
        lambda: VOTES(num_feat=8, num_reconstruct_block=1, num_modulation_blocks=1),
        VOTESRestorer,
        (N, 3, 16, 16),
        # Stage 1 of BIN between every other frame, and four pairs at the ends that only one window asks for.
        {
            "feature_extraction": N,
            "pcd_align": 5 * N,
            "bin.model.model1_1": (N - 2) + 4,
            "bin.model.model2_1": N,
            "fusion": N,
        },
    ),
    "RTN": (
        RTN,
        RTNRestorer,
        (6, 1, 128, 128),
        # Parts 0-3 and 2-5: passes forward over all of them, backward down to the first frame that is kept. Flows both ways.
        {
            "spynet.fnet": 6,
            "spynet.cnet": 6,
            "spynet.update_block.gru": 5 * 2 * 2,
            "forward_resblocks": 2 * 4,
            "backward_resblocks": 6,
            "concate": 6,
        },
    ),
}


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", CALLS)
def test_parts_are_called_no_more_often_than_needed(name: str) -> None:
    make, restorer, shape, wanted = CALLS[name]
    with torch.device("meta"):
        network = make().eval()
    with counted(network) as calls:
        scale = 1 if getattr(network, "hr_in", False) else getattr(network, "scale", 1)
        count(lambda: restorer(network), ClipMeta(shape[0], shape[2], shape[3], shape[1], 24.0, scale))
    assert {part: calls[part] for part in wanted} == wanted


def tuned(make: Callable[[], Denoiser], mode: Mode) -> tuple[Denoiser, Restorer]:
    """A denoiser, and RFR on copies of it."""
    torch.manual_seed(0)
    denoiser = make()
    denoiser.network.eval()
    return denoiser, RFRRestorer(lambda: deepcopy(denoiser), 1 if isinstance(denoiser, SingleFrame) else 3, mode, 25)


@pytest.mark.usefixtures("few")
def test_rfr_calls_its_denoiser_no_more_often_than_needed() -> None:
    """With two passes in place of ten."""
    n = 4

    def calls(make: Callable[[], Denoiser], mode: Mode, part: str) -> int:
        denoiser, restorer = tuned(make, mode)
        with counted(denoiser.network) as found:
            run(restorer, random(n, 3, 8, 8))
        return found[part]

    def five() -> Denoiser:
        return FiveFrames(FastDVDnet(), 25)

    # Online: the clip for what is taken for clean; each frame again by weights that have learnt since, but the first;
    # each frame to learn from, where all three triples of a window are new.
    assert calls(five, "online", "temp1") == (n + 2) + 3 * (n - 1) + 3 * n
    assert calls(five, "online", "temp2") == n + (n - 1) + n
    # Offline: the clip before each pass and at the end, and batches of two to learn from.
    assert calls(five, "offline", "temp1") == 3 * (n + 2) + 2 * n * 2 * 3
    assert calls(five, "offline", "temp2") == 3 * n + 2 * n * 2
    # A denoiser of single frames learns from what it gave; each channel is a clip.
    assert calls(lambda: SingleFrame(DnCNN(3)), "online", "dncnn") == 3 * (n + n)
    assert calls(lambda: SingleFrame(DnCNN(3)), "offline", "dncnn") == 3 * (3 * n + 2 * n * 2)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("mode", MODES)
def test_rfr_computes_equal_channels_once(mode: Mode) -> None:
    """As long as they are equal: of the last frames they are not."""
    clip = random(6, 1, 8, 8).repeat(1, 3, 1, 1)
    denoiser, restorer = tuned(lambda: SingleFrame(DnCNN(3)), mode)
    with counted(denoiser.network) as calls:
        gray = run(restorer, clip)
    assert calls["dncnn"] == (6 + 6 if mode == "online" else 3 * 6 + 2 * 6 * 2)
    assert all(torch.equal(frame, frame[:, :1].expand_as(frame)) for frame in gray)
    clip[4:, 2] = 1 - clip[4:, 2]
    coloured = run(tuned(lambda: SingleFrame(DnCNN(3)), mode)[1], clip)
    for i in range(3):
        alone = run(tuned(lambda: SingleFrame(DnCNN(3)), mode)[1], clip[:, i : i + 1])
        assert all(torch.equal(frame[:, i : i + 1], one) for frame, one in zip(coloured, alone, strict=True))


# --- nothing twice -------------------------------------------------------------------------------


class Repeats:
    """Multiply-adds of layers, and those of layers that were given the same before, with the same weights."""

    def __init__(self) -> None:
        self.total = 0
        self.again: Counter[str] = Counter()
        self._seen: set[bytes] = set()

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear | DeformableConv):
            weight, each = module.weight, out[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.ConvTranspose2d):
            weight, each = module.weight, given[0][0].numel() * module.weight[0].numel()
        else:
            return
        for i in range(len(out)):
            key = hashlib.blake2b(f"{id(module)} {weight._version}".encode())
            for x in given:
                key.update(x[i].detach().contiguous().numpy().tobytes())
            self.total += each
            if key.digest() in self._seen:
                self.again[f"{type(module).__name__} {tuple(weight.shape)}"] += each
            self._seen.add(key.digest())

    @property
    def share(self) -> float:
        """Of all that is computed, what was computed before."""
        return sum(self.again.values()) / self.total


def trained(network: nn.Module) -> Any:
    """In evaluation mode, with numbers that lead deformable convolutions elsewhere: before training they do nowhere."""
    for part in network.modules():
        if isinstance(part, DeformableConv):
            nn.init.normal_(part.conv_offset.weight, std=0.1)
    return network.eval()


def repeated(restorer: Restorer, clip: Tensor, scale: int = 1) -> Repeats:
    """What a restorer computes on a clip."""
    found = Repeats()
    hook = register_module_forward_hook(found)
    try:
        run(restorer, clip, scale)
    finally:
        hook.remove()
    return found


def small(name: str) -> tuple[Callable[[], Restorer], tuple[int, ...], int]:
    """One of the networks whose calls are counted: its restorer, a clip for it, and by how much it enlarges."""
    make, restorer, shape, _ = CALLS[name]
    scale = {"EDVR, ends from inside the window": 4, "VOTES": 2}.get(name, 1)
    return lambda: restorer(trained(make())), shape, scale


def rfr(make: Callable[[], Denoiser], mode: Mode) -> tuple[Callable[[], Restorer], tuple[int, ...], int]:
    """RFR on a denoiser."""
    return lambda: tuned(make, mode)[1], (8 if isinstance(make(), Neighbours) else 4, 3, 8, 8), 1


SMALL: dict[str, tuple[Callable[[], Restorer], tuple[int, ...], int]] = {
    "DnCNN": (lambda: models.spec("dncnn-s25").load(torch.device("cpu"), None), (3, 3, 8, 8), 1),
    **{name: small(name) for name in CALLS},
    **{
        f"RFR on {kind}, {mode}": rfr(make, mode)
        for mode in MODES
        for kind, make in {
            "DnCNN": lambda: SingleFrame(DnCNN(3)),
            "FastDVDnet": lambda: FiveFrames(FastDVDnet(), 25),
            "VNLnet": lambda: Neighbours(VNLnet(45, 3, 4, 1, 4, 3), PatchSearch(Window(3, 3))),
        }.items()
    },
}
MADE_AGAIN = {
    # Two layers of 1 x 1 at half the size in front of the finest level's matching: for the flow from a frame and to it.
    "PVDNet": 0.002,
    # A frame's own 16 features in both parts that show it; the first step of each flow, which starts from nothing.
    "RTN": 0.005,
    # One layer of the attention, of the three frames at either end that a window shows again.
    "EDVR, end frame repeated": 0.001,
    # Nothing: at the coarsest level, which has two pixels here, products of other features happen to be the same numbers.
    "CDVD-TSP": 0.001,
}
"""Where something is: what of all is made again, at most."""


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_computed_twice(name: str) -> None:
    make, shape, scale = SMALL[name]
    torch.manual_seed(0)
    with unloaded():
        found = repeated(make(), random(*shape), scale)
    assert found.total > 0
    assert found.share <= MADE_AGAIN.get(name, 0.0), found.again.most_common(5)


@pytest.mark.parametrize(
    ("network", "alone", "least"),
    [
        (FastDVDnet(), fastdvdnet_alone, 0.4),
        (CDVDTSP(n_resblock=1, n_feat=4), cdvd_tsp_alone, 0.3),
        (EDVR(num_feat=8, num_reconstruct_block=1), lambda net, x: edvr_alone(net, x, "replicate"), 0.05),
    ],
    ids=["FastDVDnet", "CDVD-TSP", "EDVR"],
)
def test_windows_alone_compute_much_twice(network: nn.Module, alone: Run, least: float) -> None:
    """That the way to find it out finds it."""
    side = 64 if isinstance(network, CDVDTSP) else 16
    assert repeated(Alone(trained(network), alone), random(6, 3, side, side)).share > least


# --- the search of VNLnet ------------------------------------------------------------------------


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Which frames were searched for the patches of which, by their content."""
    found: list[tuple[bytes, bytes]] = []

    def watch(name: str, both: bool) -> None:
        plain = getattr(neighbours, name)

        def watched(queries: Tensor, others: Tensor, window: Window) -> object:
            own = queries[0].numpy().tobytes()
            for other in others:
                pair = own, other.numpy().tobytes()
                found.extend([pair, pair[::-1]] if both else [pair])
            return plain(queries, others, window)

        monkeypatch.setattr(neighbours, name, watched)

    watch("match", False)
    watch("match_both", True)
    return found


def test_frames_are_searched_once(searches: list[tuple[bytes, bytes]]) -> None:
    """Of 12 frames, each in 14 others (one is black for the last seven), those that the ends show twice once."""
    restorer = VNLnetRestorer(VNLnet(45, 3, 4, 1, 4, 3).eval(), PatchSearch(Window(3, 3)))
    run(restorer, random(12, 3, 8, 8))
    assert len(searches) == len(set(searches)) > 12 * 10


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("mode", MODES)
def test_rfr_searches_each_clip_once(searches: list[tuple[bytes, bytes]], mode: Mode) -> None:
    """The noisy clip, and each that is taken for clean."""
    run(tuned(lambda: Neighbours(VNLnet(45, 3, 4, 1, 4, 3), PatchSearch(Window(3, 3))), mode)[1], random(8, 3, 8, 8))
    assert len(searches) == len(set(searches))


def test_models_without_a_window_are_listed() -> None:
    """DnCNN shares nothing and repeats nothing: one plane is one call."""
    with unloaded():
        restorer = models.spec("dncnn-s25").load(torch.device("cpu"), None)
    layers: Counter[type] = Counter()
    hook = register_module_forward_hook(lambda module, given, out: layers.update([type(module)]))
    run(restorer, random(4, 3, 8, 8))
    run(restorer, random(4, 1, 8, 8).expand(-1, 3, -1, -1))
    hook.remove()
    assert layers[nn.Conv2d] == 17 * (4 * 3 + 4)
