"""Boards in every form: what stands in them, that they read back, and that no name breaks one."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
from rich.console import Console

from leaderboards import export
from leaderboards.board import Board
from leaderboards.export import frames
from leaderboards.export.clips import clip_grids
from leaderboards.export.document import SCHEMA_FILE, document, dumps, loads, schema, schema_text
from leaderboards.export.grid import Grid, grid, grids
from leaderboards.export.html import html
from leaderboards.export.latex import document as whole
from leaderboards.export.latex import latex
from leaderboards.export.latex_text import escape
from leaderboards.export.markdown import markdown
from leaderboards.export.overall import overall_grid
from leaderboards.export.terminal import board_text, tables
from leaderboards.export.view import Asked, select
from leaderboards.query_parser import QueryError
from leaderboards.results import DatasetInfo
from leaderboards.schema import Cell
from leaderboards.summary import overall_boards
from leaderboards.table import boards

MakeTable = Callable[..., list[Cell]]

HOSTILE = (
    r"\input{/etc/passwd}",
    "$x^2$ & 100% #1 {~}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "模型 ünïcödé Ω ⟶ 🎞",
    "**bold** | `code` [x](y)",
    "\u202eright to left",
    '"quoted", comma',
    "--??``!`''",
    "[3cm]*",
)


_KEPT: list[Board] = []
"""Boards take half a second to make and never change: those of ``several`` are made once."""


@pytest.fixture
def several(make_table: MakeTable) -> list[Board]:
    """Two data sets of five clips; one model with a hole, one that does harm, one that is infinite once."""
    if _KEPT:
        return list(_KEPT)
    values: dict[str, list[float | None]] = {
        "identity": [20.0, 21, 22, 23, 24], "good": [25.0, 26.5, 27, 28, 29.2], "fair": [24.0, 25, 26, 27.5, 28],
        "harms": [19.0, 20, 21, 22.5, 23], "holes": [26.0, None, 27, 28, 29],
    }  # fmt: skip
    ssim = {name: [None if v is None else v / 40 for v in row] for name, row in values.items()}
    cells = make_table(values, dataset="noise") + make_table(ssim, "ssim", dataset="noise")
    values["good"] = [30.0, math.inf, 29, 31, 32]
    _KEPT.extend(boards([*cells, *make_table(values, dataset="blur")]))
    return list(_KEPT)


def noise(found: list[Board]) -> Board:
    return next(board for board in found if board.dataset == "noise")


# --- rows and columns ----------------------------------------------------------------------------


def test_rows_order_and_columns(several: list[Board]) -> None:
    views = select(several, Asked("gain.psnr > 0", "-psnr", "model,gain.psnr,seconds_per_frame", ("noise",)))
    (view,) = views
    assert [row.model.name for row in view.board.rows] == ["fair", "good"]
    assert view.columns == ("gain.psnr", "seconds_per_frame")
    assert view.left_out == 3
    only_fair = select(several, Asked("model == 'fair'", datasets=("noise",)))[0].board.rows[0]
    assert only_fair.entries["psnr"].best, "best among the rows that are shown"
    assert noise(several).row("good").entries["psnr"].best  # type: ignore[union-attr]
    assert [v.board.dataset for v in select(several, Asked("ssim > 0.5"))] == ["noise"], "a hole on the other board"


def test_the_default_protocol_stands_first_and_boards_without_what_was_named_are_left_out(several: list[Board]) -> None:
    """Of one data set under two protocols, which measure other metrics."""
    both = [noise(several), replace(noise(several), protocol="codec-votes@1", metrics=noise(several).metrics[:1])]
    assert [view.board.protocol for view in select(both)] == ["default@1", "codec-votes@1"]
    assert [view.board.protocol for view in select(both, Asked(columns="ssim,frames_per_second"))] == ["default@1"]
    assert len(select(both, Asked(columns="psnr,ssim"))) == 2, "a hole on the other board"
    assert len(select(both, Asked(columns="frames_per_second"))) == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(columns="psnr,sism"), 'no column "sism".*"ssim"'),
        (Asked(sort="psrn"), '"psnr"'),
        (Asked(where="gain.sim > 0"), '"gain.ssim"'),
        (Asked(datasets=("nois",)), 'a data set "nois".*"noise"'),
        (Asked(protocols=("default@7",)), 'protocol "default@7".*"default@1"'),
        (Asked(columns=""), "No column was named"),
    ],
)
def test_what_is_not_there_is_named(several: list[Board], asked: Asked, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        select(several, asked)


def test_no_row_is_no_mistake_of_usage(several: list[Board]) -> None:
    with pytest.raises(ValueError, match="No row fits") as found:
        select(several, Asked("99 < psnr < inf"))
    assert not isinstance(found.value, QueryError)
    assert len(select(several, Asked(protocols=("default",)))) == 2


def test_every_column_has_words_and_a_value(several: list[Board]) -> None:
    from leaderboards.export.columns import FACTS, FIGURES, columns, head, text, values

    board = noise(several)
    known = columns([board])
    row = board.row("harms")
    assert row is not None
    found = values(board, row)
    assert set(found) == set(known)
    assert set(known) >= {*FACTS, *(f"{part}.ssim" for part in FIGURES if part)}
    assert found["gain"] == found["gain.psnr"] == pytest.approx(-0.9)
    assert (found["harm.psnr"], found["worse.psnr"], found["worse_share.psnr"]) == (True, 5.0, 1.0)
    assert found["rank"] == float(row.rank or 0)
    for name, value in found.items():
        assert head(name, board.metrics)
        assert text(name, value, [m.name for m in board.metrics])


# --- forms ---------------------------------------------------------------------------------------


def test_parquet_gives_the_same_frame_back(several: list[Board]) -> None:
    views = select(several)
    wide = frames.wide(select(several, Asked(columns="rank,psnr,gain.psnr,harm,complete,memory,worst_clip")))
    for table in (frames.tidy(views), wide, frames.long(several)):
        again = pd.read_parquet(io.BytesIO(frames.parquet(table)))
        pd.testing.assert_frame_equal(again, table)
    tidy = frames.tidy(views)
    assert math.isinf(tidy.query("dataset == 'blur' and model == 'good'")["mean"].iloc[0])
    assert tidy["rank"].dtype == "Int64"
    assert tidy[tidy["hole"].notna()]["rank"].isna().all()
    assert set(tidy["signature"]) == {"psnr@1", "ssim@1"}, "every line says how its figure was obtained"


def test_lines_of_boards_that_stand_apart_say_so(make_table: MakeTable) -> None:
    """In one table of lines PSNR with and without a crop would else be ranked together."""
    cells = make_table({"identity": [20.0, 21], "a": [25.0, 26]}) + make_table(
        {"b": [29.0, 30]}, options={"crop_border": 4}
    )
    table = frames.wide(select(boards(cells), Asked(columns="psnr")))
    assert list(table.columns) == ["dataset", "protocol", "apart", "model", "psnr"]
    apart = table[table["apart"].notna()]
    assert apart["model"].tolist() == ["b"]
    assert "another convention (default@1/psnr@1[crop_border=4])" in apart["apart"].iloc[0]
    assert "apart" not in frames.wide(select(boards(cells[:4]), Asked(columns="psnr")))


def test_a_severity_between_two_whole_ones(several: list[Board]) -> None:
    infos = {"noise": DatasetInfo("noise", severity=2.5)}
    table = frames.wide(select(several, Asked(columns="severity,psnr", datasets=("noise",)), infos))
    assert set(table["severity"]) == {2.5}


def test_csv_is_exact_and_says_inf(several: list[Board]) -> None:
    rows = list(csv.DictReader(io.StringIO(frames.csv(frames.tidy(select(several))))))
    good = [row for row in rows if row["model"] == "good"]
    assert {row["mean"] for row in good if row["metric"] == "psnr"} == {"inf", repr(135.7 / 5)}
    holes = next(row for row in rows if row["model"] == "holes")
    assert (holes["mean"], holes["rank"]) == ("", "")
    assert holes["hole"].startswith("1 of 5 clips missing")
    wide = csv.DictReader(io.StringIO(frames.csv(frames.wide(select(several, Asked(columns="psnr,ssim"))))))
    assert wide.fieldnames == ["dataset", "protocol", "model", "psnr", "ssim"]


def test_long_form_has_gains_by_clip_and_failures(several: list[Board]) -> None:
    table = frames.long([noise(several)])
    assert len(table) == 5 * 5 * 2
    fair = table[(table.model == "fair") & (table.metric == "psnr")]
    assert fair.gain.tolist() == [4, 4, 4, 4.5, 4]
    failed = frames.long([noise(several)], "status == 'failed'", names="model,clip,error")
    assert failed.values.tolist() == [["holes", "clip1", "it broke"]] * 2
    assert frames.long([noise(several)], "metric == 'psnr'", "-value").model.iloc[0] == "good"
    with pytest.raises(QueryError, match='"value"'):
        frames.long(several, "vlue > 3")
    with pytest.raises(ValueError, match="No figure fits"):
        frames.long(several, "value > 1e9 and value < inf")
    assert frames.records(frames.long(several, "value == inf"))[0]["value"] == "inf"


def test_json_is_what_its_schema_says(several: list[Board]) -> None:
    text = dumps(document(select(several), overall=overall_boards(several, {})))
    found = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(found, json.loads(SCHEMA_FILE.read_text("utf-8")), jsonschema.Draft202012Validator)
    again = loads(text)
    assert dumps(again) == text
    blur = next(b for b in again.boards if b.dataset == "blur")
    good = next(r for r in blur.rows if r.model.name == "good").entries["psnr"]
    assert good.mean == math.inf
    assert good.by_clip["clip1"] == math.inf
    assert '"mean": "inf"' in text
    assert found["boards"][0]["data_sha256"]["clip0"] == "data-clip0"
    assert {alarm["kind"] for b in found["boards"] for alarm in b["alarms"]} >= {"below-identity"}
    assert len(found["overall"]) == 1
    broken = json.loads(text)
    broken["boards"][0]["rows"][0]["entries"]["psnr"]["mean"] = "much"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema(), jsonschema.Draft202012Validator)


def test_the_published_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_text(), "run `python docs/pages.py`"


def test_json_of_some_columns_and_rows(several: list[Board]) -> None:
    found = json.loads(
        dumps(document(select(several, Asked("gain.psnr > 0", columns="gain.psnr", datasets=("noise",)))))
    )
    (board,) = found["boards"]
    assert [m["name"] for m in board["metrics"]] == ["psnr"]
    assert [list(row["entries"]) for row in board["rows"]] == [["psnr"]] * 2
    assert board["left_out"] == 3
    assert board["alarms"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "no leaderboard.*export --format json"),
        ('{"format": "x"}', "no leaderboard"),
        ('{"format": "vbench-leaderboard", "version": 99}', "version 99.*reads version 1"),
        (
            '{"format": "vbench-leaderboard", "version": 1, "protocols": {}, "overall": [], "boards": 3}',
            "damaged: at boards",
        ),
    ],
)
def test_documents_that_are_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        loads(text, "x.json")


def test_markdown(several: list[Board]) -> None:
    text = markdown(grids(select(several, Asked(columns="psnr,gain.psnr,ssim", datasets=("noise",))), "range"))
    assert "| # | model | psnr \\[dB\\] ↑ | gain.psnr \\[dB\\] ↑ | ssim ↑ |" in text
    assert re.search(r"\| \d \| good \| \*\*27\.14\*\* \\\[[\d., ]+\\\] \| \+5\.14 ", text)
    assert "| – | holes | † 1 | – | † 1 |" in text, "one reason has one number"
    assert '† 1: holes: 1 of 5 clips missing: on "clip1" it broke.' in text
    assert "Metrics: psnr@1, ssim@1." in text
    assert text.count("\n|") == 1 + 1 + 5


def test_one_table_of_several_data_sets(several: list[Board]) -> None:
    (one,) = grids(select(several, Asked(columns="psnr,worse")), one_table=True)
    assert [(c.group, c.head) for c in one.columns] == [
        ("blur", "psnr [dB] ↑"), ("blur", "worse"), ("noise", "psnr [dB] ↑"), ("noise", "worse"),
    ]  # fmt: skip
    assert one.rows[0].model == "good"
    assert [cell.text for cell in one.rows[0].cells] == ["∞", "0/5", "27.14", "0/5"]
    text = latex([one])
    assert r"& \multicolumn{2}{c}{blur} & \multicolumn{2}{c}{noise} \\" in text
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}" in text
    assert '<th class="group" colspan="2" scope="colgroup"><bdi>blur</bdi></th>' in html([one])
    assert "| model | blur: psnr \\[dB\\] ↑ |" in markdown([one])


def test_intervals_are_said_to_be_what_they_are(several: list[Board]) -> None:
    (view,) = select(several, Asked(columns="psnr,gain.psnr", datasets=("noise",)))
    entry = noise(several).row("fair").entries["psnr"]  # type: ignore[union-attr]
    assert entry.interval is not None
    assert entry.mean is not None
    assert entry.interval.low is not None
    assert entry.interval.high is not None
    fair = next(r for r in grid(view, "range").rows if r.model == "fair")
    assert fair.cells[0].interval == f"[{entry.interval.low:.2f}, {entry.interval.high:.2f}]"
    half = max(entry.mean - entry.interval.low, entry.interval.high - entry.mean)
    assert next(r for r in grid(view, "pm").rows if r.model == "fair").cells[0].interval == f"± {half:.2f}"
    assert any(
        note.startswith("± is the longer side of the 95 % interval over clips") for note in grid(view, "pm").notes
    )
    assert next(r for r in grid(view).rows if r.model == "fair").cells[0].interval == ""


def test_overall_board(several: list[Board]) -> None:
    (one,) = overall_boards(several, {})
    found = overall_grid(one, intervals="range")
    assert found.title == "Overall: All 2 data sets"
    assert found.columns[0].head == "mean rank in psnr ↓"
    rows = {row.model: row for row in found.rows}
    assert rows["good"].cells[0].text == "1.00"
    assert rows["holes"].cells[0].hole == 1
    assert rows["holes"].lead == "–"
    assert rows["fair"].cells[2].text == "+4.10"
    assert rows["harms"].cells[1].text == "2/2"


def test_clip_by_clip(several: list[Board]) -> None:
    (one,) = clip_grids(several, Asked("gain.psnr > 4.2", columns="psnr,gain.psnr", datasets=("noise",)))
    assert [(row.lead, row.model, row.cells[1].text) for row in one.rows] == [
        ("clip0", "good", "+5.00"), ("clip0", "holes", "+6.00"), ("clip1", "good", "+5.50"), ("clip2", "good", "+5.00"),
        ("clip2", "holes", "+5.00"), ("clip3", "good", "+5.00"), ("clip3", "fair", "+4.50"), ("clip3", "holes", "+5.00"),
        ("clip4", "good", "+5.20"), ("clip4", "holes", "+5.00"),
    ]  # fmt: skip
    with pytest.raises(QueryError, match='no column "rank"'):
        clip_grids(several, Asked("rank == 1"))
    first = clip_grids(several, Asked(sort="-psnr", datasets=("noise",)))[0].rows[0]
    assert (first.lead, first.model) == ("clip0", "harms")


# --- any names -----------------------------------------------------------------------------------


class _Words(HTMLParser):
    """The tags of a page, and the words in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def hostile(make_table: MakeTable) -> list[Grid]:
    """Two data sets, models, metrics and reasons with names that mean something in some form."""
    values: dict[str, list[float | None]] = {name: [20.0 + i, 21.0 + i, 22.0 - i] for i, name in enumerate(HOSTILE)}
    values["identity"] = [20.0, 21.0, 22.0]
    values["bad & 100%"] = [1.0, None, 2.0]
    cells = make_table(values, dataset=HOSTILE[1]) + make_table(values, dataset=HOSTILE[4])
    cells += make_table(values, "psnr[<b>_&,x=$1]", dataset=HOSTILE[1])
    cells = [c.model_copy(update={"error": "no <b> \\frame 50% & #2"}) if c.error else c for c in cells]
    found = boards(cells)
    views = select(found, infos={HOSTILE[1]: DatasetInfo(HOSTILE[1], True, title="<i>50 % & more_</i>")})
    return grids(views, "range")


