"""Measure clips, against their ground truth where there is one, in one pass, with bounded memory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench import metrics as metric_catalog
from vbench.clip import Clip, ClipInfo
from vbench.errors import InputError, RunError
from vbench.metrics.spec import DAMAGE_KINDS, Chunk, Figures, FlowOf, Metric, Session, View, figures_of
from vbench.sources import open_clip

if TYPE_CHECKING:
    import torch

    from vbench.clip import Frames
    from vbench.media import FrameHasher

CHUNK = 8


@dataclass(frozen=True)
class Scene:
    """What is known beside the clips that are measured."""

    truth: Clip | None = None
    degraded: Clip | None = None
    mask: Clip | None = None
    masks: Mapping[str, Clip] = field(default_factory=dict)
    """Masks of single kinds of damage ("dirt")."""
    pristine: Any = None
    """Statistics of the data set's ground truth, for ``niqe_gt``."""
    flow: FlowOf | None = None
    """The ground truth's exact flow, where it was rendered."""

    def has(self, need: str) -> bool:
        """Whether there is what a metric asks for."""
        room, _, kind = need.partition(":")
        return kind in self.masks if kind else getattr(self, room) is not None


_LACKING = {
    "truth": "it compares with a ground truth, and there is none",
    "degraded": "it needs the degraded clip that the model was given, and there is none",
    "mask": "there is no damage mask: this damage has no place, or was not synthesised here",
    "pristine": "it needs statistics of the ground truth, and there are none",
    "flow": "it needs the exact optical flow, which is known of embedded clips only",
    **{f"mask:{kind}": f"there is no mask of {kind}: this kind of damage is not in the clip" for kind in DAMAGE_KINDS},
}


def measure_clips(
    scene: Scene,
    clips: Mapping[str, Clip],
    wanted: Mapping[str, Sequence[str]],
    *,
    expected: Mapping[str, str] | None = None,
    impossible: dict[str, str] | None = None,
    done: Callable[[int], None] | None = None,
    device: str = "cpu",
    scored: tuple[int, int] | None = None,
) -> dict[tuple[str, str], Figures]:
    """Figures of several clips of one scene, in one pass.

    The ground truth is decoded once, and what metrics need of it (local means, spectra, optical flow) is computed
    once for all clips; each clip is decoded once for all metrics. Memory does not grow with the clips' length.

    Args:
        scene: the ground truth and what else there is.
        clips: by name; each must have the frames, size and channels of the ground truth (of each other where there
            is none).
        wanted: for each name the metrics to measure.
        expected: hashes that decoded frames must have, by name; that of the ground truth under "".
        impossible: if given, a metric that cannot be measured on these clips is left out and its reason put
            here; otherwise it is an error.
        done: told about finished frames (of one clip each).
        device: where tensors are put.
        scored: the first frame that is measured and the one behind the last; all by default. The others are decoded
            for their hashes alone, and no metric sees them.

    Returns:
        ``(name, metric)`` to its figures, one per frame, or per pair of neighbours.

    Raises:
        InputError: sizes, channels or frame counts differ, or a clip is too short or small for a metric.
        RunError: frames are not those that were described.
    """
    import torch

    from vbench.media import FrameHasher

    standard = scene.truth or next(iter(clips.values()))
    for name, clip in clips.items():
        check_match(standard, clip, name)
    metrics = {m: metric_catalog.load(m) for m in dict.fromkeys(m for names in wanted.values() for m in names)}
    first, last = scored or (0, standard.info.frames)
    metrics = _possible(dataclasses.replace(standard.info, frames=last - first), scene, metrics, impossible)
    wanted = {name: [m for m in names if m in metrics] for name, names in wanted.items()}
    beside = _beside(scene, metrics)
    overlap = max((m.overlap for m in metrics.values()), default=0)
    figures: dict[tuple[str, str], Figures] = {}
    sessions: dict[str, list[Session]] = {}
    hashers = {name: FrameHasher() for name in ("", *clips)}
    firsts: dict[str, torch.Tensor] = {}
    lasts: dict[str, Frames] = {}
    frames = standard.info.frames

    def chunk(key: str, clip: Clip, start: int, stop: int, again: int) -> Chunk:
        """Frames of a clip, of which the first ``again`` were in the chunk before: none is decoded twice."""
        stored = clip.read(start, stop)
        if key in hashers:
            hashers[key].update(stored)
        whole = planar(stored, lasts[key][-again:] if again else None)
        lasts[key] = whole[-overlap:].copy() if overlap else whole[:0]
        tensor = torch.from_numpy(whole).to(device)
        if start == first:
            firsts[key] = tensor[:1].clone()
        return Chunk(tensor, start - again, firsts[key])

    try:
        for name, names in wanted.items():
            info = dataclasses.replace(clips[name].info, frames=last - first)
            sessions[name] = []
            for opening in dict.fromkeys(opening for m in names if (opening := metrics[m].begin) is not None):
                # Metrics that are begun alike share one pass: both VMAFs.
                sessions[name].append(opening(info, [m for m in names if metrics[m].begin is opening]))
        _hash_only(hashers, scene.truth, clips, range(first), done)
        for start in range(first, last, CHUNK):
            stop = min(start + CHUNK, last)
            # The last frames of the chunk before come along for metrics that compare neighbours.
            again = min(overlap, start - first)
            known = {
                key: chunk("" if key == "truth" else f"/{key}", clip, start, stop, again)
                for key, clip in beside.items()
            }
            for name, clip in clips.items():
                candidate = chunk(name, clip, start, stop, again)
                for session in sessions[name]:
                    session.feed(_view(scene, candidate, known, again))
                for m in wanted[name]:
                    if metrics[m].begin is None:
                        view = _view(scene, candidate, known, again - min(again, metrics[m].overlap))
                        _append(figures, (name, m), figures_of(metrics[m], view))
                if done is not None:
                    done(stop - start)
        _hash_only(hashers, scene.truth, clips, range(last, frames), done)
        for name, opened in sessions.items():
            for session in opened:
                figures |= {(name, m): found for m, found in session.end().items()}
    finally:
        for opened in sessions.values():
            for session in opened:
                session.close()
    for name, digest in (expected or {}).items():
        if (name or scene.truth is not None) and hashers[name].hexdigest() != digest:
            what = f"The restored frames of {name}" if name else "The frames of the ground truth"
            raise RunError(
                f'{what} for "{standard.info.name}" are not those that vbench wrote (their hash differs): files were '
                "changed since. Delete them and make them again."
            )
    return figures


