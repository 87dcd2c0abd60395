"""Make paired data sets: clean clips, damaged by the variants of a profile.

Two kinds of tasks, each committed whole or not at all, each found finished at the next start:
first the *ground truth* of a clip (decoded once, stored once as 8-bit PNG), then its *damage* by one
variant. Ground truth is hard-linked into every data set.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.datasets import ClipFacts, DatasetFacts, open_dataset
from vbench.errors import InputError, RunError
from vbench.execute import Outcome, Task, advance, run_tasks
from vbench.provenance import fingerprint, versions
from vbench.workspace import Workspace, disk_error, make_folder, partial_path, read_json, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from degradations.profile import Profile
    from vbench.clip import Clip, Frames

CHUNK = 16


@dataclass(frozen=True)
class Source:
    """A clean clip, described so that any process can open it again.

    ``identity`` changes when the content may have changed (path, sizes, times; or the renderer's version).
    """

    name: str
    path: str | None
    builtin: str | None
    start: int
    stop: int
    identity: str

    def open(self) -> Clip:
        """The clip, decoded on demand."""
        if self.builtin is not None:
            from vbench.builtin import open_builtin

            return open_builtin(self.builtin, frames=self.stop)
        from vbench.sources import open_clip

        assert self.path is not None  # noqa: S101 - one of the two is always set
        return open_clip(Path(self.path), name=self.name, start=self.start, stop=self.stop)


@dataclass(frozen=True)
class SynthPlan:
    """What ``vbench synth`` is going to make."""

    workspace: Workspace
    profile: str
    variants: tuple[str, ...]
    seed: int
    sources: tuple[Source, ...]
    replace: bool = False


@dataclass(frozen=True)
class SynthResult:
    """What was made: data set names, how many clips are new and how many were there already."""

    datasets: tuple[str, ...]
    made: int
    kept: int


def builtin_sources(wanted: Sequence[str] = (), max_frames: int | None = None) -> tuple[Source, ...]:
    """The embedded clips as sources."""
    from vbench import builtin

    out = []
    for name in wanted or builtin.names():
        clip = builtin.open_builtin(name, frames=max_frames)
        frames = clip.info.frames
        identity = fingerprint({"builtin": name, "version": builtin.VERSION, "frames": frames})
        out.append(Source(name, None, name, 0, frames, identity))
    return tuple(out)


def file_sources(
    paths: Sequence[Path], start: int = 0, stop: int | None = None, max_frames: int | None = None
) -> tuple[Source, ...]:
    """Clips found at the paths that the user gave: videos, folders of frames, folders of clips."""
    from vbench.sources import open_sources

    out = []
    for clip in open_sources(paths):
        info = clip.info
        end = min(info.frames, stop if stop is not None else info.frames)
        if max_frames is not None:
            end = min(end, start + max_frames)
        if end <= start:
            raise InputError(
                f'The clip "{info.name}" has {info.frames} frame(s), and --frames asks for those from {start} '
                f"to {stop if stop is not None else 'the end'}: none is left."
            )
        path = Path(info.source)
        identity = fingerprint({"files": _stat(path), "start": start, "stop": end})
        out.append(Source(info.name, str(path), None, start, end, identity))
    return tuple(out)


def _stat(path: Path) -> list[list[Any]]:
    """Name, size and time of a file, or of each file of a folder."""
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    return [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]


# --- tasks (run in worker processes) ------------------------------------------------------------


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


def _truth_folder(workspace: Workspace, source: Source, tone: str) -> Path:
    return workspace.clips / f"{source.identity[:16]}-{tone}" / source.name


def to_gray(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB ``(T, H, W, 3)`` as luma (Rec. 601, rounded) in three equal channels; gray frames as they are.

    Example:
        >>> import numpy as np
        >>> to_gray(np.array([[[[255, 0, 0]]]], np.uint8)).tolist()
        [[[[76, 76, 76]]]]
    """
    import numpy as np

    if frames.shape[3] == 1:
        return frames
    luma = np.floor(frames @ np.array([0.299, 0.587, 0.114]) + 0.5).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=3)


