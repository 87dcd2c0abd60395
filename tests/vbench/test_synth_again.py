"""Data sets made, made again from their description, verified; noise made on reading; severities; masks and facts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from degradations.apply import draw, replay
from degradations.base import ClipShape
from degradations.profile import load_profile
from vbench.cli import app
from vbench.datasets import Pair, open_dataset
from vbench.errors import InputError, RunError, UsageError
from vbench.storage import stored_at

PROFILE = """
name: mine
version: 3
title: Mine
description: A test.
source: None.
default: [film]
variants:
  film:
    title: Film
    description: Dirt and weave on gray, against a sharpened target.
    truth: gray-sharp
    start: gray
    steps:
      - dirt: {density: 9000}
      - scratches: {alive: 2, rain: 3}
      - weave: {}
      - flicker: {}
  unclipped:
    title: Unclipped
    description: Noise that 8 bits cannot hold.
    on_reading: true
    steps:
      - gaussian-noise: {sigma: 40}
  coded:
    title: Coded
    description: A codec.
    steps:
      - codec: {codec: mpeg2, qp: 8}
severities:
  title: Noise
  description: Noise from 5 to 50.
  steps:
    - gaussian-noise: {sigma: {ladder: [5, 15, 25, 40, 50]}, clip: true}
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(PROFILE)
    return str(path)


@pytest.fixture
def sources(moving: NDArray[np.uint8], clip_folder: Callable[..., Path]) -> str:
    clip_folder(moving, "one <i>")
    return str(clip_folder(moving[::-1, ..., :1], "gray").parent)


@pytest.fixture
def described(tmp_path: Path, mine: str, sources: str) -> dict[str, Any]:
    """What a data set's ``dataset.json`` holds."""
    root = tmp_path / "made"
    vbench("synth", "-p", mine, "--variant", "film", "-s", sources, "--root", root, "--workers", "1")
    found: dict[str, Any] = json.loads((root / "datasets" / "mine-film" / "dataset.json").read_text())
    return found


