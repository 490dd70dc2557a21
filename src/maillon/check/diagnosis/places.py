"""Hypotheses on places: outputs left out, steps that nothing flows between, strides, borders."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import AGREE, Case, same, some_of
from maillon.check.words import Phrase, say
from maillon.typing import Array


def other_parameter(case: Case, got: Array, expected: Array) -> Phrase | None:
    """The gradient with a parameter flipped, as a kernel, or transposed."""
    for name, array in case.given.items():
        if array is case.x or array is case.output or array is case.delta:
            continue
        square = array.ndim == 2 and array.shape[0] == array.shape[1] > 1
        if square and case.with_other({name: array.T.copy()}):
            return say("{name} is taken transposed in backward.", name=name)
        for axes in some_of(range(array.ndim)) if array.ndim in (3, 4) and not case.parameter else ():
            if case.with_other({name: np.flip(array, axes)}):
                return say(
                    "{name} is flipped along axes {axes} where forward does not flip it, or the reverse.",
                    name=name,
                    axes=", ".join(map(str, axes)),
                )
    return None


def some_outputs(case: Case, got: Array, expected: Array) -> Phrase | None:
    """One example, time step, row or border of the output is left out, or is all there is."""
    for where, mask in _masks(case):
        part = case.by(np.where(mask, case.delta, 0.0))
        if not part.any() or same(part, expected):
            continue
        if same(got, part):
            return say("It is the gradient of {where} of the output only.", where=where)
        if same(got, expected - part):
            return say("The share of {where} of the output is missing.", where=where)
        if same(got, expected + part):
            return say("The share of {where} of the output is counted twice.", where=where)
    return None


def output_ignored(case: Case, got: Array, expected: Array) -> Phrase | None:
    """Of several outputs the gradient of one is not used."""
    start = 0
    for number, shape in enumerate(case.parts):
        size = int(np.prod(shape, dtype=int))
        delta = case.delta.copy()
        delta[start : start + size] = 0.0
        start += size
        if same(got, case.by(delta)):
            return say("The gradient of output {number} is not used.", number=number)
    return None


def only_a_step(case: Case, got: Array, expected: Array) -> Phrase | None:
    """Of several outputs the first has a gradient at one place of an axis only."""
    if len(case.parts) < 2:
        return None
    size = int(np.prod(case.parts[0], dtype=int))
    rest = np.arange(case.delta.size) >= size
    for where, mask in _masks(case):
        if same(got, case.by(np.where(mask | rest, case.delta, 0.0))):
            return say("It is the gradient of {where} of the output only.", where=where)
    return None


def nothing_flows(case: Case, got: Array, expected: Array) -> Phrase | None:
    """Each place of an axis by itself: what goes from one step to another is lost."""
    shape = case.parts[0] if case.parts else case.delta.shape
    if case.parameter or len(shape) < 2 or got.ndim < 2:
        return None
    size = int(np.prod(shape, dtype=int))
    for axis in range(min(len(shape), got.ndim)):
        if got.shape[axis] != shape[axis] or shape[axis] < 2:
            continue
        own = np.zeros_like(expected)
        for index in range(shape[axis]):
            place: tuple[Any, ...] = (*[slice(None)] * axis, index)
            mask = np.zeros(shape, dtype=bool)
            mask[place] = True
            rest = np.full(case.delta.size - size, index == shape[axis] - 1)
            flat = np.concatenate([mask.ravel(), rest]).reshape(case.delta.shape)
            own[place] = case.by(np.where(flat, case.delta, 0.0))[place]
        if same(got, own) and not same(own, expected):
            return say(
                "Nothing flows from one place of axis {axis} to another: what later steps owe to earlier ones is"
                " missing.",
                axis=axis,
            )
    return None


def _masks(case: Case) -> Iterator[tuple[Phrase, Array]]:
    """Each place of each axis of the output, or of the first of several; the last one first."""
    shape = case.parts[0] if case.parts else case.delta.shape
    for axis, extent in enumerate(shape):
        for index in (extent - 1, 0, *range(1, extent - 1)) if extent > 1 else ():
            mask = np.zeros(shape, dtype=bool)
            mask[(*[slice(None)] * axis, index)] = True
            rest = np.zeros(case.delta.size - mask.size, dtype=bool)
            yield _place(axis, index, extent), np.concatenate([mask.ravel(), rest]).reshape(case.delta.shape)


def _place(axis: int, index: int, extent: int) -> Phrase:
    if index == extent - 1:
        return say("the last place of axis {axis}", axis=axis)
    if index == 0:
        return say("the first place of axis {axis}", axis=axis)
    return say("place {index} of axis {axis}", index=index, axis=axis)


def stride(case: Case, got: Array, expected: Array) -> Phrase | None:
    """The share of output i put where it would belong with a stride of one."""
    if not _windows(case, got):
        return None
    axes = [axis for axis in range(1, got.ndim) if 1 < case.delta.shape[axis] < got.shape[axis]]
    for strided in some_of(axes):
        for step in (2, 3, 4):
            if any(step * (case.delta.shape[axis] - 1) >= got.shape[axis] for axis in strided):
                continue
            moved = np.zeros_like(expected)
            for places, share in _shares(case, strided):
                moved += _shifted(share, strided, [-(step - 1) * place for place in places])
            if same(got, moved):
                return say(
                    "The stride of {stride} is ignored: the share of output i belongs {stride} · i places on.",
                    stride=step,
                )
    return None


def overwritten(case: Case, got: Array, expected: Array) -> Phrase | None:
    """Where windows overlap the later share stands alone."""
    if not _windows(case, got):
        return None
    moved = np.zeros_like(expected)
    for _, share in _shares(case, tuple(range(1, case.delta.ndim))):
        moved[share != 0] = share[share != 0]
    if same(got, moved):
        return say("Where windows overlap, a later share overwrites an earlier one: write += in place of =.")
    return None


def _windows(case: Case, got: Array) -> bool:
    """Whether it may be a convolution or a pooling: an input with as many axes as the output, and some."""
    return not case.parameter and case.x is not None and got.ndim >= 3 and case.delta.ndim == got.ndim


def _shares(case: Case, axes: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Array]]:
    """What each place of the output along these axes contributes to the gradient."""
    for places in product(*[range(case.delta.shape[axis]) for axis in axes]):
        delta = np.zeros_like(case.delta)
        where: list[Any] = [slice(None)] * case.delta.ndim
        for axis, place in zip(axes, places, strict=True):
            where[axis] = place
        delta[tuple(where)] = case.delta[tuple(where)]
        yield places, case.by(delta)


def _shifted(array: Array, axes: tuple[int, ...], by: list[int]) -> Array:
    for axis, places in zip(axes, by, strict=True):
        rolled = np.roll(array, places, axis)
        if places:
            gone: list[Any] = [slice(None)] * array.ndim
            gone[axis] = slice(places, None)
            rolled[tuple(gone)] = 0
        array = rolled
    return array


def only_there(case: Case, got: Array, expected: Array) -> Phrase | None:
    """The difference lies in one place only: say in which."""
    return where_different(got, expected)


def where_different(got: Array, expected: Array) -> Phrase | None:
    """Where two arrays of one shape differ, if that is not everywhere."""
    size = float(np.max(np.abs(expected), initial=0.0))
    wrong = ~np.isclose(got, expected, rtol=AGREE, atol=AGREE * size)
    if not wrong.any() or got.size == 1:
        return None
    where = _single(wrong) or _one_slice(wrong) or _border(wrong) or _some_slices(wrong)
    if where is None:
        return None
    if not got[wrong].any():
        return say("It is right but {where}, where it is zero.", where=where)
    return say("It is right but {where}.", where=where)


def _single(wrong: Array) -> Phrase | None:
    places = np.argwhere(wrong)
    return say("at {places}", places=[int(index) for index in places[0]]) if len(places) == 1 else None


def _one_slice(wrong: Array) -> Phrase | None:
    """One place of an axis, where most is wrong."""
    for axis, extent in enumerate(wrong.shape):
        found = np.unique(np.argwhere(wrong)[:, axis])
        if len(found) == 1 and extent > 2 and float(np.mean(np.take(wrong, found[0], axis))) > 0.4:
            return say("in {where}", where=_place(axis, int(found[0]), extent))
    return None


def _border(wrong: Array) -> Phrase | None:
    """The first and last places of some axes."""
    for axes in some_of(range(wrong.ndim)) if wrong.ndim >= 3 else ():
        inside = tuple(slice(1, -1) if axis in axes else slice(None) for axis in range(wrong.ndim))
        if all(wrong.shape[axis] > 4 for axis in axes) and not wrong[inside].any():
            return say("at the border of axes {axes} (padding?)", axes=", ".join(map(str, axes)))
    return None


def _some_slices(wrong: Array) -> Phrase | None:
    """Up to half of the places of an axis."""
    for axis, extent in enumerate(wrong.shape):
        found = np.unique(np.argwhere(wrong)[:, axis])
        if 2 * len(found) <= extent:
            listed = ", ".join(map(str, found[:6])) + ("…" if len(found) > 6 else "")
            return say("at the places {places} of axis {axis}", places=listed, axis=axis)
    return None
