"""All results of a workspace, read once: cells, protocols, what is known of the data sets, and the last run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leaderboards.schema import Cell, ProtocolFacts
from leaderboards.store import read_cells, read_protocols
from leaderboards.table import Board, boards

ADOPTED = "adopted"
"""The profile of data sets whose damage was not made by a recipe."""


@dataclass(frozen=True)
class ClipInfo:
    """A clip as ``dataset.json`` has it."""

    name: str
    frames: int
    height: int
    width: int
    channels: int
    fps: float | None
    data_sha256: str | None = None
    """Of the frames as they are now, as cells have that of the frames which they were measured on."""


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set; of one without its ``dataset.json`` (merged or copied results) the name alone."""

    name: str
    known: bool = False
    """Whether there was a ``dataset.json``."""
    title: str = ""
    """The name, where there is no title."""
    description: str = ""
    source: str = ""
    profile: str | None = None
    """The recipe of the damage; "adopted" for damage that came with the data."""
    variant: str | None = None
    severity: float | None = None
    """Variants of a profile that have one form a severity curve; more is worse."""
    profile_version: int | None = None
    seed: int | None = None
    scale: int = 1
    """How many times larger than the degraded frames the ground truth is, along each side."""
    clips: Mapping[str, ClipInfo] = field(default_factory=dict)
    truth_sha256: str | None = None
    """Of all ground truth as it is now, as metrics name it that compare with its statistics; None where there is none."""

    def fps(self, clip: str) -> float | None:
        """Frames per second of a clip; None where it is not known."""
        return self.clips[clip].fps if clip in self.clips else None


@dataclass(frozen=True)
class Results:
    """What stands below a workspace's root, or several of them."""

    roots: tuple[Path, ...]
    cells: tuple[Cell, ...]
    protocols: Mapping[str, ProtocolFacts]
    """By label."""
    datasets: Mapping[str, DatasetInfo]
    """By name, of all data sets that have results."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """``results/run.json`` of the last run as it stands there; empty where it is missing."""

    @classmethod
    def read(cls, root: Path) -> Results:
        """Read everything below ``root``.

        Raises:
            ValueError: a file is damaged or of another version; the text names it and says what to do.
        """
        cells = read_cells(root)
        names = sorted({cell.dataset for cell in cells})
        run = _read(root / "results" / "run.json", "It tells how the last run went; without it reports only lack that.")
        return cls(
            roots=(root,),
            cells=tuple(cells),
            protocols=read_protocols(root),
            datasets={name: read_dataset(root, name) for name in names},
            run=run or {},
        )

    @classmethod
    def merged(cls, several: Sequence[Results]) -> Results:
        """Several workspaces as one, such as those of several machines.

        Nothing is thrown away: cells that do not compare (another convention, other data, measured twice with another figure)
        come to stand on boards of their own, and the boards say why. ``run`` is that of the first.

        Raises:
            ValueError: a protocol of one label asks for different things, or there is nothing to merge.
        """
        if not several:
            raise ValueError("There are no results to merge: name one workspace at least.")
        protocols: dict[str, ProtocolFacts] = {}
        datasets: dict[str, DatasetInfo] = {}
        for results in several:
            for label, facts in results.protocols.items():
                protocols[label] = _merged(protocols[label], facts) if label in protocols else facts
            for name, info in results.datasets.items():
                if name not in datasets or not datasets[name].known:
                    datasets[name] = info
        return cls(
            roots=tuple(root for results in several for root in results.roots),
            cells=tuple(cell for results in several for cell in results.cells),
            protocols=protocols,
            datasets={name: datasets[name] for name in sorted(datasets)},
            run=several[0].run,
        )

    def boards(self) -> list[Board]:
        """The boards of all cells, by data set and protocol."""
        hashes = {
            name: {clip.name: clip.data_sha256 for clip in info.clips.values() if clip.data_sha256 is not None}
            for name, info in self.datasets.items()
        }
        truths = {name: info.truth_sha256 for name, info in self.datasets.items() if info.truth_sha256 is not None}
        return boards(self.cells, self.protocols, hashes, truths)

    @property
    def unfit(self) -> dict[str, tuple[str, ...]]:
        """Data sets on which the last run left a model out, since it gives frames of another size than the ground truth."""
        found = self.run.get("unfit")
        return {str(model): tuple(names) for model, names in found.items()} if isinstance(found, dict) else {}


def _merged(one: ProtocolFacts, other: ProtocolFacts) -> ProtocolFacts:
    apart = [k for k in ("metrics", "average", "skip_first", "lines") if getattr(one, k) != getattr(other, k)]
    if apart:
        raise ValueError(
            f"The protocol {one.label} is not the same everywhere: its {' and '.join(apart)} differ. Figures under it do not "
            "compare: run all with one version of vbench."
        )
    return one.model_copy(
        update={
            "datasets": tuple(sorted({*one.datasets, *other.datasets})),
            "departures": {**other.departures, **one.departures},
            "published": {**other.published, **one.published},
        }
    )


def read_dataset(root: Path, name: str) -> DatasetInfo:
    """What ``datasets/NAME/dataset.json`` says; the name alone where there is none.

    Raises:
        ValueError: the file is damaged; the text names it.
    """
    path = root / "datasets" / name / "dataset.json"
    document = _read(path, "Make the data set again with `vbench synth`: results that are there are kept.")
    if document is None:
        return DatasetInfo(name, title=name)
    try:
        clips = [
            ClipInfo(
                str(clip["name"]),
                int(clip["frames"]),
                int(clip["height"]),
                int(clip["width"]),
                int(clip["channels"]),
                float(clip["fps"]) if clip.get("fps") else None,
                _data_sha256(clip.get("gt_sha256"), clip.get("lq_sha256")),
            )
            for clip in document.get("clips", ())
        ]
        severity = document.get("severity")
        return DatasetInfo(
            name=name,
            known=True,
            title=str(document.get("title") or name),
            description=str(document.get("description") or ""),
            source=str(document.get("source") or ""),
            profile=document.get("profile"),
            variant=document.get("variant"),
            severity=None if severity is None else float(severity),
            profile_version=document.get("profile_version"),
            seed=document.get("seed"),
            scale=max((int(clip.get("scale", 1)) for clip in document.get("clips", ())), default=1),
            clips={clip.name: clip for clip in clips},
            truth_sha256=_truth_sha256([clip.get("gt_sha256") for clip in document.get("clips", ())]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'"{path}" does not describe a data set as this version writes it ({type(error).__name__}: {error}). Make the '
            "data set again with `vbench synth`: results that are there are kept."
        ) from error


def _data_sha256(gt: str | None, lq: str | None) -> str | None:
    """The hash of a pair by those of its two sides, as `vbench run` writes it into cells."""
    return None if lq is None else _sha256({"gt": gt, "lq": lq})


def _truth_sha256(gts: Sequence[str | None]) -> str | None:
    """The hash of all ground truth by those of the clips."""
    known = sorted(gt for gt in gts if gt is not None)
    return _sha256({"gt": known}) if known else None


def _sha256(facts: dict[str, Any]) -> str:
    """sha256 of canonical JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read(path: Path, advice: str) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(
            f'"{path}" is not valid JSON ({error}). vbench never leaves a file half written, so it was changed from outside: '
            f"delete it. {advice}"
        ) from error
    if not isinstance(document, dict):
        raise ValueError(  # noqa: TRY004 - of a file, not of an argument
            f'"{path}" holds {type(document).__name__} where a JSON object was expected: delete it. {advice}'
        )
    return document
