"""Boards as CSV, Markdown, LaTeX or JSON, with the number format of each metric."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from typing import Any

from leaderboards.schema import MetricFacts
from leaderboards.table import Board, Entry

DECIMALS = {
    "psnr": 2, "psnr_aligned": 2, "psnr_damaged": 2, "psnr_intact": 2, "vmaf": 2, "vmaf_neg": 2, "brisque": 2, "niqe": 3,
    "niqe_gt": 3, "warp_error": 6, "warp_error_long": 6, "warp_error_ratio": 3, "l_st": 0, "flicker": 3, "tof": 3,
    "tlp": 3, "alignment_shift": 2, "damage_left": 3,
}  # fmt: skip
"""Digits after the point; 4 for others."""
ARROWS = {"higher": "↑", "lower": "↓"}


def number(value: float | None, metric: str) -> str:
    """A figure as its metric is usually printed.

    Example:
        >>> number(31.4159, "psnr"), number(math.inf, "psnr"), number(0.00123, "warp_error"), number(None, "ssim")
        ('31.42', '∞', '0.001230', '–')
    """
    if value is None:
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{DECIMALS.get(metric.split('[', maxsplit=1)[0], 4)}f}"


def signed(value: float | None, metric: str) -> str:
    """A difference with its sign, a true minus.

    Example:
        >>> signed(-1.234, "psnr"), signed(0.5, "psnr"), signed(0.0, "psnr")
        ('−1.23', '+0.50', '0.00')
    """
    if value is None:
        return "–"
    text = number(abs(value), metric)
    if not any(c in "123456789∞" for c in text):
        return text
    return ("+" if value > 0 else "−") + text


def heading(metric: MetricFacts) -> str:
    """Name, unit and direction: "psnr [dB] ↑"."""
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.name}{unit} {ARROWS[metric.direction]}"


def to_csv(boards: list[Board]) -> str:
    """One line per data set, model and metric, figures in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["dataset", "protocol", "model", "rank", "place", "metric", "unit", "direction", "mean", "low95", "high95", "interval",
         "gain_over_identity", "clips", "frames", "hole", "apart_because", "seconds_per_frame", "memory_bytes"]
    )  # fmt: skip
    for board in boards:
        facts = {m.name: m for m in board.metrics}
        for row in board.rows:
            for name, e in row.entries.items():
                interval = e.interval
                writer.writerow(
                    [board.dataset, board.protocol, row.model.name, row.rank or "", row.place or "", name, facts[name].unit,
                     facts[name].direction, _plain(e.mean), _plain(interval.low if interval else None),
                     _plain(interval.high if interval else None), interval.method if interval else "",
                     _plain(e.gain), e.clips, e.frames, e.hole or "", board.reason or "",
                     _plain(row.seconds_per_frame), _plain(row.memory_bytes)]
                )  # fmt: skip
    return out.getvalue()


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)


def to_markdown(boards: list[Board]) -> str:
    """A table per board; best in bold, second in italics."""
    parts = []
    for board in boards:
        lines = [f"### {_md(board.dataset)}", ""]
        if board.reason:
            lines += [f"Apart from the main board, because {_md(board.reason)}.", ""]
        lines.append("| # | model | " + " | ".join(heading(m) for m in board.metrics) + " |")
        lines.append("| ---: | --- | " + " | ".join("---:" for _ in board.metrics) + " |")
        for row in board.rows:
            cells = [_md_entry(e, name) for name, e in row.entries.items()]
            lines.append(f"| {row.rank or '–'} | {_md(row.model.name)} | " + " | ".join(cells) + " |")
        lines += ["", f"{len(board.clips)} clips, {board.frames} frames; protocol {board.protocol}."]
        lines += [f"{_md(note)}" for note in board.notes]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _md(text: str) -> str:
    for char in "\\`*_|<>[]":
        text = text.replace(char, "\\" + char)
    return text


def _md_entry(entry: Entry, metric: str) -> str:
    text = number(entry.mean, metric)
    return f"**{text}**" if entry.best else f"*{text}*" if entry.second else text


def to_latex(boards: list[Board]) -> str:
    """A booktabs table per board; best in bold, second underlined."""
    parts = []
    for board in boards:
        arrows = {"higher": r"$\uparrow$", "lower": r"$\downarrow$"}
        heads = [_tex(m.name) + (f" [{m.unit}]" if m.unit else "") + " " + arrows[m.direction] for m in board.metrics]
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(board.dataset)}: {len(board.clips)} clips, {board.frames} frames, protocol "
            rf"{_tex(board.protocol)}.}}",
            r"\begin{tabular}{l" + "r" * len(heads) + "}",
            r"\toprule",
            "Model & " + " & ".join(heads) + r" \\",
            r"\midrule",
        ]
        for row in board.rows:
            cells = [_tex_entry(e, name) for name, e in row.entries.items()]
            lines.append(_tex(row.model.name) + " & " + " & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    c: "\\" + c for c in "&%$#_{}"
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(c, c) for c in text)


def _tex_entry(entry: Entry, metric: str) -> str:
    text = number(entry.mean, metric).replace("∞", r"$\infty$").replace("−", "$-$").replace("–", "--")
    return rf"\textbf{{{text}}}" if entry.best else rf"\underline{{{text}}}" if entry.second else text


def to_json(boards: list[Board]) -> str:
    """Everything that a board holds; infinity as the string "inf"."""
    return json.dumps([_clean(_document(b)) for b in boards], ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _document(board: Board) -> dict[str, Any]:
    return {
        **{k: getattr(board, k) for k in ("dataset", "protocol", "clips", "frames", "reason", "detectable", "notes")},
        "metrics": [m.model_dump() for m in board.metrics],
        "rows": [
            {
                "model": row.model.model_dump(),
                "rank": row.rank,
                "place": row.place,
                "seconds_per_frame": row.seconds_per_frame,
                "seconds_quartiles": row.seconds_quartiles,
                "memory_bytes": row.memory_bytes,
                "device": row.device,
                "precision": row.precision,
                "entries": {name: asdict(e) for name, e in row.entries.items()},
            }
            for row in board.rows
        ],
    }


def _clean(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    return value
