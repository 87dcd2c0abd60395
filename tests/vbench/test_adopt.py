"""Pairs that lie on disk already, as data sets in place: chosen, checked, hashed once, run, shown, and watched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio
from typer.testing import CliRunner

from leaderboards.store import read_cells
from vbench.adopt import ratio, verify_clip
from vbench.cli import app
from vbench.datasets import Dataset, find_datasets, open_dataset
from vbench.errors import InputError, RunError, UsageError
from vbench.frames_io import encode_png, frame_hash, read_image, write_png
from vbench.sources import changed_since, file_facts, open_clip
from vbench.storage import FrameVideo
from vbench.workspace import Workspace

Frames = NDArray[np.uint8]
NASTY = 'a <b>"q"</b> & ünï\''.replace("/", "∕")


def vbench(*arguments: object) -> str:
    """Run a command in this process; errors are raised, output is given back."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def store(folder: Path, frames: NDArray[Any], first: int = 0) -> Path:
    """A folder of PNG with six-digit names."""
    folder.mkdir(parents=True)
    for i, frame in enumerate(frames, first):
        write_png(folder / f"{i:06d}.png", frame)
    return folder


def noisy(frames: Frames, sigma: float, seed: int) -> Frames:
    noise = np.random.default_rng(seed).normal(0, sigma, frames.shape)
    return (frames + noise).round().clip(0, 255).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "my runs"


@pytest.fixture
def gopro(tmp_path: Path, moving: Frames) -> Path:
    """GoPro as released: a sequence in each split, both versions, names that begin anywhere."""
    folder = tmp_path / "GOPRO_Large"
    for k, place in enumerate(("train/GOPR0372_07_00", "test/GOPR0384_11_00", "test/GOPR0385_11_01")):
        truth = np.ascontiguousarray(moving[:, : 40 + 2 * k])
        store(folder / place / "sharp", truth, 1 + 4000 * k)
        store(folder / place / "blur", noisy(truth, 5, k), 1 + 4000 * k)
        store(folder / place / "blur_gamma", noisy(truth, 9, k), 1 + 4000 * k)
    return folder


@pytest.fixture
def pairs(tmp_path: Path, moving: Frames) -> Path:
    """Two plain pairs."""
    for k, name in enumerate(("one", "two")):
        store(tmp_path / "my pairs" / "gt" / name, moving[k:])
        store(tmp_path / "my pairs" / "lq" / name, noisy(moving[k:], 9, k))
    return tmp_path / "my pairs"


def add(folder: Path, root: Path, *more: object) -> str:
    return vbench("datasets", "add", folder, "--root", root, "--workers", 1, *more)


def the(root: Path, name: str | None = None) -> Dataset:
    (found,) = find_datasets(Workspace(root), [name] if name else None)
    return found


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- what is taken --------------------------------------------------------------------------------


def test_pairs_are_described_and_nothing_is_copied(gopro: Path, root: Path) -> None:
    before = tree(gopro)
    out = add(gopro, root, "--split", "test", "--version", "blur_gamma")
    assert "GoPro-test-blur_gamma: 2 clips (test 2), 12 frames" in out
    assert "--version blur." in out
    dataset = the(root)
    facts = dataset.facts
    assert (facts.name, facts.profile, facts.variant, facts.seed) == (
        "GoPro-test-blur_gamma",
        "adopted",
        "blur_gamma",
        0,
    )
    assert "GoPro, as released" in facts.description
    assert f'the folder "{gopro.name}"' in facts.description  # shown in reports, so without the rest of the path
    assert str(gopro) not in facts.description
    assert facts.source == str(gopro)
    assert [c.name for c in facts.clips] == ["GOPR0384_11_00", "GOPR0385_11_01"]
    for clip in facts.clips:
        place = gopro / "test" / clip.name
        assert (clip.gt_path, clip.lq_path) == (str(place / "sharp"), str(place / "blur_gamma"))
        assert (clip.frames, clip.width, clip.channels, clip.scale) == (6, 80, 3, 1)
        for side, digest in (("sharp", clip.gt_sha256), ("blur_gamma", clip.lq_sha256)):
            files = sorted((place / side).iterdir())
            assert digest == frame_hash([np.stack([read_image(f)[0] for f in files])])
    assert not list(root.rglob("*.png"))
    assert sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) < 20_000
    assert tree(gopro) == before
    assert facts.commands == (f"vbench datasets add {gopro} --version blur_gamma --split test --root '{root}'",)


