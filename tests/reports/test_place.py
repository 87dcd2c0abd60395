"""Folders of reports and figures: whole or not at all, and nobody else's files are ever lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reports.html import build
from reports.markdown import write_markdown
from reports.place import begin, put
from reports.single import build_single
from tests.reports.pictured import dataset, scene
from tests.reports.synthetic import workspace
from vbench.cli import app


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace(tmp_path_factory.mktemp("few"), models=1, datasets=1, clips=1, frames=2, metrics=1, holes=False)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_site_of_ones_own_is_no_report(root: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>My pages</h1>")
    with pytest.raises(ValueError, match=r"holds other things than a report \(index\.html\)"):
        build(root, tmp_path)
    assert (tmp_path / "index.html").read_text() == "<h1>My pages</h1>"


def test_what_was_put_into_a_report_is_not_lost(root: Path, tmp_path: Path) -> None:
    build(root, tmp_path)
    (tmp_path / "notes.txt").write_text("what I saw")
    with pytest.raises(ValueError, match=r"\(notes\.txt\); nothing there is touched"):
        build(root, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "what I saw"
    assert not list(tmp_path.glob(".partial-*"))
    (tmp_path / "notes.txt").rename(tmp_path / ".DS_Store")  # what a file manager leaves stops nobody
    build(root, tmp_path)
    assert not (tmp_path / ".DS_Store").exists()


def test_into_the_current_folder_and_through_a_link(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for _ in range(2):
        build(root, Path())
        assert Path.cwd() == tmp_path / "here"  # the folder is the same one: a shell in it goes on
        assert Path("index.html").is_file()
    (tmp_path / "link").symlink_to(tmp_path / "here")
    build(root, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert not [name for name in names(tmp_path / "here") if name.startswith(".")]


def test_stale_pages_are_gone(root: Path, tmp_path: Path) -> None:
    build(root, tmp_path)
    (tmp_path / "boards" / "of-yesterday.html").write_text("old")
    build(root, tmp_path)
    assert names(tmp_path / "boards") == {"oldfilm-light.html"}


def test_a_failed_move_puts_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("old")
    temporary = begin(tmp_path, "report")
    for name in ("a", "b", "c"):
        (temporary / name).write_text("new")
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self == temporary / "b":
            raise OSError(errno.EIO, "no")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="no"):
        put(temporary, tmp_path)
    monkeypatch.undo()
    assert {name: (tmp_path / name).read_text() for name in ("a", "b")} == {"a": "old", "b": "old"}


def test_who_comes_second_says_so(tmp_path: Path) -> None:
    final = tmp_path / "report"
    one, two = begin(final, "report"), begin(final, "report")
    for place in (one, two):
        (place / "index.html").write_text(place.name)
    put(one, final)
    with pytest.raises(ValueError, match="Another command has put something at"):
        put(two, final)
    assert (final / "index.html").read_text() == one.name


def test_another_build_at_work_is_left_alone(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = tmp_path / f".partial-report-{gone.pid}-0"
    alive = tmp_path / f".partial-report-{os.getppid()}-0"
    dead.mkdir()
    alive.mkdir()
    begin(tmp_path / "report", "report")
    assert not dead.exists()
    assert alive.exists()


def test_files_that_are_no_reports_are_not_overwritten(root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "README.md"
    mine.write_text(f"# My work\n\n{write_markdown(root, tmp_path / 'summary.md').read_text('utf-8')}")
    for write in (write_markdown, build_single):
        with pytest.raises(ValueError, match=r"README\.md.*is there already.*not touched"):
            write(root, mine)
    assert mine.read_text().startswith("# My work")
    for _ in range(2):
        write_markdown(root, tmp_path / "summary.md")
        build_single(root, tmp_path / "one.html")


@pytest.mark.parametrize("kind", ["html", "html --single-file", "pdf", "markdown", "figures"])
def test_a_full_disk_is_told_in_a_sentence(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def full(*args: object, **kwargs: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(Path, "write_text", full)
    place = tmp_path / "out"
    result = CliRunner().invoke(app, ["report", *kind.split(), "--root", str(root), "--out", str(place)])
    assert result.exit_code == 1
    assert 'out" cannot be written: No space left on device' in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_among_the_pictures_is_no_report_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset(tmp_path / "root", "film", {"c": scene(2)}, {"good": 3.0})

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("reports.media.store.Store.put", full)
    with pytest.raises(OSError, match="No space"):
        build(tmp_path / "root", tmp_path / "report")
    assert names(tmp_path) == {"root"}
