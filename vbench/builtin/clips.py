"""The embedded clips: photographs, cut into layers, seen by a hand-held camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.builtin import SIZE
from vbench.builtin.paths import ease, wander
from vbench.builtin.scene import Float, Layer, Matrix, Scene, Shot, decode, encode, view
from vbench.clip import ClipInfo, Frames, check_range, walk

FPS = 24.0
H, W = SIZE
FLOW_STEPS = 64
"""Stored flow is rounded to 1/64 pixel."""


class BuiltinClip:
    """An embedded clip: frames on demand, any instant between them, exact flow. Satisfies ``vbench.clip.Clip``."""

    def __init__(self, scene: Scene, frames: int | None = None) -> None:
        self.scene = scene
        count = scene.frames if frames is None else min(frames, scene.frames)
        self.info = ClipInfo(
            name=scene.name,
            frames=count,
            height=scene.height,
            width=scene.width,
            channels=1 if scene.gray else 3,
            fps=FPS,
            bit_depth=8,
            source=f"embedded: {scene.name}",
            colour="sRGB, rendered" if not scene.gray else "gray, rendered",
        )

    def render(self, time: float) -> Float:
        """The scene at any instant (in frames), ``(H, W, C)`` float32 in [0, 1], without motion blur."""
        return self.scene.render(time)

    def exposure(self, time: float, shutter: float, samples: int = 16) -> Float:
        """True motion blur: the mean of linear light over ``shutter`` frames about ``time``."""
        instants = (np.arange(samples) + 0.5) / samples * shutter - shutter / 2 + time
        return encode(np.mean([decode(self.render(float(t))) for t in instants], axis=0, dtype=np.float32))

    def flow(self, start: float, end: float) -> tuple[Float, NDArray[np.bool_]]:
        """Exact optical flow ``(H, W, 2)`` in pixels from one instant to another, and where there is none."""
        return self.scene.flow(start, end)

    def read(self, start: int, stop: int) -> Frames:
        """Frames ``start`` to ``stop`` (excluded), uint8."""
        check_range(self.info, start, stop)
        return np.stack([np.floor(self.render(t) * 255 + 0.5).astype(np.uint8) for t in range(start, stop)])

    def chunks(self, size: int = 16) -> Iterator[Frames]:
        """All frames, ``size`` at a time."""
        return walk(self, size)

    def save_flow(self, folder: Path) -> None:
        """Write ``00000000.npz`` per pair of neighbours: :func:`load_flow` reads it."""
        for t in range(self.info.frames - 1):
            arrays: dict[str, NDArray[Any]] = {}
            for name, a, b in (("forward", t, t + 1), ("backward", t + 1, t)):
                flow, occluded = self.flow(a, b)
                steps = np.clip(np.round(flow * FLOW_STEPS), -32768, 32767).astype(np.int16)
                # Neighbours differ little, so differences along rows compress well.
                arrays[name] = np.diff(steps, axis=1, prepend=np.int16(0))
                arrays[f"occluded_{name}"] = np.packbits(occluded)
            np.savez_compressed(folder / f"{t:08d}.npz", **arrays)  # type: ignore[arg-type]  # names are keywords


def load_flow(path: Path) -> dict[str, NDArray[Any]]:
    """Flow of one pair: ``forward`` and ``backward`` ``(H, W, 2)`` float32 in pixels (to 1/64), ``occluded_*`` bool."""
    out: dict[str, NDArray[Any]] = {}
    with np.load(path) as stored:
        for name in ("forward", "backward"):
            steps = np.cumsum(stored[name], axis=1, dtype=np.int16)
            out[name] = steps.astype(np.float32) / FLOW_STEPS
            count = steps.shape[0] * steps.shape[1]
            out[f"occluded_{name}"] = (
                np.unpackbits(stored[f"occluded_{name}"], count=count).reshape(steps.shape[:2]) > 0
            )
    return out


# --- photographs and mattes ----------------------------------------------------------------------


def _photo(name: str) -> Float:
    from skimage import data

    image = getattr(data, name)()
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return np.ascontiguousarray(image[..., :3], dtype=np.float32) / 255.0


def _reduce(image: Float, factor: float) -> Float:
    """Smaller without aliasing, so that rendering at twice the frame's size never skips pixels."""
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _soft(mask: NDArray[np.bool_], sigma: float) -> Float:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma), dtype=np.float32)


