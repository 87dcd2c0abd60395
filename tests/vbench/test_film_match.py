"""``vbench film match``: which frames of a film are looked at, the profile that is written, and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from skimage import data
from typer.testing import CliRunner

from degradations.profile import load_profile
from vbench import film_match
from vbench.cli import app
from vbench.clip import RangeClip
from vbench.errors import InputError, UsageError
from vbench.film_match import CHECKED, SEARCHED, own_scenes, passage_of, profile_name, scenes
from vbench.sources import open_clip

Folder = Callable[..., Path]


def film(frames: int = 14, seed: int = 0) -> NDArray[np.uint8]:
    """Black and white, with grain and a flicker, ``(T, 120, 160, 3)``."""
    photo = np.asarray(data.camera()[100:220, 150:310], np.float64)
    g = np.random.default_rng(seed)
    gains = 1 + 0.05 * g.standard_normal((frames, 1, 1))
    shot = np.clip(photo * gains + 4 * g.standard_normal((frames, *photo.shape)), 0, 255).astype(np.uint8)
    return np.repeat(shot[..., None], 3, axis=3)


def run(*words: object) -> str:
    done = CliRunner().invoke(app, ["film", "match", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def quick() -> object:
    """One round instead of nine, on half as many frames."""
    from degradations.film import matching

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "ROUNDS", 1)
        patch.setattr(film_match, "SCENE_FRAMES", (8, 8))
        yield


# --- the film ------------------------------------------------------------------------------------


def test_the_longest_shot_is_looked_at(clip_folder: Folder) -> None:
    other = np.ascontiguousarray(255 - film(20)[:, ::-1])
    clip = open_clip(clip_folder(np.concatenate([film(14), other])))
    taken = passage_of(clip, 100, None)
    assert (taken.start, len(taken.frames)) == (114, 20)
    assert (taken.frames == other).all()
    assert taken.words == "frames 114 to 133, 160 x 120, black and white"
    # Flicker is no cut.
    assert len(passage_of(open_clip(clip_folder(film(14), "flicker")), 0, None).frames) == 14


def test_not_more_than_are_needed_are_read(clip_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = open_clip(clip_folder(film(30)))
    monkeypatch.setattr(film_match, "MOST_FRAMES", 18)
    assert len(passage_of(clip, 0, None).frames) == 18
    assert len(passage_of(RangeClip(clip, 0, 25), 0, 25).frames) == 25


def test_large_and_deep_films_are_seen_smaller_in_8_bits(clip_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_match, "MOST_LINES", 60)
    clip = open_clip(clip_folder(film(12)[..., :1].astype(np.uint16) * 257))
    taken = passage_of(clip, 0, None)
    assert taken.frames.shape == (12, 60, 80, 3)
    assert taken.frames.dtype == np.uint8
    assert (taken.smaller, taken.colour) == (2, False)
    assert abs(float(taken.frames.mean()) - film(12).mean()) < 0.5
    assert "1/2 of its size" in taken.words


def test_colours_are_seen(clip_folder: Folder) -> None:
    photo = data.chelsea()[100:220, 100:260]
    assert passage_of(open_clip(clip_folder(np.stack([photo] * 12))), 0, None).colour


def test_a_film_of_short_shots_is_refused(clip_folder: Folder) -> None:
    clip = open_clip(clip_folder(np.concatenate([film(8), 255 - film(7)])))
    with pytest.raises(InputError, match=r"has 8 frames, and 12 are needed. Name others by --frames"):
        passage_of(clip, 0, None)


# --- clean scenes --------------------------------------------------------------------------------


def test_scenes_move_by_whole_pixels_or_stand_still() -> None:
    for names in (SEARCHED, CHECKED):
        for moving, still in zip(scenes(names, 90, 10, False), scenes(names, 90, 10, True), strict=True):
            assert moving.shape[:2] == still.shape[:2] == (10, 90)
            assert (moving[0, 1:, 1:] == moving[2, :-1, :-1]).all()
            assert (still == still[0]).all()
            assert moving.std() > 20


def test_own_clean_clips_are_never_enlarged(clip_folder: Folder) -> None:
    clip = open_clip(clip_folder(film(20)))
    (small,) = own_scenes([clip], 60, 15)
    assert small.shape == (15, 60, 80, 3)
    with pytest.raises(InputError, match="has 120 lines and the film is measured at 121"):
        own_scenes([clip], 121, 15)


def test_the_outcome_is_seen_on_other_scenes(clip_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one clean clip on photographs."""
    from degradations.film import matching

    seen: list[tuple[list[float], list[float]]] = []

    def match(film: object, clean: list[NDArray[np.uint8]], check: list[NDArray[np.uint8]], **_: object) -> None:
        seen.append(([float(x.mean()) for x in clean], [float(x.mean()) for x in check]))

    monkeypatch.setattr(matching, "match", match)
    clips = [open_clip(clip_folder(film(12, seed=n), f"clean {n}")) for n in range(3)]
    passage = passage_of(open_clip(clip_folder(film())), 0, None)
    found = film_match.measured(passage, parts=["tone", "weave"])
    for count in (0, 1, 2, 3):
        film_match.matched(found, passage, clips[:count], 0, lambda _: None)
    assert [(len(clean), len(check)) for clean, check in seen] == [(2, 2), (1, 2), (1, 1), (1, 2)]
    assert not any(set(clean) & set(check) for clean, check in seen)


