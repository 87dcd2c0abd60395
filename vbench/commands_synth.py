"""``vbench synth`` and ``vbench datasets verify``: plans, progress, words at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from vbench.commands import at_root, cluster, counted, say, took, worded
from vbench.console import progress
from vbench.errors import InputError, UsageError, nearest
from vbench.storage import FORMATS, Format
from vbench.workspace import Workspace

if TYPE_CHECKING:
    from degradations.profile import Profile
    from vbench.datasets import DatasetFacts, Origin
    from vbench.synth import SynthPlan, SynthResult


@dataclass(frozen=True)
class Asked:
    """What was typed after ``vbench synth``."""

    profile: str | None
    description: Path | None = None
    """``--from``: a data set's ``dataset.json``."""
    sources: tuple[Path, ...] = ()
    clips: tuple[str, ...] = ()
    frames: str | None = None
    max_frames: int | None = None
    variants: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    every: int = 1
    seed: int | None = None
    textures: Path | None = None
    form: str = "png"
    replace: bool = False


def synth_command(asked: Asked, root: Path, workers: int | None, ray: str | None = None) -> None:
    """``vbench synth``."""
    began = time.monotonic()
    plan = _plan(asked, Workspace(root))
    result = make(plan, workers, ray)
    _say(result, plan, time.monotonic() - began)
    say(f"Next: vbench run --models all{at_root(root)}")


def make(plan: SynthPlan, workers: int | None = None, ray: str | None = None) -> SynthResult:
    """Make what the plan says; progress on the terminal."""
    from vbench.execute import cores
    from vbench.synth import synth

    with (
        plan.workspace.lock(f"synth --profile {plan.profile.name}"),
        cluster(ray, workers, plan.workspace.root) as machines,
        progress("synth") as report,
        worded(),
    ):
        return synth(plan, workers=workers or cores(), progress=report, cluster=machines)


def _say(result: SynthResult, plan: SynthPlan, seconds: float) -> None:
    made = f"{result.made:,} made" if result.made else "nothing to do"
    kept = f", {result.kept:,} {'was' if result.kept == 1 else 'were'} there already" if result.kept else ""
    sets, clips = counted(len(result.datasets), "data set"), counted(len(plan.sources), "clip")
    say(f"{sets} of {clips}: {made}{kept} ({took(seconds)}).")
    for name in result.datasets:
        say(f"  {plan.workspace.dataset(name)}")


def _plan(asked: Asked, workspace: Workspace) -> SynthPlan:
    from vbench.synth import SynthPlan

    form = next((known for known in FORMATS if known == asked.form), None)
    if form is None:
        raise UsageError(f'--format is png, ffv1 or magicyuv, and "{asked.form}" is none of them.')
    if (asked.profile is None) == (asked.description is None):
        raise UsageError(
            "Say what to make: --profile NAME, or --from dataset.json to make a data set again (one of the two)."
        )
    if asked.description is not None:
        return _again(asked, workspace, form)
    assert asked.profile is not None  # noqa: S101 - one of the two, see above
    sources = sources_of(asked.sources, asked.clips, asked.frames, asked.max_frames, asked.every)
    with worded():
        profile, variants = chosen(asked.profile, asked.variants, asked.severities)
        if asked.textures is not None:
            profile = with_textures(profile, variants, asked.textures)
        for name in variants:
            profile.build(name)
    return SynthPlan(workspace, profile, variants, asked.seed or 0, sources, asked.replace, form)


def sources_of(
    paths: Sequence[Path], clips: Sequence[str], frames: str | None, max_frames: int | None, every: int = 1
) -> tuple[Origin, ...]:
    """The clips that were asked for: at the paths, or embedded ones; ``clips`` chooses among them."""
    from vbench.clip import parse_frames
    from vbench.synth import builtin_sources, file_sources

    start, stop = parse_frames(frames)
    if not paths:
        if frames:
            raise UsageError("--frames needs --source: embedded clips are shortened with --max-frames.")
        if every > 1:
            raise UsageError("--every needs --source: embedded clips are rendered at any instant.")
        return builtin_sources(clips, max_frames)
    found = file_sources(paths, start, stop, max_frames, clips, every)
    for text in _remarks(found, start, stop):
        say(text)
    return found


