"""What ``vbench film match`` does: a profile of damage as strong as that of a film at hand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.commands import say
from vbench.commands_film import regions
from vbench.console import progress, say_items, table_console
from vbench.errors import UsageError
from vbench.workspace import write_file

if TYPE_CHECKING:
    from degradations.film.matching import Match
    from vbench.film_match import Passage


def film_match_command(
    film: Path,
    out: Path | None,
    as_json: bool,
    *,
    frames: str | None = None,
    region: str | None = None,
    scratches: str | None = None,
    clean: Sequence[Path] = (),
    seed: int = 0,
    replace: bool = False,
) -> None:
    """``vbench film match``.

    Args:
        film: a video or a folder of frames.
        out: the profile's file; by default named after the film, in the folder that one is in now.
        frames: A:B, of the film.
        region, scratches: TOP:BOTTOM,LEFT:RIGHT of the picture, and of where scratches are looked for.
        clean: clean clips to damage instead of photographs.
        replace: write over a file that is there.
    """
    from vbench.clip import parse_frames
    from vbench.film_match import as_yaml, matched, measured, passage_of, profile_name
    from vbench.sources import open_clip

    start, stop = parse_frames(frames)
    asked = regions(region, scratches)
    clip = open_clip(film, start=start, stop=stop)
    name = profile_name(clip.info.name) if out is None else profile_name(out.stem).removesuffix("-like")
    path = Path(f"{name}.yaml") if out is None else out
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f'--out "{path}" should end in .yaml: that is how a profile of your own is named.')
    if path.exists() and not replace:
        raise UsageError(f'There is a file "{path}" already. Choose another name with --out, or --replace.')
    others = [open_clip(one) for one in clean]
    passage = passage_of(clip, start, stop)
    if passage.smaller > 1 and asked:
        asked = {word: tuple(edge // passage.smaller for edge in edges) for word, edges in asked.items()}
    with progress("matching", "rounds") as report:
        report("measuring the film", 0, None)
        found = measured(passage, **asked)
        report("matching", 0, _rounds())
        match = matched(found, passage, others, seed, lambda _: report("matching", 1, None))
    given = [("--frames", frames), ("--region", region), ("--scratch-region", scratches), ("--seed", seed or None)]
    given += [("--clean", one.name) for one in clean]
    words = [film.name, *(str(word) for pair in given if pair[1] is not None for word in pair)]
    command = f"vbench film match {shlex.join(words)}"
    write_file(path, as_yaml(match, name, clip.info.name, passage, command).encode())
    if as_json:
        print(json.dumps(_document(match, path, passage), ensure_ascii=False, indent=1, allow_nan=False))
    else:
        _show(match, clip.info.name, path, passage, found.height)


def _rounds() -> int:
    from degradations.film.matching import ROUNDS

    return ROUNDS


def _document(match: Match, path: Path, passage: Passage) -> dict[str, Any]:
    return {
        "profile": str(path),
        "frames": [passage.start, passage.start + len(passage.frames)],
        "severity": match.severity,
        "figures": [one._asdict() for one in match.figures],
        "unmatched": match.unmatched,
        "steps": match.steps,
    }


def _show(match: Match, film: str, path: Path, passage: Passage, lines: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure")
    for head in ("the film", "damaged so"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("setting", overflow="fold")
    for one in match.figures:
        made = "–" if one.made is None else f"{one.made:.3g}"
        table.add_row(
            Text(one.title),
            Text(f"{one.film:.3g} {one.unit}".strip()),
            Text(made, "green" if one.near else "yellow"),
            Text(f"{one.setting.replace('.', ' ')} {one.value:.3g}", "dim"),
        )
    out = table_console()
    out.print(Text(f"{film}: {passage.words}", "bold"), soft_wrap=False)
    out.print(table)
    near = sum(one.near for one in match.figures)
    say(
        f"{near} of {len(match.figures)} figures of clean clips that were damaged so (other scenes and random numbers than "
        "those of the search) are near the film's: within twice what they vary by from scene to scene."
    )
    say("Not taken from the film:")
    say_items(match.unmatched)
    if match.severity is not None:
        say(f"What no figure shows is as at severity {match.severity:g} of the profile oldfilm.")
    given = shlex.quote(str(path))
    say(f"Written: {given}. Look at it: vbench profiles preview {given}")
    say(f"Next: vbench synth --profile {given} --source CLIPS, of clean clips of about {lines * passage.smaller} lines")
