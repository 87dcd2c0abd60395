"""A model in a Python file of the user's: the file is run.

It may import what lies beside it, as with ``python FILE``. The attribute that is named is called without arguments if it
is a function or a class; what comes of it is

- an object with ``restore(chunks, meta)``, a restorer (see :class:`vbench.restore.Restorer`), or
- a ``torch.nn.Module`` or a function, which is given frames ``(B, C, H, W)``, float32 in [0, 1], RGB or gray, and
  returns them restored.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError, nearest, unforeseen
from vbench.models.spec import ModelSpec, Tiles

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def spec(what: str, label: str | None) -> ModelSpec:
    """The model ``FILE.py:ATTRIBUTE``; nothing is run before it is loaded.

    Raises:
        InputError: there is no such file.
    """
    from vbench.models.brought import existing, label_of
    from vbench.provenance import file_sha256

    text, _, attribute = what.rpartition(":")
    path = existing(text, "Python file")

    def load(device: torch.device, weights: Path | None) -> Restorer:
        return restorer(path, attribute, device)

    return ModelSpec(
        name=label or label_of(f"{path.stem}.{attribute}"),
        version=1,
        title=f"{attribute} of {path.name}",
        task="brought",
        source=f"the user's file {path.name}",
        licence="the user's",
        load=load,
        settings={"file": path.name, "attribute": attribute, "sha256 of the file alone": file_sha256(path)},
        scales=None,
        # What it is becomes known only when the file is run: it may look far, and hold what it saw.
        tiles=Tiles(halo=64, multiple=64, blend=16),
    )


def restorer(path: Path, attribute: str, device: torch.device) -> Restorer:
    """What the attribute of the file gives, as a restorer on ``device``.

    Raises:
        InputError: the file fails when it is run, has no such attribute, or it gives something else.
    """
    import torch

    from vbench.restore import Framewise

    name = f"vbench_brought_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise InputError(f'"{path}" cannot be loaded as a Python file.')
    module = importlib.util.module_from_spec(found)
    try:
        with _beside(path.parent), _undone():
            # Dataclasses and pickles look a class's module up there.
            sys.modules[name] = module
            found.loader.exec_module(module)
            made = _made(module, attribute, path)
    except InputError:
        raise
    # The user's code may fail in any way, and may end the program.
    except (Exception, SystemExit) as error:
        raise InputError(f'"{path}" fails when it is loaded: {unforeseen(error)}.') from error
    if hasattr(made, "restore"):
        restored: Restorer = made
        return restored
    if isinstance(made, torch.nn.Module):
        return Framewise(made.eval().to(device))
    if callable(made):
        return Framewise(made)
    raise InputError(
        f'"{attribute}" of "{path}" gives {type(made).__name__}; a torch.nn.Module, a function of frames, or an object '
        "with restore(chunks, meta) is expected."
    )


def _made(module: ModuleType, attribute: str, path: Path) -> Any:
    """The attribute, or what it gives where it is a function or a class."""
    import torch

    if not hasattr(module, attribute):
        own = [n for n, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
        raise InputError(f'"{path}" has no "{attribute}". {nearest(attribute, own)}')
    found = getattr(module, attribute)
    ready = isinstance(found, torch.nn.Module) or hasattr(found, "restore")
    if (ready and not isinstance(found, type)) or not callable(found):
        return found
    try:
        needed = [p.name for p in inspect.signature(found).parameters.values() if _asked(p)]
    except ValueError:  # built in
        needed = []
    if needed:
        itself = f"{attribute}(...)" if isinstance(found, type) else attribute
        raise InputError(
            f'"{attribute}" of "{path}" asks for {", ".join(needed)}, and it is called without arguments and is to return '
            f"the model. Name a function that does: def build(): return {itself}"
        )
    return found()


def _asked(parameter: inspect.Parameter) -> bool:
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in loose


@dataclass
class _Home:
    """The folder of the file that was loaded last."""

    folder: str
    known: frozenset[str]
    """Modules and packages that were there before."""
    added: bool
    """Whether the search path did not hold the folder."""

    def leave(self) -> None:
        """Forget what came from it."""
        if self.added and self.folder in sys.path:
            sys.path.remove(self.folder)
        for name, module in list(sys.modules.items()):
            place = getattr(module, "__file__", None)
            if name.partition(".")[0] in self.known or not place or "site-packages" in place:
                continue
            if Path(place).is_relative_to(self.folder):
                del sys.modules[name]


@contextmanager
def _undone() -> Iterator[None]:
    """Take back what a file may set for the whole process while it is loaded, and other models would not expect: the type
    and the device of new tensors."""
    import torch

    kind, device = torch.get_default_dtype(), torch.get_default_device()
    try:
        yield
    finally:
        torch.set_default_dtype(kind)
        torch.set_default_device(None if device.type == "cpu" else device)


_home: _Home | None = None


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let a file import what lies beside it: before anything else while it is loaded, behind all else when it runs.

    What came from the folder of a file that was loaded before is forgotten: two models may have a ``network.py`` each.
    """
    global _home  # noqa: PLW0603 - the search path of a process is one
    if _home is not None:
        _home.leave()
    home = str(folder)
    _home = _Home(home, frozenset(name.partition(".")[0] for name in sys.modules), home not in sys.path)
    importlib.invalidate_caches()
    sys.path.insert(0, home)
    try:
        yield
    finally:
        sys.path.remove(home)
        if _home.added:
            sys.path.append(home)
