"""The values of forward against those of a link of maillon."""

import copy
from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import named_factor, same
from maillon.check.diagnosis.places import where_different
from maillon.check.handout.storage import Place
from maillon.check.handout.subject import Subject
from maillon.check.handout.verdict import HandoutError
from maillon.check.words import Phrase, say
from maillon.nn import Module
from maillon.nn.support.errors import LinkDtypeError
from maillon.typing import Array

MOST_ORDERS = 500
"""Ways to give the parameters of one module to the other that are tried."""


def like_holds(subject: Subject, x: Array, output: Array, parameters: dict[Place, Array], like: Module) -> None:
    """forward gives what the link gives, with the same weights, in whatever layout they are kept."""
    link = copy.deepcopy(like).to(np.float64).eval()
    theirs = [np.squeeze(value) for value in parameters.values()]
    missing = [name for name, ours in link.named_parameters() if not any(_fits(ours.data, one) for one in theirs)]
    if missing:
        got = ", ".join(f"{place} {value.shape}" for place, value in parameters.items()) or say("none")
        raise HandoutError(
            1,
            subject.name,
            say("parameters"),
            say("one for each of {link}", link=repr(like)),
            got,
            way_out=say("There is none for {name}.", name=", ".join(missing)),
        )
    x = _taken(link, x)
    first: Array | None = None
    for weights in _ways(link, theirs):
        for parameter, weight in zip(link.parameters(), weights, strict=True):
            parameter.data = weight.copy()
        expected = np.asarray(link(x.copy()))
        if first is None:
            first = expected
        if same(output, expected):
            _large_too(subject, x, link)
            return
    assert first is not None
    raise HandoutError(1, subject.name, "forward", *_values(output, first, like), way_out=why_value(output, first, x))


def _taken(link: Module, x: Array) -> Array:
    """The input as the link takes it: a module may take whole numbers where the link wants floats."""
    try:
        link(x.copy())
    except LinkDtypeError:
        return x.astype(np.float64)
    return x


def _fits(ours: Array, theirs: Array) -> bool:
    return sorted(np.squeeze(ours).shape) == sorted(theirs.shape)


def _ways(link: Module, theirs: list[Array]) -> Iterator[list[Array]]:
    """The other module's parameters in the layout of the link's, in every way that their shapes allow."""
    choices: list[list[Array]] = []
    for _, ours in link.named_parameters():
        shape = np.squeeze(ours.data).shape
        turned = [
            np.transpose(one, axes)
            for one in theirs
            for axes in sorted(permutations(range(one.ndim)), reverse=True)
            if tuple(one.shape[axis] for axis in axes) == shape
        ]
        choices.append([one.reshape(ours.shape) for one in turned])
    for count, weights in enumerate(product(*choices)):
        if count == MOST_ORDERS:
            return
        yield list(weights)


def _values(output: Array, expected: Array, like: Module) -> tuple[Phrase, Phrase]:
    if output.shape != expected.shape:
        return say("an array of shape {shape}", shape=expected.shape), say("one of shape {shape}", shape=output.shape)
    place = np.unravel_index(int(np.argmax(np.abs(output - expected))), expected.shape)
    where = [int(index) for index in place]
    return (
        say("{number} at {where}, as {link} gives", number=f"{expected[place]:.6g}", where=where, link=repr(like)),
        f"{output[place]:.6g}",
    )  # type: ignore[return-value]


def why_value(output: Array, expected: Array, x: Array) -> Phrase | str:
    """The most likely cause of a wrong value."""
    if output.shape != expected.shape:
        return say("It is transposed.") if output.ndim == 2 and output.T.shape == expected.shape else ""
    with np.errstate(all="ignore"):
        return (
            value_factor(output, expected, x)
            or _simple_slip(output, expected, x)
            or wrong_sum(output, expected)
            or where_different(output, expected)
            or ""
        )


def value_factor(output: Array, expected: Array, x: Array) -> Phrase | None:
    """A constant factor, with what it is."""
    factor = float(np.sum(output * expected) / np.sum(expected * expected)) if expected.any() else 0.0
    if not factor or not same(output, factor * expected):
        return None
    if abs(factor + 1) < 1e-6:
        return say("The sign is wrong.")
    cause = named_factor(abs(factor), expected.shape, x)
    sentence = say("It is {factor} times what it should be.", factor=f"{factor:.4g}")
    return sentence if cause is None else say("{first} {second}", first=sentence, second=cause)


def _simple_slip(output: Array, expected: Array, x: Array) -> Phrase | None:
    """The input itself, a bias, one minus, an exponential."""
    difference = output - expected
    slips = [
        (same(output, x), say("It is the input itself.")),
        (
            difference.ndim >= 2 and np.allclose(difference, difference[:1], atol=1e-9),
            say("The same row is missing or too much for each example: the bias."),
        ),
        (
            expected.min() >= 0 and expected.max() <= 1 and same(output, 1 - expected),
            say("It is 1 minus what it should be: the sign in the exponential."),
        ),
        (same(output, np.exp(expected)), say("The logarithm is missing.")),
    ]
    return next((sentence for fits, sentence in slips if fits), None)


def wrong_sum(output: Array, expected: Array | None = None) -> Phrase | None:
    """A softmax over the wrong axis, or over none."""
    if output.ndim != 2 or (expected is not None and not np.allclose(expected.sum(axis=1), 1)):
        return None
    if np.allclose(output.sum(axis=0), 1):
        return say(
            "The columns add up to 1: the sum runs over axis 0, the examples; it belongs over axis 1, the classes."
        )
    if np.isclose(output.sum(), 1):
        return say("The whole array adds up to 1: the sum runs over all axes; it belongs over axis 1, the classes.")
    if expected is not None and not np.allclose(output.sum(axis=1), 1):
        return say("The rows do not add up to 1: they are not divided by their sum.")
    return None


def _large_too(subject: Subject, x: Array, link: Module) -> None:
    """Where the link is finite for large inputs, so is forward."""
    large = np.sign(x) * 1000.0
    if x.ndim > 1:
        large = large + np.linspace(0, 1, x.shape[-1])
    with np.errstate(all="ignore"):
        expected = np.asarray(link(large.copy()))
    got = subject.forward(subject.fresh(), large)
    if np.isfinite(expected).all() and not same(got, expected):
        raise HandoutError(
            1,
            subject.name,
            say("forward of inputs of 1000"),
            say("finite values"),
            say("NaN, infinity or other values"),
            way_out=say("exp overflows: for a softmax, subtract the largest input of each example first."),
        )


def reduced(link: Any, yhat: Array, y: Array, reduction: str) -> Array | None:
    """The value of one of maillon's losses under a reduction; None where it has none of that name."""
    loss = copy.deepcopy(link)
    if reduction not in loss.reductions:
        return None
    loss.reduction = reduction
    return np.asarray(loss(yhat, y), dtype=np.float64)
