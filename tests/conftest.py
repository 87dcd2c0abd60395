"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The measured fixtures and clips beside the project; skips where they are not."""
    root = Path(os.environ.get("VBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "parity").is_dir():
        pytest.skip("needs the measured fixtures beside the project (../shared), which are not there")
    return root
