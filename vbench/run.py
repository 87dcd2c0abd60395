"""Run models on the pairs of a workspace and measure what they give.

Two kinds of tasks: *restore* (a model on a clip: frames, committed as one folder and one JSON) and *score*
(all new restorations of one pair: one cell per model and metric). What is there with the right
fingerprint is not done again; what failed is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leaderboards.schema import Cell, Cost, ModelFacts
from leaderboards.store import cell_path, read_cell, write_cell
from vbench import metrics as metric_catalog
from vbench.datasets import Dataset, Pair
from vbench.errors import InputError, MissingWeights, RunError
from vbench.execute import Outcome, Task, advance, cores, run_tasks
from vbench.provenance import fingerprint, now, versions
from vbench.workspace import Workspace, disk_error, read_json, write_json

if TYPE_CHECKING:
    import torch

    from vbench.models.spec import ModelSpec
    from vbench.restore import Restorer

CHUNK = 8


@dataclass(frozen=True)
class RunPlan:
    """What ``vbench run`` is going to do."""

    workspace: Workspace
    datasets: tuple[Dataset, ...]
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    protocol: str
    device: str = "cpu"
    max_clips: int | None = None

    def pairs(self, dataset: Dataset) -> list[Pair]:
        """The pairs of a data set that take part."""
        return dataset.pairs()[: self.max_clips]


@dataclass
class RunResult:
    """What became of a run."""

    restored: int = 0
    cells: int = 0
    kept: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    """Models that cannot run here, and why (the text names the command that helps)."""
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ready:
    """A model that can run here."""

    name: str
    facts: ModelFacts
    weights: Path | None


def ready_models(wanted: Sequence[str]) -> tuple[list[Ready], dict[str, str]]:
    """Which of the wanted models can run on this machine, and why the others cannot.

    "all" stands for every model. A model that was asked for by name and has no weights is an error.

    Raises:
        InputError: no such model.
        MissingWeights: a model named one by one lacks its weights.
    """
    from vbench import models, weights

    names: dict[str, bool] = {}
    for name in wanted:
        for one in models.names() if name == "all" else (name,):
            names[one] = names.get(one, False) or name != "all"
    ready: list[Ready] = []
    skipped: dict[str, str] = {}
    for name, explicit in names.items():
        spec = models.spec(name)
        path = None
        if spec.weights is not None:
            path = weights.find(spec)
            if path is None:
                text = spec.missing_text()
                if explicit:
                    raise MissingWeights(text)
                skipped[name] = text
                continue
        ready.append(Ready(name, model_facts(spec, path), path))
    return ready, skipped


def model_facts(spec: ModelSpec, weights: Path | None) -> ModelFacts:
    """What is written of a model beside its numbers."""
    from vbench.provenance import file_sha256

    return ModelFacts(
        name=spec.name,
        version=spec.version,
        title=spec.title,
        task=spec.task,
        source=spec.source,
        licence=spec.licence,
        settings=dict(spec.settings),
        weights_file=weights.name if weights else None,
        weights_sha256=file_sha256(weights) if weights else None,
        parameters=spec.parameters,
    )


# --- restore (in worker processes) --------------------------------------------------------------

_loaded: dict[tuple[str, str], Restorer] = {}


def _restorer(model: Ready, device: str) -> Restorer:
    """The loaded model; a process keeps the last one that it used."""
    from vbench import models
    from vbench.restore import checked

    key = (model.name, device)
    if key not in _loaded:
        _loaded.clear()
        import torch

        _loaded[key] = checked(models.spec(model.name).load(torch.device(device), model.weights), model.name)
    return _loaded[key]


def restored_fingerprint(pair: Pair, model: Ready, device: str) -> str:
    """Everything that restored frames depend on."""
    facts = model.facts
    return fingerprint(
        {
            "lq": pair.facts.lq_sha256,
            "model": facts.name,
            "version": facts.version,
            "settings": facts.settings,
            "weights": facts.weights_sha256,
            "device": device.split(":", maxsplit=1)[0],
            "precision": "fp32",
        }
    )


def _restored_paths(workspace: Workspace, pair: Pair, model: str) -> tuple[Path, Path]:
    room = workspace.restored(pair.dataset, model)
    return room / pair.name, room / f"{pair.name}.json"


def restore_pair(workspace: Workspace, pair: Pair, model: Ready, device: str) -> dict[str, Any]:
    """Restore one clip by one model and commit its frames as 8-bit PNG; the JSON beside is written last."""
    import time

    import torch

    from vbench.media import FrameFolder, FrameHasher
    from vbench.restore import ClipMeta, from_uint8, to_uint8
    from vbench.workspace import make_folder

    folder, note = _restored_paths(workspace, pair, model.name)
    clip = pair.degraded()
    info = clip.info
    restorer = _restorer(model, device)
    seen = FrameHasher()
    waiting = 0.0

    def chunks() -> Iterator[torch.Tensor]:
        nonlocal waiting
        begin = time.perf_counter()
        for frames in clip.chunks(CHUNK):
            seen.update(frames)
            tensor = from_uint8(frames).to(device)
            waiting += time.perf_counter() - begin
            yield tensor
            begin = time.perf_counter()

    make_folder(folder.parent)
    hasher = FrameHasher()
    done = 0
    meta = ClipMeta(info.frames, info.height, info.width, info.channels, info.fps)
    started = time.perf_counter()
    with torch.inference_mode(), FrameFolder(folder) as writer:
        for out in restorer.restore(chunks(), meta):
            stored = to_uint8(out)
            begin = time.perf_counter()
            hasher.update(stored)
            for frame in stored:
                writer.write(frame)
            done += len(stored)
            advance(len(stored))
            waiting += time.perf_counter() - begin
        seconds = time.perf_counter() - started - waiting
        if seen.hexdigest() != pair.facts.lq_sha256:
            raise RunError(
                f'The degraded frames of "{pair.name}" in data set "{pair.dataset}" are not those that '
                "`vbench synth` made (their hash differs): files were changed since. Make the data set again."
            )
    document = {
        "fingerprint": restored_fingerprint(pair, model, device),
        "frames": done,
        "sha256": hasher.hexdigest(),
        "cost": Cost(frames=done, seconds=seconds, threads=torch.get_num_threads(), device=device).model_dump(),
        "device": device,
        "precision": "fp32",
        "versions": versions(),
    }
    write_json(note, document)
    return document


def _read_restored(workspace: Workspace, pair: Pair, model: Ready, device: str) -> dict[str, Any] | None:
    folder, note = _restored_paths(workspace, pair, model.name)
    if not note.exists() or not folder.is_dir():
        return None
    document: dict[str, Any] = read_json(note)
    return document if document["fingerprint"] == restored_fingerprint(pair, model, device) else None


# --- score --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoreJob:
    """One model's frames on one pair, and the metrics still to be measured on them."""

    model: Ready
    metrics: tuple[str, ...]
    restored: dict[str, Any]


