"""Where a number comes from: versions and hashes. Imports none of the packages that it names."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "vbench", "torch", "numpy", "scipy", "opencv-python-headless", "av", "imageio-ffmpeg", "scikit-image",
    "albumentations", "pandas",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python, of the packages that numbers depend on, and of the system."""
    return dict(_versions())  # looked up once: every cell carries them


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return tuple(found.items())


def fingerprint(facts: dict[str, Any]) -> str:
    """sha256 of the canonical JSON of ``facts`` (keys sorted, no spaces).

    Example:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
