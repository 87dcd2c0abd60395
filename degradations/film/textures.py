"""Scans of damaged film, made up: dark marks on light paper, in twelve families, each template from its number alone.

RTN ("Bringing Old Films Back to Life", CVPR 2022) blends scans of scratched and dirty paper into clean frames. Those
scans are a download without a licence, so these are generated: gray, 8 bit, marks darker than the paper, at the size of
a scan. What a family is called decides what RTN's code does with its templates (see :mod:`degradations.film.rtn`):
"001" supplies moving lines, "008" is laid on whole, "011" is only ever added (bright marks), and thin marks may grow
by a pixel in "002" to "007", "009" and "012".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from degradations.film.common import Float
from degradations.rng import Rng

Image = NDArray[np.uint8]
Points = NDArray[np.float64]

HEIGHT, WIDTH = 540, 720
"""Size of every template, in pixels."""

_BITS = 4  # fractional bits of coordinates in OpenCV's drawing


@lru_cache(maxsize=64)
def template(collection: int, family: str, index: int) -> Image:
    """Template ``index`` of a family ("001" to "012") in a collection (any integer), ``(540, 720)`` uint8, read-only.

    Paper is 225 to 250 of 255, marks are darker. The same three arguments give the same bytes, other ones other
    templates.

    Raises:
        ValueError: no such family.

    Example:
        >>> lines = template(0, "001", 3)
        >>> lines.shape, int(np.median(lines)) > 215, int(lines.min()) < 150
        ((540, 720), True, True)
    """
    if family not in FAMILIES:
        raise ValueError(f'There is no family of textures "{family}"; there are {", ".join(FAMILIES)}.')
    g = Rng.root(collection).at("film-texture", family, index).generator()
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    ink = FAMILIES[family](g, ink)
    out = np.asarray(cv2.multiply(_paper(g), 255 - ink, scale=1 / 255), dtype=np.uint8)
    out.setflags(write=False)
    return out


def _paper(g: np.random.Generator) -> Image:
    """Light paper, cloudy by a level or two, with the grain of a scan."""
    base = g.uniform(228, 250) + g.uniform(0.5, 2.5) * _full(_clouds(g, 3, 3))
    grain = cv2.LUT(_bytes(g), _normal_levels(g.uniform(0.8, 2.2)))
    return np.asarray(cv2.add(base, grain, dtype=cv2.CV_8U), dtype=np.uint8)


def _bytes(g: np.random.Generator) -> Image:
    return np.frombuffer(g.bytes(HEIGHT * WIDTH), np.uint8).reshape(HEIGHT, WIDTH)


@lru_cache(maxsize=1)
def _quantiles() -> NDArray[np.float64]:
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(256) + 0.5) / 256))


def _normal_levels(std: float) -> Float:
    """What makes normal noise of this standard deviation from random bytes."""
    return (std * _quantiles()).astype(np.float32)


def _clouds(g: np.random.Generator, cells: int, octaves: int, persistence: float = 0.55, part: int = 4) -> Float:
    """Fractal noise of mean 0 and deviation 1, ``cells`` blots over the height and finer ones, at 1/``part`` of the size."""
    rows, columns = HEIGHT // part, WIDTH // part
    out = np.zeros((rows, columns), np.float32)
    for octave in range(octaves):
        n = cells * 2**octave
        blots = g.standard_normal((n + 1, n * 4 // 3 + 1), dtype=np.float32)
        out += persistence**octave * cv2.resize(blots, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray((out - out.mean()) / (out.std() + 1e-6))


def _full(small: Float) -> Float:
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _as_ink(share: Float) -> Image:
    """Coverage 0 to 1 at a part of the size as ink at full size."""
    return _full(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _worn(g: np.random.Generator, ink: Image, cells: int, least: float) -> Image:
    """Ink that comes and goes over the template, down to ``least`` of what it was."""
    share = least + (1 - least) / (1 + np.exp(-2.5 * _clouds(g, cells, 4)))
    return np.asarray(cv2.multiply(ink, _as_ink(share), scale=1 / 255), dtype=np.uint8)


def _stroke(ink: Image, points: Points, width: int, dark: float) -> None:
    scaled = np.round(points * 2**_BITS).astype(np.int32)
    cv2.polylines(ink, [scaled[:, None]], False, int(dark), width, cv2.LINE_AA, _BITS)


def _specks(
    g: np.random.Generator,
    ink: Image,
    count: int,
    area: tuple[float, float],
    *,
    at: Points | None = None,
    stretch: tuple[float, float] = (1.0, 1.6),
    turn: tuple[float, float] = (0.0, np.pi),
    dark: tuple[float, float] = (80, 255),
) -> None:
    """Irregular specks: areas log-normal (median in square pixels, deviation of its logarithm)."""
    centre = g.uniform((0, 0), (WIDTH, HEIGHT), (count, 2)) if at is None else at
    radius = np.sqrt(area[0] * np.exp(area[1] * g.standard_normal(count)) / np.pi)
    long = np.sqrt(g.uniform(*stretch, count))
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    outline = np.ones((count, len(angle)))
    for order in (2, 3, 5):
        phase = g.uniform(0, 2 * np.pi, (count, 1))
        outline += 0.5 / order * g.standard_normal((count, 1)) * np.cos(order * angle + phase)
    reach = radius[:, None] * np.clip(outline, 0.3, 1.8)
    along, across = reach * np.cos(angle) * long[:, None], reach * np.sin(angle) / long[:, None]
    lean = g.uniform(*turn, (count, 1))
    x = centre[:, :1] + along * np.cos(lean) - across * np.sin(lean)
    y = centre[:, 1:] + along * np.sin(lean) + across * np.cos(lean)
    polygons = np.round(np.stack([x, y], axis=2) * 2**_BITS).astype(np.int32)
    for polygon, value in zip(polygons, g.uniform(*dark, count), strict=True):
        cv2.fillPoly(ink, [polygon], int(value), cv2.LINE_AA, _BITS)


def _curve(start: Points, angle: float, length: float, turning: Points) -> Points:
    """Points of a curve of this length: it starts at an angle, and ``turning`` is added to its heading on the way."""
    heading = angle + turning
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * (length / len(turning))
    return np.asarray(start + np.cumsum(steps, axis=0))


def _inside(g: np.random.Generator) -> Points:
    return g.uniform((50, 20), (WIDTH - 50, HEIGHT - 20))


def _lines(g: np.random.Generator, ink: Image) -> Image:
    """Long upright scratches, as a projector's gate cuts them: a few, thin, wandering a little, broken here and there."""
    y = np.linspace(-8, HEIGHT + 8, 60)
    for _ in range(int(g.integers(1, 8))):
        wander = np.cumsum(g.standard_normal(len(y))) * g.uniform(0.05, 0.5)
        x = g.uniform(50, WIDTH - 50) + wander + g.normal(0, 0.004) * y
        dark, width = g.uniform(140, 255), int(g.choice([1, 1, 1, 2, 2, 3]))
        part = slice(None)
        if g.random() < 0.35:
            begin = int(g.integers(0, 35))
            part = slice(begin, begin + int(g.integers(15, 60)))
        points = np.stack([x, y], axis=1)[part]
        _stroke(ink, points, width, dark)
        if g.random() < 0.3:
            _stroke(ink, points + np.array([g.uniform(3, 9), 0.0]), 1, 0.6 * dark)
        if g.random() < 0.5:
            _break(g, ink, int(x.min()) - 5, int(x.max()) + 15)
    ink = _worn(g, ink, 5, g.uniform(0.5, 0.9))
    _specks(g, ink, int(g.integers(0, 40)), (5, 0.7), dark=(50, 160))
    return ink


