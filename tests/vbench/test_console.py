"""What a terminal and a pipe get to see."""

import pytest
from rich.console import Console
from rich.table import Table

from vbench.commands import say, took
from vbench.console import progress, say_terms, table_console
from vbench.errors import Interrupted


def test_a_pipe_gets_lines_with_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("synth") as report:
        report("starting", 0, 10)
        report("adding damage", 4, None)
        report("adding damage", 6, None)  # nothing new to say within ten seconds
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first == "starting: 0 of 10 frames"
    assert second.startswith("adding damage: 4 of 10 frames, ")
    assert "frames/s" in second
    assert "s left" in second
    assert "\x1b" not in err


def test_ctrl_c_is_a_sentence() -> None:
    def stopped() -> None:
        with progress("run"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="What was finished is kept"):
        stopped()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (3700, "61 min 40 s")]
)
def test_durations(seconds: float, words: str) -> None:
    assert took(seconds) == words


@pytest.mark.parametrize(("columns", "width"), [(None, 80), ("132", 132), ("", 80), ("0", 80), ("many", 80)])
def test_tables_are_as_wide_as_columns_says_where_there_is_no_terminal(
    columns: str | None, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert table_console().width == width


def test_terms_are_lines_in_a_pipe_and_hang_in_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://example.org/" + "x" * 70
    rows = [("licence", " ".join(["word"] * 20)), ("from", f"see {address} there")]
    say_terms(rows)
    assert capsys.readouterr().out.splitlines() == [f"  licence  {rows[0][1]}", f"  from     {rows[1][1]}"]
    monkeypatch.setattr("vbench.console.console", lambda: Console(width=60, highlight=False))
    say_terms(rows)
    first, second, *others = capsys.readouterr().out.splitlines()
    assert (first, second) == ("  licence  " + " ".join(["word"] * 10), " " * 11 + " ".join(["word"] * 10))
    assert [line[11:] for line in others] == ["see", address, "there"]
    assert [line[:11].strip() for line in others] == ["from", "", ""]


def test_what_is_copied_is_not_broken_where_a_terminal_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vbench.commands.console", lambda: Console(width=60, highlight=False))
    lines = ["Next: vbench run --root 'a folder " + "x" * 60, "Open it: file:///a/" + "x" * 60, "psnr@1|" + "x" * 60]
    for line in lines:
        say(line, whole=line.startswith("psnr"))
    assert capsys.readouterr().out.splitlines() == lines
    say("a sentence of words " * 4)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich would take the one for a style and the other for a picture."""
    name = "runs[bold]:cat:\\[x]"
    say(name)
    table = Table(title=name)
    table.add_column(name)
    table.add_row(name)
    table_console().print(table)
    assert capsys.readouterr().out.count(name) == 4
