"""What benchmarks share."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest
import torch


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As in one of several workers; for modules that ask for it with ``usefixtures``."""
    was = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    yield
    cv2.setNumThreads(was[0])
    torch.set_num_threads(was[1])
