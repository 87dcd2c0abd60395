"""What ``vbench report figures``, ``pdf`` and ``markdown`` do, in words for the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from vbench.commands import counted, say, sized, took, worded
from vbench.console import progress
from vbench.errors import UsageError, nearest


def figures_command(
    root: Path,
    out: Path | None,
    form: str,
    width: str,
    datasets: Sequence[str],
    protocols: Sequence[str],
    models: Sequence[str],
    clip: str | None,
) -> None:
    """``vbench report figures``."""
    from reports.figure_set import NOTE, TEX, Wanted, write_figures
    from reports.figures import FORMS

    if form not in FORMS:
        raise UsageError(f'There is no format "{form}" for figures. {nearest(form, FORMS)}')
    wanted = Wanted(form, inches(width), tuple(datasets), tuple(protocols), tuple(models), clip)
    began = time.monotonic()
    folder = out if out is not None else root / "figures"
    with worded(folder), progress("report figures", "figures") as report:
        written = write_figures(root, folder, wanted, report)
    are = "is" if len(written) == 1 else "are"
    say(f"{counted(len(written), 'figure')} {are} in {folder} ({took(time.monotonic() - began)}).")
    say(f"Captions: {NOTE}, and for LaTeX {TEX}.")


def inches(width: str) -> float:
    """A width as it is asked for: "column", "page", or inches.

    Raises:
        UsageError: it is none of these, or no width that a page has.

    Example:
        >>> inches("column"), inches("5")
        (3.5, 5.0)
    """
    from reports.figures import COLUMN, PAGE

    named = {"column": COLUMN, "page": PAGE}
    try:
        found = named[width] if width in named else float(width)
    except ValueError:
        raise UsageError(f'"{width}" is no width: "column" ({COLUMN} in), "page" ({PAGE} in), or inches.') from None
    if not 1.5 <= found <= 20:
        raise UsageError(f"A figure {found:g} inches wide cannot be drawn: give 1.5 to 20.")
    return found


def pdf_command(root: Path, out: Path | None, title: str | None) -> None:
    """``vbench report pdf``."""
    from reports.pdf import write_pdf

    began = time.monotonic()
    place = out if out is not None else root / "report.pdf"
    with worded(place), progress("report pdf", "pages") as report:
        written = write_pdf(root, place, title, report)
    say(f"The summary is {written} ({sized(written.stat().st_size)}, {took(time.monotonic() - began)}).")


def markdown_command(root: Path, out: Path | None, title: str | None) -> None:
    """``vbench report markdown``: to the terminal, or into a file."""
    import sys

    from reports.markdown import summary, write_markdown

    with worded(out):
        if out is None:
            sys.stdout.write(summary(root, title))
        else:
            say(f"The summary is {write_markdown(root, out, title)}.")