def vbench(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def fails(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 1, result.output
    return result.output


def pairs(root: Path, name: str) -> dict[str, Pair]:
    return {pair.name: pair for pair in open_dataset(root / "datasets" / name).pairs()}


def test_a_description_alone_makes_the_same_data_set_in_either_format(tmp_path: Path, mine: str, sources: str) -> None:
    first = tmp_path / "first"
    synth = ["synth", "-p", mine, "--variant", "film,coded", "-s", sources, "--seed", "5", "--root"]
    vbench(*synth, first, "--workers", "1")
    description = tmp_path / "elsewhere" / "dataset.json"
    description.parent.mkdir()
    shutil.copy(first / "datasets" / "mine-film" / "dataset.json", description)
    assert description.stat().st_size < 8_000
    (tmp_path / "mine.yaml").unlink()  # it carries its profile
    second = tmp_path / "second"
    vbench("synth", "--from", description, "--root", second, "--format", "ffv1", "--workers", "1")
    a, b = pairs(first, "mine-film"), pairs(second, "mine-film")
    assert {p.facts.lq_sha256 for p in a.values()} == {p.facts.lq_sha256 for p in b.values()}
    assert a["gray"].recipe() == b["gray"].recipe()
    one, other = a["one <i>"], b["one <i>"]
    assert (one.degraded().read(0, 6) == other.degraded().read(0, 6)).all()
    assert one.mask() is not None
    for kind in ("dirt", "scratch"):
        mask, again = one.mask(kind), other.mask(kind)
        assert mask is not None
        assert again is not None
        assert (mask.read(0, 6) == again.read(0, 6)).all()
        assert mask.read(0, 6).max() > 0
    assert stored_at(second / "datasets" / "mine-film" / "lq", "gray") == (
        second / "datasets" / "mine-film" / "lq" / "gray.mkv"
    )
    for path in (first / "datasets" / "mine-film", second / "datasets" / "mine-film", description):
        assert "All 2 clips are as described" in vbench("datasets", "verify", path, "--workers", "1")


def test_a_clip_that_moved_is_found_with_source_and_another_is_refused(tmp_path: Path, mine: str, sources: str) -> None:
    root = tmp_path / "root"
    vbench("synth", "-p", mine, "-s", sources, "--clip", "gray", "--root", root, "--workers", "1")
    folder = root / "datasets" / "mine-film"
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.move(str(Path(sources) / "gray"), moved / "gray")
    with pytest.raises(InputError, match="which is not there: give the folder .* with --source"):
        vbench("synth", "--from", folder, "--root", tmp_path / "b")
    # The ground truth that is stored stands for a source that is gone, but here the damage starts from another tone.
    assert "Only what is stored was compared of gray" in vbench("datasets", "verify", folder, "--workers", "1")
    vbench("synth", "--from", folder, "--root", tmp_path / "b", "-s", moved, "--workers", "1")
    first = next((moved / "gray").iterdir())
    first.write_bytes(next((Path(sources) / "one <i>").iterdir()).read_bytes())
    for path in list((moved / "gray").iterdir())[1:]:
        path.write_bytes(first.read_bytes())
    with pytest.raises(RunError, match='"gray" is not the clip of the description'):
        vbench("synth", "--from", folder, "--root", tmp_path / "c", "-s", moved, "--workers", "1")


def test_verify_finds_changed_frames_and_changed_descriptions(tmp_path: Path, mine: str, sources: str) -> None:
    root = tmp_path / "root"
    vbench("synth", "-p", mine, "--variant", "coded", "-s", sources, "--root", root, "--workers", "1")
    folder = root / "datasets" / "mine-coded"
    frames = folder / "lq" / "gray"
    (frames / "00000001.png").write_bytes((frames / "00000002.png").read_bytes())
    said = fails("datasets", "verify", folder, "--workers", "1")
    assert "1 of 2 clips are not as described: gray" in said
    (frames / "00000001.png").unlink()
    assert "other frames" in fails("datasets", "verify", folder, "--workers", "1")
    # Without the source, the ground truth that is stored is damaged again.
    shutil.rmtree(Path(sources) / "one <i>")
    assert "not as described: gray." in fails("datasets", "verify", folder, "--workers", "1")
    document = json.loads((folder / "dataset.json").read_text())
    document["recipe"]["variants"]["coded"]["steps"][0]["codec"]["qp"] = 9
    (folder / "dataset.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="the file was changed"):
        vbench("datasets", "verify", folder, "--workers", "1")
    with pytest.raises(InputError, match="does not exist; the dataset.json of a data set is meant"):
        vbench("datasets", "verify", tmp_path / "none")


def test_verify_finds_changed_masks_and_facts(tmp_path: Path, mine: str, sources: str) -> None:
    root = tmp_path / "root"
    vbench("synth", "-p", mine, "--variant", "film", "-s", sources, "--clip", "gray", "--root", root, "--workers", "1")
    folder = root / "datasets" / "mine-film"
    assert "The clip is as described." in vbench("datasets", "verify", folder, "--workers", "1")

    def told() -> str:
        return " ".join(fails("datasets", "verify", folder, "--workers", "1").split())

    def swapped(room: str) -> None:
        frames = sorted((folder / room / "gray").iterdir())
        kept = [frame.read_bytes() for frame in frames]
        for frame, data in zip(frames, kept[::-1], strict=True):
            frame.write_bytes(data)

    swapped("masks/dirt")
    assert "mask dirt: other frames" in told()
    swapped("masks/dirt")
    shutil.rmtree(folder / "masks" / "scratch")
    swapped("mask")
    assert "mask: other frames" in (said := told())
    assert "mask scratch: missing" in said
    facts = folder / "facts" / "gray.json"
    facts.write_text(facts.read_text().replace("0.", "1.", 1))
    assert "facts: others" in told()
    facts.write_text("{")
    assert "is not valid JSON" in told()
    facts.unlink()
    assert "facts: missing" in told()
    document = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**document, "seed": 1}))
    assert "gray, lq again: other frames" in (said := told())
    assert "mask dirt: other frames" in said


