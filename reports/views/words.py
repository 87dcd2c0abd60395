"""Sentences: names set so that nothing in them can spoil the text around, numbers with their nouns, lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

FEW = 3
"""Names in one sentence at most; of more the number is told."""
LONG = 48
"""Characters of a name within a sentence or a chart; the whole of it stands in the tables."""

_CONTROLS = {c: f"‹U+{c:04X}›" for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_OPENING = {c: text for c, text in _CONTROLS.items() if c not in (0x2068, 0x2069)}


def visible(text: str) -> str:
    """Text in which characters that turn the direction of others are shown by their numbers.

    ``<bdi>`` alone does not hold them: an isolate that is left open within it swallows the end of the element's own.
    Marks of direction (U+200E, U+200F), which turn nothing around them, stay.

    Example:
        >>> visible("a\u202eb")
        'a‹U+202E›b'
    """
    return text.translate(_CONTROLS)


def settled(text: str) -> str:
    """The same for whole sentences: isolates that :func:`isolated` has put around names stay."""
    return text.translate(_OPENING)


def short(text: str, most: int = LONG) -> str:
    """A name cut in its middle, so that both ends tell it from others.

    Example:
        >>> short("a" * 30 + "b" * 30, 11)
        'aaaaa…bbbbb'
    """
    text = visible(text)
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[: most - 1 - half]}…{text[-half:]}"


def isolated(text: str) -> str:
    """A name for places that take no markup (attributes, drawings): its directions are its own and do not reach out of it.

    Example:
        >>> isolated("a") == chr(0x2068) + "a" + chr(0x2069)
        True
    """
    return f"\u2068{visible(text)}\u2069"


def name(text: str) -> Markup:
    """A name within a sentence."""
    from markupsafe import Markup

    if len(text) <= LONG:
        return Markup("<bdi>{}</bdi>").format(visible(text))
    return Markup('<bdi title="{}">{}</bdi>').format(isolated(text), short(text))


def names(texts: Sequence[str], most: int = FEW) -> Markup:
    """``a``, ``a and b``, ``a, b and c``, or how many there are.

    Example:
        >>> str(names(["a", "b", "c"]))
        '<bdi>a</bdi>, <bdi>b</bdi> and <bdi>c</bdi>'
        >>> str(names(["a", "b", "c", "d"]))
        '4 models'
    """
    from markupsafe import Markup

    if len(texts) > most:
        return Markup("{} models").format(len(texts))
    parts = [name(text) for text in texts]
    return parts[0] if len(parts) == 1 else Markup("{} and {}").format(Markup(", ").join(parts[:-1]), parts[-1])


def join(parts: Iterable[str]) -> Markup:
    """Sentences after each other."""
    from markupsafe import Markup

    return Markup(" ").join(part for part in parts if part)


def breakable(text: str) -> Markup:
    """The name of a metric, which may break after an underscore or a bracket.

    Example:
        >>> str(breakable("warp_error"))
        'warp_<wbr>error'
    """
    from markupsafe import Markup, escape

    out = escape(text)
    for char in "_[:":
        out = out.replace(char, Markup("{}<wbr>").format(char))
    return out


def marked(text: str) -> Markup:
    """A sentence in which commands stand between backticks, as our own messages have them.

    Example:
        >>> str(marked("Run `vbench run`, if a < b."))
        'Run <code>vbench run</code>, if a &lt; b.'
    """
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:  # one that is left open is no mark
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts))


def telling(text: str) -> bool:
    """Whether a figure, as it is shown, is other than nought: what shows as nought is neither good nor bad.

    Example:
        >>> telling("+0.01"), telling("−0.00"), telling("+∞")
        (True, False, True)
    """
    return any(char in "123456789∞" for char in text)


def count(amount: int, noun: str, plural: str = "") -> str:
    """A number and its noun.

    Example:
        >>> count(1, "clip"), count(2, "clip"), count(0, "series", "series"), count(12000, "frame")
        ('1 clip', '2 clips', '0 series', '12,000 frames')
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def figure(value: float | str | None, digits: int) -> str:
    """A figure that was carried as JSON has it, as text.

    Example:
        >>> figure(24.6, 2), figure(None, 2), figure("inf", 2), figure(-0.001, 2)
        ('24.60', '–', '∞', '0.00')
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return {"inf": "∞", "-inf": "−∞"}[value]
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and telling(text) else text
