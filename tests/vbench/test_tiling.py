"""Tiles: equal to whole frames where they are said to be, adding up to 1 elsewhere, halved where memory is short."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vbench import models
from vbench.errors import RunError, UsageError
from vbench.models.dncnn.restorer import fuse
from vbench.models.fastdvdnet.net import FastDVDnet
from vbench.models.fastdvdnet.restorer import FastDVDnetRestorer
from vbench.models.identity import Enlarging
from vbench.models.rfr.denoisers import SingleFrame
from vbench.models.rfr.restorer import RFRRestorer
from vbench.models.spec import Tiles
from vbench.models.verify import build
from vbench.models.vnlnet.net import VNLnet
from vbench.models.vnlnet.restorer import VNLnetRestorer
from vbench.models.vnlnet.search import PatchSearch, Window
from vbench.restore import ClipMeta, Framewise, Restorer, Windowed, checked, run_array
from vbench.tiling import Tile, fitted, halved, parse, restored, spans, weights

PARITY = Path(__file__).resolve().parents[1] / "parity"
EQUAL = 2e-5
"""Of values in [0, 1]: what sums of float32 differ by where convolutions take other sizes at once. A network that sees a
pixel beyond its halo differs by far more: see the tests with less halo."""


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def tiled(restorer: Restorer, frames: Tensor, tile: Tile | None, rule: Tiles, path: Path, scale: int = 1) -> Tensor:
    """A clip in memory, restored tile by tile; the file for frames that wait is gone afterwards."""
    meta = ClipMeta(len(frames), frames.shape[2], frames.shape[3], frames.shape[1], 24.0, scale)
    waiting = path / "waiting"
    with torch.inference_mode():
        out = list(restored(checked(restorer, "it"), lambda: iter(frames.split(2)), meta, "cpu", tile, rule, waiting))
    assert not waiting.exists()
    return torch.cat(out)


def apart(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


# --- equal to whole frames ------------------------------------------------------------------------


def test_dncnn_in_tiles_is_dncnn(tmp_path: Path) -> None:
    network = fuse(build("dncnn", PARITY / "dncnn" / "manifest.json", {}, "float32"))  # type: ignore[arg-type]
    restorer = Framewise(lambda frames: (frames - network(frames)).clamp(0, 1))
    rule = models.spec("dncnn-s25").tiles
    assert rule is not None
    assert rule.exact
    clip = random(2, 1, 70, 210)
    whole = run_array(restorer, clip)
    assert apart(tiled(restorer, clip, Tile(64, 64), rule, tmp_path), whole) < EQUAL
    less = Tiles(halo=4, alone=True)
    assert apart(tiled(restorer, clip, Tile(64, 64), less, tmp_path), whole) > 10 * EQUAL


def test_fastdvdnet_in_tiles_is_fastdvdnet(tmp_path: Path) -> None:
    network = build("fastdvdnet", PARITY / "fastdvdnet" / "manifest.json", {}, "float32")
    assert isinstance(network, FastDVDnet)
    restorer = FastDVDnetRestorer(network, 25)
    rule = models.spec("fastdvdnet-s25").tiles
    assert rule is not None
    assert rule.exact
    # Neither width nor height is a multiple of four: the last tile is reflected up to one as the frame is.
    clip = random(3, 3, 39, 275)
    whole = run_array(restorer, clip)
    assert apart(tiled(restorer, clip, Tile(64, 64), rule, tmp_path), whole) < EQUAL
    for less in (Tiles(halo=8, multiple=4), Tiles(halo=80, multiple=1)):
        assert apart(tiled(restorer, clip, Tile(64, 64), less, tmp_path), whole) > 10 * EQUAL


def test_vnlnet_in_tiles_is_vnlnet(tmp_path: Path) -> None:
    """With patches of 5 in a window of 7, for speed: 15 convolutions, 3 pixels of search and 2 of a patch."""
    torch.manual_seed(0)
    network = VNLnet(15, 1, 8, 2, 8, 15).eval()
    for parameter in network.parameters():
        parameter.data *= 2  # so that noise goes through 15 layers
    restorer = VNLnetRestorer(network, PatchSearch(window=Window(5, 7)))
    clip = random(9, 1, 66, 150)
    whole = run_array(restorer, clip)
    assert apart(whole, clip) > 0.01
    assert apart(tiled(restorer, clip, Tile(75, 64), Tiles(halo=20, multiple=5), tmp_path), whole) < EQUAL
    assert apart(tiled(restorer, clip, Tile(75, 64), Tiles(halo=14, multiple=5), tmp_path), whole) > 10 * EQUAL
    rule = models.spec("vnlnet-gray-s25").tiles
    assert rule == Tiles(halo=15 + 20 + 20, multiple=41)  # the real ones: patches of 41 in a window of 41


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("rule", [Tiles(halo=8), Tiles(halo=20, multiple=8, blend=16)])
def test_what_changes_nothing_changes_nothing_in_tiles(alone: bool, rule: Tiles, tmp_path: Path) -> None:
    rule = Tiles(rule.halo, rule.multiple, rule.blend, alone)
    clip = random(5, 3, 71, 197)
    found = tiled(Framewise(lambda frames: frames), clip, Tile(64, 64), rule, tmp_path)
    assert apart(found, clip) < 2e-7


@pytest.mark.parametrize("scale", [2, 4])
def test_enlarged_frames_are_put_together(scale: int, tmp_path: Path) -> None:
    """Bicubic enlargement sees two pixels around each."""
    restorer = Enlarging("bicubic")
    clip = random(2, 3, 66, 130)
    whole = run_array(restorer, clip, scale=scale)
    assert apart(tiled(restorer, clip, Tile(64, 64), Tiles(halo=4), tmp_path, scale), whole) < 1e-6
    faded = tiled(restorer, clip, Tile(64, 64), Tiles(halo=16, blend=8, alone=True), tmp_path, scale)
    assert apart(faded, whole) < 1e-6


def test_enlarged_frames_are_cut_off_at_the_size_asked_for(tmp_path: Path) -> None:
    restorer, clip = Enlarging("lanczos"), random(1, 1, 70, 130)
    meta = ClipMeta(1, 70, 130, 1, 24.0, 2, target=(139, 257))
    out = [
        torch.cat(
            list(restored(restorer, lambda: iter([clip]), meta, "cpu", tile, Tiles(halo=8, blend=4), tmp_path / "w"))
        )
        for tile in (None, Tile(64, 64))
    ]
    assert out[0].shape == (1, 1, 139, 257)
    assert apart(*out) < 1e-6


def test_a_window_in_time_holds_in_every_tile(tmp_path: Path) -> None:
    restorer = Windowed(lambda windows: windows.mean(dim=1), 2, 2)
    clip = random(7, 1, 64, 130)
    assert apart(tiled(restorer, clip, Tile(64, 64), Tiles(halo=0), tmp_path), run_array(restorer, clip)) < 1e-6


@settings(max_examples=200, deadline=None)
@given(
    length=st.integers(1, 700),
    most=st.integers(64, 256),
    blend=st.integers(0, 16),
    more=st.integers(0, 90),
    multiple=st.integers(1, 64),
    scale=st.sampled_from([1, 2, 3]),
    less=st.integers(0, 2),
)
def test_tiles_cover_every_pixel_once(
    length: int, most: int, blend: int, more: int, multiple: int, scale: int, less: int
) -> None:
    rule = Tiles(blend + more, multiple, blend)
    found = spans(length, most, rule)
    assert [s.start for s in found] == [0, *(s.stop for s in found[:-1])]
    assert found[-1].stop == length
    target = max(1, scale * length - min(less, scale - 1))
    total = np.zeros(target)
    for span in found:
        assert span.stop - span.start <= most
        assert span.first % multiple == 0
        assert span.last % multiple == 0 or span.last == length
        assert span.first <= max(0, span.start - rule.halo)
        assert span.last >= min(length, span.stop + rule.halo)
        part = weights(span, length, blend, scale, target)
        total[scale * span.low : scale * span.low + len(part)] += part
    assert np.abs(total - 1).max() < 1e-6


def test_rfr_fine_tunes_each_tile_by_itself(tmp_path: Path) -> None:
    """The first frame is denoised by the published weights, and so is that of whole frames; later ones drift apart."""
    network = build("dncnn", PARITY / "dncnn" / "manifest.json", {}, "float32")
    restorer = RFRRestorer(lambda: SingleFrame(deepcopy(network)), 1, "online", 25)  # type: ignore[arg-type]
    rule = models.spec("rfr-dncnn-online-s25").tiles
    assert rule is not None
    assert not rule.exact
    clip = random(2, 1, 40, 140)
    whole = run_array(restorer, clip)
    found = tiled(restorer, clip, Tile(70, 64), rule, tmp_path)
    assert apart(found[:1], whole[:1]) < EQUAL
    assert EQUAL < apart(found[1:], whole[1:]) < 0.2


# --- memory ---------------------------------------------------------------------------------------


class Small:
    """A device that holds so many pixels at once, as PyTorch tells that its memory is full."""

    def __init__(self, pixels: int, error: type[RuntimeError] = torch.OutOfMemoryError) -> None:
        self.pixels = pixels
        self.error = error
        self.tried: list[tuple[int, int]] = []

    def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
        self.tried.append((meta.height, meta.width))
        for chunk in chunks:
            if meta.height * meta.width > self.pixels:
                raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB")
            yield chunk


def fit(restorer: Small, clip: Tensor, path: Path) -> tuple[Tensor, Tile | None]:
    height, width = clip.shape[2:]
    return fitted(
        lambda tile: tiled(restorer, clip, tile, Tiles(halo=8), path),
        None,
        halved(height, width),
        "cpu",
        "it on 300 x 200",
    )


def test_tiles_are_halved_until_they_fit(tmp_path: Path) -> None:
    clip = random(3, 1, 200, 300)
    device = Small(20_000)
    found, tile = fit(device, clip, tmp_path)
    assert tile == Tile(128, 128)
    assert bool((found == clip).all())
    assert device.tried[:3] == [(200, 300), (200, 158), (108, 108)]
    roomy = Small(60_000)
    assert fit(roomy, clip, tmp_path)[1] is None
    assert roomy.tried == [(200, 300)]


def test_what_was_begun_is_thrown_away(tmp_path: Path) -> None:
    """Memory may run out in the middle of a clip."""
    clip = random(4, 1, 100, 100)

    class Late(Small):
        def restore(self, chunks: Iterator[Tensor], meta: ClipMeta) -> Iterator[Tensor]:
            for i, chunk in enumerate(chunks):
                if i and meta.width > self.pixels:
                    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")
                yield chunk

    found, tile = fit(Late(90), clip, tmp_path)
    assert tile == Tile(64, 64)
    assert bool((found == clip).all())


TOO_LITTLE = """
import sys
from pathlib import Path

