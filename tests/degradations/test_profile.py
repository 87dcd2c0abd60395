"""Profiles: what comes with the package, one's own YAML, and errors that say where and what."""

from pathlib import Path

import pytest
import torch

from degradations.apply import ClipShape, degrade, draw, replay
from degradations.profile import list_profiles, load_profile, sha256

OWN = """
name: mine
version: 3
title: Mine
description: my own
source: me
default: [a]
variants:
  a:
    title: A
    description: an a
    steps:
      - gaussian-noise: {sigma: 9}
      - defocus: {radius: 2}
"""


def own(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_profiles_of_the_package_are_whole() -> None:
    assert list_profiles() == ("blur", "codec", "noise", "oldfilm")
    for name in list_profiles():
        profile = load_profile(name)
        assert profile.name == name
        assert len(profile.variants) >= 3
        assert len(profile.default) == 3
        hashes = {sha256(profile, v) for v in profile.variants}
        assert len(hashes) == len(profile.variants)


def test_ones_own_yaml(tmp_path: Path) -> None:
    profile = load_profile(own(tmp_path, OWN))
    assert [s.kind for s in profile.build("a")] == ["gaussian-noise", "defocus"]
    assert degrade(torch.rand(1, 3, 16, 16), profile, "a").recipe.profile_version == 3


def test_hash_changes_with_a_setting_and_not_with_words(tmp_path: Path) -> None:
    before = sha256(load_profile(own(tmp_path, OWN)), "a")
    assert sha256(load_profile(own(tmp_path, OWN.replace("my own", "other words"))), "a") == before
    assert sha256(load_profile(own(tmp_path, OWN.replace("radius: 2", "radius: 2.5"))), "a") != before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sigma: 9", "sgima: 9", r'variant "a", step 1 \(gaussian-noise\): sgima.*"sigma"'),
        ("sigma: 9", "sigma: -9", r"step 1 \(gaussian-noise\): sigma = -9: .*greater than 0"),
        ("defocus", "defcous", r'step 2: there is no kind of damage called "defcous".*"defocus"'),
        (
            "      - defocus: {radius: 2}",
            "      - exposure-blur: {shutter: 1}",
            r"step 2 \(exposure-blur\).*put it first",
        ),
        (
            "- gaussian-noise: {sigma: 9}",
            "- {gaussian-noise: {sigma: 9}, speckle: {strength: 1}}",
            "has 2 keys",
        ),
    ],
)
def test_wrong_steps_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    profile = load_profile(own(tmp_path, OWN.replace(old, new)))
    with pytest.raises(ValueError, match=message):
        profile.build("a")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 3", "", "version: Field required"),
        ("title: Mine", "titel: Mine", "titel|title"),
        ("default: [a]", "default: [b]", 'no variant "b"'),
        ("name: mine", "name: [", "not valid YAML"),
        ("  a:\n", "  a/b:\n", "folder's name"),
        ("source: me", "source: !!python/object/apply:os.system [ls]", "not valid YAML"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_profile(own(tmp_path, OWN.replace(old, new)))


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match='no profile "oldflim".*"oldfilm"'):
        load_profile("oldflim")
    with pytest.raises(ValueError, match="cannot be read"):
        load_profile("nowhere/mine.yaml")


def test_a_recipe_fits_only_its_clip() -> None:
    recipe = draw(load_profile("noise"), "gaussian25", ClipShape(3, 16, 16))
    with pytest.raises(ValueError, match="gave 2 frames; the recipe is for 3"):
        list(replay(recipe, [torch.rand(2, 3, 16, 16)]))
    with pytest.raises(ValueError, match=r"\(3, 16, 17\).*\(3, 16, 16\)"):
        list(replay(recipe, [torch.rand(3, 3, 16, 17)]))
    bad = torch.rand(3, 3, 16, 16)
    bad[1, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="the source hold values that are not numbers"):
        list(replay(recipe, [bad]))
