"""From a clip to the stacks of neighbours that VNLnet takes: padding in time and space, search, gathering."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from vbench.errors import InputError, RunError
from vbench.models.vnlnet.search import Matches, PatchSearch, Window, centres, gather, match, match_both

Ends = Literal["published", "repaired"]
"""How the end of a clip is continued: as the published test script does it, or as it was meant to; see `sources`."""

REACH = 7
"""Frames before and after each frame."""


def sources(count: int, ends: Ends = "published", reach: int = REACH) -> list[int | None]:
    """Which frame of the clip stands at each place of the padded clip of ``count + 2 * reach`` frames; None is black.

    Before the clip stand frames 8 to 14, after it the mirror case, so that all frames of a window differ. In the
    published test script (axeldavy/vnlnet) an index slipped: the first place of all is overwritten with a wrong
    frame, and the place directly after the clip stays black. "repaired" is what was meant, and what the loader of
    shlee0/RFR-video-denoising does. Clips below 15 frames leave some places black in either version.

    Raises:
        RunError: fewer than eight frames.

    Example:
        >>> sources(16)[:8], sources(16)[-8:]
        ([8, 9, 10, 11, 12, 13, 14, 0], [15, None, 2, 3, 4, 5, 6, 7])
        >>> sources(16, "repaired")[-8:]
        [15, 1, 2, 3, 4, 5, 6, 7]
    """
    if count <= reach:
        raise RunError(
            f"VNLnet was given a clip of {count} frame(s); it takes at least {reach + 1}, as its official script: the "
            "frames before and after the clip are taken from inside it."
        )
    padded: list[int | None] = [None] * reach + list(range(count)) + [None] * reach
    span = 2 * reach + 1
    for i in range(reach):
        padded[i] = padded[span + i]
    for i in range(reach):
        if ends == "repaired":
            padded[-1 - i] = padded[-1 - (span + i)]
        else:
            padded[-i] = padded[-(span + i)]  # the slip: -0 is the first place, and the last but six is left out
    return padded


def gray(frames: Tensor) -> Tensor:
    """What is searched: ``(T, C, H, W)`` to ``(T, H, W)``; RGB as 0.57735 times the sum, which reaches 1.732.

    Example:
        >>> gray(torch.ones(1, 3, 1, 1)).item()
        1.732...
    """
    if frames.shape[1] == 1:
        return frames[:, 0]
    red, green, blue = frames.unbind(1)
    return 0.57735 * (red + green + blue)


def rim(window: Window) -> int:
    """Black pixels that are added on each side of a frame, so that every pixel is the centre of a patch.

    Raises:
        InputError: patches of even width, which have no centre.
    """
    if window.patch % 2 == 0:
        raise InputError(f"A patch {window.patch} pixels wide has no centre pixel; an odd width is expected.")
    return window.patch // 2


def pad(frames: Tensor, window: Window) -> Tensor:
    """``(T, C, H, W)`` with the black rim."""
    return functional.pad(frames, (rim(window),) * 4)


class Neighbourhood:
    """The frames of one clip, in the order of time, to the stack of neighbours of each.

    A frame is held as long as one looks at it. Two frames that look at each other are searched once for both, and
    what the other will ask for is held until then (four bytes for each pixel of 28 pairs). So memory does not grow
    with the length of the clip. With the published ends the first frame looks at the eighth from the last: its stack
    comes late, and until then the 15 frames of its window are held.

    Args:
        count: frames of the clip.
        search: the search, with its window and reach (as many past as future frames).
        ends: see `sources`.
        watch: is given what was found for each frame: whose, and the displacements ``(14, H, W)`` down and to the right.
    """

    def __init__(
        self,
        count: int,
        search: PatchSearch,
        ends: Ends = "published",
        watch: Callable[[int, Tensor, Tensor], None] | None = None,
    ) -> None:
        if search.past != search.future or not search.past:
            raise InputError(
                f"The search reaches {search.past} frames back and {search.future} ahead; stacks of a clip are "
                "made with as many of both, and at least one."
            )
        self._search = search
        self._watch = watch
        padded = sources(count, ends, search.past)
        self._windows = [padded[t : t + 2 * search.past + 1] for t in range(count)]
        self._due: dict[int, list[int]] = {}
        """By the last frame that it waits for: whose stack can be made then."""
        for t in range(count):
            self._due.setdefault(max(t, *self._asked(t)), []).append(t)
        self._users = Counter(s for window in self._windows for s in set(window) if s is not None)
        self._open = set(range(count))
        self._frames: dict[int, Tensor] = {}
        self._searched: dict[int, Tensor] = {}
        self._found: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        """By the frame that asks and the frame searched."""
        self._fed = 0

    def feed(self, frame: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The next frame, ``(1, C, H, W)``; gives every stack whose window is now complete: whose, ``(1, N * C, H, W)``.

        The iterator is to be run through before the next frame.
        """
        newest = self._fed
        self._fed += 1
        self._frames[newest] = pad(frame, self._search.window)
        self._searched[newest] = gray(self._frames[newest]).to(self._search.precision.dtype)
        for t in self._due.get(newest, ()):
            stack = self._stack(t)
            self._open.remove(t)
            for s in {s for s in self._windows[t] if s is not None}:
                self._users[s] -= 1
                if not self._users[s]:
                    del self._frames[s], self._searched[s]
            yield t, stack

    def copy(self) -> Neighbourhood:
        """Another one in the same state, which goes its own way from here on."""
        other = copy(self)
        other._frames, other._searched, other._found = dict(self._frames), dict(self._searched), dict(self._found)
        other._users, other._open = Counter(self._users), set(self._open)
        return other

    def _stack(self, t: int) -> Tensor:
        window, own = self._windows[t], self._frames[t]
        shown = self._asked(t)
        self._match(t, shown)
        frames = torch.cat([self._frames[s] for s in shown])
        dy, dx = (torch.cat(parts) for parts in zip(*(self._found[t, s] for s in shown), strict=True))
        for s in set(shown):
            del self._found[t, s]
        if self._watch is not None:
            self._watch(t, dy, dx)
        return _assembled(window, own, frames, dy, dx, self._search)

    def _match(self, t: int, shown: list[int]) -> None:
        """Find what frame ``t`` asks for and does not have; where the other asks for it later, both."""
        wanted = [s for s in dict.fromkeys(shown) if (t, s) not in self._found]
        mutual = [s for s in wanted if s != t and s in self._open and t in self._asked(s)]
        single = [s for s in wanted if s not in mutual]
        own = self._searched[t]
        if single:
            found = match(own, torch.cat([self._searched[s] for s in single]), self._search.window)
            self._keep([(t, s) for s in single], found)
        if mutual:
            forth, back = match_both(own, torch.cat([self._searched[s] for s in mutual]), self._search.window)
            self._keep([(t, s) for s in mutual], forth)
            self._keep([(s, t) for s in mutual], back)

    def _asked(self, t: int) -> list[int]:
        return [s for i, s in enumerate(self._windows[t]) if s is not None and i != self._search.past]

    def _keep(self, pairs: list[tuple[int, int]], found: Matches) -> None:
        for n, pair in enumerate(pairs):
            # Of each pair by itself, so that memory is free when its turn has come.
            self._found[pair] = found.dy[n : n + 1].clone(), found.dx[n : n + 1].clone()


