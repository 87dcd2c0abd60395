"""Peak memory of this process."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from vbench.devices import forget_peak_memory, peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells, and lets the peak be set back")
def test_a_peak_is_seen_and_forgotten() -> None:
    forget_peak_memory("cpu")
    before = peak_memory("cpu")
    if before is None:
        pytest.skip("this system does not let the peak be set back")
    held = np.ones(30_000_000)
    assert held.sum() > 0
    del held
    seen = peak_memory("cpu")
    assert seen is not None
    assert seen - before > 200e6
    forget_peak_memory("cpu")
    after = peak_memory("cpu")
    assert after is not None
    assert after < seen - 100e6
