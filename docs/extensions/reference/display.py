"""Which formulas of a paragraph stand on lines of their own, and how those lines are set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from reference.formulas import Node
from reference.sentences import Piece
from reference.tex import align, tex

DEFINING = ("=", "←", "+=")
SHORT = 14
"""A formula of fewer characters stays in its sentence, unless the sentence begins with it."""

ELSE = re.compile(r"^, else (?:(−?\d+(?:\.\d+)?)(?![\w.]*\w)|([a-z]+)(?=[;.,]))")
NEXT = re.compile(r"[,;]\s*(?:and|with|where)?\s*|\s*and\s*")
CUT = re.compile(r"^\s*([,;:.])?\s*")


@dataclass
class Line:
    """One formula of a display. cases: pairs of a value and where it holds, None for the last, that holds elsewhere."""

    formula: Node
    cases: list[tuple[str, str | None]] = field(default_factory=list)
    mark: str = ""

    def tex(self) -> str:
        if not self.cases:
            return align(self.formula) + self.mark
        if len(self.cases) == 1:
            return align(self.formula) + rf" \quad \text{{where }} {self.cases[0][1]}" + self.mark
        rows = [f"{value} & " + (rf"\text{{where }} {where}" if where else r"\text{else}") for value, where in self.cases]
        head = align(Node("relation", self.formula.text, [*self.formula.parts[:-1], Node("product")]))
        return rf"{head}\begin{{cases}} " + r" \\ ".join(rows) + rf" \end{{cases}}{self.mark}"


@dataclass
class Display:
    """Formulas on lines of their own."""

    lines: list[Line]

    def tex(self) -> str:
        shown = [line.tex() for line in self.lines]
        if len(shown) == 1:
            return shown[0].replace("&", "", 1)
        return r"\begin{aligned} " + r" \\ ".join(shown) + r" \end{aligned}"


def is_defining(piece: Piece) -> bool:
    """Whether it says what something is: y = …, p ← …"""
    tree = piece.tree
    if tree is None or tree.kind != "relation" or tree.text.split()[0] not in DEFINING:
        return False
    return tree.parts[-1] != Node("product")  # words follow



def blocks(pieces: Sequence[Piece]) -> list[Display | list[Piece]]:
    """The paragraph, parted into running text and displays."""
    found: list[Display | list[Piece]] = []
    text: list[Piece] = []
    rest, place = list(pieces), 0
    while place < len(rest):
        before = text[-1].text.rstrip() if text else ""
        free = not before or before[-1] in ":;,."
        if not (free and is_defining(rest[place])):
            text.append(rest[place])
            place += 1
            continue
        lines, after = _chain(rest, place)
        length = sum(len(piece.text) for piece in rest[place:after])
        if length < SHORT and (text or found):
            text += rest[place:after]
            place = after
            continue
        if after < len(rest) and rest[after].kind == "words":
            match = CUT.match(rest[after].text)
            assert match is not None
            lines[-1].mark = match.group(1) or ""
            rest[after] = Piece("words", rest[after].text[match.end() :])
        found += [text] if text else []
        found.append(Display(lines))
        text, place = [], after
    kept = [piece for piece in text if piece.text]
    return [*found, kept] if kept else found


def _chain(rest: list[Piece], place: int) -> tuple[list[Line], int]:
    """Formulas with nothing but commas and semicolons between them, and the place after them."""
    lines: list[Line] = []
    while True:
        line, after = _line(rest, place)
        lines.append(line)
        if after + 1 >= len(rest) or not is_defining(rest[after + 1]):
            return lines, after
        match = NEXT.fullmatch(rest[after].text)
        if rest[after].kind != "words" or match is None:
            return lines, after
        line.mark = rest[after].text.strip()[0].replace("a", ",")
        place = after + 1


def _line(rest: list[Piece], place: int) -> tuple[Line, int]:
    """A formula with its cases: `y = A where B, C where D, else E`."""
    tree = rest[place].tree
    assert tree is not None
    line, value = Line(tree), tex(tree.parts[-1])
    place += 1
    while _words(rest, place) == "where" and _formula(rest, place + 1):
        where = _tex(rest, place + 1)
        place += 2
        while (word := _words(rest, place)) in ("and", "or") and _formula(rest, place + 1):
            where += rf" \text{{ {word} }} {_tex(rest, place + 1)}"
            place += 2
        line.cases.append((value, where))
        if _words(rest, place) == ", else" and _formula(rest, place + 1):
            line.cases.append((_tex(rest, place + 1), None))
            return line, place + 2
        number = ELSE.match(rest[place].text) if place < len(rest) else None
        if number:
            shown = (number.group(1) or "").replace("−", "-") or rf"\mathrm{{{number.group(2)}}}"
            line.cases.append((shown, None))
            rest[place] = Piece("words", rest[place].text[number.end() :])
            return line, place
        if not (_words(rest, place) == "," and _formula(rest, place + 1) and _words(rest, place + 2) == "where"):
            break
        value = _tex(rest, place + 1)
        place += 2
    return line, place


def _words(rest: Sequence[Piece], place: int) -> str | None:
    return rest[place].text.strip() if place < len(rest) and rest[place].kind == "words" else None


def _formula(rest: Sequence[Piece], place: int) -> bool:
    return place < len(rest) and rest[place].tree is not None


def _tex(rest: Sequence[Piece], place: int) -> str:
    tree = rest[place].tree
    assert tree is not None
    return tex(tree)
