"""Models: one frame out for each that went in, whatever the chunks; what each of them promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vbench import models
from vbench.errors import InputError, MissingWeights
from vbench.models.dncnn.net import DnCNN
from vbench.models.dncnn.restorer import fuse, load_restorer
from vbench.models.recipe import read_manifest, state_dict
from vbench.restore import ClipMeta, Restorer, from_array, run_array, to_uint8

LARGER = models.spec("lanczos").scales
PLAIN = [name for name in models.names() if models.spec(name).weights is None and models.spec(name).scales != LARGER]
CPU = torch.device("cpu")
SHORTEST = {"deflicker": 5}
"""Frames of the shortest clip, of what takes no shorter ones and says so (tests/vbench/test_models_classical.py)."""


def clip(moving: NDArray[np.uint8]) -> Tensor:
    return from_array(moving)


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_keeps_count_and_size_and_knows_no_chunks(moving: NDArray[np.uint8], name: str) -> None:
    restorer = models.spec(name).load(CPU, None)
    x = clip(moving)
    whole = run_array(restorer, x, chunk=6)
    assert whole.shape == x.shape
    for size in (1, 4):
        assert torch.equal(run_array(restorer, x, chunk=size), whole)
    assert (to_uint8(whole) != moving).any() == (name != "identity")


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("shape", [(1, 3, 64, 80), (2, 1, 35, 47), (3, 3, 33, 31)])
def test_a_model_takes_any_size(moving: NDArray[np.uint8], name: str, shape: tuple[int, ...]) -> None:
    x = clip(moving)[: max(shape[0], SHORTEST.get(name, 1)), : shape[1], : shape[2], : shape[3]]
    out = run_array(models.spec(name).load(CPU, None), x)
    assert out.shape == x.shape
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1


def test_every_model_says_where_it_comes_from() -> None:
    for name in models.names():
        spec = models.spec(name)
        assert spec.name == name
        assert spec.title
        assert spec.source
        assert spec.licence
    with pytest.raises(InputError, match='no model "dncn-s25".*"dncnn-s25"'):
        models.spec("dncn-s25")


def test_temporal_median_is_numpys(moving: NDArray[np.uint8]) -> None:
    out = to_uint8(run_array(models.spec("temporal-median").load(CPU, None), clip(moving)))
    padded = np.concatenate([moving[:1], moving, moving[-1:]])
    wanted = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0).astype(np.uint8)
    assert (out == wanted).all()


def test_temporal_median_takes_off_what_lives_one_frame(moving: NDArray[np.uint8]) -> None:
    still = clip(np.repeat(moving[:1], 5, axis=0))
    dirty = still.clone()
    dirty[2, :, 10:20, 10:20] = 1.0
    assert torch.equal(run_array(models.spec("temporal-median").load(CPU, None), dirty), still)


def test_deconvolution_undoes_its_blur(picture: NDArray[np.uint8]) -> None:
    import cv2

    blurred = cv2.GaussianBlur(picture, (9, 9), 1.2)
    x, truth = from_array(blurred[None]), from_array(picture[None])
    out = run_array(models.spec("richardson-lucy").load(CPU, None), x)
    gain = 10 * torch.log10((x - truth).square().mean() / (out - truth).square().mean())
    assert float(gain) > 1.5  # dB


def test_windows_hold_few_frames(moving: NDArray[np.uint8]) -> None:
    """A frame comes out as soon as its window is full: memory does not grow with the clip."""
    asked = 0

    def chunks() -> Iterator[Tensor]:
        nonlocal asked
        for frame in clip(np.tile(moving, (10, 1, 1, 1))):
            asked += 1
            yield frame[None]

    stream = models.spec("temporal-median").load(CPU, None).restore(chunks(), ClipMeta(60, 64, 80, 3, 24.0))
    next(stream)
    assert asked <= 3


@pytest.mark.parametrize("name", PLAIN)
def test_a_gray_picture_in_three_channels_stays_gray(moving: NDArray[np.uint8], name: str) -> None:
    """And equals what comes of the gray clip itself: no filter tints, no conversion loses a level."""
    restorer = models.spec(name).load(CPU, None)
    gray = clip(moving)[: SHORTEST.get(name, 3), 1:2]
    out = run_array(restorer, gray.expand(-1, 3, -1, -1))
    assert torch.equal(out, run_array(restorer, gray).expand_as(out))


@pytest.mark.parametrize("name", ["nlmeans", "bm3d", "unsharp", "richardson-lucy"])
def test_plain_areas_keep_their_colour(name: str) -> None:
    colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0.2, 0.7, 0.9]])
    flat = colours.view(6, 3, 1, 1).expand(6, 3, 24, 32)
    out = run_array(models.spec(name).load(CPU, None), flat)
    allowed = 2 if name == "unsharp" else 1  # YUV of 8 bits does not hold every RGB
    assert float((out - flat).abs().max()) * 255 <= allowed


@pytest.mark.parametrize(("name", "gain"), [("hqdn3d", 0.5), ("nlmeans", 2.0), ("bm3d", 2.0), ("temporal-median", 3.3)])
def test_denoisers_denoise(picture: NDArray[np.uint8], name: str, gain: float) -> None:
    """Gaussian noise of sigma 15 on a still clip; at least so many dB of PSNR are gained.

    The median of three has 0.449 of their variance: 3.48 dB.
    """
    clean = from_array(np.repeat(picture[None, :96, :128], 6, axis=0))
    noisy = clean + 15 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = from_array(to_uint8(noisy))
    out = run_array(models.spec(name).load(CPU, None), noisy)[1:-1]  # the ends of a window have fewer neighbours
    ratio = (noisy[1:-1] - clean[1:-1]).square().mean() / (out - clean[1:-1]).square().mean()
    assert float(10 * torch.log10(ratio)) > gain


def test_unsharp_sharpens(moving: NDArray[np.uint8]) -> None:
    x = clip(moving)
    out = run_array(models.spec("unsharp").load(CPU, None), x)
    assert float(out.diff(dim=-1).abs().mean()) > 1.2 * float(x.diff(dim=-1).abs().mean())


def test_listing_imports_neither_torch_nor_filters() -> None:
    code = (
        "import sys; from vbench import models, weights\n"
        "specs = [models.spec(n) for n in models.names()]; [weights.find(s) for s in specs]\n"
        "heavy = {'torch', 'skimage', 'scipy', 'cv2', 'av', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- DnCNN ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network() -> DnCNN:
    """DnCNN with the numbers of the parity fixture, whose noise estimate is small."""
    found = DnCNN(17).eval()
    manifest = read_manifest(Path(__file__).resolve().parents[1] / "parity" / "dncnn" / "manifest.json")
    found.load_state_dict(found.state_dict() | state_dict(manifest))
    return found


@pytest.fixture
def dncnn(network: DnCNN, tmp_path: Path) -> Restorer:
    torch.save(network.state_dict(), tmp_path / "net.pth")
    return load_restorer(17, CPU, tmp_path / "net.pth", models.spec("dncnn-s25"))


@pytest.mark.parametrize("shape", [(1, 1, 24, 31), (5, 3, 17, 20), (2, 3, 1, 1), (2, 1, 2, 40)])
def test_dncnn_takes_the_networks_noise_from_each_channel(
    network: DnCNN, dncnn: Restorer, shape: tuple[int, ...]
) -> None:
    """``clamp(x - net(x))``, one gray plane after the other; any size, any number of frames."""
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = torch.cat([x[:, c : c + 1] - network(x[:, c : c + 1]) for c in range(shape[1])], dim=1).clamp(0, 1)
    out = run_array(dncnn, x)
    assert torch.allclose(out, wanted, atol=1e-5)
    assert float((out - x).abs().max()) > 1e-3


def test_dncnn_knows_no_chunks(dncnn: Restorer) -> None:
    """To the last bit, as the networks run a plane at a time on the CPU."""
    x = torch.rand(7, 3, 20, 24, generator=torch.Generator().manual_seed(2))
    x[3:5] = x[3:5, :1]  # two black-and-white frames, which take a shorter way where they fill a chunk
    whole = run_array(dncnn, x, chunk=7)
    for size in (1, 2, 3):
        assert torch.equal(run_array(dncnn, x, chunk=size), whole)
    assert torch.equal(run_array(dncnn, x[:, 1:2]), whole[:, 1:2])


def test_folding_keeps_the_network(network: DnCNN) -> None:
    before = {k: v.clone() for k, v in network.state_dict().items()}
    fuse(network)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("name", [n for n in models.names() if models.spec(n).weights is not None])
def test_without_weights_a_network_never_runs(name: str) -> None:
    with pytest.raises(MissingWeights, match=rf"GitHub repository .*vbench weights import FILE --model {name}$"):
        models.spec(name).load(CPU, None)
