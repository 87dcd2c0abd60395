"""``vbench doctor``: a place where nothing can be written is told. What it says of a whole machine: test_whole_way.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from vbench.doctor import _disk


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = _disk(tmp_path / "not" / "there yet")
    assert found.state in ("ok", "note")
    assert str(tmp_path) in found.text
    (tmp_path / "a file").write_text("")
    for root in (tmp_path / "a file", tmp_path / "a file" / "below"):
        (found,) = _disk(root)
        assert found.state == "missing"
        assert found.text.startswith(f'"{tmp_path / "a file"}" is a file')
    monkeypatch.setattr("os.access", lambda path, mode: False)
    (found,) = _disk(tmp_path)
    assert (found.state, found.text.partition(":")[0]) == ("missing", f'"{tmp_path}" cannot be written to')
