"""Weights: what is taken in, what is refused, and that nothing in a file is ever run."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vbench import checkpoint, models, weights
from vbench.errors import InputError, RunError, VbenchError
from vbench.models.dncnn.net import DnCNN
from vbench.restore import run_array

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """A state dict of DnCNN-S, without the batch counters, as the official files have none."""
    torch.manual_seed(0)
    return {k: v for k, v in DnCNN(17).state_dict().items() if not k.endswith("num_batches_tracked")}


def save(path: Path, document: Any) -> Path:
    torch.save(document, path)
    return path


def as_safetensors(state: dict[str, Tensor]) -> bytes:
    """What the format's description asks for, written without its library."""
    names = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, tensor in state.items():
        data = tensor.contiguous().numpy().tobytes()
        place = [len(body), len(body) + len(data)]
        head[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": place}
        body += data
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


# --- wrappers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"module." + k: v for k, v in s.items()},
        lambda s: {"module.module." + k: v for k, v in s.items()},
        lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"lr": 0.1}},
        lambda s: {"params": s},
        lambda s: {"params": {}, "params_ema": {"module." + k: v for k, v in s.items()}},
        lambda s: {"model_state_dict": {"state_dict": s}},
        OrderedDict,
    ],
)
def test_wrappers_are_stripped(
    tmp_path: Path, state: dict[str, Tensor], wrap: Callable[[dict[str, Tensor]], Any]
) -> None:
    network = DnCNN(17)
    checkpoint.load_checkpoint(network, save(tmp_path / "net.pth", wrap(state)))
    own = network.state_dict()
    assert all(torch.equal(own[k], v) for k, v in state.items())


def test_a_prefix_that_only_some_names_have_is_no_wrapper() -> None:
    mixed = {"module.a": torch.zeros(1), "b": torch.zeros(1)}
    assert checkpoint.strip_wrappers(mixed).keys() == mixed.keys()


@pytest.mark.parametrize("document", [[1, 2], {}, {"a": 1}, {"state_dict": {}}, {"epoch": 3}, torch.zeros(3), None])
def test_what_holds_no_named_tensors_is_refused(tmp_path: Path, document: Any) -> None:
    with pytest.raises(InputError, match="holds no state dict"):
        checkpoint.read_checkpoint(save(tmp_path / "net.pth", document))


# --- the store -----------------------------------------------------------------------------------


def test_the_store_is_where_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights.weights_folder() == Path(os.environ["VBENCH_ASSETS"]) / "weights"
    monkeypatch.delenv("VBENCH_ASSETS")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for system, place in {
        "linux": ".local/share/vbench",
        "darwin": "Library/Application Support/vbench",
        "win32": "AppData/Local/vbench",
    }.items():
        monkeypatch.setattr(sys, "platform", system)
        assert weights.assets_folder() == tmp_path / place
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert weights.assets_folder() == tmp_path / "local" / "vbench"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert weights.assets_folder() == tmp_path / "data" / "vbench"


@pytest.mark.parametrize("kind", [".pth", ".safetensors"])
def test_a_checkpoint_is_taken_in(tmp_path: Path, own_assets: Path, state: dict[str, Tensor], kind: str) -> None:
    path = tmp_path / "mine.bin"  # what it is, its content says
    if kind == ".pth":
        save(path, {"state_dict": {f"module.{k}": v for k, v in state.items()}})
    else:
        path.write_bytes(as_safetensors(state))
    with pytest.raises(InputError, match=r"no file that vbench knows by its hash.*--model; `vbench weights list`"):
        weights.import_file(path)
    taken = weights.import_file(path, "dncnn-s25")
    assert taken.path == own_assets / "weights" / f"dncnn-s25{kind}"
    assert taken.path.read_bytes() == path.read_bytes()
    assert taken.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert taken.as_published is False
    assert json.loads(taken.path.with_suffix(".json").read_text("utf-8")) == {
        "checkpoint": "dncnn-s25",
        "sha256": taken.sha256,
        "as_published": False,
        "from": "mine.bin",
    }
    spec = models.spec("dncnn-s25")
    assert weights.find(spec) == taken.path
    assert weights.find(models.spec("dncnn-s15")) is None
    x = torch.rand(1, 1, 9, 8)
    network = DnCNN(17).eval()
    network.load_state_dict(network.state_dict() | state)
    with torch.inference_mode():
        wanted = (x - network(x)).clamp(0, 1)
    assert torch.allclose(run_array(spec.load(CPU, weights.find(spec)), x), wanted, atol=1e-5)


