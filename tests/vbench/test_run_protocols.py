"""Runs under several protocols: which frames are measured, with how many bits, and where the cells lie."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.schema import Cell
from leaderboards.store import read_cells, read_protocols
from leaderboards.table import boards
from vbench.cli import app
from vbench.commands import fitting
from vbench.datasets import find_datasets
from vbench.errors import InputError
from vbench.plan import RunPlan, RunResult
from vbench.protocols import Data, Protocol, Scored
from vbench.run import run
from vbench.sources import open_clip
from vbench.workspace import Workspace

MakeClip = Callable[..., Path]

PLAIN = Protocol(name="default", version=9, title="t", description="d", source="s", metrics=("psnr", "warp_error"))
INNER = Protocol(
    name="inner",
    version=1,
    title="t",
    description="d",
    source="s",
    scored=Scored(skip_first=2, skip_last=1),
    metrics=("psnr", "warp_error"),
)
DEEP = Protocol(name="deep", version=1, title="t", description="d", source="s", depth=16, metrics=("psnr",))


def made(profile: str, variant: str, source: Path, root: Path) -> None:
    words = ["synth", "-p", profile, "--variant", variant, "-s", str(source), "--root", str(root), "--workers", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output


@pytest.fixture
def workspace(tmp_path: Path, moving: NDArray[np.uint8], clip_folder: MakeClip) -> Workspace:
    made("noise", "gaussian25", clip_folder(moving, "a clip"), tmp_path / "runs")
    return Workspace(tmp_path / "runs")


def measured(workspace: Workspace, protocol: Protocol, models: tuple[str, ...] = ("identity", "hqdn3d")) -> RunResult:
    plan = RunPlan(workspace, tuple(find_datasets(workspace)), models, protocol.metrics, protocol)
    result = run(plan, command="test")
    assert not result.failures
    return result


def cells(workspace: Workspace, protocol: Protocol) -> dict[tuple[str, str], Cell]:
    return {(c.model, c.metric.name): c for c in read_cells(workspace.root) if c.protocol == protocol.label}


def test_only_the_scored_frames_are_measured(workspace: Workspace) -> None:
    measured(workspace, PLAIN)
    result = measured(workspace, INNER)
    assert result.restored == 0  # the same frames serve both
    whole, inner = cells(workspace, PLAIN), cells(workspace, INNER)
    for model in ("identity", "hqdn3d"):
        assert inner[model, "psnr"].frames == whole[model, "psnr"].frames[2:-1]
        assert inner[model, "psnr"].value == pytest.approx(np.mean(whole[model, "psnr"].frames[2:-1]), rel=1e-12)
        # Pairs of neighbours: two fewer at the start, one fewer at the end.
        assert inner[model, "warp_error"].frames == whole[model, "warp_error"].frames[2:-1]
    assert measured(workspace, INNER).kept == 4
    names = {board.protocol for board in boards(read_cells(workspace.root))}
    assert names == {"default@9", "inner@1"}


def test_frames_that_are_not_scored_are_hashed_all_the_same(workspace: Workspace) -> None:
    import cv2

    measured(workspace, PLAIN)
    frame = workspace.restored("noise-gaussian25", "hqdn3d") / "a clip" / "00000000.png"
    cv2.imwrite(str(frame), cv2.imread(str(frame)) ^ 1)
    plan = RunPlan(workspace, tuple(find_datasets(workspace)), ("hqdn3d",), INNER.metrics, INNER)
    result = run(plan, command="test")
    assert "not those that vbench wrote" in result.failures[0].reason


def test_frames_of_one_model_that_were_changed_are_no_failure_of_the_others(workspace: Workspace) -> None:
    import cv2

    measured(workspace, PLAIN, ("identity", "hqdn3d", "unsharp"))
    frame = workspace.restored("noise-gaussian25", "hqdn3d") / "a clip" / "00000000.png"
    cv2.imwrite(str(frame), cv2.imread(str(frame)) ^ 1)
    wanted = ("identity", "hqdn3d", "unsharp")
    plan = RunPlan(workspace, tuple(find_datasets(workspace)), wanted, INNER.metrics, INNER)
    result = run(plan, command="test")
    (failure,) = result.failures
    assert str(failure).startswith('measuring hqdn3d on noise-gaussian25, clip "a clip": The restored frames of hqdn3d')
    found = {key: cell.status for key, cell in cells(workspace, INNER).items()}
    assert found == {(m, k): "failed" if m == "hqdn3d" else "ok" for m in wanted for k in INNER.metrics}


def test_a_protocol_of_floats_measures_16_bits(workspace: Workspace) -> None:
    measured(workspace, PLAIN, ("richardson-lucy",))
    assert measured(workspace, DEEP, ("richardson-lucy",)).restored == 1  # again, as the fine frames are not there yet
    folder = workspace.restored16("noise-gaussian25", "richardson-lucy") / "a clip"
    fine = open_clip(folder).read(0, 6)
    coarse = open_clip(workspace.restored("noise-gaussian25", "richardson-lucy") / "a clip").read(0, 6)
    assert fine.dtype == np.uint16
    assert (np.floor(fine / 257.0 + 0.5) == coarse).mean() > 0.99  # rounding twice may differ at the halves
    truth = find_datasets(workspace)[0].pairs()[0].truth().read(0, 6).astype(float)
    wanted = [
        10 * np.log10(255**2 / np.mean((f / 257.0 - t) ** 2)) for f, t in zip(fine.astype(float), truth, strict=True)
    ]
    deep, plain = cells(workspace, DEEP)["richardson-lucy", "psnr"], cells(workspace, PLAIN)["richardson-lucy", "psnr"]
    assert deep.frames == pytest.approx(wanted, abs=1e-9)
    assert deep.value != plain.value
    assert deep.restored_sha256 != plain.restored_sha256
    # Nothing is done again, under neither.
    for protocol in (DEEP, PLAIN):
        assert measured(workspace, protocol, ("richardson-lucy",)).restored == 0


def test_facts_of_the_protocol_lie_beside_the_cells(workspace: Workspace) -> None:
    data = Data(words="Set8", profiles={"noise": ("awgn25",)}, most_frames=3)
    protocol = INNER.model_copy(update={"data": data, "average": "frames"})
    measured(workspace, protocol)
    facts = read_protocols(workspace.root)["inner@1"]
    assert (facts.average, facts.metrics, facts.datasets) == ("frames", ("psnr", "warp_error"), ("noise-gaussian25",))
    others, damage, longer = facts.departures["noise-gaussian25"]
    assert others.startswith("The protocol is about Set8. Which clips those are is listed nowhere")
    assert damage == 'The damage is not the protocol\'s: "gaussian25" of noise, not awgn25.'
    assert "takes the first 3 frames of a clip; a clip has more (vbench synth --max-frames 3)" in longer


def test_without_names_a_protocol_takes_the_data_that_it_is_about(
    workspace: Workspace, moving: NDArray[np.uint8], clip_folder: MakeClip, capsys: pytest.CaptureFixture[str]
) -> None:
    made("clean", "none", clip_folder(moving, "b"), workspace.root)
    found = find_datasets(workspace)
    about_noise = INNER.model_copy(update={"data": Data(words="Set8", profiles={"noise": ()})})
    assert [d.name for d in fitting(about_noise, found)] == ["noise-gaussian25"]
    assert "is not about clean" in capsys.readouterr().out
    about_film = INNER.model_copy(update={"data": Data(words="old films", profiles={"oldfilm": ()})})
    with pytest.raises(InputError, match="about old films, and no data set here is of that kind .* --dataset clean"):
        fitting(about_film, found)


def test_data_without_truth_are_measured_without_reference(
    workspace: Workspace, moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    """One command: `default` where there is a ground truth, `no-reference` where there is none."""
    film = clip_folder(moving, "film")
    words = ["datasets", "add", str(film), "--no-truth", "--name", "real", "--root", str(workspace.root)]
    added = CliRunner().invoke(app, words)
    assert added.exit_code == 0, added.output
    words = [
        "run",
        "-m",
        "identity,hqdn3d",
        "--metrics",
        "psnr,flicker",
        "--workers",
        "1",
        "--root",
        str(workspace.root),
    ]
    ran = CliRunner().invoke(app, words)
    assert "Without ground truth, so measured under the protocol no-reference: real." in ran.output
    found = {
        (c.dataset, c.protocol.split("@")[0], c.metric.name) for c in read_cells(workspace.root) if c.status == "ok"
    }
    assert found == {
        ("noise-gaussian25", "default", "psnr"),
        ("noise-gaussian25", "default", "flicker"),
        ("real", "no-reference", "flicker"),
    }
    # Any clips without ground truth are what this protocol asks for.
    assert read_protocols(workspace.root)["no-reference@1"].departures == {}
    summary = json.loads((workspace.results / "run.json").read_text())
    assert summary["datasets"] == ["noise-gaussian25", "real"]
    assert [m["name"] for m in summary["models"]] == ["identity", "hqdn3d"]
    assert {m["name"] for m in summary["metrics"]} == {"psnr", "flicker"}
    again = CliRunner().invoke(app, ["run", *words[1:]])
    assert "0 clips restored, 0 results measured, 6 were there already" in again.output


def test_tables_of_a_run_are_averaged_as_the_protocol_has_it(
    workspace: Workspace, moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    import pandas as pd

    both = clip_folder(moving, "more/long"), clip_folder(255 - moving[:2], "more/short")
    words = ["synth", "-p", "noise", "--variant", "gaussian50", "--root", str(workspace.root), "--workers", "1"]
    assert CliRunner().invoke(app, [*words, "-s", str(both[0]), "-s", str(both[1])]).exit_code == 0
    frames = PLAIN.model_copy(update={"name": "frames", "average": "frames", "metrics": ("psnr",)})
    measured(workspace, frames)
    own = [c for c in read_cells(workspace.root) if c.dataset == "noise-gaussian50" and c.model == "hqdn3d"]
    assert len(own) == 2
    mean = np.mean([value for cell in own for value in cell.frames])
    assert mean != pytest.approx(np.mean([cell.value for cell in own]), abs=1e-3)
    root = ["--root", str(workspace.root)]
    table = pd.read_csv(io.StringIO(CliRunner().invoke(app, ["leaderboard", "export", *root]).stdout))
    row = table[(table.dataset == "noise-gaussian50") & (table.model == "hqdn3d")]
    assert row["mean"].item() == pytest.approx(mean, abs=1e-9)


def test_figures_stay_where_frames_are_gone(workspace: Workspace) -> None:
    """As in results that were merged without their frames: the run fails, and what was measured is as true as before."""
    import shutil

    measured(workspace, PLAIN)
    before = {key: cell.value for key, cell in cells(workspace, PLAIN).items()}
    shutil.rmtree(workspace.root / "restored")
    shutil.rmtree(workspace.dataset("noise-gaussian25") / "lq")
    plan = RunPlan(workspace, tuple(find_datasets(workspace)), ("identity", "hqdn3d"), PLAIN.metrics, PLAIN)
    assert len(run(plan, command="test").failures) == 2
    assert {key: cell.value for key, cell in cells(workspace, PLAIN).items()} == before
    # What was not measured yet has failed, and says so.
    more = PLAIN.model_copy(update={"metrics": ("psnr", "ssim")})
    run(dataclasses.replace(plan, protocol=more, metrics=more.metrics), command="test")
    assert cells(workspace, PLAIN)["hqdn3d", "ssim"].status == "failed"
    assert cells(workspace, PLAIN)["hqdn3d", "psnr"].value == before["hqdn3d", "psnr"]


def test_time_is_not_taken_off_twice_where_frames_are_fed_by_another_thread(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg's filters get their frames from a thread of their own, while frames before are written: neither is the model's."""
    import time

    from vbench.frames_io import FrameFolder, ImageClip

    write = FrameFolder.write
    monkeypatch.setattr(FrameFolder, "write", lambda self, frame: (time.sleep(0.05), write(self, frame))[1])
    monkeypatch.setattr("vbench.restoring.CHUNK", 1)
    read = ImageClip.read
    monkeypatch.setattr(ImageClip, "read", lambda self, *span: (time.sleep(0.05), read(self, *span))[1])
    measured(workspace, PLAIN, ("hqdn3d",))
    cost = cells(workspace, PLAIN)["hqdn3d", "psnr"].cost
    assert cost is not None
    assert cost.seconds > 0
