"""What all pages start from: the results of a workspace, in the order in which every page shows them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from leaderboards.schema import Cell, MetricFacts, ModelFacts
from leaderboards.table import BASELINE, Board

TITLE = "Video restoration benchmark"


@dataclass(frozen=True)
class Facts:
    """The results of a workspace and what it says of its data sets and its last run."""

    root: Path
    title: str
    cells: Sequence[Cell]
    boards: tuple[Board, ...]
    """By profile, then by severity; a board whose rows stand apart follows the main one of its data set."""
    datasets: dict[str, dict[str, Any]]
    """``dataset.json`` of each data set that has a board; empty where it is missing."""
    run: dict[str, Any] = field(default_factory=dict)
    """``results/run.json``; empty where it is missing."""

    @cached_property
    def numbers(self) -> dict[str, int]:
        """A number for each model, which decides on its looks everywhere; doing nothing is 0."""
        names = sorted({row.model.name for b in self.boards for row in b.rows}, key=lambda n: (n != BASELINE, n))
        if BASELINE not in names:  # the look of doing nothing is never another model's
            return {name: i for i, name in enumerate(names, 1)}
        return {name: i for i, name in enumerate(names)}

    @cached_property
    def models(self) -> dict[str, ModelFacts]:
        """Facts of each model, in the order of their numbers."""
        found: dict[str, ModelFacts] = {}
        for board in self.boards:
            for row in board.rows:
                found.setdefault(row.model.name, row.model)
        return {name: found[name] for name in self.numbers}

    @cached_property
    def metrics(self) -> dict[str, MetricFacts]:
        """Every metric of any board by name, in the order of the columns."""
        return {m.name: m for b in self.boards for m in b.metrics}

    @cached_property
    def main(self) -> tuple[Board, ...]:
        """The main board of each data set under each protocol."""
        return tuple(b for b in self.boards if b.reason is None)

    @cached_property
    def profiles(self) -> dict[str, tuple[Board, ...]]:
        """Main boards by the profile of their data set; data sets without one stand under their own name."""
        groups: dict[str, list[Board]] = defaultdict(list)
        for board in self.main:
            groups[self.profile(board.dataset)].append(board)
        return {name: tuple(members) for name, members in groups.items()}

    def profile(self, dataset: str) -> str:
        """The profile of a data set, or its own name."""
        return str(self.datasets.get(dataset, {}).get("profile") or dataset)

    def variant(self, dataset: str) -> str:
        """The variant of a data set within its profile, or its own name."""
        return str(self.datasets.get(dataset, {}).get("variant") or dataset)

    def name(self, dataset: str) -> str:
        """The title of a data set, or its own name."""
        return str(self.datasets.get(dataset, {}).get("title") or dataset)


def gather(root: Path, cells: Sequence[Cell], boards: Sequence[Board], title: str | None = None) -> Facts:
    """The facts of a workspace below ``root``, of which ``cells`` and ``boards`` were read already."""
    datasets = {b.dataset: _read(root / "datasets" / b.dataset / "dataset.json") for b in boards}
    ordered = sorted(boards, key=lambda b: _place(b, datasets[b.dataset]))
    order = {b.dataset: datasets[b.dataset] for b in ordered}
    return Facts(root, title or TITLE, cells, tuple(ordered), order, _read(root / "results" / "run.json"))


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def _place(board: Board, facts: dict[str, Any]) -> tuple[str, float, str, str, bool]:
    severity = facts.get("severity")
    profile = str(facts.get("profile") or board.dataset)
    height = float("inf") if severity is None else float(severity)
    return profile, height, board.dataset, board.protocol, board.reason is not None