def make_truth(workspace: Workspace, source: Source, tone: str) -> dict[str, Any]:
    """Decode a clean clip once and store it as 8-bit PNG, in colour or gray; its facts are written last."""
    from vbench.media import FrameFolder, FrameHasher

    folder = _truth_folder(workspace, source, tone)
    clip = source.open()
    info = clip.info
    make_folder(folder.parent)
    hasher = FrameHasher()
    with FrameFolder(folder) as writer:
        for chunk in clip.chunks(CHUNK):
            frames = to_gray(to_8bit(chunk)) if tone == "gray" else to_8bit(chunk)
            hasher.update(frames)
            for frame in frames:
                writer.write(frame)
            advance(len(frames))
    flow = hasattr(clip, "save_flow")
    if flow:
        target = folder.with_name(folder.name + ".flow")
        temporary = partial_path(target)
        temporary.mkdir()
        clip.save_flow(temporary)  # type: ignore[attr-defined]  # asked for just above
        _commit_folder(temporary, target)
    made_gray = tone == "gray" and info.channels == 3
    colour = info.colour + (", made black and white (Rec. 601 luma)" if made_gray else "")
    facts = {
        **asdict(info),
        "name": source.name,
        "colour": colour,
        "gt_sha256": hasher.hexdigest(),
        "flow": flow,
    }
    write_json(folder.with_name(folder.name + ".json"), facts)
    return facts


def _read_truth(workspace: Workspace, source: Source, tone: str) -> dict[str, Any] | None:
    path = _truth_folder(workspace, source, tone)
    path = path.with_name(path.name + ".json")
    if not path.exists():
        return None
    facts: dict[str, Any] = read_json(path)
    return facts


def _commit_folder(temporary: Path, final: Path) -> None:
    if final.exists():
        shutil.rmtree(final)
    temporary.rename(final)