def test_noise_made_on_reading_is_not_clipped_and_reaches_the_model(tmp_path: Path, mine: str, sources: str) -> None:
    root = tmp_path / "root"
    vbench("synth", "-p", mine, "--variant", "unclipped", "-s", sources, "--root", root, "--workers", "1")
    folder = root / "datasets" / "mine-unclipped"
    assert not (folder / "lq").exists()
    pair = pairs(root, "mine-unclipped")["one <i>"]
    clip = pair.degraded()
    whole = clip.read(0, 6)
    assert whole.dtype == np.float32
    assert whole.min() < 0
    assert whole.max() > 1
    assert (clip.read(3, 5) == whole[3:5]).all()
    assert (np.concatenate(list(clip.chunks(4))) == whole).all()
    clean = pair.truth().read(0, 6) / np.float32(255)
    assert 39 < float((whole - clean).std()) * 255 < 41
    seen = tmp_path / "seen.py"
    seen.write_text(
        "import torch\n"
        "def build():\n"
        "    def model(frames):\n"
        "        assert float(frames.min()) < 0 and float(frames.max()) > 1, 'clipped'\n"
        "        return frames.clamp(0.25, 0.5)\n"
        "    return model\n"
    )
    vbench("run", "-m", f"identity,{seen}:build", "--metrics", "psnr", "--root", root, "--workers", "1")
    identity = root / "restored" / "mine-unclipped" / "identity"
    stored = np.clip(np.floor(whole * 255 + 0.5), 0, 255)
    from vbench.sources import open_clip

    assert (open_clip(identity / "one <i>").read(0, 6) == stored).all()
    vbench("report", "html", "--root", root)
    pages = [p.read_text("utf-8") for p in (root / "report" / "clips").rglob("*.html")]
    assert all("Input, clipped to 8 bits" in page for page in pages)
    assert any("one &lt;i&gt;" in page for page in pages)


def test_severities_are_data_sets_of_their_own(tmp_path: Path, mine: str, sources: str) -> None:
    root = tmp_path / "root"
    vbench(
        "synth", "-p", mine, "--severity", "1,2.5", "--severity", "5", "-s", sources, "--root", root, "--workers", "1"
    )
    found = [open_dataset(p).facts for p in sorted((root / "datasets").iterdir())]
    assert [(f.name, f.severity) for f in found] == [
        ("mine-severity-1", 1),
        ("mine-severity-2.5", 2.5),
        ("mine-severity-5", 5),
    ]
    assert (found[1].recipe or {})["variants"]["severity-2.5"]["steps"] == [
        {"gaussian-noise": {"sigma": 20.0, "clip": True}}
    ]
    for wrong in ("6", "0", "-1", "nan", "inf"):
        with pytest.raises(UsageError, match=rf"from 1 to 5, and severity {wrong} is outside 1..5"):
            vbench("synth", "-p", mine, "--severity", wrong, "-s", sources, "--root", root)


def test_facts_say_what_was_done_to_each_frame(tmp_path: Path, mine: str, sources: str) -> None:
    root = tmp_path / "root"
    vbench("synth", "-p", mine, "--variant", "film,coded", "-s", sources, "--root", root, "--workers", "1")
    steps = {step["kind"]: step for step in pairs(root, "mine-film")["gray"].damage_facts()}
    assert set(steps) == {"dirt", "scratches", "weave", "flicker"}
    assert len(steps["weave"]["shift_x_px"]) == 6


def test_the_same_bytes_for_any_number_of_workers_and_whatever_was_there_before(
    tmp_path: Path, mine: str, sources: str
) -> None:
    synth = ["synth", "-p", mine, "--variant", "film,unclipped,coded", "-s", sources, "--root"]
    vbench(*synth, tmp_path / "one", "--workers", "1")
    vbench(*synth, tmp_path / "two", "--clip", "gray", "--workers", "1")
    assert "3 made, 3 were there already" in vbench(*synth, tmp_path / "two", "--workers", "2")
    for name in ("mine-film", "mine-unclipped", "mine-coded"):
        a, b = (open_dataset(tmp_path / root / "datasets" / name).facts for root in ("one", "two"))
        assert a == b
    # Asked for in the other format, it is made in that.
    vbench(*synth, tmp_path / "two", "--format", "ffv1", "--workers", "1")
    room = tmp_path / "two" / "datasets" / "mine-coded"
    assert sorted(p.name for p in (room / "lq").iterdir()) == ["gray.mkv", "one <i>.mkv"]
    assert sorted(p.name for p in (room / "gt").iterdir()) == ["gray.mkv", "one <i>.mkv"]
    # In MagicYUV masks stay PNG, and nothing is left to be made.
    vbench(*synth, tmp_path / "two", "--format", "magicyuv", "--workers", "1")
    film = tmp_path / "two" / "datasets" / "mine-film"
    assert sorted(p.name for p in (film / "lq").iterdir()) == ["gray.avi", "one <i>.avi"]
    assert sorted(p.name for p in (film / "mask").iterdir()) == ["gray", "one <i>"]
    assert "nothing to do, 6 were there" in vbench(*synth, tmp_path / "two", "--format", "magicyuv", "--workers", "1")
    assert open_dataset(film).facts == open_dataset(tmp_path / "one" / "datasets" / "mine-film").facts


