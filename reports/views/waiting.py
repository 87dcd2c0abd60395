"""Models that were not run, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.views.facts import Facts


@dataclass(frozen=True)
class Waiting:
    """Models that wait for weights from one place."""

    models: tuple[str, ...]
    files: tuple[str, ...]
    place: str
    licence: str


def waiting(facts: Facts) -> tuple[Waiting, ...]:
    """Models that were not run for want of weights, by the place where their authors publish them."""
    missing = [
        m for m in facts.run.get("models", []) if m.get("status") == "needs weights" and m["name"] not in facts.models
    ]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for model in missing:
        file, _, place = str(model.get("published") or model["reason"]).rpartition(" from ")
        groups.setdefault((place, str(model.get("weights_licence") or "")), []).append(model | {"file": file})
    return tuple(
        Waiting(
            models=tuple(str(m["name"]) for m in models),
            files=tuple(dict.fromkeys(m["file"] for m in models if m["file"])),
            place=place,
            licence=licence,
        )
        for (place, licence), models in groups.items()
    )


def unfit(facts: Facts) -> tuple[str, ...]:
    """Models that were left out, and those that give frames of another size than a data set asks for, in sentences."""
    left = [str(n) for n in facts.run.get("left_out", [])]
    out = [f"Left out, as they take hours for a clip on a CPU: {_list(left)}."] if left else []
    where: dict[tuple[str, ...], list[str]] = {}
    for model, datasets in facts.results.unfit.items():
        own = tuple(d for d in datasets if d in facts.datasets)
        if own:
            where.setdefault(own, []).append(model)
    for datasets, models in where.items():
        what = f"{'it makes' if len(models) == 1 else 'they make'} of {'its' if len(datasets) == 1 else 'their'} input"
        out.append(
            f"Not run on {_list(datasets)}, whose ground truth has another size than what {what}: {_list(models)}."
        )
    return tuple(out)


def _list(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``.

    Example:
        >>> _list(["a", "b", "c"])
        'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
