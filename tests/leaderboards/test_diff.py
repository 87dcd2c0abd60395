"""Two states of the boards: changes clip by clip, what does not compare, and limits that stop a build."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from scipy.stats import wilcoxon

from leaderboards.diff import Diff, diff
from leaderboards.diff_gate import Limit, check_limits, failures, parse_limit
from leaderboards.export.diff import diff_grid, diff_json, diff_markdown, others, verdict
from leaderboards.export.document import LeaderboardDocument, document, dumps, loads
from leaderboards.export.markdown import markdown
from leaderboards.export.terminal import tables
from leaderboards.export.view import select
from leaderboards.paired import holm, sign_flip
from leaderboards.query_parser import QueryError
from leaderboards.schema import Cell, ProtocolFacts
from leaderboards.stats import mean_interval
from leaderboards.table import boards

MakeTable = Callable[..., list[Cell]]

OLD: dict[str, list[float | None]] = {
    "identity": [20.0, 21, 22, 23, 24, 25], "a": [25.0, 26, 27, 28, 29, 30], "b": [24.0, 25, 26, 27.5, 28, 29],
    "gone": [1.0, 2, 3, 4, 5, 6], "hole": [21.0, 22, 23, 24, 25, 26],
}  # fmt: skip
CHANGES = [-0.3, -0.1, -0.2, -0.4, -0.25, 0.05]
NEW: dict[str, list[float | None]] = {
    "identity": OLD["identity"], "a": [o + c for o, c in zip(OLD["a"], CHANGES, strict=True) if o is not None],
    "b": [24.1, 25.1, 26.1, 27.6, 28.1, 29.1], "new": [1.0, 2, 3, 4, 5, 6], "hole": [21.0, 22, 23, 24, 25, None],
}  # fmt: skip


def state(cells: list[Cell], protocols: dict[str, ProtocolFacts] | None = None) -> LeaderboardDocument:
    return loads(dumps(document(select(boards(cells, protocols)), protocols)))


@pytest.fixture
def found(make_table: MakeTable) -> Diff:
    return diff(state(make_table(OLD)), state(make_table(NEW)))


def test_changes_are_paired_by_clip(found: Diff) -> None:
    """Interval and p are those of the paired differences, worst change first; figures that did not change are no tests."""
    (board,) = found.boards
    assert [c.model for c in board.changes] == ["a", "identity", "b"]
    a, identity, b = board.changes
    assert (a.old, a.change) == pytest.approx((27.5, -0.2))
    assert a.new == pytest.approx(27.3)
    own = mean_interval([n - o for n, o in zip(NEW["a"], OLD["a"], strict=True) if n is not None and o is not None])
    assert (a.interval.low, a.interval.high) == (own.low, own.high)
    assert a.p == pytest.approx(float(sign_flip([CHANGES])[0]))
    assert a.p == pytest.approx(wilcoxon(CHANGES).pvalue, abs=0.04), (
        "another test of the same changes says about the same"
    )
    assert b.p == pytest.approx(2 / 2**6), "six clips, all better by as much"
    assert [a.p_holm, b.p_holm] == pytest.approx(holm([a.p or 0, b.p or 0]).tolist())
    assert (identity.change, identity.p, identity.worse) == (0, None, False)
    assert a.worse
    assert not b.worse
    assert a.clips == 6


def test_models_that_came_went_or_lost_a_figure(found: Diff) -> None:
    (board,) = found.boards
    assert board.came == ("new",)
    assert [name.split(" ")[0] for name in board.went] == ["gone", "hole"]
    assert '"clip5" it broke' in board.went[1]


def test_ranks_before_and_after(make_table: MakeTable) -> None:
    low: dict[str, list[float | None]] = {"identity": [20.0] * 7, "a": [30.0 + i for i in range(7)]}
    high = {**low, "a": [10.0 + i for i in range(7)]}
    (board,) = diff(state(make_table(low)), state(make_table(high))).boards
    ranks = {c.model: (c.old_rank, c.new_rank) for c in board.changes}
    assert ranks == {"a": (1, 2), "identity": (2, 1)}
    assert [cell.text for cell in diff_grid(board).rows[0].cells][-1] == "1 → 2"


def test_lower_is_better_where_it_is(make_table: MakeTable) -> None:
    old, new = ({"identity": [0.2, 0.3, 0.2], "a": [v, v, v]} for v in (0.1, 0.15))
    (board,) = diff(state(make_table(old, "niqe")), state(make_table(new, "niqe"))).boards
    assert board.changes[0].model == "a"
    assert board.changes[0].worse
    one = Diff((board,), (), (), ())
    assert "a on d: niqe +0.050 (0.100 to 0.150), below the limit of −0.01." in failures(one, [parse_limit("-0.01")])[0]
    assert failures(one, [parse_limit("-0.06")]) == []
    assert failures(one, [parse_limit("-49%")])[0].endswith("below the limit of −49%.")
    assert failures(one, [parse_limit("-51%")]) == []


def test_means_over_frames_weigh_clips(make_cell: Callable[..., Cell]) -> None:
    """(2 · 1 + 8 · (−0.5)) / 10 = −0.2: the long clip counts for more."""
    facts = ProtocolFacts(
        label="default@1", title="t", description="d", source="s", metrics=("psnr",), average="frames"
    )

    def cells(values: list[float]) -> list[Cell]:
        return [make_cell("a", f"c{i}", v, frames=[v] * n) for i, (v, n) in enumerate(zip(values, (2, 8), strict=True))]

    old, new = (state(cells(v), {"default@1": facts}) for v in ([20.0, 30.0], [21.0, 29.5]))
    (board,) = diff(old, new).boards
    assert board.changes[0].change == pytest.approx(-0.2)
    assert board.changes[0].old == pytest.approx(28.0)


# --- what does not compare -----------------------------------------------------------------------


def test_other_data_are_left_out(make_table: MakeTable) -> None:
    new = [c.model_copy(update={"data_sha256": "other"}) if c.clip == "clip0" else c for c in make_table(NEW)]
    (board,) = diff(state(make_table(OLD)), state(new)).boards
    assert board.clips == 5
    assert board.notes == ("1 clip holds other data (its hash differs) and is left out: clip0.",)
    b = next(c for c in board.changes if c.model == "b")
    assert b.clips == 5
    assert b.old == pytest.approx(27.1)
    none = diff(state(make_table(OLD)), state([c.model_copy(update={"data_sha256": "x"}) for c in make_table(NEW)]))
    assert none.boards == ()
    assert "no clip is the same" in none.apart[0]


def test_other_clips_are_left_out(make_table: MakeTable) -> None:
    fewer = [c for c in make_table(NEW) if c.clip != "clip5"]
    (board,) = diff(state(make_table(OLD)), state(fewer)).boards
    assert board.notes == ("1 clip is only in the old state and is left out: clip5.",)
    assert {c.model: c.clips for c in board.changes} == {"a": 5, "b": 5, "hole": 5, "identity": 5}


def test_a_gate_lets_no_clip_slip_away(make_table: MakeTable) -> None:
    """A clip that went, or whose data are others, is lost to the comparison; one that came is not."""
    old, limits = {"identity": OLD["identity"], "a": OLD["a"]}, [parse_limit("-0.1dB")]
    before = make_table(old) + make_table(old, "ssim")
    fewer = [c for c in before if c.clip != "clip5"]
    changed = [c.model_copy(update={"data_sha256": "x"}) if c.clip in ("clip0", "clip1") else c for c in before]
    for cells, words in (
        (fewer, "1 clip is only in the old state and is left out: clip5."),
        (changed, "2 clips hold other data (their hashes differ) and are left out: clip0, clip1."),
    ):
        found = diff(state(before), state(cells), ["psnr", "ssim"])
        assert failures(found, limits) == [f"Lost on d under default@1: {words}"]
        assert failures(found, limits, lenient=True) == []
    assert failures(diff(state(fewer), state(before)), limits) == []


def test_versions_of_a_protocol_side_by_side(make_table: MakeTable) -> None:
    """A state that holds two versions of a protocol: that one is compared which the other state has too."""
    older, newer = make_table({"identity": OLD["identity"], "a": OLD["a"]}), make_table(OLD, protocol="default@2")
    found = diff(state(older + newer), state(make_table(NEW, protocol="default@2")))
    assert [board.protocol for board in found.boards] == ["default@2"]
    assert (found.apart, found.went) == ((), ("d under default@1",))
    found = diff(state(older), state(make_table(NEW, protocol="default@2")))
    assert found.boards == ()
    assert "measured under default@1 before and default@2 after" in found.apart[0]
    assert found.came == found.went == ()


def test_other_conventions_do_not_compare(make_table: MakeTable) -> None:
    old = state(make_table(OLD))
    newer = diff(old, state(make_table(NEW, options={"crop": 4})))
    assert newer.boards == ()
    assert "psnr is measured in another way (psnr@1 before, psnr@1|crop=4 after)" in newer.apart[0]
    protocol = diff(old, state(make_table(NEW, protocol="default@2")))
    assert "default@1 before and default@2 after" in protocol.apart[0]
    facts = [
        ProtocolFacts(label="default@1", title="t", description="d", source="s", metrics=("psnr",), lines={"colour": c})
        for c in ("rgb", "y")
    ]
    before, after = (state(make_table(v), {"default@1": f}) for v, f in zip((OLD, NEW), facts, strict=True))
    assert "default@1 is not the same before and after (colour)" in diff(before, after).apart[0]
    assert "psnr was measured only before" in diff(old, state(make_table(NEW, "ssim")), ["psnr"]).apart[0]
    boards_ = diff(old, state(make_table(NEW, dataset="e")))
    assert (boards_.came, boards_.went) == (("e under default@1",), ("d under default@1",))


def test_other_weights_and_devices_are_told_and_compared(make_table: MakeTable) -> None:
    def other(cell: Cell) -> Cell:
        facts = cell.model_facts.model_copy(
            update={"version": 2, "weights_sha256": "ab" * 32, "settings": {"tile": 64}}
        )
        return cell.model_copy(update={"model_facts": facts, "device": "cuda"}) if cell.model == "a" else cell

    (board,) = diff(state(make_table(OLD)), state([other(c) for c in make_table(NEW)])).boards
    assert board.changes[0].facts == (
        "version 1 → 2", "weights none → abababababab", "device cpu → cuda", "tile none → 64",
    )  # fmt: skip
    assert "a: version 1 → 2, weights" in diff_grid(board).notes[0]


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("-0.1dB", Limit(-0.1, "dB")), ("−0.1 dB", Limit(-0.1, "dB")), ("-.002", Limit(-0.002, "")), ("-1%", Limit(-1, "%")),
     ("0", Limit(0, "")), ("+1e-3dB", Limit(0.001, "dB"))],
)  # fmt: skip
def test_limits(text: str, wanted: Limit) -> None:
    assert parse_limit(text) == wanted


@pytest.mark.parametrize("text", ["", "dB", "-0.1 d B", "--1", "0.1.2dB", "nan", "-0,1dB"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(QueryError, match="is no limit: a number with the unit"):
        parse_limit(text)


def test_units_of_limits_are_those_of_the_metrics(found: Diff) -> None:
    with pytest.raises(QueryError, match='unit of the limit "−0.1": psnr is in dB'):
        check_limits(found, [parse_limit("-0.1")])
    with pytest.raises(QueryError, match="psnr is in dB"):
        check_limits(found, [parse_limit("-0.1dB"), parse_limit("-1points")])
    check_limits(found, [parse_limit("-0.1dB")])
    check_limits(found, [parse_limit("-1%")])


def test_a_metric_without_a_limit_is_no_gate(make_table: MakeTable) -> None:
    both = [make_table(v) + make_table(v, "ssim") for v in (OLD, NEW)]
    found = diff(state(both[0]), state(both[1]), ["all"])
    with pytest.raises(QueryError, match=r"ssim has no limit.*--fail-below once more"):
        check_limits(found, [parse_limit("-0.1dB")])
    check_limits(found, [parse_limit("-0.1dB"), parse_limit("-0.01")])


def test_what_the_gate_stops(found: Diff) -> None:
    failed = failures(found, [parse_limit("-0.1dB")])
    assert failed[0] == "a on d: psnr −0.20 dB (27.50 to 27.30), below the limit of −0.1 dB."
    assert failed[1] == "Lost: gone has no psnr on d any more."
    assert failed[2].startswith("Lost: hole (1 of 6 clips missing")
    assert len(failed) == 3
    assert failures(found, [parse_limit("-0.1dB")], lenient=True) == failed[:1]
    assert failures(found, [parse_limit("-0.3dB")], lenient=True) == []
    assert failures(found, [parse_limit("0.05dB")], lenient=True)[1].startswith("identity on d: psnr 0.00 dB")


def test_nothing_to_compare_is_not_green(make_table: MakeTable) -> None:
    found = diff(state(make_table(OLD)), state(make_table(NEW, dataset="e")))
    for lenient in (False, True):
        assert failures(found, [parse_limit("-0.1dB")], lenient) == [
            "Nothing can be compared: the two states have no board in common."
        ]


def test_infinite_figures(make_table: MakeTable) -> None:
    """Equal infinities are no change; losing one is a change without end, whatever the limit's unit."""
    old = {"a": [math.inf, 30.0, 31.0], "b": [math.inf, 30.0, 31.0]}
    new = {"a": [math.inf, 30.0, 31.0], "b": [50.0, 30.0, 31.0]}
    found = diff(state(make_table(old)), state(make_table(new)))
    changes = {c.model: c for c in found.boards[0].changes}
    assert changes["a"].change == 0
    assert (changes["b"].change, changes["b"].p) == (-math.inf, None)
    for limit in ("-0.1dB", "-1%"):
        assert len(failures(found, [parse_limit(limit)])) == 1
    assert json.loads(diff_json(found, [], []))["boards"][0]["changes"][0]["change"] == "-inf"
    both = diff(state(make_table({"a": [math.inf, 30.0, 31.0]})), state(make_table({"a": [40.0, math.inf, 31.0]})))
    assert len(failures(both, [parse_limit("-0.1dB")])) == 1
    assert verdict(both, [], []) == "1 figure compared: 0 worse, 0 better, 1 the same."


