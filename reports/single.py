"""The report as one file: every page but those of clips, with style sheets, scripts and small pictures within it.

The pages are those of the folder, written to a temporary place and folded up. Each stands as text in a
``<script type="application/json">`` of its own, so that a browser makes elements of the one that is shown alone; the overview
stands in the document too and is there without scripts. The content security policy names the hash of each script and style
sheet: nothing else runs, whatever data hold.
"""

from __future__ import annotations

import base64
import hashlib
import html
import mimetypes
import os
import re
import tempfile
import uuid
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from leaderboards.results import Results
from reports.html import is_report, links, write_pages
from reports.sheets import write_sheets
from reports.site import Site
from reports.views.facts import gather

PICTURES = 10_000_000
"""Bytes of pictures at most; sheets that do not fit are left out, and their page has recipes and figures alone."""

_MAIN = re.compile(r'<main id="main" tabindex="-1">\n(.*)\n</main>', re.S)
_DATA = re.compile(r"</footer>\n(.*)</body>", re.S)
_TITLE = re.compile(r"<title>(.*?)</title>", re.S)
_STYLES = re.compile(r'<link rel="stylesheet" href="(?:\.\./)*assets/([\w-]+\.css)">')
_SCRIPTS = re.compile(r'<script defer src="(?:\.\./)*assets/([\w-]+\.js)">')
_PICTURE = re.compile(r'src="(?:\.\./)*(sheets/[\w.-]+)"')


def build_single(root: Path, out: Path | None = None, *, title: str | None = None) -> Path:
    """Write the report of a workspace as one file.

    Args:
        root: the folder that holds ``results`` and ``datasets``.
        out: the file; ``root/report.html`` by default. It is replaced when the new one is whole.
        title: the heading.

    Returns:
        The path of the file.

    Raises:
        ValueError: there are no results, or ``out`` is a folder or a file that is no report.
    """
    results = Results.read(root)
    if not results.cells:
        raise ValueError(f'There are no results in "{root}" yet. Run `vbench run --models all` first.')
    final = out if out is not None else root / "report.html"
    if final.is_dir():
        raise ValueError(
            f'"{final}" is a folder; with --single-file the report is one file: give its name, say {final.name}.html.'
        )
    if final.exists() and not is_report(final):
        raise ValueError(
            f'"{final}" is there already and is no report; it is not touched. Choose another place with --out.'
        )
    facts = gather(root, results, title)
    with tempfile.TemporaryDirectory() as place:
        site = Site(Path(place), facts.title, links(clips=False))
        sheets = write_sheets(site, facts, {})
        size = sum(p.stat().st_size for p in site.folder.glob("sheets/*"))
        write_pages(site, facts, {}, sheets if size <= PICTURES else {})
        text = fold(site)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".partial-report-{os.getpid()}-{uuid.uuid4().hex[:8]}.html")
    try:
        temporary.write_text(text, "utf-8", newline="\n")
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return final


def fold(site: Site) -> str:
    """The pages of a written report as the text of one."""
    pages = {
        str(path.relative_to(site.folder).as_posix()): _page(path, site.folder)
        for path in sorted(site.folder.rglob("*.html"))
    }
    order = [link.path for link in site.links] + sorted(pages)
    styles = list(dict.fromkeys(name for page in pages.values() for name in page["styles"]))
    styles = [*(name for name in styles if name != "print.css"), "print.css"]  # print has the last word
    scripts = list(dict.fromkeys(name for page in pages.values() for name in page["scripts"]))
    return site.render(
        "single.html.j2",
        pages={path: pages[path] for path in dict.fromkeys(order)},
        first=site.links[0].path,
        styles={name: _asset(name) for name in styles},
        scripts={name: _asset(name) for name in scripts},
        theme=_asset("theme.js"),
        router=_asset("single.js"),
        policy=_policy(
            scripts=[_asset("theme.js"), _asset("single.js"), *map(_asset, scripts)], styles=list(map(_asset, styles))
        ),
    )


def _page(path: Path, folder: Path) -> dict[str, Any]:
    text = path.read_text("utf-8")
    main, data, title = _MAIN.search(text), _DATA.search(text), _TITLE.search(text)
    if main is None or data is None or title is None:
        raise AssertionError(f"{path.name} is not of the form of base.html.j2")
    return {
        "title": html.unescape(title[1]),
        "main": _PICTURE.sub(lambda match: f'src="{_inlined(folder / match[1])}"', main[1]),
        "data": data[1].strip(),
        "styles": _STYLES.findall(text),
        "scripts": _SCRIPTS.findall(text),
    }


def _inlined(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or f"image/{path.suffix[1:]}"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _asset(name: str) -> str:
    return (resources.files("reports") / "assets" / name).read_text("utf-8")


def _policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    def hashes(texts: Iterable[str]) -> str:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