def _remarks(sources: Sequence[Origin], start: int, stop: int | None) -> Iterator[str]:
    """What the user may not expect of the sources, and which is no error."""
    from vbench.sources import file_facts, gap

    if stop is not None:
        short = [s for s in sources if s.stop < stop]
        some = ", ".join(f'"{s.name}" has {s.stop}' for s in short[:3])
        if short:
            yield f"Fewer frames than --frames {start}:{stop} asks for: {some}{', ...' if len(short) > 3 else ''}."
    for source in sources:
        place = Path(source.path or "")
        missing = (
            gap([name for name, _, _ in file_facts(place)][source.start : source.stop]) if place.is_dir() else None
        )
        if missing is not None:
            yield (
                f'Frames of "{source.name}" seem to be missing: "{missing[0]}" is followed by "{missing[1]}". They are '
                "taken as if nothing were between them."
            )


def chosen(name: str, variants: Sequence[str], severities: Sequence[str]) -> tuple[Profile, tuple[str, ...]]:
    """A profile and the names of the variants that were asked for: by name, by severity, all, or its default ones.

    Raises:
        ValueError: no such profile or variant.
        UsageError: a severity is no number from 1 to 5.
    """
    from degradations.profile import RUNGS, load_profile, severity_name

    profile = load_profile(name)
    wanted: list[str] = list(profile.variants) if "all" in variants else list(variants)
    for text in severities:
        try:
            severity = float(text)
        except ValueError:
            raise UsageError(f'--severity takes numbers from 1 to 5, and "{text}" is none.') from None
        if not 1 <= severity <= RUNGS:
            raise UsageError(f"--severity takes numbers from 1 to 5, and severity {text} is outside 1..{RUNGS}.")
        wanted.append(severity_name(severity))
    return profile, tuple(dict.fromkeys(wanted or profile.default))


def with_textures(profile: Profile, variants: Sequence[str], folder: Path) -> Profile:
    """A profile whose steps that lay textures on take them from this folder.

    Raises:
        ValueError: the folder holds no images, or a step of a variant is wrong.
        InputError: there is no such folder, or no step of a variant takes textures.
    """
    from degradations.catalog import load
    from degradations.film import texture_files

    if not folder.is_dir():
        raise InputError(f'--textures: there is no folder "{folder}".')
    texture_files.listed(str(folder))
    changed = dict(profile.variants)
    for name in variants:
        profile.build(name)  # says what is wrong with a step
        variant = profile.variant(name)
        steps = []
        for step in variant.steps:
            ((kind, settings),) = step.items()
            takes = "textures" in load(kind).model_fields
            steps.append({kind: {**settings, "textures": str(folder.absolute())}} if takes else step)
        if tuple(steps) == variant.steps:
            raise InputError(
                f'--textures: no step of {profile.name}/{name} lays textures on; profile "oldfilm-rtn" has such steps.'
            )
        changed[name] = variant.model_copy(update={"steps": tuple(steps)})
    return profile.model_copy(update={"variants": changed})


# --- again, from a description ------------------------------------------------------------------


