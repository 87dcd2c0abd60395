"""Crops that are damaged on the fly."""

from __future__ import annotations

import copy
import pickle
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from degradations.apply import degrade, draw, replay, stored
from degradations.training import DamagedCrops, InMemory, Sample
from vbench.restore import to_uint8

MIXED = """
name: mixed
version: 1
title: Mixed
description: A test.
source: None.
default: [plain, gray]
variants:
  plain:
    title: Noise
    description: Noise.
    steps: [gaussian-noise: {sigma: 20}]
  gray:
    title: Sharp target
    description: Black and white, sharpened target.
    truth: gray-sharp
    start: gray
    steps: [gaussian-noise: {sigma: 5}]
"""


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.yaml"
    path.write_text(MIXED)
    return path


def clips() -> dict[str, NDArray[Any]]:
    g = np.random.default_rng(0)
    return {name: g.integers(0, 256, (7, 40, 56, 3), dtype=np.uint8) for name in ("a", "b", "c")}


def same(a: Sample, b: Sample) -> bool:
    return all(torch.equal(a[k], b[k]) for k in ("gt", "lq", "mask")) and a["variant"] == b["variant"]


def test_a_sample_is_the_same_in_any_process_and_any_order(mixed: Path) -> None:
    data = DamagedCrops(clips(), mixed, frames=3, crop=(16, 24), length=8, seed=3)
    alone = [data[i] for i in reversed(range(8))][::-1]
    for workers in (0, 2):
        loader = DataLoader(
            data, batch_size=None, num_workers=workers, multiprocessing_context="fork" if workers else None
        )
        assert all(same(a, b) for a, b in zip(alone, loader, strict=True))
    assert same(data[-1], alone[7])
    with pytest.raises(IndexError):
        data[8]


def test_workers_that_live_on_see_the_epoch() -> None:
    data = DamagedCrops(clips(), "noise", "gaussian25", frames=2, crop=16, length=4)
    loader = DataLoader(data, batch_size=None, num_workers=2, persistent_workers=True, multiprocessing_context="fork")
    for epoch in (0, 5, 1):
        data.set_epoch(epoch)
        alone = [data[i] for i in range(4)]
        assert all(same(a, b) for a, b in zip(loader, alone, strict=True))
    # Workers that are not forked get the data set through this pickler.
    there = pickle.loads(bytes(ForkingPickler.dumps(data)))
    data.set_epoch(9)
    assert there.epoch == 9


def test_an_epoch_is_a_whole_number_and_copies_have_their_own() -> None:
    data = DamagedCrops(clips(), "noise", frames=2, crop=16, length=4)
    other = copy.deepcopy(data)
    data.set_epoch(np.int64(7))  # type: ignore[arg-type]
    assert (data.epoch, other.epoch, pickle.loads(pickle.dumps(data)).epoch) == (7, 0, 7)
    for wrong in (1.5, "1", True, None):
        with pytest.raises(ValueError, match="should be a whole number"):
            data.set_epoch(wrong)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="Sample 4 of 4"):
        data.recipe(4)


def test_samples_differ_and_epochs_and_seeds_too(mixed: Path) -> None:
    data = DamagedCrops(clips(), mixed, frames=3, crop=16, length=40)
    samples = [data[i] for i in range(40)]
    assert {s["variant"] for s in samples} == {"plain", "gray"}
    assert {s["clip"] for s in samples} == {"a", "b", "c"}
    assert {s["start"] for s in samples} == set(range(5))
    first = data[0]
    data.set_epoch(1)
    assert not same(first, data[0])
    assert not same(first, DamagedCrops(clips(), mixed, frames=3, crop=16, length=40, seed=1)[0])


