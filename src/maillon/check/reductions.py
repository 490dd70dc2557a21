"""What a loss owes beyond the six rules."""

from typing import Any

import numpy as np

from maillon.check.probe import Probe
from maillon.check.verdict import CheckError
from maillon.check.words import say
from maillon.nesting import leaves


def rule_7_reductions_agree(probe: Probe) -> None:
    """mean · denominator = sum = Σ none, or Σ of the elements' shares in the mean where a loss says so."""
    loss, inputs = _reduced(probe, "none")
    with probe.draws():
        elements = loss(*inputs)
    for reduction in (name for name in loss.reductions if name != "none"):
        loss, inputs = _reduced(probe, reduction)
        with probe.draws():
            got = float(loss(*inputs)) * (loss.denominator if loss.averages else 1.0)
        name = f"{reduction} · denominator" if loss.averages else reduction
        expected = float(np.sum(elements * loss.shares if loss.averages else elements))
        error = abs(got - expected) / max(abs(expected), abs(got), np.finfo(np.float64).tiny)
        if not error <= 1e-10:
            raise CheckError(
                7,
                probe.shown,
                name,
                say("{number}, the sum of the elements", number=f"{expected:.10g}"),
                f"{got:.10g}",
                relative_error=error,
            )


def rule_8_backward_of_nothing(probe: Probe, reduction: str) -> None:
    """backward() starts from 1, or from ones for every element."""
    given = []
    for absent in (True, False):
        loss, inputs = _reduced(probe, reduction)
        with probe.draws():
            output = loss(*inputs)
            given.append(leaves(probe.backward(loss, None if absent else np.ones_like(output))))
    for got, expected in zip(*given, strict=True):
        if expected is not None and not np.allclose(got, expected, rtol=1e-12, atol=0):
            error = float(np.max(np.abs(got - expected)) / np.max(np.abs(expected)))
            raise CheckError(
                8,
                probe.shown,
                "backward()",
                say("what backward(1) gives"),
                say("something else"),
                relative_error=error,
            )


def _reduced(probe: Probe, reduction: str) -> tuple[Any, tuple[Any, ...]]:
    loss: Any
    loss, inputs = probe.fresh()
    loss.reduction = reduction
    return loss, inputs