def read_description(path: Path) -> tuple[DatasetFacts, Profile]:
    """A data set's ``dataset.json`` (or the folder that holds it), and the profile that it carries.

    Raises:
        InputError: no such file, or it does not say how the data set was made.
    """
    from degradations.profile import Profile, sha256
    from vbench.datasets import DatasetFacts

    file = path / "dataset.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f'"{file}" does not exist; the dataset.json of a data set is meant, or its folder.')
    try:
        facts = DatasetFacts.model_validate(json.loads(file.read_text("utf-8")))
    except ValidationError as error:
        raise InputError(f'"{file}" is no description of a data set: {_first(error)}.') from error
    except ValueError as error:
        raise InputError(
            f'"{file}" is no description of a data set: it is not valid JSON ({error}). A data set\'s is called '
            "dataset.json."
        ) from error
    except OSError as error:
        raise InputError(f'"{file}" cannot be read: {error.strerror}.') from error
    if facts.recipe is None or any(clip.origin is None for clip in facts.clips):
        raise InputError(
            f'"{file}" does not say how the data set "{facts.name}" was made: it was adopted as it is, or made by an '
            "older version."
        )
    try:
        profile = Profile.model_validate(facts.recipe)
    except ValidationError as error:
        raise InputError(f'"{file}" carries a profile that is none: {_first(error)}.') from error
    with worded():
        found = sha256(profile, facts.variant)
    if found != facts.profile_sha256:
        raise InputError(
            f'"{file}" was made with profile hash {facts.profile_sha256[:12]}; what it carries gives '
            f"{found[:12]} here: the file was changed, or this version of vbench has other settings in a step."
        )
    return facts, profile


def _first(error: ValidationError) -> str:
    """The first thing that is wrong with a document."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{place}: {said}" if place else said


def _again(asked: Asked, workspace: Workspace, form: Format) -> SynthPlan:
    from vbench.synth import SynthPlan

    for option, value in {
        "--variant": asked.variants,
        "--severity": asked.severities,
        "--textures": asked.textures,
        "--frames": asked.frames,
        "--max-frames": asked.max_frames,
        "--every": asked.every > 1,
        "--seed": asked.seed,
    }.items():
        if value:
            raise UsageError(f"{option} does not go with --from: the description says all of that.")
    assert asked.description is not None  # noqa: S101 - that is why this is called
    facts, profile = read_description(asked.description)
    clips = {clip.name: clip for clip in facts.clips if not asked.clips or clip.name in asked.clips}
    if not clips:
        if not facts.clips:
            raise InputError(f'The data set "{facts.name}" has no clips: there is nothing to make again.')
        wanted = asked.clips[0]
        raise InputError(
            f'The data set "{facts.name}" has no clip called "{wanted}". {nearest(wanted, [c.name for c in facts.clips])}'
        )
    origins = _origins(facts, asked.sources)
    return SynthPlan(
        workspace,
        profile,
        (facts.variant,),
        facts.seed,
        tuple(origins[name] for name in clips),
        asked.replace,
        form,
        clips,
        {facts.variant: facts.name},
    )


def _origins(facts: DatasetFacts, paths: Sequence[Path]) -> dict[str, Origin]:
    """Where the clean clips of a description are: where they were, or at the paths given."""
    from vbench.synth import builtin_sources, file_sources

    recorded = {clip.name: clip.origin for clip in facts.clips if clip.origin is not None}
    moved = {source.name: source for source in file_sources(paths)} if paths else {}
    if moved and not moved.keys() & recorded.keys():
        raise InputError(
            f'--source gives clips called {", ".join(sorted(moved)[:3])}, and none of those of "{facts.name}" is called '
            f"so: {', '.join(sorted(recorded)[:3])}{', ...' if len(recorded) > 3 else ''}. A clip is known by its name."
        )
    out = {}
    for name, origin in recorded.items():
        if name in moved:
            (out[name],) = file_sources_at(moved[name], origin)
        elif origin.builtin is not None:
            (out[name],) = builtin_sources([origin.builtin], origin.stop)
        elif origin.path is not None and Path(origin.path).exists():
            (out[name],) = file_sources_at(origin, origin)
        else:
            raise InputError(
                f'The clip "{name}" of the data set "{facts.name}" was made from "{origin.path}", which is not there: '
                "give the folder in which the clean clips are with --source."
            )
    return out


def file_sources_at(place: Origin, origin: Origin) -> tuple[Origin, ...]:
    """The frames of ``origin`` at the path of ``place``."""
    from vbench.synth import file_sources

    assert place.path is not None  # noqa: S101 - it came from a path
    found = file_sources([Path(place.path)], origin.start, origin.stop, every=origin.every)
    return tuple(replace_name(source, origin.name) for source in found)


def replace_name(origin: Origin, name: str) -> Origin:
    """The same clip under another name."""
    return origin.model_copy(update={"name": name})


# --- verify -------------------------------------------------------------------------------------


def verify_command(path: Path, workers: int | None) -> None:
    """``vbench datasets verify``: exit status 1 if anything differs."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from vbench.console import table_console
    from vbench.execute import Task, cores, run_tasks
    from vbench.verify_data import ABSENT, COLUMNS, SAME, Verdict, verify_clip

    folder = path if path.is_dir() else path.parent
    if _verify_adopted(folder, workers):
        return
    facts, profile = read_description(path)
    tasks = [
        Task(clip.name, verify_clip, (folder, profile, facts.variant, facts.seed, clip), 2 * clip.frames)
        for clip in facts.clips
    ]
    with progress("verify") as report:
        report("verifying", 0, sum(task.frames for task in tasks))
        outcomes = run_tasks(tasks, workers=workers or cores(), progress=lambda n: report("verifying", n, None))
    verdicts: list[Verdict] = []
    for clip, outcome in zip(facts.clips, outcomes, strict=True):
        failed = Verdict(clip.name, ABSENT, ABSENT, ABSENT, outcome.error or "")
        verdicts.append(failed if outcome.error is not None else outcome.value)
    table = Table(
        title=f"{facts.name}: profile {facts.profile}, seed {facts.seed}", box=SIMPLE_HEAD, title_justify="left"
    )
    for head in ("clip", *COLUMNS):
        table.add_column(head, overflow="fold")
    details: list[str] = []
    for v in verdicts:
        row = [Text(v.clip)]
        for column, text in zip(COLUMNS, v.found(), strict=True):
            plain = text in (SAME, ABSENT)
            row.append(Text(text if plain else "differs", {SAME: "green", ABSENT: "dim"}.get(text, "red")))
            details += [] if plain else [f"{v.clip}, {column}: {text}"]
        table.add_row(*row)
    table_console().print(table)
    for line in details:
        say(f"  {line}")
    bad = [v.clip for v in verdicts if not v.good]
    if bad:
        say(f"{len(bad)} of {len(verdicts)} clips are not as described: {', '.join(bad)}.")
        _say_versions(facts)
        raise SystemExit(1)
    say(f"All {len(verdicts)} clips are as described." if len(verdicts) != 1 else "The clip is as described.")
    alone = [v.clip for v in verdicts if v.made_damaged == ABSENT]
    if alone:
        say(
            f"Only what is stored was compared of {', '.join(alone)}: the clean clip is not at hand to make it again from."
        )


