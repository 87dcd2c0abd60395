"""Restore one clip by one model: a task that any process can do, committed whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboards.schema import Cost, ModelFacts
from vbench.datasets import Pair
from vbench.devices import forget_peak_memory, peak_memory
from vbench.errors import RunError
from vbench.execute import advance
from vbench.provenance import fingerprint, versions
from vbench.workspace import Workspace, read_json, write_json

if TYPE_CHECKING:
    import torch

    from vbench.models.spec import ModelSpec
    from vbench.restore import Restorer

CHUNK = 8


@dataclass(frozen=True)
class Ready:
    """A model that can run here."""

    name: str
    facts: ModelFacts
    weights: Path | None
    scales: tuple[int, ...] | None = (1,)
    given: str = ""
    """What the user typed, where that is not the name."""

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
        parameters=spec.parameters,
    )


_loaded: dict[tuple[str, str], Restorer] = {}
_used: set[tuple[str, str]] = set()
"""Models that have restored a clip in this process, and where."""


def _restorer(model: Ready, device: str) -> Restorer:
    """The loaded model; a process keeps the last one that it used."""
    from vbench import models
    from vbench.restore import checked

    key = (model.name, device)
    if key not in _loaded:
        _loaded.clear()
        import torch

        _loaded[key] = checked(
            models.spec(model.given or model.name).load(torch.device(device), model.weights), model.name
        )
    return _loaded[key]


def restored_fingerprint(pair: Pair, model: Ready, device: str) -> str:
    """Everything that restored frames depend on."""
    facts = model.facts
    return fingerprint(
        {
            "lq": pair.facts.lq_sha256,
            "model": facts.name,
            "version": facts.version,
            "settings": facts.settings,
            "weights": facts.weights_sha256,
            "device": device.split(":", maxsplit=1)[0],
            "precision": "fp32",
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


def restore_pair(workspace: Workspace, pair: Pair, model: Ready, device: str, depth: int = 8) -> dict[str, Any]:
    """Restore one clip by one model and commit its frames as 8-bit PNG; the JSON beside is written last.

    Args:
        depth: 16 writes them with 16 bits too, into a folder of their own, for protocols that measure floating point.
    """
    import time
    from contextlib import ExitStack

    import torch

    from vbench.media import FrameFolder, FrameHasher
    from vbench.restore import ClipMeta, from_array, to_uint8, to_uint16
    from vbench.workspace import make_folder

    folder, note = restored_paths(workspace, pair, model.name)
    clip = pair.degraded()
    info = clip.info
    warm = (model.name, device) in _used
    restorer = _restorer(model, device)
    seen = FrameHasher()
    waiting = 0.0

    def chunks() -> Iterator[torch.Tensor]:
        nonlocal waiting
        begin = time.perf_counter()
        for frames in clip.chunks(CHUNK):
            seen.update(frames)
            tensor = from_array(frames).to(device)
            waiting += time.perf_counter() - begin
            yield tensor
            begin = time.perf_counter()

    make_folder(folder.parent)
    hasher, deep_hasher = FrameHasher(), FrameHasher()
    done = 0
    target = (pair.facts.height, pair.facts.width)
    meta = ClipMeta(
        info.frames, info.height, info.width, info.channels, info.fps, pair.facts.scale, pair.name, pair.dataset, target
    )
    forget_peak_memory(device)
    started = time.perf_counter()
    with torch.inference_mode(), ExitStack() as stack:
        writer = stack.enter_context(FrameFolder(folder))
        deep = (
            stack.enter_context(FrameFolder(restored_folder(workspace, pair, model.name, 16))) if depth == 16 else None
        )
        for out in restorer.restore(chunks(), meta):
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
            advance(len(stored))
            waiting += time.perf_counter() - begin
        seconds = time.perf_counter() - started - waiting
        if seen.hexdigest() != pair.facts.lq_sha256:
            raise RunError(
                f'The degraded frames of "{pair.name}" in data set "{pair.dataset}" are not those that '
                "`vbench synth` made (their hash differs): files were changed since. Make the data set again; `vbench "
                "datasets verify` says which clips are concerned."
            )
    _used.add((model.name, device))
    cost = Cost(
        frames=done,
        seconds=seconds,
        threads=torch.get_num_threads(),
        device=device,
        warm=warm,
        memory_bytes=peak_memory(device),
    )
    document = {
        "fingerprint": restored_fingerprint(pair, model, device),
        "frames": done,
        "sha256": hasher.hexdigest(),
        **({"sha256_16": deep_hasher.hexdigest()} if deep is not None else {}),
        "cost": cost.model_dump(),
        "device": device,
        "precision": "fp32",
        "versions": versions(),
    }
    write_json(note, document)
    return document


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
    return document if document["fingerprint"] == restored_fingerprint(pair, model, device) else None
