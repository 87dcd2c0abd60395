"""The language of --where, --sort and --columns: what it means, what it says of mistakes, and that nothing of it is ever run."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards.query import Column, Kind, check_columns, ordered, parse, split_names
from leaderboards.query_parser import LONGEST, QueryError, Value

COLUMNS = {
    "psnr": Column(unit="dB", higher=True),
    "gain.psnr": Column(unit="dB", higher=True),
    "ssim": Column(higher=True),
    "psnr[y,crop=4]": Column(unit="dB", higher=True),
    "pyiqa:topiq_nr-flive": Column(higher=True),
    "seconds_per_frame": Column(unit="s", higher=False),
    "memory": Column(unit="B", higher=False),
    "share": Column(),
    "gain_shift": Column(unit="%", higher=False),
    "flicker": Column(unit="levels", higher=False),
    "model": Column(Kind.text),
    "a b`": Column(),
    "my metric": Column(),
    "complete": Column(Kind.truth),
}
ROW: dict[str, Value] = {
    "psnr": 30.0, "gain.psnr": -0.5, "ssim": math.nan, "psnr[y,crop=4]": 31.0, "pyiqa:topiq_nr-flive": 0.7,
    "seconds_per_frame": 0.02, "memory": 3 * 2.0**30, "share": 0.25, "model": "RFR-dncnn", "my metric": 1.0, "complete": True,
    "gain_shift": 4.0, "flicker": 1.5,
}  # fmt: skip


def fits(text: str, row: dict[str, Value] | None = None) -> bool:
    return parse(text).bind(COLUMNS)(ROW if row is None else row)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("psnr > 29", True),
        ("psnr>=30dB and psnr <= 30 dB", True),
        ("29 < psnr < 30", False),
        ("29 < psnr <= 30", True),
        ("gain.psnr < 0", True),
        ("gain.psnr > -1", True),
        ("gain.psnr > -0.5", False),
        ("psnr[y,crop=4] == 31", True),
        ("pyiqa:topiq_nr-flive = 0.7", True),
        ("`my metric` == 1", True),
        ("seconds_per_frame < 25ms and seconds_per_frame > 0.0001 min", True),
        ("memory > 2GiB and memory < 4e9 B", True),
        ("memory < 3 GB", False),
        ("share == 25%", True),
        ("gain_shift < 5% and 3 % < gain_shift and gain_shift in (3%, 4%)", True),
        ("gain_shift < 5 and not gain_shift < 0.05", True),
        ("flicker < 2 levels", True),
        ("psnr < inf and psnr > -inf and psnr < ∞", True),
        ("model == 'RFR-dncnn'", True),
        ("model == 'rfr-dncnn'", False),
        ("model ~ 'rfr*'", True),
        ("model !~ 'rfr*'", False),
        ("model ~ 'rfr'", False),
        ("model in ('a', 'RFR-dncnn')", True),
        ("model not in ('a', 'b')", True),
        ("complete", True),
        ("not complete", False),
        ("complete == false", False),
        ("not (psnr > 40 or not complete)", True),
        ("psnr > 40 or psnr < 35 and complete", True),
        ("(psnr > 40 or psnr < 35) and not complete", False),
        ("psnr > 1 AND psnr < 99", True),
    ],
)
def test_what_expressions_mean(text: str, wanted: bool) -> None:
    assert fits(text) is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ssim > 0", False),
        ("not ssim > 0", False),
        ("ssim is missing", True),
        ("psnr is not missing", True),
        ("ssim > 0 or psnr > 0", True),
        ("ssim > 0 and psnr > 0", False),
        ("not (ssim > 0 and psnr > 99)", True),
        ("ssim in (1, 2)", False),
        ("ssim not in (1, 2)", False),
    ],
)
def test_holes_are_neither_true_nor_false(text: str, wanted: bool) -> None:
    assert fits(text) is wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gain.psrn > 0", 'no column "gain.psrn".*"gain.psnr"'),
        ("secnds_per_frame < 1", '"seconds_per_frame"'),
        ("zzz > 0", "There are: "),
        ("psnr > 30ms", "psnr is in dB and 30ms is in s"),
        ("ssim > 0.9dB", "ssim is a plain number and 0.9dB is in dB"),
        ("psnr > seconds_per_frame", "do not compare"),
        ("model > 3", "model is a word and 3 is a number"),
        ("psnr == '30'", "psnr is a number"),
        ("model == dncnn", 'stands in quotes: model == "dncnn"'),
        ("complete < true", "true or false"),
        ("psnr", "alone is no condition"),
        ("30", "alone is no condition"),
        ("psnr ~ 'a'", "compares words with a pattern"),
        ("model ~ model", "pattern in quotes"),
        ("psnr + 1 > 3", "no arithmetic"),
        ("psnr > 3 & complete", 'write "and"'),
        ("psnr ≥ 3", 'write ">="'),
        ("psnr >", "ends where"),
        ("> 3", "stands where"),
        ("psnr > 3 complete", "is left over"),
        ("(psnr > 3", '"\\)" is expected in place of the end'),
        ("psnr > 3)", "is left over"),
        ("psnr is 3", '"missing" or "not missing"'),
        ("psnr not 3", "in \\(...\\)"),
        ("model in ('a'", '"\\)" is expected'),
        ("'abc", "is not closed"),
        ("`abc", "is not closed"),
        ("", "is empty"),
        ("   ", "is empty"),
        ("\x00", "cannot be read"),
        ("not " * 100 + "complete", "nested too deeply"),
        ("(" * 100 + "complete" + ")" * 100, "nested too deeply"),
        ("complete and " * 1000 + "complete", f"at most {LONGEST}"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        fits(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch /x')",
        "psnr.__class__ > 1",
        "(lambda: 1)()",
        "psnr > 1; import os",
        "@psnr > 1",
        "model.str.contains('a')",
        "f'{psnr}' == '1'",
        "psnr if complete else ssim",
        "[x for x in psnr]",
    ],
)
def test_code_is_no_expression(text: str) -> None:
    with pytest.raises(QueryError):
        fits(text)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["psnr", ">", "3", "and", "(", ")", "not", "'a'", "in", ","])).map(" ".join)
)
def test_any_text_is_an_answer_or_an_error_in_words(text: str) -> None:
    with contextlib.suppress(QueryError):
        assert fits(text) in (True, False)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_comparisons_are_those_of_numbers(a: float, b: float) -> None:
    row: dict[str, Value] = {"psnr": a}
    for op, wanted in (("<", a < b), ("<=", a <= b), (">", a > b), (">=", a >= b), ("==", a == b), ("!=", a != b)):
        assert fits(f"psnr {op} {b!r}", row) is wanted


def test_names_with_commas_and_brackets() -> None:
    assert split_names("psnr[y,crop=4], ssim ,-gain.psnr,`a, b`,") == ["psnr[y,crop=4]", "ssim", "-gain.psnr", "a, b"]
    assert split_names(" , ") == []
    with pytest.raises(QueryError, match="No column was named"):
        check_columns([], COLUMNS)


def test_order_is_best_first_and_minus_turns_it() -> None:
    rows: list[tuple[dict[str, Value], str]] = [
        ({"psnr": 30.0, "seconds_per_frame": 1.0, "model": "b"}, "b"),
        ({"psnr": math.inf, "seconds_per_frame": 9.0, "model": "a"}, "a"),
        ({"psnr": None, "seconds_per_frame": None, "model": "d"}, "d"),
        ({"psnr": 30.0, "seconds_per_frame": 0.1, "model": "c"}, "c"),
    ]
    assert ordered(rows, ["psnr"], COLUMNS) == ["a", "b", "c", "d"]
    assert ordered(rows, ["-psnr"], COLUMNS) == ["b", "c", "a", "d"]
    assert ordered(rows, ["psnr", "seconds_per_frame"], COLUMNS) == ["a", "c", "b", "d"]
    assert ordered(rows, ["psnr", "-seconds_per_frame"], COLUMNS) == ["a", "b", "c", "d"]
    assert ordered(rows, ["-model"], COLUMNS) == ["d", "c", "b", "a"]
    with pytest.raises(QueryError, match='no column "sconds".*seconds_per_frame'):
        ordered(rows, ["sconds"], COLUMNS)
