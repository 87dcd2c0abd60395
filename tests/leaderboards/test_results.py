"""Results of a workspace: read whole, tolerant to what is missing, strict with what is damaged."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboards.results import Results, read_dataset
from leaderboards.schema import Cell, ProtocolFacts
from leaderboards.store import cell_files, commit_json, read_cells, write_cell, write_protocol

MakeCell = Callable[..., Cell]
MakeTable = Callable[..., list[Cell]]


def facts(**rest: Any) -> ProtocolFacts:
    given: dict[str, Any] = {
        "label": "default@1",
        "title": "t",
        "description": "d",
        "source": "s",
        "metrics": ("psnr",),
    }
    return ProtocolFacts(**{**given, **rest})


def dataset(**rest: Any) -> dict[str, Any]:
    clip = {"name": "clip0", "frames": 3, "height": 4, "width": 6, "channels": 3, "fps": 24.0, "scale": 2}
    return {
        "name": "d", "profile": "noise", "variant": "gaussian25", "title": "Noise", "description": "", "source": "s",
        "severity": 25, "profile_version": 1, "seed": 0, "clips": [clip], **rest,
    }  # fmt: skip


def fill(root: Path, cells: list[Cell]) -> Path:
    for cell in cells:
        write_cell(root, cell)
    return root


def test_everything_is_read(tmp_path: Path, make_table: MakeTable, make_cell: MakeCell) -> None:
    fill(tmp_path, make_table({"identity": [20, 21], "a": [25, 26]}))
    write_cell(tmp_path, make_cell("a", "clip0", 30.0, protocol="other@2"))
    write_protocol(tmp_path, facts(average="frames"))
    commit_json(tmp_path / "datasets" / "d" / "dataset.json", dataset())
    commit_json(tmp_path / "results" / "run.json", {"command": "vbench run", "unfit": {"sr": ["d"]}})
    results = Results.read(tmp_path)
    assert len(results.cells) == 5
    assert list(results.protocols) == ["default@1"]
    found = results.datasets["d"]
    assert (found.known, found.profile, found.severity, found.scale, found.fps("clip0")) == (
        True,
        "noise",
        25.0,
        2,
        24.0,
    )
    assert found.fps("clip9") is None
    assert results.unfit == {"sr": ("d",)}
    assert [(b.protocol, b.average) for b in results.boards()] == [("default@1", "frames"), ("other@2", "clips")]


def test_the_main_board_is_of_the_data_that_are_there(tmp_path: Path, make_cell: MakeCell) -> None:
    """A data set that was made anew, with one of three models run again: the two others are the majority, and out of date."""
    from vbench.provenance import fingerprint

    sides = {"gt": "1" * 64, "lq": "2" * 64}
    now = fingerprint(sides)
    document = dataset()
    document["clips"][0] |= {f"{side}_sha256": value for side, value in sides.items()}
    commit_json(tmp_path / "datasets" / "d" / "dataset.json", document)
    fill(tmp_path, [make_cell(model, "clip0", 20.0) for model in ("a", "b", "c")])
    (board,) = Results.read(tmp_path).boards()
    assert board.reason is None
    assert 'The data were changed since these figures were measured, on "clip0"' in " ".join(board.notes)
    write_cell(tmp_path, make_cell("c", "clip0", 21.0).model_copy(update={"data_sha256": now}))
    main, apart = Results.read(tmp_path).boards()
    assert [row.model.name for row in main.rows] == ["c"]
    assert not any("changed since" in note for note in main.notes)
    assert [row.model.name for row in apart.rows] == ["a", "b"]
    assert apart.reason == 'the clip "clip0" has been made anew since they were measured (its hash differs)'
    assert "changed since" not in " ".join(apart.notes)


def test_all_ground_truth_is_hashed_as_cells_have_it(tmp_path: Path) -> None:
    from vbench.datasets import ClipFacts, Pair

    document = dataset()
    first = document["clips"][0]
    document["clips"] = [
        first | {"name": name, "gt_sha256": gt} for name, gt in (("b", "2" * 64), ("a", "1" * 64), ("real", None))
    ]
    commit_json(tmp_path / "datasets" / "d" / "dataset.json", document)
    facts = tuple(ClipFacts.model_construct(gt_sha256=clip["gt_sha256"]) for clip in document["clips"])
    assert read_dataset(tmp_path, "d").truth_sha256 == Pair("d", tmp_path, facts[0], facts).siblings_sha256
    commit_json(tmp_path / "datasets" / "d" / "dataset.json", document | {"clips": document["clips"][2:]})
    assert read_dataset(tmp_path, "d").truth_sha256 is None


def test_results_without_data_sets_and_runs(tmp_path: Path, make_table: MakeTable) -> None:
    results = Results.read(fill(tmp_path, make_table({"a": [25, 26]})))
    assert results.datasets["d"].title == "d"
    assert not results.datasets["d"].known
    assert (dict(results.run), results.unfit) == ({}, {})
    assert Results.read(tmp_path / "nothing").cells == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not valid JSON"),
        ("[1]", "holds list where a JSON object was expected"),
        ('{"clips": [{"name": "x"}]}', r"KeyError: 'frames'"),
        ('{"severity": "much"}', "could not convert"),
    ],
)
def test_damaged_data_sets_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "datasets" / "d" / "dataset.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        read_dataset(tmp_path, "d")
    assert "dataset.json" in str(caught.value)
    assert "vbench synth" in str(caught.value)


def test_merged_workspaces(tmp_path: Path, make_table: MakeTable) -> None:
    first = fill(tmp_path / "1", make_table({"identity": [20, 21], "a": [25, 26]}))
    second = fill(tmp_path / "2", make_table({"identity": [20, 21], "b": [27, 28]}, device="cuda:0"))
    write_protocol(first, facts(departures={"d": ("x",)}, datasets=("d",)))
    write_protocol(second, facts(published={"e": "E"}, datasets=("e",)))
    commit_json(second / "datasets" / "d" / "dataset.json", dataset())
    merged = Results.merged([Results.read(first), Results.read(second)])
    (board,) = merged.boards()
    assert [row.model.name for row in board.rows] == ["b", "a", "identity"]
    protocol = merged.protocols["default@1"]
    assert (protocol.datasets, protocol.departures, protocol.published) == (("d", "e"), {"d": ("x",)}, {"e": "E"})
    assert merged.datasets["d"].known
    assert merged.roots == (first, second)


def test_protocols_that_differ_do_not_merge(tmp_path: Path, make_table: MakeTable) -> None:
    roots = [fill(tmp_path / name, make_table({"a": [25]})) for name in "12"]
    write_protocol(roots[0], facts())
    write_protocol(roots[1], facts(average="frames"))
    with pytest.raises(ValueError, match=r"protocol default@1 is not the same everywhere: its average differ"):
        Results.merged([Results.read(root) for root in roots])
    with pytest.raises(ValueError, match="no results to merge"):
        Results.merged([])


# --- the store -----------------------------------------------------------------------------------------


def test_cells_of_protocols_are_found_and_hidden_files_are_not(tmp_path: Path, make_cell: MakeCell) -> None:
    paths = [
        write_cell(tmp_path, make_cell("a", "clip0", 1.0)),
        write_cell(tmp_path, make_cell("a", "@clip", 1.0)),
        write_cell(tmp_path, make_cell("a", "clip0", 1.0, protocol="p@1")),
        write_cell(tmp_path, make_cell("a", "clip0", 1.0, dataset="protocols")),
    ]
    write_protocol(tmp_path, facts())
    commit_json(tmp_path / "results" / "run.json", {})
    for place in (paths[0].parent / ".hidden.json", tmp_path / "results" / ".trash" / "a" / "c" / "psnr.json"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("{")
    (paths[0].parent / "notes.txt").write_text("")
    assert cell_files(tmp_path) == sorted(map(str, paths), key=lambda p: Path(p).parts)


def test_damage_is_named_and_the_collector_runs_on(tmp_path: Path, make_cell: MakeCell) -> None:
    path = write_cell(tmp_path, make_cell("a", "clip0", 1.0))
    document = json.loads(path.read_text())
    for change, words in (
        ({"status": "maybe"}, "status: Input should be 'ok' or 'failed'"),
        ({"frames": ["x"]}, r"frames.0: Input should be a valid number"),
    ):
        path.write_text(json.dumps({**document, **change}))
        with pytest.raises(ValueError, match=words) as caught:
            read_cells(tmp_path)
        assert "psnr.json" in str(caught.value)
        assert gc.isenabled()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"psnr\.json"):
        read_cells(tmp_path)
