"""All figures of a workspace in one folder, with captions: what ``vbench report figures`` writes."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leaderboards.export import latex_text
from leaderboards.results import Results
from leaderboards.summary import SeverityCurve, severity_curves
from leaderboards.table import BASELINE, Board
from reports import figures
from reports.figures import COLUMN, Drawn, Form
from reports.media.sources import ClipSources, find_sources
from reports.place import begin, check, put
from reports.views.facts import facts_of

CURVES = 7
"""Lines of one chart: so many colours can be told apart."""
SLICES = 5
NOTE = "figures.md"
TEX = "figures.tex"


@dataclass(frozen=True)
class Wanted:
    """Which figures are asked for."""

    form: Form = "pdf"
    width: float = COLUMN
    datasets: tuple[str, ...] = ()
    """None: all."""
    protocols: tuple[str, ...] = ()
    """Names or labels; none: all."""
    models: tuple[str, ...] = ()
    """In figures with few lines; none: the best of each board."""
    clip: str | None = None
    """In figures of one clip; None: each data set's first."""


def write_figures(
    root: Path, out: Path, wanted: Wanted | None = None, progress: Callable[[str, int, int | None], None] | None = None
) -> list[Path]:
    """Draw all figures of a workspace into a folder, whole or not at all, with ``figures.md`` and ``figures.tex``, which hold
    a caption for each.

    An older folder of figures is replaced; a folder that holds anything else is not touched.

    Raises:
        ValueError: there are no results, no such data set, protocol, model or clip, or the folder holds other things.
    """
    wanted = wanted or Wanted()
    results = Results.read(root)
    if not results.cells:
        raise ValueError(f'There are no results in "{root}" yet. Run `vbench run --models all` first.')
    boards = _chosen(results, wanted)
    check(out, "figures of vbench", _own(out), lambda folder: (folder / TEX).is_file() and (folder / NOTE).is_file())
    jobs = list(_jobs(root, results, boards, wanted))
    if progress is not None:
        progress("figures", 0, len(jobs))
    temporary = begin(out, "figures")
    try:
        drawn = []
        for job in jobs:
            found = job()
            if found is not None:
                (temporary / f"{found.name}.{wanted.form}").write_bytes(found.data)
                drawn.append(found)
            if progress is not None:
                progress("figures", 1, None)
        if not drawn:
            raise ValueError("There is nothing to draw: no board has two models with a figure.")
        (temporary / NOTE).write_text(_markdown(drawn, wanted.form), "utf-8")
        (temporary / TEX).write_text(_latex(drawn), "utf-8")
        put(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return [out / f"{one.name}.{wanted.form}" for one in drawn]


def _own(folder: Path) -> set[str]:
    """Names in a folder of figures: those that its list names."""
    try:
        listed = (folder / NOTE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        listed = ""
    return {NOTE, TEX, *re.findall(r"^- `([^`/]+)`: ", listed, re.M)}


def _chosen(results: Results, wanted: Wanted) -> list[Board]:
    boards = [board for board in results.boards() if board.reason is None]
    names = {board.dataset for board in boards}
    models = {row.model.name for board in boards for row in board.rows}
    clips = {clip for board in boards for clip in board.clips}
    protocols = {p for board in boards for p in (board.protocol, board.protocol.split("@")[0])}
    for what, asked, there in (
        ("data set", wanted.datasets, names),
        ("protocol", wanted.protocols, protocols),
        ("model", wanted.models, models),
        ("clip", (wanted.clip,) if wanted.clip is not None else (), clips),
    ):
        for name in asked:
            if name not in there:
                raise ValueError(f'There are no results of a {what} "{name}". There are: {", ".join(sorted(there))}.')
    return [
        board
        for board in boards
        if (not wanted.datasets or board.dataset in wanted.datasets)
        and (not wanted.protocols or {board.protocol, board.protocol.split("@")[0]} & set(wanted.protocols))
    ]


Job = Callable[[], Drawn | None]


def _jobs(root: Path, results: Results, boards: Sequence[Board], wanted: Wanted) -> Iterator[Job]:
    default = {board.protocol for board in boards} if len({board.protocol for board in boards}) > 1 else set()
    facts = facts_of(root, results, boards)
    for board in boards:
        title = facts.name(board.dataset)
        beside = f"-{board.protocol}" if default else ""
        slug = file_name(f"{board.dataset}{beside}")
        for draw, name in ((figures.rank_intervals, "gain"), (figures.quality_cost, "cost")):
            yield lambda draw=draw, name=name, board=board, title=title, slug=slug: _maybe(  # type: ignore[misc]
                lambda: draw(board, f"{name}-{slug}", wanted.form, title, wanted.width)
            )
        yield lambda board=board, title=title, slug=slug: _frames(results, board, slug, title, wanted)  # type: ignore[misc]
    for curve in severity_curves(boards, results.datasets):
        if curve.metric.name == _primary(boards, curve):
            yield lambda curve=curve: _severity(curve, wanted, bool(default), facts.family(curve.datasets[0]))  # type: ignore[misc]
    shown: dict[str, Board] = {}
    for board in boards:
        shown.setdefault(board.dataset, board)
    for source in find_sources(root, list(shown.values())):
        board = shown[source.dataset]
        if source.clip == _clip(board, wanted):
            yield lambda source=source, board=board: _slices(source, board, wanted)  # type: ignore[misc]


def _maybe(draw: Callable[[], Drawn]) -> Drawn | None:
    """A board with too little on it has no figure."""
    try:
        return draw()
    except ValueError:
        return None


def _primary(boards: Sequence[Board], curve: SeverityCurve) -> str | None:
    return next((b.primary.name for b in boards if b.dataset in curve.datasets and b.protocol == curve.protocol), None)


def _best(board: Board, wanted: Wanted, most: int) -> list[str]:
    """The models of a figure with few lines: those asked for, or the first of the board."""
    names = [row.model.name for row in board.rows if row.model.name != BASELINE and row.place is not None]
    return [name for name in names if name in wanted.models] if wanted.models else names[:most]


def _clip(board: Board, wanted: Wanted) -> str:
    return wanted.clip if wanted.clip in board.clips else board.clips[0]


def _frames(results: Results, board: Board, slug: str, title: str, wanted: Wanted) -> Drawn | None:
    metric, clip = board.primary, _clip(board, wanted)
    found = {
        cell.model: cell.frames
        for cell in results.cells
        if (cell.dataset, cell.clip, cell.protocol, cell.metric) == (board.dataset, clip, board.protocol, metric)
        and cell.status == "ok"
    }
    nothing = found.get(BASELINE)
    names = _best(board, wanted, CURVES - 1)
    # How far models are from doing nothing tells them apart; what they share with it, the clip's own ups and downs, does not.
    lines = [
        (
            name,
            [a - b if a != b else 0.0 for a, b in zip(found[name], nothing, strict=True)] if nothing else found[name],
        )
        for name in names
        if found.get(name)
    ]
    if not lines or len(lines[0][1]) < 2:
        return None
    name = f"frames-{slug}-{file_name(clip)}"
    what = f"gain in {metric.name} over doing nothing" if nothing else metric.name
    return figures.per_frame(lines, name, what, metric.unit, wanted.form, f"{title}: {clip}", wanted.width)


def lines_of(curve: SeverityCurve, models: Sequence[str] = ()) -> tuple[list[figures.Curve], int]:
    """What is drawn of a severity curve: the models that are named, or the best, at most :data:`CURVES` of them; and how many
    there are."""
    lines = [line for line in curve.lines if line.model.name != BASELINE]
    if models:
        lines = [line for line in lines if line.model.name in models]
    drawn = []
    for line in lines[:CURVES]:
        at = [i for i, gain in enumerate(line.gains) if gain is not None and abs(gain) != float("inf")]
        ends = [line.gain_intervals[i] for i in at]
        drawn.append(
            figures.Curve(
                line.model.name,
                [curve.severities[i] for i in at],
                [gain for i in at if (gain := line.gains[i]) is not None],
                [end.low if end else None for end in ends],
                [end.high if end else None for end in ends],
            )
        )
    return drawn, len(lines)


def _severity(curve: SeverityCurve, wanted: Wanted, several: bool, title: str) -> Drawn | None:
    drawn, count = lines_of(curve, wanted.models)
    name = f"severity-{file_name(curve.profile + (f'-{curve.protocol}' if several else ''))}"
    metric = curve.metric
    found = _maybe(
        lambda: figures.severity_curves(drawn, name, metric.name, metric.unit, wanted.form, title, wanted.width)
    )
    if found is None or count <= CURVES:
        return found
    more = f"The {CURVES} models with the largest area of {count} are drawn."
    return Drawn(found.name, f"{found.caption} {more}", found.data)


def _slices(source: ClipSources, board: Board, wanted: Wanted) -> Drawn | None:
    keys = ["input", *(f"model:{name}" for name in _best(board, wanted, SLICES - 2)), "truth"]
    by_key = {one.key: one for one in source.sources}
    chosen = [by_key[key] for key in keys if key in by_key]
    if len(chosen) < 2 or len(chosen[0].series) < 2:
        return None
    row = chosen[0].series.size[1] // 2
    slices = [
        (one.label, [image[row].copy() for _, image in one.series.walk(range(len(one.series)))]) for one in chosen
    ]
    name = f"xt-{file_name(f'{source.dataset}-{source.clip}')}"
    return figures.slices(slices, name, row, wanted.form, f"{source.dataset}: {source.clip}", wanted.width)


def file_name(name: str) -> str:
    """A name from data as one that is safe in any file system and in LaTeX; what was changed is told apart by its hash.

    Example:
        >>> file_name("oldfilm-light"), file_name("a <b>/c")
        ('oldfilm-light', 'a-b-c-5003f9')
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60]
    return plain if plain == name else f"{plain or 'x'}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _markdown(drawn: Sequence[Drawn], form: Form) -> str:
    lines = ["# Figures", ""]
    for one in drawn:
        lines += [f"- `{one.name}.{form}`: {one.caption}"]
    return "\n".join(lines) + "\n"


def _latex(drawn: Sequence[Drawn]) -> str:
    parts = [
        "\n".join(
            [
                r"\begin{figure}",
                r"\centering",
                rf"\includegraphics{{{one.name}}}",
                rf"\caption{{{latex_text.escape(one.caption)}}}",
                rf"\label{{fig:{one.name}}}",
                r"\end{figure}",
            ]
        )
        for one in drawn
    ]
    return "\n\n".join(parts) + "\n"
