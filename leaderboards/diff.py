"""Two states of the boards compared: what changed, how surely, and what does not compare, in words.

Models are compared with themselves, clip by clip, on the clips whose data are the same in both states (their hash says so), under
the same protocol and the same version and options of the metric. Where one of these differs nothing is compared. Another
version of a model, other weights or another device are what such a comparison is for: they are told, and compared.

- **change**: mean over those clips of the new figure minus the old one (each weighing as many times as it has frames, where
  the protocol averages over frames), with its 95 % interval (:mod:`leaderboards.stats`).
- **p**: sign-flip test of the mean change over clips (:func:`leaderboards.paired.sign_flip`), and corrected by Holm over the
  models of the board whose figures changed at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leaderboards.export.document import BoardDocument, EntryDocument, LeaderboardDocument, RowDocument
from leaderboards.numbers import signature
from leaderboards.paired import holm, sign_flip
from leaderboards.query import nearest_of
from leaderboards.query_parser import QueryError
from leaderboards.schema import MetricFacts
from leaderboards.stats import Interval, mean_intervals


@dataclass(frozen=True)
class Change:
    """One model under one metric, before and after."""

    model: str
    old: float
    """Over the clips that compare; on other clips the boards' own figures may differ from it."""
    new: float
    change: float
    """``new`` minus ``old``, as it is: above 0 is better for "higher" metrics."""
    interval: Interval
    p: float | None
    """None where a change is infinite, and where there is none on any clip."""
    p_holm: float | None
    clips: int
    old_rank: int | None
    new_rank: int | None
    worse: bool
    facts: tuple[str, ...] = ()
    """What else is another: version, weights, settings, device, in words."""

    @property
    def relative(self) -> float:
        """The change as a share of the old figure; infinite for any change of a figure that was 0 or infinite."""
        if self.change == 0:
            return 0.0
        whole = self.old != 0 and math.isfinite(self.old)
        return self.change / abs(self.old) if whole else math.copysign(math.inf, self.change)


@dataclass(frozen=True)
class BoardDiff:
    """One data set under one protocol and metric."""

    dataset: str
    protocol: str
    metric: MetricFacts
    clips: int
    """That compare."""
    changes: tuple[Change, ...]
    """The worst first."""
    came: tuple[str, ...]
    """Models that have a figure only after."""
    went: tuple[str, ...]
    """Models that have one only before."""
    notes: tuple[str, ...]
    """Clips that were left out, and why."""
    lost: tuple[str, ...] = ()
    """Of these the ones on which figures were there and cannot be compared any more."""


@dataclass(frozen=True)
class Diff:
    """All that two states of the boards have in common, and what they have not."""

    boards: tuple[BoardDiff, ...]
    apart: tuple[str, ...]
    """What is in both and does not compare, in sentences."""
    came: tuple[str, ...]
    """Boards that are only after."""
    went: tuple[str, ...]
    """Boards that are only before."""
    notes: tuple[str, ...] = ()


Key = tuple[str, str, int]


def diff(old: LeaderboardDocument, new: LeaderboardDocument, metrics: Sequence[str] | None = None) -> Diff:
    """Compare two states.

    Args:
        old: before.
        new: after.
        metrics: names, or "all"; the first metric of each board by default.

    Raises:
        QueryError: no board has a metric of that name.
    """
    known = {metric.name for document in (old, new) for board in document.boards for metric in board.metrics}
    for name in metrics or ():
        if name != "all" and name not in known:
            raise QueryError(f'There are no figures of a metric "{name}". {nearest_of(name, known)}')
    before, after = _keyed(old.boards), _keyed(new.boards)
    boards: list[BoardDiff] = []
    apart: list[str] = []
    pairs = _paired(before, after)
    for key, other_key in pairs:
        one, other = before[key], after[other_key]
        reason = _protocols_apart(one, other, old, new)
        if reason:
            apart.append(f"{_name(one)}: {reason}")
            continue
        for name in _wanted(one, other, metrics):
            found = _board(one, other, name)
            if isinstance(found, str):
                apart.append(f"{_name(other)}: {found}")
            else:
                boards.append(found)
    notes = [
        f"Of the {when} state {sum(b.left_out for b in document.boards)} rows were left out when it was exported."
        for when, document in (("old", old), ("new", new))
        if any(b.left_out for b in document.boards)
    ]
    return Diff(
        tuple(boards),
        tuple(apart),
        tuple(_name(after[key]) for key in sorted(after.keys() - {other for _, other in pairs})),
        tuple(_name(before[key]) for key in sorted(before.keys() - {one for one, _ in pairs})),
        tuple(notes),
    )


