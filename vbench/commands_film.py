"""What ``vbench film statistics`` does: old film in figures, beside those of real old films."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbench.commands import say
from vbench.console import progress, table_console
from vbench.errors import InputError, UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from degradations.film.statistics import FilmStatistics, Row
    from vbench.clip import Clip
    from vbench.datasets import Dataset, Pair

NARROW = 80
FIXED, LEAST, MOST = 48, 8, 20
"""Columns that names and ranges take, and that a clip's column takes at least and at most."""


@dataclass
class Column:
    """What stands under one heading: a clip, or the clips of a data set."""

    name: str
    clips: dict[str, FilmStatistics]
    rows: list[Row]


def film_statistics_command(
    clips: Sequence[Path],
    as_json: bool,
    *,
    truth: Path | None = None,
    frames: str | None = None,
    region: str | None = None,
    scratches: str | None = None,
) -> None:
    """``vbench film statistics``.

    Args:
        clips: videos or folders of frames; data sets of ``vbench synth``, or folders that hold such, whose degraded
            clips are measured against their ground truth.
        truth: the clean clip of the one clip given.
        frames: A:B, of clips.
        region, scratches: TOP:BOTTOM,LEFT:RIGHT of the picture, and of where scratches are looked for.
    """
    if not clips:
        raise UsageError("Name a clip or a data set: a video, a folder of frames, or what `vbench synth` made.")
    if truth is not None and len(clips) != 1:
        raise UsageError(f"--truth is the clean clip of one film, and {len(clips)} films are given. Name one.")
    jobs: list[tuple[str, Callable[[Any], Column], int]] = []
    options = regions(region, scratches)
    for path in clips:
        sets = _datasets(path)
        if sets and truth is not None:
            raise UsageError(f'"{path}" is a data set, which has its own ground truth: leave out --truth.')
        if sets and frames is not None:
            raise UsageError(f'--frames chooses among the frames of a clip; "{path}" is a data set.')
        jobs += [_dataset_job(one, len(sets) > 1, options) for one in _measurable(sets)]
        if not sets:
            jobs.append(_clip_job(path, truth, frames, options))
    columns = []
    with progress("measuring", "clips") as report:
        report("measuring", 0, sum(count for _, _, count in jobs))
        for name, job, _ in jobs:
            columns.append(job(lambda name=name: report(f"measuring {name}", 1, None)))
    _print_json(columns) if as_json else _print_tables(columns)


def regions(region: str | None, scratches: str | None) -> dict[str, Any]:
    """The parts of the picture that were named, as ``degradations.film.statistics.measure`` takes them."""
    from degradations.film.statistics import parse_region

    given = {"region": region, "scratches": scratches}
    try:
        return {word: parse_region(text) for word, text in given.items() if text is not None}
    except ValueError as error:
        raise UsageError(str(error)) from error


def _datasets(path: Path) -> list[Dataset]:
    """The data set at ``path``, or those in it (a folder of data sets, or a whole root)."""
    from vbench.clip import natural_key
    from vbench.datasets import open_dataset

    if (path / "dataset.json").is_file():
        return [open_dataset(path)]
    found = [p.parent for room in (path, path / "datasets") for p in room.glob("*/dataset.json")]
    sets = [open_dataset(folder) for folder in sorted(found, key=lambda p: natural_key(p.name))]
    return sorted(sets, key=lambda one: (one.facts.profile, one.facts.severity or 99))


def _measurable(sets: list[Dataset]) -> list[Dataset]:
    """Those of several data sets that can be measured as film; the others are named on standard error.

    Raises:
        InputError: there is none.
    """
    reasons = [_unfit(one) for one in sets]
    if sets and all(reasons):
        raise InputError(str(reasons[0]))
    for reason in filter(None, reasons):
        print(f"Passed over: {reason}", file=sys.stderr)
    return [one for one, reason in zip(sets, reasons, strict=True) if reason is None]


def _unfit(dataset: Dataset) -> str | None:
    """Why a data set cannot be measured as film; None if it can."""
    for pair in dataset.pairs():
        if pair.facts.scale != 1:
            return (
                f'The degraded frames of "{dataset.name}" are {pair.facts.scale} times smaller than the ground truth; '
                "old film is measured on data sets of one size, such as those of the profile oldfilm."
            )
        if "truth" not in pair.rooms:
            return (
                f'The data set "{dataset.name}" has no ground truth: it was adopted with --no-truth. Name its clips '
                f'themselves, such as "{pair.facts.source}".'
            )
    return None


def _chunks(clip: Clip) -> Any:
    return clip.chunks(16)


def _clip_job(
    path: Path, truth: Path | None, frames: str | None, options: dict[str, Any]
) -> tuple[str, Callable[[Any], Column], int]:
    from vbench.clip import parse_frames
    from vbench.sources import open_clip

    start, stop = parse_frames(frames)
    film = open_clip(path, start=start, stop=stop)
    clean = None if truth is None else open_clip(truth, start=start, stop=stop)

    def job(done: Callable[[], None]) -> Column:
        from degradations.film.statistics import compare, measure

        try:
            found = measure(_chunks(film), None if clean is None else _chunks(clean), **options)
        except ValueError as error:
            raise InputError(f'"{path}": {error}') from error
        done()
        return Column(film.info.name, {film.info.name: found}, compare(found))

    return film.info.name, job, 1