# --- the command ---------------------------------------------------------------------------------


def test_a_profile_is_written_that_synth_takes(
    quick: None, clip_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = run(clip_folder(film(), 'Reel: 3 "final" #1'))
    path = Path("reel-3-final-1-like.yaml")
    assert f"Written: {path}." in told
    assert "grain in the mid-tones" in told
    assert "Not taken from the film:" in told
    profile = load_profile(path)
    assert profile.name == "reel-3-final-1-like"
    assert 'Reel: 3 "final" #1' in profile.description
    assert len(profile.build("matched")) > 10
    assert "# Not taken from the film:" in path.read_text()
    made = CliRunner().invoke(app, ["synth", "-p", str(path), "--clip", "cat", "--max-frames", "2", "--workers", "1"])
    assert made.exit_code == 0, made.output
    # What is there is not written over unasked.
    with pytest.raises(UsageError, match="There is a file"):
        run(clip_folder(film(), 'Reel: 3 "final" #1'.replace("3", "3 ")), "--out", path)
    assert not list(tmp_path.glob(".vbench*"))


def test_everything_as_json_and_on_own_clips(quick: None, clip_folder: Folder, tmp_path: Path) -> None:
    clean = clip_folder(np.repeat(film(14)[:1], 14, axis=0), "clean")
    out = tmp_path / "new" / "my film.yaml"
    found = json.loads(
        run(
            clip_folder(film()), "--clean", clean, "--out", out, "--json", "--frames", "1:13", "--region", "4:116,4:156"
        )
    )
    assert found["profile"] == str(out)
    assert found["frames"] == [1, 13]
    steps = yaml.safe_load(out.read_text())["variants"]["matched"]["steps"]
    assert [list(step) for step in steps] == [list(step) for step in found["steps"]]
    grain = next(one for one in found["figures"] if one["setting"] == "grain.strength")
    assert grain["film"] == pytest.approx(4, rel=0.1)
    assert load_profile(out).name == "my-film"
    assert "match clip --frames 1:13 --region 4:116,4:156 --clean clean (" in load_profile(out).source


def test_what_cannot_be_is_said_before_anything_is_measured(clip_folder: Folder, tmp_path: Path) -> None:
    path = str(clip_folder(film()))
    for words, message in (
        (["--out", tmp_path / "film.yml.txt"], "should end in .yaml"),
        (["--region", "1:2"], "1:2"),
        (["--frames", "90:95"], "has 14 frame"),
    ):
        done = CliRunner().invoke(app, ["film", "match", path, *map(str, words)])
        assert done.exit_code != 0
        assert message in str(done.exception) + done.output
    with pytest.raises(InputError, match="region"):
        run(path, "--region", "0:500,0:100", "--out", tmp_path / "a.yaml")
    assert not list(tmp_path.glob("*.yaml"))


def test_names() -> None:
    assert profile_name("ФИЛЬМ") == "film-like"
    assert profile_name("A" * 3 + "  b..") == "aaa-b-like"
