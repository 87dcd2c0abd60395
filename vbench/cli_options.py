"""Options that several commands share. Imports nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from vbench.errors import UsageError

DEFAULT_ROOT = Path("runs")
Root = Annotated[
    Path, typer.Option("--root", help="The workspace: the folder in which everything lives.", metavar="DIR")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Worker processes; results do not depend on it.", metavar="N"),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Work on a Ray cluster: auto, host:port, or local (all processors and GPUs of this machine).",
        metavar="ADDRESS",
    ),
]


def completed(listed: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """What a shell completes a name to; of several with commas between them, the last.

    Example:
        >>> completed(lambda: ("psnr", "ssim"))("psnr,s"), completed(lambda: ("psnr", "ssim"))("x")
        (['psnr,ssim'], [])
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in listed() if name.startswith(last)]

    return complete


def model_names() -> Iterable[str]:
    """All models."""
    from vbench import models

    return models.names()


def metric_names() -> Iterable[str]:
    """All metrics of our own, without options."""
    from vbench import metrics

    return metrics.names()


def profile_names() -> Iterable[str]:
    """The profiles that come with the package."""
    from degradations.profile import list_profiles

    return list_profiles()


def protocol_names() -> Iterable[str]:
    """All protocols."""
    from vbench import protocols

    return protocols.names()


def split(values: list[str] | None) -> list[str]:
    """``--x a,b --x c`` as [a, b, c].

    Example:
        >>> split(["a, b", "c"]), split(["a,mine=cmd:run a,b"])
        (['a', 'b', 'c'], ['a', 'mine=cmd:run a,b'])

    Raises:
        UsageError: given and empty, as a shell makes of a variable that is not set.
    """
    out: list[str] = []
    for value in values or []:
        # A command has commas of its own: it is all that follows.
        command = re.search(r"(?:^|(?<=,))\s*(?:[A-Za-z0-9][A-Za-z0-9._-]*=)?cmd:.*", value, re.DOTALL)
        parts = value[: command.start() if command else None].split(",") + ([command[0]] if command else [])
        out += [part.strip() for part in parts if part.strip()]
    if values and not out:
        raise UsageError("An option that takes names was given none. Name some, or leave the option out.")
    return out
