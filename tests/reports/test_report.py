"""The report as files: whole, offline, valid, escaped, the same again."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reports.html import build
from reports.single import build_single
from reports.site import slug
from tests.reports.synthetic import HOSTILE, workspace
from vbench.cli import app

POLICY = "default-src 'none'; script-src 'self'; style-src 'self';"


class _Page(HTMLParser):
    """Links, identifiers and attributes of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.templates = 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes |= set(values)
        self.templates += tag == "template"
        self.links += [value for name in ("src", "href") if (value := values.get(name)) is not None]
        if "id" in values:
            self.ids.append(values["id"] or "")
        if tag == "script" and values.get("type") != "application/json":
            self.scripts.append(values.get("src") or "inline")


def pages(report: Path) -> list[Path]:
    return sorted(report.rglob("*.html"))


def test_every_page_is_there(report: Path) -> None:
    found = {str(p.relative_to(report)) for p in pages(report)}
    assert {"index.html", "boards.html", "severity.html", "models.html", "damage.html", "method.html"} <= found
    assert {f"boards/{name}-light.html" for name in ("blur", "codec", "noise", "oldfilm")} <= found


def test_links_lead_to_files_of_the_report(report: Path) -> None:
    names = {p: _Page(p) for p in pages(report)}
    for path, page in names.items():
        assert len(page.ids) == len(set(page.ids)), path
        for link in page.links:
            if link in ("data:,", ""):
                continue
            assert not re.match(r"[a-z]+:", link), (path, link)
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.is_file(), (path, link)
            assert target.is_relative_to(report.resolve())
            if anchor and "=" not in anchor and target.suffix == ".html":
                assert anchor in names[target if target in names else report / target.relative_to(report.resolve())].ids


def test_no_page_runs_anything_from_data(report: Path) -> None:
    for path in pages(report):
        page = _Page(path)
        assert f'content="{POLICY}' in path.read_text("utf-8")
        assert all(re.fullmatch(r"(\.\./)*assets/[a-z-]+\.js", script) for script in page.scripts), path
        assert "style" not in page.attributes, path
        assert not [name for name in page.attributes if name.startswith("on")], path


def test_pages_are_valid_html(report: Path) -> None:
    html5lib = pytest.importorskip("html5lib", reason="html5lib is not installed")
    parser = html5lib.HTMLParser(strict=True)
    for path in pages(report):
        parser.parse(path.read_text("utf-8"))  # raises ParseError at the first fault
        page = _Page(path)
        assert page.tags.count("h1") == 1, path
        assert {"main", "nav", "title"} <= set(page.tags)


def test_names_and_errors_are_text(report: Path) -> None:
    everything = "".join(p.read_text("utf-8") for p in pages(report))
    assert "<img src=x" not in everything
    assert "<script>alert" not in everything
    assert "it <i>broke" not in everything
    assert "it &lt;i&gt;broke&lt;/i&gt; here" in everything
    assert "{{ 7*7 }}" in everything  # a name is no template
    for control in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067":
        assert control not in everything
    assert "‹U+202E›right to left‹U+2066› and left open" in everything
    # Isolates are closed where they are opened, within every attribute and text.
    for path in pages(report):
        for text in re.findall(r'"[^"<>]*"|>[^<>]*<', path.read_text("utf-8")):
            assert text.count("\u2068") == text.count("\u2069"), (path, text)


def test_what_is_missing_is_said(report: Path) -> None:
    board = (report / "boards" / "oldfilm-light.html").read_text("utf-8")
    assert "no figure" in board
    assert "1 of 5 clips missing" in board
    card = (report / "models.html").read_text("utf-8")
    assert "Failures" in card


