"""The pages of clips: pictures of input, every model and ground truth, side by side, with the figures of each frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reports.media import export_media
from reports.site import Site
from reports.views.facts import Facts


def write_clips(
    site: Site,
    facts: Facts,
    *,
    budget: int,
    previous: Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[tuple[str, str], str]:
    """Write the pages of all clips that have pictures, and the pictures.

    Args:
        site: the report that is being written.
        facts: the results.
        budget: bytes of pictures at most.
        previous: folder of an older report, whose pictures are taken over where nothing changed; None if there is none.
        progress: called with what is under way, pictures done since the last call, and all pictures.

    Returns:
        The page of each clip, by data set and clip, relative to the report's folder.
    """
    viewer = export_media(facts.root, site.folder / "media", facts.boards, facts.cells, budget, progress)
    if not viewer["datasets"]:
        return {}
    metrics = facts.metrics.values()
    viewer |= {
        "numbers": facts.numbers,
        "directions": {m.name: m.direction for m in metrics},
        "units": {m.name: m.unit for m in metrics},
    }
    site.write(
        "clips.html", "clips.html.j2", here="clips", title="Clips", scripts=["viewer.js"], styles=["viewer.css"],
        viewer=viewer,
    )  # fmt: skip
    return {(d["name"], c["name"]): "clips.html" for d in viewer["datasets"] for c in d["clips"]}
