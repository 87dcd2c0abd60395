"""Workspaces of several machines as one: nothing mixed in silence, nothing lost, done again without harm."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboards.merge import MergeConflict, merge
from leaderboards.merge_facts import merged_run
from leaderboards.results import Results
from leaderboards.schema import Cell, Cost, ProtocolFacts
from leaderboards.store import TEMPORARY, cell_files, read_cell, write_cell, write_protocol

MakeCell = Callable[..., Cell]
MakeTable = Callable[..., list[Cell]]


def workspace(root: Path, cells: list[Cell], run: dict[str, Any] | None = None, **clips: list[str]) -> Path:
    """A workspace with these cells, the last run, and data sets of these clips."""
    for cell in cells:
        write_cell(root, cell)
    if run is not None:
        (root / "results" / "run.json").write_text(json.dumps(run))
    for name, names in clips.items():
        describe(root, name, names)
    return root


def describe(root: Path, name: str, clips: list[str], **facts: Any) -> None:
    entries = [
        {
            "name": c,
            "frames": 2,
            "height": 4,
            "width": 4,
            "channels": 3,
            "fps": 24.0,
            "gt_sha256": f"gt-{c}",
            "lq_sha256": c,
        }
        for c in clips
    ]
    document = {
        "name": name,
        "title": f"Title of {name}",
        "profile": "noise",
        "severity": 25,
        "seed": 0,
        "clips": entries,
    }
    (root / "datasets" / name).mkdir(parents=True, exist_ok=True)
    (root / "datasets" / name / "dataset.json").write_text(json.dumps({**document, **facts}))


def tree(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture
def two(tmp_path: Path, make_table: MakeTable) -> tuple[Path, Path]:
    """Models a and b on clips 0 to 4 of d, identity on both machines."""
    base = {"identity": [20.0, 21, 22, 23, 24]}
    first = workspace(
        tmp_path / "one", make_table({**base, "a": [25.0, 26, 27, 28, 29]}), d=[f"clip{i}" for i in range(5)]
    )
    second = workspace(
        tmp_path / "two", make_table({**base, "b": [24.0, 25, 26, 27, 28]}), d=[f"clip{i}" for i in range(5)]
    )
    return first, second


def test_models_of_two_machines_stand_on_one_board(two: tuple[Path, Path], tmp_path: Path) -> None:
    before = [tree(root) for root in two]
    out = tmp_path / "all"
    done = merge(two, out)
    assert (done.cells, done.equal, done.replaced, done.notes) == (15, 5, 0, [])
    results = Results.read(out)
    (board,) = results.boards()
    assert [row.model.name for row in board.rows] == ["a", "b", "identity"]
    assert results.datasets["d"].title == "Title of d"
    assert results.datasets["d"].severity == 25
    assert [tree(root) for root in two] == before, "what is merged stays as it was"
    assert not [name for name in tree(out) if TEMPORARY in name]


def test_it_can_be_done_again(two: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "all"
    merge(two, out)
    first = tree(out)
    done = merge(two, out)
    assert tree(out) == first
    assert done.replaced == 0
    assert tree(tmp_path / "one").keys() <= first.keys()


def test_the_order_of_machines_does_not_matter_to_the_cells(two: tuple[Path, Path], tmp_path: Path) -> None:
    merge(two, tmp_path / "x")
    merge(two[::-1], tmp_path / "y")
    assert tree(tmp_path / "x" / "results" / "d") == tree(tmp_path / "y" / "results" / "d")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 99.0}, r"another figure \(25.0, 99.0\)"),
        ({"fingerprint": "g"}, "another fingerprint"),
        ({"data_sha256": "elsewhere"}, r"other data \(data-clip0, elsewhere\)"),
        ({"protocol": "default@2"}, r"another version of the protocol \(default@1, default@2\)"),
        ({"metric": "version"}, "another version or other options of the metric"),
        ({"model_facts": "weights"}, "other weights"),
    ],
)
def test_conflicts_are_errors_that_name_them(
    tmp_path: Path, make_cell: MakeCell, change: dict[str, Any], words: str
) -> None:
    one = make_cell("a", "clip0", 25.0)
    if change.get("metric"):
        change = {"metric": one.metric.model_copy(update={"version": 2})}
    if change.get("model_facts"):
        change = {"model_facts": one.model_facts.model_copy(update={"weights_sha256": "ab" * 32})}
    roots = [workspace(tmp_path / "one", [one]), workspace(tmp_path / "two", [one.model_copy(update=change)])]
    out = tmp_path / "all"
    with pytest.raises(MergeConflict, match=rf"1 result is not the same.*\n.*results/d/a/clip0/psnr\.json.*{words}"):
        merge(roots, out)
    assert not out.exists(), "nothing was written"
    assert merge(roots, out, prefer="first").replaced == 1
    assert read_cell(cell_files(out)[0]) == one


def test_many_conflicts_are_counted(tmp_path: Path, make_table: MakeTable) -> None:
    roots = [workspace(tmp_path / str(i), make_table({"a": [float(i + k) for k in range(15)]})) for i in range(2)]
    with pytest.raises(MergeConflict, match=r"15 results(.|\n)*and 5 more\n.*--prefer first.*--prefer newest") as found:
        merge(roots, tmp_path / "all")
    assert str(found.value).count("psnr.json") == 10


def test_the_newest_file_may_be_preferred(tmp_path: Path, make_cell: MakeCell) -> None:
    roots = [workspace(tmp_path / n, [make_cell("a", "c", v)]) for n, v in (("one", 1.0), ("two", 2.0), ("three", 3.0))]
    for root, age in zip(roots, (50, 10, 90), strict=True):
        os.utime(cell_files(root)[0], (1e9 - age, 1e9 - age))
    done = merge(roots, tmp_path / "all", prefer="newest")
    assert read_cell(cell_files(tmp_path / "all")[0]).value == 2.0
    assert done.replaced == 2
    merge(roots, tmp_path / "all", prefer="newest")
    assert read_cell(cell_files(tmp_path / "all")[0]).value == 2.0


def test_what_a_result_cost_is_no_conflict(tmp_path: Path, make_cell: MakeCell) -> None:
    one = make_cell("a", "c", 1.0)
    slow = one.model_copy(
        update={"cost": Cost(frames=2, seconds=9.0, threads=8, device="cuda"), "versions": {"torch": "x"}}
    )
    roots = [workspace(tmp_path / "one", [one]), workspace(tmp_path / "two", [slow])]
    assert merge(roots, tmp_path / "all").equal == 1
    assert read_cell(cell_files(tmp_path / "all")[0]) == one


def test_a_frame_without_a_figure_is_no_conflict(tmp_path: Path, make_cell: MakeCell) -> None:
    """A frame without damage has no PSNR inside it, on both machines; with one on the other machine it is another result."""
    for name, frames in (("a", [30.0, math.nan]), ("b", [30.0, math.nan]), ("c", [30.0, 30.0])):
        write_cell(tmp_path / name, make_cell("m", "clip0", 30.0, "psnr_damaged", frames=frames))
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out").equal == 1
    with pytest.raises(MergeConflict, match="1 result is not the same"):
        merge([tmp_path / "a", tmp_path / "c"], tmp_path / "other")


def test_a_figure_fills_a_failure(tmp_path: Path, make_cell: MakeCell) -> None:
    roots = [
        workspace(tmp_path / "one", [make_cell("a", "c", None)]),
        workspace(tmp_path / "two", [make_cell("a", "c", 1.0, fingerprint="g")]),
        workspace(tmp_path / "three", [make_cell("a", "c", None, error="other")]),
    ]
    done = merge(roots, tmp_path / "all")
    assert (done.filled, done.cells) == (2, 1)
    assert read_cell(cell_files(tmp_path / "all")[0]).value == 1.0


def test_other_data_come_to_stand_apart(tmp_path: Path, make_table: MakeTable) -> None:
    """No cell is in conflict, but the clips are others: two boards, and the reason in words."""
    one = workspace(tmp_path / "one", make_table({"identity": [20.0, 21], "a": [25.0, 26]}), d=["clip0", "clip1"])
    cells = [c.model_copy(update={"data_sha256": "x"}) for c in make_table({"b": [24.0, 25]})]
    two = workspace(tmp_path / "two", cells)
    describe(two, "d", ["clip0", "clip1"], seed=7)
    document = json.loads((two / "datasets" / "d" / "dataset.json").read_text())
    document["clips"][0]["lq_sha256"] = "other"
    (two / "datasets" / "d" / "dataset.json").write_text(json.dumps(document))
    done = merge([one, two], tmp_path / "all")
    main, apart = Results.read(tmp_path / "all").boards()
    assert [row.model.name for row in main.rows] == ["a", "identity"]
    assert [row.model.name for row in apart.rows] == ["b"]
    assert "its hash differs" in str(apart.reason)
    assert any("seed differ" in note for note in done.notes)
    assert any('clip "clip0" of d holds other frames' in note for note in done.notes)


def test_clips_of_two_machines_make_one_data_set(tmp_path: Path, make_cell: MakeCell) -> None:
    roots = [
        workspace(tmp_path / n, [make_cell(m, f"c{i}", 20.0 + i) for m in ("identity", "a")], d=[f"c{i}"])
        for i, n in enumerate(("one", "two"))
    ]
    assert merge(roots, tmp_path / "all").notes == []
    results = Results.read(tmp_path / "all")
    assert list(results.datasets["d"].clips) == ["c0", "c1"]
    (board,) = results.boards()
    assert board.clips == ("c0", "c1")


def test_a_data_set_that_nobody_describes_is_told(tmp_path: Path, make_cell: MakeCell) -> None:
    root = workspace(tmp_path / "one", [make_cell("a", "c", 1.0)])
    assert "no dataset.json anywhere" in merge([root], tmp_path / "all").notes[0]


def test_protocols_are_carried_and_have_to_agree(tmp_path: Path, make_cell: MakeCell) -> None:
    roots = [workspace(tmp_path / n, [make_cell(n, "c", 1.0)]) for n in ("one", "two")]
    facts = ProtocolFacts(label="default@1", title="t", description="d", source="s", metrics=("psnr",), datasets=("d",))
    write_protocol(roots[0], facts)
    write_protocol(roots[1], facts.model_copy(update={"datasets": ("e",), "departures": {"e": ("x",)}}))
    merge(roots, tmp_path / "all")
    merged = Results.read(tmp_path / "all").protocols["default@1"]
    assert (merged.datasets, dict(merged.departures)) == (("d", "e"), {"e": ("x",)})
    write_protocol(roots[1], facts.model_copy(update={"average": "frames"}))
    with pytest.raises(ValueError, match="default@1 is not the same everywhere: its average differ"):
        merge(roots, tmp_path / "other")


def test_frames_come_along_when_asked_for(tmp_path: Path, make_cell: MakeCell) -> None:
    roots = []
    for name, model in (("one", "a"), ("two", "b")):
        root = workspace(tmp_path / name, [make_cell(m, "c", 1.0) for m in ("identity", model)], d=["c"])
        for m in ("identity", model):
            folder = root / "restored" / "d" / m / "c"
            folder.mkdir(parents=True)
            (folder / "00000000.png").write_bytes(f"{m} of {name}".encode())
            (folder / f"{TEMPORARY}x").write_bytes(b"half")
            (folder.parent / "c.json").write_text("{}")
        for room in ("gt", "lq", "masks/dirt"):
            (root / "datasets" / "d" / room / "c").mkdir(parents=True)
            (root / "datasets" / "d" / room / "c" / "00000000.png").write_bytes(room.encode())
        (root / "datasets" / "d" / "recipe").mkdir()
        (root / "datasets" / "d" / "recipe" / "c.json").write_text("{}")
        roots.append(root)
    assert merge(roots, tmp_path / "plain").clips == 0
    assert not (tmp_path / "plain" / "restored").exists()
    done = merge(roots, tmp_path / "all", frames=True)
    found = {name: content for name, content in tree(tmp_path / "all").items() if not name.startswith("results")}
    assert done.clips == 3
    assert found.pop("datasets/d/dataset.json")
    assert found == {
        "restored/d/identity/c/00000000.png": b"identity of one", "restored/d/identity/c.json": b"{}",
        "restored/d/a/c/00000000.png": b"a of one", "restored/d/a/c.json": b"{}",
        "restored/d/b/c/00000000.png": b"b of two", "restored/d/b/c.json": b"{}",
        "datasets/d/gt/c/00000000.png": b"gt", "datasets/d/lq/c/00000000.png": b"lq",
        "datasets/d/masks/dirt/c/00000000.png": b"masks/dirt", "datasets/d/recipe/c.json": b"{}",
    }  # fmt: skip
    assert (tmp_path / "all/datasets/d/gt/c/00000000.png").samefile(tmp_path / "one/datasets/d/gt/c/00000000.png")


def test_without_hard_links_files_are_copied(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any, **__: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", no_links)
    merge(two, tmp_path / "all")
    name = "results/d/a/clip0/psnr.json"
    copy, original = tmp_path / "all" / name, tmp_path / "one" / name
    assert copy.read_bytes() == original.read_bytes()
    assert not copy.samefile(original)
    assert copy.stat().st_mtime == pytest.approx(original.stat().st_mtime)


@pytest.mark.parametrize("clip", ["..", "two words", "<b>&'"])
def test_broken_workspaces_are_named(tmp_path: Path, make_cell: MakeCell, clip: str) -> None:
    with pytest.raises(ValueError, match="no folder"):
        merge([tmp_path / "nowhere"], tmp_path / "all")
    with pytest.raises(ValueError, match="no results"):
        merge([tmp_path], tmp_path / "all")
    if clip == "..":
        root = workspace(tmp_path / "one", [make_cell("a", "c", 1.0)])
        path = Path(cell_files(root)[0])
        path.write_text(path.read_text().replace('"c"', '".."'))
        with pytest.raises(ValueError, match="cannot name a folder"):
            merge([root], tmp_path / "all")
        path.write_text("{")
        with pytest.raises(ValueError, match=r"psnr\.json.*delete it"):
            merge([root], tmp_path / "all")
    else:
        root = workspace(tmp_path / "one", [make_cell("a", clip, 1.0)])
        assert merge([root], tmp_path / "all").cells == 1
        path = Path(cell_files(root)[0])
        path.rename(path.with_name("ssim.json"))
        with pytest.raises(ValueError, match=r"belongs to .*psnr\.json.*moved from outside"):
            merge([root], tmp_path / "all")
    assert not [p for p in (tmp_path / "all").rglob("*") if TEMPORARY in p.name]


def test_runs_are_kept_by_origin() -> None:
    def run(model: str, status: str, cores: int, finished: str) -> dict[str, Any]:
        return {
            "command": f"vbench run --models {model}", "started": "2026-01-01T00:00:00Z", "finished": finished,
            "protocol": "default@1", "datasets": [f"set-{model}"],
            "models": [{"name": "x", "status": status}, {"name": model, "status": "ran"}], "unfit": {"y": [f"set-{model}"]},
            "left_out": ["slow", "x"], "metrics": [{"name": "psnr"}], "device": {"cpu": "C", "cores": cores},
            "versions": {"torch": "2"},
        }  # fmt: skip

    one, two = run("a", "needs weights", 2, "2026-01-02T00:00:00Z"), run("b", "ran", 16, "2026-01-03T00:00:00Z")
    merged = merged_run([("one", one), ("two", two)], "merge")
    assert merged["command"] == "merge"
    assert (merged["started"], merged["finished"]) == ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z")
    assert {m["name"]: m["status"] for m in merged["models"]} == {"x": "ran", "a": "ran", "b": "ran"}
    assert merged["datasets"] == ["set-a", "set-b"]
    assert merged["unfit"] == {"y": ["set-a", "set-b"]}
    assert merged["left_out"] == ["slow"]
    assert merged["device"] == {"cpu": "C", "cores": "2; 16"}
    assert merged["origins"] == [{"root": "one", "run": one}, {"root": "two", "run": two}]
    again = merged_run([("all", merged), ("two", two)], "merge")
    assert again["origins"] == merged["origins"], "a merged run is its origins, each once"
