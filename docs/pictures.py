"""Makes docs/damage.webp, the picture of the README: one frame of an embedded clip under many kinds of damage.

Run by ``nox -s docs``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
SHOWN = (
    ("oldfilm", "light"), ("oldfilm", "medium"), ("oldfilm", "heavy"), ("oldfilm", "colour"),
    ("oldfilm-rtn", "code"), ("vhs", "worn"), ("vhs", "mistracked"), ("codec", "h264-qp45"),
    ("codec", "loss-10"), ("social", "wechat"), ("blur", "shake"), ("noise", "camera"),
)  # fmt: skip
COLUMNS, TILE, BAR = 4, (320, 180), 22


def main() -> None:
    """Write the picture."""
    from degradations.profile import load_profile
    from vbench.preview import damaged
    from vbench.synth import builtin_sources

    (origin,) = builtin_sources(["garage"], 12)
    rows = -(-len(SHOWN) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * TILE[0], rows * (TILE[1] + BAR)), (25, 28, 33))
    pen = ImageDraw.Draw(canvas)
    for number, (name, variant) in enumerate(SHOWN):
        frames, _, _ = damaged(load_profile(name), variant, origin, 3)
        x, y = number % COLUMNS * TILE[0], number // COLUMNS * (TILE[1] + BAR)
        picture = frames[8] if frames[8].shape[2] == 3 else np.repeat(frames[8], 3, axis=2)
        pen.text((x + 6, y + 4), f"{name} / {variant}", (250, 250, 248), ImageFont.load_default(12))
        canvas.paste(Image.fromarray(picture).resize(TILE, Image.Resampling.NEAREST), (x, y + BAR))
    canvas.save(HERE / "damage.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
