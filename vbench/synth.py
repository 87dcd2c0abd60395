"""Make paired data sets: clean clips, damaged by the variants of a profile.

Two kinds of tasks (`vbench.pairs`), each committed whole or not at all, each found finished at the next start:
first the *ground truth* of a clip (decoded once, stored once with 8 bits), then its *damage* by one variant.
Ground truth is hard-linked into every data set.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.datasets import ClipFacts, DatasetFacts, Origin, open_dataset
from vbench.errors import InputError, RunError
from vbench.execute import Crew, Elsewhere, Outcome, Task, run_tasks
from vbench.pairs import make_damage, make_truth, read_truth, recipe_path
from vbench.provenance import fingerprint, versions
from vbench.storage import Format, form_of, stored_as
from vbench.workspace import Workspace, disk_error, partial_path, read_json, write_json

if TYPE_CHECKING:
    from degradations.profile import Profile


@dataclass(frozen=True)
class SynthPlan:
    """What ``vbench synth`` is going to make.

    ``expected`` holds what is known of clips that are made again from a description (by name): frames that differ
    from it are an error.
    """

    workspace: Workspace
    profile: Profile
    variants: tuple[str, ...]
    seed: int
    sources: tuple[Origin, ...]
    replace: bool = False
    form: Format = "png"
    expected: Mapping[str, ClipFacts] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of data sets, by variant, where they are not ``PROFILE-VARIANT``."""

    def dataset(self, variant: str) -> str:
        """The name of the data set of a variant."""
        return self.names.get(variant, f"{self.profile.name}-{variant}")


@dataclass(frozen=True)
class SynthResult:
    """What was made: data set names, how many clips are new and how many were there already."""

    datasets: tuple[str, ...]
    made: int
    kept: int


def builtin_sources(wanted: Sequence[str] = (), max_frames: int | None = None) -> tuple[Origin, ...]:
    """The embedded clips as sources."""
    from vbench import builtin

    out = []
    for name in wanted or builtin.names():
        clip = builtin.open_builtin(name, frames=max_frames)
        frames = clip.info.frames
        identity = fingerprint({"builtin": name, "version": builtin.VERSION, "frames": frames})
        out.append(Origin(name=name, path=None, builtin=name, start=0, stop=frames, identity=identity))
    return tuple(out)


def file_sources(
    paths: Sequence[Path],
    start: int = 0,
    stop: int | None = None,
    max_frames: int | None = None,
    clips: Sequence[str] = (),
    every: int = 1,
) -> tuple[Origin, ...]:
    """Clips found at the paths that the user gave: videos, folders of frames, folders of clips, published data sets.

    ``clips`` are the names of those that are wanted; all if empty. ``every`` takes one frame of so many, the middle
    one: of a fast camera's video the others are what an exposure sees. ``start``, ``stop`` and ``max_frames`` count
    the frames of the source.

    Raises:
        InputError: there is no such clip, or a clip has none of the frames that are asked for.
    """
    from vbench.sources import file_facts, open_sources

    out = []
    for clip in open_sources(paths, clips):
        info = clip.info
        end = min(info.frames, stop if stop is not None else info.frames)
        if max_frames is not None:
            end = min(end, start + max_frames)
        if end <= start:
            raise InputError(
                f'The clip "{info.name}" has {info.frames} frame(s), and --frames asks for those from {start} '
                f"to {stop if stop is not None else 'the end'}: none is left."
            )
        if (end - start) // every < 1:
            raise InputError(
                f'The clip "{info.name}" has {end - start} frame(s) to take, and --every {every} makes one of each '
                f"{every}: none is left."
            )
        path = Path(info.source)
        files = [list(facts) for facts in file_facts(path)]
        marks: dict[str, Any] = {"files": files, "start": start, "stop": end}
        identity = fingerprint({**marks, "every": every} if every > 1 else marks)
        # A data set may be made again from another folder.
        place = str(path.absolute())
        out.append(
            Origin(name=info.name, path=place, builtin=None, start=start, stop=end, identity=identity, every=every)
        )
    return tuple(out)


