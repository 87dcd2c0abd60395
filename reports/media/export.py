"""From boards to files: what is shown of each clip, made where it is missing, linked into the report, within the budget."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from leaderboards.schema import Cell
from leaderboards.table import BASELINE, Board
from reports.media.encode import video_shape
from reports.media.make import STRIP_FRAMES, Job, Keys, make
from reports.media.plan import LENGTH_AT_MOST, STILLS_AT_MOST, Plan, lines, plan, ranked_frames, words, worst_frames
from reports.media.sources import ClipSources, Source, find_sources
from reports.media.store import Store

Progress = Callable[[str, int, int | None], None]

MASK_COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167), (0, 114, 178),
    (255, 255, 255),
)  # fmt: skip
"""Okabe and Ito's, which colour-blind readers tell apart; by the place of a kind among all kinds of the report."""


@dataclass(frozen=True)
class SourceMedia:
    """Files of one source of a clip, by name within the folder of media; None where there is none."""

    key: str
    label: str
    model: str | None
    stills: tuple[str, ...] = ()
    """One for each of the clip's ``stills``, without loss."""
    rows: str | None = None
    columns: str | None = None
    video: str | None = None
    strip: str | None = None


@dataclass(frozen=True)
class Thumb:
    """A small lossy picture of a clip's middle frame."""

    label: str
    file: str


@dataclass(frozen=True)
class MaskMedia:
    """Marks of one kind of damage; None for frames that have none."""

    kind: str
    colour: tuple[int, int, int]
    stills: tuple[str | None, ...]


@dataclass(frozen=True)
class ClipMedia:
    """What can be shown of a clip. Without ``sources`` there are no pictures, and ``notes`` may say why."""

    dataset: str
    clip: str
    frames: int
    fps: float
    width: int = 0
    height: int = 0
    stills: tuple[int, ...] = ()
    """Frames that are shown without loss, rising."""
    length: int = 0
    """Frames in slices and videos, from the first."""
    rows: tuple[int, ...] = ()
    """Rows of which there are slices: blocks of ``length`` rows below each other."""
    columns: tuple[int, ...] = ()
    """Columns of which there are slices: blocks of ``length`` columns beside each other."""
    video_size: tuple[int, int] = (0, 0)
    """Of the picture within a video; the video has one more row or column where that is odd."""
    strip: tuple[int, ...] = ()
    """Frames of the strip, beside each other in one picture."""
    sources: tuple[SourceMedia, ...] = ()
    masks: tuple[MaskMedia, ...] = ()
    thumbs: tuple[Thumb, ...] = ()
    """Of the input and of what the model made that stands first; also where there are no other pictures."""
    notes: tuple[str, ...] = ()

    def source(self, key: str) -> SourceMedia | None:
        """The source of a key, or None."""
        return next((s for s in self.sources if s.key == key), None)


@dataclass(frozen=True)
class Media:
    """All clips of a report, in the order of the boards."""

    clips: tuple[ClipMedia, ...]
    notes: tuple[str, ...]
    """What was left out to stay within the budget, and what could not be read."""
    bytes: int = 0
    made: int = 0
    """Files that were not there from an earlier build."""


@dataclass(frozen=True)
class _Mask:
    label: str
    kind: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class _Thumb:
    label: str


