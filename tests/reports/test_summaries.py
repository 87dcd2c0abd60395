"""The summaries for print and for a README: whole, the same each time, safe with any names."""

from __future__ import annotations

from pathlib import Path

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from leaderboards.store import write_cell
from reports.markdown import summary, write_markdown
from reports.pdf import plain, write_pdf
from tests.reports.test_figures import NASTY, cells
from vbench.cli import app


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("summaries")
    for one in (*cells("noise-s1"), *cells("film", 3)):
        write_cell(path, one)
    return path


def words_of(pdf: Path) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages).split())


def test_pdf_says_what_the_boards_say(root: Path, tmp_path: Path) -> None:
    pdf = write_pdf(root, tmp_path / "a.pdf", title="Noise and film")
    text = words_of(pdf)
    assert "Noise and film" in text
    assert "6 clips, 24 frames, protocol default@1." in text
    assert "good" in text
    assert "bad (2 data sets). The result is worse than the degraded clip itself." in text
    # The name stands there without what would turn the line around, and is neither markup nor mathematics.
    assert "$x^2$" in text
    assert "\u202e" not in text
    fonts = {str(font["/BaseFont"]) for page in PdfReader(pdf).pages for font in _fonts(page)}
    assert fonts
    assert all("DejaVu" in name for name in fonts)


def _fonts(page: object) -> list[dict[str, object]]:
    found = page["/Resources"]["/Font"]  # type: ignore[index]
    return [font.get_object() for font in found.values()]


def test_pdf_is_the_same_each_time(root: Path, tmp_path: Path) -> None:
    one, two = (write_pdf(root, tmp_path / f"{i}.pdf").read_bytes() for i in (1, 2))
    assert one == two


def test_pdf_replaces_a_pdf_and_nothing_else(root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "thesis.pdf"
    mine.write_text("not a PDF at all")
    with pytest.raises(ValueError, match="is no PDF; it is not touched"):
        write_pdf(root, mine)
    assert mine.read_text() == "not a PDF at all"
    with pytest.raises(ValueError, match="no results"):
        write_pdf(tmp_path, tmp_path / "b.pdf")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.pdf"]


def test_markdown_holds_the_answer_and_the_boards(root: Path, tmp_path: Path) -> None:
    text = summary(root, "Noise <and> film")
    assert text.startswith("## Noise \\<and\\> film\n")
    assert "### film" in text
    assert "### noise-s1" in text
    assert "<b>" not in text
    path = write_markdown(root, tmp_path / "a.md", "Noise <and> film")
    assert path.read_text() == text
    with pytest.raises(ValueError, match="is a folder"):
        write_markdown(root, tmp_path)


def test_names_are_shown_without_controls() -> None:
    assert plain(NASTY).endswith("ünï")
    assert plain("a\tb\x00c") == "a bc"


def test_commands(root: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    made = runner.invoke(app, ["report", "pdf", "--root", str(root), "--out", str(tmp_path / "a.pdf")])
    assert made.exit_code == 0, made.output
    assert "The summary is" in made.output
    said = runner.invoke(app, ["report", "markdown", "--root", str(root)])
    assert said.exit_code == 0
    assert said.output == summary(root)
