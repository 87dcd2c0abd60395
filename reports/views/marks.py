"""One look for each model, the same in every chart and table: a colour, dashes and a mark, told by its number."""

from __future__ import annotations

SERIES = 8
"""Colours of the style sheet: ``--s0`` .. ``--s7``, the palette of Okabe and Ito, the first for doing nothing."""
DASHES = ("", "6 3", "2 2", "8 3 2 3")
"""What tells apart models of one colour, as values of ``stroke-dasharray``."""
MARKS = ("circle", "square", "up", "diamond", "down", "plus", "cross", "ring")


def colour(number: int) -> int:
    """Which of the colours a model has; the first is that of doing nothing, and no model's.

    Example:
        >>> [colour(i) for i in (0, 1, 7, 8, 15)]
        [0, 1, 7, 1, 1]
    """
    return 0 if number == 0 else 1 + (number - 1) % (SERIES - 1)


def _turn(number: int) -> int:
    """How often all colours were given before."""
    return max(number - 1, 0) // (SERIES - 1)


def model_class(number: int) -> str:
    """Classes of whatever shows a model: its colour, and its number for highlighting.

    Example:
        >>> model_class(9)
        'm9 s2'
    """
    return f"m{number} s{colour(number)}"


def dashes(number: int) -> str:
    """Dashes of a model's lines; models of one colour have others (up to 28 models are told apart)."""
    return DASHES[_turn(number) % len(DASHES)]


def mark(number: int) -> str:
    """The mark of a model; of models of one colour neighbours have others. Doing nothing alone is a full circle."""
    return MARKS[0] if number == 0 else MARKS[1 + (number - 1 + _turn(number)) % (len(MARKS) - 1)]


def mark_path(number: int, x: float = 5.0, y: float = 5.0, r: float = 4.0) -> str:
    """The mark of a model as the ``d`` of an SVG path around ``(x, y)``, about as large as a circle of radius ``r``.

    Example:
        >>> mark_path(1)
        'M1.5 1.5h7v7h-7Z'
    """

    def f(value: float) -> str:
        return f"{value:.2f}".rstrip("0").rstrip(".")

    def polygon(*points: tuple[float, float]) -> str:
        return "M" + "L".join(f"{f(x + r * dx)} {f(y + r * dy)}" for dx, dy in points) + "Z"

    def ring(radius: float) -> str:
        half = f"a{f(radius)} {f(radius)} 0 1 0"
        return f"M{f(x - radius)} {f(y)}{half} {f(2 * radius)} 0{half} {f(-2 * radius)} 0Z"

    side = 0.875 * r
    arm = 0.36
    match mark(number):
        case "circle":
            return ring(r)
        case "square":
            return f"M{f(x - side)} {f(y - side)}h{f(2 * side)}v{f(2 * side)}h{f(-2 * side)}Z"
        case "up":
            return polygon((0, -1.15), (1.1, 0.85), (-1.1, 0.85))
        case "down":
            return polygon((0, 1.15), (1.1, -0.85), (-1.1, -0.85))
        case "diamond":
            return polygon((0, -1.3), (1.1, 0), (0, 1.3), (-1.1, 0))
        case "plus":
            return polygon(
                (-arm, -1.1), (arm, -1.1), (arm, -arm), (1.1, -arm), (1.1, arm), (arm, arm), (arm, 1.1), (-arm, 1.1),
                (-arm, arm), (-1.1, arm), (-1.1, -arm), (-arm, -arm),
            )  # fmt: skip
        case "cross":
            return polygon(
                (0, -0.5), (0.6, -1.1), (1.1, -0.6), (0.5, 0), (1.1, 0.6), (0.6, 1.1), (0, 0.5), (-0.6, 1.1), (-1.1, 0.6),
                (-0.5, 0), (-1.1, -0.6), (-0.6, -1.1),
            )  # fmt: skip
        case _:
            return ring(1.05 * r) + ring(0.5 * r)
