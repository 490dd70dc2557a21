"""Trees of formulas as TeX, of which MathJax and matplotlib know every command."""

from reference.formulas import FUNCTIONS, Node
from reference.tokens import BAR, HALVES, HAT

NAMES = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma",
    "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta",
    "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
SIGNS = {
    "=": "=", "==": "=", "←": r"\leftarrow", "≤": r"\leq", "≥": r"\geq", "<": "<", ">": ">", "≠": r"\neq",
    "≈": r"\approx", "+=": r"\;{+}{=}\;", "∈": r"\in", "·": r"\cdot", "⊙": r"\odot", "⋆": r"\star", "×": r"\times",
    "∘": r"\circ", "+": "+", "−": "-", "-": "-", "±": r"\pm",
}  # fmt: skip
OPEN = {"(": "(", "[": "[", "{": r"\{", "⌊": r"\lfloor ", "⌈": r"\lceil "}
CLOSE = {"(": ")", "[": "]", "{": r"\}", "⌊": r"\rfloor ", "⌈": r"\rceil "}
BARS = {"|": (r"\vert ", r"\vert "), "‖": (r"\Vert ", r"\Vert ")}
TALL = (r"\frac", r"\sum", r"\prod", r"\sqrt")
KNOWN = ("tanh", "sin", "cos", "log", "exp", "max", "min")


def tex(node: Node) -> str:
    """The TeX of a tree."""
    return _MAKERS[node.kind](node).replace("  ", " ").strip()


def in_text(node: Node) -> str:
    """The same, inside a sentence, where what is raised or lowered in a fraction would be too small to be read."""
    shown = tex(node)
    return shown.replace(r"\frac", r"\dfrac") if _has_small(node, False) else shown


def _has_small(node: Node, above: bool) -> bool:
    """Whether a fraction holds something raised or lowered."""
    if above and node.kind in ("power", "index"):
        return True
    return any(_has_small(part, above or node.kind == "quotient") for part in node.parts)


def align(node: Node) -> str:
    """The same, with a mark at its first sign of relation."""
    if node.kind != "relation":
        return "&" + tex(node)
    first, _, rest = node.text.partition(" ")
    left = f"{tex(node.parts[0])} &{SIGNS[first]} "
    if not rest:
        return left + tex(node.parts[1])
    return left + tex(Node("relation", rest, node.parts[1:]))


def _list(node: Node) -> str:
    marks = [*node.text, *[""] * len(node.parts)]
    shown = []
    for part, mark in zip(node.parts, marks, strict=False):
        shown.append(tex(part) + (r"\!:\, " if mark == ":" else f"{mark}\\, " if mark else ""))
    return "".join(shown).rstrip(" ").removesuffix(r"\,") if shown else ""


def _relation(node: Node) -> str:
    shown = tex(node.parts[0])
    for sign, part in zip(node.text.split(), node.parts[1:], strict=True):
        shown += f" {SIGNS[sign]} {tex(part)}"
    return shown.strip()


def _sum(node: Node) -> str:
    shown = ""
    for sign, part in zip(node.text, node.parts, strict=True):
        shown += f" {SIGNS[sign]} {tex(part)}" if sign.strip() else tex(part)
    return shown.strip()


def _product(node: Node) -> str:
    shown, gap = "", ""
    for part in node.parts:
        shown += (gap if part.spaced else " " if shown else "") + tex(_bare(part) if _quotient_in(part) else part)
        gap = " " if _is_big(part) else r"\, "
    return shown


def _quotient_in(node: Node) -> bool:
    """Whether it is a quotient in brackets, which a line makes needless."""
    return node.kind == "bracket" and node.text == "(" and [part.kind for part in node.parts[0].parts] == ["quotient"]


def _is_big(node: Node) -> bool:
    return node.kind == "big" or (node.kind in ("index", "power") and _is_big(node.parts[0]))


def _times(node: Node) -> str:
    return f"{tex(node.parts[0])} {SIGNS[node.text]} {tex(node.parts[1])}"


def _quotient(node: Node) -> str:
    above, below = (tex(_bare(part)) for part in node.parts)
    return rf"\frac{{{above}}}{{{below}}}"


def _bare(node: Node) -> Node:
    """Without the brackets that a line makes needless."""
    return node.parts[0] if node.kind == "bracket" and node.text == "(" else node


def _power(node: Node) -> str:
    base, raised = node.parts
    if raised.parts and raised.parts[0] == Node("name", "T"):
        return rf"{tex(base)}^{{\top}}"
    shown = f"{{{tex(base)}}}" if base.kind in ("quotient", "power") else tex(base)
    return f"{shown}^{{{_small(raised)}}}"


def _index(node: Node) -> str:
    base, lowered = node.parts
    if base.kind == "name" and "_" in base.text:
        return f"{tex(base)[:-1]}, {_small(lowered)}}}"
    return f"{tex(base)}_{{{_small(lowered)}}}"


