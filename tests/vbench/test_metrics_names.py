"""Metric names with options: what they mean, what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from tests.parity.metric_cases import read
from vbench import metrics
from vbench.clip import ClipInfo
from vbench.errors import InputError, MissingAsset
from vbench.metrics.spec import Chunk, Figures, View, figures_of, mean


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("psnr", "psnr"),
        ("psnr[]", "psnr"),
        ("psnr[rgb]", "psnr"),
        ("psnr[crop=4,y]", "psnr[y,crop=4]"),
        ("psnr[colour=y,pooled]", "psnr[y,pooled]"),
        ("psnr_aligned[crop=0]", "psnr_aligned[crop=0]"),
        ("psnr_aligned[crop=16]", "psnr_aligned"),
        ("ssim[uniform7, y]", "ssim[y,uniform7]"),
        ("warp_error[input]", "warp_error[input]"),
        ("warp_error_long[absolute]", "warp_error_long[absolute]"),
        ("niqe[basicsr-y]", "niqe[basicsr-y]"),
        ("ms_ssim[sum,gray]", "ms_ssim[gray,sum]"),
        ("ms_ssim[luma,product]", "ms_ssim"),
        ("damage_left[any]", "damage_left"),
        ("psnr_damaged[kind=dirt]", "psnr_damaged[dirt]"),
    ],
)
def test_names_are_brought_to_one_form(given: str, canonical: str) -> None:
    found = metrics.load(given)
    assert found.name == canonical
    assert metrics.load(found.name).facts() == found.facts()


@pytest.mark.parametrize("name", metrics.names())
def test_every_metric_says_what_it_is(name: str) -> None:
    found = metrics.load(name)
    assert found.name == name
    assert (found.measure is None) != (found.begin is None)
    assert all((found.convention, found.source, found.values, found.licence, found.options))
    assert found.signature.startswith(f"{name}@{found.version}|")


def test_conventions_of_one_metric_differ_in_their_options() -> None:
    """Cells of different conventions are kept apart by their options: no two names share them."""
    names = ["psnr", "psnr[y]", "psnr[crop=4]", "psnr[pooled]", "psnr[basicsr-pt]", "psnr[y,crop=4]"]
    assert len({str(metrics.load(n).options) for n in names}) == len(names)
    names = ["warp_error", "warp_error[input]", "warp_error[backward]", "warp_error[absolute]"]
    assert len({str(metrics.load(n).options) for n in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("psnr[z]", r'"psnr" has no option "z"\. It takes: rgb \| y \| luma'),
        ("psnr[crop=-1]", "has no option"),
        ("psnr[crop=x]", "has no option"),
        ("lpips[squeeze]", r'"lpips" has no option "squeeze"\. It takes: alex \| vgg'),
        ("tlp[vgg]", r'"tlp" has no option "vgg"\. It takes: none'),
        ("psnr[y", "There is no metric"),
        ("torchvision:ssim", 'no library "torchvision" for "torchvision:ssim"'),
    ],
)
def test_what_is_not_there_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        metrics.load(name)


def test_metrics_of_other_libraries_are_columns() -> None:
    pytest.importorskip("torchmetrics")
    found = metrics.load("torchmetrics:psnr")
    assert found.licence == "Apache-2.0"
    a = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    b = (a.int() + 3).clamp(0, 255).byte()
    view = View(Chunk(b), Chunk(a))
    assert figures_of(found, view).values == pytest.approx(figures_of(metrics.load("psnr"), view).values, abs=1e-4)
    with pytest.raises(InputError, match='no picture metric "psrn" here'):
        metrics.load("torchmetrics:psrn")


def test_a_library_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from vbench.metrics import external

    monkeypatch.setitem(external.LIBRARIES, "pyiqa", ("no_such_package", "some licence"))
    with pytest.raises(MissingAsset, match="needs the package no_such_package .some licence., which is not installed"):
        metrics.load("pyiqa:niqe")


@pytest.mark.slow
def test_pyiqa_is_a_column_and_agrees() -> None:
    """Its SSIM on the luma, whose weights are a little others than ours."""
    pytest.importorskip("pyiqa")
    a = torch.rand((1, 3, 64, 72), generator=torch.Generator().manual_seed(0))
    view = View(Chunk(a * 0.8 + 0.1), Chunk(a))
    found = figures_of(metrics.load("pyiqa:psnr"), view).values
    assert found == pytest.approx(figures_of(metrics.load("psnr"), view).values, abs=0.01)
    with pytest.raises(InputError, match='pyiqa has no metric "no_such"'):
        metrics.load("pyiqa:no_such")


def test_a_mean_without_figures_is_none() -> None:
    assert mean(Figures([float("nan")])) != mean(Figures([float("nan")]))


def test_what_a_chunk_keeps_is_made_once() -> None:
    chunk = Chunk(torch.zeros(4, 1, 8, 8), start=3)
    calls: list[int] = []
    assert chunk.once("x", lambda: calls.append(1) or 7) == chunk.once("x", lambda: calls.append(1) or 8) == 7
    assert len(calls) == 1
    assert chunk.tail(1) is chunk.tail(1)
    assert (chunk.tail(1).start, len(chunk.tail(1))) == (4, 3)
    assert chunk.tail(0) is chunk


def test_weights_of_piq_are_never_fetched_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("piq")
    from vbench.metrics import external

    external._piq_function.cache_clear()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    fetch = torch.hub.download_url_to_file
    with pytest.raises(
        MissingAsset, match=r"needs a file that is not on this machine.* Get it from https.*brisque_svm_weights"
    ):
        external._piq_function("brisque")
    with pytest.raises(
        MissingAsset, match=r"piq:dists needs a file that is not on this machine.* Get it from https.*dists_weights"
    ):
        metrics.load("piq:dists").check(ClipInfo("a", 1, 64, 64, 3, 24.0, 8, "s", "c"))
    assert torch.hub.download_url_to_file is fetch
    assert capfd.readouterr().out == ""  # or JSON on the same stream would be spoilt
    external._piq_function.cache_clear()


def test_weights_of_pyiqa_are_never_fetched_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    loader = pytest.importorskip("pyiqa.utils.download_util")
    monkeypatch.setattr(loader, "DEFAULT_CACHE_DIR", str(tmp_path))
    fetch = loader.download_url_to_file
    capfd.readouterr()
    with pytest.raises(MissingAsset, match=r"pyiqa:niqe needs a file that is not on this machine.* Get it from https"):
        metrics.load("pyiqa:niqe").check(ClipInfo("a", 1, 200, 200, 3, 24.0, 8, "s", "c"))
    assert loader.download_url_to_file is fetch
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "size", "channels"),
    [("torchmetrics:vif", 8, 3), ("torchmetrics:sam", 64, 1), ("piq:ms_ssim", 100, 3), ("piq:haarpsi", 8, 3)],
)
def test_frames_that_a_library_does_not_take_are_refused_before_a_clip_is_begun(
    name: str, size: int, channels: int
) -> None:
    pytest.importorskip(name.partition(":")[0])
    info = ClipInfo("a", 1, size, size, channels, 24.0, 8, "s", "c")
    with pytest.raises(InputError, match=rf"{name} cannot be measured on (gray|colour) frames of {size} x {size}: \w"):
        metrics.load(name).check(info)
    metrics.load(name).check(dataclasses.replace(info, height=400, width=300, channels=3))


@pytest.mark.shared
def test_brisque_of_piq_is_what_papers_on_old_film_report(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its weights where PyTorch's hub looks for them; figures of the RTN protocol."""
    piq = pytest.importorskip("piq")
    from vbench.metrics import external

    external._piq_function.cache_clear()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints"
    place.mkdir(parents=True)
    (place / "brisque_svm_weights.pt").write_bytes(
        (shared / "data" / "metrics" / "brisque_svm_weights.pth").read_bytes()
    )
    seen = 0
    for entry in json.loads((shared / "metrics" / "niqe_brisque.json").read_text())["images"]:
        official = entry["rtn_protocol"].get("brisque_piq_rgb")
        if official is None:
            continue
        frame = read(shared / "metrics" / entry["file"])
        found = figures_of(metrics.load("piq:brisque"), View(Chunk(frame))).values[0]
        # What piq gives here is what the column holds.
        direct = float(piq.brisque(frame.expand(-1, 3, -1, -1).float() / 255, data_range=1.0))
        assert found == pytest.approx(direct, abs=1e-9), entry["file"]
        # piq works in float32: the order in which a processor sums a convolution moves its figure. Measured for these
        # pictures between oneDNN on AVX-512, without oneDNN and in float64: up to 0.02 (0.7 where JPEG makes flat
        # windows, on which the fixture and oneDNN agree). The fixture's page finds piq up to 0.1 from the official code.
        assert found == pytest.approx(official, abs=0.03), entry["file"]
        seen += 1
    black = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    assert (
        str(figures_of(metrics.load("piq:brisque"), View(Chunk(black))).values) == "[nan]"
    )  # piq raises, and the clip goes on
    external._piq_function.cache_clear()
    assert seen >= 10