def _cell(
    pair: Pair, model: ModelFacts, metric: str, protocol: str, restored: dict[str, Any] | None, **rest: Any
) -> Cell:
    facts = metric_catalog.load(metric).facts()
    return Cell(
        dataset=pair.dataset,
        clip=pair.name,
        model=model.name,
        metric=facts,
        protocol=protocol,
        model_facts=model,
        data_sha256=pair.facts.data_sha256,
        restored_sha256=restored["sha256"] if restored else None,
        fingerprint=cell_fingerprint(pair, metric, protocol, restored),
        versions=versions(),
        **rest,
    )


def cell_fingerprint(pair: Pair, metric: str, protocol: str, restored: dict[str, Any] | None) -> str:
    """Everything that one number depends on."""
    facts = metric_catalog.load(metric).facts()
    return fingerprint(
        {
            "gt": pair.facts.gt_sha256,
            "restored": [restored["fingerprint"], restored["sha256"]] if restored else None,
            "metric": facts.model_dump(exclude={"convention"}),
            "protocol": protocol,
        }
    )


def score_pair(workspace: Workspace, pair: Pair, jobs: tuple[ScoreJob, ...], protocol: str) -> int:
    """Measure every job of a pair in one pass over its ground truth; commits one cell per model and metric."""
    from vbench.score import measure_clips

    truth = pair.truth()
    wanted = {job.model.name: job.metrics for job in jobs}
    clips = {job.model.name: _open_restored(workspace, pair, job.model.name) for job in jobs}
    figures = measure_clips(truth, clips, wanted, truth_sha256=pair.facts.gt_sha256, done=advance)
    count = 0
    for job in jobs:
        for metric in job.metrics:
            values = figures[job.model.name, metric]
            _commit(
                workspace,
                _cell(
                    pair,
                    job.model.facts,
                    metric,
                    protocol,
                    job.restored,
                    status="ok",
                    value=sum(values) / len(values) if values else None,
                    frames=values,
                    device=job.restored["device"],
                    precision=job.restored["precision"],
                    cost=Cost(**job.restored["cost"]),
                ),
            )
            count += 1
    return count


