"""Hypotheses on losses: gradients that are taken for one another, and constant factors in a loss's words."""

import numpy as np

from maillon.check.diagnosis.case import Case, same, told_apart
from maillon.check.words import Phrase, say
from maillon.typing import Array


def taken_for_another(case: Case, got: Array, expected: Array) -> Phrase | None:
    """The derivative of another loss, or of this one by something else than the prediction."""
    if case.target is None or case.x is None or case.target.shape != case.x.shape:
        return None
    scale = case.delta.flat[0] if np.all(case.delta == case.delta.flat[0]) else case.delta
    if np.size(scale) != 1 and case.delta.shape != case.x.shape:
        return None
    got, expected = got / scale, expected / scale
    multiple = same(expected * float(np.sum(got * expected) / np.sum(expected * expected)), got)
    for count in (1.0, float(len(case.x)), float(case.x.size)):
        for sentence, array in _known(case.target, case.x, expected):
            if same(got, array / count) and not multiple:
                return sentence
    return None


def _known(y: Array, yhat: Array, expected: Array) -> list[tuple[Phrase, Array]]:
    shifted = np.exp(yhat - yhat.max(axis=-1, keepdims=True))
    p = shifted / shifted.sum(axis=-1, keepdims=True)
    s = 1 / (1 + np.exp(-yhat))
    known = [
        *_slips(y, yhat, p, expected),
        (
            say(
                "It is yhat − y: the derivative of softmax and cross-entropy in one, by the scores before the softmax,"
                " or that of another loss."
            ),
            yhat - y,
        ),
        (
            say("It is softmax(yhat) − y, the derivative of cross-entropy with scores; forward is another one."),
            p - y,
        ),
        (
            say("It is σ(yhat) − y, the derivative of binary cross-entropy with scores; forward is another one."),
            s - y,
        ),
        (say("It is −y, and that is not the derivative of what forward computes."), -y),
        (
            say("It is 2 (yhat − y), the derivative of (yhat − y)², and that is not what forward computes."),
            2 * (yhat - y),
        ),
        (say("It is −y / yhat, the derivative of −y log yhat, and that is not what forward computes."), -y / yhat),
    ]
    return [(sentence, array) for sentence, array in known if np.isfinite(array).all()]


def _slips(y: Array, yhat: Array, p: Array, expected: Array) -> list[tuple[Phrase, Array]]:
    """Slips on the way to a known derivative, each where a multiple of that one is owed."""
    difference, crossed = yhat - y, (yhat - y) / (yhat * (1 - yhat))
    lost, whole = say("It is |yhat − y|: the sign is lost."), say("It is yhat: y is not subtracted.")
    slips = [
        (say("It is yhat − y: the division by yhat (1 − yhat) is missing."), difference, crossed),
        (say("It is −y: the division by yhat is missing."), -y, y / yhat),
        (say("It is −y / yhat: the term with (1 − y) / (1 − yhat) is missing."), -y / yhat, crossed),
        (
            say("It is −y / yhat − (1 − y) / (1 − yhat): the second term has the wrong sign."),
            -y / yhat - (1 - y) / (1 - yhat),
            crossed,
        ),
        (
            say("It is (yhat − y) · yhat (1 − yhat): divide by yhat (1 − yhat) in place of multiplying."),
            difference * yhat * (1 - yhat),
            crossed,
        ),
        (say("It is the softmax of yhat: y is not subtracted."), p, p - y),
        (whole, yhat, difference),
        (whole, 2 * yhat, difference),
        (lost, np.abs(difference), difference),
        (lost, 2 * np.abs(difference), difference),
        (say("It is (yhat − y)²: the value, not its derivative."), difference**2, difference),
    ]
    return [
        (sentence, array)
        for sentence, array, right in slips
        if same(expected * np.sum(right * right), right * np.sum(expected * right))
    ]


def averaged(case: Case, got: Array, expected: Array) -> Phrase | None:
    """A constant factor between a value and its derivative."""
    if case.target is None or case.x is None:
        return None
    factor = float(np.sum(got * expected) / np.sum(expected * expected)) if expected.any() else 0.0
    if factor <= 0 or not same(got, factor * expected):
        return None
    n, size = len(case.x), case.x.size
    counts = [(n, say("the number of examples")), (size // n, say("the number of outputs"))]
    if size != n:
        counts.insert(0, (size, say("the number of all elements")))
    for count, name in told_apart(counts):
        if count > 2 and abs(factor - count) < 1e-6 * count:
            return say("forward is divided by {count}, {name}, and backward is not.", count=count, name=name)
        if count > 2 and abs(factor * count - 1) < 1e-6:
            return say("backward is divided by {count}, {name}, and forward is not.", count=count, name=name)
    return None
