"""What the terminal shows: a progress bar where there is one, plain lines where output is piped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vbench.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Report = Callable[[str, int, int | None], None]
"""What is under way, units finished since the last call, and all units (None where it was said before)."""

PLAIN_WIDTH = 80
"""Characters of a line where output is no terminal and COLUMNS does not say."""


_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
"""Names and paths are printed as they are: "[b]" and ":cat:" in them are no styles and no pictures."""


def console(stderr: bool = False) -> Console:
    """A console that never breaks a path or a command in the middle when output is piped."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 100_000
    return Console(file=stream, soft_wrap=not stream.isatty(), width=width, **_PLAIN)


def table_console() -> Console:
    """A console for tables and for text that is set in lines: as wide as the terminal; where output is no terminal, as wide
    as COLUMNS says, else :data:`PLAIN_WIDTH` characters."""
    from rich.console import Console

    said = os.environ.get("COLUMNS", "")
    width = None if sys.stdout.isatty() else int(said) if said.isdecimal() and int(said) > 0 else PLAIN_WIDTH
    return Console(file=sys.stdout, width=width, **_PLAIN)


def say_items(texts: Iterable[str], indent: int = 2) -> None:
    """Print texts that stand below a line, each on a line of its own. In a terminal they are broken where it ends and go on
    further in, and what has no blanks in it (an address, a path) stays whole; in a pipe each is one line."""
    import textwrap

    out = console()
    margin = " " * indent
    for text in texts:
        broken = textwrap.wrap(
            text, max(out.width - indent, 30), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        for line in broken:
            out.print(margin + line, markup=False, soft_wrap=True)


def say_terms(rows: Iterable[tuple[str | Text, str]], indent: int = 2) -> None:
    """Print a term and its text a row. In a terminal lines are broken where it ends and go on in the column where the texts
    begin, and what has no blanks in it (an address, a path) stays whole; in a pipe each row is one line."""
    import textwrap

    from rich.text import Text

    out = console()
    pairs = [(term if isinstance(term, Text) else Text(term), text) for term, text in rows]
    column = indent + max((term.cell_len for term, _ in pairs), default=0) + 2
    for term, text in pairs:
        broken = textwrap.wrap(text, max(out.width - column, 30), break_long_words=False, break_on_hyphens=False)
        for i, words in enumerate(broken or [""]):
            line = Text(" " * indent).append_text(term if i == 0 else Text())
            line.pad_right(column - line.cell_len)
            out.print(line.append(words), soft_wrap=True)


@contextmanager
def progress(title: str, unit: str = "frames") -> Iterator[Report]:
    """Show how far a command is: bar, rate and time left in a terminal; a line now and then in a pipe."""
    try:
        if sys.stderr.isatty():
            with _bar(title, unit) as report:
                yield report
        else:
            yield _Lines(title, unit)
    except KeyboardInterrupt:
        raise Interrupted("stopped. What was finished is kept; the same command goes on from there.") from None


@contextmanager
def _bar(title: str, unit: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: BarTask) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{_rate(speed)} {unit}/s" if speed else f"– {unit}/s", style="dim")

    columns = (
        TextColumn("{task.description:<16}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task(title, total=None)

        def report(what: str, count: int, total: int | None) -> None:
            bar.update(task, description=what, advance=count)
            if total is not None:
                bar.update(task, total=total)

        yield report


def _rate(count: float) -> str:
    """Units a second; of few a digit more.

    Example:
        >>> _rate(0.43), _rate(9.96), _rate(24.4)
        ('0.4', '10', '24')
    """
    return f"{count:.1f}" if count < 9.95 else f"{count:.0f}"


def _left(seconds: float) -> str:
    """A duration that is a guess, as roughly as it is known.

    Example:
        >>> _left(4.2), _left(443), _left(10982)
        ('4 s', '7 min', '3 h 3 min')
    """
    minutes = round(seconds / 60)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class _Lines:
    """Progress as plain lines: at every change of activity, and every ten seconds."""

    EVERY = 10.0

    def __init__(self, title: str, unit: str) -> None:
        self.unit = unit
        self.what = title
        self.total: int | None = None
        self.count = 0
        self.began = self.last = time.monotonic()

    def __call__(self, what: str, count: int, total: int | None) -> None:
        now = time.monotonic()
        if total is not None:
            self.total = total
        self.count += count
        if what != self.what or now - self.last > self.EVERY:
            self.what, self.last = what, now
            elapsed = now - self.began
            rate = self.count / elapsed if elapsed > 0 else 0.0
            left = f", {_left((self.total - self.count) / rate)} left" if self.total and rate > 0 else ""
            share = f"{self.count} of {self.total} {self.unit}" if self.total else f"{self.count} {self.unit}"
            speed = f", {_rate(rate)} {self.unit}/s" if self.count else ""
            print(f"{what}: {share}{speed}{left}", file=sys.stderr, flush=True)
