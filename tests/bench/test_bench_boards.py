"""Speed of whole boards, and of reading results, beside json and pydantic file by file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leaderboards import stats
from leaderboards.alarms import alarms
from leaderboards.moments import Moment, worst_moments
from leaderboards.schema import Cell, Cost, MetricFacts, ModelFacts, ProtocolFacts
from leaderboards.store import cell_files, read_cells, write_protocol
from leaderboards.table import boards

Bench = Callable[..., Any]
MODELS, CLIPS, METRICS, FRAMES = 20, 100, 10, 100
BUDGET = 5.0
"""Seconds on one core that a board may take."""
NAMES = ("psnr", "ssim", "psnr_aligned", "ssim_aligned", "lpips", "vmaf", "niqe", "brisque", "tof", "tlp")
BOARD = f"board of {MODELS} models x {CLIPS} clips x {METRICS} metrics, 10,000 resamples"
READING = f"reading {MODELS * CLIPS * METRICS:,} cells of {FRAMES} frames"


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    generator = np.random.default_rng(0)
    versions = {"python": "3", "vbench": "0", "torch": "2", "numpy": "2", "scipy": "1", "av": "1", "pandas": "3"}
    out = []
    for m in range(MODELS):
        name = f"model{m:02d}" if m else "identity"
        model = ModelFacts(name=name, version=1, title=name, task="t", source="s", licence="l")
        for c in range(CLIPS):
            cost = Cost(frames=FRAMES, seconds=2.0 + m, threads=1, device="cpu")
            for k in range(METRICS):
                frames = (30 + 0.1 * m + c % 9 + generator.normal(size=FRAMES)).tolist()
                metric = MetricFacts(
                    name=NAMES[k], version=1, unit="", direction="higher", options={"crop": 0}, convention="in words"
                )
                out.append(
                    Cell(
                        status="ok",
                        dataset="d",
                        clip=f"clip{c:03d}",
                        model=name,
                        metric=metric,
                        protocol="default@1",
                        value=float(np.mean(frames)),
                        frames=frames,
                        model_facts=model,
                        data_sha256=f"{c:064d}",
                        fingerprint="f" * 64,
                        device="cpu",
                        precision="fp32",
                        cost=cost,
                        versions=versions,
                    )
                )
    return out


@pytest.fixture(scope="module")
def root(cells: list[Cell], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for cell in cells:
        # As `write_cell`, but without waiting for the disk each time.
        path = folder / "results" / "d" / cell.model / cell.clip / f"{cell.metric.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(cell.model_dump(mode="json"), ensure_ascii=False, indent=1))
    return folder


@pytest.mark.benchmark(group=BOARD)
@pytest.mark.parametrize("average", ["clips", "frames"])
def test_board(benchmark: Bench, cells: list[Cell], average: str) -> None:
    """Ranks, intervals, gains, neighbours: everything that a board holds."""
    facts = ProtocolFacts(
        label="default@1", title="", description="", source="", metrics=NAMES, average="frames" if average == "frames" else "clips"
    )  # fmt: skip

    def run() -> float:
        stats._kept.cache_clear()  # the draws are part of the price
        began = time.perf_counter()
        assert len(boards(cells, {"default@1": facts})) == 1
        return time.perf_counter() - began

    seconds = benchmark.pedantic(run, rounds=2)
    assert seconds < BUDGET


@pytest.mark.benchmark(group="alarms and worst moments of that board")
@pytest.mark.parametrize("what", ["alarms", "moments"])
def test_what_is_made_of_a_board(benchmark: Bench, cells: list[Cell], what: str) -> None:
    (board,) = boards(cells)

    def moments() -> list[list[Moment]]:
        return [worst_moments(board, row.model.name, metric.name) for row in board.rows for metric in board.metrics]

    benchmark.pedantic(lambda: alarms([board]) if what == "alarms" else moments(), rounds=1)


@pytest.mark.benchmark(group=READING)
def test_reading_ours(benchmark: Bench, root: Path) -> None:
    write_protocol(root, ProtocolFacts(label="default@1", title="", description="", source="", metrics=NAMES))
    assert len(benchmark.pedantic(lambda: read_cells(root), rounds=2)) == MODELS * CLIPS * METRICS


@pytest.mark.benchmark(group=READING)
def test_reading_bytes_alone(benchmark: Bench, root: Path) -> None:
    """The floor: what a cache could not be faster than, if it looked whether files have changed by reading them."""

    def run() -> int:
        total = 0
        for path in cell_files(root):
            with open(path, "rb", buffering=0) as file:
                total += len(file.read())
        return total

    assert benchmark.pedantic(run, rounds=2) > 0


@pytest.mark.benchmark(group=READING)
def test_reading_json_and_pydantic_one_by_one(benchmark: Bench, root: Path) -> None:
    def run() -> list[Cell]:
        return [Cell.model_validate(json.loads(path.read_text("utf-8"))) for path in root.glob("results/*/*/*/*.json")]

    assert len(benchmark.pedantic(run, rounds=1)) == MODELS * CLIPS * METRICS
