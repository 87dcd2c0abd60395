"""``vbench leaderboard show`` and ``export``: boards in the terminal, and in every form that others read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.commands import at_root, say
from vbench.console import table_console
from vbench.errors import InputError, UsageError
from vbench.workspace import disk_error, write_file

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from leaderboards.board import Board
    from leaderboards.export.document import LeaderboardDocument
    from leaderboards.export.grid import Grid, Intervals
    from leaderboards.export.view import Asked, View
    from leaderboards.results import Results
    from leaderboards.summary import OverallBoard

FORMS = ("csv", "parquet", "json", "markdown", "latex", "html")


@contextmanager
def in_words() -> Iterator[None]:
    """Errors of the boards: of what was asked for as usage errors, of the results as errors of input."""
    from leaderboards.query_parser import QueryError

    try:
        yield
    except QueryError as error:
        raise UsageError(str(error)) from error
    except ValueError as error:
        raise InputError(str(error)) from error


def read_results(root: Path) -> Results:
    """The results of a workspace.

    Raises:
        InputError: the folder is not there, holds no results, or one of them is damaged.
    """
    from leaderboards.results import Results

    if not root.is_dir():
        raise InputError(
            f'There is no folder "{root}". The folder in which `vbench run` worked is expected (--root DIR).'
        )
    with in_words():
        results = Results.read(root)
    if not results.cells:
        raise InputError(f'There are no results in "{root}" yet: `vbench run --models all{at_root(root)}` makes them.')
    return results


def set_out(out: Console, parts: Sequence[RenderableType]) -> None:
    """Print, without the blanks that fill up lines."""
    if out.is_terminal:
        for part in parts:
            out.print(part)
        return
    with out.capture() as captured:
        for part in parts:
            out.print(part)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def show_command(root: Path, asked: Asked, intervals: bool, clips: bool) -> None:
    """``vbench leaderboard show``."""
    from leaderboards.export.clips import clip_grids
    from leaderboards.export.view import select

    results = read_results(root)
    out = table_console()
    with in_words():
        boards = results.boards()
        if clips:
            show_grids(out, clip_grids(boards, asked, results.datasets))
            return
        views = select(boards, asked, results.datasets)
        show_grids(out, overall_grids(results, views, asked, "range" if intervals else "no"))
        for view in views:
            show_board(out, view, intervals)


def show_grids(out: Console, grids: Sequence[Grid]) -> None:
    """Print tables, each with what is beneath it."""
    from leaderboards.export.terminal import tables, under

    for grid in grids:
        set_out(out, [*tables(grid, out.width), *under(grid), ""])


def show_board(out: Console, view: View, intervals: bool = False) -> None:
    """One board with what is beneath it."""
    from leaderboards.export.terminal import board_text

    set_out(out, [*board_text(view, out.width, intervals), ""])


def overall_boards_of(results: Results, views: Sequence[View], asked: Asked) -> list[OverallBoard]:
    """Boards over the data sets that were asked for; none where rows were left out, since means need all of them."""
    from leaderboards.summary import overall_boards

    if asked.where is not None:
        return []
    boards: list[Board] = [view.board for view in views]
    return overall_boards(boards, results.datasets)


def overall_grids(results: Results, views: Sequence[View], asked: Asked, intervals: Intervals) -> list[Grid]:
    """The boards of :func:`overall_boards_of` as tables."""
    from leaderboards.export.overall import overall_grid

    out = []
    for board in overall_boards_of(results, views, asked):
        wanted = {m.name for view in views for m in view.metrics} if asked.columns is not None else None
        out.append(overall_grid(board, sorted(wanted) if wanted else None, intervals))
    return out


# --- export --------------------------------------------------------------------------------------


def export_command(
    root: Path, form: str, out: Path | None, asked: Asked, long: bool, intervals: str, together: bool, document: bool
) -> None:
    """``vbench leaderboard export``."""
    from leaderboards.export.grid import INTERVALS
    from vbench.errors import nearest

    if form not in FORMS:
        raise UsageError(f'There is no format "{form}". {nearest(form, FORMS)}')
    if intervals not in INTERVALS:
        raise UsageError(f'--intervals takes {", ".join(INTERVALS)}; it was "{intervals}".')
    if form == "parquet" and out is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal: name a file with --out FILE.")
    if long and form == "latex":
        raise UsageError("--long gives a line for every figure, which is no table for a paper: choose csv or parquet.")
    if together and (long or form not in ("markdown", "latex", "html")):
        raise UsageError("--together sets data sets side by side, in markdown, latex and html, without --long.")
    if document and form != "latex":
        raise UsageError("--document is of --format latex: a whole document around the tables.")
    results = read_results(root)
    with in_words():
        if long:
            data = export_long(results, form, asked)
        else:
            sides: Intervals = "range" if intervals == "range" else "pm" if intervals == "pm" else "no"
            data = export_views(results, form, asked, sides, together, document)
    if out is None:
        sys.stdout.buffer.write(data) if form == "parquet" else sys.stdout.write(data.decode())
        return
    write_file(out, data)
    say(f'Written: "{out}"')


def export_views(
    results: Results, form: str, asked: Asked, intervals: Intervals, together: bool, document: bool
) -> bytes:
    """The boards in one of the forms, as bytes."""
    from leaderboards.export import document as json_
    from leaderboards.export import frames
    from leaderboards.export import latex as tex
    from leaderboards.export.grid import grids
    from leaderboards.export.html import html
    from leaderboards.export.markdown import markdown
    from leaderboards.export.view import select

    views = select(results.boards(), asked, results.datasets)
    if form in ("csv", "parquet"):
        table = frames.wide(views) if asked.columns is not None else frames.tidy(views)
        return frames.parquet(table) if form == "parquet" else frames.csv(table).encode()
    if form == "json":
        overall = overall_boards_of(results, views, asked)
        return json_.dumps(json_.document(views, results.protocols, overall=overall)).encode()
    others = [] if together else overall_grids(results, views, asked, intervals)
    found = grids(views, intervals, together, others, paper=form == "latex")
    if form == "latex":
        text = tex.latex(found)
        return (tex.document(text) if document else text).encode()
    return (markdown(found) if form == "markdown" else html(found)).encode()


def export_long(results: Results, form: str, asked: Asked) -> bytes:
    """Every clip's figures."""
    import json

    from leaderboards.export import frames
    from leaderboards.export.html import html
    from leaderboards.export.markdown import markdown
    from leaderboards.export.view import chosen, in_order

    boards = chosen(in_order(results.boards(), results.datasets), asked)
    table = frames.long(boards, asked.where, asked.sort, asked.columns)
    if form == "parquet":
        return frames.parquet(table)
    if form == "csv":
        return frames.csv(table).encode()
    if form == "json":
        return (json.dumps(frames.records(table), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
    grid = frames.frame_grid(table)
    return (markdown([grid]) if form == "markdown" else html([grid], "Figures by clip")).encode()


# --- diff ----------------------------------------------------------------------------------------


def diff_command(
    old: Path, new: Path, metrics: Sequence[str], fail_below: Sequence[str], lenient: bool, form: str, out: Path | None
) -> None:
    """``vbench leaderboard diff``; exit status 1 if a limit is broken."""
    from leaderboards.diff import diff
    from leaderboards.diff_gate import check_limits, failures, parse_limit
    from leaderboards.export.diff import HOW, diff_grid, diff_json, diff_markdown, others, verdict
    from leaderboards.export.terminal import line
    from vbench.errors import nearest

    forms = ("terminal", "markdown", "json")
    if form not in forms:
        raise UsageError(f'There is no format "{form}" of differences. {nearest(form, forms)}')
    if lenient and not fail_below:
        raise UsageError("--lenient says what a limit lets pass: it goes with --fail-below.")
    with in_words():
        limits = [parse_limit(text) for text in fail_below]
        found = diff(read_document(old), read_document(new), list(metrics) or None)
        check_limits(found, limits)
        failed = failures(found, limits, lenient) if limits else []
    if form == "terminal" and out is None:
        screen = table_console()
        for board in found.boards:
            show_grids(screen, [diff_grid(board, limits)])
        words = [line(HOW)] if any(board.changes for board in found.boards) else []
        words += [line(text, "yellow") for text in others(found)]
        words += [line(text, "red", "!") for text in failed]
        set_out(screen, [*words, line(verdict(found, limits, failed), "bold red" if failed else "bold", "=")])
    else:
        text = diff_json(found, limits, failed) if form == "json" else diff_markdown(found, limits, failed)
        if out is None:
            sys.stdout.write(text)
        else:
            write_file(out, text.encode())
    if failed:
        raise SystemExit(1)


def read_document(path: Path) -> LeaderboardDocument:
    """The boards of a workspace, or of a file that ``vbench leaderboard export --format json`` wrote.

    Raises:
        InputError: it is neither, or it is damaged.
    """
    from leaderboards.export.document import document, loads
    from leaderboards.export.view import select

    if path.is_file():
        with in_words():
            return loads(path.read_bytes(), str(path))
    if not path.is_dir():
        raise InputError(
            f'There is no "{path}". The folder of a workspace is expected, or a file that '
            "`vbench leaderboard export --format json` wrote."
        )
    results = read_results(path)
    with in_words():
        return document(select(results.boards(), None, results.datasets), results.protocols)


# --- merge ---------------------------------------------------------------------------------------


def merge_command(roots: Sequence[Path], out: Path, prefer: str | None, frames: bool) -> None:
    """``vbench leaderboard merge``."""
    import shlex

    from leaderboards.merge import merge
    from vbench.console import progress
    from vbench.errors import RunError, nearest
    from vbench.workspace import Workspace

    ways = ("first", "newest")
    if prefer not in (None, *ways):
        raise UsageError(f'--prefer takes first or newest; it was "{prefer}". {nearest(str(prefer), ways)}')
    for root in roots:
        if not root.is_dir():
            raise InputError(f'There is no folder "{root}". Workspaces are expected, in which `vbench run` worked.')
    command = shlex.join(["vbench", *sys.argv[1:]])
    with Workspace(out).lock("leaderboard merge"), progress("merge", "results") as report, in_words():
        try:
            done = merge(
                roots, out, prefer="newest" if prefer == "newest" else "first" if prefer else None, frames=frames,
                command=command, progress=lambda n, total: report("merging", 1, total if n == 1 else None),
            )  # fmt: skip
        except OSError as error:
            raise RunError(str(disk_error(out, error))) from error
    parts = [f'{done.cells} results are in "{out}"']
    parts += [f"{done.equal} were the same in several workspaces"] if done.equal else []
    parts += [f"{done.filled} failed in one and not in another, which was taken"] if done.filled else []
    parts += [f"{done.replaced} were not the same, and those of --prefer {prefer} were taken"] if done.replaced else []
    parts += [f"frames of {done.clips} restored clips were taken along"] if frames else []
    say(f"{'; '.join(parts)}.")
    for note in done.notes:
        say(f"  note: {note}")
    if not frames:
        say("  It is for tables and reports. To run models there, or to see pictures, merge with --frames.")
    say(f"Next: vbench leaderboard show{at_root(out)}, or vbench report html{at_root(out)}")
