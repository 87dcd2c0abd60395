"""The report of 20 models on 10 data sets, beside the plain tables that pandas makes of the same results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from leaderboards.results import Results
from leaderboards.table import frame
from reports.html import build
from tests.reports.synthetic import workspace

MODELS, DATASETS, CLIPS, METRICS = 20, 10, 20, 4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """16,800 results; written without waiting for the disk, which is all that takes time here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield workspace(
            tmp_path_factory.mktemp("bench"), models=MODELS, datasets=DATASETS, clips=CLIPS, metrics=METRICS
        )


@pytest.mark.benchmark(group="report")
def test_pages(benchmark: BenchmarkFixture, root: Path, tmp_path: Path) -> None:
    index = benchmark.pedantic(lambda: build(root, tmp_path / "report", media_budget=0), rounds=1)
    assert len(list((index.parent / "boards").glob("*.html"))) == DATASETS


@pytest.mark.benchmark(group="report")
def test_reading_alone(benchmark: BenchmarkFixture, root: Path) -> None:
    results = benchmark.pedantic(lambda: Results.read(root), rounds=3)
    assert len(results.cells) == (MODELS + 1) * DATASETS * CLIPS * METRICS


@pytest.mark.benchmark(group="report")
def test_pandas_tables(benchmark: BenchmarkFixture, root: Path, tmp_path: Path) -> None:
    """Means by model and metric as HTML, without intervals, ranks or anything to look at."""

    def tables() -> int:
        long = frame(Results.read(root).cells)
        for dataset, part in long.groupby("dataset"):
            means = part.pivot_table(index="model", columns="metric", values="value")
            (tmp_path / f"{dataset}.html").write_text(means.to_html(), "utf-8")
        return long["dataset"].nunique()

    assert benchmark.pedantic(tables, rounds=3) == DATASETS
