"""Shapes of specks of dirt, drawn many at once: small ones from a stock of ready ones, large ones one by one."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from degradations.film.common import Double, Float
from degradations.film.marks import Canvas, Index, pieces, table
from degradations.film.tensors import sent
from degradations.rng import Rng

OUTLINES = 512
BINS = 64
REACH = 1.5
"""How far an outline may lie outside the circle of the same area."""
SEEN = 0.004
"""Least coverage of a pixel that counts."""
TAPER = 0.7
"""Width of the edge over the radius, for specks so large that it is more than the softness of all: lumps thin out."""
SMALLEST, LARGEST, LEVELS, SHAPES = 0.6, 120.0, 25, 64
"""Areas of ready specks in square pixels, in how many steps, and how many shapes of each."""
BENT = 0.25
"""How far the ends of splinters are bent aside, over half their length: standard deviation."""
WIDENINGS = (1.0, 5.0, 7.5, 11.0)
"""Length over width of ready specks: those that are about round, and splinters."""
WIDENINGS_BETWEEN = (2.5, 6.1, 9.1)
"""Where one of them ends and the next begins."""


class Pixels(NamedTuple):
    """What specks cover: the number of the speck, the pixel (counted row by row), the share of it that is covered, and
    that times how dense the speck is there."""

    which: Index
    place: Index
    cover: Float
    density: Float


class Specks(NamedTuple):
    """Specks of one frame or several, one number of each for every speck: place in pixels, area in square pixels, ratio of the
    axes, direction of the longer one, number of the outline, how much thinner one side of the middle is than the rim, how far
    its ends are bent aside (over half its length), and the width of the edge."""

    x: Double
    y: Double
    area: Double
    stretch: Double
    turn: Double
    outline: NDArray[np.int64]
    hollow: Double
    bend: Double
    edge: float

    @classmethod
    def joined(cls, parts: list[Specks]) -> Specks:
        """Specks of several frames, one frame after the other, with edges of one width."""
        columns = [np.concatenate(column) for column in list(zip(*parts, strict=True))[:-1]]
        return cls._make([*columns, parts[0].edge])

    def batches(self) -> list[tuple[Index, int]]:
        """Numbers of specks that are drawn together, and how far the largest of them reaches, pixels; small ones, of which
        there is a stock, come first, with 0."""
        small = self.area < LARGEST
        out = [(np.flatnonzero(small), 0)]
        reach = np.ceil(self.reach(np.arange(len(self.area)))).astype(int)
        low = 0
        for high in (20, 40, 80, 160):
            chosen = np.flatnonzero(~small & (reach > low) & (reach <= high))
            out.append((chosen, int(reach[chosen].max(initial=0))))
            low = high
        return [(chosen, far) for chosen, far in out if len(chosen)]

    def pixels(self, height: int, width: int) -> list[Pixels]:
        """What they cover in a frame, in a few batches."""
        return [
            self._drawn(chosen, reach, height, width) if reach else self._ready(chosen, height, width)
            for chosen, reach in self.batches()
        ]

    def reach(self, chosen: Index) -> Double:
        """How far the chosen specks reach from their middle, pixels."""
        radius = np.sqrt(self.area[chosen] / np.pi)
        length = radius * np.sqrt(self.stretch[chosen]) * REACH * np.hypot(1, REACH * self.bend[chosen])
        return np.asarray(length + np.maximum(self.edge, TAPER * radius) / 2)

    def _ready(self, chosen: Index, height: int, width: int) -> Pixels:
        """Small specks, of shapes that are drawn already; at this size nobody sees one twice."""
        stock = ready(self.edge)
        begin, count = self._in_stock(chosen)
        which = np.repeat(np.arange(len(chosen)), count)
        pixel = np.arange(len(which)) + np.repeat(begin - (np.cumsum(count) - count), count)
        row = np.floor(self.y[chosen]).astype(np.intp)[which] + stock.down[pixel]
        column = np.floor(self.x[chosen]).astype(np.intp)[which] + stock.right[pixel]
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        pixel = pixel[inside]
        index = (row * width + column)[inside]
        return Pixels(chosen[which[inside]], index, stock.cover[pixel], stock.density[pixel])

    def _in_stock(self, chosen: Index) -> tuple[Index, Index]:
        """Where the ready shapes begin that the chosen specks have, and of how many pixels they are."""
        begin = ready(self.edge).begin
        level = np.log(np.maximum(self.area[chosen], SMALLEST) / SMALLEST) / np.log(LARGEST / SMALLEST) * (LEVELS - 1)
        kind = np.searchsorted(WIDENINGS_BETWEEN, self.stretch[chosen])
        number = (kind * LEVELS + np.round(level).astype(np.intp)) * SHAPES + self.outline[chosen] % SHAPES
        return begin[number], begin[number + 1] - begin[number]

    def _drawn(self, chosen: Index, reach: int, height: int, width: int) -> Pixels:
        cover, density = self.draw(chosen, reach)
        steps = np.arange(-reach, reach + 1)
        rows, columns = (np.floor(v[chosen]).astype(np.intp)[:, None] + steps for v in (self.y, self.x))
        seen = (cover > SEEN) & ((rows >= 0) & (rows < height))[:, :, None]
        seen &= ((columns >= 0) & (columns < width))[:, None]
        which, row, column = np.nonzero(seen)
        index = rows[which, row] * width + columns[which, column]
        return Pixels(chosen[which], index, cover[seen], density[seen])

    def draw(self, chosen: Index, reach: int) -> tuple[Float, Float]:
        """Coverage and density of the chosen specks, ``(n, 2 * reach + 1, 2 * reach + 1)`` about their pixel."""
        middle = (np.arange(-reach, reach + 1) + 0.5).astype(np.float32)
        measures = (values.astype(np.float32)[:, None, None] for values in self._measures(chosen))
        cover, density = shapes(np, middle, self.outline[chosen][:, None, None], _outlines(), self.edge, *measures)
        return np.asarray(cover), np.asarray(density)

    def _measures(self, chosen: Index) -> tuple[Double, ...]:
        """What :func:`shapes` wants to know of the chosen specks."""
        turn, area = self.turn[chosen], self.area[chosen]
        thin, radius = np.sqrt(self.stretch[chosen]), np.sqrt(area / np.pi)
        return (
            self.x[chosen] % 1,
            self.y[chosen] % 1,
            np.cos(turn),
            np.sin(turn),
            thin,
            radius,
            area,
            self.hollow[chosen],
            self.bend[chosen],
        )

    def lay(self, canvas: Canvas, frame: NDArray[Any], contrast: Float) -> None:
        """Lay all of them onto the frames of a canvas, each onto the frame of this number, with this contrast: as
        `common.scatter` does with what :meth:`pixels` gives of each frame."""
        for batch, reach in self.batches():
            # Dark ones come first. Neither frames nor signs are mixed up by that.
            chosen = batch[np.argsort(contrast[batch] > 0, kind="stable")]
            sizes = np.full(len(chosen), (2 * reach + 1) ** 2) if reach else self._in_stock(chosen)[1]
            for piece in pieces(sizes):
                dark = int(sizes[piece][contrast[chosen[piece]] < 0].sum())
                if reach:
                    self._lay_drawn(canvas, chosen[piece], reach, frame, contrast, dark)
                else:
                    self._lay_ready(canvas, chosen[piece], frame, contrast, dark)

    def _lay_ready(self, canvas: Canvas, chosen: Index, frame: NDArray[Any], contrast: Float, dark: int) -> None:
        begin, count = self._in_stock(chosen)
        total = int(count.sum())
        places = (
            count,
            begin - (np.cumsum(count) - count),
            frame[chosen],
            np.floor(self.y[chosen]),
            np.floor(self.x[chosen]),
        )
        whole, real = table(places, [contrast[chosen]], canvas.device)
        which = torch.repeat_interleave(whole[0], output_size=total)
        shift, number, row, column = whole[1:].index_select(1, which)
        away, look = _ready_on(self.edge, canvas.device)
        pixel = torch.arange(total, device=canvas.device) + shift
        down, right = away.index_select(1, pixel)
        place, inside = canvas.places(number, row + down, column + right)
        cover, density = look.index_select(1, pixel) * inside
        canvas.scatter(place, cover, density * real[0].float().index_select(0, which), dark)

    def _lay_drawn(
        self, canvas: Canvas, chosen: Index, reach: int, frame: NDArray[Any], contrast: Float, dark: int
    ) -> None:
        places = frame[chosen], np.floor(self.y[chosen]), np.floor(self.x[chosen]), self.outline[chosen]
        whole, real = table(places, [*self._measures(chosen), contrast[chosen]], canvas.device)
        number, row, column, outline = whole[..., None, None]
        *measures, depth = real.float()[..., None, None]
        steps = torch.arange(-reach, reach + 1, device=canvas.device)
        cover, density = shapes(torch, steps + 0.5, outline, _outlines_on(canvas.device), self.edge, *measures)
        place, inside = canvas.places(number, row + steps[:, None], column + steps)
        inside = inside & (cover > SEEN)
        canvas.scatter(place.flatten(), (cover * inside).flatten(), (density * depth * inside).flatten(), dark)


def shapes(
    xp: Any,
    middle: Any,
    number: Any,
    outlines: Any,
    edge: float,
    x: Any,
    y: Any,
    cos: Any,
    sin: Any,
    thin: Any,
    radius: Any,
    area: Any,
    hollow: Any,
    bend: Any,
) -> tuple[Any, Any]:
    """Coverage and density of specks ``(n, s, s)``, computed by NumPy or by torch (``xp``), of arrays of either.

    ``middle`` ``(s,)`` is where the middles of the pixels lie along each side, from the left or upper edge of the one that
    the speck lies in; ``number`` that of the outline in ``outlines``. Of shape ``(n, 1, 1)``, single precision: where in its
    pixel the speck is, the direction of its longer axis, root of the ratio of the axes, radius of a disc of its area, that
    area in square pixels, how much thinner one side of the middle is than the rim, how far the ends are bent aside.
    """
    dx = middle[None, None] - x
    dy = middle[None, :, None] - y
    along = (dx * cos + dy * sin) / thin
    # An arc: what lies at the ends of the longer axis is moved aside, the middle a little the other way.
    across = (dy * cos - dx * sin) * thin - bend * thin * thin * (along * along / radius - radius / 3)
    # The taxicab angle rises with the true one and needs no arc tangent.
    part = across / (abs(along) + abs(across)).clip(1e-6)
    corner = xp.where(along >= 0, 1 + part, 3 - part)  # 0..4, from straight across on
    bins = xp.asarray(corner * (BINS / 4), dtype=xp.int64) % BINS
    outline = radius * outlines.reshape(-1)[bins + number * BINS]
    distance = xp.sqrt(along * along + across * across)
    # Across a splinter the distance grows faster than the pixels that it spans, along it more slowly.
    faster = xp.sqrt((along / thin) ** 2 + (across * thin) ** 2) / distance.clip(1e-6)
    inside = (outline - distance) / xp.maximum(faster, 1 / thin)
    soft = (TAPER * radius / thin).clip(edge)
    cover = (0.5 + inside / soft).clip(0, 1)
    # What is thinner than a pixel covers a share of it: its edge is softened over a pixel, its sum kept.
    total = cover.sum(axis=(1, 2), keepdims=True).clip(1e-6)
    cover *= xp.where(radius / thin < 1.2, (area / total).clip(max=1), 1)
    deep = ((inside - 0.5 * soft) / xp.maximum(soft, 0.5 * radius)).clip(0, 1)
    # Thinner in the middle, towards one side: a lump is not a disc of one thickness.
    side = (0.5 + across / radius).clip(0, 1)
    return cover, cover * (1 - hollow * deep * side)


@cache
def _outlines() -> Float:
    """Distance of the outline over the radius, ``(OUTLINES, BINS)``: three quarters rounded blobs, one frayed shards.

    The bins are those of the taxicab angle (see :meth:`Specks.draw`). The same for all clips: a speck is told apart by its
    size and turn.
    """
    g = Rng.root(0).at("outlines of specks").generator()
    corner = 4 * (np.arange(BINS) + 0.5) / BINS  # 0..4, a quarter turn each
    quarter, within = np.floor(corner), corner % 1
    angle = np.pi / 2 * quarter + np.arctan2(within, 1 - within)
    shards = OUTLINES // 4
    blobs = np.ones((OUTLINES - shards, BINS))
    for order in range(2, 7):
        blobs += _wave(g, len(blobs), order, 0.4, angle)
    # A shard is what a few straight cuts leave over, its edges frayed.
    cuts = np.cos(g.uniform(0, 2 * np.pi, (shards, 1, 5)) - angle[:, None])
    distance = g.uniform(0.55, 1.1, (shards, 1, 5))
    cut = np.where(cuts > 0.2, distance / np.maximum(cuts, 0.2), REACH).min(axis=2)
    for order in range(4, 10):
        cut *= 1 + _wave(g, shards, order, 0.25, angle)
    both = np.concatenate([np.clip(blobs, 0.3, REACH), np.clip(cut, 0.3, REACH)])
    turns = np.diff(np.append(angle, angle[0] + 2 * np.pi))
    area = (both**2 * turns).sum(axis=1, keepdims=True) / (2 * np.pi)
    return np.asarray(np.clip(both / np.sqrt(area), 0.3, REACH), dtype=np.float32)


def _wave(g: np.random.Generator, count: int, order: int, height: float, angle: Double) -> Double:
    """Waves ``(count, BINS)`` around an outline, this many of them, the lower the more there are."""
    size, phase = g.standard_normal((count, 1)), g.uniform(0, 2 * np.pi, (count, 1))
    return np.asarray((height / order) * size * np.cos(order * angle + phase))


class Stock(NamedTuple):
    """Ready specks, one after the other, pixel by pixel; ``begin`` has where each begins, and the end."""

    begin: Index
    down: Index
    right: Index
    cover: Float
    density: Float


@lru_cache(maxsize=8)
def ready(edge: float) -> Stock:
    """Small specks, round ones and splinters, of ``LEVELS`` sizes, ``SHAPES`` of each, with edges of this width: anywhere
    within their pixel, turned and drawn out at random."""
    g = Rng.root(0).at("small specks").generator()
    count = len(WIDENINGS) * LEVELS * SHAPES
    widening = np.repeat(WIDENINGS, LEVELS * SHAPES)
    drawn_out = np.exp(0.3 * np.abs(g.standard_normal(count)))
    specks = Specks(
        x=g.random(count),
        y=g.random(count),
        area=np.tile(np.repeat(np.geomspace(SMALLEST, LARGEST, LEVELS), SHAPES), len(WIDENINGS)),
        stretch=np.where(widening == 1, np.minimum(drawn_out, 2.5), widening * g.uniform(0.85, 1.2, count)),
        turn=g.uniform(0, np.pi, count),
        outline=g.integers(0, OUTLINES, count),
        hollow=np.where((g.random(count) < 0.4) & (widening == 1), g.uniform(0.1, 0.6, count), 0),
        bend=np.where(widening == 1, 0, BENT * g.standard_normal(count)),
        edge=edge,
    )
    parts = []
    for first in range(0, count, SHAPES):
        chosen = np.arange(first, first + SHAPES)
        reach = int(np.ceil(specks.reach(chosen).max()))
        cover, density = specks.draw(chosen, reach)
        seen = np.nonzero(cover > SEEN)
        parts.append((chosen[seen[0]], seen[1] - reach, seen[2] - reach, cover[seen], density[seen]))
    which, down, right, covers, densities = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Stock(np.searchsorted(which, np.arange(count + 1)), down, right, covers, densities)


@lru_cache(maxsize=8)
def _ready_on(edge: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """The pixels of :func:`ready` on a device: how far down and right they are, and their cover and density."""
    stock = ready(edge)
    away, look = np.stack([stock.down, stock.right]), np.stack([stock.cover, stock.density])
    return sent(torch.from_numpy(away), device), sent(torch.from_numpy(look), device)


@lru_cache(maxsize=8)
def _outlines_on(device: torch.device) -> Tensor:
    return sent(torch.from_numpy(_outlines()), device)
