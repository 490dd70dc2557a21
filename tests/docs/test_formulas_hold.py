"""The formulas in docstrings, read as the site reads them and computed, give what links, losses and rules give."""

from typing import Any

import numpy as np
import pytest
from evaluation import name_of, solve, value_of
from reference.docstrings import formulas
from reference.tokens import plain

import maillon as m

X = np.linspace(-7.3, 7.7, 301)  # no kink
ONE = np.ones_like(X)

ACTIVATIONS: list[tuple[Any, dict[str, Any]]] = [
    (m.Tanh(), {}),
    (m.Sigmoid(), {}),
    (m.LogSigmoid(), {}),
    (m.SiLU(), {}),
    (m.GELU(), {}),
    (m.Mish(), {}),
    (m.Softplus(1.5, 4.0), {"β": 1.5, "threshold": 4.0}),
    (m.Softsign(), {}),
    (m.Tanhshrink(), {}),
    (m.ELU(0.7), {"α": 0.7}),
    (m.SELU(), {"λ": m.SELU.scale, "α": m.SELU.alpha}),
    (m.CELU(0.5), {"α": 0.5}),
    (m.ReLU(), {}),
    (m.ReLU6(), {}),
    (m.LeakyReLU(0.2), {"negative_slope": 0.2}),
    (m.PReLU(init=0.4, dtype="float64"), {"w": 0.4}),
    (m.RReLU(0.2, 0.4).eval(), {"r": 0.3}),
    (m.Hardtanh(-1.0, 2.0), {"min_val": -1.0, "max_val": 2.0}),
    (m.Hardsigmoid(), {}),
    (m.Hardswish(), {}),
    (m.Threshold(0.6, -2.0), {"threshold": 0.6, "value": -2.0}),
    (m.Hardshrink(0.8), {"λ": 0.8}),
    (m.Softshrink(0.8), {"λ": 0.8}),
]
"""Each with what its formulas call its options."""


@pytest.mark.parametrize(("link", "options"), ACTIVATIONS, ids=lambda value: type(value).__name__)
def test_an_activations_formulas_are_its_value_and_its_derivative(link: Any, options: dict[str, Any]) -> None:
    dy = np.linspace(0.5, 1.5, len(X))
    lines = [line for line in formulas(type(link)) if name_of(line.formula.parts[0]) in ("y", "dx", "s")]
    found = solve(lines, {"x": X, "dy": dy, **options})
    np.testing.assert_allclose(found["y"], link(X), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["dx"] * ONE, link.backward(dy), rtol=1e-7, atol=1e-7)  # some are float32's


Y = 1.5 * np.cos(X)
SIGNS = np.where(np.arange(len(X)) % 2, 1.0, -1.0)
SHARES = np.linspace(0.05, 0.95, len(X))
SCORES = X / 3

LOSSES: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
    (m.MSELoss, (X, Y), {"ŷ": X, "y": Y}, "ŷ"),
    (m.HalfMSELoss, (X, Y), {"ŷ": X, "y": Y}, "ŷ"),
    (m.L1Loss, (X, Y), {"ŷ": X, "y": Y}, "ŷ"),
    (m.HuberLoss, (X, Y), {"ŷ": X, "y": Y, "δ": 1.0}, "ŷ"),
    (m.SmoothL1Loss, (X, Y), {"ŷ": X, "y": Y, "β": 1.0}, "ŷ"),
    (m.BCELoss, (SHARES, SHARES[::-1]), {"p": SHARES, "y": SHARES[::-1], "w": 1.0}, "p"),
    (m.BCEWithLogitsLoss, (X, SHARES), {"x": X, "y": SHARES, "w": 1.0, "c": 1.0}, "x"),
    (m.SoftMarginLoss, (X, SIGNS), {"x": X, "y": SIGNS}, "x"),
    (m.HingeEmbeddingLoss, (SCORES, SIGNS), {"x": SCORES, "y": SIGNS, "Δ": 1.0}, "x"),
    (m.GaussianNLLLoss, (X, Y, SHARES), {"μ": X, "y": Y, "v": SHARES}, "μ"),
]
"""Each with its inputs, what its formulas call them, and what its derivative is taken by."""


@pytest.mark.parametrize(("kind", "inputs", "known", "by"), LOSSES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_losss_formulas_are_its_value_and_its_derivative(
    kind: Any, inputs: tuple[Any, ...], known: dict[str, Any], by: str
) -> None:
    loss = kind(reduction="none")
    value = loss(*inputs)
    slope = loss.backward(ONE)
    slope = slope[0] if isinstance(slope, tuple) else slope
    found = solve(formulas(kind), {plain(name): given for name, given in {**known, "dl": ONE}.items()})
    np.testing.assert_allclose(found["l"], value, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found[plain(f"d{by}")], slope, rtol=1e-10, atol=1e-12)


RULES: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (m.SGD(lr=0.1), {}, {}),
    (m.Adagrad(lr=0.1, lr_decay=0.2), {"s": 0.0}, {"η": 0.2, "ε": 1e-10}),
    (m.Adadelta(lr=0.7), {"v": 0.0, "u": 0.0}, {"ρ": 0.9, "ε": 1e-6}),
    (m.Adam(lr=0.1), {"m": 0.0, "v": 0.0}, {r"\beta_{1}": 0.9, r"\beta_{2}": 0.999, "ε": 1e-8}),
    (m.Adamax(lr=0.1), {"m": 0.0, "u": 0.0}, {r"\beta_{1}": 0.9, r"\beta_{2}": 0.999, "ε": 1e-8}),
    (m.RMSprop(lr=0.1), {"v": 0.0}, {"α": 0.99, "ε": 1e-8}),
    (m.Lion(lr=0.1), {"m": 0.0}, {r"\beta_{1}": 0.9, r"\beta_{2}": 0.99, "λ": 0.0}),
]
"""Each with what it begins with and what its formulas call its options; lr is 0.1, or its own."""


@pytest.mark.parametrize(("rule", "state", "options"), RULES, ids=lambda value: type(value).__name__)
def test_a_rules_formulas_are_its_steps(rule: Any, state: dict[str, Any], options: dict[str, Any]) -> None:
    lines = formulas(type(rule))
    if isinstance(rule, m.SGD | m.RMSprop):
        lines = lines[: 1 if isinstance(rule, m.SGD) else 2]  # what follows is of a momentum
    if isinstance(rule, m.Adamax):
        lines = [formulas(m.Adam)[0], *lines]  # m as Adam's
    hats = [line for line in lines if name_of(line.formula.parts[0]) in (plain("m̂"), plain("v̂"))]
    parameter = m.Parameter(np.array([0.8, -1.3]))
    bound = rule.bind([parameter])
    known: dict[str, Any] = {"p": parameter.data.copy(), "lr": bound.param_groups[0]["lr"], **state, **options}
    for step in range(1, 4):
        parameter.grad = np.array([0.5, -0.25]) * step
        bound.step()
        known |= {"g": parameter.grad, "t": float(step)}
        for line in _in_order(lines, hats):
            known[name_of(line.formula.parts[0])] = value_of(line, known)
        np.testing.assert_allclose(parameter.data, known["p"], rtol=1e-12)


def _in_order(lines: list[Any], hats: list[Any]) -> list[Any]:
    """As the docstring has them, what makes up for the start before the parameter."""
    place = next(place for place, line in enumerate(lines) if name_of(line.formula.parts[0]) == "p")
    return [*lines[:place], *hats, *[line for line in lines[place:] if line not in hats]]
