"""The table of official checkpoints, ``checkpoints.yaml``, as what the models' entries name. Imports no torch."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from vbench.errors import InputError, nearest
from vbench.models.spec import WeightsSpec

SHARED = ("address", "page", "archive", "licence", "restriction", "purpose", "trained_on", "wrapping", "note")
"""What may be said of all checkpoints of a publisher at once, and again of one of them."""


@cache
def checkpoints() -> dict[str, WeightsSpec]:
    """Every checkpoint by its name, in the order of the table.

    Example:
        >>> checkpoints()["fastdvdnet-clipped"].published
        'model_clipped_noise.pth from the GitHub repository m-tassano/fastdvdnet'
    """
    import yaml

    text = (files("vbench") / "checkpoints.yaml").read_text("utf-8")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C: ten times faster
    publishers: list[dict[str, Any]] = yaml.load(text, loader)  # noqa: S506 - both are safe loaders
    found: dict[str, WeightsSpec] = {}
    for publisher in publishers:
        common = {key: publisher[key] for key in SHARED if key in publisher}
        for name, entry in publisher["checkpoints"].items():
            found[name] = _entry(name, publisher["repository"], {**common, **entry})
    return found


def _entry(name: str, repository: str, stated: dict[str, Any]) -> WeightsSpec:
    fields = dict(stated)
    path = str(fields.pop("file"))
    address = fields.pop("address", None)
    archive = fields.get("archive")
    place = f"the GitHub repository {repository}"
    if archive is not None or address is None:
        place = f"{archive or 'the folder'} that {place} links"
    return WeightsSpec(
        file=f"{name}.pth",
        sha256=fields.pop("sha256", None),
        published=f"{path} from {place}",
        licence=fields.pop("licence"),
        name=name,
        path=path,
        repository=repository,
        address=None if address is None else address.replace("{file}", path),
        **fields,
    )


def checkpoint(name: str) -> WeightsSpec:
    """An entry of the table.

    Raises:
        InputError: no such entry; the text names the nearest.

    Example:
        >>> checkpoint("dncnn-b").licence
        'GPL-3.0'
    """
    if name not in checkpoints():
        raise InputError(f'There is no checkpoint "{name}". {nearest(name, checkpoints())}')
    return checkpoints()[name]
