"""``vbench report``: pages, print, figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vbench.cli_options import DEFAULT_ROOT, Root, split

report_app = typer.Typer(help="The report: pages, print, figures.", no_args_is_help=True)


@report_app.command("html")
def report_html(
    root: Root = DEFAULT_ROOT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the report. Default: ROOT/report.", metavar="PATH")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Its heading.", metavar="TEXT")] = None,
    media_budget: Annotated[
        str,
        typer.Option("--media-budget", help="Pictures and videos at most: 200MB, 1.5GB, 0 for none.", metavar="SIZE"),
    ] = "200MB",
    single_file: Annotated[
        bool,
        typer.Option("--single-file", help="One HTML file, without the pages of clips. Default: ROOT/report.html."),
    ] = False,
) -> None:
    """One folder that opens from a file, offline."""
    from vbench.commands import report_command

    report_command(root, out, title, media_budget, single_file)


@report_app.command("pdf")
def report_pdf(
    root: Root = DEFAULT_ROOT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File. Default: ROOT/report.pdf.", metavar="PATH")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Its heading.", metavar="TEXT")] = None,
) -> None:
    """A summary for print: the answer, boards, charts, method."""
    from vbench.commands_report import pdf_command

    pdf_command(root, out, title)


@report_app.command("markdown")
def report_markdown(
    root: Root = DEFAULT_ROOT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File. Default: the terminal.", metavar="PATH")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Its heading.", metavar="TEXT")] = None,
) -> None:
    """A summary for a README or a pull request."""
    from vbench.commands_report import markdown_command

    markdown_command(root, out, title)


@report_app.command("figures")
def report_figures(
    root: Root = DEFAULT_ROOT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder. Default: ROOT/figures.", metavar="PATH")
    ] = None,
    form: Annotated[str, typer.Option("--format", "-f", help="pdf, svg or png.", metavar="FORM")] = "pdf",
    width: Annotated[
        str, typer.Option("--width", help="column (3.5 in), page (7.16 in), or inches.", metavar="WIDTH")
    ] = "column",
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="Only these data sets.", metavar="NAMES")
    ] = None,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", help="Only these protocols.", metavar="NAMES")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", "-m", help="In figures of few lines. Default: the best.", metavar="NAMES"),
    ] = None,
    clip: Annotated[
        str | None, typer.Option("--clip", help="In figures of one clip. Default: the first.", metavar="NAME")
    ] = None,
) -> None:
    """Figures for papers, with captions: ranks, cost, severity, every frame, slices through time."""
    from vbench.commands_report import figures_command

    figures_command(root, out, form, width, split(dataset), split(protocol), split(models), clip)
