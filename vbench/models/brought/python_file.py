"""A model in a Python file of the user's: the file is run.

The attribute that is named is called without arguments if it is a function or a class; what comes of it is

- an object with ``restore(chunks, meta)``, a restorer (see :class:`vbench.restore.Restorer`), or
- a ``torch.nn.Module`` or a function, which is given frames ``(B, C, H, W)``, float32 in [0, 1], RGB or gray, and
  returns them restored.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.errors import InputError
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
        found.loader.exec_module(module)
        if not hasattr(module, attribute):
            names = [n for n in vars(module) if not n.startswith("_")]
            raise InputError(f'"{path}" has no "{attribute}"; it has {", ".join(names) or "nothing"}.')
        made: Any = getattr(module, attribute)
        if (not isinstance(made, torch.nn.Module) and not hasattr(made, "restore")) or isinstance(made, type):
            made = made()
    except InputError:
        raise
    # The user's code may fail in any way.
    except Exception as error:
        raise InputError(f'"{path}" fails when it is loaded: {type(error).__name__}: {error}.') from error
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
