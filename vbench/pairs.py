"""Make one pair of a data set: ground truth, degraded clip, masks, facts. Tasks that any process can do.

Everything is committed whole; the recipe of a pair is written last and says that the pair is finished.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degradations.errors import CannotDamage
from vbench.clip import Clip, EveryClip
from vbench.datasets import ClipFacts, Origin
from vbench.errors import InputError, RunError
from vbench.execute import advance
from vbench.storage import Format, Writer, open_stored, stored_at, writer
from vbench.workspace import Workspace, disk_error, make_folder, partial_path, read_json, write_json

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from degradations.apply import Recipe
    from degradations.base import Damage
    from degradations.profile import Profile
    from vbench.clip import Frames

PIXELS_AT_ONCE = 3_500_000
"""Frames are handled in chunks of about so many pixels: 8 of 480p, 1 of 1080p."""


def chunk_of(height: int, width: int) -> int:
    """Frames that are handled at once.

    Example:
        >>> chunk_of(480, 854), chunk_of(1080, 1920), chunk_of(4320, 7680)
        (8, 1, 1)
    """
    return max(1, min(16, PIXELS_AT_ONCE // (height * width)))


def threads() -> int:
    """Threads that a task may use: one in a worker among several."""
    import torch

    return torch.get_num_threads()


def open_origin(origin: Origin) -> Clip:
    """The clean clip, decoded on demand.

    Raises:
        InputError: it is not where it was, or cannot be read.
    """
    if origin.builtin is not None:
        from vbench.builtin import open_builtin

        return open_builtin(origin.builtin, frames=origin.stop)
    from vbench.sources import open_clip

    assert origin.path is not None  # noqa: S101 - one of the two is always set
    if not Path(origin.path).exists():
        raise InputError(
            f'The source of the clip "{origin.name}" is not at "{origin.path}" any more: name it with --source.'
        )
    clip = open_clip(Path(origin.path), name=origin.name, start=origin.start, stop=origin.stop)
    return clip if origin.every == 1 else EveryClip(clip, origin.every)


def to_8bit(frames: Frames) -> NDArray[np.uint8]:
    """Frames as 8 bit, rounded half up; 16-bit values are taken over their full range.

    Example:
        >>> import numpy as np
        >>> to_8bit(np.array([0, 128, 129, 65535], dtype=np.uint16)).tolist()
        [0, 0, 1, 255]
    """
    import numpy as np

    if frames.dtype == np.uint8:
        return np.asarray(frames, dtype=np.uint8)
    return ((frames.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


# --- ground truth -------------------------------------------------------------------------------


def _truth_room(workspace: Workspace, origin: Origin, tone: str, form: Format) -> Path:
    return workspace.clips / f"{origin.identity[:16]}-{tone}{'' if form == 'png' else f'-{form}'}"


def clean_chunks(origin: Origin, tone: str) -> Iterator[NDArray[np.uint8]]:
    """The clean clip as a variant wants it, 8 bit ``(t, H, W, C)``, chunk by chunk."""
    from degradations.truth import toned

    clip = open_origin(origin)
    for chunk in clip.chunks(chunk_of(clip.info.height, clip.info.width)):
        yield toned(to_8bit(chunk), tone)


def make_truth(workspace: Workspace, origin: Origin, tone: str, form: Format) -> dict[str, Any]:
    """Decode a clean clip once and store it with 8 bits in the tone of a variant; its facts are written last."""
    from vbench.frames_io import FrameHasher

    room = make_folder(_truth_room(workspace, origin, tone, form))
    clip = open_origin(origin)
    info = clip.info
    gray = tone.startswith("gray") and info.channels == 3
    hasher = FrameHasher()
    with writer(room, origin.name, form, info.fps, threads()) as out:
        for frames in clean_chunks(origin, tone):
            hasher.update(frames)
            for frame in frames[..., :1] if gray else frames:
                out.write(frame)
            advance(len(frames))
    flow = hasattr(clip, "save_flow")
    if flow:
        target = room / f"{origin.name}.flow"
        temporary = partial_path(target)
        temporary.mkdir()
        clip.save_flow(temporary)  # type: ignore[attr-defined]  # asked for just above
        _commit_folder(temporary, target)
    words = [info.colour]
    words += ["made black and white (Rec. 601 luma)"] if gray else []
    words += ["sharpened"] if tone.endswith("sharp") else []
    facts = {
        **asdict(info),
        "name": origin.name,
        "colour": ", ".join(words),
        "gt_sha256": hasher.hexdigest(),
        "flow": flow,
    }
    write_json(room / f"{origin.name}.json", facts)
    return facts


def read_truth(workspace: Workspace, origin: Origin, tone: str, form: Format) -> dict[str, Any] | None:
    """What is known of a ground truth that is there; None where it is still to be made."""
    path = _truth_room(workspace, origin, tone, form) / f"{origin.name}.json"
    if not path.exists():
        return None
    facts: dict[str, Any] = read_json(path)
    return facts


def _commit_folder(temporary: Path, final: Path) -> None:
    if final.exists():
        shutil.rmtree(final)
    temporary.rename(final)


def link(source: Path, final: Path) -> None:
    """``final`` is a hard link to the file ``source``, or holds links to the files of that folder; copies where the
    file system has no links."""
    make_folder(final.parent)
    temporary = partial_path(final)
    try:
        if source.is_file():
            _link_file(source, temporary)
            temporary.replace(final)
            return
        temporary.mkdir()
        for file in sorted(source.iterdir()):
            _link_file(file, temporary / file.name)
        _commit_folder(temporary, final)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.unlink(missing_ok=True)
        raise disk_error(final, error) from error


def _link_file(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        shutil.copy2(source, target)


# --- damage -------------------------------------------------------------------------------------


def as_damage(frames: NDArray[np.uint8], gray: bool) -> Damage:
    """8-bit ``(t, H, W, C)`` as what steps take; three equal channels are one plane, seen three times."""
    from degradations.base import Damage
    from vbench.restore import from_array

    planes = from_array(frames[..., :1] if gray else frames)
    return Damage(planes.expand(-1, 3, -1, -1) if gray else planes)


@contextmanager
def mendable() -> Iterator[None]:
    """What a step says that the user can mend (an encoder that is missing), as such an error; others keep their
    traceback, for they are faults of ours."""
    try:
        yield
    except CannotDamage as error:
        raise InputError(str(error)) from error


@mendable()
def make_damage(
    workspace: Workspace, dataset: str, profile: Profile, variant: str, seed: int, origin: Origin, form: Format
) -> dict[str, Any]:
    """Damage one clip by one variant: ``gt``, ``lq``, ``mask``, ``masks``, ``flow``, ``facts``; the recipe comes last.

    Raises:
        InputError: a step cannot do what it is asked for on this machine, or of this clip.
        RunError: the ground truth is gone, or a step broke its promise.
    """
    from degradations.apply import draw, replay, shape_behind
    from degradations.apply import facts as facts_of
    from degradations.base import ClipShape

    chosen = profile.variant(variant)
    known = read_truth(workspace, origin, chosen.truth, form)
    room = _truth_room(workspace, origin, chosen.truth, form)
    if known is None or stored_at(room, origin.name) is None:
        raise RunError(f'The ground truth of "{origin.name}" is gone from "{workspace.clips}"; run synth again.')
    folder = workspace.dataset(dataset)
    info = open_stored(room, origin.name).info
    channels = int(known["channels"])
    fps = float(known["fps"])
    shape = ClipShape(info.frames, info.height, info.width, channels, fps, rendered=origin.rendered)
    recipe = draw(profile, variant, shape, seed=seed, clip=origin.name)
    behind = shape_behind(recipe)
    measured: list[dict[str, Any]] = []
    start = chosen.start or chosen.truth
    stream = replay(recipe, _start(workspace, origin, start, form), subframes_of(origin, start), measured)
    hashes, kinds = _store(stream, folder, origin, form, fps, chosen.on_reading)
    _drop_stale_masks(folder, origin.name, kinds)
    link(_found(room, origin.name), _beside(folder / "gt", _found(room, origin.name), origin.name))
    if known["flow"]:
        link(room / f"{origin.name}.flow", folder / "flow" / origin.name)
    smaller = (behind.height, behind.width) != (info.height, info.width)
    clip_facts = ClipFacts(
        name=origin.name,
        frames=info.frames,
        height=info.height,
        width=info.width,
        channels=channels,
        fps=fps,
        source=known["source"],
        colour=known["colour"],
        bit_depth=known["bit_depth"],
        gt_sha256=known["gt_sha256"],
        lq_sha256=hashes,
        mask=bool(kinds),
        mask_kinds=kinds,
        flow=known["flow"],
        scale=behind.scale,
        lq_height=behind.height if smaller else None,
        lq_width=behind.width if smaller else None,
        on_reading=chosen.on_reading,
        origin=origin,
    )
    write_json(folder / "facts" / f"{origin.name}.json", {"steps": facts_of(recipe, measured)}, indent=None)
    document = {"identity": origin.identity, "facts": clip_facts.model_dump(mode="json"), "recipe": recipe.to_json()}
    write_json(recipe_path(folder, origin.name), document)
    return document


def _start(workspace: Workspace, origin: Origin, tone: str, form: Format) -> Iterator[Damage]:
    """What the damage starts from: the stored ground truth where it is that, else the source."""
    room = _truth_room(workspace, origin, tone, form)
    if read_truth(workspace, origin, tone, form) is None or stored_at(room, origin.name) is None:
        for frames in clean_chunks(origin, tone):
            yield as_damage(frames, tone.startswith("gray") and frames.shape[3] == 3)
        return
    clip = open_stored(room, origin.name)
    gray = tone.startswith("gray") and open_origin(origin).info.channels == 3
    for chunk in clip.chunks(chunk_of(clip.info.height, clip.info.width)):
        yield as_damage(to_8bit(chunk), gray)


def _found(room: Path, clip: str) -> Path:
    found = stored_at(room, clip)
    assert found is not None  # noqa: S101 - looked for before
    return found


def _beside(room: Path, source: Path, clip: str) -> Path:
    """Where a stored clip lies in another room, whose outdated other format is removed."""
    import contextlib

    target = room / source.name
    other = stored_at(room, clip)
    if other is not None and other != target:
        with contextlib.suppress(OSError):
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    return target


def _store(
    stream: Iterator[Damage], folder: Path, origin: Origin, form: Format, fps: float, on_reading: bool
) -> tuple[str, tuple[str, ...]]:
    """Write the degraded frames and their masks; gives the hash of the frames and the kinds of masks.

    Frames that are made on reading are hashed as they will be read, and not written.
    """
    import numpy as np

    from degradations.base import one_plane
    from vbench.frames_io import FrameHasher
    from vbench.restore import to_float_array, to_uint8

    hasher = FrameHasher()
    kinds: tuple[str, ...] | None = None
    gray: bool | None = None
    with ExitStack() as stack:
        frames_out: Writer | None = None
        masks_out: dict[str, Writer] = {}
        for damage in stream:
            if kinds is None:
                kinds, gray = tuple(sorted(damage.masks)), one_plane(damage.frames)
                if not on_reading:
                    frames_out = stack.enter_context(writer(folder / "lq", origin.name, form, fps, threads()))
                for room in mask_rooms(folder, kinds):
                    masks_out[room.name] = stack.enter_context(writer(room, origin.name, form, fps, sparse=True))
            if kinds != tuple(sorted(damage.masks)) or gray != one_plane(damage.frames):
                raise RunError(
                    f'The damage of "{origin.name}" changed its kind half-way (masks {sorted(damage.masks)}, '
                    f"before {list(kinds)}): a step does not keep its promise."
                )
            if on_reading:
                hasher.update(to_float_array(damage.frames))
            else:
                planes = to_uint8(damage.frames[:, :1] if gray else damage.frames)
                # Hashes are of the frames as they are read: with three channels.
                hasher.update(planes.repeat(3, axis=3) if gray else planes)
                assert frames_out is not None  # noqa: S101 - opened above
                for frame in planes:
                    frames_out.write(frame)
            if kinds:
                planes_of = {kind: coverage_levels(damage.masks[kind]) for kind in kinds}
                whole = reduce(np.maximum, planes_of.values())
                for name, plane in {"mask": whole, **planes_of}.items():
                    for frame in plane:
                        masks_out[name].write(frame)
            advance(len(damage.frames))
    return hasher.hexdigest(), kinds or ()


def coverage_levels(mask: torch.Tensor) -> NDArray[np.uint8]:
    """Coverage ``(T, 1, H, W)`` in [0, 1] as 8-bit levels ``(T, H, W, 1)``, in one pass.

    Example:
        >>> import torch
        >>> coverage_levels(torch.tensor([0.0, 0.3, 1.0]).view(1, 1, 1, 3)).ravel().tolist()
        [0, 76, 255]
    """
    import cv2
    import numpy as np

    stored = mask.contiguous().numpy()
    return np.stack([cv2.convertScaleAbs(plane[0], alpha=255.0) for plane in stored])[..., None].astype(
        np.uint8, copy=False
    )


def mask_rooms(folder: Path, kinds: tuple[str, ...]) -> list[Path]:
    """Where masks of these kinds lie in a data set: their union first; nowhere where there are none."""
    return [folder / "mask", *(folder / "masks" / kind for kind in kinds)] if kinds else []


def _drop_stale_masks(folder: Path, clip: str, kinds: tuple[str, ...]) -> None:
    """Masks of an earlier making that this one has not."""
    wanted = set(mask_rooms(folder, kinds))
    for room in [folder / "mask", *((folder / "masks").iterdir() if (folder / "masks").is_dir() else [])]:
        stale = stored_at(room, clip)
        if room not in wanted and stale is not None:
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()


def subframes_of(origin: Origin, tone: str) -> Callable[[float], torch.Tensor] | None:
    """The scene between frames, where the source is rendered or faster than the clip."""
    if not origin.rendered:
        return None
    import numpy as np
    import torch

    clip = open_origin(origin)
    if isinstance(clip, EveryClip):
        return _from_fast(clip, tone)

    def at(time: float) -> torch.Tensor:
        image = clip.render(time)  # type: ignore[attr-defined]  # only embedded clips come here
        if tone.startswith("gray") and image.shape[2] == 3:
            image = np.repeat((image @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, axis=2)
        if tone.endswith("sharp"):
            from degradations.truth import unsharp

            image = unsharp(np.ascontiguousarray(image, dtype=np.float32))
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))

    return at


def _from_fast(clip: EveryClip, tone: str) -> Callable[[float], torch.Tensor]:
    from functools import lru_cache

    from degradations.blur import Decimated
    from degradations.truth import toned

    @lru_cache(maxsize=4 * clip.every)
    def read(number: int) -> torch.Tensor:
        frames = toned(to_8bit(clip.fast.read(number, number + 1)), tone)
        return as_damage(frames, gray=False).frames[0]

    return Decimated(read, clip.fast.info.frames, clip.every, clip.first)


def recipe_path(folder: Path, clip: str) -> Path:
    """Where the recipe of a clip stands; it is committed last, so it says that the clip is finished."""
    return folder / "recipe" / f"{clip}.json"


def redrawn(profile: Profile, variant: str, seed: int, clip: ClipFacts) -> Recipe:
    """The recipe of a clip, drawn anew from nothing but the description of its data set."""
    from degradations.apply import draw
    from degradations.base import ClipShape

    rendered = clip.origin is not None and clip.origin.rendered
    shape = ClipShape(clip.frames, clip.height, clip.width, clip.channels, clip.fps, rendered)
    return draw(profile, variant, shape, seed=seed, clip=clip.name)
