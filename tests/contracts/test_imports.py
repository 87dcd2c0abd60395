"""What is imported when: the command line is instant because nothing heavy is."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "pandas", "cv2", "av", "skimage", "matplotlib", "scipy", "albumentations")


def _imported(code: str, *arguments: str) -> set[str]:
    """Top-level packages in memory after ``code`` ran in a new interpreter."""
    probe = f"import sys\nsys.argv = ['vbench', *{list(arguments)!r}]\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    probe += "print('MODULES', *sorted({name.split('.')[0] for name in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    return set(next(line for line in out.splitlines() if line.startswith("MODULES")).split()[1:])


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("synth", "--help"), ("report", "html", "--help")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    found = _imported("from vbench.cli import main; main()", *arguments)
    assert "typer" in found
    assert not found & set(HEAVY)


def test_listing_names_imports_nothing_heavy() -> None:
    found = _imported(
        "import vbench.models, vbench.metrics, vbench.builtin, vbench.protocols, degradations.profile;"
        "vbench.models.names(); vbench.metrics.names(); vbench.builtin.names(); degradations.profile.list_profiles()"
    )
    assert not found & set(HEAVY)


def test_reports_and_leaderboards_import_no_torch() -> None:
    found = _imported("import reports.html, reports.views, reports.media, leaderboards.export, leaderboards.stats")
    assert "jinja2" not in found  # the page is only set when a report is built
    assert "torch" not in found
