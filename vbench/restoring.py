"""Restore one clip by one model: a task that any process can do, committed whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboards.schema import Cost, ModelFacts, PrecisionDifference
from vbench.datasets import Pair
from vbench.devices import bounded_memory, forget_peak_memory, peak_memory
from vbench.errors import RunError
from vbench.execute import advance, processes
from vbench.provenance import fingerprint, versions
from vbench.workspace import Workspace, partial_path, read_json, write_json

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch

    from vbench.clip import Clip
    from vbench.models.spec import ModelSpec, Tiles
    from vbench.precision import Difference
    from vbench.restore import ClipMeta, Restorer
    from vbench.tiling import Tile

CHUNK = 8
COMPARED = 8
"""Frames on which a precision is compared with fp32: as many as the longest of the shortest clips that models take."""


@dataclass(frozen=True)
class Ready:
    """A model that can run here."""

    name: str
    facts: ModelFacts
    weights: Path | None
    scales: tuple[int, ...] | None = (1,)
    given: str = ""
    """What the user typed, where that is not the name."""
    tiles: Tiles | None = None
    """How its frames may be cut."""
    tile: str = "auto"
    """"auto", "off" or "WxH", as `vbench.tiling.parse` gives it."""
    precision: str = "fp32"
    """In which its network is run."""

    def takes(self, pair: Pair) -> bool:
        """Whether it makes of the pair's degraded frames what has the size of its ground truth."""
        return self.scales is None or pair.facts.scale in self.scales


def model_facts(spec: ModelSpec, weights: Path | None) -> ModelFacts:
    """What is written of a model beside its numbers."""
    from vbench.provenance import file_sha256

    return ModelFacts(
        name=spec.name,
        version=spec.version,
        title=spec.title,
        task=spec.task,
        source=spec.source,
        licence=spec.licence,
        settings=dict(spec.settings),
        weights_file=weights.name if weights else None,
        weights_sha256=file_sha256(weights) if weights else None,
        weights_licence=spec.weights.terms if spec.weights else None,
        parameters=spec.parameters,
    )


_loaded: dict[tuple[str, str, str], tuple[Restorer, Restorer]] = {}
_used: set[tuple[str, str]] = set()
"""Models that have restored a clip in this process, and where."""


def _restorers(model: Ready, device: str) -> tuple[Restorer, Restorer]:
    """The loaded model, and the same in its precision; a process keeps the last one that it used, and on a GPU with it
    what was cast and recorded (`vbench.models.replay`)."""
    from vbench import models
    from vbench.precision import in_precision
    from vbench.restore import checked

    # A file may be another one under the same label.
    key = (model.facts.model_dump_json(), device, model.precision)
    if key not in _loaded:
        _loaded.clear()
        import torch

        plain = checked(models.spec(model.given or model.name).load(torch.device(device), model.weights), model.name)
        _loaded[key] = plain, in_precision(plain, model.precision, device)
    return _loaded[key]


def _faded(model: Ready, tile: Tile | str | None) -> str | None:
    """The tile where tiles are faded into each other, so that frames depend on its size; else None."""
    return None if tile is None or model.tiles is None or model.tiles.exact else str(tile)


def restored_fingerprint(pair: Pair, model: Ready, device: str, faded: str | None = None) -> str:
    """Everything that restored frames depend on.

    Args:
        faded: the size of tiles that were faded into each other, if they were.
    """
    facts = model.facts
    return fingerprint(
        {
            "lq": pair.facts.lq_sha256,
            "model": facts.name,
            "version": facts.version,
            "settings": facts.settings,
            "weights": facts.weights_sha256,
            "device": device.split(":", maxsplit=1)[0],
            "precision": model.precision,
            **({"tile": faded} if faded else {}),
        }
    )


def restored_paths(workspace: Workspace, pair: Pair, model: str) -> tuple[Path, Path]:
    """Where restored frames lie, and the JSON that says that they are whole."""
    room = workspace.restored(pair.dataset, model)
    return room / pair.name, room / f"{pair.name}.json"


def restored_folder(workspace: Workspace, pair: Pair, model: str, depth: int = 8) -> Path:
    """Where the frames lie that are measured with so many bits."""
    deep = workspace.restored16(pair.dataset, model) / pair.name
    return deep if depth == 16 else restored_paths(workspace, pair, model)[0]


@dataclass(frozen=True)
class _Kept:
    """What is known of restored frames that were written."""

    frames: int
    seconds: float
    hashes: dict[str, str]
    memory: int | None


