"""The viewer in a browser: wipe, linked zoom, flip, maps on one scale, time, links, keys; no error, no network, no overflow."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from leaderboards.export import number, signed
from reports.clips import clip_path
from reports.html import build
from tests.reports.pictured import FLICKER, dataset, measured, scene
from tests.reports.synthetic import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MODELS = {"good": 3.0, "bad": 30.0}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with masks and hostile names, one without ground truth, one of a single frame."""
    root = tmp_path_factory.mktemp("viewer")
    clips = {"plain": scene(), HOSTILE[0]: scene(seed=3)}
    dataset(root, "film", clips, {**MODELS, HOSTILE[4]: 12.0}, masks=True)
    for model in ("identity", *MODELS, HOSTILE[4]):
        for clip in clips:
            measured(root, "film", model, clip, FLICKER, [2.0, -6.0, 3.0, 4.0, 1.0, 0.0], 0.5)
    dataset(root, "real", {"reel": scene()}, MODELS, truth=False)
    dataset(root, "still", {"one": scene(1)}, MODELS)
    return build(root).parent


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of which three of twenty frames are there without loss, and the others in videos."""
    root = tmp_path_factory.mktemp("few")
    dataset(root, "film", {"plain": scene(20)}, MODELS)
    whole = build(root, root / "whole").parent
    size = sum(p.stat().st_size for p in (whole / "media").iterdir())
    return build(root, root / "few", media_budget=int(size * 0.45)).parent


Open = Callable[..., "Page"]


@pytest.fixture
def look(browser: Browser) -> Iterator[Open]:
    """Opens a page; at the end there was no error on any, and nothing was asked of the network."""
    contexts = []
    troubles: list[str] = []

    def opened(
        folder: Path, path: str, *, width: int = 1000, height: int = 800, wait: bool = True, **context: Any
    ) -> Page:
        made = browser.new_context(viewport={"width": width, "height": height}, **context)
        contexts.append(made)
        page = made.new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else troubles.append(r.url))
        page.on("requestfailed", lambda r: None if r.url.endswith(".mp4") else troubles.append(f"failed: {r.url}"))
        where, _, state = path.partition("#")
        page.goto((folder / where).as_uri() + (f"#{state}" if state else ""))
        if wait:
            until(page, "viewer.stage && [...document.querySelectorAll('.pane .base')].some((i) => i.complete)")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


PLAIN = clip_path("film", "plain")


def until(page: Page, expression: str, seconds: float = 20) -> None:
    """Wait for something; Playwright's own way to poll within the page is forbidden by the page's policy."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(40)


def state(page: Page, key: str) -> Any:
    return page.evaluate(f"viewer.state.{key}")


def settled(page: Page) -> None:
    """Pictures are decoded and in place, and the address says what is shown."""
    until(
        page,
        "[...document.querySelectorAll('.pane img')].every((i) => i.hidden || (i.complete && i.naturalWidth > 0 &&"
        " i.getAttribute('src') === i.dataset.url))",
    )
    page.wait_for_timeout(200)


def shot(page: Page, selector: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB"))


def bare(page: Page, on: bool) -> None:
    """Pictures without the words on them."""
    value = "hidden" if on else ""
    page.evaluate(f"for (const e of document.querySelectorAll('.chip, .kind, #v-bar')) e.style.visibility = '{value}'")


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_wipe_by_mouse(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN)
    x, y = middle(page, "#v-wipe span")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 240, y, steps=4)
    page.mouse.up()
    width = page.locator("#v-cells").bounding_box()["width"]  # type: ignore[index]
    assert state(page, "wipe") == pytest.approx(0.5 - 240 / width, abs=0.01)
    clip = page.evaluate("document.querySelector('.pane.above').style.clipPath")
    assert float(clip.split()[1].rstrip("%")) == pytest.approx(100 - 100 * state(page, "wipe"), abs=0.1)
    slider = page.locator("#v-wipe")
    assert int(slider.get_attribute("aria-valuenow") or -1) == pytest.approx(100 * state(page, "wipe"), abs=1)
    assert "Input left" in str(slider.get_attribute("aria-valuetext"))