# --- forms ---------------------------------------------------------------------------------------


def test_words_and_tables(found: Diff) -> None:
    limits = [parse_limit("-0.1dB")]
    failed = failures(found, limits)
    assert verdict(found, [], []) == "3 figures compared: 1 worse, 1 better, 1 the same."
    assert verdict(found, limits, failed).startswith("Failed, with a limit of −0.1 dB: 3 reasons.")
    assert verdict(found, limits, []).startswith("Passed: no change is below −0.1 dB.")
    table = diff_grid(found.boards[0], limits)
    assert [(row.model, row.cells[2].text, row.cells[2].tone) for row in table.rows] == [
        ("a", "−0.20 !", "worse"), ("identity", "0.00", ""), ("b", "+0.10", "better"),
    ]  # fmt: skip
    assert table.rows[1].cells[5].text == "4 → 3", "a model that went leaves its rank to the next"
    text = diff_markdown(found, limits, failed)
    assert text.startswith("**Failed, with a limit of −0.1 dB: 3 reasons.")
    assert "<details><summary>Changes on 1 board</summary>\n\n### d, psnr" in text
    assert "| a | 27.50 | 27.30 | **−0.20 !** |" in text
    assert text.count("<details>") == text.count("</details>") == 1
    assert others(diff(state([]), state([]))) == []


