"""``vbench leaderboard`` as it is typed: what is printed, written and said, and with which exit status."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from leaderboards.schema import Cell, Cost, MetricFacts, ModelFacts
from leaderboards.store import cell_files, write_cell
from vbench.cli import app
from vbench.datasets import DatasetFacts
from vbench.errors import InputError, UsageError, VbenchError

FIGURES: dict[str, list[float | None]] = {
    "identity": [20.0, 21, 22, 23, 24, 25], "good one": [25.0, 26.5, 27, 28, 29.2, 30], "<b>harms": [19.0, 20, 21, 22.5, 23, 24],
    "holes": [26.0, None, 27, 28, 29, 30],
}  # fmt: skip


def cells(dataset: str, shift: float = 0.0) -> Iterator[Cell]:
    for model, row in FIGURES.items():
        for name, unit, scale in (("psnr", "dB", 1.0), ("ssim", "", 0.025)):
            for i, value in enumerate(row):
                figure = None if value is None else (value + (shift if model == "good one" else 0)) * scale
                yield Cell(
                    status="ok" if figure is not None else "failed", dataset=dataset, clip=f"clip {i}", model=model,
                    metric=MetricFacts(name=name, version=1, unit=unit, direction="higher", convention="c"),
                    protocol="default@1", value=figure, frames=[] if figure is None else [figure] * 2,
                    error="out of memory" if figure is None else None,
                    model_facts=ModelFacts(name=model, version=1, title=model, task="t", source="s", licence="l"),
                    data_sha256=f"{dataset}-{i}", fingerprint=f"{figure}", device="cpu", precision="fp32",
                    cost=Cost(frames=2, seconds=1.0 if model == "good one" else 0.1, threads=1, device="cpu"),
                )  # fmt: skip


def make(root: Path, shift: float = 0.0) -> Path:
    for dataset in ("noise 1", "noise 2"):
        for cell in cells(dataset, shift):
            write_cell(root, cell)
        (root / "datasets" / dataset).mkdir(parents=True)
        facts = DatasetFacts(
            name=dataset, profile="noise", variant=dataset, title=f"Noise, {dataset}", description="d", source="s",
            severity=int(dataset[-1]), profile_version=1, profile_sha256="0", seed=0, clips=(), versions={},
        ).model_dump(mode="json")  # fmt: skip
        (root / "datasets" / dataset / "dataset.json").write_text(json.dumps(facts))
    return root


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("leaderboard") / "my runs")


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("leaderboard") / "worse", -0.25)


def vbench(*arguments: object, status: int = 0, **environment: str) -> str:
    """Run a command in this process; errors are raised, output is given back."""
    result = CliRunner().invoke(app, ["leaderboard", *(str(a) for a in arguments)], env=environment or None)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.stdout


# --- show ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", ["80", "200", "40"])
def test_boards_in_the_terminal(kept: Path, width: str) -> None:
    text = vbench("show", "--root", kept, "--intervals", COLUMNS=width)
    assert max(cell_len(line) for line in text.splitlines()) <= int(width)
    order = [text.index(part) for part in ("Overall: ", "noise 1 (Noise, noise 1)", "noise 2 (Noise, noise 2)")]
    assert order == sorted(order)
    assert "27.62" in text
    assert "+5.12" in text
    assert "† 1" in text
    assert "<b>harms" in text
    assert "! below-identity" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_only_what_was_asked_for(kept: Path) -> None:
    text = vbench(
        "show", "--root", kept, "-d", "noise 2", "-w", "gain.psnr > 0 and seconds_per_frame < 1", "-c", "ssim,memory"
    )
    assert "Overall" not in text
    lines = text.splitlines()
    assert lines[0] == "noise 2 (Noise, noise 2)"
    assert [line.split()[1:] for line in lines if line.startswith(("1", " 1"))] == [["good", "one", "0.6904", "–"]]
    assert "3 rows left out" in text
    by_clip = vbench("show", "--root", kept, "--clips", "-w", "clip == 'clip 3' and gain < 0", "--sort", "-psnr")
    assert by_clip.count("<b>harms") == 2
    assert "good one" not in by_clip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-w", "gain.psrn > 0"), 'no column "gain.psrn".*"gain.psnr"'),
        (("-w", "psnr > 1ms"), "psnr is in dB"),
        (("-w", "__import__('os')"), "cannot be read|is left over"),
        (("--sort", "second_per_frame"), '"seconds_per_frame"'),
        (("-c", "psnr,sim"), '"ssim"'),
        (("-d", "noise3"), 'data set "noise3".*"noise 1"|"noise 2"'),
        (("--protocol", "defualt"), '"default"'),
        (("--clips", "-w", "rank == 1"), 'no column "rank"'),
    ],
)
def test_mistakes_of_usage(kept: Path, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        vbench("show", "--root", kept, *arguments)


def test_a_name_with_a_comma_stands_in_backticks(tmp_path: Path) -> None:
    for dataset in ("a, b", "c"):
        for cell in cells(dataset):
            write_cell(tmp_path, cell)
    text = vbench("show", "--root", tmp_path, "-d", "`a, b`", "-c", "psnr")
    assert text.startswith("a, b\n")
    assert "Overall" not in text
    assert "Overall: All 2" in vbench("show", "--root", tmp_path, "-d", "`a, b`,c", "-c", "psnr")


def test_broken_workspaces(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        vbench("show", "--root", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no results.*vbench run --models all --root"):
        vbench("show", "--root", tmp_path / "empty")
    with pytest.raises(InputError, match="No row fits"):
        vbench("show", "--root", kept, "-w", "psnr > 99")
    broken = tmp_path / "broken"
    shutil.copytree(kept, broken)
    path = Path(cell_files(broken)[3])
    path.write_text(path.read_text()[:80])
    for command in (("show",), ("export",)):
        with pytest.raises(InputError, match=rf"{path.name}.*delete it"):
            vbench(*command, "--root", broken)
    (path.parent / path.name).unlink()
    assert "was not run" in vbench("show", "--root", broken)


# --- export --------------------------------------------------------------------------------------


def test_every_form(kept: Path, tmp_path: Path) -> None:
    for form in ("csv", "json", "markdown", "latex", "html"):
        text = vbench("export", "--root", kept, "-f", form)
        assert vbench("export", "--root", kept, "-f", form) == text
        assert "good one" in text
        vbench("export", "--root", kept, "-f", form, "-o", tmp_path / "sub" / f"x.{form}")
        assert (tmp_path / "sub" / f"x.{form}").read_text("utf-8") == text
    assert "&lt;b&gt;harms" in vbench("export", "--root", kept, "-f", "html")
    assert "\\begin{document}" in vbench("export", "--root", kept, "-f", "latex", "--document", "--together")
    assert "± " in vbench("export", "--root", kept, "-f", "markdown", "--intervals", "pm")
    assert not list((tmp_path / "sub").glob(".partial*"))


def test_figures_of_clips(kept: Path, tmp_path: Path) -> None:
    vbench("export", "--root", kept, "-f", "parquet", "--long", "-o", tmp_path / "x.parquet", "-w", "metric == 'psnr'")
    table = pd.read_parquet(tmp_path / "x.parquet")
    assert len(table) == 2 * 4 * 6
    text = vbench("export", "--root", kept, "--long", "-w", "metric == 'psnr'")
    again = pd.read_csv(io.StringIO(text))
    assert again.value.equals(table.value.astype(float))
    records = json.loads(vbench("export", "--root", kept, "--long", "-f", "json", "-w", "status == 'failed'"))
    assert {record["error"] for record in records} == {"out of memory"}
    for form in ("markdown", "html"):
        assert "clip 5" in vbench("export", "--root", kept, "--long", "-f", form)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-f", "cvs"), '"csv"'),
        (("-f", "latex", "--long"), "--long gives a line"),
        (("--together",), "--together sets"),
        (("--document",), "--document is of"),
        (("--intervals", "both"), "no, range, pm"),
        (("--long", "-w", "psnr > 1"), 'no column "psnr"'),
    ],
)
def test_forms_that_do_not_go_together(kept: Path, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        vbench("export", "--root", kept, *arguments)


def test_a_file_that_cannot_be_written(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        vbench("export", "--root", kept, "-o", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(VbenchError, match="cannot be"):
        vbench("export", "--root", kept, "-o", tmp_path / "file" / "x.csv")


# --- diff ----------------------------------------------------------------------------------------


def test_a_gate(kept: Path, worse: Path, tmp_path: Path) -> None:
    assert "Passed" in vbench("diff", kept, worse, "--fail-below", "-0.3dB")
    text = vbench("diff", kept, worse, "--fail-below", "-0.1dB", status=1)
    assert "good one on noise 1: psnr −0.25 dB (27.62 to 27.37), below the" in text
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    vbench("export", "--root", kept, "-f", "json", "-o", tmp_path / "old.json")
    vbench("export", "--root", worse, "-f", "json", "-o", tmp_path / "new.json")
    files = vbench("diff", tmp_path / "old.json", tmp_path / "new.json", "--fail-below", "-0.1dB", status=1)
    assert files == text, "a file says the same as the workspace"
    assert "the same" in vbench("diff", tmp_path / "old.json", kept)
    found: dict[str, Any] = json.loads(vbench("diff", kept, worse, "--metric", "all", "--json"))
    assert {board["metric"]["name"] for board in found["boards"]} == {"psnr", "ssim"}
    comment = vbench("diff", kept, worse, "-f", "markdown", "--fail-below", "-1%", "-o", tmp_path / "c.md")
    assert comment == ""
    assert (tmp_path / "c.md").read_text().startswith("**Passed: no change is below −1%.")


def test_limits_and_states_that_are_none(kept: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (("--fail-below", "-0.1"), "psnr is in dB"),
        (("--fail-below", "much"), "is no limit"),
        (("--lenient",), "goes with --fail-below"),
        (("--metric", "sim"), '"ssim"'),
        (("--metric", "all", "--fail-below", "-0.1dB"), "ssim has no limit"),
        (("-f", "jsn"), '"json"'),
    ):
        with pytest.raises(UsageError, match=words):
            vbench("diff", kept, kept, *arguments)
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    for path, words in (
        (tmp_path / "x.json", "no leaderboard"),
        (tmp_path / "empty", "no results"),
        (tmp_path / "y", "There is no"),
    ):
        with pytest.raises(InputError, match=words):
            vbench("diff", kept, path)


# --- merge ---------------------------------------------------------------------------------------


def test_merged_boards_are_shown_exported_and_reported(kept: Path, worse: Path, tmp_path: Path) -> None:
    for root in (kept, worse):
        before = sorted(root.rglob("*"))
        out = tmp_path / "all"
        with pytest.raises(InputError, match="24 results are not the same"):
            vbench("merge", kept, worse, "-o", out)
        assert sorted(root.rglob("*")) == before
    text = vbench("merge", kept, worse, "-o", out, "--prefer", "first")
    assert f'96 results are in "{out}"; 72 were the same' in text.replace("\n", "")
    assert vbench("export", "--root", out) == vbench("export", "--root", kept)
    result = CliRunner().invoke(app, ["report", "html", "--root", str(out)])
    assert result.exit_code == 0, result.output
    assert any("good one" in page.read_text("utf-8") for page in (out / "report").rglob("*.html"))


def test_merging_what_is_none(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="first or newest"):
        vbench("merge", kept, "-o", tmp_path / "all", "--prefer", "last")
    with pytest.raises(InputError, match="no folder"):
        vbench("merge", tmp_path / "nowhere", "-o", tmp_path / "all")
    assert not (tmp_path / "all").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no results"):
        vbench("merge", kept, tmp_path / "empty", "-o", tmp_path / "all")


# --- the pages -----------------------------------------------------------------------------------

PAGES = [Path(__file__).resolve().parents[2] / name for name in ("docs/leaderboards.md", "README.md")]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def test_the_examples_of_the_pages_run(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("runs", "before", "after", "machine-a", "machine-b", "machine-a/runs", "machine-b/runs"):
        shutil.copytree(kept, name)
    vbench("export", "--root", "runs", "-f", "json", "-o", "baseline.json")
    vbench("export", "--root", "runs", "-f", "json", "-o", "boards.json")
    texts = [text for page in PAGES for language in ("sh", "yaml") for text in blocks(page, language)]
    lines = [line.split("#")[0] for text in texts for line in text.splitlines() if "vbench leaderboard " in line]
    assert len(lines) >= 12
    for line in lines:
        vbench(*shlex.split(line.partition("vbench leaderboard ")[2]))
    assert {"table.tex", "figures.parquet", "comment.md", "all"} <= {path.name for path in tmp_path.iterdir()}
    for code in blocks(PAGES[0], "python"):
        exec(compile(code, "leaderboards.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "good one" in printed
    assert "dataset" in printed


def test_the_page_names_every_column(kept: Path) -> None:
    from leaderboards.export.columns import FACTS, FIGURES

    page = PAGES[0].read_text("utf-8")
    named = set(re.findall(r"`([a-z0-9_]+)(?:\.psnr)?`", page))
    assert {*FACTS, *filter(None, FIGURES)} <= named