def _small(node: Node) -> str:
    """What is raised or lowered: without needless brackets, quotients on one line."""
    return tex(_flat(_bare(node)))


def _flat(node: Node) -> Node:
    kind = "ratio" if node.kind == "quotient" else node.kind
    text = "(" if node.kind == "bracket" and node.text == "{" else node.text
    if node.kind == "bracket" and node.text == "{":
        return _flat(node.parts[0])
    return Node(kind, text, [_flat(part) for part in node.parts], node.spaced)


def _ratio(node: Node) -> str:
    return f"{tex(node.parts[0])}/{tex(node.parts[1])}"


def _mark(node: Node) -> str:
    return tex(node.parts[0]) + ("!" if node.text == "!" else "'")


def _call(node: Node) -> str:
    name, inside = node.parts
    return _function(name) + _bracketed(node.text, tex(inside))


def _function(node: Node) -> str:
    """A name of several letters before its arguments."""
    if node.kind == "name" and node.text not in FUNCTIONS and _long(node.text) and node.text.isalpha():
        return rf"\operatorname{{{node.text}}}"
    return tex(node)


def _bracketed(opening: str, inside: str) -> str:
    tall = any(command in inside for command in TALL)
    left, right = (r"\left", r"\right") if tall else ("", "")
    return f"{left}{OPEN[opening]}{inside}{right}{CLOSE[opening]}"


def _bracket(node: Node) -> str:
    return _bracketed(node.text, tex(node.parts[0]))


def _bars(node: Node) -> str:
    inside = tex(node.parts[0])
    left, right = BARS[node.text]
    return rf"\left{left}{inside}\right{right}" if any(c in inside for c in TALL) else f"{left}{inside}{right}"


def _of(node: Node) -> str:
    name, argument = node.parts
    gap = "" if argument.kind in ("bracket", "bars") else " "
    return f"{tex(name)}{gap}{tex(argument)}"


def _big(node: Node) -> str:
    return r"\sum" if node.text == "Σ" else r"\prod"


def _number(node: Node) -> str:
    text = node.text
    if text in HALVES:
        return rf"\frac{{{HALVES[text][0]}}}{{{HALVES[text][1]}}}"
    if text in ("…", "..."):
        return r"\ldots "
    if text in ("∞", "*"):
        return r"\infty " if text == "∞" else r"\ast "
    if "e" in text:
        mantissa, _, power = text.partition("e")
        raised = f"10^{{{power.replace('−', '-').lstrip('+')}}}"
        return raised if mantissa == "1" else rf"{mantissa}\cdot {raised}"
    return text


def _name(node: Node) -> str:
    text = node.text
    if text in FUNCTIONS:
        return f"\\{text}" if text in KNOWN else rf"\operatorname{{{text}}}"
    if _long(text):
        return rf"\mathtt{{{_escaped(text)}}}" if "_" in text else rf"\mathrm{{{text}}}"
    if text[:1] == "d" and len(text) > 1 and text[1] not in "_0123456789":
        return rf"\mathrm{{d}}{_symbol(text[1:])}"
    return _symbol(text)


def _long(text: str) -> bool:
    """Whether it is a word rather than a letter, or d and a letter."""
    base, _, index = text.partition("_")
    letters = _without_accent(base)
    short = len(letters) == 1 or (len(letters) == 2 and (letters[0] == "d" or letters[1].isdigit()))
    return not short or len(index) > 4


def _without_accent(text: str) -> str:
    return text.replace(HAT, "").replace(BAR, "")


def _symbol(text: str) -> str:
    base, _, index = text.partition("_")
    letter = f"\\{NAMES[base[0]]} " if base[0] in NAMES else base[0]
    for accent, command in ((HAT, "hat"), (BAR, "bar")):
        if accent in base:
            letter = rf"\{command}{{{letter.strip()}}}"
    digits = _without_accent(base)[1:] or index.replace("_", ",")
    return f"{letter}_{{{_lowered(digits)}}}" if digits else letter


def _lowered(index: str) -> str:
    """Letters that count are italic, abbreviations upright."""
    return index if len(index) == 1 or index.isdigit() or set(index) <= set("ijkt") else rf"\mathrm{{{index}}}"


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")


def _root(node: Node) -> str:
    return rf"\sqrt{{{tex(_bare(node.parts[0]))}}}"


def _partial(node: Node) -> str:
    return rf"\partial {tex(node.parts[0])}"


_MAKERS = {
    "list": _list, "relation": _relation, "sum": _sum, "product": _product, "times": _times, "quotient": _quotient,
    "power": _power, "index": _index, "ratio": _ratio, "mark": _mark, "call": _call, "bracket": _bracket,
    "bars": _bars, "of": _of, "big": _big, "number": _number, "name": _name, "root": _root, "partial": _partial,
}  # fmt: skip
