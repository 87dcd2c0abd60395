"""Errors that are sentences: what was wrong, with the value; what was expected; what to do."""

from __future__ import annotations

import difflib
import re
import sysconfig
import textwrap
import traceback
from collections.abc import Iterable
from pathlib import Path


class VbenchError(Exception):
    """Anything the user can mend. The command line prints its text without a traceback and exits with 1."""


class InputError(VbenchError):
    """A clip, folder or file that cannot be used as it is."""


class UsageError(InputError):
    """Options that do not go together, or a value that an option does not take. The command line exits with 2."""


class MissingWeights(VbenchError):
    """A model's weights are not on this machine; the text names the command that brings them."""


class MissingAsset(InputError):
    """A metric's parameter file, or a package that it needs, is not on this machine; the text says what brings it."""


class RunError(VbenchError):
    """Work that was started and failed; what was finished before is kept."""


class Interrupted(VbenchError):
    """The user stopped the command (Ctrl-C)."""


_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)")
"""What colours a terminal's text, moves in it, or names its window."""
MANY = 20
"""Names that a hint still spells out."""
LONGEST = 500
"""Characters of what an error says that are shown."""


def unforeseen(error: BaseException) -> str:
    """An error of code that is not ours, in one line: its kind, what it says, and where in whose file it came up.

    Example:
        >>> unforeseen(ValueError("two\\nlines"))
        'ValueError: two lines'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # TorchScript's interpreter says first where it was, on many lines, and what happened on the last.
    if len(lines) > 1 and "TorchScript" in lines[0]:
        said = lines[-1].removesuffix(":")
    else:
        said = f"{type(error).__name__}: {' '.join(lines)}".removesuffix(": ")
    own, libraries = Path(__file__).parent, Path(sysconfig.get_paths()["stdlib"])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and "site-packages" not in frame.filename
        and not any(Path(frame.filename).is_relative_to(folder) for folder in (own, libraries))
    ]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return textwrap.shorten(writable(said), LONGEST, placeholder=" ...") + where


def writable(text: str) -> str:
    r"""A text as it can be written to a file and shown in a terminal: names of files that are not Unicode come in half
    characters, and messages of others with what would colour a terminal.

    Example:
        >>> writable("a\udcff.png \x1b[31mis\x1b[0m\ngone")
        'a?.png is\ngone'
    """
    plain = _ESCAPES.sub("", text).encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in plain if c.isprintable() or c == "\n")


def nearest(name: str, known: Iterable[str], listed: str = "") -> str:
    """A hint that names the nearest known name, those that hold it, or all.

    Args:
        listed: a command that lists them, named in place of them where they are many.

    Example:
        >>> nearest("oldflim", ["oldfilm", "codec"])
        'Did you mean "oldfilm"?'
        >>> nearest("votes", ["votes-x2-qp28", "votes-x2-qp33", "rtn"])
        'Did you mean votes-x2-qp28 or votes-x2-qp33?'
        >>> nearest("dncnn", ["dncnn-b", "dncnn-s25", "rfr-dncnn-online-s25"])
        'Did you mean dncnn-b or dncnn-s25?'
        >>> nearest("xyz", ["oldfilm", "codec"])
        'Known: codec, oldfilm.'
        >>> nearest("xyz", ["codec", "codec"])
        'Known: codec.'
        >>> nearest("xyz", map(str, range(50)), "vbench models list")
        'All of them: vbench models list'
    """
    names = sorted(set(known))
    # What is the beginning of names ("dncnn") is no misspelling of one of them.
    begun = [n for n in names if len(name) > 2 and n.lower().startswith(f"{name.lower()}-")]
    close = (
        begun
        or difflib.get_close_matches(name, names, n=1)
        or [n for n in names if len(name) > 2 and name.lower() in n.lower()]
    )
    if 1 < len(close) < len(names):
        return f"Did you mean {', '.join(close[:-1])} or {close[-1]}?"
    if not close and listed and len(names) > MANY:
        return f"All of them: {listed}"
    return f'Did you mean "{close[0]}"?' if len(close) == 1 else f"Known: {', '.join(names) or 'none'}."
