"""The HTML report: a folder of pages that opens from a file, offline."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leaderboards.alarms import KINDS
from leaderboards.results import Results
from leaderboards.table import BASELINE
from reports import views
from reports.clips import clip_path, write_clips
from reports.media import export
from reports.place import begin, check, put
from reports.sheets import write_sheets
from reports.site import Link, Site
from reports.views.damage import SheetRow
from reports.views.facts import Facts, gather

MEDIA_BUDGET = 200_000_000
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
            when the new one is whole; a folder that holds anything else is not touched.
        title: the heading.
        media_budget: bytes of pictures at most.
        progress: called with what is under way, pictures done since the last call, and all pictures.

    Returns:
        The path of ``index.html``.

    Raises:
        ValueError: there are no results, or the folder to replace holds something else than a report.
    """
    results = Results.read(root)
    if not results.cells:
        raise ValueError(f'There are no results in "{root}" yet. Run `vbench run --models all` first.')
    final = out if out is not None else root / "report"
    check(final, "a report", _own(), lambda folder: is_report(folder / "index.html"))
    temporary = begin(final, "report")
    try:
        facts = gather(root, results, title)
        write(facts, temporary, media_budget, progress)
        put(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return final / "index.html"


def write(
    facts: Facts,
    folder: Path,
    media_budget: int = MEDIA_BUDGET,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> None:
    """Write all pages into an empty folder."""
    site = Site(folder, facts.title, links())
    site.write_assets()
    media = export(facts.root, folder / "media", facts.boards, facts.cells, media_budget, progress)
    clip_pages = {(clip.dataset, clip.clip): clip_path(clip.dataset, clip.clip) for clip in media.clips}
    if not clip_pages:
        site.links = links(clips=False)
    write_clips(
        site,
        media,
        facts.cells,
        facts.numbers,
        titles={dataset: facts.name(dataset) for dataset in facts.datasets},
        links={dataset: views.dataset_path(dataset) for dataset in facts.datasets},
        metrics=list(facts.metrics),
    )
    shown = views.glimpses(facts, media.clips, clip_pages)
    write_pages(site, facts, clip_pages, write_sheets(site, facts, clip_pages), shown)


def links(clips: bool = True) -> tuple[Link, ...]:
    """The navigation; without the pages of clips where there are none."""
    every = (
        Link("overview", "Overview", "index.html"),
        Link("boards", "Boards", "boards.html"),
        Link("severity", "Severity", "severity.html"),
        Link("clips", "Clips", "clips.html"),
        Link("models", "Models", "models.html"),
        Link("damage", "Damage", "damage.html"),
        Link("method", "Method", "method.html"),
    )
    return tuple(link for link in every if clips or link.key != "clips")


def write_pages(
    site: Site,
    facts: Facts,
    clip_pages: Mapping[tuple[str, str], str],
    sheets: Mapping[str, Sequence[SheetRow]],
    glimpses: Sequence[views.Glimpse] = (),
) -> None:
    """Write the pages that have figures and words: everything but the clips; ``glimpses`` are the first page's pictures."""
    models = list(facts.numbers)
    names = [""] * (max(facts.numbers.values(), default=0) + 1)
    for model in models:
        names[facts.numbers[model]] = model
    common: dict[str, Any] = {"models": names, "waiting": views.waiting(facts), "unfit": views.unfit(facts)}
    pages = views.dataset_pages(facts, clip_pages)
    groups = views.dataset_groups(pages)
    site.write(
        "index.html", "index.html.j2", here="overview", title=facts.title, scripts=["charts.js"],
        styles=["board.css", "charts.css", "index.css"], view=views.overview(facts), glimpses=glimpses, **common,
    )  # fmt: skip
    site.write(
        "boards.html", "boards.html.j2", here="boards", title="Boards", styles=["board.css"], groups=groups, **common
    )
    for page in pages:
        site.write(
            page.path, "board.html.j2", here="boards", title=page.title, scripts=["formats.js", "board.js", "charts.js"],
            styles=["board.css", "charts.css"], item=page, groups=groups, models=names,
            damage_link=views.damage_anchor(facts, page.dataset), kinds=KINDS, copies={t.key: t.pieces for t in page.tables},
        )  # fmt: skip
    site.write(
        "severity.html", "severity.html.j2", here="severity", title="Severity", scripts=["charts.js", "severity.js"],
        styles=["charts.css"], profiles=views.severity_profiles(facts), models=names,
        numbers={model: number for model, number in facts.numbers.items() if model != BASELINE},  # it is the line at nought
    )  # fmt: skip
    site.write(
        "models.html", "models.html.j2", here="models", title="Models", scripts=["models.js"],
        styles=["board.css", "models.css"], cards=views.cards(facts), **common,
    )  # fmt: skip
    site.write(
        "damage.html", "damage.html.j2", here="damage", title="Damage", styles=["damage.css"],
        profiles=views.damage_profiles(facts, sheets),
    )  # fmt: skip
    bibtex, uncited = views.citations(facts)
    site.write(
        "method.html", "method.html.j2", here="method", title="Method", styles=["method.css"], view=views.method(facts),
        bibtex=bibtex, uncited=uncited,
    )  # fmt: skip


def _own() -> set[str]:
    """Names in the folder of a report."""
    return {link.path for link in links()} | {"assets", "boards", "clips", "media", "sheets"}


def is_report(page: Path) -> bool:
    """Whether a page was made here, as its foot says: other folders of pages have an ``index.html`` too."""
    try:
        return b"made by <code>vbench report html" in page.read_bytes()
    except OSError:
        return False