import torch
import vbench.devices
from tests.vbench.test_tiling import apart, random, tiled
from vbench.models.spec import Tiles
from vbench.restore import Framewise, run_array
from vbench.tiling import fitted, halved

conv = torch.nn.Conv2d
restorer = Framewise(torch.nn.Sequential(conv(1, 64, 3, padding=1), torch.nn.ReLU(), conv(64, 1, 3, padding=1)))
clip = random(1, 1, 400, 512)
whole = run_array(restorer, clip)
vbench.devices.free_memory_now = lambda: 80 * 2**20
with vbench.devices.bounded_memory("cpu"):
    found, tile = fitted(
        lambda tile: tiled(restorer, clip, tile, Tiles(halo=2), Path(sys.argv[1])), None, halved(400, 512), "cpu", "it"
    )
print(tile, apart(found, whole))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by Linux")
def test_a_network_is_cut_where_the_machine_has_too_little(tmp_path: Path) -> None:
    """PyTorch's own allocator says so: 64 features of 512 x 400 pixels are 50 MiB, and two layers' are held.

    In a process of its own: the heap of one that ran many tests has holes, and what fits in those is not counted.
    """
    command = [sys.executable, "-c", TOO_LITTLE, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PARITY.parents[1])
    assert done.returncode == 0, done.stderr
    tile, difference = done.stdout.split()
    assert tile in ("256x256", "128x128")
    assert float(difference) < EQUAL


