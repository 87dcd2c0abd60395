"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

os.environ.setdefault("OMP_NUM_THREADS", "1")
BROUGHT = os.environ.get("VBENCH_ASSETS")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The measured fixtures and clips beside the project; skips where they are not."""
    root = Path(os.environ.get("VBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "parity").is_dir():
        pytest.skip("needs the measured fixtures beside the project (../shared), which are not there")
    return root


@pytest.fixture(autouse=True)
def own_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the user's weights."""
    folder = tmp_path / "assets"
    monkeypatch.setenv("VBENCH_ASSETS", str(folder))
    return folder


@pytest.fixture
def brought_assets(own_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of files that the project does not carry: those that the user has brought, where they are."""
    if BROUGHT is None:
        monkeypatch.delenv("VBENCH_ASSETS")
    else:
        monkeypatch.setenv("VBENCH_ASSETS", BROUGHT)


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint8]:
    """A photograph, ``(120, 160, 3)``."""
    import cv2
    from skimage import data

    return np.asarray(cv2.resize(data.chelsea(), (160, 120), interpolation=cv2.INTER_AREA), dtype=np.uint8)


@pytest.fixture(scope="session")
def moving(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Six frames ``(6, 64, 80, 3)`` of a window that moves over the photograph by two pixels a frame."""
    return np.stack([picture[20 : 20 + 64, 10 + 2 * t : 90 + 2 * t] for t in range(6)])


@pytest.fixture
def clip_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes frames into a new folder of PNG files."""

    def make(frames: NDArray[np.uint8], name: str = "clip") -> Path:
        from vbench.media import encode_png

        folder = tmp_path / "sources" / name
        folder.mkdir(parents=True)
        for i, frame in enumerate(frames):
            (folder / f"{i:05d}.png").write_bytes(encode_png(frame))
        return folder

    return make