def _dataset_job(dataset: Dataset, several: bool, options: dict[str, Any]) -> tuple[str, Callable[[Any], Column], int]:
    facts = dataset.facts
    pairs = dataset.pairs()

    def job(done: Callable[[], None]) -> Column:
        from degradations.film.measure.real import compare_flat
        from degradations.film.statistics import median_of

        found = {}
        for pair in pairs:
            found[pair.name] = _measure_pair(pair, options)
            done()
        return Column(facts.variant if several else facts.name, found, compare_flat(median_of(list(found.values()))))

    return facts.name, job, len(pairs)


def _measure_pair(pair: Pair, options: dict[str, Any]) -> FilmStatistics:
    from degradations.film.statistics import measure

    try:
        return measure(_chunks(pair.degraded()), _chunks(pair.truth()), **options)
    except ValueError as error:
        raise InputError(f'Clip "{pair.name}" of "{pair.dataset}": {error}') from error


# --- what is shown -------------------------------------------------------------------------------


def _print_json(columns: Sequence[Column]) -> None:
    from degradations.film.statistics import REAL, SOURCE

    out = {
        "real": {"source": SOURCE, "ranges": {name: list(ends) for name, ends in REAL.items()}},
        "measured": [
            {
                "name": column.name,
                "figures": {row.name: {"value": row.value, "inside": row.inside} for row in column.rows},
                "clips": {name: found.model_dump(mode="json") for name, found in column.clips.items()},
            }
            for column in columns
        ],
    }
    print(json.dumps(out, ensure_ascii=False, indent=1, allow_nan=False))


def _print_tables(columns: Sequence[Column]) -> None:
    from degradations.film.statistics import SOURCE

    out = table_console()
    room = out.width - FIXED
    at_once = min(max(1, room // (LEAST + 2)), len(columns))
    width = max(LEAST, min(MOST, room // at_once - 2))
    for first in range(0, len(columns), at_once):
        out.print(_table(columns[first : first + at_once], width))
    say(f"Real films: {SOURCE}.")
    say("↑ above and ↓ below their range; of the scene and the web compression there is something in most figures.")
    for column in columns:
        say(_told(column))
        for note in dict.fromkeys(note for found in column.clips.values() for note in found.notes):
            say(f"  {note}")


def _table(columns: Sequence[Column], width: int) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("statistic", no_wrap=True)
    table.add_column("real films", no_wrap=True)
    for column in columns:
        table.add_column(Text(column.name, overflow="ellipsis"), justify="right", no_wrap=True, max_width=width)
    part = ""
    for rows in zip(*(column.rows for column in columns), strict=True):
        if all(row.value is None for row in rows):
            continue
        head = rows[0]
        if head.name.split(".")[0] != part:
            part = head.name.split(".")[0]
            table.add_row(Text(part, "bold"))
        table.add_row(Text(f"  {head.title}"), Text(_range(head)), *(_cell(row) for row in rows))
    return table


def _range(row: Row) -> str:
    """The real films' range in words.

    Example:
        >>> from degradations.film.statistics import STATISTICS, Row
        >>> _range(Row("a", "b", "px", 0.23, 0.35, None, None, "")), _range(Row("a", "b", "", 0.4, 0.4, 1, None, ""))
        ('0.23..0.35 px', '0.4')
    """
    if row.low is None or row.high is None:
        return "–"
    ends = f"{row.low:g}" if row.low == row.high else f"{row.low:g}..{row.high:g}"
    return f"{ends} {row.unit}".strip()


def _cell(row: Row) -> Text:
    from rich.text import Text

    if row.value is None:
        return Text("–")
    number = _number(row.value)
    if row.inside is None:
        return Text(f"{number}  ", "dim")
    if row.inside:
        return Text(f"{number}  ", "green")
    high = row.high is not None and row.value > row.high
    return Text(f"{number} {'↑' if high else '↓'}", "yellow" if row.times and 0.67 < row.times < 1.5 else "red")


def _number(value: float) -> str:
    """Three digits, and no more than four behind the point.

    Example:
        >>> _number(123.4), _number(-0.0612345), _number(0.000123), _number(1234.5)
        ('123', '-0.0612', '0.0001', '1234')
    """
    size = abs(value)
    return f"{value:.0f}" if size >= 100 else f"{value:.3g}" if size >= 0.1 else f"{value:.4f}"


def _told(column: Column) -> str:
    """How the figures of a column were obtained."""
    clips = list(column.clips.values())
    first = clips[0]
    if len(clips) == 1:
        words = (
            f"{first.frames} frames of {first.width} x {first.height}, {first.method}, rows and columns {first.region}"
        )
    else:
        words = f"median of {len(clips)} clips, {first.method}"
    outside = [row for row in column.rows if row.inside is False]
    judged = [row for row in column.rows if row.inside is not None]
    return f"{column.name}: {words}; {len(judged) - len(outside)} of {len(judged)} figures inside."
