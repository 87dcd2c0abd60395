"""``vbench leaderboard`` and ``vbench protocols``: boards, and the conventions behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vbench.cli_options import DEFAULT_ROOT, Root, completed, protocol_names

leaderboard_app = typer.Typer(
    help="The boards: show them, export them, compare two states, merge those of several machines.",
    no_args_is_help=True,
)
protocols_app = typer.Typer(help="Protocols: list them, show one, compare two.", no_args_is_help=True)

Where = Annotated[
    str | None,
    typer.Option(
        "--where", "-w", help="Only rows that fit: 'gain.psnr > 0 and seconds_per_frame < 1'.", metavar="EXPR"
    ),
]
Sort = Annotated[
    str | None,
    typer.Option("--sort", help="Best first by these: psnr,-seconds_per_frame (- turns it round).", metavar="COLUMNS"),
]
Columns = Annotated[
    str | None, typer.Option("--columns", "-c", help="psnr,ssim,gain.psnr,memory,...", metavar="COLUMNS")
]
OfDatasets = Annotated[list[str] | None, typer.Option("--dataset", "-d", help="Only these data sets.", metavar="NAMES")]
OfProtocols = Annotated[
    list[str] | None, typer.Option("--protocol", help="Only results under these protocols.", metavar="NAMES")
]


def _named(values: list[str] | None) -> tuple[str, ...]:
    """``--x a,b --x c`` as (a, b, c); a name with a comma stands in backticks."""
    from leaderboards.query import split_names

    return tuple(name for text in values or [] for name in split_names(text))


@leaderboard_app.command("show")
def leaderboard_show(
    root: Root = DEFAULT_ROOT,
    dataset: OfDatasets = None,
    protocol: OfProtocols = None,
    where: Where = None,
    sort: Sort = None,
    columns: Columns = None,
    intervals: Annotated[bool, typer.Option("--intervals", help="95 % intervals beside the figures.")] = False,
    clips: Annotated[bool, typer.Option("--clips", help="A row for every clip and model.")] = False,
) -> None:
    """The boards in the terminal."""
    from leaderboards.export.view import Asked
    from vbench.commands_leaderboard import show_command

    asked = Asked(where, sort, columns, _named(dataset), _named(protocol))
    show_command(root, asked, intervals, clips)


@leaderboard_app.command("export")
def leaderboard_export(
    root: Root = DEFAULT_ROOT,
    form: Annotated[
        str, typer.Option("--format", "-f", help="csv, parquet, json, markdown, latex, html.", metavar="FORM")
    ] = "csv",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: standard output.", metavar="FILE")] = None,
    dataset: OfDatasets = None,
    protocol: OfProtocols = None,
    where: Where = None,
    sort: Sort = None,
    columns: Columns = None,
    long: Annotated[bool, typer.Option("--long", help="A line for every figure of every clip.")] = False,
    intervals: Annotated[
        str,
        typer.Option(
            "--intervals", help="In markdown, latex, html: no, range (\\[low, high]) or pm (±).", metavar="FORM"
        ),
    ] = "no",
    together: Annotated[bool, typer.Option("--together", help="One table, the data sets side by side.")] = False,
    document: Annotated[bool, typer.Option("--document", help="LaTeX: a whole document, for pdflatex.")] = False,
) -> None:
    """The boards in a form that others read, for papers, notebooks and programs."""
    from leaderboards.export.view import Asked
    from vbench.commands_leaderboard import export_command

    asked = Asked(where, sort, columns, _named(dataset), _named(protocol))
    export_command(root, form, out, asked, long, intervals, together, document)


@leaderboard_app.command("diff")
def leaderboard_diff(
    old: Annotated[Path, typer.Argument(help="A workspace, or what export --format json wrote.")],
    new: Annotated[Path, typer.Argument(help="Another state of it.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics", "--metric", help="Names (a,b), or all. Default: each board's first.", metavar="NAMES"
        ),
    ] = None,
    fail_below: Annotated[
        list[str] | None,
        typer.Option("--fail-below", help="Exit status 1 if a change is worse: -0.1dB, -0.002, -1%.", metavar="LIMIT"),
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Let pass figures that are lost or do not compare any more.")
    ] = False,
    form: Annotated[str, typer.Option("--format", "-f", help="terminal, markdown, json.", metavar="FORM")] = "terminal",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: standard output.", metavar="FILE")] = None,
) -> None:
    """What changed between two states, clip by clip; with a limit, a gate for continuous integration."""
    from leaderboards.query import split_names
    from vbench.commands_leaderboard import diff_command

    names = [name for text in metric or [] for name in split_names(text)]
    diff_command(old, new, names, fail_below or [], lenient, "json" if as_json else form, out)


@leaderboard_app.command("merge")
def leaderboard_merge(
    roots: Annotated[list[Path], typer.Argument(help="Workspaces, such as those of several machines.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Root of the merged one.", metavar="DIR")],
    prefer: Annotated[
        str | None,
        typer.Option("--prefer", help="Where results differ: first (root named), or newest (file).", metavar="WHICH"),
    ] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="Restored frames and those of the data sets too (hard links or copies).")
    ] = False,
) -> None:
    """Boards of several machines as one; results that are not the same are an error that lists them."""
    from vbench.commands_leaderboard import merge_command

    merge_command(roots, out, prefer, frames)


@protocols_app.command("list")
def protocols_list() -> None:
    """All protocols: what for, and what is measured."""
    from vbench.commands_protocols import protocols_list_command

    protocols_list_command()


@protocols_app.command("show")
def protocols_show(
    name: Annotated[str, typer.Argument(help="A protocol.", autocompletion=completed(protocol_names))],
    root: Root = DEFAULT_ROOT,
) -> None:
    """One protocol: every convention with its source, published figures, the data that it is about."""
    from vbench.commands_protocols import protocols_show_command

    protocols_show_command(name, root)


@protocols_app.command("diff")
def protocols_diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A protocol.", autocompletion=completed(protocol_names))],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.", autocompletion=completed(protocol_names))],
    root: Root = DEFAULT_ROOT,
) -> None:
    """What two protocols do differently, and how far that moves figures and ranks of the results at hand."""
    from vbench.commands_protocols import protocols_diff_command

    protocols_diff_command(first, second, root)
