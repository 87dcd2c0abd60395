"""Old film as RTN's code makes it: a texture on every frame, then blur, resizing, noise and JPEG, then a jitter of light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator
from torch import Tensor

from degradations.base import NO_MASKS, ClipShape, Damage, Degradation, Masks, Params, covered
from degradations.film import rtn_ops as ops
from degradations.film import texture_files, textures
from degradations.film.rtn_ops import Gray
from degradations.rng import Rng

GROWING = ("002", "003", "004", "005", "006", "007", "009", "012")
"""Families of textures whose marks may grow by a pixel."""
LINES, WHOLE, BRIGHT = "001", "008", "011"
"""The families for moving lines, that is laid on whole, and that is only added."""

QUALITY = ("blur", "resize", "noise", "jpeg")
"""The steps that lower quality, in the order of RTN's code."""

_WINDOW = (150, 360)
_LINE_STEP = (5, 15)


def _in_order(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("the two numbers should be in order, the smaller one first")
    return value


Span = Annotated[tuple[float, float], AfterValidator(_in_order)]


@dataclass(frozen=True)
class _Draw:
    """What one frame gets, but for the place of its texture."""

    pick: float
    blend: str
    opacity: float
    blur: tuple[float, float, float]
    noise: str
    noise_std: float
    jpeg: int
    filters: tuple[str, str]
    brightness: float
    contrast: float
    brightness_first: bool


class Rtn(Degradation):
    """The degradation of RTN ("Bringing Old Films Back to Life", CVPR 2022), fourth generation of its code ("with moving
    lines"), which trains its published model; the defaults are that code.

    Each frame becomes gray (Rec. 601) and 8 bit, gets a texture, is blurred, resized, made noisy and compressed at that
    size, brought back to its own, and jittered in brightness and contrast; nearly every step truncates. The result has
    8 bits and equal channels. All sizes are in pixels of the frames that come in: RTN trains on crops of 256 x 256, so
    ``degrade()`` on such crops is its training data, while whole frames get what RRTN's script makes of whole DAVIS
    frames (windows of textures enlarged to the frame, blur and moving lines small against it).

    Settings:
        textures: "generated" (see :mod:`degradations.film.textures`), "white" (paper without any mark), or a folder of
            the user's own images. In a folder, the family of a file is the three digits that its sub-folder's name ends
            in ("001" to "012", as in RTN's data), and any file may be drawn for any frame. Files elsewhere (a flat
            folder) have no family: a window of them is cut, nothing grows, all blends occur; and where no file is of
            family 001, there are no clips with moving lines. Names and hashes of the files go into the recipe.
        collection, per_family: which generated templates: any number stands for another collection; how many there are
            of each of the 12 families.
        windows: cut a window of a template (side 150 to 360, turned), as for training. Else the whole template is
            resized to the frame (bicubic), as in the validation generator of the repository.
        moving_lines: share of clips in which one texture of family 001 stays and moves sideways by 5 to 15 pixels a
            frame.
        opacity: of textures, drawn per frame.
        blur_variance, blur_std: largest eigenvalue (square pixels) of anisotropic and largest standard deviation
            (pixels) of isotropic blur; one or the other per clip.
        enlarged, shrunk, up, down: shares of clips that are enlarged and shrunk for noise and JPEG, and by what factors.
        noise: standard deviation in levels, white at the resized size; additive or multiplied by the frame.
        jpeg: quality.
        brightness, contrast: factors, drawn per frame.
        order: of blur, resizing, noise and JPEG: "fixed" or "random" per clip.
        chance: that each of these four is applied to the clip.
        perturbation: None draws texture, opacity, blend, kind of noise, filters, brightness and contrast anew in each
            frame. A number draws them once per clip and lets each frame differ by at most this share of the range
            (of the window's side; angles by so many radians). Blur, noise level and JPEG always belong to the clip and
            differ per frame by what the code says (0.05 and 0.1 of the ranges of blur and its angle, 0.5 levels, 15).

    The mask "texture" covers, by the frame's opacity, the pixels that the code would call scratches of the texture as it
    is laid on: darker than its mean by more than 15 levels. Blur and resizing, which come later, spread marks further.

    Source: facts of the repository raywzy/Bringing-Old-Films-Back-to-Life; RRTN (mountln/RRTN-old-film-restoration) has
    the same code.

    Example:
        >>> params = Rtn().sample(ClipShape(7, 256, 256), Rng.root(0))
        >>> 5 <= params["noise_std_255"] <= 10, params["blur_size_px"] % 2
        (True, 1)
    """

    kind: ClassVar[str] = "rtn"
    frame_by_frame: ClassVar[bool] = True

    textures: str = Field(default="generated", min_length=1)
    collection: int = 0
    per_family: int = Field(default=100, ge=1, le=100_000)
    windows: bool = True
    moving_lines: float = Field(default=0.2, ge=0, le=1)
    opacity: Span = (0.6, 1.0)
    blur_variance: float = Field(default=8.0, ge=0, le=100)
    blur_std: float = Field(default=2.8, ge=0, le=10)
    enlarged: float = Field(default=0.2, ge=0, le=1)
    shrunk: float = Field(default=0.7, ge=0, le=1)
    up: Span = (1.0, 2.0)
    down: Span = (0.125, 1.0)
    noise: Span = (5.0, 10.0)
    jpeg: Annotated[tuple[int, int], AfterValidator(_in_order)] = (40, 100)
    brightness: Span = (0.8, 1.2)
    contrast: Span = (0.9, 1.0)
    order: Literal["fixed", "random"] = "fixed"
    chance: float = Field(default=1.0, ge=0, le=1)
    perturbation: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _ranges(self) -> Rtn:
        for name, low, high in (
            ("opacity", 0.0, 1.0),
            ("up", 1.0, 4.0),
            ("down", 0.01, 1.0),
            ("noise", 0.0, 255.0),
            ("jpeg", 1, 100),
            ("brightness", 0.0, 4.0),
            ("contrast", 0.0, 4.0),
        ):
            span = getattr(self, name)
            if not (low <= span[0] and span[1] <= high):
                raise ValueError(f"{name} = {list(span)} is outside {low:g}..{high:g}")
        if self.enlarged + self.shrunk > 1:
            raise ValueError(
                f"enlarged = {self.enlarged:g} and shrunk = {self.shrunk:g} are shares of all clips, and more than 1 "
                "together"
            )
        return self

    def sample(self, shape: ClipShape, rng: Rng) -> Params:
        """What belongs to the clip: blur, noise level, JPEG quality, size, the walk of a moving line, texture files.

        Raises:
            CannotDamage: the folder of textures is missing or empty.
        """
        u = rng.at("clip").generator().random(16)
        applied = rng.at("applied").generator().random(len(QUALITY)) < self.chance
        order = rng.at("order").generator().permutation(len(QUALITY)) if self.order == "random" else range(len(QUALITY))
        steps = [QUALITY[int(i)] for i in order]
        names = self._names()
        line_files = [n for n in names if texture_files.family_of(n) == LINES]
        lines = bool(u[0] < self.moving_lines) and (bool(line_files) or self.textures == "generated")
        params: Params = {
            "key": rng.key,
            "moving_lines": lines,
            "blur": "anisotropic" if u[1] < 0.5 else "isotropic",
            "l1": float(u[2]),
            "l2": float(u[3]),
            "angle": float(u[4]),
            "blur_size_px": 2 * ops.whole((2, 11), u[5]) + 3,
            "noise_std_255": ops.at(self.noise, u[6]),
            "jpeg_quality": ops.whole(self.jpeg, u[7]),
            "scale": self._scale(u[8], u[9], u[10]),
            "steps": [s for s in steps if applied[QUALITY.index(s)]],
        }
        if lines:
            params["blend"] = ops.BLENDS[ops.whole((0, 2), u[11])]
            params["walk_px"] = _walk(shape, rng)
        if names:
            params |= self._files(line_files if lines else list(names), params, shape)
        return params

    def _names(self) -> tuple[str, ...]:
        return () if self.textures in ("generated", "white") else texture_files.listed(self.textures)

    def _scale(self, selector: float, up: float, down: float) -> float:
        if selector > 1 - self.enlarged:
            return ops.at(self.up, up)
        return ops.at(self.down, down) if selector < self.shrunk else 1.0

    def _files(self, names: list[str], params: Params, shape: ClipShape) -> Params:
        """Which file each frame takes (one number where all take the same), and the hashes of those files."""
        steady = params["moving_lines"] or self.perturbation is not None
        rng = Rng(params["key"])
        picks = [self._pick(rng, f) for f in range(1 if steady else shape.frames)]
        chosen = [names[int(p * len(names))] for p in picks]
        used = sorted(set(chosen))
        return {
            "files": [{"name": n, "sha256": texture_files.sha256_of(self.textures, n)} for n in used],
            "picks": [used.index(n) for n in chosen],
        }

    def _pick(self, rng: Rng, frame: int) -> float:
        return float(rng.at("texture", frame).generator().random())

    def _draw(self, params: Params, frame: int) -> _Draw:
        rng, p = Rng(params["key"]), self.perturbation
        own = rng.at("frame", frame).generator().random(20)
        shared = own if p is None else rng.at("shared").generator().random(20)
        steady = params["moving_lines"] or p is not None

        def per_frame(span: tuple[float, float], i: int) -> float:
            value = ops.at(span, shared[i])
            return value if p is None else float(np.clip(value + p * (span[1] - span[0]) * (2 * own[i] - 1), *span))

        def near(value: float, reach: float, i: int) -> float:
            return float(np.clip(value + reach * (2 * own[i] - 1), 1e-8, 1 - 1e-8))

        pick = self._pick(rng, 0 if steady else frame)
        blend = params.get("blend", ops.BLENDS[ops.whole((0, 2), shared[0])])
        l1 = near(params["l1"], 0.05, 1)
        if params["blur"] == "anisotropic":
            l2, angle = near(params["l2"], 0.05, 2), np.pi * near(params["angle"], 0.1, 3)
            blur = ops.covariance(self.blur_variance * l1, self.blur_variance * l2, angle)
        else:
            blur = ((self.blur_std * l1) ** 2, 0.0, (self.blur_std * l1) ** 2)
        quality = params["jpeg_quality"] + ops.whole((-15, 15), own[4])
        return _Draw(
            pick=pick,
            blend=blend if self._family(params, pick, frame) != BRIGHT else ops.BLENDS[0],
            opacity=per_frame(self.opacity, 5),
            blur=blur,
            noise="gaussian" if shared[6] < 0.5 else "speckle",
            noise_std=float(np.clip(params["noise_std_255"] + own[7] - 0.5, *self.noise)),
            jpeg=int(np.clip(quality, *self.jpeg)),
            filters=(ops.FILTERS[ops.whole((0, 2), shared[8])], ops.FILTERS[ops.whole((0, 2), shared[9])]),
            brightness=per_frame(self.brightness, 10),
            contrast=per_frame(self.contrast, 11),
            brightness_first=bool(shared[12] < 0.5),
        )

    def _place(self, params: Params, pick: float, frame: int) -> tuple[str, int | str]:
        """Family, and the number or the name of the texture of a frame."""
        if self.textures == "white":
            return "", "white"
        if self.textures != "generated":
            picks = params["picks"]
            name = params["files"][picks[frame if len(picks) > 1 else 0]]["name"]
            return texture_files.family_of(name), name
        if params["moving_lines"]:
            return LINES, int(pick * self.per_family)
        family, index = divmod(int(pick * len(textures.FAMILIES) * self.per_family), self.per_family)
        return tuple(textures.FAMILIES)[family], index

    def _family(self, params: Params, pick: float, frame: int) -> str:
        return self._place(params, pick, frame)[0]

    def facts(self, params: Params, shape: ClipShape) -> dict[str, list[Any]]:
        """Per frame: ``texture`` (family/number, or file), ``texture_step_px`` (moving lines: to the right), ``blend``,
        ``opacity``, ``blur_covariance_px2`` (xx, xy, yy; y down), ``blur_size_px``, ``scale``, ``filters`` (to that
        scale, and back), ``noise``, ``noise_std_255``, ``jpeg_quality``, ``brightness``, ``contrast``. What a step
        that was not applied would have done is None (scale 1)."""
        draws = [self._draw(params, f) for f in range(shape.frames)]
        places = [self._place(params, d.pick, f) for f, d in enumerate(draws)]

        def of(step: str, values: list[Any], without: Any = None) -> list[Any]:
            return values if step in params["steps"] else [without] * shape.frames

        out: dict[str, list[Any]] = {
            "texture": [f"{family}/{at}" if isinstance(at, int) else at for family, at in places],
            "blend": [d.blend for d in draws],
            "opacity": [d.opacity for d in draws],
            "blur_covariance_px2": of("blur", [list(d.blur) for d in draws]),
            "blur_size_px": of("blur", [params["blur_size_px"]] * shape.frames),
            "scale": of("resize", [params["scale"]] * shape.frames, 1.0),
            "filters": of("resize", [list(d.filters) for d in draws]),
            "noise": of("noise", [d.noise for d in draws]),
            "noise_std_255": of("noise", [d.noise_std for d in draws]),
            "jpeg_quality": of("jpeg", [d.jpeg for d in draws]),
            "brightness": [d.brightness for d in draws],
            "contrast": [d.contrast for d in draws],
        }
        if params["moving_lines"]:
            out["texture_step_px"] = [0, *params["walk_px"]]
        return out

    def apply(self, frames: Tensor, params: Params, *, start: int = 0, masks: Masks = NO_MASKS) -> Damage:
        """See the class.

        Raises:
            CannotDamage: a texture file of the recipe is missing or has changed.
        """
        out = torch.empty_like(frames, memory_format=torch.contiguous_format)
        cover = torch.zeros((len(frames), 1, *frames.shape[2:]), dtype=torch.float32)
        size = (frames.shape[3], frames.shape[2])
        lines = _Lines(self, params, size, start) if params["moving_lines"] else None
        for i, clean in enumerate(frames):
            draw = self._draw(params, start + i)
            texture = lines.next() if lines else self._texture(params, draw, start + i, size)
            cover[i, 0] = torch.from_numpy(ops.marks(texture, ops.SCRATCH)) * draw.opacity
            image = ops.blended(_gray(clean), texture, draw.blend, draw.opacity)
            image = self._lowered(image, params, draw, Rng(params["key"]).at("noise", start + i))
            image = ops.jittered(image, draw.brightness, draw.contrast, brightness_first=draw.brightness_first)
            out[i] = torch.from_numpy(image.astype(np.float32) / np.float32(255))
        return Damage(out, covered(masks, "texture", cover))

    def _lowered(self, image: Gray, params: Params, draw: _Draw, rng: Rng) -> Gray:
        size = (image.shape[1], image.shape[0])
        for step in params["steps"]:
            if step == "blur":
                image = ops.blurred(image, params["blur_size_px"], draw.blur)
            elif step == "resize":
                to = (max(1, int(params["scale"] * size[0])), max(1, int(params["scale"] * size[1])))
                image = ops.resized(image, to, draw.filters[0])
            elif step == "noise":
                image = ops.noisy(image, draw.noise, draw.noise_std, rng.generator())
            else:
                image = ops.jpeg(image, draw.jpeg)
        return ops.resized(image, size, draw.filters[1])

    def _template(self, params: Params, pick: float, frame: int) -> tuple[str, Gray]:
        family, at = self._place(params, pick, frame)
        if isinstance(at, int):
            return family, textures.template(self.collection, family, at)
        hashes = {f["name"]: f["sha256"] for f in params["files"]}
        return family, texture_files.read(self.textures, at, hashes[at])

    def _texture(self, params: Params, draw: _Draw, frame: int, size: tuple[int, int]) -> Gray:
        """The texture of a frame of an ordinary clip, at its size."""
        if self.textures == "white":
            return np.full(size[::-1], 255, np.uint8)
        family, template = self._template(params, draw.pick, frame)
        if not self.windows:
            return ops.resized(template, size, "bicubic")
        rng, p = Rng(params["key"]), self.perturbation
        g = rng.at("window", frame if p is None else "shared").generator()
        u = g.random(4)
        marks = ops.scratches(template, ops.SCRATCH) if family != WHOLE and u[0] >= 0.15 else ()
        if not len(marks):
            return ops.resized(template, size, "lanczos")
        at, factor = ops.window(template, np.asarray(marks), _WINDOW, g), ops.at((2.0, 4.0), u[1])
        if p is not None:
            own = 2 * rng.at("window", frame).generator().random(4) - 1
            at, factor = _moved(at, p * own, template), float(np.clip(factor + 2 * p * own[3], 2.0, 4.0))
        texture = ops.cut(template, at, size, turned=True)
        if family in GROWING and u[2] < 0.5:
            texture = ops.grown(texture)
        return ops.contrasted(texture, factor) if u[3] < 0.7 else texture


class _Lines:
    """The texture of a moving-line clip, frame after frame from ``start`` on."""

    def __init__(self, step: Rtn, params: Params, size: tuple[int, int], start: int) -> None:
        rng = Rng(params["key"])
        _, template = step._template(params, step._pick(rng, 0), 0)
        marks = ops.scratches(template, ops.LINE)
        if step.windows and len(marks):
            at = ops.window(template, marks, _WINDOW, rng.at("window", 0).generator())
            self.first = ops.cut(template, at, size, turned=False)
        else:  # RTN's code fails on a template without a line
            self.first = ops.resized(template, size, "lanczos")
        self.columns: NDArray[np.intp] = np.arange(size[0])
        self.walk = iter([0, *params["walk_px"]])
        for _ in range(start):
            self._step()

    def _step(self) -> None:
        self.columns = ops.shifted(self.columns, next(self.walk))

    def next(self) -> Gray:
        self._step()
        return np.ascontiguousarray(self.first[:, self.columns])


def _walk(shape: ClipShape, rng: Rng) -> list[int]:
    """Steps from each frame to the next, in pixels, to the right above 0."""
    u = rng.at("walk").generator().random((max(shape.frames - 1, 0), 2))
    # A frame narrower than the step has no columns left to show; the code's frames are never that narrow.
    far = max(shape.width - 1, 0)
    return [min(ops.whole(_LINE_STEP, b), far) * (-1 if a > 0.5 else 1) for a, b in u]


def _moved(at: ops.Window, share: NDArray[np.float64], template: Gray) -> ops.Window:
    """A window moved by shares of its side and turned by radians, within the template."""
    height, width = template.shape
    left = int(np.clip(round(at.left + share[0] * at.side), 0, width - at.side))
    top = int(np.clip(round(at.top + share[1] * at.side), 0, height - at.side))
    return ops.Window(left, top, at.side, at.angle + float(np.degrees(share[2])))


def _gray(frame: Tensor) -> Gray:
    """``(C, H, W)`` as 8-bit luma ``(H, W)``, truncated to 8 bits first."""
    if len(frame) == 3 and torch.equal(frame[0], frame[1]) and torch.equal(frame[1], frame[2]):
        frame = frame[:1]
    levels = (frame * 255).clamp_(0, 255).byte().numpy()
    return ops.luma(levels) if len(levels) == 3 else np.asarray(levels[0])
