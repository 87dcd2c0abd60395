"""Random numbers keyed by place."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from degradations.rng import Rng


def numbers(rng: Rng) -> list[float]:
    return [float(x) for x in rng.generator().random(4)]


def test_an_address_gives_the_same_numbers_at_every_call() -> None:
    place = Rng.root(3).at("clip", "dirt", 7)
    assert numbers(place) == numbers(place) == numbers(Rng.root(3).at("clip").at("dirt").at(7))


def test_every_part_of_the_address_counts() -> None:
    base = Rng.root(3).at("clip", 0, "dirt", 7)
    others = [
        Rng.root(4).at("clip", 0, "dirt", 7),
        Rng.root(3).at("clip2", 0, "dirt", 7),
        Rng.root(3).at("clip", 1, "dirt", 7),
        Rng.root(3).at("clip", 0, "hairs", 7),
        Rng.root(3).at("clip", 0, "dirt", 8),
        Rng.root(3).at("clip", 0, "dirt", "7"),
        Rng.root(3).at("clip", 0, "dirt/i7"),
    ]
    assert len({base.key, *(o.key for o in others)}) == len(others) + 1


def test_numpy_integers_are_integers_and_floats_are_refused() -> None:
    assert Rng.root(0).at(np.int64(5)) == Rng.root(0).at(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Rng.root(0).at(5.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ein Clip mit ümläuten", "映画", "a b<&>", "\udcff not text"])
def test_any_file_name_is_an_address(name: str) -> None:
    assert Rng.root(0).at(name) != Rng.root(0).at(name + "x")


def test_the_numbers_do_not_depend_on_the_process() -> None:
    code = "from degradations.rng import Rng; print(Rng.root(11).at('a', 2).generator().random().hex())"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there.strip() == Rng.root(11).at("a", 2).generator().random().hex()


def test_neighbouring_addresses_are_uncorrelated() -> None:
    drawn = np.stack([Rng.root(0).at("frame", i).generator().standard_normal(4000) for i in range(12)])
    correlation = np.corrcoef(drawn) - np.eye(12)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)
