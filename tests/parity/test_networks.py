"""Every network: names and shapes, and every case of its fixture, against the official one.

Beside this file lie a manifest and one or two small cases of each fixture, for a clone that stands alone; the others
are read where they were measured. What is peculiar to one network has a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.slow import SLOW
from vbench.models.networks import NETWORKS
from vbench.models.recipe import read_manifest
from vbench.models.verify import Difference, build, mismatches, read_case, verify

HERE = Path(__file__).parent
DTYPES = [("float64", None), ("float32", 1e-4)]
BRANCHING: dict[tuple[str, str], str] = {
    ("pvdnet", "case_clip5"): "positions are truncated to pixels: see test_pvdnet.py",
    ("pvdnet_large", "case_clip5"): "positions are truncated to pixels: see test_pvdnet.py",
    **{("rfr", f"case_{net}_offline"): "see test_rfr.py" for net in ("dncnn", "vnlnet")},
    ("votes_bin", "case_main"): "greys are rounded to levels: see test_edvr.py",
}
"""Cases in which a rounding error of float32 decides between two whole numbers, or is amplified by
training; each is tested in a file of its own."""

LONG = ("vnl_search", "case_pipeline_gray")
"""A quarter of a minute in either type. Of the same pipeline in colour a case lies beside this file."""


TWICE_LONG = ("rtn", "rfr", "cdvd_tsp")
"""Whose other cases take 5 to 10 seconds in either type: daily in double precision, in single by ``nox -s parity``. The
cases beside this file run daily in both."""


def over(found: list[Difference]) -> list[Difference]:
    return [difference for difference in found if not difference.within]


def branches(name: str, case: Path, dtype: str) -> bool:
    return dtype == "float32" and (name, case.stem) in BRANCHING


def copied(pattern: str) -> list[tuple[str, Path]]:
    return [(name, path) for name in NETWORKS for path in sorted((HERE / name).glob(pattern))]


def label(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


@pytest.mark.shared
def test_every_fixture_has_a_network(shared: Path) -> None:
    folders = {path.parent.name for path in (shared / "parity").glob("*/case_*.npz")}
    assert folders == set(NETWORKS)


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
    if branches(name, case, dtype):
        pytest.skip(f"rounding decides here in float32; {BRANCHING[name, case.stem]}")
    assert over(verify(name, case, dtype=dtype, tolerance=tolerance)) == []


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"),
    [
        pytest.param(name, *how, marks=[SLOW] if name in TWICE_LONG and how[0] == "float32" else [])
        for name in NETWORKS
        for how in DTYPES
    ],
)
def test_every_case_of_every_fixture(shared: Path, name: str, dtype: str, tolerance: float | None) -> None:
    here = {path.name for path in (HERE / name).glob("case_*.npz")}
    cases = sorted((shared / "parity" / name).glob("case_*.npz"))
    assert cases
    for case in cases:
        if case.name in here or branches(name, case, dtype) or (name, case.stem) == LONG:
            continue
        assert over(verify(name, case, dtype=dtype, tolerance=tolerance)) == [], case.name


@SLOW
@pytest.mark.shared
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_the_case_that_takes_long(shared: Path, dtype: str, tolerance: float | None) -> None:
    name, case = LONG
    assert over(verify(name, shared / "parity" / name / f"{case}.npz", dtype=dtype, tolerance=tolerance)) == []


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


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


CALLS: dict[str, tuple[str, Callable[[], tuple[Any, ...]]]] = {
    "dncnn": ("manifest.json", lambda: (random(1, 1, 16, 16),)),
    "fastdvdnet": ("manifest.json", lambda: (random(1, 15, 16, 16), random(1, 1, 16, 16))),
    "vnlnet": ("manifest_color.json", lambda: (random(1, 45, 16, 16),)),
    "bimnet": ("manifest.json", lambda: (random(1, 3, 64, 64), random(1, 3, 64, 65)[..., 1:])),
    "pvdnet": ("manifest.json", lambda: tuple(random(1, 3, 64, 64 + i)[..., i:] * 2 - 1 for i in range(4))),
    "pwcnet": ("manifest.json", lambda: (random(1, 3, 64, 64), random(1, 3, 64, 65)[..., 1:])),
    "recons_video": ("manifest.json", lambda: (random(1, 10, 16, 16),)),
    "cdvd_tsp": ("manifest.json", lambda: (random(1, 5, 3, 16, 16),)),
    "raft": ("manifest.json", lambda: (random(1, 3, 128, 128) * 255, random(1, 3, 128, 129)[..., 1:] * 255, 2)),
    "rtn": ("manifest.json", lambda: (random(1, 2, 3, 128, 128) * 2 - 1, 2)),
    "edvr": ("manifest.json", lambda: (random(1, 5, 3, 16, 16),)),
    "votes_bin": ("manifest.json", lambda: (random(1, 5, 3, 16, 16),)),
    "votes": ("manifest.json", lambda: (random(1, 5, 3, 16, 16),)),
}
"""A small call of each network that is one module and has weights; pvdnet_large is pvdnet with more blocks."""
WITHIN = {"bimnet": "pvdnet", "pwcnet": "cdvd_tsp", "edvr": "votes", "votes_bin": "votes"}
"""Networks that are parts of others, with which they are compiled."""


@pytest.mark.parametrize("name", CALLS)
def test_half_precision_channels_last_and_the_compiler(name: str) -> None:
    """autocast, ``channels_last`` and ``torch.compile`` work for every network.

    The compiler traces, and runs what it traced without making machine code of it, which takes minutes.
    """
    manifest, given = CALLS[name]
    network = build(name, HERE / name / manifest, {}, "float32")
    inputs = given()
    with torch.inference_mode():
        wanted = flat(network(*inputs))
        last = flat(network.to(memory_format=torch.channels_last)(*inputs))
        with torch.autocast("cpu", torch.bfloat16):
            half = flat(network(*inputs)).float()
    peak = float(wanted.abs().max())
    assert torch.allclose(last, wanted, atol=1e-4 * peak)
    assert float((half - wanted).abs().mean()) < 0.05 * peak
    if name in WITHIN:
        return
    torch.compiler.reset()
    with torch.no_grad():
        compiled = flat(torch.compile(network, backend="aot_eager")(*inputs))
    assert torch.allclose(compiled, wanted, atol=1e-4 * peak)


def flat(found: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    parts = [found] if isinstance(found, torch.Tensor) else found
    return torch.cat([part.flatten() for part in parts])


def test_every_network_with_weights_is_called() -> None:
    assert set(NETWORKS) - set(CALLS) == {"pvdnet_large", "pixel_volume", "vnl_search", "rfr"}


UNTRAINED = {"pvdnet": "BIMNet.", "rtn": "spynet.", "votes": "bin."}
"""Parts that get no gradient, as their pages say: what they give is truncated, rounded, or only says where to sample."""


@pytest.mark.parametrize("name", CALLS)
def test_networks_can_be_trained(name: str) -> None:
    """In training, too, they compute the same; every other parameter gets a gradient, and every one is a number: also of
    frames that are equal, where a distance is a root of 0.
    """
    manifest, given = CALLS[name]
    network = build(name, HERE / name / manifest, {}, "float32")
    inputs = given()
    with torch.inference_mode():
        wanted = flat(network(*inputs))
    for i, images in enumerate((inputs, tuple(still(x) for x in inputs))):
        network.zero_grad()
        found = flat(network(*images))
        if i == 0:
            assert torch.allclose(found, wanted, atol=1e-5 * float(wanted.abs().max()))
        found.square().mean().backward()
        for parameter, values in network.named_parameters():
            if parameter.startswith(UNTRAINED.get(name, "nothing")):
                assert values.grad is None, parameter
            else:
                assert values.grad is not None, parameter
                assert bool(torch.isfinite(values.grad).all()), parameter


def still(given: Any) -> Any:
    """Frames of one value: all are equal, and so are the two or more that are shown."""
    return torch.full_like(given, 0.5) if isinstance(given, torch.Tensor) else given
