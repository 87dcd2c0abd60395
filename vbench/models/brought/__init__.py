"""Models that users bring: a Python file, TorchScript, ONNX, a file that spandrel knows, a command, frames, a package.

``vbench run --models`` takes them by these names, each with ``LABEL=`` in front if it is to have a name of its own:

- ``my_file.py:build``: a function or class of that file, see :mod:`vbench.models.brought.python_file`;
- ``model.ts``, ``model.pt`` (TorchScript) and ``model.onnx``: frame by frame;
- ``spandrel:FILE``: any checkpoint that the package spandrel recognises, frame by frame;
- ``cmd:python infer.py --in {input} --out {output}``: a command in an environment of its own;
- ``frames:DIR``: frames that somebody restored already;
- a name that an installed package gives under the entry point ``vbench.models``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from vbench.errors import InputError, unforeseen
from vbench.models.spec import ModelSpec

_LABEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)", re.DOTALL)
ENTRY_POINTS = "vbench.models"
LONGEST = 100
"""Characters of a label: it names a folder."""


def recognise(text: str) -> ModelSpec | None:
    """The model that a user brings under this name, or None where the name is of no such form.

    Raises:
        InputError: it is of such a form, and what it names is not there or is not what it should be.

    Example:
        >>> recognise("hqdn3d") is None
        True
    """
    match = _LABEL.fullmatch(text)
    label, what = (match[1], match[2]) if match else (None, text)
    maker = _maker(what)
    if maker is None and re.search(r"\.py$", what):
        raise InputError(
            f'"{what}" is a Python file: name the function or class in it that gives the model, like {what}:build'
        )
    head, _, rest = text.partition("=")
    named = text.startswith(("cmd:", "frames:", "spandrel:"))
    if match is None and not named and "/" not in head and rest and _maker(rest) is not None:
        raise InputError(
            f'"{head}" cannot be a label: letters, digits, dots, underscores and hyphens can, like '
            f"{label_of(head)}={rest}"
        )
    if label is not None and len(label) > LONGEST:
        raise InputError(
            f"A label of {len(label)} characters is too long for the name of a folder: {LONGEST} are possible."
        )
    return None if maker is None else maker(what, label)


def _maker(what: str) -> Callable[[str, str | None], ModelSpec] | None:
    from vbench.models.brought import command, files, frames, python_file

    if what.startswith("cmd:"):
        return command.spec
    if what.startswith("frames:"):
        return frames.spec
    if what.startswith("spandrel:"):
        return files.spandrel
    if re.search(r"\.py:[A-Za-z_]\w*$", what):
        return python_file.spec
    if what.endswith((".ts", ".pt", ".pth")):
        return files.torchscript
    return files.onnx if what.endswith(".onnx") else None


def label_of(text: str) -> str:
    """Letters, digits, dots, underscores and hyphens of a text: a name of a row and of a folder.

    Example:
        >>> label_of("my <b>model</b>")
        'my-b-model-b'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:LONGEST].strip("-.") or "model"


def installed() -> dict[str, str]:
    """Names that installed packages give, and the package of each."""
    from importlib.metadata import entry_points

    return {point.name: point.dist.name if point.dist else point.value for point in entry_points(group=ENTRY_POINTS)}


def from_package(name: str) -> ModelSpec:
    """The model of an installed package: its entry point names a ModelSpec, or a function that returns one.

    Raises:
        InputError: the package cannot be loaded, or gives something else.
    """
    from importlib.metadata import entry_points

    (point, *_) = entry_points(group=ENTRY_POINTS, name=name)
    package = installed()[name]
    try:
        found = point.load()
        made = found() if callable(found) and not isinstance(found, ModelSpec) else found
    # A package of others may fail in any way, and may end the program.
    except (Exception, SystemExit) as error:
        raise InputError(
            f'The model "{name}" of the package {package} cannot be loaded: {unforeseen(error)}. Mend or '
            "remove the package."
        ) from error
    if not isinstance(made, ModelSpec) or made.name != name:
        raise InputError(
            f'The entry point "{name}" of the package {package} gives {made!r}; a ModelSpec of that name is expected '
            "(vbench.models.spec), or a function that returns one."
        )
    return made


def existing(path: str, what: str) -> Path:
    """A file that is there.

    Raises:
        InputError: it is not.
    """
    found = Path(path).expanduser()
    if not found.is_file():
        raise InputError(f'There is no {what} "{path}". Give its path as seen from here ("{Path.cwd()}").')
    return found.resolve()
