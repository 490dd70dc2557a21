"""diagnose: the hypotheses in turn, the most telling first."""

import numpy as np

from maillon.check.diagnosis import factors, functions, losses, places, shapes
from maillon.check.diagnosis.case import Case
from maillon.check.words import Phrase, say
from maillon.typing import Array

OTHER_SHAPE = (shapes.turned, shapes.unsummed, shapes.summed)
SAME_SHAPE = (
    factors.zero,
    factors.nearly,
    losses.taken_for_another,
    losses.averaged,
    factors.factor,
    factors.delta_itself,
    shapes.turned_square,
    shapes.wrong_axis,
    factors.wrong_product,
    functions.diagonal,
    functions.elementwise,
    functions.softmaxes,
    factors.at_the_output,
    places.output_ignored,
    places.some_outputs,
    places.stride,
    places.overwritten,
    places.only_a_step,
    places.nothing_flows,
    places.other_parameter,
    factors.ratio,
    factors.too_much,
    places.only_there,
)
"""What is asked of a gradient of another shape than it should have, and of one of the right shape."""


def diagnose(case: Case) -> Phrase | None:
    """The most likely cause of a wrong gradient in a sentence; None when no hypothesis fits."""
    got, expected = np.asarray(case.got), case.expected
    if got.dtype.kind not in "fiub":
        return None
    with np.errstate(all="ignore"):
        if not np.isfinite(got).all():
            return _not_finite(got)
        for hypothesis in OTHER_SHAPE if got.shape != expected.shape else SAME_SHAPE:
            found = hypothesis(case, got.astype(np.float64), expected)
            if found is not None:
                return found
    return None


def how_large(got: Array, expected: Array) -> Phrase | None:
    """What is certain when no cause is found."""
    if got.shape != expected.shape or got.size < 2:
        return None
    size = float(np.max(np.abs(expected), initial=0.0))
    wrong = int(np.sum(~np.isclose(got, expected, rtol=1e-6, atol=1e-6 * size)))
    return say(
        "{wrong} of {size} elements are wrong, by up to {largest}.",
        wrong=wrong,
        size=got.size,
        largest=f"{float(np.max(np.abs(got - expected))):.3g}",
    )


def _not_finite(got: Array) -> Phrase:
    bad = np.argwhere(~np.isfinite(got))
    where = [int(place) for place in bad[0]]
    return say(
        "{count} of its {size} elements are NaN or infinite, the first at {where}.",
        count=len(bad),
        size=got.size,
        where=where,
    )