def test_too_little_for_the_smallest_tile_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"it on 300 x 200 \(in tiles of 64x64\) ran out of memory on cpu: CUDA out of memory"
    ):
        fit(Small(100), random(1, 1, 200, 300), tmp_path)
    with pytest.raises(RunError, match=r"\(whole\) ran out of memory .*--tile auto"):
        fitted(lambda tile: (_ for _ in ()).throw(MemoryError()), None, iter(()), "cpu", "it")


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    class Broken(RuntimeError):
        def __init__(self, said: str) -> None:
            super().__init__("size mismatch")

    with pytest.raises(Broken):
        fit(Small(100, Broken), random(1, 1, 200, 300), tmp_path)


def test_a_smaller_tile_follows_the_one_that_fitted_before() -> None:
    assert [str(t) for t in halved(1080, 1920, Tile(256, 256))] == ["128x128", "64x64"]
    assert [str(t) for t in halved(64, 64)] == []
    assert [str(t) for t in halved(65, 40)] == ["64x64"]
    assert [str(t) for t in halved(1080, 1920, Tile(600, 90))] == ["512x512", "256x256", "128x128", "64x64"]


@pytest.mark.parametrize("text", ["", "63", "640x", "x360", "1x2x3", "-64", "64.0", "all", "640x63", "\u0666\u0664"])
def test_what_is_no_tile_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--tile"):
        parse(text)


@pytest.mark.parametrize("wrong", [{"blend": 9}, {"halo": 40, "blend": 17}, {"multiple": 0}, {"blend": -1}])
def test_tiles_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="blend is to be at least 0, and at most the halo and 16; multiple at least 1"):
        Tiles(**{"halo": 8, **wrong})


def test_every_network_says_how_it_may_be_cut() -> None:
    """Exactly those that see a bounded neighbourhood, and nothing else, are said to be equal in tiles."""
    for name in models.names():
        spec = models.spec(name)
        if spec.weights is None:
            assert spec.tiles is None
            assert spec.precisions == ("fp32",)
            continue
        assert spec.tiles is not None
        assert spec.tiles.exact == name.startswith(("dncnn", "fastdvdnet", "vnlnet"))
        assert "bf16" in spec.precisions