def _hash_only(
    hashers: Mapping[str, FrameHasher],
    truth: Clip | None,
    clips: Mapping[str, Clip],
    frames: range,
    done: Callable[[int], None] | None,
) -> None:
    """Decode frames that are not measured: a clip's hash is of all its frames."""
    for start in frames[::CHUNK]:
        stop = min(start + CHUNK, frames.stop)
        for name, clip in [*([("", truth)] if truth is not None else []), *clips.items()]:
            hashers[name].update(clip.read(start, stop))
            if name and done is not None:
                done(stop - start)


def _view(scene: Scene, candidate: Chunk, known: Mapping[str, Chunk], skip: int) -> View:
    """What a metric sees of a chunk that begins with ``skip`` frames too many for it."""
    beside = {key: chunk.tail(skip) for key, chunk in known.items()}
    return View(
        candidate.tail(skip),
        beside.get("truth"),
        beside.get("degraded"),
        beside.get("mask"),
        masks={key.removeprefix("mask:"): chunk for key, chunk in beside.items() if key.startswith("mask:")},
        pristine=scene.pristine,
        flow=scene.flow,
    )


def _append(figures: dict[tuple[str, str], Figures], key: tuple[str, str], found: Figures) -> None:
    if key not in figures:
        figures[key] = Figures([], {name: [] for name in found.columns})
    figures[key].values.extend(found.values)
    for name, column in found.columns.items():
        figures[key].columns[name].extend(column)


def _beside(scene: Scene, metrics: Mapping[str, Metric]) -> dict[str, Clip]:
    """The clips beside those measured that some metric looks at; the ground truth always, for its hash."""
    needs: set[str] = {"truth"}.union(*(m.needs for m in metrics.values()))
    found = {"truth": scene.truth, "degraded": scene.degraded, "mask": scene.mask}
    found |= {f"mask:{kind}": clip for kind, clip in scene.masks.items()}
    return {key: clip for key, clip in found.items() if key in needs and clip is not None}


