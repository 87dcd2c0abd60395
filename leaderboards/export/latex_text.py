"""Any text as LaTeX that pdfLaTeX, XeLaTeX and LuaLaTeX set, whatever characters it holds."""

from __future__ import annotations

import unicodedata

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    c: "\\" + c for c in "&%$#_{}"
} | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"{\char34}"}  # fmt: skip
_SIGNS = {
    "∞": r"$\infty$", "−": r"$-$", "–": "--", "—": "---", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "±": r"$\pm$",
    "×": r"$\times$", "°": r"$^\circ$", "≥": r"$\geq$", "≤": r"$\leq$", "†": r"$\dagger$", "…": r"\ldots{}", "·": r"$\cdot$",
    "‘": "`", "’": "'", "“": "``", "”": "''", "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}",
    "œ": r"\oe{}", "Œ": r"\OE{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "\u00a0": "~", "√": r"$\surd$", "≈": r"$\approx$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\epsilon$", "λ": r"$\lambda$",
    "μ": r"$\mu$", "µ": r"$\mu$", "π": r"$\pi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$", "χ": r"$\chi$",
    "Δ": r"$\Delta$", "Σ": r"$\Sigma$", "Φ": r"$\Phi$", "²": r"$^2$", "³": r"$^3$",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".", "\u0308": '"',
    "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
GLYPH = (
    r"\DeclareRobustCommand{\vbenchglyph}[2]{\ifdefined\XeTeXversion#1\else\ifdefined\directlua#1\else"
    r"{\footnotesize[U+#2]}\fi\fi}"
)
"""A letter that pdfLaTeX has no font for is set by XeLaTeX and LuaLaTeX (with such a font), and as its number by pdfLaTeX."""


def escape(text: str) -> str:
    r"""``text`` as LaTeX.

    Example:
        >>> print(escape("50% of a_b, ünï, σ = 25 →"))
        50\% of a\_b, \"{u}n\"{\i}, $\sigma$ = 25 \vbenchglyph{→}{2192}
    """
    plain = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(_char(char) + _apart(char, after) for char, after in zip(plain, [*plain[1:], ""], strict=True))


def _apart(char: str, after: str) -> str:
    """Between two hyphens or quotes, which would melt into one sign."""
    return "{}" if (char in "-'`,<>" and char == after) or (char in "?!" and after == "`") else ""


def _char(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char in _SIGNS:
        return _SIGNS[char]
    if " " <= char <= "~":
        return char
    base, *marks = list(unicodedata.normalize("NFD", char))
    if len(marks) == 1 and marks[0] in _ACCENTS and base.isascii() and base.isalpha():
        dotless = {"i": r"\i", "j": r"\j"}.get(base, base) if marks[0] != "\u0327" else base
        return rf"\{_ACCENTS[marks[0]]}{{{dotless}}}"
    shown = char if unicodedata.category(char)[0] in "LNPS" else ""
    return rf"\vbenchglyph{{{shown}}}{{{ord(char):04X}}}"