def _keyed(boards: Sequence[BoardDocument]) -> dict[Key, BoardDocument]:
    """Boards by data set, protocol, and number: those that stand apart follow the main one."""
    out: dict[Key, BoardDocument] = {}
    for board in sorted(boards, key=lambda b: (b.protocol, b.reason is not None)):
        number = sum(key[:2] == (board.dataset, board.protocol) for key in out)
        out[board.dataset, board.protocol, number] = board
    return out


def _paired(before: Mapping[Key, BoardDocument], after: Mapping[Key, BoardDocument]) -> list[tuple[Key, Key]]:
    """Which boards belong together: of one protocol, and of what is left those of two versions of it, which do not compare."""

    def bare(key: Key) -> tuple[str, str]:
        return key[0], key[1].split("@", maxsplit=1)[0]

    pairs = [(key, key) for key in sorted(before.keys() & after.keys())]
    left = sorted(after.keys() - before.keys())
    for key in sorted(before.keys() - after.keys()):
        other = next((other for other in left if bare(other) == bare(key) and other[1] != key[1]), None)
        if other is not None:
            left.remove(other)
            pairs.append((key, other))
    return sorted(pairs)


def _name(board: BoardDocument) -> str:
    return f"{board.dataset} under {board.protocol}" + (" (apart from its main board)" if board.reason else "")


def _protocols_apart(
    one: BoardDocument, other: BoardDocument, old: LeaderboardDocument, new: LeaderboardDocument
) -> str | None:
    if one.protocol != other.protocol:
        return f"measured under {one.protocol} before and {other.protocol} after; figures do not compare."
    if one.average != other.average:
        return f"{one.protocol} averaged over {one.average} before and over {other.average} after."
    facts = [document.protocols.get(one.protocol) for document in (old, new)]
    if facts[0] is not None and facts[1] is not None:
        lines = [found.lines for found in facts if found is not None]
        differing = sorted(k for k in {*lines[0], *lines[1]} if lines[0].get(k) != lines[1].get(k))
        if differing:
            return f"{one.protocol} is not the same before and after ({', '.join(differing)}); figures do not compare."
    return None


def _wanted(one: BoardDocument, other: BoardDocument, metrics: Sequence[str] | None) -> list[str]:
    if metrics is None:
        return [one.metrics[0].name] if one.metrics else []
    names = dict.fromkeys(m.name for m in (*one.metrics, *other.metrics))
    return [name for name in names if name in metrics or "all" in metrics]


def _board(one: BoardDocument, other: BoardDocument, name: str) -> BoardDiff | str:
    """One metric of a board; or why it does not compare."""
    facts = [next((m for m in board.metrics if m.name == name), None) for board in (one, other)]
    before, after = facts
    if before is None or after is None:
        return f"{name} was measured only {'after' if before is None else 'before'}."
    if (before.version, before.options) != (after.version, after.options):
        return f"{name} is measured in another way ({signature(before)} before, {signature(after)} after)."
    same = [c for c in one.clips if c in other.clips and one.data_sha256.get(c) == other.data_sha256.get(c)]
    lost, more = _clip_notes(one, other, same)
    notes = [*lost, *more]
    if not same:
        return f"no clip is the same before and after ({' '.join(notes) or 'there is none'})"
    old_rows = {row.model.name: row for row in one.rows if name in row.entries}
    new_rows = {row.model.name: row for row in other.rows if name in row.entries}
    changes: list[Change] = []
    came: list[str] = []
    went: list[str] = []
    for model in {**old_rows, **new_rows}:
        if model not in new_rows:
            # What had no figure cannot lose it.
            went += [model] if old_rows[model].entries[name].mean is not None else []
            continue
        if model not in old_rows:
            hole = new_rows[model].entries[name].hole
            came.append(model if hole is None else f"{model} ({hole})")
            continue
        first, second = old_rows[model].entries[name], new_rows[model].entries[name]
        if first.mean is None or second.mean is None:
            if first.mean is not None:
                went.append(f"{model} ({second.hole})")
            elif second.mean is not None:
                came.append(model)
            continue
        clips = [c for c in same if c in first.by_clip and c in second.by_clip]
        if clips:
            changes.append(_change(old_rows[model], new_rows[model], after, clips, other.average))
    corrected = holm([math.nan if c.p is None else c.p for c in changes])
    towards = 1.0 if after.direction == "higher" else -1.0
    changes = [
        Change(**{**vars(c), "p_holm": None if math.isnan(p) else float(p)})
        for c, p in zip(changes, corrected, strict=True)
    ]
    changes.sort(key=lambda c: (towards * c.change, c.model))
    return BoardDiff(
        other.dataset,
        other.protocol,
        after,
        len(same),
        tuple(changes),
        tuple(sorted(came)),
        tuple(sorted(went)),
        tuple(notes),
        tuple(lost),
    )