def _possible(
    info: ClipInfo, scene: Scene, metrics: dict[str, Metric], impossible: dict[str, str] | None
) -> dict[str, Metric]:
    """The metrics that can be measured on clips of this length and size, with what there is beside them."""
    rooms = frozenset(need for need in _LACKING if scene.has(need))
    out = {}
    for name, metric in metrics.items():
        reason = reason_against(name, info, rooms)
        if reason is None:
            out[name] = metric
        elif impossible is None:
            raise InputError(reason)
        else:
            impossible[name] = reason
    return out


def reason_against(name: str, info: ClipInfo, rooms: Collection[str]) -> str | None:
    """Why a metric cannot be measured on a clip, in words; None if it can.

    Args:
        rooms: what there is beside the clip: "truth", "degraded", "mask", "mask:KIND", "pristine", "flow".
    """
    metric = metric_catalog.load(name)
    if info.frames <= metric.overlap:
        return (
            f"{name} compares neighbouring frames and needs at least {metric.overlap + 1}; "
            f'"{info.name}" has {info.frames}. Leave it out with --metrics.'
        )
    lacking = next((need for need in _LACKING if need in metric.needs and need not in rooms), None)
    if lacking:
        return f"{name} cannot be measured: {_LACKING[lacking]}."
    try:
        metric.check(info)
    except InputError as error:
        return str(error)
    return None


def figure(metric: Metric, found: Figures) -> tuple[float | None, str | None]:
    """The clip's figure, or why there is none."""
    value = metric.combine(found)
    return (None, no_figure(metric.name)) if math.isnan(value) else (value, None)


def no_figure(name: str) -> str:
    """What is said of a clip none of whose frames has a figure: black ones for NIQE, a kind of damage that was not drawn."""
    return f"{name} has no figure for any frame of this clip (nothing that it could be measured on)."


def as_tensor(frames: Frames) -> torch.Tensor:
    """``(T, H, W, C)`` array as a ``(T, C, H, W)`` tensor of the same type."""
    import torch

    return torch.from_numpy(planar(frames))


def planar(frames: Frames, before: Frames | None = None) -> Frames:
    """``(T, H, W, C)`` array as a ``(T, C, H, W)`` one, behind frames that are so already."""
    import numpy as np

    turned = frames.transpose(0, 3, 1, 2)
    count = 0 if before is None else len(before)
    out = np.empty((count + len(frames), *turned.shape[1:]), frames.dtype)
    if before is not None:
        out[:count] = before
    out[count:] = turned
    return out


def check_match(truth: Clip, clip: Clip, name: str, channels: bool = True, standard: str = "ground truth") -> None:
    """Two clips can be compared frame by frame, or an error says what differs.

    Args:
        name: what the second clip is called in the error.
        channels: whether both have to be gray or both colour.
        standard: what the first one is.

    Raises:
        InputError: frame counts, sizes or channels differ.
    """
    a, b = truth.info, clip.info
    if (a.height, a.width) != (b.height, b.width):
        raise InputError(
            f'Sizes differ: {standard} "{a.name}" is {a.width} x {a.height}, "{name}" is {b.width} x {b.height}. '
            "Nothing is resized silently: bring both to one size first."
        )
    if a.frames != b.frames:
        raise InputError(
            f'Frame counts differ: {standard} "{a.name}" has {a.frames}, "{name}" has {b.frames}. '
            "Choose a common range with --frames A:B."
        )
    if channels and a.channels != b.channels:
        words = {1: "gray", 3: "colour"}
        raise InputError(
            f'{standard[0].upper()}{standard[1:]} "{a.name}" is {words[a.channels]} and "{name}" is {words[b.channels]}. '
            "A gray clip is compared with a gray clip: store both in the same way."
        )


def _check_levels(mask: Clip, path: Path) -> None:
    """Raise InputError for a mask of zeros and ones, which says of no pixel that it is damaged."""
    largest = 0
    for chunk in mask.chunks():
        largest = max(largest, int(chunk.max()))
        if largest > 1:
            return
    if largest == 1:
        raise InputError(
            f'The mask "{path}" holds the values 0 and 1 only. A mask says how much of each pixel is damaged, on the '
            f"scale of its {mask.info.bit_depth} bits: store {2**mask.info.bit_depth - 1} where it is wholly damaged."
        )