def synth(
    plan: SynthPlan,
    *,
    workers: int = 1,
    progress: Callable[[str, int, int | None], None] | None = None,
    cluster: Elsewhere | None = None,
) -> SynthResult:
    """Make what the plan says, going on where an earlier run of it stopped.

    Args:
        workers: processes; the bytes are the same for any number.
        progress: called with what is under way, frames done since the last call, and all frames to do
            (None after the first call).
        cluster: machines that do the work in place of ``workers``.

    Raises:
        InputError: a data set of this name was made from another recipe, seed or source.
        RunError: a clip failed; the others are finished and kept.
    """
    from degradations.profile import sha256

    profile = plan.profile
    _check_names(plan.sources)
    say = progress or (lambda what, frames, total: None)
    if not plan.replace:
        plan = _recognised(plan, lambda: say("comparing clips", 0, None))
    for variant in plan.variants:
        _check_existing(plan, plan.dataset(variant), sha256(profile, variant))
    work = [
        (variant, source)
        for variant in plan.variants
        for source in plan.sources
        if not _is_finished(plan, plan.dataset(variant), source)
    ]
    tones = {variant: profile.variant(variant).truth for variant in plan.variants}
    wanted = dict.fromkeys((source, tones[variant]) for variant, source in work)
    missing = [(s, tone) for s, tone in wanted if read_truth(plan.workspace, s, tone, plan.form) is None]
    say("starting", 0, sum(s.frames for s, _ in missing) + sum(s.frames for _, s in work))
    # Each clip and variant is one task: more processes than that would load PyTorch for nothing.
    with Crew(min(workers, max(len(work), len(missing), 1))) as crew:
        errors, failed, tried = _make(plan, work, missing, cluster or crew, say)
    for variant in plan.variants:
        _describe(plan, variant)
        errors += _other_damage(plan, variant)
    if errors:
        raise RunError(_report_failures(errors, failed, tried))
    everything = len(plan.variants) * len(plan.sources)
    datasets = tuple(plan.dataset(variant) for variant in plan.variants)
    return SynthResult(datasets, made=len(work), kept=everything - len(work))


def _make(
    plan: SynthPlan,
    work: Sequence[tuple[str, Origin]],
    missing: Sequence[tuple[Origin, str]],
    crew: Crew | Elsewhere,
    say: Callable[[str, int, int | None], None],
) -> tuple[list[str], list[Outcome], int]:
    """Ground truth, then damage: what failed, in words, the outcomes that did, and how many tasks there were."""
    tones = {variant: plan.profile.variant(variant).truth for variant, _ in work}
    decode = [
        Task(f'decode "{source.name}"', make_truth, (plan.workspace, source, tone, plan.form), source.frames)
        for source, tone in missing
    ]
    failed = _run(decode, crew, lambda n: say("decoding clips", n, None))
    broken = {outcome.task.arguments[1].name for outcome in failed}
    errors = [_words(outcome) for outcome in failed]
    for source, tone in dict.fromkeys((source, tones[variant]) for variant, source in work):
        if source.name not in broken and (problem := _other_truth(plan, source, tone)):
            broken.add(source.name)
            errors.append(problem)
    damage = [
        Task(
            f'{plan.dataset(variant)}: "{source.name}"',
            make_damage,
            (plan.workspace, plan.dataset(variant), plan.profile, variant, plan.seed, source, plan.form),
            source.frames,
        )
        for variant, source in work
        if source.name not in broken
    ]
    outcomes = _run(damage, crew, lambda n: say("adding damage", n, None))
    errors += [_words(outcome) for outcome in outcomes]
    return errors, [*failed, *outcomes], len(decode) + len(damage)


def _run(tasks: list[Task], crew: Crew | Elsewhere, progress: Callable[[int], None]) -> list[Outcome]:
    return [o for o in run_tasks(tasks, crew=crew, progress=progress) if o.error is not None]


def _words(outcome: Outcome) -> str:
    return f"{outcome.task.label}: {outcome.error}"


def _report_failures(errors: list[str], failed: list[Outcome], total: int) -> str:
    lines = [f"{len(errors)} of {total} steps failed; what could be made is finished and kept."]
    lines += [f"- {error}" for error in errors]
    lines += [outcome.detail for outcome in failed if outcome.detail][:1]
    return "\n".join(lines)


def _check_names(sources: Sequence[Origin]) -> None:
    seen: dict[str, Origin] = {}
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
        _put_away(folder)
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


