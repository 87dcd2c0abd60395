"""``vbench models verify`` on cases that are not those of the fixtures: right ones pass, wrong ones are told in a sentence."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from vbench.cli import app, main
from vbench.errors import InputError, RunError, UsageError, VbenchError
from vbench.fixtures import make, options, read_case, read_manifest
from vbench.models.cdvd_tsp import parity as cdvd_parity
from vbench.models.dncnn.net import DnCNN
from vbench.models.verify import _allowed, verified, verify
from vbench.models.vnlnet import search_parity

LAYERS, CHANNELS = 3, 2
PARTS = ("weight", "bias", "running_mean", "running_var")
KINDS = ("norm_weight", "bias", "running_mean", "running_var")


def manifest() -> dict[str, Any]:
    """Of a DnCNN of three layers for frames of two channels, by the rules of its ARCHITECTURE page."""
    tensors: dict[str, Any] = {"dncnn.0.weight": {"shape": [64, CHANNELS, 3, 3], "kind": "weight"}}
    tensors["dncnn.2.weight"] = {"shape": [64, 64, 3, 3], "kind": "weight"}
    for part, kind in zip(PARTS, KINDS, strict=True):
        tensors[f"dncnn.3.{part}"] = {"shape": [64], "kind": kind}
    tensors["dncnn.3.num_batches_tracked"] = {"shape": [], "kind": "buffer"}
    tensors["dncnn.5.weight"] = {"shape": [CHANNELS, 64, 3, 3], "kind": "weight", "gain": 0.1}
    return {"constructor": {"channels": CHANNELS, "num_of_layers": LAYERS}, "tensors": tensors}


def weight(name: str, shape: tuple[int, ...], gain: float = 1.0) -> NDArray[np.float64]:
    """As the recipe's page says it."""
    import zlib

    normal = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    spread = gain * np.sqrt(2 / (shape[1] * 9))
    return np.asarray(normal * spread)


def convolved(x: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """A 3x3 convolution with zeros outside, by its definition."""
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((len(x), len(kernel), height, width))
    for i in range(3):
        for j in range(3):
            out += np.einsum("oc,bchw->bohw", kernel[:, :, i, j], padded[:, :, i : i + height, j : j + width])
    return out


def residual(noisy: NDArray[np.float64]) -> NDArray[np.float64]:
    """What that DnCNN gives, in NumPy alone."""
    import zlib

    def draw(part: str) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(f"dncnn.3.{part}".encode()))

    scale = 1 + 0.1 * draw("weight").standard_normal(64)
    shift = 0.05 * draw("bias").standard_normal(64)
    mean = 0.1 * draw("running_mean").standard_normal(64)
    variance = draw("running_var").uniform(0.5, 1.5, 64)
    x = np.maximum(convolved(noisy, weight("dncnn.0.weight", (64, CHANNELS, 3, 3))), 0)
    x = convolved(x, weight("dncnn.2.weight", (64, 64, 3, 3)))
    factor = scale / np.sqrt(variance + 1e-5)
    x = np.maximum(x * factor[:, None, None] + (shift - mean * factor)[:, None, None], 0)
    return convolved(x, weight("dncnn.5.weight", (CHANNELS, 64, 3, 3), 0.1))


@pytest.fixture(scope="module")
def data() -> dict[str, NDArray[Any]]:
    noisy = np.random.default_rng(0).integers(0, 256, (2, CHANNELS, 7, 5), dtype=np.uint8)
    found = residual(noisy / 255)
    return {"in/noisy": noisy, "out/residual": found, "out/denoised": noisy / 255 - found}


META: dict[str, Any] = {"dtype": "float64", "tolerance": {"relative_to_max": 1e-8}}


def stored(folder: Path, data: dict[str, NDArray[Any]], meta: Any = META, **changes: Any) -> Path:
    (folder / "manifest.json").write_text(json.dumps(manifest()), "utf-8")
    text = meta if isinstance(meta, str | bytes | np.ndarray) else json.dumps(meta)
    renamed = {key.replace("__", "/"): value for key, value in changes.items()}
    whole = {key: value for key, value in (data | renamed).items() if value is not None}
    arrays: Any = {"meta": text, **whole}
    np.savez(folder / "case_new.npz", **arrays)
    return folder / "case_new.npz"