def test_an_encoder_that_is_missing_is_a_sentence_and_the_rest_is_made(
    tmp_path: Path, mine: str, sources: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "no-ffmpeg"))
    with pytest.raises(RunError) as caught:
        vbench(
            "synth", "-p", mine, "--variant", "film,coded", "-s", sources, "--root", tmp_path / "root", "--workers", "1"
        )
    said = str(caught.value)
    assert 'mine-coded: "gray": FFmpeg ("' in said
    assert "cannot be started: No such file" in said
    assert "Traceback" not in said
    assert "ValueError" not in said
    assert sorted(p.name for p in (tmp_path / "root" / "datasets").iterdir() if (p / "dataset.json").exists()) == [
        "mine-film"
    ]


def test_descriptions_from_elsewhere_are_not_trusted(tmp_path: Path, described: dict[str, Any]) -> None:
    for where, value, says in (
        ("name", "a/../../elsewhere", "name: The clip name .* holds a path separator"),
        ("clips.0.name", "a/../elsewhere", "clips.0.name: .* holds a path separator"),
        ("clips.0.origin.name", "a/../elsewhere", "clips.0.origin.name: .* holds a path separator"),
        ("clips.0.origin.name", "other", 'the clip "gray" is said to come from one called "other"'),
        ("clips.0.origin.every", 0, "clips.0.origin.every: .* greater than 0"),
        ("clips.0.frames", 0, "clips.0.frames: .* greater than 0"),
        ("clips", [], "has no clips: there is nothing to make again"),
        ("schema_version", 2, "schema_version: Input should be 1"),
        ("recipe.variants", {}, "carries a profile that is none: variants: "),
        ("recipe.variants.film.steps", [{"dirt": {"speed": 9}}], 'step 1 .dirt.: there is no setting "speed"'),
    ):
        document = deepcopy(described)
        *path, last = where.split(".")
        inner: Any = document
        for part in path:
            inner = inner[int(part) if part.isdecimal() else part]
        inner[last] = value
        file = tmp_path / "dataset.json"
        file.write_text(json.dumps(document))
        with pytest.raises(InputError, match=says):
            vbench("synth", "--from", file, "--root", tmp_path / "root" / "deeper")
    assert not list((tmp_path / "root").rglob("*.png"))


def test_what_is_no_description_is_not_to_be_deleted(tmp_path: Path, described: dict[str, Any], sources: str) -> None:
    file = tmp_path / "film.mp4"
    file.write_bytes(b"\xff\xfe\xfa film")
    for command in (["synth", "--from", file], ["datasets", "verify", file]):
        with pytest.raises(
            InputError, match=r"film\.mp4. is no description of a data set: it is not valid JSON"
        ) as caught:
            vbench(*command)
        assert "delete" not in str(caught.value)
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps(described))
    with pytest.raises(InputError, match='no clip called "grey". Did you mean "gray"'):
        vbench("synth", "--from", file, "--clip", "grey", "--root", tmp_path / "root")
    other = (Path(sources) / "one <i>").rename(tmp_path / "other")
    with pytest.raises(InputError, match="--source gives clips called other, and none of those of .* gray, one <i>"):
        vbench("synth", "--from", file, "--source", other, "--root", tmp_path / "root")


def test_what_may_not_be_expected_of_a_source_is_said(tmp_path: Path, mine: str, sources: str) -> None:
    command: list[str | Path] = [
        "synth",
        "-p",
        mine,
        "--variant",
        "film",
        "-s",
        sources,
        "--root",
        tmp_path / "root",
        "--workers",
        "1",
    ]
    said = " ".join(vbench(*command, "--frames", "0:100").split())
    assert 'Fewer frames than --frames 0:100 asks for: "gray" has 6, "one <i>" has 6.' in said
    frames = sorted((Path(sources) / "gray").iterdir())
    frames[2].unlink()
    said = " ".join(vbench(*command, "--replace").split())
    assert f'Frames of "gray" seem to be missing: "{frames[1].name}" is followed by "{frames[3].name}".' in said
    assert '"one <i>" seem' not in said


