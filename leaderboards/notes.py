"""What is said under a board, in sentences."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from leaderboards.board import BASELINE
from leaderboards.classes import RankClasses
from leaderboards.paired import ALPHA, smallest_p
from leaderboards.schema import Cell, MetricFacts

AVERAGE = {
    "clips": "Figures are means over clips of each clip's figure: clips weigh the same, however long.",
    "frames": "Figures are means over all frames of all clips, as the protocol has it: a clip weighs as many times as it has "
    "frames.",
}


@dataclass
class Unmeasured:
    """Metrics that say nothing of a clip, with the reason; those of one reason are told together."""

    whole: dict[str, list[str]] = field(default_factory=dict)
    """Measured on no clip: metrics by reason."""
    some: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """Measured on some clips only: metrics by reason (with a clip that it is of) and number of clips that are left."""

    def sentences(self, clips: int) -> set[str]:
        """One for each reason.

        Example:
            >>> Unmeasured({"there is no mask": ["psnr_damaged", "psnr_intact"]}).sentences(7)
            {'psnr_damaged and psnr_intact were not measured: there is no mask'}
        """
        out = {
            f"{_and(metrics)} {'was' if len(metrics) == 1 else 'were'} not measured: {reason}"
            for reason, metrics in self.whole.items()
        }
        return out | {
            f"{_and(metrics)} {'is' if len(metrics) == 1 else 'are'} over {left} of {clips} clips, for every model: {reason}"
            for (reason, left), metrics in self.some.items()
        }


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def measured_clips(
    found: Mapping[str, Mapping[str, Cell]],
    models: int,
    clips: Sequence[str],
    metric: str,
    apart: Unmeasured,
    elsewhere: Container[str] = (),
) -> list[str]:
    """Clips on which a metric can be measured: without those on which it failed for every model alike, so that it
    says something of the clip (no damage mask, frames too small, a parameter file that is missing) and of no model.
    A model that gave no frames says nothing of the metric. Where it failed for identity, which changes nothing, as for all
    others that were tried, the models that were not tried could not have been measured either. Without those, too, of which all
    figures stand ``elsewhere``, on a board of another convention: of two machines that had other clips of a data set."""
    left_out: dict[str, str] = {}
    for clip in clips:
        own = {model: by_clip[clip] for model, by_clip in found.items() if clip in by_clip}
        if not own and clip in elsewhere:
            left_out[clip] = (
                "it was measured under another convention or on other data, and stands on a board of its own"
            )
            continue
        restored = {m: c for m, c in own.items() if c.status == "ok" or c.restored_sha256 is not None}
        errors = {c.error for c in (restored or own).values()}
        if len(own) < models and BASELINE not in restored:
            continue
        if len(errors) == 1 and all(c.status == "failed" for c in (restored or own).values()):
            left_out[clip] = (next(iter(errors)) or "no figure").removeprefix(f"{metric} cannot be measured: ")
    if left_out:
        clip, error = next(iter(left_out.items()))
        if len(left_out) == len(clips) and len(set(left_out.values())) == 1:
            apart.whole.setdefault(error, []).append(metric)
        else:
            left = len(clips) - len(left_out)
            apart.some.setdefault((f'on "{clip}" {error}', left), []).append(metric)
    return [clip for clip in clips if clip not in left_out]


def rank_notes(classes: RankClasses, metric: MetricFacts) -> set[str]:
    """How ranks came about, and how small a difference so many clips could have found."""
    models, clips = len(classes.rank), classes.clips
    if models < 2:
        return set()
    if clips < 2:
        return {"One clip tells no two models apart: all that have a finite mean share a rank and stand by their mean."}
    if math.isnan(classes.detectable):
        return set()
    text = (
        f"Models that these {clips} clips cannot tell apart in {metric.name} share a rank and stand by their mean (all "
        "pairs by permutation, 5 % false calls for the whole board)"
    )
    if math.isinf(classes.detectable):
        return {f"{text}; so few clips of {models} models tell no difference, however large, from chance."}
    if classes.detectable == 0:
        return {f"{text}."}
    unit = f" {metric.unit}" if metric.unit else ""
    return {
        f"{text}; a true difference of {_two_digits(classes.detectable)}{unit} between two typical models would be found in 4 of 5 "
        "such sets of clips."
    }


def _two_digits(value: float) -> str:
    """
    Example:
        >>> _two_digits(127.3), _two_digits(0.0591), _two_digits(1e-7)
        ('130', '0.059', '1e-07')
    """
    text = f"{value:.2g}"
    return f"{float(text):.0f}" if value >= 100 else text


def neighbour_notes(pairs: int, clips: int) -> set[str]:
    """Whether the tests between neighbours could have found anything.

    Example:
        >>> neighbour_notes(2, 20)
        set()
    """
    least = pairs * smallest_p(clips)
    if pairs == 0 or clips < 2 or least <= ALPHA:
        return set()
    return {
        f"Tests between neighbours cannot find a difference here: with {clips} clips p is {smallest_p(clips):.2g} or more, and "
        f"{min(least, 1.0):.2g} or more after Holm's correction for {pairs} pair{'' if pairs == 1 else 's'}."
    }
