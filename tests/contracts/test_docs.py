"""The pages that are written from the code say what the code says now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

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
