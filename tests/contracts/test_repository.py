"""What must hold of the files themselves."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("vbench", "degradations", "leaderboards", "reports")


def _sources() -> list[Path]:
    return [p for package in PACKAGES for p in (ROOT / package).rglob("*.py")]


def test_every_module_says_what_it_is() -> None:
    for path in _sources():
        assert path.read_text("utf-8").lstrip().startswith('"""'), f"{path} has no docstring"


def test_no_path_of_a_machine_and_no_package_host() -> None:
    pattern = re.compile(r"(?<![\w.])/(home|root|work|tmp|opt)/\w|https?://[^ \"')]*/(simple|packages)(/|\b)")
    kinds = (".py", ".md", ".yaml", ".toml", ".j2", ".js", ".css", ".json")
    everywhere = (*PACKAGES, "docs", "tests")
    texts = [p for folder in everywhere for p in (ROOT / folder).rglob("*") if p.suffix in kinds]
    for path in [*texts, *ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "noxfile.py", ROOT / ".ci" / "run"]:
        found = pattern.search(path.read_text("utf-8"))
        assert found is None, f"{path} names {found.group() if found else ''}"


def test_a_wheel_holds_all_that_the_tree_holds(tmp_path: Path) -> None:
    """A wheel works outside the tree only if the data files are in it."""
    pytest.importorskip("hatchling")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names
    assert not [n for n in names if n.startswith("tests/")]
