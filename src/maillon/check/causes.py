"""The cause of a link's wrong gradient: what the hypotheses of a diagnosis need to know, out of a probe."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import Case, same
from maillon.check.diagnosis.diagnose import diagnose, how_large
from maillon.check.differences import KinkError, jacobian, slope_along, weighted_output
from maillon.check.probe import Probe, Spot, is_real, rms
from maillon.check.words import Phrase, say
from maillon.nesting import leaves, rebuilt
from maillon.nn import Loss
from maillon.random import Generator
from maillon.typing import Array

MOST_VALUES = 512
"""Elements of an input or parameter that are moved one by one for a diagnosis."""
MOST_ELEMENTS = 200_000
"""Of the matrix of derivatives."""
MOST_CALLS = 1500
"""Elements times links inside the link: what a diagnosis of a whole transformer would take too long for."""


def cause(probe: Probe, spot: Spot, grad_output: Any, got: Any) -> Phrase | None:
    """The most likely cause of a wrong gradient, else how large it is; None where it would take too long to look."""
    outputs = [np.asarray(leaf) for leaf in probe.output() if is_real(leaf)]
    size, value = sum(output.size for output in outputs), probe.value(spot)
    calls = value.size * len(list(probe.link.modules()))
    if value.size > MOST_VALUES or value.size * size > MOST_ELEMENTS or calls > MOST_CALLS:
        return None
    if not isinstance(got, np.ndarray | np.generic):
        return None
    try:
        case = _case(probe, spot, grad_output, np.asarray(got, dtype=np.float64), outputs)
        negative = same(-case.got, case.expected)
        exchanged = None if negative else _of_another(probe, spot, grad_output, case.got)
        return exchanged or diagnose(case) or how_large(case.got, case.expected)
    except KinkError:
        return None


def _case(probe: Probe, spot: Spot, grad_output: Any, got: Array, outputs: list[Array]) -> Case:
    """What is known of a gradient."""
    deltas = [np.asarray(leaf, dtype=np.float64) for leaf in leaves(grad_output) if leaf is not None]
    single = len(outputs) == 1
    delta = deltas[0] if single else np.concatenate([np.ravel(one) for one in deltas])
    inputs = [leaf for leaf in probe.inputs if is_real(leaf)]
    value = probe.value(spot)
    x = value if spot.kind == "input" else (inputs[0] if inputs else None)

    def again(changes: Mapping[str, Array], direction: Array) -> Array:
        other = _changed(probe, spot, changes)
        output = weighted_output(other, spot, _ones(grad_output))
        return slope_along(output, direction, rms(other.value(spot)), 1e-7).terms

    return Case(
        _jacobian(probe, spot, grad_output).reshape(*value.shape, *delta.shape),
        delta,
        got,
        _at_hand(probe, outputs, delta),
        outputs[0] if single else None,
        x,
        again,
        "grad_output",
        spot.kind == "parameter",
        _target(probe, x),
        () if single else tuple(output.shape for output in outputs),
    )


def _of_another(probe: Probe, spot: Spot, grad_output: Any, got: Array) -> Phrase | None:
    """The gradient of another input or parameter of the same shape, along three random directions."""
    for other in probe.spots():
        if other == spot or other.kind != spot.kind or probe.value(other).shape != got.shape or got.size < 2:
            continue
        size, output = rms(probe.value(other)), weighted_output(probe, other, grad_output)
        directions = [Generator(seed).normal(got.shape, dtype=np.float64) for seed in range(3)]
        slopes = [slope_along(output, direction, size, 1e-7) for direction in directions]
        differences = [abs(slope.value - float(np.sum(got * d))) for slope, d in zip(slopes, directions, strict=True)]
        if max(differences) <= 1e-6 * max(slope.scale for slope in slopes):
            kind = (
                say("input {name}", name=other.name)
                if other.kind == "input"
                else say("parameter {name}", name=other.name)
            )
            return say("It is the gradient of {other}: are the two exchanged?", other=kind)
    return None


def _jacobian(probe: Probe, spot: Spot, grad_output: Any) -> Array:
    return jacobian(weighted_output(probe, spot, _ones(grad_output)), probe.value(spot), 1e-7)


def _ones(grad_output: Any) -> Any:
    ones = [None if part is None else np.ones_like(part) for part in leaves(grad_output)]
    return rebuilt(grad_output, iter(ones))


def _at_hand(probe: Probe, outputs: list[Array], delta: Array) -> dict[str, Array]:
    """The arrays that a sentence may name."""
    given = {name: leaf for name, leaf in zip(probe.names, probe.inputs, strict=True) if is_real(leaf)}
    given |= {"grad_output": delta, "y": outputs[0]} if len(outputs) == 1 else {}
    return given | {name: parameter.data for name, parameter in probe.link.named_parameters()}


def _changed(probe: Probe, spot: Spot, changes: Mapping[str, Array]) -> Probe:
    """The probe with other values: "" is the input that is differentiated."""
    other = probe.copied()
    if "" in changes and spot.kind == "input":
        other.inputs[spot.place] = changes[""].copy()
    for name, parameter in other.link.named_parameters():
        if name in changes:
            parameter.data = changes[name].copy()
    return other


def _target(probe: Probe, x: Array | None) -> Array | None:
    """The target of a loss in the shape of the prediction; labels as rows with a one."""
    if not isinstance(probe.link, Loss) or len(probe.inputs) < 2 or x is None:
        return None
    target = np.asarray(probe.inputs[1])
    if target.shape == x.shape:
        return target.astype(np.float64)
    if target.dtype.kind not in "iu" or x.ndim != 2 or target.shape != x.shape[:1]:
        return None
    return np.eye(x.shape[1])[target] if target.min() >= 0 and target.max() < x.shape[1] else None
