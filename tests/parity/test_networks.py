"""Every network: names and shapes, and every case of its fixture, against the official one.

Beside this file lie a manifest and one or two small cases of each fixture, for a clone that stands alone; the others
are read where they were measured. What is peculiar to one network has a file of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vbench.models.networks import NETWORKS
from vbench.models.recipe import read_manifest
from vbench.models.verify import Difference, mismatches, read_case, verify

HERE = Path(__file__).parent
DTYPES = [("float64", None), ("float32", 1e-4)]
METHODS = {"rfr"}
"""Fixtures of a method that trains other networks, not of a network."""

BRANCHING: dict[tuple[str, str], str] = {
    ("pvdnet", "case_clip5"): "positions are truncated to pixels: see test_pvdnet.py",
    ("pvdnet_large", "case_clip5"): "positions are truncated to pixels: see test_pvdnet.py",
    ("votes_bin", "case_main"): "greys are rounded to levels: see test_edvr.py",
}
"""Cases in which a rounding error of float32 decides between two whole numbers; each is tested in a file of its own."""


def over(found: list[Difference]) -> list[Difference]:
    return [difference for difference in found if not difference.within]


def copied(pattern: str) -> list[tuple[str, Path]]:
    return [(name, path) for name in NETWORKS for path in sorted((HERE / name).glob(pattern))]


def label(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


@pytest.mark.shared
def test_every_fixture_has_a_network(shared: Path) -> None:
    folders = {path.name for path in (shared / "parity").iterdir() if path.is_dir()}
    assert folders - METHODS == set(NETWORKS)


def test_every_network_has_a_case_in_a_clone_that_stands_alone() -> None:
    assert {name for name, _ in copied("case_*.npz")} == set(NETWORKS)


@pytest.mark.parametrize(("name", "manifest"), copied("manifest*.json"), ids=label)
def test_names_and_shapes_are_the_official_ones(name: str, manifest: Path) -> None:
    document = read_manifest(manifest)
    with torch.device("meta"):
        made = NETWORKS[name].module().build(document, {})
    assert mismatches(made, document) == []


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("name", "case"), copied("case_*.npz"), ids=label)
def test_outputs_equal_the_official_ones(name: str, case: Path, dtype: str, tolerance: float | None) -> None:
    assert over(verify(name, case, dtype=dtype, tolerance=tolerance)) == []


@pytest.mark.shared
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_case_of_every_fixture(shared: Path, name: str, dtype: str, tolerance: float | None) -> None:
    here = {path.name for path in (HERE / name).glob("case_*.npz")}
    cases = sorted((shared / "parity" / name).glob("case_*.npz"))
    assert cases
    for case in cases:
        if case.name in here or (dtype == "float32" and (name, case.stem) in BRANCHING):
            continue
        assert over(verify(name, case, dtype=dtype, tolerance=tolerance)) == [], case.name


@pytest.mark.shared
@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_of_every_manifest(shared: Path, name: str) -> None:
    manifests = sorted((shared / "parity" / name).glob("manifest*.json"))
    assert manifests
    for manifest in manifests:
        document = read_manifest(manifest)
        with torch.device("meta"):
            made = NETWORKS[name].module().build(document, {})
        assert mismatches(made, document) == [], manifest.name


@pytest.mark.cuda
@pytest.mark.parametrize(("name", "case"), copied("case_*.npz"), ids=label)
def test_outputs_on_a_gpu_equal_the_official_ones(name: str, case: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    assert over(verify(name, case, device="cuda")) == []


def test_the_copied_cases_are_what_they_say() -> None:
    """Each states its layout and its tolerance."""
    for _, case in copied("case_*.npz"):
        assert "tolerance" in read_case(case).meta, case
