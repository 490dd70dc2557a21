"""What a loss owes beyond the six rules."""

from typing import Any

import numpy as np

from maillon.check.probe import Probe
from maillon.check.verdict import CheckError


def rule_7_reductions_agree(probe: Probe) -> None:
    """mean · denominator = sum = Σ none."""
    value, denominator = {}, 1.0
    for reduction in ("mean", "sum", "none"):
        loss, inputs = _reduced(probe, reduction)
        with probe.draws():
            value[reduction] = float(np.sum(loss(*inputs)))
        denominator = loss.denominator if reduction == "mean" else denominator
    for name, got in (("mean · denominator", value["mean"] * denominator), ("sum", value["sum"])):
        expected = value["none"]
        error = abs(got - expected) / max(abs(expected), abs(got), np.finfo(np.float64).tiny)
        if not error <= 1e-10:
            raise CheckError(
                7, probe.shown, name, f"{expected:.10g}, the sum of the elements", f"{got:.10g}", relative_error=error
            )


def rule_8_backward_of_nothing(probe: Probe, reduction: str) -> None:
    """backward() starts from 1, or from ones for every element."""
    given = []
    for absent in (True, False):
        loss, inputs = _reduced(probe, reduction)
        with probe.draws():
            output = loss(*inputs)
            given.append(np.asarray(probe.backward(loss, None if absent else np.ones_like(output))))
    if not np.allclose(given[0], given[1], rtol=1e-12, atol=0):
        error = float(np.max(np.abs(given[0] - given[1])) / np.max(np.abs(given[1])))
        raise CheckError(8, probe.shown, "backward()", "what backward(1) gives", "something else", relative_error=error)


def _reduced(probe: Probe, reduction: str) -> tuple[Any, tuple[Any, ...]]:
    loss: Any
    loss, inputs = probe.fresh()
    loss.reduction = reduction
    return loss, inputs
