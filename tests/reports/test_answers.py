"""What the report claims: how sure the first place is, what compares with what, what it says where there is little to say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from leaderboards.results import Results
from leaderboards.schema import Cell, Cost, PrecisionDifference
from leaderboards.store import write_cell
from reports.html import build
from reports.views import cards, dataset_groups, dataset_pages, overview, severity_profiles
from reports.views.answers import board_answer
from reports.views.facts import Facts, gather
from reports.views.heat import HeatRow, heat
from reports.views.overview import answer, asked
from tests.reports.pictured import NIQE, PSNR, dataset, measured, scene
from tests.reports.synthetic import workspace


def facts_of(root: Path) -> Facts:
    return gather(root, Results.read(root))


def figures(root: Path, name: str, by_model: dict[str, list[float]], protocol: str = "default@1") -> None:
    """Results of one figure for each clip."""
    metric = NIQE if protocol.startswith("no-reference") else PSNR
    for model, values in by_model.items():
        for i, value in enumerate(values):
            measured(root, name, model, f"c{i}", metric, [value])
    for path in (root / "results" / name).rglob("*.json"):
        cell = Cell.model_validate_json(path.read_text("utf-8"))
        path.unlink()
        write_cell(root, cell.model_copy(update={"protocol": protocol}))


def test_the_first_on_one_clip_is_told_from_nothing(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0], "good": [30.0], "fair": [25.0]})
    text = answer(facts_of(tmp_path)).striptags()
    assert text == (
        "good is first, +10.00 dB psnr over doing nothing (on 1 clip: too few for an interval). "
        "This clip cannot tell fair from it, nor it from doing nothing."
    )


def test_a_gain_too_small_to_show_is_said_to_be_small(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0, 21.0, 22.0], "hardly": [20.001, 21.002, 22.001]})
    assert (
        answer(facts_of(tmp_path)).striptags().startswith("hardly is first, less than 0.01 dB psnr over doing nothing")
    )


def test_an_infinite_gain_is_explained_and_stands_on_the_card(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0, 21.0, 22.0], "perfect": [math.inf] * 3})
    facts = facts_of(tmp_path)
    assert "+∞ dB psnr over doing nothing (infinite, as frames equal the ground truth)" in answer(facts).striptags()
    card = next(c for c in cards(facts) if c.name == "perfect")
    assert card.sentence.striptags() == "It improves a (+∞ dB psnr, rank 1 of 2)."


def test_nothing_but_doing_nothing_is_no_ranking(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0, 21.0]})
    facts = facts_of(tmp_path)
    assert asked(facts).striptags().startswith("How well does doing nothing do on 1 data set (2 clips, 2 frames)?")
    assert answer(facts).striptags() == "Nothing was run here but doing nothing: there is no model to rank."


def test_over_many_data_sets_the_answer_begins_with_all_of_them(tmp_path: Path) -> None:
    for i, name in enumerate("abc"):
        figures(
            tmp_path, name, {"identity": [20.0, 21.0, 22.5], "good": [25.0 + i, 26.5, 27.0], "fair": [24.0, 25.0, 26.0]}
        )
    assert (
        answer(facts_of(tmp_path))
        .striptags()
        .startswith("Over all 3 data sets good gains most, +5.33 dB (95 % interval ")
    )
    assert (
        "on average, and has the best mean rank (1.0 of 3). good is first on a, b and c"
        in answer(facts_of(tmp_path)).striptags()
    )
    figures(tmp_path, "aged", {"identity": [5.0], "good": [4.0]}, "no-reference@1")
    assert (
        answer(facts_of(tmp_path))
        .striptags()
        .startswith("Over 3 data sets with ground truth good gains most, +5.33 dB")
    )


def test_over_many_data_sets_nobody_may_be_better_than_nothing(tmp_path: Path) -> None:
    for name in "abc":
        figures(tmp_path, name, {"identity": [20.0, 21.0, 22.5], "bad": [10.0, 11.5, 12.0]})
    assert (
        answer(facts_of(tmp_path))
        .striptags()
        .startswith("Over all 3 data sets no model is better than doing nothing on average.")
    )


def test_a_single_winner_that_is_left_is_named(tmp_path: Path) -> None:
    for i in range(5):
        figures(tmp_path, f"d{i}", {"identity": [20.0]} | {f"m{k}": [30.0 if k == i else 25.0] for k in range(5)})
    assert all(f"m{i} is first on d{i}" in answer(facts_of(tmp_path)).striptags() for i in range(5))


def test_where_nothing_could_be_measured_the_reason_is_told(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0, 21.0], "m": [25.0, 26.0]})
    for path in (tmp_path / "results" / "a").rglob("*.json"):
        cell = Cell.model_validate_json(path.read_text("utf-8"))
        write_cell(
            tmp_path, cell.model_copy(update={"status": "failed", "value": None, "frames": [], "error": "No <disk>."})
        )
    facts = facts_of(tmp_path)
    assert asked(facts).striptags().startswith("How well does m restore 1 data set (2 clips)?")
    assert "every figure is missing. Most often: No &lt;disk&gt;." in answer(facts)


def test_without_ranks_the_first_metric_still_says_who_is_best(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0, 21.0], "m": [25.0, 26.0], "n": [23.0, 24.0]})
    for model in ("identity", "m", "n"):
        measured(tmp_path, "a", model, "c0", NIQE, [4.0])
    assert answer(facts_of(tmp_path)).striptags() == (
        "No model has every figure, so none is ranked. Under psnr alone m is best (25.50 dB, +5.00 dB over doing nothing)."
    )


def test_costs_on_two_devices_are_two_questions(tmp_path: Path) -> None:
    workspace(tmp_path, models=5, datasets=2, clips=2, frames=2, metrics=1, holes=False)
    for path in (tmp_path / "results").rglob("*.json"):
        if path.parts[-3] == "model-03":
            cell = Cell.model_validate_json(path.read_text("utf-8"))
            assert cell.cost is not None
            dear = cell.cost.model_copy(update={"device": "cuda"})
            write_cell(tmp_path, cell.model_copy(update={"device": "cuda", "cost": dear}))
    (cost,) = overview(facts_of(tmp_path)).costs
    text = cost.sentence.striptags()
    assert text.startswith("On cpu, no model is better than model-00")
    assert "On cuda, no model is better than model-03" in text
    assert "times as long" not in text
    assert "H" not in cost.wide.front, "no line joins points of two devices"


def test_who_has_no_point_is_not_called_worse(tmp_path: Path) -> None:
    workspace(tmp_path, models=3, datasets=1, clips=2, frames=2, metrics=1, holes=False)
    for path in (tmp_path / "results").rglob("*.json"):
        if "model-02" in path.parts:
            cell = Cell.model_validate_json(path.read_text("utf-8"))
            write_cell(tmp_path, cell.model_copy(update={"value": math.inf, "frames": [math.inf] * 2}))
    (cost,) = overview(facts_of(tmp_path)).costs
    assert cost.missing == ("model-02",)
    assert cost.sentence.striptags().startswith("No model of those with a point here is better than model-00")


def test_many_models_on_few_clips_stand_below_each_other(tmp_path: Path) -> None:
    workspace(tmp_path, models=8, datasets=1, clips=2, frames=2, metrics=1, holes=False)
    facts = facts_of(tmp_path)
    (table,) = dataset_pages(facts, {})[0].tables
    assert not table.clips_down
    assert [head.name for head in table.clips.heads] == ["clip00", "clip01"]
    assert [row.name for row, _ in table.clips.rows] == [row.name for row in table.rows if row.name != "identity"]
    row = next(r for r in facts.main[0].rows if r.model.name == table.clips.rows[0][0].name)
    base = facts.main[0].row("identity")
    assert base is not None
    assert table.clips.rows[0][0].values == tuple(
        row.entries["psnr"].by_clip[c] - base.entries["psnr"].by_clip[c] for c in ("clip00", "clip01")
    )


def test_being_first_by_the_mean_alone_is_said(tmp_path: Path) -> None:
    noisy = {"identity": [20.0, 30.0, 25.0], "one": [22.0, 29.0, 26.0], "two": [19.0, 31.5, 25.2]}
    figures(tmp_path, "a", noisy)
    figures(tmp_path, "b", noisy)
    text = answer(facts_of(tmp_path)).striptags()
    assert (
        "First is by the mean: on every data set the clips cannot tell it from the next, and on these not from "
        "doing nothing either."
    ) in text


def test_harm_is_told_with_how_sure_it_is(tmp_path: Path) -> None:
    figures(tmp_path, "a", {
        "identity": [20.0, 21.0, 22.0], "good": [25.0, 26.1, 27.2], "surely": [10.0, 11.1, 12.2], "perhaps": [24.0, 21.0, 15.0],
    })  # fmt: skip
    facts = facts_of(tmp_path)
    assert answer(facts).striptags().endswith("made it worse than the input, 1 of them surely.")
    (table,) = dataset_pages(facts, {})[0].tables
    assert {row.name: (row.harm, row.sure) for row in table.rows} == {
        "good": (False, False), "identity": (False, False), "surely": (True, True), "perhaps": (True, False),
    }  # fmt: skip


def test_without_ground_truth_nothing_is_harm_and_it_stands_last(tmp_path: Path) -> None:
    dataset(tmp_path, "aged", {"reel": scene(3)}, {"soft": 6.0, "sharp": 30.0}, truth=False)
    facts = facts_of(tmp_path)
    assert facts.blind("aged")
    text = board_answer(facts.main[0], blind=True).striptags()
    assert "niqe (less is better) over doing nothing" in text
    assert "sharp has a worse niqe than the input" in text
    figures(tmp_path, "aged", {}, "no-reference@1")
    figures(tmp_path, "zebra", {"identity": [20.0], "soft": [25.0]})
    assert [b.dataset for b in facts_of(tmp_path).main] == ["zebra", "aged"]


def test_gains_of_other_metrics_and_protocols_are_no_best_and_share_no_scale(tmp_path: Path) -> None:
    figures(tmp_path, "film", {"identity": [5.0], "m": [4.0]}, "no-reference@1")
    figures(tmp_path, "x", {"identity": [20.0], "m": [30.0]})
    figures(tmp_path, "y", {"identity": [20.0], "m": [15.0]})
    facts = facts_of(tmp_path)
    card = next(c for c in cards(facts) if c.name == "m")
    assert card.sentence.striptags().startswith("Best on x (+10.00 dB psnr")
    assert "worst on y (−5.00 dB psnr" in card.sentence.striptags()
    assert [(g.title, [p.title for p in g.places]) for g in card.groups] == [
        ("Gain in psnr [dB], default@1", ["x", "y"]), ("Gain in niqe, no-reference@1", ["film"]),
    ]  # fmt: skip
    # Less niqe is better, and better is to the right.
    (film,) = card.groups[1].places
    assert (film.gain, film.tone, film.bar, film.zero) == ("−1.000", "good", (0.0, 100.0), 0.0)


def test_what_shows_as_nought_is_neither_good_nor_bad(tmp_path: Path) -> None:
    made = heat("gain", [HeatRow("a", "", ())], [HeatRow("x", "", (2.0,)), HeatRow("y", "", (-0.001,))], "psnr")
    assert [cells[0].level for _, cells in made.rows] == [4, 0]
    figures(tmp_path, "a", {"identity": [20.0, 21.0], "hardly": [19.999, 20.999]})
    (table,) = dataset_pages(facts_of(tmp_path), {})[0].tables
    assert next(row for row in table.rows if row.name == "hardly").figures[0].tone == ""


def test_one_data_set_stands_on_the_first_page_in_short(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0, 21.0], "good": [25.0, 26.0], "hole": [22.0]})
    found = overview(facts_of(tmp_path))
    assert not found.tables
    (table,) = found.boards
    assert table.path == "boards/a.html"
    assert [(row.name, row.figure, row.gain, bool(row.hole)) for row in table.rows] == [
        ("good", "25.50", "+5.00", False), ("identity", "20.50", "", False), ("hole", "", "", True),
    ]  # fmt: skip
    assert not table.intervals


def test_no_model_that_harms_is_worth_its_time(tmp_path: Path) -> None:
    workspace(tmp_path, models=6, datasets=1, clips=3, metrics=1, holes=False)
    (cost,) = overview(facts_of(tmp_path)).costs
    gains = {name: float(gain.replace("−", "-")) for _, name, _, gain, _ in cost.rows}
    assert min(gains.values()) < 0
    assert all(gains[name] > 0 for _, name, _, _, inside in cost.rows if inside)


@pytest.mark.parametrize(
    ("title", "shown", "part"),
    [
        ("Old film: old film, severity 3", "Old film, severity 3", "severity 3"),
        ("Old film: light", "Old film: light", "light"),
        ("Something else", "Something else", "Something else"),
    ],
)
def test_titles_do_not_say_the_profile_twice(tmp_path: Path, title: str, shown: str, part: str) -> None:
    workspace(tmp_path, models=1, datasets=1, clips=1, metrics=1, holes=False)
    facts = facts_of(tmp_path)
    (name,) = facts.datasets
    described = {**facts.datasets[name], "recipe": {"title": "Old film"}}
    info = replace(facts.info(name), title=title)
    results = replace(facts.results, datasets={name: info})
    other = replace(facts, datasets={name: described}, results=results)
    assert (other.name(name), other.part(name)) == (shown, part)
    assert [group.title for group in dataset_groups(dataset_pages(other, {}))] == ["Old film"]
    assert not severity_profiles(other)


def test_a_clip_without_pictures_has_its_curves_and_worst_frames(tmp_path: Path, browser: object) -> None:
    clips = {f"clip{i}": scene(6, seed=i) for i in range(2)}
    dataset(tmp_path, "noise", clips, {"good": 6.0, "fair": 12.0})
    folder = build(tmp_path, media_budget=6_000).parent
    page = browser.new_page()  # type: ignore[attr-defined]
    page.goto((folder / "clips" / "noise" / "clip1.html").as_uri())
    assert page.locator("#v-stage").count() == 0
    assert "identity" in page.locator('.keys button[data-letter="A"]').inner_text()
    assert "good" in page.locator('.keys button[data-letter="B"]').inner_text()
    assert page.locator("#v-worst .jump").count() == 6
    assert page.locator("#v-worst td").first.inner_text() in {f"00:00:00:0{i}" for i in range(6)}
    page.get_by_role("button", name="fair").click()
    assert "fair" in page.locator('.keys button[data-letter="B"]').inner_text()
    # On paper the curves keep their names and the worst frames their numbers.
    page.emulate_media(media="print")
    assert page.locator(".keys button").first.is_visible()
    assert page.locator("#v-worst .jump").first.is_visible()
    page.close()


def test_the_page_of_a_clip_does_not_jump_while_it_loads(tmp_path: Path, browser: object) -> None:
    dataset(tmp_path, "noise", {"clip": scene(6, 90, 160)}, {"good": 6.0}, masks=True)
    folder = build(tmp_path).parent
    page = browser.new_page(viewport={"width": 1280, "height": 900})  # type: ignore[attr-defined]
    page.add_init_script(
        "window.shifts = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => { window.shifts += e.value; }))"
        ".observe({ type: 'layout-shift', buffered: true });"
    )
    page.goto((folder / "clips" / "noise" / "clip.html").as_uri())
    page.locator("#v-stage .pane img").first.wait_for()
    page.wait_for_function("document.getElementById('v-curve').childElementCount > 0")
    # 0.1 is what web.dev calls good; it was 0.5 before the place of the pictures was kept.
    assert page.evaluate("window.shifts") < 0.1
    assert "it is. Error maps" in page.locator(".about p").inner_text()
    page.close()


def test_a_card_has_all_that_a_model_costs(tmp_path: Path) -> None:
    figures(tmp_path, "a", {"identity": [20.0], "trained": [25.0]})
    (path,) = (tmp_path / "results" / "a").glob("trained/**/*.json")
    cell = Cell.model_validate_json(path.read_text("utf-8"))
    apart = PrecisionDifference(clip="c0", frames=8, psnr=58.25, levels=1.6)
    cost = Cost(
        frames=8,
        seconds=4.0,
        threads=2,
        device="cpu",
        multiply_adds=12_340_000_000,
        iterations=1500,
        tile="256x256",
        fp32_difference=apart,
    )
    path.unlink()
    write_cell(tmp_path, cell.model_copy(update={"cost": cost}))
    plain, trained = cards(facts_of(tmp_path))
    assert (plain.work, plain.iterations, plain.tiles, plain.from_fp32) == ("", "", "", "")
    assert trained.work == "12.3 G multiply-adds a frame"
    assert trained.iterations == "1,500 steps on a clip at most"
    assert trained.tiles == "256x256"
    assert trained.from_fp32 == "58.2 dB, at most 1.6 of 255 levels apart"
    build(tmp_path)
    page = (tmp_path / "report" / "models.html").read_text("utf-8")
    for text in (trained.work, trained.iterations, trained.tiles, trained.from_fp32):
        assert text in page
