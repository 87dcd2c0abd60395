"""Figures as printed, beside ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from leaderboards.published import Published, figures
from leaderboards.reported import with_reported
from leaderboards.schema import Cell, ProtocolFacts
from leaderboards.table import Board, boards

MakeTable = Callable[..., list[Cell]]


def printed(system: str, value: float, **rest: Any) -> Published:
    facts: dict[str, Any] = {
        "protocol": "denoise-x", "set": "Set12, sigma 25", "system": system, "metric": "psnr", "kind": "paper",
        "source": "Table 1",
    }  # fmt: skip
    return Published(value=value, **{**facts, **rest})


@pytest.fixture
def board(make_table: MakeTable) -> Board:
    (found,) = boards(make_table({"identity": [20, 21], "a": [29, 30], "b": [28, None]}, protocol="denoise-x@3"))
    return replace(found, published="Set12, sigma 25")


def test_figures_stand_beside_the_same_network_and_others_alone(board: Board) -> None:
    given = [
        printed("A-net", 29.9, model="a", kind="readme", source="README"),
        printed("A-net", 30.0, model="a"),
        printed("B-net", 28.0, model="b"),
        printed("BM3D", 27.0),
        printed("A-net", 0.9, model="a", metric="ssim"),
        printed("A-net", 31.0, model="a", clip="house"),
        printed("A-net", 32.0, model="a", set="Set12, sigma 50"),
        printed("A-net", 33.0, model="a", protocol="denoise-y"),
    ]
    found = with_reported(board, given)
    a, b, identity = (found.row(name).entries["psnr"] for name in ("a", "b", "identity"))  # type: ignore[union-attr]
    assert (a.reported, a.reported_source, a.reported_difference) == (30.0, "printed in the paper: Table 1", -0.5)
    assert (b.reported, b.reported_difference) == (28.0, None)
    assert (identity.reported, identity.reported_source) == (None, None)
    assert [(r.model, r.value) for r in found.reported_only] == [("BM3D", 27.0)]
    assert [(r.system, r.value) for r in found.reported] == [
        ("A-net", 30.0), ("B-net", 28.0), ("BM3D", 27.0), ("A-net", 0.9), ("A-net", 29.9),
    ]  # fmt: skip
    assert [r.rank for r in found.rows] == [r.rank for r in board.rows]


def test_other_data_and_other_protocols_have_none(board: Board) -> None:
    assert with_reported(replace(board, published=None), [printed("A", 1.0, model="a")]).reported == ()
    assert with_reported(board, [printed("A", 1.0, protocol="x", model="a")]) is board


def test_a_board_of_a_published_set_has_them_by_itself(make_table: MakeTable) -> None:
    """The first figure of DnCNN-B that is on file."""
    one = next(f for f in figures() if f.protocol == "denoise-dncnn" and f.model == "dncnn-b" and f.clip is None)
    cells = make_table(
        {"identity": [20, 21], "dncnn-b": [30, 31]}, one.metric, protocol="denoise-dncnn@1", dataset="set"
    )
    facts = ProtocolFacts(
        label="denoise-dncnn@1", title="", description="", source="", metrics=(one.metric,), published={"set": one.set}
    )
    (board,) = boards(cells, {facts.label: facts})
    row = board.row("dncnn-b")
    assert row is not None
    entry = row.entries[one.metric]
    assert entry.reported is not None
    assert entry.reported_difference == pytest.approx(30.5 - entry.reported)
    assert board.reported_only
