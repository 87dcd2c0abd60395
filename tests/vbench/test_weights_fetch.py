"""Weights from addresses and archives: resumed, verified, accepted whole or not at all. The server is of this test."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from vbench import archives, download, models, weights
from vbench.cli import app
from vbench.errors import InputError, MissingWeights, RunError, UsageError, VbenchError
from vbench.models import published
from vbench.models.dncnn.net import DnCNN


@dataclass
class Site:
    """What the server gives, how it behaves, and what it was asked for."""

    address: str = ""
    content: bytes = b""
    etag: str | None = '"1"'
    ranges: bool = True
    stop_after: int | None = None
    pause: float = 0.0
    length: bool = True
    status: int = 200
    leads_to: str | None = None
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            found.asked.append(wanted)
            if found.status != 200:
                self.send_error(found.status)
                return
            if found.leads_to is not None and self.path == "/net.pth":
                self.send_response(302)
                self.send_header("Location", found.leads_to)
                self.end_headers()
                return
            start = int(wanted[6:-1]) if wanted and found.ranges else 0
            if self.headers.get("If-Range") not in (None, found.etag):
                start = 0
            if start >= len(found.content) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(found.content)}")
                self.end_headers()
                return
            body = found.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(found.content) - 1}/{len(found.content)}")
            if found.etag:
                self.send_header("ETag", found.etag)
            if found.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for i in range(0, len(body), 50_000):
                if found.stop_after is not None and start + i >= found.stop_after:
                    self.close_connection = True
                    return
                try:
                    self.wfile.write(body[i : i + 50_000])
                except ConnectionError:
                    return
                time.sleep(found.pause)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}/net.pth"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def good() -> bytes:
    """A checkpoint that fits dncnn-s25, as its authors wrap it; 2.2 MB."""
    torch.manual_seed(0)
    state = {f"module.{k}": v for k, v in DnCNN(17).state_dict().items() if "batches" not in k}
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def publish(monkeypatch: pytest.MonkeyPatch, site: Site, content: bytes, **changes: Any) -> None:
    """Let dncnn-s25 be published by the server, with the hash of ``content`` unless that is changed."""
    site.content = content
    known = {"address": site.address, "sha256": hashlib.sha256(content).hexdigest(), **changes}
    spec = models.spec("dncnn-s25")
    assert spec.weights is not None
    monkeypatch.setitem(published.checkpoints(), "dncnn-s25", replace(spec.weights, **known))
    monkeypatch.setattr("vbench.models.dncnn.S25", replace(spec, weights=replace(spec.weights, **known)))


def quiet(count: int, whole: int | None) -> None:
    pass


def left(own_assets: Path) -> set[str]:
    """Files in the store, without locks."""
    return {str(p.relative_to(own_assets / "weights")) for p in own_assets.rglob("*") if p.is_file()} - {
        ".fetching/dncnn-s25.lock"
    }


# --- the table -----------------------------------------------------------------------------------


def test_every_network_takes_an_entry_of_the_table_and_every_entry_says_why_if_none_does() -> None:
    used = {}
    for spec in map(models.spec, models.CATALOG):
        if spec.weights is not None:
            assert published.checkpoint(spec.weights.name) is spec.weights
            assert spec.licence.endswith(spec.weights.terms)
            used[spec.weights.name] = spec
    for name, entry in published.checkpoints().items():
        assert (name in used) != bool(entry.unused)
        assert entry.purpose and entry.wrapping and entry.licence and entry.repository  # noqa: PT018 - all alike
        assert entry.address or entry.page
        for address in (entry.address, entry.page):
            assert address is None or address.startswith("https://")
        assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert re.fullmatch("([0-9a-f]{8})?", entry.sha256_begins)
        if entry.sha256_begins:
            assert Path(entry.path).stem.endswith(entry.sha256_begins)
    assert {k for k, e in published.checkpoints().items() if e.restriction} == {
        *("votes-x2-qp28", "votes-x2-qp33", "votes-x2-wechat", "bin", "rtn")
    }


@pytest.mark.shared
def test_the_table_names_every_checkpoint_of_the_facts(shared: Path) -> None:
    """Every file name that ends like a checkpoint, in all pages; and the hashes and sizes of those at hand."""
    text = "\n".join(p.read_text("utf-8") for p in sorted((shared / "parity").rglob("*.md")))
    text += "\n".join(p.read_text("utf-8") for p in sorted((shared / "parity").rglob("manifest*.json")))
    named = {Path(n).name for n in re.findall(r"[\w/.-]+\.(?:pth|pt|pytorch)\b", text)}
    entries = published.checkpoints().values()
    listed = {Path(e.path).name for e in entries}
    # What training writes, and RFR's copies of files that are listed under their own names.
    others = {"ckpt.pth", "net.pth", "dncnn_25.pth", "fastdvdnet.pth", ".pth", ".pt", "20.pt", "02.pt"}
    assert {n for n in named if n not in listed and n not in others and "{" not in n} <= {"}.pth", "}.pt", "module.pth"}
    readme = (shared / "data" / "README.md").read_text("utf-8")
    hashes = set(re.findall(r"`weights/\w+\.pth`.*\b([0-9a-f]{64})\b", readme))
    assert hashes == {e.sha256 for e in entries if e.sha256}


# --- fetch ---------------------------------------------------------------------------------------


def test_a_checkpoint_is_fetched_checked_and_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    publish(monkeypatch, site, good)
    seen: list[tuple[int, int | None]] = []
    (taken,) = weights.fetch("rfr-dncnn-online-s25", lambda count, whole: seen.append((count, whole)))
    assert taken.path == own_assets / "weights" / "dncnn-s25.pth"
    assert taken.path.read_bytes() == good
    assert taken.as_published is True
    assert sum(count for count, _ in seen) == len(good)
    assert {whole for _, whole in seen} == {len(good)}
    assert json.loads(taken.path.with_suffix(".json").read_text("utf-8")) == {
        "checkpoint": "dncnn-s25",
        "sha256": taken.sha256,
        "as_published": True,
        "from": site.address,
    }
    assert left(own_assets) == {"dncnn-s25.pth", "dncnn-s25.json"}


def test_what_came_of_a_file_whose_hash_is_not_known_is_recorded(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    publish(monkeypatch, site, good, sha256=None)
    result = CliRunner().invoke(app, ["weights", "fetch", "dncnn-s25"])
    assert result.exit_code == 0, result.output
    digest = hashlib.sha256(good).hexdigest()
    assert f"GPL-3.0, from {site.address}" in result.output
    assert "hash of the published file is not known, and this one's is recorded" in result.output
    note = json.loads((own_assets / "weights" / "dncnn-s25.json").read_text("utf-8"))
    assert (note["sha256"], note["as_published"]) == (digest, None)
    again = CliRunner().invoke(app, ["weights", "fetch", "dncnn-s25"])
    assert "here, the hash as published is not known" in again.output
    assert len(site.asked) == 1


@pytest.mark.parametrize("length", [True, False])
def test_a_download_that_stops_goes_on_from_there(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes, length: bool
) -> None:
    publish(monkeypatch, site, good, **({} if length else {"sha256": hashlib.sha256(good).hexdigest()}))
    site.stop_after, site.length = 1_000_000, length
    if length:
        with pytest.raises(RunError, match=r"stopped after 1,000,000 of 2,\d+,\d+ bytes.*goes on from there"):
            weights.fetch("dncnn-s25", quiet)
        assert weights.find(models.spec("dncnn-s25")) is None
        assert left(own_assets) == {".fetching/dncnn-s25.part", ".fetching/dncnn-s25.part.json"}
        site.stop_after = None
        seen: list[int] = []
        (taken,) = weights.fetch("dncnn-s25", lambda count, whole: seen.append(count))
        assert site.asked == [None, "bytes=1000000-"]
        assert seen[0] == 1_000_000  # the bar starts where it stood
        assert taken.path.read_bytes() == good
    else:  # nothing tells that the file is cut but its hash
        with pytest.raises(RunError, match=r"gave something else than dncnn-s25: its sha256 begins with"):
            weights.fetch("dncnn-s25", quiet)
        assert left(own_assets) == set()


@pytest.mark.parametrize("case", ["changed", "no ranges", "no mark", "other address", "no hash, no mark"])
def test_what_is_here_is_used_only_if_it_is_of_the_same_file(
    site: Site, monkeypatch: pytest.MonkeyPatch, good: bytes, case: str
) -> None:
    publish(monkeypatch, site, bytes(len(good)) if case == "changed" else good)
    site.stop_after = 500_000
    if "no mark" in case:
        site.etag = None
    with pytest.raises(RunError):
        weights.fetch("dncnn-s25", quiet)
    site.stop_after = None
    if case == "changed":
        site.etag = '"2"'
    site.ranges = case != "no ranges"
    if case == "other address":
        site.address += "?2"
    publish(monkeypatch, site, good, **({"sha256": None} if case == "no hash, no mark" else {}))
    (taken,) = weights.fetch("dncnn-s25", quiet)
    assert taken.path.read_bytes() == good
    # Without a mark the hash will tell; without both it begins anew.
    fresh = case in ("other address", "no hash, no mark")
    assert site.asked[-1] == (None if fresh else "bytes=500000-")


def test_a_download_that_was_whole_is_not_made_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    """Killed between the last byte and the check: the server says that nothing follows."""
    publish(monkeypatch, site, good)
    part = own_assets / "weights" / ".fetching" / "dncnn-s25.part"
    download.download(site.address, part, quiet, checked=True)
    (taken,) = weights.fetch("dncnn-s25", quiet)
    assert site.asked[-1] == f"bytes={len(good)}-"
    assert taken.path.read_bytes() == good
    # And what is longer than the file begins anew.
    taken.path.unlink()
    download.download(site.address, part, quiet, checked=True)
    part.write_bytes(part.read_bytes() + b"more")
    (taken,) = weights.fetch("dncnn-s25", quiet)
    assert taken.path.read_bytes() == good


def test_a_fetch_that_is_killed_leaves_no_weights_and_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    publish(monkeypatch, site, good)
    site.pause = 0.05
    part = own_assets / "weights" / ".fetching" / "dncnn-s25.part"
    code = (
        "import sys; from pathlib import Path; from vbench.download import download\n"
        "download(sys.argv[1], Path(sys.argv[2]), lambda a, b: None, checked=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, site.address, str(part)])
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 300_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    got = part.stat().st_size
    assert 300_000 < got < len(good)
    assert good.startswith(part.read_bytes())
    site.pause = 0.0
    (taken,) = weights.fetch("dncnn-s25", quiet)
    assert site.asked[-1] == f"bytes={got}-"
    assert taken.path.read_bytes() == good


# --- what is refused -----------------------------------------------------------------------------


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code was run",)


def wrong(kind: str) -> bytes:
    if kind == "page":
        return b"<!DOCTYPE html><title>Sign in</title>"
    if kind == "code":
        return pickle.dumps({"a": Evil()})
    file = io.BytesIO()
    torch.save(DnCNN(20).state_dict(), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("page", "gave a web page, and no file. Get logs/DnCNN-S-25/net.pth from the GitHub repository"),
        ("code", "is refused: loading it would run what the file says"),
        ("other network", "is not a checkpoint of DnCNN"),
    ],
)
def test_what_is_no_checkpoint_of_the_network_is_refused(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    own_assets: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    said: str,
) -> None:
    publish(monkeypatch, site, wrong(kind), sha256=None)
    with pytest.raises(RunError, match=re.escape(said)) as caught:
        weights.fetch("dncnn-s25", quiet)
    assert site.address in str(caught.value)
    assert str(own_assets) not in str(caught.value)
    assert left(own_assets) == set()
    assert "code was run" not in capsys.readouterr().out


def test_another_file_than_the_published_one_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    for change in ({"sha256": "0" * 64}, {"sha256": None, "sha256_begins": "00000000"}):
        publish(monkeypatch, site, good, **change)
        with pytest.raises(
            RunError, match=r"gave something else than dncnn-s25: its sha256 begins with .* and 0+ was expected\. "
        ):
            weights.fetch("dncnn-s25", quiet)
        assert left(own_assets) == set()


def test_a_server_that_fails_is_an_error_in_words(site: Site, monkeypatch: pytest.MonkeyPatch, good: bytes) -> None:
    publish(monkeypatch, site, good)
    site.status = 404
    with pytest.raises(RunError, match="the server answers 404"):
        weights.fetch("dncnn-s25", quiet)
    site.address = "http://127.0.0.1:9/net.pth"  # nobody listens
    publish(monkeypatch, site, good)
    with pytest.raises(RunError, match="cannot be fetched: .*Is there a network"):
        weights.fetch("dncnn-s25", quiet)
    with pytest.raises(InputError, match="https://"):
        download.download("file:///etc/hosts", Path("x"), quiet, checked=False)


def test_an_address_that_leads_elsewhere_is_followed_and_gone_on_with(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    publish(monkeypatch, site, good)
    site.leads_to, site.stop_after = "/elsewhere.pth", 700_000
    with pytest.raises(RunError, match="the same command goes on from there"):
        weights.fetch("dncnn-s25", quiet)
    site.stop_after = None
    (taken,) = weights.fetch("dncnn-s25", quiet)
    assert taken.sha256 == hashlib.sha256(good).hexdigest()
    assert site.asked == [None, None, "bytes=700000-", "bytes=700000-"]


def test_an_address_that_leads_nowhere_is_an_error_in_a_line(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    publish(monkeypatch, site, good)
    for leads_to in ("/net.pth", "file:///etc/hosts"):
        site.leads_to = leads_to
        with pytest.raises(RunError, match=r"the server answers 302 \(.*\)\.$") as caught:
            weights.fetch("dncnn-s25", quiet)
        assert "\n" not in str(caught.value)
    assert left(own_assets) == set()


def test_a_full_disk_is_an_error_in_words_and_what_came_is_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    publish(monkeypatch, site, good)
    part = own_assets / "weights" / ".fetching" / "dncnn-s25.part"
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(RunError, match=r"has 0 MiB left, and 2 MiB are to come. Make room, or set VBENCH_ASSETS"):
        weights.fetch("dncnn-s25", quiet)
    monkeypatch.undo()
    monkeypatch.setenv("VBENCH_ASSETS", str(own_assets))
    publish(monkeypatch, site, good)

    def full(count: int, whole: int | None) -> None:
        if count and part.stat().st_size > 600_000:
            raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"cannot be written: No space left on device; \d+ MiB are free"):
        weights.fetch("dncnn-s25", full)
    kept = part.stat().st_size
    assert kept > 600_000
    (taken,) = weights.fetch("dncnn-s25", quiet)
    assert site.asked[-1] == f"bytes={kept}-"
    assert taken.path.read_bytes() == good


# --- the command ---------------------------------------------------------------------------------


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["weights", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (["fetch"], UsageError, "Name checkpoints or models to fetch, or --all"),
        (["fetch", "--all", "rtn"], UsageError, "not both"),
        (["fetch", "dncn-s25"], InputError, 'no checkpoint or model "dncn-s25". Did you mean "dncnn-s25"'),
        (["fetch", "hqdn3d"], InputError, '"hqdn3d" takes no weights'),
        (["fetch", "bimnet"], InputError, 'No model takes the checkpoint "bimnet": the checkpoints of PVDNet hold'),
        (["fetch", "rtn"], RunError, "Open https://portland-my.sharepoint.com/"),
        (["fetch", "rtn"], RunError, "take net_G_200000.pth from RNN_Swin_4.zip that the GitHub repository"),
        (["fetch", "dncnn-b", "rtn", "--offline"], MissingWeights, "and dncnn-b, rtn are not here"),
        (["path", "votes-x2-qp28"], MissingWeights, "Open https://drive.google.com/file/d/"),
    ],
)
def test_what_cannot_be_fetched_is_said(arguments: list[str], error: type[VbenchError], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        invoke(*arguments)


def test_one_failure_does_not_stop_the_others(site: Site, monkeypatch: pytest.MonkeyPatch, good: bytes) -> None:
    publish(monkeypatch, site, good)
    result = CliRunner().invoke(app, ["weights", "fetch", "rtn", "dncnn-s25"])
    assert isinstance(result.exception, RunError)
    assert str(result.exception) == "1 of 2 could not be fetched; see above."
    assert "rtn: failed. rtn has no address that can be fetched" in result.output
    assert "dncnn-s25: the published file" in result.output
    assert invoke("path", "rfr-dncnn-online-s25").strip().endswith("dncnn-s25.pth")
    said = invoke("list")
    assert "here, as published" in said
    assert "CC BY-NC-SA 4.0, non-commercial" in said
    assert "1 of " in said


# --- archives ------------------------------------------------------------------------------------


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("link.pth")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_checkpoint_is_taken_out_of_an_archive(tmp_path: Path, own_assets: Path, good: bytes, pack: Any) -> None:
    outside = tmp_path / "escaped.pth"
    path = pack(tmp_path / "all.bin", {"a/b/net.pth": good, "readme.txt": b"hello", "../../escaped.txt": b"x"})
    (taken,) = weights.import_files(path, "dncnn-s25")
    assert taken.path.read_bytes() == good
    assert json.loads(taken.path.with_suffix(".json").read_text("utf-8"))["from"] == "a/b/net.pth in all.bin"
    assert not outside.exists()
    assert {p.name for p in tmp_path.iterdir()} == {"all.bin", "assets"}
    # Two that may be it, or none: which is not guessed.
    for files in ({"a.pth": good, "b.pth": good}, {"a.txt": b""}, {}):
        with pytest.raises(
            InputError, match=r"is an archive, and the checkpoint of dncnn-s25 is not plain to see in it"
        ):
            weights.import_files(pack(tmp_path / "x", files), "dncnn-s25")
    with pytest.raises(InputError, match="no checkpoint that is published in an archive is found in it"):
        weights.import_files(path)


def test_what_an_archive_publishes_is_taken_by_name(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_assets: Path, good: bytes
) -> None:
    """Imported, and fetched where the archive has an address; each file in it is checked."""
    path = zipped(tmp_path / "x.zip", {"logs/net.pth": good, "b.pth": b"other"})
    publish(monkeypatch, site, path.read_bytes(), sha256=None, archive="x.zip", path="net.pth")
    (taken,) = weights.import_files(path)
    assert taken.as_published is None
    taken.path.unlink()
    (taken,) = weights.fetch("dncnn-s25", quiet)
    assert taken.path.read_bytes() == good
    assert taken.origin == f"logs/net.pth in {site.address}"
    taken.path.unlink()
    taken.path.with_suffix(".json").unlink()
    for files in ({"logs/net.pth": b"broken"}, {"b.pth": good}):
        site.content = zipped(tmp_path / "y.zip", files).read_bytes()
        with pytest.raises(RunError, match="gave something else than dncnn-s25"):
            weights.fetch("dncnn-s25", quiet)
        assert left(own_assets) == set()


def test_archives_that_cannot_be_read_are_errors_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_assets: Path, good: bytes
) -> None:
    whole = zipped(tmp_path / "a.zip", {"net.pth": good}).read_bytes()
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF  # in the compressed content
    (tmp_path / "b.zip").write_bytes(broken)
    with pytest.raises(InputError, match=r"\"net.pth\" cannot be taken out of .*b.zip.*Get the archive again"):
        weights.import_files(tmp_path / "b.zip", "dncnn-s25")
    monkeypatch.setattr(archives, "LARGEST", 1000)
    with pytest.raises(InputError, match=r"has 2,\d+,\d+ bytes unpacked; no checkpoint has more"):
        weights.import_files(tmp_path / "a.zip", "dncnn-s25")
    assert left(own_assets) == set()


def test_a_file_of_pytorch_is_no_archive(tmp_path: Path, good: bytes) -> None:
    (tmp_path / "net.pth").write_bytes(good)
    assert zipfile.is_zipfile(tmp_path / "net.pth")
    assert archives.kind(tmp_path / "net.pth") is None


def test_a_file_whose_hash_is_not_known_is_recognised_by_its_published_name(tmp_path: Path) -> None:
    from vbench.models.cdvd_tsp.net import build

    path = tmp_path / "CDVD_TSP_GOPRO.pt"
    torch.save(build().state_dict(), path)
    taken = weights.import_file(path)
    assert (taken.model, taken.as_published) == ("cdvd-tsp-gopro", None)
    # Of a file whose hash is known the name is not enough.
    other = tmp_path / "EDVR_M_x4_SR_REDS_official-32075921.pth"
    other.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="called like edvr-m-x4 as published, and is not that file"):
        weights.import_file(other)
