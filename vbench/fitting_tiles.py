"""Which tiles of a frame were small enough for the memory of a device: remembered, so that the next clip begins there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vbench.devices import whole_memory
from vbench.models.spec import Tiles
from vbench.restore import ClipMeta
from vbench.tiling import Tile, halved, needed, tile_of
from vbench.workspace import read_json, write_json

_found: dict[Path, str] = {}
"""In this process, by where it is written down."""


class FittingTiles:
    """What is known of one model on one device, in one precision and on frames of one size.

    It is written down in the workspace, in ``cache/tiles``, with the memory that there was; where that is another, all is
    tried anew.

    Args:
        root: of the workspace.
        model, device, precision: by name.
        meta: the clip.
    """

    def __init__(self, root: Path, model: str, device: str, precision: str, meta: ClipMeta) -> None:
        name = f"{model}-{device.replace(':', '-')}-{precision}-{meta.width}x{meta.height}.json"
        self._path = root / "cache" / "tiles" / name
        self._memory = whole_memory(device)
        self._size = (meta.height, meta.width)

    def to_try(self, asked: str, rule: Tiles | None) -> tuple[Tile | None, Iterator[Tile]]:
        """The tile to begin with, None for whole frames, and those to try where memory runs out.

        Args:
            asked: "auto", "off" or "WxH".
            rule: how the model's frames may be cut; None: not at all.
        """
        if rule is None or asked == "off":
            return None, iter(())
        if asked != "auto":
            return needed(tile_of(asked), *self._size), iter(())
        first = self._remembered()
        return first, halved(*self._size, first)

    def keep(self, tile: Tile | None) -> None:
        """Remember that this one fits; whole frames, for which None stands, are what is tried first anyway."""
        if tile is None or _found.get(self._path) == str(tile):
            return
        _found[self._path] = str(tile)
        write_json(self._path, {"tile": str(tile), "memory": self._memory})

    def _remembered(self) -> Tile | None:
        if self._path in _found:
            return tile_of(_found[self._path])
        if not self._path.exists():
            return None
        document = read_json(self._path)
        return tile_of(document["tile"]) if document["memory"] == self._memory else None
