"""Sentences of docstrings, parted into words and formulas."""

from collections.abc import Sequence
from dataclasses import dataclass

from reference.formulas import CLOSING, FUNCTIONS, RELATIONS, FormulaError, Node, parse
from reference.tokens import Token, cut, plain

WORDS = {
    "a", "alike", "all", "alone", "also", "an", "and", "any", "as", "at", "be", "but", "by", "copy", "does", "each",
    "else", "for", "from", "has", "have", "held", "if", "in", "inside", "into", "is", "it", "its", "like",
    "likewise", "means", "none", "not", "of", "off", "on", "one", "only", "or", "other", "others", "over", "own",
    "part", "share", "sum", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "times", "to", "under", "until", "was", "what", "when", "where", "which", "while", "with", "without",
}  # fmt: skip
"""Words that are not names in a formula, whatever stands beside them."""

AFTER_LETTER = ("and", "or", "is", "are", "as", "beside")
"""What follows the letter a and never the article."""

STRONG = (*RELATIONS, "+", "−", "·", "⊙", "⋆", "×", "^", "±", "√", "Σ", "Π", "∂", "/")
"""Signs that make a formula of what stands beside them."""

ORDERS = ("≤", "≥", "<", ">")

AHEAD = ("√", "Σ", "Π", "∂", "±")
"""Those of them that stand before something."""

LOOSE = ("_", "*", "!", "|", "‖", "-")
"""Signs that words have, too."""


@dataclass(frozen=True)
class Piece:
    """kind: "words", "code" or "formula"; tree: the formula's."""

    kind: str
    text: str
    tree: Node | None = None


def pieces(sentence: str) -> list[Piece]:
    """The words and formulas of a sentence, in order; their texts together are the sentence."""
    text = plain(sentence)
    tokens = cut(text)
    inside = _formulas(tokens)
    found: list[Piece] = []
    last = place = 0
    while place < len(tokens):
        if tokens[place].kind == "code":
            _add(found, "words", text[last : tokens[place].start])
            _add(found, "code", tokens[place].text)
            last, place = tokens[place].end, place + 1
        elif inside[place]:
            end = place
            while end < len(tokens) and inside[end]:
                end += 1
            tree = _tree(tokens[place:end])
            if tree is not None:
                _add(found, "words", text[last : tokens[place].start])
                found.append(Piece("formula", text[tokens[place].start : tokens[end - 1].end], tree))
                last = tokens[end - 1].end
            place = end
        else:
            place += 1
    _add(found, "words", text[last:])
    return _with_heads(found)


def _with_heads(found: list[Piece]) -> list[Piece]:
    """`r, z = …` is one formula: the letters before a relation, with nothing but commas between, are part of it."""
    made: list[Piece] = []
    for piece in found:
        made.append(piece)
        while (
            len(made) > 2
            and made[-2].text == ", "
            and _is_letter_piece(made[-3])
            and made[-1].tree is not None
            and made[-1].tree.kind == "relation"
            and made[-1].tree.text.split()[0] == "="
            and (made[-1].tree.parts[0].kind == "list" or _is_letter_node(made[-1].tree.parts[0]))
        ):
            relation, letter = made[-1].tree, made[-3].tree
            assert letter is not None
            head = relation.parts[0]
            rest = head if head.kind == "list" else Node("list", "", [head])
            left = Node("list", "," + rest.text, [letter, *rest.parts])
            whole = Node("relation", relation.text, [left, *relation.parts[1:]])
            made[-3:] = [Piece("formula", "".join(part.text for part in made[-3:]), whole)]
    return made


def _is_letter_piece(piece: Piece) -> bool:
    return piece.tree is not None and _is_letter_node(piece.tree)


def _is_letter_node(node: Node) -> bool:
    return node.kind == "name" or (node.kind in ("index", "mark") and node.parts[0].kind == "name")