@pytest.mark.slow
def test_any_number_of_workers_finds_the_same(gopro: Path, root: Path, tmp_path: Path) -> None:
    for place, workers in ((root, 1), (tmp_path / "two", 2)):
        vbench("datasets", "add", gopro, "--version", "blur", "--root", place, "--workers", workers)
    one, two = (the(place).facts.model_dump(exclude={"commands"}) for place in (root, tmp_path / "two"))
    assert one == two
    assert one["name"] == "GoPro-blur"


def test_a_version_has_to_be_named_where_there_are_several(gopro: Path, root: Path) -> None:
    with pytest.raises(InputError, match=r"blur \(3 clips\), blur_gamma \(3 clips\).*--version blur"):
        add(gopro, root)
    with pytest.raises(InputError, match='no version "blur_gama".*Did you mean "blur_gamma"'):
        add(gopro, root, "--version", "blur_gama")
    with pytest.raises(InputError, match='no split "val".*Known: test, train'):
        add(gopro, root, "--version", "blur", "--split", "val")
    with pytest.raises(InputError, match='no clip "GOPR0384".*Did you mean "GOPR0384_11_00"'):
        add(gopro, root, "--version", "blur", "--clips", "GOPR0384")
    assert not root.exists()


def test_one_sequence_and_frames_of_it(gopro: Path, root: Path) -> None:
    add(gopro / "test" / "GOPR0384_11_00", root, "--version", "blur", "--frames", "2:5", "--name", "three")
    (pair,) = the(root).pairs()
    assert (pair.facts.frames, pair.facts.first_frame) == (3, 2)
    whole = open_clip(gopro / "test" / "GOPR0384_11_00" / "sharp").read(2, 5)
    assert (pair.truth().read(0, 3) == whole).all()
    assert pair.facts.gt_sha256 == frame_hash([whole])


def test_a_clean_side_of_jpeg_and_inputs_of_png_belong_together_by_name(
    tmp_path: Path, root: Path, moving: Frames
) -> None:
    lq = store(tmp_path / "DVD" / "test_DVD" / "IMG_0003" / "input", noisy(moving, 9, 1))
    gt = lq.parent / "GT"
    gt.mkdir()
    for path, frame in zip(sorted(lq.iterdir()), moving, strict=True):
        (gt / f"{path.stem}.jpg").write_bytes(cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes())
    assert "DVD-test-input: 1 clip" in add(tmp_path / "DVD", root)
    assert "from JPEG" in the(root).facts.clips[0].colour


def test_videos_are_pairs_too(tmp_path: Path, root: Path, moving: Frames) -> None:
    for side, frames in (("gt", moving), ("lq", noisy(moving, 9, 1))):
        with FrameVideo(tmp_path / "set" / side / "film.mkv", 25.0) as out:
            for frame in frames:
                out.write(frame)
    add(tmp_path / "set", root)
    vbench("run", "--models", "identity", "--metrics", "psnr", "--root", root, "--workers", 1)
    (cell,) = read_cells(root)
    wanted = [peak_signal_noise_ratio(a, b) for a, b in zip(moving, noisy(moving, 9, 1), strict=True)]
    assert cell.frames == pytest.approx(wanted, abs=1e-9)
    short = tmp_path / "set" / "lq" / "film.mkv"
    with FrameVideo(short, 25.0) as out:
        for frame in moving[:4]:
            out.write(frame)
    with pytest.raises(RunError, match=r"6 clean frames.*and 4 damaged ones.*--frames"):
        add(tmp_path / "set", root, "--name", "again")


def test_a_side_of_an_unusual_name(pairs: Path, root: Path) -> None:
    (pairs / "lq").rename(pairs / "as filmed")
    with pytest.raises(InputError, match="No pairs .* are seen .*--version"):
        add(pairs, root)
    assert "my pairs-as filmed: 2 clips" in add(pairs, root, "--version", "as filmed")


