"""check_gradients: backward against finite differences, in float64."""

from typing import Any, NamedTuple

import numpy as np

from maillon.check.causes import cause
from maillon.check.differences import KinkError, Slope, directional
from maillon.check.probe import Gradients, Probe, Spot, signed
from maillon.check.verdict import CheckError, CheckReport, one_line, replay_line
from maillon.check.words import Phrase, check_language, say
from maillon.nn import Module
from maillon.random import Generator
from maillon.typing import Array

NUDGES = (1e-2, 3e-3, 1e-3, 1e-4)
"""How far beside its inputs a link is looked at when it stands on a kink."""


class Tried(NamedTuple):
    """One direction: the derivative by differences, that of backward, and the gradients that it comes from."""

    expected: float
    got: float
    error: float
    grad_output: Any
    gradients: Gradients


def check_gradients(
    link: Module, *inputs: Any, seed: int = 0, directions: int = 3, tolerance: float = 1e-7, language: str = "en"
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
    language : {"en", "fr"}
        Of the error's message.

    Returns
    -------
    CheckReport
        What was checked, and the largest relative error.

    Raises
    ------
    CheckError
        For a broken rule: its number, the input or parameter, what was expected and what came, the likely cause where
        arithmetic proves one, and the call that shows it again.

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
    <ReLU(): rule 1 holds; relative error ≤ ... in the gradient of input x; 4 kinks or sharp bends stepped around>
    """
    check_language("check_gradients", language)
    try:
        return gradients_hold(Probe(link, inputs, np.float64, seed), directions, tolerance)
    except CheckError as error:
        error.language = language
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
        say("output of forward"),
        say("a differentiable function near the inputs"),
        say("one without a derivative here and at all places beside"),
        way_out=say("It has kinks, jumps or noise everywhere, or its values are too large for the differences."),
    )


def _compare(probe: Probe, generator: Generator, directions: int, tolerance: float) -> tuple[int, float, str]:
    """Steps shrunk, the largest relative error, and where it is; CheckError when one is above the tolerance."""
    rule_1_a_function(probe)
    spots = probe.spots()
    found: dict[Spot, list[Tried]] = {spot: [] for spot in spots}
    shrunk = 0
    for _ in range(directions):
        grad_output, gradients = probe.gradients(generator)
        for spot in spots:
            direction = signed(generator, probe.value(spot).shape)
            slope = directional(probe, spot, direction, grad_output, tolerance)
            shrunk += slope.shrunk
            got = _along(probe, spot, grad_output, gradients, direction, slope.value)
            found[spot].append(Tried(slope.value, got, _relative(got, slope), grad_output, gradients))
    worst, worst_at = 0.0, ""
    for spot, tried in found.items():
        largest = max(tried, key=lambda one: np.inf if np.isnan(one.error) else one.error)
        if not largest.error <= tolerance:
            raise _wrong(probe, spot, largest, tried)
        if largest.error >= worst:
            worst, worst_at = largest.error, str(spot)
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
                say("output of forward"),
                say("the same for the same inputs and the same random draws"),
                say("two different ones"),
                way_out=say("Draw random numbers from maillon.random.resolve(self.generator) only."),
            )


def _along(
    probe: Probe, spot: Spot, grad_output: Any, gradients: Gradients, direction: Array, expected: float
) -> float:
    """The gradient that backward gave, along the direction."""
    gradient = gradients.at(spot)
    shape = probe.value(spot).shape
    rule = 4 if spot.kind == "input" else 2
    if gradient is None:
        if spot.kind == "parameter" and expected == 0:
            return 0.0  # forward does not use it
        raise CheckError(rule, probe.shown, spot.phrase, say("an array of shape {shape}", shape=shape), "None")
    if not isinstance(gradient, np.ndarray | np.generic) or gradient.shape != shape:
        got = getattr(gradient, "shape", type(gradient).__name__)
        raise CheckError(
            rule,
            probe.shown,
            spot.phrase,
            say("an array of shape {shape}", shape=shape),
            f"{got}",
            way_out=cause(probe, spot, grad_output, gradient) or "",
        )
    return float(np.sum(gradient * direction))


def _wrong(probe: Probe, spot: Spot, largest: Tried, tried: list[Tried]) -> CheckError:
    """Rule 1 is broken; its cause, or a factor that is the same in every direction, is a hint worth giving."""
    ratios = [one.got / one.expected for one in tried if one.expected]
    way_out: Phrase | str = ""
    if not any(one.got for one in tried):
        way_out = say("It is zero in every direction.")
    else:
        way_out = cause(probe, spot, largest.grad_output, largest.gradients.at(spot)) or ""
    if not way_out and ratios and max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0]):
        factor = ratios[0]
        way_out = say("It is {factor} times what it should be.", factor=f"{factor:.4g}")
        way_out = say("The sign is wrong.") if abs(factor + 1) < 1e-4 else way_out
    return CheckError(
        1,
        probe.shown,
        spot.phrase,
        say("{number} along a random direction, by finite differences", number=f"{largest.expected:.10g}"),
        say("{number} from {method}", number=f"{largest.got:.10g}", method="backward"),
        relative_error=largest.error,
        way_out=way_out,
    )
