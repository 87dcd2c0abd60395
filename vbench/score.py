"""Measure clips against their ground truth, in one pass, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench import metrics as metric_catalog
from vbench.clip import Clip
from vbench.errors import InputError, RunError
from vbench.sources import open_clip

if TYPE_CHECKING:
    import torch

    from vbench.clip import Frames
    from vbench.metrics.spec import Metric

CHUNK = 8


def measure_clips(
    truth: Clip,
    clips: Mapping[str, Clip],
    wanted: Mapping[str, Sequence[str]],
    *,
    expected: Mapping[str, str] | None = None,
    impossible: dict[str, str] | None = None,
    done: Callable[[int], None] | None = None,
) -> dict[tuple[str, str], list[float]]:
    """Figures of several clips against one ground truth.

    The ground truth is decoded once, and what a metric needs of it (local means, optical flow) is computed
    once for all clips.

    Args:
        truth: the ground truth.
        clips: by name; each must have the frames, size and channels of the ground truth.
        wanted: for each name the metrics to measure.
        expected: hashes that decoded frames must have, by name; that of the ground truth under "".
        impossible: if given, a metric that cannot be measured on these clips is left out and its reason put
            here; otherwise it is an error.
        done: told about finished frames (of one clip each).

    Returns:
        ``(name, metric)`` to one figure per frame, or per pair of neighbours.

    Raises:
        InputError: sizes, channels or frame counts differ, or a clip is too short or small for a metric.
        RunError: frames are not those that were described.
    """
    from vbench.media import FrameHasher

    for name, clip in clips.items():
        check_match(truth, clip, name)
    metrics = {m: metric_catalog.load(m) for names in wanted.values() for m in names}
    metrics = _possible(truth, metrics, impossible)
    wanted = {name: [m for m in names if m in metrics] for name, names in wanted.items()}
    overlap = max((m.overlap for m in metrics.values()), default=0)
    figures: dict[tuple[str, str], list[float]] = {(n, m): [] for n, names in wanted.items() for m in names}
    hashers = {name: FrameHasher() for name in ("", *clips)}
    frames = truth.info.frames
    for start in range(0, frames, CHUNK):
        stop = min(start + CHUNK, frames)
        # The last frame of the chunk before comes along for metrics that compare neighbours.
        begin = max(0, start - overlap)
        fresh = start - begin
        reference = truth.read(begin, stop)
        hashers[""].update(reference[fresh:])
        reference_tensor = as_tensor(reference)
        views = {m: reference_tensor[fresh - min(fresh, metric.overlap) :] for m, metric in metrics.items()}
        prepared = {m: metric.prepare(views[m]) for m, metric in metrics.items()}
        for name, clip in clips.items():
            stored = clip.read(begin, stop)
            hashers[name].update(stored[fresh:])
            candidate = as_tensor(stored)
            for m in wanted[name]:
                skip = len(candidate) - len(views[m])
                figures[name, m] += metrics[m].measure(candidate[skip:], views[m], prepared[m])
            if done is not None:
                done(stop - start)
    for name, digest in (expected or {}).items():
        if hashers[name].hexdigest() != digest:
            what = f"The restored frames of {name}" if name else "The frames of the ground truth"
            raise RunError(
                f'{what} for "{truth.info.name}" are not those that vbench wrote (their hash differs): files were '
                "changed since. Delete them and make them again."
            )
    return figures


def _possible(truth: Clip, metrics: dict[str, Metric], impossible: dict[str, str] | None) -> dict[str, Metric]:
    """The metrics that can be measured on clips of this length and size; tried on the first frames."""
    out = {}
    for name, metric in metrics.items():
        try:
            if truth.info.frames <= metric.overlap:
                raise InputError(
                    f"{name} compares neighbouring frames and needs at least {metric.overlap + 1}; "
                    f'"{truth.info.name}" has {truth.info.frames}. Leave it out with --metrics.'
                )
            metric.prepare(as_tensor(truth.read(0, metric.overlap + 1)))
        except InputError as error:
            if impossible is None:
                raise
            impossible[name] = str(error)
        else:
            out[name] = metric
    return out


def as_tensor(frames: Frames) -> torch.Tensor:
    """``(T, H, W, C)`` array as a ``(T, C, H, W)`` tensor of the same type."""
    import numpy as np
    import torch

    return torch.from_numpy(np.array(frames.transpose(0, 3, 1, 2), order="C"))


def check_match(truth: Clip, clip: Clip, name: str) -> None:
    """Two clips can be compared frame by frame, or an error says what differs.

    Raises:
        InputError: frame counts, sizes or channels differ.
    """
    a, b = truth.info, clip.info
    if (a.height, a.width) != (b.height, b.width):
        raise InputError(
            f'Sizes differ: ground truth "{a.name}" is {a.width} x {a.height}, "{name}" is {b.width} x {b.height}. '
            "Nothing is resized silently: bring both to one size first."
        )
    if a.frames != b.frames:
        raise InputError(
            f'Frame counts differ: ground truth "{a.name}" has {a.frames}, "{name}" has {b.frames}. '
            "Choose a common range with --frames A:B."
        )
    if a.channels != b.channels:
        words = {1: "gray", 3: "colour"}
        raise InputError(
            f'Ground truth "{a.name}" is {words[a.channels]} and "{name}" is {words[b.channels]}. '
            "A gray clip is compared with a gray clip: store both in the same way."
        )


def score(
    truth: Path,
    restored: Path,
    names: Sequence[str],
    *,
    start: int = 0,
    stop: int | None = None,
    done: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Measure one clip against another: what ``vbench score`` prints.

    Args:
        truth, restored: videos or folders of frames.
        names: metrics.
        start, stop: the frames to compare, of both clips.

    Returns:
        JSON-able: both clips' facts, and per metric its convention, mean and figures per frame.
    """
    a = open_clip(truth, start=start, stop=stop)
    b = open_clip(restored, start=start, stop=stop)
    metrics = metric_catalog.load_all(names)
    wanted = {"restored": [m.name for m in metrics]}
    figures = measure_clips(a, {"restored": b}, wanted, done=done)
    out: dict[str, Any] = {}
    for metric in metrics:
        values = figures["restored", metric.name]
        out[metric.name] = {
            **metric.facts().model_dump(),
            "mean": sum(values) / len(values),
            "frames": values,
        }
    info = a.info
    return {
        "gt": {"path": str(truth), "colour": info.colour, "bit_depth": info.bit_depth},
        "pred": {"path": str(restored), "colour": b.info.colour, "bit_depth": b.info.bit_depth},
        "frames": info.frames,
        "height": info.height,
        "width": info.width,
        "channels": info.channels,
        "metrics": out,
    }