def _break(g: np.random.Generator, ink: Image, left: int, right: int) -> None:
    """Ink between two columns that comes and goes from top to bottom, never all of it."""
    along = cv2.resize(g.random((int(g.integers(8, 50)), 1), dtype=np.float32), (1, HEIGHT)).reshape(HEIGHT, 1)
    share = np.clip(3 * along - g.uniform(0, 1.2), 0.1, 1)
    part = ink[:, max(left, 0) : max(right, 0)]
    part[...] = part * share


def _dust(g: np.random.Generator, ink: Image) -> Image:
    """Dust: many small specks, log-normal in area as measured on transfers of old films, denser in places."""
    count = int(np.exp(g.uniform(np.log(60), np.log(600))))
    _specks(g, ink, count, (g.uniform(4, 16), 0.85), stretch=(1.0, 2.5))
    return _worn(g, ink, 3, g.uniform(0.1, 0.8))


def _hairs(g: np.random.Generator, ink: Image) -> Image:
    """Hairs and fibres: thin, curved, some curled into loops, with a little lint."""
    for _ in range(int(g.integers(4, 26))):
        length = 45 * np.exp(0.7 * g.standard_normal())
        s = np.linspace(0, 1, max(12, int(length / 3)))
        bend, curl, pace = 1.8 * g.standard_normal(), 1.1 * g.standard_normal(), g.uniform(1, 3)
        turning = bend * s + curl * np.sin(2 * np.pi * pace * s + g.uniform(0, 6))
        width = 2 if length > 60 and g.random() < 0.4 else 1
        _stroke(ink, _curve(_inside(g), g.uniform(0, 2 * np.pi), length, turning), width, g.uniform(110, 255))
    _specks(g, ink, int(g.integers(5, 60)), (5, 0.8), dark=(60, 200))
    return ink


