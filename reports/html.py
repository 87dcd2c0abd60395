"""The HTML report: one folder that opens from a file, offline."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from leaderboards.store import iter_cells
from leaderboards.table import boards
from reports.media import export_media
from reports.page import PageFacts, describe, script_json

MEDIA_BUDGET = 100_000_000
"""Bytes of pictures; frames and clips are left out evenly to stay below, and the page says so."""


def build(
    root: Path,
    out: Path | None = None,
    *,
    title: str | None = None,
    media_budget: int = MEDIA_BUDGET,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Path:
    """Build the report of a workspace.

    Args:
        root: the folder that holds ``results``, ``datasets`` and ``restored``.
        out: the folder to make; ``root/report`` by default. An older report there is replaced at the end,
            when the new one is whole.
        title: the heading.
        media_budget: bytes of pictures at most.
        progress: called with what is under way, pictures done since the last call, and all pictures.

    Returns:
        The path of ``index.html``.

    Raises:
        ValueError: there are no results, or the folder to replace holds something else than a report.
    """
    cells = list(iter_cells(root))
    if not cells:
        raise ValueError(f'There are no results in "{root}" yet. Run `vbench run --models all` first.')
    final = out if out is not None else root / "report"
    _check_replaceable(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".partial-report-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    _clear_leftovers(final.parent)
    try:
        temporary.mkdir()
        found = boards(cells)
        viewer = export_media(root, temporary / "media", found, cells, media_budget, progress)
        facts = describe(root, found, viewer, title)
        (temporary / "index.html").write_text(render(facts), "utf-8")
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return final / "index.html"


def _check_replaceable(folder: Path) -> None:
    """Only a report (or nothing) is ever replaced."""
    if not folder.exists():
        return
    inside = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else ["a file"]
    if inside and not (folder / "index.html").is_file():
        raise ValueError(
            f'"{folder}" holds other things than a report ({", ".join(inside[:3])}); nothing there is touched. '
            "Choose another folder with --out."
        )


def _clear_leftovers(parent: Path) -> None:
    for path in parent.glob(".partial-report-*"):
        shutil.rmtree(path, ignore_errors=True)


def render(facts: PageFacts) -> str:
    """The page as text; everything that comes from outside is escaped."""
    import jinja2

    room = resources.files("reports") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (room / name).read_text("utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("page.html.j2")
    return template.render(
        facts=facts,
        style=(room / "style.css").read_text("utf-8"),
        script=(room / "app.js").read_text("utf-8"),
        data=script_json(facts.viewer),
    )
