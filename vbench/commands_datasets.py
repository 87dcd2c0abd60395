"""What ``vbench datasets`` does, in words for the terminal."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.commands import DEFAULT_ROOT, at_root, counted, say, took
from vbench.console import progress, table_console
from vbench.errors import InputError, UsageError
from vbench.workspace import Workspace

if TYPE_CHECKING:
    from vbench.adopt import Adopted
    from vbench.datasets import DatasetFacts
    from vbench.pairing import Choice

GAP = 2
"""Columns between two of its columns."""


def datasets_list_command(root: Path) -> None:
    """``vbench datasets list``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from vbench.datasets import find_datasets, open_dataset

    workspace = Workspace(root)
    room = workspace.datasets
    folders = sorted(p for p in room.iterdir() if p.is_dir() and not p.name.startswith(".")) if room.is_dir() else []
    if not folders:
        find_datasets(workspace)  # says what to do
    out = table_console()
    unfinished, rows = [], []
    for folder in folders:
        try:
            facts = open_dataset(folder).facts
        except InputError as error:
            unfinished.append(f"{folder.name}: {error}")
            continue
        damage = facts.variant if facts.commands else f"{facts.profile} {facts.variant}"
        frames = f"{sum(c.frames for c in facts.clips):,}"
        rows.append([facts.name, str(len(facts.clips)), frames, sizes(facts), damage, where(facts)])
    heads = ["name", "clips", "frames", "size", "damage", "where"]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    # What is long gives way: first the folder, of which the end tells most, then names in two lines.
    widths[0], widths[4] = min(widths[0], 26), min(widths[4], 14)
    widths[5] = min(widths[5], max(8, out.width - sum(widths[:5]) - GAP * len(heads)))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head, width in zip(heads, widths, strict=True):
        table.add_column(head, justify="right" if head in ("clips", "frames") else "left", width=width, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row[:5]), Text(ending(row[5], widths[5])))
    if rows:
        out.print(table)
    for text in unfinished:
        say(f"not finished: {text}")


def sizes(facts: DatasetFacts) -> str:
    """Width and height of the clips, the commonest first, and how many times smaller the damaged ones are."""
    found = Counter((c.width, c.height, c.scale) for c in facts.clips)
    (width, height, scale), _ = found.most_common(1)[0]
    return f"{width}x{height}{f' /{scale}' if scale > 1 else ''}{' ...' if len(found) > 1 else ''}"


def where(facts: DatasetFacts) -> str:
    """Where the frames lie: below the root, or where they were adopted."""
    return facts.source if facts.commands else "here"


def ending(path: str, width: int) -> str:
    """The end of a path that fits.

    Example:
        >>> ending("/data/videos/GOPRO_Large", 14)
        '…s/GOPRO_Large'
    """
    return path if len(path) <= width else f"…{path[-(width - 1) :]}"


def datasets_add_command(
    folder: Path,
    name: str | None,
    version: str | None,
    split: str | None,
    clips: Sequence[str],
    frames: str | None,
    scale: str,
    replace: bool,
    root: Path,
    workers: int | None,
    *,
    truth: bool = True,
) -> None:
    """``vbench datasets add``; without ``truth`` of clips that have no clean side."""
    from vbench.adopt import adopt
    from vbench.clip import parse_frames
    from vbench.pairing import choose
    from vbench.unpaired import choose_unpaired

    start, stop = parse_frames(frames)
    wanted = _scale(scale)
    began = time.monotonic()
    choice = (choose if truth else choose_unpaired)(folder, name=name, version=version, split=split, clips=clips)
    options = {"--name": name, "--version": version, "--split": split, "--frames": frames}
    words = ["vbench", "datasets", "add", str(folder.absolute())]
    words += [text for option, value in options.items() if value is not None for text in (option, value)]
    words += [] if truth else ["--no-truth"]
    words += ["--clips", ",".join(clips)] if clips else []
    words += ["--scale", scale] if wanted else []
    words += ["--root", str(root)] if root != DEFAULT_ROOT else []
    workspace = Workspace(root)
    with workspace.lock("datasets add"), progress("datasets add") as report:
        done = adopt(
            workspace,
            choice,
            command=shlex.join(words),
            start=start,
            stop=stop,
            scale=wanted,
            replace=replace,
            workers=workers,
            progress=report,
        )
    _say_adopted(done, choice, workspace, time.monotonic() - began)


def _scale(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 16:
        raise UsageError(
            f'--scale takes auto, or how many times smaller the damaged frames are (1 to 16), and "{text}" was given.'
        )
    return int(text)


def _say_adopted(done: Adopted, choice: Choice, workspace: Workspace, seconds: float) -> None:
    facts, found = done.facts, choice.found
    say(f'{found.words}, in "{found.root}".')
    splits = Counter(clip.split for clip in choice.clips if clip.split)
    by_split = f" ({', '.join(f'{name} {n}' for name, n in sorted(splits.items()))})" if splits else ""
    say(
        f"{facts.name}: {counted(len(facts.clips), 'clip')}{by_split}, {sum(c.frames for c in facts.clips):,} frames, "
        f"{sizes(facts)}, damage: {facts.variant}; {done.hashed} read, {done.kept} known already ({took(seconds)})."
    )
    say("Nothing was copied: the frames stay where they are.")
    if done.changed:
        names = ", ".join(f'"{name}"' for name in done.changed[:5])
        say(f"Changed since they were adopted before, and measured anew from now on: {names}.")
    others = [version for version in found.versions if version != choice.version]
    if others:
        say(f"Also there, each as a data set of its own: --version {', '.join(others)}.")
    if found.passed_over:
        some = ", ".join(f'"{path}"' for path in found.passed_over[:3])
        say(f"Passed over, as no part of the layout: {some}{', ...' if len(found.passed_over) > 3 else ''}.")
    if not any(clip.gt_sha256 for clip in facts.clips):
        say(
            "There is no ground truth: what compares with one is left out, and what needs none says how natural and how "
            "steady a result looks, not whether it is true."
        )
    say(f"Next: vbench run --models all --dataset {shlex.quote(facts.name)}{at_root(workspace.root)}")