def _rain(g: np.random.Generator, ink: Image) -> Image:
    """Rain: many short upright streaks, a frame's worth of a worn print."""
    lean = g.normal(0, 0.03)
    thick = g.random() < 0.4
    for _ in range(int(g.integers(25, 160))):
        length = 30 * np.exp(0.7 * g.standard_normal())
        turning = np.pi / 2 + lean + 0.02 * g.standard_normal() + 0.01 * np.cumsum(g.standard_normal(8))
        width = 2 if thick and g.random() < 0.25 else 1
        _stroke(ink, _curve(g.uniform((0, -20), (WIDTH, HEIGHT)), 0, length, turning), width, g.uniform(60, 230))
    return _worn(g, ink, 4, 0.3)


def _cracks(g: np.random.Generator, ink: Image) -> Image:
    """Cracks of a dried emulsion: jagged, branching, thinner with each branch."""

    def crack(start: Points, angle: float, length: float, depth: int) -> None:
        steps = max(4, int(length / 7))
        turning = np.cumsum(0.3 * g.standard_normal(steps)) * 0.6 + 0.3 * g.standard_normal(steps)
        points = _curve(start, angle, length, turning)
        _stroke(ink, points, 2 if depth == 0 and length > 150 else 1, dark * 0.88**depth)
        if depth < 3:
            for at in np.flatnonzero(g.random(steps) < 0.16 / (1 + 0.5 * depth)):
                side = g.choice([-1, 1]) * g.uniform(0.5, 1.3)
                crack(points[at], angle + turning[at] + side, length * g.uniform(0.2, 0.55), depth + 1)

    for _ in range(int(g.integers(2, 9))):
        dark = g.uniform(120, 255)
        crack(_inside(g), g.uniform(0, 2 * np.pi), 120 * np.exp(0.5 * g.standard_normal()), 0)
    return _worn(g, ink, 4, 0.45)


def _clumps(g: np.random.Generator, ink: Image) -> Image:
    """Dirt that sticks: ragged clumps where fine noise rises above a coarse one, with crumbs around."""
    coarse, fine = _clouds(g, int(g.integers(3, 7)), 2, part=2), _clouds(g, 24, 3, 0.8, part=2)
    height = 1.6 * coarse + fine
    limit = np.quantile(height, 1 - g.uniform(0.004, 0.04))
    share = g.uniform(0.6, 1.0) * np.clip((height - limit) * 3, 0, 1)
    ink = np.maximum(ink, _as_ink(share))
    _specks(g, ink, int(g.integers(20, 150)), (6, 0.9), stretch=(1.0, 2.0))
    return ink


def _abrasion(g: np.random.Generator, ink: Image) -> Image:
    """Abrasion: bundles of fine scratches, nearly parallel within a bundle, at any angle."""
    for _ in range(int(g.integers(1, 5))):
        centre, angle = _inside(g), g.uniform(0, np.pi)
        spread, length = g.uniform(15, 110), g.uniform(50, 260)
        bow = 0.25 * g.standard_normal()
        for _ in range(int(g.integers(10, 60))):
            own = length * g.uniform(0.2, 1.0)
            start = centre + spread * g.standard_normal(2) - 0.5 * own * np.array([np.cos(angle), np.sin(angle)])
            turning = np.linspace(0, bow, 10) + 0.06 * g.standard_normal()
            _stroke(ink, _curve(start, angle, own, turning), 1, g.uniform(50, 220))
    return _worn(g, ink, 5, 0.25)