def score(
    truth: Path | None,
    restored: Path,
    names: Sequence[str],
    *,
    degraded: Path | None = None,
    masks: Mapping[str, Path] | None = None,
    start: int = 0,
    stop: int | None = None,
    done: Callable[[int], None] | None = None,
    device: str = "cpu",
    skip: bool = False,
    scored: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Measure one clip, against another where there is one: what ``vbench score`` prints.

    Args:
        truth, restored, degraded: videos or folders of frames.
        names: metrics.
        masks: where the damage is, by its kind; "any" for all together.
        start, stop: the frames to compare, of all clips.
        skip: leave out metrics that cannot be measured, and say why, instead of failing.
        scored: of those frames the first that is measured and the one behind the last; all by default.

    Returns:
        JSON-able: the clips' facts, per metric its convention, figure and figures per frame, and what was skipped.
    """
    from vbench.media import FrameHasher
    from vbench.provenance import fingerprint

    opened = {
        key: None if path is None else open_clip(path, start=start, stop=stop)
        for key, path in {"truth": truth, "degraded": degraded}.items()
    }
    covers = {kind: open_clip(path, start=start, stop=stop) for kind, path in (masks or {}).items()}
    clip = open_clip(restored, start=start, stop=stop)
    if opened["degraded"] is not None:
        check_match(clip, opened["degraded"], str(degraded), standard="restored clip")
    for kind, mask in covers.items():
        check_match(clip, mask, str((masks or {})[kind]), channels=False, standard="restored clip")
        _check_levels(mask, (masks or {})[kind])
    if opened["truth"] is not None:
        check_match(opened["truth"], clip, str(restored))
    metrics = metric_catalog.load_all(names)
    of_kinds = {kind: mask for kind, mask in covers.items() if kind != "any"}
    scene = Scene(opened["truth"], opened["degraded"], covers.get("any"), of_kinds)
    reasons: dict[str, str] = {}
    if scene.truth is not None and any("pristine" in m.needs for m in metrics):
        try:
            hasher = FrameHasher()
            scene = dataclasses.replace(scene, pristine=_pristine([scene.truth], hasher))
            # A clip alone is a data set of one clip: `vbench run` on it gives the same figure, and calls it the same.
            metrics = [m.against(fingerprint({"gt": [hasher.hexdigest()]})) for m in metrics]
        except InputError as error:
            reasons["niqe_gt"] = str(error)
            if not skip:
                raise
    wanted = {"restored": [m.name for m in metrics if m.name not in reasons]}
    figures = measure_clips(
        scene,
        {"restored": clip},
        wanted,
        impossible=reasons if skip else None,
        done=done,
        device=device,
        scored=scored,
    )
    out: dict[str, Any] = {}
    for metric in metrics:
        found = figures.get(("restored", metric.name))
        if found is None:
            continue
        value, reason = figure(metric, found)
        if reason is not None:
            reasons[metric.name] = reason
            continue
        out[metric.name] = {
            **metric.facts().model_dump(),
            "signature": metric.signature,
            "value": value,
            "frames": found.values,
            **({"columns": dict(found.columns)} if found.columns else {}),
        }
    info = clip.info
    facts = {"gt": (truth, opened["truth"]), "pred": (restored, clip)}
    return {
        **{
            side: {"path": str(path), "colour": c.info.colour, "bit_depth": c.info.bit_depth}
            for side, (path, c) in facts.items()
            if c is not None
        },
        "first_frame": start + (scored[0] if scored else 0),
        "frames": info.frames if scored is None else scored[1] - scored[0],
        "height": info.height,
        "width": info.width,
        "channels": info.channels,
        "metrics": out,
        "skipped": reasons,
    }


def _pristine(clips: Sequence[Clip], hasher: FrameHasher | None = None) -> Any:
    """NIQE's pristine model of ground-truth clips, whose frames are hashed on the way if that is asked for."""
    from vbench.metrics.niqe_gt import pristine_of

    def chunks() -> Iterator[torch.Tensor]:
        for clip in clips:
            for chunk in clip.chunks(CHUNK):
                if hasher is not None:
                    hasher.update(chunk)
                yield as_tensor(chunk)

    return pristine_of(chunks())


def fitted_pristine(clips: Sequence[Clip], path: Path) -> Any:
    """The same, kept in a file: made once."""
    from vbench.metrics import niqe_gt
    from vbench.workspace import make_folder, partial_path

    if not path.exists():
        found = _pristine(clips)
        make_folder(path.parent)
        temporary = partial_path(path)
        try:
            niqe_gt.save(found, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return niqe_gt.restore(path)
