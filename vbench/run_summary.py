"""``results/run.json``: what a run was asked for, what became of it, on what machine."""

from __future__ import annotations

from typing import Any

from vbench import metrics as metric_catalog
from vbench.plan import RunPlan, RunResult
from vbench.provenance import now, versions
from vbench.restoring import Ready, model_facts
from vbench.workspace import read_json, write_json


def write_summary(
    plan: RunPlan,
    command: str,
    started: str,
    ready: list[Ready],
    result: RunResult,
    failed: dict[tuple[str, str, str], str],
    goes_on: bool,
) -> None:
    """Write ``results/run.json``: what was asked for, what ran, what did not and why, on what machine.

    Args:
        failed: model, data set and clip that failed, and why.
        goes_on: the same command has run under another protocol before; both are told of.
    """
    from vbench import models
    from vbench.devices import describe

    entries = []
    for model in ready:
        errors = [error for key, error in failed.items() if key[0] == model.name]
        status = {
            "status": "failed" if errors else "ran",
            "reason": errors[0] if errors else None,
            "command": None,
        }
        entries.append({**model.facts.model_dump(), **status})
    known = models.described()[0] if result.skipped else {}
    for name, text in result.skipped.items():
        spec = known.get(name)
        if spec is None:  # of a package that cannot be loaded, so that nothing is known of it
            continue
        status = {
            "status": "needs weights",
            "reason": text,
            "command": f"vbench weights import FILE --model {name}",
            "published": spec.weights.published if spec.weights else None,
            "weights_licence": spec.weights.terms if spec.weights else None,
        }
        entries.append({**model_facts(spec, None).model_dump(), **status})
    path = plan.workspace.results / "run.json"
    document = {
        "command": command,
        "started": started,
        "finished": now(),
        "protocol": plan.protocol.label,
        "datasets": [dataset.name for dataset in plan.datasets],
        "models": entries,
        "unfit": result.unfit,
        "left_out": list(result.left_out),
        "metrics": [metric_catalog.load(name).facts().model_dump() for name in plan.metrics],
        "device": describe(plan.device),
        "versions": versions(),
    }
    write_json(path, _with_earlier(read_json(path), document) if goes_on else document)


def _with_earlier(before: dict[str, Any], now_: dict[str, Any]) -> dict[str, Any]:
    """One summary of a command that ran under two protocols."""
    models = {entry["name"]: entry for entry in before["models"]}
    for entry in now_["models"]:
        known = models.get(entry["name"])
        if known is None or known["status"] != "failed":
            models[entry["name"]] = entry
    metrics = {facts["name"]: facts for facts in (*before["metrics"], *now_["metrics"])}
    unfit: dict[str, list[str]] = {}
    for document in (before, now_):
        for name, where in document["unfit"].items():
            unfit[name] = list(dict.fromkeys([*unfit.get(name, []), *where]))
    return {
        **now_,
        "started": before["started"],
        "protocol": f"{before['protocol']}, {now_['protocol']}",
        "datasets": [*before["datasets"], *now_["datasets"]],
        "models": list(models.values()),
        "unfit": unfit,
        "left_out": list(dict.fromkeys([*before["left_out"], *now_["left_out"]])),
        "metrics": list(metrics.values()),
    }