def _sheet(g: np.random.Generator, ink: Image) -> Image:
    """A whole worn frame: grime that creeps in from the edges, a stain, dust and a scratch or two."""
    y, x = np.linspace(0, 1, HEIGHT // 2)[:, None], np.linspace(0, 1, WIDTH // 2)[None, :]
    sides = np.stack(np.broadcast_arrays(x, 1 - x, 0.75 * y, 0.75 * (1 - y))) + g.exponential(0.03, (4, 1, 1))
    fine = _clouds(g, 20, 3, 0.8, part=2)
    creep = g.uniform(0.01, 0.06) * (1 + 0.7 * _clouds(g, 5, 3, 0.7, part=2) + 0.3 * fine) - sides.min(axis=0)
    share = g.uniform(0.3, 0.9) * np.clip(creep * 30, 0, 1) * np.clip(0.8 + 0.25 * fine, 0, 1)
    blot = _clouds(g, 3, 5, 0.65, part=2) + 0.15 * fine
    share = np.maximum(share, g.uniform(0.1, 0.4) * np.clip((blot - g.uniform(1.2, 2.2)) * 4, 0, 1))
    ink = np.maximum(ink, _as_ink(share))
    _specks(g, ink, int(g.integers(60, 350)), (g.uniform(5, 14), 0.9), stretch=(1.0, 2.5))
    for _ in range(int(g.integers(0, 5))):
        x0 = g.uniform(0, WIDTH)
        _stroke(ink, np.array([[x0, -5.0], [x0 + g.normal(0, 4), HEIGHT + 5.0]]), 1, g.uniform(60, 220))
    return ink


def _gouges(g: np.random.Generator, ink: Image) -> Image:
    """Gouges and digs: short, wide in the middle, mostly along one direction, with chips where they end."""
    count = int(g.integers(6, 45))
    main = g.uniform(0, np.pi)
    at = g.uniform((40, 10), (WIDTH - 40, HEIGHT - 10), (count, 2))
    area = (g.uniform(15, 60), 0.8)
    _specks(g, ink, count, area, at=at, stretch=(4, 22), turn=(main - 0.35, main + 0.35), dark=(110, 255))
    chips = np.repeat(at, 3, axis=0) + 14 * g.standard_normal((3 * count, 2))
    _specks(g, ink, len(chips), (4, 0.7), at=chips, dark=(70, 220))
    return ink


def _stains(g: np.random.Generator, ink: Image) -> Image:
    """Water marks: pale inside, with dark rims where the drop has dried, some rims within rims."""
    field = _clouds(g, int(g.integers(2, 5)), 5, g.uniform(0.35, 0.6), part=2)
    down, right = np.gradient(field)
    steep = np.hypot(down, right) + 0.004
    share = np.zeros_like(field)
    for _ in range(int(g.integers(1, 4))):
        away = np.clip((field - g.uniform(0.5, 1.9)) / steep, -20, 20)  # pixels from the rim, about
        rim = np.exp(-((away / g.uniform(1, 3)) ** 2))
        body = 1 / (1 + np.exp(-away))
        share = np.maximum(share, g.uniform(0.3, 0.8) * rim + g.uniform(0.04, 0.25) * body)
    share *= np.clip(0.85 + 0.15 * _clouds(g, 20, 3, 0.8, part=2), 0.4, 1)
    ink = np.maximum(ink, _as_ink(share))
    _specks(g, ink, int(g.integers(0, 60)), (6, 0.8), dark=(60, 180))
    return ink


def _mould(g: np.random.Generator, ink: Image) -> Image:
    """Mould and flaked emulsion: clusters of soft round spots with threads growing out of them."""
    for _ in range(int(g.integers(2, 9))):
        centre, spread = _inside(g), g.uniform(10, 55)
        count = int(g.integers(10, 70))
        at = centre + spread * g.standard_normal((count, 2))
        _specks(g, ink, count, (g.uniform(8, 35), 0.8), at=at, stretch=(1.0, 1.3), dark=(70, 220))
        for _ in range(int(g.integers(3, 12))):
            turning = np.cumsum(0.35 * g.standard_normal(14))
            thread = _curve(centre, g.uniform(0, 2 * np.pi), spread * g.uniform(0.6, 1.6), turning)
            _stroke(ink, thread, 1, g.uniform(60, 160))
    return np.asarray(cv2.GaussianBlur(ink, (5, 5), g.uniform(0.6, 1.4)), dtype=np.uint8)


def _mixture(g: np.random.Generator, ink: Image) -> Image:
    """Two or three of the thin kinds on one sheet."""
    kinds = [_lines, _dust, _hairs, _rain, _cracks, _clumps, _abrasion, _gouges]
    for kind in g.choice(len(kinds), int(g.integers(2, 4)), replace=False):
        ink = kinds[int(kind)](g, ink)
    return ink


FAMILIES: dict[str, Callable[[np.random.Generator, Image], Image]] = {
    "001": _lines,
    "002": _dust,
    "003": _hairs,
    "004": _rain,
    "005": _cracks,
    "006": _clumps,
    "007": _abrasion,
    "008": _sheet,
    "009": _gouges,
    "010": _stains,
    "011": _mould,
    "012": _mixture,
}
"""The twelve families, named as the folders of RTN's texture data are, and how the ink of one template is laid."""