def _verify_adopted(folder: Path, workers: int | None) -> bool:
    """Decode an adopted data set again and compare; False where the folder holds none such."""
    from vbench.adopt import verify_clip
    from vbench.datasets import open_dataset
    from vbench.execute import Task, cores, run_tasks

    if not (folder / "dataset.json").is_file():
        return False
    facts = open_dataset(folder).facts
    if facts.profile != "adopted":
        return False
    tasks = [Task(c.name, verify_clip, (c,), c.frames * (2 if c.gt_sha256 else 1)) for c in facts.clips]
    with progress("verify") as report:
        report("verifying", 0, sum(task.frames for task in tasks))
        outcomes = run_tasks(tasks, workers=workers or cores(), progress=lambda n: report("verifying", n, None))
    problems = [text for o in outcomes for text in (o.value if o.error is None else [f"{o.task.label}: {o.error}"])]
    for text in problems:
        say(text)
    if problems:
        raise SystemExit(1)
    say(f"All {len(facts.clips)} clips of {facts.name} are what was adopted.")
    return True


def _say_versions(facts: DatasetFacts) -> None:
    from vbench.provenance import versions

    here = versions()
    other = [f"{k} {v} (here {here.get(k)})" for k, v in facts.versions.items() if here.get(k) != v]
    if other:
        say(f"It was made with other versions: {', '.join(other)}.")
