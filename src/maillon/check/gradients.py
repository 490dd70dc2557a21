"""check_gradients: backward against finite differences, in float64."""

from typing import Any

import numpy as np

from maillon.check.differences import KinkError, Slope, directional
from maillon.check.probe import Gradients, Probe, Spot, signed
from maillon.check.verdict import CheckError, CheckReport, one_line, replay_line
from maillon.nn import Module
from maillon.random import Generator
from maillon.typing import Array

NUDGES = (1e-2, 3e-3, 1e-3, 1e-4)
"""How far beside its inputs a link is looked at when it stands on a kink."""


def check_gradients(
    link: Module, *inputs: Any, seed: int = 0, directions: int = 3, tolerance: float = 1e-7
) -> CheckReport:
    """Prove by finite differences that backward is the derivative of forward, for each input and each Parameter.

    For a random grad_output v and a random direction d: ⟨∂⟨v, y⟩/∂x, d⟩ = d/dt ⟨v, y(x + t d)⟩ at t = 0.

    Parameters
    ----------
    link : Module
        The link, in the mode to check it in, or a loss.
    *inputs : array, or tuple of arrays
        What forward takes; integers and None have no gradient. For a loss prediction, target and maybe sample
        weights, of which the predictions alone have a gradient.
    seed : int
        Of the directions and the draws.
    directions : int
        How many random directions are tried, ≥ 1.
    tolerance : float
        The largest relative error.

    Returns
    -------
    CheckReport
        What was checked, and the largest relative error.

    Raises
    ------
    CheckError
        For a broken rule: its number, the input or parameter, what was expected and what came, and the call that
        shows it again.

    Notes
    -----
    Link and inputs are copied and converted to float64. Yours are left alone, and so is the global generator: links
    that draw get the same draws for every evaluation. A kink (ReLU at 0) is noticed: left and right derivatives differ
    there, and estimates by several step sizes disagree near it. Then the step shrinks, and if that does not help the
    inputs are moved a little.

    References
    ----------
    Tokui et al., "Chainer: A Deep Learning Framework for Accelerating the Research Cycle", 2019.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from maillon.check import check_gradients
    >>> check_gradients(maillon.ReLU(), np.array([-1.0, 0.0, 2.0]))  # doctest: +ELLIPSIS
    <ReLU(): rule 1 holds; relative error ≤ ... in the gradient of input x; 4 kinks stepped around>
    """
    try:
        return gradients_hold(Probe(link, inputs, np.float64, seed), directions, tolerance)
    except CheckError as error:
        error.replay = replay_line("check_gradients", seed, directions, tolerance)
        raise


def gradients_hold(probe: Probe, directions: int, tolerance: float) -> CheckReport:
    """Rule 1, at the probe's inputs or, from a kink, a little beside them."""
    kinks = 0
    for size in (0.0, *NUDGES):
        generator = Generator(probe.seed)
        try:
            place = probe.nudged(size, generator) if size else probe
            shrunk, worst, worst_at = _compare(place, generator, directions, tolerance)
        except KinkError:
            kinks += 1
        except CheckError:
            raise
        except Exception:
            if not size:  # the caller's own inputs: the caller's own mistake
                raise
        else:
            return CheckReport(one_line(probe.shown), (1,), worst, worst_at, kinks + shrunk, probe.seed)
    raise CheckError(
        1,
        probe.shown,
        "output of forward",
        "a differentiable function near the inputs",
        "one without a derivative here and at all places beside",
        way_out="It has kinks, jumps or noise everywhere, or its values are too large for the differences.",
    )


def _compare(probe: Probe, generator: Generator, directions: int, tolerance: float) -> tuple[int, float, str]:
    """Steps shrunk, the largest relative error, and where it is; CheckError when one is above the tolerance."""
    rule_1_a_function(probe)
    spots = probe.spots()
    found: dict[Spot, list[tuple[float, float, float]]] = {spot: [] for spot in spots}
    shrunk = 0
    for _ in range(directions):
        grad_output, gradients = probe.gradients(generator)
        for spot in spots:
            direction = signed(generator, probe.value(spot).shape)
            slope = directional(probe, spot, direction, grad_output, tolerance)
            shrunk += slope.shrunk
            got = _along(probe, spot, gradients, direction, slope.value)
            found[spot].append((slope.value, got, _relative(got, slope)))
    worst, worst_at = 0.0, ""
    for spot, triples in found.items():
        expected, got, error = max(triples, key=lambda triple: np.inf if np.isnan(triple[2]) else triple[2])
        if not error <= tolerance:
            raise _wrong(probe, spot, expected, got, error, triples)
        if error >= worst:
            worst, worst_at = error, str(spot)
    return shrunk, worst, worst_at


def _relative(got: float, slope: Slope) -> float:
    size = max(slope.scale, abs(got))
    return abs(got - slope.value) / size if size else 0.0


def rule_1_a_function(probe: Probe) -> None:
    """A derivative belongs to a function: the same inputs and draws must give the same output."""
    for first, second in zip(probe.output(), probe.output(), strict=True):
        if not np.array_equal(np.asarray(first), np.asarray(second), equal_nan=np.asarray(first).dtype.kind == "f"):
            raise CheckError(
                1,
                probe.shown,
                "output of forward",
                "the same for the same inputs and the same random draws",
                "two different ones",
                way_out="Draw random numbers from maillon.random.resolve(self.generator) only.",
            )


def _along(probe: Probe, spot: Spot, gradients: Gradients, direction: Array, expected: float) -> float:
    """The gradient that backward gave, along the direction."""
    gradient = gradients.at(spot)
    shape = probe.value(spot).shape
    rule = 4 if spot.kind == "input" else 2
    if gradient is None:
        if spot.kind == "parameter" and expected == 0:
            return 0.0  # forward does not use it
        raise CheckError(rule, probe.shown, str(spot), f"an array of shape {shape}", "None")
    if not isinstance(gradient, np.ndarray | np.generic) or gradient.shape != shape:
        got = getattr(gradient, "shape", type(gradient).__name__)
        raise CheckError(rule, probe.shown, str(spot), f"an array of shape {shape}", f"{got}")
    return float(np.sum(gradient * direction))


def _wrong(
    probe: Probe, spot: Spot, expected: float, got: float, error: float, triples: list[tuple[float, float, float]]
) -> CheckError:
    """Rule 1 is broken; a factor that is the same in every direction is a hint worth giving."""
    ratios = [got / expected for expected, got, _ in triples if expected]
    way_out = ""
    if not any(got for _, got, _ in triples):
        way_out = "It is zero in every direction."
    elif ratios and max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0]):
        factor = ratios[0]
        way_out = "The sign is wrong." if abs(factor + 1) < 1e-4 else f"It is {factor:.4g} times what it should be."
    return CheckError(
        1,
        probe.shown,
        str(spot),
        f"{expected:.10g} along a random direction, by finite differences",
        f"{got:.10g} from backward",
        relative_error=error,
        way_out=way_out,
    )