def words(sentence: str) -> list[Piece]:
    """A sentence without formulas."""
    found: list[Piece] = []
    last = 0
    for token in cut(sentence):
        if token.kind == "code":
            _add(found, "words", sentence[last : token.start])
            _add(found, "code", token.text)
            last = token.end
    _add(found, "words", sentence[last:])
    return found


def _add(found: list[Piece], kind: str, text: str) -> None:
    if text:
        found.append(Piece(kind, text))


def _tree(run: Sequence[Token]) -> Node | None:
    """The tree of tokens that are worth being set as a formula."""
    if all(token.kind in ("number", "dots", "mark") for token in run):
        return None
    if len(run) == 1 and run[0].kind == "operator":
        return None
    return _parsed(run)


def _parsed(run: Sequence[Token]) -> Node | None:
    try:
        made = parse(run)
    except FormulaError:
        return None
    return made.parts[0] if len(made.parts) == 1 and not made.text else made


def _formulas(tokens: Sequence[Token]) -> list[bool]:
    """For each token, whether it is part of a formula."""
    inside = [False] * len(tokens)
    closing = _closing(tokens)
    for place in range(len(tokens)):
        inside[place] = _is_name(tokens, place) or _is_sign(tokens, place)
    _mark_functions(tokens, inside)
    for place in sorted(closing, reverse=True):  # inner brackets first
        _mark_brackets(tokens, inside, place, closing[place])
    for _ in range(2):  # a name, then the number before it
        for place, token in enumerate(tokens):
            if token.kind in ("number", "dots") and not inside[place]:
                inside[place] = _beside(tokens, inside, place)
        _mark_functions(tokens, inside)
    return inside


def _mark_functions(tokens: Sequence[Token], inside: list[bool]) -> None:
    """Functions' names before what they are applied to."""
    for place in reversed(range(len(tokens) - 1)):
        token, after = tokens[place], tokens[place + 1]
        if token.kind == "name" and token.text in FUNCTIONS and inside[place + 1] and not after.among(*RELATIONS):
            before = tokens[place - 1] if place else None
            spoken = token.text in ("mean", "min", "max", "sign", "sum", "concat", "clip")
            called = after.among("(") and not after.spaced
            inside[place] = (
                not spoken or called or (before is not None and (before.kind in ("open", "operator") or before.symbol))
            )


def _closing(tokens: Sequence[Token]) -> dict[int, int]:
    """Where each bracket is closed."""
    found, opened = {}, []
    for place, token in enumerate(tokens):
        if token.kind == "open":
            opened.append(place)
        elif token.kind == "close" and opened and CLOSING[tokens[opened[-1]].text] == token.text:
            found[opened.pop()] = place
    return found


def _neighbours(tokens: Sequence[Token], place: int) -> tuple[Token | None, Token | None]:
    before = tokens[place - 1] if place else None
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    return before, after


def _is_name(tokens: Sequence[Token], place: int) -> bool:
    """Whether it is a letter or a name that a formula is made of."""
    token = tokens[place]
    if token.kind != "name":
        return token.kind in ("raised", "lowered", "half")
    before, after = _neighbours(tokens, place)
    attached = after if after is not None and not after.spaced else None
    touched = before if before is not None and not token.spaced else None
    if "=" in (touched and touched.text, attached and attached.text):
        return False  # code: name=value
    if touched is not None and touched.kind in ("prime", "number", "other", "code") and token.text.isascii():
        return touched.kind == "number" and not token.text.isalpha()
    strong = _is_strong(token, before, after)
    if token.symbol:
        return token.text not in ("a", "A", "I", "do") or _is_letter(tokens, place, strong)
    if attached is not None and (attached.among("(", "[") or attached.kind in ("lowered", "prime")):
        return _may_be_name(token) and (attached.kind != "prime" or _is_sign(tokens, place + 1))
    return _may_be_name(token) and strong and (token.text not in FUNCTIONS or (after is not None and after.spaced))


def _may_be_name(token: Token) -> bool:
    return token.text.lower() not in WORDS and "-" not in token.text


