"""Figures for papers: whole, the same each time, with embedded fonts, and safe with any names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from leaderboards.schema import Cell, Cost, MetricFacts, ModelFacts
from leaderboards.store import write_cell
from leaderboards.table import Board, boards
from reports import figures
from reports.figure_set import Wanted, file_name, write_figures
from vbench.cli import app

PSNR = MetricFacts(name="psnr", version=1, unit="dB", direction="higher", convention="c")
NASTY = 'a $x^2$ <b>"q"<∕b> & 50% ünï\u202e'
GAINS = {"identity": 0.0, "good": 2.0, NASTY: 1.9, "bad": -1.5}


def cell(dataset: str, clip: int, model: str, value: float, **rest: Any) -> Cell:
    facts: dict[str, Any] = {
        "status": "ok",
        "dataset": dataset,
        "clip": f"clip{clip}",
        "model": model,
        "metric": PSNR,
        "protocol": "default@1",
        "value": value,
        "frames": [value + 0.1 * i for i in range(4)],
        "model_facts": ModelFacts(name=model, version=1, title=model, task="t", source="s", licence="l"),
        "data_sha256": f"data-{clip}",
        "fingerprint": "f",
        "device": "cpu",
        "precision": "fp32",
        "cost": Cost(frames=4, seconds=0.1 * (1 + list(GAINS).index(model)), threads=1, device="cpu"),
    }
    return Cell(**{**facts, **rest})


def cells(dataset: str, severity: float = 1, models: dict[str, float] | None = None) -> list[Cell]:
    gains = GAINS if models is None else models
    noise = np.random.default_rng(0).normal(0, 0.3, (6, len(gains)))
    return [
        cell(dataset, c, model, 30 - severity - c + gain * severity + noise[c, m])
        for c in range(6)
        for m, (model, gain) in enumerate(gains.items())
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for severity in (1, 3, 5):
        name = f"noise-s{severity}"
        for one in cells(name, severity):
            write_cell(tmp_path, one)
        clips = [
            {"name": f"clip{c}", "frames": 4, "height": 8, "width": 8, "channels": 3, "fps": 24.0} for c in range(6)
        ]
        facts = {"name": name, "title": f"Noise <{severity}>", "profile": "noise", "severity": severity, "clips": clips}
        folder = tmp_path / "datasets" / name
        folder.mkdir(parents=True)
        (folder / "dataset.json").write_text(json.dumps(facts))
    return tmp_path


def only(found: list[Cell]) -> Board:
    (board,) = boards(found)
    return board


def test_all_figures_of_a_workspace(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    written = write_figures(root, out)
    names = {path.name for path in written}
    datasets = [f"noise-s{s}" for s in (1, 3, 5)]
    assert {"severity-noise.pdf", *(f"gain-{d}.pdf" for d in datasets), *(f"cost-{d}.pdf" for d in datasets)} <= names
    assert {f"frames-{d}-clip0.pdf" for d in datasets} <= names
    assert {path.name for path in out.iterdir()} == names | {"figures.md", "figures.tex"}
    for path in written:
        assert path.read_bytes().startswith(b"%PDF")
    captions = (out / "figures.md").read_text()
    assert "6 clips (24 frames, protocol default@1)" in captions
    tex = (out / "figures.tex").read_text()
    assert tex.count(r"\begin{figure}") == len(written)
    assert r"Noise \textless{}1\textgreater{}" in tex


def test_the_same_results_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    for form in ("pdf", "svg"):
        wanted = Wanted(form, datasets=("noise-s3",))
        one, two = (write_figures(root, tmp_path / f"{form}{i}", wanted) for i in (1, 2))
        assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_fonts_are_embedded_as_truetype(root: Path) -> None:
    drawn = figures.rank_intervals(only(cells("d")), "a")
    kinds = set(re.findall(rb"/Subtype /(Type\w+|TrueType|CIDFontType\d)", drawn.data))
    assert kinds & {b"TrueType", b"CIDFontType2"}
    assert b"Type3" not in kinds  # what submission systems refuse
    assert b"/FontFile2" in drawn.data


def test_intervals_and_bands_are_those_of_the_board() -> None:
    board = only(cells("d"))
    rows = [row for row in board.rows if row.model.name != "identity"]
    assert figures._bands(rows) == [(0, 1), (2, 2)]  # "good" and the nasty one share a rank
    caption = figures.rank_intervals(board, "a").caption
    assert "gain in psnr over doing nothing, with 95 % intervals over 6 clips" in caption


def test_boards_with_too_little_on_them(root: Path, tmp_path: Path) -> None:
    alone = only(cells("d", models={"identity": 0.0}))
    with pytest.raises(ValueError, match="no model has both a rank and a gain"):
        figures.rank_intervals(alone, "a")
    with pytest.raises(ValueError, match="fewer than two models"):
        figures.quality_cost(alone, "a")
    with pytest.raises(ValueError, match="two severities"):
        figures.severity_curves([figures.Curve("a", [1.0], [2.0], [None], [None])], "a", "psnr", "dB")
    with pytest.raises(ValueError, match="one width and length"):
        figures.slices([], "a", 3)


def test_infinite_figures_are_left_out_and_break_nothing() -> None:
    board = only([cell("d", c, m, float("inf") if m == "good" else 30.0 + c) for c in range(3) for m in GAINS])
    assert figures.quality_cost(board, "a").data
    assert figures.per_frame([("good", [float("inf"), 3.0])], "a", "psnr", "dB").data


def test_costs_on_two_devices_are_two_questions() -> None:
    found = [one.model_copy(update={"device": "cuda" if one.model == "good" else "cpu"}) for one in cells("d")]
    drawn = figures.quality_cost(only(found), "a", "svg")
    assert "on cpu and cuda" in drawn.caption
    assert "Pareto set of each device, as times compare on one only" in drawn.caption
    assert "of each device" not in figures.quality_cost(only(cells("d")), "a").caption


def test_titles_do_not_say_their_profile_twice(root: Path, tmp_path: Path) -> None:
    for path in (root / "datasets").rglob("dataset.json"):
        facts = json.loads(path.read_text("utf-8"))
        facts |= {"title": f"Noise: noise, severity {facts['severity']}", "recipe": {"title": "Noise"}}
        path.write_text(json.dumps(facts))
    write_figures(root, tmp_path / "out", Wanted("svg"))
    captions = (tmp_path / "out" / "figures.md").read_text("utf-8")
    assert "`gain-noise-s1.svg`: Noise, severity 1: mean gain" in captions
    assert "`severity-noise.svg`: Noise: mean gain" in captions


def test_slices_show_the_rows_they_are_given() -> None:
    import io

    from PIL import Image

    red = [np.full((40, 3), (255, 0, 0), np.uint8)] * 10
    blue = [np.full((40, 3), (0, 0, 255), np.uint8)] * 10
    drawn = figures.slices([("a", red), ("b", blue)], "x", 7, "png")
    pixels = np.asarray(Image.open(io.BytesIO(drawn.data)).convert("RGB")).reshape(-1, 3)
    reds, blues = ((pixels == colour).all(axis=1).sum() for colour in ((255, 0, 0), (0, 0, 255)))
    assert reds == pytest.approx(blues, rel=0.05)
    assert reds > 0.2 * len(pixels)
    assert "row 7 of every frame" in drawn.caption


def test_a_folder_of_other_things_is_not_touched(root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="nothing there is touched"):
        write_figures(root, mine)
    assert (mine / "thesis.tex").read_text() == "years of work"
    assert not list(tmp_path.glob(".partial-*"))


def test_an_older_folder_of_figures_is_replaced_whole(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    write_figures(root, out, Wanted("svg", datasets=("noise-s5",)))
    write_figures(root, out, Wanted("png", datasets=("noise-s1",)))
    assert not list(out.glob("*.svg"))
    assert not list(out.glob("*noise-s5*"))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(datasets=("nois",)), 'no results of a data set "nois"'),
        (Wanted(protocols=("x",)), 'no results of a protocol "x"'),
        (Wanted(models=("goud",)), 'no results of a model "goud"'),
        (Wanted(clip="z"), 'no results of a clip "z"'),
    ],
)
def test_what_is_not_there_is_said(root: Path, tmp_path: Path, wanted: Wanted, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_figures(root, tmp_path / "out", wanted)


def test_models_that_share_a_colour_differ_in_mark_or_dashes() -> None:
    found = figures.styles(["identity", *(f"m{i}" for i in range(25))])
    assert len({(s.colour, s.dashes) for s in found.values()}) == 26
    assert [name for name, s in found.items() if s.colour == figures.PALETTE[0]] == ["identity"]


def test_names_of_files_are_safe_and_apart() -> None:
    assert file_name("a/b") != file_name("a b")
    assert re.fullmatch(r"[A-Za-z0-9.-]+", file_name(NASTY))
    assert len(file_name("x" * 500)) < 80


def test_command(root: Path, tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(app, ["report", "figures", "--root", str(root), *words])
        return found.exit_code, str(found.exception or found.output)

    status, said = run("--dataset", "noise-s1", "--width", "page")
    assert status == 0, said
    assert "figures are in" in said
    assert (root / "figures" / "gain-noise-s1.pdf").is_file()
    assert "There is no format" in run("--format", "pdff")[1]
    assert "is no width" in run("--width", "wide")[1]
    assert "cannot be drawn" in run("--width", "0.1")[1]