def restore_pair(
    workspace: Workspace, pair: Pair, model: Ready, device: str, depth: int = 8, compare: bool = False
) -> dict[str, Any]:
    """Restore one clip by one model and commit its frames as 8-bit PNG; the JSON beside is written last.

    Where memory runs out, and the model's frames may be cut, it begins again in smaller tiles.

    Args:
        depth: 16 writes them with 16 bits too, into a folder of their own, for protocols that measure floating point.
        compare: whether the first frames are restored in fp32 too, where the model's precision is another.

    Raises:
        RunError: the degraded frames are not those of the data set, memory is not enough, or the model fails.
    """
    from contextlib import nullcontext

    import torch

    from vbench import models
    from vbench.fitting_tiles import FittingTiles
    from vbench.multiply_adds import costs
    from vbench.precision import Difference, difference
    from vbench.restore import ClipMeta
    from vbench.tiling import fitted
    from vbench.workspace import make_folder

    folder, note = restored_paths(workspace, pair, model.name)
    clip = pair.degraded()
    info = clip.info
    warm = (model.name, device) in _used
    # Before it is loaded: a model may go to another folder.
    spec = models.spec(model.given or model.name)
    plain, restorer = _restorers(model, device)
    make_folder(folder.parent)
    target = (pair.facts.height, pair.facts.width)
    meta = ClipMeta(
        info.frames, info.height, info.width, info.channels, info.fps, pair.facts.scale, pair.name, pair.dataset, target
    )
    told = _Told(info.frames)
    what = f"{model.name} on frames of {info.width} x {info.height} pixels"
    # Asked for now: memory is bounded below.
    sizes = FittingTiles(workspace.root, model.name, device, model.precision, meta)
    first, further = sizes.to_try(model.tile, model.tiles)

    def bounded() -> AbstractContextManager[None]:
        # Other models may start programs, which have memory of their own.
        return bounded_memory(device, processes()) if model.tiles is not None else nullcontext()

    def attempt(tile: Tile | None) -> _Kept:
        with bounded():
            return _written(workspace, pair, model, device, depth, restorer, clip, meta, tile, told)

    kept, tile = fitted(attempt, first, further, device, what)
    if model.tile == "auto":
        sizes.keep(tile)
    apart: Difference | str | None = None
    if compare and model.precision != "fp32":
        opened = _first_frames(clip, min(COMPARED, info.frames))
        with bounded():
            apart = difference(plain, restorer, opened, meta, device, tile, model.tiles, partial_path(folder))
    _used.add((model.name, device))
    cost = Cost(
        frames=kept.frames,
        seconds=kept.seconds,
        threads=torch.get_num_threads(),
        device=device,
        warm=warm,
        memory_bytes=kept.memory,
        tile=None if tile is None else str(tile),
        fp32_difference=_stated(apart, pair) if isinstance(apart, Difference) else None,
        **costs(spec, meta, workspace),
    )
    faded = _faded(model, tile)
    document = {
        "fingerprint": restored_fingerprint(pair, model, device, faded),
        "frames": kept.frames,
        **kept.hashes,
        "cost": cost.model_dump(mode="json"),
        "device": device,
        "precision": model.precision + (f", in tiles of {faded} faded into each other" if faded else ""),
        "tile": {"asked": model.tile, "faded": faded},
        **({"fp32_difference": apart} if isinstance(apart, str) else {}),
        "versions": versions(),
    }
    write_json(note, document)
    return document


def _first_frames(clip: Clip, count: int) -> Callable[[], Iterator[torch.Tensor]]:
    """Gives the first frames of a clip, one by one, whenever it is called."""
    from vbench.clip import RangeClip
    from vbench.restore import from_array

    return lambda: (from_array(frames) for frames in RangeClip(clip, 0, count).chunks(1))


def _stated(apart: Difference, pair: Pair) -> PrecisionDifference:
    return PrecisionDifference(clip=pair.name, frames=apart.frames, psnr=apart.psnr, levels=apart.levels)