def test_what_lies_beside_is_told(pairs: Path, root: Path, moving: Frames) -> None:
    store(pairs / "results" / "one", moving)
    assert "Passed over" not in add(pairs, root)
    store(pairs / "other" / "one", moving)
    assert f'Passed over, as no part of the layout: "{pairs}/other/one"' in add(pairs, root)


@pytest.mark.shared
def test_a_real_clip(shared: Path, tmp_path: Path, root: Path) -> None:
    (tmp_path / "set" / "GT").mkdir(parents=True)
    (tmp_path / "set" / "GT" / "tennis").symlink_to(shared / "data" / "clips" / "tennis")
    given = tmp_path / "set" / "BIx4" / "tennis"
    given.mkdir(parents=True)
    for path in (tmp_path / "set" / "GT" / "tennis").iterdir():
        small = cv2.resize(read_image(path)[0], (108, 60), interpolation=cv2.INTER_AREA)
        write_png(given / path.name, small)
    assert "1 clip, 24 frames, 432x240 /4" in add(tmp_path / "set", root)
    (pair,) = the(root).pairs()
    assert pair.facts.gt_path == str((shared / "data" / "clips" / "tennis").resolve())
    assert pair.rooms == {"truth", "pristine"}


# --- what is refused ------------------------------------------------------------------------------


def test_a_missing_frame_is_named(pairs: Path, root: Path) -> None:
    (pairs / "lq" / "two" / "000003.png").unlink()
    (pairs / "lq" / "two" / "000004.png").unlink()
    with pytest.raises(
        InputError, match=r'"two" has a frame "000003" in .*gt/two" and none .*lq/two" \(2 such, of 5\)'
    ):
        add(pairs, root)
    assert "2 clips" not in add(pairs, root, "--clips", "one")


def test_a_frame_too_many_is_named(pairs: Path, root: Path) -> None:
    shutil.copy(pairs / "lq" / "one" / "000000.png", pairs / "lq" / "one" / "7.png")
    with pytest.raises(InputError, match=r'"one" has a frame "7" in .*lq/one" and none .*gt/one"'):
        add(pairs, root)


def test_a_clip_without_a_partner(pairs: Path, root: Path) -> None:
    shutil.rmtree(pairs / "lq" / "two")
    with pytest.raises(InputError, match=r'"two" has a clean side .* and no lq.*--clip'):
        add(pairs, root)
    shutil.rmtree(pairs / "gt" / "one")
    with pytest.raises(InputError, match=r'"one" has a damaged side .* and no clean one'):
        add(pairs, root, "--clip", "one")


def test_a_split_that_a_version_lacks_is_left_out(tmp_path: Path, root: Path, moving: Frames) -> None:
    for split in ("train", "val"):
        store(tmp_path / "REDS" / f"{split}_sharp" / "000", moving)
    store(tmp_path / "REDS" / "val_blur" / "000", noisy(moving, 5, 1))
    assert "1 clip (val 1)" in add(tmp_path / "REDS", root)
    assert [c.name for c in the(root).facts.clips] == ["val_000"]


@pytest.mark.parametrize(
    ("truth", "given", "scale"),
    [((64, 80), (64, 80), 1), ((64, 80), (32, 40), 2), ((576, 704), (144, 176), 4), ((35, 47), (12, 16), 3)],
)
def test_ratios(truth: tuple[int, int], given: tuple[int, int], scale: int) -> None:
    assert ratio("a", truth, given) == ratio("a", truth, given, scale) == scale
    with pytest.raises(InputError, match=f"--scale asks for {scale + 1} times"):
        ratio("a", truth, given, scale + 1)


@pytest.mark.parametrize("given", [(63, 80), (32, 80), (40, 32), (128, 160), (30, 40), (64, 40)])
def test_sizes_that_are_no_ratio(given: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="80 x 64.*not a whole number"):
        ratio("a", (64, 80), given)


