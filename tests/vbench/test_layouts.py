"""Data sets in the layouts that people have on disk: which folders are clips, which side is clean, at any level."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.errors import InputError
from vbench.frames_io import write_png
from vbench.layouts import Found, detect, listed
from vbench.sources import open_sources, places_of

NASTY = 'a <b>"q"</b> & ünï\''.replace("/", "∕")


def touch(root: Path, *places: str, names: tuple[str, ...] = ("00000000.png", "00000001.png")) -> Path:
    """Folders of files that are called like frames and hold nothing: layouts are told by names alone."""
    for place in places:
        (root / place).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / place / name).touch()
    return root


def frames(place: Path, level: int, count: int = 2, size: int = 16) -> Path:
    """A folder of gray frames of one level."""
    place.mkdir(parents=True)
    for i in range(count):
        write_png(place / f"{i:08d}.png", np.full((size, size, 1), level, np.uint8))
    return place


@dataclass(frozen=True)
class Case:
    """A tree of folders of frames, and what is to be seen in it: clip to clean folder, versions, split."""

    name: str
    places: tuple[str, ...]
    clips: dict[str, tuple[str | None, dict[str, str], str | None]]
    root: str = "."
    lists: dict[str, str] = field(default_factory=dict)

    def build(self, folder: Path) -> Path:
        touch(folder, *self.places)
        for name, text in self.lists.items():
            (folder / name).write_text(text)
        return folder / self.root


CASES = {
    "gopro": Case(
        "GoPro",
        tuple(
            f"GOPRO_Large/{s}/{side}"
            for s in ("train/GOPR0372_07_00", "test/GOPR0384_11_00")
            for side in ("sharp", "blur", "blur_gamma")
        ),
        {
            f"{name}": (
                f"GOPRO_Large/{split}/{name}/sharp",
                {v: f"GOPRO_Large/{split}/{name}/{v}" for v in ("blur", "blur_gamma")},
                split,
            )
            for split, name in (("train", "GOPR0372_07_00"), ("test", "GOPR0384_11_00"))
        },
    ),
    "gopro of PVDNet": Case(
        "GoPro",
        ("test_nah/GOPR0384_11_00/sharp", "test_nah/GOPR0384_11_00/blur_gamma"),
        {
            "GOPR0384_11_00": (
                "test_nah/GOPR0384_11_00/sharp",
                {"blur_gamma": "test_nah/GOPR0384_11_00/blur_gamma"},
                "test",
            )
        },
    ),
    "dvd": Case(
        "DVD",
        (
            "DVD/quantitative_datasets/720p_240fps_2/GT",
            "DVD/quantitative_datasets/720p_240fps_2/input",
            "DVD/quantitative_datasets/IMG_0003/GT",
            "DVD/quantitative_datasets/IMG_0003/input",
            "DVD/qualitative_datasets/anita/input",
        ),
        {
            name: (f"DVD/quantitative_datasets/{name}/GT", {"input": f"DVD/quantitative_datasets/{name}/input"}, None)
            for name in ("720p_240fps_2", "IMG_0003")
        },
    ),
    "dvd of PVDNet": Case(
        "DVD",
        ("test_DVD/IMG_0003/GT", "test_DVD/IMG_0003/input"),
        {"IMG_0003": ("test_DVD/IMG_0003/GT", {"input": "test_DVD/IMG_0003/input"}, "test")},
    ),
    "reds, flat, numbers in both splits": Case(
        "REDS",
        ("REDS/train_sharp/000", "REDS/val_sharp/000", "REDS/val_sharp_bicubic/X4/000", "REDS/train_blur_comp/000"),
        {
            "train_000": ("REDS/train_sharp/000", {"blur_comp": "REDS/train_blur_comp/000"}, "train"),
            "val_000": ("REDS/val_sharp/000", {"sharp_bicubic-X4": "REDS/val_sharp_bicubic/X4/000"}, "val"),
        },
    ),
    "reds, as its archives unpack": Case(
        "REDS",
        ("REDS/train/train_sharp/239", "REDS/train/train_blur_jpeg/239", "REDS/val/val_sharp/007"),
        {
            "239": ("REDS/train/train_sharp/239", {"blur_jpeg": "REDS/train/train_blur_jpeg/239"}, "train"),
            "007": ("REDS/val/val_sharp/007", {}, "val"),
        },
    ),
    "reds, every archive in a folder of its own": Case(
        "REDS",
        ("val_sharp/val/val_sharp/000", "val_blur_bicubic/val/val_blur_bicubic/X4/000"),
        {
            "000": (
                "val_sharp/val/val_sharp/000",
                {"blur_bicubic-X4": "val_blur_bicubic/val/val_blur_bicubic/X4/000"},
                "val",
            )
        },
    ),
    "reds4": Case(
        "REDS4",
        ("REDS4/GT/011", "REDS4/sharp_bicubic/011"),
        {"011": ("REDS4/GT/011", {"sharp_bicubic": "REDS4/sharp_bicubic/011"}, None)},
    ),
    "vid4": Case(
        "Vid4",
        (
            "Vid4/GT/calendar",
            "Vid4/BIx4/calendar",
            "Vid4/BDx4/calendar",
            "Vid4/GT/walk",
            "Vid4/BIx4/walk",
            "Vid4/BDx4/walk",
        ),
        {c: (f"Vid4/GT/{c}", {v: f"Vid4/{v}/{c}" for v in ("BIx4", "BDx4")}, None) for c in ("calendar", "walk")},
    ),
    "udm10": Case(
        "UDM10",
        ("UDM10/GT/archpeople", "UDM10/BlurDown4/archpeople"),
        {"archpeople": ("UDM10/GT/archpeople", {"BlurDown4": "UDM10/BlurDown4/archpeople"}, None)},
    ),
    "spmcs": Case(
        "SPMCS",
        ("SPMCS/car05_001/truth", "SPMCS/car05_001/input4", "SPMCS/car05_001/input2"),
        {
            "car05_001": (
                "SPMCS/car05_001/truth",
                {"input4": "SPMCS/car05_001/input4", "input2": "SPMCS/car05_001/input2"},
                None,
            )
        },
    ),
    "cdvd": Case(
        "GOPRO",
        ("GOPRO/train/blur/a", "GOPRO/train/gt/a", "GOPRO/test/blur/b", "GOPRO/test/gt/b"),
        {
            "a": ("GOPRO/train/gt/a", {"blur": "GOPRO/train/blur/a"}, "train"),
            "b": ("GOPRO/test/gt/b", {"blur": "GOPRO/test/blur/b"}, "test"),
        },
    ),
    "votes": Case(
        "REDS_compressed",
        (
            "REDS_compressed/HQ_frames/240",
            "REDS_compressed/LQ_frames_qp28_x2/240",
            "REDS_compressed/LQ_frames_qp33_x2/240",
        ),
        {
            "240": (
                "REDS_compressed/HQ_frames/240",
                {v: f"REDS_compressed/{v}/240" for v in ("LQ_frames_qp28_x2", "LQ_frames_qp33_x2")},
                None,
            )
        },
    ),
    "uvssm": Case(
        "UVSSM-WeChat",
        ("UVSSM/WeChat/HQ_frames/016", "UVSSM/WeChat/LQ_frames/016"),
        {"016": ("UVSSM/WeChat/HQ_frames/016", {"LQ_frames": "UVSSM/WeChat/LQ_frames/016"}, None)},
    ),
    "vimeo": Case(
        "Vimeo-90K",
        tuple(f"vimeo_septuplet/sequences/{c}" for c in ("00001/0001", "00001/0002", "00002/0001")),
        {
            "00001_0001": ("vimeo_septuplet/sequences/00001/0001", {}, "train"),
            "00001_0002": ("vimeo_septuplet/sequences/00001/0002", {}, None),
            "00002_0001": ("vimeo_septuplet/sequences/00002/0001", {}, "test"),
        },
        lists={
            "vimeo_septuplet/sep_trainlist.txt": "00001/0001\n",
            "vimeo_septuplet/sep_testlist.txt": "00002/0001\n\n",
        },
    ),
    "vimeo, test set for super-resolution": Case(
        "Vimeo-90K",
        ("target/00001/0266", "low_resolution/00001/0266", "input/00001/0266"),
        {
            "00001_0266": (
                "target/00001/0266",
                {"low_resolution": "low_resolution/00001/0266", "input": "input/00001/0266"},
                None,
            )
        },
    ),
    "vimeo, shrunk beside": Case(
        "Vimeo-90K",
        ("vimeo_septuplet/sequences/00001/0001", "vimeo_septuplet_BDLRx4/sequences/00001/0001"),
        {
            "00001_0001": (
                "vimeo_septuplet/sequences/00001/0001",
                {"vimeo_septuplet_BDLRx4": "vimeo_septuplet_BDLRx4/sequences/00001/0001"},
                None,
            )
        },
    ),
    "davis": Case(
        "DAVIS-480p",
        (
            "DAVIS/JPEGImages/480p/bear",
            "DAVIS/JPEGImages/480p/dog",
            "DAVIS/Annotations/480p/bear",
            "DAVIS/Annotations_unsupervised/480p/dog",
        ),
        {c: (f"DAVIS/JPEGImages/480p/{c}", {}, None) for c in ("bear", "dog")},
    ),
    "videolq": Case("VideoLQ", ("VideoLQ/Input/000",), {"000": (None, {"input": "VideoLQ/Input/000"}, None)}),
    "a data set of our own": Case(
        "noise-gaussian25",
        tuple(f"noise-gaussian25/{room}/cat" for room in ("gt", "lq", "mask")),
        {"cat": ("noise-gaussian25/gt/cat", {"lq": "noise-gaussian25/lq/cat"}, None)},
    ),
    "split below the side": Case(
        "X",
        ("X/clean/train/a", "X/noisy/train/a", "X/clean/test/a", "X/noisy/test/a"),
        {f"{s}_a": (f"X/clean/{s}/a", {"noisy": f"X/noisy/{s}/a"}, s) for s in ("train", "test")},
    ),
    "nasty names": Case(
        "two words",
        (f"two words/gt/{NASTY}", f"two words/lq/{NASTY}"),
        {NASTY: (f"two words/gt/{NASTY}", {"lq": f"two words/lq/{NASTY}"}, None)},
    ),
}


def seen(found: Found, root: Path) -> dict[str, tuple[str | None, dict[str, str], str | None]]:
    return {
        c.name: (
            c.clean.relative_to(root).as_posix() if c.clean else None,
            {v: p.relative_to(root).as_posix() for v, p in c.degraded.items()},
            c.split,
        )
        for c in found.clips
    }


@pytest.mark.parametrize("name", CASES)
def test_a_layout_is_recognised(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    found = detect(case.build(tmp_path))
    assert found is not None
    assert found.name == case.name
    assert seen(found, tmp_path) == case.clips
    assert found.passed_over == ()


@pytest.mark.parametrize("name", CASES)
def test_any_level_of_it_may_be_named(name: str, tmp_path: Path) -> None:
    """A root, a split, one side or one sequence gives of the same clips those parts that lie in it."""
    case = CASES[name]
    whole = detect(case.build(tmp_path))
    assert whole is not None
    clips = {c.key: c for c in whole.clips}
    folders = {p for place in case.places for p in (tmp_path / place).parents if p.is_relative_to(tmp_path)}
    reached = set()
    for folder in folders:
        try:
            part = detect(folder)
        except InputError:
            assert "Annotations" in str(folder)
            continue
        for clip in part.clips if part else ():
            full = clips[clip.key] if len(clips) == len(whole.clips) else None
            assert clip.clean is None or clip.clean.is_relative_to(folder)
            if full is not None:
                assert clip.clean in (None, full.clean)
                assert clip.degraded.items() <= full.degraded.items()
                assert clip.name in (full.name, full.key)
            reached.add(clip.key)
    assert reached == {c.key for c in whole.clips}


@pytest.mark.parametrize(
    ("clean", "degraded"),
    [("gt", "lq"), ("GT", "input"), ("clean", "noisy"), ("HR", "LR"), ("sharp", "blurry"), ("target", "input")],
)
@pytest.mark.parametrize("clip_first", [False, True])
def test_pairs_called_by_what_they_hold(clean: str, degraded: str, clip_first: bool, tmp_path: Path) -> None:
    for side in (clean, degraded):
        touch(tmp_path, f"set/a/{side}" if clip_first else f"set/{side}/a")
    found = detect(tmp_path / "set")
    assert found is not None
    (clip,) = found.clips
    assert (found.name, clip.name, list(clip.degraded)) == ("set", "a", [degraded])


def test_pairs_of_videos(tmp_path: Path) -> None:
    touch(tmp_path, "set/gt", "set/lq", names=("one.mp4", "two.mkv", "notes.txt"))
    found = detect(tmp_path)
    assert found is not None
    assert [(c.name, str(c.clean)) for c in found.clips] == [
        ("one", str(tmp_path / "set/gt/one.mp4")),
        ("two", str(tmp_path / "set/gt/two.mkv")),
    ]


def test_a_side_of_another_name_is_given(tmp_path: Path) -> None:
    touch(tmp_path, "set/gt/a", "set/old (1) film/a")
    assert detect(tmp_path) is None
    found = detect(tmp_path, "old (1) film")
    assert found is not None
    assert found.versions == ("old (1) film",)


@pytest.mark.parametrize(
    "places",
    [
        ("Set8/tractor", "Set8/sunflower"),
        ("gt/a",),
        ("clips/one", "clips/two"),
        ("a",),
        ("train/one", "test/two"),
        ("480p/bear",),
    ],
)
def test_plain_folders_are_nothing_special(places: tuple[str, ...], tmp_path: Path) -> None:
    assert detect(touch(tmp_path, *places)) is None


def test_several_data_sets_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "data/Vid4/GT/walk", "data/Vid4/BIx4/walk", "data/REDS/val_sharp/000", "data/REDS/val_sharp/001")
    with pytest.raises(InputError, match="holds 2 data sets") as error:
        detect(tmp_path / "data")
    assert f'"{tmp_path}/data/REDS" (REDS, 2 clips)' in str(error.value)
    assert f'"{tmp_path}/data/Vid4" (pairs, 1 clip)' in str(error.value)


def test_parts_of_a_release_that_are_data_sets_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, *(f"UVSSM/{p}/{s}/001" for p in ("WeChat", "twitter") for s in ("HQ_frames", "LQ_frames")))
    with pytest.raises(InputError, match="UVSSM/twitter.*UVSSM/WeChat.*Name one"):
        detect(tmp_path)
    touch(tmp_path, "DAVIS/JPEGImages/480p/bear", "DAVIS/JPEGImages/Full-Resolution/bear")
    with pytest.raises(InputError, match="JPEGImages/480p.*JPEGImages/Full-Resolution"):
        detect(tmp_path / "DAVIS")


def test_annotations_are_never_frames(tmp_path: Path) -> None:
    touch(tmp_path, "DAVIS/Annotations/480p/bear")
    for place in ("DAVIS", "DAVIS/Annotations", "DAVIS/Annotations/480p/bear"):
        with pytest.raises(InputError, match="annotations"):
            open_sources([tmp_path / place])


def test_the_same_clip_twice(tmp_path: Path) -> None:
    touch(tmp_path, "REDS/val_sharp/000", "REDS/val/val_sharp/000")
    with pytest.raises(InputError, match="Two places hold the same frames"):
        detect(tmp_path)


def test_links_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "disk/GOPRO/test/GOPR0384_11_00/sharp", "disk/GOPRO/test/GOPR0384_11_00/blur")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "link").symlink_to(tmp_path / "disk" / "GOPRO")
    (tmp_path / "disk" / "GOPRO" / "test" / "up").symlink_to(tmp_path / "disk")
    found = detect(tmp_path / "datasets")
    assert found is not None
    assert seen(found, tmp_path / "datasets") == {
        "GOPR0384_11_00": (
            "link/test/GOPR0384_11_00/sharp",
            {"blur": "link/test/GOPR0384_11_00/blur"},
            "test",
        )
    }


def test_a_workspace_beside_the_clips_is_passed(tmp_path: Path) -> None:
    """The default one lies in the current folder, which may be the source as well: the second profile of it."""
    touch(tmp_path, "runs/datasets/noise/gt/a", "runs/datasets/noise/lq/a", "runs/clips/abc/a", "a")
    assert detect(tmp_path) is not None
    (tmp_path / "runs" / ".lock").touch()
    assert detect(tmp_path) is None
    assert [name for _, name in places_of([tmp_path])] == ["a"]
    found = detect(tmp_path / "runs" / "datasets" / "noise")
    assert found is not None
    assert [clip.name for clip in found.clips] == ["a"]


def test_names_that_cannot_be_kept(tmp_path: Path) -> None:
    touch(tmp_path, "set/gt/a ", "set/lq/a ")
    with pytest.raises(InputError, match="white space; rename"):
        detect(tmp_path)


def test_hidden_folders_and_leftovers_of_archives_are_passed(tmp_path: Path) -> None:
    touch(tmp_path, "X/gt/a", "X/lq/a", "X/.cache/gt/b", "__MACOSX/X/gt/c")
    found = detect(tmp_path)
    assert found is not None
    assert [c.name for c in found.clips] == ["a"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "gt", "lq", "sharp", "blur", "000", "train", "x"]), min_size=1, max_size=5))
def test_no_tree_is_a_surprise(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """One folder of frames, wherever it lies, is one clip, or nothing special."""
    root = touch(tmp_path_factory.mktemp("tree"), "/".join(parts))
    found = detect(root)
    assert found is None or [c.clean for c in found.clips if c.clean] == [root.joinpath(*parts)]


# --- as sources -----------------------------------------------------------------------------------


def levels(places: list[Path], **options: list[str]) -> dict[str, int]:
    """Clip to the level of its frames."""
    return {c.info.name: int(c.read(0, 1).mean()) for c in open_sources(places, **options)}


@pytest.fixture
def reds(tmp_path: Path) -> Path:
    root = tmp_path / "REDS"
    for level, place in enumerate(
        ("train_sharp/000", "train_sharp/001", "val_sharp/000", "train_blur/000", "val_sharp_bicubic/X4/000"), 1
    ):
        frames(root / place, level)
    return root


def test_the_clean_side_is_taken(reds: Path) -> None:
    assert levels([reds]) == {"train_000": 1, "train_001": 2, "val_000": 3}
    assert levels([reds / "val_sharp"]) == {"000": 3}
    assert levels([reds / "train_sharp" / "001"]) == {"001": 2}
    # What is named itself is taken, whatever it is.
    assert levels([reds / "train_blur"]) == {"000": 4}
    assert levels([reds / "val_sharp_bicubic" / "X4" / "000"]) == {"000": 5}


def test_clips_are_chosen_before_any_is_opened(reds: Path) -> None:
    for path in (reds / "train_sharp" / "000").iterdir():
        path.write_bytes(b"no picture")
    assert levels([reds], clips=["train_001", "val_000"]) == {"train_001": 2, "val_000": 3}
    with pytest.raises(InputError, match='no clip "val_00".*Did you mean "val_000"'):
        open_sources([reds], clips=["val_00"])


def test_one_sequence_is_called_by_its_name(tmp_path: Path) -> None:
    place = frames(tmp_path / "test" / "GOPR0384_11_00" / "sharp", 7)
    frames(tmp_path / "test" / "GOPR0384_11_00" / "blur", 8)
    assert levels([place]) == levels([place.parent]) == {"GOPR0384_11_00": 7}


def test_what_is_no_part_of_it_is_not_passed_over_in_silence(reds: Path) -> None:
    frames(reds / "my results" / "000", 9)
    with pytest.raises(InputError, match=r"no part of it: .*my results/000.*name the folder of the clean ones"):
        open_sources([reds])


def test_a_picture_beside_the_folders_is_no_clip(reds: Path) -> None:
    write_png(reds / "teaser.png", np.zeros((4, 4, 1), np.uint8))
    with pytest.raises(InputError, match=f'no part of it: "{reds}"'):
        open_sources([reds])


def test_a_list_of_clips(tmp_path: Path) -> None:
    root = tmp_path / "vimeo_septuplet"
    for level, clip in enumerate(("00001/0001", "00001/0002", "00002/0001"), 1):
        frames(root / "sequences" / clip, level, 7)
    (root / "sep_testlist.txt").write_text("00001/0002\n00002/0001\n")
    (root / "other.txt").write_text("00009/0009\n")
    (tmp_path / "empty.txt").write_text("")
    assert levels([root / "sep_testlist.txt"]) == {"00001_0002": 2, "00002_0001": 3}
    assert [c.split for c in listed(root / "sep_testlist.txt").clips] == ["test", "test"]
    with pytest.raises(InputError, match=r"first line is .00009/0009.*like .00001/0001"):
        open_sources([root / "other.txt"])
    with pytest.raises(InputError, match="names no clip"):
        open_sources([tmp_path / "empty.txt"])


def test_lists_of_davis(tmp_path: Path) -> None:
    for level, clip in enumerate(("bear", "dog"), 1):
        frames(tmp_path / "DAVIS" / "JPEGImages" / "480p" / clip, level)
        frames(tmp_path / "DAVIS" / "Annotations" / "480p" / clip, 99)
    lists = tmp_path / "DAVIS" / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("dog\n")
    assert levels([tmp_path / "DAVIS"]) == {"bear": 1, "dog": 2}
    assert levels([lists / "val.txt"]) == {"dog": 2}


def test_real_videos_without_ground_truth_are_sources_where_they_are_named(tmp_path: Path) -> None:
    frames(tmp_path / "VideoLQ" / "000", 5)
    assert levels([tmp_path / "VideoLQ"]) == {"000": 5}


def test_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    touch(tmp_path, "X/gt/a")
    (tmp_path / "X" / "lq").mkdir(mode=0)
    if os.access(tmp_path / "X" / "lq", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        detect(tmp_path)
