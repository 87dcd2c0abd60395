"""The report: whole, offline, escaped, and in a browser if there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from leaderboards.schema import Cell
from leaderboards.store import iter_cells, write_cell
from reports.html import build
from reports.media import _plan, _Series, _Source, _spread
from vbench import models
from vbench.cli import app

NASTY = 'a <b>"q"</b> & ünï\'</script>'.replace("/", "∕")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, moving: NDArray[np.uint8]) -> Path:
    """A real, small workspace: two data sets, two clips (one with a nasty name), three models, one failure."""
    from vbench.media import encode_png

    base = tmp_path_factory.mktemp("report")
    for name, frames in ((NASTY, moving), ("plain", moving[::-1])):
        folder = base / "sources" / name
        folder.mkdir(parents=True)
        for i, frame in enumerate(frames):
            (folder / f"{i:03d}.png").write_bytes(encode_png(frame))
    root = base / "root"
    for profile, variants in (("noise", "gaussian15,gaussian50"), ("oldfilm", "heavy")):
        command = [
            "synth",
            "-p",
            profile,
            "--variant",
            variants,
            "-s",
            str(base / "sources"),
            "--root",
            str(root),
            "--workers",
            "1",
        ]
        assert CliRunner().invoke(app, command).exit_code == 0
    command = ["run", "-m", "all", "--root", str(root), "--workers", "1"]
    assert CliRunner().invoke(app, command).exit_code == 0
    one: Cell = next(
        c for c in iter_cells(root) if c.model == "nlmeans" and c.clip == NASTY and c.metric.name == "ssim"
    )
    failed = one.model_copy(update={"status": "failed", "value": None, "frames": [], "error": "it <i>broke</i>"})
    write_cell(root, failed)
    return root


@pytest.fixture(scope="module")
def page(workspace: Path) -> Path:
    return build(workspace)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href") and value:
                self.links.append(value)
            if name == "id" and value:
                self.ids.append(value)


def test_it_is_whole_and_offline(page: Path) -> None:
    text = page.read_text("utf-8")
    parser = _Parser()
    parser.feed(text)
    anchors = [link for link in parser.links if link.startswith("#")]
    for link in parser.links:
        assert link.startswith("#"), link
    assert {a[1:] for a in anchors} - {""} <= set(parser.ids) | {f"DejaVu{i}" for i in range(0)} | _svg_ids(text)
    assert not re.search(r"(?:src|href|url\(|@import)[^>]{0,4}https?:", text)
    assert parser.tags.count("h1") == 1
    assert {"main", "nav", "caption", "noscript"} <= set(parser.tags)


def _svg_ids(text: str) -> set[str]:
    return set(re.findall(r'id="([^"]+)"', text))


def _data(page: Path) -> dict[str, list[dict[str, object]]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert found is not None
    document: dict[str, list[dict[str, object]]] = json.loads(found[1])
    return document


def test_pictures_are_there_and_lossless(page: Path, workspace: Path) -> None:
    from PIL import Image

    from vbench.media import read_image

    data = _data(page)
    assert [d["name"] for d in data["datasets"]] == ["noise-gaussian15", "noise-gaussian50", "oldfilm-heavy"]
    clip = next(c for c in data["datasets"][2]["clips"] if c["name"] == "plain")  # type: ignore[attr-defined]
    by_key = {s["key"]: s for s in clip["sources"]}
    assert {"input", "truth", "mask", "model:hqdn3d"} <= set(by_key)
    for at, frame in enumerate(clip["frames"]):
        shown = np.asarray(Image.open(page.parent / by_key["input"]["files"][at]).convert("RGB"))
        stored, _ = read_image(workspace / "datasets" / "oldfilm-heavy" / "lq" / "plain" / f"{frame:08d}.png")
        assert (shown == stored).all()
    cut = np.asarray(Image.open(page.parent / by_key["truth"]["slice"]).convert("RGB"))
    truth, _ = read_image(workspace / "datasets" / "oldfilm-heavy" / "gt" / "plain" / "00000003.png")
    assert (cut[3 * 4] == truth[truth.shape[0] // 2]).all()
    files = {
        f for d in data["datasets"] for c in d["clips"] for s in c["sources"] for f in [*s["files"], s["slice"]] if f
    }  # type: ignore[attr-defined]
    assert files == {f"media/{p.name}" for p in (page.parent / "media").iterdir()}


def test_names_and_errors_are_escaped(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "<i>broke" not in text
    assert "it &lt;i&gt;broke&lt;/i&gt;" in text
    assert "<b>" not in re.sub(r"<b>(Bold|dncnn[^<]*)</b>", "", text)
    assert _data(page)["datasets"][0]["clips"][0]["name"] == NASTY  # type: ignore[index]


def test_holes_and_missing_models_are_shown(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "no figure" in text
    assert "1 of 2 clips missing" in text
    needing = [n for n in models.names() if models.spec(n).weights is not None]
    table = text[text.index('<details class="waiting">') :]
    table = table[: table.index("</details>")]
    assert f"{len(needing)} models need weights" in table
    assert all(re.search(rf"\b{name}\b", table) for name in needing)
    assert "net_VOTES_REDS28.pth, net_VOTES_REDS33.pth" in table
    assert "CC BY-NC-SA 4.0, non-commercial" in table
    assert 'class="tag">baseline' in text


def test_severity_curve_of_the_noise(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "Gain in psnr over doing nothing, by severity of noise" in text
    assert "var(--s1)" in text
    assert "#0102" not in text  # no colour of the drawing is left


def test_building_again_gives_the_same_page(page: Path, workspace: Path, tmp_path: Path) -> None:
    again = build(workspace, tmp_path / "again")
    assert again.read_bytes() == page.read_bytes()


def test_an_interrupted_build_leaves_the_old_report(
    page: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = page.read_bytes()

    def broken(*args: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("reports.html.render", broken)
    with pytest.raises(KeyboardInterrupt):
        build(workspace)
    assert page.read_bytes() == before
    assert not [p for p in workspace.iterdir() if p.name.startswith(".partial")]


def test_only_a_report_is_ever_replaced(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"chapter1\.tex.*--out"):
        build(workspace, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter1.tex").exists()


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no results.*vbench run"):
        build(tmp_path)


def test_the_budget_takes_frames_then_clips(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(b"x" * 1000)
    pairs = [
        ("d", f"c{i}", [_Source("input", "i", _Series((file,) * 20)), _Source("truth", "t", _Series((file,) * 20))])
        for i in range(4)
    ]
    assert _plan(pairs, 10**9) == (
        12,
        4,
        ["12 of up to 20 frames of each clip are shown, evenly spread; figures cover all frames."],
    )
    assert _plan(pairs, 24_000)[:2] == (3, 4)
    frames, clips, notes = _plan(pairs, 5_000)
    assert (frames, clips, len(notes)) == (1, 2, 2)
    assert _spread(24, 12) == list(range(1, 24, 2))


CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_in_a_browser(page: Path, tmp_path: Path) -> None:
    """The script runs without an error, sorts a table, fills the viewer; the page does not scroll sideways."""
    probe = """
