"""What stands beside a board: the frames to look at first, and the figures that papers print for the same data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from leaderboards.export import number, signed
from leaderboards.moments import worst_moments
from leaderboards.table import BASELINE, Board
from reports.views.facts import Facts


@dataclass(frozen=True)
class MomentView:
    """A frame to look at."""

    clip: str
    link: str
    """Its clip's page with this frame and the model's picture; empty where there is none."""
    at: str
    text: str
    tone: str


@dataclass(frozen=True)
class ReportedView:
    """A figure that a paper or a repository prints for these data, beside the one that was measured here."""

    model: str
    metric: str
    printed: str
    measured: str
    difference: str
    source: str
    kind: str


def moments(
    facts: Facts, board: Board, clip_pages: Mapping[tuple[str, str], str]
) -> tuple[tuple[int, str, tuple[MomentView, ...]], ...]:
    """Number and name of each model, and the frames on which it lost most against doing nothing under the first metric."""
    metric = board.primary
    own = replace(board, cells=tuple(c for c in board.cells if c.metric.name == metric.name))
    unit = f" {metric.unit}" if metric.unit else ""
    out = []
    for row in board.rows:
        model = row.model.name
        found = worst_moments(own, model, info=facts.info(board.dataset)) if model != BASELINE else []
        views = []
        for moment in found:
            page = clip_pages.get((board.dataset, moment.clip), "")
            state = urlencode({"f": moment.frame, "b": f"model:{model}"})
            gain = moment.gain or 0.0
            harm = gain < 0 if metric.direction == "higher" else gain > 0
            views.append(
                MomentView(
                    clip=moment.clip,
                    link=f"{page}#{state}" if page else "",
                    at=moment.timecode or f"frame {moment.frame}",
                    text=f"{signed(moment.gain, metric.name)}{unit}",
                    tone="bad" if harm else "",
                )
            )
        if views:
            out.append((facts.numbers[model], model, tuple(views)))
    return tuple(out)


def reported(board: Board) -> tuple[ReportedView, ...]:
    """Figures of papers for these data, those of models that were run here first."""
    only = set(map(id, board.reported_only))
    out = []
    for found in sorted(board.reported, key=lambda r: id(r) in only):
        row = board.row(found.model)
        entry = row.entries.get(found.metric) if row else None
        mean = entry.mean if entry is not None else None
        out.append(
            ReportedView(
                model=found.model,
                metric=found.metric,
                printed=number(found.value, found.metric),
                measured=number(mean, found.metric),
                difference="" if mean is None else signed(mean - found.value, found.metric),
                source=found.source,
                kind=found.kind,
            )
        )
    return tuple(out)
