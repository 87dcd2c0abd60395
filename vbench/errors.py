"""Errors that are sentences: what was wrong, with the value; what was expected; what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or lists them.

    Example:
        >>> nearest("oldflim", ["oldfilm", "codec"])
        'Did you mean "oldfilm"?'
        >>> nearest("xyz", ["oldfilm", "codec"])
        'Known: codec, oldfilm.'
        >>> nearest("xyz", ["codec", "codec"])
        'Known: codec.'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    return f'Did you mean "{close[0]}"?' if close else f"Known: {', '.join(names) or 'none'}."