def test_a_later_import_takes_the_place_of_an_earlier(
    tmp_path: Path, own_assets: Path, state: dict[str, Tensor]
) -> None:
    spec = models.spec("dncnn-s25")
    (tmp_path / "a.safetensors").write_bytes(as_safetensors(state))
    for path in (tmp_path / "a.safetensors", save(tmp_path / "b.pth", state), tmp_path / "a.safetensors"):
        taken = weights.import_file(path, "dncnn-s25")
        assert weights.find(spec) == taken.path
    weights.import_file(taken.path, "dncnn-s25")  # from its own place
    names = sorted(p.name for p in (own_assets / "weights").iterdir())
    assert names == ["dncnn-s25.json", "dncnn-s25.safetensors"]


@pytest.mark.shared
def test_published_files_are_known_by_their_hash(shared: Path) -> None:
    assert {s.path for s in weights.status()} == {None}
    folder = shared / "data" / "weights"
    for name in ("dncnn-s15", "dncnn-s25", "dncnn-s50", "dncnn-b"):
        taken = weights.import_file(folder / f"{name.replace('-', '_')}.pth")
        assert (taken.model, taken.as_published) == (name, True)
    assert weights.import_file(folder / "rfr_dncnn_25.pth").model == "dncnn-s25"  # the same bytes elsewhere
    shared_file = weights.import_file(folder / "dncnn_s25.pth", "rfr-dncnn-online-s25")
    assert (shared_file.model, shared_file.as_published) == ("rfr-dncnn-online-s25", True)
    with pytest.raises(InputError, match=r"is the published file of dncnn-s25, not of dncnn-s50\. Leave --model out"):
        weights.import_file(folder / "dncnn_s25.pth", "dncnn-s50")
    for sigma in (15, 25, 40, 50):  # these hold the settings of the training beside the tensors
        assert weights.import_file(folder / f"vnlnet_gray_{sigma}.pth").model == f"vnlnet-gray-s{sigma}"
    found = [s for s in weights.status() if s.path is not None]
    assert {s.name for s in found} == {
        *("dncnn-s15", "dncnn-s25", "dncnn-s50", "dncnn-b"),
        *(f"vnlnet-gray-s{sigma}" for sigma in (15, 25, 40, 50)),
    }
    assert all(s.as_published and "as published" in s.text for s in found)
    assert all(s.path is not None and s.path.stat().st_size == s.weights.bytes for s in found)
    # RFR on DnCNN, online and offline, fine-tunes the file of dncnn-s25.
    (used,) = [s.models for s in found if s.name == "dncnn-s25"]
    assert used == ("dncnn-s25", "rfr-dncnn-online-s25", "rfr-dncnn-offline-s25")
    x = torch.rand(1, 3, 16, 16)
    for status in [s for s in found if s.name.startswith("dncnn")]:
        assert run_array(models.spec(status.name).load(CPU, status.path), x).shape == x.shape


def test_status_says_what_is_here_and_what_to_do(tmp_path: Path, state: dict[str, Tensor]) -> None:
    weights.import_file(save(tmp_path / "net.pth", state), "dncnn-s50")
    found = {s.name: s for s in weights.status()}
    assert list(found)[:4] == ["dncnn-s15", "dncnn-s25", "dncnn-s50", "dncnn-b"]
    here, away = found["dncnn-s50"], found["dncnn-b"]
    assert here.as_published is False
    assert "not the published file" in here.text
    assert away.path is None
    assert away.sha256 is None
    assert away.text == "not here: vbench weights fetch dncnn-b"
    assert found["rtn"].text.endswith("vbench weights import FILE --model rtn")
    assert "net_G_200000.pth from RNN_Swin_4.zip that" in found["rtn"].text
    (only,) = weights.status(["rfr-dncnn-online-s25"])
    assert only.name == "dncnn-s25"


# --- what is refused -----------------------------------------------------------------------------


def refused(path: Path, model: str | None, own_assets: Path) -> str:
    """The text of the error; and nothing was left in the store."""
    with pytest.raises(VbenchError) as caught:
        weights.import_file(path, model)
    left = list((own_assets / "weights").iterdir()) if (own_assets / "weights").exists() else []
    assert left == []
    assert str(own_assets) not in str(caught.value)
    return str(caught.value)


def test_what_does_not_fit_the_network_is_refused(tmp_path: Path, own_assets: Path, state: dict[str, Tensor]) -> None:
    path = save(tmp_path / "net.pth", state)
    said = refused(path, "dncnn-b", own_assets)
    assert f'"{path}" is not a checkpoint of DnCNN: it lacks 15 of 110 tensors (first: dncnn.48.bias)' in said
    changed = {
        "dncnn.0.weight is (64, 3, 3, 3) and should be (64, 1, 3, 3)": {"dncnn.0.weight": torch.zeros(64, 3, 3, 3)},
        "1 of its 93 tensors do not belong there (first: head.weight)": {"head.weight": torch.zeros(1)},
        "dncnn.3.bias is of type torch.int64": {"dncnn.3.bias": torch.zeros(64, dtype=torch.int64)},
        "dncnn.3.bias holds values that are not finite": {"dncnn.3.bias": torch.full((64,), float("nan"))},
    }
    for message, change in changed.items():
        assert message in refused(save(path, state | change), "dncnn-s25", own_assets)
    lacking = {k: v for k, v in state.items() if k != "dncnn.3.running_var"}
    assert "it lacks 1 of 92 tensors (first: dncnn.3.running_var)" in refused(
        save(path, lacking), "dncnn-s25", own_assets
    )


