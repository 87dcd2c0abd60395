"""Profiles, and the table of kinds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from degradations.base import Degradation
from degradations.catalog import KINDS, load
from degradations.profile import Profile, list_profiles, load_profile, sha256

GOOD = """
name: mine
version: 1
title: Mine
description: A test.
source: None.
default: [a]
variants:
  a:
    title: A
    description: Noise.
    steps:
      - gaussian-noise: {sigma: 10}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_class_of_that_kind(kind: str) -> None:
    made = load(kind)
    assert issubclass(made, Degradation)
    assert made.kind == kind
    assert made.__doc__


def test_every_degradation_of_the_package_is_in_the_table() -> None:
    import importlib
    import pkgutil

    import degradations

    found = set()
    for module in pkgutil.walk_packages(degradations.__path__, "degradations."):
        for value in vars(importlib.import_module(module.name)).values():
            ours = isinstance(value, type) and issubclass(value, Degradation) and value.__module__ == module.name
            if ours and "kind" in vars(value):
                found.add(value)
    assert found == {load(kind) for kind in KINDS}


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r'"gausian-noise".*"gaussian-noise"'):
        load("gausian-noise")


@pytest.mark.parametrize("name", list_profiles())
def test_every_profile_has_three_variants_that_build(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert len(profile.variants) >= (1 if name == "clean" else 3)
    assert len(profile.default) == (1 if name in ("sr", "clean") else 3)  # a severity curve, where the size is the same
    assert profile.source.strip()
    hashes = {sha256(profile, v) for v in profile.variants}
    assert len(hashes) == len(profile.variants)
    for variant in profile.variants.values():
        assert variant.title
        assert variant.description.strip().endswith(".")
        assert "  " not in variant.title
    for variant_name in profile.variants:
        assert profile.build(variant_name)


def test_a_curve_of_severity_has_three_points_in_order() -> None:
    for name in list_profiles():
        profile = load_profile(name)
        rising = [v.severity for v in profile.variants.values() if v.severity is not None]
        assert len(rising) >= 3 or (not rising and profile.severities is not None)
        assert rising == sorted(set(rising))


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from degradations.profile import list_profiles, load_profile\n"
        "[load_profile(n) for n in list_profiles()]\n"
        "print([m for m in ('torch', 'cv2', 'albumentations', 'av', 'scipy', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_profile_of_the_users_own(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, GOOD))
    (step,) = profile.build("a")
    assert step.kind == "gaussian-noise"
    assert sha256(profile, "a") == sha256(load_profile(str(tmp_path / "mine.yaml")), "a")


def test_the_hash_is_of_what_is_done(tmp_path: Path) -> None:
    base = sha256(load_profile(written(tmp_path, GOOD)), "a")
    assert sha256(load_profile(written(tmp_path, GOOD.replace("title: A", "title: B"))), "a") == base
    spelled = GOOD.replace("{sigma: 10}", "{clip: false, sigma: 10.0}")
    assert sha256(load_profile(written(tmp_path, spelled)), "a") == base
    for old, new in (
        ("sigma: 10", "sigma: 11"),
        ("sigma: 10", "sigma: 10, clip: true"),
        ("version: 1", "version: 2"),
    ):
        assert sha256(load_profile(written(tmp_path, GOOD.replace(old, new))), "a") != base


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "gaussian-noise",
            "gausian-noise",
            'mine.yaml.*variant "a", step 1.*gausian-noise.*"gaussian-noise"',
        ),
        ("sigma", "sigmas", 'mine.yaml.*variant "a", step 1.*no setting "sigmas".*"sigma"'),
        ("sigma: 10", "sigma: -1", 'mine.yaml.*variant "a", step 1.*sigma = -1.*greater than 0'),
        ("{sigma: 10}", "{}", 'mine.yaml.*step 1.*"sigma" is missing'),
        ("{sigma: 10}", "{sigma: yes}", "mine.yaml.*step 1.*sigma = True: a number was expected"),
        ("- gaussian-noise: {sigma: 10}", "- {dirt: {}, hairs: {}}", "step 1.*2 keys"),
        (
            "- gaussian-noise: {sigma: 10}",
            "- dirt:\n      - exposure-blur: {shutter: 0.5}",
            "step 2.*put it first",
        ),
        ("- gaussian-noise: {sigma: 10}", "[]", "mine.yaml.*steps"),
        (
            "- gaussian-noise: {sigma: 10}",
            "- spatial: {transform: Rot90}",
            "step 1.*Rot90.*not one that may be named",
        ),
        ("default: [a]", "default: [b]", 'mine.yaml.*no variant "b"'),
        ("default: [a]", "default: [a, a]", "mine.yaml.*same variant twice"),
        ("source: None.", "sources: None.", "mine.yaml.*source"),
        ("    title: A", "    title: A\n    title: B", '"title" stands there twice'),
        ("title: Mine", "title: [", "mine.yaml.*not valid YAML"),
        ("title: Mine", "title: !!python/object/apply:os.getcwd []", "mine.yaml.*not valid YAML"),
        (
            "title: Mine",
            "title:\tMine\n\tversion: 2",
            "mine.yaml.*not valid YAML: line 4, column .*spaces, not by tabs",
        ),
        ("title: Mine", "title: *other", "line 4, column 8: found undefined alias 'other'[.]$"),
        ("{sigma: 10}", "{sigma: 10, sigma: 11}", 'line 13, column .*"sigma" stands there twice[.]$'),
        ("title: Mine", f"title: {'[' * 3000}", "mine.yaml.*nested too deeply"),
        (
            "gaussian-noise: {sigma: 10}",
            "albumentations: {transform: GausNoise}",
            r'step 1.*"GausNoise" is not one that may be named[.] Did you mean "GaussNoise"[?]$',
        ),
        (
            "gaussian-noise: {sigma: 10}",
            "albumentations: {transform: GaussNoise, options: {std_range: [5, 9]}}",
            r"step 1 .*GaussNoise: std_range: All values in \(5.0, 9.0\) must be >= 0 and <= 1[.]$",
        ),
        ("  a:\n", "  ../a:\n", "mine.yaml.*folder"),
        ("name: mine", "name: ../mine", "mine.yaml.*name"),
    ],
)
def test_errors_say_file_variant_step_and_what(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))

    def use() -> None:
        profile = load_profile(path)
        for variant in profile.variants:
            profile.build(variant)

    with pytest.raises(ValueError, match=says):
        use()


def test_a_missing_profile_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'no profile "oldfilms".*"oldfilm".*own'):
        load_profile("oldfilms")
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        load_profile(tmp_path / "nothing.yaml")
    with pytest.raises(ValueError, match=r'variant "gaussian22".*gaussian'):
        load_profile("noise").variant("gaussian22")


def test_an_empty_file_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mine\.yaml\" is empty\. It should hold name"):
        load_profile(written(tmp_path, ""))
    with pytest.raises(ValueError, match=r"mine\.yaml\" holds a list"):
        load_profile(written(tmp_path, "- 1"))


def test_text_in_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(GOOD.encode("utf-8-sig"))
    assert load_profile(path).name == "mine"
    path.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(ValueError, match=r"mine\.yaml\" is no text in UTF-8 \(byte 0 is 0xff\)"):
        load_profile(path)


def test_profiles_are_immutable() -> None:
    profile: Profile = load_profile("noise")
    with pytest.raises(ValueError, match="frozen"):
        profile.version = 2  # type: ignore[misc]
