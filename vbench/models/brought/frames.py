"""Frames that somebody restored already: a folder, with a video or a folder of frames for each clip."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.errors import InputError, RunError
from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch

    from vbench.clip import Clip
    from vbench.restore import ClipMeta, Restorer


def spec(what: str, label: str | None) -> ModelSpec:
    """The results in ``frames:DIR``.

    For a clip are taken ``DIR/DATASET/CLIP``, else ``DIR/CLIP``: a folder of frames, or a video of that name.

    Raises:
        InputError: there is no such folder.
    """
    from vbench.models.brought import label_of

    folder = Path(what.removeprefix("frames:")).expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f'There is no folder "{folder}" with restored frames.')

    def load(device: torch.device, weights: Path | None) -> Restorer:
        return Ready(folder, device)

    return ModelSpec(
        name=label or label_of(f"frames-{folder.name}"),
        version=1,
        title=f"frames in {folder.name}",
        task="brought",
        source=f"frames restored elsewhere, in the folder {folder.name}",
        licence="the user's",
        load=load,
        settings={"folder": folder.name, "files": _listing(folder)},
        scales=None,
    )


def _listing(folder: Path) -> str:
    """A hash of names, sizes and times of all files: the content may have changed when it does."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        stat = path.stat()
        digest.update(f"{path.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Ready:
    """Frames as they are; those that the model was given are only counted."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._folder = folder
        self._device = device

    def restore(self, chunks: Iterator[torch.Tensor], meta: ClipMeta) -> Iterator[torch.Tensor]:
        """One chunk for each that came.

        Raises:
            RunError: there are none for this clip, or not as many as it has frames.
        """
        from vbench.restore import from_array

        clip = opened(find(self._folder, meta), meta)
        ready = clip.chunks(1)
        for chunk in chunks:
            for _ in chunk:
                frames = next(ready, None)
                if frames is None:
                    break
                yield matched(from_array(frames), meta.channels).to(self._device)


def find(folder: Path, meta: ClipMeta) -> Path:
    """Where the frames of a clip lie.

    Raises:
        RunError: nowhere.
    """
    bases = (folder / meta.dataset / meta.name, folder / meta.name)
    for base in bases:
        if base.is_dir():
            return base
        videos = (
            sorted(p for p in base.parent.glob(f"{glob.escape(base.name)}.*") if p.is_file())
            if base.parent.is_dir()
            else []
        )
        if videos:
            return videos[0]
    raise RunError(
        f'There is nothing for the clip "{meta.name}" of "{meta.dataset}" in "{folder}": a folder or video '
        f'"{meta.dataset}/{meta.name}" or "{meta.name}" is looked for there.'
    )


def opened(path: Path, meta: ClipMeta) -> Clip:
    """The clip in a folder or video, of which as many frames as ``meta`` says are expected.

    Raises:
        RunError: it cannot be read, or has other frames.
    """
    from vbench.sources import open_clip

    try:
        clip = open_clip(path, name=meta.name)
    except InputError as error:
        raise RunError(f'The restored frames in "{path}" cannot be used: {error}') from error
    info = clip.info
    height, width = meta.size
    # What is larger than the ground truth by less than a pixel of the degraded frames is cut off later, as for every model.
    if info.frames != meta.frames or (info.height, info.width) not in (meta.size, meta.enlarged):
        raise RunError(
            f'"{path}" holds {info.frames} frames of {info.width} x {info.height} pixels; {meta.frames} of {width} x '
            f"{height} are expected."
        )
    return clip


def matched(frames: torch.Tensor, channels: int) -> torch.Tensor:
    """Gray frames in three equal channels, or the mean of three, where the clip has other channels."""
    if frames.shape[1] == channels:
        return frames
    return frames.expand(-1, 3, -1, -1) if channels == 3 else frames.mean(dim=1, keepdim=True)
