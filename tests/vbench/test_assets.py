"""Parameter files: found, checked, brought by hand, fetched; whatever is wrong is said."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vbench import assets
from vbench.cli import app
from vbench.errors import InputError, MissingAsset, RunError
from vbench.provenance import file_sha256


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which this machine serves it."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def known(monkeypatch: pytest.MonkeyPatch, path: Path, url: str | None = None) -> assets.Asset:
    """The file as a published one, under the name "test"."""
    found = dataclasses.replace(
        assets.asset("niqe"), name="test", file="test.bin", sha256=(file_sha256(path),), url=url, source="its authors"
    )
    monkeypatch.setitem(assets.ASSETS, "test", found)
    return found


def test_a_file_is_fetched_once_checked_and_kept(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, own_assets: Path
) -> None:
    folder, address = server
    (folder / "a.bin").write_bytes(b"parameters")
    known(monkeypatch, folder / "a.bin", f"{address}/a.bin")
    with pytest.raises(MissingAsset, match="Bring it with `vbench assets fetch test`"):
        assets.need("test")
    path = assets.fetch("test")
    assert path.read_bytes() == b"parameters"
    assert assets.need("test") == path
    (folder / "a.bin").unlink()  # it is not asked for again
    assert assets.fetch("test") == path
    assert kept(own_assets) == ["test.bin"]


def kept(own_assets: Path) -> list[str]:
    """What lies in the store, but for the lock of a download."""
    return sorted(p.name for p in (own_assets / "metrics").rglob("*") if p.is_file() and p.suffix != ".lock")


def test_what_the_address_gives_is_checked(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, own_assets: Path
) -> None:
    folder, address = server
    (folder / "a.bin").write_bytes(b"parameters")
    known(monkeypatch, folder / "a.bin", f"{address}/a.bin")
    (folder / "a.bin").write_bytes(b"something else")
    with pytest.raises(RunError, match=r"a\.bin gave something else: .* is not NIQE's pristine model"):
        assets.fetch("test")
    (folder / "a.bin").unlink()
    with pytest.raises(RunError, match="cannot be fetched: the server answers 404 .*vbench assets import test FILE"):
        assets.fetch("test")
    assert kept(own_assets) == []


def test_all_are_fetched_but_those_that_have_no_address(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, own_assets: Path
) -> None:
    """It used to end in an error whatever came, as two of them can only be brought by hand."""
    folder, address = server
    (folder / "a.bin").write_bytes(b"parameters")
    found = known(monkeypatch, folder / "a.bin", f"{address}/a.bin")
    gone = dataclasses.replace(found, name="gone", file="gone.bin", url=f"{address}/gone.bin")
    monkeypatch.setattr(assets, "ASSETS", {"test": found, "raft": assets.asset("raft")})
    result = CliRunner().invoke(app, ["assets", "fetch"])
    assert result.exit_code == 0
    assert "test: " in result.output
    assert "Not to be fetched, as they have no address of their own" in result.output
    assert kept(own_assets) == ["test.bin"]
    monkeypatch.setattr(assets, "ASSETS", {"gone": gone, "test": found})
    result = CliRunner().invoke(app, ["assets", "fetch"])
    assert "gone: failed." in result.output
    assert "test: " in result.output
    assert str(result.exception) == "1 of 2 could not be fetched; see above."
    result = CliRunner().invoke(app, ["assets", "fetch", "gone"])
    assert "gone.bin cannot be fetched: the server answers 404" in str(result.exception)


def test_a_file_is_brought_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_assets: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(b"parameters")
    bad.write_bytes(b"others")
    known(monkeypatch, good)
    with pytest.raises(InputError, match=f'"{bad}" is not NIQE'):
        assets.import_file("test", bad)
    with pytest.raises(InputError, match="There is no file"):
        assets.import_file("test", tmp_path / "none")
    assert list((own_assets / "metrics").iterdir()) == []
    with pytest.raises(InputError, match="has no address of its own"):
        assets.fetch("test")
    assert assets.import_file("test", good).read_bytes() == b"parameters"


def test_a_file_that_was_changed_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = tmp_path / "good"
    good.write_bytes(b"parameters")
    known(monkeypatch, good)
    path = assets.import_file("test", good)
    assets.need("test")
    path.write_bytes(b"changed!!!!")
    with pytest.raises(InputError, match="is not NIQE's pristine model: .* as published"):
        assets.need("test")
    problems = {s.asset.name: s.problem for s in assets.status()}
    assert problems["test"] is not None
    assert problems["niqe"] is None


def test_a_file_whose_hash_nobody_tells_must_be_of_its_kind(tmp_path: Path, own_assets: Path) -> None:
    """RAFT's weights come without a sha256: anything was taken for them, and called "as published"."""
    import torch

    from vbench.flow.raft.net import RAFT

    (tmp_path / "text").write_bytes(b"no weights")
    torch.save({"conv.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    for name in ("text", "other.pth"):
        with pytest.raises(InputError):
            assets.import_file("raft", tmp_path / name)
    assert list((own_assets / "metrics").iterdir()) == []
    torch.save(RAFT().state_dict(), tmp_path / "good.pth")
    result = CliRunner().invoke(app, ["assets", "import", "raft", str(tmp_path / "good.pth")])
    assert "raft: of the right kind (its sha256 is published nowhere), now in" in result.output
    (own_assets / "metrics" / "raft-sintel.pth").write_bytes(b"no weights")
    problem = {s.asset.name: s.problem for s in assets.status()}["raft"]
    assert problem is not None
    assert "raft-sintel.pth" in problem


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(InputError, match='no parameter file "niqee". Did you mean "niqe"'):
        assets.need("niqee")


def test_offline_fetches_nothing() -> None:
    result = CliRunner().invoke(app, ["assets", "fetch", "niqe", "--offline"])
    assert isinstance(result.exception, MissingAsset)
    assert "--offline: nothing is fetched" in str(result.exception)


@pytest.mark.shared
def test_the_published_files_are_taken_in_and_listed(shared: Path) -> None:
    data = shared / "data" / "metrics"
    files = {"niqe": "niqe_modelparameters.mat", "brisque": "brisque_allmodel", "brisque-range": "brisque_allrange"}
    for name, file in files.items():
        assert CliRunner().invoke(app, ["assets", "import", name, str(data / file)]).exit_code == 0
    said = CliRunner().invoke(app, ["assets", "list"]).output
    assert len(re.findall(r"here +as published", said)) == 3
    # Line ends differ from mirror to mirror; the numbers do not.
    other = data / "brisque_allmodel"
    copy = assets.folder() / "copy"
    copy.write_text(other.read_text("ascii").replace("\n", " \n").replace("SV \n", "SV\n"), "ascii")
    assert assets.import_file("brisque", copy).is_file()