def _is_strong(token: Token, before: Token | None, after: Token | None) -> bool:
    """Whether a sign beside it makes a formula of it; "a rate ≥ 0" begins with words."""
    if before is not None and before.among(*STRONG):
        return True
    if after is not None and after.among(*ORDERS) and "_" not in token.text and not token.symbol:
        return False
    return after is not None and after.among(*STRONG) and not (after.spaced and after.among(*AHEAD))


def _is_letter(tokens: Sequence[Token], place: int, strong: bool) -> bool:
    """Whether an a is a letter rather than the article."""
    before, after = _neighbours(tokens, place)
    if strong or after is None:
        return True
    if after.kind in ("raised", "lowered", "prime", "close") or after.among(",", ":", ";", "[", "^"):
        return True
    if before is not None and before.kind == "open" and not tokens[place].spaced:
        return after.symbol
    return after.text in AFTER_LETTER or (before is not None and before.symbol and after.symbol)


def _is_sign(tokens: Sequence[Token], place: int) -> bool:
    """Whether it is a sign of a formula."""
    token = tokens[place]
    before, after = _neighbours(tokens, place)
    if token.kind == "prime":
        return before is not None and not token.spaced and _is_prime(before, after)
    if token.kind != "operator" or token.text == "→":
        return False
    if token.text in ("_", "!"):
        return before is not None and not token.spaced and before.kind != "mark"
    if token.text == "=" and after is not None and before is not None:
        return token.spaced and after.spaced  # else it is code: name=value
    return token.text in ("|", "‖") or token.text not in LOOSE


def _is_prime(before: Token, after: Token | None) -> bool:
    """Whether it is a prime and not an apostrophe: before an argument, or after a letter and before no letter."""
    if after is not None and after.text == "(" and not after.spaced:
        return True
    return (before.symbol or before.kind == "lowered") and (after is None or after.spaced or after.kind != "name")


def _mark_brackets(tokens: Sequence[Token], inside: list[bool], first: int, last: int) -> None:
    """Brackets are part of a formula where all is that stands in them, or where they follow a name without a blank."""
    within = range(first + 1, last)
    called = first > 0 and inside[first - 1] and not tokens[first].spaced
    named = any(inside[place] or "_" in tokens[place].text or tokens[place].text == "*" for place in within)
    defined = last + 1 < len(tokens) and tokens[last + 1].among("=", "←") and tokens[last + 1].spaced
    free = called or named or defined or tokens[first].text in "⌊⌈["
    whole = bool(within) and not any(_is_word(tokens, inside, place, free) for place in within)
    if whole and (named or called or defined):
        for place in range(first, last + 1):
            inside[place] = True
    elif called and tokens[first - 1].kind == "name" and not tokens[first - 1].symbol:
        inside[first - 1] = False


def _is_word(tokens: Sequence[Token], inside: Sequence[bool], place: int, free: bool) -> bool:
    """Whether it keeps the brackets around it from being part of a formula."""
    token = tokens[place]
    if inside[place] or token.kind in ("number", "dots") or token.among(",", ":", "*", "_", "!"):
        return False
    if token.kind != "name" or token.text.lower() in WORDS - {"a"}:
        return True
    before, after = _neighbours(tokens, place)
    alone = before is None or before.kind != "name" or not token.spaced or before.symbol
    alone = alone and (after is None or after.kind != "name" or not after.spaced or after.symbol)
    return not ((free and alone) or "_" in token.text)


def _beside(tokens: Sequence[Token], inside: Sequence[bool], place: int) -> bool:
    """Whether a number stands beside a part of a formula, with no word between."""
    token = tokens[place]
    before, after = _neighbours(tokens, place)
    if before is not None and inside[place - 1] and (before.kind == "operator" or token.kind == "dots"):
        return True
    if after is None or not inside[place + 1]:
        return False
    return (
        after.kind in ("operator", "dots", "raised", "lowered")
        or after.symbol
        or token.kind == "dots"
        or after.kind == "open"
    )
