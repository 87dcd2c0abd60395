"""What several workspaces know of a data set and of their runs, as one document each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_STATUS = ("ran", "failed", "needs weights")
"""Of two that a model has, the earlier one is told."""


def merged_description(
    name: str, documents: Sequence[tuple[Path, Path]]
) -> tuple[dict[str, Any], dict[str, int], list[str]]:
    """``dataset.json`` of a data set of which several workspaces have clips: the first one's facts, the clips of all.

    Args:
        name: of the data set.
        documents: root and file, by workspace.

    Returns:
        The document; by clip the index of the workspace whose clip it is; and what is not the same, in sentences.

    Raises:
        ValueError: a file is damaged; the text names it.
    """
    found = [(root, _read(path)) for root, path in documents]
    first_root, first = found[0]
    clips: dict[str, dict[str, Any]] = {}
    owner: dict[str, int] = {}
    notes = []
    for index, (root, document) in enumerate(found):
        apart = [
            key
            for key in ("profile", "variant", "severity", "seed", "profile_sha256")
            if document.get(key) != first.get(key)
        ]
        if apart:
            notes.append(
                f'{name} is not described alike: {", ".join(apart)} differ in "{first_root}" and "{root}". The first is kept; '
                "results on other data stand on boards of their own."
            )
        for clip in document["clips"]:
            key = str(clip["name"])
            if key not in clips:
                clips[key], owner[key] = clip, index
            elif _hashes(clips[key]) != _hashes(clip):
                notes.append(
                    f'The clip "{key}" of {name} holds other frames in "{root}" than in "{found[owner[key]][0]}"; results on '
                    "it stand on boards of their own."
                )
    return {**first, "clips": [clips[key] for key in sorted(clips)]}, owner, notes


def _hashes(clip: dict[str, Any]) -> tuple[Any, Any]:
    return clip.get("gt_sha256"), clip.get("lq_sha256")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
        names = [clip["name"] for clip in document["clips"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'"{path}" does not describe a data set ({type(error).__name__}: {error}). Make the data set again with `vbench '
            "synth`, or delete the file: its title and severity are then not known."
        ) from error
    if len(set(names)) < len(names):
        raise ValueError(f'"{path}" names a clip twice: {", ".join(sorted(map(str, names)))}.')
    out: dict[str, Any] = document
    return out


def merged_run(runs: Sequence[tuple[str, dict[str, Any]]], command: str) -> dict[str, Any]:
    """``run.json`` of merged workspaces: in the form of one run, with those that it is made of under ``origins``.

    A model that ran anywhere has run; hardware and versions that differ stand side by side.

    Args:
        runs: root, as the user named it, and what its last run left behind.
        command: that merged them.
    """
    origins = _origins(runs)
    documents = [origin["run"] for origin in origins]
    models: dict[str, dict[str, Any]] = {}
    for document in documents:
        for model in document.get("models", ()):
            known = models.get(str(model.get("name")))
            if known is None or _order(model) < _order(known):
                models[str(model.get("name"))] = model
    ran = {name for name, model in models.items() if model.get("status") == "ran"}
    metrics: dict[str, Any] = {}
    unfit: dict[str, list[str]] = {}
    for document in documents:
        for metric in document.get("metrics", ()):
            metrics.setdefault(str(metric.get("name")), metric)
        for model, names in (document.get("unfit") or {}).items():
            unfit[model] = sorted({*unfit.get(model, ()), *names})
    left_out = dict.fromkeys(str(name) for document in documents for name in document.get("left_out", ()))
    return {
        "command": command,
        "started": min(_texts(documents, "started"), default=""),
        "finished": max(_texts(documents, "finished"), default=""),
        "protocol": ", ".join(dict.fromkeys(_texts(documents, "protocol"))),
        "datasets": sorted({str(name) for document in documents for name in document.get("datasets", ())}),
        "models": [models[name] for name in models],
        "unfit": unfit,
        "left_out": [name for name in left_out if name not in ran],
        "metrics": list(metrics.values()),
        "device": _beside([document.get("device") or {} for document in documents]),
        "versions": _beside([document.get("versions") or {} for document in documents]),
        "origins": origins,
    }


def _origins(runs: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Runs that are no merged ones, each once."""
    out: list[dict[str, Any]] = []
    for root, run in runs:
        parts = run.get("origins")
        for origin in parts if isinstance(parts, list) and parts else [{"root": root, "run": run}]:
            if origin.get("run") not in [known["run"] for known in out]:
                out.append(origin)
    return out


def _order(model: dict[str, Any]) -> int:
    status = model.get("status")
    return _STATUS.index(status) if status in _STATUS else len(_STATUS)


def _texts(documents: Iterable[dict[str, Any]], key: str) -> list[str]:
    return [str(document[key]) for document in documents if document.get(key)]


def _beside(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Facts of several machines: those that are the same as they are, others side by side.

    Example:
        >>> _beside([{"cores": 2, "cpu": "a"}, {"cores": 16, "cpu": "a"}])
        {'cores': '2; 16', 'cpu': 'a'}
    """
    out: dict[str, Any] = {}
    for key in dict.fromkeys(key for document in facts for key in document):
        values = [document[key] for document in facts if document.get(key) is not None]
        unlike = [value for i, value in enumerate(values) if value not in values[:i]]
        out[key] = "; ".join(map(str, unlike)) if len(unlike) > 1 else (unlike[0] if unlike else None)
    return out
