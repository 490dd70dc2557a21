"""Hypotheses on shapes: transposed, not summed, summed too far, axes exchanged or flipped."""

from itertools import permutations

import numpy as np

from maillon.check.diagnosis.case import Case, same, some_of
from maillon.check.words import Phrase, say
from maillon.typing import Array


def turned(case: Case, got: Array, expected: Array) -> Phrase | None:
    """The shape of the transposed array."""
    if got.ndim >= 2 and got.shape == expected.T.shape:
        if same(got.T, expected):
            return say("It is transposed.")
        return say("Its shape is that of the transposed array.")
    return None


def unsummed(case: Case, got: Array, expected: Array) -> Phrase | None:
    """A sum that is missing: there is an axis too many."""
    for axis in range(got.ndim):
        if same(np.squeeze(got.sum(axis=axis)), np.squeeze(expected)):
            batch = say("It is not summed over axis {axis}, the examples of the batch.", axis=axis)
            return batch if axis == 0 else say("It is not summed over axis {axis}.", axis=axis)
    if case.parameter and got.shape == case.delta.shape and same(got, case.delta):
        return say("It is {delta} itself, not summed over the batch.", delta=case.name)
    return None


def summed(case: Case, got: Array, expected: Array) -> Phrase | None:
    """A sum too many, or over the wrong axis."""
    for axis in range(expected.ndim):
        if same(np.squeeze(got), np.squeeze(expected.sum(axis=axis))):
            return say("It is summed over axis {axis}: nothing is to be summed there.", axis=axis)
        if same(np.squeeze(got), np.squeeze(expected.mean(axis=axis))):
            return say("It is averaged over axis {axis}: nothing is to be averaged there.", axis=axis)
    for axis in range(case.delta.ndim if case.parameter else 0):
        if same(np.squeeze(got), np.squeeze(case.delta.sum(axis=axis))):
            return say("It is {delta} summed over axis {axis}, the wrong one.", delta=case.name, axis=axis)
    if got.size == 1 and same(got.reshape(()), np.asarray(expected.sum())):
        return say("It is summed over all axes: one number is left.")
    return None


def turned_square(case: Case, got: Array, expected: Array) -> Phrase | None:
    """Axes of the same extent exchanged, or flipped."""
    if got.ndim < 2:
        return None
    if got.ndim == 2 and same(got.T, expected):
        return say("It is transposed.")
    for order in permutations(range(got.ndim)):
        if order != tuple(range(got.ndim)) and same(np.transpose(got, order), expected):
            swapped = [axis for axis, other in enumerate(order) if axis != other]
            return say("Its axes {axes} are exchanged.", axes=", ".join(map(str, swapped)))
    for flipped in some_of(range(got.ndim)):
        if same(np.flip(got, flipped), expected):
            axes = ", ".join(map(str, flipped))
            if case.parameter and got.ndim > 2:
                return say(
                    "It is flipped along axes {axes}: a convolution in place of a cross-correlation, or the reverse.",
                    axes=axes,
                )
            return say("It is flipped along axes {axes}.", axes=axes)
    return None


def wrong_axis(case: Case, got: Array, expected: Array) -> Phrase | None:
    """A bias: delta summed, but over other axes."""
    if not case.parameter or case.delta.ndim < 2:
        return None
    sums = {axes: np.squeeze(case.delta.sum(axis=axes)) for axes in some_of(range(case.delta.ndim))}
    if not any(same(np.squeeze(expected), one) for one in sums.values()):
        return None
    wrong = next((axes for axes, one in sums.items() if same(np.squeeze(got), one)), None)
    if wrong is None:
        return None
    return say(
        "It is {delta} summed over axis {axis}, the wrong one.", delta=case.name, axis=", ".join(map(str, wrong))
    )
