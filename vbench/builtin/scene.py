"""A scene of flat layers that move: any instant as a picture, and the exact motion between any two.

Coordinates are pixels, x to the right and y down, (0, 0) at the centre of the first pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
Pose = Callable[[float], Matrix]
"""Time in frames to the homography from a layer's pixels to the frame's."""

SUPERSAMPLING = 2
SEEN = 0.5
"""A layer is what is seen at a pixel if it covers more than this."""
CLEAR = 0.04
"""At the soft edge of a layer, from this coverage to one minus it, a pixel shows two things and has no one motion."""


@dataclass(frozen=True)
class Layer:
    """A flat picture ``(h, w, 3)`` in [0, 1] (display values), its coverage ``(h, w)`` or None, and its pose."""

    texture: Float
    alpha: Float | None
    pose: Pose


@dataclass(frozen=True)
class Shot:
    """Layers from back to front, seen from frame ``start`` on until the next shot; the first covers everything."""

    start: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Scene:
    """Shots one after the other, and the exposure (a factor on linear light) over time."""

    name: str
    frames: int
    height: int
    width: int
    shots: tuple[Shot, ...]
    exposure: Callable[[float], float]
    gray: bool = False

    def shot(self, time: float) -> Shot:
        """What is shown at ``time``; a cut lies half a frame before the first frame of a shot."""
        current = self.shots[0]
        for shot in self.shots:
            if time >= shot.start - 0.5:
                current = shot
        return current

    def render(self, time: float) -> Float:
        """The picture at ``time`` (in frames, any real number), ``(H, W, C)`` in [0, 1], without motion blur."""
        fine = SUPERSAMPLING
        size = (self.width * fine, self.height * fine)
        out = np.zeros((size[1], size[0], 3), np.float32)
        for layer in self.shot(time).layers:
            matrix = _enlarge(fine) @ layer.pose(time)
            colour = layer.texture if layer.alpha is None else layer.texture * layer.alpha[..., None]
            seen = cv2.warpPerspective(colour, matrix, size, flags=cv2.INTER_LINEAR, borderMode=_border(layer))
            if layer.alpha is None:
                out = np.asarray(seen, dtype=np.float32)
            else:
                cover = cv2.warpPerspective(layer.alpha, matrix, size, flags=cv2.INTER_LINEAR)
                out = out * (1 - cover[..., None]) + seen
        small = out.reshape(self.height, fine, self.width, fine, 3).mean(axis=(1, 3))
        small = encode(decode(small) * np.float32(self.exposure(time)))
        if self.gray:
            small = small.mean(axis=2, keepdims=True)
        return np.ascontiguousarray(small, dtype=np.float32)

    def flow(self, start: float, end: float) -> tuple[Float, NDArray[np.bool_]]:
        """Where each point seen at ``start`` is at ``end``.

        Returns:
            ``(H, W, 2)`` displacement in pixels (x, then y), and ``(H, W)`` True where there is none to speak
            of: hidden at ``end``, out of the frame, on the soft edge of a layer, or on the other side of a cut.
        """
        shot = self.shot(start)
        grid = np.stack(np.meshgrid(np.arange(self.width), np.arange(self.height)), axis=-1).astype(float)
        owner, mixed = self._owners(shot, start, grid)
        target = grid.copy()
        for k, layer in enumerate(shot.layers):
            here = owner == k
            if here.any():
                target[here] = project(layer.pose(end) @ inverse(layer.pose(start)), grid[here])
        x, y = target[..., 0], target[..., 1]
        gone = mixed | (x < 0) | (y < 0) | (x > self.width - 1) | (y > self.height - 1)
        if self.shot(end) is not shot:
            gone[:] = True
        else:
            there, mixed_there = self._owners(shot, end, target)
            gone |= (there != owner) | mixed_there
        return (target - grid).astype(np.float32), gone

    def _owners(self, shot: Shot, time: float, points: Matrix) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The layer that is seen at each point, and whether an edge lies there."""
        owner = np.zeros(points.shape[:-1], np.intp)
        mixed = np.zeros(points.shape[:-1], bool)
        for k, layer in enumerate(shot.layers):
            if layer.alpha is None:
                continue
            at = project(inverse(layer.pose(time)), points).astype(np.float32)
            cover = cv2.remap(layer.alpha, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            top = cover > SEEN
            owner[top] = k
            mixed = np.where(cover >= 1 - CLEAR, False, mixed | (cover > CLEAR))
        return owner, mixed


def _border(layer: Layer) -> int:
    return int(cv2.BORDER_REFLECT_101 if layer.alpha is None else cv2.BORDER_CONSTANT)


def _enlarge(factor: int) -> Matrix:
    shift = (factor - 1) / 2
    return np.array([[factor, 0, shift], [0, factor, shift], [0, 0, 1]], dtype=np.float64)


def inverse(matrix: Matrix) -> Matrix:
    """The homography back."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def project(matrix: Matrix, points: Matrix) -> Matrix:
    """``points`` ``(..., 2)`` through a homography.

    Example:
        >>> project(np.array([[1, 0, 5], [0, 1, 0], [0, 0, 1.0]]), np.array([[1.0, 2.0]])).tolist()
        [[6.0, 2.0]]
    """
    out = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(out[..., :2] / out[..., 2:])


def decode(display: Float) -> Float:
    """sRGB display values to linear light (IEC 61966-2-1)."""
    return np.where(display <= 0.04045, display / 12.92, ((np.maximum(display, 0) + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def encode(linear: Float) -> Float:
    """Linear light to sRGB display values, clipped to [0, 1]."""
    x = np.clip(linear, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055).astype(np.float32)


def view(
    height: int,
    width: int,
    centre: tuple[float, float],
    scale: float,
    turn: float = 0.0,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> Matrix:
    """Pose of a camera over a flat picture: ``centre`` (x, y) of the picture is seen in the middle of the frame.

    ``scale`` is frame pixels per picture pixel, ``turn`` in degrees, ``tilt`` the perspective: how much nearer
    the right (lower) end is than the middle, in parts.
    """
    angle = np.deg2rad(turn)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    similar = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]]
    )
    perspective = np.array([[1, 0, 0], [0, 1, 0], [-tilt[0] / (width / 2), -tilt[1] / (height / 2), 1]])
    middle = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    return np.asarray(middle @ perspective @ similar)
