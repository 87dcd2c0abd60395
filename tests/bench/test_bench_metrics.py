"""Metrics at 1280 x 720, one thread, side by side with what one would use instead. Run by ``nox -s bench``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import structural_similarity

from tests.bench import transcriptions
from vbench import metrics
from vbench.metrics import aligned, brisque, niqe
from vbench.metrics.psnr import psnr
from vbench.metrics.spec import Chunk, View, figures_of
from vbench.metrics.ssim import ssim
from vbench.metrics.warp_error import dis, pair_error, pair_flow
from vbench.svm import load_model

pytestmark = pytest.mark.usefixtures("one_thread")

Bench = Callable[..., Any]
Frame = NDArray[np.uint8]


@pytest.fixture(scope="module")
def frames() -> tuple[Frame, Frame]:
    """Ground truth: two neighbours of a photograph that moves."""
    photo = cv2.resize(data.astronaut(), (1400, 1400))
    return np.ascontiguousarray(photo[100:820, 60:1340]), np.ascontiguousarray(photo[103:823, 62:1342])


@pytest.fixture(scope="module")
def results(frames: tuple[Frame, Frame]) -> tuple[Frame, Frame]:
    """The same with noise, a shade darker."""
    rng = np.random.default_rng(0)
    return tuple(  # type: ignore[return-value]  # two of them
        np.clip(0.97 * f + rng.normal(0, 8, f.shape) + 0.5, 0, 255).astype(np.uint8) for f in frames
    )


def tensor(*frames: Frame) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.stack(frames).transpose(0, 3, 1, 2)))


# --- SSIM -----------------------------------------------------------------------------------------

SSIM = pytest.mark.benchmark(group="ssim, one 720p frame")


@SSIM
def test_ssim_ours(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    a, b = tensor(frames[0]), tensor(results[0])
    assert 0 < benchmark(lambda: ssim(b, a))[0] < 1


@SSIM
def test_ssim_scikit_image(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    options: dict[str, Any] = {
        "data_range": 255, "channel_axis": 2, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False
    }  # fmt: skip
    value = benchmark(lambda: structural_similarity(frames[0], results[0], **options))
    assert value == pytest.approx(ssim(tensor(results[0]), tensor(frames[0]))[0], abs=1e-9)


@SSIM
def test_ssim_piq(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    piq = pytest.importorskip("piq")
    a, b = (tensor(f[0]).float() / 255 for f in (frames, results))
    assert float(benchmark(lambda: piq.ssim(b, a, downsample=False))) > 0


@SSIM
def test_ssim_pytorch_msssim(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    other = pytest.importorskip("pytorch_msssim")
    a, b = (tensor(f[0]).float() for f in (frames, results))
    assert float(benchmark(lambda: other.ssim(b, a, data_range=255))) > 0


# --- NIQE and BRISQUE -----------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.benchmark(group="niqe, one 720p frame")
def test_niqe_ours(benchmark: Bench, results: tuple[Frame, Frame], shared: Path) -> None:
    pristine = niqe.load_parameters(shared / "data" / "metrics" / "niqe_modelparameters.mat")
    x = tensor(results[0])
    assert benchmark(lambda: niqe.niqe(x, pristine))[0] > 0


@pytest.mark.shared
@pytest.mark.benchmark(group="niqe, one 720p frame")
def test_niqe_pyiqa(benchmark: Bench, results: tuple[Frame, Frame], shared: Path) -> None:
    pyiqa = pytest.importorskip("pyiqa")
    path = str(shared / "data" / "metrics" / "niqe_modelparameters.mat")
    metric = pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=path)
    x = tensor(results[0]).float() / 255
    assert float(benchmark(lambda: metric(x))) > 0


@pytest.mark.shared
@pytest.mark.benchmark(group="brisque, one 720p frame")
def test_brisque_ours(benchmark: Bench, results: tuple[Frame, Frame], shared: Path) -> None:
    room = shared / "data" / "metrics"
    model, ranges = load_model(room / "brisque_allmodel"), brisque.load_ranges(room / "brisque_allrange")
    x = tensor(results[0])
    assert benchmark(lambda: brisque.brisque(x, model, ranges))[0] > 0


@pytest.mark.shared
@pytest.mark.benchmark(group="brisque, one 720p frame")
def test_brisque_pyiqa(benchmark: Bench, results: tuple[Frame, Frame], shared: Path) -> None:
    pyiqa = pytest.importorskip("pyiqa")
    path = str(shared / "data" / "metrics" / "brisque_svm_weights.pth")
    metric = pyiqa.create_metric("brisque", device="cpu", pretrained_model_path=path)
    x = tensor(results[0]).float() / 255
    assert float(benchmark(lambda: metric(x))) > 0


# --- alignment and warping ------------------------------------------------------------------------


@pytest.mark.benchmark(group="aligned psnr and ssim, one 720p frame")
def test_aligned_ours(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    x, z = tensor(frames[0])[0], tensor(results[1])[0]
    found = benchmark(lambda: aligned.aligned(z, aligned.prepare(x)))
    assert (found.alignment.rows, found.alignment.cols) == (3, 2)


@pytest.mark.benchmark(group="aligned psnr and ssim, one 720p frame")
def test_aligned_transcription(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    run = functools.partial(transcriptions.aligned_psnr_ssim, frames[0], results[1])
    found = benchmark.pedantic(run, rounds=2)  # type: ignore[attr-defined]
    own = aligned.aligned(tensor(results[1])[0], aligned.prepare(tensor(frames[0])[0]))
    assert found == pytest.approx((own.psnr, own.ssim, own.alignment.rows, own.alignment.cols), abs=1e-8)


WARP = pytest.mark.benchmark(group="warp error of one 720p pair, flow given")


@WARP
def test_warp_error_ours(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    a, b = tensor(*frames)
    there, back = dis([(a, b)])[0]
    x, y = tensor(*results)
    assert benchmark(lambda: pair_error(x, y, pair_flow(there, back)).square) > 0


@WARP
def test_warp_error_transcription(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    a, b = tensor(*frames)
    there, back = dis([(a, b)])[0]
    flows = [f.double().numpy() for f in (there, back)]
    found = benchmark.pedantic(lambda: transcriptions.warp_error(*results, *flows), rounds=3)  # type: ignore[attr-defined]
    x, y = tensor(*results)
    assert found == pytest.approx(pair_error(x, y, pair_flow(there, back)).square, rel=1e-9)


# --- all in one pass ------------------------------------------------------------------------------

FIVE = ("psnr", "ssim", "niqe", "brisque", "warp_error")
GROUP = "five metrics of two 720p frames"


@pytest.fixture
def parameters(shared: Path, own_assets: Path) -> None:
    from vbench import assets

    room = shared / "data" / "metrics"
    for name, file in (
        ("niqe", "niqe_modelparameters.mat"),
        ("brisque", "brisque_allmodel"),
        ("brisque-range", "brisque_allrange"),
    ):
        assets.import_file(name, room / file)


@pytest.mark.shared
@pytest.mark.usefixtures("parameters")
@pytest.mark.benchmark(group=GROUP)
def test_together(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    a, b = tensor(*frames), tensor(*results)
    found = [metrics.load(name) for name in FIVE]

    def run() -> list[float]:
        view = View(Chunk(b), Chunk(a))
        return [figures_of(metric, view).values[0] for metric in found]

    assert len(benchmark(run)) == 5


@pytest.mark.shared
@pytest.mark.usefixtures("parameters")
@pytest.mark.parametrize("name", FIVE)
@pytest.mark.benchmark(group=GROUP)
def test_alone(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame], name: str) -> None:
    a, b = tensor(*frames), tensor(*results)
    metric = metrics.load(name)
    assert benchmark(lambda: figures_of(metric, View(Chunk(b), Chunk(a))).values)


@pytest.mark.benchmark(group="psnr, one 720p frame")
def test_psnr_ours(benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame]) -> None:
    a, b = tensor(frames[0]), tensor(results[0])
    assert benchmark(lambda: psnr(b, a))[0] > 0


VMAF = pytest.mark.benchmark(group="vmaf and vmaf_neg of ten 720p frames, wall time with FFmpeg's process")


@VMAF
@pytest.mark.parametrize("passes", [("vmaf",), ("vmaf,vmaf_neg",), ("vmaf", "vmaf_neg")], ids=" then ".join)
def test_vmaf(
    benchmark: Bench, frames: tuple[Frame, Frame], results: tuple[Frame, Frame], passes: tuple[str, ...]
) -> None:
    from vbench.clip import ClipInfo
    from vbench.metrics.vmaf import VmafSession

    a, b = tensor(*frames), tensor(*results)
    info = ClipInfo("a", 10, 720, 1280, 3, 25.0, 8, "", "")

    def run() -> int:
        count = 0
        for names in passes:
            session = VmafSession(info, names.split(","))
            for _ in range(5):
                session.feed(View(Chunk(b), Chunk(a)))
            count += sum(len(found.values) for found in session.end().values())
        return count

    assert benchmark(run) == 10 * sum(len(names.split(",")) for names in passes)
