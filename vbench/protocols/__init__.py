"""Protocols: the conventions under which numbers compare. One YAML each."""

from __future__ import annotations

from importlib import resources

from pydantic import BaseModel, ConfigDict

from vbench.errors import InputError, nearest


class Protocol(BaseModel):
    """A named, versioned convention."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: int
    title: str
    description: str
    source: str
    metrics: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name and version, as written into every cell."""
        return f"{self.name}@{self.version}"


def names() -> tuple[str, ...]:
    """All protocols, sorted."""
    return tuple(sorted(p.name[:-5] for p in resources.files(__name__).iterdir() if p.name.endswith(".yaml")))


def load(name: str = "default") -> Protocol:
    """The protocol of this name.

    Raises:
        InputError: no such protocol; the text names the nearest.

    Example:
        >>> load().label
        'default@2'
    """
    import yaml

    if name not in names():
        raise InputError(f'There is no protocol "{name}". {nearest(name, names())}')
    return Protocol.model_validate(
        yaml.safe_load(resources.files(__name__).joinpath(f"{name}.yaml").read_text("utf-8"))
    )
