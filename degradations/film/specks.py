"""Shapes of specks of dirt, drawn many at once: small ones from a stock of ready ones, large ones one by one."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from degradations.film.common import Double, Float
from degradations.rng import Rng

Index = NDArray[np.intp]

OUTLINES = 512
BINS = 64
REACH = 1.5
"""How far an outline may lie outside the circle of the same area."""
SEEN = 0.004
"""Least coverage of a pixel that counts."""
SMALLEST, LARGEST, LEVELS, SHAPES = 0.6, 120.0, 25, 64
"""Areas of ready specks in square pixels, in how many steps, and how many shapes of each."""
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
    """Specks of one frame, one number of each for every speck: place in pixels, area in square pixels, ratio of the
    axes, direction of the longer one, number of the outline, how much thinner the middle is than the rim, and the width of
    the edge."""

    x: Double
    y: Double
    area: Double
    stretch: Double
    turn: Double
    outline: NDArray[np.int64]
    hollow: Double
    edge: float

    def pixels(self, height: int, width: int) -> list[Pixels]:
        """What they cover in a frame, in a few batches."""
        small = self.area < LARGEST
        out = [self._ready(np.flatnonzero(small), height, width)]
        reach = np.ceil(self.reach(np.arange(len(self.area)))).astype(int)
        low = 0
        for high in (20, 40, 80, 160):
            chosen = np.flatnonzero(~small & (reach > low) & (reach <= high))
            low = high
            if len(chosen):
                out.append(self._drawn(chosen, int(reach[chosen].max()), height, width))
        return out

    def reach(self, chosen: Index) -> Double:
        """How far the chosen specks reach from their middle, pixels."""
        radius = np.sqrt(self.area[chosen] / np.pi)
        return np.asarray(radius * np.sqrt(self.stretch[chosen]) * REACH + np.maximum(self.edge, 0.3 * radius) / 2)

    def _ready(self, chosen: Index, height: int, width: int) -> Pixels:
        """Small specks, of shapes that are drawn already; at this size nobody sees one twice."""
        stock = ready(self.edge)
        level = np.log(np.maximum(self.area[chosen], SMALLEST) / SMALLEST) / np.log(LARGEST / SMALLEST) * (LEVELS - 1)
        kind = np.searchsorted(WIDENINGS_BETWEEN, self.stretch[chosen])
        number = (kind * LEVELS + np.round(level).astype(np.intp)) * SHAPES + self.outline[chosen] % SHAPES
        count = stock.begin[number + 1] - stock.begin[number]
        which = np.repeat(np.arange(len(chosen)), count)
        pixel = np.arange(len(which)) + np.repeat(stock.begin[number] - (np.cumsum(count) - count), count)
        row = np.floor(self.y[chosen]).astype(np.intp)[which] + stock.down[pixel]
        column = np.floor(self.x[chosen]).astype(np.intp)[which] + stock.right[pixel]
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        pixel = pixel[inside]
        index = (row * width + column)[inside]
        return Pixels(chosen[which[inside]], index, stock.cover[pixel], stock.density[pixel])

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

        def of(values: NDArray[Any]) -> Float:
            return values[chosen].astype(np.float32)[:, None, None]

        middle = (np.arange(-reach, reach + 1) + 0.5).astype(np.float32)
        dx = middle[None, None] - of(self.x % 1)
        dy = middle[None, :, None] - of(self.y % 1)
        cos, sin = of(np.cos(self.turn)), of(np.sin(self.turn))
        thin = of(np.sqrt(self.stretch))
        along = (dx * cos + dy * sin) / thin
        across = (dy * cos - dx * sin) * thin
        # The taxicab angle rises with the true one and needs no arc tangent.
        taxicab = np.abs(along) + np.abs(across)
        part = across / np.maximum(taxicab, np.float32(1e-6))
        corner = np.where(along >= 0, 1 + part, 3 - part)  # 0..4, from straight across on
        bins = (corner * (BINS / 4)).astype(np.intp) % BINS
        radius = of(np.sqrt(self.area / np.pi))
        outline = radius * _outlines().reshape(-1)[bins + (self.outline[chosen] * BINS)[:, None, None]]
        distance = np.sqrt(along * along + across * across)
        # Across a splinter the distance grows faster than the pixels that it spans, along it more slowly.
        faster = np.sqrt((along / thin) ** 2 + (across * thin) ** 2) / np.maximum(distance, np.float32(1e-6))
        inside = (outline - distance) / np.maximum(faster, 1 / thin)
        edge = np.maximum(np.float32(self.edge), np.float32(0.3) * radius / thin)
        cover = np.clip(0.5 + inside / edge, 0, 1)
        # What is thinner than a pixel covers a share of it: its edge is softened over a pixel, its sum kept.
        total = np.maximum(cover.sum(axis=(1, 2), keepdims=True), np.float32(1e-6))
        cover *= np.where(radius / thin < 1.2, np.minimum(1, of(self.area) / total), 1)
        deep = np.clip((inside - 0.5 * edge) / np.maximum(edge, 0.5 * radius), 0, 1)
        return cover, cover * (1 - of(self.hollow) * deep)


@cache
def _outlines() -> Float:
    """Distance of the outline over the radius, ``(OUTLINES, BINS)``: half of them rounded blobs, half shards.

    The bins are those of the taxicab angle (see :meth:`Specks.draw`). The same for all clips: a speck is told apart by its
    size and turn.
    """
    g = Rng.root(0).at("outlines of specks").generator()
    corner = 4 * (np.arange(BINS) + 0.5) / BINS  # 0..4, a quarter turn each
    quarter, within = np.floor(corner), corner % 1
    angle = np.pi / 2 * quarter + np.arctan2(within, 1 - within)
    half = OUTLINES // 2
    blobs = np.ones((half, BINS))
    for order in range(2, 7):
        size, phase = g.standard_normal((half, 1)), g.uniform(0, 2 * np.pi, (half, 1))
        blobs += (0.4 / order) * size * np.cos(order * angle + phase)
    # A shard is what a few straight cuts leave over.
    cuts = np.cos(g.uniform(0, 2 * np.pi, (half, 1, 5)) - angle[:, None])
    distance = g.uniform(0.55, 1.1, (half, 1, 5))
    shards = np.where(cuts > 0.2, distance / np.maximum(cuts, 0.2), REACH).min(axis=2)
    both = np.concatenate([np.clip(blobs, 0.3, REACH), np.clip(shards, 0.3, REACH)])
    turns = np.diff(np.append(angle, angle[0] + 2 * np.pi))
    area = (both**2 * turns).sum(axis=1, keepdims=True) / (2 * np.pi)
    return np.asarray(np.clip(both / np.sqrt(area), 0.3, REACH), dtype=np.float32)


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
        hollow=np.where(g.random(count) < 0.4, g.uniform(0.1, 0.6, count), 0),
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
