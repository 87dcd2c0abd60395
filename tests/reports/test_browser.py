"""The report in a browser: no error, no request, usable by mouse, keyboard and screen reader, at 400 pixels and in the dark."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.single import build_single
from tests.reports.synthetic import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = (
    "index.html", "boards.html", "boards/oldfilm-light.html", "severity.html", "models.html", "damage.html", "method.html",
)  # fmt: skip


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose errors and requests fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
    opened.on("requestfailed", lambda request: wrong.append(f"not there: {request.url}"))
    yield opened
    context.close()
    assert not wrong


def board(page: Page, report: Path, state: str = "") -> None:
    page.goto((report / "boards" / "oldfilm-light.html").as_uri() + state)


def column(page: Page, key: str) -> list[str]:
    """What a column shows, of rows that are shown."""
    found: list[str] = page.evaluate(
        """(key) => {
            const table = document.querySelector("table.figures");
            const i = [...table.tHead.rows[0].cells].findIndex((cell) => cell.dataset.key === key);
            return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[i].dataset.v);
        }""",
        key,
    )
    return found


@pytest.mark.parametrize("name", PAGES)
def test_opens_from_a_file_and_is_accessible(page: Page, report: Path, name: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    ).Axe()
    page.goto((report / name).as_uri())
    # In the dark only colours are others. axe may not fetch style sheets: our policy forbids it, rightly.
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        page.emulate_media(color_scheme=scheme)
        found = axe.run(page, options={"preload": False, "resultTypes": ["violations"], **rules}).response["violations"]
        serious = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
        assert not serious, scheme


@pytest.mark.parametrize("name", PAGES)
def test_nothing_scrolls_sideways_at_400_pixels(page: Page, report: Path, name: str) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto((report / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    # Nothing sticks out of its own box either, but within what scrolls by itself.
    out = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter((e) => !e.closest(".scroll, svg, .hidden, .sheet, pre, template")
            && e.getClientRects().length && e.getBoundingClientRect().right > 401).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert not out


def test_sorting_puts_the_best_first_and_holes_last(page: Page, report: Path) -> None:
    board(page, report)
    page.get_by_role("button", name="ssim").click()
    figures = column(page, "ssim")
    assert figures[-1] == "", "the model with a hole stands last"
    values = [float(v) for v in figures[:-1]]
    assert values == sorted(values, reverse=True)
    page.get_by_role("button", name="ssim").click()
    assert [float(v) for v in column(page, "ssim")[:-1]] == sorted(values)
    assert column(page, "ssim")[-1] == ""
    page.get_by_role("button", name="lpips").click()
    losses = [float(v) for v in column(page, "lpips")]
    assert losses == sorted(losses), "less is better"
    assert page.get_by_role("columnheader", name="lpips").get_attribute("aria-sort") == "ascending"


def test_a_view_is_a_link(page: Page, report: Path) -> None:
    board(page, report)
    page.get_by_role("button", name="lpips").press("Enter")
    page.get_by_placeholder("Search models").fill("made-up")
    page.locator('[data-tool="show"]').select_option("gain")
    page.get_by_label("hide worse than input").check()
    page.locator(".menu summary").click()
    page.get_by_role("checkbox", name="memory").uncheck()
    page.keyboard.press("Escape")
    assert not page.locator(".menu .sheet").is_visible()
    address = page.url
    assert "#" in address
    before = (column(page, "model"), page.locator("table.figures thead th:visible").count())
    assert 1 < len(before[0]) < 8
    page.goto("about:blank")
    page.goto(address)
    assert (column(page, "model"), page.locator("table.figures thead th:visible").count()) == before
    assert page.get_by_placeholder("Search models").input_value() == "made-up"
    assert page.locator('[data-tool="show"]').input_value() == "gain"
    page.get_by_role("button", name="Reset view").click()
    assert "#" not in page.url
    assert len(column(page, "model")) == 8


def test_a_broken_link_shows_the_usual_view(page: Page, report: Path) -> None:
    board(page, report, "#sort=nothing.sideways&show=%3Cb%3E&columns=~~&for=none&model=none&b7.q=x")
    assert len(column(page, "model")) == 8
    places = [int(place) for place in column(page, "rank") if place]
    assert places == sorted(places)


def test_searching_says_how_many_are_shown(page: Page, report: Path) -> None:
    board(page, report)
    page.get_by_placeholder("Search models").fill("other")
    assert column(page, "model") == ["other"]
    assert page.locator('[data-tool="shown"]').inner_text() == "1 of 8 models"


def test_copies_hold_what_is_shown(page: Page, report: Path) -> None:
    board(page, report)
    texts = {
        name: page.evaluate(
            """(name) => vbench.formats[name](document.querySelector("table.figures"), vbench.data("copies").b0)""",
            name,
        )
        for name in ("csv", "markdown", "latex")
    }
    rows = list(csv.reader(io.StringIO(texts["csv"])))
    assert rows[0] == ["place", "model", "psnr", "ssim", "lpips", "seconds_per_frame", "memory_bytes"]
    assert len(rows) == 9
    assert all(len(row) == 7 for row in rows)
    assert HOSTILE[0] in {row[1] for row in rows}
    assert rows[1][2] == column(page, "psnr")[0], "in full"
    assert "\\|" not in texts["markdown"].splitlines()[1]
    assert "\\<script\\>" in texts["markdown"]
    assert texts["latex"].count(r"\toprule") == 1
    assert r"\{\{ 7*7 \}\}" in texts["latex"]
    assert r"\textbf{" in texts["latex"]
    page.get_by_placeholder("Search models").fill("other")
    short = page.evaluate("""vbench.formats.csv(document.querySelector("table.figures"), vbench.data("copies").b0)""")
    assert len(short.splitlines()) == 2
    page.get_by_role("button", name="Markdown").click()
    page.get_by_role("button", name="Copied").wait_for(timeout=3000)


def test_everything_is_reached_by_keyboard(page: Page, report: Path) -> None:
    board(page, report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.dataset.tool || document.activeElement.closest('th')?.dataset.key || ''"
            )
        )
    assert {"q", "for", "show", "helps", "psnr", "lpips", "memory"} <= reached


def test_names_are_shown_as_they_are(page: Page, report: Path) -> None:
    board(page, report)
    shown = page.evaluate(
        """[...document.querySelectorAll("table.figures tbody .model .name")].map((e) => e.textContent)"""
    )
    expected = {name.replace("\u202e", "‹U+202E›").replace("\u2066", "‹U+2066›") for name in HOSTILE}
    assert expected <= set(shown)
    # What turns direction in a name does not turn what follows: figures still stand to the right of names.
    places = page.evaluate(
        """() => {
            const left = (row, part) => row.querySelector(part).getBoundingClientRect().left;
            return [...document.querySelectorAll("table.figures tbody tr")].map((row) => left(row, ".name") < left(row, ".v"));
        }"""
    )
    assert all(places)
    assert page.evaluate("document.images.length") == 0


def test_a_model_is_pointed_at_in_all_charts(page: Page, report: Path) -> None:
    page.goto((report / "severity.html").as_uri())
    page.locator(".legend").get_by_role("button", name="plain").click()
    assert page.evaluate("document.body.classList.contains('pointing')")
    on = page.locator(".curve.on")
    assert on.count() == 2, "the wide and the narrow chart"
    assert "model=plain" in page.url
    assert "model=plain" in (page.get_by_role("link", name="Overview").get_attribute("href") or "")
    page.keyboard.press("Escape")
    assert not page.evaluate("document.body.classList.contains('pointing')")
    assert "model" not in page.url
    page.get_by_label("Metric").first.select_option("ssim")
    assert "p0=ssim" in page.url
    page.reload()
    assert page.get_by_label("Metric").first.input_value() == "ssim"
    assert "Gain in ssim" in page.locator("[data-profile] figcaption").first.inner_text()


def test_a_point_tells_what_it_is(page: Page, report: Path) -> None:
    page.goto((report / "index.html").as_uri())
    point = page.locator(".wide .point").first
    point.scroll_into_view_if_needed()
    point.hover()
    tip = page.locator(".tip")
    assert tip.is_visible()
    assert "s per frame" in tip.inner_text()


def test_the_theme_is_kept(page: Page, report: Path) -> None:
    page.emulate_media(color_scheme="light")
    page.goto((report / "index.html").as_uri())

    def paper() -> Any:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = paper()
    page.get_by_role("button", name="Switch between dark and light").click()
    dark = paper()
    assert dark != light
    page.goto((report / "models.html").as_uri())
    assert paper() == dark


def test_cards_are_searched(page: Page, report: Path) -> None:
    page.goto((report / "models.html").as_uri() + "#q=plain")
    assert page.locator(".card:visible").count() == 1
    assert page.locator('[data-tool="shown"]').inner_text() == "1 of 8 models"


def test_one_file_is_many_pages(page: Page, made_up: Path, tmp_path: Path) -> None:
    one = build_single(made_up, tmp_path / "one.html")
    page.goto(one.as_uri())
    page.get_by_role("link", name="Boards", exact=True).click()
    page.get_by_role("heading", name="Boards", level=1).wait_for()
    page.get_by_role("link", name="Oldfilm: light").click()
    page.get_by_role("heading", name="Oldfilm: light", level=1).wait_for()
    page.get_by_role("button", name="lpips").click()
    address = page.url
    before = column(page, "model")
    page.get_by_role("link", name="other", exact=True).first.click()
    page.get_by_role("heading", name="Models", level=1).wait_for()
    assert "at=model-other" in page.url
    page.go_back()
    page.get_by_role("heading", name="Oldfilm: light", level=1).wait_for()
    assert page.url == address
    assert column(page, "model") == before
    assert page.get_by_role("columnheader", name="lpips").get_attribute("aria-sort") == "ascending"
    page.goto("about:blank")
    page.goto(one.as_uri() + "#page=nothing.html")
    assert page.get_by_role("heading", level=1).inner_text() == "Video restoration benchmark"


def test_without_scripts_everything_is_there(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    board(page, report)
    assert page.locator("table.figures tbody tr").count() == 8
    assert not page.locator(".tools").first.is_visible()
    page.goto((report / "severity.html").as_uri())
    assert page.locator(".chart.wide").count() == 1
    context.close()
