"""An input that a module takes, when none is given."""

from collections.abc import Iterator

import numpy as np

from maillon.check.handout import storage
from maillon.check.handout.containers import modules_of
from maillon.check.handout.subject import Subject
from maillon.check.handout.verdict import HandoutError
from maillon.check.words import say
from maillon.random import Generator
from maillon.typing import Array


def fitting(subject: Subject) -> Array:
    """The first of the inputs that its parameters suggest which forward takes."""
    first: HandoutError | None = None
    for shape in _shapes(subject):
        x = Generator(subject.seed).normal(shape, dtype=np.float64)
        try:
            subject.forward(subject.fresh(), x)
        except HandoutError as error:
            if isinstance(error.__cause__, NotImplementedError) or error.got == "None" or error.rule == 2:
                raise
            first = first or error
        else:
            return x
    assert first is not None
    if not first.way_out:
        first.way_out = say("Give an input that it takes: check_handout(module, x).")
    raise first


def _shapes(subject: Subject) -> Iterator[tuple[int, ...]]:
    """Shapes for examples in rows, for sequences and for images."""
    modules = modules_of(subject.held)
    held = modules[0] if modules else subject.held
    dims = {size for array in storage.arrays(subject.held).values() for size in array.shape}
    n = next(size for size in (5, 7, 11, 13) if size not in dims)
    shapes = [
        array.shape
        for place, array in storage.arrays(held).items()
        if array.ndim >= 2 and not storage.GRADIENT.search(place.name)
    ]
    for shape in sorted(shapes, key=len, reverse=True):
        if len(shape) == 4:
            yield (2, shape[1], shape[2] + 4, shape[3] + 3)
            yield (2, shape[0] + 4, shape[1] + 3, shape[2])
        if len(shape) == 3:
            yield (n - 2, 2 * shape[0] + 4, shape[1])
            yield (n - 2, shape[1], 2 * shape[2] + 4)
            yield (n - 2, 2 * shape[1] + 4, shape[2])
        if len(shape) == 2 and shape[0] == 1:  # a row, which an input of one column would take too
            yield (n, shape[1])
        if len(shape) == 2:
            yield (n, shape[0])
            yield (n, shape[1])
            yield (n, shape[0] - 1)
    yield (n, 3)
    yield (3, 8, 2)
    yield (2, 6, 7, 2)
    yield (n,)
