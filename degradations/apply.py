"""Draw a recipe for a clip, replay it, or do both at once in a training loop."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from degradations.base import (
    NO_MASKS,
    ClipShape,
    Damage,
    Degradation,
    Masks,
    Params,
    Subframes,
    joined,
    one_plane,
    union,
)
from degradations.catalog import load
from degradations.profile import Profile, load_profile, sha256
from degradations.rng import Rng

RECIPE_SCHEMA = 1
CPU = torch.device("cpu")
AT_ONCE = 16
"""Frames of a clip on a GPU that are damaged together: enough to keep it busy, of any number of them the same bytes."""


class Step(BaseModel):
    """One drawn step: its kind, all its settings, and what was drawn for this clip."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    settings: dict[str, Any]
    params: Params


class Recipe(BaseModel):
    """Everything that made a degraded clip from a clean one; replaying it gives the same bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = RECIPE_SCHEMA
    profile: str
    variant: str
    profile_version: int
    profile_sha256: str
    seed: int
    clip: str
    shape: dict[str, Any]
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON values; :meth:`from_json` takes them back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Recipe:
        """The recipe that ``to_json`` wrote.

        Raises:
            ValueError: the document is no recipe, or one of another version of this format.
        """
        found = document.get("schema_version", RECIPE_SCHEMA)
        if found != RECIPE_SCHEMA:
            raise ValueError(f"This recipe is of format {found!r}, and this version reads format {RECIPE_SCHEMA}.")
        return cls.model_validate(document)


def shrunk(recipe: Recipe) -> int:
    """How many times smaller a recipe makes frames, along each side.

    Example:
        >>> shrunk(draw(load_profile("sr"), "bicubic-x3", ClipShape(1, 9, 10)))
        3
    """
    return shape_behind(recipe).scale


def shape_behind(recipe: Recipe) -> ClipShape:
    """The shape of the degraded clip.

    Example:
        >>> made = shape_behind(draw(load_profile("sr"), "bicubic-x4", ClipShape(1, 9, 16)))
        >>> made.height, made.width, made.scale
        (3, 4, 4)
    """
    shape = ClipShape(**recipe.shape)
    for step in recipe.steps:
        shape = load(step.kind).model_validate(step.settings).shape_after(shape, step.params)
    return shape


OUTSIDE = (-1.0, 2.0)
"""Frames that reach beyond are not in [0, 1], but have been given in another scale."""


class Degraded(NamedTuple):
    """Damaged frames ``(T, C, H, W)``, the recipe, and where what kind of local damage is.

    Frames are as the last step left them, neither rounded nor clipped unless that step does so: noise and ringing may
    reach beyond [0, 1]. :func:`stored` gives what a data set holds of them.

    ``masks`` has a plane of coverage ``(T, 1, H, W)`` in [0, 1] for every kind that has a place; ``mask`` is their
    union, or None.
    """

    frames: Tensor
    recipe: Recipe
    masks: Masks = NO_MASKS

    @property
    def mask(self) -> Tensor | None:
        """Union of all kinds, ``(T, 1, H, W)``; None where no damage has a place."""
        return union(self.masks)


def draw(profile: Profile, variant: str, shape: ClipShape, *, seed: int = 0, clip: str = "clip") -> Recipe:
    """Draw one clip's parameters. They depend on the shape, seed, clip name, place and kind of the step.

    ``shape.rendered`` says that ``replay`` will be given ``subframes``; motion blur then takes its instants
    from them, and from optical flow otherwise.

    Example:
        >>> recipe = draw(load_profile("noise"), "gaussian25", ClipShape(3, 8, 8))
        >>> recipe.steps[0].kind, recipe.steps[0].settings["sigma"]
        ('gaussian-noise', 25.0)
    """
    root = Rng.root(seed).at(clip)
    steps = []
    now = shape
    for index, step in enumerate(profile.build(variant)):
        params = step.sample(now, root.at(index, step.kind))
        steps.append(Step(kind=step.kind, settings=step.model_dump(mode="json"), params=params))
        now = step.shape_after(now, params)
    return Recipe(
        profile=profile.name,
        variant=variant,
        profile_version=profile.version,
        profile_sha256=sha256(profile, variant),
        seed=seed,
        clip=clip,
        shape=asdict(shape),
        steps=tuple(steps),
    )


def replay(
    recipe: Recipe,
    chunks: Iterable[Damage | Tensor],
    subframes: Subframes | None = None,
    measured: list[dict[str, Any]] | None = None,
) -> Iterator[Damage]:
    """Damage a clip as a recipe says, lazily, chunk by chunk.

    Args:
        chunks: clean frames ``(t, C, H, W)``, float32 in [0, 1].
        subframes: the scene between frames, where the source can give it; only a recipe that was drawn for
            such a source (``shape.rendered``) makes use of it.
        measured: gets a dict for every step at once; what a step learns while it works is in it at the end.

    Yields:
        Damaged frames and masks; the frames of all chunks are as many as went in, and as large unless a step shrinks
        them.

    Raises:
        ValueError: the clip has not the shape of the recipe, or a step gave another shape or no numbers.
    """
    shape = ClipShape(**recipe.shape)
    stream: Iterator[Damage] = _checked(
        (c if isinstance(c, Damage) else Damage(c) for c in chunks), shape, "the source"
    )
    for number, step in enumerate(recipe.steps, 1):
        made = load(step.kind).model_validate(step.settings)
        learned: dict[str, Any] = {}
        if measured is not None:
            measured.append(learned)
        stream = _streamed(made, stream, step.params, shape, subframes if made.uses_subframes else None, learned)
        shape = made.shape_after(shape, step.params)
        stream = _checked(stream, shape, f"step {number} ({step.kind})")
    return stream


def _streamed(
    step: Degradation,
    stream: Iterator[Damage],
    params: Params,
    shape: ClipShape,
    subframes: Subframes | None,
    learned: dict[str, Any],
) -> Iterator[Damage]:
    """``step.stream``, of chunks on any device: by way of the CPU where the step has a stream of its own."""
    if step.at_home_anywhere or type(step).stream is Degradation.stream:
        yield from step.stream(stream, params, shape, subframes, learned)
        return
    came_from: list[torch.device] = []

    def on_the_cpu() -> Iterator[Damage]:
        for damage in stream:
            came_from[:] = [damage.frames.device]
            yield damage if damage.frames.device == CPU else damage.to(CPU)

    for damage in step.stream(on_the_cpu(), params, shape, subframes, learned):
        yield damage if came_from[0] == CPU else damage.to(came_from[0])


def _checked(stream: Iterable[Damage], shape: ClipShape, who: str) -> Iterator[Damage]:
    seen = 0
    wanted = (shape.channels, shape.height, shape.width)
    for damage in stream:
        frames, masks = damage
        if frames.dtype != torch.float32:
            raise ValueError(f"Frames of {who} are {frames.dtype}; frames are torch.float32 in [0, 1].")
        if frames.ndim != 4 or tuple(frames.shape[1:]) != wanted:
            raise ValueError(f"Frames of {who} are {tuple(frames.shape[1:])} and the recipe is for {wanted} (C, H, W).")
        # One value that is no finite number makes the sum none: a tenth of the time of looking at each.
        if not math.isfinite(float((frames[:, :1] if one_plane(frames) else frames).sum())):
            raise ValueError(f"Frames of {who} hold values that are not numbers, from frame {seen} on.")
        for kind, mask in masks.items():
            if tuple(mask.shape) != (len(frames), 1, *wanted[1:]):
                raise ValueError(
                    f'The mask "{kind}" of {who} is {tuple(mask.shape)}, its frames are {tuple(frames.shape)}.'
                )
        seen += len(frames)
        yield damage
    if seen != shape.frames:
        raise ValueError(f"{who[0].upper()}{who[1:]} gave {seen} frames; the recipe is for {shape.frames}.")


def _check_given(frames: Tensor, variant: str, seed: int, clip: str, fps: float) -> None:
    """Raises ValueError where what a caller gave to `degrade` is of another kind than it says."""
    if not isinstance(frames, Tensor):
        raise ValueError(  # noqa: TRY004 - as everything that is wrong with the frames
            f"The frames are of type {type(frames).__name__}; they should be a torch.Tensor (T, C, H, W), float32 in [0, 1]."
        )
    if frames.ndim != 4 or frames.shape[1] not in (1, 3) or not frames.numel():
        raise ValueError(f"The frames are {tuple(frames.shape)}; they should be (T, C, H, W) with C of 1 or 3.")
    if frames.dtype != torch.float32:
        hint = " and divide by 255" if frames.dtype == torch.uint8 else ""
        raise ValueError(f"The frames are {frames.dtype}; they should be torch.float32 in [0, 1]: call .float(){hint}.")
    # A little outside is what resampling leaves; what is far outside is of another scale.
    low, high = (float(value) for value in torch.aminmax(frames.detach()))
    if high > OUTSIDE[1] or low < OUTSIDE[0]:
        raise ValueError(
            f"The frames hold values from {low:g} to {high:g}; they should be in [0, 1]: divide 8-bit values by 255."
        )
    for what, name in (("variant", variant), ("clip", clip)):
        if not isinstance(name, str):
            raise ValueError(f"{what} = {name!r} should be a name.")  # noqa: TRY004 - see above
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise ValueError(f"seed = {seed!r} should be a whole number.")
    if not (isinstance(fps, (int, float)) and math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps = {fps!r} should be frames per second, above 0.")


def degrade(
    frames: Tensor,
    profile: str | Path | Profile,
    variant: str,
    *,
    seed: int = 0,
    clip: str = "clip",
    fps: float = 24.0,
    subframes: Callable[[float], Tensor] | None = None,
) -> Degraded:
    """Damage a clip that is in memory, as a training loop wants it.

    The clip is damaged as it is given: one in colour stays so under variants of old film, for which data sets are made
    black and white first, and nothing is sharpened first. :func:`degradations.truth.begun` does both as data sets have it.

    Args:
        frames: ``(T, C, H, W)``, float32 in [0, 1], RGB or gray; on any device. On a GPU, noise and old film are made
            where the frames are, the other kinds on the CPU, from where they come back. At least 99.9 % of all samples
            are within a grey level of what a CPU makes.
        profile: its name, the path of a YAML, or the profile itself.
        subframes: the scene between frames, where there is one; motion blur uses it.

    Raises:
        ValueError: the frames are of another type, shape or range, the seed is no whole number, a name is none, or
            there is no such profile or variant.

    Example:
        >>> clean = torch.full((2, 3, 8, 8), 0.5)
        >>> out = degrade(clean, "noise", "gaussian25", seed=1)
        >>> out.frames.shape == clean.shape, out.mask is None
        (True, True)
    """
    loaded = profile if isinstance(profile, Profile) else load_profile(profile)
    _check_given(frames, variant, seed, clip, fps)
    frames = frames.detach()
    count, channels, height, width = frames.shape
    shape = ClipShape(count, height, width, channels, fps, rendered=subframes is not None)
    recipe = draw(loaded, variant, shape, seed=operator.index(seed), clip=clip)
    whole = joined(replay(recipe, [frames] if frames.device == CPU else frames.split(AT_ONCE), subframes))
    # One plane that is seen three times could not be written into.
    return Degraded(whole.frames.contiguous(), recipe, whole.masks)


def stored(frames: Tensor) -> Tensor:
    """Frames as a data set of 8 bits holds them: clipped to [0, 1], at whole levels (rounded half up).

    Example:
        >>> [round(v, 2) for v in (stored(torch.tensor([-0.1, 0.1, 1.4])) * 255).tolist()]
        [0.0, 26.0, 255.0]
    """
    return frames.mul(255.0).add_(0.5).clamp_(0.0, 255.5).floor_().div_(255.0)


def facts(recipe: Recipe, measured: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The ground truth of the damage: what every step did to each frame, in words of numbers.

    Args:
        measured: what :func:`replay` learned, after its last frame.

    Returns:
        For each step its ``kind``, and what is known of the clip and of each frame (lists of as many values as there
        are frames): gains of flicker, offsets of weave, standard deviations of noise, kernels of blur, the quantiser
        and the bits of each frame.

    Example:
        >>> recipe = draw(load_profile("oldfilm"), "medium", ClipShape(3, 48, 64))
        >>> known = {step["kind"]: step for step in facts(recipe)}
        >>> len(known["weave"]["shift_x_px"])
        3
    """
    out = []
    shape = ClipShape(**recipe.shape)
    for number, step in enumerate(recipe.steps):
        made = load(step.kind).model_validate(step.settings)
        learned = measured[number] if number < len(measured) else {}
        out.append({"kind": step.kind, **made.facts(step.params, shape), **learned})
        shape = made.shape_after(shape, step.params)
    return out


def frames_at(recipe: Recipe, frames: Tensor, start: int) -> Tensor:
    """Any run of frames of a clip, damaged without the rest of it.

    Args:
        recipe: one whose steps treat every frame by itself.
        frames: clean frames ``(t, C, H, W)``, float32 in [0, 1], of which the first is frame ``start`` of the clip.

    Raises:
        ValueError: a step needs other frames, or the frames are not in the clip.

    Example:
        >>> clean = torch.rand(5, 3, 8, 8)
        >>> whole = degrade(clean, "noise", "gaussian25")
        >>> bool((frames_at(whole.recipe, clean[2:4], 2) == whole.frames[2:4]).all())
        True
    """
    if start < 0 or start + len(frames) > recipe.shape["frames"]:
        raise ValueError(f"Frames {start}:{start + len(frames)} are not in a clip of {recipe.shape['frames']}.")
    for number, step in enumerate(recipe.steps, 1):
        made = load(step.kind).model_validate(step.settings)
        if not made.frame_by_frame:
            raise ValueError(f"Step {number} ({step.kind}) needs the frames before or after: the clip cannot be cut.")
        frames = made.made(frames, step.params, start=start).frames
    return frames
