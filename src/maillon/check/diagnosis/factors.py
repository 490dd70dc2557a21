"""Hypotheses on factors and terms: a constant, the sign, delta, an array at hand."""

import numpy as np

from maillon.check.diagnosis.case import AGREE, Case, named_factor, same
from maillon.check.words import Phrase, say
from maillon.typing import Array


def zero(case: Case, got: Array, expected: Array) -> Phrase | None:
    if not got.any():
        return say("It is zero everywhere.")
    if not np.max(np.abs(expected), initial=0.0) > AGREE * np.max(np.abs(got)):
        return say("The output of forward does not depend on it: it should be zero.")
    return None


def nearly(case: Case, got: Array, expected: Array) -> Phrase | None:
    """Right up to a small relative error in most elements."""
    size = float(np.max(np.abs(expected)))
    error = float(np.max(np.abs(got - expected))) / size
    wrong = float(np.mean(~np.isclose(got, expected, rtol=AGREE, atol=AGREE * size)))
    if error < 2e-3 and wrong > 0.3 and got.size > 3:
        return say(
            "It is nearly right, to {error}: is there a small constant (eps, clip), a rounding or an approximation in"
            " one of forward and backward only?",
            error=f"{error:.0e}",
        )
    return None


def factor(case: Case, got: Array, expected: Array) -> Phrase | None:
    factor = float(np.sum(got * expected) / np.sum(expected * expected))
    if not factor or not same(got, factor * expected):
        return None
    if abs(factor + 1) < AGREE:
        return say("The sign is wrong.")
    cause = named_factor(factor, case.delta.shape, case.x) if factor > 0 else None
    if got.size == 1 and cause is None:
        return None  # one number is a multiple of any other
    sentence = say("It is {factor} times what it should be.", factor=f"{factor:.4g}")
    if factor < 0:
        cause = say("The sign is wrong too.")
    return sentence if cause is None else say("{first} {second}", first=sentence, second=cause)


def delta_itself(case: Case, got: Array, expected: Array) -> Phrase | None:
    if same(got, case.by(np.ones_like(case.delta))):
        return say("It is not multiplied by {delta}.", delta=case.name)
    if same(got, case.by(case.delta**2)):
        return say("It is multiplied by {delta} twice.", delta=case.name)
    if not case.parameter and same(got, case.delta):
        return say("It is {delta} itself: the derivative is missing.", delta=case.name)
    return None


def wrong_product(case: Case, got: Array, expected: Array) -> Phrase | None:
    """W in the place of its transpose, or another parameter changed, while the rest is right."""
    for name, array in case.given.items():
        if array.ndim == 2 and array.shape[0] == array.shape[1] and case.delta.ndim >= 2 and not case.parameter:
            for turned, other in ((array, array.T), (array.T, array)):
                fits = got.shape[-1] == array.shape[0] == case.delta.shape[-1]
                if fits and same(got, case.delta @ turned) and same(expected, case.delta @ other):
                    return say(
                        "{name} must be transposed here: {delta} is multiplied by the wrong side of it.",
                        name=name,
                        delta=case.name,
                    )
    return None


def at_the_output(case: Case, got: Array, expected: Array) -> Phrase | None:
    """σ'(y) in place of σ'(x)."""
    if case.again is None or case.output is None or case.x is None or case.output.shape != case.x.shape:
        return None
    if case.parameter:
        return None
    if case.with_other({"": case.output}):
        return say("The derivative is taken at the output of forward in place of its input.")
    return None


def too_much(case: Case, got: Array, expected: Array) -> Phrase | None:
    """The difference is a multiple of an array at hand."""
    difference = got - expected
    for name, array in case.given.items():
        squared = float(np.sum(array * array))
        if array.shape != difference.shape or not squared or array.size < 2 or np.all(array == array.flat[0]):
            continue  # a constant is a multiple of any other
        factor = float(np.sum(difference * array) / squared)
        if same(difference, factor * array) and abs(factor) > AGREE:
            if abs(factor - 1) < AGREE:
                return say("{name} is added to what is right.", name=name)
            if abs(factor + 1) < AGREE:
                return say("{name} is missing: what is right less {name} came.", name=name)
            return say("{factor} · {name} is added to what is right.", factor=f"{factor:.4g}", name=name)
    return None


def ratio(case: Case, got: Array, expected: Array) -> Phrase | None:
    """The quotient is an array at hand: something is multiplied or divided once too often."""
    if not np.all(np.abs(expected) > AGREE * np.max(np.abs(expected))):
        return None
    for name, array in case.given.items():
        if array.shape == got.shape and not same(array, np.ones_like(array)):
            if same(got, expected * array):
                return say("It is multiplied by {name} once too often.", name=name)
            if array.all() and same(got, expected / array):
                return say("A factor {name} is missing.", name=name)
    return None