def test_exact_flow_is_that_of_the_renderer(tmp_path: Path) -> None:
    """On an embedded clip: its error is of the size of DIS's, and the pairs are those of the clip."""
    from vbench.builtin import open_builtin
    from vbench.builtin.clips import load_flow
    from vbench.score import Scene, measure_clips

    clip = open_builtin("cat", frames=4)
    clip.save_flow(tmp_path)
    scene = Scene(truth=clip, flow=lambda t: load_flow(tmp_path / f"{t:08d}.npz"))
    names = ("warp_error", "warp_error[exact]")
    found = measure_clips(scene, {"a": clip}, {"a": names})
    estimated, exact = (sum(found["a", name].values) for name in names)
    assert len(found["a", "warp_error[exact]"].values) == clip.info.frames - 1
    assert 0 < exact < 2 * estimated
    assert exact != estimated
    with pytest.raises(InputError, match="is known of embedded clips only"):
        measure_clips(Scene(truth=clip), {"a": clip}, {"a": names})


def test_raft_estimates_the_flow_where_its_weights_are(tmp_path: Path) -> None:
    """With numbers by recipe, which are no good flow: what is measured is that it is RAFT's."""
    from vbench import assets
    from vbench.flow.raft.net import RAFT
    from vbench.models.recipe import read_manifest, state_dict

    metric = metrics.load("warp_error[raft]")
    frames = torch.randint(0, 256, (3, 3, 128, 130), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(MissingAsset, match="vbench assets import raft FILE"):
        figures_of(metric, View(Chunk(frames), Chunk(frames)))
    network = RAFT()
    manifest = Path(__file__).resolve().parents[1] / "parity" / "raft" / "manifest.json"
    torch.save(network.state_dict() | state_dict(read_manifest(manifest)), tmp_path / "raft.pth")
    assets.import_file("raft", tmp_path / "raft.pth")
    found = figures_of(metric, View(Chunk(frames), Chunk(frames)))
    assert len(found.values) == 2
    assert found.values != figures_of(metrics.load("warp_error"), View(Chunk(frames), Chunk(frames))).values
    assert metric.options["flow"] == "raft-sintel"
