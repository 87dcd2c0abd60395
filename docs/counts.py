"""Writes vbench/models/multiply_adds.json: what ``vbench models show`` says of the work of each network.

Run by ``nox -s docs``; counts on shapes alone, some minutes for all. ``nox -s parity`` counts again and compares.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    """Count every network of the suite."""
    from vbench import models
    from vbench.multiply_adds import COUNTED, SHOWN, counted

    found = {name: counted(models.spec(name)) for name in models.CATALOG}
    lines = [f"    {json.dumps(name)}: {json.dumps(asdict(work))}" for name, work in found.items() if work is not None]
    entries = ",\n".join(lines)
    clip = dict(zip(("width", "height", "frames"), SHOWN, strict=True)) | {"channels": 3}
    COUNTED.write_text(f'{{\n  "clip": {json.dumps(clip)},\n  "models": {{\n{entries}\n  }}\n}}\n', "utf-8")


if __name__ == "__main__":
    main()