def test_what_does_not_fit_names_the_clip(pairs: Path, root: Path, moving: Frames) -> None:
    unfit: tuple[tuple[str, NDArray[Any]], ...] = (
        ("gray", np.ascontiguousarray(moving[..., :1])),
        ("small", np.ascontiguousarray(moving[:, ::2, ::3])),
        ("deep", moving.astype(np.uint16) * 257),
    )
    for name, frames in unfit:
        store(pairs / "gt" / name, moving)
        store(pairs / "lq" / name, frames)
    store(pairs / "gt" / "half", moving)
    half = store(pairs / "lq" / "half", moving)
    write_png(half / "000004.png", moving[0, :10])
    with pytest.raises(RunError) as error:
        add(pairs, root)
    said = str(error.value).splitlines()
    assert said[0].startswith("4 of 6 clips cannot be taken; the others are read and kept.")
    assert any("27 x 32" in line and '"small"' in line for line in said)
    assert any('"gray" is in colour on its clean side' in line for line in said)
    assert any("deep" in line and "16 bits" in line for line in said)
    assert any("must be alike" in line and "half/000004.png" in line for line in said)
    with pytest.raises(InputError, match="interrupted there"):
        find_datasets(Workspace(root))
    out = add(pairs, root, "--clips", "one,two")
    assert "0 read, 2 known already" in out


def test_what_gives_no_clip_leaves_nothing_that_stands_in_the_way(pairs: Path, root: Path, moving: Frames) -> None:
    add(pairs, root)
    broken = pairs.parent / "broken"
    store(broken / "gt" / "a", moving)
    store(broken / "lq" / "a", moving[:, ::2, ::3])
    with pytest.raises(RunError, match="^No clip can be taken; nothing was written[.]\n- The clean frames"):
        add(broken, root)
    with pytest.raises(InputError, match="data set name '../x' begins with a dot; give another with --name"):
        add(broken, root, "--name", "../x")
    assert [found.name for found in find_datasets(Workspace(root))] == ["my pairs-lq"]
    with pytest.raises(InputError, match=r"`vbench synth --profile oldfilm --root '.*no where'`"):
        find_datasets(Workspace(root / "no where"))


def test_no_pairs_at_all(tmp_path: Path, root: Path, moving: Frames) -> None:
    (tmp_path / "empty").mkdir()
    store(tmp_path / "plain" / "clip", moving)
    store(tmp_path / "Vid4" / "GT" / "walk", moving)
    store(tmp_path / "VideoLQ" / "000", moving)
    store(tmp_path / "REDS" / "val_sharp" / "000", moving)
    store(tmp_path / "UVSSM" / "twitter" / "LQ_frames" / "001", moving)
    for place, words in (
        ("gone", "does not exist"),
        ("plain/clip/000000.png", "is a file"),
        ("empty", "No pairs"),
        ("plain", "No pairs"),
        ("Vid4/GT", f'one side of pairs.*"{tmp_path}/Vid4"'),
        ("VideoLQ", "no ground truth.*--no-truth"),
        ("REDS", "clean side of REDS .* only.*vbench synth --source"),
        ("UVSSM", "no ground truth.*twitter, bilibili and Youtube are the same"),
    ):
        with pytest.raises(InputError, match=words):
            add(tmp_path / place, root)
    assert not root.exists()
    with pytest.raises(UsageError, match="--scale takes auto"):
        add(tmp_path / "plain", root, "--scale", "half")


def test_names_of_data_sets(pairs: Path, root: Path) -> None:
    for name in (".hidden", "a/b", " "):
        with pytest.raises(InputError, match="The data set name .*; give another with --name"):
            add(pairs, root, "--name", name)
    add(pairs, root, "--name", NASTY)
    assert the(root).name == NASTY


# --- again, and on --------------------------------------------------------------------------------


def test_a_second_time_nothing_is_read_and_it_grows(pairs: Path, root: Path, moving: Frames) -> None:
    assert "1 read, 0 known" in add(pairs, root, "--clips", "one")
    description = root / "datasets" / "my pairs-lq" / "dataset.json"
    before = description.read_bytes()
    assert "0 read, 1 known" in add(pairs, root, "--clips", "one")
    assert description.read_bytes() == before
    assert "1 read, 1 known" in add(pairs, root)
    facts = the(root).facts
    assert [c.name for c in facts.clips] == ["one", "two"]
    assert [command.partition(" --root")[0] for command in facts.commands] == [
        f"vbench datasets add '{pairs}' --clips one",
        f"vbench datasets add '{pairs}'",
    ]


