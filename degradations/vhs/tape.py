"""A VHS tape and its recorder: the channel of luma and colour, the time base, and the faults of the tape."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, covered
from degradations.rng import Rng
from degradations.vhs.faults import Band, Dropout, draw_dropouts, drop_out, mistrack, switch_heads
from degradations.vhs.signal import (
    SYSTEMS,
    Channel,
    Lines,
    Mix,
    Plane,
    SystemName,
    chroma_response,
    coloured,
    combed,
    luma_response,
    mixed,
    to_rgb,
    to_yuv,
)
from degradations.vhs.timebase import Wander, field_shifts

OVERSCAN_US = 0.4
"""A displaced line shows this much of what lies beyond the picture (its border, repeated), and then black: ours."""


class Tape(Degradation):
    """A recording on VHS, played back: bandwidth, noise, time base and faults of the tape.

    Rows are lines of a television picture, those of even and of odd number two fields, and the width is the active
    part of a line (52.6 us in NTSC, 51.95 us in PAL), so frequencies hold for any size. For the look of a real tape
    give pictures of 480 or 576 rows.

    Settings of the channel:
        system: ``ntsc`` or ``pal``: length of a line, lines of a picture, and over how many lines colour is averaged.
        luma_mhz: where luma is 3 dB down.
        peaking_db: what the sharpness control lifts at 2 MHz.
        chroma_mhz: where colour is 3 dB down.
        chroma_delay_us: how much later than luma colour comes (it stands right of where it belongs).
        luma_snr_db, chroma_snr_db: black to white over the standard deviation of noise in luma, and in either colour
            difference, unweighted.
        saturation: what is left of colour.
        hue_deg: standard deviation between clips of an error of phase: it turns the hue in NTSC, and takes away
            saturation in PAL.
        cast: standard deviation between clips of an offset of each colour difference.
        generations: 2 is a copy of a tape, and so on: all of it again, each time with its own noise and faults.

    Settings of the time base, in microseconds:
        jitter_us, jitter_lines: standard deviation of what displaces neighbouring lines of a field together, and over
            how many lines it is forgotten.
        line_jitter_us: of what displaces every line for itself.
        flagging_us: standard deviation between frames of how far the top of the picture is bent; it changes slowly.
        skew_us: how far lines jump where the heads switch; it varies by a fifth from frame to frame.

    Settings of the faults:
        switching_lines: lines of each field, at its bottom, behind the head switch (of 240 or 288).
        dropouts: mean number in a frame.
        dropout_us: their median length.
        compensated: share of them that is filled with the line above.
        bands: bands of mistracking that drift over the picture.
        band_lines: their height, in rows of 480 or 576.
        band_speed: rows (of 480 or 576) a frame by which they move, downwards where above 0.
        band_strength: 0 to 1.

    Masks: ``dropout``, ``tracking`` and ``head-switching``, where the settings can make any.

    Figures: VHS has about 3 MHz of luma and 0.4 MHz of colour (betasptodvd.com, "VHS"; 0.5 MHz says G. Sanders,
    rec.video 1996), which is 237 lines by 2 x 3 MHz x 52.6 us x 3/4; JVC's SR-VS30U is specified with 230 lines and
    45 dB (weighted by the eye, as such figures are: the noise as it is stands higher, so 42 here), and slow speeds
    lose a twelfth of the lines (betasptodvd.com). Colour has about 40 lines and is shifted to the right (doom9.org,
    "Chromashift filters"). Heads switch 6.5 lines before the vertical sync (release notes of
    stoatworks-labs/colourunder) at the bottom of the full picture (A/V Artifact Atlas, "Head switching noise"); of
    these 3.5 are seen, the others being blanked. The top 10 to 20 % have the largest errors of the time base, and
    those of copies add up (questronix.com.au, "What is a TBC"). How large these errors are, the noise of colour, the
    number of dropouts, and the shapes of all faults are our choice.
    """

    kind: ClassVar[str] = "tape"
    frame_by_frame: ClassVar[bool] = True
    system: SystemName = "ntsc"
    luma_mhz: float = Field(default=3.0, ge=0.3, le=10)
    peaking_db: float = Field(default=3.0, ge=0, le=12)
    chroma_mhz: float = Field(default=0.4, ge=0.05, le=5)
    chroma_delay_us: float = Field(default=0.15, ge=-2, le=2)
    luma_snr_db: float = Field(default=42.0, ge=10, le=80)
    chroma_snr_db: float = Field(default=36.0, ge=10, le=80)
    saturation: float = Field(default=0.9, ge=0, le=2)
    hue_deg: float = Field(default=3.0, ge=0, le=60)
    cast: float = Field(default=0.005, ge=0, le=0.2)
    generations: int = Field(default=1, ge=1, le=6)
    jitter_us: float = Field(default=0.02, ge=0, le=2)
    jitter_lines: float = Field(default=12.0, gt=0, le=500)
    line_jitter_us: float = Field(default=0.01, ge=0, le=1)
    flagging_us: float = Field(default=0.1, ge=0, le=5)
    skew_us: float = Field(default=3.0, ge=0, le=5)
    switching_lines: float = Field(default=3.5, ge=0, le=40)
    dropouts: float = Field(default=0.3, ge=0, le=1000)
    dropout_us: float = Field(default=3.0, gt=0, le=100)
    compensated: float = Field(default=0.8, ge=0, le=1)
    bands: int = Field(default=0, ge=0, le=5)
    band_lines: float = Field(default=40.0, gt=0, le=400)
    band_speed: float = Field(default=1.5, ge=-100, le=100)
    band_strength: float = Field(default=0.8, ge=0, le=1)

    def _scale(self, height: int) -> float:
        return height / SYSTEMS[self.system].lines

    def _switched(self, height: int) -> int:
        """Lines of each field behind the head switch."""
        return round(self.switching_lines * self._scale(height))

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """For each generation: the key of its noise and faults, the error of hue in degrees and the offsets of colour,
        and where each band starts (in rows) and how fast it is (in rows a frame)."""
        made = []
        scale = self._scale(shape.height)
        for number in range(self.generations):
            own = rng.at("generation", number)
            g = own.at("clip").generator()
            hue, cast_u, cast_v = g.standard_normal(3)
            tracked = [
                {
                    "start": float(g.uniform(0, shape.height)),
                    "speed": self.band_speed * scale * float(g.uniform(0.6, 1.4)),
                }
                for _ in range(self.bands)
            ]
            made.append(
                {
                    "key": own.key,
                    "hue": float(hue * self.hue_deg),
                    "cast": [float(cast_u * self.cast), float(cast_v * self.cast)],
                    "bands": tracked,
                }
            )
        return {"key": rng.key, "generations": made, "memory": max(1, round(shape.fps / 3))}

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Of each frame: root mean square of how far its lines are displaced, in microseconds (all generations
        together), the number of its dropouts, and the centres of its bands in rows (those that are seen)."""
        size = (shape.height, shape.width)
        us = SYSTEMS[self.system].active_us / shape.width
        out: dict[str, list[Any]] = {"timebase_rms_us": [], "dropouts": [], "tracking_y_px": []}
        for frame in range(shape.frames):
            shifts = np.zeros(shape.height)
            count = 0
            seen: list[float] = []
            for drawn in params["generations"]:
                shifts += self.shifts(params, drawn, frame, shape.height)
                count += len(self._gaps(drawn, frame, size, us))
                seen += [
                    round(band.centre, 2)
                    for band in self.tracks(drawn, frame, shape.height)
                    if band.envelope(shape.height).any()
                ]
            out["timebase_rms_us"].append(round(float(np.sqrt((shifts**2).mean())), 4))
            out["dropouts"].append(count)
            out["tracking_y_px"].append(seen)
        return out

    def shifts(self, params: Params, drawn: Params, frame: int, height: int) -> NDArray[np.float64]:
        """How far each row of a frame is displaced to the right in one generation, in microseconds."""
        rng = Rng(drawn["key"])
        out = np.zeros(height)
        flag = self.flagging_us * _slow(rng.at("flag"), frame, params["memory"])
        for parity in range(min(2, height)):
            g = rng.at("frame", frame, "field", parity).generator()
            lines = len(out[parity::2])
            scale = 2 * lines / SYSTEMS[self.system].lines
            wander = Wander(
                slow=self.jitter_us,
                memory=max(self.jitter_lines * scale, 0.1),
                fast=self.line_jitter_us,
                flag=flag,
                skew=self.skew_us * (1 + 0.2 * float(g.standard_normal())),
                switched=self._switched(height),
            )
            out[parity::2] = field_shifts(wander, lines, g)
        return out

    def tracks(self, drawn: Params, frame: int, height: int) -> list[Band]:
        """Where the bands of a frame are, in rows; they come in again where they went out."""
        tall = self.band_lines * self._scale(height)
        around = height + tall
        return [
            Band(centre=(band["start"] + band["speed"] * frame + tall / 2) % around - tall / 2, height=tall)
            for band in drawn["bands"]
        ]

    def _gaps(self, drawn: Params, frame: int, size: tuple[int, int], us: float) -> list[Dropout]:
        g = Rng(drawn["key"]).at("frame", frame, "dropouts").generator()
        # As many for the area of a small picture as for a large one: a frame is a frame of tape.
        return draw_dropouts(g, self.dropouts, 3.0, self.dropout_us, self.compensated, size, us)

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class; masks of earlier damage are displaced with the lines."""
        height, width = frames.shape[2:]
        player = _Player(self, width)
        kinds = {
            "dropout": self.dropouts > 0,
            "tracking": self.bands > 0,
            "head-switching": self._switched(height) > 0,
        }
        made = {kind: np.zeros((len(frames), height, width), np.float32) for kind, there in kinds.items() if there}
        moved = {kind: plane.numpy().copy() for kind, plane in masks.items()}
        out = torch.empty_like(frames)
        for i, frame in enumerate(frames):
            planes = np.ascontiguousarray(frame.numpy())
            earlier = [plane[i, 0] for plane in moved.values()]
            own = {kind: plane[i] for kind, plane in made.items()}
            for number, drawn in enumerate(params["generations"]):
                shifts = self.shifts(params, drawn, start + i, height)
                _displace([*earlier, *own.values()], shifts / player.lines.us)
                colours = self._colours(drawn)
                planes = (
                    to_yuv(planes, colours) if number == 0 else mixed(planes, colours) if len(planes) == 3 else planes
                )
                planes = player.played(planes, shifts, Rng(drawn["key"]).at("frame", start + i))
                self._damage(planes, own, drawn, start + i, player.lines.us)
            out[i] = torch.from_numpy(to_rgb(planes))
        all_masks: dict[str, Tensor] = {kind: torch.from_numpy(plane) for kind, plane in moved.items()}
        for kind, cover in made.items():
            all_masks = covered(all_masks, kind, torch.from_numpy(cover)[:, None])
        return Damage(out, all_masks)

    def _colours(self, drawn: Params) -> Mix:
        hue, saturation = drawn["hue"], self.saturation
        if self.system == "pal":
            # The error of one line is undone by that of the next, and what is left is weaker.
            hue, saturation = 0.0, saturation * math.cos(math.radians(hue))
        return coloured(saturation, hue, tuple(drawn["cast"]))

    def _damage(self, planes: Plane, masks: dict[str, Plane], drawn: Params, frame: int, us: float) -> None:
        rng = Rng(drawn["key"]).at("frame", frame)
        height, width = planes.shape[1:]
        if self.bands:
            g = rng.at("tracking").generator()
            for band in self.tracks(drawn, frame, height):
                mistrack(planes, masks["tracking"], band, self.band_strength * float(g.uniform(0.7, 1)), us, g)
        if "head-switching" in masks:
            g = rng.at("switching").generator()
            switch_heads(planes, masks["head-switching"], self._switched(height), us, g)
        if self.dropouts:
            gaps = self._gaps(drawn, frame, (height, width), us)
            drop_out(planes, masks["dropout"], gaps, us, rng.at("streaks").generator())


class _Player:
    """The paths of luma and colour for frames of one size."""

    def __init__(self, tape: Tape, width: int) -> None:
        system = SYSTEMS[tape.system]
        self.lines, self.comb = Lines(system, width), system.comb
        luma = luma_response(self.lines.mhz, tape.luma_mhz, tape.peaking_db)
        colour = chroma_response(self.lines.mhz, tape.chroma_mhz, tape.chroma_delay_us)
        # Noise is made before the comb, which takes off some of it.
        colour_noise = 10 ** (-tape.chroma_snr_db / 20) * math.sqrt(len(system.comb))
        self.luma = Channel(self.lines, luma, 10 ** (-tape.luma_snr_db / 20))
        self.colour = Channel(self.lines, colour, colour_noise)

    def played(self, planes: Plane, shifts: NDArray[np.float64], rng: Rng) -> Plane:
        """Planes as they come from the tape: filtered, noisy, displaced, colour combed."""
        out = np.empty_like(planes)
        channels = (self.luma, self.colour, self.colour)[: len(planes)]
        turned = self.lines.turned(shifts, max(len(c.passes) for c in channels))
        for number, (plane, channel) in enumerate(zip(planes, channels, strict=True)):
            played = channel.played(plane, turned, rng.at("noise", number).generator())
            if number:
                combed(played, self.comb, out[number])
            else:
                out[number] = played
        self._blank(out, shifts)
        return out

    def _blank(self, planes: Plane, shifts: NDArray[np.float64]) -> None:
        """Black where a displaced line shows what is well beyond the picture."""
        width = planes.shape[2]
        for row in np.flatnonzero(np.abs(shifts) > OVERSCAN_US):
            seen = round((abs(float(shifts[row])) - OVERSCAN_US) / self.lines.us)
            part = slice(0, seen) if shifts[row] > 0 else slice(max(width - seen, 0), width)
            planes[:, row, part] = 0


def _displace(masks: list[Plane], shifts: NDArray[np.float64]) -> None:
    """Rows of masks ``(H, W)`` moved to the right by ``shifts`` pixels, in place."""
    for plane in masks:
        if plane.any():
            height, width = plane.shape
            x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
            x -= shifts[:, None].astype(np.float32)
            plane[...] = cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _slow(rng: Rng, frame: int, memory: int) -> float:
    """A standard normal number at a frame, correlated over ``memory`` frames (blended between knots)."""
    knot, within = divmod(frame, memory)
    share = 0.5 - 0.5 * math.cos(math.pi * within / memory)
    before, after = (float(rng.at("knot", k).generator().standard_normal()) for k in (knot, knot + 1))
    return ((1 - share) * before + share * after) / math.hypot(1 - share, share)
