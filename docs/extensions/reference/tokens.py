"""Sentences of docstrings, cut into the tokens that formulas and words are made of."""

import re
import unicodedata
from dataclasses import dataclass

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵗᵀⁱⁿᵖʸᵏˣᵅ", "0123456789+−tTinpykxα", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼₖₗₘₙₚₛₜₓ", "0123456789+−ijklmnpstx", strict=True))
HALVES = {"½": (1, 2), "⅓": (1, 3), "¼": (1, 4)}
HAT, BAR = "\u0302", "\u0304"
ACCENT = f"[{HAT}{BAR}]"
GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΦΨΩ"

_TOKEN = re.compile(
    rf"""
    (?P<code>``.*?``|:[a-z:]+:`[^`]+`|`[^`]+`_?)
  | (?P<text>"[^"]*"|(?<!\w)'[^'\s]+'(?!\w))
  | (?P<number>\d+(?:\.\d+)?(?:e[-−+]?\d+)?)
  | (?P<name>(?:mean|max|min)(?=_(?:[a-z]\b|{{))
           | d?[{GREEK}]{ACCENT}?(?:_[A-Za-z0-9]+)?
           | [A-Za-zÀ-ÿ]{ACCENT}?(?:[A-Za-zÀ-ÿ0-9]{ACCENT}?|_(?=[A-Za-z0-9]))*(?:-[a-z]+)*)
  | (?P<raised>[{"".join(RAISED)}]+)
  | (?P<lowered>[{"".join(LOWERED)}]+)
  | (?P<half>[{"".join(HALVES)}])
  | (?P<prime>['’])
  | (?P<operator>\+=|==|[=←→≤≥<>≠≈+−·⊙⋆×/^±∞∂√ΣΠ∈‖|!_*∘-])
  | (?P<open>[(\[{{⌊⌈])
  | (?P<close>[)\]}}⌋⌉])
  | (?P<dots>…|\.\.\.)
  | (?P<mark>[.,;:?–“”„])
  | (?P<other>\S)
    """,
    re.VERBOSE,
)
SYMBOL = re.compile(rf"d?[A-Za-z{GREEK}]{ACCENT}?(_[A-Za-z0-9]{{1,4}})*|[a-z]\d|lr")


@dataclass(frozen=True)
class Token:
    """kind: a name of `_TOKEN`'s groups. spaced: whether a blank stands before it. Its text is text[start:end]."""

    kind: str
    text: str
    spaced: bool
    start: int
    end: int

    @property
    def symbol(self) -> bool:
        """One letter, or d and one letter, with accent and subscripts; the rate lr."""
        return self.kind == "name" and SYMBOL.fullmatch(self.text) is not None

    def among(self, *texts: str) -> bool:
        """Whether it is one of these marks or operators."""
        return self.text in texts and self.kind not in ("code", "text")


def cut(text: str) -> list[Token]:
    """All tokens of a text in which letters with an accent are two characters (`plain`)."""
    found = []
    last = 0
    for match in _TOKEN.finditer(text):
        assert match.lastgroup is not None
        found.append(Token(match.lastgroup, match.group(), match.start() > last, match.start(), match.end()))
        last = match.end()
    return found


def plain(text: str) -> str:
    """Letters with a hat or a bar as two characters, all others as one."""
    parted = {c: unicodedata.normalize("NFD", c) for c in set(text)}
    return "".join(parted[c] if parted[c][1:] in (HAT, BAR) else c for c in text)