@dataclass
class _Work:
    """Jobs of a clip and their keys."""

    facts: ClipSources
    place: int
    """Of the clip among those of its data set that have pictures."""
    frames: list[int]
    """Those that are shown, the ones that are wanted most first."""
    jobs: list[tuple[Source | _Mask | _Thumb, Job]] = field(default_factory=list)
    keys: list[Keys | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def export(
    root: Path,
    folder: Path,
    boards: Sequence[Board],
    cells: Sequence[Cell],
    budget: int,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Media:
    """Put pictures and videos of all clips into ``folder``, at most ``budget`` bytes of them.

    Args:
        root: the workspace.
        folder: made; its files have names that follow from their contents alone.
        boards, cells: what was measured; worst frames are chosen by each board's first metric.
        budget: bytes; 0 shows no pictures.
        progress: called with what is under way, files done since the last call, and all files.
        cache: where finished files are kept; ``root/cache/report`` by default, ``folder`` itself where that may not be
            written.
    """
    folder.mkdir(parents=True)
    store = _store(cache or root / "cache" / "report", folder)
    clips = find_sources(root, boards)
    chosen = plan(clips, budget)
    worst, first = _worst(boards, cells), _first_models(boards)
    works = _works(clips, chosen, worst, first)
    counts = _run(works, store, progress)
    kept, size = _fit(works, chosen, store, budget)
    more = _more(works, chosen, store, budget, size) if kept == chosen else chosen
    if more != chosen:
        works = _works(clips, more, worst, first)
        _run(works, store, progress, counts)  # the same jobs, of more frames each
        kept, size = _fit(works, more, store, budget)
    found = tuple(_clip(work, kept, store) for work in works)
    for name in sorted({name for clip in found for name in _names(clip)}):
        store.link(name, folder)
    store.sweep()
    return Media(found, tuple(_notes(found, works, kept)), size, store.made)


def _store(cache: Path, folder: Path) -> Store:
    try:
        return Store(cache)
    except OSError:
        return Store(folder)  # results on a disk that is read only


def _run(
    works: Sequence[_Work], store: Store, progress: Progress | None, before: Sequence[int] | None = None
) -> list[int]:
    """Make what the works want and the store lacks, as many jobs at a time as there are processors.

    Gives how many files each job is. ``before`` is that of an earlier call for the same jobs with fewer frames: progress
    goes on from there.
    """
    jobs = [(work, i) for work in works for i in range(len(work.jobs))]
    counts = [_count(work.jobs[i][1]) for work, i in jobs]
    told = before or [0] * len(counts)
    if progress is not None:
        progress("pictures", 0, sum(counts))

    def run(item: tuple[_Work, int]) -> None:
        work, i = item
        job = work.jobs[i][1]
        try:
            work.keys[i] = make(job, store)
        except (ValueError, OSError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise  # a report without its pictures is not what was asked for
            what = work.jobs[i][0]
            if not isinstance(what, _Thumb):  # the same frame is missed among the pictures
                work.notes.append(f"{what.label} is not among the pictures. {error}")

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for n, m, _ in zip(counts, told, pool.map(run, jobs), strict=True):
            if progress is not None:
                progress("pictures", n - m, None)
    return counts


def _more(works: Sequence[_Work], chosen: Plan, store: Store, budget: int, size: int) -> Plan:
    """With more frames of each clip, where the files turned out smaller than was guessed."""
    longest = min(STILLS_AT_MOST, max((len(work.frames) and work.facts.frames for work in works), default=0))
    if not chosen.stills or chosen.stills >= longest:
        return chosen
    names = {name for work in works for clip in [_clip(work, chosen, store)] for s in clip.sources for name in s.stills}
    one = sum(store.size(name) for name in names) / chosen.stills
    return replace(chosen, stills=min(longest, chosen.stills + int(0.97 * (budget - size) / max(one, 1))))


def _worst(boards: Sequence[Board], cells: Sequence[Cell]) -> dict[tuple[str, str], list[int]]:
    first = {(b.dataset, b.protocol): b.primary.name for b in reversed(boards)}
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.status == "ok" and first.get((cell.dataset, cell.protocol)) == cell.metric.name:
            groups.setdefault((cell.dataset, cell.clip), []).append(cell)
    return {place: worst_frames(members) for place, members in groups.items()}


def _first_models(boards: Sequence[Board]) -> dict[str, str]:
    """The model that stands first, by data set; where figures are missing and none has a place, the first by the first metric."""
    out: dict[str, str] = {}
    for board in boards:
        models = [row for row in board.rows if row.model.name != BASELINE]
        figures = {r.model.name: e.mean for r in models if (e := r.entries[board.primary.name]).mean is not None}
        first = next((row.model.name for row in models if row.place is not None), None)
        if first is None and figures:
            better = max if board.primary.direction == "higher" else min
            first = better(figures, key=lambda model: figures[model])
        if first is not None:
            out.setdefault(board.dataset, first)
    return out


def _works(
    clips: Sequence[ClipSources], chosen: Plan, worst: dict[tuple[str, str], list[int]], first: dict[str, str]
) -> list[_Work]:
    kinds = sorted({kind for clip in clips for kind, _ in clip.masks})
    colours = {kind: MASK_COLOURS[i % len(MASK_COLOURS)] for i, kind in enumerate(kinds)}
    seen: Counter[str] = Counter()
    works = []
    for facts in clips:
        work = _Work(facts, seen[facts.dataset], [], notes=list(facts.notes))
        works.append(work)
        seen[facts.dataset] += bool(facts.sources)
        if chosen.thumbs:
            seen_in_index = ("input", f"model:{first.get(facts.dataset)}")
            work.jobs += [
                (_Thumb(s.label), Job(s.series, (), thumb=facts.frames // 2))
                for s in facts.sources
                if s.key in seen_in_index
            ]
            work.keys = [None] * len(work.jobs)
        if not facts.sources or not chosen.takes(work.place):
            continue
        marked = [w for w in worst.get((facts.dataset, facts.clip), []) if w < facts.frames]
        work.frames = ranked_frames(facts.frames, marked)[: chosen.stills]
        stills = tuple(sorted(work.frames))
        length = min(facts.frames, LENGTH_AT_MOST)
        strip = tuple(sorted({int((k + 0.5) * facts.frames / STRIP_FRAMES) for k in range(STRIP_FRAMES)}))
        for i, source in enumerate(facts.sources):
            shown = strip if i == 0 and facts.frames > 1 else ()
            job = Job(source.series, stills, length, chosen.slices, chosen.video, facts.fps, strip=shown)
            work.jobs.append((source, job))
        for kind, series in facts.masks:
            mask = _Mask(f"Mask of {kind}", kind, colours[kind])
            work.jobs.append((mask, Job(series, stills, tint=mask.colour)))
        work.keys = [None] * len(work.jobs)
    return works


def _count(job: Job) -> int:
    moves = job.length > 1
    return len(job.stills) + (2 * job.slices + job.video) * moves + bool(job.strip) + (job.thumb is not None)


def _fit(works: Sequence[_Work], chosen: Plan, store: Store, budget: int) -> tuple[Plan, int]:
    """As much of the plan as the measured sizes allow: frames go first, then videos, slices, and clips from the last."""
    kept = chosen
    while True:
        size = sum(store.size(name) for name in {n for work in works for n in _names(_clip(work, kept, store))})
        if size <= budget or not (kept.stills or kept.thumbs):
            return kept, size
        if kept.stills > 1:
            step = max(1, int(kept.stills * (1 - budget / size)) // 2)
            kept = replace(kept, stills=max(1, kept.stills - step))
        elif kept.video:
            kept = replace(kept, video=False)
        elif kept.slices:
            kept = replace(kept, slices=False)
        elif kept.clips > 1:
            kept = replace(kept, clips=kept.clips - 1)
        elif kept.stills:
            kept = replace(kept, stills=0)
        else:
            kept = replace(kept, thumbs=False)


def _clip(work: _Work, kept: Plan, store: Store) -> ClipMedia:
    facts = work.facts
    done = [(what, job, keys) for (what, job), keys in zip(work.jobs, work.keys, strict=True) if keys is not None]
    thumbs = tuple(
        Thumb(what.label, name)
        for what, _, keys in done
        if isinstance(what, _Thumb) and kept.thumbs and keys.thumb and (name := store.name(keys.thumb))
    )
    bare = ClipMedia(facts.dataset, facts.clip, facts.frames, facts.fps, thumbs=thumbs, notes=tuple(work.notes))
    frames = sorted(work.frames[: kept.stills])
    if not frames or not kept.takes(work.place):
        return bare
    sources, masks = [], []
    length = 0
    strip: tuple[int, ...] = ()
    for what, job, keys in done:
        if isinstance(what, _Thumb):
            continue
        stills = [store.name(keys.stills[n]) for n in frames]
        if isinstance(what, Source):
            rows, columns = (store.name(k) if k and kept.slices else None for k in (keys.rows, keys.columns))
            sources.append(
                SourceMedia(
                    what.key, what.label, what.model, tuple(s for s in stills if s is not None), rows, columns,
                    store.name(keys.video) if keys.video and kept.video else None,
                    store.name(keys.strip) if keys.strip else None,
                )
            )  # fmt: skip
            length, strip = job.length, job.strip or strip
        elif any(stills):
            masks.append(MaskMedia(what.kind, what.colour, tuple(stills)))
    if not sources:
        return bare
    width, height = facts.size
    return replace(
        bare, width=width, height=height, stills=tuple(frames), length=length, rows=tuple(lines(height)),
        columns=tuple(lines(width)), video_size=video_shape(width, height), strip=strip, sources=tuple(sources),
        masks=tuple(masks), notes=tuple(work.notes),
    )  # fmt: skip


def _names(clip: ClipMedia) -> Iterator[str]:
    yield from (thumb.file for thumb in clip.thumbs)
    for source in clip.sources:
        single = (source.rows, source.columns, source.video, source.strip)
        yield from (name for name in (*source.stills, *single) if name is not None)
    for mask in clip.masks:
        yield from (name for name in mask.stills if name is not None)


def _notes(found: Sequence[ClipMedia], works: Sequence[_Work], kept: Plan) -> list[str]:
    possible = [work.facts for work in works if work.facts.sources]
    shown = [clip for clip in found if clip.sources]
    without = [work.facts for work in works if not work.facts.sources]
    out = words(
        {
            "stills": kept.stills if shown else 0,
            "clips": len(possible),
            "clips_shown": len(shown),
            "longest": max((clip.frames for clip in possible), default=0),
            "slices": kept.slices,
            "video": kept.video,
        }
    )
    if not possible:
        out = []
    if without:
        named = ", ".join(f"{c.clip} ({c.dataset})" for c in without[:3]) + (", ..." if len(without) > 3 else "")
        out.append(f"There are no pictures of {named}: the frames are not where they were.")
    return out
