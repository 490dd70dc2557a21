"""Hypotheses on known functions: activations of each element and the softmaxes."""

import numpy as np

from maillon.check.diagnosis.case import Case, same
from maillon.check.words import Phrase, say
from maillon.typing import Array


def diagonal(case: Case, got: Array, expected: Array) -> Phrase | None:
    """Only the diagonal of ∂y/∂x, where there is more."""
    if case.parameter or got.shape != case.delta.shape or not _crossed(case, got):
        return None
    own = np.diag(case.jacobian.reshape(got.size, got.size)).reshape(got.shape)
    if same(got, own * case.delta):
        return say("The cross terms are missing: each output depends on several inputs, and only ∂y_i/∂x_i is there.")
    return None


def elementwise(case: Case, got: Array, expected: Array) -> Phrase | None:
    """got = delta · f with a known f, where delta · g with another known g would be right."""
    if not _square(case, got) or _crossed(case, got):
        return None
    assert case.x is not None and case.output is not None
    factors = _factors(case.x, case.output)
    owed = next((name for name, factor in factors if same(expected, case.delta * factor)), None)
    for name, factor in factors:
        if same(got, case.delta * factor):
            if owed is None:
                return say("It is {delta} · {factor}, and that is not the derivative.", delta=case.name, factor=name)
            return say("It is {delta} · {factor}; {delta} · {owed} is right.", delta=case.name, factor=name, owed=owed)
        if same(got, factor) and owed is not None:
            return say(
                "It is {factor} without {delta}; {delta} · {owed} is right.", delta=case.name, factor=name, owed=owed
            )
    if any(same(got, np.where(sign * case.delta > 0, case.delta, 0)) for sign in (1, -1)):
        return say("The mask looks at the sign of {delta} in place of the input.", delta=case.name)
    return None


def _square(case: Case, got: Array) -> bool:
    """Whether input, output and gradient have one shape."""
    if case.parameter or case.x is None or case.output is None:
        return False
    return got.shape == case.delta.shape == case.output.shape == case.x.shape


def _crossed(case: Case, got: Array) -> bool:
    """Whether an output depends on other inputs than its own."""
    square = case.jacobian.reshape(got.size, got.size)
    return not np.allclose(square, np.diag(np.diag(square)), atol=1e-9)


def _factors(x: Array, y: Array) -> list[tuple[str, Array]]:
    """Factors that derivatives of element by element functions are made of."""
    s = 1 / (1 + np.exp(-x))
    t, e = np.tanh(x), np.exp(x)
    list_of = [
        ("1", np.ones_like(x)),
        ("(x > 0)", (x > 0) * 1.0),
        ("(x < 0)", (x < 0) * 1.0),
        ("y (1 − y)", y * (1 - y)),
        ("(1 − y²)", 1 - y**2),
        ("(1 − y)", 1 - y),
        ("(1 + y)", 1 + y),
        ("(1 + y²)", 1 + y**2),
        ("(1 − y)²", (1 - y) ** 2),
        ("(y² − 1)", y**2 - 1),
        ("y (1 + y)", y * (1 + y)),
        ("y", y),
        ("y²", y**2),
        ("1/y", 1 / y),
        ("x", x),
        ("x²", x**2),
        ("2x", 2 * x),
        ("x (1 − x)", x * (1 - x)),
        ("(1 − x²)", 1 - x**2),
        ("(1 − x)", 1 - x),
        ("σ(x) (1 − σ(x))", s * (1 - s)),
        ("(1 − tanh² x)", 1 - t**2),
        ("σ(x)", s),
        ("tanh x", t),
        ("(1 − tanh x)", 1 - t),
        ("eˣ", e),
        ("e⁻ˣ", 1 / e),
        ("σ(y) (1 − σ(y))", 1 / (1 + np.exp(-y)) * (1 - 1 / (1 + np.exp(-y)))),
        ("(1 − tanh² y)", 1 - np.tanh(y) ** 2),
        ("cosh² x", np.cosh(x) ** 2),
        ("x e⁻ˣ", x / e),
        ("e⁻ˣ / (1 + e⁻ˣ)", 1 - s),
    ]
    return [(name, np.asarray(array)) for name, array in list_of if np.isfinite(array).all()]


def softmaxes(case: Case, got: Array, expected: Array) -> Phrase | None:
    """A softmax or its logarithm over the last axis, with a known slip."""
    if not _square(case, got) or case.x is None or case.output is None or case.x.ndim < 2:
        return None
    shifted = np.exp(case.x - case.x.max(axis=-1, keepdims=True))
    p = shifted / shifted.sum(axis=-1, keepdims=True)
    known: list[tuple[Array, Phrase]] = []
    if same(case.output, p):
        known = _softmax(p, case.delta, case.name)
    elif same(case.output, np.log(p)):
        known = _log_softmax(p, case.delta, case.output, case.name)
    return next((sentence for array, sentence in known if same(got, array)), None)


def _softmax(p: Array, d: Array, delta: str) -> list[tuple[Array, Phrase]]:
    """Wrong gradients of y = softmax(x), where y · (δ − Σ y · δ) is right."""
    total = np.sum(p * d, -1, keepdims=True)
    return [
        (p * d, say("The term with the sum is missing: y · ({delta} − Σ y · {delta}) is right.", delta=delta)),
        (
            d - total,
            say("The factor y before the bracket is missing: y · ({delta} − Σ y · {delta}) is right.", delta=delta),
        ),
        (p * (d + total), say("The sum has the wrong sign: y · ({delta} − Σ y · {delta}) is right.", delta=delta)),
        (
            p * (d - np.sum(d, -1, keepdims=True)),
            say("The sum lacks y: y · ({delta} − Σ y · {delta}) is right.", delta=delta),
        ),
        (p * (d - np.sum(p * d, 0)), _runs_over(say("axis 0"))),
        (p * (d - np.sum(p * d)), _runs_over(say("all axes"))),
        (
            p - d,
            say(
                "It is y − {delta}: softmax and cross-entropy in one. A softmax owes y · ({delta} − Σ y · {delta}).",
                delta=delta,
            ),
        ),
    ]


def _log_softmax(p: Array, d: Array, y: Array, delta: str) -> list[tuple[Array, Phrase]]:
    """Wrong gradients of y = log softmax(x), where δ − softmax(x) · Σ δ is right."""
    total = np.sum(d, -1, keepdims=True)
    return [
        (
            d - p,
            say("The softmax is not multiplied by Σ {delta}: {delta} − softmax(x) · Σ {delta} is right.", delta=delta),
        ),
        (
            d - p * d,
            say("The sum over the classes is missing: {delta} − softmax(x) · Σ {delta} is right.", delta=delta),
        ),
        (
            d - y * total,
            say(
                "The output is put in where its exponential belongs: {delta} − softmax(x) · Σ {delta} is right.",
                delta=delta,
            ),
        ),
        (d + p * total, say("The sum has the wrong sign: {delta} − softmax(x) · Σ {delta} is right.", delta=delta)),
        (
            d - total,
            say("The softmax before the sum is missing: {delta} − softmax(x) · Σ {delta} is right.", delta=delta),
        ),
        (
            p * (d - np.sum(p * d, -1, keepdims=True)),
            say("That is the derivative of the softmax, not of its logarithm."),
        ),
        (d - p * np.sum(d, 0), _runs_over(say("axis 0"))),
        (d - p * np.sum(d), _runs_over(say("all axes"))),
    ]


def _runs_over(axis: Phrase) -> Phrase:
    return say("The sum runs over {axis}; it belongs over the last axis, the classes of one example.", axis=axis)
