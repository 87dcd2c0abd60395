"""What is known of a model before it is loaded. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from vbench.restore import ClipMeta, Restorer


@dataclass(frozen=True)
class WeightsSpec:
    """A checkpoint as its authors publish it; those of the suite are the entries of ``checkpoints.yaml``."""

    file: str
    """Its name in the store of weights."""
    sha256: str | None
    """Of the file as published, where it is known."""
    published: str
    """Where its authors publish it, in words: the file, " from ", repository or folder."""
    licence: str
    name: str = ""
    """By which ``vbench weights`` knows it."""
    path: str = ""
    """The file as published: its path in the repository, or its name in a folder or archive."""
    repository: str = ""
    """On GitHub."""
    address: str | None = None
    """From which it, or the archive that holds it, is downloaded."""
    page: str | None = None
    """To be opened in a browser, where there is no such address or it fails."""
    archive: str | None = None
    """What holds the file, where it is not published by itself."""
    sha256_begins: str = ""
    """What its authors state of the hash, where it is not all of it."""
    bytes: int | None = None
    restriction: str | None = None
    """What a licence that is not free allows; None for a free one."""
    purpose: str = ""
    trained_on: str = ""
    wrapping: str = ""
    """How the state dict lies in the file."""
    note: str = ""
    unused: str = ""
    """Why no model of the suite takes it."""

    def as_published(self, digest: str) -> bool | None:
        """Whether a file with this sha256 is the published one; None where its hash is not known.

        Example:
            >>> WeightsSpec("a.pth", None, "a.pth from b", "MIT", sha256_begins="12ab").as_published("12ab34")
            True
            >>> print(WeightsSpec("a.pth", None, "a.pth from b", "MIT").as_published("12ab34"))
            None
        """
        if self.sha256 is not None:
            return digest == self.sha256
        return digest.startswith(self.sha256_begins) if self.sha256_begins else None

    @property
    def terms(self) -> str:
        """The licence, and what it allows where it is not free."""
        return f"{self.licence}, {self.restriction}" if self.restriction else self.licence

    def where(self) -> str:
        """How to get the file, as a sentence without its point: the command that fetches it, or the page to open."""
        if self.address is not None:
            return f"vbench weights fetch {self.name} brings them; or get {self.published}"
        if self.page is not None:
            return f"Open {self.page} and take {self.published}"
        return f"Get {self.published}"


WIDEST_BLEND = 16
"""Pixels on either side of the line between two tiles."""


@dataclass(frozen=True)
class Tiles:
    """How frames may be cut for a network where memory is short; sizes in pixels of the frames that it takes.

    Example:
        >>> Tiles(halo=17).exact, Tiles(halo=64, blend=16).exact
        (True, False)
    """

    halo: int
    """What a tile sees beyond its own pixels, on each side."""
    multiple: int = 1
    """What the network is given begins at multiples of this, and ends at them unless the frame ends there."""
    blend: int = 0
    """Tiles are faded into each other this far on either side of the line between them. 0: the halo is at least what the
    network sees around a pixel, and tiled frames equal untiled ones to the rounding of floating point. At most 16."""
    alone: bool = False
    """Whether a frame is restored without knowing any other."""

    def __post_init__(self) -> None:
        # The smallest tiles are half of 64 pixels long, and no pixel may lie in more than two along an axis.
        if not (0 <= self.blend <= min(self.halo, WIDEST_BLEND) and self.multiple >= 1):
            raise ValueError(
                f"Tiles(halo={self.halo}, multiple={self.multiple}, blend={self.blend}): blend is to be at least 0, and at "
                f"most the halo and {WIDEST_BLEND}; multiple at least 1."
            )

    @property
    def exact(self) -> bool:
        """Whether tiled frames equal untiled ones."""
        return self.blend == 0

    @property
    def words(self) -> str:
        """The same in words.

        Example:
            >>> Tiles(halo=17).words
            'equal to whole frames, with a halo of 17 pixels'
        """
        if self.exact:
            return f"equal to whole frames, with a halo of {self.halo} pixels"
        return f"not equal to whole frames: a halo of {self.halo} pixels, faded into each other over {2 * self.blend}"


PRECISIONS = ("fp32", "bf16", "fp16")
"""What ``--precision`` takes."""


@dataclass(frozen=True)
class ModelSpec:
    """One model under its public name, with its settings; ``load(device, weights)`` makes a restorer."""

    name: str
    version: int
    """Raised whenever the same settings and weights would give other frames: part of every fingerprint."""
    title: str
    task: str
    """"baseline", "denoising", "deblurring", "sharpening"."""
    source: str
    """Paper, or official code by name."""
    licence: str
    load: Callable[[torch.device, Path | None], Restorer]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What is recorded beside every number: values that JSON holds."""
    weights: WeightsSpec | None = None
    network: str | None = None
    """``module:function`` that builds the bare network, for checking checkpoints against it."""
    parameters: int | None = None
    """Numbers that training sets; buffers are not counted."""
    slow: bool = False
    """Whether a clip takes hours on a CPU: "all" leaves it out there, and says so."""
    scales: tuple[int, ...] | None = (1,)
    """How many times larger it makes frames; None for any number."""
    tiles: Tiles | None = None
    """How its frames may be cut where memory is short; None: not at all."""
    precisions: tuple[str, ...] = ("fp32",)
    """Of :data:`PRECISIONS`, those in which its network can be run; in place of others it runs in fp32."""

    iterations: Callable[[ClipMeta], int] | None = None
    """Steps of training on a clip, for what is trained while it is tested."""

    def missing_text(self) -> str:
        """Why the model cannot run without its weights, and the command that helps."""
        assert self.weights is not None  # noqa: S101 - asked only of models that have weights
        return (
            f"{self.name} needs its weights ({self.weights.terms}). {self.weights.where()}, then: "
            f"vbench weights import FILE --model {self.name}"
        )
