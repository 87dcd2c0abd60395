"""Data sets without ground truth, the whole way: taken, watched, run, measured, ranked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.store import read_cells
from leaderboards.table import boards
from vbench.cli import app
from vbench.datasets import Dataset, find_datasets
from vbench.errors import InputError, UsageError
from vbench.frames_io import frame_hash, write_png
from vbench.score import Scene, measure_clips
from vbench.sources import open_clip
from vbench.storage import FrameVideo
from vbench.unpaired import choose_unpaired
from vbench.workspace import Workspace

Frames = NDArray[np.uint8]


def invoke(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def vbench(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return str(result.output)


def store(folder: Path, frames: NDArray[Any]) -> Path:
    folder.mkdir(parents=True)
    for i, frame in enumerate(frames):
        write_png(folder / f"{i:06d}.png", frame)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def films(tmp_path: Path, moving: Frames) -> Path:
    """A folder of frames and a lossless video, with dirt that lives one frame."""
    dirty = moving.copy()
    for t in range(6):
        dirty[t, 8 * t : 8 * t + 5, 10 * t : 10 * t + 6] = 255
    store(tmp_path / "old films" / "reel 1", dirty)
    with FrameVideo(tmp_path / "old films" / "reel 2.mkv", 18.0) as out:
        for frame in dirty[::-1]:
            out.write(frame)
    return tmp_path / "old films"


def add(path: Path, root: Path, *more: object) -> str:
    return vbench("datasets", "add", path, "--no-truth", "--root", root, "--workers", 1, *more)


def the(root: Path) -> Dataset:
    (found,) = find_datasets(Workspace(root))
    return found


def test_clips_are_described_where_they_lie(films: Path, root: Path) -> None:
    out = add(films, root)
    assert "old films: 2 clips, 12 frames, 80x64, damage: real" in out
    assert "There is no ground truth: what compares with one is left out" in out
    assert "Next: vbench run --models all --dataset 'old films' --root" in out
    facts = the(root).facts
    assert facts.commands == (f"vbench datasets add '{films}' --no-truth --root {root}",)
    assert [c.name for c in facts.clips] == ["reel 1", "reel 2"]
    for clip, path in zip(facts.clips, (films / "reel 1", films / "reel 2.mkv"), strict=True):
        assert (clip.gt_sha256, clip.gt_path, clip.lq_path) == (None, None, str(path))
        assert clip.lq_sha256 == frame_hash(open_clip(path).chunks())
        assert (clip.frames, clip.height, clip.width, clip.scale) == (6, 64, 80, 1)
    assert not [*root.rglob("*.png"), *root.rglob("*.mkv")]
    assert "real" in vbench("datasets", "list", "--root", root)
    assert "All 2 clips of old films are what was adopted" in vbench(
        "datasets", "verify", root / "datasets/old films", "--workers", 1
    )
    assert "0 read, 2 known already" in add(films, root)


def test_what_there_is_beside_a_clip(films: Path, root: Path) -> None:
    add(films, root)
    one, two = the(root).pairs()
    assert one.rooms == {"degraded"}
    assert one.degraded().info.frames == 6
    with pytest.raises(InputError, match='"reel 1" of the data set "old films" has no ground truth'):
        one.truth()
    assert one.facts.data_sha256 != two.facts.data_sha256
    assert one.siblings_sha256 == two.siblings_sha256  # of no ground truth at all


def test_changes_are_noticed(films: Path, root: Path, moving: Frames) -> None:
    add(films, root)
    write_png(films / "reel 1" / "000003.png", moving[0])
    result = invoke("datasets", "verify", root / "datasets" / "old films", "--workers", 1)
    assert result.exit_code == 1
    assert 'The clip "reel 1" is not what was adopted' in result.output
    with pytest.raises(InputError, match='The clip "reel 1" .* is not what it was'):
        the(root).pairs()[0].degraded()
    assert 'measured anew from now on: "reel 1"' in add(films, root)
    store(films / "reel 3", moving)
    assert "1 read, 2 known already" in add(films, root)
    assert len(the(root).facts.clips) == 3


def test_models_run_and_what_needs_no_ground_truth_is_measured(films: Path, root: Path) -> None:
    add(films, root)
    names = ("warp_error[input]", "flicker", "psnr", "niqe_gt", "damage_left", "damage_left[dirt]")
    run = ["run", "--models", "identity,motion-median", "--root", root, "--workers", 1, "--metrics", ",".join(names)]
    result = invoke(*run)
    assert result.exit_code == 1  # they were named
    reason = "it compares with a ground truth, and there is none."
    told = ", ".join(f"{name} on 2 clips" for name in names[2:])
    assert f"not measured: {told}: {reason}" in result.output
    found = {(c.model, c.clip, c.metric.name): c for c in read_cells(root)}
    assert len(found) == 2 * 2 * len(names)
    for name in names[2:]:
        assert found["identity", "reel 1", name].error == f"{name} cannot be measured: {reason}"
    for pair in the(root).pairs():
        given = pair.degraded()
        for model in ("identity", "motion-median"):
            restored = open_clip(root / "restored" / "old films" / model / pair.name)
            wanted = measure_clips(Scene(degraded=given), {"x": restored}, {"x": names[:2]})
            for name in names[:2]:
                cell = found[model, pair.name, name]
                assert cell.status == "ok"
                assert cell.frames == wanted["x", name].values
                assert cell.data_sha256 == pair.facts.data_sha256
    (board,) = boards(found.values())
    assert {m.name for m in board.metrics} == set(names[:2])
    rows = {row.model.name: row for row in board.rows}
    figures = {model: row.entries["warp_error[input]"].mean or 0 for model, row in rows.items()}
    assert figures["motion-median"] < figures["identity"]
    assert rows["motion-median"].entries["warp_error[input]"].better
    assert all(row.complete and row.place is not None for row in board.rows)
    again = invoke(*run)
    assert "0 clips restored, 0 results measured, 8 were there already" in again.output


def test_a_protocol_leaves_out_what_it_cannot_measure(films: Path, root: Path) -> None:
    add(films, root, "--clips", "reel 1")
    out = vbench("run", "--models", "identity", "--root", root, "--workers", 1, "--protocol", "default")
    lines = [line for line in out.splitlines() if "it compares with a ground truth" in line]
    assert len(lines) == 1
    assert "psnr on 1 clip, ssim on 1 clip" in lines[0]


def test_results_may_have_to_be_larger(films: Path, root: Path) -> None:
    add(films, root, "--scale", 2, "--clips", "reel 1")
    (pair,) = the(root).pairs()
    facts = pair.facts
    assert (facts.height, facts.width, facts.scale, facts.lq_height, facts.lq_width) == (128, 160, 2, 64, 80)
    assert pair.rooms == frozenset()
    assert pair.degraded().info.height == 64
    vbench("run", "--models", "identity", "--root", root, "--workers", 1, "--metrics", "flicker")
    assert open_clip(root / "restored" / "old films" / "identity" / "reel 1").info.width == 160
    with pytest.raises(UsageError, match="--scale takes auto, or how many times smaller"):
        add(films, root, "--scale", "half")


def test_published_data_without_a_clean_side(tmp_path: Path, root: Path, moving: Frames) -> None:
    videolq = store(tmp_path / "VideoLQ" / "input" / "000", moving).parents[1]
    with pytest.raises(InputError, match="holds the damaged side only.*--no-truth: what needs no ground truth"):
        vbench("datasets", "add", videolq, "--root", root)
    choice = choose_unpaired(videolq)
    assert (choice.name, choice.version, [c.name for c in choice.clips]) == ("VideoLQ", "input", ["000"])
    davis = store(tmp_path / "DAVIS" / "JPEGImages" / "480p" / "bear", moving).parents[2]
    assert [c.name for c in choose_unpaired(davis).clips] == ["bear"]
    for version in ("blur", "blur_gamma"):
        store(tmp_path / "GOPRO" / "test" / "GOPR0384_11_00" / version, moving)
    gopro = tmp_path / "GOPRO"
    with pytest.raises(InputError, match=r"several damaged versions.*--version blur"):
        choose_unpaired(gopro)
    choice = choose_unpaired(gopro, version="blur", split="test")
    assert (choice.name, [c.name for c in choice.clips]) == ("GoPro-test-blur", ["GOPR0384_11_00"])
    with pytest.raises(InputError, match='no clip "GOPR9"'):
        choose_unpaired(gopro, version="blur", clips=["GOPR9"])
    store(gopro / "test" / "GOPR0384_11_00" / "sharp", moving)
    with pytest.raises(InputError, match="has a ground truth .*sharp.*: leave --no-truth out"):
        choose_unpaired(gopro, version="blur")


def test_one_clip(films: Path, root: Path) -> None:
    add(films / "reel 1", root)
    assert the(root).facts.name == "reel 1"
    shutil.rmtree(root)
    add(films / "reel 2.mkv", root, "--frames", "1:4", "--name", "cut")
    (pair,) = the(root).pairs()
    assert (pair.facts.first_frame, pair.facts.frames, pair.facts.fps) == (1, 3, 18.0)
    assert (pair.degraded().read(0, 3) == open_clip(films / "reel 2.mkv").read(1, 4)).all()


def test_what_is_refused(films: Path, root: Path, tmp_path: Path, moving: Frames) -> None:
    with pytest.raises(InputError, match='"nowhere" does not exist'):
        add(Path("nowhere"), root)
    with pytest.raises(InputError, match='no clip "reel 7"'):
        add(films, root, "--clips", "reel 7")
    with pytest.raises(InputError, match="--version chooses among what a published data set holds"):
        add(films, root, "--version", "blur")
    with pytest.raises(InputError, match="are taken with --no-truth"):
        vbench("datasets", "add", films, "--root", root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no clip"):
        add(tmp_path / "empty", root)
    store(tmp_path / "pairs" / "gt" / "a", moving)
    store(tmp_path / "pairs" / "lq" / "a", moving)
    with pytest.raises(InputError, match="has a ground truth"):
        add(tmp_path / "pairs", root)
    assert not root.exists()
    # One side of pairs, on its own, is a folder of clips like any other.
    add(tmp_path / "pairs" / "lq", root, "--name", "a")
    with pytest.raises(InputError, match="adopted from other pairs"):
        vbench("datasets", "add", tmp_path / "pairs", "--root", root, "--name", "a")
    with pytest.raises(InputError, match="has no ground truth"):
        vbench("film", "statistics", root / "datasets" / "a")
