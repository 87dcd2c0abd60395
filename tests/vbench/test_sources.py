"""Finding clips, naming them, and choosing frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.clip import natural_key, parse_frames, validate_name
from vbench.errors import InputError
from vbench.frames_io import write_png
from vbench.sources import gap, open_clip, open_sources


def folder(path: Path, count: int = 2, height: int = 6, width: int = 8, name: str = "{}.png") -> Path:
    """A folder of gray frames whose level is their number."""
    path.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        write_png(path / name.format(i), np.full((height, width, 1), i, np.uint8))
    return path


def test_import_is_light() -> None:
    code = "import sys, vbench.clip; assert not {'cv2', 'av', 'torch', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True))
def test_numbers_sort_by_value(numbers: list[int]) -> None:
    names = sorted((f"frame{n}.png" for n in numbers), key=natural_key)
    assert names == [f"frame{n}.png" for n in sorted(numbers)]


@given(st.lists(st.text(alphabet="aA01é.", max_size=6), max_size=8))
def test_sorting_does_not_depend_on_the_order_of_the_folder(names: list[str]) -> None:
    shuffled = names[1::2] + names[::2]
    assert sorted(names, key=natural_key) == sorted(shuffled, key=natural_key)


def test_a_name_that_begins_another_comes_first() -> None:
    assert sorted(["a1", "a", "A", "a01"], key=natural_key) == ["A", "a", "a01", "a1"]


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_parse_frames_reads_what_it_says(start: int, count: int) -> None:
    assert parse_frames(f"{start}:{start + count}") == (start, start + count)
    assert parse_frames(f" {start} : ") == (start, None)
    assert parse_frames(f":{count}") == (0, count)


@given(st.text(alphabet="0123456789:-+ .a٣", max_size=30))
def test_parse_frames_refuses_in_words_or_gives_a_range(text: str) -> None:
    try:
        start, stop = parse_frames(text)
    except InputError:
        return
    assert start >= 0
    assert stop is None or stop > start


@pytest.mark.parametrize("text", ["", "5", "-1:3", "1:2:3", "a:b", "3:3", "7:2", "9" * 5000 + ":"])
def test_parse_frames_refuses(text: str) -> None:
    with pytest.raises(InputError, match="--frames"):
        parse_frames(text)


@pytest.mark.parametrize("name", ["a", "two words", "Žluťoučký kůň", "<b>&amp;'\"", "日本", "x" * 200])
def test_names_that_are_kept(name: str) -> None:
    assert validate_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "a/b", "a\\b", "a\0", "a\n", " a", "x" * 201, "a\udcff", "a.json"]
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="rename"):
        validate_name(name)


def test_frames_are_numbered_not_spelt(tmp_path: Path) -> None:
    clip = open_clip(folder(tmp_path / "a", 12, name="frame{}.png"))
    assert clip.read(0, 12)[:, 0, 0, 0].tolist() == list(range(12))


def test_a_range_of_a_clip(tmp_path: Path) -> None:
    place = folder(tmp_path / "a", 10)
    clip = open_clip(place, start=3, stop=9, max_frames=4)
    assert clip.info.frames == 4
    assert np.concatenate(list(clip.chunks(3)))[:, 0, 0, 0].tolist() == [3, 4, 5, 6]
    assert clip.read(1, 2)[0, 0, 0, 0] == 4
    with pytest.raises(InputError, match="which has 4"):
        clip.read(2, 5)


@pytest.mark.parametrize(("start", "stop", "most"), [(10, None, None), (0, 11, None), (5, 5, None), (0, None, 0)])
def test_a_range_outside_the_clip(tmp_path: Path, start: int, stop: int | None, most: int | None) -> None:
    with pytest.raises(InputError, match="0:10"):
        open_clip(folder(tmp_path / "a", 10), start=start, stop=stop, max_frames=most)


def test_a_folder_of_folders_is_a_data_set(tmp_path: Path) -> None:
    for name in ("clip10", "clip2", "<b> ů"):
        folder(tmp_path / "set" / name)
    (tmp_path / "set" / "notes").mkdir()
    (tmp_path / "set" / "notes" / "readme.txt").write_text("nothing")
    folder(tmp_path / "set" / ".hidden")
    clips = open_sources([tmp_path / "set"])
    assert [c.info.name for c in clips] == ["<b> ů", "clip2", "clip10"]


def test_several_sources_and_one_image(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", 1) / "0.png"
    clips = open_sources([folder(tmp_path / "a"), one])
    assert [(c.info.name, c.info.frames) for c in clips] == [("a", 2), ("0", 1)]


def test_a_link_to_a_folder_has_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    farm = tmp_path / "farm"
    farm.mkdir()
    for name in ("a", "b"):
        (farm / name).symlink_to(folder(tmp_path / f"real {name}" / "frames"), target_is_directory=True)
    assert [c.info.name for c in open_sources([farm])] == ["a", "b"]
    assert [c.info.name for c in open_sources([farm / "b"])] == ["b"]
    monkeypatch.chdir(farm / "b")
    assert open_clip(Path()).info.name == "frames"
    assert open_clip(Path("..") / "frames").info.name == "frames"


@given(st.integers(0, 99), st.integers(1, 3), st.integers(5, 30), st.data())
def test_a_gap_is_where_a_frame_was_taken_away(first: int, step: int, count: int, data: st.DataObject) -> None:
    names = [f"x_{first + step * i:04d}.png" for i in range(count)]
    assert gap(names) is None
    lost = data.draw(st.integers(1, count - 2))
    # Of few frames the steps are not told from each other.
    expected = (names[lost - 1], names[lost + 1])
    assert gap(names[:lost] + names[lost + 1 :]) in ((expected,) if count > 5 else (expected, None))


def test_same_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Two sources") as error:
        open_sources([folder(tmp_path / "x" / "a"), folder(tmp_path / "y" / "a")])
    assert str(tmp_path / "x" / "a") in str(error.value)
    assert str(tmp_path / "y" / "a") in str(error.value)


def test_nothing_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither frames"):
        open_sources([tmp_path / "empty"])
    with pytest.raises(InputError, match="does not exist"):
        open_sources([tmp_path / "gone"])
    with pytest.raises(InputError, match="does not exist"):
        open_clip(tmp_path / "gone")


def test_clips_that_lie_deeper_are_pointed_at(tmp_path: Path) -> None:
    folder(tmp_path / "DAVIS" / "480p" / "bear")
    with pytest.raises(InputError, match=r"Did you mean .*480p"):
        open_sources([tmp_path / "DAVIS"])


def test_images_beside_videos_are_not_guessed_at(tmp_path: Path) -> None:
    place = folder(tmp_path / "a")
    (place / "clip.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="both images"):
        open_sources([place])


def test_a_folder_inside_a_data_set_that_is_not_plain_is_not_skipped(tmp_path: Path) -> None:
    folder(tmp_path / "set" / "good")
    (tmp_path / "set" / "bad").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "set" / "bad" / name).write_bytes(b"")
    with pytest.raises(InputError, match="holds 2 videos"):
        open_sources([tmp_path / "set"])


@pytest.mark.shared
def test_real_sources(shared: Path) -> None:
    clips = shared / "data" / "clips"
    tennis, park, factory = open_sources([clips / n for n in ("tennis", "park_joy", "factory_1080p30")])
    sizes = [(c.info.name, c.info.frames, c.info.height, c.info.width) for c in (tennis, park, factory)]
    assert sizes == [("tennis", 24, 240, 432), ("park_joy", 10, 270, 480), ("factory_1080p30", 30, 540, 960)]
    assert [c.info.channels for c in (tennis, park, factory)] == [3, 3, 1]
    assert park.info.fps == 50.0
    assert park.info.source.endswith(".y4m")
    for clip in (tennis, park, factory):
        frames = clip.read(clip.info.frames - 2, clip.info.frames)
        assert frames.shape == (2, clip.info.height, clip.info.width, clip.info.channels)
        assert frames.std() > 20
    everything = open_sources([clips])
    assert [c.info.name for c in everything] == sorted((c.info.name for c in everything), key=natural_key)
    assert len(everything) == 6
