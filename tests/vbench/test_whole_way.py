"""Synth, run and report on small clips: what is made, what is kept, what is said."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio
from typer.testing import CliRunner

from leaderboards.store import TEMPORARY, read_cells
from vbench import models
from vbench.cli import app
from vbench.datasets import find_datasets
from vbench.errors import InputError, MissingAsset, RunError, VbenchError
from vbench.sources import open_clip
from vbench.workspace import Workspace

MakeClip = Callable[..., Path]

METRICS = "psnr,ssim,warp_error"
"""What the protocol has more is measured in tests of its own."""


def vbench(*arguments: object) -> str:
    """Run a command in this process; errors are raised, output is given back."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def noise25(source: Path, root: Path) -> None:
    """A data set of Gaussian noise, sigma 25."""
    vbench("synth", "-p", "noise", "--variant", "gaussian25", "-s", source, "--root", root, "--workers", 1)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` with its content; JSON without what the machine's versions say."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".lock" not in p.name
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "my runs"


@pytest.fixture
def sources(moving: NDArray[np.uint8], clip_folder: MakeClip) -> Path:
    clip_folder(moving, "a clip")
    clip_folder(np.ascontiguousarray(moving[..., :1]), "gray <b>")
    return clip_folder(moving[::-1, :35, :47], "odd").parent


def test_synth_lays_out_what_it_says(root: Path, sources: Path, moving: NDArray[np.uint8]) -> None:
    out = vbench("synth", "-p", "oldfilm", "--variant", "light,heavy", "-s", sources, "--root", root, "--workers", 1)
    assert "6 made" in out
    assert f"vbench run --models all --root '{root}'" in out
    light, heavy = (root / "datasets" / f"oldfilm-{v}" for v in ("light", "heavy"))
    for name in ("a clip", "gray <b>", "odd"):
        for room in ("gt", "lq", "mask"):
            assert len(list((light / room / name).glob("*.png"))) == 6
        recipe = json.loads((light / "recipe" / f"{name}.json").read_text())["recipe"]
        assert [s["kind"] for s in recipe["steps"]][-1] == "flicker"
    # Ground truth of black-and-white film is black and white, in three channels where the clip had three.
    truth = open_clip(light / "gt" / "a clip").read(0, 1)[0].astype(float)
    wanted = np.floor(moving[0] @ np.array([0.299, 0.587, 0.114]) + 0.5)
    assert (truth == wanted[..., None]).all()
    assert open_clip(light / "lq" / "gray <b>").info.channels == 1
    one, other = (d / "gt" / "a clip" / "00000000.png" for d in (light, heavy))
    assert os.stat(one).st_ino == os.stat(other).st_ino  # linked, not copied
    (facts,) = [d.facts for d in find_datasets(Workspace(root), ["oldfilm-light"])]
    assert [c.name for c in facts.clips] == ["a clip", "gray <b>", "odd"]
    assert facts.severity == 1
    assert not list(root.rglob(f"{TEMPORARY}*"))


def test_a_metric_that_was_named_and_cannot_be_measured_is_told_before_anything_runs(root: Path, sources: Path) -> None:
    """It was told after all models had restored all clips."""
    noise25(sources / "odd", root)
    with pytest.raises(MissingAsset, match="vbench assets fetch alexnet"):
        vbench("run", "--models", "identity", "--metrics", "psnr,lpips", "--root", root, "--workers", 1)
    assert not (root / "restored").exists()


def test_synth_again_makes_nothing_and_more_workers_make_the_same(root: Path, sources: Path, tmp_path: Path) -> None:
    command = ["synth", "-p", "noise", "--variant", "gaussian25,camera", "-s", sources, "--seed", 7]
    vbench(*command, "--root", root, "--workers", 1)
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*.png")}
    assert "nothing to do, 6 were there already" in vbench(*command, "--root", root)
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*.png")} == before
    vbench(*command, "--root", tmp_path / "two", "--workers", 2)
    assert tree(tmp_path / "two") == tree(root)


def test_synth_refuses_to_mix(
    root: Path, sources: Path, moving: NDArray[np.uint8], clip_folder: MakeClip, tmp_path: Path
) -> None:
    base = ["synth", "-p", "noise", "--variant", "gaussian25", "--root", root, "--workers", 1]
    vbench(*base, "-s", sources / "odd")
    with pytest.raises(InputError, match="made with seed 0.*asks for seed 1.*--replace"):
        vbench(*base, "-s", sources / "odd", "--seed", 1)
    with pytest.raises(InputError, match='already has a clip "odd"'):
        vbench(*base, "-s", sources / "odd", "--max-frames", 2)
    vbench(*base, "-s", sources / "a clip")  # other clips may join
    (dataset,) = find_datasets(Workspace(root))
    assert [p.name for p in dataset.pairs()] == ["a clip", "odd"]
    vbench(*base, "-s", sources / "odd", "--seed", 1, "--replace")
    (dataset,) = find_datasets(Workspace(root))
    assert ([p.name for p in dataset.pairs()], dataset.facts.seed) == (["odd"], 1)


def test_one_broken_clip_does_not_stop_the_others(root: Path, sources: Path) -> None:
    (sources / "odd" / "00003.png").write_bytes(b"no picture")
    with pytest.raises(RunError, match=r'(?s)1 of 5 steps failed.*decode "odd".*00003\.png'):
        noise25(sources, root)
    (dataset,) = find_datasets(Workspace(root))
    assert [p.name for p in dataset.pairs()] == ["a clip", "gray <b>"]


def test_run_measures_what_an_independent_library_measures(root: Path, sources: Path) -> None:
    noise25(sources, root)
    out = vbench("run", "--models", "identity,temporal-median", "--metrics", METRICS, "--root", root, "--workers", 1)
    assert "6 clips restored, 18 results measured" in out
    cells = read_cells(root)
    assert len(cells) == 18
    for cell in cells:
        assert cell.status == "ok"
        assert len(cell.frames) == (5 if cell.metric.name == "warp_error" else 6)
        assert cell.value == pytest.approx(np.mean(cell.frames))
        if cell.metric.name == "psnr":
            base = root / "datasets" / cell.dataset / "gt" / cell.clip
            truth, restored = (
                open_clip(p).read(0, 6) for p in (base, root / "restored" / cell.dataset / cell.model / cell.clip)
            )
            wanted = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(truth, restored, strict=True)]
            assert cell.frames == pytest.approx(wanted, abs=1e-9)
    summary = json.loads((root / "results" / "run.json").read_text())
    assert [m["status"] for m in summary["models"]] == ["ran", "ran"]


def test_run_goes_on_where_it_stopped(root: Path, sources: Path) -> None:
    noise25(sources, root)
    command = ["run", "--models", "identity,hqdn3d", "--metrics", METRICS, "--root", root, "--workers", 1]
    vbench(*command)
    before = {p: p.read_bytes() for p in (root / "results").rglob("psnr.json")}
    assert "0 clips restored, 0 results measured, 18 were there already" in vbench(*command)
    victim = root / "results" / "noise-gaussian25" / "hqdn3d" / "odd" / "psnr.json"
    victim.unlink()
    (root / "restored" / "noise-gaussian25" / "identity" / "a clip.json").unlink()
    assert "1 clip restored, 4 results measured, 14 were there already" in vbench(*command)
    after = {p: p.read_bytes() for p in (root / "results").rglob("psnr.json")}
    assert {p for p in before if _figures(before[p]) != _figures(after[p])} == set()


def _figures(data: bytes) -> Any:
    document = json.loads(data)
    document.pop("cost")
    return document


def test_models_without_weights_are_listed_and_never_run(root: Path, sources: Path) -> None:
    noise25(sources / "odd", root)
    out = vbench("run", "--models", "all", "--metrics", METRICS, "--root", root, "--workers", 1)
    assert (
        "dncnn-s15, dncnn-s25, dncnn-s50, dncnn-b, rfr-dncnn-online-s25, rfr-dncnn-offline-s25 need weights (GPL" in out
    )
    assert "vbench weights import FILE --model dncnn-s15" in out
    assert not [c for c in read_cells(root) if c.model.startswith("dncnn")]
    with pytest.raises(VbenchError, match="dncnn-s25 needs its weights"):
        vbench("run", "--models", "dncnn-s25", "--metrics", METRICS, "--root", root)


def test_a_failing_model_is_a_hole_and_is_tried_again(
    root: Path, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise25(sources / "odd", root)
    from vbench import restoring

    real = restoring._restorers

    def broken(model: Any, device: str) -> Any:
        if model.name == "hqdn3d":
            raise RunError("it fell over")
        return real(model, device)

    monkeypatch.setattr(restoring, "_restorers", broken)
    result = CliRunner().invoke(
        app, ["run", "--models", "identity,hqdn3d", "--metrics", METRICS, "--root", str(root), "--workers", "1"]
    )
    assert result.exit_code == 1
    assert "it fell over" in result.output
    failed = [c for c in read_cells(root) if c.model == "hqdn3d"]
    assert {c.status for c in failed} == {"failed"}
    assert all(c.value is None and "it fell over" in (c.error or "") for c in failed)
    monkeypatch.setattr(restoring, "_restorers", real)
    assert "1 clip restored, 3 results measured" in vbench(
        "run", "--models", "identity,hqdn3d", "--metrics", METRICS, "--root", root, "--workers", 1
    )
    assert {c.status for c in read_cells(root)} == {"ok"}


def test_a_metric_that_cannot_be_is_a_hole_and_the_others_are_measured(
    root: Path, moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    noise25(clip_folder(moving[:1, :20, :20], "tiny"), root)
    result = CliRunner().invoke(
        app, ["run", "-m", "identity", "--metrics", METRICS, "--root", str(root), "--workers", "1"]
    )
    assert result.exit_code == 1
    assert "needs at least 2" in result.output
    cells = {c.metric.name: c for c in read_cells(root)}
    assert {name: c.status for name, c in cells.items()} == {"psnr": "ok", "ssim": "ok", "warp_error": "failed"}
    assert "needs at least 2" in (cells["warp_error"].error or "")


def test_restored_frames_that_were_changed_are_found_out(root: Path, sources: Path) -> None:
    noise25(sources / "odd", root)
    vbench("run", "-m", "identity", "--metrics", "psnr", "--root", root, "--workers", 1)
    folder = root / "restored" / "noise-gaussian25" / "identity" / "odd"
    (folder / "00000001.png").write_bytes((folder / "00000002.png").read_bytes())
    result = CliRunner().invoke(
        app, ["run", "-m", "identity", "--metrics", METRICS, "--root", str(root), "--workers", "1"]
    )
    assert result.exit_code == 1
    assert "restored frames of identity" in result.output


def test_frames_that_were_changed_are_found_out(root: Path, sources: Path) -> None:
    noise25(sources / "odd", root)
    base = root / "datasets" / "noise-gaussian25"
    (base / "lq" / "odd" / "00000001.png").write_bytes((base / "lq" / "odd" / "00000002.png").read_bytes())
    result = CliRunner().invoke(
        app, ["run", "--models", "identity", "--metrics", METRICS, "--root", str(root), "--workers", "1"]
    )
    assert result.exit_code == 1
    assert "are not those that `vbench synth` made" in result.output
    (base / "lq" / "odd" / "00000005.png").unlink()
    result = CliRunner().invoke(
        app, ["run", "--models", "identity", "--metrics", METRICS, "--root", str(root), "--workers", "1"]
    )
    assert "holds 5 frames" in result.output


def test_nothing_to_run_on_says_what_to_do(root: Path) -> None:
    with pytest.raises(InputError, match="no data set.*vbench synth --profile oldfilm"):
        vbench("run", "--root", root)
    with pytest.raises(InputError, match="no folder.*`vbench run`"):
        vbench("leaderboard", "show", "--root", root)
    with pytest.raises(InputError, match="no results"):
        vbench("report", "html", "--root", root)


def test_names_that_are_nearly_right(root: Path, sources: Path) -> None:
    with pytest.raises(InputError, match='no profile "oldflim".*"oldfilm"'):
        vbench("synth", "-p", "oldflim", "--root", root)
    with pytest.raises(InputError, match='no variant "lite".*"light"|no variant "lite"'):
        vbench("synth", "-p", "oldfilm", "--variant", "lite", "--root", root)
    noise25(sources / "odd", root)
    with pytest.raises(InputError, match='no data set "noise-gausian25".*"noise-gaussian25"'):
        vbench("run", "-d", "noise-gausian25", "--root", root)
    with pytest.raises(InputError, match='no model "identiy".*"identity"'):
        vbench("run", "-m", "identiy", "--metrics", METRICS, "--root", root)
    with pytest.raises(InputError, match="--device gpu|no device"):
        vbench("run", "-m", "identity", "--metrics", METRICS, "--device", "gpu", "--root", root)
    with pytest.raises(InputError, match="cannot be made"):
        vbench("synth", "-p", "noise", "-s", sources / "odd", "--root", sources / "odd" / "00000.png" / "x")


def test_two_commands_do_not_share_a_root(root: Path) -> None:
    with (
        Workspace(root).lock("run"),
        pytest.raises(RunError, match=r"in use by `vbench run` \(process"),
        Workspace(root).lock("synth"),
    ):
        pass
    with Workspace(root).lock("synth"):
        pass  # free again


def test_score(sources: Path, moving: NDArray[np.uint8], clip_folder: MakeClip) -> None:
    noisy = np.clip(moving + np.random.default_rng(0).normal(0, 8, moving.shape) + 0.5, 0, 255).astype(np.uint8)
    other = clip_folder(noisy, "noisy")
    document = json.loads(vbench("score", "--gt", sources / "a clip", "--pred", other, "--metrics", METRICS, "--json"))
    wanted = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(moving, noisy, strict=True)]
    assert document["metrics"]["psnr"]["frames"] == pytest.approx(wanted, abs=1e-9)
    assert set(document["metrics"]) == {"psnr", "ssim", "warp_error"}
    text = vbench("score", "--gt", sources / "a clip", "--pred", other, "--metrics", "psnr", "--frames", "1:3")
    assert re.search(rf"psnr \[dB\] ↑\s+{np.mean(wanted[1:3]):.2f}", text)
    lines = list(csv.DictReader(io.StringIO(vbench("score", "--gt", sources / "a clip", "--pred", other, "--metrics",
                                                   "psnr,warp_error", "--frames", "2:6", "--csv"))))  # fmt: skip
    assert [(line["metric"], line["frame"]) for line in lines] == [
        ("psnr", ""), ("warp_error", ""), *(("psnr", str(i)) for i in range(2, 6)), *(("warp_error", str(i)) for i in range(3, 6)),
    ]  # fmt: skip
    assert [float(line["value"]) for line in lines[2:6]] == pytest.approx(wanted[2:6], abs=1e-9)
    assert lines[0]["signature"].startswith("psnr@1|")
    same = json.loads(vbench("score", "--gt", other, "--pred", other, "--metrics", "psnr", "--json"))
    assert same["metrics"]["psnr"]["value"] == "inf"


def test_score_of_what_cannot_be_compared(sources: Path, moving: NDArray[np.uint8], clip_folder: MakeClip) -> None:
    short = clip_folder(moving[:4], "short")
    one = clip_folder(moving[:1], "one")
    with pytest.raises(InputError, match="Frame counts differ.*has 6.*has 4"):
        vbench("score", "--gt", sources / "a clip", "--pred", short)
    with pytest.raises(InputError, match="Sizes differ.*80 x 64.*47 x 35"):
        vbench("score", "--gt", sources / "a clip", "--pred", sources / "odd")
    with pytest.raises(InputError, match="is colour and .* is gray"):
        vbench("score", "--gt", sources / "a clip", "--pred", sources / "gray <b>")
    with pytest.raises(InputError, match="warp_error compares neighbouring frames and needs at least 2"):
        vbench("score", "--gt", one, "--pred", one, "--metrics", "psnr,warp_error")


def test_tables_in_every_format(root: Path, sources: Path) -> None:
    noise25(sources, root)
    vbench("run", "--models", "identity,temporal-median,unsharp", "--metrics", METRICS, "--root", root, "--workers", 1)
    text = vbench("leaderboard", "show", "--root", root)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert all(name in text for name in ("psnr", "ssim", "warp_error"))
    assert "[dB] ↑" in text
    assert vbench("leaderboard", "export", "--root", root).startswith("dataset,protocol,model")
    assert vbench("leaderboard", "export", "--long", "--root", root).count("\n") == 1 + 3 * 3 * 3
    for form in ("markdown", "latex", "json", "html"):
        assert "temporal-median" in vbench("leaderboard", "export", "-f", form, "--root", root)


def test_the_demo_goes_the_whole_way(root: Path, sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command itself, on small clips, with one kind of damage and two models in place of all."""
    from vbench import commands_demo

    small, few = commands_demo.sources_of, commands_demo.run_models
    monkeypatch.setattr(commands_demo, "sources_of", lambda paths, clips, *others: small((sources,), (), *others))
    monkeypatch.setattr(commands_demo, "run_models", lambda work, names, **rest: few(work, ["unsharp"], **rest))
    monkeypatch.setattr(commands_demo, "VARIANTS", {"noise": ["gaussian25"]})
    monkeypatch.setattr(commands_demo, "FRAMES", 3)
    said = vbench("demo", "--root", root, "--workers", 1)
    assert "made noise-gaussian25" in said
    assert re.search(r"^noise-gaussian25 \(Noise: Gaussian, sigma 25\)$", said, re.MULTILINE)
    assert re.search(r"=? +identity +[0-9.]+ +– ", said)
    assert (root / "report" / "index.html").is_file()
    assert f"Open it: {(root / 'report' / 'index.html').resolve().as_uri()}" in said


def test_lists_and_doctor(root: Path) -> None:
    assert "gaussian25" in vbench("profiles", "list")
    assert "exposure-blur: shutter 0.5" in vbench("profiles", "show", "blur")
    assert "temporal-median" in vbench("models")
    listed = vbench("weights", "list")
    assert "VBENCH_ASSETS" in listed
    assert "\nSaoYan/DnCNN-PyTorch  GPL-3.0\n" in listed
    lines = vbench("doctor", "--root", root).splitlines()
    assert {"ok", "note", "missing"} >= {line.split()[0] for line in lines}
    assert any("libx264" in line for line in lines)
    needing = [n for n in models.names() if models.spec(n).weights is not None]
    assert len(needing) > 4
    assert any(f"missing for {len(needing)} of the {len(needing)} models" in line for line in lines)
    assert any("vbench assets fetch niqe" in line for line in lines)


def test_temporal_median_gains_where_nothing_moves(
    root: Path, moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    """The median of three normal values has 0.449 of their variance: 3.5 dB on all but the two end frames, which it keeps."""
    source = clip_folder(np.repeat(moving[:1], 8, axis=0), "still")
    vbench("synth", "-p", "noise", "--variant", "gaussian15", "-s", source, "--root", root, "--workers", 1)
    vbench("run", "-m", "identity,temporal-median", "--metrics", "psnr", "--root", root, "--workers", 1)
    figures = {c.model: c.value or 0.0 for c in read_cells(root)}
    assert figures["temporal-median"] - figures["identity"] == pytest.approx(3.48 * 6 / 8, abs=0.15)


@pytest.mark.shared
def test_dncnn_gains_more_than_seven_decibels(shared: Path, root: Path, own_assets: Path) -> None:
    """Gaussian noise of sigma 25 on a real gray clip, by the official weights."""
    vbench("weights", "import", shared / "data" / "weights" / "dncnn_s25.pth")
    source = shared / "data" / "clips" / "factory_1080p30"
    vbench(
        "synth",
        "-p",
        "noise",
        "--variant",
        "gaussian25",
        "-s",
        source,
        "--max-frames",
        1,
        "--root",
        root,
        "--workers",
        1,
    )
    vbench("run", "-m", "identity,dncnn-s25", "--metrics", "psnr", "--root", root, "--workers", 1)
    figures = {c.model: c.value for c in read_cells(root)}
    assert figures["dncnn-s25"] is not None
    assert figures["identity"] is not None
    assert figures["dncnn-s25"] - figures["identity"] > 7
