"""The pages that are written from the code say what the code says now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_metrics_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    stored = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert stored.startswith(pages.metrics_page(None)), "run `nox -s docs`"
    assert stored.count("| OVER |") == 0
    assert stored.count("| ok |") > 80
