"""Shapes that take long to draw and hold over frames: fractal noise, blots with dried rims, networks of cracks."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from degradations.film.common import Double, Float, strips
from degradations.rng import Rng

BLOT_REACH = 2.3
"""Half the side of the square that a blot lies in, over its radius."""


def smooth_step(x: Float) -> Float:
    """0 below 0, 1 above 1, without corners between.

    Example:
        >>> smooth_step(np.array([-1, 0.5, 2], np.float32)).tolist()
        [0.0, 0.5, 1.0]
    """
    t = np.clip(x, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def fractal_noise(height: int, width: int, cell: float, fall: float, g: np.random.Generator) -> Float:
    """Smooth noise ``(height, width)`` of about unit deviation, whose largest lumps are ``cell`` pixels wide and each
    half as large ones ``fall`` times as high, down to two pixels."""
    out = np.zeros((height, width), np.float32)
    power, size, share = 0.0, max(cell, 2.0), 1.0
    while size >= 2.0:
        # Two cells more than fit, so that the grid may begin anywhere.
        grid = g.standard_normal((int(height / size) + 4, int(width / size) + 4)).astype(np.float32)
        begin = g.random(2) + 1
        matrix = np.array([[1 / size, 0, begin[0]], [0, 1 / size, begin[1]]])
        layer = cv2.warpAffine(
            grid, matrix, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
        )
        out += np.float32(share) * layer.reshape(height, width)
        power += share**2
        size, share = size / 2, share * fall
    # Interpolation between normal numbers takes a little over half of their variance.
    return out / np.float32(np.sqrt(0.6 * power))


@lru_cache(maxsize=24)
def blot(key: str, radius: float, rough: float, rim: float) -> tuple[Float, Float]:
    """A dried blot about the middle of a square: what it covers, and how dense it is there, both in [0, 1].

    The outline is fractal, with islands beside it where ``rough`` (0 to 1) is large. What dries carries its dirt
    outwards: the outline is a dark rim, with fainter ones inside it where the edge halted, and the middle is thin.

    Args:
        key: address of its random numbers.
        radius: of a disc of about the same area, in pixels.
        rim: how much denser the rim is than the middle, 0 to 1.
    """
    g = Rng(key).generator()
    # Large blots are drawn small and enlarged, as long as their rims stay two pixels wide.
    shrink = max(1.0, radius / 60)
    reach = int(np.ceil(BLOT_REACH * radius / shrink))
    side = 2 * reach + 1
    r = radius / shrink
    y, x = (np.mgrid[:side, :side] - reach).astype(np.float32)
    turn, stretch = g.uniform(0, np.pi), min(np.exp(0.25 * abs(g.standard_normal())), 1.35)
    along = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) / np.float32(stretch)
    across = (y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))) * np.float32(stretch)
    noise = fractal_noise(side, side, 0.9 * r, 0.55, g)
    # Depth below the outline, over the radius; nothing reaches the edge of the square.
    distance = np.hypot(along, across) / np.float32(r)
    depth = 1 - distance - np.float32(0.3 * rough) * noise
    depth = np.minimum(depth, (np.float32(1.62) - distance) * np.float32(1.5))
    edge = np.float32(max(0.03, 1.2 / r))
    cover = smooth_step(depth / edge)
    # The rim falls off inwards, and is not equally strong all around.
    around = np.clip(np.float32(0.7) + np.float32(0.45) * fractal_noise(side, side, 0.7 * r, 0.5, g), 0.1, 1)
    rings = around * np.exp(-np.maximum(depth - edge, 0) / (edge * np.float32(1.6)))
    inner = np.zeros_like(rings)
    for _ in range(int(g.integers(0, 3))):
        at, strength = np.float32(g.uniform(0.12, 0.6)), np.float32(g.uniform(0.15, 0.5))
        inner += strength * np.exp(-(((depth + 0.05 * noise - at) / (edge * 1.3)) ** 2))
    body = np.float32(1 - rim) * (1 + np.float32(0.3) * fractal_noise(side, side, 0.5 * r, 0.6, g))
    # Behind the rim it thins out towards the middle.
    body *= np.float32(0.55) + np.float32(0.45) * np.exp(-np.maximum(depth, 0) / np.float32(0.35))
    density = cover * np.clip(body + np.float32(rim) * np.clip(rings + inner, 0, 1), 0.05, 1)
    if shrink > 1:
        full = 2 * int(np.ceil(BLOT_REACH * radius)) + 1
        return _enlarged(cover, full), _enlarged(density, full)
    return _read_only(cover), _read_only(density)


def _enlarged(values: Float, side: int) -> Float:
    large = cv2.resize(values, (side, side), interpolation=cv2.INTER_LINEAR)
    return _read_only(np.clip(large, 0, 1, dtype=np.float32))


@lru_cache(maxsize=24)
def crack_tree(key: str, reach: int, width: float) -> Float:
    """Branching cracks about the middle of a square of ``2 * reach + 1`` pixels: coverage in [0, 1].

    One runs across, bends at random, and gives off branches that get thinner and shorter.
    """
    g = Rng(key).generator()
    fine, bits = 2, 4
    side = 2 * reach + 1
    canvas = np.zeros((side * fine, side * fine), np.uint8)
    heading = g.uniform(0, 2 * np.pi)
    # Begin, heading, length, width, branches that may still follow.
    waiting = [
        (np.array([0.0, 0.0]), heading, 0.9 * reach, width, 3),
        (np.array([0.0, 0.0]), heading + np.pi + 0.3 * g.standard_normal(), 0.7 * reach, width, 3),
    ]
    while waiting:
        begin, angle, length, thick, left = waiting.pop()
        points = _jagged(begin, angle, length, g)
        local = np.round((points + reach + 0.5) * fine * 2**bits).astype(np.int32)
        cv2.polylines(canvas, [local[:, None]], False, 255, max(1, round(thick * fine)), cv2.LINE_AA, bits)
        if not left:
            continue
        for _ in range(int(g.poisson(1.1 + 0.6 * left))):
            start = points[int(g.integers(1, len(points)))]
            aside = angle + (1 if g.random() < 0.5 else -1) * g.uniform(0.5, 1.3)
            waiting.append((start, aside, length * g.uniform(0.25, 0.6), max(0.6, 0.75 * thick), left - 1))
    patch = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    # What would be cut off at the rim of the square ends softly.
    y, x = np.abs(np.mgrid[:side, :side] - reach).astype(np.float32)
    return _read_only(patch * smooth_step((reach - np.maximum(x, y)) / np.float32(0.08 * reach + 1)))


def _jagged(begin: Double, angle: float, length: float, g: np.random.Generator) -> Double:
    steps = max(3, int(length / 4))
    heading = angle + np.cumsum(0.22 * g.standard_normal(steps)) + 0.25 * g.standard_normal(steps)
    moves = np.stack([np.cos(heading), np.sin(heading)], axis=1) * (length / steps)
    return np.concatenate([begin[None], begin + np.cumsum(moves, axis=0)])


@lru_cache(maxsize=24)
def reticulation(key: str, reach: int, cell: float, width: float) -> Float:
    """A net of cracks in shrunken gelatine, within an uneven patch of a square of ``2 * reach + 1`` pixels: coverage.

    The lines lie between cells of about ``cell`` pixels: where the nearest and the second nearest of a shaken grid of
    points are equally far.
    """
    g = Rng(key).generator()
    side = 2 * reach + 1
    count = int(np.ceil(side / cell)) + 4
    shaken = g.uniform(0.05, 0.95, (2, count, count)).astype(np.float32)
    y, x = (np.mgrid[:side, :side] / cell + 1.5).astype(np.float32)
    # Tears are not straight.
    y += np.clip(np.float32(0.12) * fractal_noise(side, side, cell, 0.6, g), -0.45, 0.45)
    x += np.clip(np.float32(0.12) * fractal_noise(side, side, cell, 0.6, g), -0.45, 0.45)
    nearest, second = _two_nearest(y, x, shaken)
    apart = (second - nearest) * np.float32(cell)
    lines = np.clip(np.float32(width / 2 + 0.5) - apart / 2, 0, 1)
    noise = fractal_noise(side, side, reach * 0.7, 0.5, g)
    v, u = (np.mgrid[:side, :side] - reach).astype(np.float32) / np.float32(reach)
    inside = smooth_step((1 - np.hypot(u, v) - np.float32(0.25) * noise) * np.float32(2.5))
    rim = smooth_step((1 - np.maximum(np.abs(u), np.abs(v))) * 8)
    # Some of the lines are open, others only begin to be.
    uneven = np.clip(0.55 + 0.5 * fractal_noise(side, side, 1.5 * cell, 0.6, g), 0, 1)
    return _read_only(lines * inside * rim * uneven)


def _two_nearest(y: Float, x: Float, shaken: Float) -> tuple[Float, Float]:
    """How far the nearest and the second nearest point of a shaken grid are from rows ``y`` and columns ``x`` of it.

    ``shaken`` ``(2, n, n)`` is where within its cell the point of each is, down and right.
    """
    count = shaken.shape[1]
    rows, columns = np.arange(count)[:, None] + shaken[0], np.arange(count) + shaken[1]
    nearest, second = np.full((2, *y.shape), 9, np.float32)
    for rows_of_strip in strips(*y.shape):
        v, u = y[rows_of_strip].astype(np.float64), x[rows_of_strip].astype(np.float64)
        near, next_to_it = nearest[rows_of_strip], second[rows_of_strip]
        cell = v.astype(np.intp) * count + u.astype(np.intp)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                point = cell + (down * count + right)
                distance = np.hypot(rows.take(point) - v, columns.take(point) - u).astype(np.float32)
                np.minimum(next_to_it, np.maximum(near, distance), out=next_to_it)
                np.minimum(near, distance, out=near)
    return nearest, second


def _read_only(values: Float) -> Float:
    """The values, which a cache gives to everybody: nobody may write into them."""
    out = np.ascontiguousarray(values, dtype=np.float32)
    out.setflags(write=False)
    return out
