"""The pages that are written from the code say what the code says now."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]


def pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_profiles_is_up_to_date() -> None:
    assert (ROOT / "docs" / "profiles.md").read_text("utf-8") == pages().profiles_page(), "run `nox -s docs`"


def test_the_page_of_protocols_is_up_to_date() -> None:
    assert (ROOT / "docs" / "protocols.md").read_text("utf-8") == pages().protocols_page(), "run `nox -s docs`"


def test_the_page_of_models_is_up_to_date() -> None:
    assert (ROOT / "docs" / "models.md").read_text("utf-8") == pages().models_page(), "run `nox -s docs`"


def test_the_page_of_metrics_is_up_to_date() -> None:
    stored = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert stored.startswith(pages().metrics_page(None)), "run `nox -s docs`"
    assert stored.count("| OVER |") == 0
    assert stored.count("| ok |") > 80


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)


def test_the_examples_of_the_page_on_damage_run(tmp_path: Path) -> None:
    from degradations.profile import load_profile

    (document,) = blocks("damage.md", "yaml")
    (tmp_path / "mine.yaml").write_text(document, "utf-8")
    mine = load_profile(tmp_path / "mine.yaml")
    for variant in ("bad", "severity-3.5"):
        assert [step.kind for step in mine.build(variant)] == ["scratches", "codec"]
    (code,) = blocks("damage.md", "python")
    scope: dict[str, object] = {}
    exec(compile(code, "damage.md", "exec"), scope)
    batch = scope["batch"]
    assert isinstance(batch, dict)
    assert [tuple(batch[k].shape) for k in ("lq", "gt", "mask")] == [
        (4, 5, 3, 64, 64),
        (4, 5, 3, 64, 64),
        (4, 5, 1, 64, 64),
    ]


TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "reports" / "README.md"]
TEXTS += sorted((ROOT / "docs").glob("*.md"))


def anchors(page: Path) -> set[str]:
    """Addresses of headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"https?:", link):
            continue
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


def shown(page: Path) -> Iterator[str]:
    """Every command of vbench in a page: in blocks of shell, and between backticks where it has more than a name."""
    text = page.read_text("utf-8")
    for block in re.findall(r"```(?:sh|yaml)\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"&&|\|", line.split(" #")[0]):
                found = re.search(r"\bvbench (.*)", part)
                if found is not None:
                    yield found[1]
    for quoted in re.findall(r"`vbench ([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        yield quoted.replace("\n", " ")


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_commands_in_pages_are_there_with_their_options(page: Path) -> None:
    from vbench.cli import app

    for line in shown(page):
        command: Any = get_command(app)
        words = shlex.split(line)
        while words and hasattr(command, "commands"):
            names = words.pop(0).split("|")  # `vbench weights list|fetch`
            if re.fullmatch(r"-.*|[A-Z]+", names[0]):
                break
            assert set(names) <= set(command.commands), f"{page.name}: vbench {line}"
            command = command.commands[names[0]]
        known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
        # A command of the user's own, within a word, has options of its own.
        asked = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        assert asked <= known, f"{page.name}: vbench {line}"