def link_folder(source: Path, final: Path) -> None:
    """``final`` holds hard links to the files of ``source``, or copies where the file system has no links."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial_path(final)
    try:
        temporary.mkdir()
        for file in sorted(source.iterdir()):
            try:
                os.link(file, temporary / file.name)
            except OSError as error:
                if error.errno not in (
                    errno.EXDEV,
                    errno.EPERM,
                    errno.EMLINK,
                    errno.ENOTSUP,
                    errno.EOPNOTSUPP,
                ):
                    raise
                shutil.copy2(file, temporary / file.name)
        _commit_folder(temporary, final)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise disk_error(final, error) from error


def make_damage(
    workspace: Workspace, dataset: str, profile: str, variant: str, seed: int, source: Source
) -> dict[str, Any]:
    """Damage one clip by one variant: ``gt``, ``lq``, ``mask``, ``flow``; the recipe is written last."""
    import numpy as np
    import torch

    from degradations.apply import draw, replay, shrunk
    from degradations.base import ClipShape, Damage
    from degradations.profile import load_profile
    from vbench.media import FrameFolder, FrameHasher
    from vbench.restore import to_uint8
    from vbench.sources import open_clip

    loaded = load_profile(profile)
    tone = loaded.variant(variant).truth
    facts = _read_truth(workspace, source, tone)
    if facts is None:
        raise RunError(f'The ground truth of "{source.name}" is gone from "{workspace.clips}"; run synth again.')
    folder = workspace.dataset(dataset)
    truth = open_clip(_truth_folder(workspace, source, tone), name=source.name)
    info = truth.info
    rendered = source.builtin is not None
    shape = ClipShape(info.frames, info.height, info.width, info.channels, float(facts["fps"]), rendered)
    recipe = draw(loaded, variant, shape, seed=seed, clip=source.name)

    def chunks() -> Iterator[Damage]:
        for frames in truth.chunks(CHUNK):
            yield Damage(torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float() / 255.0, None)

    for room in ("gt", "lq", "mask", "flow"):
        make_folder(folder / room) if room in ("gt", "lq") else None
    hasher = FrameHasher()
    mask_writer: FrameFolder | None = None
    index = 0
    small: tuple[int, int] | None = None
    lq_writer = FrameFolder(folder / "lq" / source.name)
    with lq_writer:
        try:
            for frames, mask in replay(recipe, chunks(), subframes=_subframes(source, tone)):
                stored = to_uint8(frames)
                hasher.update(stored)
                if stored.shape[1:3] != (info.height, info.width):
                    small = stored.shape[1:3]
                for frame in stored:
                    lq_writer.write(frame)
                if mask is not None:
                    if mask_writer is None:
                        if index:
                            raise RunError(f'The damage of "{source.name}" has a mask only from frame {index} on.')
                        make_folder(folder / "mask")
                        mask_writer = FrameFolder(folder / "mask" / source.name)
                        mask_writer.__enter__()
                    for one in to_uint8(mask):
                        mask_writer.write(one)
                index += len(stored)
                advance(len(stored))
            if index != info.frames:
                raise RunError(
                    f'The damage of "{source.name}" gave {index} frames instead of {info.frames} '
                    f"(profile {profile}, variant {variant})."
                )
        except BaseException as error:
            if mask_writer is not None:
                mask_writer.__exit__(type(error), error, error.__traceback__)
            raise
        if mask_writer is not None:
            mask_writer.__exit__(None, None, None)
    link_folder(_truth_folder(workspace, source, tone), folder / "gt" / source.name)
    if facts["flow"]:
        flow = _truth_folder(workspace, source, tone)
        link_folder(flow.with_name(flow.name + ".flow"), folder / "flow" / source.name)
    clip_facts = ClipFacts(
        name=source.name,
        frames=info.frames,
        height=info.height,
        width=info.width,
        channels=info.channels,
        fps=shape.fps,
        source=facts["source"],
        colour=facts["colour"],
        bit_depth=facts["bit_depth"],
        gt_sha256=facts["gt_sha256"],
        lq_sha256=hasher.hexdigest(),
        mask=mask_writer is not None,
        flow=facts["flow"],
        scale=shrunk(recipe),
        lq_height=small[0] if small else None,
        lq_width=small[1] if small else None,
    )
    document = {"identity": source.identity, "facts": clip_facts.model_dump(), "recipe": recipe.to_json()}
    write_json(recipe_path(folder, source.name), document)
    return document


def _subframes(source: Source, tone: str) -> Callable[[float], Any] | None:
    """The scene between frames, where the source is rendered."""
    if source.builtin is None:
        return None
    import numpy as np
    import torch

    clip = source.open()

    def at(time: float) -> torch.Tensor:
        image = clip.render(time)  # type: ignore[attr-defined]  # only embedded clips come here
        if tone == "gray" and image.shape[2] == 3:
            image = np.repeat((image @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, axis=2)
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))

    return at


def recipe_path(folder: Path, clip: str) -> Path:
    """Where the recipe of a clip stands; it is committed last, so it says that the clip is finished."""
    return folder / "recipe" / f"{clip}.json"


# --- the command --------------------------------------------------------------------------------


def synth(
    plan: SynthPlan,
    *,
    workers: int = 1,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> SynthResult:
    """Make what the plan says, going on where an earlier run of it stopped.

    Args:
        workers: processes; the bytes are the same for any number.
        progress: called with what is under way, frames done since the last call, and all frames to do
            (None after the first call).

    Raises:
        InputError: a data set of this name was made from another recipe, seed or source.
        RunError: a clip failed; the others are finished and kept.
    """
    from degradations.profile import load_profile, sha256

    profile = load_profile(plan.profile)
    _check_names(plan.sources)
    say = progress or (lambda what, frames, total: None)
    names = {variant: f"{profile.name}-{variant}" for variant in plan.variants}
    for variant, name in names.items():
        _check_existing(plan, name, sha256(profile, variant))
    work = [
        (variant, source)
        for variant in plan.variants
        for source in plan.sources
        if not _is_finished(plan, names[variant], source)
    ]
    tones = {variant: profile.variant(variant).truth for variant in plan.variants}
    needed = {(source.name, tones[variant]) for variant, source in work}
    missing = [
        (source, tone)
        for source in plan.sources
        for tone in sorted(set(tones.values()))
        if (source.name, tone) in needed and _read_truth(plan.workspace, source, tone) is None
    ]
    length = {s.name: s.stop - s.start for s in plan.sources}
    total = sum(length[s.name] for s, _ in missing) + sum(length[s.name] for _, s in work)
    say("starting", 0, total)
    decode = [
        Task(f'decode "{source.name}"', make_truth, (plan.workspace, source, tone), length[source.name])
        for source, tone in missing
    ]
    failed = _run(decode, workers, lambda n: say("decoding clips", n, None))
    broken = {outcome.task.arguments[1].name for outcome in failed}
    damage = [
        Task(
            f'{names[variant]}: "{source.name}"',
            make_damage,
            (plan.workspace, names[variant], plan.profile, variant, plan.seed, source),
            length[source.name],
        )
        for variant, source in work
        if source.name not in broken
    ]
    failed += _run(damage, workers, lambda n: say("adding damage", n, None))
    for variant, name in names.items():
        _describe(plan, profile, variant, name)
    if failed:
        raise RunError(_report_failures(failed, len(decode) + len(damage)))
    everything = len(plan.variants) * len(plan.sources)
    return SynthResult(tuple(names.values()), made=len(work), kept=everything - len(work))


def _run(tasks: list[Task], workers: int, progress: Callable[[int], None]) -> list[Outcome]:
    return [o for o in run_tasks(tasks, workers=workers, progress=progress) if o.error is not None]


def _report_failures(failed: list[Outcome], total: int) -> str:
    lines = [f"{len(failed)} of {total} steps failed; what could be made is finished and kept."]
    lines += [f"- {outcome.task.label}: {outcome.error}" for outcome in failed]
    lines += [outcome.detail for outcome in failed if outcome.detail][:1]
    return "\n".join(lines)


def _check_names(sources: Sequence[Source]) -> None:
    seen: dict[str, Source] = {}
    for source in sources:
        other = seen.setdefault(source.name, source)
        if other is not source:
            raise InputError(
                f'Two sources are both called "{source.name}": "{other.path or other.builtin}" and '
                f'"{source.path or source.builtin}". A clip is known by its name: rename one of them.'
            )


def _check_existing(plan: SynthPlan, name: str, digest: str) -> None:
    """A data set grows by new clips, but never mixes recipes or seeds."""
    folder = plan.workspace.dataset(name)
    if plan.replace:
        shutil.rmtree(folder, ignore_errors=True)
        return
    if not (folder / "recipe").is_dir():
        return
    for path in sorted((folder / "recipe").glob("*.json")):
        document = read_json(path)
        recipe = document["recipe"]
        if recipe["profile_sha256"] != digest or recipe["seed"] != plan.seed:
            raise InputError(
                f'The data set "{name}" in "{plan.workspace.root}" was made with seed {recipe["seed"]} and profile '
                f"hash {recipe['profile_sha256'][:12]}; this command asks for seed {plan.seed} and hash {digest[:12]}. "
                "One data set has one recipe: use another --root, or --replace to make it anew."
            )
        for source in plan.sources:
            if source.name == document["facts"]["name"] and source.identity != document["identity"]:
                raise InputError(
                    f'The data set "{name}" already has a clip "{source.name}", made from '
                    f"{document['facts']['source']} ({document['facts']['frames']} frames); this command names "
                    "another source or other frames for it. Rename the source, use another --root, or --replace."
                )


def _is_finished(plan: SynthPlan, name: str, source: Source) -> bool:
    folder = plan.workspace.dataset(name)
    path = recipe_path(folder, source.name)
    if not path.exists():
        return False
    document = read_json(path)
    rooms = ["gt", "lq", *(["mask"] if document["facts"]["mask"] else [])]
    return document["identity"] == source.identity and all((folder / r / source.name).is_dir() for r in rooms)


def _describe(plan: SynthPlan, profile: Profile, variant: str, name: str) -> None:
    """Write ``dataset.json`` from the recipes that are finished; unchanged content is not rewritten."""
    from degradations.profile import sha256

    folder = plan.workspace.dataset(name)
    documents = [read_json(p) for p in sorted((folder / "recipe").glob("*.json"))] if folder.is_dir() else []
    if not documents:
        return
    chosen = profile.variants[variant]
    facts = DatasetFacts(
        name=name,
        profile=profile.name,
        variant=variant,
        title=f"{profile.title}: {chosen.title}",
        description=" ".join(chosen.description.split()),
        source=" ".join(profile.source.split()),
        severity=chosen.severity,
        profile_version=profile.version,
        profile_sha256=sha256(profile, variant),
        seed=plan.seed,
        clips=tuple(sorted((ClipFacts(**d["facts"]) for d in documents), key=lambda c: c.name)),
        versions=versions(),
    )
    path = folder / "dataset.json"
    if path.exists() and open_dataset(folder).facts == facts:
        return
    write_json(path, facts.model_dump())