def test_the_wipe_shows_each_source_on_its_side(pages: Path, look: Open) -> None:
    """Pixels left and right of the divider are those of the frames that were stored."""
    page = look(pages, f"{PLAIN}#a=truth&b=input&z=4&x=40&y=24&f=3")
    settled(page)
    picture = shot(page, "#v-cells")
    height, width = picture.shape[:2]
    clean = scene()[3]
    for dx in (-25, -12, 8):  # a picture pixel is four screen pixels; the middle one is at (40, 24)
        px = picture[height // 2 + 2 + 4 * 5, width // 2 + 2 + 4 * dx]
        same = np.abs(px.astype(int) - clean[24 + 5, 40 + dx]).max() <= 1
        assert same == (dx < 0)


def test_the_wipe_by_touch(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN, width=400, height=800, has_touch=True)
    page.locator("#v-stage").scroll_into_view_if_needed()
    x, y = middle(page, "#v-wipe span")
    cdp = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", x), ("touchMove", x + 40), ("touchMove", x + 80), ("touchEnd", None)):
        points = [] if at is None else [{"x": at, "y": y}]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    width = page.locator("#v-cells").bounding_box()["width"]  # type: ignore[index]
    assert state(page, "wipe") == pytest.approx(0.5 + 80 / width, abs=0.02)


def test_two_fingers_enlarge(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#view=single", width=400, height=800, has_touch=True)
    x, y = middle(page, "#v-stage")
    before = page.evaluate("viewer.stage.size()")
    cdp = page.context.new_cdp_session(page)
    for gap in (20, 30, 40, 60):
        kind = "touchStart" if gap == 20 else "touchMove"
        points = [{"x": x - gap, "y": y, "id": 1}, {"x": x + gap, "y": y, "id": 2}]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert page.evaluate("viewer.stage.size()") == pytest.approx(3 * before, rel=0.2)


def test_the_wipe_by_keyboard(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN)
    slider = page.get_by_role("slider", name="Divider between A and B")
    slider.focus()
    frame = state(page, "f")
    for key in ("ArrowRight", "ArrowRight", "PageUp", "ArrowLeft"):
        page.keyboard.press(key)
    assert state(page, "wipe") == pytest.approx(0.61)
    assert slider.get_attribute("aria-valuenow") == "61"
    page.keyboard.press("Home")
    assert state(page, "wipe") == 0
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuenow") == "100"
    assert state(page, "f") == frame
    page.keyboard.press("v")
    assert slider.get_attribute("aria-orientation") == "vertical"


def transforms(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.pane .lens .world')].map((w) => w.style.transform)"
    )
    return found


@pytest.mark.parametrize("view", ["side", "grid", "wipe"])
def test_zoom_is_linked(pages: Path, look: Open, view: str) -> None:
    page = look(pages, f"{PLAIN}#view={view}")
    first = transforms(page)
    assert len(first) == {"side": 2, "grid": 5, "wipe": 2}[view]
    assert len(set(first)) == 1
    x, y = middle(page, ".pane")
    page.mouse.move(x + 20, y + 10)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    until(page, "viewer.state.zoom !== null")
    second = transforms(page)
    assert len(set(second)) == 1
    assert second[0] != first[0]
    zoom = state(page, "zoom")
    page.keyboard.press("+")
    assert state(page, "zoom") == pytest.approx(zoom * 1.25)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + (0 if view == "wipe" else 30), y + 25, steps=3)
    page.mouse.up()
    third = transforms(page)
    assert len(set(third)) == 1
    page.evaluate("document.activeElement.blur()")  # on the divider arrows move it
    page.evaluate("viewer.stage.zoomTo(30)")
    x, y = state(page, "x"), state(page, "y")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert (state(page, "x"), state(page, "y")) == pytest.approx((x + 60 / 30, y + 60 / 30))
    page.keyboard.press("0")
    assert state(page, "zoom") is None
    assert transforms(page) == first


def test_the_wheel_is_the_pages_until_the_picture_is_clicked(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#view=single", height=500)
    x, y = middle(page, "#v-stage")
    page.mouse.move(x, min(y, 450))
    page.mouse.wheel(0, 60)
    until(page, "scrollY > 0")
    assert state(page, "zoom") is None
    page.mouse.click(x, 200)
    page.mouse.wheel(0, -200)
    until(page, "viewer.state.zoom !== null")


def test_what_is_under_the_pointer_stays_there(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#view=side&z=16&x=30&y=20")
    x, y = middle(page, ".pane")
    before = (30 + 40 / 16, 20 - 24 / 16)
    page.mouse.move(x + 40, y - 24)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    until(page, "viewer.state.zoom > 16.5")
    zoom = state(page, "zoom")
    assert (state(page, "x") + 40 / zoom, state(page, "y") - 24 / zoom) == pytest.approx(before, abs=0.05)


def test_one_to_one_is_pixel_by_pixel(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#view=single&a=truth&f=2", device_scale_factor=2)
    page.mouse.dblclick(*middle(page, "#v-stage"))
    assert state(page, "zoom") == 1
    settled(page)
    bare(page, True)
    picture = shot(page, ".pane").astype(int)
    clean = scene()[2].astype(int)
    places = [
        (y, x)
        for y in range(picture.shape[0] // 2 - 30, picture.shape[0] // 2 - 19)
        for x in range(picture.shape[1] // 2 - 46, picture.shape[1] // 2 - 35)
        if (np.abs(picture[y : y + 49, x : x + 81] - clean) <= 1).all()
    ]
    assert len(places) == 1
    page.keyboard.press("z")
    assert state(page, "zoom") is None


def test_flip_in_place(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#a=truth&b=model%3Abad")
    page.keyboard.press("f")
    settled(page)
    assert page.locator(".pane").count() == 1
    first = shot(page, ".pane")
    shown = page.locator(".pane .chip").inner_text()
    page.keyboard.press("f")
    settled(page)
    second = shot(page, ".pane")
    assert shown.startswith("B bad")
    assert page.locator(".pane .chip").inner_text().startswith("A Ground truth")
    assert np.abs(first.astype(int) - second).mean() > 3
    page.keyboard.press("x")
    assert (state(page, "a"), state(page, "b")) == ("model:bad", "truth")
    page.keyboard.press("]")
    assert state(page, "b") == "model:good"


def coloured(error: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """The colours of an error map as matplotlib has them."""
    from matplotlib import colormaps

    colours: NDArray[np.float64] = np.asarray(colormaps["inferno"](np.clip(error / scale, 0, 1)))[..., :3] * 255
    return colours


def test_maps_of_errors_are_right_and_on_one_scale(pages: Path, look: Open) -> None:
    """Every pixel of the maps has matplotlib's colour of the mean absolute difference, for all models on one scale.

    Within 6 levels: the table has 33 stops between which the browser goes straight, and its filters have 8 bits.
    """
    page = look(pages, f"{PLAIN}#view=grid&show=error&z=2&x=40.5&y=24.5&f=3", width=1300)
    for scale in (32, 64):
        page.select_option("#v-scale", str(scale))
        settled(page)
        bare(page, True)
        stills = page.evaluate("Object.fromEntries(viewer.sources.map((s) => [s.key, s.stills[3]]))")
        folder = pages / PLAIN
        truth = np.asarray(Image.open(folder.parent / stills["truth"]).convert("RGB"), dtype=float)
        for key in ("input", "model:good", "model:bad"):
            image = np.asarray(Image.open(folder.parent / stills[key]).convert("RGB"), dtype=float)
            wanted = coloured(np.abs(image - truth).mean(axis=2), scale)
            shown = shot(page, f'.pane[data-key="{key}"]').astype(float)
            top, left = (shown.shape[0] - 98) // 2, (shown.shape[1] - 162) // 2
            found = min(
                float(np.quantile(np.abs(shown[t : t + 98 : 2, x : x + 162 : 2] - wanted), 0.99))
                for t in range(top - 1, top + 3)
                for x in range(left - 1, left + 3)
            )
            assert found <= 6
        bare(page, False)
    assert page.locator('.pane[data-key="truth"] .lens.error').count() == 0  # it has no error to itself


def test_masks_are_switched_by_kind_and_by_key(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#view=single&f=2")
    masks = page.locator(".pane .mask")
    assert [masks.nth(i).is_visible() for i in range(2)] == [False, False]
    page.keyboard.press("m")
    settled(page)
    assert [masks.nth(i).is_visible() for i in range(2)] == [True, True]
    page.locator("#v-masks summary").click()
    page.get_by_label("dirt").uncheck()
    settled(page)
    assert [masks.nth(i).is_visible() for i in range(2)] == [False, True]
    assert "masks=scratch" in page.url
    page.evaluate("viewer.goTo(3)")  # nothing is marked on odd frames
    settled(page)
    assert not masks.nth(1).is_visible()


def test_the_frame_is_linked_to_the_curve_both_ways(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN)
    page.keyboard.press("ArrowRight")
    frame = state(page, "f")
    assert page.locator(".curve .now").get_attribute("data-frame") == str(frame)
    assert page.locator("#v-frame").input_value() == str(frame)
    page.locator(".curve").scroll_into_view_if_needed()
    box = page.locator(".curve").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + 60)
    assert "frame 8" in page.locator(".readout").inner_text()
    assert "good" in page.locator(".readout").inner_text()
    page.mouse.click(box["x"] + box["width"] - 10, box["y"] + 60)
    assert state(page, "f") == 7
    settled(page)
    assert page.locator(".pane .base").first.get_attribute("src") == page.evaluate("viewer.sources[0].stills[7]")
    page.select_option("#v-metric", "warp_error")
    assert "warp_error" in str(page.locator(".curve").get_attribute("aria-label"))
    assert page.locator("#v-slices").get_attribute("data-frame") in (None, "7")


def test_worst_frames_first(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#b=model%3Abad")
    values = page.evaluate("viewer.clip.curves.psnr.bad")
    order = sorted(range(8), key=lambda t: values[t])
    shown = [int(text) - 1 for text in page.locator("#v-worst .jump").all_inner_texts()]
    assert shown == order
    page.locator("#v-worst .jump").nth(0).click()
    assert state(page, "f") == order[0]
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    assert state(page, "f") == order[1]
    page.select_option("#v-by", "loss")
    given = page.evaluate("viewer.clip.curves.psnr.identity")
    losses = sorted(range(8), key=lambda t: values[t] - given[t])
    assert [int(text) - 1 for text in page.locator("#v-worst .jump").all_inner_texts()] == losses


def test_of_signed_figures_the_far_ones_are_worst(pages: Path, look: Open) -> None:
    """Flicker has a step of either sign for every three frames: two figures less than frames, told at the middle one."""
    page = look(pages, f"{PLAIN}#metric=flicker&b=model%3Agood")
    assert [int(text) - 1 for text in page.locator("#v-worst .jump").all_inner_texts()] == [2, 4, 3, 1, 5, 6]
    assert page.locator("#v-worst td.num").first.inner_text() == "−6.000"
    assert "good0.500" in "".join(page.locator("#v-legend button").all_inner_texts()).replace("\n", "")


def test_figures_have_the_digits_of_the_boards(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#b=model%3Abad")
    for value in (24.6, -0.001, 0.0, 31.4159, 0.00123456):
        for name in ("psnr", "warp_error", "flicker"):
            shown = page.evaluate(f"viewer.signed({value!r}, {name!r})")
            assert shown == signed(value, name)
            assert page.evaluate(f"viewer.figure({abs(value)!r}, {name!r})") == number(abs(value), name)
    assert page.evaluate("[viewer.figure(Infinity, 'psnr'), viewer.signed(-Infinity, 'psnr')]") == ["∞", "−∞"]
    # Frames that equal the ground truth are best, and leave a gap in the curve.
    page.evaluate(
        """() => { viewer.clip.curves.psnr.bad[2] = Infinity; viewer.set({ b: "model:good" }); viewer.set({ b: "model:bad" }); }"""
    )
    assert page.locator("#v-worst .jump").last.inner_text() == "3"
    assert page.locator("#v-worst tr").last.inner_text().split()[-2:] == ["∞", "+∞"]


def test_paper_shows_the_whole_picture(pages: Path, look: Open) -> None:
    """A sheet is narrower than a window, of which the page is not told before it prints."""
    page = look(pages, PLAIN, width=1280)
    wide = page.evaluate("viewer.stage.size()")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("viewer.stage.element.clientWidth") == 690
    assert page.evaluate("viewer.stage.size() * viewer.clip.width") <= 690
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("viewer.stage.size()") == wide


def test_without_a_script_there_are_pictures_and_no_dead_controls(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN, wait=False, java_script_enabled=False)
    assert page.locator("noscript img").count() == 5
    for part in (".panel", ".time", ".curves", ".slices"):
        assert not page.locator(part).first.is_visible(), part


def test_upright_pictures_stand_beside_each_other_on_a_phone(tmp_path: Path, look: Open) -> None:
    dataset(tmp_path, "film", {"tall": scene(2, 96, 30)}, MODELS)
    page = look(build(tmp_path).parent, f"{clip_path('film', 'tall')}#view=grid", width=400)
    assert (
        page.evaluate("getComputedStyle(document.getElementById('v-cells')).gridTemplateColumns.split(' ').length") == 2
    )


def test_slices_have_one_axis_of_time(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN)
    page.locator("#v-slices").scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('#v-slices img').length === 5")
    heights = page.evaluate("[...document.querySelectorAll('.slice')].map((b) => b.clientHeight)")
    assert len(set(heights)) == 1
    box = page.locator(".slice").nth(1).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] * (6.5 / 8))
    assert state(page, "f") == 6
    tops = page.evaluate("[...document.querySelectorAll('.slice .cursor')].map((c) => c.style.top)")
    assert tops == [f"{100 * 6.5 / 8:g}%"] * 5
    page.get_by_role("radio", name="Column (y–t)").click()
    page.select_option("#v-place", "4")
    page.get_by_label("show the line on the picture").check()
    rule = page.locator(".pane .rule").first
    assert "upright" in str(rule.get_attribute("class"))
    size, left = page.evaluate("viewer.stage.size()"), page.evaluate("viewer.clip.columns[4]")
    wide = page.locator(".pane").first.bounding_box()
    assert wide is not None
    place = float(page.evaluate("parseFloat(document.querySelector('.rule').style.left)"))
    assert place == pytest.approx(wide["width"] / 2 + (left + 0.5 - 40.5) * size, abs=1)


def test_a_link_shows_the_same_again(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN)
    for key in ("ArrowRight", "s", "]", "e", "+", "+", "m"):
        page.keyboard.press(key)
    page.evaluate(
        "viewer.set({ x: 33.25, y: 12.5, scale: 64, line: 'c', place: 1, ruled: true, metric: 'warp_error' })"
    )
    page.wait_for_timeout(300)
    names = ("f", "a", "b", "view", "show", "scale", "zoom", "x", "y", "masks", "line", "place", "ruled", "metric")
    before = {name: state(page, name) for name in names}
    other = look(pages, PLAIN + "#" + page.url.split("#")[1])
    after = {name: state(other, name) for name in names}
    assert before == pytest.approx(after, abs=1e-2)  # type: ignore[comparison-overlap]
    assert other.locator("#v-a").input_value() == before["a"]
    assert other.get_by_role("radio", name="Side").get_attribute("aria-checked") == "true"
    other.evaluate("location.hash = '#f=1&view=wipe&a=nobody&z=1e9'")
    until(other, "viewer.state.f === 1")
    assert (state(other, "view"), state(other, "a"), state(other, "zoom")) == ("wipe", "input", 64)


def test_frames_without_stills_come_from_the_video_and_say_so(few: Path, look: Open) -> None:
    page = look(few, PLAIN)
    stills = page.evaluate("viewer.clip.stills")
    assert 1 < len(stills) < 20
    without = next(f for f in range(20) if f not in stills)
    page.evaluate(f"viewer.goTo({without})")
    until(page, "[...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && !v.seeking)")
    assert page.locator(".pane .kind").all_inner_texts() == ["lossy preview"] * 2
    times = page.evaluate("[...document.querySelectorAll('video')].map((v) => v.currentTime * 24)")
    assert [int(t) for t in times] == [without] * 2
    page.keyboard.press("e")  # a map is made of stills only
    settled(page)
    assert state(page, "f") in stills
    page.keyboard.press("ArrowRight")
    assert state(page, "f") in stills
    assert page.locator(".pane .kind").all_inner_texts() == ["lossless"] * 2


def test_two_videos_play_together(few: Path, look: Open) -> None:
    page = look(few, f"{PLAIN}#view=side&f=0")
    assert page.locator("#v-from").input_value() == "video"
    page.select_option("#v-speed", "0.25")
    page.get_by_role("button", name="Play").click()
    until(page, "viewer.state.f >= 3")
    times = page.evaluate("[...document.querySelectorAll('video')].map((v) => v.currentTime)")
    assert len(times) == 2
    assert abs(times[0] - times[1]) < 1.5 / 24
    page.get_by_role("button", name="Stop").click()
    frame = state(page, "f")
    page.wait_for_timeout(300)
    assert state(page, "f") == frame


def test_stills_play_where_all_are_there(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#f=0")
    assert page.locator("#v-from").input_value() == "stills"
    page.keyboard.press(" ")
    until(page, "viewer.state.f >= 2")
    page.keyboard.press(" ")
    assert page.get_by_role("button", name="Play").is_visible()
    assert page.locator(".pane .kind").first.inner_text() == "lossless"


def test_videos_decode(pages: Path) -> None:
    files = list((pages / "media").glob("*.mp4"))
    assert len(files) == 5 + 5  # what is the same in two data sets has one file
    for file in files:
        with av.open(str(file)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 8


@pytest.mark.parametrize("path", [PLAIN, f"{PLAIN}#view=grid&show=error", clip_path("film", HOSTILE[0]), "clips.html"])
def test_narrow_screens_do_not_scroll_sideways(pages: Path, look: Open, path: str) -> None:
    page = look(pages, path, width=400, height=800, wait="clips.html" not in path)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_without_ground_truth(pages: Path, look: Open) -> None:
    page = look(pages, f"{clip_path('real', 'reel')}#show=error")
    assert state(page, "show") == "picture"
    page.keyboard.press("e")
    assert state(page, "show") == "picture"
    page.keyboard.press("d")
    settled(page)
    assert page.locator(".lens.error").count() == 1
    assert "Input − good" in page.locator(".chip").inner_text()


def test_a_single_frame(pages: Path, look: Open) -> None:
    page = look(pages, clip_path("still", "one"))
    for key in ("ArrowRight", " ", "n", "l", "g", "e", "?"):
        page.keyboard.press(key)
    assert page.get_by_role("dialog").is_visible()


def test_hostile_names(pages: Path, look: Open) -> None:
    page = look(pages, clip_path("film", HOSTILE[0]))
    page.evaluate(f"viewer.set({{ b: {('model:' + HOSTILE[4])!r} }})")
    settled(page)
    assert HOSTILE[4] in page.locator(".chip").nth(1).inner_text()
    page.locator(".curve").scroll_into_view_if_needed()
    page.mouse.move(*middle(page, ".curve"))
    assert "alert" in page.locator(".readout").inner_text()
    assert page.evaluate("document.querySelectorAll('script:not([src]):not([type=\"application/json\"])').length") == 0


def test_the_index_finds(pages: Path, look: Open) -> None:
    page = look(pages, "clips.html", wait=False)
    page.get_by_label("Find").fill("reel")
    assert page.locator(".cards li:visible").count() == 1
    assert page.locator("#found").inner_text() == "1 clip"
    page.locator(".cards li:visible a").click()
    page.wait_for_url("**/reel.html")
    page.wait_for_load_state()
    assert page.evaluate("viewer.clip.clip") == "reel"


def test_screen_readers_are_told_what_is_shown(pages: Path, look: Open) -> None:
    page = look(pages, f"{PLAIN}#f=2")
    page.keyboard.press("ArrowRight")
    until(page, "document.getElementById('v-status').textContent.includes('Frame 4 of 8')")
    said = page.locator("#v-status").inner_text()
    assert "A Input, psnr" in said
    assert "B good, psnr" in said
    names = page.evaluate(
        "[...document.querySelectorAll('button, select, input, [role=slider]')].filter((e) => e.offsetParent)"
        ".filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert names == []


def test_single_keys_can_be_switched_off(pages: Path, look: Open) -> None:
    page = look(pages, PLAIN)
    page.keyboard.press("?")
    page.get_by_label("Single keys work").uncheck()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    assert state(page, "view") == "wipe"
    frame = state(page, "f")
    page.keyboard.press("ArrowRight")
    assert state(page, "f") == frame + 1
