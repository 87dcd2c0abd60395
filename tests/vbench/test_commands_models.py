"""``vbench models``: verify, show, list."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from vbench import models
from vbench.cli import app
from vbench.errors import InputError

FIXTURES = Path(__file__).resolve().parents[1] / "parity"


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["models", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_network_is_verified_on_all_its_cases() -> None:
    code, said = invoke("verify", "dncnn", "--fixtures", str(FIXTURES))
    assert code == 0
    assert said.count("ok   dncnn case_") == 2
    assert "in float64" in said
    assert "All 20 outputs of 2 cases are within what is allowed." in said
    code, said = invoke("verify", "dncnn", "--fixtures", str(FIXTURES), "--dtype", "float32")
    assert code == 0
    assert said.count("  1e-04") == 20
    assert "denoised_clamped" in said


def test_a_case_and_a_manifest_of_ones_own(tmp_path: Path) -> None:
    """The case is wrong in one output: it is named, and the exit status is 1."""
    with np.load(FIXTURES / "dncnn" / "case_17.npz") as stored:
        data = {k: stored[k] for k in stored.files}
    data["out/residual"] = data["out/residual"] * 1.001
    np.savez(tmp_path / "mine.npz", **data)
    manifest = str(FIXTURES / "dncnn" / "manifest.json")
    code, said = invoke("verify", "dncnn", "--fixture", str(tmp_path / "mine.npz"), "--manifest", manifest)
    assert code == 1
    assert re.search("OVER residual +1.0e-03  1e-08", said)
    assert "1 of 10 outputs over their tolerance." in said
    code, _ = invoke(
        "verify", "dncnn", "--fixture", str(tmp_path / "mine.npz"), "--manifest", manifest, "--tolerance", "0.01"
    )
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify"], "Name a network, or --all"),
        (["verify", "dncn"], 'no network "dncn" to verify. Did you mean "dncnn"'),
        (["verify", "dncnn", "--dtype", "float16"], "takes float64 or float32"),
        (["verify", "dncnn", "--fixtures", "nowhere"], 'no fixture of "dncnn"'),
        (["verify", "--all", "--fixture", "a.npz"], "name that one"),
        (["show", "nothing"], 'There is no model "nothing"'),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], text: str) -> None:
    with pytest.raises(InputError, match=text):
        invoke(*arguments)


def test_a_model_is_shown() -> None:
    said = invoke("show", "vnlnet-gray-s25")[1]
    assert "503,584" in said
    assert "vbench weights fetch vnlnet-gray-s25" in said
    assert "vbench weights import FILE --model vnlnet-gray-s25" in said
    # Three channels, each 9 x (15 x 32 + 3 x 32 x 32 ...) and so on: see test_multiply_adds.
    assert re.search(r"multiply-adds +1,505,376 a pixel, 1,387 G a frame \(1280 x 720 in colour\)", said)
    assert invoke()[1] == invoke("list")[1]


def test_a_model_that_a_user_brings_is_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def build(): pass")
    result = CliRunner().invoke(app, ["models", "show", f"{tmp_path / 'mine.py'}:build"])
    assert result.output.startswith("mine.build: build of mine.py, a model that you bring\n")


def test_what_a_model_costs_and_may_not_be_used_for_is_shown() -> None:
    said = invoke("show", "rfr-dncnn-online-s25")[1]
    assert "3 steps of training a frame" in said
    said = invoke("show", "votes-x2-qp28")[1]
    assert re.search(r"enlarges +by 2\n", said)
    assert re.search(r"not free +non-commercial\n", said)
    assert (
        "https://drive.google.com/file/d/1tjD7xzzvPtjjVbmOHp9CRsSF4RY3EV8F/view and take net_VOTES_REDS28.pth" in said
    )
    said = invoke("show", "vidstab")[1]
    assert "multiply-adds" not in said


def test_the_list_fits_a_terminal_of_80_columns() -> None:
    said = invoke("list")[1]
    table = said[: said.index("Weights that are not free")]
    assert max(map(len, table.splitlines())) <= 80
    for name in models.names():
        assert len(re.findall(rf"^ {name} ", said, re.MULTILINE)) == 1
    assert re.search(r" rtn +old film +needs weights, in a browser", said)
    assert re.search(r" dncnn-b +denoising +needs weights, to fetch", said)
    assert "Weights that are not free, academic research only: rtn." in said