def _assembled(
    window: list[int | None], own: Tensor, frames: Tensor, dy: Tensor, dx: Tensor, search: PatchSearch
) -> Tensor:
    """The stack of one frame, ``(1, N * C, H, W)``, from the padded frames that it looks at and where in them."""
    values = gather(frames, centres(dy, dx, (own.shape[2], own.shape[3]), search.window.patch))
    edge = rim(search.window)
    here = own[0, :, edge : own.shape[2] - edge, edge : own.shape[3] - edge]
    # What is found in a black frame is black, wherever it is: nothing is searched there.
    black = torch.zeros_like(here) if None in window else here
    found = iter(values.unbind())
    slots = [here if i == search.past else black if s is None else next(found) for i, s in enumerate(window)]
    return torch.cat(slots)[None]


class Searched:
    """A clip that is in memory, and where its neighbours are: searched once, asked for in any order and often.

    Of each pixel 14 displacements are held, in two bytes each.

    Args:
        frames: each ``(1, C, H, W)``.
        search, ends: as for `Neighbourhood`.

    Raises:
        RunError: fewer than eight frames.
    """

    def __init__(self, frames: Sequence[Tensor], search: PatchSearch, ends: Ends = "published") -> None:
        self._frames = frames
        self._search = search
        padded = sources(len(frames), ends, search.past)
        self._windows = [padded[t : t + 2 * search.past + 1] for t in range(len(frames))]
        self._found: dict[int, tuple[Tensor, Tensor]] = {}
        neighbourhood = Neighbourhood(len(frames), search, ends, self._keep)
        for frame in frames:
            for _ in neighbourhood.feed(frame):
                pass

    def stack(self, t: int) -> Tensor:
        """The stack of frame ``t``, ``(1, N * C, H, W)``."""
        window = self._windows[t]
        own = pad(self._frames[t], self._search.window)
        shown = [s for i, s in enumerate(window) if s is not None and i != self._search.past]
        others = torch.cat([pad(self._frames[s], self._search.window) for s in shown])
        return _assembled(window, own, others, *self._found[t], self._search)

    def _keep(self, t: int, dy: Tensor, dx: Tensor) -> None:
        small = torch.int8 if self._search.window.search <= 2 * torch.iinfo(torch.int8).max else torch.int16
        self._found[t] = dy.to(small), dx.to(small)