def test_building_again_gives_the_same_bytes(report: Path, made_up: Path, tmp_path: Path) -> None:
    again = build(made_up, tmp_path / "again").parent
    files = sorted(p.relative_to(report) for p in report.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    for file in files:
        assert (report / file).read_bytes() == (again / file).read_bytes(), file


def test_times_stand_in_the_method_only(report: Path) -> None:
    found = {p.name for p in pages(report) if re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d", p.read_text("utf-8"))}
    assert found == {"method.html"}


def test_an_interrupted_build_leaves_the_old_report(
    made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build(made_up, tmp_path / "report").read_bytes()

    def broken(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reports.html.write_pages", broken)
    with pytest.raises(KeyboardInterrupt):
        build(made_up, tmp_path / "report")
    assert (tmp_path / "report" / "index.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_only_a_report_is_ever_replaced(made_up: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"chapter1\.tex.*--out"):
        build(made_up, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter1.tex").exists()


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no results.*vbench run"):
        build(tmp_path)


def test_the_command_builds_it(tmp_path: Path) -> None:
    workspace(tmp_path, models=2, datasets=1, clips=2, frames=2, metrics=1)
    result = CliRunner().invoke(app, ["report", "html", "--root", str(tmp_path), "--title", "Mine & <yours>"])
    assert result.exit_code == 0, result.output
    text = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "Mine &amp; &lt;yours&gt;" in text
    # One data set has no severities to compare, and nothing pretends that it had.
    assert "nothing to compare yet" in (tmp_path / "report" / "severity.html").read_text("utf-8")


def test_results_without_their_data_sets(made_up: Path, tmp_path: Path) -> None:
    """Results that were copied from another machine still make a report."""
    shutil.copytree(made_up / "results", tmp_path / "results")
    index = build(tmp_path)
    assert "oldfilm-light" in index.read_text("utf-8")
    assert "are not in this workspace" in (index.parent / "method.html").read_text("utf-8")


def test_models_that_wait_for_weights(tmp_path: Path) -> None:
    workspace(tmp_path, models=2, datasets=1, clips=2, frames=2, metrics=1)
    run = json.loads((tmp_path / "results" / "run.json").read_text("utf-8"))
    for name in ("netA", "netB"):
        run["models"].append(
            {"name": name, "status": "needs weights", "reason": "no weights", "published": f"{name}.pth from Some Place",
             "weights_licence": "CC BY-NC-SA 4.0"}
        )  # fmt: skip
    run["unfit"] = {"lanczos": ["oldfilm-light"]}
    (tmp_path / "results" / "run.json").write_text(json.dumps(run), "utf-8")
    text = build(tmp_path).read_text("utf-8")
    table = text[text.index('<details class="waiting">') :]
    assert "2 models need weights" in table
    assert "<td>netA, netB</td><td>netA.pth, netB.pth</td><td>Some Place</td><td>CC BY-NC-SA 4.0</td>" in table
    assert "Not run on oldfilm-light, whose ground truth has another size" in text


@pytest.mark.parametrize("name", [*HOSTILE, "x" * 300, "CON", "index", "Ä", "a/b", "..", ""])
def test_names_of_files(name: str) -> None:
    found = slug(name)
    assert re.fullmatch(r"[a-z0-9_-]{1,80}", found)
    assert found not in ("con", "index")
    assert slug(name) != slug(name + "x")
    assert slug("a") != slug("A"), "some file systems do not tell them apart"


def test_one_file_has_everything_within(made_up: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.html"
    result = CliRunner().invoke(app, ["report", "html", "--root", str(made_up), "--single-file", "--out", str(one)])
    assert result.exit_code == 0, result.output
    text = one.read_text("utf-8")
    page = _Page(one)
    assert not [link for link in page.links if not re.fullmatch(r"data:.*|#[\w-]+|[\w/-]+\.html(#.*)?", link)]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "unsafe" not in policy[1]
    for script in re.findall(r"<script(?: type=\"text/plain\" data-name=\"[^\"]+\")?>(.*?)</script>", text, re.S):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy[1]
    for style in re.findall(r"<style[^>]*>(.*?)</style>", text, re.S):
        assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy[1]
    assert "<img src=x" not in text
    assert one.read_bytes() == build_single(made_up, tmp_path / "two.html").read_bytes()
    with pytest.raises(ValueError, match="is a folder"):
        build_single(made_up, tmp_path)
