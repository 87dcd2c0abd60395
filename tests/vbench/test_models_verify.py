"""Weights by recipe, and the comparison with a parity fixture: what it must find, it finds."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vbench.errors import InputError, RunError
from vbench.models.dncnn import net, parity
from vbench.models.recipe import fill, read_manifest, state_dict
from vbench.models.verify import _difference, _stated, mismatches, verify

FIXTURE = Path(__file__).resolve().parents[1] / "parity" / "dncnn"
MANIFEST, CASE = FIXTURE / "manifest.json", FIXTURE / "case_17.npz"


def test_numbers_follow_from_the_name() -> None:
    a = fill("a.weight", (8, 4, 3, 3), "weight")
    assert np.array_equal(a, fill("a.weight", (8, 4, 3, 3), "weight"))
    assert not np.array_equal(a, fill("b.weight", (8, 4, 3, 3), "weight"))
    assert np.allclose(fill("a.weight", (8, 4, 3, 3), "weight", 0.1), 0.1 * a, rtol=1e-15)
    # A normal of NumPy's, seeded by CRC-32: crc32(b"a.weight") is 0x50eec96f.
    first = np.random.default_rng(0x50EEC96F).standard_normal()
    assert a.flat[0] == pytest.approx(first * np.sqrt(2 / 36), rel=1e-15)


@pytest.mark.parametrize(
    ("kind", "mean", "spread"),
    [
        ("weight", 0, np.sqrt(2 / 90)),
        ("transposed", 0, np.sqrt(2 / 450)),
        ("norm_weight", 1, 0.1),
        ("bias", 0, 0.05),
        ("running_mean", 0, 0.1),
        ("running_var", 1, np.sqrt(1 / 12)),
        ("table", 0, 0.5),
        ("slope", 0.25, 0),
        ("zero", 0, 0),
    ],
)
def test_kinds_have_their_spreads(kind: str, mean: float, spread: float) -> None:
    values = fill("x", (50, 10, 3, 3), kind)
    assert values.dtype == np.float64
    assert values.mean() == pytest.approx(mean, abs=0.05 * spread + 1e-12)
    assert values.std() == pytest.approx(spread, rel=0.05, abs=1e-12)


def test_a_kind_without_a_recipe_is_an_error() -> None:
    with pytest.raises(ValueError, match='Parameter "x" is of kind "wieght", which has no recipe; there are bias,'):
        fill("x", (2, 2), "wieght")


@pytest.mark.shared
def test_the_numbers_are_those_of_every_fixture(shared: Path) -> None:
    """Bit for bit, for the tensors of all networks whose fixtures there are."""
    spec = importlib.util.spec_from_file_location("official_recipe", shared / "parity" / "recipe_weights.py")
    assert spec is not None
    assert spec.loader is not None
    official = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(official)
    seen: dict[tuple[str, float], tuple[str, tuple[int, ...]]] = {}
    for path in sorted((shared / "parity").glob("*/manifest*.json")):
        document = read_manifest(path)
        for name, entry in document["tensors"].items():
            gain = entry.get("gain", document.get("gain", 1.0))
            if entry["kind"] != "buffer" and int(np.prod(entry["shape"])) < 10_000:
                seen.setdefault((entry["kind"] + str(len(entry["shape"])), gain), (name, tuple(entry["shape"])))
    assert len(seen) > 10
    for (kind, gain), (name, shape) in seen.items():
        assert np.array_equal(fill(name, shape, kind[:-1], gain), official.fill(name, shape, kind[:-1], gain)), name
    ours = state_dict(read_manifest(MANIFEST))
    theirs = official.as_torch(MANIFEST)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_the_network_is_verified() -> None:
    found = verify("dncnn", CASE)
    assert {d.output for d in found} >= {"residual", "denoised", "denoised_clamped", "dncnn.46"}
    assert all(d.within for d in found)
    assert all(0 < d.allowed < 1e-6 for d in found)


def test_a_network_that_computes_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def other() -> net.DnCNN:
        found = net.DnCNN(17)
        for layer in found.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.eps = 1e-4  # names and shapes are the same
        return found

    monkeypatch.setattr(parity, "build", lambda manifest, meta: other())
    found = {d.output: d for d in verify("dncnn", CASE)}
    assert found["dncnn.0"].within  # in front of the first norm
    assert not found["dncnn.3"].within
    assert not found["residual"].within


def test_a_network_of_other_names_is_found(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r'"dncnn" is not that of ".*manifest\.json": dncnn\.48\.weight is not in'):
        verify("dncnn", FIXTURE / "case_20.npz", MANIFEST)
    document = json.loads(MANIFEST.read_text("utf-8"))
    document["tensors"]["dncnn.0.bias"] = {"shape": [64], "kind": "bias"}
    del document["tensors"]["dncnn.2.weight"]
    with torch.device("meta"):
        said = mismatches(net.DnCNN(17), document)
    assert said == ["dncnn.0.bias is missing", "dncnn.2.weight is not in the official one"]


def altered(tmp_path: Path, **changes: Any) -> Path:
    with np.load(CASE) as stored:
        data = {k: stored[k] for k in stored.files} | changes
    np.savez(tmp_path / "case.npz", **data)
    return tmp_path / "case.npz"


def test_outputs_that_are_not_computed_or_of_another_shape_are_found(tmp_path: Path) -> None:
    with np.load(CASE) as stored:
        data = {k: stored[k] for k in ("meta", "in/noisy")}
    data["in/noisy"] = data["in/noisy"][:, :8, :8]
    case = tmp_path / "case.npz"
    np.savez(case, **data, **{"out/nothing_like_it": np.zeros(1)})
    with pytest.raises(RunError, match="does not compute: nothing_like_it"):
        verify("dncnn", case, MANIFEST)
    np.savez(case, **data, **{"out/residual": np.zeros((1, 2))})
    assert [(d.output, d.largest) for d in verify("dncnn", case, MANIFEST)] == [("residual", float("inf"))]


@pytest.mark.parametrize(
    ("stated", "allowed"), [(1e-8, 2e-8), ({"relative_to_max": 1e-8}, 2e-8), ({"rel_to_max": 1e-8}, 2e-8),
                            ({"absolute": 1e-6}, 1e-6), (0, 0)],
)  # fmt: skip
def test_tolerances_are_read_as_fixtures_write_them(stated: Any, allowed: float) -> None:
    assert _stated(stated, peak=2.0) == pytest.approx(allowed)


def test_a_tolerance_of_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="is of no kind that is known"):
        _stated({"ulp": 2}, 1.0)


def test_what_is_no_number_is_not_within() -> None:
    found = _difference("x", np.array([1.0, np.nan]), np.array([1.0, 1.0]), 1e-8)
    assert found.largest == float("inf")
    assert not found.within
    near = _difference("x", np.array([1.0, 0.9]), np.array([1.0, 2.0 / 2]), 0.2)
    assert near.within
    assert near.relative == pytest.approx(0.1)
    far = _difference("x", np.array([3], np.uint8), np.array([5], np.uint8), 1.0)
    assert far.largest == 2  # not 254


def test_what_is_no_network_and_no_fixture_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='There is no network "identity" to verify'):
        verify("identity", CASE)
    with pytest.raises(InputError, match="There is no fixture"):
        verify("dncnn", tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(InputError, match=r"is no case of a parity fixture: an \.npz with arrays"):
        verify("dncnn", tmp_path / "text.npz")
    np.savez(tmp_path / "empty.npz", meta="{}")
    with pytest.raises(InputError, match="has no arrays named in/"):
        verify("dncnn", tmp_path / "empty.npz")
