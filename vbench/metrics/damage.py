"""PSNR inside and outside the damage: did the model mend what was broken, and did it leave the rest alone?

Each by kind of damage too (``damage_left[dirt]``): a figure of its own, with its own interval, and not a column of the
other, because not every clip has every kind, and a board counts, for each figure, the clips on which it can be measured.
Only the masks of kinds that are asked for are read.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from vbench.errors import InputError
from vbench.metrics.planes import STORED
from vbench.metrics.spec import Chunk, Figures, Metric, View, mean, on_255

if TYPE_CHECKING:
    from torch import Tensor

BROKEN = 0.5
"""From this coverage on a pixel counts as damaged."""
INTACT = 0.02
"""Up to this coverage a pixel counts as intact: damage has soft edges, and those count neither way."""


def masked_squares(difference: Tensor, chosen: Tensor) -> list[float]:
    """Mean of squared differences ``(T, C, H, W)`` over chosen pixels ``(T, 1, H, W)``; NaN where there is none.

    Example:
        >>> import torch
        >>> d = torch.tensor([[[[1.0, 3.0]]]])
        >>> masked_squares(d, torch.tensor([[[[True, False]]]]))
        [1.0]
    """
    count = chosen.flatten(1).sum(dim=1) * difference.shape[1]
    total = (difference.square() * chosen).flatten(1).sum(dim=1)
    return [float(t) / int(n) if n else math.nan for t, n in zip(total, count, strict=True)]


def chosen_pixels(mask: Chunk, where: str) -> Tensor:
    """Damaged or intact pixels of a mask, ``(T, 1, H, W)`` bool.

    Raises:
        InputError: a mask of colours; one that is stored as RGB and gray is taken.
    """
    coverage = mask.once("coverage", lambda: _coverage(mask))
    found: Tensor = coverage >= BROKEN if where == "damaged" else coverage <= INTACT
    return found


def _coverage(mask: Chunk) -> Tensor:
    """From 0 (no damage) to 1, ``(T, 1, H, W)``."""
    frames = on_255(mask.frames) / 255.0
    plane = frames[:, :1]
    if frames.shape[1] > 1 and not bool((frames == plane).all()):
        at = mask.start + int((frames != plane).flatten(1).any(dim=1).nonzero()[0])
        raise InputError(
            f"A mask says in gray how much of each pixel is damaged, and frame {at} of the mask that was given has colours. "
            "Store it in gray, 0 where there is no damage."
        )
    return plane


def _mask(view: View, kind: str) -> Chunk:
    found = view.mask if kind == "any" else view.masks.get(kind)
    if found is None:
        what = "" if kind == "any" else f" of {kind}"
        raise InputError(f"There is no mask{what}: this clip's damage has no place, or it was not synthesised here.")
    return found


def _squares(chunk: Chunk, view: View, where: str, kind: str) -> list[float]:
    mask = _mask(view, kind)
    chosen = mask.once(("chosen", where), lambda: chosen_pixels(mask, where))
    truth = view.reference()
    exact = truth.once("on 255", lambda: on_255(truth.frames))

    def difference() -> Tensor:
        return on_255(chunk.frames) - exact

    return masked_squares(chunk.once("difference", difference), chosen)


def _psnr(where: str, kind: str, view: View) -> Figures:
    squares = _squares(view.restored, view, where, kind)
    return Figures([_decibels(e) for e in squares], {"mse": squares})


def _decibels(mse: float) -> float:
    return math.inf if mse == 0 else 10.0 * math.log10(255.0**2 / mse)


def _left(kind: str, view: View) -> Figures:
    """Squared error inside the damage, of the result and of what the model was given."""
    if view.degraded is None:
        raise InputError("There is no degraded clip to compare the result with.")
    own = _squares(view.restored, view, "damaged", kind)
    degraded = view.degraded
    given = degraded.once(("squares", kind), lambda: _squares(degraded, view, "damaged", kind))
    return Figures([_share(a, b) for a, b in zip(own, given, strict=True)], {"mse": own, "mse_degraded": given})


def _share(own: float, given: float) -> float:
    return math.nan if math.isnan(given) or given == 0 else own / given


def pooled_share(figures: Figures) -> float:
    """Mean squared errors inside the damage, summed over frames, as a share of what they were; NaN where nothing was damaged.

    Frames weigh the same, however much of them is damaged.

    Example:
        >>> pooled_share(Figures([], {"mse": [1.0, 3.0], "mse_degraded": [4.0, 4.0]}))
        0.5
    """
    pairs = zip(figures.columns["mse"], figures.columns["mse_degraded"], strict=True)
    there = [(a, b) for a, b in pairs if not math.isnan(b)]
    given = math.fsum(b for _, b in there)
    return math.fsum(a for a, _ in there) / given if given else math.nan


def make(which: str, kind: str = "any") -> Metric:
    """PSNR of the damaged or of the intact pixels, or the share of the damage that is left.

    Args:
        which: "damaged", "intact" or "left".
        kind: one of `vbench.metrics.spec.DAMAGE_KINDS`, or "any" for all together. Where kinds lie on each other, a
            pixel counts for each.
    """
    of = "damage mask" if kind == "any" else f"mask of {kind}"
    words = {
        "damaged": f"PSNR over pixels whose {of} is at least {BROKEN}, RGB, {STORED}; frames without any are left out",
        "intact": f"PSNR over pixels whose {of} is at most {INTACT}, RGB, {STORED}: what the model did to what needed "
        "no mending (tone, grain and shake of the whole frame count)",
        "left": f"mean squared error over pixels whose {of} is at least {BROKEN}, as a share of the degraded clip's, both summed "
        "over the frames that have any: 1 is nothing mended, 0 all",
    }
    mask = "mask" if kind == "any" else f"mask:{kind}"
    mse = {"mse": "mean square of the differences, on 0 to 255"}
    return Metric(
        name=f"psnr_{which}" if which != "left" else "damage_left",
        version=1,
        unit="dB" if which != "left" else "",
        direction="higher" if which != "left" else "lower",
        convention=words[which],
        source="ours; masks as the damage was drawn",
        options={"broken": BROKEN, "intact": INTACT} | ({"kind": kind} if kind != "any" else {}),
        needs=frozenset({"truth", mask, "degraded"}) if which == "left" else frozenset({"truth", mask}),
        measure=partial(_left, kind) if which == "left" else partial(_psnr, which, kind),
        values="0 to infinity",
        columns=mse | ({"mse_degraded": "the same of the degraded frame"} if which == "left" else {}),
        combine=pooled_share if which == "left" else mean,
    )


DAMAGED = make("damaged")
INTACT_METRIC = make("intact")
LEFT = make("left")
