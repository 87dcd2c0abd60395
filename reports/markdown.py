"""A summary for a README or a pull request: the question, the answer, the boards, and how to do it again."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from leaderboards.export import to_markdown
from leaderboards.results import Results
from reports.views.facts import gather
from reports.views.method import method
from reports.views.overview import answer, asked

MADE_BY = "Made by:"
"""Before the commands that make the results again."""


def summary(root: Path, title: str | None = None) -> str:
    """The summary of a workspace's results.

    Raises:
        ValueError: there are no results.
    """
    results = Results.read(root)
    if not results.cells:
        raise ValueError(f'There are no results in "{root}" yet. Run `vbench run --models all` first.')
    facts = gather(root, results, title)
    found = method(facts)
    parts = [
        f"## {escaped(facts.title)}",
        escaped(asked(facts).striptags()),
        escaped(answer(facts).striptags()),
        to_markdown(list(facts.boards)).strip(),
        f"{MADE_BY}\n\n" + "\n".join(f"    {line}" for command in found.commands for line in command.splitlines()),
        escaped("Versions: " + ", ".join(f"{name} {version}" for name, version in found.versions) + ".")
        if found.versions
        else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    r"""Text on one line that means nothing to Markdown.

    Example:
        >>> print(escaped("a_b <i>\n# c"))
        a\_b \<i\> \# c
    """
    for char in "\\`*_|<>[]#":
        text = text.replace(char, "\\" + char)
    return " ".join(text.split())


def write_markdown(root: Path, out: Path, title: str | None = None) -> Path:
    """Write the summary into a file, whole or not at all.

    Raises:
        ValueError: there are no results, or a folder or a file that is no such summary stands in its place.
    """
    if out.is_dir():
        raise ValueError(f'"{out}" is a folder. Choose the place of a file with --out.')
    if out.exists() and not _is_summary(out):
        raise ValueError(
            f'"{out}" is there already and is no summary of vbench; it is not touched. Choose another place with --out, or '
            "take the summary from the terminal."
        )
    text = summary(root, title)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".partial-{os.getpid()}-{uuid.uuid4().hex[:8]}.md")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return out


def _is_summary(file: Path) -> bool:
    """Whether a file is a summary and nothing else: one that was pasted into a README follows the README's own heading."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return not text or (text.startswith("## ") and f"\n\n{MADE_BY}\n\n    vbench " in text)
