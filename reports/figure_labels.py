"""Where names stand in a figure: beside their points and lines, and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation


def name_line(
    figure: Figure, axes: Axes, text: str, height: float, points: Sequence[tuple[str, float, float]], colour: str
) -> Annotation:
    """A word at an end of a level line, above or below it: where no point lies on it, if there is such a place."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    pixels = axes.transData.transform([(x, y) for _, x, y in points])
    reach = 3.2 * figure.dpi / 72

    def put(side: str, above: bool) -> Annotation:
        return axes.annotate(
            text, (0.005 if side == "left" else 0.995, height), xycoords=("axes fraction", "data"),
            xytext=(0, 1.5 if above else -1.5), textcoords="offset points", ha=side, va="bottom" if above else "top",
            color=colour, fontsize=6,
        )  # fmt: skip

    for side, above in (("left", True), ("right", True), ("left", False), ("right", False)):
        word = put(side, above)
        box = word.get_window_extent(renderer)
        if not any(box.x0 - reach < x < box.x1 + reach and box.y0 - reach < y < box.y1 + reach for x, y in pixels):
            return word
        word.remove()
    return put("left", True)


def place_labels(
    figure: Figure,
    axes: Axes,
    points: Sequence[tuple[str, float, float, bool]],
    words: Sequence[Annotation],
    colour: str,
) -> None:
    """Names beside their points, where they lie on no other name, point or word; those of the Pareto set come first.

    A name for which there is no free place is left out where the model is not in the Pareto set.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    pixels = axes.transData.transform([(x, y) for _, x, y, _ in points])
    reach = 3.2 * figure.dpi / 72
    taken = [(x - reach, y - reach, x + reach, y + reach) for x, y in pixels]
    around_words = [word.get_window_extent(renderer) for word in words]
    boxes = [(box.x0, box.y0, box.x1, box.y1) for box in around_words]
    frame = axes.get_window_extent(renderer)
    around = [(6, 0, "left", "center"), (-6, 0, "right", "center"), (0, 5, "center", "bottom"), (0, -5, "center", "top"),
              (5, 4, "left", "bottom"), (-5, 4, "right", "bottom"), (5, -4, "left", "top"), (-5, -4, "right", "top"),
              (9, 9, "left", "bottom"), (-9, 9, "right", "bottom"), (9, -9, "left", "top"), (-9, -9, "right", "top")]  # fmt: skip
    for index in sorted(range(len(points)), key=lambda i: not points[i][3]):
        label, x, y, good = points[index]
        others = [*boxes, *(box for i, box in enumerate(taken) if i != index)]
        for dx, dy, ha, va in around:
            text = axes.annotate(
                label, (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va, fontsize=6,
                fontweight="bold" if good else "normal", color=colour,
            )  # fmt: skip
            box = text.get_window_extent(renderer)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            free = not any(box.x0 < b[2] and b[0] < box.x1 and box.y0 < b[3] and b[1] < box.y1 for b in others)
            if inside and free:
                taken.append((box.x0, box.y0, box.x1, box.y1))
                break
            text.remove()
        else:
            if good:
                axes.annotate(
                    label, (x, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=6, fontweight="bold"
                )