def test_names_stay_data_in_html(hostile: list[Grid]) -> None:
    page = _Words()
    page.feed(html(hostile))
    assert "script" not in page.tags
    assert "i" not in page.tags
    for name in HOSTILE:
        assert name.replace("\u202e", "\\u202e") in page.words
    assert "\u202e" not in html(hostile) + markdown(hostile)
    assert "<i>50 % & more_</i>" in page.words


def test_names_stay_data_in_markdown_and_csv(hostile: list[Grid], make_table: MakeTable) -> None:
    text = markdown(hostile)
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert len(bars) == 2, "every row of a table has as many cells as its head"
    found = boards(make_table({name: [1.0] for name in HOSTILE}))
    rows = list(csv.DictReader(io.StringIO(export.to_csv(found))))
    assert {row["model"] for row in rows} == set(HOSTILE)
    assert {row["model"]["name"] for row in json.loads(export.to_json(found))["boards"][0]["rows"]} == set(HOSTILE)


def test_reasons_end_with_one_full_stop(make_cell: Callable[..., Cell]) -> None:
    failed = make_cell("a", "c1", None, error="No space is left on the device.")
    found = boards(
        [make_cell("identity", "c0", 20.0), make_cell("identity", "c1", 21.0), make_cell("a", "c0", 22.0), failed]
    )
    for text in (export.to_markdown(found), export.to_latex(found), export.to_html(found)):
        assert "No space is left on the device." in text
        assert ".." not in text


