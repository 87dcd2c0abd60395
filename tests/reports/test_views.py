"""What pages say: scales and labels of charts, shades, sentences, citations, copies of views."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from leaderboards.results import Results
from reports.views import charts, citations, dataset_pages, overview, severity_profiles
from reports.views.answers import board_answer
from reports.views.citations import bibtex, references
from reports.views.facts import Facts, gather
from reports.views.heat import HeatRow, heat
from reports.views.marks import MARKS, SERIES, colour, dashes, mark, mark_path
from reports.views.words import names, short, visible
from tests.reports.synthetic import workspace


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    root = workspace(tmp_path_factory.mktemp("views"), models=4, datasets=5, clips=5, frames=3, metrics=2, holes=True)
    return gather(root, Results.read(root))


def test_boards_stand_by_profile_then_severity(facts: Facts) -> None:
    assert [b.dataset for b in facts.boards] == [
        "blur-light",
        "codec-light",
        "noise-light",
        "oldfilm-light",
        "oldfilm-medium",
    ]
    assert facts.numbers["identity"] == 0


def test_an_answer_names_the_first_its_gain_and_who_harms(facts: Facts) -> None:
    board = next(b for b in facts.boards if b.dataset == "noise-light")
    first = next(row for row in board.rows if row.rank == 1)
    text = board_answer(board).striptags()
    assert text.startswith(f"{first.model.name} is first, +{first.entries['psnr'].gain:.2f} dB psnr over doing nothing")
    harm = [row.model.name for row in board.rows if row.entries["psnr"].harm]
    assert harm
    assert all(name in text for name in harm)


def test_the_overview_counts_what_was_measured(facts: Facts) -> None:
    found = overview(facts)
    assert found.asked.striptags() == (
        "How well do 4 models restore 5 data sets (25 clips, 75 frames)? Ranked by psnr, with 1 other metric beside, under "
        "protocol default@1."
    )
    (table,) = found.tables
    assert len(table.rows) == 5
    assert len(table.gains.heads) == 5
    (cost,) = found.costs
    best = {name for _, name, _, _, inside in cost.rows if inside}
    # By hand: quality falls or cost rises along the list of all that are cheaper and better. Doing nothing takes no time,
    # whatever was measured of it, and is no model.
    rows = [(name, float(s), float(g.replace("−", "-"))) for _, name, s, g, _ in cost.rows if name != "identity"]
    assert best == {
        n for n, s, g in rows if g > 0 and not any((t <= s and h > g) or (t < s and h >= g) for _, t, h in rows)
    }


def test_a_model_that_misses_a_figure_has_a_hole_and_no_rank(facts: Facts) -> None:
    page = next(p for p in dataset_pages(facts, {}) if p.dataset == "oldfilm-light")
    row = next(r for r in page.tables[0].rows if r.name == "model-02")
    assert row.rank == "–"
    assert "it <i>broke</i> here" in row.figures[1].hole
    assert row.figures[0].hole == ""


def test_bars_lie_within_their_column(facts: Facts) -> None:
    for page in dataset_pages(facts, {}):
        for row in page.tables[0].rows:
            for figure in row.figures:
                if figure.bar is not None:
                    low, mean, high = figure.bar
                    assert 0 <= low <= mean <= high <= 100


def test_severity_has_a_line_for_each_model(facts: Facts) -> None:
    (profile,) = severity_profiles(facts)
    assert [name for name, _ in profile.variants] == ["light", "medium"]
    psnr, ssim = profile.metrics
    assert {c.name for c in psnr.wide.curves} == {"model-00", "model-01", "model-02", "model-03"}
    assert all(c.line.count("L") == 1 for c in psnr.wide.curves)
    assert "model-02" not in [c.name for c in ssim.wide.curves if c.line.count("L") == 1], "one severity has a hole"
    assert psnr.wide.zero is not None


@pytest.mark.parametrize("count", [3, 20, 40])
@pytest.mark.parametrize("width", [350.0, 760.0])
def test_labels_of_points_do_not_lie_on_each_other(count: int, width: float) -> None:
    points = [
        charts.CostPoint(i, f"model-{i}", 0.01 * 1.3 ** (i % 7), 3.0 + (i * 7919 % 13) / 9, i % 5 == 0, "")
        for i in range(count)
    ]
    made = charts.cost_chart(points, width, 400)
    boxes = []
    for point in made.points:
        if point.label is not None:
            wide = len(point.name) * charts.TEXT * 0.6
            left = point.label.x - {"start": 0.0, "end": wide, "middle": wide / 2}[point.label.anchor]
            boxes.append((left, point.label.y - charts.TEXT, left + wide, point.label.y + 2))
    assert len(boxes) >= min(count, 3)
    for i, a in enumerate(boxes):
        assert a[0] >= 0
        assert a[2] <= width
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[i + 1 :])


@pytest.mark.parametrize("width", [350.0, 760.0])
@pytest.mark.parametrize("most", [0.2, 50.0, 3e6])
def test_costs_that_span_decades_have_ticks_apart(width: float, most: float) -> None:
    points = [charts.CostPoint(i, f"m{i}", cost, 1.0, False, "") for i, cost in enumerate((0.001, most))]
    made = charts.cost_chart(points, width, 400)
    ends = [(t.at - w, t.at + w) for t in made.xs for w in [len(t.text) * charts.TEXT * 0.3]]
    assert len(ends) >= 2
    assert all(a[1] < b[0] for a, b in pairwise(ends))


def test_names_at_ends_of_lines_are_apart_and_in_order() -> None:
    series = [charts.Series(i, f"m{i}", (0.0, 1.0 + i / 1000), (None, None), (None, None)) for i in range(12)]
    made = charts.curve_chart(series, ["a", "b"], [["", ""]] * 12, 760, 400, labelled=True)
    places = [c.label.y for c in made.curves if c.label is not None]
    assert len(places) == 12
    assert places == sorted(places, reverse=True), "the larger the higher"
    assert min(abs(a - b) for a, b in pairwise(places)) >= charts.TEXT
    assert max(places) <= 400


def test_a_line_with_a_hole_is_broken_and_infinity_is_no_point() -> None:
    series = [charts.Series(1, "m", (1.0, None, 2.0, float("inf")), (0.5, None, 1.5, None), (1.5, None, 2.5, None))]
    made = charts.curve_chart(series, list("abcd"), [list("abcd")], 300, 200, labelled=False)
    assert made.curves[0].line.count("M") == 2
    assert len(made.curves[0].tips) == 2
    assert made.curves[0].band == "", "a band needs two neighbours"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 7.9), (1e-6, 2e-6), (-1e5, 1e5), (26.71, 26.74)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = charts.ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(low - 1e-12 <= t <= high + 1e-12 for t in found)
    steps = {round((b - a) / (found[1] - found[0]), 6) for a, b in pairwise(found)}
    assert steps == {1.0}


@pytest.mark.parametrize(("low", "high"), [(0.001, 1000.0), (0.2, 1.9), (3.0, 4.0), (0.00011, 0.0009)])
def test_ticks_of_a_logarithm(low: float, high: float) -> None:
    found = charts.log_ticks(low, high)
    assert all(low <= t <= high for t in found)


def test_shades_follow_the_direction_of_each_metric() -> None:
    made = heat("g", [HeatRow("a", "", ()), HeatRow("b", "", ())], [HeatRow("x", "", (-0.1, 4.0)), HeatRow("y", "", (0.05, None))],
                ["lpips", "psnr"], [False, True])  # fmt: skip
    assert [[c.level for c in cells] for _, cells in made.rows] == [[4, 4], [-2, None]]


def test_28_models_look_different_and_none_like_doing_nothing() -> None:
    looks = {(colour(i), dashes(i)) for i in range(29)}
    assert len(looks) == 29
    assert {i for i in range(60) if colour(i) == 0 or mark(i) == MARKS[0]} == {0}
    assert all(mark(i) != mark(i + SERIES - 1) for i in range(1, 30)), (
        "models of one colour that follow have other marks"
    )
    assert all(re.fullmatch(r"[MLHVAahvZz0-9 .\-]+", mark_path(i)) for i in range(len(MARKS)))


def test_long_and_turning_names() -> None:
    assert short("x" * 300) == "x" * 24 + "…" + "x" * 23
    assert visible("\u202eabc\u2069") == "‹U+202E›abc‹U+2069›"
    assert visible("שלום \u200f") == "שלום \u200f", "marks of direction turn nothing around them"
    assert str(names(["<b>", "c"])) == "<bdi>&lt;b&gt;</bdi> and <bdi>c</bdi>"


def test_every_reference_is_whole() -> None:
    needed = {"article": "journal", "inproceedings": "booktitle", "book": "publisher", "misc": "title"}
    for key, entry in references().items():
        assert {"type", "author", "title", "year", needed[entry["type"]]} <= set(entry), key
        assert entry.get("phrases") or entry.get("metrics"), key
        text = bibtex(key, entry)
        assert text.count("{") == text.count("}")


def test_every_model_with_a_paper_is_cited() -> None:
    """Our own networks name their papers in words that the references know."""
    from reports.views.citations import cited
    from vbench import models

    found = {name: cited([models.spec(name).source], ()) for name in models.names()}
    assert not [name for name, keys in found.items() if models.spec(name).weights is not None and not keys]


def test_citations_of_what_was_used_alone(facts: Facts) -> None:
    text, uncited = citations(facts)
    assert "wang2004image" in text
    assert "zhang2018" not in text
    assert set(uncited) == set(facts.numbers)


def test_results_alone_are_enough(facts: Facts, tmp_path: Path) -> None:
    bare = Facts(tmp_path, "t", facts.results, facts.boards, {name: {} for name in facts.datasets})
    assert len(dataset_pages(bare, {})) == 5