def test_the_crop_is_cut_from_the_clip_and_its_recipe_replays(mixed: Path) -> None:
    sources = clips()
    data = DamagedCrops(sources, mixed, ["plain"], frames=3, crop=16, length=5)
    for i in range(5):
        sample = data[i]
        cut = (sample["gt"] * 255).round().byte().permute(0, 2, 3, 1).numpy()
        part = sources[sample["clip"]][sample["start"] : sample["start"] + 3]
        windows = np.lib.stride_tricks.sliding_window_view(part, (16, 16), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
        assert (windows == cut[:, None, None]).all(axis=(0, 3, 4, 5)).sum() == 1
        (again,) = replay(data.recipe(i), [sample["gt"]])
        assert stored(again.frames).equal(sample["lq"])


def test_the_target_is_in_the_tone_of_the_variant(mixed: Path) -> None:
    sample = DamagedCrops(clips(), mixed, ["gray"], frames=2, crop=32, length=1)[0]
    assert sample["gt"][:, 0].equal(sample["gt"][:, 1])
    # Noise of 5 levels would leave a difference of 5; the target is sharpened besides.
    assert float((sample["lq"] - sample["gt"]).std()) * 255 > 8


def test_masks_and_smaller_inputs() -> None:
    dirty = DamagedCrops(clips(), "oldfilm", ["heavy"], frames=2, crop=32, length=20)
    assert any(float(dirty[i]["mask"].max()) > 0 for i in range(20))
    small = DamagedCrops(clips(), "sr", ["bicubic-x4"], frames=2, crop=32, length=1)[0]
    assert tuple(small["lq"].shape) == (2, 3, 8, 8)
    assert tuple(small["mask"].shape) == (2, 1, 8, 8)


@pytest.mark.parametrize(("name", "variant", "whole"), [("vhs", "worn", True), ("noise", "speckle", True),
                                                        ("noise", "awgn50", False)])  # fmt: skip
def test_samples_hold_what_a_data_set_would(name: str, variant: str, whole: bool) -> None:
    data = DamagedCrops({"a": np.full((3, 40, 56, 3), 240, np.uint8)}, name, variant, frames=3, crop=None, length=1)
    lq = data[0]["lq"]
    levels = lq * 255
    assert bool((levels.round() - levels).abs().max() < 1e-4) is whole
    assert (float(lq.max()) <= 1) is whole
    raw = degrade(data[0]["gt"], name, variant, clip=data.recipe(0).clip, fps=24.0).frames
    assert float(raw.max()) > 1  # or the test shows nothing
    assert lq.equal(torch.from_numpy(to_uint8(raw)).permute(0, 3, 1, 2).float() / 255 if whole else raw)


def test_what_cannot_be_cut_is_said() -> None:
    with pytest.raises(ValueError, match='"a" has 7 frames of 56 x 40; samples want 9'):
        DamagedCrops(clips(), "noise", frames=9, crop=16)
    with pytest.raises(ValueError, match="5 of 64 x 64"):
        DamagedCrops(clips(), "noise", frames=5, crop=64)
    with pytest.raises(ValueError, match="multiples of 4"):
        DamagedCrops(clips(), "sr", ["bicubic-x4"], frames=5, crop=30)
    with pytest.raises(ValueError, match="no clip"):
        DamagedCrops([], "noise")
    with pytest.raises(ValueError, match="of type ndarray; give arrays by name"):
        DamagedCrops(list(clips().values()), "noise")  # type: ignore[arg-type]
    for sizes, says in (({"crop": 0}, "crop = 0"), ({"crop": (8, -8)}, "crop = -8"), ({"frames": 0}, "frames = 0"),
                        ({"length": -1}, "length = -1")):  # fmt: skip
        with pytest.raises(ValueError, match=f"{says} should be . or more"):
            DamagedCrops(clips(), "noise", **{"frames": 5, "crop": 16, **sizes})  # type: ignore[arg-type]
    assert DamagedCrops(clips(), "noise", "gaussian25", frames=5, crop=16).variants == ("gaussian25",)
    with pytest.raises(ValueError, match="float32; expected"):
        InMemory("f", np.zeros((1, 4, 4, 3), np.float32))


def test_clips_of_one_shape_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def counting(*a: Any, **k: Any) -> Any:
        drawn.append(a)
        return draw(*a, **k)

    monkeypatch.setattr("degradations.training.draw", counting)
    alike = {f"c{i}": np.zeros((2, 16, 16, 3), np.uint8) for i in range(50)}
    DamagedCrops({**alike, "gray": np.zeros((2, 16, 16, 1), np.uint8)}, "noise", ["camera"], frames=2, crop=16)
    assert len(drawn) == 2


def test_deep_frames_are_taken_over_their_full_range() -> None:
    data = DamagedCrops(
        [InMemory("deep", np.full((2, 8, 8, 1), 65535, np.uint16))], "noise", frames=2, crop=8, length=1
    )
    assert float(data[0]["gt"].min()) == 1
