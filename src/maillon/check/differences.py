"""Derivatives by finite differences, which know where they cannot be trusted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from maillon.check.probe import Probe, Spot, is_real, rms
from maillon.check.verdict import CheckError
from maillon.check.words import say
from maillon.nesting import leaves
from maillon.typing import Array

FIRST_STEP = 1e-2
"""The length of the first step along a direction, for values of size 1."""
SHRINK = (1.0, 0.1, 1e-2, 1e-3, 1e-4)
"""The steps tried, of the first: a smaller one may pass by a kink, but loses digits to rounding."""
ROUNDING = 16 * np.finfo(np.float64).eps
"""What an output is off by, relative to its size: every sum and function adds its half bit."""


class Slope(NamedTuple):
    """A directional derivative of ⟨grad_output, output⟩.

    scale: the size that an error is relative to: of its terms, and at least what the differences can resolve.
    shrunk: whether the first step was too long.
    terms: the derivative of each element of the output.
    """

    value: float
    scale: float
    shrunk: bool
    terms: Array


class KinkError(Exception):
    """There is no derivative here that finite differences could find."""


def directional(probe: Probe, spot: Spot, direction: Array, grad_output: Any, tolerance: float) -> Slope:
    """d/dt ⟨grad_output, output(x + t · direction)⟩ at 0."""
    weighted = weighted_output(probe, spot, grad_output)
    if not np.isfinite(weighted(np.zeros_like(direction))).all():
        raise CheckError(
            1,
            probe.shown,
            say("output of forward"),
            say("finite values"),
            say("NaN or infinity"),
            way_out=say("Give other inputs."),
        )
    return slope_along(weighted, direction, rms(probe.value(spot)), tolerance)


def weighted_output(probe: Probe, spot: Spot, grad_output: Any) -> Callable[[Array], Array]:
    """The elements of the output times those of grad_output, as a function of the displacement of one input."""
    weights = [part for part in leaves(grad_output) if part is not None]

    def weighted(displacement: Array) -> Array:
        real = [leaf for leaf in probe.output(spot, displacement) if is_real(leaf)]
        terms = [np.ravel(leaf * weight) for leaf, weight in zip(real, weights, strict=True)]
        return np.concatenate([np.zeros(0), *terms])

    return weighted


def slope_along(
    weighted: Callable[[Array], Array], direction: Array, size: float, tolerance: float, rounding: float = ROUNDING
) -> Slope:
    """d/dt Σ weighted(t · direction) at 0.

    Central differences of fourth order over h and h/2 (each element of the output for itself) must agree, and so
    must the differences to the left and to the right; Richardson's extrapolation of the two is the value. Where
    they do not agree the step shrinks; where left and right differ however small the step, there is a kink.
    """
    here = weighted(np.zeros_like(direction))
    first = FIRST_STEP * max(1.0, size) / float(np.linalg.norm(direction))
    for shrink in SHRINK:
        slope = _at_step(weighted, here, direction, first * shrink, tolerance, rounding)
        if slope is not None:
            return slope._replace(shrunk=shrink != SHRINK[0])
    raise KinkError


def jacobian(output: Callable[[Array], Array], value: Array, tolerance: float, rounding: float = ROUNDING) -> Array:
    """∂output/∂value, of shape value.shape + (size of the output,), from output(displacement)."""
    columns = []
    for place in range(value.size):
        direction = np.zeros(value.size)
        direction[place] = 1.0
        slope = slope_along(output, direction.reshape(value.shape), rms(value), tolerance, rounding)
        columns.append(slope.terms)
    size = columns[0].size if columns else 0
    return np.reshape(columns, (*value.shape, size))


def _at_step(
    weighted: Callable[[Array], Array], here: Array, direction: Array, h: float, tolerance: float, rounding: float
) -> Slope | None:
    """The derivative by steps of h and h/2; None when they disagree, meet a kink or leave the domain of forward."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            at = {t: weighted(direction * (t * h)) for t in (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)}
    except Exception:  # whatever a link raises outside its domain
        return None
    if not all(np.isfinite(values).all() for values in at.values()):
        return None
    coarse = (8 * (at[1.0] - at[-1.0]) - (at[2.0] - at[-2.0])) / (12 * h)
    fine = (8 * (at[0.5] - at[-0.5]) - (at[1.0] - at[-1.0])) / (6 * h)
    terms = (16 * fine - coarse) / 15
    value = float(np.sum(terms))
    noise = rounding * float(np.linalg.norm(here)) / h
    scale = max(abs(value), float(np.linalg.norm(fine)), noise / tolerance)
    agree = float(np.linalg.norm(fine - coarse)) <= tolerance * scale + noise
    kink = not agree or _on_kink(at, here, h, tolerance * scale + 8 * noise)
    return None if kink else Slope(value, scale, False, terms)


def _on_kink(at: dict[float, Array], here: Array, h: float, negligible: float) -> bool:
    """Whether the derivatives to the left and to the right differ, and no less so for half the step."""

    def jump(t: float, h: float) -> float:
        right = 4 * at[t] - 3 * here - at[2 * t]
        left = 3 * here - 4 * at[-t] + at[-2 * t]
        return float(np.linalg.norm(right - left)) / (2 * h)

    halved = jump(0.5, h / 2)
    return halved > negligible and halved > 0.6 * jump(1.0, h)
