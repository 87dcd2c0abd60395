"""BibTeX of what a report rests on: models, data sets, metrics. The entries stand in ``references.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from reports.views.facts import Facts

_OWN = ("phrases", "metrics", "type")


@lru_cache
def references() -> Mapping[str, Mapping[str, Any]]:
    """All entries that are known, by key."""
    import yaml

    text = (resources.files("reports") / "references.yaml").read_text("utf-8")
    document: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return document


def citations(facts: Facts) -> tuple[str, tuple[str, ...]]:
    """BibTeX of these results, and the models for which no entry is known."""
    sources = [text for described in facts.datasets.values() for text in _texts(described)]
    sources += [p.source for p in facts.protocols.values()] + [m.source for m in facts.models.values()]
    metrics = {name.partition("[")[0] for name in facts.metrics}
    keys = cited(sources, metrics)
    uncited = tuple(name for name, m in facts.models.items() if not cited([m.source], ()))
    return "\n\n".join(bibtex(key, references()[key]) for key in keys), uncited


def _texts(described: Mapping[str, Any]) -> list[str]:
    recipe = described.get("recipe") or {}
    return [str(text) for text in (described.get("source"), recipe.get("source"), described.get("description")) if text]


def cited(sources: Sequence[str], metrics: Sequence[str] | set[str]) -> list[str]:
    """Keys of the entries whose phrase stands in a source or whose metric is there, in alphabetical order.

    Example:
        >>> cited(['Wang et al., "EDVR" (CVPRW 2019)'], ["ms_ssim"])
        ['wang2003multiscale', 'wang2019edvr']
    """
    found = []
    for key, entry in references().items():
        named = any(phrase in source for phrase in entry.get("phrases", ()) for source in sources)
        if named or set(entry.get("metrics", ())) & set(metrics):
            found.append(key)
    return sorted(found)


def bibtex(key: str, entry: Mapping[str, Any]) -> str:
    """An entry as BibTeX.

    Example:
        >>> print(bibtex("a1", {"type": "book", "author": "A", "title": "On {B}", "year": 2000, "phrases": []}))
        @book{a1,
          author = {A},
          title = {On {B}},
          year = {2000},
        }
    """
    lines = [f"  {name} = {{{value}}}," for name, value in entry.items() if name not in _OWN]
    return "\n".join([f"@{entry['type']}{{{key},", *lines, "}"])