def test_wrong_names_and_places_are_errors(tmp_path: Path, own_assets: Path, state: dict[str, Tensor]) -> None:
    path = save(tmp_path / "net.pth", state)
    assert "There is no file" in refused(tmp_path / "nothing.pth", None, own_assets)
    assert "is a folder, and a file is wanted" in refused(tmp_path, None, own_assets)
    assert 'Did you mean "dncnn-s25"?' in refused(path, "dncn-s25", own_assets)
    assert '"nlmeans" takes no weights. What does: vbench weights list' in refused(path, "nlmeans", own_assets)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code was run",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_file_that_wants_to_run_code_is_refused(
    tmp_path: Path, own_assets: Path, capsys: pytest.CaptureFixture[str], protocol: int
) -> None:
    bare = tmp_path / "bare.pth"
    bare.write_bytes(pickle.dumps({"a": Evil()}, protocol))
    wrapped = tmp_path / "zip.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "b": Evil()}, wrapped, pickle_protocol=max(2, protocol))
    for path in (bare, wrapped):
        said = refused(path, "dncnn-s25", own_assets)
        assert f'"{path}" ' in said
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_what_a_file_would_have_run_is_named(tmp_path: Path, own_assets: Path, state: dict[str, Tensor]) -> None:
    path = save(tmp_path / "net.pth", {"params": state, "args": Fraction(1, 3)})
    said = refused(path, "dncnn-s25", own_assets)
    assert "is refused: loading it would run what the file says (it calls fractions.Fraction)" in said
    # Settings of a training, names and values only, may lie beside the tensors.
    settings = save(tmp_path / "settings.pth", {"params": state, "args": argparse.Namespace(sigma=25)})
    assert weights.import_file(settings, "dncnn-s25").model == "dncnn-s25"
    weights.find(models.spec("dncnn-s25")).unlink()  # type: ignore[union-attr]
    (own_assets / "weights" / "dncnn-s25.json").unlink()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))  # type: ignore[no-untyped-call]
    assert "a TorchScript archive, which is a program" in refused(path, "dncnn-s25", own_assets)


def test_a_web_page_in_place_of_a_file_is_told(tmp_path: Path, own_assets: Path) -> None:
    """What a browser saves where a shared drive asks first."""
    path = tmp_path / "EDVR_M_x4.pth"
    path.write_text("\n<!DOCTYPE html><html>Sign in</html>")
    assert "is a web page and no checkpoint" in refused(path, "edvr-m-x4", own_assets)


def test_damaged_files_are_errors_in_words(tmp_path: Path, own_assets: Path) -> None:
    whole = save(tmp_path / "net.pth", {"a": torch.zeros(300)}).read_bytes()
    torch.save({"a": torch.zeros(300)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    old = (tmp_path / "old.pth").read_bytes()
    safe = as_safetensors({"a": torch.zeros(300), "b": torch.zeros(2)})
    swapped = safe.replace(b'"shape": [300]', b'"shape": [-30]')
    path = tmp_path / "broken.pth"
    for data in (
        b"", b"hello", b"PK\x03\x04", bytes(200), whole[:400], whole[: len(whole) // 2], old[:100], old[:-9],
        old[:60] + b"\xff" + old[61:], safe[:-1], safe + b"x", safe[:40], swapped,
        safe.replace(b"F32", b"F99", 1), safe.replace(b"[1200, 1208]", b"[1196, 1204]"),
    ):  # fmt: skip
        path.write_bytes(data)
        said = refused(path, "dncnn-s25", own_assets)
        assert "broken.pth" in said
        assert "again from its authors" in said or "holds no state dict" in said or "refused" in said, (data[:50], said)


def test_a_store_that_cannot_be_written_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("VBENCH_ASSETS", str(tmp_path / "file"))
    with pytest.raises(RunError, match="cannot be written"):
        weights.import_file(save(tmp_path / "net.pth", state), "dncnn-s25")


def test_safetensors_of_several_types_are_read(tmp_path: Path) -> None:
    wanted = {
        "b": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "a": torch.tensor(7),
        "half": torch.tensor([0.5, 2.0], dtype=torch.float16),
        "none": torch.zeros(0, 3),
    }
    (tmp_path / "x").write_bytes(as_safetensors(wanted))
    assert checkpoint.is_safetensors(tmp_path / "x")
    found = checkpoint.read_safetensors(tmp_path / "x")
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[k], v) and found[k].dtype == v.dtype for k, v in wanted.items())
    assert not checkpoint.is_safetensors(save(tmp_path / "y", wanted))
