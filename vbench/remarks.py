"""What a user may not expect of clips that are compared, and which is no error: told beside the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vbench.sources import file_facts, gap, open_clip

NARROW = (10, 12)
"""Bits of samples that are found in files of 16 without having been scaled."""


def remarks(clips: Iterable[Path | None], start: int, stop: int | None) -> list[str]:
    """Sentences on clips, each once: frames that seem to be missing, samples that seem not to fill their range."""
    out: list[str] = []
    for place in dict.fromkeys(path for path in clips if path is not None and path.is_dir()):
        out += [*_gaps(place, start, stop), *_narrow(place, start, stop)]
    return out


def _gaps(place: Path, start: int, stop: int | None) -> Iterator[str]:
    missing = gap([name for name, _, _ in file_facts(place)][start:stop])
    if missing is not None:
        yield (
            f'Frames of "{place}" seem to be missing: "{missing[0]}" is followed by "{missing[1]}". Frames are compared by '
            "their place in the folder, not by their number."
        )


def _narrow(place: Path, start: int, stop: int | None) -> Iterator[str]:
    """Of samples in 16 bits, which are read as 0 to 65535, the frame in the middle is looked at."""
    clip = open_clip(place, start=start, stop=stop)
    if clip.info.bit_depth < 16:
        return
    middle = clip.info.frames // 2
    frame = clip.read(middle, middle + 1)
    highest = int(np.max(frame))
    bits = next((bits for bits in NARROW if highest < 2**bits), None)
    # A dark clip that was scaled from 8 or 10 bits has every 257th or every 64th value.
    if bits is not None and np.any(frame % 64) and np.any(frame % 257):
        yield (
            f'Frames of "{place}" have 16 bits, and no sample of frame {start + middle} is above {highest}: are they samples of '
            f"{bits} bits that were stored as they are? They are read as 0 to 65535, so that such a clip is nearly black and "
            "its errors count for nothing. Scale it first."
        )
