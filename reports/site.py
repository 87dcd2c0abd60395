"""The folder of pages: templates, style sheets and scripts in, files out; links between them that work from a file.

Every page is one call of :meth:`Site.write` with a template that extends ``base.html.j2``. Rules that hold for all of them:

- A page loads nothing but files of this folder, by relative addresses; its content security policy says so. Style sheets and
  scripts are files (``script-src 'self'`` works from ``file://`` in Chromium and Firefox, modules do not). Values for a script
  stand in ``<script type="application/json">`` (:func:`script_json`), which no browser runs.
- There is no ``style`` attribute and no inline script, as the policy forbids both: colours of models are classes
  (:func:`reports.views.marks.model_class`), sizes are attributes of SVG.
- All text is escaped by the environment, and characters that turn the direction of text are shown by their numbers; names that
  come from data are set by the macro ``name`` in ``<bdi>``, or within sentences by :func:`reports.views.words.name`.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

SLUG = 60
"""Characters of a name that go into the name of a file, at most."""
_RESERVED = {"con", "prn", "aux", "nul", "index"} | {f"{port}{i}" for port in ("com", "lpt") for i in range(10)}


@dataclass(frozen=True)
class Link:
    """A place in the navigation."""

    key: str
    """Which page it is, as :meth:`Site.write` says by ``here``."""
    text: str
    path: str
    """Relative to the folder of the report."""


@dataclass
class Site:
    """A report that is being written.

    Args:
        folder: where the pages go; it is there and empty.
        title: of the report, shown on every page.
        links: the navigation.
        language: of the pages' own words.
    """

    folder: Path
    title: str
    links: tuple[Link, ...] = ()
    language: str = "en"

    def write(
        self,
        path: str,
        template: str,
        *,
        here: str,
        title: str,
        scripts: Sequence[str] = (),
        styles: Sequence[str] = (),
        **values: Any,
    ) -> Path:
        """Write a page.

        Args:
            path: relative to the folder, with forward slashes: ``"boards/noise.html"``.
            template: its template, which extends ``base.html.j2``.
            here: key of its place in the navigation.
            title: its own title; the report's is added.
            scripts: files of ``assets`` besides ``core.js``, in the order in which they run.
            styles: files of ``assets`` besides the common ones.
            **values: what the template sets.
        """
        up = "../" * path.count("/")
        text = self.render(template, page=Page(path, here, title, up, tuple(scripts), tuple(styles)), **values)
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", newline="\n")
        return target

    def render(self, template: str, **values: Any) -> str:
        """A template as text."""
        return self._environment.get_template(template).render(site=self, **values)

    def write_assets(self) -> None:
        """Copy the style sheets and scripts."""
        folder = self.folder / "assets"
        folder.mkdir()
        for item in sorted((resources.files("reports") / "assets").iterdir(), key=lambda i: i.name):
            if item.name.endswith((".css", ".js")):
                (folder / item.name).write_bytes(item.read_bytes())

    @cached_property
    def _environment(self) -> jinja2.Environment:
        import jinja2

        from reports.views import marks, words

        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("reports", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            finalize=_settled,
        )
        environment.filters |= {
            "json": _safe_json, "count": words.count, "plain": words.isolated, "short": words.short, "slug": slug,
            "breakable": words.breakable,
            "figure": words.figure,
            "marked": words.marked,
            "visible": words.visible,
        }  # fmt: skip
        environment.globals |= {"model_class": marks.model_class, "mark_path": marks.mark_path}
        return environment


@dataclass(frozen=True)
class Page:
    """What ``base.html.j2`` knows of a page; ``up`` goes before every address of another file of the report."""

    path: str
    here: str
    title: str
    up: str
    scripts: tuple[str, ...]
    styles: tuple[str, ...]


def slug(name: str) -> str:
    """A name as the name of a file or folder anywhere: lower-case ASCII, not too long, another one for every name.

    Example:
        >>> slug("noise-gaussian15"), slug("a <b>")
        ('noise-gaussian15', 'a-b-5e7342fd')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:SLUG].strip("-")
    if plain and plain == name and plain not in _RESERVED:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def script_json(value: Any) -> str:
    r"""JSON that may stand inside a script element: nothing in it can end the element.

    Example:
        >>> script_json("</script>")
        '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _settled(value: Any) -> Any:
    """Every text that a template sets, without characters that turn the direction of what follows."""
    from markupsafe import Markup

    from reports.views import words

    return words.settled(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _safe_json(value: Any) -> Any:
    from markupsafe import Markup

    from reports.views import words

    return Markup(words.settled(script_json(value)))  # noqa: S704 - script_json leaves nothing that is markup
