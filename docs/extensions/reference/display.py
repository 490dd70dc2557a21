"""Which formulas of a paragraph stand on lines of their own, and how those lines are set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from reference.formulas import Node, read
from reference.sentences import Piece
from reference.tex import align, tex

DEFINING = ("=", "←", "+=")
SHORT = 14
"""A formula of fewer characters stays in its sentence, unless the sentence begins with it."""

ELSE = re.compile(r"^, else (−?\d+(?:\.\d+)?(?![\w.]*\w)|[a-z]+(?=[;.,]))")
NEXT = re.compile(r"[,;]\s*(?:and)?\s*|,\s*(?:with|where)\s*|\s*and\s*")
CUT = re.compile(r"^\s*([,;:.])?\s*")


@dataclass
class Case:
    """A value, and where it holds: conditions with "and" or "or" between them; no condition: elsewhere."""

    value: Node
    where: list[Node] = field(default_factory=list)
    between: list[str] = field(default_factory=list)

    def conditions(self) -> str:
        shown = [tex(node) for node in self.where]
        words = [rf" \text{{ {word} }} " for word in self.between]
        return "".join(part for pair in zip(shown, [*words, ""], strict=True) for part in pair)


@dataclass
class Line:
    """One formula of a display, and the mark after it."""

    formula: Node
    cases: list[Case] = field(default_factory=list)
    mark: str = ""

    def tex(self) -> str:
        if not self.cases:
            return align(self.formula) + self.mark
        if len(self.cases) == 1:
            return align(self.formula) + rf" \quad \text{{where }} {self.cases[0].conditions()}" + self.mark
        rows = [
            f"{tex(case.value)} & " + (rf"\text{{where }} {case.conditions()}" if case.where else r"\text{else}")
            for case in self.cases
        ]
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


def defined(pieces: Sequence[Piece]) -> list[Line]:
    """All formulas of a paragraph that say what something is, displayed or not."""
    found: list[Line] = []
    for block in blocks(pieces):
        if isinstance(block, Display):
            found += block.lines
        else:
            found += [_line(block, place)[0] for place in range(len(block)) if is_defining(block[place])]
    return found


def blocks(pieces: Sequence[Piece]) -> list[Display | list[Piece]]:
    """The paragraph, parted into running text and displays."""
    found: list[Display | list[Piece]] = []
    text: list[Piece] = []
    rest, place = list(pieces), 0
    while place < len(rest):
        if not (_begins(text) and is_defining(rest[place])):
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


def _begins(text: Sequence[Piece]) -> bool:
    """Whether a formula after this text may stand by itself; one that goes on after a formula in the text may not."""
    before = text[-1].text.rstrip() if text else ""
    if before in (",", ", and") and len(text) > 1 and is_defining(text[-2]):
        return False
    return not before or before[-1] in ":;,." or before.endswith(" is")


def _chain(rest: list[Piece], place: int) -> tuple[list[Line], int]:
    """Formulas with nothing but commas and semicolons between them, and the place after them."""
    lines: list[Line] = []
    while True:
        line, after = _line(rest, place)
        lines.append(line)
        if after + 1 >= len(rest) or not is_defining(rest[after + 1]):
            return lines, after
        match = NEXT.fullmatch(rest[after].text)
        if rest[after].kind != "words" or match is None or ("w" in match.group() and not _ends(rest, after + 2)):
            return lines, after
        line.mark = rest[after].text.strip()[0].replace("a", ",")
        place = after + 1


def _ends(rest: Sequence[Piece], place: int) -> bool:
    """Whether a clause ends here."""
    return place >= len(rest) or rest[place].text.lstrip()[:1] in ",;:."


def _line(rest: list[Piece], place: int) -> tuple[Line, int]:
    """A formula with its cases: `y = A where B, C where D, else E`."""
    tree = rest[place].tree
    assert tree is not None
    line, value = Line(tree), tree.parts[-1]
    place += 1
    while _words(rest, place) == "where" and (where := _tree(rest, place + 1)) is not None:
        case = Case(value, [where])
        line.cases.append(case)
        place += 2
        while (word := _words(rest, place)) in ("and", "or") and (more := _tree(rest, place + 1)) is not None:
            case.where.append(more)
            case.between.append(str(word))
            place += 2
        if _words(rest, place) == ", else" and (other := _tree(rest, place + 1)) is not None:
            line.cases.append(Case(other))
            return line, place + 2
        if (found := ELSE.match(_words(rest, place) or "")) is not None:
            line.cases.append(Case(read(found.group(1))))
            rest[place] = Piece("words", rest[place].text[found.end() :])
            return line, place
        following = _tree(rest, place + 1)
        if _words(rest, place) != "," or following is None or _words(rest, place + 2) != "where":
            break
        value = following
        place += 2
    return line, place


def _words(rest: Sequence[Piece], place: int) -> str | None:
    return rest[place].text.strip() if place < len(rest) and rest[place].kind == "words" else None


def _tree(rest: Sequence[Piece], place: int) -> Node | None:
    return rest[place].tree if place < len(rest) else None
