"""Figures that papers and repositories print, each with its source: what "reported" means beside our own.

One YAML for each protocol. What no text states is not here: a figure known from memory, or read in a third place without a
name, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Kind: TypeAlias = Literal["paper", "readme", "stored output", "chart", "quoted", "user report"]

KINDS: dict[Kind, str] = {
    "paper": "printed in the paper",
    "readme": "printed in the repository of its authors",
    "stored output": "printed by the authors' script, stored in their repository",
    "chart": "read off a chart",
    "quoted": "the paper's, as somebody quotes it",
    "user report": "measured by a user",
}
"""Where a figure stands, in words."""

Text = Annotated[str, Field(min_length=1)]
Figure = Annotated[float, Field(allow_inf_nan=False)]


class Published(BaseModel):
    """One figure that somebody printed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: Text
    """By name, without its version."""
    set: Text
    """As the protocol calls it: "Set12, sigma 25"."""
    clip: Text | None = None
    """Of one clip; None for the whole set."""
    system: Text
    """What was measured, as its source calls it."""
    model: Text | None = None
    """The same in this suite: same network, same weights; None where it is not here."""
    metric: Text
    """By our name, with its options."""
    value: Figure
    uncertainty: Annotated[Figure, Field(gt=0)] | None = None
    """Of reading, plus or minus; None where a number is printed."""
    kind: Kind
    source: Text
    note: str = ""

    @property
    def words(self) -> str:
        """Where it stands, in words.

        Example:
            >>> Published(protocol="p", set="s", system="x", metric="psnr", value=38.7, uncertainty=0.1, kind="chart",
            ...           source="a README").words
            'read off a chart (± 0.1): a README'
        """
        doubt = f" (± {self.uncertainty:g})" if self.uncertainty is not None else ""
        return f"{KINDS[self.kind]}{doubt}: {self.source}" + (f". {self.note}" if self.note else "")


class _Row(BaseModel):
    """Figures of one system on one set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: Text
    clip: Text | None = None
    system: Text
    model: Text | None = None
    note: str = ""
    values: Annotated[dict[Text, Figure], Field(min_length=1)]
    """By metric."""


class _Table(BaseModel):
    """Figures from one place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    source: Text
    note: str = ""
    uncertainty: Annotated[Figure, Field(gt=0)] | None = None
    rows: Annotated[tuple[_Row, ...], Field(min_length=1)]


class _Document(BaseModel):
    """A file: all that is published under one protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: Text
    tables: tuple[_Table, ...]

    def figures(self) -> Iterator[Published]:
        for table in self.tables:
            for row in table.rows:
                note = " ".join(part.strip() for part in (table.note, row.note) if part)
                for metric, value in row.values.items():
                    yield Published(
                        protocol=self.protocol,
                        set=row.set,
                        clip=row.clip,
                        system=row.system,
                        model=row.model,
                        metric=metric,
                        value=value,
                        uncertainty=table.uncertainty,
                        kind=table.kind,
                        source=table.source,
                        note=note,
                    )


def parse(text: str, where: str) -> tuple[Published, ...]:
    """The figures of a YAML text.

    Raises:
        ValueError: it is no YAML, or not what such a file has, or a figure stands twice; the text says where.
    """
    import yaml

    try:
        document: Any = yaml.safe_load(text)
        found = tuple(_Document.model_validate(document).figures())
    except yaml.YAMLError as error:
        raise ValueError(f'"{where}" is no YAML: {" ".join(str(error).split())}') from error
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f'"{where}" holds no published figures: {at}: {first["msg"]}.') from error
    seen: set[tuple[str | None, ...]] = set()
    for one in found:
        key = (one.set, one.clip, one.system, one.metric, one.source)
        if key in seen:
            raise ValueError(
                f'"{where}" states {one.metric} of {one.system} on {one.clip or one.set} twice from the same source '
                f"({one.source})."
            )
        seen.add(key)
    return found


@cache
def figures() -> tuple[Published, ...]:
    """Everything that is published, by protocol, in the order of the files.

    Example:
        >>> {one.metric for one in figures() if one.protocol == "denoise-dncnn"}
        {'psnr'}
    """
    files = sorted((p for p in resources.files(__name__).iterdir() if p.name.endswith(".yaml")), key=lambda p: p.name)
    return tuple(one for file in files for one in parse(file.read_text("utf-8"), file.name))


def for_protocol(protocol: str) -> tuple[Published, ...]:
    """What is published under a protocol, by name or label ("denoise-dncnn@1")."""
    name = protocol.split("@", maxsplit=1)[0]
    return tuple(one for one in figures() if one.protocol == name)


def for_set(protocol: str, set: str, clip: str | None = None) -> tuple[Published, ...]:
    """What is published on a set under a protocol.

    Args:
        protocol: by name or label.
        set: as the protocol calls it.
        clip: figures of this clip alone; by default those of the whole set.

    Example:
        >>> [(one.system, one.value) for one in for_set("denoise-dncnn@1", "Set12, sigma 25") if one.model == "dncnn-b"]
        [('DnCNN-B, PyTorch', 30.344)]
        >>> for_set("denoise-dncnn", "Set13")
        ()
    """
    return tuple(one for one in for_protocol(protocol) if one.set == set and one.clip == clip)