def _commit(workspace: Workspace, cell: Cell) -> None:
    try:
        write_cell(workspace.root, cell)
    except OSError as error:
        raise disk_error(workspace.results, error) from error


def _open_restored(workspace: Workspace, pair: Pair, model: str) -> Any:
    from vbench.sources import open_clip

    return open_clip(_restored_paths(workspace, pair, model)[0], name=pair.name)


# --- the command --------------------------------------------------------------------------------


def run(
    plan: RunPlan,
    *,
    command: str,
    workers: int = 1,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> RunResult:
    """Restore and measure everything of the plan that is not there yet.

    Args:
        command: what the user typed, recorded in ``results/run.json``.
        workers: processes; results do not depend on it.
        progress: called with what is under way, frames done since the last call, and all frames to do
            (None after the first call).
    """
    say = progress or (lambda what, frames, total: None)
    started = now()
    ready, skipped = ready_models(plan.models)
    result = RunResult(skipped=skipped)
    for name in plan.metrics:
        metric_catalog.load(name)
    pairs = [pair for dataset in plan.datasets for pair in plan.pairs(dataset)]
    to_restore = [
        (model, pair)
        for model in ready
        for pair in pairs
        if _read_restored(plan.workspace, pair, model, plan.device) is None
    ]
    fresh = {(model.name, pair.dataset, pair.name) for model, pair in to_restore}
    missing_cells = {
        (model.name, pair.dataset, pair.name): _missing_metrics(plan, pair, model, fresh)
        for pair in pairs
        for model in ready
    }
    total = sum(pair.facts.frames for _, pair in to_restore)
    total += sum(pair.facts.frames for pair in pairs for m in ready if missing_cells[m.name, pair.dataset, pair.name])
    say("starting", 0, total)
    # Long tasks first, so that the workers end together.
    tasks = [
        Task(
            f'{model.name} on {pair.dataset}, clip "{pair.name}"',
            restore_pair,
            (plan.workspace, pair, model, plan.device),
            pair.facts.frames,
        )
        for model, pair in to_restore
    ]
    failed: dict[tuple[str, str, str], str] = {}

    def restored(outcome: Outcome) -> None:
        _, pair, model, _ = outcome.task.arguments
        if outcome.error is None:
            result.restored += 1
        else:
            failed[model.name, pair.dataset, pair.name] = outcome.error
            result.failures.append(f"{outcome.task.label}: {outcome.error}")
            _record_failure(plan, pair, model, outcome.error)

    run_tasks(tasks, workers=workers, progress=lambda n: say("restoring", n, None), done=restored)
    score_tasks = []
    for pair in pairs:
        jobs = []
        for model in ready:
            key = (model.name, pair.dataset, pair.name)
            if key in failed or not missing_cells[key]:
                continue
            document = _read_restored(plan.workspace, pair, model, plan.device)
            if document is not None:
                jobs.append(ScoreJob(model, missing_cells[key], document))
        if jobs:
            label = f'measuring {pair.dataset}, clip "{pair.name}"'
            arguments = (plan.workspace, pair, tuple(jobs), plan.protocol)
            score_tasks.append(Task(label, score_pair, arguments, pair.facts.frames * len(jobs)))

    def scored(outcome: Outcome) -> None:
        if outcome.error is None:
            result.cells += outcome.value
            return
        _, pair, jobs, _ = outcome.task.arguments
        result.failures.append(f"{outcome.task.label}: {outcome.error}")
        for job in jobs:
            _record_failure(plan, pair, job.model, outcome.error, job.restored)

    run_tasks(score_tasks, workers=workers, progress=lambda n: say("measuring", n, None), done=scored)
    expected = len(pairs) * len(ready) * len(plan.metrics)
    result.kept = expected - sum(len(m) for m in missing_cells.values())
    _write_summary(plan, command, started, ready, skipped, failed)
    return result


def _missing_metrics(plan: RunPlan, pair: Pair, model: Ready, fresh: set[tuple[str, str, str]]) -> tuple[str, ...]:
    if (model.name, pair.dataset, pair.name) in fresh:
        return plan.metrics
    document = _read_restored(plan.workspace, pair, model, plan.device)
    out = []
    for metric in plan.metrics:
        path = cell_path(plan.workspace.root, pair.dataset, model.name, pair.name, metric)
        cell = read_cell(path) if path.exists() else None
        wanted = cell_fingerprint(pair, metric, plan.protocol, document)
        if cell is None or cell.status != "ok" or cell.fingerprint != wanted:
            out.append(metric)
    return tuple(out)


def _record_failure(
    plan: RunPlan, pair: Pair, model: Ready, error: str, restored: dict[str, Any] | None = None
) -> None:
    for metric in plan.metrics:
        _commit(
            plan.workspace,
            _cell(
                pair,
                model.facts,
                metric,
                plan.protocol,
                restored,
                status="failed",
                value=None,
                error=error,
                device=plan.device,
                precision="fp32",
            ),
        )


def _write_summary(
    plan: RunPlan,
    command: str,
    started: str,
    ready: list[Ready],
    skipped: dict[str, str],
    failed: dict[tuple[str, str, str], str],
) -> None:
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
    for name, text in skipped.items():
        spec = models.spec(name)
        status = {
            "status": "needs weights",
            "reason": text,
            "command": f"vbench weights import FILE --model {name}",
        }
        entries.append({**model_facts(spec, None).model_dump(), **status})
    write_json(
        plan.workspace.results / "run.json",
        {
            "command": command,
            "started": started,
            "finished": now(),
            "protocol": plan.protocol,
            "datasets": [dataset.name for dataset in plan.datasets],
            "models": entries,
            "metrics": [metric_catalog.load(name).facts().model_dump() for name in plan.metrics],
            "device": describe(plan.device),
            "versions": versions(),
        },
    )


def default_workers(device: str, tasks: int) -> int:
    """Worker processes when the user names none: one per core on the CPU, one for a GPU.

    Example:
        >>> default_workers("cuda", 10)
        1
    """
    return 1 if not device.startswith("cpu") else max(1, min(cores(), tasks))


def check_models(names: Sequence[str]) -> None:
    """Raise in words if one of the names is no model.

    Raises:
        InputError: the text names the nearest.
    """
    from vbench import models

    for name in names:
        if name != "all":
            models.spec(name)
    if not names:
        raise InputError("No model was named. `vbench models` lists them; `--models all` takes every one.")
