"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from vbench.cli import app
from vbench.cli_options import split
from vbench.errors import UsageError


def test_nothing_is_all_and_an_empty_name_is_an_error() -> None:
    """An empty shell variable must not run everything."""
    assert split(None) == split([]) == []
    assert split(["a,", "b"]) == ["a", "b"]
    for given in ([""], [" , "], ["", ""]):
        with pytest.raises(UsageError, match="was given none"):
            split(given)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands(get_command(app))), ids=" ".join)
def test_every_help_page_is_whole_and_fits(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):  # any of them makes typer colour what is no terminal
        monkeypatch.delenv(name, raising=False)
    said = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}).output
    assert max(len(line) for line in said.splitlines()) <= 80
    words = re.sub(r"[\s│]+", " ", said)
    # What stands in square brackets is text, not markup.
    for command, text in ((("leaderboard", "export"), "range ([low, high])"), (("metrics", "show"), "psnr[y,crop=4]")):
        assert path != command or text in words
    # Options say what they take in the words of the field, not in Python's.
    assert not re.search(r" -[\w-]+ +<(?!bool>)", words), words


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("vbench run --models identity,votes-x2-w", ["identity,votes-x2-wechat"]),
        ("vbench models show dncnn-s2", ["dncnn-s25"]),
        ("vbench synth --profile oldf", ["oldfilm", "oldfilm-rtn"]),
        ("vbench score --metrics psnr,warp_error_", ["psnr,warp_error_long", "psnr,warp_error_ratio"]),
        ("vbench protocols diff default denoise-r", ["denoise-rfr"]),
    ],
)
def test_a_shell_completes_names(words: str, offered: list[str]) -> None:
    count = len(words.split()) - 1
    asked = {"_VBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    assert CliRunner().invoke(app, [], env=asked, prog_name="vbench").output.split() == offered
