"""The pages of clips as files: what the viewer is told, names shown as they are, pages without pictures or truth."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reports.clips import clip_path, viewer_data
from reports.html import build
from reports.media import ClipMedia, SourceMedia
from tests.reports.pictured import PSNR, dataset, measured, scene
from tests.reports.synthetic import HOSTILE


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three data sets: of hostile names with masks, without ground truth, of a single frame."""
    root = tmp_path_factory.mktemp("clips")
    dataset(root, "film", {HOSTILE[0]: scene(seed=3), HOSTILE[2]: scene()}, {"good": 3.0, HOSTILE[4]: 30.0}, masks=True)
    dataset(root, "real", {"reel": scene()}, {"good": 3.0}, truth=False)
    dataset(root, "still", {"one": scene(1)}, {"good": 3.0})
    measured(root, "film", "good", HOSTILE[0], PSNR, [30, math.inf, 30, 30, 30, 30, 30, math.nan])
    return build(root).parent


def told(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="clip">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


class _Elements(HTMLParser):
    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_clip_has_a_page_and_stands_in_the_index(pages: Path) -> None:
    index = _Elements(pages / "clips.html")
    links = [a["href"] for tag, a in index.found if tag == "a" and str(a.get("href")).startswith("clips/")]
    wanted = {("film", HOSTILE[0]), ("film", HOSTILE[2]), ("real", "reel"), ("still", "one")}
    assert set(links) == {clip_path(*place) for place in wanted}
    assert all((pages / str(link)).is_file() for link in links)
    assert HOSTILE[0] in index.text
    assert "right to left" in index.text
    images = [a for tag, a in index.found if tag == "img"]
    assert images
    assert all(a["loading"] == "lazy" and (pages / str(a["src"])).is_file() for a in images)


def test_all_files_that_a_page_names_are_there(pages: Path) -> None:
    for page in sorted(pages.glob("clips/*/*.html")):
        data = told(page)
        files = [f for s in data["sources"] for f in [*s["stills"], s["rows"], s["columns"], s["video"]]]
        files += [f for m in data["masks"] for f in m["stills"]] + [data["strip"]["file"]]
        assert all((page.parent / f).is_file() for f in files if f)
        for tag, attributes in _Elements(page).found:
            for name in ("src", "href"):
                link = attributes.get(name)
                if link and not link.startswith(("#", "data:")):
                    assert (page.parent / link.split("#")[0]).is_file(), (page, tag, link)


def test_media_are_named_by_pages_and_nothing_else_is_there(pages: Path) -> None:
    text = "".join(p.read_text("utf-8") for p in pages.rglob("*.html"))
    for file in (pages / "media").iterdir():
        assert file.name in text


def test_names_are_text(pages: Path) -> None:
    page = pages / clip_path("film", HOSTILE[0])
    text = page.read_text("utf-8")
    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|49<script>", text)
    elements = _Elements(page)
    assert not any("onerror" in a for _, a in elements.found)
    assert told(page)["clip"] == HOSTILE[0]
    assert {s["label"] for s in told(page)["sources"]} == {"Input", "Ground truth", "good", HOSTILE[4]}


def test_figures_that_are_none_are_holes(pages: Path) -> None:
    data = told(pages / clip_path("film", HOSTILE[0]))
    assert data["curves"]["psnr"]["good"] == [30, "inf", 30, 30, 30, 30, 30, None]
    assert len(data["curves"]["warp_error"]["good"]) == 7
    assert [m["name"] for m in data["metrics"]] == ["psnr", "warp_error"]
    assert data["metrics"][1]["direction"] == "lower"


def test_without_ground_truth_nothing_asks_for_it(pages: Path) -> None:
    page = pages / clip_path("real", "reel")
    text = page.read_text("utf-8")
    assert "no ground truth" in text
    assert 'data-show="error"' not in text
    assert 'data-show="difference"' in text
    assert [s["key"] for s in told(page)["sources"]] == ["input", "model:good"]


def test_a_single_frame_has_figures_and_no_time(pages: Path) -> None:
    page = pages / clip_path("still", "one")
    ids = {a.get("id") for _, a in _Elements(page).found}
    assert "v-stage" in ids
    assert not {"v-frame", "v-play", "v-slices", "v-curve"} & ids
    assert "psnr" in page.read_text("utf-8")
    rows = re.findall(r'<td class="num">([^<]*)</td>', page.read_text("utf-8"))
    assert len(rows) == 2
    assert all(re.fullmatch(r"\d+\.\d\d", figure) for figure in rows)


def test_lossy_is_called_lossy(pages: Path) -> None:
    text = (pages / clip_path("film", HOSTILE[2])).read_text("utf-8")
    assert "are lossy previews" in text
    assert "Thumbnails are lossy" in (pages / "clips.html").read_text("utf-8")


def test_figures_of_two_protocols_are_told_apart() -> None:
    clip = ClipMedia("d", "c", 3, 24.0)
    from leaderboards.schema import Cell, ModelFacts

    facts = ModelFacts(name="m", version=1, title="m", task="t", source="s", licence="l")
    cells = [
        Cell(
            status="ok", dataset="d", clip="c", model="m", metric=PSNR, protocol=p, value=1.0, frames=[1, 2, 3],
            model_facts=facts, data_sha256="", fingerprint="", device="cpu", precision="fp32",
        )
        for p in ("default@3", "paper@1")
    ]  # fmt: skip
    data = viewer_data(clip, cells, {"m": 1}, ["psnr"], "media/")
    assert list(data["curves"]) == ["psnr (default@3)", "psnr (paper@1)"]
    assert data["looks"] == {"m": {"label": "m", "number": 1, "colour": 1, "dashes": ""}}
    assert data["sources"] == []


def test_marks_of_direction_are_shown_by_their_numbers(pages: Path) -> None:
    for page in (pages / "clips.html", *pages.glob("clips/*/*.html")):
        shown = re.sub(r"<script type=.application/json.*?</script>", "", page.read_text("utf-8"), flags=re.S)
        assert not re.search("[\u202a-\u202e]", shown), page
    hostile = ClipMedia("d", "c", 1, 24.0, sources=(SourceMedia("model:\u202ex", "\u202ex", "\u202ex"),))
    data = viewer_data(hostile, [], {"\u202ex": 1}, [], "")
    assert data["sources"][0]["label"] == data["looks"]["\u202ex"]["label"] == "‹U+202E›x"