def _clip_notes(one: BoardDocument, other: BoardDocument, same: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is said of clips that do not compare: of those that were there before, and of those that came."""

    def said(clips: Sequence[str], is_: str, are: str) -> list[str]:
        count = f"1 clip {is_} and is" if len(clips) == 1 else f"{len(clips)} clips {are} and are"
        return [f"{count} left out: {_listed(clips)}."] if clips else []

    gone = [c for c in one.clips if c not in other.clips]
    changed = [c for c in one.clips if c in other.clips and c not in same]
    came = [c for c in other.clips if c not in one.clips]
    return (
        said(gone, "is only in the old state", "are only in the old state")
        + said(changed, "holds other data (its hash differs)", "hold other data (their hashes differ)"),
        said(came, "is only in the new state", "are only in the new state"),
    )


def _listed(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _change(old: RowDocument, new: RowDocument, metric: MetricFacts, clips: Sequence[str], average: str) -> Change:
    first, second = old.entries[metric.name], new.entries[metric.name]
    before = [first.by_clip[c] for c in clips]
    after = [second.by_clip[c] for c in clips]
    # The same infinity before and after is no change.
    changes = np.array([0.0 if a == b else a - b for a, b in zip(after, before, strict=True)])
    shares = _shares(second, clips, average)
    change = float(_mean(changes.tolist(), shares))
    (interval,) = mean_intervals([changes], weights=None if len(set(shares)) == 1 else np.array(shares))
    # Figures that are equal on every clip are equal, not tested: they take nothing from the others in the correction.
    p = float(sign_flip([changes * np.array(shares) * len(clips)])[0]) if changes.any() else math.nan
    towards = 1.0 if metric.direction == "higher" else -1.0
    return Change(
        model=new.model.name,
        old=_mean(before, shares),
        new=_mean(after, shares),
        change=change,
        interval=interval,
        p=None if math.isnan(p) else p,
        p_holm=None,
        clips=len(clips),
        old_rank=old.rank,
        new_rank=new.rank,
        worse=towards * change < 0,
        facts=tuple(_facts(old, new)),
    )


def _shares(entry: EntryDocument, clips: Sequence[str], average: str) -> list[float]:
    frames = [entry.weights.get(c, 0) for c in clips]
    if average == "clips" or not all(frames):
        return [1 / len(clips)] * len(clips)
    return [count / sum(frames) for count in frames]


def _mean(values: Sequence[float], shares: Sequence[float]) -> float:
    if len(set(shares)) == 1:
        return sum(values) / len(values)
    return sum(v * s for v, s in zip(values, shares, strict=True))


def _facts(old: RowDocument, new: RowDocument) -> list[str]:
    """What else is another about a model, in words."""
    out = []
    pairs: Mapping[str, tuple[object, object]] = {
        "version": (old.model.version, new.model.version),
        "weights": (_short(old.model.weights_sha256), _short(new.model.weights_sha256)),
        "device": (old.device, new.device),
        "precision": (old.precision, new.precision),
        "tile": (old.tile, new.tile),
    }
    for what, (before, after) in pairs.items():
        if before != after:
            out.append(f"{what} {'none' if before is None else before} → {'none' if after is None else after}")
    one, other = old.model.settings, new.model.settings
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            out.append(f"{name} {one.get(name, 'none')} → {other.get(name, 'none')}")
    return out


def _short(digest: str | None) -> str | None:
    return None if digest is None else digest[:12]
