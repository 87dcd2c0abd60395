"""Tests that take too long for every day: ``nox -s parity`` runs them."""

from __future__ import annotations

import os

import pytest

SLOW = pytest.mark.skipif("VBENCH_SLOW" not in os.environ, reason="takes long: nox -s parity")
