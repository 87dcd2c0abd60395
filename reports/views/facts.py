"""What all pages start from: the results of a workspace, in the order in which every page shows them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leaderboards.alarms import Alarm, alarms
from leaderboards.results import DatasetInfo, Results
from leaderboards.schema import Cell, MetricFacts, ModelFacts, ProtocolFacts
from leaderboards.table import BASELINE, Board

TITLE = "Video restoration benchmark"
ADOPTED, BROUGHT = "adopted", "Added data"
"""The profile of data sets that were taken as they are, and what a reader calls it."""


@dataclass(frozen=True)
class Facts:
    """The results of a workspace and what it says of its data sets and its last run."""

    root: Path
    title: str
    results: Results
    boards: tuple[Board, ...]
    """By profile, then by severity; a board whose rows stand apart follows the main one of its data set."""
    datasets: dict[str, dict[str, Any]]
    """``dataset.json`` as it stands of each data set that has a board; empty where it is missing."""

    @property
    def cells(self) -> Sequence[Cell]:
        """All results."""
        return self.results.cells

    @property
    def run(self) -> Mapping[str, Any]:
        """``results/run.json``; empty where it is missing."""
        return self.results.run

    @property
    def protocols(self) -> Mapping[str, ProtocolFacts]:
        """By label; those of older results may be missing."""
        return self.results.protocols

    @cached_property
    def alarms(self) -> tuple[Alarm, ...]:
        """The alarms of all boards."""
        return tuple(alarms(self.boards))

    def info(self, dataset: str) -> DatasetInfo:
        """What is known of a data set."""
        return self.results.datasets.get(dataset) or DatasetInfo(dataset, title=dataset)

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
        ordered = sorted(self.boards, key=lambda b: protocol_place(b.protocol))
        return {m.name: m for b in ordered for m in b.metrics}

    @cached_property
    def main(self) -> tuple[Board, ...]:
        """The main board of each data set under each protocol."""
        return tuple(b for b in self.boards if b.reason is None)

    @cached_property
    def leading(self) -> tuple[Board, ...]:
        """One main board of each data set: that under the first of its protocols."""
        first: dict[str, Board] = {}
        for board in self.main:
            first.setdefault(board.dataset, board)
        return tuple(first.values())

    @cached_property
    def profiles(self) -> dict[str, tuple[Board, ...]]:
        """Main boards by the profile of their data set; data sets without one stand under their own name."""
        groups: dict[str, list[Board]] = defaultdict(list)
        for board in self.main:
            groups[self.profile(board.dataset)].append(board)
        return {name: tuple(members) for name, members in groups.items()}

    def profile(self, dataset: str) -> str:
        """The profile of a data set, or its own name."""
        return self.info(dataset).profile or dataset

    def variant(self, dataset: str) -> str:
        """The variant of a data set within its profile, or its own name."""
        return self.info(dataset).variant or dataset

    def name(self, dataset: str) -> str:
        """The title of a data set, which does not say its profile twice; or its own name."""
        title = self.info(dataset).title or dataset
        _, parted, rest = title.partition(": ")
        return rest[:1].upper() + rest[1:] if parted and _after(rest, self.family(dataset)) else title

    def family(self, dataset: str) -> str:
        """The title of the profile of a data set, or the profile's name; data that were brought have none of their own."""
        if self.info(dataset).profile == ADOPTED:
            return BROUGHT
        recipe = self.datasets.get(dataset, {}).get("recipe") or {}
        return str(recipe.get("title") or self.profile(dataset))

    def part(self, dataset: str) -> str:
        """What the title of a data set says beyond the title of its profile, for places where that stands above."""
        title = self.name(dataset)
        return _after(title, self.family(dataset)) or title

    def blind(self, dataset: str) -> bool:
        """Whether no clip of a data set has ground truth."""
        clips = self.datasets.get(dataset, {}).get("clips") or ()
        if clips:
            return all(clip.get("gt_sha256") is None for clip in clips)
        return all(_no_reference(b.protocol) for b in self.boards if b.dataset == dataset)


def gather(root: Path, results: Results, title: str | None = None) -> Facts:
    """The facts of a workspace below ``root`` whose results were read."""
    found = [board for board in results.boards() if board.metrics]
    seen = {b.dataset for b in found if not _no_reference(b.protocol)}
    # Figures without ground truth say less: where there are others, these come first everywhere.
    ordered = sorted(found, key=lambda b: (b.dataset not in seen, *_place(b, results.datasets.get(b.dataset))))
    return facts_of(root, results, ordered, title)


def facts_of(root: Path, results: Results, boards: Sequence[Board], title: str | None = None) -> Facts:
    """The facts of some boards, in their order."""
    datasets = {b.dataset: _read(root / "datasets" / b.dataset / "dataset.json") for b in boards}
    return Facts(root, title or TITLE, results, tuple(boards), datasets)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def _place(board: Board, info: DatasetInfo | None) -> tuple[str, float, str, tuple[int, str], bool]:
    severity = info.severity if info is not None else None
    profile = (info.profile if info is not None else None) or board.dataset
    height = float("inf") if severity is None else severity
    return profile, height, board.dataset, protocol_place(board.protocol), board.reason is not None


def _no_reference(label: str) -> bool:
    return label.partition("@")[0] == "no-reference"


def _after(text: str, start: str) -> str:
    """What follows a beginning and what parts it from the rest; nothing where the text begins otherwise.

    Example:
        >>> _after("Noise: Gaussian", "noise"), _after("Old film, severity 3", "Old film"), _after("Noises", "noise")
        ('Gaussian', 'severity 3', '')
    """
    if not text.casefold().startswith(start.casefold()):
        return ""
    rest = text[len(start) :]
    return rest[2:] if rest[:2] in (": ", ", ") else ""


def protocol_place(label: str) -> tuple[int, str]:
    """Where a protocol stands among others: those that are taken when none is named come first.

    Example:
        >>> sorted(["codec-votes@1", "no-reference@1", "default@3"], key=protocol_place)
        ['default@3', 'no-reference@1', 'codec-votes@1']
    """
    name = label.partition("@")[0]
    return {"default": 0, "no-reference": 1}.get(name, 2), label