def test_an_interrupted_adoption_goes_on(pairs: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import vbench.adopt

    whole = vbench.adopt.hash_pair
    done: list[str] = []

    def stopped(folder: Path, pair: Any, choice: str) -> dict[str, Any]:
        if done:
            raise KeyboardInterrupt
        done.append(pair.clip)
        return whole(folder, pair, choice)

    monkeypatch.setattr("vbench.adopt.hash_pair", stopped)
    assert (
        CliRunner().invoke(app, ["datasets", "add", str(pairs), "--root", str(root), "--workers", "1"]).exit_code != 0
    )
    monkeypatch.undo()
    assert not (root / "datasets" / "my pairs-lq" / "dataset.json").exists()
    assert "1 read, 1 known already" in add(pairs, root)


def test_other_pairs_do_not_mix(pairs: Path, root: Path, tmp_path: Path, moving: Frames) -> None:
    add(pairs, root, "--name", "mine", "--frames", ":4")
    with pytest.raises(InputError, match=r'"one" was adopted before, with frames 0:4 .* asks for all frames'):
        add(pairs, root, "--name", "mine")
    shutil.copytree(pairs, tmp_path / "copy")
    with pytest.raises(InputError, match="already, adopted from other pairs.*my pairs.*--replace"):
        add(tmp_path / "copy", root, "--name", "mine")
    assert "2 read, 0 known" in add(tmp_path / "copy", root, "--name", "mine", "--replace")
    assert the(root).facts.source == str(tmp_path / "copy")


def test_a_data_set_that_was_made_is_not_touched(pairs: Path, root: Path) -> None:
    made = root / "datasets" / "noise-gaussian25" / "recipe" / "a.json"
    made.parent.mkdir(parents=True)
    made.write_text(json.dumps({"recipe": {"profile": "noise", "profile_sha256": "0", "seed": 0}}))
    with pytest.raises(InputError, match="already, which `vbench synth` made"):
        add(pairs, root, "--name", "noise-gaussian25", "--replace")
    assert made.exists()


# --- run, shown, watched --------------------------------------------------------------------------


@pytest.fixture
def run_pairs(pairs: Path, root: Path) -> Callable[[], None]:
    def run() -> None:
        vbench("run", "--models", "identity,temporal-median", "--metrics", "psnr", "--root", root, "--workers", 1)

    return run


def test_the_whole_way(gopro: Path, root: Path) -> None:
    from PIL import Image

    add(gopro, root, "--version", "blur_gamma", "--split", "test", "--frames", "1:6")
    command = ["run", "--models", "identity,temporal-median", "--metrics", "psnr,ssim", "--root", root, "--workers", 1]
    assert "4 clips restored, 8 results measured" in vbench(*command)
    assert "0 clips restored, 0 results measured, 8 were there already" in vbench(*command)
    for cell in read_cells(root):
        if (cell.model, cell.metric.name) == ("identity", "psnr"):
            place = gopro / "test" / cell.clip
            sides = [[read_image(f)[0] for f in sorted((place / s).iterdir())[1:]] for s in ("sharp", "blur_gamma")]
            wanted = [peak_signal_noise_ratio(a, b) for a, b in zip(*sides, strict=True)]
            assert cell.frames == pytest.approx(wanted, abs=1e-9)
    vbench("report", "html", "--root", root)
    page = (root / "report" / "method.html").read_text("utf-8")
    assert "GoPro, test: blur_gamma" in (root / "report" / "boards.html").read_text("utf-8")
    assert f"vbench datasets add {gopro} --version blur_gamma" in page
    assert "--profile adopted" not in page
    where = next(iter(sorted((root / "report" / "clips").glob("*/*.html"))))
    clip = json.loads(where.read_text("utf-8").split('id="clip">')[1].split("</script>")[0])
    by_key = {s["key"]: s for s in clip["sources"]}
    assert set(by_key) == {"input", "truth", "model:temporal-median"}
    for key, side in (("truth", "sharp"), ("input", "blur_gamma")):
        files = sorted((gopro / "test" / clip["clip"] / side).iterdir())[1:]
        for frame, file in zip(clip["stills"], by_key[key]["stills"], strict=True):
            shown = np.asarray(Image.open(where.parent / file).convert("RGB"))
            assert (shown == read_image(files[frame])[0]).all()


def test_names_from_outside_are_escaped(tmp_path: Path, root: Path, moving: Frames) -> None:
    folder = tmp_path / f"data {NASTY}"
    store(folder / "gt" / NASTY, moving)
    store(folder / "lq" / NASTY, noisy(moving, 9, 1))
    add(folder, root)
    vbench("run", "--models", "identity", "--metrics", "psnr", "--root", root, "--workers", 1)
    vbench("report", "html", "--root", root)
    pages = "".join(p.read_text("utf-8") for p in sorted((root / "report").rglob("*.html")))
    assert '<b>"q"' not in pages
    assert "&lt;b&gt;" in pages


def test_smaller_inputs_are_run_by_what_enlarges(tmp_path: Path, root: Path, moving: Frames) -> None:
    store(tmp_path / "Vid4" / "GT" / "walk", moving)
    store(tmp_path / "Vid4" / "BDx4" / "walk", np.ascontiguousarray(moving[:, ::4, ::4]))
    assert "80x64 /4" in add(tmp_path / "Vid4", root, "--scale", "4")
    vbench("run", "--models", "all", "--metrics", "psnr", "--root", root, "--workers", 1)
    assert {c.model for c in read_cells(root)} == {"identity", "lanczos", "back-projection"}


def test_pictures_of_videos(root: Path, pairs: Path, moving: Frames) -> None:
    from PIL import Image

    for side in ("gt", "lq"):
        with FrameVideo(pairs / side / "film.mkv", 25.0) as out:
            for frame in moving:
                out.write(frame)
    add(pairs, root)
    vbench("run", "--models", "identity", "--metrics", "psnr", "--root", root, "--workers", 1)
    vbench("report", "html", "--root", root)
    (where,) = (root / "report" / "clips").glob("*/film.html")
    clip = json.loads(where.read_text("utf-8").split('id="clip">')[1].split("</script>")[0])
    for source in clip["sources"]:
        for frame, file in zip(clip["stills"], source["stills"], strict=True):
            assert (np.asarray(Image.open(where.parent / file).convert("RGB")) == moving[frame]).all()


def test_pictures_of_turned_photographs_are_upright(tmp_path: Path, moving: Frames) -> None:
    """As frames are read: EXIF says how a JPEG is turned."""
    from PIL import Image

    from reports.media.series import outside

    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    for name in ("f10.jpg", "f9.jpg"):
        Image.fromarray(moving[0]).save(tmp_path / name, quality=95, exif=exif)
    (tmp_path / "notes.txt").touch()
    first, second = outside(tmp_path, 0, 2).files
    assert (first.name, second.name) == ("f9.jpg", "f10.jpg")
    assert outside(tmp_path, 1, 1).files == (second,)
    read = read_image(first)[0]
    shown = outside(tmp_path, 0, 1)
    assert shown.size == read.shape[1::-1] == (64, 80)
    assert (next(shown.walk([0]))[1] == read).all()


def test_a_folder_that_is_gone(pairs: Path, root: Path, run_pairs: Callable[[], None]) -> None:
    add(pairs, root)
    (pairs / "lq" / "two").rename(pairs / "elsewhere")
    with pytest.raises(InputError, match=r'"two" .*not what it was: ".*lq/two" is not there any more\. Put back'):
        the(root).pairs()[1].degraded()
    the(root).pairs()[0].degraded()
    (pairs / "elsewhere").rename(pairs / "lq" / "two")
    run_pairs()


def test_what_changed_is_told(pairs: Path, root: Path, moving: Frames) -> None:
    add(pairs, root)
    pair = the(root).pairs()[0]
    frame = pairs / "gt" / "one" / "000002.png"
    data, times = frame.read_bytes(), (frame.stat().st_atime_ns, frame.stat().st_mtime_ns)

    def told(words: str) -> None:
        with pytest.raises(InputError, match=words):
            pair.truth()
        frame.write_bytes(data)
        os.utime(frame, ns=times)
        pair.truth()

    frame.unlink()
    told(r'the frame "000002.png" is gone from ".*gt/one"')
    frame.write_bytes(encode_png(noisy(moving[:1], 50, 3)[0]))
    told(r'gt/one/000002.png" has \d+ bytes, and had \d+')
    (extra := frame.with_name("000009.png")).write_bytes(data)
    with pytest.raises(InputError, match='holds a frame more, "000009.png"'):
        pair.truth()
    extra.unlink()
    # The same bytes of size, other pixels: PNG of the last frame, padded behind its end to the size of this one.
    other = encode_png(np.zeros_like(moving[0]))
    frame.write_bytes(other + bytes(len(data) - len(other)))
    told("are others than they were, although their files have the same names and sizes")
    os.utime(frame)  # touched, and as it was
    pair.truth()


def test_pairs_that_changed_are_read_again_on_request(
    pairs: Path, root: Path, moving: Frames, run_pairs: Callable[[], None]
) -> None:
    add(pairs, root)
    run_pairs()
    before = {(c.clip, c.model): c.value for c in read_cells(root)}
    for i, frame in enumerate(noisy(moving, 30, 5)):
        write_png(pairs / "lq" / "one" / f"{i:06d}.png", frame)
    out = add(pairs, root)
    assert "1 read, 1 known already" in out
    assert 'Changed since they were adopted before, and measured anew from now on: "one".' in out
    run_pairs()
    after = {(c.clip, c.model): c.value for c in read_cells(root)}
    assert {key for key in before if before[key] != after[key]} == {("one", "identity"), ("one", "temporal-median")}


def test_verifying_decodes_again(pairs: Path, root: Path, moving: Frames) -> None:
    add(pairs, root)
    one, two = the(root).facts.clips
    assert verify_clip(one) == verify_clip(two) == []
    write_png(pairs / "gt" / "two" / "000001.png", moving[5])
    (pairs / "lq" / "two" / "000004.png").unlink()
    first, second = verify_clip(two)
    assert "gt/two" in first
    assert "lq/two" in second or "4 frame(s)" in second


def test_files_of_a_clip_are_compared_by_name_size_and_pixels(pairs: Path) -> None:
    place = pairs / "gt" / "one"
    facts = json.loads(json.dumps(file_facts(place)))
    digest = frame_hash(open_clip(place).chunks())
    assert changed_since(place, facts, digest) is None
    assert changed_since(place, [], digest) is None
    assert changed_since(place, [], "0") is not None
    assert changed_since(place, facts, "0") is None  # names, sizes, times are the same: nothing is decoded


# --- the list -------------------------------------------------------------------------------------


def test_the_list_fits_a_terminal(gopro: Path, pairs: Path, root: Path) -> None:
    add(gopro, root, "--version", "blur", "--name", f"a long name of a data set {NASTY}")
    add(pairs, root)
    (root / "datasets" / "begun").mkdir()
    out = vbench("datasets", "list", "--root", root)
    table, _, rest = out.partition("not finished: begun: ")
    assert "interrupted there" in rest
    lines = table.splitlines()
    assert max(map(len, lines)) <= 80
    (mine,) = [line for line in lines if "my pairs-lq" in line]
    assert mine.split()[2:6] == ["2", "11", "80x64", "lq"]
    assert mine.rstrip().endswith("my pairs")


def test_the_list_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set.*vbench synth"):
        vbench("datasets", "list", "--root", tmp_path / "none")


def test_a_description_opens_where_its_recipes_are_gone(pairs: Path, root: Path) -> None:
    """Only ``dataset.json`` is needed: without the notes frames are compared by what they hold."""
    add(pairs, root)
    folder = root / "datasets" / "my pairs-lq"
    shutil.rmtree(folder / "recipe")
    pair = open_dataset(folder).pairs()[0]
    assert pair.degraded().info.frames == 6
    write_png(pairs / "lq" / "one" / "000000.png", pair.truth().read(3, 4)[0])
    with pytest.raises(InputError, match="others than they were"):
        pair.degraded()
