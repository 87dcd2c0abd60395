"""A report of made-up results with hostile names, built once; a browser to look at it with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.html import build
from tests.reports.synthetic import HOSTILE, workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
CLIPS = (HOSTILE[0], HOSTILE[1], "c1", "c2", "c3")


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of seven models, five with hostile names, on six data sets, one with one, of five clips, two with one."""
    root = tmp_path_factory.mktemp("made-up")
    models = [*HOSTILE, "plain", "other"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # no power is lost here
        return workspace(root, models=models, datasets=5, further=[HOSTILE[0]], clips=CLIPS, frames=4, metrics=3)


@pytest.fixture(scope="session")
def report(made_up: Path) -> Path:
    """The folder of the report of these results."""
    return build(made_up).parent


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; tests that ask for it are skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
