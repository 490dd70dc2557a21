"""The value of a formula read from a docstring, computed from its tree."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from reference.display import Case, Line
from reference.formulas import Node
from reference.tex import tex
from scipy.special import expit, ndtr

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "tanh": np.tanh,
    "log": np.log,
    "max": np.maximum,
    "min": np.minimum,
    "sign": np.sign,
    "clip": np.clip,
    "σ": expit,
    "Φ": ndtr,
    "φ": lambda x: np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi),
}
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": np.equal,
    "<": np.less,
    ">": np.greater,
    "≤": np.less_equal,
    "≥": np.greater_equal,
}


def name_of(node: Node) -> str:
    """What a formula calls something."""
    return node.text if node.kind == "name" else tex(node)


def evaluate(node: Node, known: Mapping[str, Any]) -> Any:
    """The value of a tree; KeyError where a name is not known."""
    return _EVALUATORS[node.kind](node, known)


def solve(lines: Sequence[Line], known: Mapping[str, Any]) -> dict[str, Any]:
    """What the formulas define, from what is known: in any order, each as soon as it can be. What is known stays."""
    found, waiting = dict(known), [line for line in lines if name_of(line.formula.parts[0]) not in known]
    if all(name_of(line.formula.parts[0]) != "e" for line in lines):
        found["e"] = math.e
    while waiting:
        later = []
        for line in waiting:
            try:
                found[name_of(line.formula.parts[0])] = value_of(line, found)
            except KeyError:
                later.append(line)
        assert len(later) < len(waiting), [tex(line.formula) for line in later]
        waiting = later
    return found


def value_of(line: Line, known: Mapping[str, Any]) -> Any:
    """The right side of a formula, with its cases."""
    if not line.cases:
        return evaluate(line.formula.parts[-1], known)
    if len(line.cases) == 1:
        return np.where(_holds(line.cases[0], known), evaluate(line.formula.parts[-1], known), np.nan)
    *some, last = line.cases
    elsewhere = evaluate(last.value, known)
    value = np.where(_holds(last, known), elsewhere, np.nan) if last.where else elsewhere
    for case in reversed(some):
        value = np.where(_holds(case, known), evaluate(case.value, known), value)
    return value


def _holds(case: Case, known: Mapping[str, Any]) -> Any:
    assert set(case.between) <= {"and"}
    held: Any = True
    for condition in case.where:
        values = [evaluate(part, known) for part in condition.parts]
        for sign, left, right in zip(condition.text.split(), values, values[1:], strict=False):
            held = held & RELATIONS[sign](left, right)
    return held


def _sum(node: Node, known: Mapping[str, Any]) -> Any:
    signs = [-1 if sign in "−-" else 1 for sign in node.text]
    return sum(sign * evaluate(part, known) for sign, part in zip(signs, node.parts, strict=True))


def _product(node: Node, known: Mapping[str, Any]) -> Any:
    return math.prod((evaluate(part, known) for part in node.parts), start=1.0)


def _quotient(node: Node, known: Mapping[str, Any]) -> Any:
    above, below = (evaluate(part, known) for part in node.parts)
    return above / below


def _power(node: Node, known: Mapping[str, Any]) -> Any:
    base, raised = (evaluate(part, known) for part in node.parts)
    return base**raised


def _call(node: Node, known: Mapping[str, Any]) -> Any:
    arguments = [evaluate(part, known) for part in node.parts[1].parts]
    return FUNCTIONS[name_of(node.parts[0])](*arguments)


def _of(node: Node, known: Mapping[str, Any]) -> Any:
    name, argument = node.parts
    value = evaluate(argument, known)
    if name.kind == "power":  # tanh² x
        return FUNCTIONS[name.parts[0].text](value) ** evaluate(name.parts[1], known)
    return FUNCTIONS[name.text](value)


def _bracket(node: Node, known: Mapping[str, Any]) -> Any:
    (inside,) = node.parts[0].parts
    return evaluate(inside, known)


_EVALUATORS: dict[str, Callable[[Node, Mapping[str, Any]], Any]] = {
    "sum": _sum,
    "product": _product,
    "times": _product,
    "quotient": _quotient,
    "power": _power,
    "call": _call,
    "of": _of,
    "name": lambda node, known: known[node.text],
    "bracket": _bracket,
    "list": lambda node, known: evaluate(node.parts[0], known),
    "index": lambda node, known: known[name_of(node)],
    "mark": lambda node, known: known[name_of(node)],
    "bars": lambda node, known: np.abs(evaluate(node.parts[0], known)),
    "number": lambda node, known: {"½": 0.5}.get(node.text) or float(node.text),
    "root": lambda node, known: np.sqrt(evaluate(node.parts[0], known)),
}