def test_what_does_not_go_together_is_said(tmp_path: Path, mine: str, sources: str) -> None:
    root = ["--root", tmp_path / "root"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="--profile NAME, or --from"):
        vbench("synth", *root)
    with pytest.raises(UsageError, match="png, ffv1 or magicyuv"):
        vbench("synth", "-p", mine, "--format", "gif", *root)
    with pytest.raises(UsageError, match='"much" is none'):
        vbench("synth", "-p", mine, "--severity", "much", *root)
    with pytest.raises(UsageError, match="--frames needs --source"):
        vbench("synth", "-p", mine, "--frames", "0:3", *root)
    with pytest.raises(InputError, match='no clip "grey" in .*"gray"'):
        vbench("synth", "-p", mine, "-s", sources, "--clip", "grey", *root)
    with pytest.raises(InputError, match="no step of mine/coded lays textures on"):
        vbench("synth", "-p", mine, "--variant", "coded", "-s", sources, "--textures", tmp_path, *root)
    with pytest.raises(InputError, match="textures .* has no images: none"):
        vbench("synth", "-p", "oldfilm-rtn", "-s", sources, "--textures", tmp_path / "empty", *root)
    with pytest.raises(UsageError, match="--frames takes A:B"):
        vbench("synth", "-p", mine, "-s", sources, "--frames", "a:b", *root)
    vbench("synth", "-p", mine, "-s", sources, *root, "--workers", "1")
    with pytest.raises(UsageError, match="--variant does not go with --from"):
        vbench("synth", "--from", tmp_path / "root" / "datasets" / "mine-film", "--variant", "film", *root)
    assert not (tmp_path / "root" / "datasets" / "mine-coded").exists()


def test_a_plane_seen_three_times_gives_the_bytes_of_three_planes() -> None:
    recipe = draw(load_profile("oldfilm"), "heavy", ClipShape(5, 48, 64))
    plane = torch.rand(5, 1, 48, 64, generator=torch.Generator().manual_seed(0))
    (thin,) = replay(recipe, [plane.expand(-1, 3, -1, -1)])
    (thick,) = replay(recipe, [plane.repeat(1, 3, 1, 1)])
    # Three planes are weighed into a luma, which rounds.
    assert float((thin.frames - thick.frames).abs().max()) < 1e-5
    for kind in thick.masks:
        assert thin.masks[kind].equal(thick.masks[kind])


def test_a_preview_is_a_sheet_and_a_film(tmp_path: Path, mine: str, sources: str) -> None:
    from vbench.sources import open_clip

    out = tmp_path / "preview"
    said = vbench("profiles", "preview", mine, "--variant", "film,unclipped", "--severity", "3", "-s",
                  Path(sources) / "gray", "-o", out)  # fmt: skip
    assert "3 variants on gray" in said
    sheet = open_clip(out / "mine.png").info
    assert sheet.width > 1500
    film = open_clip(out / "mine.mp4").info
    assert (film.frames, film.width) == (24, 640)
    assert sorted(p.name for p in out.iterdir()) == ["mine.mp4", "mine.png"]


def test_every_nth_frame_of_a_fast_video_is_blurred_by_the_others(tmp_path: Path, moving: NDArray[np.uint8]) -> None:
    """GoPro's recipe: the mean of 11 stored frames, the middle one being the truth."""
    from vbench.sources import open_clip
    from vbench.storage import writer

    g = np.random.default_rng(0)
    fast = g.integers(0, 256, (36, 40, 48, 3), dtype=np.uint8)
    with writer(tmp_path / "src", "fast", "ffv1", 240) as out:
        for frame in fast:
            out.write(frame)
    root = tmp_path / "root"
    synth = [
        "synth",
        "-p",
        "blur",
        "--variant",
        "gopro-linear",
        "-s",
        tmp_path / "src",
        "--root",
        root,
        "--workers",
        "1",
    ]
    vbench(*synth, "--every", "11")
    pair = pairs(root, "blur-gopro-linear")["src"]
    assert (pair.facts.frames, round(pair.facts.fps, 2)) == (3, 21.82)
    assert (pair.truth().read(0, 3) == fast[[5, 16, 27]]).all()
    means = np.stack([fast[11 * i : 11 * i + 11].astype(float).mean(axis=0) for i in range(3)])
    assert np.abs(pair.degraded().read(0, 3) - means).max() <= 0.5 + 1e-4
    assert pair.damage_facts()[0]["instants"] == ["rendered"] * 3
    assert "The clip is as described" in vbench("datasets", "verify", root / "datasets" / "blur-gopro-linear")
    with pytest.raises(InputError, match="--every 37 makes one of each 37: none is left"):
        vbench(*synth, "--every", "37", "--replace")
    assert open_clip(tmp_path / "src" / "fast.mkv").info.fps == 240