<script>
window.addEventListener("error", (e) => { document.title = "ERROR " + e.message; });
window.addEventListener("load", () => {
  const table = document.querySelector("table.sortable");
  const names = () => [...table.tBodies[0].rows].map((r) => r.cells[1].dataset.sort);
  const first = names().join();
  table.tHead.rows[0].cells[1].querySelector("button").click();
  const sorted = names();
  const ordered = sorted.join() === [...sorted].sort((a, b) => a.localeCompare(b)).join();
  const split = document.getElementById("v-split");
  split.value = "20"; split.dispatchEvent(new Event("input"));
  const out = { changed: first !== sorted.join(), ordered, clip: document.getElementById("v-over").style.clipPath,
    options: document.getElementById("v-right").options.length, picture: document.getElementById("v-under").getAttribute("src"),
    curves: document.querySelectorAll("#v-curves svg").length, wide: document.documentElement.scrollWidth > innerWidth };
  document.body.textContent = "PROBE" + JSON.stringify(out) + "END" + document.title;
});
</script></body>"""
    copy = page.with_name("probe.html")
    copy.write_text(page.read_text("utf-8").replace("</body>", probe), "utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path}",
        "--window-size=500,900", "--virtual-time-budget=4000", "--dump-dom", copy.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stdout
    copy.unlink()
    found = re.search(r"PROBE(\{.*?\})END(.*?)</body>", shown, re.S)
    assert found is not None, shown[-500:]
    assert "ERROR" not in found[2]
    result = json.loads(found[1].replace("&lt;", "<").replace("&amp;", "&"))
    assert result["changed"]
    assert result["ordered"]
    assert result["clip"] == "inset(0px 80% 0px 0px)"
    assert result["options"] >= 6
    assert result["picture"].startswith("media/")
    assert result["curves"] == 7  # one for each metric that could be measured here
    assert not result["wide"]


def test_a_clip_without_pictures_is_no_obstacle(workspace: Path, tmp_path: Path, moving: NDArray[np.uint8]) -> None:
    """Results without frames (copied from another machine) still make a report."""
    shutil.copytree(workspace / "results", tmp_path / "results")
    text = build(tmp_path).read_text("utf-8")
    assert "noise-gaussian15" in text
    assert 'id="clips"' not in text