def _fill(image: Float, known: NDArray[np.bool_]) -> Float:
    """Continue ``image`` into where it is not known, ever more smoothly with distance (push and pull)."""
    weight = known.astype(np.float32)
    levels: list[tuple[NDArray[Any], NDArray[Any]]] = [(image * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 2:
        colour, share = levels[-1]
        size = ((share.shape[1] + 1) // 2, (share.shape[0] + 1) // 2)
        levels.append(
            (
                cv2.resize(colour, size, interpolation=cv2.INTER_AREA),
                cv2.resize(share, size, interpolation=cv2.INTER_AREA),
            )
        )
    colour, share = levels[-1]
    filled = colour / np.maximum(share, 1e-6)[..., None]
    for colour, share in reversed(levels[:-1]):
        size = (share.shape[1], share.shape[0])
        coarse = cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR)
        own = np.minimum(share, 1)[..., None]
        filled = np.where(
            share[..., None] > 0,
            own * colour / np.maximum(share, 1e-6)[..., None] + (1 - own) * coarse,
            coarse,
        )
    return np.asarray(filled, dtype=np.float32)


def _steady(time: float) -> float:
    return 1.0


def _hand(key: str, amount: float, every: float = 4.0) -> Callable[[float], tuple[float, float]]:
    """A hand's shake in x and y, picture pixels: a slow sway and a fast tremor."""
    slow = wander(f"{key}/x", amount, 2.2 * every), wander(f"{key}/y", 0.8 * amount, 2.2 * every)
    fast = (
        wander(f"{key}/tx", 0.22 * amount, 0.8 * every, memory=0.1),
        wander(f"{key}/ty", 0.22 * amount, 0.8 * every, memory=0.1),
    )
    return lambda t: (slow[0](t) + fast[0](t), slow[1](t) + fast[1](t))


# --- the clips -----------------------------------------------------------------------------------


def _portrait() -> Scene:
    photo = _photo("astronaut")
    hand, turn = _hand("portrait", 7.0, 3), wander("portrait/turn", 1.4, 5)
    zoom, tilt = ease(0.9, 1.3, 24), ease(-0.025, 0.035, 24)

    def pose(t: float) -> Matrix:
        x, y = hand(t)
        return view(H, W, (212 + 2.4 * t + x, 142 - 0.9 * t + y), zoom(t), turn(t), (tilt(t), 0.01))

    return Scene("portrait", 24, H, W, (Shot(0, (Layer(photo, None, pose),)),), _steady)


def _cat() -> Scene:
    photo = _photo("chelsea")
    hand, turn = _hand("cat", 6.0, 3), wander("cat/turn", 2.0, 5)
    drift, light = ease(0, 44, 24), wander("cat/light", 0.07, 8)

    def back(t: float) -> Matrix:
        x, y = hand(t)
        return view(H, W, (206 + 0.8 * drift(t) + x, 140 + y), 0.95, turn(t))

    height, width = 420, 900
    column = np.arange(width)
    posts = np.zeros((height, width), bool)
    for centre, half in ((210, 15), (520, 12), (760, 17)):
        posts[:, np.abs(column - centre) < half] = True
    cover = _soft(posts, 5.0)
    grain = _fill(np.repeat(_photo("brick")[:420, :, :1], 3, axis=2), np.ones((420, 512), bool))
    wood = np.repeat(cv2.GaussianBlur(cv2.resize(grain[..., 0], (width, height)), (0, 0), 7)[..., None], 3, axis=2)
    texture = (0.16 + 0.16 * wood) * np.array([0.75, 0.9, 0.62], np.float32)

    def front(t: float) -> Matrix:
        x, y = hand(t)
        # Four times nearer than the cat: it moves four times as far when the camera does.
        return view(H, W, (330 + 3.4 * (drift(t) + x), 210 + 3 * y), 0.95, turn(t) + 2.0)

    layers = (Layer(photo, None, back), Layer(texture.astype(np.float32), cover, front))
    return Scene("cat", 24, H, W, (Shot(0, layers),), lambda t: 1.0 + light(t) + 0.006 * t)


def _coffee() -> Scene:
    photo = _photo("coffee")
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    saucer = ((x - 277) / 203) ** 2 + ((y - 222) / 168) ** 2 < 1
    cup = ((x - 290) / 118) ** 2 + ((y - 130) / 122) ** 2 < 1
    above = _soft(saucer | cup, 2.0)
    table = _fill(photo, ~cv2.dilate((saucer | cup).astype(np.uint8), np.ones((25, 25), np.uint8)).astype(bool))
    # The table goes on under the saucer; its shadow is what the fill makes darker around the cut.
    hand, turn, orbit = _hand("coffee", 5.0, 3), ease(-7, 9, 12), ease(-20, 26, 12)

    def low(t: float) -> Matrix:
        dx, dy = hand(t)
        return view(H, W, (283 + orbit(t) + dx, 196 + dy), 0.64 + 0.002 * t, turn(t))

    def high(t: float) -> Matrix:
        dx, dy = hand(t)
        return view(H, W, (283 + 0.72 * orbit(t) + dx, 196 + dy), 0.64 + 0.002 * t, turn(t))

    near, spin = _hand("coffee/near", 6.0, 3), ease(10, 1, 24)

    def close(t: float) -> Matrix:
        dx, dy = near(t)
        return view(H, W, (292 + 3.0 * (t - 12) + dx, 132 + 1.6 * (t - 12) + dy), 1.12, spin(t), (0.03, -0.02))

    wide = Shot(0, (Layer(table, None, low), Layer(photo, above, high)))
    return Scene("coffee", 24, H, W, (wide, Shot(12, (Layer(photo, None, close),))), _steady)


def _launch() -> Scene:
    photo = _photo("rocket")
    height, width = photo.shape[:2]
    y, x = np.mgrid[:height, :width]
    body = (np.abs(x - 320) < 15) & (y > 122) & (y < 404)
    matte = _soft(body, 1.6)
    wide = cv2.dilate(body.astype(np.uint8), np.ones((13, 13), np.uint8)).astype(bool)
    sky = _fill(photo, ~wide)
    hand, turn, light = (
        _hand("launch", 4.0, 3),
        wander("launch/turn", 0.7, 5),
        wander("launch/light", 0.03, 3),
    )

    def climb(t: float) -> float:
        return 0.3 * max(t - 2.0, 0.0) ** 2

    def ground(t: float) -> Matrix:
        dx, dy = hand(t)
        return view(H, W, (320 + dx, 266 - 0.6 * climb(t) + dy), 0.62, turn(t))

    def rising(t: float) -> Matrix:
        move = np.array([[1, 0, 0], [0, 1, -climb(t)], [0, 0, 1]], dtype=np.float64)
        return ground(t) @ move

    y, x = np.mgrid[: height + 240, :width]  # the fire reaches below the photograph
    flame = np.exp(-(((x - 320) / 11) ** 2)) * np.clip((y - 398) / 6, 0, 1) * np.exp(-np.clip(y - 400, 0, None) / 26.0)
    glow = np.exp(-(((x - 320) / 46) ** 2) - ((y - 408) / 38) ** 2)
    cover = np.clip(1.1 * flame + 0.55 * glow, 0, 1).astype(np.float32)
    fire = np.stack([np.ones_like(flame), 0.62 + 0.36 * flame, 0.24 + 0.6 * flame**2], axis=-1).astype(np.float32)
    layers = (Layer(sky, None, ground), Layer(fire, cover, rising), Layer(photo, matte, rising))
    return Scene("launch", 24, H, W, (Shot(0, layers),), lambda t: 1.0 + light(t))


def _orbit() -> Scene:
    stars = _reduce(_photo("hubble_deep_field"), 0.8)
    surface = _photo("moon")
    side = 300
    y, x = np.mgrid[:side, :side].astype(np.float64)
    u, v = (x - side / 2 + 0.5) / (side / 2 - 8), (y - side / 2 + 0.5) / (side / 2 - 8)
    lump = 1 + 0.05 * np.cos(3 * np.arctan2(v, u) + 0.6) + 0.03 * np.cos(5 * np.arctan2(v, u))
    radius = np.hypot(u, v) * lump
    z = np.sqrt(np.clip(1 - radius**2, 0, 1))
    # The flat photograph wrapped over a ball, lit from the upper left.
    bend = np.arcsin(np.clip(radius, 0, 1)) / np.maximum(radius, 1e-6)
    skin = cv2.remap(
        surface,
        (256 + 150 * u * bend).astype(np.float32),
        (256 + 150 * v * bend).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    shade = np.clip(0.06 + 1.25 * (-0.55 * u - 0.45 * v + 0.72 * z), 0.03, 1.3)
    rough = np.clip((skin - 0.35) * 2.1, 0.05, 1.2)
    rock = np.clip(rough * shade[..., None] * np.array([0.92, 0.84, 0.74]), 0, 1).astype(np.float32)
    cover = _soft(radius < 0.97, 1.2)
    hand = _hand("orbit", 2.0, 5)

    def sky(t: float) -> Matrix:
        dx, dy = hand(t)
        return view(H, W, (310 + 4.2 * t + dx, 330 + 1.6 * t + dy), 0.92, 5 - 0.5 * t)

    def body(t: float) -> Matrix:
        dx, dy = hand(t)
        size = 0.40 + 0.007 * t
        middle = (70 + 7.4 * t - 2.0 * dx, 104 - 1.3 * t - 2.0 * dy)
        spin = view(H, W, (side / 2 - 0.5, side / 2 - 0.5), size, 1.3 * t)
        return np.array([[1, 0, middle[0] - (W - 1) / 2], [0, 1, middle[1] - (H - 1) / 2], [0, 0, 1]]) @ spin

    return Scene("orbit", 24, H, W, (Shot(0, (Layer(stars, None, sky), Layer(rock, cover, body))),), _steady)


def _cameraman() -> Scene:
    photo = _photo("camera")
    hand, turn = _hand("cameraman", 5.0, 3), wander("cameraman/turn", 1.2, 5)
    pan = ease(0, 92, 24)

    def pose(t: float) -> Matrix:
        x, y = hand(t)
        return view(H, W, (210 + pan(t) + x, 160 + 0.3 * pan(t) + y), 0.88, turn(t), (0.02, 0))

    return Scene("cameraman", 24, H, W, (Shot(0, (Layer(photo, None, pose),)),), _steady, gray=True)


PLANES = 7


def _garage() -> Scene:
    from skimage import data

    left, _, disparity = data.stereo_motorcycle()
    photo = np.ascontiguousarray(left[..., :3], dtype=np.float32) / 255.0
    depth = np.asarray(disparity, dtype=np.float32)
    known = np.isfinite(depth) & (depth > 0)
    depth = _fill(np.where(known, depth, 0)[..., None].repeat(3, axis=2), known)[..., 0]
    depth = np.asarray(cv2.medianBlur(depth.astype(np.float32), 5), dtype=np.float32)
    edges = np.quantile(depth, np.linspace(0, 1, PLANES + 1))
    hand, turn = _hand("garage", 5.5, 3), wander("garage/turn", 0.9, 6)
    # The camera steps sideways: near things move farther, by their measured disparity.
    side, up = ease(-0.5, 0.5, 32), wander("garage/up", 0.3, 7)
    layers = []
    for k in range(PLANES):
        inside = depth >= edges[k] if k else np.ones_like(depth, bool)
        band = (depth >= edges[k]) & (depth <= edges[k + 1])
        parallax = float(np.median(depth[band])) - float(np.median(depth))

        def pose(t: float, parallax: float = parallax) -> Matrix:
            x, y = hand(t)
            centre = (372 + side(t) * 80 + x + side(t) * parallax, 262 + y + up(t) * parallax)
            return view(H, W, centre, 0.60 + 0.0012 * t, turn(t))

        if k == 0:
            # What lies behind is continued from what is seen beside it.
            layers.append(Layer(_fill(photo, depth < edges[2]), None, pose))
        texture = _fill(photo, inside) if k else photo
        layers.append(Layer(texture, _soft(inside, 0.8), pose))
    return Scene("garage", 32, H, W, (Shot(0, tuple(layers)),), _steady)


_MAKERS: dict[str, Callable[[], Scene]] = {
    "cameraman": _cameraman,
    "cat": _cat,
    "coffee": _coffee,
    "garage": _garage,
    "launch": _launch,
    "orbit": _orbit,
    "portrait": _portrait,
}


@cache
def scene(name: str) -> Scene:
    """The scene of an embedded clip, made once per process."""
    return _MAKERS[name]()