def _recognised(plan: SynthPlan, comparing: Callable[[], None]) -> SynthPlan:
    """The plan with clips whose files are others than those a data set was made of, copied or touched since, but which hold
    the same frames, under the identity by which the data set knows them.

    Where not all variants see the same of a clip (its colours, the scene between its frames), ground truth that is equal
    does not say that they would come out the same.
    """
    from vbench.frames_io import frame_hash
    from vbench.pairs import clean_chunks

    chosen = [plan.profile.variant(variant) for variant in plan.variants]
    tones = {tone for variant in chosen for tone in (variant.truth, variant.start or variant.truth)}
    known: dict[str, Origin] = {}
    for variant in plan.variants if len(tones) == 1 else ():
        for source in plan.sources:
            path = recipe_path(plan.workspace.dataset(plan.dataset(variant)), source.name)
            if source.name in known or source.rendered or not path.exists():
                continue
            document = read_json(path)
            facts = document["facts"]
            if document["identity"] == source.identity or facts["frames"] != source.frames:
                continue
            comparing()
            if frame_hash(clean_chunks(source, *tones)) == facts["gt_sha256"]:
                known[source.name] = source.model_copy(update={"identity": document["identity"]})
    return replace(plan, sources=tuple(known.get(source.name, source) for source in plan.sources))


def _put_away(folder: Path) -> None:
    """Remove a data set: at once it is gone, whatever happens while its files are."""
    if not folder.exists():
        return
    aside = partial_path(folder)
    try:
        folder.rename(aside)
    except OSError as error:
        raise disk_error(folder, error) from error
    shutil.rmtree(aside, ignore_errors=True)


def _is_finished(plan: SynthPlan, name: str, source: Origin) -> bool:
    folder = plan.workspace.dataset(name)
    path = recipe_path(folder, source.name)
    if not path.exists():
        return False
    document = read_json(path)
    facts = ClipFacts(**document["facts"])
    frames = ["gt", *([] if facts.on_reading else ["lq"])]
    masks = [*(["mask"] if facts.mask else []), *(f"masks/{kind}" for kind in facts.mask_kinds)]
    as_asked = all(stored_as(folder / room, source.name) == plan.form for room in frames) and all(
        stored_as(folder / room, source.name) == form_of(plan.form, sparse=True) for room in masks
    )
    return document["identity"] == source.identity and as_asked


def _other_truth(plan: SynthPlan, source: Origin, tone: str) -> str | None:
    """Why a clean clip is not the one that a description names; None where it is, or none was named."""
    expected = plan.expected.get(source.name)
    found = read_truth(plan.workspace, source, tone, plan.form)
    if expected is None or expected.gt_sha256 is None or found is None or found["gt_sha256"] == expected.gt_sha256:
        return None
    return (
        f'"{source.name}" is not the clip of the description: its {found["frames"]} frames, as ground truth, have the '
        f"hash {found['gt_sha256'][:12]} instead of {expected.gt_sha256[:12]} ({expected.frames} frames of "
        f"{expected.width} x {expected.height}). Give the right clip with --source."
    )


def _other_damage(plan: SynthPlan, variant: str) -> list[str]:
    """Clips that were made again and came out otherwise."""
    out = []
    for name, expected in plan.expected.items():
        path = recipe_path(plan.workspace.dataset(plan.dataset(variant)), name)
        if path.exists() and (found := read_json(path)["facts"]["lq_sha256"]) != expected.lq_sha256:
            out.append(
                f'"{name}" was made, but its degraded frames have the hash {found[:12]} instead of '
                f"{expected.lq_sha256[:12]}: an encoder or a library is of another version. Numbers measured on it do "
                "not compare with those of the original."
            )
    return out


def cut_down(profile: Profile, variant: str) -> dict[str, Any]:
    """A profile of one variant as JSON: what a data set carries, so that it can be made again anywhere."""
    chosen = profile.variant(variant).model_dump(mode="json", exclude_defaults=True)
    head = profile.model_dump(mode="json", include={"name", "version", "title", "description", "source"})
    return {**head, "default": [variant], "variants": {variant: chosen}}


def _describe(plan: SynthPlan, variant: str) -> None:
    """Write ``dataset.json`` from the recipes that are finished; unchanged content is not rewritten."""
    from degradations.profile import sha256

    profile, name = plan.profile, plan.dataset(variant)
    folder = plan.workspace.dataset(name)
    documents = [read_json(p) for p in sorted((folder / "recipe").glob("*.json"))] if folder.is_dir() else []
    if not documents:
        return
    chosen = profile.variant(variant)
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
        recipe=cut_down(profile, variant),
    )
    path = folder / "dataset.json"
    if path.exists() and open_dataset(folder).facts == facts:
        return
    write_json(path, facts.model_dump(mode="json"))
