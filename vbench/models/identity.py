"""Identity: the degraded clip as it is. A model below it made things worse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbench.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch

    from vbench.restore import Restorer


def _load(device: torch.device, weights: Path | None) -> Restorer:
    from vbench.restore import Framewise

    return Framewise(lambda frames: frames)


SPEC = ModelSpec(
    name="identity",
    version=1,
    title="Identity (do nothing)",
    task="baseline",
    source="The degraded clip itself; a model that scores below it did harm.",
    licence="Apache-2.0",
    load=_load,
)