class _Told:
    """Tells the progress bar of frames, each once, though a clip may be begun again."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._told = 0

    def at(self, part: float) -> None:
        """So much of the clip is done, in [0, 1]."""
        whole = min(self._frames, int(part * self._frames + 1e-9))
        if whole > self._told:
            advance(whole - self._told)
            self._told = whole


def _written(
    workspace: Workspace,
    pair: Pair,
    model: Ready,
    device: str,
    depth: int,
    restorer: Restorer,
    clip: Clip,
    meta: ClipMeta,
    tile: Tile | None,
    told: _Told,
) -> _Kept:
    """Restore a clip in tiles of this size, or whole, and write its frames: all of them, or none where it fails."""
    import threading
    import time
    from contextlib import ExitStack

    import torch

    from vbench.clip import RangeClip
    from vbench.media import FrameFolder, FrameHasher
    from vbench.restore import from_array, to_uint8, to_uint16
    from vbench.tiling import restored

    folder, note = restored_paths(workspace, pair, model.name)
    reads: list[FrameHasher] = []
    drawn = 0
    waiting = 0.0
    at_work = threading.get_ident()

    def opened() -> Iterator[torch.Tensor]:
        nonlocal waiting, drawn
        seen = FrameHasher()
        reads.append(seen)
        first = len(reads) == 1
        begin = time.perf_counter()
        for frames in clip.chunks(CHUNK if tile is None else 1):
            if first:
                seen.update(frames)
                drawn += len(frames)
            tensor = from_array(frames)
            # A filter's pipe is fed by another thread, while the frames before are at work: then nothing waits for this.
            if threading.get_ident() == at_work:
                waiting += time.perf_counter() - begin
            yield tensor
            begin = time.perf_counter()

    hasher, deep_hasher = FrameHasher(), FrameHasher()
    done = 0
    forget_peak_memory(device)
    started = time.perf_counter()
    with torch.inference_mode(), ExitStack() as stack:
        writer = stack.enter_context(FrameFolder(folder))
        deep = (
            stack.enter_context(FrameFolder(restored_folder(workspace, pair, model.name, 16))) if depth == 16 else None
        )
        for out in restored(restorer, opened, meta, device, tile, model.tiles, partial_path(folder), told.at):
            stored = to_uint8(out)
            begin = time.perf_counter()
            hasher.update(stored)
            for frame in stored:
                writer.write(frame)
            if deep is not None:
                fine = to_uint16(out)
                deep_hasher.update(fine)
                for frame in fine:
                    deep.write(frame)
            done += len(stored)
            told.at(done / meta.frames)
            waiting += time.perf_counter() - begin
        seconds = time.perf_counter() - started - waiting
        # A model need not look at all frames, or at any.
        read = reads[0] if reads else FrameHasher()
        if drawn < meta.frames:
            for frames in RangeClip(clip, drawn, meta.frames).chunks(CHUNK):
                read.update(frames)
        if read.hexdigest() != pair.facts.lq_sha256:
            raise RunError(
                f'The degraded frames of "{pair.name}" in data set "{pair.dataset}" are not those that '
                "`vbench synth` made (their hash differs): files were changed since. Make the data set again; `vbench "
                "datasets verify` says which clips are concerned."
            )
        # What is said of frames that were made in another way goes before they do: it must never be said of these.
        note.unlink(missing_ok=True)
    hashes = {"sha256": hasher.hexdigest(), **({"sha256_16": deep_hasher.hexdigest()} if deep is not None else {})}
    return _Kept(done, seconds, hashes, peak_memory(device))


def read_restored(workspace: Workspace, pair: Pair, model: Ready, device: str, depth: int = 8) -> dict[str, Any] | None:
    """What is known of frames that are there and were made as they would be made now, or None.

    Args:
        depth: bits of the frames that are wanted.
    """
    folder, note = restored_paths(workspace, pair, model.name)
    if not note.exists() or not folder.is_dir():
        return None
    document: dict[str, Any] = read_json(note)
    if depth == 16 and not ("sha256_16" in document and restored_folder(workspace, pair, model.name, 16).is_dir()):
        return None
    faded = _acceptable(model, pair, document.get("tile") or {})
    return document if document["fingerprint"] == restored_fingerprint(pair, model, device, faded) else None


def _acceptable(model: Ready, pair: Pair, tile: dict[str, Any]) -> str | None:
    """The size of tiles faded into each other that frames would have now, if they were made again.

    With "auto" that is known only by trying, and what was found by trying is kept.
    """
    from vbench.tiling import needed, tile_of

    if model.tile == "auto":
        return tile.get("faded") if tile.get("asked") == "auto" else None
    if model.tile == "off":
        return None
    # Not by opening it: frames that are gone are told where they are restored, and stop nothing else.
    facts = pair.facts
    return _faded(model, needed(tile_of(model.tile), facts.lq_height or facts.height, facts.lq_width or facts.width))
