"""What is left of each kind of damage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.store import read_cells
from leaderboards.table import boards
from vbench import metrics
from vbench.cli import app
from vbench.datasets import find_datasets
from vbench.errors import InputError
from vbench.metrics.spec import DAMAGE_KINDS
from vbench.score import Scene, figure, measure_clips
from vbench.sources import open_clip
from vbench.workspace import Workspace

MakeClip = Callable[..., Path]
Frames = NDArray[np.uint8]

NAMES = ("damage_left", "damage_left[dirt]", "damage_left[scratch]", "psnr_damaged[dirt]", "psnr_damaged[scratch]")


def test_a_restorer_that_removes_only_dirt(moving: Frames, clip_folder: MakeClip) -> None:
    """Squared errors: dirt 300 pixels of 40 levels, a scratch of 128 pixels by 20 levels, in each of six frames."""
    dirt, scratch = (np.zeros((*moving.shape[:3], 1), np.uint8) for _ in range(2))
    dirt[:, 10:30, 20:35] = 255
    scratch[:, :, 50:52] = 255
    truth = (moving // 2 + 20).astype(np.uint8)
    given = truth + (dirt // 255) * np.uint8(40) + (scratch // 255) * np.uint8(20)
    mended = truth + (scratch // 255) * np.uint8(20)
    folders = {"truth": truth, "lq": given, "out": mended, "mask": np.maximum(dirt, scratch)}
    clips = {name: open_clip(clip_folder(frames, name)) for name, frames in folders.items()}
    masks = {kind: open_clip(clip_folder(m, kind)) for kind, m in {"dirt": dirt, "scratch": scratch}.items()}
    scene = Scene(clips["truth"], clips["lq"], clips["mask"], masks)
    found = measure_clips(scene, {"dust brush": clips["out"]}, {"dust brush": NAMES})
    value = {name: figure(metrics.load(name), found["dust brush", name])[0] for name in NAMES}
    assert value["damage_left[dirt]"] == 0.0
    assert value["damage_left[scratch]"] == 1.0
    assert value["damage_left"] == pytest.approx(128 * 20**2 / (128 * 20**2 + 300 * 40**2), rel=1e-12)
    assert value["psnr_damaged[dirt]"] == float("inf")
    assert value["psnr_damaged[scratch]"] == pytest.approx(20 * np.log10(255 / 20), rel=1e-12)
    assert found["dust brush", "damage_left[scratch]"].columns["mse_degraded"] == pytest.approx([400.0] * 6)


def test_only_masks_that_are_asked_for_are_decoded(
    moving: Frames, clip_folder: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vbench.clip import RangeClip

    mask = np.full((*moving.shape[:3], 1), 255, np.uint8)
    read: list[str] = []

    def spy(name: str) -> RangeClip:
        clip = RangeClip(open_clip(clip_folder(mask, name)), 0, 6)
        plain = clip.read
        monkeypatch.setattr(clip, "read", lambda a, b: read.append(name) or plain(a, b), raising=False)
        return clip

    masks = {kind: spy(kind) for kind in ("dirt", "scratch", "hair")}
    truth = open_clip(clip_folder(moving, "truth"))
    scene = Scene(truth, truth, spy("mask"), masks)
    measure_clips(scene, {"a": truth}, {"a": ["psnr_damaged[scratch]"]})
    assert set(read) == {"scratch"}


def test_names_of_kinds() -> None:
    every = [m.name for m in metrics.load_all(["damage_left[*]", "psnr"])]
    assert every == [*(f"damage_left[{kind}]" for kind in DAMAGE_KINDS), "psnr"]
    assert metrics.load("damage_left[any]").name == "damage_left"
    plain, dirt = metrics.load("damage_left"), metrics.load("damage_left[dirt]")
    assert dirt.needs == {"truth", "degraded", "mask:dirt"}
    assert plain.options != dirt.options
    assert "mask of dirt" in dirt.convention
    with pytest.raises(InputError, match='"psnr" is not measured by kind of damage'):
        metrics.load_all(["psnr[*]"])
    with pytest.raises(InputError, match=r'"damage_left" has no option "dust". It takes: any \| dirt'):
        metrics.load("damage_left[dust]")


PROFILE = """\
name: marks
version: 1
title: Marks
description: Dirt, and scratches.
source: ours
default: [dirt]
variants:
  dirt: {title: Dirt, description: d, steps: [{dirt: {density: 20000, contrast: 0.6}}]}
