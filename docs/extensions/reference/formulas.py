"""Formulas as docstrings write them, read as trees.

    sum     = ["−"] term {("+" | "−" | "±") term}
    term    = group {("·" | "⊙" | "⋆" | "×" | "/") group}     a quotient's divisor is one factor: a / b c = (a / b) c,
                                                              or a Σ with all that it adds up
    group   = factor {factor}                                 a product without a sign
    factor  = Σ | Π | √ factor | function factor | atom {postfix}
    postfix = raised | lowered | "^" factor | "_" atom | "'" | "!" | "[" … "]" | "(" … ")", the last two without a blank

A product that is written without blanks binds more tightly: a / 2β = a / (2 β).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reference.tokens import LOWERED, RAISED, Token, cut

RELATIONS = ("=", "←", "≤", "≥", "<", ">", "≠", "≈", "+=", "∈", "==")
FUNCTIONS = ("tanh", "sin", "cos", "log", "exp", "max", "min", "mean", "sign", "softmax", "concat", "sum", "clip")
CLOSING = {"(": ")", "[": "]", "{": "}", "⌊": "⌋", "⌈": "⌉"}
BARS = ("|", "‖")


@dataclass
class Node:
    """kind: what it is; text: its name or sign; parts: what it is made of; spaced: whether a blank stands before it."""

    kind: str
    text: str = ""
    parts: list["Node"] = field(default_factory=list)
    spaced: bool = False


class FormulaError(ValueError):
    """The text is no formula."""


def read(text: str) -> Node:
    """The tree of a text that is a formula, or several with commas between them."""
    return parse(cut(text))


def parse(tokens: Sequence[Token]) -> Node:
    """The tree of tokens that are a formula, or several with commas between them."""
    reader = _Reader(tokens)
    made = reader.list_until("")
    if reader.here is not None:
        raise FormulaError(f"{reader.here.text!r} in a formula that was to end before it.")
    return made


class _Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.place = list(tokens), 0
        self.bars: list[str] = []

    @property
    def here(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self) -> Token:
        token = self.here
        if token is None:
            raise FormulaError("a formula that ends too early.")
        self.place += 1
        return token

    def at(self, *texts: str) -> bool:
        return self.here is not None and self.here.among(*texts)

    def list_until(self, close: str) -> Node:
        """Relations with commas between them, up to what closes them, which is taken."""
        made = Node("list", "")
        while self.here is not None and not (close and self.at(close)):
            made.parts.append(self.relation())
            if self.here is not None and self.here.kind == "mark":
                made.text += self.take().text
            elif not (close and self.at(close)) and self.here is not None:
                raise FormulaError(f"{self.here.text!r} where a comma or the end was to come.")
        if close:
            self.take()
        return made

    def relation(self) -> Node:
        parts, signs = [self.sum()], []
        while self.at(*RELATIONS):
            signs.append(self.take().text)
            parts.append(self.sum())
        return parts[0] if not signs else Node("relation", " ".join(signs), parts)

    def sum(self) -> Node:
        made = Node("sum", "")
        if self.at("−", "-", "+", "±"):
            made.text = self.take().text
        else:
            made.text = " "
        made.parts.append(self.term())
        while self.at("+", "−", "-", "±"):
            made.text += self.take().text
            made.parts.append(self.term())
        return made.parts[0] if made.text == " " else made

    def term(self) -> Node:
        made = self.group()
        while self.at("·", "⊙", "⋆", "×", "/", "∘"):
            sign = self.take().text
            if sign == "/":
                made = self.divided(made)
                rest = self.group()
                made = made if not rest.parts else Node("product", "", [made, *rest.parts])
            else:
                made = Node("times", sign, [made, self.group()])
        return made.parts[0] if made.kind == "product" and len(made.parts) == 1 else made

    def divided(self, dividend: Node) -> Node:
        """The quotient, whose dividend is the last group of what stands before, without its Σ."""
        if dividend.kind == "times":
            left, right = dividend.parts
            return Node("times", dividend.text, [left, self.divided(right)])
        factors = dividend.parts if dividend.kind == "product" else [dividend]
        ahead = []
        while len(factors) > 1 and factors[0].kind == "big":
            ahead.append(factors[0])
            factors = factors[1:]
        above = factors[0] if len(factors) == 1 else Node("product", "", factors)
        quotient = Node("quotient", "", [above, self.divisor()], spaced=factors[0].spaced if factors else False)
        return Node("product", "", [*ahead, quotient])

    def divisor(self) -> Node:
        """One factor; a Σ with all that it adds up."""
        return self.group() if self.at("Σ", "Π") else self.tight()

    def group(self) -> Node:
        made = Node("product")
        while self.starts_factor():
            made.parts.append(self.tight() if self.is_tight_product() else self.factor())
        return made

    def is_tight_product(self) -> bool:
        """a·b without blanks is one factor."""
        after = self.tokens[self.place + 1 : self.place + 3]
        return len(after) == 2 and after[0].text == "·" and not after[0].spaced and not after[1].spaced

    def tight(self) -> Node:
        """A factor, and what is multiplied to it without a blank."""
        if self.at("−"):
            return Node("sum", self.take().text, [self.tight()])
        made = self.factor()
        while self.here is not None and not self.here.spaced:
            if self.at("·") and not self.tokens[self.place + 1].spaced:
                self.take()
                made = Node("times", "·", [made, self.factor()], made.spaced)
            elif self.starts_factor() and self.here.kind == "name":
                made = Node("product", "", [made, self.factor()], made.spaced)
            else:
                break
        return made

    def starts_factor(self) -> bool:
        token = self.here
        if token is None:
            return False
        if token.among(*BARS):
            return not (self.bars and self.bars[-1] == token.text)
        return token.kind in ("name", "number", "half", "open", "dots") or token.among(
            "√", "Σ", "Π", "∂", "∞", "*", ":"
        )

    def factor(self) -> Node:
        token = self.take()
        if token.among("Σ", "Π"):
            return self.postfixes(Node("big", token.text, spaced=token.spaced), big=True)
        if token.among("√", "∂"):
            return Node("root" if token.text == "√" else "partial", "", [self.factor()], token.spaced)
        if token.kind == "name" and token.text in FUNCTIONS and not self.applied():
            name = self.postfixes(Node("name", token.text, spaced=token.spaced))
            return Node("of", "", [name, self.factor()], token.spaced) if self.starts_factor() else name
        return self.postfixes(self.atom(token))

    def applied(self) -> bool:
        return self.at("(", "[") and self.here is not None and not self.here.spaced

    def atom(self, token: Token) -> Node:
        if token.among(*BARS):
            self.bars.append(token.text)
            inside = self.sum()
            self.bars.pop()
            if self.take().text != token.text:
                raise FormulaError(f"{token.text} that is not closed.")
            return Node("bars", token.text, [inside], token.spaced)
        if token.kind == "open":
            return Node("bracket", token.text, [self.list_until(CLOSING[token.text])], token.spaced)
        if token.kind in ("name", "number", "half", "dots") or token.among("∞", "*", ":"):
            return Node("name" if token.kind == "name" else "number", token.text, spaced=token.spaced)
        raise FormulaError(f"{token.text!r} where a factor was to come.")

    def postfixes(self, made: Node, big: bool = False) -> Node:
        while self.here is not None and not self.here.spaced:
            token = self.here
            if token.kind in ("raised", "lowered"):
                written = {**RAISED, **LOWERED}
                text = "".join(written[c] for c in self.take().text)
                made = Node("power" if token.kind == "raised" else "index", "", [made, read(text)], made.spaced)
            elif token.among("^", "_"):
                self.take()
                made = Node("power" if token.text == "^" else "index", "", [made, self.exponent()], made.spaced)
            elif token.among("∞") and made.kind == "name":
                made = Node("index", "", [made, self.atom(self.take())], made.spaced)
            elif token.kind == "prime" or token.among("!"):
                made = Node("mark", self.take().text, [made], made.spaced)
            elif token.among("(", "[") and made.kind in ("name", "index", "mark", "power", "call") and not big:
                self.take()
                inside = self.list_until(CLOSING[token.text])
                made = Node("call", token.text, [made, inside], made.spaced)
            else:
                break
        return made

    def exponent(self) -> Node:
        if self.at("−", "-", "+"):
            sign = self.take().text
            return Node("sum", sign, [self.exponent()])
        return self.factor()