def test_latex_of_any_text() -> None:
    assert escape(r"\input{x}") == r"\textbackslash{}input\{x\}"
    assert escape("a--b ''c'' <<") == r"a-{}-b '{}'c'{}' \textless{}{}\textless{}"
    assert escape("two\nlines") == "two lines"
    assert escape("模") == r"\vbenchglyph{模}{6A21}"
    assert escape("\u202e") == r"\vbenchglyph{}{202E}"


def compiled(text: str, folder: Path) -> str:
    """The words of the PDF that pdflatex makes of a document; skips where there is none."""
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex (TeX Live's latex-base and latex-recommended), which is not here")
    (folder / "t.tex").write_text(text, "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:]
    for word in ("Overfull", "Float too large"):
        assert word not in done.stdout, done.stdout[-2000:]
    if shutil.which("pdftotext") is None:
        return ""
    return subprocess.run(
        ["pdftotext", "-layout", "t.pdf", "-"], cwd=folder, capture_output=True, check=True
    ).stdout.decode()


def test_latex_compiles(several: list[Board], tmp_path: Path) -> None:
    views = select(several, Asked(columns="rank,psnr,gain.psnr,ssim,worse,seconds_per_frame,memory"))
    found = [*grids(views, "range"), *grids(views, "pm", one_table=True), overall_grid(overall_boards(several, {})[0])]
    text = latex([*found, *clip_grids(several)])
    assert r"\textbf{27.14}" in text
    assert r"\underline{25.99}" in text or r"\underline{26.10}" in text
    words = compiled(whole(text), tmp_path)
    assert not words or ("default@1" in words and "psnr@1" in words)


def test_tables_longer_than_a_page_go_on(make_table: MakeTable, tmp_path: Path) -> None:
    names = [f"metric_{i}" for i in range(12)]
    values: dict[str, list[float | None]] = {f"model-{i}": [float(i + k) for k in range(5)] for i in range(16)}
    found = boards([cell for name in names for cell in make_table(values, name)])
    text = latex(grids(select(found), "range"))
    assert text.count(r"\caption{d, continued: ") == text.count(r"\begin{table}") - 1 > 0
    assert text.count("Metrics: ") == 1
    words = compiled(whole(text), tmp_path)
    assert not words or words.count("model-15") == text.count("model-15") > 3


def test_latex_with_any_names_compiles(hostile: list[Grid], tmp_path: Path) -> None:
    text = latex(hostile)
    assert r"\input{" not in text
    words = compiled(whole(text), tmp_path)
    assert not words or ("[U+6A21]" in words and "[3cm]*" in words and "**bold**" in words)


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_is_never_too_narrow(several: list[Board], hostile: list[Grid], width: int) -> None:
    from rich.cells import cell_len

    out = Console(file=io.StringIO(), width=width, highlight=False)
    for view in select(several):
        for part in board_text(view, width, intervals=True):
            out.print(part)
    for one in hostile:
        for part in tables(one, width):
            out.print(part)
    text = out.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in "".join(line for line in text.splitlines() if "good" in line), "no figure is cut"
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u202eright" in text
    assert re.search(r"† 1 ", text)


@pytest.mark.parametrize(
    "values", [{"a": [1.0, 2.0], "b": [2.0, 3.0]}, {"identity": [None], "a": [None]}, {"a": [math.inf]}]
)
def test_boards_without_identity_or_figures(make_table: MakeTable, values: dict[str, list[float | None]]) -> None:
    found = boards(make_table(values))
    (view,) = select(found)
    for part in board_text(view, 80, intervals=True):
        Console(file=io.StringIO(), width=80).print(part)
    for text in (export.to_csv(found), export.to_latex(found), export.to_markdown(found), export.to_html(found)):
        assert "psnr" in text
    jsonschema.validate(json.loads(export.to_json(found)), schema(), jsonschema.Draft202012Validator)
    assert len(clip_grids(found)[0].rows) == sum(map(len, values.values()))
    assert frames.wide(select(found, Asked(columns="gain,harm,worst_clip,memory")))["gain"].isna().all()


def test_the_same_results_give_the_same_bytes(make_table: MakeTable, several: list[Board]) -> None:
    def everything(cells: list[Cell]) -> tuple[Any, ...]:
        found = boards(cells)
        views = select(found)
        return (
            export.to_csv(found), export.to_parquet(found), export.to_json(found), export.to_markdown(found),
            export.to_latex(found), export.to_html(found), markdown(grids(views, "range")),
        )  # fmt: skip

    cells = [cell for board in several for cell in board.cells]
    assert everything(cells) == everything(cells[::-1])