def test_a_network_of_other_options_is_verified(tmp_path: Path, data: dict[str, NDArray[Any]]) -> None:
    """Computed without a line of ours: other layers, other channels, an odd size, a batch."""
    found = verify("dncnn", stored(tmp_path, data))
    assert [d.output for d in found] == ["residual", "denoised"]
    assert all(d.within and d.relative < 1e-12 for d in found)


@pytest.mark.parametrize(
    "meta",
    [
        {**META, "tolerance": 1e-8},
        {**META, "tolerance": "1e-8"},
        {**META, "tolerance": {"rel_to_max": 1e-8, "note": "words"}},
        {**META, "tolerance": {"absolute": 1e-9}},
        {**META, "tolerance": {"absolute": 1e-9, "relative": 1e-8}},
        {**META, "tolerance": {"residual": 1e-8, "default": {"absolute": 1e-9}}},
        {**META, "constructor": {"channels": 2.0}},
        {**META, "options": {"arguments": {"num_of_layers": 3}}},
        json.dumps(META).encode(),
        np.frombuffer(json.dumps(META).encode(), np.uint8),
        np.array([json.dumps(META)]),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else type(value).__name__,
)
def test_what_fixtures_may_say_in_other_words(tmp_path: Path, data: dict[str, NDArray[Any]], meta: Any) -> None:
    assert all(d.within for d in verify("dncnn", stored(tmp_path, data, meta)))


def test_frames_may_be_stored_as_numbers_from_0_to_1(tmp_path: Path, data: dict[str, NDArray[Any]]) -> None:
    case = stored(tmp_path, data, in__noisy=data["in/noisy"] / 255, in__beside=np.zeros(3))
    assert all(d.within for d in verify("dncnn", case))


def test_the_case_says_in_what_it_was_computed(tmp_path: Path, data: dict[str, NDArray[Any]]) -> None:
    single = {**META, "dtype": "float32", "tolerance": 1e-5}
    assert verified("dncnn", stored(tmp_path, data, single)).dtype == "float32"
    assert all(d.allowed == pytest.approx(1e-5 * d.peak) for d in verify("dncnn", tmp_path / "case_new.npz"))
    assert verified("dncnn", stored(tmp_path, data)).dtype == "float64"
    asked = verify("dncnn", tmp_path / "case_new.npz", dtype="float32")
    assert all(d.within and d.allowed == pytest.approx(1e-4 * d.peak) for d in asked)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_over(tmp_path: Path, data: dict[str, NDArray[Any]], value: float) -> None:
    """With an infinite one the largest value, and so what is allowed, would be infinite."""
    wrong = data["out/residual"].copy()
    wrong[0, 0, 3, 3] = value
    (one, other) = verify("dncnn", stored(tmp_path, data, out__residual=wrong))
    assert not one.within
    assert one.note == "values that are not finite: 1 of the official one"
    assert other.within


def test_whole_numbers_are_equal_whatever_the_tolerance() -> None:
    """One part in ten thousand of an index would be several pixels."""
    official = np.array([100_000, 1], np.uint32)
    assert _allowed("index", official, {}, search_parity, 1e-4) == 0
    assert _allowed("restored_uint8", official.astype(np.uint8), {}, cdvd_parity, 1e-4) == 1
    assert _allowed("flow", official.astype(float), {}, search_parity, 1e-4) == 10


def test_what_is_infinite_in_both_is_equal(tmp_path: Path) -> None:
    """The PSNR of a frame that is not damaged."""
    frame = np.random.default_rng(0).integers(0, 256, (1, 24, 28, 3), dtype=np.uint8)
    arrays: Any = {"in/output": frame, "in/gt": frame, "out/psnr": np.array([np.inf]), "out/ssim": np.array([1.0])}
    np.savez(tmp_path / "case.npz", meta=json.dumps({"tolerance": {"absolute": 1e-6}}), **arrays)
    folder = Path(__file__).resolve().parents[1] / "parity" / "cdvd_tsp"
    assert all(d.within for d in verify("cdvd_tsp", tmp_path / "case.npz", folder / "manifest.json"))


class Program:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return print, ("this ran",)


@pytest.mark.parametrize(
    ("changes", "meta", "said"),
    [
        ({"in__noisy": None, "in__clean": np.zeros((1, 4, 4))}, META, 'no input "in/noisy"; it has in/clean'),
        ({"out__residue": np.zeros(3)}, META, 'does not compute: residue. Did you mean "residual"'),
        ({"out__residual": np.zeros((1, 2), complex)}, META, 'of type complex128; real numbers were expected'),
        ({"in__noisy": np.array(["a"])}, META, "of type <U1; real numbers"),
        ({"in__noisy": np.zeros((1, 5, 4, 4))}, META, "does not go through the network of"),
        ({"in__noisy": np.array([Program()], object)}, META, "it holds Python objects, which are never loaded"),
        ({}, {"dtype": "float64"}, 'does not say its "tolerance"'),
        ({}, {**META, "tolerance": "small"}, "is 'small'; a number from 0 on was expected"),
        ({}, {**META, "tolerance": -1}, "is -1; a number"),
        ({}, {**META, "tolerance": float("nan")}, "is nan; a number"),
        ({}, {**META, "constructor": [3]}, r'"constructor" of the fixture is [3]; an object'),
        ({}, {**META, "constructor": {"num_of_layer": 3}}, 'Did you mean "num_of_layers"'),
        ({}, {**META, "constructor": {"num_of_layers": "x"}}, "cannot be built as the fixture says"),
        ({}, {**META, "constructor": {"num_of_layers": 10**9}}, "1,000,000,000 as"),
        ({}, {**META, "constructor": {"num_of_layers": 0}}, "at least 2 and 1 are needed"),
        ({}, {**META, "manifest": "none.json"}, "There is no manifest"),
        ({}, "[1, 2]", "is a list; a JSON object was expected"),
        ({}, "{", "is no case of a parity fixture"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else type(value).__name__,
)  # fmt: skip
def test_wrong_cases_are_told_in_a_sentence(
    tmp_path: Path, data: dict[str, NDArray[Any]], changes: dict[str, Any], meta: Any, said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises((InputError, RunError)) as told:
        verify("dncnn", stored(tmp_path, data, meta, **changes))
    assert said in str(told.value)
    assert "this ran" not in capsys.readouterr().out


def test_files_that_are_no_case(tmp_path: Path, data: dict[str, NDArray[Any]]) -> None:
    whole = stored(tmp_path, data).read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 0xFF
    np.save(tmp_path / "one.npy", np.zeros(3))
    found = {"cut": whole[: len(whole) // 2], "empty": b"", "pickle": pickle.dumps(Program()), "flipped": bytes(middle)}
    for name, content in found.items():
        (tmp_path / name).write_bytes(content)
    for name in (*found, "one.npy", "."):
        with pytest.raises(InputError, match="is no case of a parity fixture"):
            read_case(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a JSON object was expected"),
        ("[1]", "it holds a list"),
        ('{"tensors": [1]}', '"tensors" of .* is a list'),
        ('{"tensors": {"a": 1}}', 'Tensor "a" of .* is 1; an object'),
        ('{"tensors": {"a": {"kind": "weight"}}}', "has the shape None"),
        ('{"tensors": {"a": {"shape": [-1], "kind": "weight"}}}', r"has the shape \[-1\]"),
        ('{"tensors": {"a": {"shape": [1]}}}', "has the kind None"),
        ('{"tensors": {"a": {"shape": [1], "kind": "bias", "gain": "x"}}}', "has the gain 'x'"),
        ('{"gain": null}', '"gain" of .* is None'),
        ("[" * 100_000, "is no manifest"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        read_manifest(tmp_path / "manifest.json")


def test_options_are_read_wherever_fixtures_write_them() -> None:
    assert options({"constructor": {"arguments": "none"}}, {}) == {}
    assert options({"constructor": {"a": 1, "b": 1}}, {"options": {"b": 2}}) == {"a": 1, "b": 2}
    made = make(DnCNN, {"num_of_layers": 4.0, "channels": 3}, layers="num_of_layers")
    assert (len(made.dncnn), made.channels) == (9, 3)
    described = {"num_of_layers": 4, "computed_with": "the official code", "why": None}
    assert len(make(DnCNN, described, layers="num_of_layers").dncnn) == 9
    with pytest.raises(InputError, match='does not say "num_of_layers"'):
        make(DnCNN, {}, layers="num_of_layers")


def test_matches_are_compared_where_they_are_clear() -> None:
    """As the page of the patch search says: elsewhere two patches are as good but for rounding."""
    clear = np.random.default_rng(0).random((3, 4, 5)) < 0.5
    outputs: dict[str, NDArray[Any]] = {
        "a/0/clear": np.packbits(clear),
        "a/0/dy": np.zeros((3, 4, 5)),
        "a/0/stack": np.zeros((15, 3, 4)),
    }
    meta = {"tolerance": {"absolute": 0, "where": "clear"}}
    found = {name: search_parity.where(name, outputs, meta) for name in outputs}
    assert np.array_equal(found["a/0/dy"], clear)  # type: ignore[arg-type]
    stack = found["a/0/stack"]
    assert stack is not None
    assert np.array_equal(stack[7], clear[:, :, 2])  # the second colour of the third neighbour
    assert found["a/0/clear"] is not None
    assert not found["a/0/clear"].size
    assert search_parity.where("a/0/dy", outputs, {"tolerance": {"absolute": 0}}) is None


# --- the command ---------------------------------------------------------------------------------


def run(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["models", "verify", *map(str, args)])
    if isinstance(result.exception, VbenchError):
        return (2 if isinstance(result.exception, UsageError) else 1), str(result.exception)
    return result.exit_code, result.output


def test_each_output_is_shown_with_its_difference(tmp_path: Path, data: dict[str, NDArray[Any]]) -> None:
    status, said = run("dncnn", "--fixture", stored(tmp_path, data), "--manifest", tmp_path / "manifest.json")
    assert status == 0
    lines = said.splitlines()
    assert lines[0] == "ok   dncnn case_new.npz: 2 outputs within what is allowed, in float64"
    assert [line.split()[0] for line in lines[1:]] == ["output", "residual", "denoised"]
    assert all(line.endswith("1e-08") and len(line) <= 80 for line in lines[2:])


def test_outputs_that_are_over_are_marked(tmp_path: Path, data: dict[str, NDArray[Any]]) -> None:
    case = stored(tmp_path, data, out__residual=data["out/residual"] + 1e-6)
    status, said = run("dncnn", "--fixture", case)
    assert status == 1
    assert "OVER residual" in said
    assert "1 of 2 outputs over their tolerance." in said
    assert run("dncnn", "--fixture", case, "--tolerance", "1e-3")[0] == 0


def test_a_case_that_fails_does_not_end_the_others(tmp_path: Path, data: dict[str, NDArray[Any]]) -> None:
    folder = tmp_path / "dncnn"
    folder.mkdir()
    stored(folder, data).rename(folder / "case_b.npz")
    stored(folder, data, in__noisy=None, in__clean=np.zeros(1)).rename(folder / "case_a.npz")
    status, said = run("dncnn", "--fixtures", tmp_path)
    assert status == 1
    assert 'FAIL dncnn case_a.npz: The case has no input "in/noisy"' in said
    assert "ok   dncnn case_b.npz" in said
    assert "1 of 2 cases could not be computed." in said


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ((), 2, "Name a network, or --all"),
        (("--all", "dncnn"), 2, "--all is every network"),
        (("dncnn", "edvr", "--fixture", "x.npz"), 2, "name that one"),
        (("dncnn", "--fixture", "x.npz", "--fixtures", "."), 2, "give one of them"),
        (("dncnn", "--dtype", "half"), 2, "--dtype takes float64 or float32"),
        (("dncnn", "--tolerance", "-1"), 2, "a number from 0 on"),
        (("dncnn", "--tolerance", "nan"), 2, "a number from 0 on"),
        (("dncn",), 1, 'Did you mean "dncnn"'),
        (("dncnn", "--fixture", "x.npz"), 1, "There is no fixture"),
        (("dncnn", "--fixtures", "/nowhere"), 1, "There is no fixture of"),
    ],
)
def test_usage(given: tuple[str, ...], status: int, said: str) -> None:
    found, words = run(*given)
    assert (found, said in words) == (status, True), words


def test_the_exit_status_of_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["vbench", "models", "verify", "--all", "dncnn"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("vbench: --all is every network")
