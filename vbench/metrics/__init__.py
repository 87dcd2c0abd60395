"""Metrics by name. Listing imports nothing heavy; each metric is one file."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from vbench.errors import InputError, nearest
from vbench.metrics.spec import Metric

CATALOG: dict[str, str] = {
    "psnr": "vbench.metrics.psnr:METRIC",
    "ssim": "vbench.metrics.ssim:METRIC",
    "warp_error": "vbench.metrics.warp_error:METRIC",
}


def names() -> tuple[str, ...]:
    """All metrics, in the order of the tables.

    Example:
        >>> names()
        ('psnr', 'ssim', 'warp_error')
    """
    return tuple(CATALOG)


def load(name: str) -> Metric:
    """The metric of this name.

    Raises:
        InputError: no such metric; the text names the nearest.
    """
    if name not in CATALOG:
        raise InputError(f'There is no metric "{name}". {nearest(name, CATALOG)}')
    module, attribute = CATALOG[name].split(":")
    metric = getattr(importlib.import_module(module), attribute)
    assert isinstance(metric, Metric)  # noqa: S101 - our own catalogue
    return metric


def load_all(wanted: Iterable[str]) -> list[Metric]:
    """Several metrics, each once, in the order asked for; "all" stands for every one."""
    out: dict[str, Metric] = {}
    for name in wanted:
        for one in names() if name == "all" else (name,):
            out.setdefault(one, load(one))
    return list(out.values())