"""


def test_a_kind_that_was_not_drawn_is_tried_once(tmp_path: Path, moving: Frames, clip_folder: MakeClip) -> None:
    """Dirt of density 0: there is a mask, and nothing in it."""
    (tmp_path / "marks.yaml").write_text(PROFILE.replace("20000", "0"), "utf-8")
    root = tmp_path / "runs"
    synth = ["synth", "-p", tmp_path / "marks.yaml", "-s", clip_folder(moving, "one"), "--root", root, "--workers", 1]
    assert CliRunner().invoke(app, [str(a) for a in synth]).exit_code == 0
    command = ["run", "--models", "identity", "--root", root, "--workers", 1, "--metrics", "psnr,damage_left[dirt]"]
    outputs = [CliRunner().invoke(app, [str(a) for a in command]).output for _ in range(3)]
    for output in outputs:
        assert "not measured: damage_left[dirt] on 1 clip: damage_left[dirt] has no figure for any frame" in output
    assert "measuring" in outputs[0]
    assert all("measuring" not in output for output in outputs[1:])


def test_clips_without_a_kind_are_left_out_for_every_model(
    tmp_path: Path, moving: Frames, clip_folder: MakeClip
) -> None:
    """Two clips of dirt; of one the mask of dirt is taken away, as if another profile had made it."""

    def vbench(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    root = tmp_path / "runs"
    (tmp_path / "marks.yaml").write_text(PROFILE, "utf-8")
    for name in ("one", "two"):
        clip_folder(moving, name)
    source = tmp_path / "sources"
    vbench("synth", "-p", tmp_path / "marks.yaml", "-s", source, "--root", root, "--workers", 1)
    (dataset,) = find_datasets(Workspace(root))
    one = dataset.pairs()[0]
    assert {"mask", "mask:dirt"} <= one.rooms
    assert "mask:scratch" not in one.rooms
    description = dataset.folder / "dataset.json"
    kinds = {"one": ("dirt",), "two": ()}
    clips = tuple(clip.model_copy(update={"mask_kinds": kinds[clip.name]}) for clip in dataset.facts.clips)
    facts = dataset.facts.model_copy(update={"clips": clips})
    description.write_text(facts.model_dump_json(), "utf-8")
    shutil.rmtree(dataset.folder / "masks" / "dirt" / "two")
    command = ["run", "--models", "identity,temporal-median", "--root", root, "--workers", 1]
    command += ["--metrics", "psnr,psnr_intact"]
    vbench(*command)
    command[-1] += ",damage_left[dirt],damage_left[scratch]"
    result = CliRunner().invoke(app, [str(a) for a in command])
    assert "damage_left[scratch] on 2 clips: there is no mask of scratch" in result.output
    assert "damage_left[dirt] on 1 clip: there is no mask of dirt" in result.output
    found = {(c.model, c.clip, c.metric.name): c for c in read_cells(root)}
    assert found["identity", "one", "damage_left[dirt]"].value == 1.0
    assert found["temporal-median", "two", "damage_left[dirt]"].status == "failed"
    (board,) = boards(found.values())
    assert "damage_left[scratch]" not in [m.name for m in board.metrics]
    assert all(row.complete for row in board.rows)
    assert all(row.entries["damage_left[dirt]"].clips == 1 for row in board.rows)
    # Measured once: what cannot be measured is not tried again.
    assert "0 results measured, 10 were there already" in CliRunner().invoke(app, [str(a) for a in command]).output
