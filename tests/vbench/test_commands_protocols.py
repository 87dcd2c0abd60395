"""``vbench protocols``: what it prints, of a workspace with results and of one without."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.schema import Cell, ModelFacts
from leaderboards.store import write_cell, write_protocol
from vbench import metrics, protocols
from vbench.cli import app
from vbench.errors import InputError, UsageError

MakeClip = Callable[..., Path]


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def flat(text: str) -> str:
    """Without line breaks, which depend on the width."""
    return " ".join(text.split())


def cells(root: Path, protocol: str, figures: dict[str, list[float]], dataset: str = "d") -> None:
    """Results of the first metric of a protocol, one figure for each clip."""
    found = protocols.load(protocol)
    write_protocol(root, found.facts())
    for model, row in figures.items():
        for i, value in enumerate(row):
            write_cell(
                root,
                Cell(
                    status="ok",
                    dataset=dataset,
                    clip=f"clip{i}",
                    model=model,
                    metric=metrics.load(found.metrics[0]).facts(),
                    protocol=found.label,
                    value=value,
                    frames=[value, value],
                    model_facts=ModelFacts(name=model, version=1, title=model, task="t", source="s", licence="l"),
                    data_sha256="x",
                    fingerprint="f",
                    device="cpu",
                    precision="fp32",
                ),
            )


def test_list_names_every_protocol_within_80_columns() -> None:
    said = invoke("protocols", "list")
    for name in protocols.names():
        assert protocols.load(name).label in said
    assert max(len(line) for line in said.splitlines()) <= 80


@pytest.mark.parametrize("name", protocols.names())
def test_show_says_every_line_with_its_source(name: str, tmp_path: Path) -> None:
    said = invoke("protocols", "show", name, "--root", str(tmp_path))
    found = protocols.load(name)
    for line in found.lines:
        for text in (line.how, line.here, line.source):
            # The column on the left cuts sentences into lines.
            assert set(flat(text).split()) <= set(said.split()), text
    assert "None yet." in said
    tables = [
        line for line in said.splitlines() if not line.lstrip().startswith("vbench ") and str(tmp_path) not in line
    ]
    assert max(len(line) for line in tables) <= 80


def test_show_prints_figures_as_they_were_printed_and_where() -> None:
    said = flat(invoke("protocols", "show", "deblur-pvdnet-aligned"))
    assert "31.520" in said  # not 31.52: the source has three digits
    assert "[1] printed by the authors' script, stored in their repository: codeslake/PVDNet" in said
    said = flat(invoke("protocols", "show", "denoise-fastdvdnet"))
    assert "34.0 ± 0.1" in said
    assert "None: the sources state none under these conventions." in flat(invoke("protocols", "show", "codec-votes"))


def test_show_tells_how_data_come_and_which_are_there(
    tmp_path: Path, moving: NDArray[np.uint8], clip_folder: MakeClip
) -> None:
    root = tmp_path / "runs"
    source = str(clip_folder(moving, "a clip"))
    for variant in ("awgn25", "gaussian25"):
        invoke("synth", "-p", "noise", "--variant", variant, "-s", source, "--root", str(root), "--workers", "1")
    said = invoke("protocols", "show", "denoise-fastdvdnet", "--root", str(root))
    assert "noise-gaussian25" not in said
    assert "noise-awgn25" in said
    assert "These clips are others." in flat(said)
    variants = "awgn10,awgn15,awgn20,awgn25,awgn30,awgn40,awgn50"
    assert f"vbench synth --profile noise --variant {variants} --source FOLDER --max-frames 25 --root {root}" in said
    assert "vbench datasets add FOLDER --version blur_gamma" in invoke("protocols", "show", "deblur-pvdnet")


def test_diff_says_what_differs_and_counts_what_does_not(tmp_path: Path) -> None:
    said = flat(invoke("protocols", "diff", "deblur-pvdnet", "deblur-pvdnet-aligned", "--root", str(tmp_path)))
    assert (
        "frames measured deblur-pvdnet: All frames that a model was given. deblur-pvdnet-aligned: All but the first"
        in said
    )
    assert "border crop deblur-pvdnet: None. deblur-pvdnet-aligned: 16 pixels at each side." in said
    assert "columns deblur-pvdnet: psnr, ssim[uniform7] deblur-pvdnet-aligned: psnr_aligned, ssim_aligned" in said
    same = re.search(r"The same in both, (\d+) of 13: ([^.]*)\.", said)
    assert same is not None
    assert int(same[1]) == len(same[2].split(", ")) == 7
    assert "alignment" not in same[2]


def test_diff_on_results_says_how_far_figures_and_ranks_move(tmp_path: Path) -> None:
    """Ten clips, three models: hqdn3d and nlmeans change places, and their figures move by +1 and -2 dB."""
    clips = [20.0 + 0.5 * (-1) ** i for i in range(10)]
    steps = {
        "default": {"identity": 0, "hqdn3d": 1, "nlmeans": 2},
        "deblur-cdvd": {"identity": 0, "hqdn3d": 2, "nlmeans": 0},
    }
    for protocol, models in steps.items():
        cells(
            tmp_path, protocol, {m: [v + step + 0.001 * i for i, v in enumerate(clips)] for m, step in models.items()}
        )
    said = flat(invoke("protocols", "diff", "default", "deblur-cdvd", "--root", str(tmp_path)))
    assert "3 models, psnr under default@3 against psnr[crop=4] under deblur-cdvd@1." in said
    assert "figures move by −0.33 dB on average, from −2.00 dB (nlmeans) to +1.00 dB (hqdn3d)." in said
    assert re.search(r"\d of 3 ranks move: .*nlmeans 1 to 2", said)
    assert "hqdn3d 2 to 1" in said
    assert "To measure" not in said


def test_diff_gives_the_command_for_what_is_missing(tmp_path: Path) -> None:
    cells(tmp_path, "default", {"identity": [20.0], "hqdn3d": [21.0]})
    said = invoke("protocols", "diff", "denoise-dncnn", "default", "--root", str(tmp_path))
    assert "Measured under default@3 alone: d. The same under denoise-dncnn@1:" in flat(said)
    assert f"vbench run --protocol denoise-dncnn --dataset d --models hqdn3d,identity --root {tmp_path}" in said
    cells(tmp_path, "denoise-dncnn", {"identity": [20.5]})
    said = invoke("protocols", "diff", "denoise-dncnn", "default", "--root", str(tmp_path))
    assert "Under default@3 identity moves by −0.50 dB." in flat(said)
    assert "Not measured under denoise-dncnn@1: hqdn3d." in flat(said)
    assert f"vbench run --protocol denoise-dncnn --dataset d --models hqdn3d --root {tmp_path}" in said


def test_diff_says_why_a_model_has_no_figure(tmp_path: Path) -> None:
    for protocol in ("default", "denoise-dncnn"):
        cells(tmp_path, protocol, {"identity": [20.0, 21.0], "hqdn3d": [21.0, 22.0]})
    path = tmp_path / "results" / "d" / "hqdn3d" / "clip1" / "@denoise-dncnn" / "psnr.json"
    lost = Cell.model_validate_json(path.read_text("utf-8"))
    write_cell(
        tmp_path, lost.model_copy(update={"status": "failed", "value": None, "frames": [], "error": "it broke."})
    )
    said = flat(invoke("protocols", "diff", "default", "denoise-dncnn", "--root", str(tmp_path)))
    assert 'Without a figure under denoise-dncnn@1: hqdn3d (1 of 2 clips missing: on "clip1" it broke).' in said
    assert "vbench run" not in said


def test_diff_without_results_gives_both_commands(tmp_path: Path) -> None:
    said = invoke("protocols", "diff", "denoise-dncnn", "denoise-rfr", "--root", str(tmp_path))
    for name in ("denoise-dncnn", "denoise-rfr"):
        assert f"vbench run --protocol {name} --models all --root {tmp_path}" in said


def test_names_are_printed_as_they_are(tmp_path: Path) -> None:
    name = "[bold]x[dim] <b> 'q'"
    for protocol in ("default", "denoise-dncnn"):
        cells(tmp_path, protocol, {"identity": [20.0], "[red]m": [21.0]}, dataset=name)
    cells(tmp_path, "default", {"identity": [20.0]}, dataset="only [i]here")
    said = invoke("protocols", "diff", "default", "denoise-dncnn", "--root", str(tmp_path))
    assert name in said
    assert "'only [i]here'" in said  # quoted in the command


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["show", "denoise-dncn"], InputError, 'There is no protocol "denoise-dncn". Did you mean "denoise-dncnn"?'),
        (["show", "../default"], InputError, "There is no protocol"),
        (["show", "sr-edvr"], InputError, "several protocols, which measure other frames or channels: sr-edvr-reds4, "),
        (["diff", "default", "deflaut"], InputError, 'Did you mean "default"?'),
        (["diff", "default", "default"], UsageError, "the same protocol: name two"),
    ],
)
def test_what_cannot_be_shown_is_an_error_in_words(arguments: list[str], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        invoke("protocols", *arguments)
    assert words in str(caught.value)


WITHOUT_TRUTH = ("no-reference", "oldfilm-rtn-real")


@pytest.mark.parametrize("name", [n for n in protocols.names() if n not in ("default", *WITHOUT_TRUTH)])
def test_every_protocol_measures_a_clip(
    name: str, moving: NDArray[np.uint8], clip_folder: MakeClip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`vbench score --protocol`: the first metric is measured, on the frames that the protocol says."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    truth = np.concatenate([moving, moving[:2]])
    result = np.clip(truth.astype(int) + np.random.default_rng(0).integers(-9, 10, truth.shape), 0, 255).astype(
        np.uint8
    )
    paths = [str(clip_folder(frames, side)) for side, frames in (("gt", truth), ("pred", result))]
    ran = CliRunner().invoke(app, ["score", "--protocol", name, "--gt", paths[0], "--pred", paths[1], "--json"])
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    found = protocols.load(name)
    first = said["metrics"][found.metrics[0]]
    start, stop = found.scored.of(8)
    assert len(first["frames"]) == stop - start
    assert 25 < first["value"] < 40
