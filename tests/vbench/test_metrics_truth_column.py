"""NIQE and BRISQUE beside those of the ground truth's frames: the same figures, at the cost of one evaluation a clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from vbench import metrics
from vbench.metrics import brisque, niqe
from vbench.metrics.spec import Chunk, View, figures_of
from vbench.score import Scene, as_tensor, measure_clips
from vbench.sources import open_clip
from vbench.svm import SupportVectors

MakeClip = Callable[..., Path]
Frames = NDArray[np.uint8]


@pytest.fixture(scope="module")
def truth() -> Frames:
    """Eleven frames (more than a chunk) of a window that moves over a photograph: a column and a row of blocks."""
    picture = np.asarray(data.astronaut())
    return np.stack([picture[2 * t : 2 * t + 100, 3 * t : 3 * t + 200] for t in range(11)])


def noisy(frames: Frames, sigma: float) -> Frames:
    noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
    return np.clip(frames + noise + 0.5, 0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def parameters(monkeypatch: pytest.MonkeyPatch) -> niqe.Pristine:
    """Parameters of our own in place of the published ones: what is tested does not depend on them."""
    moon = np.asarray(data.moon())
    pristine = niqe.fit([niqe.features(moon[:480, :480]), niqe.features(moon[30:510, 30:510])])
    monkeypatch.setattr(niqe, "_file", Path)
    monkeypatch.setattr(niqe, "_parameters", lambda path, form: pristine)
    monkeypatch.setattr(brisque.assets, "need", Path)
    machine = SupportVectors(np.linspace(-1, 1, 72).reshape(2, 36), np.array([3.0, -2.0]), 0.05, -1.0)
    ranges = brisque.Ranges(np.full(36, -1.0), np.full(36, 3.0))
    monkeypatch.setattr(brisque, "_parameters", lambda model, ranges_: (machine, ranges))
    return pristine


NAMES = ("niqe", "niqe[basicsr-y]", "brisque", "niqe_gt")


def test_the_column_is_the_metric_of_the_ground_truth(
    truth: Frames, clip_folder: MakeClip, parameters: niqe.Pristine
) -> None:
    clips = {"a": clip_folder(noisy(truth, 9), "a"), "truth itself": clip_folder(truth, "b")}
    scene = Scene(truth=open_clip(clips["truth itself"]), pristine=parameters)
    opened = {name: open_clip(path) for name, path in clips.items()}
    found = measure_clips(scene, opened, dict.fromkeys(opened, NAMES))
    for name in NAMES:
        own = found["truth itself", name]
        assert len(own.values) == 11
        assert found["a", name].columns["truth"] == own.values == own.columns["truth"]
        assert found["a", name].values != own.values
    alone = measure_clips(Scene(), {"a": opened["a"]}, {"a": NAMES[:3]})
    for name in NAMES[:3]:
        # Without a ground truth no column, and the very same figures.
        assert alone["a", name].columns == {}
        assert alone["a", name].values == found["a", name].values


def test_all_models_share_the_ground_truths_figures(
    truth: Frames, clip_folder: MakeClip, parameters: niqe.Pristine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planes that are looked at: those of three models, and of the ground truth once; NIQE and niqe_gt share theirs."""
    seen: dict[str, int] = {"niqe": 0, "brisque": 0}

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            seen[name] += 1
            return function(*arguments)

        return run

    monkeypatch.setattr(niqe, "features", counted("niqe", niqe.features))
    monkeypatch.setattr(brisque, "features", counted("brisque", brisque.features))
    paths = {f"model {i}": clip_folder(noisy(truth, 4 + i), f"m{i}") for i in range(3)}
    opened = {name: open_clip(path) for name, path in paths.items()}
    scene = Scene(truth=open_clip(clip_folder(truth, "truth")), pristine=parameters)
    measure_clips(scene, opened, dict.fromkeys(opened, ("niqe", "niqe_gt", "brisque", "flicker")))
    assert seen == {"niqe": 4 * 11, "brisque": 4 * 11}


@pytest.mark.parametrize("name", metrics.names())
def test_columns_are_those_that_a_metric_announces(name: str, truth: Frames, parameters: niqe.Pristine) -> None:
    metric = metrics.load(name)
    if metric.measure is None or name in ("lpips", "tlp", "dists", "ms_ssim"):
        assert not metric.columns  # nothing beside; what they need (FFmpeg, weights, larger frames) is not here
        return
    damaged, mask = noisy(truth[:3], 9), np.zeros((3, 100, 200, 1), np.uint8)
    mask[:, 40:60, 40:60] = 255
    chunks = [Chunk(as_tensor(frames)) for frames in (noisy(truth[:3], 5), truth[:3], damaged, mask)]
    found = figures_of(metric, View(*chunks, pristine=parameters))
    assert set(found.columns) == set(metric.columns)
    assert {len(column) for column in found.columns.values()} <= {len(found.values)}
