"""Pictures of the report: lossless, within the budget, made once, the same bytes, from any room."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from leaderboards.store import commit_json, read_cells
from leaderboards.table import boards
from reports.media import Media, export
from reports.media.encode import Preview, lossless, smaller, tinted
from reports.media.plan import Plan, lines, plan, ranked_frames, worst_frames
from reports.media.series import Series, outside, read_rgb, stored
from reports.media.sources import find_sources
from tests.reports.pictured import NIQE, PSNR, dataset, measured, noisy, restored, scene, store
from tests.reports.synthetic import HOSTILE

BUDGET = 50_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two clips, one with a hostile name, masks, two models."""
    clips = {HOSTILE[0]: scene(seed=3), "plain": scene()}
    dataset(tmp_path / "root", "film", clips, {"good": 3.0, "bad": 30.0}, masks=True)
    return tmp_path / "root"


def made(root: Path, out: Path, budget: int = BUDGET) -> Media:
    cells = read_cells(root)
    return export(root, out, boards(cells), cells, budget)


def opened(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def folder_hash(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_stills_are_what_was_measured(root: Path, tmp_path: Path) -> None:
    media = made(root, tmp_path / "out")
    clip = next(c for c in media.clips if c.clip == "plain")
    assert [s.key for s in clip.sources] == ["input", "truth", "model:good", "model:bad"]
    assert clip.stills == tuple(range(8))
    places = {"input": "datasets/film/lq", "truth": "datasets/film/gt", "model:bad": "restored/film/bad"}
    for key, place in places.items():
        source = clip.source(key)
        assert source is not None
        for frame, name in zip(clip.stills, source.stills, strict=True):
            wanted = cv2.imread(str(root / place / "plain" / f"{frame:08d}.png"))[..., ::-1]
            assert (opened(tmp_path / "out" / name) == wanted).all()
    assert media.notes == ()


def test_slices_are_lines_of_every_frame(root: Path, tmp_path: Path) -> None:
    media = made(root, tmp_path / "out")
    clip = next(c for c in media.clips if c.clip == "plain")
    truth, clean = clip.source("truth"), scene()
    assert truth is not None
    assert truth.rows is not None
    assert truth.columns is not None
    rows, columns = opened(tmp_path / "out" / truth.rows), opened(tmp_path / "out" / truth.columns)
    assert (clip.rows, clip.columns) == (tuple(lines(49)), tuple(lines(81)))
    for k, y in enumerate(clip.rows):
        assert (rows[8 * k : 8 * k + 8] == clean[:, y]).all()
    for k, x in enumerate(clip.columns):
        assert (columns[:, 8 * k : 8 * k + 8] == clean[:, :, x].swapaxes(0, 1)).all()


def test_masks_are_marks_in_the_colour_of_their_kind(root: Path, tmp_path: Path) -> None:
    clip = next(c for c in made(root, tmp_path / "out").clips if c.clip == "plain")
    assert [m.kind for m in clip.masks] == ["dirt", "scratch"]
    for mask, top in zip(clip.masks, (5, 10), strict=True):
        assert [name is None for name in mask.stills] == [t % 2 == 1 for t in range(8)]
        image = np.asarray(Image.open(tmp_path / "out" / str(mask.stills[0])).convert("RGBA"))
        marked = np.zeros((49, 81), bool)
        marked[top : top + 4, 30:40] = True
        assert ((image[..., 3] == 255) == marked).all()
        assert (image[marked][:, :3] == mask.colour).all()


def test_previews_have_every_frame_and_even_sides(root: Path, tmp_path: Path) -> None:
    clip = next(c for c in made(root, tmp_path / "out").clips if c.clip == "plain")
    truth = clip.source("truth")
    assert truth is not None
    assert clip.video_size == (81, 49)
    with av.open(str(tmp_path / "out" / str(truth.video))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (82, 50, Fraction(24))
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert len(frames) == 8
    error = np.abs(np.stack(frames)[:, :49, :81].astype(int) - scene()).mean()
    assert error < 8  # a preview, but of these frames in this order
    data = (tmp_path / "out" / str(truth.video)).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it begins to play before all of it is read


def test_names_of_files_do_not_come_from_data(root: Path, tmp_path: Path) -> None:
    media = made(root, tmp_path / "out")
    names = [p.name for p in (tmp_path / "out").iterdir()]
    assert names
    assert all(len(n.split(".")[0]) == 24 and n.split(".")[0].isalnum() and n.isascii() for n in names)
    hostile = next(c for c in media.clips if c.clip == HOSTILE[0])
    assert hostile.sources


def test_the_second_build_makes_nothing_and_gives_the_same(root: Path, tmp_path: Path) -> None:
    first = made(root, tmp_path / "one")
    again = made(root, tmp_path / "two")
    assert first.made > 0
    assert again.made == 0
    assert first.clips == again.clips
    assert folder_hash(tmp_path / "one") == folder_hash(tmp_path / "two")
    shutil.rmtree(root / "cache")
    afresh = made(root, tmp_path / "three")
    assert afresh.made == first.made
    assert folder_hash(tmp_path / "one") == folder_hash(tmp_path / "three")


def test_a_changed_model_makes_its_own_pictures_only(root: Path, tmp_path: Path) -> None:
    first = made(root, tmp_path / "one")
    restored(root, "film", "bad", "plain", noisy(scene(), 25, 7))
    again = made(root, tmp_path / "two")
    changed = set(folder_hash(tmp_path / "two")) - set(folder_hash(tmp_path / "one"))
    before, after = (next(c for c in m.clips if c.clip == "plain") for m in (first, again))
    source = after.source("model:bad")
    assert source is not None
    assert changed == {*source.stills, source.rows, source.columns, source.video}
    assert again.made == len(changed)
    for a, b in zip(before.sources, after.sources, strict=True):
        assert (a == b) == (a.key != "model:bad")


def test_without_ranks_thumbnails_show_the_best_of_the_first_metric(tmp_path: Path) -> None:
    """A clip of one frame has no warping error, so that no model has every figure."""
    root = tmp_path / "root"
    dataset(root, "film", {"a": scene(2), "one": scene(1)}, {"bad": 30.0, "good": 3.0})
    media = made(root, tmp_path / "out")
    assert [[thumb.label for thumb in clip.thumbs] for clip in media.clips] == [["Input", "good"]] * 2


def test_a_killed_build_leaves_the_old_report_and_is_taken_up(root: Path) -> None:
    """Killed in the middle of its pictures, from outside: the report that was there is whole, and the next build is right."""
    from reports.html import build

    before = folder_hash(build(root).parent / "media")
    restored(root, "film", "bad", "plain", noisy(scene(), 25, 7))
    code = (
        "import os, signal, sys; from pathlib import Path; from reports.media.store import Store; from reports.html import build\n"
        "put = Store.take\n"
        "def take(self, key, written):\n"
        "    if self.made == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    put(self, key, written)\n"
        "Store.take = take\n"
        "build(Path(sys.argv[1]))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(root)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert folder_hash(root / "report" / "media") == before
    assert list(root.glob("report/.partial-report-*"))
    again = folder_hash(build(root).parent / "media")
    shutil.rmtree(root / "cache")
    assert again == folder_hash(build(root).parent / "media")
    assert not list(root.rglob(".partial-report-*"))


def test_what_no_report_holds_is_swept(root: Path, tmp_path: Path) -> None:
    made(root, tmp_path / "one")
    cache = root / "cache" / "report"
    (cache / ".partial-1-dead.mp4").write_bytes(b"x")
    (cache / ".partial-2-alive.mp4").write_bytes(b"x")
    for file in cache.iterdir():
        if "alive" not in file.name:
            os.utime(file, (0, 0))
    before = {p.name for p in cache.iterdir()}
    restored(root, "film", "bad", "plain", noisy(scene(), 25, 7))
    made(root, tmp_path / "two")
    assert not (cache / ".partial-1-dead.mp4").exists()
    assert before - {p.name for p in cache.iterdir()} == {".partial-1-dead.mp4"}  # the first report holds the rest
    shutil.rmtree(tmp_path / "one")
    made(root, tmp_path / "three")
    left = {p.name for p in cache.iterdir() if not p.name.endswith((".none", "alive.mp4"))}
    assert left == set(folder_hash(tmp_path / "three"))


@pytest.mark.parametrize("budget", [0, 4_000, 60_000, 150_000, 400_000])
def test_the_budget_is_kept(root: Path, tmp_path: Path, budget: int) -> None:
    media = made(root, tmp_path / "out", budget)
    size = sum(p.stat().st_size for p in (tmp_path / "out").iterdir())
    assert size == media.bytes <= budget
    assert any("--media-budget" in note for note in media.notes)
    if budget >= 400_000:
        assert media.bytes > budget / 2
    if budget == 0:
        assert not any(clip.sources for clip in media.clips)
        assert "No picture fits" in media.notes[0]


def test_clips_without_room_for_pictures_have_thumbnails(root: Path, tmp_path: Path) -> None:
    media = made(root, tmp_path / "out", 60_000)
    bare = [clip for clip in media.clips if not clip.sources]
    assert bare
    for clip in bare:
        assert [thumb.label for thumb in clip.thumbs] == ["Input", "good"]
        assert Image.open(tmp_path / "out" / clip.thumbs[0].file).size == (81, 49)
    assert not any(clip.thumbs for clip in made(root, tmp_path / "none", 0).clips)


def test_a_kept_budget_is_the_same_when_built_again(root: Path, tmp_path: Path) -> None:
    first, again = made(root, tmp_path / "one", 300_000), made(root, tmp_path / "two", 300_000)
    assert (first.clips, first.notes, again.made) == (again.clips, again.notes, 0)


def test_worst_frames_are_among_few(root: Path, tmp_path: Path) -> None:
    for model in ("identity", "good", "bad"):
        measured(root, "film", model, "plain", PSNR, [30, 30, 30, 30, 30, 30, 30, 12])
    whole = made(root, tmp_path / "whole")
    few = made(root, tmp_path / "few", int(0.75 * whole.bytes))
    clip = next(c for c in few.clips if c.clip == "plain")
    assert 1 < len(clip.stills) < 8
    assert 7 in clip.stills


def test_without_ground_truth(tmp_path: Path) -> None:
    dataset(tmp_path / "root", "real", {"reel": scene()}, {"good": 3.0}, truth=False)
    (clip,) = made(tmp_path / "root", tmp_path / "out").clips
    assert [s.key for s in clip.sources] == ["input", "model:good"]
    assert clip.stills


def test_a_clip_of_one_frame_does_not_move(tmp_path: Path) -> None:
    dataset(tmp_path / "root", "still", {"one": scene(1)}, {"good": 3.0})
    (clip,) = made(tmp_path / "root", tmp_path / "out").clips
    assert clip.stills == (0,)
    assert all(s.rows is s.columns is s.video is s.strip is None for s in clip.sources)


@pytest.mark.parametrize("ending", [".mkv", ".avi"])
def test_frames_in_a_lossless_video(root: Path, tmp_path: Path, ending: str) -> None:
    from vbench.storage import FrameVideo

    pngs = made(root, tmp_path / "one")
    base = root / "datasets" / "film"
    for room, frames in (("gt", scene()), ("lq", noisy(scene(), 20, 1))):
        shutil.rmtree(base / room / "plain")
        with FrameVideo(base / room / f"plain{ending}", 24.0) as video:
            for frame in frames:
                video.write(frame)
    again = made(root, tmp_path / "two")
    assert again.made == 0  # the frames' hash is the same
    shutil.rmtree(root / "cache")
    made(root, tmp_path / "three")
    clip = next(c for c in pngs.clips if c.clip == "plain")
    truth = clip.source("truth")
    assert truth is not None
    assert all((opened(tmp_path / "three" / name) == scene()[t]).all() for t, name in enumerate(truth.stills))


def test_gray_frames_stay_the_png_they_are(tmp_path: Path) -> None:
    gray = scene()[..., 0]
    series = stored(tmp_path, "clip", 8, store(tmp_path / "clip", gray))
    assert series.stored_png(3) == (tmp_path / "clip" / "00000003.png").read_bytes()
    assert (read_rgb(series.files[3]) == gray[3][..., None]).all()
    store(tmp_path / "colour", scene())
    assert stored(tmp_path, "colour", 8).stored_png(0) is None


def test_sixteen_bits_are_rounded(tmp_path: Path) -> None:
    deep = (scene().astype(np.uint16) * 257) + 100
    store(tmp_path / "deep", deep)
    series = outside(tmp_path / "deep", 2, 3)
    assert [n for n, _ in series.walk([0, 1, 2])] == [0, 1, 2]
    wanted = np.floor((deep[2:5].astype(float) + 128) / 257)
    assert (np.stack([image for _, image in series.walk([0, 1, 2])]) == wanted).all()
    store(tmp_path / "gray", deep[..., 0])
    assert read_rgb(tmp_path / "gray" / "00000000.png").shape == (49, 81, 3)


def test_a_video_outside(tmp_path: Path) -> None:
    """Adopted where it lies: the frames from the first that is taken, within a level of what FFmpeg's own program gives."""
    with Preview(tmp_path / "film.mp4", 24.0) as video:
        for frame in scene(8, 48, 80):
            video.write(frame)
    series = outside(tmp_path / "film.mp4", 3, 4)
    shown = np.stack([image for _, image in series.walk(range(4))])
    assert shown.shape == (4, 48, 80, 3)
    assert np.abs(shown.astype(int) - scene(8, 48, 80)[3:7]).mean() < 8
    assert series.size == (80, 48)
    with pytest.raises(ValueError, match=r'"film\.mp4" ends before frame 8|ends before frame 8'):
        list(outside(tmp_path / "film.mp4", 3, 9).walk(range(9)))


def test_a_folder_outside_is_in_natural_order_and_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    for name in ("f10.jpg", "f9.jpg"):
        Image.fromarray(scene()[0]).save(tmp_path / name, quality=95, exif=exif)
    (tmp_path / "notes.txt").touch()
    series = outside(tmp_path, 0, 2)
    assert [p.name for p in series.files] == ["f9.jpg", "f10.jpg"]
    assert series.size == (49, 81)
    assert np.abs(next(series.walk([0]))[1].astype(int) - np.rot90(scene()[0], -1)).mean() < 8


def test_frames_that_cannot_be_read_are_told_of(root: Path, tmp_path: Path) -> None:
    (root / "restored" / "film" / "bad" / "plain" / "00000004.png").write_bytes(b"not a picture")
    clip = next(c for c in made(root, tmp_path / "out").clips if c.clip == "plain")
    assert [s.key for s in clip.sources] == ["input", "truth", "model:good"]
    assert 'bad is not among the pictures. The frame "' in clip.notes[0]
    assert "00000004.png" in clip.notes[0]
    assert not list((root / "cache" / "report").glob(".partial*"))


def test_sources_of_another_size_are_told_of(root: Path) -> None:
    restored(root, "film", "bad", "plain", scene(8, 40, 40))
    (_, clip) = find_sources(root, boards(read_cells(root)))
    assert [s.key for s in clip.sources] == ["input", "truth", "model:good"]
    assert clip.notes == ("bad is not among the pictures: it has 8 frames of 40 × 40, the others 8 of 81 × 49.",)


def test_a_smaller_input_is_shown_as_doing_nothing_leaves_it(root: Path) -> None:
    store(root / "datasets" / "film" / "lq" / "plain", scene(8, 25, 41))
    (_, clip) = find_sources(root, boards(read_cells(root)))
    assert (clip.sources[0].key, clip.sources[0].label) == ("input", "Input, enlarged")
    assert clip.size == (81, 49)


def test_results_without_pictures(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "datasets")
    shutil.rmtree(root / "restored")
    media = made(root, tmp_path / "out")
    assert not any(c.sources for c in media.clips)
    assert "There are no pictures of" in media.notes[-1]
    assert "(film)" in media.notes[-1]


def test_results_on_a_disk_that_may_not_be_written(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "cache").write_text("in the way")
    media = made(root, tmp_path / "out")
    assert media.clips[0].sources
    assert len(list((tmp_path / "out").iterdir())) >= media.made - 20


def test_plan_takes_clips_rather_than_frames(root: Path) -> None:
    clips = find_sources(root, boards(read_cells(root)))
    whole = plan(clips, BUDGET)
    assert whole == Plan(8, 2, slices=True, video=True)
    budgets = range(100_000, 1_200_000, 20_000)
    found = [plan(clips, budget) for budget in budgets]
    assert [p.clips for p in found] == sorted(p.clips for p in found)
    assert all(p.stills >= 3 for p in found if p.clips == 2)
    assert {(1, True), (2, True)} <= {(p.clips, p.video) for p in found}
    assert plan(clips, 100).stills == 0
    assert plan([], BUDGET).stills == 0


def test_fewer_frames_are_part_of_more() -> None:
    for total in (1, 2, 3, 7, 12, 100):
        order = ranked_frames(total, [total - 1])
        assert sorted(order) == list(range(total))
    spread = sorted(ranked_frames(100, [])[:7])
    assert spread == [12, 25, 37, 50, 62, 75, 87]


def test_votes_for_the_worst() -> None:
    cells = [c.model_copy(update={"frames": f, "metric": NIQE}) for c, f in _three()]
    assert worst_frames(cells) == [1, 0]


def _three() -> list[tuple[object, list[float]]]:  # lower is better: the largest is the worst
    from leaderboards.schema import Cell, ModelFacts

    facts = ModelFacts(name="m", version=1, title="m", task="t", source="s", licence="l")
    cell = Cell(
        status="ok", dataset="d", clip="c", model="m", metric=NIQE, protocol="p", value=1.0, model_facts=facts,
        data_sha256="", fingerprint="", device="cpu", precision="fp32",
    )  # fmt: skip
    return [(cell, [1, 9, 2]), (cell, [1, float("inf"), 0]), (cell, [0, 5, 4])]


def test_pictures_too_wide_for_webp_are_png() -> None:
    suffix, data = lossless(np.zeros((2, 16384, 3), np.uint8))
    assert suffix == ".png"
    assert Image.open(io.BytesIO(data)).size == (16384, 2)
    assert lossless(np.zeros((2, 16383, 3), np.uint8))[0] == ".webp"


def test_small_things() -> None:
    assert tinted(np.zeros((4, 4, 3), np.uint8), (1, 2, 3)) is None
    assert smaller(np.zeros((10, 10, 3), np.uint8), 20, 20).shape == (10, 10, 3)
    assert smaller(np.zeros((1, 500, 3), np.uint8), 100, 100).shape == (1, 100, 3)
    assert not Series()


def test_a_preview_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write(path: Path, frames: list[object]) -> None:
        with Preview(path, 24.0) as video:
            for frame in frames:
                video.write(np.asarray(frame, dtype=np.uint8))

    with pytest.raises(ValueError, match="inhomogeneous"):
        write(tmp_path / "a.mp4", [*scene(2), [[1], [2, 3]]])
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="FFmpeg"):
        write(tmp_path / "no" / "such" / "folder.mp4", [*scene()] * 40)


def test_large_frames_make_small_previews(tmp_path: Path) -> None:
    with Preview(tmp_path / "a.mp4", 24.0) as video:
        video.write(np.zeros((31, 2561, 3), np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (1280, 16)


def test_pictures_of_an_adopted_data_set(root: Path, tmp_path: Path) -> None:
    """Its frames lie outside of the workspace, as their owner named them."""
    import json

    base = root / "datasets" / "film"
    for side in ("gt", "lq"):
        (base / side / "plain").rename(tmp_path / f"my {side}")
    facts = json.loads((base / "dataset.json").read_text())
    facts["clips"][1] |= {"gt_path": str(tmp_path / "my gt"), "lq_path": str(tmp_path / "my lq"), "first_frame": 0}
    commit_json(base / "dataset.json", facts)
    clip = next(c for c in made(root, tmp_path / "out").clips if c.clip == "plain")
    assert [s.key for s in clip.sources][:2] == ["input", "truth"]
    truth = clip.source("truth")
    assert truth is not None
    assert (opened(tmp_path / "out" / truth.stills[5]) == scene()[5]).all()


@pytest.mark.parametrize("budget", [0, 600_000, 1_200_000, BUDGET])
def test_progress_ends_at_its_total(root: Path, tmp_path: Path, budget: int) -> None:
    """Where room is left, more frames of each clip are made in a second go: counted once, as what they add."""
    told: list[tuple[int, int | None]] = []
    cells = read_cells(root)
    export(root, tmp_path / "out", boards(cells), cells, budget, lambda _, count, total: told.append((count, total)))
    totals = [total for _, total in told if total is not None]
    assert sum(count for count, _ in told) == totals[-1]
    assert totals == sorted(totals)
    assert len(totals) == (2 if budget == 600_000 else 1)