def test_who_had_no_figure_cannot_lose_it(make_table: MakeTable) -> None:
    """A model that failed on every clip, and was not run again; another one that fails in the new state only."""
    before = state(make_table({"a": [20, 21], "broken": [None, None]}))
    after = state(make_table({"a": [20, 21], "fails": [None, 30]}))
    found = diff(before, after)
    (board,) = found.boards
    assert board.went == ()
    assert [name.split(" (")[0] for name in board.came] == ["fails"]
    assert board.came[0].startswith("fails (1 of 2 clips missing")
    assert not failures(found, [parse_limit("-0.1dB")])


def test_a_board_without_any_change_has_no_table(make_table: MakeTable) -> None:
    same = state(make_table({"a": [20, 21], "b": [25, 26]}))
    grid = diff_grid(diff(same, same).boards[0])
    assert grid.rows == ()
    assert len(tables(grid, 80)) == 1
    assert "|" not in markdown([grid]).replace("\\|", "")
    assert "2 models on 2 clips, protocol default@1; 2 without any change." in markdown([grid])


def test_json_is_whole_and_the_same_twice(make_table: MakeTable, found: Diff) -> None:
    text = diff_json(found, [parse_limit("-0.1dB")], ["x"])
    again = diff(state(make_table(OLD)[::-1]), state(make_table(NEW)[::-1]))
    assert diff_json(again, [parse_limit("-0.1dB")], ["x"]) == text
    document_ = json.loads(text)
    assert (document_["passed"], document_["limits"]) == (False, [{"amount": -0.1, "unit": "dB"}])
    assert document_["boards"][0]["changes"][0]["interval"]["method"] == "studentised bootstrap"


def test_unknown_metric(make_table: MakeTable) -> None:
    one = state(make_table(OLD))
    with pytest.raises(QueryError, match='metric "psrn".*"psnr"'):
        diff(one, one, ["psrn"])
